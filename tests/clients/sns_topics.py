"""Topics and subscriptions: their life and attributes, filters, policies, who may do what, what is refused."""

import json
import urllib.parse

from common import ACCOUNT, ENDPOINT, client, fails, http, ok, same

iam, sns, sqs = client("iam"), client("sns"), client("sqs")
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"

arn = sns.create_topic(Name="t", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
same(arn, TOPIC + "t", "its ARN")
same(sns.create_topic(Name="t")["TopicArn"], arn, "the same topic again")
fails("InvalidParameter", 400, sns.create_topic, Name="t", Attributes={"DisplayName": "other"})
fails("InvalidParameter", 400, sns.create_topic, Name="t", Tags=[{"Key": "a", "Value": "c"}])
for name in ("no such", "x" * 257, "t.fifo"):
    fails("InvalidParameter", 400, sns.create_topic, Name=name)
fails("InvalidParameter", 400, sns.create_topic, Name="t2", Attributes={"FifoTopic": "true"})
got = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
same({k: got[k] for k in ("TopicArn", "Owner", "DisplayName", "SubscriptionsConfirmed", "SubscriptionsPending", "SubscriptionsDeleted")},
     {"TopicArn": arn, "Owner": ACCOUNT, "DisplayName": "", "SubscriptionsConfirmed": "0", "SubscriptionsPending": "0",
      "SubscriptionsDeleted": "0"}, "a new topic")
same(json.loads(got["Policy"])["Id"], "__default_policy_ID", "the policy of a new topic")
same(json.loads(got["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"], 3, "how often HTTP is tried")
sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="Shown")
same(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"], "Shown", "what was set")
for name, value in (("Nope", "x"), ("SignatureVersion", "3"), ("Policy", "{"), ("DeliveryPolicy", "{"), ("ContentBasedDeduplication", "true")):
    fails("InvalidParameter", 400, sns.set_topic_attributes, TopicArn=arn, AttributeName=name, AttributeValue=value)
fails("NotFound", 404, sns.get_topic_attributes, TopicArn=arn + "x")
fails("InvalidParameter", 400, sns.get_topic_attributes, TopicArn="nope")
fails("ResourceNotFound", 404, sns.list_tags_for_resource, ResourceArn=arn + "x")
sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "c", "Value": "d"}])
sns.untag_resource(ResourceArn=arn, TagKeys=["a"])
same(sns.list_tags_for_resource(ResourceArn=arn)["Tags"], [{"Key": "c", "Value": "d"}], "tags")
for n in range(105):
    sns.create_topic(Name=f"many-{n:03}")
pages = list(sns.get_paginator("list_topics").paginate())
same([len(p["Topics"]) for p in pages], [100, 6], "pages of a hundred")
ok("topics: made, made again, described, changed, tagged, listed")

sqs.create_queue(QueueName="q")
sub = sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=QUEUE + "q", ReturnSubscriptionArn=True)["SubscriptionArn"]
assert sub.startswith(arn + ":") and len(sub) == len(arn) + 37, sub
same(sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=QUEUE + "q")["SubscriptionArn"], sub, "the same subscription again")
fails("InvalidParameter", 400, sns.subscribe, TopicArn=arn, Protocol="sqs", Endpoint=QUEUE + "q", Attributes={"RawMessageDelivery": "true"})
got = sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]
same({k: got[k] for k in ("Protocol", "Endpoint", "RawMessageDelivery", "PendingConfirmation", "ConfirmationWasAuthenticated", "Owner", "TopicArn")},
     {"Protocol": "sqs", "Endpoint": QUEUE + "q", "RawMessageDelivery": "false", "PendingConfirmation": "false",
      "ConfirmationWasAuthenticated": "true", "Owner": ACCOUNT, "TopicArn": arn}, "a subscription")
same(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SubscriptionsConfirmed"], "1", "counted")
same([s["SubscriptionArn"] for s in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]], [sub], "of the topic")
same([s["SubscriptionArn"] for s in sns.list_subscriptions()["Subscriptions"]], [sub], "of the account")
for protocol, endpoint in (("sqs", "http://x"), ("sqs", QUEUE + "q.fifo"), ("lambda", QUEUE + "q"), ("nope", "x"), ("http", "https://127.0.0.1/"),
                           ("http", "http://example.com/"), ("https", "https://127.0.0.1/")):
    fails("InvalidParameter", 400, sns.subscribe, TopicArn=arn, Protocol=protocol, Endpoint=endpoint)
for protocol in ("email", "sms", "firehose", "application", "email-json"):
    fails("NotImplemented", 400, sns.subscribe, TopicArn=arn, Protocol=protocol, Endpoint="x")
fails("NotFound", 404, sns.subscribe, TopicArn=arn + "x", Protocol="sqs", Endpoint=QUEUE + "q")
fails("AuthorizationError", 403, sns.subscribe, TopicArn=arn, Protocol="sqs", Endpoint=QUEUE.replace(ACCOUNT, "111122223333") + "q")
fails("NotImplemented", 400, sns.publish, PhoneNumber="+4912345678", Message="x")
fails("NotImplemented", 400, sns.create_platform_application, Name="a", Platform="GCM", Attributes={})
fails("NotImplemented", 400, sns.put_data_protection_policy, ResourceArn=arn, DataProtectionPolicy="{}")
ok("subscriptions: made, made again, described, listed; what leads out of this machine is refused by name")


