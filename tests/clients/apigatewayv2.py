"""HTTP APIs: routes, HTTP integrations, IAM, JWT, CORS, stages, deployments, throttles, bad input."""

import json
import time

from apigateway_common import Backend, backend, call, signed
from common import ACCOUNT, ENDPOINT, client, fails, http, ok, same
from jwt_for_tests import jwks, token

gw, iam = client("apigatewayv2"), client("iam")
url = backend()

# --- An API by hand
api = gw.create_api(Name="first", ProtocolType="HTTP", Tags={"a": "1"})
aid = api["ApiId"]
same(api["ApiEndpoint"], f"https://{aid}.execute-api.us-east-1.amazonaws.com", "endpoint")
same(api["RouteSelectionExpression"], "$request.method $request.path", "selection")
same(gw.get_api(ApiId=aid)["Name"], "first", "name")
assert aid in [a["ApiId"] for a in gw.get_apis()["Items"]]
fails("NotFoundException", 404, gw.get_api, ApiId="nosuchapi0")
fails("NotImplemented", 400, gw.create_api, Name="w", ProtocolType="WEBSOCKET",
      RouteSelectionExpression="$request.body.action")
ok("APIs are made, read and listed; WebSocket is refused by name")

same(call(aid, "/x")[0], 404, "no stage yet")
same(json.loads(call(aid, "/x")[2]), {"message": "Not Found"}, "not found")
status, headers, body = call("zzzzzzzzzz", "/x")
same((status, json.loads(body)), (403, {"message": "Forbidden"}), "unknown API")


def integrate(path="/{proxy}", **more):
    more = {"IntegrationMethod": "ANY", "PayloadFormatVersion": "1.0", **more}
    return gw.create_integration(ApiId=aid, IntegrationType="HTTP_PROXY",
                                 IntegrationUri=url + path, **more)["IntegrationId"]


def route(key, integration, **more):
    return gw.create_route(ApiId=aid, RouteKey=key, Target=f"integrations/{integration}",
                           **more)["RouteId"]


any_of, fixed = integrate(), integrate("/fixed")
route("ANY /x/{proxy+}", any_of)
pets = route("GET /pets/{id}", integrate("/pet/{id}"))
route("GET /pets/dog", fixed)
gw.create_stage(ApiId=aid, StageName="$default", AutoDeploy=True)
stage = gw.get_stage(ApiId=aid, StageName="$default")
assert stage["AutoDeploy"] and stage["DeploymentId"], stage
assert "Successfully deployed" in stage["LastDeploymentStatusMessage"], stage

status, headers, body = call(aid, "/x/a%20b/c?q=1&q=2", "POST", b'{"k":1}',
                             {"Content-Type": "application/json", "X-Own": "v"})
told = json.loads(body)
same((status, told["method"], told["path"], told["query"], told["body"]),
     (200, "POST", "/a%20b/c", "q=1&q=2", '{"k":1}'), "proxied")
same(told["headers"]["x-own"], "v", "header")
assert told["headers"]["host"] == url.split("//")[1] and "for=127.0.0.1" in told["headers"]["forwarded"]
assert headers["x-backend"] == "yes" and headers["apigw-requestid"]
same(json.loads(call(aid, "/pets/7")[2])["path"], "/pet/7", "variable")
same(json.loads(call(aid, "/pets/dog")[2])["path"], "/fixed", "literal before variable")
same(call(aid, "/pets/dog", "POST")[0], 404, "no such method")
same(call(aid, "/pets/7", "HEAD")[0], 404, "HEAD has no route")
same(call(aid, "/x/?status=418")[0], 404, "a greedy variable needs something")
same(call(aid, "/x/y?status=418")[0], 418, "status is passed on")
for local in (f"/_aws/execute-api/{aid}/pets/9", f"/restapis/{aid}/$default/_user_request_/pets/9"):
    same(json.loads(http("GET", ENDPOINT + local)[2])["path"], "/pet/9", local)
