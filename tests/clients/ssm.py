"""Parameter Store: versions, labels, hierarchies, SecureStrings under KMS keys, expiry on the clock."""

import base64
import datetime
import json
import os
import subprocess
import sys

from common import ACCOUNT, ENDPOINT, client, fails, ok, same, until

ssm, iam, kms, sm = client("ssm"), client("iam"), client("kms"), client("secretsmanager")
loose = client("ssm", parameter_validation=False)


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def user(name, *statements):
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return client("ssm", key["AccessKeyId"], key["SecretAccessKey"])


def value(name, **more):
    return ssm.get_parameter(Name=name, **more)["Parameter"]["Value"]


def arn(name):
    return f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/{name.lstrip('/')}"


same(ssm.put_parameter(Name="/app/url", Value="one", Type="String", Tags=[{"Key": "team", "Value": "red"}])["Version"], 1, "version 1")
got = ssm.get_parameter(Name="/app/url")["Parameter"]
same((got["Name"], got["Type"], got["Value"], got["Version"], got["ARN"], got["DataType"]),
     ("/app/url", "String", "one", 1, arn("/app/url"), "text"), "GetParameter")
same(value(arn("/app/url")), "one", "by ARN")
fails("ParameterAlreadyExists", 400, ssm.put_parameter, Name="/app/url", Value="x", Type="String")
put = ssm.put_parameter(Name="/app/url", Value="two", Overwrite=True, Description="d")
same((put["Version"], put["Tier"]), (2, "Standard"), "version 2")
same((value("/app/url"), value("/app/url:1"), value("/app/url:2")), ("two", "one", "two"), "by version")
same(ssm.get_parameter(Name="/app/url:1")["Parameter"]["Selector"], ":1", "the selector")
fails("ParameterVersionNotFound", 400, ssm.get_parameter, Name="/app/url:3")
fails("ParameterNotFound", 400, ssm.get_parameter, Name="/app/none")
for name in ("aws-x", "ssm", "a/b", "/a b", "/a//b", ""):
    fails("ValidationException", 400, loose.put_parameter, Name=name, Value="x", Type="String")
fails("AccessDeniedException", 400, ssm.put_parameter, Name="/aws/x", Value="x", Type="String")
fails("HierarchyLevelLimitExceededException", 400, ssm.put_parameter, Name="/" + "/".join("abcdefghijklmnop"), Value="x", Type="String")
fails("ValidationException", 400, ssm.put_parameter, Name="untyped", Value="x")
fails("ValidationException", 400, ssm.put_parameter, Name="/app/url", Value="x", Overwrite=True, Tags=[{"Key": "a", "Value": "b"}])
fails("ValidationException", 400, ssm.put_parameter, Name="nest", Value="{{x}}", Type="String")
fails("ValidationException", 400, ssm.put_parameter, Name="empty", Value="", Type="String")
fails("ValidationException", 400, ssm.put_parameter, Name="big", Value="x" * 4097, Type="String")
same(ssm.put_parameter(Name="big", Value="x" * 4097, Type="String", Tier="Intelligent-Tiering")["Tier"], "Advanced", "a big one")
fails("ValidationException", 400, ssm.put_parameter, Name="big", Value="x", Overwrite=True, Tier="Standard")
fails("ValidationException", 400, ssm.put_parameter, Name="huge", Value="x" * 8193, Type="String", Tier="Advanced")
ssm.put_parameter(Name="number", Value="12", Type="String", AllowedPattern=r"^\d+$")
fails("ParameterPatternMismatchException", 400, ssm.put_parameter, Name="number", Value="a", Overwrite=True, AllowedPattern=r"\d+")
fails("InvalidAllowedPatternException", 400, ssm.put_parameter, Name="number", Value="a", Overwrite=True, AllowedPattern="(")
fails("ValidationException", 400, ssm.put_parameter, Name="image", Value="no", Type="String", DataType="aws:ec2:image")
fails("NotImplemented", 400, client("ssm").send_command, DocumentName="AWS-RunShellScript")
ok("parameters, versions, names, tiers, patterns")

