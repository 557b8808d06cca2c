"""CloudWatch Logs: groups, streams, events in order, patterns, limits, and who may."""

import json
import time

from common import ACCOUNT, client, fails, ok, same

logs, iam = client("logs", parameter_validation=False), client("iam")
NOW = int(time.time() * 1000)

logs.create_log_group(logGroupName="/app/web", tags={"team": "red"})
fails("ResourceAlreadyExistsException", 400, logs.create_log_group, logGroupName="/app/web")
for name in ("b", "a", "c"):
    logs.create_log_stream(logGroupName="/app/web", logStreamName=name)
logs.put_retention_policy(logGroupName="/app/web", retentionInDays=30)
[group] = logs.describe_log_groups(logGroupNamePrefix="/app/")["logGroups"]
arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/app/web"
same((group["arn"], group["logGroupArn"], group["retentionInDays"], group["logGroupClass"]),
     (arn + ":*", arn, 30, "STANDARD"), "the group")
logs.tag_resource(resourceArn=arn, tags={"cost": "9"})
same(logs.list_tags_for_resource(resourceArn=arn)["tags"], {"team": "red", "cost": "9"}, "tags")
logs.untag_log_group(logGroupName="/app/web", tags=["team"])
same(logs.list_tags_log_group(logGroupName="/app/web")["tags"], {"cost": "9"}, "tags, the old way")
ok("groups, retention, tags by both interfaces")


def put(stream, *messages, at=NOW - 60_000, group="/app/web"):
    events = [{"timestamp": at + i, "message": m} for i, m in enumerate(messages)]
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events,
                               sequenceToken="whatever it was")


def texts(answer):
    return [e["message"] for e in answer["events"]]


put("a", *(f"event {i}" for i in range(25)))
page = logs.get_log_events(logGroupName="/app/web", logStreamName="a", startFromHead=True, limit=10)
got = texts(page)
while True:
    token = page["nextForwardToken"]
    page = logs.get_log_events(logGroupName="/app/web", logStreamName="a", nextToken=token, limit=10)
    if page["nextForwardToken"] == token:
        break
    got += texts(page)
same(got, [f"event {i}" for i in range(25)], "pages forward")
same(texts(page), [], "at the end the token stays and nothing comes")
tail = logs.get_log_events(logGroupIdentifier=arn, logStreamName="a", limit=3)
same(texts(tail), ["event 22", "event 23", "event 24"], "the newest, in order of time")
before = logs.get_log_events(logGroupName="/app/web", logStreamName="a", limit=3, nextToken=tail["nextBackwardToken"])
same(texts(before), ["event 19", "event 20", "event 21"], "and what came before")
put("a", "later", at=NOW - 1000)
same(texts(logs.get_log_events(logGroupName="/app/web", logStreamName="a", nextToken=token)), ["later"],
     "the last forward token leads to what comes later")
ok("GetLogEvents in both directions, tokens as AWS has them")

put("b", '{"level": "error", "status": 503, "latency": 12.5}', '{"level": "info", "status": 200}',
    '1.2.3.4 - ann [10/Oct/2000:13:25:15 -0700] "GET / HTTP/1.0" 404 150', "ERROR disk full", "WARN disk slow")


def found(pattern, **more):
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/app/web", filterPattern=pattern, logStreamNames=["b"], **more)
    return [e["message"].split()[0][:6] for p in pages for e in p["events"]]


for pattern, expected in [
    ("ERROR", ["ERROR"]),
    ("?ERROR ?WARN", ["ERROR", "WARN"]),
    ("disk -ERROR", ["WARN"]),
    ('"disk full"', ["ERROR"]),
    ('{ $.status >= 500 && $.level = "err*" }', ['{"leve']),
    ("{ $.latency NOT EXISTS }", ['{"leve']),
    ("[ip, id, user, time, request, status = 4*, size > 100]", ["1.2.3."]),
    ("%E?RR?OR%", ["ERROR"]),
]:
    same(found(pattern), expected, pattern)
    same(found(pattern, PaginationConfig={"PageSize": 1}), expected, f"{pattern} by pages")
