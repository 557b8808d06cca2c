//! Who may do what: policies, ACLs and public access blocks together.

use fogbank_core::{Principal, Value, map};

use crate::policed::{ME, OTHER, World, bucket, object, user};

const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;

/// The code of an answer, or `ok`.
async fn ask(w: &World, who: &Principal, operation: &'static str, input: Value) -> String {
    match w.call(who, operation, input).await {
        Ok(_) => "ok".into(),
        Err(e) => e.code().to_owned(),
    }
}

fn acl(name: &str) -> Value {
    map! {"Bucket" => "bkt", "ACL" => name}
}

#[tokio::test]
async fn without_anything_only_the_owner_may() {
    let w = World::new();
    w.open_bucket().await;
    let (me, anon) = (Principal::root(ME), Principal::anonymous());
    for (who, operation, input, want) in [
        (&me, "GetObject", object("k"), "ok"),
        (&me, "GetObject", object("none"), "NoSuchKey"),
        (&user(ME), "GetObject", object("k"), "AccessDenied"),
        (&Principal::root(OTHER), "GetObject", object("k"), "AccessDenied"),
        (&anon, "GetObject", object("k"), "AccessDenied"),
        (&anon, "ListObjectsV2", bucket(), "AccessDenied"),
        (&anon, "GetObject", map! {"Bucket" => "other", "Key" => "k"}, "NoSuchBucket"),
        (&anon, "ListBuckets", Value::Map(Vec::new()), "AccessDenied"),
    ] {
        assert_eq!(ask(&w, who, operation, input).await, want, "{} {operation}", who.arn);
    }
}

#[tokio::test]
async fn policies_decide_and_hide_what_is_missing() {
    let w = World::new();
    w.open_bucket().await;
    let anon = Principal::anonymous();
    let read = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}"#;
    w.policy(read).await.unwrap();
    assert_eq!(ask(&w, &anon, "GetObject", object("k")).await, "ok");
    assert_eq!(ask(&w, &anon, "GetObject", object("none")).await, "AccessDenied");
    assert_eq!(ask(&w, &Principal::root(OTHER), "GetObject", object("k")).await, "ok");
    let list = r#"{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bkt"}"#;
    w.policy(&format!("{read},{list}")).await.unwrap();
    assert_eq!(ask(&w, &anon, "GetObject", object("none")).await, "NoSuchKey");
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]}"#;
    w.policy(deny).await.unwrap();
    let me = Principal::root(ME);
    assert_eq!(ask(&w, &me, "GetObject", object("k")).await, "AccessDenied");
    assert_eq!(ask(&w, &me, "DeleteBucketPolicy", bucket()).await, "ok", "the root can mend it");
    assert_eq!(ask(&w, &me, "GetObject", object("k")).await, "ok");
}

#[tokio::test]
async fn writes_are_asked_on_the_key() {
    let w = World::new();
    let other = Principal::root(OTHER);
    assert_eq!(ask(&w, &Principal::root(ME), "CreateBucket", bucket()).await, "ok");
    w.policy(
        r#"{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":["s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::bkt/in/*"}"#,
    )
    .await
    .unwrap();
    for (operation, key, want) in [
        ("PutObject", "in/a", "ok"),
        ("PutObject", "out", "AccessDenied"),
        ("CreateMultipartUpload", "in/a", "ok"),
        ("DeleteObject", "in/a", "ok"),
        ("DeleteObject", "out", "AccessDenied"),
    ] {
        assert_eq!(ask(&w, &other, operation, object(key)).await, want, "{operation} {key}");
    }
}

