"""PartiQL of DynamoDB: statements that select, insert, update and delete, alone, in batches and in transactions."""

from common import client, fails, ok, same

ddb = client("dynamodb")
ddb.create_table(
    TableName="Music", BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (("Artist", "S"), ("Song", "S"), ("Year", "N"))],
    KeySchema=[{"AttributeName": "Artist", "KeyType": "HASH"}, {"AttributeName": "Song", "KeyType": "RANGE"}],
    GlobalSecondaryIndexes=[{"IndexName": "ByYear", "KeySchema": [{"AttributeName": "Year", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}])


def run(statement, *parameters, **more):
    if parameters:
        more["Parameters"] = list(parameters)
    return ddb.execute_statement(Statement=statement, **more)


def s(text):
    return {"S": text}


for artist in "ab":
    for n in range(6):
        run(f"INSERT INTO Music VALUE {{'Artist': '{artist}', 'Song': 's{n}', 'Year': {2000 + n % 2}, 'Tags': <<'x', 'y'>>, 'Info': {{'plays': {n}, 'l': [1, 'two', null]}}}}")
duplicate = fails("DuplicateItemException", 400, run, "INSERT INTO Music VALUE {'Artist': 'a', 'Song': 's0'}")
same(duplicate["Error"]["Message"], "Duplicate primary key exists in table", "message")
item = run("SELECT * FROM Music WHERE Artist = ? AND Song = 's1'", s("a"))["Items"]
same(item, [{"Artist": s("a"), "Song": s("s1"), "Year": {"N": "2001"}, "Tags": {"SS": item[0]["Tags"]["SS"]},
             "Info": {"M": {"plays": {"N": "1"}, "l": {"L": [{"N": "1"}, s("two"), {"NULL": True}]}}}}], "one item")
songs = [i["Song"]["S"] for i in run("SELECT Song FROM Music WHERE Artist = 'a' AND Song > 's2' ORDER BY Song DESC")["Items"]]
same(songs, ["s5", "s4", "s3"], "a range, backward")
same(len(run('SELECT * FROM "Music"."ByYear" WHERE "Year" = 2001')["Items"]), 6, "an index")
same(len(run("SELECT * FROM Music WHERE Info.plays >= 4 AND contains(Tags, 'x')")["Items"]), 4, "a filter over the whole table")
same(len(run("SELECT * FROM Music WHERE Artist IN ['a', 'b'] AND begins_with(Song, 's')")["Items"]), 12, "several partitions")
same(run("SELECT Info.l[1] FROM Music WHERE Artist='a' AND Song='s1'")["Items"], [{"Info": {"M": {"l": {"L": [s("two")]}}}}], "a path")
found, more = [], {}
while True:
    page = run("SELECT Song FROM Music WHERE Artist IN ['a', 'b']", Limit=4, **more)
    found += page["Items"]
    if "NextToken" not in page:
        break
    more = {"NextToken": page["NextToken"]}
same(len(found), 12, "pages")
ok("select and insert")

new = run("UPDATE Music SET Year = Year + 10 SET Info.plays = 100 REMOVE Tags WHERE Artist = 'a' AND Song = 's0' RETURNING ALL NEW *")["Items"]
same((new[0]["Year"], new[0]["Info"]["M"]["plays"], "Tags" in new[0]), ({"N": "2010"}, {"N": "100"}, False), "updated")
same(run("UPDATE Music SET Year = 1 WHERE Artist = 'a' AND Song = 's0' RETURNING MODIFIED OLD *")["Items"], [{"Year": {"N": "2010"}}], "what it was")
fails("ConditionalCheckFailedException", 400, run, "UPDATE Music SET Year = 1 WHERE Artist = 'a' AND Song = 'none'")
fails("ConditionalCheckFailedException", 400, run, "UPDATE Music SET Year = 1 WHERE Artist = 'a' AND Song = 's0' AND Year = 7")
why = fails("ValidationException", 400, run, "UPDATE Music SET Year = 1 WHERE Artist = 'a'")["Error"]["Message"]
same(why, "Where clause does not contain a mandatory equality on all key attributes", "message")
same(run("DELETE FROM Music WHERE Artist = 'a' AND Song = 's0' RETURNING ALL OLD *")["Items"][0]["Year"], {"N": "1"}, "deleted")
same(run("DELETE FROM Music WHERE Artist = 'a' AND Song = 's0'")["Items"], [], "gone already")
for bad in ("SELEC * FROM Music", "SELECT * FROM Music WHERE", "SELECT * FROM Music WHERE a = ?", "INSERT INTO Music VALUE 1", "x" * 8000,
            "SELECT * FROM Music WHERE a = 'x", "EXISTS(SELECT * FROM Music WHERE Artist = 'a' AND Song = 's1')"):
    fails("ValidationException", 400, run, bad)
fails("ResourceNotFoundException", 400, run, "SELECT * FROM None1 WHERE a = 1")
ok("update, delete, and what is refused")

answers = ddb.batch_execute_statement(Statements=[
    {"Statement": "SELECT Song FROM Music WHERE Artist = 'a' AND Song = 's1'"},
    {"Statement": "SELECT Song FROM Music WHERE Artist = ? AND Song = 'none'", "Parameters": [s("a")]},
    {"Statement": "SELECT * FROM Music WHERE Artist = 'a'"}])["Responses"]
same(answers[0], {"TableName": "Music", "Item": {"Song": s("s1")}}, "found")
same(answers[1], {"TableName": "Music"}, "not found")
same(answers[2]["Error"]["Code"], "ValidationError", "without the whole key")
answers = ddb.batch_execute_statement(Statements=[
    {"Statement": "INSERT INTO Music VALUE {'Artist': 'c', 'Song': 's0'}"}, {"Statement": "INSERT INTO Music VALUE {'Artist': 'a', 'Song': 's1'}"}])["Responses"]
same((answers[0], answers[1]["Error"]["Code"]), ({"TableName": "Music"}, "DuplicateItem"), "each by itself")

ddb.execute_transaction(TransactStatements=[
    {"Statement": "EXISTS(SELECT * FROM Music WHERE Artist = 'c' AND Song = 's0')"},
    {"Statement": "INSERT INTO Music VALUE {'Artist': 'd', 'Song': 's0'}"},
    {"Statement": "UPDATE Music SET Year = 5 WHERE Artist = 'a' AND Song = 's1'"}])
failed = fails("TransactionCanceledException", 400, ddb.execute_transaction, TransactStatements=[
    {"Statement": "INSERT INTO Music VALUE {'Artist': 'd', 'Song': 's0'}"},
    {"Statement": "DELETE FROM Music WHERE Artist = 'a' AND Song = 's1'"}])
same([r["Code"] for r in failed["CancellationReasons"]], ["DuplicateItem", "None"], "reasons")
both = ddb.execute_transaction(TransactStatements=[
    {"Statement": "SELECT Year FROM Music WHERE Artist = 'a' AND Song = 's1'"}, {"Statement": "SELECT * FROM Music WHERE Artist = 'x' AND Song = 'y'"}])
same(both["Responses"], [{"Item": {"Year": {"N": "5"}}}, {}], "read together")
ok("batches and transactions")
