"""Secrets Manager: versions and their stages, values under KMS keys, policies that decide, deletion on the clock."""

import json
import os
import string
import subprocess
import sys

from common import ACCOUNT, ENDPOINT, client, fails, ok, same, until

sm, iam, kms = client("secretsmanager"), client("iam"), client("kms")
loose = client("secretsmanager", parameter_validation=False)
OTHER = "123456789012"
TOKENS = [f"{i}" * 32 for i in range(9)]


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def user(name, *statements):
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return client("secretsmanager", key["AccessKeyId"], key["SecretAccessKey"])


def advance(time):
    port = ENDPOINT.rsplit(":", 1)[1]
    subprocess.run([os.environ["FOGBANK_BIN"], "clock", "--port", port, "advance", time], check=True, stdout=sys.stderr)


def stages(name):
    return {v: sorted(s) for v, s in sm.describe_secret(SecretId=name)["VersionIdsToStages"].items()}


made = sm.create_secret(Name="app/db", ClientRequestToken=TOKENS[0], SecretString="one", Description="first", Tags=[{"Key": "team", "Value": "red"}])
arn = made["ARN"]
assert arn.startswith(f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:app/db-") and len(arn.rsplit("-", 1)[1]) == 6, arn
same((made["Name"], made["VersionId"]), ("app/db", TOKENS[0]), "CreateSecret")
same(sm.create_secret(Name="app/db", ClientRequestToken=TOKENS[0], SecretString="one")["ARN"], arn, "the same request again")
same(fails("ResourceExistsException", 400, sm.create_secret, Name="app/db", SecretString="x")["Error"]["Message"],
     "The operation failed because the secret app/db already exists.", "a name that is taken")
for id in ("app/db", arn, arn.rsplit("-", 1)[0]):
    got = sm.get_secret_value(SecretId=id)
    same((got["SecretString"], got["ARN"], got["VersionId"], got["VersionStages"]), ("one", arn, TOKENS[0], ["AWSCURRENT"]), id)
same(fails("ResourceNotFoundException", 400, sm.get_secret_value, SecretId="none")["Error"]["Message"],
     "Secrets Manager can't find the specified secret.", "no secret")
fails("ResourceNotFoundException", 400, sm.get_secret_value, SecretId=arn[:-6] + "abcdef")
fails("InvalidParameterException", 400, sm.create_secret, Name="both", SecretString="a", SecretBinary=b"b")
fails("ValidationException", 400, sm.create_secret, Name="no space", SecretString="a")
fails("ValidationException", 400, loose.create_secret, Name="long", SecretString="x" * 65537)
fails("NotImplemented", 400, sm.create_secret, Name="r", SecretString="x", AddReplicaRegions=[{"Region": "eu-west-1"}])
fails("ValidationException", 400, loose.get_secret_value, SecretId="")
sm.create_secret(Name="long", SecretString="x" * 65536)
sm.create_secret(Name="binary", SecretBinary=bytes(range(256)))
same(sm.get_secret_value(SecretId="binary")["SecretBinary"], bytes(range(256)), "bytes")
assert "VersionId" not in sm.create_secret(Name="empty")
same(fails("ResourceNotFoundException", 400, sm.get_secret_value, SecretId="empty")["Error"]["Message"],
     "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT", "no value")
ok("secrets by name, ARN and partial ARN; limits and bad input")

sm.put_secret_value(SecretId="app/db", ClientRequestToken=TOKENS[1], SecretString="two")
same(stages("app/db"), {TOKENS[0]: ["AWSPREVIOUS"], TOKENS[1]: ["AWSCURRENT"]}, "a second version")
same(sm.put_secret_value(SecretId="app/db", ClientRequestToken=TOKENS[1], SecretString="two")["VersionStages"], ["AWSCURRENT"], "idempotent")
fails("ResourceExistsException", 400, sm.put_secret_value, SecretId="app/db", ClientRequestToken=TOKENS[1], SecretString="other")
sm.put_secret_value(SecretId="app/db", ClientRequestToken=TOKENS[2], SecretString="three", VersionStages=["AWSPENDING"])
same(stages("app/db"), {TOKENS[0]: ["AWSPREVIOUS"], TOKENS[1]: ["AWSCURRENT"], TOKENS[2]: ["AWSPENDING"]}, "pending")
same(sm.get_secret_value(SecretId="app/db", VersionStage="AWSPENDING")["SecretString"], "three", "by stage")
same(sm.get_secret_value(SecretId="app/db", VersionId=TOKENS[0])["SecretString"], "one", "by version")
same(sm.get_secret_value(SecretId="app/db", VersionStage="AWSPREVIOUS")["SecretString"], "one", "the previous one")
fails("InvalidRequestException", 400, sm.get_secret_value, SecretId="app/db", VersionId=TOKENS[0], VersionStage="AWSCURRENT")
fails("ResourceNotFoundException", 400, sm.get_secret_value, SecretId="app/db", VersionStage="none")
fails("InvalidParameterException", 400, sm.update_secret_version_stage, SecretId="app/db", VersionStage="AWSCURRENT", MoveToVersionId=TOKENS[2])
fails("InvalidParameterException", 400, sm.update_secret_version_stage, SecretId="app/db", VersionStage="AWSCURRENT", RemoveFromVersionId=TOKENS[1])
sm.update_secret_version_stage(SecretId="app/db", VersionStage="AWSCURRENT", MoveToVersionId=TOKENS[2], RemoveFromVersionId=TOKENS[1])
same(stages("app/db"), {TOKENS[1]: ["AWSPREVIOUS"], TOKENS[2]: ["AWSCURRENT", "AWSPENDING"]}, "AWSCURRENT moves, AWSPREVIOUS follows")
sm.update_secret_version_stage(SecretId="app/db", VersionStage="AWSPENDING", RemoveFromVersionId=TOKENS[2])
same({v["VersionId"] for v in sm.list_secret_version_ids(SecretId="app/db")["Versions"]}, {TOKENS[1], TOKENS[2]}, "versions with labels")
same(len(sm.list_secret_version_ids(SecretId="app/db", IncludeDeprecated=True)["Versions"]), 3, "and without")
same(sm.update_secret(SecretId="app/db", SecretString="four", ClientRequestToken=TOKENS[3], Description="new")["VersionId"], TOKENS[3], "UpdateSecret")
described = sm.describe_secret(SecretId="app/db")
same((described["Description"], described["Tags"], described["VersionIdsToStages"][TOKENS[3]]),
     ("new", [{"Key": "team", "Value": "red"}], ["AWSCURRENT"]), "described")
assert "KmsKeyId" not in described and "RotationEnabled" not in described and "LastAccessedDate" in described, described
ok("versions and staging labels")

for i in range(5):
    sm.create_secret(Name=f"list/{i}", SecretString="s", Description=f"Number {i}", Tags=[{"Key": "n", "Value": str(i)}])
names = [s["Name"] for page in sm.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2}) for s in page["SecretList"]]
same(names, ["app/db", "long", "binary", "empty"] + [f"list/{i}" for i in range(5)], "pages, by age")


