//! What a template can see while it is evaluated: parameters, resources made so far, exports.

use std::collections::BTreeMap;

use fogbank_cfn::template::Template;
use fogbank_cfn::{Error, Scope};
use serde_json::Value;

use crate::record::{Model, StackRecord};

/// What is known of one resource.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub physical_id: String,
    pub attributes: serde_json::Map<String, Value>,
}

/// The world of a stack.
pub struct World<'a> {
    pub template: &'a Template,
    pub stack: &'a StackRecord,
    pub model: &'a Model,
    pub resources: &'a BTreeMap<String, Known>,
    /// The exports that the template imports, read beforehand.
    pub exports: &'a BTreeMap<String, String>,
}

impl Scope for World<'_> {
    fn parameter(&self, name: &str) -> Option<Value> {
        let s = self.stack;
        let text = |t: &str| Some(Value::from(t));
        match name {
            "AWS::AccountId" => return text(&s.account),
            "AWS::Region" => return text(&s.region),
            "AWS::StackId" => return text(&s.id),
            "AWS::StackName" => return text(&s.name),
            "AWS::Partition" => return text(partition(&s.region).0),
            "AWS::URLSuffix" => return text(partition(&s.region).1),
            "AWS::NotificationARNs" => return Some(Value::from(self.model.notifications.clone())),
            _ => {}
        }
        let declared = self.template.parameters.get(name)?;
        let find =
            |all: &[(String, String)]| all.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let value = find(&self.model.resolved).or_else(|| find(&self.model.parameters))?;
        Some(declared.value(&value))
    }

    fn resource(&self, name: &str) -> Option<Value> {
        Some(Value::from(self.resources.get(name)?.physical_id.clone()))
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<Value, Error> {
        let known = self.resources.get(resource).ok_or_else(|| {
            Error(format!(
                "Template error: instance of Fn::GetAtt references undefined resource {resource}"
            ))
        })?;
        let mut at = known.attributes.get(attribute);
        if at.is_none() {
            // `Endpoint.Address` may be an object's member as well as a name of its own.
            let mut parts = attribute.split('.');
            at = parts.next().and_then(|p| known.attributes.get(p));
            for p in parts {
                at = at.and_then(|v| v.get(p));
            }
        }
        at.cloned().ok_or_else(|| {
            let kind = self.template.resources.get(resource).map_or("?", |r| r.kind.as_str());
            Error(format!(
                "Template error: resource {resource} ({kind}) does not support attribute type {attribute} in Fn::GetAtt"
            ))
        })
    }

    fn import(&self, name: &str) -> Result<Value, Error> {
        let found = self.exports.get(name);
        found
            .map(|v| Value::from(v.as_str()))
            .ok_or_else(|| Error(format!("No export named {name} found.")))
    }

    fn zones(&self, region: &str) -> Vec<String> {
        let region = if region.is_empty() { &self.stack.region } else { region };
        ["a", "b", "c"].iter().map(|z| format!("{region}{z}")).collect()
    }
}

/// The partition of a region and its domain.
pub fn partition(region: &str) -> (&'static str, &'static str) {
    if region.starts_with("cn-") {
        ("aws-cn", "amazonaws.com.cn")
    } else if region.starts_with("us-gov-") {
        ("aws-us-gov", "amazonaws.com")
    } else {
        ("aws", "amazonaws.com")
    }
}
