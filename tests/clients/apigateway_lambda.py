"""Functions behind REST and HTTP APIs: events, answers, authorizers, permissions, tenants, access logs."""

import base64
import io
import json
import zipfile

from apigateway_common import call
from common import ACCOUNT, client, ok, same, until

gw, gw2, lam, iam, logs = (client(s) for s in ("apigateway", "apigatewayv2", "lambda", "iam", "logs"))
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ROLE = iam.create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
CODE = """
import json
def echo(event, context):
    how = (event.get('queryStringParameters') or {}).get('how')
    if how == 'fail': raise ValueError('failed')
    if how == 'malformed': return {'statusCode': 'x'}
    if how == 'plain': return {'plain': True}
    if how == 'binary': return {'statusCode': 200, 'headers': {'Content-Type': 'image/png'}, 'body': 'iVA=', 'isBase64Encoded': True}
    if how == 'slow': import time; time.sleep(3)
    event['tenant'] = getattr(context, 'tenant_id', None)
    return {'statusCode': 201, 'headers': {'X-One': '1', 'Content-Type': 'application/json'},
            'multiValueHeaders': {'X-Two': ['a', 'b']}, 'cookies': ['c=d'], 'body': json.dumps(event)}
def token(event, context):
    said = event['authorizationToken']
    if said == 'Unauthorized': raise Exception('Unauthorized')
    if said == 'broken': return {'x': 1}
    effect = {'allow': 'Allow', 'deny': 'Deny'}.get(said, 'Allow')
    arn = event['methodArn'] if said != 'other' else event['methodArn'] + 'x'
    return {'principalId': 'me', 'context': {'n': 7, 's': 'text'}, 'policyDocument': {'Version': '2012-10-17', 'Statement': [
        {'Action': 'execute-api:Invoke', 'Effect': effect, 'Resource': arn}]}}
def simple(event, context):
    return {'isAuthorized': event['identitySource'] == ['yes'], 'context': {'route': event['routeKey'], 'list': [1]}}
def plain(event, context):
    if event.get('fail'): raise ValueError('No such thing: ' + event['fail'])
    return {'got': event}
"""


def pack(code):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w") as z:
        z.writestr("app.py", code)
    return b.getvalue()


def make(name, **more):
    arn = lam.create_function(FunctionName=name, Runtime="python3.13", Handler=f"app.{name}", Role=ROLE, Timeout=10,
                              Code={"ZipFile": pack(CODE)}, **more)["FunctionArn"]
    lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return arn


def permit(name, source):
    lam.add_permission(FunctionName=name, StatementId=f"s{abs(hash(source))}", Action="lambda:InvokeFunction",
                       Principal="apigateway.amazonaws.com", SourceArn=source)


def uri(arn):
    return f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"


def execution(api, rest):
    return f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api}/{rest}"


arns = {name: make(name) for name in ("echo", "token", "simple", "plain")}

# --- HTTP APIs
logs.create_log_group(logGroupName="/api")
group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/api"
aid = gw2.create_api(Name="http", ProtocolType="HTTP")["ApiId"]


def route(key, version="2.0", target=arns["echo"], **more):
    one = gw2.create_integration(ApiId=aid, IntegrationType="AWS_PROXY", IntegrationUri=uri(target),
                                 PayloadFormatVersion=version, TimeoutInMillis=1000)["IntegrationId"]
    return gw2.create_route(ApiId=aid, RouteKey=key, Target=f"integrations/{one}", **more)["RouteId"]


route("ANY /two/{id}")
route("ANY /one/{id}", "1.0")
gw2.create_stage(ApiId=aid, StageName="$default", AutoDeploy=True, StageVariables={"v": "1"}, AccessLogSettings={
    "DestinationArn": group, "Format": "$context.requestId $context.routeKey $context.status $context.nothing"})
status, _, body = call(aid, "/two/x")
same((status, json.loads(body)), (500, {"message": "Internal Server Error"}), "no permission")
permit("echo", execution(aid, "*/*/*"))
status, headers, body = call(aid, "/two/a%20b?q=1&q=2", "POST", b'{"k":1}', {
    "Content-Type": "application/json", "Cookie": "e=f; g=h", "X-Own": "v"})
event = json.loads(body)
same((status, headers["x-one"], headers["set-cookie"]), (201, "1", "c=d"), "answered")
same((event["version"], event["routeKey"], event["rawPath"], event["rawQueryString"], event["cookies"],
      event["queryStringParameters"], event["pathParameters"], event["body"], event["isBase64Encoded"], event["stageVariables"]),
     ("2.0", "ANY /two/{id}", "/two/a%20b", "q=1&q=2", ["e=f", "g=h"], {"q": "1,2"}, {"id": "a b"}, '{"k":1}', False, {"v": "1"}),
     "event 2.0")
