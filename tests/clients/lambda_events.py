"""Lambda's events: asynchronous invocations with retries and destinations, queues and streams."""

import io
import json
import time
import zipfile

from common import ACCOUNT, ENDPOINT, client, fails, http, ok, same, until

lam = client("lambda", parameter_validation=False)
iam, sqs, ddb = client("iam"), client("sqs"), client("dynamodb")
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ROLE = iam.create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
INVALID = "InvalidParameterValueException"


def grant(*actions):
    iam.put_role_policy(RoleName="fn", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}))


def queue(name, **attributes):
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


def take(url, seconds=15):
    """The next message of a queue, deleted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for m in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"]).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
            return m
    raise AssertionError(f"nothing came to {url}")


def make(name, code, **more):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w") as z:
        z.writestr("app.py", code)
    more = {"Runtime": "python3.13", "Handler": "app.handler", "Role": ROLE, "Timeout": 5,
            "Code": {"ZipFile": b.getvalue()}, **more}
    made = lam.create_function(FunctionName=name, **more)
    lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return made["FunctionArn"]


def advance(seconds):
    same(http("POST", f"{ENDPOINT}/_fogbank/clock", json.dumps({"advance_seconds": seconds}).encode())[0], 200, "clock")


done_url, done_arn = queue("done")
failed_url, failed_arn = queue("failed")
dead_url, dead_arn = queue("dead")
SOME = "def handler(e, c):\n    if e.get('fail'): raise ValueError('no')\n    return {'ok': e}\n"
fails(INVALID, 400, make, "a", SOME, DeadLetterConfig={"TargetArn": dead_arn})
grant("sqs:*")
arn = make("a", SOME, DeadLetterConfig={"TargetArn": dead_arn})
lam.put_function_event_invoke_config(FunctionName="a", DestinationConfig={
    "OnSuccess": {"Destination": done_arn}, "OnFailure": {"Destination": failed_arn}})
answer = lam.invoke(FunctionName="a", InvocationType="Event", Payload=b'{"n": 1}')
same((answer["StatusCode"], answer["Payload"].read()), (202, b""), "accepted")
record = json.loads(take(done_url)["Body"])
same((record["version"], record["requestContext"]["condition"], record["requestPayload"], record["responsePayload"]),
     ("1.0", "Success", {"n": 1}, {"ok": {"n": 1}}), "success")
same((record["requestContext"]["functionArn"], record["responseContext"]),
     (arn + ":$LATEST", {"statusCode": 200, "executedVersion": "$LATEST"}), "whose")
ok("an event, and its record at the destination")

lam.invoke(FunctionName="a", InvocationType="Event", Payload=b'{"fail": true}')
time.sleep(1)
advance(60)
time.sleep(1)
advance(120)
record = json.loads(take(failed_url)["Body"])
same((record["requestContext"]["condition"], record["requestContext"]["approximateInvokeCount"], record["responsePayload"]["errorType"]),
     ("RetriesExhausted", 3, "ValueError"), "failure")
dead = take(dead_url)
same((json.loads(dead["Body"]), dead["MessageAttributes"]["ErrorMessage"]["StringValue"]), ({"fail": True}, "no"), "dead letter")
lam.put_function_event_invoke_config(FunctionName="a", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": failed_arn}})
lam.invoke(FunctionName="a", InvocationType="Event", Payload=b'{"fail": true}')
same(json.loads(take(failed_url)["Body"])["requestContext"]["approximateInvokeCount"], 1, "no retries")
lam.put_function_concurrency(FunctionName="a", ReservedConcurrentExecutions=0)
lam.invoke(FunctionName="a", InvocationType="Event", Payload=b'{"n": 2}')
same(json.loads(take(failed_url)["Body"])["requestContext"]["approximateInvokeCount"], 0, "nothing is reserved")
lam.delete_function_concurrency(FunctionName="a")
ok("retries on the clock, then the failure's destination and the dead letter")

b = make("b", SOME)
lam.put_function_event_invoke_config(FunctionName="b", DestinationConfig={"OnSuccess": {"Destination": done_arn}})
fails(INVALID, 400, lam.put_function_event_invoke_config, FunctionName="a", DestinationConfig={"OnSuccess": {"Destination": b}})
grant("sqs:*", "lambda:InvokeFunction")
lam.put_function_event_invoke_config(FunctionName="a", DestinationConfig={"OnSuccess": {"Destination": b}})
lam.invoke(FunctionName="a", InvocationType="Event", Payload=b'{"n": 3}')
while True:
    record = json.loads(take(done_url)["Body"])
    if record["requestContext"]["functionArn"] == b + ":$LATEST":
        break
same(record["requestPayload"]["requestPayload"], {"n": 3}, "one function after the other")
ok("a function as the destination of another")

CONSUMER = """
import json, os, boto3
def handler(event, context):
    bad = [r['messageId'] for r in event['Records'] if json.loads(r['body']).get('bad')]
    return {'batchItemFailures': [{'itemIdentifier': i} for i in bad]}
