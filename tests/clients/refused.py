"""What fogbank does not do is refused by name, in each protocol, with a 4xx that no SDK retries."""

import time

from botocore.exceptions import ClientError
from common import client, ok

CALLS = (
    ("ec2", "describe_instances", {}),
    ("dynamodb", "describe_global_table", {"GlobalTableName": "abc"}),
    ("lambda", "list_code_signing_configs", {}),
    ("cloudfront", "list_distributions", {}),
    ("cloudformation", "list_stack_sets", {}),
    ("events", "list_rules", {}),
    ("route53", "list_hosted_zones", {}),
    ("eks", "list_clusters", {}),
    ("iam", "generate_credential_report", {}),
    ("sts", "decode_authorization_message", {"EncodedMessage": "x"}),
    ("s3", "get_object_torrent", {"Bucket": "b", "Key": "k"}),
)
for service, method, kw in CALLS:
    c = client(service, retries={"max_attempts": 3, "mode": "standard"})
    operation = c.meta.method_to_api_mapping[method]
    began = time.monotonic()
    try:
        getattr(c, method)(**kw)
        raise AssertionError(f"{service}:{operation} answered")
    except ClientError as e:
        error, meta = e.response["Error"], e.response["ResponseMetadata"]
        assert "NotImplemented" in error["Code"] and operation in error["Message"], (service, error)
        assert 400 <= meta["HTTPStatusCode"] < 500 and meta["RetryAttempts"] == 0, (service, meta)
    ok(f"{service}:{operation} is refused by name")
