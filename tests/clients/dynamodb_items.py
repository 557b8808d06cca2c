"""Items of DynamoDB: what is put is got, conditions decide, limits are AWS's, bad input is named."""

import json
from decimal import Decimal

import boto3.dynamodb.types

from common import ENDPOINT, client, fails, http, ok, same

ddb = client("dynamodb")
ddb.create_table(
    TableName="things", BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "c", "AttributeType": "N"}],
    KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "c", "KeyType": "RANGE"}])
ddb.get_waiter("table_exists").wait(TableName="things", WaiterConfig={"Delay": 1, "MaxAttempts": 5})

to = boto3.dynamodb.types.TypeSerializer().serialize
T = {"TableName": "things"}


def key(p, c):
    return {"p": {"S": p}, "c": {"N": str(c)}}


def refused(why, call, *args, **kwargs):
    error = fails("ValidationException", 400, call, *args, **kwargs)["Error"]["Message"]
    assert why in error, f"expected {why!r}, got {error!r}"


everything = {
    **key("all", 1),
    "s": {"S": "é\n\"\\\u0001😀"}, "empty": {"S": ""}, "n": {"N": "-1.5"}, "b": {"B": b"\x00\xff"},
    "t": {"BOOL": True}, "f": {"BOOL": False}, "z": {"NULL": True},
    "l": {"L": [{"N": "1"}, {"M": {"x": {"S": "y"}}}, {"L": []}]}, "m": {"M": {}},
    "ss": {"SS": ["b", "a"]}, "ns": {"NS": ["2", "1"]}, "bs": {"BS": [b"z", b"y"]},
}
ddb.put_item(Item=everything, **T)
got = ddb.get_item(Key=key("all", "1.0"), **T)["Item"]
for name in ("ss", "ns", "bs"):
    kind = name.upper()
    same(sorted(got.pop(name)[kind]), sorted(everything[name][kind]), name)
