//! Parameters: their declarations, and the values that a stack is given.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::template::plain;
use crate::{Error, Result, Template};

/// The values of a stack's parameters, as text.
pub type Values = BTreeMap<String, String>;

const MEMBERS: &[&str] = &[
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "Default",
    "Description",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
    "Type",
];

/// A parameter as the template declares it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameter {
    pub kind: String,
    pub default: Option<String>,
    pub description: Option<String>,
    pub no_echo: bool,
    pub allowed_values: Option<Vec<String>>,
    pub allowed_pattern: Option<String>,
    pub constraint_description: Option<String>,
    pub min_length: Option<f64>,
    pub max_length: Option<f64>,
    pub min_value: Option<f64>,
    pub max_value: Option<f64>,
}

impl Parameter {
    pub(crate) fn parse(name: &str, v: &Value) -> Result<Parameter> {
        let Value::Object(m) = v else {
            return Err(Error::format("Every Parameters member must be an object."));
        };
        if let Some(k) = m.keys().find(|k| !MEMBERS.contains(&k.as_str())) {
            return Err(Error(format!("Invalid template parameter property '{k}'")));
        }
        let kind = match m.get("Type") {
            Some(Value::String(s)) => s.clone(),
            _ => {
                return Err(Error::format("Every Parameters object must contain a Type member."));
            }
        };
        if !is_type(&kind) {
            return Err(Error::format(format_args!("Unrecognized parameter type: {kind}")));
        }
        let default = match m.get("Default") {
            None | Some(Value::Null) => None,
            Some(v @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) => Some(plain(v)),
            Some(_) => return Err(Error::format("Every Default member must be a string.")),
        };
        let allowed_values = match m.get("AllowedValues") {
            None => None,
            Some(Value::Array(all)) => Some(all.iter().map(plain).collect()),
            Some(_) => return Err(Error::format("Every AllowedValues member must be a list.")),
        };
        let number = |key: &str| m.get(key).map(plain).and_then(|t| t.parse().ok());
        let text = |key: &str| m.get(key).map(plain);
        let p = Parameter {
            description: text("Description"),
            no_echo: matches!(text("NoEcho").as_deref(), Some("true" | "True" | "TRUE")),
            allowed_values,
            allowed_pattern: text("AllowedPattern"),
            constraint_description: text("ConstraintDescription"),
            min_length: number("MinLength"),
            max_length: number("MaxLength"),
            min_value: number("MinValue"),
            max_value: number("MaxValue"),
            default,
            kind,
        };
        // A default that could never be taken is the template's fault.
        if let Some(default) = &p.default
            && !p.is_ssm()
        {
            p.check(name, default)
                .map_err(|e| Error(format!("Template error: {}", e.0.trim_end_matches('.'))))?;
        }
        Ok(p)
    }

    /// Whether its value names an SSM parameter that holds the real one.
    #[must_use]
    pub fn is_ssm(&self) -> bool {
        self.kind.starts_with("AWS::SSM::Parameter::Value<")
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.kind == "CommaDelimitedList"
            || self.kind.starts_with("List<")
            || self.kind.starts_with("AWS::SSM::Parameter::Value<List<")
            || self.kind == "AWS::SSM::Parameter::Value<CommaDelimitedList>"
    }

    /// What a `Ref` of it gives for its text.
    #[must_use]
    pub fn value(&self, text: &str) -> Value {
        if self.is_list() {
            Value::from(text.split(',').map(str::trim).collect::<Vec<_>>())
        } else {
            Value::from(text)
        }
    }

    /// Holds a value against the constraints.
    ///
    /// # Errors
    /// `Parameter 'x' must be one of AllowedValues` and the like.
    pub fn check(&self, name: &str, value: &str) -> Result<()> {
        let fail = |what: &str| {
            Err(Error(match &self.constraint_description {
                Some(d) => format!("Parameter {name} failed to satisfy constraint: {d}"),
                None => format!("Parameter {what}"),
            }))
        };
        let items: Vec<&str> =
            if self.is_list() { value.split(',').map(str::trim).collect() } else { vec![value] };
        for item in items {
            if matches!(self.kind.as_str(), "Number" | "List<Number>") {
                let Ok(n) = item.parse::<f64>() else {
                    return fail(&format!("'{name}' must be a number."));
                };
                if self.min_value.is_some_and(|m| n < m) {
                    let m = self.min_value.unwrap_or_default();
                    return fail(&format!("'{name}' must be a number not less than {m}"));
                }
                if self.max_value.is_some_and(|m| n > m) {
                    let m = self.max_value.unwrap_or_default();
                    return fail(&format!("'{name}' must be a number not greater than {m}"));
                }
            }
            if self.allowed_values.as_ref().is_some_and(|a| !a.iter().any(|v| v == item)) {
                return fail(&format!("'{name}' must be one of AllowedValues"));
            }
            if let Some(pattern) = &self.allowed_pattern {
                let Ok(regex) = Regex::new(&format!("^(?:{pattern})$")) else {
                    return Err(Error::format(format_args!(
                        "Invalid AllowedPattern {pattern} for parameter {name}"
                    )));
                };
                if !regex.is_match(item) {
                    return fail(&format!("'{name}' must match pattern {pattern}"));
                }
            }
        }
        let length = value.chars().count() as f64;
        if self.min_length.is_some_and(|m| length < m) {
            let m = self.min_length.unwrap_or_default();
            return fail(&format!("'{name}' must contain at least {m} characters"));
        }
        if self.max_length.is_some_and(|m| length > m) {
            let m = self.max_length.unwrap_or_default();
            return fail(&format!("'{name}' must contain at most {m} characters"));
        }
        Ok(())
    }
}

