"""CloudWatch alarms on the cloud's clock: states, reasons, actions, history, composite alarms; a subscriber of logs; dashboards."""

import base64
import datetime
import gzip
import io
import json
import time
import urllib.request
import zipfile

from common import ACCOUNT, ENDPOINT, client, fails, ok, same, until

cw, iam, lam, logs = client("cloudwatch", parameter_validation=False), client("iam"), client("lambda"), client("logs")
moved = 0


def advance(seconds):
    global moved
    moved += seconds
    body = json.dumps({"advance_seconds": seconds}).encode()
    request = urllib.request.Request(f"{ENDPOINT}/_fogbank/clock", body, {"Content-Type": "application/json"}, method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).read()


def put(value):
    now = datetime.datetime.fromtimestamp(time.time() + moved, datetime.timezone.utc)
    cw.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Errors", "Value": value, "Timestamp": now}])


def alarm(name="errors"):
    found = cw.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return (found["MetricAlarms"] + found["CompositeAlarms"])[0]


trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
role = iam.create_role(RoleName="fn", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
iam.attach_role_policy(RoleName="fn", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as z:
    z.writestr("app.py", "import json\ndef handler(event, context):\n    print('GOT ' + json.dumps(event))\n")
function = lam.create_function(FunctionName="pager", Runtime="python3.13", Handler="app.handler", Role=role, Timeout=10,
                               Code={"ZipFile": packed.getvalue()})["FunctionArn"]
lam.get_waiter("function_active_v2").wait(FunctionName="pager", WaiterConfig={"Delay": 1})


def got():
    """The events that the function was invoked with."""
    try:
        events = logs.filter_log_events(logGroupName="/aws/lambda/pager", filterPattern="GOT")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [json.loads(e["message"].split("GOT ", 1)[1]) for e in events]


cw.put_metric_alarm(AlarmName="errors", Namespace="Shop", MetricName="Errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
                    Threshold=3.0, ComparisonOperator="GreaterThanThreshold", AlarmActions=[function], TreatMissingData="notBreaching",
                    AlarmDescription="too many", Tags=[{"Key": "team", "Value": "red"}])
cw.put_composite_alarm(AlarmName="either", AlarmRule='ALARM("errors") AND TRUE')
until("no data is fine", lambda: alarm()["StateValue"] == "OK")
lam.add_permission(FunctionName="pager", StatementId="a", Action="lambda:InvokeFunction",
                   Principal="lambda.alarms.cloudwatch.amazonaws.com", SourceArn=alarm()["AlarmArn"])
put(5.0)
advance(65)
until("the alarm", lambda: alarm()["StateValue"] == "ALARM")
assert alarm()["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoint [5.0 ("), alarm()
until("the composite alarm", lambda: alarm("either")["StateValue"] == "ALARM")
until("the function", lambda: got())
same((got()[0]["source"], got()[0]["alarmData"]["alarmName"], got()[0]["alarmData"]["state"]["value"]),
     ("aws.cloudwatch", "errors", "ALARM"), "what the function was told")
advance(600)
until("fine again", lambda: alarm()["StateValue"] == "OK" and alarm("either")["StateValue"] == "OK")
history = cw.describe_alarm_history(AlarmName="errors", HistoryItemType="StateUpdate", ScanBy="TimestampAscending")["AlarmHistoryItems"]
same([h["HistorySummary"] for h in history], ["Alarm updated from INSUFFICIENT_DATA to OK", "Alarm updated from OK to ALARM",
     "Alarm updated from ALARM to OK"], "history")
ok("an alarm over its life, a composite alarm, a function that is told")

cw.put_metric_alarm(AlarmName="sum", EvaluationPeriods=2, DatapointsToAlarm=1, Threshold=1.0, ComparisonOperator="GreaterThanOrEqualToThreshold",
                    AlarmActions=[f"arn:aws:swf:us-east-1:{ACCOUNT}:action/x"], Metrics=[
    {"Id": "e", "Expression": "FILL(m, 0) * 2", "Label": "twice"},
    {"Id": "m", "ReturnData": False, "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": "Errors"}, "Period": 60, "Stat": "Sum"}}])
