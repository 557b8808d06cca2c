"""Messages: sent, received, hidden, delayed, deleted, moved; digests exactly; FIFO order and duplicates."""

import hashlib
import json
import struct
import threading
import time

from common import ACCOUNT, client, fails, ok, same

sqs = client("sqs", max_pool_connections=40)
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"


def queue(name, **attributes):
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def receive(url, **kw):
    return sqs.receive_message(QueueUrl=url, **{"MaxNumberOfMessages": 10, **kw}).get("Messages", [])


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def attributes_md5(attributes):
    """AWS's algorithm, written anew here: lengths, names, types, kinds and values in order of name."""
    h = hashlib.md5()
    for name, a in sorted(attributes.items()):
        for part in (name.encode(), a["DataType"].encode()):
            h.update(struct.pack("!I", len(part)) + part)
        value = a.get("BinaryValue", a.get("StringValue"))
        value = value if isinstance(value, bytes) else value.encode()
        h.update(b"\x02" if "BinaryValue" in a else b"\x01")
        h.update(struct.pack("!I", len(value)) + value)
    return h.hexdigest()


url = queue("m")
attributes = {
    "text": {"DataType": "String", "StringValue": "wörld"}, "Number-1": {"DataType": "Number.int", "StringValue": "-12"},
    "bin": {"DataType": "Binary.png", "BinaryValue": bytes(range(256))}, "foo.a": {"DataType": "String", "StringValue": "1"},
    "foo.b": {"DataType": "String", "StringValue": "2"}}
