"""Secrets that are written in one life of the cloud and read in the next: run as `write`, then `read`."""

import json
import os
import sys

from common import client, fails, ok, same

kms, sm, ssm = client("kms"), client("secretsmanager"), client("ssm")
HIDDEN, OTHER = "correct-horse-battery", "battery-staple-pass"
TOKEN = "0123456789abcdef0123456789abcdef"
phase = sys.argv[1] if len(sys.argv) > 1 else "both"

if phase != "read":
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/kept", TargetKeyId=key)
    blob = kms.encrypt(KeyId="alias/kept", Plaintext=HIDDEN.encode())["CiphertextBlob"]
    sm.create_secret(Name="kept", SecretString=HIDDEN, ClientRequestToken=TOKEN)
    sm.put_secret_value(SecretId="kept", SecretString=OTHER)
    sm.create_secret(Name="kept-binary", SecretBinary=HIDDEN.encode(), KmsKeyId="alias/kept")
    sm.create_secret(Name="kept-blob", SecretBinary=blob)
    ssm.put_parameter(Name="/kept", Value=HIDDEN, Type="SecureString")
    ssm.put_parameter(Name="/kept", Value=OTHER, Overwrite=True, Tier="Advanced")
    kms.rotate_key_on_demand(KeyId=key)
    gone = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=gone, PendingWindowInDays=7)
    ok("written")

if phase != "write":
    same(sm.get_secret_value(SecretId="kept")["SecretString"], OTHER, "the current version")
    same(sm.get_secret_value(SecretId="kept", VersionStage="AWSPREVIOUS")["SecretString"], HIDDEN, "the previous version")
    same(sm.get_secret_value(SecretId="kept-binary")["SecretBinary"], HIDDEN.encode(), "bytes")
    blob = sm.get_secret_value(SecretId="kept-blob")["SecretBinary"]
    same(kms.decrypt(CiphertextBlob=blob)["Plaintext"], HIDDEN.encode(), "a ciphertext from before a rotation")
    fails("ResourceExistsException", 400, sm.put_secret_value, SecretId="kept", ClientRequestToken=TOKEN, SecretString="x")
    same(ssm.get_parameter(Name="/kept", WithDecryption=True)["Parameter"]["Value"], OTHER, "a parameter")
    same(ssm.get_parameter(Name="/kept:1", WithDecryption=True)["Parameter"]["Value"], HIDDEN, "its first version")
    states = [kms.describe_key(KeyId=k["KeyId"])["KeyMetadata"]["KeyState"] for k in kms.list_keys()["Keys"]]
    assert "PendingDeletion" in states, states
    ok("read again")