def set_sub(name, value):
    sns.set_subscription_attributes(SubscriptionArn=sub, AttributeName=name, AttributeValue=value)


set_sub("FilterPolicy", json.dumps({"a": ["x"]}))
got = sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]
same((got["FilterPolicy"], got["FilterPolicyScope"]), ('{"a": ["x"]}', "MessageAttributes"), "a filter policy")
for bad in ("{", "[]", '{"a":"x"}', '{"a":[]}', '{"a":[{"nope":1}]}', '{"a":{"b":["x"]}}', '{"a":[{"numeric":["<"]}]}',
            json.dumps({f"k{n}": ["x"] for n in range(6)}), json.dumps({"a": list(range(13)), "b": list(range(12))})):
    fails("InvalidParameter", 400, set_sub, "FilterPolicy", bad)
set_sub("FilterPolicy", "{}")
set_sub("FilterPolicyScope", "MessageBody")
set_sub("FilterPolicy", '{"a":{"b":["x"]}}')
for name, value in (("FilterPolicyScope", "x"), ("RawMessageDelivery", "x"), ("RedrivePolicy", "{}"), ("DeliveryPolicy", "{}"), ("Nope", "x")):
    fails("InvalidParameter", 400, set_sub, name, value)
set_sub("RedrivePolicy", json.dumps({"deadLetterTargetArn": QUEUE + "q"}))
set_sub("RawMessageDelivery", "true")
same(json.loads(sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]["RedrivePolicy"]), {"deadLetterTargetArn": QUEUE + "q"}, "dead letters")
fails("NotFound", 404, sns.get_subscription_attributes, SubscriptionArn=arn + ":" + "0" * 36)
ok("attributes of subscriptions and what they may not be")


def user(name, *statements):
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return client("sns", key["AccessKeyId"], key["SecretAccessKey"])


teller = user("teller", {"Effect": "Allow", "Action": "sns:Publish", "Resource": arn})
teller.publish(TopicArn=arn, Message="x")
for call, kw in ((teller.subscribe, {"Protocol": "sqs", "Endpoint": QUEUE + "q"}), (teller.delete_topic, {}), (teller.get_topic_attributes, {}),
                 (teller.set_topic_attributes, {"AttributeName": "DisplayName", "AttributeValue": "x"})):
    error = fails("AuthorizationError", 403, call, TopicArn=arn, **kw)
assert f"user/teller is not authorized to perform: sns:SetTopicAttributes on resource: {arn}" in error["Error"]["Message"], error
fails("AuthorizationError", 403, teller.publish, TopicArn=TOPIC + "many-001", Message="x")
fails("AuthorizationError", 403, teller.unsubscribe, SubscriptionArn=sub)
fails("AuthorizationError", 403, teller.list_topics)
nobody = user("nobody")
fails("AuthorizationError", 403, nobody.publish, TopicArn=arn, Message="x")
sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}, "Action": "SNS:Publish", "Resource": arn},
    {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/teller"}, "Action": "SNS:Publish", "Resource": arn}]}))
nobody.publish(TopicArn=arn, Message="x")
fails("AuthorizationError", 403, teller.publish, TopicArn=arn, Message="x")
other = client("sns", "111122223333", "test")
fails("AuthorizationError", 403, other.publish, TopicArn=arn, Message="x")
sns.add_permission(TopicArn=arn, Label="them", AWSAccountId=["111122223333"], ActionName=["Publish"])
other.publish(TopicArn=arn, Message="x")
fails("InvalidParameter", 400, sns.add_permission, TopicArn=arn, Label="them", AWSAccountId=[ACCOUNT], ActionName=["Publish"])
sns.remove_permission(TopicArn=arn, Label="them")
fails("AuthorizationError", 403, other.publish, TopicArn=arn, Message="x")
ok("users, topic policies and other accounts: what is allowed and no more")

sns.unsubscribe(SubscriptionArn=sub)
sns.unsubscribe(SubscriptionArn=sub)
got = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
same((got["SubscriptionsConfirmed"], got["SubscriptionsDeleted"]), ("0", "1"), "counted")
second = sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=QUEUE + "q")["SubscriptionArn"]
link = f"{ENDPOINT}/?Action=Unsubscribe&SubscriptionArn={urllib.parse.quote(second)}"
same(http("GET", link)[0], 200, "the link in a message")
same(sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"], [], "unsubscribed")
sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=QUEUE + "q")
sns.delete_topic(TopicArn=arn)
sns.delete_topic(TopicArn=arn)
same(sns.list_subscriptions()["Subscriptions"], [], "its subscriptions went with it")
fails("NotFound", 404, sns.publish, TopicArn=arn, Message="x")
ok("unsubscribed, by link too; deleted, twice")

for form in ("Action=Publish&Version=2010-03-31", "Action=Nope&Version=2010-03-31", "Action=ConfirmSubscription&Token=x&TopicArn=" + urllib.parse.quote(arn),
             "Action=ConfirmSubscription&Token=" + "z" * 9999 + "&TopicArn=x", "Action=Unsubscribe&SubscriptionArn=x"):
    status, _, body = http("POST", ENDPOINT + "/", form.encode(), {"Content-Type": "application/x-www-form-urlencoded"})
    assert 400 <= status < 500 and b"<Code>" in body, (form[:60], status, body)
ok("malformed and unsigned requests are the client's fault")
