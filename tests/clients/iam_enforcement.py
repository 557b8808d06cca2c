"""Least privilege is on: keys, signatures, policies, boundaries, roles; each refusal is AWS's own."""

import json

from common import ACCOUNT, ENDPOINT, client, fails, http, ok, same, session

iam, s3, sts = client("iam"), client("s3"), client("sts")
s3.create_bucket(Bucket="sec")
for key in ("pub/a", "secret/a"):
    s3.put_object(Bucket="sec", Key=key, Body=b"x")


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource="*", **more):
    return {**allow(action, resource, **more), "Effect": "Deny"}


def user(name, *statements):
    """A user with an inline policy: its access key id and secret."""
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


alice = user("alice", allow(["s3:GetObject", "s3:ListBucket"], ["arn:aws:s3:::sec", "arn:aws:s3:::sec/*"]),
             deny("s3:GetObject", "arn:aws:s3:::sec/secret/*"))
hers = client("s3", *alice)
same(hers.get_object(Bucket="sec", Key="pub/a")["Body"].read(), b"x", "what is allowed")
fails("AccessDenied", 403, hers.get_object, Bucket="sec", Key="secret/a")
error = fails("AccessDenied", 403, hers.put_object, Bucket="sec", Key="pub/b", Body=b"x")
assert f"arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: s3:PutObject" in error["Error"]["Message"], error
fails("AccessDenied", 403, client("iam", *alice).create_user, UserName="evil")
fails("NoSuchEntity", 404, iam.get_user, UserName="evil")
ok("a user: what its policy allows, no more, and Deny wins")

fails("SignatureDoesNotMatch", 403, client("s3", alice[0], "w" * 40).get_object, Bucket="sec", Key="pub/a")
fails("SignatureDoesNotMatch", 403, client("iam", alice[0], "w" * 40).list_users)
fails("InvalidAccessKeyId", 403, client("s3", "AKIAIOSFODNN7NOTREAL", "x" * 40).get_object, Bucket="sec", Key="pub/a")
fails("InvalidClientTokenId", 403, client("sts", "AKIAIOSFODNN7NOTREAL", "x" * 40).get_caller_identity)
same(http("GET", f"{ENDPOINT}/sec/pub/a")[0], 403, "no signature at all")
same(http("POST", ENDPOINT, b"Action=ListUsers&Version=2010-05-08", {"Content-Type": "application/x-www-form-urlencoded"})[0],
     403, "no signature at all, for IAM")
iam.update_access_key(UserName="alice", AccessKeyId=alice[0], Status="Inactive")
fails("InvalidAccessKeyId", 403, hers.get_object, Bucket="sec", Key="pub/a")
iam.update_access_key(UserName="alice", AccessKeyId=alice[0], Status="Active")
hers.get_object(Bucket="sec", Key="pub/a")
ok("wrong secret, unknown key, no key, inactive key")

bob = user("bob", allow("s3:ListBucket", "arn:aws:s3:::sec", Condition={"StringLike": {"s3:prefix": ["pub/*"]}}),
           allow("s3:GetObject", "arn:aws:s3:::sec/${aws:username}/*"))
his = client("s3", *bob)
s3.put_object(Bucket="sec", Key="bob/own", Body=b"b")
his.list_objects_v2(Bucket="sec", Prefix="pub/")
fails("AccessDenied", 403, his.list_objects_v2, Bucket="sec")
fails("AccessDenied", 403, his.list_objects_v2, Bucket="sec", Prefix="secret/")
same(his.get_object(Bucket="sec", Key="bob/own")["Body"].read(), b"b", "a policy variable")
fails("AccessDenied", 403, his.get_object, Bucket="sec", Key="alice/own")
ok("conditions and variables")

