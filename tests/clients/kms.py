"""KMS: keys that encrypt, policies and grants that decide, rotation and deletion on the clock."""

import json
import os
import subprocess
import sys

from common import ACCOUNT, ENDPOINT, client, fails, ok, same, until

kms, iam = client("kms"), client("iam")
OTHER = "123456789012"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def user(name, *statements):
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return client("kms", key["AccessKeyId"], key["SecretAccessKey"])


def arn(name):
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def advance(time):
    port = ENDPOINT.rsplit(":", 1)[1]
    subprocess.run([os.environ["FOGBANK_BIN"], "clock", "--port", port, "advance", time], check=True, stdout=sys.stderr)


made = kms.create_key(Description="first", Tags=[{"TagKey": "team", "TagValue": "red"}])["KeyMetadata"]
key = made["KeyId"]
same(made["Arn"], f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}", "ARN")
same((made["KeyState"], made["KeyManager"], made["KeySpec"], made["Origin"], made["EncryptionAlgorithms"], made["MultiRegion"]),
     ("Enabled", "CUSTOMER", "SYMMETRIC_DEFAULT", "AWS_KMS", ["SYMMETRIC_DEFAULT"], False), "metadata")
kms.create_alias(AliasName="alias/app", TargetKeyId=key)
same(kms.describe_key(KeyId="alias/app")["KeyMetadata"]["KeyId"], key, "by alias")
same(kms.describe_key(KeyId=f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/app")["KeyMetadata"]["KeyId"], key, "by alias ARN")
fails("NotFoundException", 400, kms.describe_key, KeyId="1234abcd-12ab-34cd-56ef-1234567890ab")
same(fails("NotFoundException", 400, kms.describe_key, KeyId="alias/none")["Error"]["Message"],
     f"Alias arn:aws:kms:us-east-1:{ACCOUNT}:alias/none is not found.", "an unknown alias")
fails("NotFoundException", 400, kms.describe_key, KeyId="no key")
fails("AlreadyExistsException", 400, kms.create_alias, AliasName="alias/app", TargetKeyId=key)
fails("NotAuthorizedException", 400, kms.create_alias, AliasName="alias/aws/mine", TargetKeyId=key)
fails("ValidationException", 400, kms.create_alias, AliasName="app", TargetKeyId=key)
fails("MalformedPolicyDocumentException", 400, kms.create_key, Policy="{")
fails("ValidationException", 400, kms.create_key, KeySpec="HMAC_256", KeyUsage="ENCRYPT_DECRYPT")
fails("NotImplemented", 400, kms.create_key, Origin="EXTERNAL")
fails("NotImplemented", 400, kms.create_key, MultiRegion=True)
fails("TagException", 400, kms.create_key, Tags=[{"TagKey": "aws:x", "TagValue": "y"}])
ok("keys and aliases, their names, and what is refused")

sealed = kms.encrypt(KeyId="alias/app", Plaintext=b"the secret of the house", EncryptionContext={"app": "a", "env": "x"})
same((sealed["KeyId"], sealed["EncryptionAlgorithm"]), (made["Arn"], "SYMMETRIC_DEFAULT"), "Encrypt")
opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"env": "x", "app": "a"})
same((opened["Plaintext"], opened["KeyId"]), (b"the secret of the house", made["Arn"]), "Decrypt without KeyId")
for context in ({}, {"app": "a"}, {"app": "a", "env": "y"}):
    fails("InvalidCiphertextException", 400, kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
blob = bytearray(sealed["CiphertextBlob"])
for at in (0, 3, 20, len(blob) - 1):
    bad = bytes(blob[:at]) + bytes([blob[at] ^ 1]) + bytes(blob[at + 1:])
    fails(("InvalidCiphertextException", "AccessDeniedException"), 400, kms.decrypt, CiphertextBlob=bad, EncryptionContext={"app": "a", "env": "x"})
fails("InvalidCiphertextException", 400, kms.decrypt, CiphertextBlob=b"junk")
fails("ValidationException", 400, kms.encrypt, KeyId=key, Plaintext=b"x" * 4097)
kms.encrypt(KeyId=key, Plaintext=b"x" * 4096)
second = kms.create_key()["KeyMetadata"]
fails("IncorrectKeyException", 400, kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"], KeyId=second["KeyId"], EncryptionContext={"app": "a", "env": "x"})
data = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"a": "b"})
same(len(data["Plaintext"]), 32, "a data key")
same(kms.decrypt(CiphertextBlob=data["CiphertextBlob"], EncryptionContext={"a": "b"})["Plaintext"], data["Plaintext"], "a data key opens")
assert "Plaintext" not in kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=7)
fails("ValidationException", 400, kms.generate_data_key, KeyId=key)
fails("ValidationException", 400, kms.generate_data_key, KeyId=key, NumberOfBytes=1025)
again = kms.re_encrypt(CiphertextBlob=sealed["CiphertextBlob"], SourceEncryptionContext={"app": "a", "env": "x"},
                       DestinationKeyId=second["KeyId"], DestinationEncryptionContext={"n": "w"})
