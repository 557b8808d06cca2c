//! The tags of objects.

use fogbank_core::{Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::object::version_header;
use crate::tagset::{self, Tag};

pub(crate) const OPS: &[Op<S3>] = ops![
    DeleteObjectTagging => delete_object_tagging [check],
    GetObjectTagging => get_object_tagging [check],
    PutObjectTagging => put_object_tagging [check],
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ObjectInput {
    bucket: String,
    key: String,
    version_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutObjectTaggingInput {
    bucket: String,
    key: String,
    version_id: Option<String>,
    tagging: TaggingInput,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TaggingInput {
    #[serde(default)]
    tag_set: Vec<Tag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersionOutput {
    version_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetObjectTaggingOutput {
    version_id: Option<String>,
    tag_set: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>
async fn put_object_tagging(
    s3: &S3,
    cx: &Cx,
    input: PutObjectTaggingInput,
) -> Result<VersionOutput> {
    let tags = tagset::for_object(input.tagging.tag_set)?;
    let at = ObjectInput { bucket: input.bucket, key: input.key, version_id: input.version_id };
    set(s3, cx, &at, tags).await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html>
async fn delete_object_tagging(s3: &S3, cx: &Cx, input: ObjectInput) -> Result<VersionOutput> {
    set(s3, cx, &input, Vec::new()).await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html>
async fn get_object_tagging(
    s3: &S3,
    cx: &Cx,
    input: ObjectInput,
) -> Result<GetObjectTaggingOutput> {
    let bucket = s3.bucket(&input.bucket).await?;
    let record = s3.version(cx, &bucket, &input.key, input.version_id.as_deref()).await?;
    Ok(GetObjectTaggingOutput {
        version_id: version_header(&bucket, &record),
        tag_set: tagset::to_output(&record.tags),
    })
}

async fn set(
    s3: &S3,
    cx: &Cx,
    at: &ObjectInput,
    tags: Vec<(String, String)>,
) -> Result<VersionOutput> {
    let mut version_id = None;
    s3.edit_object(cx, &at.bucket, &at.key, at.version_id.as_deref(), |bucket, record| {
        record.tags = tags;
        version_id = version_header(bucket, record);
        Ok(())
    })
    .await?;
    Ok(VersionOutput { version_id })
}
