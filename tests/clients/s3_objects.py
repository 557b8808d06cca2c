"""Objects as boto3 sees them: round trips, today's defaults, metadata, ranges, copies, deletion."""

import hashlib
import io
import os

from common import client, fails, ok, same

s3 = client("s3")
same(s3.create_bucket(Bucket="objects")["Location"], "/objects", "Location")
s3.create_bucket(Bucket="objects")
fails("BucketAlreadyExists", 409, client("s3", "111111111111").create_bucket, Bucket="objects")
fails("InvalidBucketName", 400, client("s3").create_bucket, Bucket="a..b")
fails("NoSuchBucket", 404, s3.list_objects_v2, Bucket="no-such-bucket-here")
assert "objects" in [b["Name"] for b in s3.list_buckets()["Buckets"]]
same(s3.get_bucket_location(Bucket="objects")["LocationConstraint"], None, "us-east-1 has no constraint")
s3.head_bucket(Bucket="objects")
fails("404", 404, s3.head_bucket, Bucket="no-such-bucket-here")
ok("buckets: created, created again by their owner, refused to others")

put = s3.put_object(Bucket="objects", Key="a.txt", Body=b"hello")
same(put["ETag"], f'"{hashlib.md5(b"hello").hexdigest()}"', "ETag")
same(put["ServerSideEncryption"], "AES256", "encryption of a put")
same(put["ChecksumType"], "FULL_OBJECT", "checksum type of a put")
got = s3.get_object(Bucket="objects", Key="a.txt")
same(got["Body"].read(), b"hello", "content")
same(got["ContentType"], "binary/octet-stream", "default content type")
same(got["ServerSideEncryption"], "AES256", "encryption of a get")
same(got["AcceptRanges"], "bytes", "AcceptRanges")
same(got["ContentLength"], 5, "length")
assert "VersionId" not in got
ok("defaults: binary/octet-stream, AES256, full-object checksum")

raw = client("s3", request_checksum_calculation="when_required", response_checksum_validation="when_required")
raw.put_object(Bucket="objects", Key="plain", Body=b"123456789")
head = s3.head_object(Bucket="objects", Key="plain", ChecksumMode="ENABLED")
same((head["ChecksumCRC64NVME"], head["ChecksumType"]), ("rosUhgp5mIg=", "FULL_OBJECT"), "checksum S3 adds itself")
ok("an upload without a checksum gets CRC64NVME")

s3.put_object(
    Bucket="objects", Key="meta", Body=b"x", ContentType="text/html; charset=utf-8", CacheControl="max-age=60",
    ContentDisposition='attachment; filename="x"', ContentEncoding="identity", ContentLanguage="de",
    Metadata={"Colour": "red", "empty": ""}, Tagging="a=1&b=%20two", StorageClass="STANDARD_IA")
head = s3.head_object(Bucket="objects", Key="meta")
same(head["Metadata"], {"colour": "red", "empty": ""}, "metadata, names in lower case")
same((head["ContentType"], head["CacheControl"], head["ContentDisposition"], head["ContentLanguage"]),
     ("text/html; charset=utf-8", "max-age=60", 'attachment; filename="x"', "de"), "headers come back")
