//! S3: buckets and their policies.

use fogbank_core::Result;
use serde_json::{Value, json};

use super::{Kind, Made, Props};
use crate::kind;
use crate::maker::{Maker, pick, text};
use crate::record::Instance;

pub const KINDS: &[Kind] = &[
    kind!("AWS::S3::Bucket" {
        properties: [
            "AccessControl", "BucketEncryption", "BucketName", "CorsConfiguration",
            "LifecycleConfiguration", "NotificationConfiguration", "ObjectLockEnabled",
            "OwnershipControls", "PublicAccessBlockConfiguration", "Tags",
            "VersioningConfiguration", "WebsiteConfiguration",
        ],
        required: [],
        replaces: ["BucketName", "ObjectLockEnabled"],
        create: create_bucket,
        update: update_bucket,
        delete: delete_bucket,
    }),
    kind!("AWS::S3::BucketPolicy" {
        properties: ["Bucket", "PolicyDocument"],
        required: ["Bucket", "PolicyDocument"],
        replaces: ["Bucket"],
        create: create_policy,
        update: update_policy,
        delete: delete_policy,
    }),
];

const ABSENT: &[&str] = &["NoSuchBucket"];

async fn create_bucket(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let name = match p.get("BucketName") {
        Some(n) => text(Some(n)),
        None => m.name(63).to_ascii_lowercase(),
    };
    let mut input = json!({"Bucket": name});
    if m.cx.region != "us-east-1" {
        input["CreateBucketConfiguration"] = json!({"LocationConstraint": m.cx.region});
    }
    if text(p.get("ObjectLockEnabled")) == "true" {
        input["ObjectLockEnabledForBucket"] = json!(true);
    }
    if let Some(o) = p.get("OwnershipControls").and_then(|o| o["Rules"][0].get("ObjectOwnership")) {
        input["ObjectOwnership"] = o.clone();
    }
    m.call("s3", "CreateBucket", input).await?;
    configure(m, &name, &Props::new(), p).await?;
    Ok(bucket(m, &name))
}

async fn update_bucket(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    configure(m, &old.physical_id, &old.props(), p).await?;
    Ok(bucket(m, &old.physical_id))
}

async fn delete_bucket(m: &Maker<'_>, i: &Instance) -> Result<()> {
    m.find("s3", "DeleteBucket", json!({"Bucket": i.physical_id}), ABSENT).await.map(drop)
}

fn bucket(m: &Maker<'_>, name: &str) -> Made {
    let region = &m.cx.region;
    Made::new(name)
        .with("Arn", format!("arn:{}:s3:::{name}", crate::scope::partition(region).0))
        .with("DomainName", format!("{name}.s3.amazonaws.com"))
        .with("DualStackDomainName", format!("{name}.s3.dualstack.{region}.amazonaws.com"))
        .with("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com"))
        .with("WebsiteURL", format!("http://{name}.s3-website-{region}.amazonaws.com"))
}