context = event["requestContext"]
same((context["apiId"], context["http"]["method"], context["http"]["sourceIp"], context["stage"], context["domainPrefix"],
      event["headers"]["x-own"], "cookie" in event["headers"]), (aid, "POST", "127.0.0.1", "$default", aid, "v", False), "context 2.0")
assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-") and event["headers"]["x-forwarded-proto"] == "https"
raw = json.loads(call(aid, "/two/x", "POST", b"\x00\xff", {"Content-Type": "image/png"})[2])
same((raw["body"], raw["isBase64Encoded"]), (base64.b64encode(b"\x00\xff").decode(), True), "bytes")
status, headers, body = call(aid, "/one/x?q=1&q=2", "GET", None, {"X-Own": "v"})
event = json.loads(body)
same((status, event["version"], event["resource"], event["path"], event["httpMethod"], event["multiValueQueryStringParameters"],
      event["queryStringParameters"], event["pathParameters"], event["body"], event["requestContext"]["resourcePath"]),
     (201, "1.0", "/one/{id}", "/one/x", "GET", {"q": ["1", "2"]}, {"q": "2"}, {"id": "x"}, None, "/one/{id}"), "event 1.0")
same(json.loads(call(aid, "/two/x?how=plain")[2]), {"plain": True}, "inferred")
same(call(aid, "/two/x?how=binary")[2], b"\x89P", "binary")
for how, expected in (("fail", 500), ("malformed", 500), ("slow", 503)):
    same(call(aid, f"/two/x?how={how}")[0], expected, how)
auth = gw2.create_authorizer(ApiId=aid, Name="simple", AuthorizerType="REQUEST", AuthorizerUri=uri(arns["simple"]),
                             IdentitySource=["$request.header.x-who"], AuthorizerPayloadFormatVersion="2.0",
                             EnableSimpleResponses=True, AuthorizerResultTtlInSeconds=60)["AuthorizerId"]
permit("simple", execution(aid, f"authorizers/{auth}"))
route("GET /guarded", AuthorizationType="CUSTOM", AuthorizerId=auth)
same([call(aid, "/guarded")[0], call(aid, "/guarded", headers={"x-who": "no"})[0]], [401, 403], "refused")
event = json.loads(call(aid, "/guarded", headers={"x-who": "yes"})[2])
same(event["requestContext"]["authorizer"]["lambda"], {"route": "GET /guarded", "list": [1]}, "authorizer's context")


def lines():
    found = logs.filter_log_events(logGroupName="/api")["events"]
    return [e["message"].split(" ", 1)[1] for e in found]


until("access logs", lambda: "GET /guarded 201 -" in lines() and "GET /guarded 401 -" in lines())
ok("HTTP APIs call functions with both formats, authorize by functions, and log")

# --- REST APIs
rid = gw.create_rest_api(name="rest", binaryMediaTypes=["image/png"])["id"]
root = gw.get_resources(restApiId=rid)["items"][0]["id"]


def resource(part, parent=root):
    return gw.create_resource(restApiId=rid, parentId=parent, pathPart=part)["id"]


def proxy(res, verb, auth="NONE", arn=arns["echo"], parameters=None, **more):
    gw.put_method(restApiId=rid, resourceId=res, httpMethod=verb, authorizationType=auth, **more)
    gw.put_integration(restApiId=rid, resourceId=res, httpMethod=verb, type="AWS_PROXY", integrationHttpMethod="POST",
                       uri=uri(arn), requestParameters=parameters or {}, timeoutInMillis=2000)


thing = resource("{id}", resource("things"))
proxy(thing, "ANY")
tokens = gw.create_authorizer(restApiId=rid, name="t", type="TOKEN", authorizerUri=uri(arns["token"]),
                              identitySource="method.request.header.Auth", authorizerResultTtlInSeconds=300)["id"]
guarded = resource("guarded")
proxy(guarded, "GET", "CUSTOM", authorizerId=tokens)
call_it = resource("call")
gw.put_method(restApiId=rid, resourceId=call_it, httpMethod="POST", authorizationType="NONE")
gw.put_integration(restApiId=rid, resourceId=call_it, httpMethod="POST", type="AWS", integrationHttpMethod="POST",
                   uri=uri(arns["plain"]), requestTemplates={"application/json": '{"fail": $input.json("$.fail")}'})
