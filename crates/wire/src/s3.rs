//! Where S3's wire departs from its model: root elements, the location, statuses of its errors.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use fogbank_core::{Body, Value};
use fogbank_model::Shape;

use crate::Call;
use crate::reply::text;
use crate::xml_out::escape;

/// The name space of every document of S3.
pub const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// The root element of an S3 reply, where it is not the payload's own name.
pub fn root(call: &Call, shape: &Shape) -> Option<&'static str> {
    if call.service.id != "s3" {
        return (!shape.location_name.is_empty()).then_some(shape.location_name);
    }
    Some(match call.operation.name {
        "ListBuckets" => "ListAllMyBucketsResult",
        "ListDirectoryBuckets" => "ListAllMyDirectoryBucketsResult",
        "ListObjects" | "ListObjectsV2" => "ListBucketResult",
        "ListObjectVersions" => "ListVersionsResult",
        "CreateMultipartUpload" => "InitiateMultipartUploadResult",
        "CompleteMultipartUpload" => "CompleteMultipartUploadResult",
        "CopyObject" => "CopyObjectResult",
        "UploadPartCopy" => "CopyPartResult",
        "DeleteObjects" => "DeleteResult",
        "GetObjectAttributes" => "GetObjectAttributesResponse",
        "GetBucketAcl" | "GetObjectAcl" => "AccessControlPolicy",
        "GetBucketCors" => "CORSConfiguration",
        "GetBucketLifecycleConfiguration" | "GetBucketLifecycle" => "LifecycleConfiguration",
        "GetBucketLogging" => "BucketLoggingStatus",
        "GetBucketNotificationConfiguration" | "GetBucketNotification" => {
            "NotificationConfiguration"
        }
        "GetBucketRequestPayment" => "RequestPaymentConfiguration",
        "GetBucketTagging" | "GetObjectTagging" => "Tagging",
        "GetBucketVersioning" => "VersioningConfiguration",
        "GetBucketWebsite" => "WebsiteConfiguration",
        "GetBucketAccelerateConfiguration" => "AccelerateConfiguration",
        _ => return None,
    })
}

/// `GetBucketLocation` answers one element with text in it; empty means us-east-1.
pub fn location(value: &Value) -> Body {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"{NAMESPACE}\">"
    );
    escape(&mut out, value.str("LocationConstraint").unwrap_or_default(), false);
    out.push_str("</LocationConstraint>");
    text(out)
}

/// The HTTP status of an S3 error code; the model knows only a few of them.
pub fn status(code: &str) -> u16 {
    match code {
        "PermanentRedirect" => 301,
        "Redirect" | "TemporaryRedirect" => 307,
        "NotModified" => 304,
        "AccessDenied"
        | "AccountProblem"
        | "AllAccessDisabled"
        | "InvalidAccessKeyId"
        | "InvalidObjectState"
        | "InvalidPayer"
        | "InvalidSecurity"
        | "NotSignedUp"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch" => 403,
        "MethodNotAllowed" => 405,
        "BucketAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "BucketNotEmpty"
        | "ConditionalRequestConflict"
        | "InvalidBucketState"
        | "OperationAborted"
        | "RestoreAlreadyInProgress" => 409,
        "MissingContentLength" => 411,
        "PreconditionFailed" => 412,
        "InvalidRange" => 416,
        "InternalError" | "InternalFailure" => 500,
        "ServiceUnavailable" | "SlowDown" => 503,
        // Unset configurations and absent things.
        "ObjectLockConfigurationNotFoundError"
        | "OwnershipControlsNotFoundError"
        | "ReplicationConfigurationNotFoundError"
        | "ServerSideEncryptionConfigurationNotFoundError" => 404,
        c if c.starts_with("NoSuch") => 404,
        _ => 400,
    }
}
