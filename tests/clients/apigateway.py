"""REST APIs: resources, methods, MOCK, HTTP and AWS integrations, templates, keys, bad input."""

import json
import time

from apigateway_common import backend, call, signed
from botocore.exceptions import ClientError
from common import ACCOUNT, ENDPOINT, client, fails, http, ok, same

gw, iam = client("apigateway"), client("iam")
url = backend()

api = gw.create_rest_api(name="first", tags={"a": "1"})
rid, root = api["id"], api["rootResourceId"]
same(api["endpointConfiguration"]["types"], ["EDGE"], "type")
same(gw.get_resources(restApiId=rid)["items"], [{"id": root, "path": "/"}], "root")
same(sorted(m["name"] for m in gw.get_models(restApiId=rid)["items"]), ["Empty", "Error"], "models")
fails("NotFoundException", 404, gw.get_rest_api, restApiId="nosuchapi0")


def resource(part, parent=root):
    return gw.create_resource(restApiId=rid, parentId=parent, pathPart=part)["id"]


def method(res, verb, auth="NONE", **more):
    gw.put_method(restApiId=rid, resourceId=res, httpMethod=verb, authorizationType=auth, **more)


def integration(res, verb, **more):
    return gw.put_integration(restApiId=rid, resourceId=res, httpMethod=verb, **more)


def response(res, verb, status, pattern=None, templates=None, parameters=None):
    gw.put_method_response(restApiId=rid, resourceId=res, httpMethod=verb, statusCode=status,
                           responseParameters={k: False for k in parameters or {}})
    more = {"selectionPattern": pattern} if pattern else {}
    gw.put_integration_response(restApiId=rid, resourceId=res, httpMethod=verb, statusCode=status,
                                responseTemplates=templates or {}, responseParameters=parameters or {}, **more)


def deploy(stage="prod", **more):
    return gw.create_deployment(restApiId=rid, stageName=stage, **more)["id"]


fails("BadRequestException", 400, deploy)
pets = resource("pets")
pet = resource("{id}", pets)
rest = resource("{proxy+}", resource("any"))
fails("ConflictException", 409, resource, "pets")
fails("BadRequestException", 400, resource, "{other}", pets)
fails("BadRequestException", 400, resource, "x", rest)
fails("BadRequestException", 400, resource, "a b")
fails("BadRequestException", 400, gw.delete_resource, restApiId=rid, resourceId=root)
ok("APIs and resources are made; what AWS refuses is refused")

# --- MOCK, templates and gateway responses
method(pets, "GET", requestParameters={"method.request.querystring.kind": False})
integration(pets, "GET", type="MOCK", requestTemplates={
    "application/json": "{ statusCode: #if($input.params('kind') == 'cat')404#else 200#end }"})
response(pets, "GET", "200", templates={"application/json": """#set($l = [])
#foreach($n in ['a', 'b'])#set($x = $l.add($n))#end
{"kind": "$input.params('kind')", "list": [#foreach($n in $l)"$n"#if($foreach.hasNext),#end#end], "stage": "$context.stage", "v": "$stageVariables.v"}"""},
         parameters={"method.response.header.X-Fixed": "'f'"})
response(pets, "GET", "404", "404", templates={"application/json": '{"none": true}'})
method(pet, "GET")
integration(pet, "GET", type="HTTP_PROXY", integrationHttpMethod="GET", uri=url + "/p")
deploy(variables={"v": "one"})
status, headers, body = call(rid, "/prod/pets?kind=dog")
same((status, json.loads(body), headers["x-fixed"], headers["content-type"]),
     (200, {"kind": "dog", "list": ["a", "b"], "stage": "prod", "v": "one"}, "f", "application/json"), "mock")
assert headers["x-amzn-requestid"] and headers["x-amz-apigw-id"] and headers["x-amzn-trace-id"]
same(json.loads(call(rid, "/prod/pets?kind=cat")[2]), {"none": True}, "selected by status")
same(call(rid, "/prod/pets/")[0], 200, "a slash at the end")
missing = {"message": "Missing Authentication Token"}
status, headers, body = call(rid, "/prod/nope")
same((status, json.loads(body), headers["x-amzn-errortype"]),
     (403, missing, "MissingAuthenticationTokenException"), "no resource")
