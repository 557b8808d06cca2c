"""IAM's resources as tools use them: paths, tags, pagination, instance profiles, OIDC, service-linked roles."""

import json

from common import ACCOUNT, client, fails, ok, same

iam = client("iam")
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})

for i in range(7):
    iam.create_user(UserName=f"u{i}", Path="/team/" if i % 2 else "/", Tags=[{"Key": "n", "Value": str(i)}])
names = [u["UserName"] for p in iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2}) for u in p["Users"]]
same(names, [f"u{i}" for i in range(7)], "users over pages")
same([u["UserName"] for u in iam.list_users(PathPrefix="/team/")["Users"]], ["u1", "u3", "u5"], "by path")
same(iam.get_user(UserName="u1")["User"]["Arn"], f"arn:aws:iam::{ACCOUNT}:user/team/u1", "ARN with a path")
same(iam.list_user_tags(UserName="u3")["Tags"], [{"Key": "n", "Value": "3"}], "tags")
iam.tag_user(UserName="u3", Tags=[{"Key": "n", "Value": "x"}, {"Key": "m", "Value": ""}])
iam.untag_user(UserName="u3", TagKeys=["n"])
same(iam.list_user_tags(UserName="u3")["Tags"], [{"Key": "m", "Value": ""}], "tags changed")
assert iam.get_user(UserName="u1")["User"]["UserId"].startswith("AIDA")
ok("users: pages, paths, tags")

role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST, Description="d", MaxSessionDuration=7200)["Role"]
assert role["RoleId"].startswith("AROA")
same(iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"], json.loads(TRUST), "trust policy")
same(iam.get_role(RoleName="r")["Role"]["MaxSessionDuration"], 7200, "duration")
iam.create_instance_profile(InstanceProfileName="ip")
iam.add_role_to_instance_profile(InstanceProfileName="ip", RoleName="r")
fails("LimitExceeded", 409, iam.add_role_to_instance_profile, InstanceProfileName="ip", RoleName="r")
same(iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"][0]["InstanceProfileName"], "ip", "profile of a role")
fails("DeleteConflict", 409, iam.delete_role, RoleName="r")
iam.remove_role_from_instance_profile(InstanceProfileName="ip", RoleName="r")
iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
same(iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"][0]["PolicyName"], "AmazonS3ReadOnlyAccess", "attached")
fails("NoSuchEntity", 404, iam.attach_role_policy, RoleName="r", PolicyArn="arn:aws:iam::aws:policy/NoSuchPolicy")
fails("DeleteConflict", 409, iam.delete_role, RoleName="r")
iam.detach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
iam.delete_role(RoleName="r")
iam.delete_instance_profile(InstanceProfileName="ip")
ok("roles and instance profiles")

oidc = iam.create_open_id_connect_provider(Url="https://oidc.example.com/id/1", ClientIDList=["sts.amazonaws.com"],
                                           ThumbprintList=["a" * 40])["OpenIDConnectProviderArn"]
same(oidc, f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.example.com/id/1", "OIDC ARN")
same(iam.get_open_id_connect_provider(OpenIDConnectProviderArn=oidc)["Url"], "oidc.example.com/id/1", "OIDC URL")
linked = iam.create_service_linked_role(AWSServiceName="rds.amazonaws.com")["Role"]
same(linked["Arn"], f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS", "linked role")
fails("InvalidInput", 400, iam.create_service_linked_role, AWSServiceName="rds.amazonaws.com")
fails("UnmodifiableEntity", 400, iam.put_role_policy, RoleName="AWSServiceRoleForRDS", PolicyName="p", PolicyDocument=json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
ok("OIDC providers and service-linked roles")
