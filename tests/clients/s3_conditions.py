"""Conditional reads and writes."""

import datetime
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError
from common import client, fails, ok, same

s3 = client("s3")
s3.create_bucket(Bucket="cond")
etag = s3.put_object(Bucket="cond", Key="k", Body=b"1")["ETag"]
when = s3.head_object(Bucket="cond", Key="k")["LastModified"]
hour = datetime.timedelta(hours=1)


def get(**kw):
    return s3.get_object(Bucket="cond", Key="k", **kw)["Body"].read()


same(get(IfMatch=etag), b"1", "IfMatch")
fails("PreconditionFailed", 412, get, IfMatch='"other"')
fails("304", 304, get, IfNoneMatch=etag)
same(get(IfNoneMatch='"other"'), b"1", "IfNoneMatch")
fails("304", 304, get, IfModifiedSince=when)
same(get(IfModifiedSince=when - hour), b"1", "IfModifiedSince")
fails("PreconditionFailed", 412, get, IfUnmodifiedSince=when - hour)
same(get(IfUnmodifiedSince=when), b"1", "IfUnmodifiedSince")
same(get(IfMatch=etag, IfUnmodifiedSince=when - hour), b"1", "a true IfMatch wins over IfUnmodifiedSince")
fails("304", 304, get, IfNoneMatch=etag, IfModifiedSince=when - hour)
ok("reads")


def put(key, body, **kw):
    return s3.put_object(Bucket="cond", Key=key, Body=body, **kw)["ETag"]


fails("PreconditionFailed", 412, put, "k", b"2", IfNoneMatch="*")
put("new", b"1", IfNoneMatch="*")
fails("PreconditionFailed", 412, put, "k", b"2", IfMatch='"other"')
etag = put("k", b"2", IfMatch=etag)
fails("NoSuchKey", 404, put, "never", b"2", IfMatch=etag)
same(get(), b"2", "written when it matched")
fails("PreconditionFailed", 412, s3.copy_object, Bucket="cond", Key="c", CopySource="cond/k", CopySourceIfMatch='"other"')
s3.copy_object(Bucket="cond", Key="c", CopySource="cond/k", CopySourceIfMatch=etag)
ok("writes")


def race(i):
    mine = client("s3")
    try:
        mine.put_object(Bucket="cond", Key="lock", Body=str(i).encode(), IfNoneMatch="*")
        return i
    except ClientError as e:
        assert e.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"), e
        return None


with ThreadPoolExecutor(8) as pool:
    winners = [w for w in pool.map(race, range(16)) if w is not None]
same(len(winners), 1, "winners of a race")
same(s3.get_object(Bucket="cond", Key="lock")["Body"].read(), str(winners[0]).encode(), "the winner's content")
ok("of sixteen that create a key at once, one wins")
