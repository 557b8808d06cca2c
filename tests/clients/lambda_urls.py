"""Function URLs, provisioned concurrency, tenants, and AWS's SDK inside a function."""

import io
import json
import urllib.parse
import uuid
import zipfile

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from common import ACCOUNT, ENDPOINT, client, fails, http, ok, same, until

lam = client("lambda", parameter_validation=False)
iam, s3, ddb = client("iam"), client("s3"), client("dynamodb")
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ROLE = iam.create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
INVALID = "InvalidParameterValueException"


def pack(code):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w") as z:
        z.writestr("app.py", code)
    return b.getvalue()


def make(name, code, **more):
    more = {"Runtime": "python3.13", "Handler": "app.handler", "Role": ROLE, "Timeout": 10, "Code": {"ZipFile": pack(code)}, **more}
    made = lam.create_function(FunctionName=name, **more)
    lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return made


def call(name, event=None, **more):
    answer = lam.invoke(FunctionName=name, Payload=json.dumps(event), **more)
    got = json.loads(answer["Payload"].read() or "null")
    assert "FunctionError" not in answer, got
    return got


WEB = """
import json
def handler(event, context):
    http = event['requestContext']['http']
    if event['rawPath'] == '/fail': raise ValueError('no')
    if event['rawPath'] == '/plain': return {'hello': 'world'}
    return {'statusCode': 201, 'headers': {'X-Mine': 'yes'}, 'cookies': ['a=1'], 'body': json.dumps(event)}
"""
made = make("web", WEB)
url = lam.create_function_url_config(FunctionName="web", AuthType="NONE", Cors={"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 60})
host = urllib.parse.urlparse(url["FunctionUrl"]).hostname
assert host.endswith(".lambda-url.us-east-1.on.aws"), host
fails("ResourceConflictException", 409, lam.create_function_url_config, FunctionName="web", AuthType="NONE")
fails("ResourceNotFoundException", 404, lam.create_function_url_config, FunctionName="web", Qualifier="live", AuthType="NONE")


def get(path, method="GET", body=None, **headers):
    return http(method, ENDPOINT + path, body, {"Host": host, **headers})


status, headers, body = get("/x")
same((status, headers["x-amzn-errortype"]), (403, "AccessDeniedException"), "nobody may yet")
lam.add_permission(FunctionName="web", StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*", FunctionUrlAuthType="NONE")
same(get("/x")[0], 403, "half of the permission")
lam.add_permission(FunctionName="web", StatementId="invoke", Action="lambda:InvokeFunction", Principal="*", InvokedViaFunctionUrl=True)
status, headers, body = get("/a%20b?x=1&x=2", "POST", b"hi", **{"Content-Type": "text/plain", "Cookie": "c=d", "Origin": "https://a.example"})
event = json.loads(body)
same((status, headers["x-mine"], headers["set-cookie"], headers["access-control-allow-origin"]), (201, "yes", "a=1", "https://a.example"), "answer")
same((event["version"], event["rawPath"], event["rawQueryString"], event["cookies"], event["body"], event["isBase64Encoded"]),
     ("2.0", "/a%20b", "x=1&x=2", ["c=d"], "hi", False), "event")
same((event["requestContext"]["domainName"], event["requestContext"]["accountId"], event["routeKey"], event["requestContext"]["http"]["method"]),
     (host, "anonymous", "$default", "POST"), "context")
same(json.loads(get("/plain")[2]), {"hello": "world"}, "an inferred answer")
same(get("/fail")[0], 502, "a function's error")
status, headers, _ = get("/x", "OPTIONS", **{"Origin": "https://a.example", "Access-Control-Request-Method": "GET"})
same((status, headers["access-control-max-age"]), (200, "60"), "preflight")
same(http("GET", f"{ENDPOINT}/_aws/lambda-url/{host.split('.')[0]}/plain")[0], 200, "by path")
same(http("GET", ENDPOINT + "/", headers={"Host": "nothing.lambda-url.us-east-1.on.aws"})[0], 403, "no such URL")
ok("a URL for everybody: events, answers, CORS")

lam.update_function_url_config(FunctionName="web", AuthType="AWS_IAM")
same(get("/plain")[0], 403, "unsigned")
lam.remove_permission(FunctionName="web", StatementId="url")
lam.remove_permission(FunctionName="web", StatementId="invoke")


def signed(key, path="/who"):
    request = AWSRequest("GET", f"https://{host}{path}", headers={"Host": host})
    SigV4Auth(Credentials(key["AccessKeyId"], key["SecretAccessKey"]), "lambda", "us-east-1").add_auth(request)
    return http("GET", ENDPOINT + path, headers=dict(request.headers))


iam.create_user(UserName="u")
key = iam.create_access_key(UserName="u")["AccessKey"]
same(signed(key)[0], 403, "a user without rights")
iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"], "Resource": made["FunctionArn"]}]}))
status, _, body = signed(key)
same((status, json.loads(body)["requestContext"]["authorizer"]["iam"]["userArn"]), (201, f"arn:aws:iam::{ACCOUNT}:user/u"), "a user with rights")
same(signed({**key, "SecretAccessKey": "x" * 40})[0], 403, "a wrong secret")
same(len(lam.list_function_url_configs(FunctionName="web")["FunctionUrlConfigs"]), 1, "list")
lam.delete_function_url_config(FunctionName="web")
fails("ResourceNotFoundException", 404, lam.get_function_url_config, FunctionName="web")
same(signed(key)[0], 403, "gone")
ok("a URL for those whom IAM lets in")

location = lam.get_function(FunctionName="web")["Code"]["Location"]
status, headers, body = http("GET", location)
same((status, body), (200, pack(WEB) if len(body) == 0 else body), "downloaded")
same(zipfile.ZipFile(io.BytesIO(body)).read("app.py").decode(), WEB, "the code as uploaded")
same(http("GET", location[:-4] + "0000")[0], 403, "a wrong signature")
ok("code can be fetched where GetFunction says")

COLD = "import uuid\nENV = str(uuid.uuid4())\ndef handler(e, c):\n    return {'env': ENV, 'seen': globals().setdefault('SEEN', []).append(c.tenant_id) or SEEN, 'tenant': c.tenant_id}\n"
make("warm", COLD)
version = lam.publish_version(FunctionName="warm")["Version"]
fails(INVALID, 400, lam.put_provisioned_concurrency_config, FunctionName="warm", Qualifier="$LATEST", ProvisionedConcurrentExecutions=1)
fails("ProvisionedConcurrencyConfigNotFoundException", 404, lam.get_provisioned_concurrency_config, FunctionName="warm", Qualifier=version)
same(lam.put_provisioned_concurrency_config(FunctionName="warm", Qualifier=version, ProvisionedConcurrentExecutions=2)["Status"], "IN_PROGRESS", "asked for")
until("ready", lambda: lam.get_provisioned_concurrency_config(FunctionName="warm", Qualifier=version)["Status"] == "READY")
got = lam.get_provisioned_concurrency_config(FunctionName="warm", Qualifier=version)
same((got["AllocatedProvisionedConcurrentExecutions"], got["AvailableProvisionedConcurrentExecutions"]), (2, 2), "two are ready")
call("warm:1")
lam.delete_provisioned_concurrency_config(FunctionName="warm", Qualifier=version)
ok("provisioned concurrency is really there")

fails(INVALID, 400, lam.invoke, FunctionName="warm", TenantId="a")
created = make("tenants", COLD, TenancyConfig={"TenantIsolationMode": "PER_TENANT"}, LoggingConfig={"LogFormat": "JSON"})
same(created["TenancyConfig"], {"TenantIsolationMode": "PER_TENANT"}, "tenancy")
a, b, again = call("tenants", TenantId="a"), call("tenants", TenantId="b"), call("tenants", TenantId="a")
same((a["tenant"], b["tenant"], again["tenant"]), ("a", "b", "a"), "tenants")
assert a["env"] == again["env"] != b["env"], (a, b, again)
same((again["seen"], b["seen"]), (["a", "a"], ["b"]), "an environment per tenant")
fails(INVALID, 400, lam.invoke, FunctionName="tenants")
fails("ValidationException", 400, lam.invoke, FunctionName="tenants", TenantId="a#b")
fails("ValidationException", 400, lam.invoke, FunctionName="tenants", TenantId="x" * 257)
fails(INVALID, 400, lam.create_function_url_config, FunctionName="tenants", AuthType="NONE")
fails(INVALID, 400, lam.update_function_configuration, FunctionName="tenants", SnapStart={"ApplyOn": "PublishedVersions"})
v = lam.publish_version(FunctionName="tenants")["Version"]
fails(INVALID, 400, lam.put_provisioned_concurrency_config, FunctionName="tenants", Qualifier=v, ProvisionedConcurrentExecutions=1)
same(lam.invoke(FunctionName="tenants", TenantId="a", InvocationType="Event")["StatusCode"], 202, "asynchronous")
ok("tenants have environments of their own")

iam.put_role_policy(RoleName="fn", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:aws:s3:::sdk-bucket/*"}]}))
s3.create_bucket(Bucket="sdk-bucket")
make("sdk", """
def handler(event, context):
    try:
        import boto3
    except ImportError:
        return 'no SDK'
    who = boto3.client('sts').get_caller_identity()['Arn']
    boto3.client('s3').put_object(Bucket='sdk-bucket', Key='k', Body=event['text'].encode())
    try:
        boto3.client('dynamodb').list_tables()
    except Exception as e:
        denied = type(e).__name__, e.response['Error']['Code']
    return [who, denied]
""", Timeout=30, MemorySize=512)
got = call("sdk", {"text": "from inside"})
if got != "no SDK":
    same(got, [f"arn:aws:sts::{ACCOUNT}:assumed-role/fn/sdk", ["ClientError", "AccessDeniedException"]], "who and what")
    same(s3.get_object(Bucket="sdk-bucket", Key="k")["Body"].read(), b"from inside", "written by the function")
    ok("boto3 in a function reaches S3 and STS, with the role's rights and no endpoint given")
