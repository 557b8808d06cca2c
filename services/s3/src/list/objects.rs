//! ListObjects and ListObjectsV2.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use fogbank_core::{ApiError, Cx, Op, Reply, Result, Str, Value, ops};
use fogbank_store::{Key, Parts, Range};
use serde::Deserialize;

use super::{
    Encoding, Owners, check_optional_attributes, common_prefix, damaged, entry, page_size, prefixes,
};
use crate::S3;
use crate::authz::check;
use crate::error::invalid_argument;
use crate::record::Listed;
use crate::tables::{OBJECTS, bucket_key, object_key};

pub(crate) const OPS: &[Op<S3>] = ops![
    ListObjects => list_objects [check],
    ListObjectsV2 => list_objects_v2 [check],
];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListObjectsInput {
    bucket: String,
    delimiter: Option<String>,
    encoding_type: Option<String>,
    marker: Option<String>,
    max_keys: Option<i64>,
    prefix: Option<String>,
    #[serde(default)]
    optional_object_attributes: Vec<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>
async fn list_objects(s3: &S3, cx: &Cx, input: ListObjectsInput) -> Result<Reply> {
    check_optional_attributes(cx, &input.optional_object_attributes)?;
    let encoding = Encoding::read(input.encoding_type.as_deref())?;
    let max = page_size("max-keys", input.max_keys)?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|d| !d.is_empty());
    let marker = input.marker.as_deref().unwrap_or_default();
    s3.bucket(&input.bucket).await?;
    let q = Query { bucket: &input.bucket, prefix, delimiter, after: marker, max, owner: true };
    let page = q.run(s3, encoding).await?;
    let next = page.last.filter(|_| page.truncated && delimiter.is_some());
    Ok(reply(vec![
        ("IsTruncated", page.truncated.into()),
        ("Marker", encoding.text(marker).into()),
        ("NextMarker", encoding.opt(next.as_deref()).into()),
        ("Contents", contents(page.contents)),
        ("Name", input.bucket.clone().into()),
        // The one member of this operation that SDKs do not decode.
        ("Prefix", prefix.into()),
        ("Delimiter", encoding.opt(delimiter).into()),
        ("MaxKeys", int(max)),
        ("CommonPrefixes", prefixes(&page.prefixes, encoding).into()),
        ("EncodingType", encoding.name().into()),
    ]))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListObjectsV2Input {
    bucket: String,
    delimiter: Option<String>,
    encoding_type: Option<String>,
    max_keys: Option<i64>,
    prefix: Option<String>,
    continuation_token: Option<String>,
    fetch_owner: Option<bool>,
    start_after: Option<String>,
    #[serde(default)]
    optional_object_attributes: Vec<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
async fn list_objects_v2(s3: &S3, cx: &Cx, input: ListObjectsV2Input) -> Result<Reply> {
    check_optional_attributes(cx, &input.optional_object_attributes)?;
    let encoding = Encoding::read(input.encoding_type.as_deref())?;
    let max = page_size("max-keys", input.max_keys)?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|d| !d.is_empty());
    let token = input.continuation_token.as_deref().filter(|t| !t.is_empty());
    let token = token.map(open_token).transpose()?;
    let after = token.as_deref().or(input.start_after.as_deref()).unwrap_or_default();
    let owner = input.fetch_owner.unwrap_or(false);
    s3.bucket(&input.bucket).await?;
    let q = Query { bucket: &input.bucket, prefix, delimiter, after, max, owner };
    let page = q.run(s3, encoding).await?;
    let next = page.last.filter(|_| page.truncated).map(|k| seal_token(&k));
    Ok(reply(vec![
        ("IsTruncated", page.truncated.into()),
        ("KeyCount", int(page.contents.len() + page.prefixes.len())),
        ("Contents", contents(page.contents)),
        ("Name", input.bucket.clone().into()),
        ("Prefix", encoding.text(prefix).into()),
        ("Delimiter", encoding.opt(delimiter).into()),
        ("MaxKeys", int(max)),
        ("CommonPrefixes", prefixes(&page.prefixes, encoding).into()),
        ("EncodingType", encoding.name().into()),
        ("ContinuationToken", input.continuation_token.clone().into()),
        ("NextContinuationToken", next.into()),
        ("StartAfter", encoding.opt(input.start_after.as_deref()).into()),
    ]))
}

/// What to list.
struct Query<'a> {
    bucket: &'a str,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// Only keys behind this one; when it is a common prefix, only what is behind all of it.
    after: &'a str,
    max: usize,
    /// Whether entries show their owner.
    owner: bool,
}

