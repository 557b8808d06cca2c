"""Encryption: SSE-S3 by default, SSE-C with the customer's key, what is refused."""

import os

from common import client, fails, ok, same

s3 = client("s3")
s3.create_bucket(Bucket="crypt")
rules = s3.get_bucket_encryption(Bucket="crypt")["ServerSideEncryptionConfiguration"]["Rules"]
same(rules[0]["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"}, "default of a new bucket")
ok("a new bucket encrypts with AES256")

key, other = os.urandom(32), os.urandom(32)
data = os.urandom(100_000)
mine = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
wrong = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": other}
put = s3.put_object(Bucket="crypt", Key="c", Body=data, **mine)
same(put["SSECustomerAlgorithm"], "AES256", "SSE-C put")
assert "ServerSideEncryption" not in put
same(s3.get_object(Bucket="crypt", Key="c", **mine)["Body"].read(), data, "with the key")
same(s3.get_object(Bucket="crypt", Key="c", Range="bytes=70000-70009", **mine)["Body"].read(), data[70000:70010], "a range")
fails("InvalidRequest", 400, s3.get_object, Bucket="crypt", Key="c")
fails("AccessDenied", 403, s3.get_object, Bucket="crypt", Key="c", **wrong)
fails("400", 400, s3.head_object, Bucket="crypt", Key="c")
fails("InvalidEncryptionAlgorithmError", 400, s3.put_object, Bucket="crypt", Key="c", Body=b"", SSECustomerAlgorithm="AES128", SSECustomerKey=key)
s3.put_object(Bucket="crypt", Key="plain", Body=b"x")
fails("InvalidRequest", 400, s3.get_object, Bucket="crypt", Key="plain", **mine)
ok("SSE-C: read with the same key only")

copied = s3.copy_object(Bucket="crypt", Key="d", CopySource="crypt/c", CopySourceSSECustomerAlgorithm="AES256", CopySourceSSECustomerKey=key)
same(copied["ServerSideEncryption"], "AES256", "decrypted by a copy")
same(s3.get_object(Bucket="crypt", Key="d")["Body"].read(), data, "content of the copy")
upload = s3.create_multipart_upload(Bucket="crypt", Key="m", **mine)["UploadId"]
part = s3.upload_part(Bucket="crypt", Key="m", UploadId=upload, PartNumber=1, Body=data, **mine)
fails("InvalidRequest", 400, s3.upload_part, Bucket="crypt", Key="m", UploadId=upload, PartNumber=2, Body=data)
s3.complete_multipart_upload(Bucket="crypt", Key="m", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}, **mine)
same(s3.get_object(Bucket="crypt", Key="m", **mine)["Body"].read(), data, "multipart with SSE-C")
ok("SSE-C: copies and parts")
