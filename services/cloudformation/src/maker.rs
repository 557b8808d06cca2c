//! What a resource type is made with: the caller's rights, names, tags, and a way to the services.

use std::time::Duration;

use fogbank_core::{ApiError, Cx, Result, Value};
use serde_json::Value as Json;

use crate::CloudFormation;
use crate::kinds::Props;

/// One resource on its way.
pub struct Maker<'a> {
    pub cfn: &'a CloudFormation,
    /// The principal's context: the deployer's, or the execution role's.
    pub cx: &'a Cx,
    pub stack_id: &'a str,
    pub stack_name: &'a str,
    pub logical_id: &'a str,
    pub kind: &'a str,
    /// Twelve characters that make names of this resource unique, the same at each try.
    pub token: &'a str,
    /// The stack's tags.
    pub tags: &'a [(String, String)],
}

impl Maker<'_> {
    /// Calls a service with properties as people write them: text where the service has numbers and
    /// numbers where it has text are taken for what they mean. The reply has members with a capital,
    /// times and bytes as text.
    ///
    /// # Errors
    /// The service's.
    pub async fn call(&self, service: &str, operation: &str, mut input: Json) -> Result<Json> {
        if let Json::Object(m) = &mut input {
            // No tags are no member: some services want at least one.
            let none = |v: &Json| {
                v.as_array().is_some_and(Vec::is_empty)
                    || v.as_object().is_some_and(Props::is_empty)
            };
            m.retain(|k, v| !(k.eq_ignore_ascii_case("tags") && none(v)));
        }
        let shapes = self.cx.cloud.shapes().ok_or_else(|| ApiError::internal("no models"))?;
        let input = shapes.fit(service, operation, from_json(input))?;
        let reply = self.cx.call(service, operation, input).await?;
        Ok(to_json(shapes.output(service, operation, reply, None)))
    }

    /// As [`Maker::call`], and what is not there is none.
    ///
    /// # Errors
    /// The service's, but for those that `absent` names.
    pub async fn find(
        &self,
        service: &str,
        operation: &str,
        input: Json,
        absent: &[&str],
    ) -> Result<Option<Json>> {
        match self.call(service, operation, input).await {
            Ok(v) => Ok(Some(v)),
            Err(e) if absent.contains(&e.code()) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// A name as CloudFormation makes it when the template gives none: `stack-Logical-TOKEN`, at
    /// most `most` characters.
    #[must_use]
    pub fn name(&self, most: usize) -> String {
        let room = most.saturating_sub(self.token.len() + 1);
        let mut stack = self.stack_name;
        let mut logical = self.logical_id;
        // The longer of the two is cut first, as CloudFormation keeps a part of both.
        while stack.len() + logical.len() + 1 > room && (!stack.is_empty() || !logical.is_empty()) {
            if logical.len() >= stack.len() {
                logical = &logical[..logical.len() - 1];
            } else {
                stack = &stack[..stack.len() - 1];
            }
        }
        format!("{stack}-{logical}-{}", self.token)
    }

    /// The property, or a generated name.
    #[must_use]
    pub fn named(&self, p: &Props, property: &str, most: usize) -> String {
        match p.get(property) {
            Some(Json::String(s)) if !s.is_empty() => s.clone(),
            Some(Json::Number(n)) => n.to_string(),
            _ => self.name(most),
        }
    }

    /// The stack's tags and the resource's own.
    /// CloudFormation's own (`aws:cloudformation:stack-name`) are none of a client's to set, and
    /// no service takes them from us yet.
    #[must_use]
    pub fn tags(&self, p: &Props) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = self.tags.to_vec();
        let mut put = |k: String, v: String| match all.iter_mut().find(|(n, _)| *n == k) {
            Some(t) => t.1 = v,
            None => all.push((k, v)),
        };
        match p.get("Tags") {
            Some(Json::Array(tags)) => {
                for t in tags {
                    put(text(t.get("Key")), text(t.get("Value")));
                }
            }
            Some(Json::Object(tags)) => {
                for (k, v) in tags {
                    put(k.clone(), text(Some(v)));
                }
            }
            _ => {}
        }
        all
    }

    /// `[{Key, Value}]`.
    #[must_use]
    pub fn tag_list(tags: &[(String, String)]) -> Json {
        tags.iter().map(|(k, v)| serde_json::json!({"Key": k, "Value": v})).collect()
    }

    /// `{key: value}`.
    #[must_use]
    pub fn tag_map(tags: &[(String, String)]) -> Json {
        Json::Object(tags.iter().map(|(k, v)| (k.clone(), Json::from(v.as_str()))).collect())
    }

    /// The ARN of something of this account and region.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let partition = crate::scope::partition(&self.cx.region).0;
        format!("arn:{partition}:{service}:{}:{}:{resource}", self.cx.region, self.cx.account)
    }

    /// Waits a little for something that takes its time; longer with each try.
    pub async fn pause(&self, tries: u32) {
        let wait = Duration::from_millis(10 << tries.min(6));
        let _ = tokio::time::timeout(wait, self.cfn.progress.news.notified()).await;
    }
}

/// A scalar as text.
#[must_use]
pub fn text(v: Option<&Json>) -> String {
    match v {
        Some(Json::String(s)) => s.clone(),
        None | Some(Json::Null) => String::new(),
        Some(v) => v.to_string(),
    }
}

/// The members of `p` that are named, as an object of a call.
#[must_use]
pub fn pick(p: &Props, names: &[&str]) -> Props {
    names.iter().filter_map(|n| Some(((*n).to_owned(), p.get(*n)?.clone()))).collect()
}

/// JSON as a protocol-neutral value.
#[must_use]
pub fn from_json(v: Json) -> Value {
    match v {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => {
            n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or_default()), Value::Int)
        }
        Json::String(s) => Value::Str(s.into()),
        Json::Array(all) => Value::List(all.into_iter().map(from_json).collect()),
        Json::Object(m) => {
            Value::Map(m.into_iter().map(|(k, v)| (k.into(), from_json(v))).collect())
        }
    }
}

/// A value as JSON.
#[must_use]
pub fn to_json(v: Value) -> Json {
    match v {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(b),
        Value::Int(n) => Json::from(n),
        Value::Float(n) => Json::from(n),
        Value::Str(s) => Json::from(s.into_owned()),
        Value::Blob(b) => Json::from(String::from_utf8_lossy(&b).into_owned()),
        Value::Time(t) => Json::from(t.to_string()),
        Value::List(all) => Json::Array(all.into_iter().map(to_json).collect()),
        Value::Map(m) => {
            Json::Object(m.into_iter().map(|(k, v)| (k.into_owned(), to_json(v))).collect())
        }
    }
}
