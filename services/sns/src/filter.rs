//! Filter policies: which messages a subscription wants.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html>

use fogbank_core::{ApiError, Result};
use fogbank_eventpattern::{Dialect, Pattern};
use serde_json::{Map, Value as Json};

use crate::error::invalid;
use crate::message::{Attribute, Content, Message};

/// A filter policy that has been read.
pub struct Filter {
    pattern: Pattern,
    body: bool,
}

/// The largest policy, in bytes, and the most combinations and names.
const LARGEST: usize = 256 << 10;
const MOST_COMBINATIONS: usize = 150;
const MOST_NAMES: usize = 5;

impl Filter {
    /// # Errors
    /// `InvalidParameter`, `FilterPolicyLimitExceeded`.
    pub fn parse(text: &str, body: bool) -> Result<Self> {
        let bad = |why: &dyn std::fmt::Display| {
            invalid(format!("Attributes Reason: FilterPolicy: {why}"))
        };
        if text.len() > LARGEST {
            return Err(bad(&"Filter policy is too large"));
        }
        let pattern = Pattern::parse(text, Dialect::Sns).map_err(|e| bad(&e))?;
        if !body && nested(text) {
            return Err(bad(
                &"Filter policy scope MessageAttributes does not support nested filter policy",
            ));
        }
        if pattern.names().len() > MOST_NAMES {
            return Err(bad(&"Filter policy can not have more than 5 keys"));
        }
        if pattern.combinations(body) > MOST_COMBINATIONS {
            return Err(ApiError::new(
                "InvalidParameterException",
                "Invalid parameter: FilterPolicy: Filter policy is too complex",
            ));
        }
        Ok(Filter { pattern, body })
    }

    /// Whether the subscription wants the message.
    pub fn lets(&self, message: &Message) -> bool {
        if self.body {
            let text = message.for_protocol("sqs");
            return serde_json::from_str::<Json>(text)
                .is_ok_and(|v| v.is_object() && self.pattern.matches(&v));
        }
        // Without any attribute nothing matches, not even that one is absent.
        let all: Map<String, Json> =
            message.attributes.iter().map(|a| (a.name.clone(), value(a))).collect();
        !all.is_empty() && self.pattern.matches(&Json::Object(all))
    }
}

/// Whether a name at the top holds an object.
fn nested(text: &str) -> bool {
    let json: Option<Map<String, Json>> = serde_json::from_str(text).ok();
    json.is_some_and(|m| m.values().any(Json::is_object))
}

/// An attribute as filters see it: numbers are numbers, arrays lists.
fn value(a: &Attribute) -> Json {
    match &a.value {
        Content::Bytes(_) => Json::Null,
        Content::Text(text) => match a.data_type.as_str() {
            "String.Array" | "Number" => {
                serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.as_str()))
            }
            _ => Json::from(text.as_str()),
        },
    }
}
