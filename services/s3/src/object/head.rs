//! HeadObject.

use fogbank_core::{Body, Cx, Op, Reply, Result, ops};

use crate::S3;
use crate::authz::check;
use crate::object::get::{GetObjectInput, Opened, open};

pub(crate) const OPS: &[Op<S3>] = ops![HeadObject => head_object [check]];

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
async fn head_object(s3: &S3, cx: &Cx, input: GetObjectInput) -> Result<Reply> {
    match open(s3, cx, &input).await? {
        Opened::Unchanged(reply) => Ok(*reply),
        Opened::View(v) => {
            let (value, status) = (v.output.into_value(), v.partial.then_some(206));
            Ok(Reply { value, body: Some(Body::Empty), status, ..Reply::default() })
        }
    }
}