until("an expression", lambda: alarm("sum")["StateValue"] == "OK")
cw.disable_alarm_actions(AlarmNames=["sum"])
cw.set_alarm_state(AlarmName="sum", StateValue="ALARM", StateReason="by hand", StateReasonData='{"a": 1}')
same((alarm("sum")["StateReason"], alarm("sum")["ActionsEnabled"], alarm("sum")["Metrics"][0]["Expression"]), ("by hand", False, "FILL(m, 0) * 2"), "by hand")
same([a["AlarmName"] for a in cw.describe_alarms_for_metric(Namespace="Shop", MetricName="Errors")["MetricAlarms"]], ["errors"], "by metric")
same(len(cw.describe_alarms()["CompositeAlarms"]), 0, "metric alarms are meant by default")
fails("ValidationError", 400, cw.put_metric_alarm, AlarmName="x", Namespace="n", MetricName="m", Statistic="Sum", Period=61,
      EvaluationPeriods=1, Threshold=1.0, ComparisonOperator="GreaterThanThreshold")
fails("ValidationError", 400, cw.put_composite_alarm, AlarmName="x", AlarmRule="ALARM(nope)")
fails("ValidationError", 400, cw.put_composite_alarm, AlarmName="x", AlarmRule="(" * 5000)
fails("InvalidFormat", 400, cw.set_alarm_state, AlarmName="sum", StateValue="OK", StateReason="r", StateReasonData="{")
fails("ResourceNotFound", 404, cw.set_alarm_state, AlarmName="nope", StateValue="OK", StateReason="r")
arn = alarm()["AlarmArn"]
cw.tag_resource(ResourceARN=arn, Tags=[{"Key": "cost", "Value": "9"}])
cw.untag_resource(ResourceARN=arn, TagKeys=["team"])
same(cw.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "cost", "Value": "9"}], "tags")
cw.delete_alarms(AlarmNames=["errors", "sum", "either", "never was"])
same(cw.describe_alarms()["MetricAlarms"], [], "deleted")
ok("expressions, states by hand, tags, bad alarms, deletion")

logs.create_log_group(logGroupName="app")
logs.create_log_stream(logGroupName="app", logStreamName="s")
wanted = {"logGroupName": "app", "filterName": "f", "filterPattern": "ERROR", "destinationArn": function}
fails("InvalidParameterException", 400, logs.put_subscription_filter, **wanted)
lam.add_permission(FunctionName="pager", StatementId="l", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com",
                   SourceArn=f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:app:*")
logs.put_subscription_filter(**wanted)
now = int((time.time() + moved) * 1000)
logs.put_log_events(logGroupName="app", logStreamName="s", logEvents=[
    {"timestamp": now, "message": "fine"}, {"timestamp": now, "message": "ERROR disk"}])
until("the subscriber", lambda: any("awslogs" in e for e in got()))
[event] = [e for e in got() if "awslogs" in e]
message = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
same((message["messageType"], message["logGroup"], message["logStream"], message["subscriptionFilters"], [e["message"] for e in message["logEvents"]]),
     ("DATA_MESSAGE", "app", "s", ["f"], ["ERROR disk"]), "what the subscriber got")
ok("a subscriber of a log group, once Logs may invoke it")

body = json.dumps({"widgets": [{"type": "text", "x": 0, "y": 0, "width": 3, "height": 3, "properties": {"markdown": "hi"}}]})
same(cw.put_dashboard(DashboardName="d", DashboardBody=body)["DashboardValidationMessages"], [], "PutDashboard")
same(cw.get_dashboard(DashboardName="d")["DashboardBody"], body, "GetDashboard")
same([d["DashboardName"] for d in cw.list_dashboards(DashboardNamePrefix="d")["DashboardEntries"]], ["d"], "ListDashboards")
fails(("InvalidParameterInput", "DashboardInvalidInputError"), 400, cw.put_dashboard, DashboardName="e", DashboardBody='{"widgets": [{"type": "nope"}]}')
fails(("InvalidParameterInput", "DashboardInvalidInputError"), 400, cw.put_dashboard, DashboardName="e", DashboardBody="{")
cw.delete_dashboards(DashboardNames=["d"])
fails(("ResourceNotFound", "DashboardNotFoundError"), 404, cw.get_dashboard, DashboardName="d")
ok("dashboards")

iam.create_user(UserName="u")
iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "cloudwatch:*", "Resource": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:mine-*"}]}))
key = iam.create_access_key(UserName="u")["AccessKey"]
theirs = client("cloudwatch", key["AccessKeyId"], key["SecretAccessKey"])
settings = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
            "ComparisonOperator": "LessThanThreshold"}
theirs.put_metric_alarm(AlarmName="mine-1", **settings)
fails(("AccessDenied", "AccessDeniedException"), 403, theirs.put_metric_alarm, AlarmName="other", **settings)
fails(("AccessDenied", "AccessDeniedException"), 403, theirs.delete_alarms, AlarmNames=["mine-1", "other"])
theirs.delete_alarms(AlarmNames=["mine-1"])
ok("alarms by their ARN")