same(json.loads(call(rid, "/prod/pets", "POST")[2]), missing, "no method")
same((call(rid, "/nope/pets")[0], json.loads(call(rid, "/nope/pets")[2])), (403, {"message": "Forbidden"}), "no stage")
for local in (f"/_aws/execute-api/{rid}/prod/pets", f"/restapis/{rid}/prod/_user_request_/pets"):
    same(http("GET", ENDPOINT + local)[0], 200, local)
same(http("GET", ENDPOINT + "/prod/pets", None, {"Host": f"{rid}.execute-api.localhost:4566"})[0], 200, "localhost")
gw.put_gateway_response(restApiId=rid, responseType="MISSING_AUTHENTICATION_TOKEN", statusCode="404",
                        responseParameters={"gatewayresponse.header.X-Own": "'y'"},
                        responseTemplates={"application/json": '{"m":$context.error.messageString,"p":"$context.path"}'})
same(json.loads(call(rid, "/prod/nope")[2]), missing, "not deployed yet")
deploy()
status, headers, body = call(rid, "/prod/nope")
same((status, headers["x-own"], json.loads(body)),
     (404, "y", {"m": "Missing Authentication Token", "p": "/prod/nope"}), "own gateway response")
gw.delete_gateway_response(restApiId=rid, responseType="MISSING_AUTHENTICATION_TOKEN")
same(len(gw.get_gateway_responses(restApiId=rid)["items"]), 21, "gateway responses")
fails("NotFoundException", 404, gw.delete_gateway_response, restApiId=rid, responseType="THROTTLED")
ok("MOCK with templates, selection patterns, gateway responses, and every name of an API")

# --- HTTP
method(rest, "ANY", requestParameters={"method.request.path.proxy": True, "method.request.header.x-who": False})
integration(rest, "ANY", type="HTTP_PROXY", integrationHttpMethod="ANY", uri=url + "/{proxy}", requestParameters={
    "integration.request.path.proxy": "method.request.path.proxy",
    "integration.request.header.x-mapped": "method.request.header.x-who",
    "integration.request.querystring.s": "context.stage"})
fails("BadRequestException", 400, integration, pet, "GET", type="HTTP", integrationHttpMethod="GET", uri=url,
      requestParameters={"integration.request.header.a": "method.request.header.undeclared"})
fails("BadRequestException", 400, integration, pet, "GET", type="AWS", integrationHttpMethod="POST", uri="arn:aws:s3:::b")
fails("NotFoundException", 404, integration, pet, "PUT", type="MOCK")
fails("NotImplemented", 400, integration, pet, "GET", type="HTTP", integrationHttpMethod="GET", uri=url,
      connectionType="VPC_LINK", connectionId="v")
shop = resource("shop")
method(shop, "POST")
integration(shop, "POST", type="HTTP", integrationHttpMethod="POST", uri=url + "/shop?status=${stageVariables.status}",
            passthroughBehavior="NEVER", requestTemplates={"application/json": """#set($in = $input.path('$'))
#set($context.requestOverride.header.x-over = "$in.items.size()")
{"names": [#foreach($i in $in.items)"$util.escapeJavaScript($i.name).replaceAll("\\\\'", "'")"#if($foreach.hasNext), #end#end], "first": $input.json('$.items[0]'), "none": $input.json('$.nope')}"""})
response(shop, "POST", "200", templates={"application/json": """#set($context.responseOverride.header.x-back = "b")
$input.json('$.body')"""}, parameters={"method.response.header.X-Backend": "integration.response.header.X-Backend",
                                          "method.response.header.X-Method": "integration.response.body.method"})
response(shop, "POST", "418", "5\\d{2}", templates={"application/json": """#set($context.responseOverride.status = 420)
{"failed": "$input.path('$.path')"}"""})
deploy(variables={"status": "200"})
status, headers, body = call(rid, "/prod/any/a%20b/c?q=1", "PUT", b"data", {"x-who": "me"})
told = json.loads(body)
same((status, told["method"], told["path"], told["query"], told["headers"]["x-mapped"], told["body"]),
     (200, "PUT", "/a%20b/c", "q=1&s=prod", "me", "data"), "http proxy")