fails("InvalidParameterException", 400, logs.filter_log_events, logGroupName="/app/web", filterPattern="{ $.a = ")
everything = logs.filter_log_events(logGroupName="/app/web")
same(len(everything["events"]), 31, "all streams")
assert [e["timestamp"] for e in everything["events"]] == sorted(e["timestamp"] for e in everything["events"])
same(len({e["eventId"] for e in everything["events"]}), 31, "ids")
same(everything["searchedLogStreams"], [], "searchedLogStreams")
same([s["logStreamName"] for s in logs.describe_log_streams(logGroupName="/app/web", orderBy="LastEventTime", descending=True)
      ["logStreams"]], ["a", "b", "c"], "streams by last event")
ok("FilterLogEvents: terms, JSON, fields, regular expressions, pages; streams by last event")

day = 86_400_000
rejected = logs.put_log_events(logGroupName="/app/web", logStreamName="c", logEvents=[
    {"timestamp": NOW + 3 * 3_600_000, "message": "tomorrow"}])["rejectedLogEventsInfo"]
same(rejected, {"tooNewLogEventStartIndex": 0}, "too new")
rejected = put("c", "old", at=NOW - 15 * day)["rejectedLogEventsInfo"]
same(rejected, {"tooOldLogEventEndIndex": 1}, "too old")
same(texts(logs.get_log_events(logGroupName="/app/web", logStreamName="c")), [], "nothing of it was kept")
error = fails("InvalidParameterException", 400, put, "c", "x" * 600_000, "y" * 600_000)
same(error["Error"]["Message"], "Upload too large: 1200052 bytes exceeds limit of 1048576", "too much")
backwards = [{"timestamp": NOW, "message": "b"}, {"timestamp": NOW - 1, "message": "a"}]
fails("InvalidParameterException", 400, logs.put_log_events, logGroupName="/app/web", logStreamName="c", logEvents=backwards)
fails("InvalidParameterException", 400, logs.put_log_events, logGroupName="/app/web", logStreamName="c", logEvents=[])
fails("ResourceNotFoundException", 400, put, "none", "x")
fails("ResourceNotFoundException", 400, put, "c", "x", group="/none")
fails("InvalidParameterException", 400, logs.create_log_group, logGroupName="a b")
fails("InvalidParameterException", 400, logs.put_retention_policy, logGroupName="/app/web", retentionInDays=2)
fails("NotImplemented", 400, logs.create_export_task, logGroupName="/app/web", fromTime=0, to=1, destination="b")
put("c", "größer als 日本\n\ttab \u0000 nul", at=NOW)
same(texts(logs.get_log_events(logGroupName="/app/web", logStreamName="c")), ["größer als 日本\n\ttab \u0000 nul"], "text")
ok("limits, rejected events, bad input, any text")


def user(name, action, resource):
    iam.create_user(UserName=name)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return client("logs", key["AccessKeyId"], key["SecretAccessKey"])


writer = user("writer", ["logs:CreateLogStream", "logs:PutLogEvents"], arn + ":*")
writer.create_log_stream(logGroupName="/app/web", logStreamName="w")
writer.put_log_events(logGroupName="/app/web", logStreamName="w", logEvents=[{"timestamp": NOW, "message": "w"}])
error = fails("AccessDeniedException", 400, writer.get_log_events, logGroupName="/app/web", logStreamName="w")
assert f"logs:GetLogEvents on resource: {arn}:log-stream:w" in error["Error"]["Message"], error
fails("AccessDeniedException", 400, writer.create_log_group, logGroupName="/other")
fails("AccessDeniedException", 400, writer.describe_log_groups)
logs.create_log_group(logGroupName="/app/web2")
fails("AccessDeniedException", 400, writer.create_log_stream, logGroupName="/app/web2", logStreamName="w")
bare = user("bare", "logs:*", arn)
fails("AccessDeniedException", 400, bare.filter_log_events, logGroupName="/app/web")
same(bare.list_tags_for_resource(resourceArn=arn)["tags"], {"cost": "9"}, "tags need no :*")
ok("a group's streams, by the ARNs that AWS asks about")

logs.delete_log_stream(logGroupName="/app/web", logStreamName="a")
same(len(logs.filter_log_events(logGroupName="/app/web", filterPattern='"event"')["events"]), 0, "a deleted stream's events")
logs.delete_log_group(logGroupName="/app/web")
fails("ResourceNotFoundException", 400, logs.filter_log_events, logGroupName="/app/web")
logs.create_log_group(logGroupName="/app/web")
same(logs.describe_log_streams(logGroupName="/app/web")["logStreams"], [], "made anew, it is empty")
ok("deleting")