same(ssm.label_parameter_version(Name="/app/url", ParameterVersion=1, Labels=["prod", "1bad", "aws-x"])["InvalidLabels"], ["1bad", "aws-x"], "labels")
same(value("/app/url:prod"), "one", "by label")
ssm.label_parameter_version(Name="/app/url", Labels=["prod"])
same(value("/app/url:prod"), "two", "the label has moved")
fails("ParameterVersionNotFound", 400, ssm.get_parameter, Name="/app/url:none")
fails("ParameterVersionLabelLimitExceeded", 400, ssm.label_parameter_version, Name="/app/url", Labels=[f"l{i}" for i in range(10)])
same(ssm.unlabel_parameter_version(Name="/app/url", ParameterVersion=2, Labels=["prod", "x"])["RemovedLabels"], ["prod"], "unlabelled")
ssm.label_parameter_version(Name="/app/url", ParameterVersion=1, Labels=["first"])
history = ssm.get_parameter_history(Name="/app/url")["Parameters"]
same([(h["Version"], h["Value"], h["Labels"]) for h in history], [(1, "one", ["first"]), (2, "two", [])], "history")
same(history[0]["LastModifiedUser"], f"arn:aws:iam::{ACCOUNT}:root", "who")
for i in range(3, 101):
    ssm.put_parameter(Name="/app/url", Value=str(i), Overwrite=True)
fails("ParameterMaxVersionLimitExceeded", 400, ssm.put_parameter, Name="/app/url", Value="101", Overwrite=True)
ssm.unlabel_parameter_version(Name="/app/url", ParameterVersion=1, Labels=["first"])
ssm.put_parameter(Name="/app/url", Value="101", Overwrite=True)
fails("ParameterVersionNotFound", 400, ssm.get_parameter, Name="/app/url:1")
versions = [h["Version"] for page in ssm.get_paginator("get_parameter_history").paginate(Name="/app/url", PaginationConfig={"PageSize": 30}) for h in page["Parameters"]]
same(versions, list(range(2, 102)), "the last hundred versions, in pages")
ok("labels and history")

for name in ("/h/a", "/h/b", "/h/b/c", "/h/b/d/e", "/h/z", "/hh"):
    ssm.put_parameter(Name=name, Value=name, Type="StringList" if name == "/h/z" else "String")


def below(path, **more):
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path, PaginationConfig={"PageSize": 2}, **more)
    return [p["Name"] for page in pages for p in page["Parameters"]]


same(below("/h"), ["/h/a", "/h/b", "/h/z"], "one level")
same(below("/h/", Recursive=True), ["/h/a", "/h/b", "/h/b/c", "/h/b/d/e", "/h/z"], "all levels")
same(below("/h", Recursive=True, ParameterFilters=[{"Key": "Type", "Values": ["StringList"]}]), ["/h/z"], "by type")
ssm.label_parameter_version(Name="/h/b/c", Labels=["live"])
same(below("/h", Recursive=True, ParameterFilters=[{"Key": "Label", "Values": ["live"]}]), ["/h/b/c"], "by label")
fails("ValidationException", 400, ssm.get_parameters_by_path, Path="h")
fails("InvalidFilterKey", 400, ssm.get_parameters_by_path, Path="/h", ParameterFilters=[{"Key": "Name", "Values": ["x"]}])
fails("InvalidNextToken", 400, ssm.get_parameters_by_path, Path="/h", NextToken="???")
many = ssm.get_parameters(Names=["/h/a", "none", "/h/z", "/h/a:9"])
same(([p["Name"] for p in many["Parameters"]], many["InvalidParameters"]), (["/h/a", "/h/z"], ["none", "/h/a:9"]), "GetParameters")


def described(*filters, **more):
    return [p["Name"] for p in ssm.describe_parameters(ParameterFilters=list(filters), **more)["Parameters"]]


