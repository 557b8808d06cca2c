"""What is done with SQS, the same for every server."""

import json

from sigv4 import send_raw

BODY = "x" * 1024


def call(server, operation, **members):
    """A signed request of the JSON protocol, ready to be replayed."""
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
    return server.signer.raw("sqs", "POST", "/", body=json.dumps(members).encode(), headers=headers)


def queue(server, name):
    """Makes a queue; its URL as the server gives it."""
    status, _, body, _ = send_raw("127.0.0.1", server.port, call(server, "CreateQueue", QueueName=name))
    if status != 200:
        raise RuntimeError(f"{server.name}: CreateQueue {status} {body[:300]}")
    return json.loads(body)["QueueUrl"]


def send(server, url):
    return [call(server, "SendMessage", QueueUrl=url, MessageBody=BODY) for _ in range(500)]


def fill(server, url):
    entries = [{"Id": str(n), "MessageBody": BODY} for n in range(10)]
    return [call(server, "SendMessageBatch", QueueUrl=url, Entries=entries) for _ in range(500)]


def receive(server, url):
    return [call(server, "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10) for _ in range(500)]


def delete(server, url, count):
    """Receives `count` messages; the requests that delete them."""
    requests = []
    while len(requests) < count:
        status, _, body, _ = send_raw("127.0.0.1", server.port, call(server, "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10))
        messages = json.loads(body).get("Messages", []) if status == 200 else []
        if not messages:
            raise RuntimeError(f"{server.name}: {len(requests)} messages of {count}, then {status} {body[:200]}")
        requests += [call(server, "DeleteMessage", QueueUrl=url, ReceiptHandle=m["ReceiptHandle"]) for m in messages]
    return requests