same((again["SourceKeyId"], again["KeyId"]), (made["Arn"], second["Arn"]), "ReEncrypt")
same(kms.decrypt(CiphertextBlob=again["CiphertextBlob"], EncryptionContext={"n": "w"})["Plaintext"], b"the secret of the house", "moved")
same(len(kms.generate_random(NumberOfBytes=24)["Plaintext"]), 24, "random")
fails("DryRunOperationException", 412, kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)
ok("encryption binds the context; ciphertexts know their key; data keys; ReEncrypt")

mac_key = kms.create_key(KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
same(mac_key["MacAlgorithms"], ["HMAC_SHA_384"], "algorithms")
mac = kms.generate_mac(KeyId=mac_key["KeyId"], Message=b"m", MacAlgorithm="HMAC_SHA_384")["Mac"]
same(kms.verify_mac(KeyId=mac_key["KeyId"], Message=b"m", MacAlgorithm="HMAC_SHA_384", Mac=mac)["MacValid"], True, "VerifyMac")
fails("KMSInvalidMacException", 400, kms.verify_mac, KeyId=mac_key["KeyId"], Message=b"n", MacAlgorithm="HMAC_SHA_384", Mac=mac)
fails("InvalidKeyUsageException", 400, kms.generate_mac, KeyId=mac_key["KeyId"], Message=b"m", MacAlgorithm="HMAC_SHA_256")
fails("InvalidKeyUsageException", 400, kms.encrypt, KeyId=mac_key["KeyId"], Plaintext=b"m")
fails("InvalidKeyUsageException", 400, kms.generate_mac, KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256")
fails("UnsupportedOperationException", 400, kms.enable_key_rotation, KeyId=mac_key["KeyId"])
same(kms.get_key_rotation_status(KeyId=mac_key["KeyId"])["KeyRotationEnabled"], False, "never rotates")
ok("HMAC keys")

kms.disable_key(KeyId=key)
same(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "Disabled", "Disabled")
fails("DisabledException", 400, kms.encrypt, KeyId=key, Plaintext=b"x")
fails("NotFoundException", 400, kms.enable_key, KeyId="alias/app")
kms.enable_key(KeyId=key)
kms.update_key_description(KeyId=key, Description="new")
kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "blue"}, {"TagKey": "n", "TagValue": "1"}])
kms.untag_resource(KeyId=key, TagKeys=["n"])
same(kms.list_resource_tags(KeyId=key)["Tags"], [{"TagKey": "team", "TagValue": "blue"}], "tags")
same({k["KeyId"] for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}) for k in page["Keys"]},
     {key, second["KeyId"], mac_key["KeyId"]}, "ListKeys in pages")
fails("InvalidMarkerException", 400, kms.list_keys, Marker="???")
kms.update_alias(AliasName="alias/app", TargetKeyId=second["KeyId"])
same(kms.list_aliases(KeyId=second["KeyId"])["Aliases"][0]["AliasName"], "alias/app", "the alias has moved")
same(kms.list_aliases(KeyId=key)["Aliases"], [], "and left")
fails("ValidationException", 400, kms.update_alias, AliasName="alias/app", TargetKeyId=mac_key["KeyId"])
listed = [a["AliasName"] for page in kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 3}) for a in page["Aliases"]]
assert "alias/app" in listed and "alias/aws/s3" in listed and listed == sorted(set(listed)), listed
kms.delete_alias(AliasName="alias/app")
fails("NotFoundException", 400, kms.delete_alias, AliasName="alias/app")
ok("states, descriptions, tags, pages, moving aliases")

default = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
same(default["Statement"][0]["Principal"], {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "the default policy")
ann = user("ann", allow("kms:Encrypt"))
ann.encrypt(KeyId=key, Plaintext=b"x")
error = fails("AccessDeniedException", 400, ann.decrypt, CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"app": "a", "env": "x"})
assert f"User: {arn('ann')} is not authorized to perform: kms:Decrypt on resource: {made['Arn']}" in error["Error"]["Message"], error
bob = user("bob")
fails("AccessDeniedException", 400, bob.encrypt, KeyId=key, Plaintext=b"x")
root = {"Sid": "root", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
his = {"Effect": "Allow", "Principal": {"AWS": arn("bob")}, "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*",
       "Condition": {"StringEquals": {"kms:EncryptionContext:app": "bob"}}}
no_ann = {"Effect": "Deny", "Principal": {"AWS": arn("ann")}, "Action": "kms:Encrypt", "Resource": "*"}
kms.put_key_policy(KeyId=key, Policy=document(root, his, no_ann))
mine = bob.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"app": "bob"})["CiphertextBlob"]
fails("AccessDeniedException", 400, bob.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"app": "ann"})
fails("AccessDeniedException", 400, bob.encrypt, KeyId=key, Plaintext=b"x")
assert "explicit deny in a resource-based policy" in fails("AccessDeniedException", 400, ann.encrypt, KeyId=key, Plaintext=b"x")["Error"]["Message"]
same(fails("MalformedPolicyDocumentException", 400, kms.put_key_policy, KeyId=key, Policy=document(his))["Error"]["Message"],
     "The new key policy will not allow you to update the key policy in the future.", "lockout")
kms.put_key_policy(KeyId=second["KeyId"], Policy=document(his), BypassPolicyLockoutSafetyCheck=True)
fails("AccessDeniedException", 400, kms.describe_key, KeyId=second["KeyId"])
bob.encrypt(KeyId=second["KeyId"], Plaintext=b"x", EncryptionContext={"app": "bob"})
fails("AccessDeniedException", 400, bob.describe_key, KeyId=second["KeyId"])
ok("key policies decide: for users, by encryption context, with Deny, and for the root itself")

stranger = client("kms", OTHER)
fails("AccessDeniedException", 400, stranger.encrypt, KeyId=made["Arn"], Plaintext=b"x")
fails("NotFoundException", 400, stranger.encrypt, KeyId=key, Plaintext=b"x")
theirs = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"], "Resource": "*"}
kms.put_key_policy(KeyId=key, Policy=document(root, his, no_ann, theirs))
foreign = stranger.encrypt(KeyId=made["Arn"], Plaintext=b"across")["CiphertextBlob"]
same(kms.decrypt(CiphertextBlob=foreign)["Plaintext"], b"across", "what another account encrypted")
same(stranger.decrypt(CiphertextBlob=foreign)["Plaintext"], b"across", "and may decrypt")
fails("AccessDeniedException", 400, stranger.disable_key, KeyId=made["Arn"])
fails("NotFoundException", 400, client("kms", OTHER, "test").describe_key, KeyId=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}")
ok("other accounts: only as the key policy says")

eve = user("eve")
fails("AccessDeniedException", 400, eve.decrypt, CiphertextBlob=foreign)
grant = kms.create_grant(KeyId=key, GranteePrincipal=arn("eve"), RetiringPrincipal=arn("bob"), Operations=["Decrypt", "Encrypt"], Name="g",
                         Constraints={"EncryptionContextSubset": {"app": "eve"}})
same(kms.create_grant(KeyId=key, GranteePrincipal=arn("eve"), RetiringPrincipal=arn("bob"), Operations=["Encrypt", "Decrypt"], Name="g",
                      Constraints={"EncryptionContextSubset": {"app": "eve"}})["GrantId"], grant["GrantId"], "the same grant again")
inside = eve.encrypt(KeyId=key, Plaintext=b"granted", EncryptionContext={"app": "eve", "more": "1"}, GrantTokens=[grant["GrantToken"]])
same(eve.decrypt(CiphertextBlob=inside["CiphertextBlob"], EncryptionContext={"app": "eve", "more": "1"})["Plaintext"], b"granted", "a grant")
fails("AccessDeniedException", 400, eve.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"app": "other"})
fails("AccessDeniedException", 400, eve.generate_data_key, KeyId=key, KeySpec="AES_256", EncryptionContext={"app": "eve"})
fails("InvalidGrantTokenException", 400, eve.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"app": "eve"}, GrantTokens=["eHg="])
listed = kms.list_grants(KeyId=key)["Grants"]
same([(g["GrantId"], g["Name"], g["GranteePrincipal"], g["IssuingAccount"]) for g in listed],
     [(grant["GrantId"], "g", arn("eve"), f"arn:aws:iam::{ACCOUNT}:root")], "ListGrants")
