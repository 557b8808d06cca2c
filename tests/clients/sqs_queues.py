"""Queues: their life, attributes, tags, policies, who may do what, and what is refused."""

import json
import urllib.parse

from common import ACCOUNT, ENDPOINT, client, fails, http, ok, same

iam, sqs, sts = client("iam"), client("sqs"), client("sts")
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"

url = sqs.create_queue(QueueName="q")["QueueUrl"]
same(url, f"{ENDPOINT}/{ACCOUNT}/q", "the URL is one that the client can reach")
same(sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "30"})["QueueUrl"], url, "the same queue again")
fails("QueueAlreadyExists", 400, sqs.create_queue, QueueName="q", Attributes={"VisibilityTimeout": "31"})
same(sqs.get_queue_url(QueueName="q")["QueueUrl"], url, "GetQueueUrl")
error = fails("AWS.SimpleQueueService.NonExistentQueue", 400, sqs.get_queue_url, QueueName="none")
same(error["Error"]["Message"], "The specified queue does not exist.", "its message")
got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
created = got.pop("CreatedTimestamp")
assert got.pop("LastModifiedTimestamp") == created and created.isdigit(), created
same(got, {
    "QueueArn": ARN + "q", "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0", "DelaySeconds": "0", "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0", "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true"}, "the attributes of a new queue")
for name, code in (("no such", "InvalidParameterValue"), ("x" * 81, "InvalidParameterValue"), ("a.fifo", "InvalidParameterValue")):
    fails(code, 400, sqs.create_queue, QueueName=name)
fails("InvalidParameterValue", 400, sqs.create_queue, QueueName="a", Attributes={"FifoQueue": "true"})
fails("InvalidAttributeName", 400, sqs.create_queue, QueueName="a", Attributes={"FifoQueue": "false"})
fails("InvalidAttributeName", 400, sqs.create_queue, QueueName="a", Attributes={"Nope": "1"})
fails("InvalidAttributeValue", 400, sqs.create_queue, QueueName="a", Attributes={"DelaySeconds": "901"})
fails("InvalidAttributeName", 400, sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Nope"])
fails("InvalidAddress", 404, sqs.send_message, QueueUrl="http://127.0.0.1/", MessageBody="x")
ok("a queue: made, made again, found, described, and what cannot be one")

fifo = sqs.create_queue(QueueName="f.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
got = sqs.get_queue_attributes(QueueUrl=fifo, AttributeNames=["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"])
same(got["Attributes"], {"FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue",
                         "FifoThroughputLimit": "perQueue"}, "a FIFO queue")
sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"})
sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "alias/aws/sqs", "VisibilityTimeout": "45"})
got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
same([got[n] for n in ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled", "VisibilityTimeout")],
     ["alias/aws/sqs", "300", "false", "45"], "what was set")
sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": ""})
ok("attributes of both kinds of queues")

for n in range(5):
    sqs.create_queue(QueueName=f"page-{n}", tags={"n": str(n)})
first = sqs.list_queues(QueueNamePrefix="page-", MaxResults=2)
rest = sqs.list_queues(QueueNamePrefix="page-", MaxResults=1000, NextToken=first["NextToken"])
same([u.rsplit("/", 1)[1] for u in first["QueueUrls"] + rest["QueueUrls"]], [f"page-{n}" for n in range(5)], "pages")
assert "NextToken" not in rest, rest
assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="none")
fails("InvalidParameterValue", 400, sqs.list_queues, MaxResults=0)
fails("InvalidParameterValue", 400, sqs.list_queues, MaxResults=1, NextToken="%%")
page = sqs.get_queue_url(QueueName="page-3")["QueueUrl"]
sqs.tag_queue(QueueUrl=page, Tags={"a": "b", "n": "three"})
sqs.untag_queue(QueueUrl=page, TagKeys=["n", "none"])
same(sqs.list_queue_tags(QueueUrl=page)["Tags"], {"a": "b"}, "tags")
ok("lists in pages, and tags")

sqs.create_queue(QueueName="dead")
dead = sqs.get_queue_url(QueueName="dead")["QueueUrl"]


def redrive(target, count=3):
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": count})}


for bad in (redrive(ARN + "none"), redrive(ARN + "f.fifo"), redrive(ARN + "q"), redrive(ARN + "dead", 0),
            redrive("arn:aws:sqs:eu-west-1:000000000000:dead"), {"RedrivePolicy": "{"}):
    fails("InvalidParameterValue", 400, sqs.set_queue_attributes, QueueUrl=url, Attributes=bad)
