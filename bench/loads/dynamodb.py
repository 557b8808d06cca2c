"""What is done with DynamoDB, the same for every server."""

import json
import time

from sigv4 import send_raw

PAD = "x" * 200


def request(server, operation, body):
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"DynamoDB_20120810.{operation}"}
    return server.signer.raw("dynamodb", "POST", "/", headers=headers, body=json.dumps({"TableName": "bench", **body}))


def ask(server, operation, body):
    status, _, answer, _ = send_raw("127.0.0.1", server.port, request(server, operation, body))
    if status != 200:
        raise RuntimeError(f"{server.name}: {operation} {status} {answer[:300]}")
    return json.loads(answer)


def prepare(server):
    """A table."""
    ask(server, "CreateTable", {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]})
    for _ in range(100):
        if ask(server, "DescribeTable", {})["Table"]["TableStatus"] == "ACTIVE":
            return
        time.sleep(0.1)
    raise RuntimeError(f"{server.name}: the table does not become active")


def key(partition, sort):
    return {"pk": {"S": f"p{partition}"}, "sk": {"S": f"s{sort:05d}"}}


def item(partition, sort):
    return {**key(partition, sort), "n": {"N": str(sort)}, "pad": {"S": PAD}}


def put(server, run, count=4000):
    """Twenty items to a partition."""
    return [request(server, "PutItem", {"Item": item(f"{run}.{i // 20}", i % 20)}) for i in range(count)]


def get(server):
    return [request(server, "GetItem", {"Key": key(f"g.{i // 20}", i % 20)}) for i in range(1000)]


def update(server):
    """A hundred counters."""
    return [request(server, "UpdateItem", {
        "Key": {"pk": {"S": "counter"}, "sk": {"S": str(i % 100)}}, "UpdateExpression": "ADD n :o",
        "ExpressionAttributeValues": {":o": {"N": "1"}}}) for i in range(1000)]


def query(server):
    """Whole partitions of twenty items."""
    return [request(server, "Query", {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": f"pg.{i}"}}})
            for i in range(50)]


def fill(server, first, count):
    """Many items, 25 to a batch."""
    batches = []
    for start in range(first, first + count, 25):
        puts = [{"PutRequest": {"Item": item(f"many.{i // 20}", i % 20)}} for i in range(start, start + 25)]
        batches.append(request(server, "BatchWriteItem", {"RequestItems": {"bench": puts}}))
    return batches