#[tokio::test]
async fn conditions_see_the_request() {
    let w = World::new();
    w.open_bucket().await;
    let user = user(ME);
    for (condition, input, want) in [
        (
            r#"{"StringEquals":{"s3:prefix":"a/"}}"#,
            map! {"Bucket" => "bkt", "Prefix" => "a/"},
            "ok",
        ),
        (
            r#"{"StringEquals":{"s3:prefix":"a/"}}"#,
            map! {"Bucket" => "bkt", "Prefix" => "b/"},
            "AccessDenied",
        ),
        (
            r#"{"NumericLessThan":{"s3:max-keys":"10"}}"#,
            map! {"Bucket" => "bkt", "MaxKeys" => 5_i64},
            "ok",
        ),
        (
            r#"{"NumericLessThan":{"s3:max-keys":"10"}}"#,
            map! {"Bucket" => "bkt", "MaxKeys" => 50_i64},
            "AccessDenied",
        ),
    ] {
        w.allow_users(&format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bkt","Condition":{condition}}}}}"#
        ));
        assert_eq!(ask(&w, &user, "ListObjectsV2", input).await, want, "{condition}");
    }
    w.allow_users(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/team":"x"}}}}"#,
    );
    assert_eq!(ask(&w, &user, "GetObject", object("k")).await, "AccessDenied");
    let tagging = map! {"TagSet" => vec![map! {"Key" => "team", "Value" => "x"}]};
    let input = map! {"Bucket" => "bkt", "Key" => "k", "Tagging" => tagging};
    assert_eq!(ask(&w, &Principal::root(ME), "PutObjectTagging", input).await, "ok");
    assert_eq!(ask(&w, &user, "GetObject", object("k")).await, "ok");
}

#[tokio::test]
async fn acls_decide_where_they_are_enabled() {
    let w = World::new();
    w.open_bucket().await;
    let (me, other, anon) = (Principal::root(ME), Principal::root(OTHER), Principal::anonymous());
    let object_acl = |name: &str| map! {"Bucket" => "bkt", "Key" => "k", "ACL" => name};
    assert_eq!(ask(&w, &me, "PutObjectAcl", object_acl("authenticated-read")).await, "ok");
    assert_eq!(ask(&w, &anon, "GetObject", object("k")).await, "AccessDenied");
    assert_eq!(ask(&w, &other, "GetObject", object("k")).await, "ok");
    assert_eq!(ask(&w, &user(OTHER), "GetObject", object("k")).await, "AccessDenied");
    w.allow_users(ALLOW_ALL);
    assert_eq!(ask(&w, &user(OTHER), "GetObject", object("k")).await, "ok");
    assert_eq!(ask(&w, &other, "GetObjectAcl", object("k")).await, "AccessDenied");
    assert_eq!(ask(&w, &me, "PutBucketAcl", acl("public-read-write")).await, "ok");
    assert_eq!(ask(&w, &anon, "ListObjects", bucket()).await, "ok");
    assert_eq!(ask(&w, &anon, "GetObject", object("none")).await, "NoSuchKey");
    // What another account writes is its own, the bucket's owner notwithstanding.
    assert_eq!(ask(&w, &other, "PutObject", object("theirs")).await, "ok");
    assert_eq!(ask(&w, &me, "GetObject", object("theirs")).await, "AccessDenied");
    assert_eq!(ask(&w, &other, "GetObject", object("theirs")).await, "ok");
    assert_eq!(ask(&w, &me, "DeleteObject", object("theirs")).await, "ok");
    // An explicit denial wins over a grant.
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bkt"}"#;
    w.policy(deny).await.unwrap();
    assert_eq!(ask(&w, &anon, "ListObjects", bucket()).await, "AccessDenied");
}

#[tokio::test]
async fn todays_buckets_take_no_acls() {
    let w = World::new();
    let me = Principal::root(ME);
    assert_eq!(
        ask(&w, &me, "CreateBucket", acl("public-read")).await,
        "InvalidBucketAclWithObjectOwnership"
    );
    assert_eq!(ask(&w, &me, "CreateBucket", bucket()).await, "ok");
    for (operation, input, want) in [
        ("PutBucketAcl", acl("private"), "AccessControlListNotSupported"),
        ("PutBucketAcl", acl("public-read"), "AccessControlListNotSupported"),
        (
            "PutObject",
            map! {"Bucket" => "bkt", "Key" => "k", "ACL" => "public-read"},
            "AccessControlListNotSupported",
        ),
        (
            "PutObject",
            map! {"Bucket" => "bkt", "Key" => "k", "ACL" => "bucket-owner-full-control"},
            "ok",
        ),
        ("GetBucketAcl", bucket(), "ok"),
    ] {
        assert_eq!(ask(&w, &me, operation, input).await, want, "{operation}");
    }
}