same(json.loads(http("GET", ENDPOINT + "/pets/9", None,
                     {"Host": f"{aid}.execute-api.localhost:4566"})[2])["path"], "/pet/9", "localhost")
ok("routes go by method, literals, variables and greedy variables, under every name")

default = route("$default", fixed)
same(json.loads(call(aid, "/anything", "PUT")[2])["path"], "/fixed", "$default")
gw.delete_route(ApiId=aid, RouteId=default)
same(call(aid, "/anything", "PUT")[0], 404, "deleted")
fails("ConflictException", 409, gw.create_route, ApiId=aid, RouteKey="GET /pets/{id}")
for bad in ("GET pets", "FETCH /x", "GET /{a+}/b", "$connect"):
    fails("BadRequestException", 400, gw.create_route, ApiId=aid, RouteKey=bad)
fails("ConflictException", 409, gw.delete_integration, ApiId=aid, IntegrationId=fixed)
fails("NotFoundException", 404, gw.create_route, ApiId=aid, RouteKey="GET /q", Target="integrations/none")
fails("BadRequestException", 400, gw.create_integration, ApiId=aid, IntegrationType="MOCK",
      PayloadFormatVersion="1.0")
fails("BadRequestException", 400, gw.create_integration, ApiId=aid, IntegrationType="AWS_PROXY",
      IntegrationUri="nonsense", PayloadFormatVersion="2.0")
fails("NotImplemented", 400, gw.create_integration, ApiId=aid, IntegrationType="HTTP_PROXY",
      ConnectionType="VPC_LINK", ConnectionId="x", IntegrationUri=url, IntegrationMethod="GET",
      PayloadFormatVersion="1.0")
ok("$default, conflicts and malformed keys")

# --- Parameter mapping
mapped = integrate("/m", RequestParameters={
    "append:header.x-who": "$request.querystring.who", "overwrite:header.x-fixed": "a${context.stage}",
    "remove:querystring.who": "''", "overwrite:path": "/moved/$request.path.id"},
    ResponseParameters={"200": {"overwrite:statuscode": "202", "append:header.x-said": "$response.body.method"}})
route("GET /map/{id}", mapped)
status, headers, body = call(aid, "/map/5?who=me&z=1")
told = json.loads(body)
same((status, headers["x-said"], told["path"], told["query"], told["headers"]["x-who"],
      told["headers"]["x-fixed"]), (202, "GET", "/moved/5", "z=1", "me", "a$default"), "mapped")
fails("BadRequestException", 400, gw.update_integration, ApiId=aid, IntegrationId=mapped,
      RequestParameters={"append:header.authorization": "x"})
after = gw.update_integration(ApiId=aid, IntegrationId=mapped, RequestParameters={"remove:querystring.who": ""})
assert "remove:querystring.who" not in after["RequestParameters"] and len(after["RequestParameters"]) == 3
ok("parameters of requests and answers are mapped")

# --- Failure of the backend
route("GET /slow", integrate("/slow?sleep=2", TimeoutInMillis=200))
status, _, body = call(aid, "/slow")
same((status, json.loads(body)), (503, {"message": "Service Unavailable"}), "timeout")
route("GET /gone", integrate("/x", IntegrationMethod="GET"))
gone = gw.create_integration(ApiId=aid, IntegrationType="HTTP_PROXY", IntegrationUri="http://127.0.0.1:9/",
                             IntegrationMethod="GET", PayloadFormatVersion="1.0")["IntegrationId"]
