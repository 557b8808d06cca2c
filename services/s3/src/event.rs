//! Tells what happened to objects, for buckets that ask for it: EventBridge after the change, queues,
//! topics and functions by a notice that is written with it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>

use fogbank_core::cx::Event;
use fogbank_core::{Cx, Kind, Result, Value, map};
use fogbank_store::Tx;

use crate::S3;
use crate::notice::{self, What};
use crate::record::{BucketRecord, ObjectRecord};
use crate::write::Deleted;

/// Adds the notices of a new object or version to its transaction.
///
/// # Errors
/// When the bucket's rules cannot be read.
pub(crate) async fn tell_created(
    s3: &S3,
    cx: &Cx,
    tx: &mut Tx,
    bucket: &BucketRecord,
    key: &str,
    record: &ObjectRecord,
    event: &str,
) -> Result<()> {
    let (size, etag, version) = (Some(record.size), Some(&*record.etag), record.version.as_deref());
    let what = What { event, key, size, etag, version, seq: record.seq };
    notice::put(s3, cx, tx, bucket, &what).await
}

/// The event of an operation that edits an object in place, if there is one. What no client asked for
/// is lifecycle's.
pub(crate) fn of_edit(operation: &str) -> Option<&'static str> {
    match operation {
        "PutObjectAcl" => Some("ObjectAcl:Put"),
        "PutObjectTagging" => Some("ObjectTagging:Put"),
        "DeleteObjectTagging" => Some("ObjectTagging:Delete"),
        "" => Some("LifecycleTransition"),
        _ => None,
    }
}

/// Adds the notices of a deletion to its transaction. `family`: `ObjectRemoved`, or
/// `LifecycleExpiration`.
///
/// # Errors
/// When the bucket's rules cannot be read.
#[expect(clippy::too_many_arguments, reason = "what a deletion is told by")]
pub(crate) async fn tell_deleted(
    s3: &S3,
    cx: &Cx,
    tx: &mut Tx,
    bucket: &BucketRecord,
    key: &str,
    done: &Deleted,
    version_named: bool,
    family: &str,
) -> Result<()> {
    if !bucket.has.notices || !done.changed {
        return Ok(());
    }
    let marker = done.marker && !version_named;
    let event = format!("{family}:{}", if marker { "DeleteMarkerCreated" } else { "Delete" });
    let version = done.version.as_deref().filter(|v| *v != "null");
    let seq = u64::try_from(cx.now.as_microsecond()).unwrap_or(0);
    let what = What { event: &event, key, size: None, etag: None, version, seq };
    notice::put(s3, cx, tx, bucket, &what).await
}

/// A new object or version. `reason`: the API that made it.
pub(crate) async fn created(
    s3: &S3,
    cx: &Cx,
    bucket: &BucketRecord,
    key: &str,
    record: &ObjectRecord,
    reason: &'static str,
) {
    s3.wake_notices(bucket);
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
    s3: &S3,
    cx: &Cx,
    bucket: &BucketRecord,
    key: &str,
    done: &Deleted,
    version_named: bool,
    reason: &'static str,
) {
    s3.wake_notices(bucket);
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
