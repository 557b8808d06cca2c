//! S3's own errors, in S3's words.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use fogbank_core::ApiError;

/// The bucket does not exist.
pub(crate) fn no_such_bucket(bucket: &str) -> ApiError {
    ApiError::new("NoSuchBucket", "The specified bucket does not exist")
        .status(404)
        .field("BucketName", bucket)
}

/// The key does not exist.
pub(crate) fn no_such_key(key: &str) -> ApiError {
    ApiError::new("NoSuchKey", "The specified key does not exist.").status(404).field("Key", key)
}

/// The version does not exist.
pub(crate) fn no_such_version(key: &str, version: &str) -> ApiError {
    ApiError::new("NoSuchVersion", "The specified version does not exist.")
        .status(404)
        .field("Key", key)
        .field("VersionId", version)
}

/// The multipart upload does not exist: never did, was aborted, or was completed.
pub(crate) fn no_such_upload(upload: &str) -> ApiError {
    ApiError::new(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may \
         have been aborted or completed.",
    )
    .status(404)
    .field("UploadId", upload)
}

/// An argument that cannot be: S3 names it and repeats its value.
pub(crate) fn invalid_argument(name: &str, value: &str, message: &str) -> ApiError {
    ApiError::new("InvalidArgument", message)
        .status(400)
        .field("ArgumentName", name)
        .field("ArgumentValue", value)
}

/// A request that contradicts itself or what it is about.
pub(crate) fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidRequest", message).status(400)
}

/// A document that is well formed but not what the operation takes.
pub(crate) fn malformed_xml() -> ApiError {
    ApiError::new(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
    .status(400)
}

/// A condition (`if-match`, …) does not hold; `condition` is the header's name as S3 spells it.
pub(crate) fn precondition_failed(condition: &str) -> ApiError {
    ApiError::new(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    )
    .status(412)
    .field("Condition", condition)
}

/// A configuration that was never set: `code` and `message` are particular to its kind.
pub(crate) fn not_configured(code: &'static str, message: &str, bucket: &str) -> ApiError {
    ApiError::new(code, message).status(404).field("BucketName", bucket)
}

/// The caller may not.
pub(crate) fn access_denied() -> ApiError {
    ApiError::new("AccessDenied", "Access Denied").status(403)
}
