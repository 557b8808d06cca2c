"""Who may: Block Public Access, bucket policies, ACLs and ownership, as strangers and neighbours see it."""

import json

from common import ENDPOINT, client, fails, http, ok, same

s3, neighbour = client("s3"), client("s3", "111111111111")
s3.create_bucket(Bucket="access")
s3.put_object(Bucket="access", Key="public/a", Body=b"a")
s3.put_object(Bucket="access", Key="private/a", Body=b"a")


def stranger(key, method="GET"):
    return http(method, f"{ENDPOINT}/access/{key}")[0]


def statement(effect, action, resource, principal="*", **more):
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource, **more}


def policy(*statements):
    s3.put_bucket_policy(Bucket="access", Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def block(**on):
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket="access", PublicAccessBlockConfiguration={n: on.get(n, False) for n in names})


PUBLIC = statement("Allow", "s3:GetObject", "arn:aws:s3:::access/public/*")
same(set(s3.get_public_access_block(Bucket="access")["PublicAccessBlockConfiguration"].values()), {True}, "all on at first")
fails("AccessDenied", 403, policy, PUBLIC)
fails("NoSuchBucketPolicy", 404, s3.get_bucket_policy, Bucket="access")
same(stranger("public/a"), 403, "a stranger")
fails("AccessDenied", 403, neighbour.get_object, Bucket="access", Key="public/a")
ok("a new bucket is closed, and refuses to be opened")

block()
policy(PUBLIC)
same(json.loads(s3.get_bucket_policy(Bucket="access")["Policy"])["Statement"], [PUBLIC], "policy comes back")
same(s3.get_bucket_policy_status(Bucket="access")["PolicyStatus"]["IsPublic"], True, "IsPublic")
same([stranger("public/a"), stranger("private/a"), stranger("public/none"), stranger("public/a", "DELETE")],
     [200, 403, 403, 403], "what a stranger may")
block(RestrictPublicBuckets=True)
same(stranger("public/a"), 403, "restricted again, whatever the policy says")
block()
ok("a public policy opens what it names, no more")

user = "arn:aws:iam::111111111111:root"
policy(statement("Allow", ["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::access/*", {"AWS": user}),
       statement("Deny", "s3:*", "arn:aws:s3:::access/private/*", {"AWS": user}))
same(neighbour.get_object(Bucket="access", Key="public/a")["Body"].read(), b"a", "a neighbour that is named")
fails("AccessDenied", 403, neighbour.get_object, Bucket="access", Key="private/a")
fails("AccessDenied", 403, neighbour.list_objects_v2, Bucket="access")
neighbour.put_object(Bucket="access", Key="from-neighbour", Body=b"n")
same(s3.get_object(Bucket="access", Key="from-neighbour")["Body"].read(), b"n", "the bucket's owner owns it")
ok("another account: what the policy names, and Deny wins")

policy(statement("Deny", "s3:PutObject", "arn:aws:s3:::access/*", Condition={"StringNotEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}))
fails("AccessDenied", 403, s3.put_object, Bucket="access", Key="k", Body=b"")
s3.put_object(Bucket="access", Key="k", Body=b"", ACL="bucket-owner-full-control")
policy(statement("Deny", "s3:GetObject", "arn:aws:s3:::access/*"))
fails("AccessDenied", 403, s3.get_object, Bucket="access", Key="k")
s3.delete_bucket_policy(Bucket="access")
s3.get_object(Bucket="access", Key="k")
ok("conditions and Deny hold for the owner too, who can always take the policy away")

for text in ("{", "{}", json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}),
             json.dumps({"Version": "2012-10-17", "Statement": [statement("Allow", "s3:GetObject", "arn:aws:s3:::other/*")]}),
             json.dumps({"Version": "2012-10-17", "Statement": [statement("Allow", "ec2:Nothing", "arn:aws:s3:::access/*")]})):
    fails("MalformedPolicy", 400, s3.put_bucket_policy, Bucket="access", Policy=text)
ok("malformed policies")

fails("AccessControlListNotSupported", 400, s3.put_object, Bucket="access", Key="k", Body=b"", ACL="public-read")
fails("AccessControlListNotSupported", 400, s3.put_bucket_acl, Bucket="access", ACL="public-read")
s3.put_bucket_ownership_controls(Bucket="access", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
s3.put_object(Bucket="access", Key="acl", Body=b"acl", ACL="public-read")
same(stranger("acl"), 200, "public by ACL")
grants = s3.get_object_acl(Bucket="access", Key="acl")["Grants"]
assert {"URI": "http://acs.amazonaws.com/groups/global/AllUsers", "Type": "Group"} in [g["Grantee"] for g in grants], grants
block(IgnorePublicAcls=True)
same(stranger("acl"), 403, "public ACLs ignored")
block(BlockPublicAcls=True)
fails("AccessDenied", 403, s3.put_object, Bucket="access", Key="acl2", Body=b"", ACL="public-read")
s3.put_object_acl(Bucket="access", Key="acl", ACL="private")
same(stranger("acl"), 403, "private again")
ok("ACLs only where ownership allows them, and as far as Block Public Access lets them")
