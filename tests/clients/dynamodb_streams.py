"""DynamoDB's streams and time to live: every change once and in order, images, iterators; items that expire on the cloud's clock."""

import json
import time
import urllib.request

from common import ENDPOINT, client, fails, ok, same, until

ddb, streams = client("dynamodb"), client("dynamodbstreams")


def advance(seconds):
    body = json.dumps({"advance_seconds": seconds}).encode()
    request = urllib.request.Request(f"{ENDPOINT}/_fogbank/clock", body, {"Content-Type": "application/json"}, method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).read()


def table(name, view=None):
    more = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view}} if view else {}
    return ddb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
                            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}], **more)["TableDescription"]


def key(p):
    return {"p": {"S": p}}


def shard(arn):
    return streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]


def iterator(arn, kind="TRIM_HORIZON", **more):
    return streams.get_shard_iterator(StreamArn=arn, ShardId=shard(arn), ShardIteratorType=kind, **more)["ShardIterator"]


def read(at, **more):
    """All records from an iterator, and the next one."""
    records = []
    while True:
        page = streams.get_records(ShardIterator=at, **more)
        records += page["Records"]
        at = page.get("NextShardIterator")
        if not page["Records"] or at is None:
            return records, at


made = table("events", "NEW_AND_OLD_IMAGES")
arn = made["LatestStreamArn"]
assert arn == f"{made['TableArn']}/stream/{made['LatestStreamLabel']}", made
described = streams.describe_stream(StreamArn=arn)["StreamDescription"]
same((described["StreamStatus"], described["StreamViewType"], described["TableName"]), ("ENABLED", "NEW_AND_OLD_IMAGES", "events"), "described")
same(described["KeySchema"], [{"AttributeName": "p", "KeyType": "HASH"}], "keys")
same(streams.list_streams(TableName="events")["Streams"], [{"StreamArn": arn, "TableName": "events", "StreamLabel": made["LatestStreamLabel"]}], "listed")

ddb.put_item(TableName="events", Item={**key("a"), "v": {"N": "1"}})
ddb.put_item(TableName="events", Item={**key("a"), "v": {"N": "1"}})  # changes nothing
ddb.update_item(TableName="events", Key=key("a"), UpdateExpression="ADD v :v", ExpressionAttributeValues={":v": {"N": "1"}})
ddb.delete_item(TableName="events", Key=key("a"))
ddb.delete_item(TableName="events", Key=key("a"))  # changes nothing
ddb.transact_write_items(TransactItems=[{"Put": {"TableName": "events", "Item": key(p)}} for p in "xy"])
ddb.batch_write_item(RequestItems={"events": [{"PutRequest": {"Item": key("z")}}]})
records, after = read(iterator(arn))
same([r["eventName"] for r in records], ["INSERT", "MODIFY", "REMOVE", "INSERT", "INSERT", "INSERT"], "what happened, in order")
first, second, third = (r["dynamodb"] for r in records[:3])
same((first["Keys"], first["NewImage"], "OldImage" in first), (key("a"), {**key("a"), "v": {"N": "1"}}, False), "an insert")
same((second["OldImage"]["v"], second["NewImage"]["v"]), ({"N": "1"}, {"N": "2"}), "a change")
same((third["OldImage"], "NewImage" in third), ({**key("a"), "v": {"N": "2"}}, False), "a removal")
same((records[0]["eventSource"], records[0]["eventVersion"], records[0]["awsRegion"], first["StreamViewType"]),
     ("aws:dynamodb", "1.1", "us-east-1", "NEW_AND_OLD_IMAGES"), "about the record")
numbers = [r["dynamodb"]["SequenceNumber"] for r in records]
assert numbers == sorted(numbers) and len(set(numbers)) == 6 and len(numbers[0]) >= 21, numbers
same(len({r["eventID"] for r in records}), 6, "each has an id")
assert "userIdentity" not in records[0], records[0]
same([r["dynamodb"]["SequenceNumber"] for r in read(iterator(arn, "AT_SEQUENCE_NUMBER", SequenceNumber=numbers[2]))[0]], numbers[2:], "from one on")
same([r["dynamodb"]["SequenceNumber"] for r in read(iterator(arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=numbers[2]))[0]], numbers[3:], "behind one")
same([r["dynamodb"]["SequenceNumber"] for r in read(iterator(arn), Limit=1)[0]], numbers, "one at a time")
latest = iterator(arn, "LATEST")
ddb.put_item(TableName="events", Item=key("later"))
same([r["dynamodb"]["Keys"] for r in read(latest)[0]], [key("later")], "what comes from now on")
same([r["dynamodb"]["Keys"] for r in read(after)[0]], [key("later")], "a reader goes on where it was")
ok("every change once and in order")

