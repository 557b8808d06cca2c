//! Buckets: what their operations share.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>

use fogbank_core::{ApiError, Cx, Op, Result};
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::record::BucketRecord;

mod create;
mod delete;
mod encryption;
mod head;
mod listing;
mod versioning;

/// The operations on buckets, except for configurations that are about access.
pub(crate) const TABLES: [&[Op<S3>]; 6] =
    [create::OPS, delete::OPS, encryption::OPS, head::OPS, listing::OPS, versioning::OPS];

/// The input of operations that name a bucket and nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BucketInput {
    pub bucket: String,
}

/// An output without members.
#[derive(Debug, Serialize)]
pub(crate) struct Empty {}

/// Whether a bucket may have this name.
#[must_use]
pub fn valid_name(name: &str) -> bool {
    let b = name.as_bytes();
    let alnum = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&b.len())
        && b.iter().all(|c| alnum(c) || *c == b'-' || *c == b'.')
        && b.first().is_some_and(alnum)
        && b.last().is_some_and(alnum)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|p| name.starts_with(p))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|s| name.ends_with(s))
}

/// A name that no bucket can have.
pub(crate) fn invalid_name(name: &str) -> ApiError {
    ApiError::new("InvalidBucketName", "The specified bucket is not valid.")
        .status(400)
        .field("BucketName", name)
}

/// Whether the request was signed for the bucket's region: clients take the right one from the
/// answer and try again. Requests without a signature and internal ones name no region.
///
/// # Errors
/// `AuthorizationHeaderMalformed` with the right region.
pub(crate) fn check_region(cx: &Cx, bucket: &BucketRecord) -> Result<()> {
    if cx.http.is_none() || cx.access_key.is_none() || cx.region == bucket.region {
        return Ok(());
    }
    let message = format!(
        "The authorization header is malformed; the region '{}' is wrong; expecting '{}'",
        cx.region, bucket.region
    );
    let error = ApiError::new("AuthorizationHeaderMalformed", message)
        .status(400)
        .field("Region", bucket.region.clone());
    Err(match HeaderValue::try_from(&bucket.region) {
        Ok(v) => error.header(HeaderName::from_static("x-amz-bucket-region"), v),
        Err(_) => error,
    })
}

#[cfg(test)]
mod tests {
    use super::valid_name;

    #[test]
    fn names() {
        for ok in ["abc", "a-b.c", "1ab", "my.example.com", &"a".repeat(63)] {
            assert!(valid_name(ok), "{ok}");
        }
        for bad in [
            "",
            "ab",
            &"a".repeat(64),
            "Abc",
            "a_b",
            "-abc",
            "abc-",
            ".abc",
            "a..b",
            "192.168.5.4",
            "xn--abc",
            "abc-s3alias",
            "abc--x-s3",
            "a/b/c",
            "äöü",
            "a b",
            "a\0b",
        ] {
            assert!(!valid_name(bad), "{bad}");
        }
    }
}