order = {"items": [{"name": "it's \"x\"", "n": 1}, {"name": "é", "n": 2.50}]}
status, headers, body = call(rid, "/prod/shop", "POST", json.dumps(order).encode(), {"Content-Type": "application/json"})
told = json.loads(json.loads(body))
same((status, headers["x-backend"], headers["x-method"], headers["x-back"]), (200, "yes", "POST", "b"), "http")
same((told["names"][1], told["first"], told["none"]), ("é", order["items"][0], ""), "template")
status, _, body = call(rid, "/prod/shop", "POST", b"<x/>", {"Content-Type": "text/xml"})
same((status, json.loads(body)), (415, {"message": "Unsupported Media Type"}), "media type")
gw.update_stage(restApiId=rid, stageName="prod", patchOperations=[
    {"op": "replace", "path": "/variables/status", "value": "503"}])
status, _, body = call(rid, "/prod/shop", "POST", b"{}", {"Content-Type": "application/json"})
same((status, json.loads(body)), (420, {"failed": "/shop"}), "selected by pattern, overridden")
ok("HTTP and HTTP_PROXY: mappings, templates, overrides, media types, stage variables")

# --- What goes wrong in templates and backends
bad = resource("bad")
for verb, template in (("GET", "#if($x)"), ("PUT", "#foreach($i in [1..100000])x#end"),
                       ("POST", "#set($s = 'x')$s.substring(9)"), ("DELETE", "no json"),
                       ("PATCH", "#macro(m)#m()#end#m()")):
    method(bad, verb)
    integration(bad, verb, type="MOCK", requestTemplates={"application/json": template})
    response(bad, verb, "200")
gone = resource("gone")
method(gone, "GET")
integration(gone, "GET", type="HTTP_PROXY", integrationHttpMethod="GET", uri="http://127.0.0.1:9/")
slow = resource("slow")
method(slow, "GET")
integration(slow, "GET", type="HTTP_PROXY", integrationHttpMethod="GET", uri=url + "/?sleep=2", timeoutInMillis=100)
deploy()
for verb in ("GET", "PUT", "POST", "DELETE", "PATCH"):
    status, _, body = call(rid, "/prod/bad", verb)
    same((status, json.loads(body)), (500, {"message": "Internal server error"}), verb)
same(call(rid, "/prod/gone")[0], 504, "nobody there")
same(json.loads(call(rid, "/prod/slow")[2]), {"message": "Endpoint request timed out"}, "timeout")
same(call(rid, "/prod/any/keys", "POST", b"x" * ((10 << 20) + 1))[0], 413, "too large")
ok("broken templates, endless ones, absent and slow backends answer as on AWS")

# --- AWS services
s3 = client("s3")
s3.create_bucket(Bucket="gateway")
s3.put_object(Bucket="gateway", Key="a/b", Body=b"content", ContentType="text/plain")
trust = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
role = iam.create_role(RoleName="gateway", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
files = resource("{key+}", resource("files"))
method(files, "GET", requestParameters={"method.request.path.key": True})
integration(files, "GET", type="AWS", integrationHttpMethod="GET", credentials=role,
            uri="arn:aws:apigateway:us-east-1:s3:path/gateway/{key}",
            requestParameters={"integration.request.path.key": "method.request.path.key"})
response(files, "GET", "200", parameters={"method.response.header.Content-Type": "integration.response.header.Content-Type"})
response(files, "GET", "403", "403", templates={"application/json": '{"denied": true}'})
response(files, "GET", "404", "404", templates={"application/json": '{"missing": true}'})
who = resource("who")
method(who, "POST")
integration(who, "POST", type="AWS", integrationHttpMethod="POST", credentials=role,
            uri="arn:aws:apigateway:us-east-1:sts:action/GetCallerIdentity")
response(who, "POST", "200")
keys = resource("keys")
method(keys, "POST")
integration(keys, "POST", type="AWS", integrationHttpMethod="POST", credentials=role,
            uri="arn:aws:apigateway:us-east-1:kms:action/ListKeys",
            requestTemplates={"application/json": '{"Limit": $input.path("$.n")}'})
response(keys, "POST", "200", templates={"application/json": '{"n": $input.path("$.Keys").size()}'})
response(keys, "POST", "400", "4\\d{2}", templates={"application/json": '{"error": "$input.path("$.__type")"}'})
deploy()
same(json.loads(call(rid, "/prod/files/a/b")[2]), {"denied": True}, "the role may not")
iam.put_role_policy(RoleName="gateway", PolicyName="p", PolicyDocument=json.dumps({
    "Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket", "kms:ListKeys"], "Resource": "*"}]}))