same(described({"Key": "Name", "Values": ["/h/a", "number"]}), ["/h/a", "number"], "by name")
same(described({"Key": "Name", "Option": "BeginsWith", "Values": ["/h/b"]}), ["/h/b", "/h/b/c", "/h/b/d/e"], "by a name's beginning")
same(described({"Key": "Path", "Values": ["/h"]}), ["/h/a", "/h/b", "/h/z"], "by path")
same(described({"Key": "tag:team", "Values": ["red"]}), ["/app/url"], "by tag")
same(described({"Key": "Tier", "Values": ["Advanced"]}), ["big"], "by tier")
fails("InvalidFilterOption", 400, ssm.describe_parameters, ParameterFilters=[{"Key": "Type", "Option": "Contains", "Values": ["String"]}])
names = [p["Name"] for page in ssm.get_paginator("describe_parameters").paginate(PaginationConfig={"PageSize": 3}) for p in page["Parameters"]]
same(names, ["/app/url", "/h/a", "/h/b", "/h/b/c", "/h/b/d/e", "/h/z", "/hh", "big", "number"], "all, in pages")
gone = ssm.delete_parameters(Names=["/h/a", "none"])
same((gone["DeletedParameters"], gone["InvalidParameters"]), (["/h/a"], ["none"]), "DeleteParameters")
ssm.delete_parameter(Name="/hh")
fails("ParameterNotFound", 400, ssm.delete_parameter, Name="/hh")
same(ssm.put_parameter(Name="/hh", Value="again", Type="String")["Version"], 1, "deleted with its versions")
ok("hierarchies, filters, pages, deletion")

ssm.put_parameter(Name="/s/db", Value="hidden", Type="SecureString")
closed = value("/s/db")
assert closed != "hidden" and b"hidden" not in base64.b64decode(closed), closed
same(value("/s/db", WithDecryption=True), "hidden", "decrypted")
fails("AccessDeniedException", 400, kms.decrypt, CiphertextBlob=base64.b64decode(closed), EncryptionContext={"PARAMETER_ARN": arn("/s/db")})
same(ssm.describe_parameters(ParameterFilters=[{"Key": "Type", "Values": ["SecureString"]}])["Parameters"][0]["KeyId"], "alias/aws/ssm", "the key")
key = kms.create_key()["KeyMetadata"]
ssm.put_parameter(Name="/s/own", Value="mine", Type="SecureString", KeyId=key["KeyId"])
same(kms.decrypt(CiphertextBlob=base64.b64decode(value("/s/own")), EncryptionContext={"PARAMETER_ARN": arn("/s/own")})["Plaintext"], b"mine", "KMS opens it, with the ARN")
ssm.put_parameter(Name="/s/big", Value="y" * 8192, Type="SecureString", Tier="Advanced", KeyId=key["KeyId"])
same(value("/s/big", WithDecryption=True), "y" * 8192, "an advanced one")
fails("InvalidKeyId", 400, ssm.put_parameter, Name="/s/x", Value="x", Type="SecureString", KeyId="alias/none")
fails("ValidationException", 400, ssm.put_parameter, Name="/s/x", Value="x", Type="String", KeyId=key["KeyId"])
kms.disable_key(KeyId=key["KeyId"])
fails("InvalidKeyId", 400, ssm.get_parameter, Name="/s/own", WithDecryption=True)
kms.enable_key(KeyId=key["KeyId"])
ann = user("ann", allow(["ssm:GetParameter*"], [arn("/s/*"), arn("/h")]), {"Effect": "Deny", "Action": "ssm:*", "Resource": arn("/s/big")})
same(ann.get_parameter(Name="/s/db", WithDecryption=True)["Parameter"]["Value"], "hidden", "through the AWS managed key")
error = fails("AccessDeniedException", 400, ann.get_parameter, Name="/s/own", WithDecryption=True)
assert "kms:Decrypt" in error["Error"]["Message"], error
assert ann.get_parameter(Name="/s/own")["Parameter"]["Value"] != "mine"
error = fails("AccessDeniedException", 400, ann.get_parameter, Name="/app/url")
assert f"user/ann is not authorized to perform: ssm:GetParameter on resource: {arn('/app/url')}" in error["Error"]["Message"], error
fails("AccessDeniedException", 400, ann.get_parameters, Names=["/s/db", "/app/url"])
fails("AccessDeniedException", 400, ann.get_parameter, Name="/s/big")
same([p["Name"] for p in ann.get_parameters_by_path(Path="/h")["Parameters"]], ["/h/b", "/h/z"], "a path that is allowed")
fails("AccessDeniedException", 400, ann.get_parameters_by_path, Path="/app")
fails("AccessDeniedException", 400, ann.put_parameter, Name="/s/db", Value="x", Overwrite=True)
bob = user("bob", allow("ssm:GetParameter", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}))
bob.get_parameter(Name="/app/url")
fails("AccessDeniedException", 400, bob.get_parameter, Name="/h/z")
fails("ParameterNotFound", 400, client("ssm", "123456789012").get_parameter, Name="/app/url")
ok("SecureStrings under KMS keys; who may read what")

