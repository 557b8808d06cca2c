//! ListObjectVersions.

use fogbank_core::{Cx, Op, Reply, Result, Str, Value, ops};
use serde::Deserialize;

use super::cursor::{Cursor, Row};
use super::{
    Encoding, Owners, check_optional_attributes, common_prefix, damaged, entry, page_size,
    prefixes, seconds,
};
use crate::S3;
use crate::authz::check;
use crate::error::invalid_argument;
use crate::record::{Listed, ObjectRecord};
use crate::tables::{OBJECTS, VERSIONS, object_key, version_key};
use crate::versions::check_version_id;

pub(crate) const OPS: &[Op<S3>] = ops![ListObjectVersions => list_object_versions [check]];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListObjectVersionsInput {
    bucket: String,
    delimiter: Option<String>,
    encoding_type: Option<String>,
    key_marker: Option<String>,
    max_keys: Option<i64>,
    prefix: Option<String>,
    version_id_marker: Option<String>,
    #[serde(default)]
    optional_object_attributes: Vec<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
async fn list_object_versions(s3: &S3, cx: &Cx, input: ListObjectVersionsInput) -> Result<Reply> {
    check_optional_attributes(cx, &input.optional_object_attributes)?;
    let encoding = Encoding::read(input.encoding_type.as_deref())?;
    let max = page_size("max-keys", input.max_keys)?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|d| !d.is_empty());
    let key_marker = input.key_marker.as_deref().unwrap_or_default();
    let version_marker = input.version_id_marker.as_deref().filter(|v| !v.is_empty());
    if let Some(v) = version_marker {
        if key_marker.is_empty() {
            return Err(invalid_argument(
                "version-id-marker",
                v,
                "A version-id marker cannot be specified without a key marker.",
            ));
        }
        check_version_id(v)?;
    }
    let bucket = s3.bucket(&input.bucket).await?;
    let resumed = match version_marker {
        Some(v) => s3.find_version(&bucket, key_marker, Some(v)).await?,
        None => None,
    };
    let mut rows = Merged::begin(s3, &bucket.name, prefix, delimiter, key_marker, resumed.as_ref());
    let (mut versions, mut markers, mut found) = (Vec::new(), Vec::new(), Vec::<String>::new());
    let mut owners = Owners::default();
    let mut last: Option<(String, Option<String>)> = None;
    let mut truncated = false;
    while let Some((key, _)) = rows.peek().await? {
        if versions.len() + markers.len() + found.len() == max {
            truncated = max > 0;
            break;
        }
        if let Some(p) = delimiter.and_then(|d| common_prefix(&key, prefix, d)) {
            rows.skip(p);
            found.push(p.to_owned());
            last = Some((p.to_owned(), None));
            continue;
        }
        let Some((row, latest)) = rows.next().await? else { break };
        let listed = Listed::read(&row.value).map_err(|e| damaged(&e))?;
        let version = listed.version.unwrap_or("null").to_owned();
        let owner = owners.get(listed.owner);
        let mut members = if listed.delete_marker {
            vec![
                ("Key".into(), Value::from(encoding.text(&row.key))),
                ("LastModified".into(), Value::Time(seconds(listed.modified))),
                ("Owner".into(), owner.clone()),
            ]
        } else {
            entry(encoding.text(&row.key), &listed, Some(owner))
        };
        members.push(("VersionId".into(), Value::from(version.clone())));
        members.push(("IsLatest".into(), Value::Bool(latest)));
        let list = if listed.delete_marker { &mut markers } else { &mut versions };
        list.push(Value::Map(members));
        last = Some((row.key, Some(version)));
    }
    let (next_key, next_version) = last.filter(|_| truncated).unzip();
    let list = |v: Vec<Value>| if v.is_empty() { Value::Null } else { Value::List(v) };
    let members: [(&'static str, Value); 14] = [
        ("IsTruncated", truncated.into()),
        ("KeyMarker", encoding.text(key_marker).into()),
        ("VersionIdMarker", input.version_id_marker.clone().unwrap_or_default().into()),
        ("NextKeyMarker", encoding.opt(next_key.as_deref()).into()),
        ("NextVersionIdMarker", next_version.flatten().into()),
        ("Versions", list(versions)),
        ("DeleteMarkers", list(markers)),
        ("Name", input.bucket.clone().into()),
        ("Prefix", encoding.text(prefix).into()),
        ("Delimiter", encoding.opt(delimiter).into()),
        ("MaxKeys", Value::Int(i64::try_from(max).unwrap_or(1000))),
        ("CommonPrefixes", prefixes(&found, encoding).into()),
        ("EncodingType", encoding.name().into()),
        ("RequestCharged", Value::Null),
    ];
    let members = members.into_iter().filter(|(_, v)| *v != Value::Null);
    let value = Value::Map(members.map(|(k, v)| (Str::from(k), v)).collect());
    Ok(Reply { value, ..Reply::default() })
}

/// The versions of a bucket in listing order: of each key the current one, then the others from
/// newest to oldest.
struct Merged<'a> {
    current: Cursor<'a, ObjectRecord>,
    stored: Cursor<'a, ObjectRecord>,
    /// The key whose newest version has been seen.
    seen: Option<String>,
}

impl<'a> Merged<'a> {
    /// Begins behind a key, or in the middle of one, behind the version `resumed`.
    fn begin(
        s3: &'a S3,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&str>,
        key: &str,
        resumed: Option<&ObjectRecord>,
    ) -> Merged<'a> {
        let mut current = Cursor::new(s3, &OBJECTS, bucket, prefix);
        let mut stored = Cursor::new(s3, &VERSIONS, bucket, prefix);
        let mut seen = None;
        if !key.is_empty() {
            let row = object_key(bucket, key);
            current = current.after(&row);
            stored = match resumed {
                Some(v) => stored.after(&version_key(bucket, key, v.seq)),
                None => stored.past(&row),
            };
            seen = resumed.is_some().then(|| key.to_owned());
            if let Some(p) = delimiter.and_then(|d| common_prefix(key, prefix, d))
                && p == key
            {
                current.skip(p);
                stored.skip(p);
            }
        }
        Merged { current, stored, seen }
    }

    /// The key of the next version, and whether it is the current one.
    async fn peek(&mut self) -> Result<Option<(String, bool)>> {
        let current = self.current.peek().await?.map(|r| r.key.clone());
        let stored = self.stored.peek().await?.map(|r| &r.key);
        Ok(match (current, stored) {
            (Some(c), Some(s)) if *s < c => Some((s.clone(), false)),
            (Some(c), _) => Some((c, true)),
            (None, Some(s)) => Some((s.clone(), false)),
            (None, None) => None,
        })
    }

    /// The next version, and whether it is the newest of its key.
    async fn next(&mut self) -> Result<Option<(Row, bool)>> {
        let Some((key, is_current)) = self.peek().await? else { return Ok(None) };
        let latest = self.seen.as_ref() != Some(&key);
        self.seen = Some(key);
        let row = if is_current { self.current.take() } else { self.stored.take() };
        Ok(row.map(|r| (r, latest)))
    }

    fn skip(&mut self, prefix: &str) {
        self.current.skip(prefix);
        self.stored.skip(prefix);
    }
}
