"""Lambda's functions as records: code, settings, versions, aliases, layers, permissions, tags."""

import io
import json
import stat
import zipfile

from common import ACCOUNT, client, fails, ok, same, until

lam = client("lambda", parameter_validation=False)
iam, s3 = client("iam"), client("s3")
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ROLE = iam.create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
iam.create_role(RoleName="other", AssumeRolePolicyDocument=TRUST.replace("lambda.", "ec2."))
INVALID = "InvalidParameterValueException"


def pack(files):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in files.items():
            z.writestr(name, text)
    return b.getvalue()


CODE = pack({"app.py": "def handler(event, context):\n    return event\n"})


def make(name, **more):
    more = {"Runtime": "python3.13", "Handler": "app.handler", "Role": ROLE,
            "Code": {"ZipFile": CODE}, **more}
    return lam.create_function(FunctionName=name, **more)


made = make("f", Description="d", Environment={"Variables": {"AB": "1"}}, Tags={"t": "v"})
same((made["FunctionArn"], made["Version"], made["State"]), (ARN + "f", "$LATEST", "Pending"), "created")
same((made["MemorySize"], made["Timeout"], made["EphemeralStorage"], made["PackageType"], made["Architectures"]),
     (128, 3, {"Size": 512}, "Zip", ["x86_64"]), "defaults")
same(made["LoggingConfig"], {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}, "logging")
lam.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
got = lam.get_function(FunctionName=ARN + "f")
same((got["Configuration"]["State"], got["Configuration"]["LastUpdateStatus"]), ("Active", "Successful"), "state")
same((got["Tags"], got["Code"]["RepositoryType"]), ({"t": "v"}, "S3"), "tags and code")
same(got["Configuration"]["Environment"], {"Variables": {"AB": "1"}}, "environment")
same(lam.get_function_configuration(FunctionName=f"{ACCOUNT}:function:f")["FunctionArn"], ARN + "f", "partial ARN")
ok("create, wait until active, get by name, ARN and partial ARN")

fails("ResourceConflictException", 409, make, "f")
fails("ResourceNotFoundException", 404, lam.get_function, FunctionName="none")
fails("ResourceNotFoundException", 404, lam.get_function, FunctionName="f", Qualifier="7")
fails(INVALID, 400, make, "g", Role=ROLE.replace("fn", "other"))
fails(INVALID, 400, make, "g", Role=ROLE.replace("fn", "missing"))
fails(INVALID, 400, make, "g", Runtime="python3.7")
fails("NotImplemented", 400, make, "g", Runtime="java21")
fails("ValidationException", 400, make, "g", Runtime="cobol85")
fails(INVALID, 400, make, "g", MemorySize=20000)
fails(INVALID, 400, make, "g", Timeout=901)
fails("ValidationException", 400, make, "g", Timeout=0)
fails(INVALID, 400, make, "g", Environment={"Variables": {"AWS_REGION": "x"}})
fails(INVALID, 400, make, "g", Environment={"Variables": {"BIG": "x" * 4096}})
fails(INVALID, 400, make, "g", LoggingConfig={"LogFormat": "Text", "ApplicationLogLevel": "INFO"})
fails("NotImplemented", 400, make, "g", VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})
fails("NotImplemented", 400, make, "g", SnapStart={"ApplyOn": "PublishedVersions"})
fails("NotImplemented", 400, make, "g", PackageType="Image", Code={"ImageUri": "x"})
fails(("ValidationException", INVALID), 400, make, "x" * 65)
fails(INVALID, 400, make, "g", Code={"ZipFile": b"not a zip"})
fails(INVALID, 400, make, "g", Code={"ZipFile": pack({})})
fails(INVALID, 400, make, "g", Code={"ZipFile": pack({"../../etc/passwd": "x"})})
fails(INVALID, 400, make, "g", Code={"ZipFile": pack({"bomb": b"\0" * (251 << 20)})})
fails(INVALID, 400, make, "g", Code={"S3Bucket": "no-such-bucket", "S3Key": "k"})
link = zipfile.ZipInfo("link")
link.external_attr = (stat.S_IFLNK | 0o777) << 16
make("links", Code={"ZipFile": pack({link: "../../../etc/passwd"})})
until("a link out of the folder is found", lambda: lam.get_function(FunctionName="links")["Configuration"]["State"] == "Failed")
lam.delete_function(FunctionName="links")
ok("bad roles, runtimes, sizes, variables and archives are refused in AWS's words")