/// Sets what has changed.
async fn configure(m: &Maker<'_>, name: &str, old: &Props, new: &Props) -> Result<()> {
    let changed = |k: &str| old.get(k) != new.get(k);
    if changed("PublicAccessBlockConfiguration") {
        match new.get("PublicAccessBlockConfiguration") {
            Some(c) => {
                let input = json!({"Bucket": name, "PublicAccessBlockConfiguration": c});
                m.call("s3", "PutPublicAccessBlock", input).await?;
            }
            None => {
                m.call("s3", "DeletePublicAccessBlock", json!({"Bucket": name})).await?;
            }
        }
    }
    if changed("OwnershipControls") && !old.is_empty() {
        match new.get("OwnershipControls") {
            Some(c) => {
                let input = json!({"Bucket": name, "OwnershipControls": c});
                m.call("s3", "PutBucketOwnershipControls", input).await?;
            }
            None => {
                m.call("s3", "DeleteBucketOwnershipControls", json!({"Bucket": name})).await?;
            }
        }
    }
    if changed("AccessControl")
        && let Some(acl) = new.get("AccessControl")
    {
        let acl = canned(&text(Some(acl)));
        m.call("s3", "PutBucketAcl", json!({"Bucket": name, "ACL": acl})).await?;
    }
    if changed("VersioningConfiguration") {
        let status = new.get("VersioningConfiguration").map(|c| text(c.get("Status")));
        let status = status.unwrap_or_else(|| "Suspended".into());
        let input = json!({"Bucket": name, "VersioningConfiguration": {"Status": status}});
        m.call("s3", "PutBucketVersioning", input).await?;
    }
    if changed("BucketEncryption") {
        match new.get("BucketEncryption") {
            Some(c) => {
                let input = json!({
                    "Bucket": name, "ServerSideEncryptionConfiguration": encryption(c),
                });
                m.call("s3", "PutBucketEncryption", input).await?;
            }
            None => {
                m.call("s3", "DeleteBucketEncryption", json!({"Bucket": name})).await?;
            }
        }
    }
    if changed("CorsConfiguration") {
        match new.get("CorsConfiguration") {
            Some(c) => {
                let input = json!({"Bucket": name, "CORSConfiguration": cors(c)});
                m.call("s3", "PutBucketCors", input).await?;
            }
            None => {
                m.call("s3", "DeleteBucketCors", json!({"Bucket": name})).await?;
            }
        }
    }
    if changed("LifecycleConfiguration") {
        match new.get("LifecycleConfiguration") {
            Some(c) => {
                let input = json!({"Bucket": name, "LifecycleConfiguration": lifecycle(c)});
                m.call("s3", "PutBucketLifecycleConfiguration", input).await?;
            }
            None => {
                m.call("s3", "DeleteBucketLifecycle", json!({"Bucket": name})).await?;
            }
        }
    }
    if changed("WebsiteConfiguration") {
        match new.get("WebsiteConfiguration") {
            Some(c) => {
                let input = json!({"Bucket": name, "WebsiteConfiguration": website(c)});
                m.call("s3", "PutBucketWebsite", input).await?;
            }
            None => {
                m.call("s3", "DeleteBucketWebsite", json!({"Bucket": name})).await?;
            }
        }
    }
    if changed("NotificationConfiguration") {
        let c = new.get("NotificationConfiguration").map_or_else(|| json!({}), notifications);
        let input = json!({"Bucket": name, "NotificationConfiguration": c});
        m.call("s3", "PutBucketNotificationConfiguration", input).await?;
    }
    let tags = m.tags(new);
    if !tags.is_empty() && (changed("Tags") || old.is_empty()) {
        let input = json!({"Bucket": name, "Tagging": {"TagSet": Maker::tag_list(&tags)}});
        m.call("s3", "PutBucketTagging", input).await?;
    } else if changed("Tags") {
        m.call("s3", "DeleteBucketTagging", json!({"Bucket": name})).await?;
    }
    Ok(())
}

