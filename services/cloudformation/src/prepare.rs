//! From a request to a model that can be carried out: the template's text, its transforms, the
//! values of its parameters, what SSM says of them.

use std::collections::BTreeMap;

use fogbank_cfn::parameter::{self, Values};
use fogbank_cfn::{Eval, Template, extensions, rules};
use fogbank_core::{ApiError, Body, Cx, Result, map};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{template as fault, validation};
use crate::kinds;
use crate::record::{Model, StackRecord};
use crate::scope::World;

/// The most bytes of a template in a request, and of one by URL.
const BODY: usize = 51_200;
const BY_URL: usize = 1_000_000;

/// The members that requests with a template share.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Given {
    pub template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    pub template_url: Option<String>,
    pub use_previous_template: Option<bool>,
    #[serde(default)]
    pub parameters: Vec<GivenParameter>,
    #[serde(default)]
    pub capabilities: Option<Vec<String>>,
    #[serde(rename = "RoleARN")]
    pub role_arn: Option<String>,
    #[serde(rename = "NotificationARNs")]
    pub notification_arns: Option<Vec<String>>,
    pub tags: Option<Vec<Tag>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GivenParameter {
    pub parameter_key: Option<String>,
    pub parameter_value: Option<String>,
    pub use_previous_value: Option<bool>,
}

#[derive(Clone, Debug, serde::Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    pub key: String,
    pub value: String,
}

impl Given {
    /// The text of the template.
    ///
    /// # Errors
    /// None or two of them, one too large, one that cannot be fetched.
    pub async fn text(&self, cx: &Cx, previous: Option<&Model>) -> Result<String> {
        match (&self.template_body, &self.template_url, self.use_previous_template) {
            (Some(_), Some(_), _) => {
                Err(validation("Either Template URL or Template Body must be specified."))
            }
            (Some(body), None, _) if body.len() > BODY => Err(validation(format!(
                "1 validation error detected: Value '{}' at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to {BODY}",
                body.chars().take(256).collect::<String>()
            ))),
            (Some(body), None, _) => Ok(body.clone()),
            (None, Some(url), _) => fetch(cx, url).await,
            (None, None, Some(true)) if previous.is_some() => {
                Ok(previous.map(|m| m.original.clone()).unwrap_or_default())
            }
            _ => Err(validation("Either Template URL or Template Body must be specified.")),
        }
    }

    /// A whole model, checked as CloudFormation checks a request.
    ///
    /// # Errors
    /// `ValidationError` and `InsufficientCapabilitiesException`.
    pub async fn model(
        &self,
        cx: &Cx,
        stack: &StackRecord,
        previous: Option<&Model>,
    ) -> Result<Model> {
        let original = self.text(cx, previous).await?;
        let value = fogbank_cfn::read(&original).map_err(|e| fault(&e))?;
        let (given, kept) = self.values()?;
        let before: Values =
            previous.map(|m| m.parameters.iter().cloned().collect()).unwrap_or_default();
        let shallow = shallow(&value)?;
        let values = parameter::resolve(&shallow, &given, &kept, &before).map_err(|e| fault(&e))?;
        let mut model = Model {
            original,
            processed: String::new(),
            resolved: look_up(cx, &shallow, &values).await?,
            parameters: values.into_iter().collect(),
            tags: match (&self.tags, previous) {
                (Some(t), _) => t.iter().map(|t| (t.key.clone(), t.value.clone())).collect(),
                (None, Some(m)) => m.tags.clone(),
                _ => Vec::new(),
            },
            capabilities: match (&self.capabilities, previous) {
                (Some(c), _) => c.clone(),
                (None, Some(m)) => m.capabilities.clone(),
                _ => Vec::new(),
            },
            role: self.role_arn.clone().or_else(|| previous.and_then(|m| m.role.clone())),
            notifications: match (&self.notification_arns, previous) {
                (Some(n), _) => n.clone(),
                (None, Some(m)) => m.notifications.clone(),
                _ => Vec::new(),
            },
        };
        let processed = transform(&value, &shallow, stack, &model)?;
        let template = Template::new(&processed).map_err(|e| fault(&e))?;
        model.processed = processed.to_string();
        check(&template, stack, &model)?;
        Ok(model)
    }