for view, images in (("KEYS_ONLY", set()), ("NEW_IMAGE", {"NewImage"}), ("OLD_IMAGE", {"OldImage"})):
    at = table(f"view-{view}", view)["LatestStreamArn"]
    for v in "12":
        ddb.put_item(TableName=f"view-{view}", Item={**key("a"), "v": {"N": v}})
    same({"NewImage", "OldImage"} & set(read(iterator(at))[0][1]["dynamodb"]), images, view)
fails("ResourceNotFoundException", 400, streams.describe_stream, StreamArn=arn + "x")
fails("ResourceNotFoundException", 400, streams.get_shard_iterator, StreamArn=arn, ShardId="shardId-00000000000000000000-00000000", ShardIteratorType="LATEST")
fails("ValidationException", 400, streams.get_records, ShardIterator="garbage")
fails("ValidationException", 400, streams.get_shard_iterator, StreamArn=arn, ShardId=shard(arn), ShardIteratorType="AT_SEQUENCE_NUMBER")
fails("ValidationException", 400, ddb.update_table, TableName="events", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
ddb.update_table(TableName="events", StreamSpecification={"StreamEnabled": False})
same(streams.describe_stream(StreamArn=arn)["StreamDescription"]["StreamStatus"], "DISABLED", "ended")
ddb.put_item(TableName="events", Item=key("unseen"))
records, end = read(iterator(arn))
same((len(records), end), (7, None), "a stream that has ended can be read to its end")
again = ddb.update_table(TableName="events", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})["TableDescription"]
assert again["LatestStreamArn"] != arn, again
same(len(streams.list_streams(TableName="events")["Streams"]), 2, "the old stream and the new")
ok("views, iterators that are wrong, streams that end")

table("sessions", "NEW_AND_OLD_IMAGES")
sessions = ddb.describe_table(TableName="sessions")["Table"]["LatestStreamArn"]
now = int(time.time())
ddb.put_item(TableName="sessions", Item={**key("before"), "ends": {"N": str(now + 3600)}})
same(ddb.describe_time_to_live(TableName="sessions")["TimeToLiveDescription"], {"TimeToLiveStatus": "DISABLED"}, "off")
ddb.update_time_to_live(TableName="sessions", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ends"})
same(ddb.describe_time_to_live(TableName="sessions")["TimeToLiveDescription"], {"TimeToLiveStatus": "ENABLED", "AttributeName": "ends"}, "on")
fails("ValidationException", 400, ddb.update_time_to_live, TableName="sessions", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ends"})
ddb.put_item(TableName="sessions", Item={**key("soon"), "ends": {"N": str(now + 3600)}})
ddb.put_item(TableName="sessions", Item={**key("moved"), "ends": {"N": str(now + 3600)}})
ddb.update_item(TableName="sessions", Key=key("moved"), UpdateExpression="SET ends = :t", ExpressionAttributeValues={":t": {"N": str(now + 7200)}})
ddb.put_item(TableName="sessions", Item={**key("text"), "ends": {"S": str(now + 3600)}})
ddb.put_item(TableName="sessions", Item={**key("ancient"), "ends": {"N": "1000"}})
ddb.put_item(TableName="sessions", Item=key("forever"))


def there():
    return sorted(i["p"]["S"] for i in ddb.scan(TableName="sessions")["Items"])


same(there(), ["ancient", "before", "forever", "moved", "soon", "text"], "nothing has expired")
advance(3700)
until("two have expired", lambda: there() == ["ancient", "forever", "moved", "text"])
advance(3700)
until("the third has expired", lambda: there() == ["ancient", "forever", "text"])
records = [r for r in read(iterator(sessions))[0] if r["eventName"] == "REMOVE"]
same(sorted(r["dynamodb"]["Keys"]["p"]["S"] for r in records), ["before", "moved", "soon"], "expiries are in the stream")
same(records[0]["userIdentity"], {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}, "and say who it was")
ok("items expire on the cloud's clock")

at = iterator(sessions)
advance(25 * 3600)
fails("ExpiredIteratorException", 400, streams.get_records, ShardIterator=at)
same(read(iterator(sessions))[0], [], "records are kept for a day")
fails("TrimmedDataAccessException", 400, iterator, sessions, "AT_SEQUENCE_NUMBER", SequenceNumber=records[0]["dynamodb"]["SequenceNumber"])
until("a stream that ended a day ago is gone", lambda: arn not in [s["StreamArn"] for s in streams.list_streams(TableName="events")["Streams"]])
ok("records are kept for a day")
