"""Bucket notifications: to queues and topics, validated, filtered, in AWS's record, by the destination's policy."""

import json
import urllib.parse

from common import ACCOUNT, client, fails, ok, same

s3, sqs, sns = client("s3"), client("sqs"), client("sns")
QUEUE, TOPIC = f"arn:aws:sqs:us-east-1:{ACCOUNT}:", f"arn:aws:sns:us-east-1:{ACCOUNT}:"
s3.create_bucket(Bucket="told")


def policy(action, resource):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": action, "Resource": resource,
         "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::told"}, "StringEquals": {"aws:SourceAccount": ACCOUNT}}}]})


def queue(name, policy=None):
    return sqs.create_queue(QueueName=name, Attributes={"Policy": policy} if policy else {})["QueueUrl"]


def bodies(url, count):
    out = []
    for _ in range(5):
        for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1 if len(out) < count else 0).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
            out.append(json.loads(m["Body"]))
        if len(out) >= count:
            break
    return out


def configure(**kw):
    s3.put_bucket_notification_configuration(Bucket="told", NotificationConfiguration=kw)


def to(name, *events, **more):
    return {"QueueArn": QUEUE + name, "Events": list(events), **more}


images, closed = queue("images", policy("sqs:SendMessage", QUEUE + "images")), queue("closed")
rest = queue("rest", policy("sqs:SendMessage", QUEUE + "rest"))
error = fails("InvalidArgument", 400, configure, QueueConfigurations=[to("closed", "s3:ObjectCreated:*")])
same(error["Error"]["Message"], "Unable to validate the following destination configurations", "its words")
fails("InvalidArgument", 400, configure, QueueConfigurations=[to("none", "s3:ObjectCreated:*")])
fails("InvalidArgument", 400, configure, TopicConfigurations=[{"TopicArn": TOPIC + "none", "Events": ["s3:ObjectCreated:*"]}])
fails("InvalidArgument", 400, configure, LambdaFunctionConfigurations=[
    {"LambdaFunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:none", "Events": ["s3:ObjectCreated:*"]}])
fails("InvalidArgument", 400, configure, QueueConfigurations=[to("images", "s3:Nope")])
fails("InvalidArgument", 400, configure, QueueConfigurations=[to("images.fifo", "s3:ObjectCreated:*")])
fails("InvalidArgument", 400, configure, QueueConfigurations=[to("images", "s3:ObjectCreated:*"), to("rest", "s3:ObjectCreated:Put")])
same([k for k in s3.get_bucket_notification_configuration(Bucket="told") if k != "ResponseMetadata"], [], "nothing was set")
ok("destinations are tried before they are accepted")

filters = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "img/"}, {"Name": "suffix", "Value": ".png"}]}}
configure(QueueConfigurations=[to("images", "s3:ObjectCreated:*", Id="pictures", Filter=filters), to("rest", "s3:ObjectRemoved:*", "s3:ObjectTagging:*")])
got = s3.get_bucket_notification_configuration(Bucket="told")["QueueConfigurations"]
same((got[0]["Id"], got[0]["QueueArn"], got[0]["Events"]), ("pictures", QUEUE + "images", ["s3:ObjectCreated:*"]), "what was set")
same({r["Name"].lower(): r["Value"] for r in got[0]["Filter"]["Key"]["FilterRules"]}, {"prefix": "img/", "suffix": ".png"}, "its filter")
test = bodies(images, 1)[0]
same((test["Service"], test["Event"], test["Bucket"]), ("Amazon S3", "s3:TestEvent", "told"), "the test event")
bodies(rest, 1)
key = "img/ä b+c.png"
put = s3.put_object(Bucket="told", Key=key, Body=b"12345")
s3.put_object(Bucket="told", Key="img/other.jpg", Body=b"x")
s3.copy_object(Bucket="told", Key="img/copy.png", CopySource={"Bucket": "told", "Key": key})
upload = s3.create_multipart_upload(Bucket="told", Key="img/parts.png")["UploadId"]
part = s3.upload_part(Bucket="told", Key="img/parts.png", UploadId=upload, PartNumber=1, Body=b"p")
s3.complete_multipart_upload(Bucket="told", Key="img/parts.png", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
records = {r["Records"][0]["eventName"]: r["Records"][0] for r in bodies(images, 3)}
same(set(records), {"ObjectCreated:Put", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload"}, "the events")
r = records["ObjectCreated:Put"]
same((r["eventVersion"], r["eventSource"], r["awsRegion"]), ("2.1", "aws:s3", "us-east-1"), "the record")
same((r["s3"]["configurationId"], r["s3"]["bucket"]["name"], r["s3"]["bucket"]["arn"]), ("pictures", "told", "arn:aws:s3:::told"), "its bucket")
same((urllib.parse.unquote_plus(r["s3"]["object"]["key"]), r["s3"]["object"]["size"], r["s3"]["object"]["eTag"]), (key, 5, put["ETag"].strip('"')), "its object")
assert r["s3"]["object"]["key"] == "img/%C3%A4+b%2Bc.png" and r["eventTime"].endswith("Z") and len(r["s3"]["object"]["sequencer"]) == 16, r
assert r["responseElements"]["x-amz-request-id"] and r["requestParameters"]["sourceIPAddress"] == "127.0.0.1", r
same(bodies(images, 1), [], "and no others")
ok("records of what was created, filtered by prefix and suffix")

s3.put_object_tagging(Bucket="told", Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
s3.delete_object(Bucket="told", Key=key)
s3.delete_object(Bucket="told", Key="never-there")
s3.put_bucket_versioning(Bucket="told", VersioningConfiguration={"Status": "Enabled"})
version = s3.put_object(Bucket="told", Key="v", Body=b"x")["VersionId"]
marker = s3.delete_object(Bucket="told", Key="v")["VersionId"]
s3.delete_object(Bucket="told", Key="v", VersionId=version)
records = [r["Records"][0] for r in bodies(rest, 4)]
same(sorted((r["eventName"], r["s3"]["object"].get("versionId", "")) for r in records), sorted([
    ("ObjectTagging:Put", ""), ("ObjectRemoved:Delete", ""), ("ObjectRemoved:DeleteMarkerCreated", marker), ("ObjectRemoved:Delete", version)]), "what was removed")
ok("records of what was tagged and removed")

topic = sns.create_topic(Name="told", Attributes={"Policy": policy("sns:Publish", TOPIC + "told")})["TopicArn"]
fan = queue("fan")
sqs.set_queue_attributes(QueueUrl=fan, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": QUEUE + "fan"}]})})
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE + "fan")
configure(TopicConfigurations=[{"TopicArn": topic, "Events": ["s3:ObjectCreated:Put"]}])
s3.put_object(Bucket="told", Key="fan", Body=b"x")
got = bodies(fan, 2)
same([json.loads(b["Message"]).get("Event") or json.loads(b["Message"])["Records"][0]["s3"]["object"]["key"] for b in got], ["s3:TestEvent", "fan"], "by topic")
same({b["Subject"] for b in got}, {"Amazon S3 Notification"}, "its subject")
configure()
s3.put_object(Bucket="told", Key="quiet", Body=b"x")
same(bodies(fan, 1), [], "nobody is told any more")
ok("a topic between bucket and queue; and no configuration, no notices")