/// `PublicReadWrite` as the API spells it: `public-read-write`.
fn canned(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn encryption(c: &Value) -> Value {
    let rules = c["ServerSideEncryptionConfiguration"].as_array().into_iter().flatten();
    let rules: Vec<Value> = rules
        .map(|r| {
            json!({
                "ApplyServerSideEncryptionByDefault": r.get("ServerSideEncryptionByDefault"),
                "BucketKeyEnabled": r.get("BucketKeyEnabled"),
            })
        })
        .collect();
    json!({"Rules": rules})
}

fn cors(c: &Value) -> Value {
    let rules = c["CorsRules"].as_array().into_iter().flatten();
    let rules: Vec<Value> = rules
        .map(|r| {
            json!({
                "AllowedHeaders": r.get("AllowedHeaders"),
                "AllowedMethods": r.get("AllowedMethods"),
                "AllowedOrigins": r.get("AllowedOrigins"),
                "ExposeHeaders": r.get("ExposedHeaders"),
                "ID": r.get("Id"),
                "MaxAgeSeconds": r.get("MaxAge"),
            })
        })
        .collect();
    json!({"CORSRules": rules})
}

/// A template spells rules otherwise than the API: days and filters stand flat.
fn lifecycle(c: &Value) -> Value {
    let rules = c["Rules"].as_array().into_iter().flatten();
    let rules: Vec<Value> = rules.map(|r| rule(r.as_object().unwrap_or(&Props::new()))).collect();
    json!({"Rules": rules})
}

fn rule(r: &Props) -> Value {
    let mut out =
        pick(r, &["AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration", "Status"]);
    if let Some(id) = r.get("Id") {
        out.insert("ID".into(), id.clone());
    }
    let mut expiration = serde_json::Map::new();
    for (from, to) in [
        ("ExpirationInDays", "Days"),
        ("ExpirationDate", "Date"),
        ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
    ] {
        if let Some(v) = r.get(from) {
            expiration.insert(to.into(), v.clone());
        }
    }
    if !expiration.is_empty() {
        out.insert("Expiration".into(), Value::Object(expiration));
    }
    if let Some(days) = r.get("NoncurrentVersionExpirationInDays") {
        out.insert("NoncurrentVersionExpiration".into(), json!({"NoncurrentDays": days}));
    }
    let days = |v: &Value| {
        json!({
            "Days": v.get("TransitionInDays"), "Date": v.get("TransitionDate"),
            "StorageClass": v.get("StorageClass"),
        })
    };
    let transitions: Vec<Value> = [r.get("Transition"), None]
        .into_iter()
        .flatten()
        .chain(r.get("Transitions").and_then(Value::as_array).into_iter().flatten())
        .map(days)
        .collect();
    if !transitions.is_empty() {
        out.insert("Transitions".into(), json!(transitions));
    }
    if let Some(all) = r.get("NoncurrentVersionTransitions").and_then(Value::as_array) {
        let all: Vec<Value> = all
            .iter()
            .map(|v| {
                json!({
                    "NoncurrentDays": v.get("TransitionInDays"),
                    "StorageClass": v.get("StorageClass"),
                    "NewerNoncurrentVersions": v.get("NewerNoncurrentVersions"),
                })
            })
            .collect();
        out.insert("NoncurrentVersionTransitions".into(), json!(all));
    }
    out.insert("Filter".into(), filter(r));
    Value::Object(out)
}

fn filter(r: &Props) -> Value {
    let mut parts = serde_json::Map::new();
    for (from, to) in [
        ("Prefix", "Prefix"),
        ("ObjectSizeGreaterThan", "ObjectSizeGreaterThan"),
        ("ObjectSizeLessThan", "ObjectSizeLessThan"),
    ] {
        if let Some(v) = r.get(from) {
            parts.insert(to.into(), v.clone());
        }
    }
    let tags = r.get("TagFilters").and_then(Value::as_array).cloned().unwrap_or_default();
    match (parts.len() + tags.len(), tags.as_slice()) {
        (0, _) => json!({"Prefix": ""}),
        (1, [tag]) => json!({"Tag": tag}),
        (1, _) => Value::Object(parts),
        _ => {
            if !tags.is_empty() {
                parts.insert("Tags".into(), Value::Array(tags));
            }
            json!({"And": parts})
        }
    }
}

fn website(c: &Value) -> Value {
    let mut out = serde_json::Map::new();
    if let Some(s) = c.get("IndexDocument") {
        out.insert("IndexDocument".into(), json!({"Suffix": s}));
    }
    if let Some(s) = c.get("ErrorDocument") {
        out.insert("ErrorDocument".into(), json!({"Key": s}));
    }
    if let Some(r) = c.get("RedirectAllRequestsTo") {
        out.insert("RedirectAllRequestsTo".into(), r.clone());
    }
    if let Some(rules) = c.get("RoutingRules").and_then(Value::as_array) {
        let rules: Vec<Value> = rules
            .iter()
            .map(|r| json!({"Condition": r.get("RoutingRuleCondition"), "Redirect": r.get("RedirectRule")}))
            .collect();
        out.insert("RoutingRules".into(), json!(rules));
    }
    Value::Object(out)
}

fn notifications(c: &Value) -> Value {
    let mut out = serde_json::Map::new();
    for (from, to, arn, member) in [
        ("LambdaConfigurations", "LambdaFunctionConfigurations", "LambdaFunctionArn", "Function"),
        ("QueueConfigurations", "QueueConfigurations", "QueueArn", "Queue"),
        ("TopicConfigurations", "TopicConfigurations", "TopicArn", "Topic"),
    ] {
        let Some(all) = c.get(from).and_then(Value::as_array) else { continue };
        let all: Vec<Value> = all
            .iter()
            .map(|n| {
                let rules = n["Filter"]["S3Key"].get("Rules").cloned();
                let filter = rules.map(|r| json!({"Key": {"FilterRules": r}}));
                json!({arn: n.get(member), "Events": [n.get("Event")], "Filter": filter})
            })
            .collect();
        out.insert(to.into(), json!(all));
    }
    if let Some(e) = c.get("EventBridgeConfiguration")
        && text(e.get("EventBridgeEnabled")) != "false"
    {
        out.insert("EventBridgeConfiguration".into(), json!({}));
    }
    Value::Object(out)
}

async fn create_policy(m: &Maker<'_>, p: &Props) -> Result<Made> {
    put_policy(m, p).await?;
    Ok(Made::new(text(p.get("Bucket"))))
}

async fn put_policy(m: &Maker<'_>, p: &Props) -> Result<()> {
    let policy = p.get("PolicyDocument").map(Value::to_string).unwrap_or_default();
    let input = json!({"Bucket": p.get("Bucket"), "Policy": policy});
    m.call("s3", "PutBucketPolicy", input).await.map(drop)
}

async fn update_policy(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    put_policy(m, p).await?;
    Ok(Made::new(&old.physical_id))
}

async fn delete_policy(m: &Maker<'_>, i: &Instance) -> Result<()> {
    let input = json!({"Bucket": i.physical_id});
    m.find("s3", "DeleteBucketPolicy", input, &["NoSuchBucket", "NoSuchBucketPolicy"])
        .await
        .map(drop)
}