def listed(*filters, **more):
    return [s["Name"] for s in sm.list_secrets(Filters=[{"Key": k, "Values": v} for k, v in filters], **more)["SecretList"]]


same(listed(("name", ["list/"]), SortBy="name", SortOrder="desc"), [f"list/{i}" for i in (4, 3, 2, 1, 0)], "by name")
same(listed(("tag-value", ["3", "1"])), ["list/1", "list/3"], "by tag")
same(listed(("name", ["list/", "!list/2"]), ("description", ["number"])), ["list/0", "list/1", "list/3", "list/4"], "not, and")
same(listed(("all", ["NUMBER 4"])), ["list/4"], "by words")
batch = sm.batch_get_secret_value(SecretIdList=["list/0", "none", "list/1"])
same(([v["Name"] for v in batch["SecretValues"]], [e["ErrorCode"] for e in batch["Errors"]]), (["list/0", "list/1"], ["ResourceNotFoundException"]), "a batch")
same(len(sm.batch_get_secret_value(Filters=[{"Key": "tag-key", "Values": ["n"]}], MaxResults=3)["SecretValues"]), 3, "a batch by filter")
fails("InvalidParameterException", 400, sm.batch_get_secret_value)
fails("InvalidNextTokenException", 400, sm.list_secrets, NextToken="???")
ok("lists, filters, batches")