secret = sm.create_secret(Name="ref/secret", SecretString="from afar")["ARN"]
got = ssm.get_parameter(Name="/aws/reference/secretsmanager/ref/secret", WithDecryption=True)["Parameter"]
same((got["Value"], got["Type"], got["ARN"], json.loads(got["SourceResult"])["name"]), ("from afar", "SecureString", secret, "ref/secret"), "a secret")
fails("ValidationException", 400, ssm.get_parameter, Name="/aws/reference/secretsmanager/ref/secret")
fails("ParameterNotFound", 400, ssm.get_parameter, Name="/aws/reference/secretsmanager/none", WithDecryption=True)
carl = user("carl", allow("ssm:GetParameter"))
fails("AccessDeniedException", 400, carl.get_parameter, Name="/aws/reference/secretsmanager/ref/secret", WithDecryption=True)
image = value("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
assert image.startswith("ami-0"), image
same(value("/aws/service/global-infrastructure/regions/eu-central-1/longName"), "Europe (Frankfurt)", "a Region")
assert "/aws/service/global-infrastructure/regions/us-east-1" in below("/aws/service/global-infrastructure/regions")
fails("ParameterNotFound", 400, ssm.get_parameter, Name="/aws/service/none")
ok("references to secrets, public parameters")

ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/app/url", Tags=[{"Key": "x", "Value": "y"}])
ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId="/app/url", TagKeys=["team"])
same(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/app/url")["TagList"], [{"Key": "x", "Value": "y"}], "tags")
fails("InvalidResourceId", 400, ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId="none")
fails("NotImplemented", 400, ssm.list_tags_for_resource, ResourceType="Document", ResourceId="x")
soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
expiration = [{"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": soon}}]
fails("ValidationException", 400, ssm.put_parameter, Name="/e/s", Value="x", Type="String", Policies=json.dumps(expiration))
fails("NotImplemented", 400, ssm.put_parameter, Name="/e/s", Value="x", Type="String", Tier="Advanced", Policies=json.dumps(
    [{"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "20", "Unit": "Days"}}]))
fails("InvalidPolicyTypeException", 400, ssm.put_parameter, Name="/e/s", Value="x", Type="String", Tier="Advanced", Policies='[{"Type":"X","Version":"1.0"}]')
fails("InvalidPolicyAttributeException", 400, ssm.put_parameter, Name="/e/s", Value="x", Type="String", Tier="Advanced", Policies="{")
ssm.put_parameter(Name="/e/goes", Value="x", Type="String", Tier="Advanced", Policies=json.dumps(expiration))
ssm.put_parameter(Name="/e/stays", Value="x", Type="String", Tier="Advanced", Policies=json.dumps(expiration))
ssm.put_parameter(Name="/e/stays", Value="y", Overwrite=True)
same(ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/e/goes"]}])["Parameters"][0]["Policies"][0]["PolicyType"], "Expiration", "the policy")
port = ENDPOINT.rsplit(":", 1)[1]
subprocess.run([os.environ["FOGBANK_BIN"], "clock", "--port", port, "advance", "61m"], check=True, stdout=sys.stderr)
until("the parameter expires", lambda: ssm.get_parameters(Names=["/e/goes"])["InvalidParameters"] == ["/e/goes"])
same(value("/e/stays"), "y", "a policy that was taken back")
ok("tags, expiry on the clock")
