"""Listings: order, prefixes, delimiters, pages, encodings."""

from concurrent.futures import ThreadPoolExecutor

from common import client, fails, ok, same

s3 = client("s3", max_pool_connections=16)
s3.create_bucket(Bucket="list")
KEYS = sorted([f"d{i:02}/f{j:02}" for i in range(30) for j in range(40)] + ["a", "a-b", "a/", "a/b", "Z", "ü", "e é+&"],
              key=lambda k: k.encode())
with ThreadPoolExecutor(16) as pool:
    list(pool.map(lambda k: s3.put_object(Bucket="list", Key=k, Body=b"x"), KEYS))


def pages(operation, size, **kw):
    keys, prefixes = [], []
    for page in s3.get_paginator(operation).paginate(Bucket="list", PaginationConfig={"PageSize": size}, **kw):
        assert len(page.get("Contents", [])) + len(page.get("CommonPrefixes", [])) <= size
        keys += [o["Key"] for o in page.get("Contents", [])]
        prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
    return keys, prefixes


for operation in ("list_objects", "list_objects_v2"):
    for size in (1000, 7):
        same(pages(operation, size)[0], KEYS, f"{operation} by {size}, in the order of bytes")
        same(pages(operation, size, Prefix="d1")[0], [k for k in KEYS if k.startswith("d1")], "prefix")
        keys, prefixes = pages(operation, size, Delimiter="/")
        same(keys, [k for k in KEYS if "/" not in k], "keys outside folders")
        same(prefixes, sorted({k[:k.index("/") + 1] for k in KEYS if "/" in k}), "folders")
        same(pages(operation, size, Prefix="a", Delimiter="/"), (["a", "a-b"], ["a/"]), "prefix and delimiter")
        same(pages(operation, size, Delimiter="f0", Prefix="d00/"), (
            [k for k in KEYS if k.startswith("d00/") and "f0" not in k], ["d00/f0"]), "a delimiter of two characters")
ok("both versions, in pages of any size")

page = s3.list_objects_v2(Bucket="list", MaxKeys=3)
same((page["KeyCount"], page["IsTruncated"], page["MaxKeys"], page["Name"]), (3, True, 3, "list"), "fields")
same(page["Contents"][0]["StorageClass"], "STANDARD", "StorageClass")
assert "Owner" not in page["Contents"][0]
assert s3.list_objects_v2(Bucket="list", MaxKeys=1, FetchOwner=True)["Contents"][0]["Owner"]["ID"]
after = s3.list_objects_v2(Bucket="list", StartAfter="d05/f10", MaxKeys=2)
same([o["Key"] for o in after["Contents"]], ["d05/f11", "d05/f12"], "StartAfter")
same(s3.list_objects_v2(Bucket="list", MaxKeys=0)["KeyCount"], 0, "no keys wanted")
same(s3.list_objects_v2(Bucket="list", Prefix="none")["KeyCount"], 0, "no keys there")
same(s3.list_objects_v2(Bucket="list", ContinuationToken="")["Contents"][0]["Key"], "Z", "an empty token is the beginning")
fails("InvalidArgument", 400, s3.list_objects_v2, Bucket="list", MaxKeys=-1)
v1 = s3.list_objects(Bucket="list", Delimiter="/", MaxKeys=3)
assert v1["IsTruncated"] and v1["NextMarker"], v1
ok("fields, owner, StartAfter, limits")

for i in range(3):
    s3.create_bucket(Bucket=f"more-{i}")
first = s3.list_buckets(MaxBuckets=2)
rest = s3.list_buckets(ContinuationToken=first["ContinuationToken"])
same([b["Name"] for b in first["Buckets"] + rest["Buckets"]], ["list", "more-0", "more-1", "more-2"], "buckets in pages")
same([b["Name"] for b in s3.list_buckets(Prefix="more-")["Buckets"]], ["more-0", "more-1", "more-2"], "buckets by prefix")
ok("buckets in pages")
