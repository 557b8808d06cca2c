"""Who may do what in DynamoDB: actions, tables and indexes, fine-grained access, resource policies."""

import json

from common import ACCOUNT, client, fails, ok, same

ddb, iam = client("dynamodb"), client("iam")
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/games"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource=TABLE, **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def user(name, *statements):
    """A user with an inline policy, and its clients."""
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return client("dynamodb", key["AccessKeyId"], key["SecretAccessKey"])


def denied(call, **kwargs):
    return fails("AccessDeniedException", 400, call, **kwargs)["Error"]["Message"]


made = ddb.create_table(
    TableName="games", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("player", "game")],
    KeySchema=[{"AttributeName": "player", "KeyType": "HASH"}, {"AttributeName": "game", "KeyType": "RANGE"}],
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    GlobalSecondaryIndexes=[{"IndexName": "by-game", "KeySchema": [{"AttributeName": "game", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}])
T = {"TableName": "games"}


def key(player, game="chess"):
    return {"player": {"S": player}, "game": {"S": game}}


for player in ("alice", "bob"):
    ddb.put_item(Item={**key(player), "score": {"N": "1"}, "secret": {"S": "x"}}, **T)

reader = user("reader", allow(["dynamodb:GetItem", "dynamodb:Query"]))
reader.get_item(Key=key("alice"), **T)
message = denied(reader.put_item, Item=key("x"), **T)
same(message, f"User: arn:aws:iam::{ACCOUNT}:user/reader is not authorized to perform: dynamodb:PutItem on resource: {TABLE} "
     "because no identity-based policy allows the dynamodb:PutItem action", "message")
by_player = dict(KeyConditionExpression="player = :p", ExpressionAttributeValues={":p": {"S": "alice"}})
by_game = dict(IndexName="by-game", KeyConditionExpression="game = :g", ExpressionAttributeValues={":g": {"S": "chess"}})
reader.query(**by_player, **T)
denied(reader.query, **by_game, **T)
denied(reader.scan, **T)
denied(reader.describe_table, **T)
denied(reader.list_tables)
denied(reader.delete_table, **T)
denied(reader.execute_statement, Statement="SELECT * FROM games")
denied(reader.transact_write_items, TransactItems=[{"Put": {"Item": key("x"), **T}}])
denied(reader.batch_write_item, RequestItems={"games": [{"PutRequest": {"Item": key("x")}}]})
denied(reader.get_item, TableName="other", Key=key("alice"))
reader.transact_get_items(TransactItems=[{"Get": {"Key": key("alice"), **T}}])
denied(user("nobody").get_item, Key=key("alice"), **T)
indexer = user("indexer", allow("dynamodb:Query", f"{TABLE}/index/by-game"))
same(indexer.query(**by_game, **T)["Count"], 2, "an index by itself")
denied(indexer.query, **by_player, **T)
ok("actions, tables and indexes")

own = user("alice", allow(["dynamodb:*Item", "dynamodb:Query", "dynamodb:Scan", "dynamodb:PartiQL*"],
                          Condition={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${aws:username}"]},
                                     "Null": {"dynamodb:LeadingKeys": "false"}}))
own.get_item(Key=key("alice"), **T)
own.query(**by_player, **T)
own.update_item(Key=key("alice"), UpdateExpression="ADD score :n", ExpressionAttributeValues={":n": {"N": "1"}}, **T)
own.batch_get_item(RequestItems={"games": {"Keys": [key("alice"), key("alice", "go")]}})
own.transact_write_items(TransactItems=[{"Put": {"Item": key("alice", "go"), **T}}])
own.execute_statement(Statement="SELECT * FROM games WHERE player = 'alice'")
denied(own.get_item, Key=key("bob"), **T)
denied(own.query, **{**by_player, "ExpressionAttributeValues": {":p": {"S": "bob"}}}, **T)
denied(own.put_item, Item=key("bob", "go"), **T)
denied(own.batch_get_item, RequestItems={"games": {"Keys": [key("alice"), key("bob")]}})
denied(own.batch_write_item, RequestItems={"games": [{"DeleteRequest": {"Key": key("bob")}}]})
denied(own.transact_write_items, TransactItems=[{"Put": {"Item": key("alice", "x"), **T}}, {"Delete": {"Key": key("bob"), **T}}])
denied(own.scan, **T)
denied(own.execute_statement, Statement="SELECT * FROM games WHERE player = 'bob'")
assert "Item" not in ddb.get_item(Key=key("alice", "x"), **T)
ok("one's own items only: dynamodb:LeadingKeys")

some = user("some", allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], Condition={
    "ForAllValues:StringEquals": {"dynamodb:Attributes": ["player", "game", "score"]},
    "StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES", "dynamodb:ReturnValues": ["NONE", "UPDATED_NEW"]}}))
same(some.get_item(Key=key("bob"), ProjectionExpression="score", **T)["Item"], {"score": {"N": "1"}}, "an attribute")
denied(some.get_item, Key=key("bob"), ProjectionExpression="score, secret", **T)
denied(some.get_item, Key=key("bob"), **T)
update = dict(Key=key("bob"), UpdateExpression="SET score = :n", ExpressionAttributeValues={":n": {"N": "5"}}, **T)
some.update_item(ReturnValues="UPDATED_NEW", **update)
denied(some.update_item, ReturnValues="ALL_NEW", **update)
denied(some.update_item, **{**update, "UpdateExpression": "SET score = secret, x = :n"})
ok("some attributes only: dynamodb:Attributes, Select, ReturnValues")

guest = user("guest")
fails("PolicyNotFoundException", 400, ddb.get_resource_policy, ResourceArn=TABLE)
policy = document({**allow("dynamodb:GetItem"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/guest"}},
                  {"Effect": "Deny", "Principal": "*", "Action": "dynamodb:DeleteItem", "Resource": TABLE})
revision = ddb.put_resource_policy(ResourceArn=TABLE, Policy=policy)["RevisionId"]
got = ddb.get_resource_policy(ResourceArn=TABLE)
same((json.loads(got["Policy"]), got["RevisionId"]), (json.loads(policy), revision), "the policy is kept")
guest.get_item(Key=key("bob"), **T)
denied(guest.query, **by_player, **T)
denied(own.delete_item, Key=key("alice"), **T)
fails("PolicyNotFoundException", 400, ddb.put_resource_policy, ResourceArn=TABLE, Policy=policy, ExpectedRevisionId="nope")
fails("ValidationException", 400, ddb.put_resource_policy, ResourceArn=TABLE, Policy="{")
ddb.delete_resource_policy(ResourceArn=TABLE)
denied(guest.get_item, Key=key("bob"), **T)
own.delete_item(Key=key("alice"), **T)
ok("resource policies allow and deny")

stream = made["TableDescription"]["LatestStreamArn"]
iam.create_user(UserName="streamer")
iam.put_user_policy(UserName="streamer", PolicyName="p", PolicyDocument=document(
    allow(["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"], f"{TABLE}/stream/*")))
pair = iam.create_access_key(UserName="streamer")["AccessKey"]
streams = client("dynamodbstreams", pair["AccessKeyId"], pair["SecretAccessKey"])
shard = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]
at = streams.get_shard_iterator(StreamArn=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
assert streams.get_records(ShardIterator=at)["Records"]
denied(streams.list_streams)
denied(client("dynamodb", pair["AccessKeyId"], pair["SecretAccessKey"]).get_item, Key=key("bob"), **T)
ok("streams")