#[tokio::test]
async fn public_access_blocks_act() {
    let w = World::new();
    w.open_bucket().await;
    let (me, anon) = (Principal::root(ME), Principal::anonymous());
    let read = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}"#;
    let block = |member: &str| {
        map! {"Bucket" => "bkt", "PublicAccessBlockConfiguration" =>
        Value::Map(vec![(member.to_owned().into(), Value::Bool(true))])}
    };
    w.policy(read).await.unwrap();
    assert_eq!(ask(&w, &me, "PutBucketAcl", acl("public-read")).await, "ok");

    ask(&w, &me, "PutPublicAccessBlock", block("RestrictPublicBuckets")).await;
    assert_eq!(ask(&w, &anon, "GetObject", object("k")).await, "AccessDenied");
    assert_eq!(ask(&w, &anon, "ListObjects", bucket()).await, "ok", "the ACL still grants");
    ask(&w, &me, "PutPublicAccessBlock", block("IgnorePublicAcls")).await;
    assert_eq!(ask(&w, &anon, "ListObjects", bucket()).await, "AccessDenied");
    assert_eq!(ask(&w, &anon, "GetObject", object("k")).await, "ok");
    ask(&w, &me, "PutPublicAccessBlock", block("BlockPublicPolicy")).await;
    let refused = w.policy(read).await.unwrap_err();
    assert!(refused.message().contains("BlockPublicPolicy"), "{refused}");
    ask(&w, &me, "PutPublicAccessBlock", block("BlockPublicAcls")).await;
    assert_eq!(ask(&w, &me, "PutBucketAcl", acl("public-read")).await, "AccessDenied");
    let put = map! {"Bucket" => "bkt", "Key" => "k", "ACL" => "public-read"};
    assert_eq!(ask(&w, &me, "PutObject", put).await, "AccessDenied");
}

#[tokio::test]
async fn copies_ask_for_their_source() {
    let w = World::new();
    w.open_bucket().await;
    let user = user(ME);
    let copy = || map! {"Bucket" => "bkt", "Key" => "to", "CopySource" => "/bkt/k"};
    let statement = |actions: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":[{actions}],"Resource":"*"}}}}"#
        )
    };
    w.allow_users(&statement(r#""s3:PutObject""#));
    assert_eq!(ask(&w, &user, "CopyObject", copy()).await, "AccessDenied");
    w.allow_users(&statement(r#""s3:GetObject""#));
    assert_eq!(ask(&w, &user, "CopyObject", copy()).await, "AccessDenied");
    w.allow_users(&statement(r#""s3:GetObject","s3:PutObject""#));
    assert_eq!(ask(&w, &user, "CopyObject", copy()).await, "ok");
}

#[tokio::test]
async fn requesters_pay_and_owners_are_expected() {
    let w = World::new();
    w.open_bucket().await;
    let (me, other) = (Principal::root(ME), Principal::root(OTHER));
    ask(&w, &me, "PutBucketAcl", acl("public-read")).await;
    let pays =
        map! {"Bucket" => "bkt", "RequestPaymentConfiguration" => map! {"Payer" => "Requester"}};
    assert_eq!(ask(&w, &me, "PutBucketRequestPayment", pays).await, "ok");
    assert_eq!(ask(&w, &other, "ListObjects", bucket()).await, "AccessDenied");
    let agreed = [("x-amz-request-payer", "requester")];
    let body = fogbank_core::Body::Empty;
    assert!(w.send(&other, "ListObjects", bucket(), body, &agreed).await.is_ok());
    let expect = |owner: &str| map! {"Bucket" => "bkt", "ExpectedBucketOwner" => owner};
    assert_eq!(ask(&w, &me, "ListObjects", expect(ME)).await, "ok");
    assert_eq!(ask(&w, &me, "ListObjects", expect(OTHER)).await, "AccessDenied");
}
