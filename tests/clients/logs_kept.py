"""What of logs, metrics and alarms survives a kill: `write` first, then `read` as often as one likes."""

import datetime
import sys
import time

from common import client, ok, same, until

logs, cw = client("logs"), client("cloudwatch")

if sys.argv[1:] in ([], ["write"]):
    logs.create_log_group(logGroupName="kept")
    logs.put_metric_filter(logGroupName="kept", filterName="all", filterPattern="", metricTransformations=[
        {"metricName": "lines", "metricNamespace": "Kept", "metricValue": "1"}])
    logs.create_log_stream(logGroupName="kept", logStreamName="s")
    cw.put_metric_alarm(AlarmName="kept", Namespace="Kept", MetricName="lines", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1.0,
                        ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching")
    for i in range(20):
        logs.put_log_events(logGroupName="kept", logStreamName="s", logEvents=[
            {"timestamp": int(time.time() * 1000), "message": f"line {i} {j}"} for j in range(100)])
    # The process may be killed now: what these events set off is done, or waits in the store.

got = []
page = logs.get_log_events(logGroupName="kept", logStreamName="s", startFromHead=True)
while page["events"]:
    got += [e["message"] for e in page["events"]]
    page = logs.get_log_events(logGroupName="kept", logStreamName="s", nextToken=page["nextForwardToken"])
same(got, [f"line {i} {j}" for i in range(20) for j in range(100)], "every event, in order")
same(logs.describe_metric_filters(logGroupName="kept")["metricFilters"][0]["filterName"], "all", "the filter")


def lines():
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
    points = cw.get_metric_statistics(Namespace="Kept", MetricName="lines", StartTime=end - datetime.timedelta(hours=3), EndTime=end,
                                      Period=3600, Statistics=["Sum"])["Datapoints"]
    return sum(p["Sum"] for p in points)


# At least once: what was under way at the kill may count twice.
until("the metrics of all events", lambda: lines() >= 2000.0)
assert cw.describe_alarms(AlarmNames=["kept"])["MetricAlarms"][0]["StateValue"] in ("OK", "ALARM", "INSUFFICIENT_DATA")
ok("events, filters, metrics and alarms are there")