body = 'ümläut "quoted" \t\n\r \U0001F600 <&>'
trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes, MessageSystemAttributes=trace)
same(sent["MD5OfMessageBody"], md5(body), "the body's digest")
same(sent["MD5OfMessageAttributes"], attributes_md5(attributes), "the attributes' digest")
same(sent["MD5OfMessageSystemAttributes"], attributes_md5(trace), "the system attributes' digest")
got = receive(url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"], VisibilityTimeout=0)[0]
same((got["Body"], got["MessageId"], got["MD5OfBody"]), (body, sent["MessageId"], md5(body)), "the message")
same(got["MessageAttributes"], attributes, "its attributes")
same(got["MD5OfMessageAttributes"], attributes_md5(attributes), "their digest")
same({k: got["Attributes"][k] for k in ("SenderId", "ApproximateReceiveCount", "AWSTraceHeader")},
     {"SenderId": ACCOUNT, "ApproximateReceiveCount": "1", "AWSTraceHeader": trace["AWSTraceHeader"]["StringValue"]}, "system attributes")
assert abs(int(got["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60, got
some = receive(url, MessageAttributeNames=["foo.*", "text"], AttributeNames=["ApproximateReceiveCount"], VisibilityTimeout=0)[0]
wanted = {k: v for k, v in attributes.items() if k.startswith("foo.") or k == "text"}
same((some["MessageAttributes"], some["MD5OfMessageAttributes"]), (wanted, attributes_md5(wanted)), "some of them")
same(some["Attributes"], {"ApproximateReceiveCount": "2"}, "one of these")
bare = receive(url)[0]
assert "Attributes" not in bare and "MessageAttributes" not in bare and "MD5OfMessageAttributes" not in bare, bare
sqs.delete_message(QueueUrl=url, ReceiptHandle=bare["ReceiptHandle"])
ok("a message comes as it was sent, with AWS's digests")

for kw, code, status in (
        ({"MessageBody": ""}, "MissingParameter", 400), ({"MessageBody": "a\x00b"}, "InvalidMessageContents", 400), ({"MessageBody": "\ufffe"}, "InvalidMessageContents", 400),
        ({"MessageBody": "x" * (1 << 20) + "x"}, "InvalidParameterValue", 400),
        ({"MessageBody": "x" * ((1 << 20) - 5), "MessageAttributes": {"a": {"DataType": "String", "StringValue": "v"}}}, "InvalidParameterValue", 400),
        ({"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue", 400), ({"MessageBody": "x", "DelaySeconds": -1}, "InvalidParameterValue", 400),
        ({"MessageBody": "x", "MessageDeduplicationId": "d"}, "InvalidParameterValue", 400),
        ({"MessageBody": "x", "MessageAttributes": {"AWS.x": {"DataType": "String", "StringValue": "v"}}}, "InvalidParameterValue", 400),
        ({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Nope", "StringValue": "v"}}}, "InvalidParameterValue", 400),
        ({"MessageBody": "x", "MessageAttributes": {f"a{n}": {"DataType": "String", "StringValue": "v"} for n in range(11)}}, "InvalidParameterValue", 400)):
    fails(code, status, sqs.send_message, QueueUrl=url, **kw)
sqs.send_message(QueueUrl=url, MessageBody="x" * (1 << 20))
big = receive(url)[0]
same(len(big["Body"]), 1 << 20, "a message of 1 MiB")
sqs.delete_message(QueueUrl=url, ReceiptHandle=big["ReceiptHandle"])
for kw in ({"MaxNumberOfMessages": 0}, {"MaxNumberOfMessages": 11}, {"VisibilityTimeout": 43201}, {"VisibilityTimeout": -1},
           {"WaitTimeSeconds": 21}, {"ReceiveRequestAttemptId": "x"}):
    fails("InvalidParameterValue", 400, sqs.receive_message, QueueUrl=url, **kw)
fails("InvalidAttributeName", 400, sqs.receive_message, QueueUrl=url, AttributeNames=["Nope"])
fails("ReceiptHandleIsInvalid", 404, sqs.delete_message, QueueUrl=url, ReceiptHandle="nope")
fails("ReceiptHandleIsInvalid", 404, sqs.change_message_visibility, QueueUrl=url, ReceiptHandle="nope", VisibilityTimeout=1)
fails("InvalidParameterValue", 400, sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=big["ReceiptHandle"], VisibilityTimeout=1)
sqs.delete_message(QueueUrl=url, ReceiptHandle=big["ReceiptHandle"])
ok("what is too long, too much or no receipt is refused; deleting twice is not")

entries = [{"Id": f"i{n}", "MessageBody": "\x02" if n == 3 else str(n), "DelaySeconds": 901 if n == 4 else 0} for n in range(10)]
batch = sqs.send_message_batch(QueueUrl=url, Entries=entries)
same([s["Id"] for s in batch["Successful"]], [f"i{n}" for n in range(10) if n not in (3, 4)], "those that fit")
same({(f["Id"], f["Code"], f["SenderFault"]) for f in batch["Failed"]},
     {("i3", "InvalidMessageContents", True), ("i4", "InvalidParameterValue", True)}, "those that do not")
got = receive(url, WaitTimeSeconds=1)
same([m["Body"] for m in got], ["0", "1", "2", "5", "6", "7", "8", "9"], "in order")
change = sqs.change_message_visibility_batch(QueueUrl=url, Entries=[
    {"Id": "a", "ReceiptHandle": got[0]["ReceiptHandle"], "VisibilityTimeout": 0}, {"Id": "b", "ReceiptHandle": "x", "VisibilityTimeout": 0}])
same(([s["Id"] for s in change["Successful"]], [(f["Id"], f["Code"]) for f in change["Failed"]]), (["a"], [("b", "ReceiptHandleIsInvalid")]), "a batch of changes")
same([m["Body"] for m in receive(url)], ["0"], "the one that came back")
done = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(got)] +
                                [{"Id": "x", "ReceiptHandle": "x"}])
same((len(done["Successful"]), [f["Id"] for f in done["Failed"]]), (8, ["x"]), "a batch of deletions")
for kw, code in (({"Entries": []}, "AWS.SimpleQueueService.EmptyBatchRequest"),
                 ({"Entries": [{"Id": str(n), "MessageBody": "x"} for n in range(11)]}, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
                 ({"Entries": [{"Id": "a", "MessageBody": "x"}] * 2}, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
                 ({"Entries": [{"Id": "a b", "MessageBody": "x"}]}, "AWS.SimpleQueueService.InvalidBatchEntryId"),
                 ({"Entries": [{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)]}, "AWS.SimpleQueueService.BatchRequestTooLong")):
    fails(code, 400, sqs.send_message_batch, QueueUrl=url, **kw)
ok("batches fail by entry, and as a whole")

quick = queue("quick", VisibilityTimeout="1")
began = time.monotonic()
threading.Timer(0.5, lambda: sqs.send_message(QueueUrl=quick, MessageBody="late")).start()
got = receive(quick, WaitTimeSeconds=10)
assert [m["Body"] for m in got] == ["late"] and time.monotonic() - began < 5, got
got = receive(quick, WaitTimeSeconds=10)
same([m["Body"] for m in got], ["late"], "back after its visibility timeout, which a long poll awaits")
sqs.delete_message(QueueUrl=quick, ReceiptHandle=got[0]["ReceiptHandle"])
sqs.send_message(QueueUrl=quick, MessageBody="delayed", DelaySeconds=1)
same(receive(quick), [], "delayed")
same([m["Body"] for m in receive(quick, WaitTimeSeconds=10)], ["delayed"], "and then it comes")
ok("long polls end with the message, be it new, back or no more delayed")

many = queue("many")
taken, lock = [], threading.Lock()


def send(n):
    for i in range(0, 100, 10):
        sqs.send_message_batch(QueueUrl=many, Entries=[{"Id": str(j), "MessageBody": f"{n}-{i + j}"} for j in range(10)])


def take():
    while True:
        got = receive(many, WaitTimeSeconds=1)
        if not got:
            return
        sqs.delete_message_batch(QueueUrl=many, Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(got)])
        with lock:
            taken.extend(m["Body"] for m in got)


threads = [threading.Thread(target=send, args=(n,)) for n in range(4)] + [threading.Thread(target=take) for _ in range(6)]
[t.start() for t in threads]
[t.join() for t in threads]
same((len(taken), len(set(taken))), (400, 400), "each message to one receiver")
counts = sqs.get_queue_attributes(QueueUrl=many, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])
same(set(counts["Attributes"].values()), {"0"}, "nothing is left")
ok("many senders and receivers: every message once")

fifo = queue("order.fifo", FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout="60")
fails("MissingParameter", 400, sqs.send_message, QueueUrl=fifo, MessageBody="x")
fails("InvalidParameterValue", 400, sqs.send_message, QueueUrl=fifo, MessageBody="x", MessageGroupId="g", DelaySeconds=1)
fails("InvalidParameterValue", 400, sqs.send_message, QueueUrl=fifo, MessageBody="x", MessageGroupId="g h")
plain = queue("plain.fifo", FifoQueue="true")
fails("InvalidParameterValue", 400, sqs.send_message, QueueUrl=plain, MessageBody="x", MessageGroupId="g")
a = sqs.send_message(QueueUrl=plain, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
b = sqs.send_message(QueueUrl=plain, MessageBody="y", MessageGroupId="g", MessageDeduplicationId="d")
same((a["MessageId"], a["SequenceNumber"]), (b["MessageId"], b["SequenceNumber"]), "a duplicate")
same(len(a["SequenceNumber"]), 20, "twenty digits")
same([m["Body"] for m in receive(plain)], ["x"], "once")
order, numbers = {}, {}


def send_group(g):
    for n in range(30):
        s = sqs.send_message(QueueUrl=fifo, MessageBody=f"{g}:{n}", MessageGroupId=g)
        numbers.setdefault(g, []).append(int(s["SequenceNumber"]))


def take_in_order():
    while True:
        got = receive(fifo, WaitTimeSeconds=1, MessageSystemAttributeNames=["MessageGroupId", "SequenceNumber"])
        if not got:
            return
        with lock:
            for m in got:
                order.setdefault(m["Attributes"]["MessageGroupId"], []).append(int(m["Body"].split(":")[1]))
        for m in got:
            sqs.delete_message(QueueUrl=fifo, ReceiptHandle=m["ReceiptHandle"])


threads = [threading.Thread(target=send_group, args=(g,)) for g in "abcd"] + [threading.Thread(target=take_in_order) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
same(order, {g: list(range(30)) for g in "abcd"}, "each group in its order, with four receivers")
assert all(n == sorted(set(n)) for n in numbers.values()), numbers
ok("FIFO: order by group under concurrency, sequence numbers, no duplicates")

dead = queue("dead")
redrive = json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 2})
poor = queue("poor", RedrivePolicy=redrive, VisibilityTimeout="0")
for n in range(15):
    sqs.send_message(QueueUrl=poor, MessageBody=str(n))
while receive(poor):
    pass
got = receive(dead, VisibilityTimeout=0, MessageSystemAttributeNames=["DeadLetterQueueSourceArn"])
same({m["Attributes"]["DeadLetterQueueSourceArn"] for m in got}, {ARN + "poor"}, "where dead letters come from")
fails("ResourceNotFoundException", 404, sqs.start_message_move_task, SourceArn=ARN + "none")
fails("InvalidParameterValue", 400, sqs.start_message_move_task, SourceArn=ARN + "poor")
sqs.set_queue_attributes(QueueUrl=poor, Attributes={"VisibilityTimeout": "60"})
sqs.start_message_move_task(SourceArn=ARN + "dead")
end = time.monotonic() + 10
while sqs.list_message_move_tasks(SourceArn=ARN + "dead")["Results"][0]["Status"] != "COMPLETED":
    assert time.monotonic() < end
task = sqs.list_message_move_tasks(SourceArn=ARN + "dead")["Results"][0]
same((task["ApproximateNumberOfMessagesMoved"], task["ApproximateNumberOfMessagesToMove"]), (15, 15), "all are moved")
same(sorted(int(m["Body"]) for m in receive(poor) + receive(poor)), list(range(15)), "back at their source")
slow = sqs.start_message_move_task(SourceArn=ARN + "dead", DestinationArn=ARN + "many", MaxNumberOfMessagesPerSecond=1)
fails(("ResourceNotFoundException", "AWS.SimpleQueueService.UnsupportedOperation", "InvalidParameterValue"), 400, sqs.cancel_message_move_task, TaskHandle="x")
ok("dead letters, and back")
