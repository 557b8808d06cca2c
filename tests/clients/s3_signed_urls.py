"""Presigned URLs and browser forms: what is signed works, what is changed or over is refused."""

import time
import uuid

from common import ENDPOINT, client, http, ok, same

s3 = client("s3", signature_version="s3v4")
s3.create_bucket(Bucket="signed")
s3.put_object(Bucket="signed", Key="k", Body=b"hello")


def refused(answer, status, code):
    got, _, body = answer
    assert got == status and f"<Code>{code}</Code>".encode() in body, (got, body)


def url(operation, expires=60, **params):
    return s3.generate_presigned_url(operation, Params={"Bucket": "signed", **params}, ExpiresIn=expires)


get = url("get_object", Key="k")
same(http("GET", get)[::2], (200, b"hello"), "presigned GET")
refused(http("GET", get.replace("/k?", "/other?")), 403, "SignatureDoesNotMatch")
refused(http("GET", get[:-1] + ("0" if get[-1] != "0" else "1")), 403, "SignatureDoesNotMatch")
refused(http("DELETE", get), 403, "SignatureDoesNotMatch")
refused(http("GET", get + "&response-content-type=text/html"), 403, "SignatureDoesNotMatch")
short = url("get_object", expires=1, Key="k")
time.sleep(2.1)
refused(http("GET", short), 403, "AccessDenied")
ok("GET: as signed, not otherwise, not later")

with_type = url("get_object", Key="k", ResponseContentType="text/x-signed")
same(http("GET", with_type)[1]["content-type"], "text/x-signed", "signed override")
put = url("put_object", Key="up", ContentType="text/plain")
same(http("PUT", put, b"up", {"Content-Type": "text/plain"})[0], 200, "presigned PUT")
refused(http("PUT", put, b"up", {"Content-Type": "text/html"}), 403, "SignatureDoesNotMatch")
same(s3.get_object(Bucket="signed", Key="up")["ContentType"], "text/plain", "type as signed")
stranger = client("s3", "AKIAIOSFODNN7EXAMPLE", "wrong", signature_version="s3v4")
unknown = stranger.generate_presigned_url("get_object", Params={"Bucket": "signed", "Key": "k"})
refused(http("GET", unknown), 403, "InvalidAccessKeyId")
ok("PUT with signed headers; unknown keys")


def form(fields, file, name="file"):
    boundary = uuid.uuid4().hex
    out = b""
    for k, v in fields.items():
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode()
    out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="photo.png"\r\n'.encode()
    out += b"Content-Type: image/png\r\n\r\n" + file + f"\r\n--{boundary}--\r\n".encode()
    return http("POST", f"{ENDPOINT}/signed", out, {"Content-Type": f"multipart/form-data; boundary={boundary}"})


def post(key="form/${filename}", conditions=(), fields=(), expires=60):
    return s3.generate_presigned_post(
        "signed", key, Fields=dict(fields), Conditions=list(conditions), ExpiresIn=expires)["fields"]


status, headers, _ = form(post(), b"picture")
same(status, 204, "a form")
same(s3.get_object(Bucket="signed", Key="form/photo.png")["Body"].read(), b"picture", "key from ${filename}")
typed = post("t", [{"Content-Type": "image/png"}], {"Content-Type": "image/png"})
same(form(typed, b"x")[0], 204, "a form with a type")
same(s3.head_object(Bucket="signed", Key="t")["ContentType"], "image/png", "the field's type")
created = post("c", [{"success_action_status": "201"}], {"success_action_status": "201"})
status, headers, body = form(created, b"x")
same(status, 201, "success_action_status")
assert b"<PostResponse>" in body and b"<Key>c</Key>" in body, body
ok("forms upload")

refused(form({**post(), "key": "elsewhere"}, b"x"), 403, "AccessDenied")
refused(form(post("s", [["content-length-range", 2, 3]]), b"1"), 400, "EntityTooSmall")
refused(form(post("s", [["content-length-range", 2, 3]]), b"1234"), 400, "EntityTooLarge")
same(form(post("s", [["content-length-range", 2, 3]]), b"123")[0], 204, "within the range")
refused(form({**post(), "x-amz-meta-extra": "1"}, b"x"), 403, "AccessDenied")
broken = post()
broken["x-amz-signature"] = "0" * 64
refused(form(broken, b"x"), 403, "SignatureDoesNotMatch")
late = post(expires=1)
time.sleep(2.1)
refused(form(late, b"x"), 403, "AccessDenied")
ok("forms are held to their policy")
