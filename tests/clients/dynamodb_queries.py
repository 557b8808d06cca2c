"""Queries and scans of DynamoDB: order, ranges, pages, filters, projections, segments; indexes that follow the items."""

import decimal
import random

import boto3.dynamodb.types

from common import client, fails, ok, same, until

ddb = client("dynamodb")
back = boto3.dynamodb.types.TypeDeserializer().deserialize
random.seed(7)


def attributes(spec):
    return [{"AttributeName": n, "AttributeType": t} for n, t in (a.split(":") for a in spec.split(","))]


def keys(*names):
    return [{"AttributeName": n, "KeyType": k} for n, k in zip(names, ("HASH", "RANGE"))]


def index(name, *names, projection="ALL", include=None):
    shape = {"ProjectionType": projection, **({"NonKeyAttributes": include} if include else {})}
    return {"IndexName": name, "KeySchema": keys(*names), "Projection": shape}


def refused(why, call, *args, **kwargs):
    error = fails("ValidationException", 400, call, *args, **kwargs)["Error"]["Message"]
    assert why in error, f"expected {why!r}, got {error!r}"


def plain(items):
    return [{k: back(v) for k, v in i.items()} for i in items]


def whole(call, **kwargs):
    """All pages."""
    items, start = [], {}
    while True:
        page = call(**kwargs, **start)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return plain(items)
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


ddb.create_table(TableName="numbers", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=attributes("p:S,c:N"), KeySchema=keys("p", "c"))
numbers = ["-1e100", "-12.5", "-12", "-1", "-0.001", "0", "1e-100", "0.5", "1", "1.5", "2", "9", "10", "11", "100", "1e20", "9e125"]
for n in random.sample(numbers, len(numbers)):
    ddb.put_item(TableName="numbers", Item={"p": {"S": "a"}, "c": {"N": n}, "half": {"BOOL": n[0] == "-"}, "note": {"S": n}})
    ddb.put_item(TableName="numbers", Item={"p": {"S": "b"}, "c": {"N": n}})


def query(condition, table="numbers", values=None, **more):
    values = {":p": {"S": "a"}, **(values or {})}
    return dict(TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values, **more)


def sorts(**q):
    return [i["c"] for i in whole(ddb.query, **q)]


ordered = [decimal.Decimal(n) for n in numbers]
same(sorts(**query("p = :p")), ordered, "numbers in order")
same(sorts(**query("p = :p", ScanIndexForward=False)), ordered[::-1], "backward")
for limit in (1, 3, 100):
    same(sorts(**query("p = :p", Limit=limit)), ordered, f"pages of {limit}")
    same(sorts(**query("p = :p", Limit=limit, ScanIndexForward=False)), ordered[::-1], f"pages of {limit} backward")
for condition, expected in [
    ("c < :v", lambda c: c < 1), ("c <= :v", lambda c: c <= 1), ("c > :v", lambda c: c > 1), ("c >= :v", lambda c: c >= 1),
    ("c = :v", lambda c: c == 1),
]:
    same(sorts(**query(f"p = :p AND {condition}", values={":v": {"N": "1.0"}})), [c for c in ordered if expected(c)], condition)
same(sorts(**query("p = :p AND c BETWEEN :a AND :b", values={":a": {"N": "-12"}, ":b": {"N": "10"}})),
     [c for c in ordered if -12 <= c <= 10], "between")
same(len(whole(ddb.scan, TableName="numbers")), 34, "a scan")
same(len(whole(ddb.scan, TableName="numbers", Limit=5)), 34, "a scan in pages")
ok("ranges of numbers, both ways, in pages")