/// Whether CloudFormation knows a parameter type.
fn is_type(kind: &str) -> bool {
    const AWS: &[&str] = &[
        "AWS::EC2::AvailabilityZone::Name",
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::KeyPair::KeyName",
        "AWS::EC2::SecurityGroup::GroupName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::Volume::Id",
        "AWS::EC2::VPC::Id",
        "AWS::Route53::HostedZone::Id",
    ];
    let inner = |prefix: &str| kind.strip_prefix(prefix).and_then(|k| k.strip_suffix('>'));
    match kind {
        "String"
        | "Number"
        | "CommaDelimitedList"
        | "List<Number>"
        | "List<String>"
        | "AWS::SSM::Parameter::Name" => true,
        _ if AWS.contains(&kind) => true,
        _ => match (inner("AWS::SSM::Parameter::Value<"), inner("List<")) {
            (Some(k), _) => k == "String" || k == "List<String>" || is_type(k),
            (None, Some(k)) => AWS.contains(&k),
            _ => false,
        },
    }
}

/// The values of a template's parameters: those given, those kept (`previous`), and defaults.
///
/// # Errors
/// `Parameters: [x] must have values`, `Parameters: [x] do not exist in the template`, and the
/// constraints.
pub fn resolve(
    template: &Template,
    given: &Values,
    kept: &[String],
    previous: &Values,
) -> Result<Values> {
    let strangers: Vec<&str> = given
        .keys()
        .chain(kept)
        .map(String::as_str)
        .filter(|k| !template.parameters.contains_key(*k))
        .collect();
    if !strangers.is_empty() {
        return Err(Error(format!(
            "Parameters: [{}] do not exist in the template",
            strangers.join(", ")
        )));
    }
    let mut values = Values::new();
    let mut missing = Vec::new();
    for (name, p) in &template.parameters {
        let value = match given.get(name) {
            Some(v) => Some(v),
            None if kept.contains(name) => previous.get(name).or(p.default.as_ref()),
            None => p.default.as_ref(),
        };
        match value {
            Some(v) => {
                if !p.is_ssm() {
                    p.check(name, v)?;
                }
                values.insert(name.clone(), v.clone());
            }
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(Error(format!("Parameters: [{}] must have values", missing.join(", "))));
    }
    Ok(values)
}

/// The declarations by themselves, for templates that are otherwise still to be transformed.
///
/// # Errors
/// As [`Template::parse`].
pub fn declarations(section: &Map<String, Value>) -> Result<BTreeMap<String, Parameter>> {
    section.iter().map(|(n, v)| Ok((n.clone(), Parameter::parse(n, v)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_meet_their_constraints() {
        let t = Template::parse(&json!({
            "Parameters": {
                "Env": {"Type": "String", "AllowedValues": ["dev", "prod"], "Default": "dev"},
                "N": {"Type": "Number", "MinValue": 1, "MaxValue": 5},
                "Name": {"Type": "String", "AllowedPattern": "[a-z]+", "MaxLength": 4,
                         "ConstraintDescription": "small letters"},
                "L": {"Type": "CommaDelimitedList", "Default": "a, b"},
            },
            "Resources": {"Q": {"Type": "T"}},
        }))
        .unwrap();
        let run = |given: &[(&str, &str)]| {
            let given = given.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            resolve(&t, &given, &[], &Values::new()).map_err(|e| e.to_string())
        };
        let ok = run(&[("N", "3"), ("Name", "abc")]).unwrap();
        assert_eq!((ok["Env"].as_str(), ok["L"].as_str()), ("dev", "a, b"));
        assert_eq!(t.parameters["L"].value("a, b"), json!(["a", "b"]));
        for (given, message) in [
            (&[][..], "Parameters: [N, Name] must have values"),
            (&[("X", "1")], "Parameters: [X] do not exist in the template"),
            (&[("N", "9"), ("Name", "a")], "Parameter 'N' must be a number not greater than 5"),
            (&[("N", "x"), ("Name", "a")], "Parameter 'N' must be a number."),
            (
                &[("N", "1"), ("Name", "A")],
                "Parameter Name failed to satisfy constraint: small letters",
            ),
            (
                &[("N", "1"), ("Name", "a"), ("Env", "x")],
                "Parameter 'Env' must be one of AllowedValues",
            ),
        ] {
            assert_eq!(run(given).unwrap_err(), message);
        }
    }

    #[test]
    fn types_are_known_ones() {
        for good in [
            "AWS::SSM::Parameter::Value<String>",
            "AWS::SSM::Parameter::Value<List<String>>",
            "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
            "List<AWS::EC2::Subnet::Id>",
        ] {
            assert!(is_type(good), "{good}");
        }
        assert!(!is_type("Text") && !is_type("List<X>"));
    }
}
