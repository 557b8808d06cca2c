"""Checksums of every kind: verified on the way in, kept, returned, and composed for parts."""

import base64
import hashlib
import io
import os
import zlib

from common import client, fails, ok, same

s3 = client("s3")
s3.create_bucket(Bucket="sums")
DATA = b"123456789"
b64 = lambda b: base64.b64encode(b).decode()  # noqa: E731
KNOWN = {
    "CRC32": b64(zlib.crc32(DATA).to_bytes(4, "big")),
    "CRC32C": b64((0xE3069283).to_bytes(4, "big")),
    "CRC64NVME": b64((0xAE8B14860A799888).to_bytes(8, "big")),
    "SHA1": b64(hashlib.sha1(DATA).digest()),
    "SHA256": b64(hashlib.sha256(DATA).digest()),
}
plain = client("s3", request_checksum_calculation="when_required")
for name, value in KNOWN.items():
    member = f"Checksum{name}"
    put = plain.put_object(Bucket="sums", Key=name, Body=DATA, **{member: value})
    same(put[member], value, f"{name} in the answer")
    got = s3.get_object(Bucket="sums", Key=name, ChecksumMode="ENABLED")
    same((got[member], got["ChecksumType"]), (value, "FULL_OBJECT"), name)
    got["Body"].read()
    bad = b64(bytes(len(base64.b64decode(value))))
    fails("BadDigest", 400, plain.put_object, Bucket="sums", Key="bad", Body=DATA, **{member: bad})
    fails("InvalidRequest", 400, plain.put_object, Bucket="sums", Key="bad", Body=DATA, **{member: "AAAA"})
    listed = [o for o in s3.list_objects_v2(Bucket="sums", Prefix=name)["Contents"] if o["Key"] == name][0]
    same((listed["ChecksumAlgorithm"], listed["ChecksumType"]), ([name], "FULL_OBJECT"), "in a listing")
fails("404", 404, s3.head_object, Bucket="sums", Key="bad")
ok("five algorithms: right ones kept, wrong ones refused without a trace")

fails("BadDigest", 400, s3.put_object, Bucket="sums", Key="md5", Body=DATA, ContentMD5=b64(hashlib.md5(b"x").digest()))
fails("InvalidDigest", 400, s3.put_object, Bucket="sums", Key="md5", Body=DATA, ContentMD5="AAAA")
s3.put_object(Bucket="sums", Key="md5", Body=DATA, ContentMD5=b64(hashlib.md5(DATA).digest()))
ok("Content-MD5")


class Unseekable(io.RawIOBase):
    """A body of unknown content: boto3 sends it in chunks with a trailing checksum."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def readable(self):
        return True

    def read(self, n=-1):
        return self.data.read(n)


big = os.urandom(700_000)
for algorithm in ("CRC32", "SHA256"):
    s3.upload_fileobj(Unseekable(big), "sums", f"trailer-{algorithm}", ExtraArgs={"ChecksumAlgorithm": algorithm})
    same(s3.get_object(Bucket="sums", Key=f"trailer-{algorithm}", ChecksumMode="ENABLED")["Body"].read(), big, algorithm)
ok("aws-chunked with a trailing checksum")

part = os.urandom(5 << 20)
for algorithm, kind in (("SHA256", "COMPOSITE"), ("CRC32", "COMPOSITE"), ("CRC64NVME", "FULL_OBJECT")):
    up = s3.create_multipart_upload(Bucket="sums", Key="multi", ChecksumAlgorithm=algorithm)
    same(up["ChecksumAlgorithm"], algorithm, "algorithm of the upload")
    done = []
    for n, body in ((1, part), (2, b"tail")):
        r = s3.upload_part(Bucket="sums", Key="multi", UploadId=up["UploadId"], PartNumber=n, Body=body, ChecksumAlgorithm=algorithm)
        done.append({"PartNumber": n, "ETag": r["ETag"], f"Checksum{algorithm}": r[f"Checksum{algorithm}"]})
    whole = s3.complete_multipart_upload(Bucket="sums", Key="multi", UploadId=up["UploadId"], MultipartUpload={"Parts": done})
    same(whole["ChecksumType"], kind, f"type of {algorithm}")
    if kind == "COMPOSITE":
        assert whole[f"Checksum{algorithm}"].endswith("-2"), whole
    if algorithm == "SHA256":
        both = hashlib.sha256(part).digest() + hashlib.sha256(b"tail").digest()
        same(whole["ChecksumSHA256"], b64(hashlib.sha256(both).digest()) + "-2", "checksum of checksums")
    attributes = s3.get_object_attributes(
        Bucket="sums", Key="multi", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"])
    same((attributes["ObjectSize"], attributes["ObjectParts"]["TotalPartsCount"]), ((5 << 20) + 4, 2), "attributes")
    same(attributes["Checksum"]["ChecksumType"], kind, "attribute ChecksumType")
ok("multipart: composite and full-object")
