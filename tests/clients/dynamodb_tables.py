"""Tables of DynamoDB: made, described, changed, tagged, deleted; what they cannot be is refused in AWS's words."""

from common import ACCOUNT, client, fails, ok, same, until

ddb = client("dynamodb")


def table(name, keys="p:S", **more):
    """`p:S,c:N` is a partition key of texts and a sort key of numbers."""
    parts = [k.split(":") for k in keys.split(",")]
    more.setdefault("BillingMode", "PAY_PER_REQUEST")
    more.setdefault("AttributeDefinitions", [{"AttributeName": n, "AttributeType": t} for n, t in parts])
    kinds = ("HASH", "RANGE", "RANGE")
    return ddb.create_table(TableName=name, KeySchema=[
        {"AttributeName": n, "KeyType": k} for (n, _), k in zip(parts, kinds)], **more)["TableDescription"]


def refused(why, call, *args, **kwargs):
    error = fails("ValidationException", 400, call, *args, **kwargs)["Error"]["Message"]
    assert why in error, f"expected {why!r}, got {error!r}"


made = table("one", "p:S,c:N", Tags=[{"Key": "team", "Value": "a"}])
same(made["TableStatus"], "CREATING", "what CreateTable says")
same(made["TableArn"], f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/one", "ARN")
one = ddb.describe_table(TableName="one")["Table"]
same(one["TableStatus"], "ACTIVE", "soon active")
same(one["KeySchema"], [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "c", "KeyType": "RANGE"}], "keys")
same(one["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST", "billing")
same(one["ProvisionedThroughput"], {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0}, "throughput")
same((one["ItemCount"], one["TableSizeBytes"], one["DeletionProtectionEnabled"]), (0, 0, False), "an empty table")
assert one["TableId"] and "StreamSpecification" not in one and "GlobalSecondaryIndexes" not in one, one
same(ddb.describe_table(TableName=one["TableArn"])["Table"]["TableName"], "one", "by ARN")
fails("ResourceInUseException", 400, table, "one")
fails("ResourceNotFoundException", 400, ddb.describe_table, TableName="none")
same(fails("ResourceNotFoundException", 400, ddb.describe_table, TableName="none")["Error"]["Message"],
     "Requested resource not found: Table: none not found", "message")
same(fails("ResourceInUseException", 400, table, "one")["Error"]["Message"], "Table already exists: one", "message")
ok("a table is made and described")

for n in range(5):
    table(f"list-{n}")
names, start = [], {}
while True:
    page = ddb.list_tables(Limit=2, **start)
    names += page["TableNames"]
    if "LastEvaluatedTableName" not in page:
        break
    start = {"ExclusiveStartTableName": page["LastEvaluatedTableName"]}
same(names, ["list-0", "list-1", "list-2", "list-3", "list-4", "one"], "pages of names")
ok("tables are listed in pages")

refused("Some index key attributes are not defined in AttributeDefinitions", table, "bad", "p:S",
        AttributeDefinitions=[{"AttributeName": "x", "AttributeType": "S"}])
refused("does not exactly match number of attributes", table, "bad", "p:S", AttributeDefinitions=[
    {"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "x", "AttributeType": "S"}])
refused("have the same name", table, "bad", "p:S,p:S", AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}])
refused("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST", table, "bad",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
refused("must both be specified when BillingMode is PROVISIONED", table, "bad", BillingMode="PROVISIONED")
refused("failed to satisfy constraint", table, "b!d")
refused("failed to satisfy constraint", table, "ab")
refused("failed to satisfy constraint", table, "bad", "p:X")
refused("Number of LocalSecondaryIndexes exceeds per-table limit of 5", table, "bad", "p:S,c:S",
        LocalSecondaryIndexes=[{"IndexName": f"l-{n}", "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "c", "KeyType": "RANGE"}],
                                "Projection": {"ProjectionType": "ALL"}} for n in range(6)])
refused("does not have a range key, which is required", table, "bad", "p:S", LocalSecondaryIndexes=[
    {"IndexName": "ldx", "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}])
refused("ProjectionType is INCLUDE, but NonKeyAttributes is not specified", table, "bad", "p:S", GlobalSecondaryIndexes=[
    {"IndexName": "gdx", "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}], "Projection": {"ProjectionType": "INCLUDE"}}])
refused("reserved for system use", table, "bad", Tags=[{"Key": "aws:x", "Value": "y"}])
fails("NotImplemented", 400, ddb.update_table, TableName="one", ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])
ok("tables that cannot be")

table("two", BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}, TableClass="STANDARD")
two = ddb.describe_table(TableName="two")["Table"]
same(two["ProvisionedThroughput"]["WriteCapacityUnits"], 6, "provisioned")
refused("The provisioned throughput for the table will not change", ddb.update_table, TableName="two",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 6})
same(ddb.update_table(TableName="two", ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 6})["TableDescription"]["TableStatus"], "UPDATING", "status")
ddb.update_table(TableName="two", BillingMode="PAY_PER_REQUEST")
two = ddb.describe_table(TableName="two")["Table"]
same((two["TableStatus"], two["BillingModeSummary"]["BillingMode"]), ("ACTIVE", "PAY_PER_REQUEST"), "changed")
ddb.update_table(TableName="two", TableClass="STANDARD_INFREQUENT_ACCESS", DeletionProtectionEnabled=True)
two = ddb.describe_table(TableName="two")["Table"]
same(two["TableClassSummary"]["TableClass"], "STANDARD_INFREQUENT_ACCESS", "class")
refused("protected against deletion", ddb.delete_table, TableName="two")
ddb.update_table(TableName="two", DeletionProtectionEnabled=False)
refused("At least one of ProvisionedThroughput", ddb.update_table, TableName="two")
ok("billing, throughput, class, protection")

arn = one["TableArn"]
ddb.tag_resource(ResourceArn=arn, Tags=[{"Key": f"k{n:02}", "Value": "v"} for n in range(12)])
page = ddb.list_tags_of_resource(ResourceArn=arn)
same((len(page["Tags"]), page["Tags"][0], "NextToken" in page), (13, {"Key": "team", "Value": "a"}, False), "all tags")
ddb.untag_resource(ResourceArn=arn, TagKeys=["team"] + [f"k{n:02}" for n in range(11)])
same(ddb.list_tags_of_resource(ResourceArn=arn)["Tags"], [{"Key": "k11", "Value": "v"}], "what is left")
refused("Too many tags", ddb.tag_resource, ResourceArn=arn, Tags=[{"Key": f"t{n}", "Value": "v"} for n in range(50)])
fails("ResourceNotFoundException", 400, ddb.list_tags_of_resource, ResourceArn=arn + "x")
ok("tags")

for n in range(30):
    ddb.put_item(TableName="one", Item={"p": {"S": "x"}, "c": {"N": str(n)}, "v": {"S": "y" * 10}})
ddb.delete_item(TableName="one", Key={"p": {"S": "x"}, "c": {"N": "0"}})
counted = ddb.describe_table(TableName="one")["Table"]
same(counted["ItemCount"], 29, "items are counted")
assert 29 * 14 <= counted["TableSizeBytes"] <= 29 * 20, counted
gone = ddb.delete_table(TableName="one")["TableDescription"]
same(gone["TableStatus"], "DELETING", "what DeleteTable says")
fails("ResourceNotFoundException", 400, ddb.describe_table, TableName="one")
fails("ResourceNotFoundException", 400, ddb.get_item, TableName="one", Key={"p": {"S": "x"}, "c": {"N": "1"}})
fails("ResourceNotFoundException", 400, ddb.delete_table, TableName="one")
table("one", "p:S,c:N")
same(ddb.scan(TableName="one")["Count"], 0, "a new table has none of the old one's items")
same(ddb.describe_table(TableName="one")["Table"]["ItemCount"], 0, "nor its count")
ok("items are counted; a deleted table is gone")

backups = ddb.describe_continuous_backups(TableName="one")["ContinuousBackupsDescription"]
same(backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"], "DISABLED", "no point in time recovery")
fails("NotImplemented", 400, ddb.update_continuous_backups, TableName="one",
      PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
fails("TableNotFoundException", 400, ddb.describe_continuous_backups, TableName="none")
same(ddb.describe_contributor_insights(TableName="one")["ContributorInsightsStatus"], "DISABLED", "insights")
same(ddb.describe_kinesis_streaming_destination(TableName="one")["KinesisDataStreamDestinations"], [], "destinations")
same(ddb.describe_limits()["TableMaxReadCapacityUnits"], 40000, "limits")
assert ":" in ddb.describe_endpoints()["Endpoints"][0]["Address"]
same(ddb.list_backups()["BackupSummaries"], [], "backups")
ok("what clients ask of every table")