password = sm.get_random_password()["RandomPassword"]
same(len(password), 32, "32 characters")
for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation):
    assert set(password) & set(kind), password
password = sm.get_random_password(PasswordLength=500, ExcludePunctuation=True, ExcludeCharacters="aB3")["RandomPassword"]
assert len(password) == 500 and not set(password) & set(string.punctuation + "aB3"), password
fails("InvalidParameterException", 400, sm.get_random_password, PasswordLength=3)
fails("InvalidRequestException", 400, sm.get_random_password, ExcludeLowercase=True, ExcludeUppercase=True, ExcludeNumbers=True, ExcludePunctuation=True)
fails("ValidationException", 400, loose.get_random_password, PasswordLength=4097)
ok("passwords")

ann = user("ann", allow("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:list/*", Condition={
    "StringEquals": {"aws:ResourceTag/n": "1", "secretsmanager:VersionStage": "AWSCURRENT"}}))
same(ann.get_secret_value(SecretId="list/1")["SecretString"], "s", "by tag, through the AWS managed key")
error = fails("AccessDeniedException", 400, ann.get_secret_value, SecretId="list/2")
assert f"user/ann is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:list/2-" in error["Error"]["Message"], error
fails("AccessDeniedException", 400, ann.get_secret_value, SecretId="list/1", VersionStage="AWSPREVIOUS")
fails("AccessDeniedException", 400, ann.get_secret_value, SecretId="not there")
fails("AccessDeniedException", 400, ann.put_secret_value, SecretId="list/1", SecretString="x")
fails("AccessDeniedException", 400, ann.create_secret, Name="x", SecretString="x")
batch = user("bea", allow(["secretsmanager:BatchGetSecretValue"]), allow("secretsmanager:GetSecretValue", f"{arn[:-7]}-*")).batch_get_secret_value(SecretIdList=["app/db", "list/1"])
same(([v["Name"] for v in batch["SecretValues"]], [e["ErrorCode"] for e in batch["Errors"]]), (["app/db"], ["AccessDeniedException"]), "each of a batch is asked for")
bob = user("bob")
mine = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
fails("AccessDeniedException", 400, bob.get_secret_value, SecretId="app/db")
sm.put_resource_policy(SecretId="app/db", ResourcePolicy=document(mine), BlockPublicPolicy=True)
same(json.loads(sm.get_resource_policy(SecretId="app/db")["ResourcePolicy"])["Statement"], [mine], "the policy")
same(bob.get_secret_value(SecretId="app/db")["SecretString"], "four", "by the secret's policy")
public = {**mine, "Principal": "*"}
fails("PublicPolicyException", 400, sm.put_resource_policy, SecretId="app/db", ResourcePolicy=document(public), BlockPublicPolicy=True)
fails("MalformedPolicyDocumentException", 400, sm.put_resource_policy, SecretId="app/db", ResourcePolicy="{}")
same(sm.validate_resource_policy(ResourcePolicy=document(public))["PolicyValidationPassed"], False, "ValidateResourcePolicy")
same(sm.validate_resource_policy(ResourcePolicy=document(mine))["PolicyValidationPassed"], True, "ValidateResourcePolicy")
sm.put_resource_policy(SecretId="app/db", ResourcePolicy=document({**mine, "Effect": "Deny"}))
fails("AccessDeniedException", 400, bob.get_secret_value, SecretId="app/db")
sm.delete_resource_policy(SecretId="app/db")
assert "ResourcePolicy" not in sm.get_resource_policy(SecretId="app/db")
ok("identity policies with tags and stages, resource policies, Block Public Policy")