carol = user("carol")
theirs = client("s3", *carol)
fails("AccessDenied", 403, theirs.list_buckets)
iam.create_group(GroupName="readers")
iam.add_user_to_group(GroupName="readers", UserName="carol")
arn = iam.create_policy(PolicyName="read", PolicyDocument=document(allow(["s3:Get*", "s3:List*"])))["Policy"]["Arn"]
iam.attach_group_policy(GroupName="readers", PolicyArn=arn)
theirs.get_object(Bucket="sec", Key="secret/a")
version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("s3:ListAllMyBuckets")), SetAsDefault=True)
fails("AccessDenied", 403, theirs.get_object, Bucket="sec", Key="secret/a")
theirs.list_buckets()
iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
theirs.get_object(Bucket="sec", Key="secret/a")
iam.put_user_permissions_boundary(UserName="carol", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
theirs.get_object(Bucket="sec", Key="secret/a")
iam.attach_user_policy(UserName="carol", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
fails("AccessDenied", 403, theirs.put_object, Bucket="sec", Key="c", Body=b"")
iam.delete_user_permissions_boundary(UserName="carol")
theirs.put_object(Bucket="sec", Key="c", Body=b"")
ok("groups, managed policies and their versions, boundaries")

s3.put_bucket_policy(Bucket="sec", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::sec/pub/*"}]}))
fails("AccessDenied", 403, hers.get_object, Bucket="sec", Key="pub/a")
s3.delete_bucket_policy(Bucket="sec")
hers.get_object(Bucket="sec", Key="pub/a")
ok("a bucket policy's Deny binds users too")


def role(name, principal):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]


only_lambda = role("only-lambda", {"Service": "lambda.amazonaws.com"})
fails("AccessDenied", 403, client("sts", *alice).assume_role, RoleArn=only_lambda, RoleSessionName="work")
for_alice = role("for-alice", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"})
iam.put_role_policy(RoleName="for-alice", PolicyName="p", PolicyDocument=document(allow("s3:*")))
fails("AccessDenied", 403, client("sts", *bob).assume_role, RoleArn=for_alice, RoleSessionName="work")
assumed = client("sts", *alice).assume_role(RoleArn=for_alice, RoleSessionName="work")
same(assumed["AssumedRoleUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/for-alice/work", "session ARN")
credentials = assumed["Credentials"]
session(credentials, "s3").put_object(Bucket="sec", Key="by-role", Body=b"")
fails("AccessDenied", 403, session(credentials, "iam").list_users)
same(session(credentials, "sts").get_caller_identity()["Arn"], assumed["AssumedRoleUser"]["Arn"], "who the session is")
fails("InvalidToken", 400, client("s3", credentials["AccessKeyId"], credentials["SecretAccessKey"], "forged").list_buckets)
fails("InvalidAccessKeyId", 403, client("s3", credentials["AccessKeyId"], credentials["SecretAccessKey"]).list_buckets)
narrow = client("sts", *alice).assume_role(
    RoleArn=for_alice, RoleSessionName="work", Policy=document(allow("s3:GetObject")))["Credentials"]
session(narrow, "s3").get_object(Bucket="sec", Key="pub/a")
fails("AccessDenied", 403, session(narrow, "s3").put_object, Bucket="sec", Key="by-role", Body=b"")
ok("roles: who may assume, what the session may, narrowed by a session policy")

fails("MalformedPolicyDocument", 400, role, "x", {"Service": "s3files.amazonaws.com"})
fails("MalformedPolicyDocument", 400, role, "x", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"})
fails("MalformedPolicyDocument", 400, iam.put_user_policy, UserName="bob", PolicyName="x", PolicyDocument="{")
fails("EntityAlreadyExists", 409, iam.create_user, UserName="alice")
fails("DeleteConflict", 409, iam.delete_user, UserName="alice")
fails("ValidationError", 400, iam.create_user, UserName="sp ace")
fails("NoSuchEntity", 404, iam.get_role, RoleName="none")
ok("what IAM refuses: principals that do not exist, broken documents, conflicts")