page = ddb.query(**query("p = :p", FilterExpression="half = :yes", values={":yes": {"BOOL": True}}, ReturnConsumedCapacity="TOTAL"))
same((page["Count"], page["ScannedCount"], page["ConsumedCapacity"]["CapacityUnits"]), (5, 17, 0.5), "a filter")
page = ddb.query(**query("p = :p", Select="COUNT"))
same(("Items" in page, page["Count"]), (False, 17), "a count")
same(whole(ddb.query, **query("p = :p AND c = :v", values={":v": {"N": "1"}}, ProjectionExpression="note")), [{"note": "1"}], "a projection")
old = ddb.query(TableName="numbers", KeyConditions={"p": {"AttributeValueList": [{"S": "a"}], "ComparisonOperator": "EQ"},
                                                    "c": {"AttributeValueList": [{"N": "9"}], "ComparisonOperator": "GT"}},
                QueryFilter={"note": {"AttributeValueList": [{"S": "1"}], "ComparisonOperator": "BEGINS_WITH"}})
same([i["c"] for i in plain(old["Items"])], [10, 11, 100, 10**20], "the older parameters")
for why, q in [
    ("Query condition missed key schema element: p", query("c = :p")),
    ("Query key condition not supported", query("p > :p")),
    ("Condition parameter type does not match schema type", query("p = :p AND c = :p")),
    ("Filter Expression can only contain non-primary key attributes", query("p = :p", FilterExpression="c = :v", values={":v": {"N": "1"}})),
    ("The table does not have the specified index: nope", query("p = :p", IndexName="nope")),
    ("Invalid operator used in KeyConditionExpression: OR", query("p = :p OR c = :p")),
    ("unused in expressions: keys: {:zz}", query("p = :p", values={":zz": {"S": ""}})),
    ("Invalid KeyConditionExpression: Syntax error", query("p = :p AND")),
    ("reserved keyword: name", query("name = :p")),
    ("The provided starting key", query("p = :p", ExclusiveStartKey={"p": {"S": "a"}})),
]:
    refused(why, ddb.query, **q)
refused("must be less than parameter TotalSegments", ddb.scan, TableName="numbers", Segment=4, TotalSegments=4)
ok("filters, counts, projections, and what is refused")

ddb.create_table(
    TableName="songs", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=attributes("artist:S,title:S,genre:S,year:N,price:N"),
    KeySchema=keys("artist", "title"),
    LocalSecondaryIndexes=[index("by-year", "artist", "year", projection="KEYS_ONLY")],
    GlobalSecondaryIndexes=[index("by-genre", "genre", "price"), index("some", "genre", projection="INCLUDE", include=["label"])])
songs = {}
for n in range(60):
    song = {"artist": {"S": f"a{n % 4}"}, "title": {"S": f"t{n:03}"}, "year": {"N": str(1990 + n % 7)}, "label": {"S": "l"}}
    if n % 3:
        song |= {"genre": {"S": f"g{n % 2}"}, "price": {"N": str(n)}}
    songs[n] = song
    ddb.put_item(TableName="songs", Item=song)
g1 = sorted((s for s in songs.values() if s.get("genre") == {"S": "g1"}), key=lambda s: int(s["price"]["N"]))
got = whole(ddb.query, TableName="songs", IndexName="by-genre", KeyConditionExpression="genre = :g", ExpressionAttributeValues={":g": {"S": "g1"}}, Limit=7)
same(got, plain(g1), "a global index, in the order of its sort key, in pages")
same(len(whole(ddb.scan, TableName="songs", IndexName="by-genre", Limit=9)), 40, "sparse")
some = whole(ddb.scan, TableName="songs", IndexName="some")
same(sorted(some[0]), ["artist", "genre", "label", "title"], "what an index holds")
q = dict(TableName="songs", IndexName="by-year", KeyConditionExpression="artist = :a AND #y = :y",
         ExpressionAttributeNames={"#y": "year"}, ExpressionAttributeValues={":a": {"S": "a0"}, ":y": {"N": "1990"}}, ConsistentRead=True)
