"""A bucket's settings: website, CORS, tagging, lifecycle on the moved clock, and what is refused by name."""

import json
import subprocess
import sys
import os

from common import ENDPOINT, client, fails, http, ok, same, until

s3 = client("s3")
s3.create_bucket(Bucket="settings")

fails("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket="settings")
s3.put_bucket_tagging(Bucket="settings", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
same(s3.get_bucket_tagging(Bucket="settings")["TagSet"], [{"Key": "a", "Value": "1"}], "bucket tags")
fails("InvalidTag", 400, s3.put_bucket_tagging, Bucket="settings",
      Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]})
s3.delete_bucket_tagging(Bucket="settings")
fails("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket="settings")
ok("tagging")

fails("NoSuchCORSConfiguration", 404, s3.get_bucket_cors, Bucket="settings")
s3.put_object(Bucket="settings", Key="k", Body=b"x")
rule = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.com"], "AllowedHeaders": ["x-*"],
        "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 600}
s3.put_bucket_cors(Bucket="settings", CORSConfiguration={"CORSRules": [rule]})
same(s3.get_bucket_cors(Bucket="settings")["CORSRules"], [rule], "rules come back")
asked = {"Origin": "https://a.example.com", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-one"}
status, headers, _ = http("OPTIONS", f"{ENDPOINT}/settings/k", headers=asked)
same((status, headers["access-control-allow-origin"], headers["access-control-max-age"]), (200, "https://a.example.com", "600"), "preflight")
for bad in ({"Origin": "https://evil.test"}, {"Access-Control-Request-Method": "DELETE"}, {"Access-Control-Request-Headers": "y"}):
    same(http("OPTIONS", f"{ENDPOINT}/settings/k", headers={**asked, **bad})[0], 403, f"preflight with {bad}")
url = s3.generate_presigned_url("get_object", Params={"Bucket": "settings", "Key": "k"})
same(http("GET", url, headers={"Origin": "https://a.example.com"})[1]["access-control-expose-headers"], "ETag", "CORS on a GET")
ok("CORS, preflight included")

HOST = "settings.s3-website-us-east-1.amazonaws.com"


def web(path, method="GET"):
    return http(method, ENDPOINT + path, headers={"Host": HOST})


fails("NoSuchWebsiteConfiguration", 404, s3.get_bucket_website, Bucket="settings")
same(web("/")[0], 404, "no website yet")
assert b"NoSuchWebsiteConfiguration" in web("/")[2]
s3.put_bucket_website(Bucket="settings", WebsiteConfiguration={
    "IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"},
    "RoutingRules": [
        {"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": {"ReplaceKeyPrefixWith": "documents/"}},
        {"Condition": {"HttpErrorCodeReturnedEquals": "404", "KeyPrefixEquals": "gone/"},
         "Redirect": {"HostName": "elsewhere.test", "Protocol": "https", "HttpRedirectCode": "302", "ReplaceKeyWith": "new"}}]})
s3.put_public_access_block(Bucket="settings", PublicAccessBlockConfiguration={
    "BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False})
s3.put_bucket_policy(Bucket="settings", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::settings/*"},
    # Without it, visitors would get 403 for what does not exist.
    {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::settings"}]}))
for key, body in (("index.html", b"home"), ("sub/index.html", b"sub"), ("error.html", b"oops"), ("page.html", b"page")):
    s3.put_object(Bucket="settings", Key=key, Body=body, ContentType="text/html")
s3.put_object(Bucket="settings", Key="moved", Body=b"", WebsiteRedirectLocation="/page.html")
same(web("/")[::2], (200, b"home"), "index document")
same(web("/sub/")[::2], (200, b"sub"), "index document of a folder")
status, headers, _ = web("/sub")
same((status, headers["location"]), (302, "/sub/"), "a folder without its slash")
same(web("/page.html")[1]["content-type"], "text/html", "content type")
same(web("/none")[::2], (404, b"oops"), "error document")
status, headers, _ = web("/docs/a.html")
same((status, headers["location"]), (301, f"http://{HOST}/documents/a.html"), "a routing rule by prefix")
status, headers, _ = web("/gone/a")
same((status, headers["location"]), (302, "https://elsewhere.test/new"), "a routing rule by error")
status, headers, _ = web("/moved")
same((status, headers["location"]), (301, "/page.html"), "redirect of an object")
same(web("/", "POST")[0], 405, "a website only reads")
same((web("/", "HEAD")[0], web("/", "HEAD")[2]), (200, b""), "HEAD")
s3.put_bucket_website(Bucket="settings", WebsiteConfiguration={"RedirectAllRequestsTo": {"HostName": "example.test", "Protocol": "https"}})
status, headers, _ = web("/x?y=1")
same((status, headers["location"]), (301, "https://example.test/x?y=1"), "redirect all")
s3.delete_bucket_website(Bucket="settings")
same(web("/")[0], 404, "website taken away")
ok("website: index, error, redirects, rules")

fails("NoSuchLifecycleConfiguration", 404, s3.get_bucket_lifecycle_configuration, Bucket="settings")
s3.put_object(Bucket="settings", Key="tmp/a", Body=b"x")
s3.put_object(Bucket="settings", Key="keep/a", Body=b"x")
s3.put_bucket_lifecycle_configuration(Bucket="settings", LifecycleConfiguration={"Rules": [
    {"ID": "tmp", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 2}}]})
same(s3.get_bucket_lifecycle_configuration(Bucket="settings")["Rules"][0]["ID"], "tmp", "rule")
assert 'rule-id="tmp"' in s3.head_object(Bucket="settings", Key="tmp/a")["Expiration"]


def keys():
    return [o["Key"] for o in s3.list_objects_v2(Bucket="settings").get("Contents", []) if "/a" in o["Key"]]


same(keys(), ["keep/a", "tmp/a"], "nothing expired yet")
port = ENDPOINT.rsplit(":", 1)[1]
subprocess.run([os.environ["FOGBANK_BIN"], "clock", "--port", port, "advance", "4d"], check=True, stdout=sys.stderr)
until("the expired object is gone", lambda: keys() == ["keep/a"])
fails("InvalidArgument", 400, s3.put_bucket_lifecycle_configuration, Bucket="settings", LifecycleConfiguration={"Rules": [
    {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 0}}]})
ok("lifecycle acts when the clock moves")

for call, kw in ((s3.put_bucket_replication, {"ReplicationConfiguration": {"Role": "r", "Rules": []}}),
                 (s3.select_object_content, {"Key": "k", "Expression": "x", "ExpressionType": "SQL", "InputSerialization": {"CSV": {}},
                                             "OutputSerialization": {"CSV": {}}}),
                 (s3.put_bucket_inventory_configuration, {"Id": "i", "InventoryConfiguration": {
                     "Destination": {"S3BucketDestination": {"Bucket": "b", "Format": "CSV"}}, "IsEnabled": True, "Id": "i",
                     "IncludedObjectVersions": "All", "Schedule": {"Frequency": "Daily"}}})):
    error = fails("NotImplemented", 400, call, Bucket="settings", **kw)
    assert "s3:" in error["Error"]["Message"], error
ok("what is not implemented is refused by name")
