//! The policy of a topic: its own, or the one that every topic begins with.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::address::Address;

/// What the policy of a new topic lets its owner's services do.
const DEFAULT: [&str; 8] = [
    "SNS:GetTopicAttributes",
    "SNS:SetTopicAttributes",
    "SNS:AddPermission",
    "SNS:RemovePermission",
    "SNS:DeleteTopic",
    "SNS:Subscribe",
    "SNS:ListSubscriptionsByTopic",
    "SNS:Publish",
];

/// The policy in force.
pub fn text(at: &Address, own: Option<&str>) -> Arc<str> {
    own.map_or_else(|| default(at).to_string().into(), Arc::from)
}

pub fn default(at: &Address) -> Json {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": DEFAULT,
            "Resource": at.arn(),
            "Condition": {"StringEquals": {"AWS:SourceOwner": at.account}},
        }],
    })
}
