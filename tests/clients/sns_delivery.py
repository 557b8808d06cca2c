"""Deliveries: to queues and HTTP endpoints; envelopes, signatures, filters, order, retries and dead letters."""

import base64
import http.server
import json
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from common import ACCOUNT, ENDPOINT, client, http as request, ok, same, until

sns, sqs = client("sns"), client("sqs")
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"


def queue(name, topic=None, **attributes):
    """A queue that the topic may send to."""
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": QUEUE + name,
         "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}]}
    if topic:
        attributes["Policy"] = json.dumps(policy)
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def bodies(url, count, seconds=3):
    out, end = [], time.monotonic() + seconds
    while len(out) < count and time.monotonic() < end:
        for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
            out.append(m)
    return out


topic = sns.create_topic(Name="news")["TopicArn"]
plain, raw, closed, dead = queue("plain", topic), queue("raw", topic), queue("closed"), queue("dead", topic)
sub = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE + "plain")["SubscriptionArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE + "raw", Attributes={"RawMessageDelivery": "true"})
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE + "closed",
              Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": QUEUE + "dead"})})
attributes = {"s": {"DataType": "String", "StringValue": "wört"}, "n": {"DataType": "Number", "StringValue": "4.5"},
              "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
sent = sns.publish(TopicArn=topic, Subject="Hello", Message='ümläut "x"\n', MessageAttributes=attributes)
text = bodies(plain, 1)[0]["Body"]
body = json.loads(text)
same(list(body), ["Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL",
                  "UnsubscribeURL", "MessageAttributes"], "the members of an envelope, in order")
same((body["Type"], body["MessageId"], body["TopicArn"], body["Subject"], body["Message"]),
     ("Notification", sent["MessageId"], topic, "Hello", 'ümläut "x"\n'), "what it says")
same(body["MessageAttributes"], {"b": {"Type": "Binary", "Value": base64.b64encode(b"\x00\xff").decode()},
                                 "n": {"Type": "Number", "Value": "4.5"}, "s": {"Type": "String", "Value": "wört"}}, "its attributes")
assert text.startswith('{\n  "Type" : "Notification",\n  "MessageId" : "'), text
got = bodies(raw, 1)[0]
same((got["Body"], got["MessageAttributes"]), ('ümläut "x"\n', attributes), "raw: the message itself, with its attributes")
same(json.loads(bodies(dead, 1)[0]["Body"])["MessageId"], sent["MessageId"], "a queue that does not let SNS in: the dead-letter queue has it")
same(bodies(closed, 1, 0), [], "and it has not")
ok("a topic's message in its queues: the envelope, raw, and the queue's policy decides")


def verified(body, keys, algorithm):
    """openssl verifies what is signed, with the certificate that is served."""
    path = urllib.parse.urlparse(body["SigningCertURL"]).path
    status, _, pem = request("GET", ENDPOINT + path)
    assert status == 200 and body["SigningCertURL"].startswith("https://sns.us-east-1.amazonaws.com/"), body["SigningCertURL"]
    same(request("GET", ENDPOINT + path, headers={"Host": "sns.us-east-1.amazonaws.com"})[2], pem, "under SNS's own name")
    what = "".join(f"{k}\n{body[k]}\n" for k in keys if k in body)
    with tempfile.TemporaryDirectory() as d:
        for name, data in (("c", pem), ("s", base64.b64decode(body["Signature"])), ("m", what.encode())):
            open(f"{d}/{name}", "wb").write(data)
        subprocess.run(["openssl", "x509", "-in", f"{d}/c", "-pubkey", "-noout", "-out", f"{d}/k"], check=True)
        done = subprocess.run(["openssl", "dgst", f"-{algorithm}", "-verify", f"{d}/k", "-signature", f"{d}/s", f"{d}/m"], capture_output=True)
        assert done.returncode == 0, done


NOTIFICATION = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
verified(body, NOTIFICATION, "sha1")
sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
sns.publish(TopicArn=topic, Message="signed")
body = json.loads(bodies(plain, 1)[0]["Body"])
same(body["SignatureVersion"], "2", "SHA-256")
verified(body, NOTIFICATION, "sha256")
ok("signatures of both versions, verified by openssl with the certificate that is served")

sns.publish(TopicArn=topic, MessageStructure="json", Message=json.dumps({"default": "for all", "sqs": "for queues"}))
same(json.loads(bodies(plain, 1)[0]["Body"])["Message"], "for queues", "a message by protocol")
batch = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "a", "Message": "1"}, {"Id": "b", "Message": ""}])
same(([s["Id"] for s in batch["Successful"]], [(f["Id"], f["Code"]) for f in batch["Failed"]]), (["a"], [("b", "InvalidParameter")]), "a batch")
same(json.loads(bodies(plain, 1)[0]["Body"])["Message"], "1", "of which one came")
ok("messages by protocol, and batches")

wide = sns.create_topic(Name="wide")["TopicArn"]
FILTERS = {
    "exact": ({"kind": ["order", "refund"]}, "MessageAttributes"), "but": ({"kind": [{"anything-but": ["order"]}]}, "MessageAttributes"),
    "prefix": ({"kind": [{"prefix": "ref"}]}, "MessageAttributes"), "number": ({"price": [{"numeric": [">", 10, "<=", 20]}]}, "MessageAttributes"),
    "absent": ({"kind": [{"exists": False}]}, "MessageAttributes"), "array": ({"list": ["b"]}, "MessageAttributes"),
    "or": ({"$or": [{"kind": ["refund"]}, {"price": [5]}]}, "MessageAttributes"), "deep": ({"order": {"items": {"sku": ["x1"]}}}, "MessageBody")}
