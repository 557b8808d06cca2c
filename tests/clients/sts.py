"""STS: who a key is, sessions of every kind, and their end on the moved clock."""

import json
import os
import subprocess
import sys

from common import ACCOUNT, ENDPOINT, client, fails, ok, same, session

sts, iam = client("sts"), client("iam")
same(sts.get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:root", "root")
other = client("sts", "123456789012").get_caller_identity()
same((other["Account"], other["Arn"]), ("123456789012", "arn:aws:iam::123456789012:root"), "the root of another account")
ok("a twelve-digit key is that account's root")

iam.create_user(UserName="u")
iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:*", "sts:GetFederationToken"], "Resource": "*"}]}))
key = iam.create_access_key(UserName="u")["AccessKey"]
mine = client("sts", key["AccessKeyId"], key["SecretAccessKey"])
same(mine.get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/u", "a user")
temporary = mine.get_session_token(DurationSeconds=900)["Credentials"]
assert temporary["AccessKeyId"].startswith("ASIA")
same(session(temporary, "sts").get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/u", "GetSessionToken is the user")
session(temporary, "s3").list_buckets()
federated = mine.get_federation_token(Name="fed", DurationSeconds=900, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}))
same(federated["FederatedUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:federated-user/fed", "federated ARN")
session(federated["Credentials"], "s3").list_buckets()
fails("AccessDenied", 403, session(federated["Credentials"], "s3").create_bucket, Bucket="not-for-fed")
ok("session and federation tokens")

trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole",
                                                 "Condition": {"StringEquals": {"sts:ExternalId": "secret"}}}]}
role = iam.create_role(RoleName="ext", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
iam.put_user_policy(UserName="u", PolicyName="assume", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}]}))
fails("AccessDenied", 403, mine.assume_role, RoleArn=role, RoleSessionName="work")
assumed = mine.assume_role(RoleArn=role, RoleSessionName="work", ExternalId="secret", DurationSeconds=900)
fails("ValidationError", 400, mine.assume_role, RoleArn=role, RoleSessionName="work", ExternalId="secret", DurationSeconds=7200)
fails("ValidationError", 400, mine.assume_role, RoleArn=role, RoleSessionName="s p", ExternalId="secret")
ok("an external id is asked for; durations and names are held to their limits")

port = ENDPOINT.rsplit(":", 1)[1]
subprocess.run([os.environ["FOGBANK_BIN"], "clock", "--port", port, "advance", "16m"], check=True, stdout=sys.stderr)
for service, code, call in (("s3", "ExpiredToken", "list_buckets"), ("sts", ("ExpiredToken", "ExpiredTokenException"), "get_caller_identity")):
    status = 400 if service == "s3" else 403
    fails(code, status, getattr(session(temporary, service), call))
ok("sessions end when their time has come, on the cloud's clock")
