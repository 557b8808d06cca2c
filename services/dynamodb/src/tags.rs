//! Tags of tables.

use fogbank_core::{Body, Cx, Op, Reply, Result, Value, map, ops};
use fogbank_store::Lock;
use serde::{Deserialize, Serialize};

use crate::error::{parameter, validation};
use crate::schema::{Place, TABLES, TableRecord};
use crate::{Dynamo, authz};

pub const OPS: &[Op<Dynamo>] = ops![
    TagResource => tag_resource [authz::resource],
    UntagResource => untag_resource [authz::resource],
    ListTagsOfResource => list_tags [authz::resource],
];

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// Checks tags as a table's only ones.
pub fn checked(tags: Vec<Tag>) -> Result<Vec<(String, String)>> {
    if tags.iter().any(|t| t.key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(validation(
            "One or more parameter values are not valid. Tag keys starting with 'aws:' are reserved for system use",
        ));
    }
    let mut all: Vec<(String, String)> = Vec::new();
    for Tag { key, value } in tags {
        check_text(&key)?;
        check_text(&value)?;
        if all.iter().any(|(k, _)| *k == key) {
            return Err(parameter(format!("Duplicate tag key found: {key}")));
        }
        all.push((key, value));
    }
    check_count(&all)?;
    Ok(all)
}

/// Letters, spaces, digits and a few marks.
fn check_text(text: &str) -> Result<()> {
    let fits = |c: char| {
        c.is_alphanumeric()
            || c.is_whitespace()
            || matches!(c, '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@')
    };
    if text.chars().all(fits) {
        return Ok(());
    }
    Err(validation(format!(
        "One or more parameter values are not valid. Tag keys and values may hold letters, white \
         space, numbers and _.:/=+-@ only: {text}"
    )))
}

/// The table of a resource's ARN; indexes have no tags.
fn place(cx: &Cx, arn: &str) -> Result<Place> {
    if !arn.starts_with("arn:") {
        let who = &cx.principal.arn;
        return Err(fogbank_core::ApiError::new(
            "AccessDeniedException",
            format!(
                "User: {who} is not authorized to perform: dynamodb:{} on resource: {arn}",
                cx.operation
            ),
        ));
    }
    let place = Place::of(cx, arn)?;
    if arn != place.arn() && !arn.contains("/stream/") {
        return Err(validation(format!(
            "Invalid TableArn: Invalid ResourceArn provided as input {arn}"
        )));
    }
    Ok(place)
}

fn check_count(tags: &[(String, String)]) -> Result<()> {
    if tags.len() > 50 {
        return Err(parameter("Too many tags: the limit is 50 tags per resource"));
    }
    Ok(())
}

impl Dynamo {
    /// Changes the record of a table that is named by its ARN.
    pub async fn edit<T>(
        &self,
        cx: &Cx,
        arn: &str,
        change: impl FnOnce(&mut TableRecord) -> Result<T>,
    ) -> Result<T> {
        let place = place(cx, arn)?;
        let mut tx = self.store.lock(&[Lock::exclusive(&TABLES, &place.key())]).await;
        let record = tx.get(&TABLES, &place.key()).await?;
        let mut record = record.ok_or_else(|| {
            fogbank_core::ApiError::new(
                "ResourceNotFoundException",
                format!("Requested resource not found: ResourcArn: {arn} not found"),
            )
        })?;
        let out = change(&mut record)?;
        tx.put(&TABLES, &place.key(), &record);
        tx.commit().await?;
        Ok(out)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagInput {
    resource_arn: String,
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html>
async fn tag_resource(ddb: &Dynamo, cx: &Cx, input: TagInput) -> Result<Reply> {
    if input.tags.is_empty() {
        return Err(validation("The request must contain at least one tag"));
    }
    let new = checked(input.tags)?;
    ddb.edit(cx, &input.resource_arn, |record| {
        for (key, value) in new {
            match record.tags.iter_mut().find(|(k, _)| *k == key) {
                Some(tag) => tag.1 = value,
                None => record.tags.push((key, value)),
            }
        }
        check_count(&record.tags)
    })
    .await?;
    Ok(nothing())
}

/// These answer with no body at all.
fn nothing() -> Reply {
    Reply { body: Some(Body::Empty), ..Reply::default() }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UntagInput {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UntagResource.html>
async fn untag_resource(ddb: &Dynamo, cx: &Cx, input: UntagInput) -> Result<Reply> {
    if input.tag_keys.is_empty() {
        return Err(validation("The request must contain at least one tag key"));
    }
    ddb.edit(cx, &input.resource_arn, |record| {
        record.tags.retain(|(k, _)| !input.tag_keys.contains(k));
        Ok(())
    })
    .await?;
    Ok(nothing())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    resource_arn: String,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTagsOfResource.html>
async fn list_tags(ddb: &Dynamo, cx: &Cx, input: ListInput) -> Result<Value> {
    // A table has no more.
    const PAGE: usize = 50;
    let place = place(cx, &input.resource_arn)?;
    let schema = ddb.find(&place).await?;
    // IAM's words for a table that one may not know of.
    let schema = schema.ok_or_else(|| {
        fogbank_core::ApiError::new(
            "ResourceNotFoundException",
            format!("Requested resource not found: ResourcArn: {} not found", input.resource_arn),
        )
    })?;
    let from = match &input.next_token {
        None => 0,
        Some(t) => t.parse().map_err(|_| validation("Invalid NextToken"))?,
    };
    let tags = &schema.record.tags;
    let page = tags.iter().skip(from).take(PAGE);
    let page: Vec<Value> =
        page.map(|(k, v)| map! {"Key" => k.as_str(), "Value" => v.as_str()}).collect();
    let next = (tags.len() > from + PAGE).then(|| (from + PAGE).to_string());
    Ok(map! {"Tags" => page, "NextToken" => next})
}