theirs = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
stranger = client("secretsmanager", OTHER)
fails("AccessDeniedException", 400, stranger.get_secret_value, SecretId=arn)
sm.put_resource_policy(SecretId="app/db", ResourcePolicy=document(theirs))
same(fails("AccessDeniedException", 400, stranger.get_secret_value, SecretId=arn)["Error"]["Message"], "Access to KMS is not allowed", "the AWS managed key is not for others")
root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
via = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": "kms:Decrypt", "Resource": "*", "Condition": {
    "StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com", "kms:EncryptionContext:SecretARN": arn}}}
key = kms.create_key(Policy=document(root, via))["KeyMetadata"]
sm.update_secret(SecretId="app/db", KmsKeyId=key["KeyId"])
same(sm.describe_secret(SecretId="app/db")["KmsKeyId"], key["KeyId"], "the key")
same(stranger.get_secret_value(SecretId=arn)["SecretString"], "four", "across accounts, with a key that lets them in")
fails("ResourceNotFoundException", 400, stranger.get_secret_value, SecretId="app/db")
narrow = user("narrow", allow("secretsmanager:*"))
same(fails("AccessDeniedException", 400, narrow.get_secret_value, SecretId="app/db")["Error"]["Message"], "Access to KMS is not allowed", "without the key")
kms.disable_key(KeyId=key["KeyId"])
fails("DecryptionFailure", 400, sm.get_secret_value, SecretId="app/db")
fails("EncryptionFailure", 400, sm.put_secret_value, SecretId="app/db", SecretString="five")
kms.enable_key(KeyId=key["KeyId"])
fails("EncryptionFailure", 400, sm.create_secret, Name="bad-key", SecretString="x", KmsKeyId="1234abcd-12ab-34cd-56ef-1234567890ab")
ok("KMS keys decide, too: across accounts, without permission, disabled")

sm.tag_resource(SecretId="app/db", Tags=[{"Key": "team", "Value": "blue"}, {"Key": "x", "Value": "y"}])
sm.untag_resource(SecretId="app/db", TagKeys=["x"])
same(sm.describe_secret(SecretId="app/db")["Tags"], [{"Key": "team", "Value": "blue"}], "tags")
fails("InvalidRequestException", 400, sm.rotate_secret, SecretId="app/db")
fails("InvalidParameterException", 400, sm.delete_secret, SecretId="app/db", RecoveryWindowInDays=6)
fails("InvalidParameterException", 400, sm.delete_secret, SecretId="app/db", RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True)
sm.delete_secret(SecretId="app/db", RecoveryWindowInDays=7)
same(fails("InvalidRequestException", 400, sm.get_secret_value, SecretId="app/db")["Error"]["Message"],
     "You can't perform this operation on the secret because it was marked for deletion.", "deleted")
fails("InvalidRequestException", 400, sm.create_secret, Name="app/db", SecretString="x")
assert "DeletedDate" in sm.describe_secret(SecretId="app/db")
assert "app/db" not in listed() and "app/db" in listed(IncludePlannedDeletion=True)
sm.restore_secret(SecretId="app/db")
same(sm.get_secret_value(SecretId="app/db")["SecretString"], "four", "restored")
sm.delete_secret(SecretId="list/0", RecoveryWindowInDays=7)
sm.delete_secret(SecretId="list/1", ForceDeleteWithoutRecovery=True)
fails("ResourceNotFoundException", 400, sm.describe_secret, SecretId="list/1")
sm.delete_secret(SecretId="list/1", ForceDeleteWithoutRecovery=True)
again = sm.create_secret(Name="list/1", SecretString="again")
same(sm.get_secret_value(SecretId=again["ARN"])["SecretString"], "again", "a name may be taken again")
advance("169h")


def is_gone():
    try:
        sm.describe_secret(SecretId="list/0")
        return False
    except sm.exceptions.ResourceNotFoundException:
        return True


until("the secret is deleted", is_gone)
same(sm.get_secret_value(SecretId="app/db")["SecretString"], "four", "what was restored stays")
ok("deletion with a window, on the clock; restored; forced")
