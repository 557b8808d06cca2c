"""What the client scripts share: clients for a principal, and checks that say what they prove.

A script exits 0 only when everything held; `ok` prints what has been proved.
"""

import os
import time
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
ACCOUNT = "000000000000"


def client(service, access_key="test", secret="test", token=None, **config):
    """A client without retries: a retried error is a finding, not noise."""
    config.setdefault("retries", {"max_attempts": 1, "mode": "standard"})
    return boto3.client(
        service, endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id=access_key,
        aws_secret_access_key=secret, aws_session_token=token, config=Config(**config))


def session(credentials, service, **config):
    """A client with the temporary key that STS returned."""
    return client(service, credentials["AccessKeyId"], credentials["SecretAccessKey"],
                  credentials["SessionToken"], **config)


def ok(what):
    print("ok", what, flush=True)


def same(got, expected, what):
    assert got == expected, f"{what}: expected {expected!r}, got {got!r}"


def fails(code, status, call, *args, **kwargs):
    """`call` must fail with this code (or one of them) and HTTP status; returns the error."""
    codes = (code,) if isinstance(code, str) else code
    try:
        answer = call(*args, **kwargs)
    except ClientError as e:
        got = e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]
        assert got[0] in codes and got[1] == status, f"expected {code} {status}, got {got}: {e}"
        return e.response
    raise AssertionError(f"expected {code} {status}, got success: {answer}")


def http(method, url, body=None, headers=None):
    """A plain request: status, headers (names in lower case), body."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())
    try:
        answer = opener.open(request, timeout=30)
    except urllib.error.HTTPError as e:
        answer = e
    return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def until(what, condition, seconds=20):
    """Waits for something that happens in the background."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")