sqs.set_queue_attributes(QueueUrl=url, Attributes=redrive(ARN + "dead", "3"))
got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
same(json.loads(got), {"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 3}, "the policy")
same(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url], "its sources")
sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps({"redrivePermission": "denyAll"})})
fails("InvalidParameterValue", 400, sqs.set_queue_attributes, QueueUrl=page, Attributes=redrive(ARN + "dead"))
sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
same(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [], "no more")
ok("redrive policies, and who may use a dead-letter queue")


def user(name, *statements):
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": list(statements)}))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return client("sqs", key["AccessKeyId"], key["SecretAccessKey"])


sender = user("sender", {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": ARN + "q"})
sender.send_message(QueueUrl=url, MessageBody="x")
sender.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "x"}])
for call, kw in ((sender.receive_message, {}), (sender.delete_queue, {}), (sender.get_queue_attributes, {}),
                 (sender.purge_queue, {}), (sender.set_queue_attributes, {"Attributes": {"DelaySeconds": "1"}}),
                 (sender.tag_queue, {"Tags": {"a": "b"}}), (sender.add_permission, {"Label": "l", "AWSAccountIds": [ACCOUNT], "Actions": ["*"]})):
    error = fails("AccessDenied", 403, call, QueueUrl=url, **kw)
assert f"arn:aws:iam::{ACCOUNT}:user/sender is not authorized to perform: sqs:AddPermission on resource: {ARN}q" in error["Error"]["Message"], error
fails("AccessDenied", 403, sender.send_message, QueueUrl=dead, MessageBody="x")
fails("AccessDenied", 403, sender.send_message, QueueUrl=url.replace("/q", "/none"), MessageBody="x")
fails("AccessDenied", 403, sender.create_queue, QueueName="mine")
fails("AccessDenied", 403, sender.list_queues)
fails("AccessDenied", 403, sender.start_message_move_task, SourceArn=ARN + "dead")
ok("a user may do what its policy says and no more")

nobody = user("nobody")
fails("AccessDenied", 403, nobody.receive_message, QueueUrl=url)
sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}, "Action": "sqs:ReceiveMessage", "Resource": ARN + "q"},
    {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": ARN + "q",
     "Condition": {"StringEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/sender"}}}]})})