    fn values(&self) -> Result<(Values, Vec<String>)> {
        let (mut given, mut kept) = (Values::new(), Vec::new());
        for p in &self.parameters {
            let Some(key) = &p.parameter_key else { continue };
            match (&p.parameter_value, p.use_previous_value) {
                (Some(_), Some(true)) => {
                    return Err(validation(format!(
                        "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value for a parameter"
                    )));
                }
                (Some(v), _) => {
                    given.insert(key.clone(), v.clone());
                }
                (None, Some(true)) => kept.push(key.clone()),
                (None, _) => {
                    return Err(validation(format!(
                        "Invalid input for parameter key {key}. Need to specify either usePreviousValue as true or a value for the parameter"
                    )));
                }
            }
        }
        Ok((given, kept))
    }
}

/// The template before its transforms: parameters and conditions can be read, the rest may still
/// have forms that only a transform knows.
pub fn shallow(value: &Value) -> Result<Template> {
    let mut plain = value.clone();
    if let Value::Object(m) = &mut plain {
        // What a loop or a macro stands in is none of this reading's business.
        let one = serde_json::json!({"Placeholder": {"Type": "AWS::CloudFormation::WaitConditionHandle"}});
        m.insert("Resources".into(), one);
        m.remove("Outputs");
        m.remove("Globals");
    }
    // A template without resources is told so first, whatever else is wrong with it.
    if value.get("Resources").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty) {
        Template::parse(value).map_err(|e| fault(&e))?;
    }
    Template::parse(&plain).map_err(|e| fault(&e))
}

/// Carries out the template's transforms.
pub fn transform(
    value: &Value,
    shallow: &Template,
    stack: &StackRecord,
    model: &Model,
) -> Result<Value> {
    let mut value = value.clone();
    for name in &shallow.transforms {
        match name.as_str() {
            extensions::NAME => {
                let (resources, exports) = (BTreeMap::new(), BTreeMap::new());
                let world = World {
                    template: shallow,
                    stack,
                    model,
                    resources: &resources,
                    exports: &exports,
                };
                let eval = Eval::new(shallow, &world);
                let list = |v: &Value| match eval.some(v)? {
                    Value::Array(all) => Ok(all.iter().map(text).collect()),
                    v => Ok(vec![text(&v)]),
                };
                value = extensions::expand(&value, &list).map_err(|e| fault(&e))?;
            }
            other => {
                return Err(ApiError::not_implemented(&format!(
                    "cloudformation: the transform {other}"
                )));
            }
        }
    }
    if let Value::Object(m) = &mut value {
        m.remove("Transform");
    }
    Ok(value)
}

fn text(v: &Value) -> String {
    match v {
        Value::String(s) => s.clone(),
        v => v.to_string(),
    }
}

/// What is checked before anything is made: types, properties, capabilities, rules.
fn check(t: &Template, stack: &StackRecord, model: &Model) -> Result<()> {
    let mut unknown: Vec<&str> =
        t.resources.values().map(|r| r.kind.as_str()).filter(|k| !kinds::knows(k)).collect();
    unknown.sort_unstable();
    unknown.dedup();
    if !unknown.is_empty() {
        return Err(validation(format!(
            "Template format error: Unrecognized resource types: [{}]",
            unknown.join(", ")
        )));
    }
    needs(t, model)?;
    let (resources, exports) = (BTreeMap::new(), BTreeMap::new());
    let world = World { template: t, stack, model, resources: &resources, exports: &exports };
    let eval = Eval::new(t, &world);
    rules::check(t, &eval).map_err(|e| fault(&e))?;
    for name in t.conditions.keys() {
        eval.condition(name).map_err(|e| fault(&e))?;
    }
    Ok(())
}

