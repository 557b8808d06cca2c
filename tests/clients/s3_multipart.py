"""Multipart uploads: parts, copies of parts, listing, completion, abortion."""

import hashlib
import os

from boto3.s3.transfer import TransferConfig
from common import client, fails, ok, same

MIB = 1 << 20
s3 = client("s3")
s3.create_bucket(Bucket="multi")
a, b = os.urandom(5 * MIB), os.urandom(1000)

upload = s3.create_multipart_upload(Bucket="multi", Key="k", ContentType="image/png", Metadata={"m": "1"})["UploadId"]
same([u["UploadId"] for u in s3.list_multipart_uploads(Bucket="multi")["Uploads"]], [upload], "uploads")
fails("404", 404, s3.head_object, Bucket="multi", Key="k")
e2 = s3.upload_part(Bucket="multi", Key="k", UploadId=upload, PartNumber=7, Body=b)["ETag"]
e1 = s3.upload_part(Bucket="multi", Key="k", UploadId=upload, PartNumber=1, Body=a)["ETag"]
same(e1, f'"{hashlib.md5(a).hexdigest()}"', "ETag of a part")
parts = s3.list_parts(Bucket="multi", Key="k", UploadId=upload)["Parts"]
same([(p["PartNumber"], p["Size"]) for p in parts], [(1, 5 * MIB), (7, 1000)], "parts")


def complete(*parts, **more):
    return s3.complete_multipart_upload(
        Bucket="multi", Key="k", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": e} for n, e in parts]}, **more)


fails("InvalidPart", 400, complete, (1, e1), (2, e2))
fails("InvalidPart", 400, complete, (1, e2), (7, e2))
fails("InvalidPartOrder", 400, complete, (7, e2), (1, e1))
done = complete((1, e1), (7, e2))
whole = hashlib.md5(hashlib.md5(a).digest() + hashlib.md5(b).digest()).hexdigest()
same(done["ETag"], f'"{whole}-2"', "ETag of the whole")
got = s3.get_object(Bucket="multi", Key="k")
same(got["Body"].read(), a + b, "content")
same((got["ContentType"], got["Metadata"]), ("image/png", {"m": "1"}), "metadata of the upload")
same(s3.get_object(Bucket="multi", Key="k", PartNumber=2)["Body"].read(), b, "a part by number")
same(s3.head_object(Bucket="multi", Key="k", PartNumber=1)["PartsCount"], 2, "PartsCount")
same(s3.get_object(Bucket="multi", Key="k", Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")["Body"].read(), a[-2:] + b[:2],
     "a range over two parts")
fails("NoSuchUpload", 404, s3.upload_part, Bucket="multi", Key="k", UploadId=upload, PartNumber=1, Body=b"x")
ok("an upload in parts, completed in order")

upload = s3.create_multipart_upload(Bucket="multi", Key="k")["UploadId"]
e1 = s3.upload_part(Bucket="multi", Key="k", UploadId=upload, PartNumber=1, Body=b)["ETag"]
e2 = s3.upload_part(Bucket="multi", Key="k", UploadId=upload, PartNumber=2, Body=b)["ETag"]
fails("EntityTooSmall", 400, complete, (1, e1), (2, e2))
fails("InvalidArgument", 400, s3.upload_part, Bucket="multi", Key="k", UploadId=upload, PartNumber=10001, Body=b"")
s3.abort_multipart_upload(Bucket="multi", Key="k", UploadId=upload)
fails("NoSuchUpload", 404, s3.list_parts, Bucket="multi", Key="k", UploadId=upload)
assert "Uploads" not in s3.list_multipart_uploads(Bucket="multi")
same(s3.get_object(Bucket="multi", Key="k")["Body"].read(), a + b, "the object is as before")
ok("too small, out of range, aborted")

upload = s3.create_multipart_upload(Bucket="multi", Key="k2")["UploadId"]
copy = s3.upload_part_copy(Bucket="multi", Key="k2", UploadId=upload, PartNumber=1, CopySource="multi/k",
                           CopySourceRange=f"bytes=10-{5 * MIB + 9}")
s3.complete_multipart_upload(Bucket="multi", Key="k2", UploadId=upload, MultipartUpload={
    "Parts": [{"PartNumber": 1, "ETag": copy["CopyPartResult"]["ETag"]}]})
same(s3.get_object(Bucket="multi", Key="k2")["Body"].read(), (a + b)[10:5 * MIB + 10], "a copied range")
ok("parts by copy")

name = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"fogbank-multipart-{os.getpid()}")
with open(name, "wb") as f:
    f.write(a * 4)
try:
    s3.upload_file(name, "multi", "file", Config=TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB))
    s3.download_file("multi", "file", name)
    with open(name, "rb") as f:
        same(f.read(), a * 4, "up and down by boto3's transfer manager")
finally:
    os.unlink(name)
ok("boto3's own parallel transfer")