same(got, {k: v for k, v in everything.items() if k not in ("ss", "ns", "bs")}, "every type comes back as it went")
for spelt, canonical in [("1e2", "100"), ("007", "7"), ("-0", "0"), ("1.50", "1.5"), ("1E-130", None),
                         ("9.9999999999999999999999999999999999999E+125", None),
                         ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678")]:
    ddb.put_item(Item={**key("n", 1), "v": {"N": spelt}}, **T)
    back = ddb.get_item(Key=key("n", 1), **T)["Item"]["v"]["N"]
    same(Decimal(back), Decimal(spelt), spelt)
    same(back, canonical or back, spelt)
ok("every type and number comes back as it went")

for why, item in [
    ("One or more parameter values were invalid: Missing the key c in the item", {"p": {"S": "a"}}),
    ("Type mismatch for key c expected: N actual: S", {"p": {"S": "a"}, "c": {"S": "1"}}),
    ("cannot contain an empty string value. Key: p", {"p": {"S": ""}, "c": {"N": "1"}}),
    ("Supplied AttributeValue is empty", {**key("a", 1), "x": {}}),
    ("more than one datatypes set", {**key("a", 1), "x": {"S": "a", "N": "1"}}),
    ("cannot be converted to a numeric value: x", {**key("a", 1), "x": {"N": "x"}}),
    ("Attempting to store more than 38 significant digits in a Number", {**key("a", 1), "x": {"N": "1" * 39}}),
    ("Number overflow", {**key("a", 1), "x": {"N": "1e126"}}),
    ("may not be empty", {**key("a", 1), "x": {"SS": []}}),
    ("contains duplicates", {**key("a", 1), "x": {"SS": ["a", "a"]}}),
    ("Item size has exceeded the maximum allowed size", {**key("a", 1), "x": {"S": "x" * 409600}}),
    ("Size of hashkey", key("x" * 2049, 1)),
]:
    if why.startswith(("Supplied", "more than")):
        continue  # the client refuses it; below it is sent by hand
    refused(why, ddb.put_item, Item=item, **T)
ddb.put_item(Item={**key("big", 1), "x": {"S": "x" * 409500}}, **T)
refused("Item size to update has exceeded", ddb.update_item, Key=key("big", 1), UpdateExpression="SET y = :y",
        ExpressionAttributeValues={":y": {"S": "y" * 200}}, **T)
refused("The provided key element does not match the schema", ddb.get_item, Key={"p": {"S": "a"}}, **T)
fails("ResourceNotFoundException", 400, ddb.get_item, TableName="nothing", Key=key("a", 1))
ok("items that are refused, in AWS's words")

ddb.put_item(Item={**key("u", 1), "n": {"N": "1"}, "l": {"L": [{"N": "0"}, {"N": "1"}]}, "m": {"M": {"x": {"N": "1"}}}}, **T)
out = ddb.update_item(
    Key=key("u", 1), UpdateExpression="SET n = n + :one, l[1] = :s, m.y = if_not_exists(m.zz, :one) REMOVE l[0] ADD k :one",
    ExpressionAttributeValues={":one": {"N": "1"}, ":s": {"S": "t"}}, ReturnValues="ALL_NEW", **T)["Attributes"]
same(out, {**key("u", 1), "n": {"N": "2"}, "l": {"L": [{"S": "t"}]}, "m": {"M": {"x": {"N": "1"}, "y": {"N": "1"}}}, "k": {"N": "1"}},
     "an update of everything")
out = ddb.update_item(Key=key("u", 1), UpdateExpression="SET n = :n", ExpressionAttributeValues={":n": {"N": "9"}}, ReturnValues="UPDATED_OLD", **T)
same(out["Attributes"], {"n": {"N": "2"}}, "UPDATED_OLD")
out = ddb.update_item(Key=key("new", 1), UpdateExpression="SET n = :n", ExpressionAttributeValues={":n": {"N": "9"}}, ReturnValues="ALL_OLD", **T)
assert "Attributes" not in out, out
same(ddb.delete_item(Key=key("new", 1), ReturnValues="ALL_OLD", **T)["Attributes"], {**key("new", 1), "n": {"N": "9"}}, "deleted")
assert "Item" not in ddb.get_item(Key=key("new", 1), **T)
refused("This attribute is part of the key", ddb.update_item, Key=key("u", 1), UpdateExpression="SET p = :n",
        ExpressionAttributeValues={":n": {"S": "9"}}, **T)
ok("updates and what they return")

ddb.put_item(Item={**key("c", 1), "v": {"N": "1"}}, **T)
failed = fails("ConditionalCheckFailedException", 400, ddb.put_item, Item=key("c", 1), ConditionExpression="attribute_not_exists(p)",
               ReturnValuesOnConditionCheckFailure="ALL_OLD", **T)
same(failed["Item"], {**key("c", 1), "v": {"N": "1"}}, "the item that failed the condition")
same(failed["Error"]["Message"], "The conditional request failed", "message")
ddb.put_item(Item={**key("c", 1), "v": {"N": "2"}}, ConditionExpression="v = :one", ExpressionAttributeValues={":one": {"N": "1.0"}}, **T)
fails("ConditionalCheckFailedException", 400, ddb.delete_item, Key=key("c", 1), ConditionExpression="v < :one",
      ExpressionAttributeValues={":one": {"N": "1"}}, **T)
fails("ConditionalCheckFailedException", 400, ddb.update_item, Key=key("absent", 1), UpdateExpression="SET v = :one",
      ConditionExpression="attribute_exists(p)", ExpressionAttributeValues={":one": {"N": "1"}}, **T)
ddb.put_item(Item=key("c", 2), Expected={"p": {"Exists": False}}, **T)
fails("ConditionalCheckFailedException", 400, ddb.put_item, Item=key("c", 2), Expected={"p": {"Exists": False}}, **T)
ok("conditions, old and new")

used = ddb.put_item(Item={**key("w", 1), "x": {"S": "x" * 3000}}, ReturnConsumedCapacity="TOTAL", **T)["ConsumedCapacity"]
same(used, {"TableName": "things", "CapacityUnits": 3.0}, "a write of 3 KB")
used = ddb.get_item(Key=key("w", 1), ReturnConsumedCapacity="INDEXES", ConsistentRead=True, **T)["ConsumedCapacity"]
same(used, {"TableName": "things", "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}}, "a consistent read")
same(ddb.get_item(Key=key("w", 1), ReturnConsumedCapacity="TOTAL", **T)["ConsumedCapacity"]["CapacityUnits"], 0.5, "an eventual read")
ok("capacity")

batch = [{"PutRequest": {"Item": {**key("batch", n), "v": {"N": str(n)}}}} for n in range(25)]
same(ddb.batch_write_item(RequestItems={"things": batch})["UnprocessedItems"], {}, "all written")
read = ddb.batch_get_item(RequestItems={"things": {"Keys": [key("batch", n) for n in range(30)], "ProjectionExpression": "v"}})
same(sorted(int(i["v"]["N"]) for i in read["Responses"]["things"]), list(range(25)), "a batch is read")
same(read["UnprocessedKeys"], {}, "nothing left")
refused("duplicates", ddb.batch_write_item, RequestItems={"things": batch[:1] * 2})
refused("duplicates", ddb.batch_get_item, RequestItems={"things": {"Keys": [key("batch", 1), key("batch", "1.0")]}})
refused("length less than or equal to 100", ddb.batch_get_item,
        RequestItems={"things": {"Keys": [key("x", n) for n in range(101)]}})
refused("length less than or equal to 25", ddb.batch_write_item, RequestItems={"things": batch + [{"PutRequest": {"Item": key("x", 1)}}]})
ok("batches")

import botocore.auth  # noqa: E402
import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402


def raw(operation, body):
    """A signed request with any body."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = botocore.awsrequest.AWSRequest("POST", ENDPOINT, data=body, headers={
        "X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials("test", "test"), "dynamodb", "us-east-1").add_auth(request)
    status, _, answer = http("POST", ENDPOINT, body, dict(request.headers))
    return status, answer.decode()


deep = {"NULL": True}
for _ in range(40):
    deep = {"L": [deep]}
for body, code in [
    (b"{", "SerializationException"), (b"[]", "SerializationException"), (b"{\"TableName\": 5}", "SerializationException"),
    (b"", "ValidationException"), ({"TableName": "things"}, "ValidationException"),
    ({"TableName": "things", "Item": {**key("a", 1), "x": {"S": "a", "N": "1"}}}, "ValidationException"),
    ({"TableName": "things", "Item": {**key("a", 1), "x": {}}}, "ValidationException"),
    ({"TableName": "things", "Item": {**key("a", 1), "x": {"Q": "a"}}}, "ValidationException"),
    ({"TableName": "things", "Item": {**key("a", 1), "x": deep}}, "ValidationException"),
    ({"TableName": "../../etc", "Item": key("a", 1)}, "ValidationException"),
    (b"{\"TableName\":\"things\",\"Item\":" + b"{\"M\":" * 5000 + b"}" * 5000 + b"}", "SerializationException"),
    (b"\xff\xfe", "SerializationException"),
]:
    status, answer = raw("PutItem", body)
    assert status == 400 and code in answer, (str(body)[:80], status, answer)
deep = {"NULL": True}
for _ in range(31):
    deep = {"L": [deep]}
same(raw("PutItem", {"TableName": "things", "Item": {**key("deep", 1), "x": deep}})[0], 200, "31 levels")
same(ddb.get_item(Key=key("deep", 1), **T)["Item"]["x"], deep, "31 levels come back")
try:
    status, answer = raw("PutItem", b"{\"TableName\":\"things\",\"Item\":{\"p\":{\"S\":\"" + b"x" * (17 << 20) + b"\"}}}")
    assert status in (400, 413), status
except OSError:
    pass  # it hung up before all was sent
same(raw("CreateBackup", {"TableName": "things", "BackupName": "now"})[1].count("NotImplemented"), 1, "refused by name")
ok("bodies that are broken, huge or too deep")