/// The capabilities that a template needs: IAM resources, and those with names.
pub fn capabilities(t: &Template) -> (Option<&'static str>, Vec<String>) {
    const IAM: &[(&str, &str)] = &[
        ("AWS::IAM::AccessKey", ""),
        ("AWS::IAM::Group", "GroupName"),
        ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
        ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
        ("AWS::IAM::Policy", ""),
        ("AWS::IAM::Role", "RoleName"),
        ("AWS::IAM::User", "UserName"),
        ("AWS::IAM::UserToGroupAddition", ""),
    ];
    let (mut need, mut why) = (None, Vec::new());
    for r in t.resources.values() {
        let Some((kind, name)) = IAM.iter().find(|(k, _)| *k == r.kind) else { continue };
        if !why.contains(&(*kind).to_owned()) {
            why.push((*kind).to_owned());
        }
        if !name.is_empty() && r.properties.contains_key(*name) {
            need = Some("CAPABILITY_NAMED_IAM");
        } else {
            need = need.or(Some("CAPABILITY_IAM"));
        }
    }
    (need, why)
}

fn needs(t: &Template, model: &Model) -> Result<()> {
    let has = |c: &str| model.capabilities.iter().any(|h| h == c);
    let missing = match capabilities(t).0 {
        Some("CAPABILITY_IAM") if !has("CAPABILITY_IAM") && !has("CAPABILITY_NAMED_IAM") => {
            "CAPABILITY_IAM"
        }
        Some("CAPABILITY_NAMED_IAM") if !has("CAPABILITY_NAMED_IAM") => "CAPABILITY_NAMED_IAM",
        _ => return Ok(()),
    };
    Err(ApiError::new(
        "InsufficientCapabilitiesException",
        format!("Requires capabilities : [{missing}]"),
    )
    .status(400))
}

/// The values of parameters that name an SSM parameter.
async fn look_up(cx: &Cx, t: &Template, values: &Values) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (name, p) in t.parameters.iter().filter(|(_, p)| p.is_ssm()) {
        let Some(key) = values.get(name) else { continue };
        let reply = cx.call("ssm", "GetParameter", map! {"Name" => key.as_str()}).await;
        let value = reply
            .ok()
            .and_then(|r| Some(r.get("Parameter")?.str("Value")?.to_owned()))
            .ok_or_else(|| {
                validation(format!(
                    "Unable to fetch parameters [{key}] from parameter store for this account."
                ))
            })?;
        p.check(name, &value).map_err(|e| fault(&e))?;
        found.push((name.clone(), value));
    }
    Ok(found)
}

/// A template in S3, by any of S3's host names or ours.
async fn fetch(cx: &Cx, url: &str) -> Result<String> {
    let bad = || validation("TemplateURL must be a supported URL.");
    let rest =
        url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or_else(bad)?;
    let (host, path) = rest.split_once('/').ok_or_else(bad)?;
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let name = host.split(':').next().unwrap_or(host);
    let virtual_host =
        name.split_once(".s3.").or_else(|| name.split_once(".s3-")).map(|(bucket, _)| bucket);
    let (bucket, key) = match virtual_host {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').ok_or_else(bad)?,
    };
    let key = percent_decode(key);
    let input = map! {"Bucket" => bucket, "Key" => key.as_str()};
    let reply = cx.cloud.call(cx, "s3", "GetObject", input, Body::Empty).await.map_err(|e| {
        validation(format!("S3 error: {}\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html", e.message()))
    })?;
    let body = reply.body.unwrap_or_default().collect(BY_URL + 1).await.map_err(|_| too_large())?;
    if body.len() > BY_URL {
        return Err(too_large());
    }
    String::from_utf8(body.to_vec())
        .map_err(|_| validation("Template format error: unsupported structure."))
}

fn too_large() -> ApiError {
    validation(format!("Template may not exceed {BY_URL} bytes in size."))
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (bytes[i], hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(b)) => {
                out.push(b);
                i += 3;
            }
            (b, _) => {
                out.push(b);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