status, headers, body = call(rid, "/prod/files/a/b")
same((status, body, headers["content-type"]), (200, b"content", "text/plain"), "an object")
same((call(rid, "/prod/files/none")[0], json.loads(call(rid, "/prod/files/none")[2])), (404, {"missing": True}), "no object")
assert f"assumed-role/gateway/" in call(rid, "/prod/who", "POST")[2].decode()
client("kms").create_key()
JSON = {"Content-Type": "application/json"}
same(json.loads(call(rid, "/prod/keys", "POST", b'{"n": 10}', JSON)[2]), {"n": 1}, "a JSON action")
status, _, body = call(rid, "/prod/keys", "POST", b'{"n": "no number"}', JSON)
assert status == 400 and "Serialization" in json.loads(body)["error"], body
iam.update_assume_role_policy(RoleName="gateway", PolicyDocument=json.dumps({
    "Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))
same(call(rid, "/prod/who", "POST")[0], 500, "a role that does not trust")
ok("AWS integrations speak to S3, STS and KMS in a role that policies bind")

# --- Function absent: AWS_PROXY
fn = resource("fn")
method(fn, "GET")
arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:absent"
integration(fn, "GET", type="AWS_PROXY", integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations")
fails("BadRequestException", 400, integration, fn, "GET", type="AWS_PROXY", integrationHttpMethod="POST",
      uri="arn:aws:apigateway:us-east-1:s3:path/x")
deploy()
status, _, body = call(rid, "/prod/fn")
same((status, json.loads(body)), (500, {"message": "Internal server error"}), "no function")
ok("an absent function answers 500")

# --- IAM and resource policies
closed = resource("closed")
method(closed, "GET", "AWS_IAM")
integration(closed, "GET", type="MOCK", requestTemplates={"application/json": '{"statusCode":200}'})
response(closed, "GET", "200", templates={"application/json": '"$context.identity.userArn"'})
deploy()
iam.create_user(UserName="caller")
key = iam.create_access_key(UserName="caller")["AccessKey"]
k, s = key["AccessKeyId"], key["SecretAccessKey"]
status, headers, body = call(rid, "/prod/closed")
same((status, json.loads(body)), (403, missing), "unsigned")
status, headers, body = signed(rid, "/prod/closed", k, s)
told = json.loads(body)
assert status == 403 and "not authorized to perform: execute-api:Invoke" in told["Message"], told
assert f"********0000:{rid}/prod/GET/closed" in told["Message"], told
iam.put_user_policy(UserName="caller", PolicyName="p", PolicyDocument=json.dumps({
    "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke",
        "Resource": f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{rid}/prod/GET/closed"}]}))
same(json.loads(signed(rid, "/prod/closed", k, s)[2]), f"arn:aws:iam::{ACCOUNT}:user/caller", "allowed")
status, headers, body = signed(rid, "/prod/closed", k, s + "x")
same((status, headers["x-amzn-errortype"]), (403, "InvalidSignatureException"), "wrong secret")
status, headers, body = signed(rid, "/prod/closed", "AKIAAAAAAAAAAAAAAAAA", s)
same((status, headers["x-amzn-errortype"]), (403, "UnrecognizedClientException"), "unknown key")
policy = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"},
    {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/GET/pets"}]}
gw.update_rest_api(restApiId=rid, patchOperations=[{"op": "replace", "path": "/policy", "value": json.dumps(policy)}])
deploy()
status, _, body = call(rid, "/prod/pets")
assert status == 403 and "User: anonymous is not authorized" in json.loads(body)["Message"], body
same(call(rid, "/prod/keys", "POST", b"{}")[0] in (200, 400, 500), True, "others pass")
fails("BadRequestException", 400, gw.update_rest_api, restApiId=rid,
      patchOperations=[{"op": "replace", "path": "/policy", "value": "{"}])
gw.update_rest_api(restApiId=rid, patchOperations=[{"op": "replace", "path": "/policy", "value": ""}])
ok("AWS_IAM and resource policies decide")

# --- Validation
gw.create_model(restApiId=rid, name="Order", contentType="application/json", schema=json.dumps({
    "type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1}}}))
fails("BadRequestException", 400, gw.create_model, restApiId=rid, name="Bad", contentType="application/json", schema="{")
validator = gw.create_request_validator(restApiId=rid, name="all", validateRequestBody=True,
                                        validateRequestParameters=True)["id"]
orders = resource("orders")
method(orders, "POST", requestModels={"application/json": "Order"}, requestValidatorId=validator,
       requestParameters={"method.request.querystring.a": True, "method.request.header.b": True})
integration(orders, "POST", type="MOCK", requestTemplates={"application/json": '{"statusCode":200}'})
response(orders, "POST", "200", templates={"application/json": "{}"})
deploy()
status, _, body = call(rid, "/prod/orders", "POST", b"{}")
same((status, json.loads(body)), (400, {"message": "Missing required request parameters: [b, a]"}), "parameters")
for data in (b"{}", b'{"n":0}', b'{"n":"1"}', b"[", b""):
    status, _, body = call(rid, "/prod/orders?a=1", "POST", data, {"b": "2", "Content-Type": "application/json"})
    same((status, json.loads(body)), (400, {"message": "Invalid request body"}), data)
same(call(rid, "/prod/orders?a=1", "POST", b'{"n":1}', {"b": "2", "Content-Type": "application/json"})[0], 200, "valid")
fails("ConflictException", 409, gw.delete_model, restApiId=rid, modelName="Order")
fails("ConflictException", 409, gw.delete_request_validator, restApiId=rid, requestValidatorId=validator)
ok("request validators check parameters and bodies")

# --- Keys and plans
kept = resource("kept")
method(kept, "GET", apiKeyRequired=True)
integration(kept, "GET", type="MOCK", requestTemplates={"application/json": '{"statusCode":200}'})
response(kept, "GET", "200", templates={"application/json": '"$context.identity.apiKeyId"'})
deploy()
first = gw.create_api_key(name="one", enabled=True)
assert "value" not in gw.get_api_key(apiKey=first["id"])
value = gw.get_api_key(apiKey=first["id"], includeValue=True)["value"]
same(value, first["value"], "value")
use = lambda v=value: call(rid, "/prod/kept", headers={"x-api-key": v})
same((call(rid, "/prod/kept")[0], use()[0], use("nonsense")[0]), (403, 403, 403), "no plan")
plan = gw.create_usage_plan(name="plan", apiStages=[{"apiId": rid, "stage": "prod"}],
                            quota={"limit": 4, "period": "DAY"}, throttle={"rateLimit": 100.0, "burstLimit": 100})["id"]
gw.create_usage_plan_key(usagePlanId=plan, keyId=first["id"], keyType="API_KEY")
fails("ConflictException", 409, gw.create_usage_plan_key, usagePlanId=plan, keyId=first["id"], keyType="API_KEY")
same(json.loads(use()[2]), first["id"], "key id")
same([use()[0] for _ in range(4)], [200, 200, 200, 429], "quota")
same(json.loads(use()[2]), {"message": "Limit Exceeded"}, "quota")
today = time.strftime("%Y-%m-%d", time.gmtime())
same(gw.get_usage(usagePlanId=plan, startDate=today, endDate=today)["items"], {first["id"]: [[4, 0]]}, "usage")
gw.update_usage_plan(usagePlanId=plan, patchOperations=[
    {"op": "remove", "path": "/quota"}, {"op": "replace", "path": "/throttle/rateLimit", "value": "0.1"},
    {"op": "replace", "path": "/throttle/burstLimit", "value": "1"}])
same([use()[0], use()[0]], [200, 429], "throttle")
same(json.loads(use()[2]), {"message": "Too Many Requests"}, "throttle")
gw.update_api_key(apiKey=first["id"], patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}])
same(use()[0], 403, "disabled")
fails("BadRequestException", 400, gw.delete_usage_plan, usagePlanId=plan)
gw.update_usage_plan(usagePlanId=plan, patchOperations=[{"op": "remove", "path": "/apiStages", "value": f"{rid}:prod"}])
gw.delete_usage_plan(usagePlanId=plan)
gw.delete_api_key(apiKey=first["id"])
fails("NotFoundException", 404, gw.get_api_key, apiKey=first["id"])
ok("API keys, quotas and throttles of usage plans are enforced")

# --- Stages, settings, deployments, patches
other = gw.create_deployment(restApiId=rid)["id"]
fails("BadRequestException", 400, gw.create_stage, restApiId=rid, stageName="v2", deploymentId="none")
gw.create_stage(restApiId=rid, stageName="v2", deploymentId=other, variables={"v": "two"}, tags={"t": "1"})
fails("BadRequestException", 400, gw.delete_deployment, restApiId=rid, deploymentId=other)
same(json.loads(call(rid, "/v2/pets")[2])["v"], "two", "its own variables")
stage = gw.update_stage(restApiId=rid, stageName="v2", patchOperations=[
    {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0.1"},
    {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "1"},
    {"op": "replace", "path": "/~1pets~1{id}/GET/logging/loglevel", "value": "INFO"}])
same(sorted(stage["methodSettings"]), ["*/*", "pets/{id}/GET"], "settings")
same([call(rid, "/v2/pets")[0] for _ in range(2)], [200, 429], "throttled")
gw.update_stage(restApiId=rid, stageName="v2", patchOperations=[{"op": "remove", "path": "/*/*"}])
same(call(rid, "/v2/pets")[0], 200, "no more")
fails("BadRequestException", 400, gw.update_stage, restApiId=rid, stageName="v2",
      patchOperations=[{"op": "replace", "path": "/nope", "value": "x"}])
fails("NotImplemented", 400, gw.update_stage, restApiId=rid, stageName="v2",
      patchOperations=[{"op": "replace", "path": "/canarySettings/percentTraffic", "value": "10"}])
gw.update_rest_api(restApiId=rid, patchOperations=[
    {"op": "add", "path": "/binaryMediaTypes/image~1png"}, {"op": "replace", "path": "/name", "value": "renamed"},
    {"op": "replace", "path": "/endpointConfiguration/types/EDGE", "value": "REGIONAL"}])
now = gw.get_rest_api(restApiId=rid)
same((now["name"], now["binaryMediaTypes"], now["endpointConfiguration"]["types"]), ("renamed", ["image/png"], ["REGIONAL"]), "patched")
gw.update_method(restApiId=rid, resourceId=pets, httpMethod="GET", patchOperations=[
    {"op": "add", "path": "/requestParameters/method.request.header.z", "value": "true"}])
same(gw.get_method(restApiId=rid, resourceId=pets, httpMethod="GET")["requestParameters"],
     {"method.request.querystring.kind": False, "method.request.header.z": True}, "method")
gw.update_integration(restApiId=rid, resourceId=pet, httpMethod="GET", patchOperations=[
    {"op": "replace", "path": "/uri", "value": url + "/q"},
    {"op": "add", "path": "/requestTemplates/application~1json", "value": "{}"}])
same(gw.get_integration(restApiId=rid, resourceId=pet, httpMethod="GET")["uri"], url + "/q", "integration")
arn = f"arn:aws:apigateway:us-east-1::/restapis/{rid}"
gw.tag_resource(resourceArn=arn, tags={"b": "2"})
gw.untag_resource(resourceArn=arn, tagKeys=["a"])
same(gw.get_tags(resourceArn=arn)["tags"], {"b": "2"}, "tags")
same(gw.get_tags(resourceArn=arn + "/stages/v2")["tags"], {"t": "1"}, "tags of a stage")
gw.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}])
same(gw.get_account()["cloudwatchRoleArn"], role, "account")
ok("stages, method settings, deployments, tags, account, and patches of all of them")

# --- Trying, exporting, importing
tried = gw.test_invoke_method(restApiId=rid, resourceId=pets, httpMethod="GET", pathWithQueryString="/pets?kind=bird",
                              headers={"z": "1"}, stageVariables={"v": "test"})
same((tried["status"], json.loads(tried["body"])["kind"], json.loads(tried["body"])["v"]), (200, "bird", "test"), "tried")
assert "Method completed with status: 200" in tried["log"], tried["log"]
swagger = json.loads(gw.get_export(restApiId=rid, stageName="prod", exportType="oas30",
                                   parameters={"extensions": "apigateway"})["body"].read())
assert swagger["openapi"].startswith("3.") and "/pets/{id}" in swagger["paths"], swagger
copy = gw.import_rest_api(body=json.dumps(swagger).encode())
cid = copy["id"]
gw.create_deployment(restApiId=cid, stageName="prod", variables={"v": "copied"})
same(json.loads(call(cid, "/prod/pets?kind=x")[2])["v"], "copied", "an imported copy")
same(json.loads(call(cid, "/prod/orders?a=1", "POST", b"{}", {"b": "2", **JSON})[2]), {"message": "Invalid request body"}, "its model")
small = {"swagger": "2.0", "info": {"title": "small", "version": "1"}, "paths": {"/a/{b}": {"get": {
    "responses": {"200": {"description": "ok"}}, "parameters": [{"name": "b", "in": "path", "required": True, "type": "string"}],
    "x-amazon-apigateway-integration": {"type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'},
                                        "responses": {"default": {"statusCode": "200", "responseTemplates": {
                                            "application/json": '{"b":"$input.params(\'b\')"}'}}}}}}}}
gw.put_rest_api(restApiId=cid, mode="overwrite", body=json.dumps(small).encode())
gw.create_deployment(restApiId=cid, stageName="prod")
same((json.loads(call(cid, "/prod/a/5")[2]), call(cid, "/prod/pets")[0]), ({"b": "5"}, 403), "overwritten")
for text in (b"{", b"{}", b'{"swagger":"2.0","paths":{"/a{b":{"get":{}}}}', b"[1]"):
    fails("BadRequestException", 400, gw.import_rest_api, body=text) if text.startswith(b"{") else None
deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
fails("BadRequestException", 400, gw.import_rest_api, body=deep)
before = len(gw.get_rest_apis(limit=500)["items"])
fails("BadRequestException", 400, gw.import_rest_api, body=json.dumps({
    **small, "paths": {"/a": {"get": {"security": [{"nope": []}]}}}}).encode())
same(len(gw.get_rest_apis(limit=500)["items"]), before, "nothing is left of a failed import")
ok("methods are tried, APIs exported, imported and overwritten")

# --- Permissions and the end
theirs = client("apigateway", k, s)
iam.put_user_policy(UserName="caller", PolicyName="g", PolicyDocument=json.dumps({
    "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "apigateway:GET", "Resource": arn + "/*"}]}))
assert len(theirs.get_resources(restApiId=rid, limit=3)["items"]) == 3
page, seen = {}, []
while True:
    page = theirs.get_resources(restApiId=rid, limit=4, **({"position": page["position"]} if page else {}))
    seen += [r["id"] for r in page["items"]]
    if "position" not in page:
        break
assert len(seen) == len(set(seen)) > 10
fails("AccessDeniedException", 403, theirs.get_rest_api, restApiId=rid)
fails("AccessDeniedException", 403, theirs.delete_resource, restApiId=rid, resourceId=pets)
fails("AccessDeniedException", 403, theirs.put_integration, restApiId=rid, resourceId=pets, httpMethod="GET",
      type="MOCK", credentials=role)
gw.delete_rest_api(restApiId=cid)
gw.delete_rest_api(restApiId=rid)
same(call(rid, "/prod/pets")[0], 403, "deleted")
fails("NotFoundException", 404, gw.get_resources, restApiId=rid)
ok("permissions by path, and nothing is left of a deleted API")
