//! ListBuckets.

use fogbank_core::{Cx, Op, Result, Time, ops, page};
use fogbank_store::{Key, Part, Range};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::error::invalid_argument;
use crate::object::get::time;
use crate::owner::Owner;
use crate::tables::{BUCKETS, OWNERS, bucket_key};

pub(crate) const OPS: &[Op<S3>] = ops![ListBuckets => list_buckets [check]];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListBucketsInput {
    max_buckets: Option<i64>,
    continuation_token: Option<String>,
    prefix: Option<String>,
    bucket_region: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListBucketsOutput {
    buckets: Vec<Bucket>,
    owner: Owner,
    continuation_token: Option<String>,
    prefix: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Bucket {
    name: String,
    creation_date: Option<Time>,
    bucket_region: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
async fn list_buckets(s3: &S3, cx: &Cx, input: ListBucketsInput) -> Result<ListBucketsOutput> {
    let max = match input.max_buckets {
        None => usize::MAX,
        Some(n) => {
            usize::try_from(n).ok().filter(|n| (1..=10_000).contains(n)).ok_or_else(|| {
                invalid_argument(
                    "max-buckets",
                    &n.to_string(),
                    "Argument max-buckets must be an integer between 1 and 10000",
                )
            })?
        }
    };
    // Regions are shown to those who use what came with them.
    let paged = input.max_buckets.is_some()
        || input.bucket_region.is_some()
        || input.prefix.is_some()
        || input.continuation_token.is_some();
    let parent = Key::new().str(&cx.account);
    let mut range = Range::starting(&parent, input.prefix.as_deref().unwrap_or_default());
    if let Some(token) = &input.continuation_token {
        let name = page::decode(token).map_err(|_| {
            invalid_argument(
                "continuation-token",
                token,
                "The continuation token provided is incorrect",
            )
        })?;
        range = range.after(&parent.clone().str(&name));
    }
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut more = false;
    for (key, ()) in s3.store.scan(&OWNERS, range, usize::MAX).await? {
        let Some(Part::Str(name)) = key.parts().last() else { continue };
        let Some(b) = s3.store.get(&BUCKETS, &bucket_key(&name)).await? else { continue };
        if input.bucket_region.as_ref().is_some_and(|r| *r != b.region) {
            continue;
        }
        if buckets.len() == max {
            more = true;
            break;
        }
        buckets.push(Bucket {
            name: b.name,
            creation_date: time(b.created),
            bucket_region: paged.then_some(b.region),
        });
    }
    let next = buckets.last().filter(|_| more).map(|b| page::encode(&b.name));
    Ok(ListBucketsOutput {
        buckets,
        owner: Owner::of(&cx.account),
        continuation_token: next,
        prefix: input.prefix,
    })
}