#[derive(Default)]
struct Page {
    contents: Vec<Value>,
    prefixes: Vec<String>,
    truncated: bool,
    /// The last key or common prefix of the page.
    last: Option<String>,
}

/// Why a walk over the rows stopped.
enum Stop {
    /// At a key that opens a new common prefix.
    Prefix(String),
    /// At a key beyond the page.
    Full,
    Damaged(String),
}

impl Query<'_> {
    async fn run(&self, s3: &S3, encoding: Encoding) -> Result<Page> {
        let mut page = Page::default();
        if self.max == 0 {
            return Ok(page);
        }
        let parent = bucket_key(self.bucket);
        let mut range = Range::starting(&parent, self.prefix);
        if !self.after.is_empty() {
            let skip = self.delimiter.and_then(|d| common_prefix(self.after, self.prefix, d));
            range = match skip.filter(|p| *p == self.after) {
                Some(p) => range.past_starting(&parent, p),
                None => range.from(&just_after(self.bucket, self.after)),
            };
        }
        let mut owners = Owners::default();
        loop {
            let stop = self.walk(s3, range.clone(), &mut page, &mut owners, encoding).await?;
            match stop {
                None => return Ok(page),
                Some(Stop::Damaged(e)) => return Err(damaged(&e)),
                Some(Stop::Full) => {
                    page.truncated = true;
                    return Ok(page);
                }
                Some(Stop::Prefix(p)) => {
                    range = range.past_starting(&parent, &p);
                    page.last = Some(p.clone());
                    page.prefixes.push(p);
                }
            }
        }
    }

    /// Takes rows into the page until a common prefix begins, the page is full or nothing is left.
    async fn walk(
        &self,
        s3: &S3,
        range: Range,
        page: &mut Page,
        owners: &mut Owners,
        encoding: Encoding,
    ) -> Result<Option<Stop>> {
        let mut stop = None;
        let mut last = None;
        s3.store
            .visit(&OBJECTS, range, |row_key, row| {
                let mut parts = Parts::of(row_key);
                let (Some(_), Some(key)) = (parts.text(), parts.text()) else {
                    stop = Some(Stop::Damaged("the key of a row".into()));
                    return ControlFlow::Break(());
                };
                if page.contents.len() + page.prefixes.len() >= self.max {
                    stop = Some(Stop::Full);
                    return ControlFlow::Break(());
                }
                if let Some(p) = self.delimiter.and_then(|d| common_prefix(&key, self.prefix, d)) {
                    stop = Some(Stop::Prefix(p.to_owned()));
                    return ControlFlow::Break(());
                }
                match Listed::read(row) {
                    Ok(listed) => {
                        let owner = self.owner.then(|| owners.get(listed.owner));
                        let name = encoding.text(&key);
                        page.contents.push(Value::Map(entry(name, &listed, owner)));
                        if page.contents.len() + page.prefixes.len() == self.max {
                            last = Some(key.into_owned());
                        }
                        ControlFlow::Continue(())
                    }
                    Err(e) => {
                        stop = Some(Stop::Damaged(e.to_string()));
                        ControlFlow::Break(())
                    }
                }
            })
            .await?;
        if last.is_some() {
            page.last = last;
        }
        Ok(stop)
    }
}

/// The first possible key behind `key`.
fn just_after(bucket: &str, key: &str) -> Key {
    object_key(bucket, &format!("{key}\0"))
}

fn reply(members: Vec<(&'static str, Value)>) -> Reply {
    let members = members.into_iter().filter(|(_, v)| *v != Value::Null);
    let value = Value::Map(members.map(|(k, v)| (Str::from(k), v)).collect());
    Reply { value, ..Reply::default() }
}

fn contents(list: Vec<Value>) -> Value {
    if list.is_empty() { Value::Null } else { Value::List(list) }
}

fn int(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Tokens are opaque: a marker that changes when the key's spelling does.
fn seal_token(key: &str) -> String {
    format!("1{}", BASE64.encode(key))
}

fn open_token(token: &str) -> Result<String> {
    let invalid = || -> ApiError {
        invalid_argument(
            "continuation-token",
            token,
            "The continuation token provided is incorrect",
        )
    };
    let body = token.strip_prefix('1').ok_or_else(invalid)?;
    BASE64.decode(body).ok().and_then(|b| String::from_utf8(b).ok()).ok_or_else(invalid)
}
