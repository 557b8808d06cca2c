"""Versioning: versions, delete markers, null versions, suspension, and their listing."""

from common import client, fails, ok, same

s3 = client("s3")
s3.create_bucket(Bucket="versions")
assert "Status" not in s3.get_bucket_versioning(Bucket="versions")
s3.put_object(Bucket="versions", Key="k", Body=b"before")


def state(status):
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": status})
    same(s3.get_bucket_versioning(Bucket="versions")["Status"], status, "status")


state("Enabled")
v1 = s3.put_object(Bucket="versions", Key="k", Body=b"one")["VersionId"]
v2 = s3.put_object(Bucket="versions", Key="k", Body=b"two")["VersionId"]
assert v1 != v2 and "null" not in (v1, v2)
same(s3.get_object(Bucket="versions", Key="k")["Body"].read(), b"two", "the newest")
same(s3.get_object(Bucket="versions", Key="k", VersionId=v1)["Body"].read(), b"one", "an older one")
same(s3.get_object(Bucket="versions", Key="k", VersionId="null")["Body"].read(), b"before", "from before versioning")
fails("InvalidArgument", 400, s3.get_object, Bucket="versions", Key="k", VersionId="garbage")
ok("every version stays readable")

marker = s3.delete_object(Bucket="versions", Key="k")
assert marker["DeleteMarker"] is True and marker["VersionId"]
gone = fails("NoSuchKey", 404, s3.get_object, Bucket="versions", Key="k")
same(gone["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"], "true", "header of a marker")
fails("MethodNotAllowed", 405, s3.get_object, Bucket="versions", Key="k", VersionId=marker["VersionId"])
listed = s3.list_object_versions(Bucket="versions")
same([(v["VersionId"], v["IsLatest"]) for v in listed["Versions"]], [(v2, False), (v1, False), ("null", False)], "versions")
same([(m["VersionId"], m["IsLatest"]) for m in listed["DeleteMarkers"]], [(marker["VersionId"], True)], "markers")
assert "Contents" not in s3.list_objects_v2(Bucket="versions")
s3.delete_object(Bucket="versions", Key="k", VersionId=marker["VersionId"])
same(s3.get_object(Bucket="versions", Key="k")["Body"].read(), b"two", "undeleted")
ok("a delete marker hides, its deletion undeletes")

state("Suspended")
same(s3.put_object(Bucket="versions", Key="k", Body=b"three").get("VersionId", "null"), "null", "suspended: null version")
same(s3.get_object(Bucket="versions", Key="k", VersionId="null")["Body"].read(), b"three", "null replaced")
same(s3.get_object(Bucket="versions", Key="k", VersionId=v2)["Body"].read(), b"two", "others stay")
s3.delete_object(Bucket="versions", Key="k")
same([m["VersionId"] for m in s3.list_object_versions(Bucket="versions")["DeleteMarkers"]], ["null"], "null marker")
ok("suspended: one null version, the others stay")

copied = s3.copy_object(Bucket="versions", Key="c", CopySource={"Bucket": "versions", "Key": "k", "VersionId": v1})
same(copied["CopySourceVersionId"], v1, "CopySourceVersionId")
same(s3.get_object(Bucket="versions", Key="c")["Body"].read(), b"one", "a version copied")
for i in range(5):
    s3.put_object(Bucket="versions", Key=f"page/{i}", Body=b"")
seen = []
for page in s3.get_paginator("list_object_versions").paginate(Bucket="versions", PaginationConfig={"PageSize": 2}):
    seen += [(v["Key"], v["VersionId"]) for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
same(len(seen), len(set(seen)), "no version twice")
same(len(seen), 3 + 1 + 5, "all versions over pages")
s3.delete_objects(Bucket="versions", Delete={"Objects": [{"Key": k, "VersionId": v} for k, v in seen]})
s3.delete_bucket(Bucket="versions")
ok("versions listed in pages, all deleted by id")