for code, pattern in (("200", None), ("404", "No such thing.*")):
    gw.put_method_response(restApiId=rid, resourceId=call_it, httpMethod="POST", statusCode=code)
    gw.put_integration_response(restApiId=rid, resourceId=call_it, httpMethod="POST", statusCode=code,
                                **({"selectionPattern": pattern, "responseTemplates": {
                                    "application/json": '{"why": "$input.path(\'$.errorMessage\')"}'}} if pattern else {}))
gw.create_deployment(restApiId=rid, stageName="prod", variables={"v": "1"})
same(call(rid, "/prod/things/1")[0], 500, "no permission")
permit("echo", execution(rid, "*/*/*"))
permit("plain", execution(rid, "prod/POST/call"))
permit("token", execution(rid, f"authorizers/{tokens}"))
status, headers, body = call(rid, "/prod/things/a%20b?q=1&q=2", "POST", b"text", {"X-Own": "v", "User-Agent": "me"})
event = json.loads(body)
same((status, headers["x-one"], event["resource"], event["path"], event["httpMethod"], event["pathParameters"],
      event["multiValueQueryStringParameters"], event["body"], event["isBase64Encoded"], event["stageVariables"],
      event["headers"]["User-Agent"], event["requestContext"]["resourcePath"], event["requestContext"]["path"],
      event["requestContext"]["stage"], event["requestContext"]["identity"]["sourceIp"]),
     (201, "1", "/things/{id}", "/things/a%20b", "POST", {"id": "a b"}, {"q": ["1", "2"]}, "text", False, {"v": "1"},
      "me", "/things/{id}", "/prod/things/a%20b", "prod", "127.0.0.1"), "event")
assert "version" not in event
raw = json.loads(call(rid, "/prod/things/x", "POST", b"\x00\xff", {"Content-Type": "image/png"})[2])
same((raw["body"], raw["isBase64Encoded"]), (base64.b64encode(b"\x00\xff").decode(), True), "bytes")
same(call(rid, "/prod/things/x?how=binary", headers={"Accept": "image/png"})[2], b"\x89P", "binary")
for how, expected in (("fail", 502), ("malformed", 502), ("plain", 502), ("slow", 504)):
    same(call(rid, f"/prod/things/x?how={how}")[0], expected, how)
same(json.loads(call(rid, "/prod/things/x?how=fail")[2]), {"message": "Internal server error"}, "failure")
JSON = {"Content-Type": "application/json"}
same(json.loads(call(rid, "/prod/call", "POST", b"{}", JSON)[2]), {"got": {"fail": ""}}, "a plain function")
status, _, body = call(rid, "/prod/call", "POST", b'{"fail": "x"}', JSON)
same((status, json.loads(body)), (404, {"why": "No such thing: x"}), "selected by its error")
guard = lambda t=None: call(rid, "/prod/guarded", headers={"Auth": t} if t else {})
for said, expected in ((None, 401), ("Unauthorized", 401), ("deny", 403), ("other", 403), ("broken", 500)):
    same(guard(said)[0], expected, f"token {said}")
same(json.loads(guard("deny")[2]), {"Message": "User is not authorized to access this resource with an explicit deny"}, "deny")
event = json.loads(guard("allow")[2])
same({k: event["requestContext"]["authorizer"][k] for k in ("principalId", "n", "s")},
     {"principalId": "me", "n": "7", "s": "text"}, "authorizer's context")
lam.delete_function(FunctionName="token")
same((guard("allow")[0], guard("new")[0]), (201, 500), "answers are kept for a while")
gw.flush_stage_authorizers_cache(restApiId=rid, stageName="prod")
same(guard("allow")[0], 500, "forgotten")
ok("REST APIs call functions, map their errors, and authorize by token")

# --- A tenant by header
iso = lam.create_function(FunctionName="iso", Runtime="python3.13", Handler="app.echo", Role=ROLE, Timeout=10,
                          Code={"ZipFile": pack(CODE)}, TenancyConfig={"TenantIsolationMode": "PER_TENANT"})["FunctionArn"]
lam.get_waiter("function_active_v2").wait(FunctionName="iso", WaiterConfig={"Delay": 1})
permit("iso", execution(rid, "*/*"))
proxy(resource("who"), "GET", arn=iso, requestParameters={"method.request.header.x-tenant-id": True},
      parameters={"integration.request.header.X-Amz-Tenant-Id": "method.request.header.x-tenant-id"})
gw.create_deployment(restApiId=rid, stageName="prod")
for tenant in ("tenant-a", "tenant-b"):
    same(json.loads(call(rid, "/prod/who", headers={"x-tenant-id": tenant})[2])["tenant"], tenant, "tenant")
same(call(rid, "/prod/who")[0], 500, "no tenant")
ok("the tenant's header reaches the function")