route("GET /nobody", gone)
status, _, body = call(aid, "/nobody")
same((status, json.loads(body)), (500, {"message": "Internal Server Error"}), "nobody there")
lam = gw.create_integration(
    ApiId=aid, IntegrationType="AWS_PROXY", PayloadFormatVersion="2.0",
    IntegrationUri=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:absent")["IntegrationId"]
route("GET /lambda", lam)
status, _, body = call(aid, "/lambda")
same((status, json.loads(body)), (500, {"message": "Internal Server Error"}), "no function")
ok("timeouts, absent backends and absent functions answer as on AWS")

# --- IAM
route("GET /iam/{proxy+}", any_of, AuthorizationType="AWS_IAM")
route("POST /iam/{proxy+}", any_of, AuthorizationType="AWS_IAM")
iam.create_user(UserName="caller")
key = iam.create_access_key(UserName="caller")["AccessKey"]
k, s = key["AccessKeyId"], key["SecretAccessKey"]


def allow(resource):
    iam.put_user_policy(UserName="caller", PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource}]}))


forbidden = (403, {"message": "Forbidden"})
answer = lambda got: (got[0], json.loads(got[2]))
same(answer(call(aid, "/iam/a")), forbidden, "unsigned")
same(answer(signed(aid, "/iam/a", k, s)), forbidden, "no policy")
allow(f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{aid}/$default/GET/iam/a")
same(signed(aid, "/iam/a", k, s)[0], 200, "allowed")
same(answer(signed(aid, "/iam/b", k, s)), forbidden, "another path")
same(answer(signed(aid, "/iam/a", k, s, method="POST", body=b"x")), forbidden, "another method")
allow(f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{aid}/*/*")
same(signed(aid, "/iam/a", k, s, method="POST", body=b'{"a":1}')[0], 200, "with a body")
same(answer(signed(aid, "/iam/a", k, "wrong" + s)), forbidden, "wrong secret")
same(answer(signed(aid, "/iam/a", "AKIAAAAAAAAAAAAAAAAA", s)), forbidden, "unknown key")
same(answer(signed(aid, "/iam/a", k, s, service="s3")), forbidden, "signed for another service")
same(signed(aid, "/iam/a", "test", "test")[0], 200, "root")
host = {"Host": f"{aid}.execute-api.us-east-1.amazonaws.com"}
same(answer(call(aid, "/iam/a", headers={"Authorization": "AWS4-HMAC-SHA256 nonsense"})), forbidden, "nonsense")
iam.delete_user_policy(UserName="caller", PolicyName="p")
same(answer(signed(aid, "/iam/a", k, s)), forbidden, "policy taken away")
ok("AWS_IAM: signatures are verified and execute-api:Invoke decides by method and path")

# --- JWT
Backend.documents["/.well-known/openid-configuration"] = {"issuer": url, "jwks_uri": url + "/keys"}
Backend.documents["/keys"] = jwks()
auth = gw.create_authorizer(ApiId=aid, Name="jwt", AuthorizerType="JWT",
                            IdentitySource=["$request.header.Authorization"],
                            JwtConfiguration={"Audience": ["me"], "Issuer": url})["AuthorizerId"]
route("GET /jwt", fixed, AuthorizationType="JWT", AuthorizerId=auth)
route("GET /scoped", fixed, AuthorizationType="JWT", AuthorizerId=auth, AuthorizationScopes=["w", "x"])
soon = int(time.time()) + 600
claims = {"iss": url, "aud": "me", "exp": soon, "sub": "u1", "scope": "r w"}
bearer = lambda t: {"Authorization": f"Bearer {t}"}
status, headers, body = call(aid, "/jwt")
same((status, json.loads(body), headers["www-authenticate"]), (401, {"message": "Unauthorized"}, "Bearer"), "no token")
good = token(claims)
same(call(aid, "/jwt", headers=bearer(good))[0], 200, "a token")
same(call(aid, "/jwt", headers={"Authorization": good})[0], 200, "without its Bearer")
same(call(aid, "/scoped", headers=bearer(good))[0], 200, "scope")
same(call(aid, "/scoped", headers=bearer(token({**claims, "scope": "r"})))[0], 403, "no scope")
for what, bad in (("expired", token({**claims, "exp": soon - 1200})), ("issuer", token({**claims, "iss": "http://x"})),
                  ("audience", token({**claims, "aud": "you"})), ("key", token(claims, kid="k2")),
                  ("algorithm", token(claims, alg="none")), ("forged", good[:-8] + "AAAAAAAA"),
                  ("malformed", "a.b.c"), ("no dots", "xyz")):
    status, headers, body = call(aid, "/jwt", headers=bearer(bad))
    same((status, json.loads(body)), (401, {"message": "Unauthorized"}), what)
    assert "invalid_token" in headers["www-authenticate"], (what, headers)
fails("ConflictException", 409, gw.delete_authorizer, ApiId=aid, AuthorizerId=auth)
fails("BadRequestException", 400, gw.create_authorizer, ApiId=aid, Name="j2", AuthorizerType="JWT",
      IdentitySource=["$request.header.Authorization"])
fails("BadRequestException", 400, gw.create_authorizer, ApiId=aid, Name="j3", AuthorizerType="JWT",
      IdentitySource=["method.request.header.x"], JwtConfiguration={"Audience": ["me"], "Issuer": url})
ok("JWT authorizers verify signature, issuer, audience, times and scopes")

# --- CORS
gw.update_api(ApiId=aid, CorsConfiguration={
    "AllowOrigins": ["https://a.example"], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["x-a"],
    "MaxAge": 60, "AllowCredentials": True, "ExposeHeaders": ["x-backend"]})
ask = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
status, headers, _ = call(aid, "/pets/1", "OPTIONS", headers=ask)
same((status, headers["access-control-allow-origin"], headers["access-control-allow-methods"],
      headers["access-control-max-age"], headers["access-control-allow-credentials"]),
     (204, "https://a.example", "GET,POST", "60", "true"), "preflight")
_, headers, _ = call(aid, "/pets/1", "OPTIONS", headers={**ask, "Origin": "https://b.example"})
assert "access-control-allow-origin" not in headers
_, headers, _ = call(aid, "/pets/1", headers={"Origin": "https://a.example"})
same(headers["access-control-allow-origin"], "https://a.example", "decorated")
fails("BadRequestException", 400, gw.update_api, ApiId=aid, CorsConfiguration={
    "AllowOrigins": ["*"], "AllowCredentials": True})
gw.delete_cors_configuration(ApiId=aid)
same(call(aid, "/pets/1", "OPTIONS", headers=ask)[0], 404, "no CORS")
ok("CORS preflights are answered and answers decorated")

# --- Stages and deployments
fails("NotFoundException", 404, gw.create_stage, ApiId=aid, StageName="v0", DeploymentId="nothere")
first = gw.create_deployment(ApiId=aid, Description="one")["DeploymentId"]
gw.create_stage(ApiId=aid, StageName="v1", DeploymentId=first, StageVariables={"which": "pet"})
gw.update_route(ApiId=aid, RouteId=pets, Target=f"integrations/{fixed}")
same(json.loads(call(aid, "/v1/pets/3")[2])["path"], "/pet/3", "the stage serves its deployment")
same(json.loads(call(aid, "/pets/3")[2])["path"], "/fixed", "the default follows")
second = gw.create_deployment(ApiId=aid, StageName="v1")["DeploymentId"]
same(json.loads(call(aid, "/v1/pets/3")[2])["path"], "/fixed", "deployed")
gw.update_stage(ApiId=aid, StageName="v1", DeploymentId=first)
same(json.loads(call(aid, "/v1/pets/3")[2])["path"], "/pet/3", "rolled back")
fails("BadRequestException", 400, gw.delete_deployment, ApiId=aid, DeploymentId=first)
gw.delete_deployment(ApiId=aid, DeploymentId=second)
gw.update_stage(ApiId=aid, StageName="$default", AutoDeploy=False)
gw.update_route(ApiId=aid, RouteId=pets, OperationName="op", Target=f"integrations/{any_of}")
same(json.loads(call(aid, "/pets/3")[2])["path"], "/fixed", "follows no more")
gw.update_stage(ApiId=aid, StageName="$default", AutoDeploy=True)
fails("ConflictException", 409, gw.create_stage, ApiId=aid, StageName="v1")
fails("BadRequestException", 400, gw.create_stage, ApiId=aid, StageName="v 1")
ok("stages serve their deployments, roll back, follow or stop following")

# --- Throttles
fails("NotFoundException", 404, gw.update_stage, ApiId=aid, StageName="v1",
      RouteSettings={"GET /none": {"ThrottlingRateLimit": 1.0, "ThrottlingBurstLimit": 1}})
gw.update_stage(ApiId=aid, StageName="v1", RouteSettings={
    "GET /pets/dog": {"ThrottlingRateLimit": 0.5, "ThrottlingBurstLimit": 2}})
got = [call(aid, "/v1/pets/dog")[0] for _ in range(4)]
same(got[:2] + got[3:], [200, 200, 429], "throttled")
same(call(aid, "/v1/pets/7")[0], 200, "other routes are not")
gw.delete_route_settings(ApiId=aid, StageName="v1", RouteKey="GET /pets/dog")
same(call(aid, "/v1/pets/dog")[0], 200, "no more")
ok("throttles of routes answer 429")

# --- Tags, permission, size, lists
arn = f"arn:aws:apigateway:us-east-1::/apis/{aid}"
gw.tag_resource(ResourceArn=arn, Tags={"b": "2"})
gw.untag_resource(ResourceArn=arn, TagKeys=["a"])
same(gw.get_tags(ResourceArn=arn)["Tags"], {"b": "2"}, "tags")
gw.tag_resource(ResourceArn=arn + "/stages/v1", Tags={"s": "t"})
same(gw.get_stage(ApiId=aid, StageName="v1")["Tags"], {"s": "t"}, "tags of a stage")
theirs = client("apigatewayv2", k, s)
iam.put_user_policy(UserName="caller", PolicyName="g", PolicyDocument=json.dumps({
    "Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "apigateway:GET", "Resource": arn + "/*"}]}))
same(len(theirs.get_routes(ApiId=aid, MaxResults="3")["Items"]), 3, "a page")
page, seen = {}, []
while True:
    page = theirs.get_routes(ApiId=aid, MaxResults="4", **({"NextToken": page["NextToken"]} if page else {}))
    seen += [r["RouteKey"] for r in page["Items"]]
    if "NextToken" not in page:
        break
assert len(seen) == len(set(seen)) >= 10, seen
fails("AccessDeniedException", 403, theirs.get_api, ApiId=aid)
fails("AccessDeniedException", 403, theirs.delete_route, ApiId=aid, RouteId=pets)
fails("AccessDeniedException", 403, theirs.create_integration, ApiId=aid, IntegrationType="HTTP_PROXY")
same(call(aid, "/x/keys", "POST", b"x" * (10 << 20))[0], 200, "ten megabytes")
same(call(aid, "/x/keys", "POST", b"x" * ((10 << 20) + 1))[0], 413, "one more byte")
same(call(aid, "/x/echo", "POST", b"x" * (10 << 20))[0], 500, "an answer that is larger")
ok("tags, pages, permissions by path, and the limit of ten megabytes")

# --- Quick create
quick = gw.create_api(Name="quick", ProtocolType="HTTP", Target=url + "/quick")
qid = quick["ApiId"]
same(json.loads(call(qid, "/what/ever", "PATCH")[2])["path"], "/quick", "quick")
managed = gw.get_routes(ApiId=qid)["Items"][0]
assert managed["ApiGatewayManaged"] and managed["RouteKey"] == "$default", managed
gw.update_api(ApiId=qid, DisableExecuteApiEndpoint=True)
same(call(qid, "/what")[0], 404, "disabled")
gw.delete_api(ApiId=qid)
same(call(qid, "/what")[0], 403, "deleted")
gw.delete_api(ApiId=aid)
fails("NotFoundException", 404, gw.get_routes, ApiId=aid)
ok("quick create, and nothing is left of a deleted API")
