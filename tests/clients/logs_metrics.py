"""Metrics from logs: the embedded metric format, metric filters, and a pattern tried out."""

import datetime
import json
import time

from common import client, fails, ok, same, until

logs, cw = client("logs"), client("cloudwatch")
NOW = int(time.time() * 1000)
logs.create_log_group(logGroupName="app")
logs.create_log_stream(logGroupName="app", logStreamName="s")


def put(*messages):
    events = [{"timestamp": NOW, "message": m if isinstance(m, str) else json.dumps(m)} for m in messages]
    logs.put_log_events(logGroupName="app", logStreamName="s", logEvents=events)


def statistic(namespace, name, stat, **dimensions):
    points = cw.get_metric_statistics(
        Namespace=namespace, MetricName=name, StartTime=datetime.datetime.fromtimestamp(NOW / 1000 - 120, datetime.timezone.utc),
        EndTime=datetime.datetime.fromtimestamp(NOW / 1000 + 120, datetime.timezone.utc), Period=3600, Statistics=[stat],
        Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()])["Datapoints"]
    return sum(p[stat] for p in points) if points else None


put({"_aws": {"Timestamp": NOW, "CloudWatchMetrics": [{"Namespace": "Emf", "Dimensions": [["fn"], ["fn", "stage"]],
     "Metrics": [{"Name": "latency", "Unit": "Milliseconds"}, {"Name": "hits", "Unit": "Count"}]}]},
     "fn": "f", "stage": "prod", "latency": [10, 20, 30], "hits": 2, "note": "and anything else"})
until("the embedded metrics", lambda: statistic("Emf", "latency", "Maximum", fn="f", stage="prod") == 30.0)
same(statistic("Emf", "latency", "SampleCount", fn="f"), 3.0, "each value counts")
same(statistic("Emf", "hits", "Sum", fn="f"), 2.0, "the other metric")
put({"_aws": {"Timestamp": NOW, "CloudWatchMetrics": [{"Namespace": "AWS/Emf", "Metrics": [{"Name": "m"}]}]}, "m": 1})
ok("embedded metrics, by each set of dimensions")

logs.put_metric_filter(logGroupName="app", filterName="errors", filterPattern="?ERROR ?FATAL", metricTransformations=[
    {"metricName": "errors", "metricNamespace": "App", "metricValue": "1", "defaultValue": 0}])
logs.put_metric_filter(logGroupName="app", filterName="bytes", filterPattern="[ip, path, status = 5*, bytes]", metricTransformations=[
    {"metricName": "bytes", "metricNamespace": "App", "metricValue": "$bytes", "unit": "Bytes", "dimensions": {"path": "$path"}}])
put("INFO nothing")
until("the default value", lambda: statistic("App", "errors", "Sum") == 0.0)
put("ERROR a", "FATAL b", "::1 /a 500 120", "::1 /a 503 80", "::1 /b 200 5")
until("the count", lambda: statistic("App", "errors", "Sum") == 2.0)
until("values of a field", lambda: statistic("App", "bytes", "Sum", path="/a") == 200.0)
same(statistic("App", "bytes", "Sum", path="/b"), None, "what does not match counts not")
[group] = logs.describe_log_groups(logGroupNamePrefix="app")["logGroups"]
same(group["metricFilterCount"], 2, "metricFilterCount")
found = logs.describe_metric_filters(logGroupName="app")["metricFilters"]
same([(f["filterName"], f["metricTransformations"][0]["metricName"]) for f in found], [("bytes", "bytes"), ("errors", "errors")], "filters")
fails("InvalidParameterException", 400, logs.put_metric_filter, logGroupName="app", filterName="x", filterPattern="ERROR",
      metricTransformations=[{"metricName": "x", "metricNamespace": "App", "metricValue": "$.x"}])
logs.delete_metric_filter(logGroupName="app", filterName="bytes")
fails("ResourceNotFoundException", 400, logs.delete_metric_filter, logGroupName="app", filterName="bytes")
ok("metric filters: counts, values, dimensions, defaults")

matches = logs.test_metric_filter(filterPattern="{ $.a > 1 && $.b = x* }", logEventMessages=[
    '{"a": 2, "b": "xy"}', '{"a": 1, "b": "xy"}', "no json"])["matches"]
same(matches, [{"eventNumber": 1, "eventMessage": '{"a": 2, "b": "xy"}', "extractedValues": {"$.a": "2", "$.b": "xy"}}], "TestMetricFilter")
fails("NotImplemented", 400, logs.put_subscription_filter, logGroupName="app", filterName="k", filterPattern="",
      destinationArn="arn:aws:kinesis:us-east-1:000000000000:stream/s")
fails("InvalidParameterException", 400, logs.put_subscription_filter, logGroupName="app", filterName="k", filterPattern="",
      destinationArn="arn:aws:lambda:us-east-1:000000000000:function:none")
ok("a pattern tried out; subscribers that cannot be reached are refused")
