//! Templates: their sections, checked as CloudFormation checks them before it makes anything.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::parameter::Parameter;
use crate::{Error, Result, graph, refs};

/// The most resources, parameters, outputs and mappings.
pub const MAX_RESOURCES: usize = 500;
const MAX_PARAMETERS: usize = 200;
const MAX_OUTPUTS: usize = 200;
const MAX_MAPPINGS: usize = 200;

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
    "Hooks",
];
const RESOURCE: &[&str] = &[
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
    "Version",
];

/// A template whose form has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub description: Option<String>,
    pub metadata: Option<Value>,
    pub parameters: BTreeMap<String, Parameter>,
    /// `Mappings`: map, top-level key, second-level key.
    pub mappings: BTreeMap<String, BTreeMap<String, Map<String, Value>>>,
    pub conditions: BTreeMap<String, Value>,
    pub rules: BTreeMap<String, Value>,
    pub resources: BTreeMap<String, Resource>,
    pub outputs: BTreeMap<String, Output>,
    /// Names of macros and transforms, those of the whole template.
    pub transforms: Vec<String>,
}

/// A resource as the template declares it; functions are not evaluated yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub kind: String,
    pub properties: Map<String, Value>,
    pub condition: Option<String>,
    pub depends_on: Vec<String>,
    /// `Delete`, `Retain`, `Snapshot`, `RetainExceptOnCreate`; may hold functions with
    /// `AWS::LanguageExtensions`.
    pub deletion_policy: Option<Value>,
    pub update_replace_policy: Option<Value>,
    pub creation_policy: Option<Value>,
    pub update_policy: Option<Value>,
    pub metadata: Option<Value>,
}

/// An output as the template declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub value: Value,
    pub description: Option<String>,
    pub export: Option<Value>,
    pub condition: Option<String>,
}

impl Template {
    /// Checks a template that [`crate::read()`] has read and whose transforms are done: sections,
    /// names, references, limits and cycles.
    ///
    /// # Errors
    /// The first fault, in CloudFormation's words.
    pub fn new(value: &Value) -> Result<Template> {
        let template = Template::parse(value)?;
        refs::check(&template)?;
        graph::check(&template)?;
        Ok(template)
    }

    /// The sections alone, without looking at what refers to what: for `GetTemplateSummary`, and
    /// for templates whose transforms are still to be done.
    ///
    /// # Errors
    /// As [`Template::new`], but for references and cycles.
    pub fn parse(value: &Value) -> Result<Template> {
        let Value::Object(root) = value else {
            return Err(Error::format("unsupported structure."));
        };
        let strangers: Vec<&str> =
            root.keys().map(String::as_str).filter(|k| !SECTIONS.contains(k)).collect();
        if !strangers.is_empty() {
            return Err(Error(format!(
                "Invalid template property or properties [{}]",
                strangers.join(", ")
            )));
        }
        if let Some(v) = root.get("AWSTemplateFormatVersion")
            && v.as_str() != Some("2010-09-09")
        {
            return Err(Error::format(format_args!(
                "Template format version {} is not supported",
                plain(v)
            )));
        }
        let description = match root.get("Description") {
            None | Some(Value::Null) => None,
            Some(Value::String(s)) if s.len() <= 1024 => Some(s.clone()),
            Some(Value::String(_)) => {
                return Err(Error::format("'Description' length is greater than 1024."));
            }
            Some(_) => return Err(Error::format("Any Description member must be a string.")),
        };
        let mut parameters = BTreeMap::new();
        for (name, v) in section(root, "Parameters")?.into_iter().flatten() {
            alphanumeric("Parameter", name)?;
            parameters.insert(name.clone(), Parameter::parse(name, v)?);
        }
        limit("parameters", parameters.len(), MAX_PARAMETERS)?;
        let conditions: BTreeMap<_, _> =
            section(root, "Conditions")?.into_iter().flatten().map(pair).collect();
        let rules = section(root, "Rules")?.into_iter().flatten().map(pair).collect();
        let mappings = mappings(root)?;
        let mut resources = BTreeMap::new();
        for (name, v) in section(root, "Resources")?.into_iter().flatten() {
            // `Fn::ForEach::…` is expanded before this, by its own transform.
            alphanumeric("Resource", name)?;
            resources.insert(name.clone(), Resource::parse(name, v)?);
        }
        if resources.is_empty() {
            return Err(Error::format("At least one Resources member must be defined."));
        }
        limit("resources", resources.len(), MAX_RESOURCES)?;
        let mut outputs = BTreeMap::new();
        for (name, v) in section(root, "Outputs")?.into_iter().flatten() {
            alphanumeric("Output", name)?;
            outputs.insert(name.clone(), Output::parse(name, v)?);
        }
        limit("outputs", outputs.len(), MAX_OUTPUTS)?;
        Ok(Template {
            description,
            metadata: root.get("Metadata").cloned(),
            parameters,
            mappings,
            conditions,
            rules,
            resources,
            outputs,
            transforms: transforms(root)?,
        })
    }
}