s3.create_bucket(Bucket="code")
s3.put_object(Bucket="code", Key="f.zip", Body=CODE)
user = iam.create_user(UserName="dev")["User"]
key = iam.create_access_key(UserName="dev")["AccessKey"]
dev = client("lambda", key["AccessKeyId"], key["SecretAccessKey"])


def may(*statements):
    document = [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in statements]
    iam.put_user_policy(UserName="dev", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": document}))


from_s3 = {"FunctionName": "s", "Runtime": "nodejs22.x", "Handler": "index.handler", "Role": ROLE, "Code": {"S3Bucket": "code", "S3Key": "f.zip"}}
fails("AccessDeniedException", 403, dev.create_function, **from_s3)
may(("lambda:CreateFunction", ARN + "s"))
error = fails("AccessDeniedException", 403, dev.create_function, **from_s3)
assert "iam:PassRole" in error["Error"]["Message"], error
may(("lambda:CreateFunction", ARN + "s"), ("iam:PassRole", ROLE))
error = fails("AccessDeniedException", 403, dev.create_function, **from_s3)
assert "denied by S3" in error["Error"]["Message"], error
may(("lambda:CreateFunction", ARN + "s"), ("iam:PassRole", ROLE), ("s3:GetObject", "arn:aws:s3:::code/*"))
same(dev.create_function(**from_s3)["CodeSha256"], made["CodeSha256"], "the same code")
fails("AccessDeniedException", 403, dev.get_function, FunctionName="s")
fails("AccessDeniedException", 403, dev.list_functions)
ok("code from S3 with the caller's rights; PassRole; least privilege")


def settled(name):
    lam.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return lam.get_function_configuration(FunctionName=name)


now = settled("f")
fails("PreconditionFailedException", 412, lam.update_function_configuration, FunctionName="f", Timeout=5, RevisionId="0" * 36)
changed = lam.update_function_configuration(FunctionName="f", Timeout=5, RevisionId=now["RevisionId"], LoggingConfig={"LogFormat": "JSON"})
same((changed["Timeout"], changed["LastUpdateStatus"]), (5, "InProgress"), "update")
same(changed["LoggingConfig"], {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": "/aws/lambda/f"}, "JSON logs")
now = settled("f")
same(now["Environment"], {"Variables": {"AB": "1"}}, "what was not named stays")
one = lam.publish_version(FunctionName="f", Description="first")
same((one["Version"], one["FunctionArn"], one["Description"]), ("1", ARN + "f:1", "first"), "version 1")
same(lam.publish_version(FunctionName="f")["Version"], "1", "nothing changed")
fails(INVALID, 400, lam.publish_version, FunctionName="f", CodeSha256="x")
dry = lam.update_function_code(FunctionName="f", ZipFile=pack({"app.py": "x = 2"}), DryRun=True)
assert dry["CodeSha256"] != one["CodeSha256"]
same(lam.get_function_configuration(FunctionName="f")["CodeSha256"], one["CodeSha256"], "a dry run changes nothing")
two = lam.update_function_code(FunctionName="f", ZipFile=pack({"app.py": "x = 2"}), Publish=True)
same(two["Version"], "2", "published with the code")
settled("f")
same(lam.get_function_configuration(FunctionName="f:1")["CodeSha256"], one["CodeSha256"], "versions stay")
same([v["Version"] for v in lam.list_versions_by_function(FunctionName="f")["Versions"]], ["$LATEST", "1", "2"], "versions")
pages = lam.get_paginator("list_versions_by_function").paginate(FunctionName="f", PaginationConfig={"PageSize": 1})
same([v["Version"] for p in pages for v in p["Versions"]], ["$LATEST", "1", "2"], "pages of versions")
ok("updates with revisions, immutable versions, dry runs")

alias = lam.create_alias(FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}})
same((alias["AliasArn"], alias["RoutingConfig"]), (ARN + "f:live", {"AdditionalVersionWeights": {"2": 0.25}}), "alias")
fails("ResourceConflictException", 409, lam.create_alias, FunctionName="f", Name="live", FunctionVersion="1")
fails("ResourceNotFoundException", 404, lam.create_alias, FunctionName="f", Name="bad", FunctionVersion="9")
fails("ValidationException", 400, lam.create_alias, FunctionName="f", Name="12", FunctionVersion="1")
same(lam.get_function_configuration(FunctionName="f", Qualifier="live")["Version"], "1", "by alias")
fails("ResourceConflictException", 409, lam.delete_function, FunctionName="f", Qualifier="2")
lam.update_alias(FunctionName="f", Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}})
assert "RoutingConfig" not in lam.get_alias(FunctionName="f", Name="live")
lam.delete_function(FunctionName="f", Qualifier="1")
fails("ResourceNotFoundException", 404, lam.get_function, FunctionName="f:1")
same([a["Name"] for a in lam.list_aliases(FunctionName="f")["Aliases"]], ["live"], "aliases")
ok("aliases with weights; a version in use stays")

