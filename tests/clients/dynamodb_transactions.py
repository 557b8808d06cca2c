"""Transactions of DynamoDB: all or none, reasons in AWS's words, once per token, isolated from each other."""

import threading

from common import client, fails, ok, same

ddb = client("dynamodb")
ddb.create_table(TableName="bank", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
                 KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}])


def key(p):
    return {"p": {"S": p}}


def value(p):
    item = ddb.get_item(TableName="bank", Key=key(p), ConsistentRead=True).get("Item")
    return int(item["v"]["N"]) if item else None


def put(p, v, **more):
    return {"Put": {"TableName": "bank", "Item": {**key(p), "v": {"N": str(v)}}, **more}}


def add(p, v, **more):
    return {"Update": {"TableName": "bank", "Key": key(p), "UpdateExpression": "ADD v :v", "ExpressionAttributeValues": {":v": {"N": str(v)}}, **more}}


def write(*items, **more):
    return ddb.transact_write_items(TransactItems=list(items), **more)


def refused(why, call, *args, **kwargs):
    error = fails("ValidationException", 400, call, *args, **kwargs)["Error"]["Message"]
    assert why in error, f"expected {why!r}, got {error!r}"


write(put("a", 100), put("b", 0), {"ConditionCheck": {"TableName": "bank", "Key": key("c"), "ConditionExpression": "attribute_not_exists(p)"}})
same((value("a"), value("b"), value("c")), (100, 0, None), "written together")
used = write(add("a", -1), add("b", 1), ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
same(used, [{"TableName": "bank", "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}], "twice the units")
failed = fails("TransactionCanceledException", 400, write, add("a", -1),
               put("b", 5, ConditionExpression="attribute_not_exists(p)", ReturnValuesOnConditionCheckFailure="ALL_OLD"),
               {"Delete": {"TableName": "bank", "Key": key("zz")}})
same(failed["Error"]["Message"],
     "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, None]", "message")
same(failed["CancellationReasons"], [
    {"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": {**key("b"), "v": {"N": "1"}}},
    {"Code": "None"}], "reasons")
same((value("a"), value("b")), (99, 1), "none was written")
failed = fails("TransactionCanceledException", 400, write, add("a", 1), {"Put": {"TableName": "bank", "Item": {"p": {"N": "1"}}}})
same([r["Code"] for r in failed["CancellationReasons"]], ["None", "ValidationError"], "an item that cannot be")
ok("all or none, and why")

refused("multiple operations on one item", write, add("a", 1), put("a", 1))
refused("length less than or equal to 100", write, *[put(str(n), 1) for n in range(101)])
refused("TransactItems can only contain one of Check, Put, Update or Delete", write, {**put("x", 1), **add("y", 1)})
refused("exceeds the limit of 4MB", write, *[{"Put": {"TableName": "bank", "Item": {**key(f"big{n}"), "x": {"S": "x" * 399_000}}}} for n in range(12)])
fails("ResourceNotFoundException", 400, write, {"Delete": {"TableName": "none", "Key": key("a")}})
write(*[put(f"many{n}", n) for n in range(100)])
same(value("many99"), 99, "a hundred at once")
ok("limits")

write(add("once", 1), ClientRequestToken="token-1")
write(add("once", 1), ClientRequestToken="token-1")
same(value("once"), 1, "the same request twice is done once")
fails("IdempotentParameterMismatchException", 400, write, add("once", 2), ClientRequestToken="token-1")
write(add("once", 1), ClientRequestToken="token-2")
same(value("once"), 2, "another token")
ok("once per token")

got = ddb.transact_get_items(TransactItems=[
    {"Get": {"TableName": "bank", "Key": key("a"), "ProjectionExpression": "v"}}, {"Get": {"TableName": "bank", "Key": key("none")}}],
    ReturnConsumedCapacity="TOTAL")
same(got["Responses"], [{"Item": {"v": {"N": "99"}}}, {}], "read together")
same(got["ConsumedCapacity"], [{"TableName": "bank", "CapacityUnits": 4.0, "ReadCapacityUnits": 4.0}], "units")
refused("multiple operations on one item", ddb.transact_get_items, TransactItems=[{"Get": {"TableName": "bank", "Key": key("a")}}] * 2)
ok("items are read together")

accounts = [f"acc{n}" for n in range(4)]
write(*[put(a, 100) for a in accounts])
wrong, stop = [], threading.Event()


def move(seed):
    mine = client("dynamodb")
    for n in range(60):
        a, b = accounts[(seed + n) % 4], accounts[(seed * 3 + n * 2 + 1) % 4]
        if a != b:
            mine.transact_write_items(TransactItems=[add(a, -1), add(b, 1)])


def watch():
    mine = client("dynamodb")
    while not stop.is_set():
        all_ = mine.transact_get_items(TransactItems=[{"Get": {"TableName": "bank", "Key": key(a)}} for a in accounts])["Responses"]
        total = sum(int(i["Item"]["v"]["N"]) for i in all_)
        if total != 400:
            wrong.append(total)


movers = [threading.Thread(target=move, args=(n,)) for n in range(4)]
watcher = threading.Thread(target=watch)
for t in movers + [watcher]:
    t.start()
for t in movers:
    t.join()
stop.set()
watcher.join()
same((wrong, sum(value(a) for a in accounts)), ([], 400), "no reader sees half a transaction, and nothing is lost")
ok("transactions of many clients at once")
