"""CloudWatch metrics: put by every protocol, statistics, metric math, lists, and who may."""

import datetime
import json
import time
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from common import ENDPOINT, client, fails, http, ok, same

cw, iam = client("cloudwatch", parameter_validation=False), client("iam")
NOW = int(time.time())
START = NOW - NOW % 60 - 600


def stamp(second):
    return datetime.datetime.fromtimestamp(second, datetime.timezone.utc)


def signed(body, headers):
    request = botocore.awsrequest.AWSRequest("POST", ENDPOINT + "/", data=body, headers=headers)
    keys = botocore.credentials.Credentials("test", "test")
    botocore.auth.SigV4Auth(keys, "monitoring", "us-east-1").add_auth(request)
    return http("POST", ENDPOINT + "/", body.encode(), dict(request.headers))


dimensions = [{"Name": "Host", "Value": "a"}, {"Name": "App", "Value": "web"}]
cw.put_metric_data(Namespace="Shop", MetricData=[
    {"MetricName": "Latency", "Dimensions": dimensions, "Timestamp": stamp(START + i), "Value": float(i + 1), "Unit": "Milliseconds"}
    for i in range(100)])
body = urllib.parse.urlencode({
    "Action": "PutMetricData", "Version": "2010-08-01", "Namespace": "Shop", "MetricData.member.1.MetricName": "Orders",
    "MetricData.member.1.Value": "2", "MetricData.member.1.Timestamp": stamp(START).strftime("%Y-%m-%dT%H:%M:%SZ")})
status, _, answer = signed(body, {"Content-Type": "application/x-www-form-urlencoded"})
same(status, 200, answer)
body = json.dumps({"Namespace": "Shop", "MetricData": [
    {"MetricName": "Orders", "Values": [1, 3], "Counts": [2, 1], "Timestamp": START + 60}]})
status, _, answer = signed(body, {"Content-Type": "application/x-amz-json-1.0",
                                  "X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData"})
same(status, 200, answer)
# Large requests are compressed by the SDK.
cw.put_metric_data(Namespace="Big", MetricData=[
    {"MetricName": f"m{i}", "Value": 1.0, "Timestamp": stamp(START)} for i in range(1000)])
ok("PutMetricData by CBOR, query and JSON, compressed too")


def statistics(**more):
    given = {"Namespace": "Shop", "MetricName": "Latency", "Dimensions": dimensions[::-1], "StartTime": stamp(START),
             "EndTime": stamp(START + 600), "Period": 60, "Statistics": ["Sum", "Average", "SampleCount", "Minimum", "Maximum"]}
    return cw.get_metric_statistics(**{k: v for k, v in {**given, **more}.items() if v is not None})


points = statistics(ExtendedStatistics=["p90", "tm50"])["Datapoints"]
same([p["Sum"] for p in points], [1830.0, 3220.0], "sums by minute")
same((points[0]["Average"], points[0]["SampleCount"], points[0]["Minimum"], points[0]["Maximum"]), (30.5, 60.0, 1.0, 60.0), "the rest")
same(points[0]["ExtendedStatistics"], {"p90": 54.0, "tm50": 15.5}, "percentile and trimmed mean")
same((points[0]["Timestamp"], points[0]["Unit"]), (stamp(START), "Milliseconds"), "time and unit")
same(statistics(Unit="Seconds")["Datapoints"], [], "another unit")
same(statistics(Dimensions=dimensions[:1])["Datapoints"], [], "other dimensions are another metric")
fails("InvalidParameterCombination", 400, statistics, StartTime=stamp(START - 5 * 86400))
fails("MissingParameter", 400, statistics, Statistics=None)
fails("InvalidParameterValue", 400, statistics, Period=61)
ok("GetMetricStatistics")


def metric(id, name, stat="Sum", period=60, dims=()):
    return {"Id": id, "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": name, "Dimensions": list(dims)}, "Period": period, "Stat": stat}}


def data(*queries, **more):
    answer = cw.get_metric_data(MetricDataQueries=list(queries), StartTime=stamp(START), EndTime=stamp(START + 600), **more)
    return {r["Id"]: r["Values"] for r in answer["MetricDataResults"]}


same(data(metric("o", "Orders"), {"Id": "filled", "Expression": "FILL(o, 0)"}, {"Id": "twice", "Expression": "o * 2"},
          metric("l", "Latency", "Maximum", 300, dimensions), ScanBy="TimestampAscending"),
     {"o": [2.0, 5.0], "filled": [2.0, 5.0] + [0.0] * 8, "twice": [4.0, 10.0], "l": data(metric("l", "Latency", "Maximum", 300, dimensions), ScanBy="TimestampAscending")["l"]},
     "metrics and expressions")
same(data(metric("o", "Orders")), {"o": [5.0, 2.0]}, "the newest first")
same(data({**metric("o", "Orders"), "ReturnData": False}, {"Id": "e", "Expression": "RATE(o)*60"}), {"e": [3.0]}, "RATE")
fails("ValidationError", 400, data, {"Id": "e", "Expression": "nope + 1"})
fails("ValidationError", 400, data, {"Id": "e", "Expression": "(" * 2000})
fails("NotImplemented", 400, data, {"Id": "e", "Expression": "SEARCH('{Shop} Latency', 'Sum')"})
ok("GetMetricData: statistics, expressions, order, refusals")

listed = cw.list_metrics(Namespace="Shop")["Metrics"]
same([(m["MetricName"], m["Dimensions"]) for m in listed],
     [("Latency", sorted(dimensions, key=lambda d: d["Name"])), ("Orders", [])], "ListMetrics")
same(len(cw.list_metrics(Dimensions=[{"Name": "Host"}])["Metrics"]), 1, "by dimension")
same(sum(len(p["Metrics"]) for p in cw.get_paginator("list_metrics").paginate(Namespace="Big")), 1000, "pages")
fails("InvalidNextToken", 400, cw.list_metrics, NextToken="zz")
ok("ListMetrics")

fails("InvalidParameterValue", 400, cw.put_metric_data, Namespace="AWS/EC2", MetricData=[{"MetricName": "m", "Value": 1.0}])
fails("MissingParameter", 400, cw.put_metric_data, Namespace="n", MetricData=[{"MetricName": "m"}])
fails("InvalidParameterValue", 400, cw.put_metric_data, Namespace="n", MetricData=[{"MetricName": "m", "Value": float("nan")}])
fails("InvalidParameterValue", 400, cw.put_metric_data, Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}] * 1001)
fails("InvalidParameterValue", 400, cw.put_metric_data, Namespace="n", MetricData=[
    {"MetricName": "m", "Value": 1.0, "Timestamp": stamp(NOW - 15 * 86400)}])
fails("NotImplemented", 400, cw.put_metric_stream, Name="s", FirehoseArn="arn:aws:firehose:us-east-1:0:x", RoleArn="arn", OutputFormat="json")
ok("bad data")

iam.create_user(UserName="writer")
iam.put_user_policy(UserName="writer", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": {"StringEquals": {"cloudwatch:namespace": "Mine"}}}]}))
key = iam.create_access_key(UserName="writer")["AccessKey"]
writer = client("cloudwatch", key["AccessKeyId"], key["SecretAccessKey"])
writer.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "m", "Value": 1.0}])
fails(("AccessDenied", "AccessDeniedException"), 403, writer.put_metric_data, Namespace="Other", MetricData=[{"MetricName": "m", "Value": 1.0}])
fails(("AccessDenied", "AccessDeniedException"), 403, writer.list_metrics)
ok("a namespace as a condition")
