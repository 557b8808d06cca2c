//! What must be allowed before each S3 operation: its IAM actions on its bucket or object.

use fogbank_core::{Check, Cx, Result, Value};

use crate::S3;

/// The checks of `cx.operation`; every operation of the table names this function.
pub(crate) async fn check(s3: &S3, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let action = format!("s3:{}", cx.operation);
    let Some(bucket) = input.str("Bucket") else { return Ok(vec![Check::new(action, "*")]) };
    let owner = match s3.bucket(bucket).await {
        Ok(b) => Some(b.owner),
        Err(_) if cx.operation == "CreateBucket" => None,
        Err(e) => return Err(e),
    };
    let resource = match input.str("Key") {
        Some(key) => format!("arn:aws:s3:::{bucket}/{key}"),
        None => format!("arn:aws:s3:::{bucket}"),
    };
    let mut check = Check::new(action, resource);
    check.resource_account = owner;
    Ok(vec![check])
}

/// Whether the caller may delete a key of `DeleteObjects`.
///
/// # Errors
/// `AccessDenied`.
pub(crate) async fn delete(
    _: &S3,
    cx: &Cx,
    bucket: &crate::BucketRecord,
    key: &str,
    version: Option<&str>,
) -> Result<()> {
    let action = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
    let mut check = Check::new(action, format!("arn:aws:s3:::{}/{key}", bucket.name));
    check.resource_account = Some(bucket.owner.clone());
    cx.authorize(check).await
}
