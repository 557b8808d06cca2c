//! `/aws/reference/secretsmanager/NAME`: a secret of Secrets Manager, read as a parameter.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html>

use fogbank_core::{ApiError, Cx, Result, Time, Value};

use crate::error::validation;
use crate::get::View;
use crate::name::Asked;
use crate::record::Kind;

pub const PREFIX: &str = "/aws/reference/secretsmanager/";

/// The secret, in the caller's name.
///
/// # Errors
/// `ParameterNotFound`, or the refusal of Secrets Manager.
pub async fn get(cx: &Cx, asked: &Asked, secret: &str, decrypt: bool) -> Result<View> {
    if !decrypt {
        return Err(validation(
            "WithDecryption flag must be True for retrieving a Secret Manager secret.",
        ));
    }
    let mut input = vec![("SecretId".into(), Value::from(secret))];
    // A version's id is a UUID; whatever else is asked for is a stage.
    if let Some(selector) = asked.selector.as_deref().map(|s| &s[1..]) {
        let id =
            selector.len() >= 32 && selector.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        let member = if id { "VersionId" } else { "VersionStage" };
        input.push((member.into(), Value::from(selector)));
    }
    let got = cx.call("secretsmanager", "GetSecretValue", Value::Map(input)).await;
    let name = &asked.place.name;
    let got = got.map_err(|e| match e.code() {
        "ResourceNotFoundException" => ApiError::new(
            "ParameterNotFound",
            format!(
                "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret \
                 {name} not found."
            ),
        ),
        _ => e,
    })?;
    let text = |member: &str| got.str(member).unwrap_or_default().to_owned();
    let created = match got.get("CreatedDate") {
        Some(Value::Time(t)) => *t,
        _ => cx.now,
    };
    let stages = got.get("VersionStages").map(Value::items).unwrap_or_default();
    let stages: Vec<&str> = stages.iter().filter_map(Value::as_str).collect();
    let source = serde_json::json!({
        "ARN": text("ARN"),
        "name": text("Name"),
        "versionId": text("VersionId"),
        "secretString": got.str("SecretString"),
        "versionStages": stages,
        "createdDate": created.to_string(),
    });
    Ok(View {
        name: name.clone(),
        kind: Kind::SecureString,
        value: text("SecretString"),
        version: 0,
        selector: asked.selector.clone(),
        source_result: Some(source.to_string()),
        last_modified_date: Time(created),
        arn: text("ARN"),
        data_type: "text".to_owned(),
    })
}
