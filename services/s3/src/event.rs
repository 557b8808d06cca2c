//! Tells EventBridge what happened to objects, for buckets that ask for it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>

use fogbank_core::cx::Event;
use fogbank_core::{Cx, Kind, Value, map};

use crate::S3;
use crate::record::{BucketRecord, ObjectRecord};
use crate::write::Deleted;

/// A new object or version. `reason`: the API that made it.
pub(crate) async fn created(
    _: &S3,
    cx: &Cx,
    bucket: &BucketRecord,
    key: &str,
    record: &ObjectRecord,
    reason: &'static str,
) {
    if !bucket.has.notification {
        return;
    }
    let object = map! {
        "key" => key,
        "size" => i64::try_from(record.size).unwrap_or(i64::MAX),
        "etag" => record.etag.as_str(),
        "version-id" => record.version.clone(),
        "sequencer" => sequencer(record.seq),
    };
    publish(cx, bucket, "Object Created", object, vec![("reason".into(), Value::from(reason))]);
}

/// An object or version that is gone, or a new delete marker. `reason`: `DeleteObject`, or
/// `Lifecycle Expiration`.
pub(crate) async fn deleted(
    _: &S3,
    cx: &Cx,
    bucket: &BucketRecord,
    key: &str,
    done: &Deleted,
    version_named: bool,
    reason: &'static str,
) {
    if !bucket.has.notification || !done.changed {
        return;
    }
    let seq = u64::try_from(cx.now.as_microsecond()).unwrap_or(0);
    let object = map! {
        "key" => key,
        "version-id" => done.version.clone().filter(|v| v != "null"),
        "sequencer" => sequencer(seq),
    };
    let marker = done.marker && !version_named;
    let kind = if marker { "Delete Marker Created" } else { "Permanently Deleted" };
    let more =
        vec![("reason".into(), Value::from(reason)), ("deletion-type".into(), Value::from(kind))];
    publish(cx, bucket, "Object Deleted", object, more);
}

/// Something else about an object: `Object ACL Updated`, `Object Storage Class Changed`.
pub(crate) fn changed(
    cx: &Cx,
    bucket: &BucketRecord,
    key: &str,
    record: &ObjectRecord,
    what: &'static str,
    more: &[(&'static str, &str)],
) {
    if !bucket.has.notification {
        return;
    }
    let object = map! {
        "key" => key,
        "size" => i64::try_from(record.size).unwrap_or(i64::MAX),
        "etag" => record.etag.as_str(),
        "version-id" => record.version.clone(),
    };
    let more = more.iter().map(|(k, v)| ((*k).into(), Value::from(*v))).collect();
    publish(cx, bucket, what, object, more);
}

fn publish(
    cx: &Cx,
    bucket: &BucketRecord,
    detail_type: &'static str,
    object: Value,
    more: Vec<(fogbank_core::Str, Value)>,
) {
    let requester = match cx.principal.kind {
        Kind::Service => cx.principal.arn.clone(),
        _ => cx.principal.account.clone(),
    };
    let mut detail = vec![
        ("version".into(), Value::from("0")),
        ("bucket".into(), map! { "name" => bucket.name.as_str() }),
        ("object".into(), without_nulls(object)),
        ("request-id".into(), Value::from(cx.request_id.as_str())),
        ("requester".into(), Value::from(requester)),
        ("source-ip-address".into(), Value::from(cx.source_ip.to_string())),
    ];
    detail.extend(more);
    cx.cloud.publish(
        cx,
        Event {
            source: "aws.s3".into(),
            detail_type: detail_type.into(),
            resources: vec![format!("arn:aws:s3:::{}", bucket.name)],
            detail: Value::Map(detail),
        },
    );
}

/// Orders the events of one key, as hexadecimal text.
fn sequencer(seq: u64) -> String {
    format!("{seq:016X}")
}

fn without_nulls(v: Value) -> Value {
    match v {
        Value::Map(m) => Value::Map(m.into_iter().filter(|(_, v)| *v != Value::Null).collect()),
        other => other,
    }
}
