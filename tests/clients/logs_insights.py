"""Logs Insights over many events, a search that costs what it returns, and everything still there after kill -9 (with FOGBANK_RESTART)."""

import datetime
import json
import time

from common import client, fails, ok, same, until

logs, iam = client("logs", parameter_validation=False), client("iam")
NOW = int(time.time() * 1000) // 60000 * 60000
START = NOW - 3_600_000
logs.create_log_group(logGroupName="app")
for name in ("s0", "s1"):
    logs.create_log_stream(logGroupName="app", logStreamName=name)
for batch in range(10):
    events = []
    for i in range(500):
        n = batch * 500 + i
        level = "error" if n % 50 == 0 else "info"
        events.append({"timestamp": START + n * 500, "message": json.dumps({"n": n, "level": level, "req": {"ms": n % 100}, "path": f"/p{n % 3}"})})
    logs.put_log_events(logGroupName="app", logStreamName=f"s{batch % 2}", logEvents=events)


def query(text, **more):
    given = {"logGroupName": "app", "startTime": START // 1000, "endTime": NOW // 1000, "queryString": text, **more}
    id = logs.start_query(**{k: v for k, v in given.items() if v is not None})["queryId"]
    until("the query", lambda: logs.get_query_results(queryId=id)["status"] != "Running")
    got = logs.get_query_results(queryId=id)
    same(got["status"], "Complete", text)
    rows = [{f["field"]: f["value"] for f in row if f["field"] != "@ptr"} for row in got["results"]]
    return rows, got["statistics"]


rows, statistics = query("stats count(*) as n, avg(req.ms) as a, max(n) as m by level | sort n desc")
same(rows, [{"level": "info", "n": "4900", "a": "50", "m": "4999"}, {"level": "error", "n": "100", "a": "25", "m": "4950"}], "stats")
same((statistics["recordsScanned"], statistics["recordsMatched"]), (5000.0, 5000.0), "statistics")
rows, _ = query("fields @timestamp, n, @logStream | filter level = 'error' and n < 200 | sort n asc | limit 2")
stamp = datetime.datetime.fromtimestamp(START / 1000, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.000")
same(rows, [{"@timestamp": stamp, "n": "0", "@logStream": "s0"},
            {"@timestamp": stamp[:-6] + "25.000", "n": "50", "@logStream": "s0"}] if stamp[-6:-4] == "00" else rows, "fields, filter, sort, limit")
rows, _ = query("filter @message like /\"n\": 4[0-9]{3},/ | stats count(*) as n by bin(5m) as t | sort t | limit 2 | display n")
assert all(int(r["n"]) > 0 for r in rows) and len(rows) == 2, rows
rows, _ = query('parse @message \'"path": "*"\' as p | stats count(*) as n by p | sort p', logGroupName=None, logGroupNames=["app"])
same([r["p"] for r in rows], ["/p0", "/p1", "/p2"], "parse")
rows, _ = query("fields n | limit 3")
same([r["n"] for r in rows], ["4999", "4998", "4997"], "the newest first")
rows, _ = query("fields path | dedup path | sort path", endTime=(START + 10_000) // 1000)
same([r["path"] for r in rows], ["/p0", "/p1", "/p2"], "dedup in a part of the time")
error = fails("MalformedQueryException", 400, logs.start_query, logGroupName="app", startTime=0, endTime=1, queryString="fields n | nope")
assert "nope" in error["Error"]["Message"], error
fails("MalformedQueryException", 400, logs.start_query, logGroupName="app", startTime=0, endTime=1, queryString="filter " + "(" * 5000)
fails("NotImplemented", 400, logs.start_query, logGroupName="app", startTime=0, endTime=1, queryString="pattern @message")
fails("ResourceNotFoundException", 400, logs.start_query, logGroupName="none", startTime=0, endTime=1, queryString="fields n")
fails("ResourceNotFoundException", 400, logs.get_query_results, queryId="none")
assert len(logs.describe_queries(logGroupName="app")["queries"]) >= 6
ok("Insights: stats, bin, fields, filter, parse, sort, limit, dedup; what it cannot read")

iam.create_user(UserName="u")
iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "logs:StartQuery", "Resource": "arn:aws:logs:*:*:log-group:other:*"}]}))
key = iam.create_access_key(UserName="u")["AccessKey"]
theirs = client("logs", key["AccessKeyId"], key["SecretAccessKey"])
fails("AccessDeniedException", 400, theirs.start_query, logGroupName="app", startTime=0, endTime=1, queryString="fields n")
fails("AccessDeniedException", 400, theirs.describe_queries)
ok("queries of groups that one may query")
