"""Lambda runs functions: events in, answers, errors, logs and metrics out; concurrency; streams."""

import base64
import concurrent.futures
import io
import json
import time
import zipfile

from common import ACCOUNT, client, fails, ok, same, until

# Fifty callers at once need fifty connections.
lam = client("lambda", parameter_validation=False, max_pool_connections=64, read_timeout=60)
iam, logs = client("iam"), client("logs")
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ROLE = iam.create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
iam.attach_role_policy(RoleName="fn", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
INVALID = "InvalidParameterValueException"


def pack(files):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in files.items():
            z.writestr(name, text)
    return b.getvalue()


def make(name, code, **more):
    more = {"Runtime": "python3.13", "Handler": "app.handler", "Role": ROLE, "Timeout": 10,
            "Code": {"ZipFile": pack({"app.py": code})}, **more}
    made = lam.create_function(FunctionName=name, **more)
    lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return made


def call(name, event=None, **more):
    answer = lam.invoke(FunctionName=name, Payload=json.dumps(event), **more)
    return json.loads(answer["Payload"].read() or "null"), answer


make("echo", """
import os, time, uuid
ENV, COUNT = str(uuid.uuid4()), 0
def handler(event, context):
    global COUNT
    COUNT += 1
    if isinstance(event, dict):
        if 'fail' in event: raise ValueError(event['fail'])
        if 'exit' in event: os._exit(event['exit'])
        time.sleep(event.get('sleep', 0))
        print('line', event.get('say'))
    return {'event': event, 'env': ENV, 'count': COUNT, 'name': context.function_name, 'version': context.function_version,
            'arn': context.invoked_function_arn, 'id': context.aws_request_id, 'left': context.get_remaining_time_in_millis(),
            'client': context.client_context.custom if context.client_context else None,
            'vars': {k: os.environ.get(k) for k in ('AWS_REGION', 'AWS_LAMBDA_FUNCTION_NAME', 'MINE', 'AWS_ENDPOINT_URL')},
            'cause': os.environ.get('_X_AMZN_TRACE_ID')}
""", Environment={"Variables": {"MINE": "yes"}})
got, answer = call("echo", {"say": "hello"}, LogType="Tail")
same((answer["StatusCode"], answer["ExecutedVersion"], answer.get("FunctionError")), (200, "$LATEST", None), "answer")
same((got["event"], got["name"], got["version"]), ({"say": "hello"}, "echo", "$LATEST"), "context")
same(got["arn"], f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:echo", "invoked ARN")
same(got["vars"], {"AWS_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "echo", "MINE": "yes", "AWS_ENDPOINT_URL": None}, "variables")
assert 0 < got["left"] <= 10000 and got["cause"].startswith("Root=1-"), got
tail = base64.b64decode(answer["LogResult"]).decode()
for part in ("START RequestId: " + got["id"], "line hello", "END RequestId", "REPORT RequestId"):
    assert part in tail, tail
again, _ = call("echo", [1, None, "ü"])
same((again["env"], again["count"], again["event"]), (got["env"], 2, [1, None, "ü"]), "a warm environment")
context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
same(call("echo", {}, ClientContext=context)[0]["client"], {"a": "b"}, "client context")
same(json.loads(lam.invoke(FunctionName="echo")["Payload"].read())["event"], {}, "no payload")
ok("invoke: context, variables, log tail, warm reuse")

got, answer = call("echo", {"fail": "no"})
same((answer["StatusCode"], answer["FunctionError"], got["errorType"], got["errorMessage"]), (200, "Unhandled", "ValueError", "no"), "error")
got, answer = call("echo", {"exit": 3})
same((answer["FunctionError"], got["errorType"]), ("Unhandled", "Runtime.ExitError"), "exit")
make("slow", "import time\ndef handler(e, c):\n    time.sleep(30)\n", Timeout=1)
got, answer = call("slow", {})
same((answer["FunctionError"], got["errorType"]), ("Unhandled", "Sandbox.Timedout"), "timeout")
assert "timed out after 1.00 seconds" in got["errorMessage"], got
make("broken", "import no_such_module\n")
got, answer = call("broken", {})
same((answer["FunctionError"], got["errorType"]), ("Unhandled", "Runtime.ImportModuleError"), "import error")
make("missing", "x = 1\n")
same(call("missing", {})[0]["errorType"], "Runtime.HandlerNotFound", "no handler")
call("echo", {})
ok("errors of functions: raised, exited, timed out, not importable")

fails("InvalidRequestContentException", 400, lam.invoke, FunctionName="echo", Payload=b"{not json")
fails("RequestTooLargeException", 413, lam.invoke, FunctionName="echo", Payload=b'"' + b"x" * (6 << 20) + b'"')
fails("RequestTooLargeException", 413, lam.invoke, FunctionName="echo", InvocationType="Event", Payload=b'"' + b"x" * (1 << 20) + b'"')
fails("ResourceNotFoundException", 404, lam.invoke, FunctionName="none")
fails("ResourceNotFoundException", 404, lam.invoke, FunctionName="echo", Qualifier="live")
fails("InvalidRequestContentException", 400, lam.invoke, FunctionName="echo", ClientContext="!!")
fails(INVALID, 400, lam.invoke, FunctionName="echo", TenantId="t")
same(lam.invoke(FunctionName="echo", InvocationType="DryRun")["StatusCode"], 204, "dry run")
big = "x" * (5 << 20)
same(len(call("echo", {"big": big})[0]["event"]["big"]), len(big), "five megabytes there and back")
ok("bad events are refused, large ones pass")

iam.create_user(UserName="u")
key = iam.create_access_key(UserName="u")["AccessKey"]
his = client("lambda", key["AccessKeyId"], key["SecretAccessKey"])
fails("AccessDeniedException", 403, his.invoke, FunctionName="echo")
iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:echo"}]}))
same(his.invoke(FunctionName="echo")["StatusCode"], 200, "allowed")
fails("AccessDeniedException", 403, his.invoke, FunctionName="echo", Qualifier="$LATEST")
fails("AccessDeniedException", 403, his.invoke, FunctionName="slow")
ok("who may invoke what")

one = lam.publish_version(FunctionName="echo")["Version"]
lam.update_function_code(FunctionName="echo", ZipFile=pack({"app.py": "def handler(e, c):\n    return 'two'\n"}), Publish=True)
lam.get_waiter("function_updated_v2").wait(FunctionName="echo", WaiterConfig={"Delay": 1})
same((call("echo")[0], call("echo:1")[0]["version"]), ("two", "1"), "versions run their own code")
lam.create_alias(FunctionName="echo", Name="live", FunctionVersion=one, RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
versions = [call("echo", {}, Qualifier="live")[1]["ExecutedVersion"] for _ in range(30)]
assert 5 <= versions.count("1") <= 25, versions
got, _ = call("echo:1", {})
lam.update_alias(FunctionName="echo", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {}})
same(call("echo", {}, Qualifier="live")[0]["arn"], f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:echo:live", "by alias")
ok("versions and weighted aliases")


def lines(group):
    try:
        return [e["message"] for e in logs.filter_log_events(logGroupName=group)["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


until("logs", lambda: any("line hello" in m for m in lines("/aws/lambda/echo")))
assert any(m.startswith("REPORT RequestId: ") for m in lines("/aws/lambda/echo"))
stream = logs.describe_log_streams(logGroupName="/aws/lambda/echo")["logStreams"][0]["logStreamName"]
assert "/[" in stream, stream
iam.create_role(RoleName="mute", AssumeRolePolicyDocument=TRUST)
make("mute", "def handler(e, c):\n    print('psst')\n", Role=ROLE.replace("fn", "mute"))
call("mute")
time.sleep(0.5)
same(lines("/aws/lambda/mute"), [], "a role that may not write logs has none")
ok("logs, with the function's own rights")

make("sleeper", "import time\ndef handler(e, c):\n    time.sleep(e.get('s', 0.05))\n    return e\n", Timeout=20)
with concurrent.futures.ThreadPoolExecutor(50) as pool:
    answers = list(pool.map(lambda n: call("sleeper", {"n": n})[0]["n"], range(200)))
same(answers, list(range(200)), "200 calls of fifty callers")
ok("fifty callers at once")

lam.put_function_concurrency(FunctionName="sleeper", ReservedConcurrentExecutions=1)
with concurrent.futures.ThreadPoolExecutor(1) as pool:
    first = pool.submit(call, "sleeper", {"s": 2})
    time.sleep(0.7)
    error = fails("TooManyRequestsException", 429, lam.invoke, FunctionName="sleeper", Payload=b"{}")
    same((error["Error"]["Message"], error["Reason"]), ("Rate Exceeded.", "ReservedFunctionConcurrentInvocationLimitExceeded"), "throttled")
    first.result()
lam.put_function_concurrency(FunctionName="sleeper", ReservedConcurrentExecutions=0)
fails("TooManyRequestsException", 429, lam.invoke, FunctionName="sleeper", Payload=b"{}")
lam.delete_function_concurrency(FunctionName="sleeper")
call("sleeper", {})
ok("reserved concurrency throttles")

parts = lam.invoke_with_response_stream(FunctionName="echo:1", Payload=b'{"say": "s"}', LogType="Tail")
events = list(parts["EventStream"])
body = b"".join(e["PayloadChunk"]["Payload"] for e in events if "PayloadChunk" in e)
same(json.loads(body)["version"], "1", "streamed")
assert "REPORT" in base64.b64decode(events[-1]["InvokeComplete"]["LogResult"]).decode()
events = list(lam.invoke_with_response_stream(FunctionName="echo:1", Payload=b'{"fail": "x"}')["EventStream"])
same(events[-1]["InvokeComplete"]["ErrorCode"], "ValueError", "an error in the stream")
ok("response streams")

layer = lam.publish_layer_version(LayerName="lib", Content={"ZipFile": pack({"python/lib_x.py": "V = 42\n"})})["LayerVersionArn"]
make("layered", "import lib_x, os\ndef handler(e, c):\n    return lib_x.V, os.path.exists('/opt/python/lib_x.py')\n", Layers=[layer])
same(call("layered")[0], [42, True], "a layer's module")
ok("layers")