/// The names under `Transform`, which stand alone, in a list, or in objects with parameters.
fn transforms(root: &Map<String, Value>) -> Result<Vec<String>> {
    let one = |v: &Value| match v {
        Value::String(s) => Ok(s.clone()),
        Value::Object(m) => match m.get("Name") {
            Some(Value::String(s)) => Ok(s.clone()),
            _ => Err(Error::format("Transform must have a Name.")),
        },
        _ => Err(Error::format("Transform must be a string or a list of strings.")),
    };
    match root.get("Transform") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(all)) => all.iter().map(one).collect(),
        Some(v) => Ok(vec![one(v)?]),
    }
}

impl Resource {
    fn parse(name: &str, v: &Value) -> Result<Resource> {
        let Value::Object(m) = v else {
            return Err(Error::format("Every Resources object must be an object."));
        };
        if let Some(k) = m.keys().find(|k| !RESOURCE.contains(&k.as_str())) {
            return Err(Error(format!("Invalid template resource property '{k}'")));
        }
        let kind = match m.get("Type") {
            Some(Value::String(s)) if !s.is_empty() => s.clone(),
            Some(_) => {
                return Err(Error::format("Every Type member must be a string."));
            }
            None => {
                return Err(Error::format(format_args!(
                    "[/Resources/{name}] Every Resources object must contain a Type member."
                )));
            }
        };
        let properties = match m.get("Properties") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(p)) => p.clone(),
            Some(_) => return Err(Error::format("Every Properties member must be an object.")),
        };
        let condition = match m.get("Condition") {
            None => None,
            Some(Value::String(s)) => Some(s.clone()),
            Some(_) => return Err(Error::format("Every Condition member must be a string.")),
        };
        let depends_on = match m.get("DependsOn") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(s)) => vec![s.clone()],
            Some(Value::Array(all)) => all
                .iter()
                .map(|v| v.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .ok_or_else(|| Error::format("Every DependsOn value must be a string."))?,
            Some(_) => return Err(Error::format("Every DependsOn value must be a string.")),
        };
        let policy = |key: &str, allowed: &[&str]| match m.get(key) {
            Some(Value::String(s)) if !allowed.contains(&s.as_str()) => {
                Err(Error::format(format_args!("Unrecognized {key} {s} for resource {name}")))
            }
            other => Ok(other.cloned()),
        };
        Ok(Resource {
            properties,
            condition,
            depends_on,
            deletion_policy: policy(
                "DeletionPolicy",
                &["Delete", "Retain", "Snapshot", "RetainExceptOnCreate"],
            )?,
            update_replace_policy: policy(
                "UpdateReplacePolicy",
                &["Delete", "Retain", "Snapshot"],
            )?,
            creation_policy: m.get("CreationPolicy").cloned(),
            update_policy: m.get("UpdatePolicy").cloned(),
            metadata: m.get("Metadata").cloned(),
            kind,
        })
    }
}

impl Output {
    fn parse(name: &str, v: &Value) -> Result<Output> {
        let Value::Object(m) = v else {
            return Err(Error::format("Every Outputs member must be an object."));
        };
        let Some(value) = m.get("Value").filter(|v| !v.is_null()) else {
            return Err(Error::format(format_args!(
                "Every Outputs member must contain a Value object ({name})"
            )));
        };
        let text = |key: &str| match m.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(s)) => Ok(Some(s.clone())),
            Some(_) => Err(Error::format(format_args!(
                "Every {key} member of the Outputs must be a string."
            ))),
        };
        let export = match m.get("Export") {
            None => None,
            Some(Value::Object(e)) => match e.get("Name") {
                Some(name) => Some(name.clone()),
                None => {
                    return Err(Error::format(format_args!(
                        "Output {name} is malformed. The Name field of every Export member must be specified."
                    )));
                }
            },
            Some(_) => {
                return Err(Error::format(format_args!("Output {name} is malformed.")));
            }
        };
        Ok(Output {
            value: value.clone(),
            description: text("Description")?,
            export,
            condition: text("Condition")?,
        })
    }
}