same(nobody.receive_message(QueueUrl=url)["Messages"][0]["Body"], "x", "the queue's policy opens it")
fails("AccessDenied", 403, sender.send_message, QueueUrl=url, MessageBody="x")
for bad in ("{", "[]", json.dumps({"Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]})):
    fails("InvalidAttributeValue", 400, sqs.set_queue_attributes, QueueUrl=url, Attributes={"Policy": bad})
ok("the queue's policy decides: Allow, and Deny over all")

other = client("sqs", "111122223333", "test")
try:
    theirs = other.list_queues() is not None
except Exception:  # noqa: BLE001
    theirs = False
if theirs:
    fails("AccessDenied", 403, other.send_message, QueueUrl=url, MessageBody="x")
    sqs.add_permission(QueueUrl=url, Label="them", AWSAccountIds=["111122223333"], Actions=["SendMessage", "GetQueueUrl"])
    other.send_message(QueueUrl=url, MessageBody="from them")
    same(other.get_queue_url(QueueName="q", QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"], url, "its URL")
    fails("AccessDenied", 403, other.receive_message, QueueUrl=url)
    fails("AccessDenied", 403, other.delete_queue, QueueUrl=url)
else:
    sqs.add_permission(QueueUrl=url, Label="them", AWSAccountIds=["111122223333"], Actions=["SendMessage", "GetQueueUrl"])
fails("InvalidParameterValue", 400, sqs.add_permission, QueueUrl=url, Label="them", AWSAccountIds=[ACCOUNT], Actions=["*"])
fails("InvalidParameterValue", 400, sqs.add_permission, QueueUrl=url, Label="x", AWSAccountIds=["no"], Actions=["*"])
fails("InvalidParameterValue", 400, sqs.add_permission, QueueUrl=url, Label="x", AWSAccountIds=[ACCOUNT], Actions=["DeleteQueue"])
sqs.remove_permission(QueueUrl=url, Label="them")
fails("InvalidParameterValue", 400, sqs.remove_permission, QueueUrl=url, Label="them")
ok("another account: AddPermission lets it in, the owner's actions stay the owner's")

sqs.purge_queue(QueueUrl=url)
fails("AWS.SimpleQueueService.PurgeQueueInProgress", 403, sqs.purge_queue, QueueUrl=url)
same(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])["Attributes"],
     {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}, "purged")
sqs.delete_queue(QueueUrl=url)
fails("AWS.SimpleQueueService.NonExistentQueue", 400, sqs.delete_queue, QueueUrl=url)
fails("AWS.SimpleQueueService.NonExistentQueue", 400, sqs.send_message, QueueUrl=url, MessageBody="x")
fails("AWS.SimpleQueueService.QueueDeletedRecently", 400, sqs.create_queue, QueueName="q")
ok("purged, deleted, and its name rests for a minute")

# The query protocol, as clients before 2023 speak it.
from botocore.auth import SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402


def query(path="/", **form):
    body = urllib.parse.urlencode({"Version": "2012-11-05", **form}).encode()
    request = AWSRequest("POST", ENDPOINT + path, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    SigV4Auth(Credentials("test", "test"), "sqs", "us-east-1").add_auth(request)
    status, _, text = http("POST", ENDPOINT + path, body, dict(request.headers))
    return status, text.decode()


status, text = query(Action="CreateQueue", QueueName="old", **{"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "0"})
assert status == 200 and f"<CreateQueueResult><QueueUrl>{ENDPOINT}/{ACCOUNT}/old</QueueUrl></CreateQueueResult>" in text, text
old = f"{ENDPOINT}/{ACCOUNT}/old"
form = {"MessageAttribute.1.Name": "a", "MessageAttribute.1.Value.DataType": "String", "MessageAttribute.1.Value.StringValue": "v"}
status, text = query(Action="SendMessage", QueueUrl=old, MessageBody="<hi> & bye", **form)
assert status == 200 and "<MD5OfMessageBody>" in text and "<MD5OfMessageAttributes>" in text, text
status, text = query(Action="SendMessageBatch", QueueUrl=old, **{
    "SendMessageBatchRequestEntry.1.Id": "x", "SendMessageBatchRequestEntry.1.MessageBody": "one",
    "SendMessageBatchRequestEntry.2.Id": "y", "SendMessageBatchRequestEntry.2.MessageBody": "\x01"})
assert "<SendMessageBatchResultEntry><Id>x</Id>" in text and "<BatchResultErrorEntry><Id>y</Id>" in text, text
status, text = query(Action="ReceiveMessage", QueueUrl=old, **{"AttributeName.1": "All", "MessageAttributeName.1": "All"})
assert "<Body>&lt;hi&gt; &amp; bye</Body>" in text and "<Attribute><Name>SenderId</Name>" in text, text
assert "<MessageAttribute><Name>a</Name><Value><DataType>String</DataType><StringValue>v</StringValue></Value></MessageAttribute>" in text or \
       "<MessageAttribute><Name>a</Name><Value><StringValue>v</StringValue><DataType>String</DataType></Value></MessageAttribute>" in text, text
status, text = query(f"/{ACCOUNT}/old", Action="GetQueueAttributes", **{"AttributeName.1": "QueueArn"})
assert status == 200 and f"<Value>{ARN}old</Value>" in text, (status, text)
status, text = query(Action="GetQueueUrl", QueueName="none")
assert status == 400 and "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in text and "<Type>Sender</Type>" in text, text
status, text = query(Action="ListQueues")
assert "<QueueUrl>" in text, text
ok("the query protocol, also at the queue's own URL")

for body, target in ((b"{", "SendMessage"), (b"[]", "SendMessage"), (b"", "SendMessage"), (b"\xff\xfe", "CreateQueue"), (b'{"QueueUrl":1}', "SendMessage"),
                     (b'{"QueueUrl":"%s","MessageBody":{}}' % old.encode(), "SendMessage"), (b'{"QueueUrl":"' + b"x" * 100000 + b'"}', "ReceiveMessage")):
    request = AWSRequest("POST", ENDPOINT + "/", data=body, headers={
        "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{target}"})
    SigV4Auth(Credentials("test", "test"), "sqs", "us-east-1").add_auth(request)
    status, headers, text = http("POST", ENDPOINT + "/", body, dict(request.headers))
    assert 400 <= status < 500 and "__type" in text.decode(), (body[:40], status, text)
ok("malformed requests are the client's fault")