urls = {}
for name, (policy, scope) in FILTERS.items():
    urls[name] = queue("f-" + name, wide)
    sns.subscribe(TopicArn=wide, Protocol="sqs", Endpoint=QUEUE + "f-" + name, Attributes={
        "RawMessageDelivery": "true", "FilterPolicyScope": scope, "FilterPolicy": json.dumps(policy)})
S = lambda v: {"DataType": "String", "StringValue": v}  # noqa: E731
N = lambda v: {"DataType": "Number", "StringValue": v}  # noqa: E731
MESSAGES = {
    "order": {"kind": S("order"), "price": N("15")}, "refund": {"kind": S("refund"), "price": N("20.5")}, "cheap": {"kind": S("other"), "price": N("5.0")},
    "list": {"list": {"DataType": "String.Array", "StringValue": '["a","b"]'}}, "none": {},
    json.dumps({"order": {"items": [{"sku": "x0"}, {"sku": "x1"}]}}): {}}
for message, attributes in MESSAGES.items():
    sns.publish(TopicArn=wide, Message=message, MessageAttributes=attributes)
expected = {"exact": {"order", "refund"}, "but": {"refund", "cheap"}, "prefix": {"refund"}, "number": {"order"}, "absent": {"list"},
            "array": {"list"}, "or": {"refund", "cheap"}, "deep": {list(MESSAGES)[-1]}}
for name, want in expected.items():
    same({m["Body"] for m in bodies(urls[name], len(want))}, want, f"the filter {name}")
for name in expected:
    assert "Messages" not in sqs.receive_message(QueueUrl=urls[name]), name
ok("filter policies over attributes and bodies")

fifo = sns.create_topic(Name="line.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"})["TopicArn"]
line = queue("line.fifo", fifo, FifoQueue="true")
sns.subscribe(TopicArn=fifo, Protocol="sqs", Endpoint=QUEUE + "line.fifo", Attributes={"RawMessageDelivery": "true"})


def publish(group):
    for n in range(25):
        sns.publish(TopicArn=fifo, Message=f"{group}{n}", MessageGroupId=group)


threads = [threading.Thread(target=publish, args=(g,)) for g in "abc"]
[t.start() for t in threads]
[t.join() for t in threads]
again = sns.publish(TopicArn=fifo, Message="a0", MessageGroupId="a")
same(len(again["SequenceNumber"]), 20, "twenty digits")
got = [m["Body"] for m in bodies(line, 75, 10)]
for g in "abc":
    same([b for b in got if b[0] == g], [f"{g}{n}" for n in range(25)], "each group in order, once")
ok("a FIFO topic keeps order and knows duplicates")

heard, answers = [], {"/flaky": [500, 200], "/gone": [404]}


class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status = (answers.get(self.path) or [200])
        status = status.pop(0) if self.headers["x-amz-sns-message-type"] == "Notification" and self.path in answers and answers[self.path] else 200
        heard.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body, status))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
home = f"http://127.0.0.1:{server.server_port}"
web = sns.create_topic(Name="web")["TopicArn"]
lost = queue("lost", web)
quick = {"healthyRetryPolicy": {"numRetries": 2, "minDelayTarget": 1, "maxDelayTarget": 1, "numNoDelayRetries": 2}}
for path in ("/ok", "/flaky", "/gone"):
    pending = sns.subscribe(TopicArn=web, Protocol="http", Endpoint=home + path, Attributes={
        "DeliveryPolicy": json.dumps(quick), "RedrivePolicy": json.dumps({"deadLetterTargetArn": QUEUE + "lost"}), "RawMessageDelivery": str(path == "/flaky").lower()})
    same(pending["SubscriptionArn"], "pending confirmation", "not before it is confirmed")
until("three requests for confirmation", lambda: len(heard) == 3)
same({s["SubscriptionArn"] for s in sns.list_subscriptions_by_topic(TopicArn=web)["Subscriptions"]}, {"PendingConfirmation"}, "how they are listed")
sns.publish(TopicArn=web, Message="too early")
for path, headers, body, _ in list(heard):
    same(headers["x-amz-sns-message-type"], "SubscriptionConfirmation", "its type")
    asked = json.loads(body)
    verified(asked, ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"], "sha1")
    status, _, answer = request("GET", asked["SubscribeURL"])
    assert status == 200 and b"<SubscriptionArn>" in answer, answer
same(sns.get_topic_attributes(TopicArn=web)["Attributes"]["SubscriptionsConfirmed"], "3", "confirmed")
heard.clear()
sns.publish(TopicArn=web, Message="hello")
until("what each endpoint got", lambda: len(heard) == 4)
by_path = {}
for path, headers, body, status in heard:
    by_path.setdefault(path, []).append((headers, body, status))
same([s for _, _, s in by_path["/flaky"]], [500, 200], "tried again")
same((by_path["/flaky"][1][1], by_path["/flaky"][1][0]["x-amz-sns-rawdelivery"]), ("hello", "true"), "raw")
headers, body, _ = by_path["/ok"][0]
same((json.loads(body)["Message"], headers["x-amz-sns-topic-arn"], headers["content-type"]), ("hello", web, "text/plain; charset=UTF-8"), "the envelope")
verified(json.loads(body), NOTIFICATION, "sha1")
same(json.loads(bodies(lost, 1)[0]["Body"])["Message"], "hello", "what an endpoint refused is a dead letter")
ok("HTTP endpoints: confirmed by link, signed, tried again, dead letters")