same(head["StorageClass"], "STANDARD_IA", "storage class")
got = s3.get_object(Bucket="objects", Key="meta", ResponseContentType="text/plain", ResponseCacheControl="no-store")
same((got["ContentType"], got["CacheControl"], got["TagCount"]), ("text/plain", "no-store", 2), "overrides")
same(s3.get_object_tagging(Bucket="objects", Key="meta")["TagSet"],
     [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": " two"}], "tags")
fails("NoSuchKey", 404, s3.get_object, Bucket="objects", Key="no/such")
fails("404", 404, s3.head_object, Bucket="objects", Key="no/such")
ok("metadata, headers, overrides, tags")

for key in ("a b+c&d=e?f#g", "ü/日本語/🎈", "a//b/./c/../d", "trailing/", "%41%2F", "'\"<>", "tab\there"):
    s3.put_object(Bucket="objects", Key=key, Body=key.encode())
    same(s3.get_object(Bucket="objects", Key=key)["Body"].read().decode(), key, "an odd key")
    assert key in [o["Key"] for o in s3.list_objects_v2(Bucket="objects")["Contents"]], key
fails("KeyTooLongError", 400, s3.put_object, Bucket="objects", Key="k" * 1025, Body=b"")
ok("keys are kept byte for byte")

data = os.urandom(300_000)
s3.upload_fileobj(io.BytesIO(data), "objects", "big")
for text, start, stop in (("bytes=0-0", 0, 1), ("bytes=1000-200000", 1000, 200001), ("bytes=-5", -5, None),
                          ("bytes=299990-", 299990, None), ("bytes=299990-900000", 299990, None)):
    part = s3.get_object(Bucket="objects", Key="big", Range=text)
    same(part["ResponseMetadata"]["HTTPStatusCode"], 206, "status of a range")
    same(part["Body"].read(), data[start:stop], text)
same(s3.get_object(Bucket="objects", Key="big", Range="bytes=0-9")["ContentRange"], "bytes 0-9/300000", "ContentRange")
fails("InvalidRange", 416, s3.get_object, Bucket="objects", Key="big", Range="bytes=300000-")
same(len(s3.get_object(Bucket="objects", Key="big", Range="bytes=9-1")["Body"].read()), 300000, "a senseless range is ignored")
ok("ranges")

copy = s3.copy_object(Bucket="objects", Key="meta2", CopySource={"Bucket": "objects", "Key": "meta"})
same(copy["CopyObjectResult"]["ETag"], s3.head_object(Bucket="objects", Key="meta")["ETag"], "ETag of a copy")
same(s3.head_object(Bucket="objects", Key="meta2")["Metadata"], {"colour": "red", "empty": ""}, "metadata copied")
s3.copy_object(Bucket="objects", Key="meta3", CopySource="objects/meta", MetadataDirective="REPLACE", Metadata={"n": "1"},
               TaggingDirective="REPLACE", Tagging="c=3")
head = s3.head_object(Bucket="objects", Key="meta3")
same((head["Metadata"], head["ContentType"]), ({"n": "1"}, "binary/octet-stream"), "metadata replaced")
same(s3.get_object_tagging(Bucket="objects", Key="meta3")["TagSet"], [{"Key": "c", "Value": "3"}], "tags replaced")
fails("InvalidRequest", 400, s3.copy_object, Bucket="objects", Key="meta", CopySource="objects/meta")
fails("NoSuchKey", 404, s3.copy_object, Bucket="objects", Key="x", CopySource="objects/none")
ok("copies")

s3.delete_object(Bucket="objects", Key="no/such")
gone = s3.delete_objects(Bucket="objects", Delete={"Objects": [{"Key": "a.txt"}, {"Key": "never-there"}]})
same(sorted(d["Key"] for d in gone["Deleted"]), ["a.txt", "never-there"], "deleted")
quiet = s3.delete_objects(Bucket="objects", Delete={"Objects": [{"Key": "plain"}], "Quiet": True})
assert "Deleted" not in quiet
fails("MalformedXML", 400, s3.delete_objects, Bucket="objects", Delete={"Objects": [{"Key": str(i)} for i in range(1001)]})
fails("BucketNotEmpty", 409, s3.delete_bucket, Bucket="objects")
for page in s3.get_paginator("list_objects_v2").paginate(Bucket="objects"):
    s3.delete_objects(Bucket="objects", Delete={"Objects": [{"Key": o["Key"]} for o in page["Contents"]]})
s3.delete_bucket(Bucket="objects")
fails("NoSuchBucket", 404, s3.delete_bucket, Bucket="objects")
ok("deletion, one by one and in a batch")