"""
source_url, source_arn = queue("source", VisibilityTimeout="2")
retry_url, retry_arn = queue("retry")
sqs.set_queue_attributes(QueueUrl=source_url, Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": retry_arn, "maxReceiveCount": 2})})
CONSUMER = CONSUMER.replace(", boto3", "")
make("consumer", CONSUMER, Timeout=2)
grant("dynamodb:*")
fails(INVALID, 400, lam.create_event_source_mapping, FunctionName="consumer", EventSourceArn=source_arn)
grant("sqs:*", "dynamodb:*")
fails(INVALID, 400, lam.create_event_source_mapping, FunctionName="consumer", EventSourceArn=source_arn, BatchSize=100)
fails(INVALID, 400, lam.create_event_source_mapping, FunctionName="consumer", EventSourceArn=source_arn, FilterCriteria={"Filters": [{"Pattern": "{\"body\": 1}"}]})
fails("ResourceNotFoundException", 404, lam.create_event_source_mapping, FunctionName="none", EventSourceArn=source_arn)
fails("NotImplemented", 400, lam.create_event_source_mapping, FunctionName="consumer", StartingPosition="LATEST",
      EventSourceArn=f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s")
make("long", CONSUMER, Timeout=30)
fails(INVALID, 400, lam.create_event_source_mapping, FunctionName="long", EventSourceArn=source_arn)
mapping = lam.create_event_source_mapping(
    FunctionName="consumer", EventSourceArn=source_arn, FunctionResponseTypes=["ReportBatchItemFailures"],
    FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": {"kind": ["wanted"]}})}]})
same((mapping["State"], mapping["BatchSize"], mapping["FunctionArn"]), ("Creating", 10, arn[:-1] + "consumer"), "mapping")
uuid = mapping["UUID"]
until("enabled", lambda: lam.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")
fails("ResourceConflictException", 409, lam.create_event_source_mapping, FunctionName="consumer", EventSourceArn=source_arn)
for body in ({"kind": "wanted"}, {"kind": "wanted", "bad": 1}, {"kind": "other"}):
    sqs.send_message(QueueUrl=source_url, MessageBody=json.dumps(body))


def left():
    a = sqs.get_queue_attributes(QueueUrl=source_url, AttributeNames=["All"])["Attributes"]
    return int(a["ApproximateNumberOfMessages"]) + int(a["ApproximateNumberOfMessagesNotVisible"])


until("all but the bad one are deleted", lambda: left() == 1)
same(json.loads(take(retry_url, 30)["Body"]), {"kind": "wanted", "bad": 1}, "the bad one is dead after two attempts")
lam.update_event_source_mapping(UUID=uuid, Enabled=False)
until("disabled", lambda: lam.get_event_source_mapping(UUID=uuid)["State"] == "Disabled")
sqs.send_message(QueueUrl=source_url, MessageBody='{"kind": "wanted"}')
time.sleep(1)
same(left(), 1, "nobody reads")
lam.update_event_source_mapping(UUID=uuid, Enabled=True, BatchSize=20, MaximumBatchingWindowInSeconds=1)
until("read again", lambda: left() == 0)
same([m["UUID"] for m in lam.list_event_source_mappings(FunctionName="consumer")["EventSourceMappings"]], [uuid], "list")
same(lam.delete_event_source_mapping(UUID=uuid)["State"], "Deleting", "deleted")
fails("ResourceNotFoundException", 404, lam.get_event_source_mapping, UUID=uuid)
ok("queues: filters, partial failures, enabled and disabled")

STREAM = """
import json
def handler(event, context):
    if any('poison' in r['dynamodb']['Keys']['k']['S'] for r in event['Records']): raise ValueError('poison')
    print('SEEN', json.dumps([[r['eventName'], r['dynamodb']['Keys']['k']['S'], r['dynamodb'].get('NewImage')] for r in event['Records']]))
"""
iam.attach_role_policy(RoleName="fn", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
make("streamed", STREAM)
table = ddb.create_table(
    TableName="tab", AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    BillingMode="PAY_PER_REQUEST", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})["TableDescription"]
ddb.get_waiter("table_exists").wait(TableName="tab", WaiterConfig={"Delay": 1})
stream = table["LatestStreamArn"]
for key in ("a", "poison", "b"):
    ddb.put_item(TableName="tab", Item={"k": {"S": key}, "v": {"N": "1"}})
fails(INVALID, 400, lam.create_event_source_mapping, FunctionName="streamed", EventSourceArn=stream)
mapping = lam.create_event_source_mapping(
    FunctionName="streamed", EventSourceArn=stream, StartingPosition="TRIM_HORIZON", BatchSize=10, MaximumRetryAttempts=1, BisectBatchOnFunctionError=True,
    FilterCriteria={"Filters": [{"Pattern": json.dumps({"eventName": ["INSERT", "REMOVE"]})}]}, DestinationConfig={"OnFailure": {"Destination": failed_arn}})
lost = json.loads(take(failed_url, 20)["Body"])
same((lost["DDBStreamBatchInfo"]["batchSize"], lost["requestContext"]["condition"]), (1, "RetryAttemptsExhausted"), "the poison alone is given up")
logs = client("logs")


def seen():
    try:
        events = logs.filter_log_events(logGroupName="/aws/lambda/streamed", filterPattern="SEEN")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [r for e in events for r in json.loads(e["message"][5:])]


until("the others came", lambda: sorted(r[1] for r in seen()) == ["a", "b"])
ddb.update_item(TableName="tab", Key={"k": {"S": "a"}}, UpdateExpression="SET v = :v", ExpressionAttributeValues={":v": {"N": "2"}})
ddb.delete_item(TableName="tab", Key={"k": {"S": "b"}})
until("a removal came, a modification did not", lambda: ["REMOVE", "b", None] in seen())
same([r for r in seen() if r[0] == "MODIFY"], [], "filtered")
until("the last result", lambda: lam.get_event_source_mapping(UUID=mapping["UUID"])["LastProcessingResult"] == "OK")
ok("streams: in order, filtered, split, given up")
