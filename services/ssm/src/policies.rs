//! Parameter policies: an expiration.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-policies.html>

use fogbank_core::{ApiError, Cx, Result};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// `ParameterInlinePolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Policy {
    #[n(0)]
    pub text: String,
    #[n(1)]
    pub kind: String,
}

/// A policy in answers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyView {
    policy_text: String,
    policy_type: String,
    policy_status: &'static str,
}

impl From<&Policy> for PolicyView {
    fn from(p: &Policy) -> Self {
        let (policy_text, policy_type) = (p.text.clone(), p.kind.clone());
        PolicyView { policy_text, policy_type, policy_status: "Pending" }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    #[serde(rename = "Type")]
    kind: String,
    version: String,
    #[serde(default)]
    attributes: serde_json::Map<String, serde_json::Value>,
}

/// The policies of a request, and the time at which they make the parameter expire.
///
/// # Errors
/// `InvalidPolicyTypeException`, `InvalidPolicyAttributeException`; `NotImplemented` for policies
/// that only notify.
pub fn read(cx: &Cx, text: &str) -> Result<(Vec<Policy>, Option<Timestamp>)> {
    let parsed: Vec<serde_json::Value> = serde_json::from_str(text)
        .map_err(|_| attribute("The policies are not a JSON list of policies."))?;
    let (mut policies, mut expires) = (Vec::new(), None);
    for one in parsed {
        let policy: Text = serde_json::from_value(one.clone())
            .map_err(|_| attribute("A policy has Type, Version and Attributes."))?;
        match policy.kind.as_str() {
            "Expiration" => {}
            "ExpirationNotification" | "NoChangeNotification" => {
                return Err(cx.refuse_member(&format!("the policy {}", policy.kind)));
            }
            other => {
                return Err(ApiError::new(
                    "InvalidPolicyTypeException",
                    format!("The policy type {other} is not supported."),
                ));
            }
        }
        let at = policy.attributes.get("Timestamp").and_then(|t| t.as_str());
        let at: Option<Timestamp> = at.and_then(|t| t.parse().ok());
        let at = at.filter(|_| policy.version == "1.0" && expires.is_none());
        expires = Some(at.ok_or_else(|| {
            attribute("An Expiration policy of version 1.0 has a Timestamp, and there is one.")
        })?);
        policies.push(Policy { text: one.to_string(), kind: policy.kind });
    }
    Ok((policies, expires))
}

fn attribute(message: &str) -> ApiError {
    ApiError::new("InvalidPolicyAttributeException", message)
}
