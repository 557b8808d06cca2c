"""What is done with S3, the same for every server."""

import hashlib
import html
import os
import re
import time

from sigv4 import send_raw

SMALL = os.urandom(1024)
BIG = os.urandom(8 << 20)
BIG_HASH = hashlib.sha256(BIG).hexdigest()


def prepare(server):
    """A bucket, 500 small objects, 8 large ones."""
    raw = server.signer.raw
    for bucket in ("bench", "listing"):
        status, _, body, _ = send_raw("127.0.0.1", server.port, raw("s3", "PUT", f"/{bucket}"))
        if status != 200:
            raise RuntimeError(f"{server.name}: CreateBucket {status} {body[:300]}")


def put_small(server, run):
    raw = server.signer.raw
    return [raw("s3", "PUT", f"/bench/p/{run}/{i:05d}", body=SMALL, headers={"content-type": "application/octet-stream"})
            for i in range(4000)]


def fill_small(server):
    return [server.signer.raw("s3", "PUT", f"/bench/g/{i:05d}", body=SMALL) for i in range(500)]


def get_small(server):
    return [server.signer.raw("s3", "GET", f"/bench/g/{i:05d}") for i in range(500)]


def put_big(server):
    return [server.signer.raw("s3", "PUT", f"/bench/big/{i:02d}", body=BIG, body_hash=BIG_HASH) for i in range(8)]


def get_big(server):
    return [server.signer.raw("s3", "GET", f"/bench/big/{i:02d}") for i in range(8)]


def fill_listing(server, count=10_000):
    return [server.signer.raw("s3", "PUT", f"/listing/d{i // 100:03d}/o{i % 100:03d}", body=b"0123456789abcdef")
            for i in range(count)]


def fill_many(server, first, count):
    return [server.signer.raw("s3", "PUT", f"/bench/many/{i:07d}", body=SMALL) for i in range(first, first + count)]


def list_pages(server):
    """Milliseconds to list 10,000 keys in pages of 1,000; raises unless all of them come."""
    token, keys, spent = None, 0, 0.0
    for _ in range(11):
        query = {"list-type": "2", "max-keys": "1000"}
        if token:
            query["continuation-token"] = token
        request = server.signer.raw("s3", "GET", "/listing", query=query)
        status, _, body, seconds = send_raw("127.0.0.1", server.port, request)
        if status != 200:
            raise RuntimeError(f"{server.name}: ListObjectsV2 {status} {body[:300]}")
        spent += seconds
        keys += body.count(b"<Key>")
        found = re.search(rb"<NextContinuationToken>([^<]*)<", body)
        token = html.unescape(found.group(1).decode()) if found else None
        if not token:
            break
    if keys != 10_000:
        raise RuntimeError(f"{server.name}: {keys} keys of 10,000 listed")
    return spent * 1e3


def settle(seconds=1.0):
    time.sleep(seconds)