statement = lam.add_permission(FunctionName="f", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
                               SourceArn="arn:aws:s3:::code", SourceAccount=ACCOUNT)["Statement"]
same(json.loads(statement), {
    "Sid": "s3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:InvokeFunction",
    "Resource": ARN + "f", "Condition": {"StringEquals": {"AWS:SourceAccount": ACCOUNT}, "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::code"}}}, "statement")
fails("ResourceConflictException", 409, lam.add_permission, FunctionName="f", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
fails(INVALID, 400, lam.add_permission, FunctionName="f", StatementId="x", Action="lambda:InvokeFunction", Principal="nobody")
policy = lam.get_policy(FunctionName="f")
same([s["Sid"] for s in json.loads(policy["Policy"])["Statement"]], ["s3"], "policy")
fails("ResourceNotFoundException", 404, lam.get_policy, FunctionName="f", Qualifier="live")
fails("ResourceNotFoundException", 404, lam.remove_permission, FunctionName="f", StatementId="none")
lam.remove_permission(FunctionName="f", StatementId="s3", RevisionId=policy["RevisionId"])
fails("ResourceNotFoundException", 404, lam.get_policy, FunctionName="f")
ok("permissions, statement by statement")

layers = [lam.publish_layer_version(LayerName="l", Content={"ZipFile": pack({"python/x.py": f"V = {n}"})}, CompatibleRuntimes=["python3.13"]) for n in (1, 2)]
same([v["Version"] for v in layers], [1, 2], "layer versions")
same(lam.list_layers()["Layers"][0]["LatestMatchingVersion"]["Version"], 2, "latest")
same([v["Version"] for v in lam.list_layer_versions(LayerName="l")["LayerVersions"]], [2, 1], "newest first")
same(lam.get_layer_version_by_arn(Arn=layers[0]["LayerVersionArn"])["Version"], 1, "by ARN")
same(lam.list_layers(CompatibleRuntime="nodejs22.x")["Layers"], [], "by runtime")
settled("f")
lam.update_function_configuration(FunctionName="f", Layers=[layers[0]["LayerVersionArn"]])
same([x["Arn"] for x in settled("f")["Layers"]], [layers[0]["LayerVersionArn"]], "used")
lam.delete_layer_version(LayerName="l", VersionNumber=1)
fails("ResourceNotFoundException", 404, lam.get_layer_version, LayerName="l", VersionNumber=1)
same(len(settled("f")["Layers"]), 1, "functions keep a deleted layer")
for bad in ([layers[0]["LayerVersionArn"]], [layers[1]["LayerVersionArn"] + "0"], [f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:l{n}:1" for n in range(6)]):
    fails(INVALID, 400, lam.update_function_configuration, FunctionName="f", Layers=bad)
lam.add_layer_version_permission(LayerName="l", VersionNumber=2, StatementId="all", Action="lambda:GetLayerVersion", Principal="*")
same(json.loads(lam.get_layer_version_policy(LayerName="l", VersionNumber=2)["Policy"])["Statement"][0]["Principal"], "*", "layer policy")
lam.remove_layer_version_permission(LayerName="l", VersionNumber=2, StatementId="all")
fails("ResourceNotFoundException", 404, lam.get_layer_version_policy, LayerName="l", VersionNumber=2)
ok("layers: versions, policies, use, and a deleted one that stays with its functions")

same(lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=10)["ReservedConcurrentExecutions"], 10, "reserved")
fails(INVALID, 400, lam.put_function_concurrency, FunctionName="s", ReservedConcurrentExecutions=891)
same(lam.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"], 990, "unreserved")
same(lam.get_function(FunctionName="f")["Concurrency"], {"ReservedConcurrentExecutions": 10}, "in GetFunction")
lam.delete_function_concurrency(FunctionName="f")
assert "ReservedConcurrentExecutions" not in lam.get_function_concurrency(FunctionName="f")
config = lam.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1)
same((config["FunctionArn"], config["MaximumRetryAttempts"], config["DestinationConfig"]), (ARN + "f:$LATEST", 1, {"OnSuccess": {}, "OnFailure": {}}), "event config")
lam.update_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=60)
same(lam.get_function_event_invoke_config(FunctionName="f")["MaximumRetryAttempts"], 1, "kept")
fails(INVALID, 400, lam.put_function_event_invoke_config, FunctionName="f",
      DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"}})
same(len(lam.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"]), 1, "list")
lam.delete_function_event_invoke_config(FunctionName="f")
fails("ResourceNotFoundException", 404, lam.get_function_event_invoke_config, FunctionName="f")
same(lam.get_function_code_signing_config(FunctionName="f")["FunctionName"], "f", "no code signing")
same(lam.get_runtime_management_config(FunctionName="f")["UpdateRuntimeOn"], "Auto", "runtime updates")
same(lam.get_function_recursion_config(FunctionName="f")["RecursiveLoop"], "Terminate", "recursion")
lam.tag_resource(Resource=ARN + "f", Tags={"a": "b"})
lam.untag_resource(Resource=ARN + "f", TagKeys=["t"])
same(lam.list_tags(Resource=ARN + "f")["Tags"], {"a": "b"}, "tags")
ok("concurrency, event settings, tags")

for n in range(4):
    make(f"p{n}")
names = [f["FunctionName"] for p in lam.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}) for f in p["Functions"]]
same(names, ["f", "p0", "p1", "p2", "p3", "s"], "pages")
everything = [f["FunctionArn"].removeprefix(ARN) for p in lam.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 2}) for f in p["Functions"]]
same(everything, ["f:$LATEST", "f:2"] + [f"{n}:$LATEST" for n in ("p0", "p1", "p2", "p3", "s")], "all versions")
lam.delete_function(FunctionName="f")
fails("ResourceNotFoundException", 404, lam.delete_function, FunctionName="f")
fails("ResourceNotFoundException", 404, lam.get_alias, FunctionName="f", Name="live")
make("f")
same(lam.list_versions_by_function(FunctionName="f")["Versions"][0]["Version"], "$LATEST", "a new one of the same name")
same(lam.list_aliases(FunctionName="f")["Aliases"], [], "nothing of the old one is left")
ok("lists in pages; deleting takes everything along")