mine = sorted((s for s in songs.values() if s["artist"] == {"S": "a0"} and s["year"] == {"N": "1990"}), key=lambda s: s["title"]["S"])
same(whole(ddb.query, **q), [{k: back(s[k]) for k in ("artist", "title", "year")} for s in mine], "a local index of keys")
same(whole(ddb.query, **q, Select="ALL_ATTRIBUTES"), plain(mine), "a local index fetches the rest from its table")
refused("Consistent reads are not supported on global secondary indexes", ddb.scan, TableName="songs", IndexName="some", ConsistentRead=True)
refused("does not project [year]", ddb.scan, TableName="songs", IndexName="some", ProjectionExpression="#y", ExpressionAttributeNames={"#y": "year"})
refused("Type mismatch for Index Key price Expected: N Actual: S IndexName: by-genre", ddb.put_item, TableName="songs",
        Item={**songs[0], "price": {"S": "x"}})
key = {k: songs[1][k] for k in ("artist", "title")}
ddb.update_item(TableName="songs", Key=key, UpdateExpression="SET price = :n", ExpressionAttributeValues={":n": {"N": "1000"}})
by_genre = dict(TableName="songs", IndexName="by-genre", KeyConditionExpression="genre = :g", ExpressionAttributeValues={":g": {"S": "g1"}})
same(whole(ddb.query, **by_genre, ScanIndexForward=False)[0]["title"], "t001", "an item moves in the index")
ddb.update_item(TableName="songs", Key=key, UpdateExpression="REMOVE genre")
same(len(whole(ddb.query, **by_genre)), len(g1) - 1, "an item leaves the index")
ddb.delete_item(TableName="songs", Key={k: songs[5][k] for k in ("artist", "title")})
same(len(whole(ddb.query, **by_genre)), len(g1) - 2, "a deleted item is in no index")
used = ddb.put_item(TableName="songs", Item=songs[7], ReturnConsumedCapacity="INDEXES", ReturnItemCollectionMetrics="SIZE")
same(used["ConsumedCapacity"]["CapacityUnits"], 1.0, "an unchanged item writes no index")
same(used["ItemCollectionMetrics"]["ItemCollectionKey"], {"artist": songs[7]["artist"]}, "item collection")
ok("indexes follow the items")

ddb.update_table(TableName="songs", AttributeDefinitions=attributes("label:S,year:N"),
                 GlobalSecondaryIndexUpdates=[{"Create": index("by-label", "label", "year")}])


def status(name):
    found = [i for i in ddb.describe_table(TableName="songs")["Table"]["GlobalSecondaryIndexes"] if i["IndexName"] == name]
    return found[0]["IndexStatus"] if found else None


until("the new index is active", lambda: status("by-label") == "ACTIVE")
same(len(whole(ddb.query, TableName="songs", IndexName="by-label", KeyConditionExpression="label = :l",
               ExpressionAttributeValues={":l": {"S": "l"}})), 59, "a new index has the items of before")
same({i["IndexName"]: i["ItemCount"] for i in ddb.describe_table(TableName="songs")["Table"]["GlobalSecondaryIndexes"]}["by-label"], 59, "counted")
refused("already exists", ddb.update_table, TableName="songs", AttributeDefinitions=attributes("label:S"),
        GlobalSecondaryIndexUpdates=[{"Create": index("by-label", "label")}])
ddb.update_table(TableName="songs", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-label"}}])
until("the index is gone", lambda: status("by-label") is None)
refused("does not have the specified index", ddb.scan, TableName="songs", IndexName="by-label")
ok("an index is added to a table and removed")

every = [tuple(i.values()) for i in whole(ddb.scan, TableName="songs", ProjectionExpression="artist, title")]
for total in (2, 7):
    parts = []
    for n in range(total):
        parts += [tuple(i.values()) for i in whole(ddb.scan, TableName="songs", Segment=n, TotalSegments=total, Limit=4, ProjectionExpression="artist, title")]
    same(parts, every, f"{total} segments are the whole")
for n in range(12):
    ddb.put_item(TableName="numbers", Item={"p": {"S": "big"}, "c": {"N": str(n)}, "x": {"S": "x" * 200_000}})
page = ddb.query(TableName="numbers", KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": {"S": "big"}})
same((page["Count"], "LastEvaluatedKey" in page), (6, True), "a page ends at 1 MB")
same(len(whole(ddb.query, TableName="numbers", KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": {"S": "big"}})), 12, "and goes on")
ok("segments and pages of 1 MB")
