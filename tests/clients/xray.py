"""X-Ray: segments in, traces, summaries and graphs out; sampling; groups; who may."""

import datetime
import json
import secrets
import time

from common import client, fails, ok, same

xray, iam = client("xray", parameter_validation=False), client("iam")
now = time.time()


def trace_id():
    return f"1-{int(now):08x}-{secrets.token_hex(12)}"


def segment(trace, name, id, parent=None, **more):
    return json.dumps({"trace_id": trace, "name": name, "id": id, "start_time": now, "end_time": now + 0.5, **({"parent_id": parent} if parent else {}), **more})


first, second = trace_id(), trace_id()
unprocessed = xray.put_trace_segments(TraceSegmentDocuments=[
    segment(first, "shop", "a" * 16, http={"request": {"method": "GET", "url": "http://shop/cart"}, "response": {"status": 500}}, fault=True,
            annotations={"tier": "gold"}, subsegments=[{"name": "stock", "id": "b" * 16, "start_time": now, "end_time": now + 0.2, "namespace": "remote"}]),
    segment(first, "stock", "c" * 16, "b" * 16, origin="AWS::Lambda::Function"),
    segment(second, "shop", "d" * 16),
    "no json", segment("1-2-3", "bad", "e" * 16), json.dumps({"trace_id": second, "id": "f" * 16})])["UnprocessedTraceSegments"]
same([u["ErrorCode"] for u in unprocessed], ["ParseError", "InvalidTraceId", "MissingName"], "what was not taken")
same(unprocessed[1]["Id"], "e" * 16, "and which")
got = xray.batch_get_traces(TraceIds=[first, trace_id()])
same([(t["Id"], len(t["Segments"])) for t in got["Traces"]], [(first, 2)], "BatchGetTraces")
same(json.loads(got["Traces"][0]["Segments"][0]["Document"])["name"] in ("shop", "stock"), True, "documents come back")
same(len(got["UnprocessedTraceIds"]), 1, "an unknown trace")
ok("segments and traces")

times = {"StartTime": datetime.datetime.fromtimestamp(now - 60), "EndTime": datetime.datetime.fromtimestamp(now + 60)}


def found(expression=""):
    return {s["Id"] for s in xray.get_trace_summaries(FilterExpression=expression, **times)["TraceSummaries"]}


same(found(), {first, second}, "all")
same(found("fault"), {first}, "a flag")
same(found('service("stock")'), {first}, "a service")
same(found('annotation.tier = "gold" AND http.status = 500 AND responsetime > 0.1'), {first}, "more")
same(found('edge("shop", "stock") OR ok'), {first, second}, "an edge")
fails("InvalidRequestException", 400, found, "fault AND (")
fails("InvalidRequestException", 400, found, "(" * 1000)
summary = [s for s in xray.get_trace_summaries(**times)["TraceSummaries"] if s["Id"] == first][0]
same((summary["HasFault"], summary["Http"]["HttpURL"], summary["EntryPoint"]["Name"], summary["Annotations"]["tier"][0]["AnnotationValue"]["StringValue"]),
     (True, "http://shop/cart", "shop", "gold"), "a summary")
services = xray.get_service_graph(**times)["Services"]
shop = [s for s in services if s["Name"] == "shop" and s.get("Type") != "client"][0]
same((shop["SummaryStatistics"]["TotalCount"], shop["SummaryStatistics"]["FaultStatistics"]["TotalCount"], len(shop["Edges"])), (2, 1, 1), "the graph")
same(len(xray.get_trace_graph(TraceIds=[first])["Services"]), 3, "a trace's graph")
ok("summaries by filter expressions, service graphs")

same([r["SamplingRule"]["RuleName"] for r in xray.get_sampling_rules()["SamplingRuleRecords"]], ["Default"], "the default rule")
targets = xray.get_sampling_targets(SamplingStatisticsDocuments=[
    {"RuleName": "Default", "ClientID": "a" * 24, "Timestamp": datetime.datetime.now(), "RequestCount": 1, "SampledCount": 1}])
same((targets["SamplingTargetDocuments"][0]["FixedRate"], targets["UnprocessedStatistics"]), (0.05, []), "targets")
arn = xray.create_group(GroupName="bad", FilterExpression="fault", Tags=[{"Key": "k", "Value": "v"}])["Group"]["GroupARN"]
same(xray.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "k", "Value": "v"}], "tags")
shop = [s for s in xray.get_service_graph(GroupName="bad", **times)["Services"] if s["Name"] == "shop" and s.get("Type") != "client"][0]
same(shop["SummaryStatistics"]["TotalCount"], 1, "a group's graph")
xray.delete_group(GroupARN=arn)
xray.put_telemetry_records(TelemetryRecords=[{"Timestamp": datetime.datetime.now()}])
ok("sampling, groups, telemetry")

iam.create_user(UserName="u")
iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "xray:Put*", "Resource": "*"}]}))
key = iam.create_access_key(UserName="u")["AccessKey"]
theirs = client("xray", key["AccessKeyId"], key["SecretAccessKey"])
theirs.put_trace_segments(TraceSegmentDocuments=[segment(trace_id(), "x", "a" * 16)])
fails("AccessDeniedException", 403, theirs.batch_get_traces, TraceIds=[first])
ok("who may")