type Mappings = BTreeMap<String, BTreeMap<String, Map<String, Value>>>;

fn mappings(root: &Map<String, Value>) -> Result<Mappings> {
    let mut all = Mappings::new();
    for (name, v) in section(root, "Mappings")?.into_iter().flatten() {
        alphanumeric("Mapping", name)?;
        let malformed = || Error::format("Every Mappings attribute must be a String or a List.");
        let Value::Object(top) = v else {
            return Err(Error::format("Every Mappings member must be a map."));
        };
        let mut keys = BTreeMap::new();
        for (key, v) in top {
            let Value::Object(second) = v else {
                return Err(Error::format(format_args!(
                    "Every Mappings member {name} must be a map."
                )));
            };
            if second.values().any(Value::is_object) {
                return Err(malformed());
            }
            keys.insert(key.clone(), second.clone());
        }
        all.insert(name.clone(), keys);
    }
    limit("mappings", all.len(), MAX_MAPPINGS)?;
    Ok(all)
}

fn section<'v>(root: &'v Map<String, Value>, name: &str) -> Result<Option<&'v Map<String, Value>>> {
    match root.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(m)) => Ok(Some(m)),
        Some(_) => Err(Error::format(format_args!("{name} must be a map."))),
    }
}

fn pair((k, v): (&String, &Value)) -> (String, Value) {
    (k.clone(), v.clone())
}

fn alphanumeric(what: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > 255 || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Error::format(format_args!("{what} name {name} is non alphanumeric.")));
    }
    Ok(())
}

fn limit(what: &str, n: usize, most: usize) -> Result<()> {
    if n > most {
        return Err(Error::format(format_args!(
            "Number of {what}, {n}, is greater than maximum allowed, {most}"
        )));
    }
    Ok(())
}

/// A scalar as text.
pub(crate) fn plain(v: &Value) -> String {
    match v {
        Value::String(s) => s.clone(),
        v => v.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(v: &Value) -> String {
        Template::new(v).unwrap_err().to_string()
    }

    #[test]
    fn sections_are_checked_in_cloudformations_words() {
        let q = json!({"Type": "AWS::SQS::Queue"});
        let cases = [
            (json!({}), "Template format error: At least one Resources member must be defined."),
            (
                json!({"Resources": {}}),
                "Template format error: At least one Resources member must be defined.",
            ),
            (
                json!({"Foo": 1, "Resources": {"Q": q}}),
                "Invalid template property or properties [Foo]",
            ),
            (
                json!({"Resources": {"Q-1": q}}),
                "Template format error: Resource name Q-1 is non alphanumeric.",
            ),
            (
                json!({"Resources": {"Q": {"Typ": "x", "Type": "y"}}}),
                "Invalid template resource property 'Typ'",
            ),
            (
                json!({"Resources": {"Q": {}}}),
                "Template format error: [/Resources/Q] Every Resources object must contain a Type member.",
            ),
            (
                json!({"Resources": {"Q": {"Type": "T", "DeletionPolicy": "Keep"}}}),
                "Template format error: Unrecognized DeletionPolicy Keep for resource Q",
            ),
            (
                json!({"Resources": {"Q": q}, "Outputs": {"O": {}}}),
                "Template format error: Every Outputs member must contain a Value object (O)",
            ),
            (
                json!({"Resources": {"Q": q}, "Description": 3}),
                "Template format error: Any Description member must be a string.",
            ),
        ];
        for (template, message) in cases {
            assert_eq!(fault(&template), message);
        }
        let many: Map<String, Value> =
            (0..=MAX_RESOURCES).map(|i| (format!("Q{i}"), q.clone())).collect();
        assert_eq!(
            fault(&json!({"Resources": many})),
            "Template format error: Number of resources, 501, is greater than maximum allowed, 500"
        );
    }

    #[test]
    fn transforms_have_three_forms() {
        for t in [json!("A"), json!(["A"]), json!({"Name": "A", "Parameters": {}})] {
            let v = json!({"Transform": t, "Resources": {"Q": {"Type": "T"}}});
            assert_eq!(Template::parse(&v).unwrap().transforms, ["A"]);
        }
    }
}