same(len(kms.list_retirable_grants(RetiringPrincipal=arn("bob"))["Grants"]), 1, "ListRetirableGrants")
fails("AccessDeniedException", 400, eve.retire_grant, GrantToken=grant["GrantToken"])
bob.retire_grant(GrantToken=grant["GrantToken"])
fails("AccessDeniedException", 400, eve.decrypt, CiphertextBlob=inside["CiphertextBlob"], EncryptionContext={"app": "eve", "more": "1"})
only = kms.create_grant(KeyId=key, GranteePrincipal=arn("eve"), Operations=["CreateGrant", "Decrypt"],
                        Constraints={"EncryptionContextEquals": {"a": "b"}})
fails("AccessDeniedException", 400, eve.create_grant, KeyId=key, GranteePrincipal=arn("ann"), Operations=["Encrypt"])
eve.create_grant(KeyId=key, GranteePrincipal=arn("ann"), Operations=["Decrypt"])
kms.revoke_grant(KeyId=key, GrantId=only["GrantId"])
fails("NotFoundException", 400, kms.revoke_grant, KeyId=key, GrantId=only["GrantId"])
fails("InvalidArnException", 400, kms.create_grant, KeyId=key, GranteePrincipal="eve", Operations=["Decrypt"])
fails("ValidationException", 400, kms.create_grant, KeyId=key, GranteePrincipal=arn("eve"), Operations=["GenerateMac"])
ok("grants: within their operations and constraints, handed on, retired, revoked")

managed = kms.describe_key(KeyId="alias/aws/secretsmanager")["KeyMetadata"]
same(managed["KeyManager"], "AWS", "an AWS managed key")
same(kms.describe_key(KeyId="alias/aws/secretsmanager")["KeyMetadata"]["KeyId"], managed["KeyId"], "is made once")
fails("AccessDeniedException", 400, kms.encrypt, KeyId="alias/aws/secretsmanager", Plaintext=b"x")
fails("AccessDeniedException", 400, kms.schedule_key_deletion, KeyId=managed["KeyId"])
same(kms.get_key_rotation_status(KeyId=managed["KeyId"])["KeyRotationEnabled"], True, "rotates")
ok("AWS managed keys are used through their service only")

same(kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"], False, "no rotation")
kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
status = kms.get_key_rotation_status(KeyId=key)
same((status["KeyRotationEnabled"], status["RotationPeriodInDays"]), (True, 90), "rotation")
fails("ValidationException", 400, client("kms", parameter_validation=False).enable_key_rotation, KeyId=key, RotationPeriodInDays=89)
kms.rotate_key_on_demand(KeyId=key)
same([r["RotationType"] for r in kms.list_key_rotations(KeyId=key)["Rotations"]], ["ON_DEMAND"], "on demand")
gone = kms.create_key()["KeyMetadata"]["KeyId"]
fails("ValidationException", 400, kms.schedule_key_deletion, KeyId=gone, PendingWindowInDays=6)
kms.create_alias(AliasName="alias/gone", TargetKeyId=gone)
lost = kms.encrypt(KeyId=gone, Plaintext=b"x")["CiphertextBlob"]
kept = kms.create_key()["KeyMetadata"]["KeyId"]
for k in (gone, kept):
    same(kms.schedule_key_deletion(KeyId=k, PendingWindowInDays=7)["KeyState"], "PendingDeletion", "state")
fails("KMSInvalidStateException", 400, kms.schedule_key_deletion, KeyId=gone)
fails("KMSInvalidStateException", 400, kms.decrypt, CiphertextBlob=lost)
kms.cancel_key_deletion(KeyId=kept)
fails("KMSInvalidStateException", 400, kms.cancel_key_deletion, KeyId=kept)
same(kms.describe_key(KeyId=kept)["KeyMetadata"]["KeyState"], "Disabled", "after cancelling")
advance("2200h")  # more than 90 days


def is_gone():
    try:
        kms.describe_key(KeyId=gone)
        return False
    except kms.exceptions.NotFoundException:
        return True


until("the key is deleted", is_gone)
fails("AccessDeniedException", 400, kms.decrypt, CiphertextBlob=lost)
fails("NotFoundException", 400, kms.describe_key, KeyId="alias/gone")
kms.describe_key(KeyId=kept)
until("the key has rotated", lambda: len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 2)
same([r["RotationType"] for r in kms.list_key_rotations(KeyId=key)["Rotations"]], ["ON_DEMAND", "AUTOMATIC"], "on the clock")
same(kms.decrypt(CiphertextBlob=foreign)["Plaintext"], b"across", "what older material encrypted")
fresh = kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"])
assert fresh["KeyMaterialId"] != kms.decrypt(CiphertextBlob=foreign)["KeyMaterialId"]
ok("rotation keeps old ciphertexts; deletion comes on the clock, and can be taken back")
