//! What refers to what: the references in a template, and whether they lead anywhere.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Error, Result, Template};

/// One reference from a value to something of the template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// `Ref` (or a name in `Fn::Sub`) to a resource, a parameter or a pseudo parameter.
    Name(String),
    /// `Fn::GetAtt` (or a dotted name in `Fn::Sub`).
    Attribute(String, String),
    /// A condition, in `Fn::If` or `{"Condition": …}`.
    Condition(String),
}

/// CloudFormation's own parameters.
pub const PSEUDO: &[&str] = &[
    "AWS::AccountId",
    "AWS::NotificationARNs",
    "AWS::NoValue",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// The references in a value.
///
/// # Errors
/// Functions whose arguments have the wrong form.
pub fn references(v: &Value) -> Result<BTreeSet<Reference>> {
    let mut found = BTreeSet::new();
    walk(v, &mut found)?;
    Ok(found)
}

fn walk(v: &Value, found: &mut BTreeSet<Reference>) -> Result<()> {
    match v {
        Value::Array(items) => items.iter().try_for_each(|v| walk(v, found)),
        Value::Object(m) if m.len() == 1 => {
            let Some((function, argument)) = m.iter().next() else { return Ok(()) };
            match function.as_str() {
                "Ref" => {
                    let Value::String(name) = argument else {
                        return Err(Error::template(
                            "every Ref object must have a single String value.",
                        ));
                    };
                    found.insert(Reference::Name(name.clone()));
                    Ok(())
                }
                "Fn::GetAtt" => {
                    let (resource, attribute) = get_att(argument)?;
                    found.insert(Reference::Attribute(resource, attribute.0));
                    attribute.1.map_or(Ok(()), |v| walk(&v, found))
                }
                "Fn::Sub" => {
                    let (text, map) = sub(argument)?;
                    if let Some(map) = map {
                        map.values().try_for_each(|v| walk(v, found))?;
                    }
                    for part in sub_parts(text)? {
                        let Part::Name(name) = part else { continue };
                        if map.is_some_and(|m| m.contains_key(name)) {
                            continue;
                        }
                        found.insert(match name.split_once('.') {
                            Some((r, a)) => Reference::Attribute(r.to_owned(), a.to_owned()),
                            None => Reference::Name(name.to_owned()),
                        });
                    }
                    Ok(())
                }
                "Fn::If" => {
                    if let Some(Value::String(c)) = argument.get(0) {
                        found.insert(Reference::Condition(c.clone()));
                    }
                    walk(argument, found)
                }
                "Condition" if argument.is_string() => {
                    // In a policy statement `Condition` holds an object; a text is a condition.
                    let name = argument.as_str().unwrap_or_default();
                    found.insert(Reference::Condition(name.to_owned()));
                    Ok(())
                }
                _ => walk(argument, found),
            }
        }
        Value::Object(m) => m.values().try_for_each(|v| walk(v, found)),
        _ => Ok(()),
    }
}

/// The resource and the attribute of a `Fn::GetAtt`; the attribute may be a function, which then
/// comes as a value too.
pub(crate) fn get_att(argument: &Value) -> Result<(String, (String, Option<Value>))> {
    let wrong = || {
        Error::template(
            "every Fn::GetAtt object requires two non-empty parameters, the resource name and the \
             resource attribute",
        )
    };
    match argument {
        Value::String(s) => {
            let (r, a) = s.split_once('.').ok_or_else(wrong)?;
            if r.is_empty() || a.is_empty() {
                return Err(wrong());
            }
            Ok((r.to_owned(), (a.to_owned(), None)))
        }
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(r), Value::String(a)] if !r.is_empty() && !a.is_empty() => {
                Ok((r.clone(), (a.clone(), None)))
            }
            [Value::String(r), a @ Value::Object(_)] if !r.is_empty() => {
                Ok((r.clone(), (String::new(), Some(a.clone()))))
            }
            // `[Resource, Outputs, Name]`, as some tools write a nested stack's.
            [Value::String(r), rest @ ..]
                if rest.len() > 1 && rest.iter().all(Value::is_string) =>
            {
                let rest: Vec<&str> = rest.iter().filter_map(Value::as_str).collect();
                Ok((r.clone(), (rest.join("."), None)))
            }
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// The text and the map of a `Fn::Sub`.
pub(crate) fn sub(argument: &Value) -> Result<(&str, Option<&serde_json::Map<String, Value>>)> {
    let wrong = || {
        Error::template(
            "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a \
             string as first argument, and an optional second argument to specify a mapping of \
             values to replace in the string",
        )
    };
    match argument {
        Value::String(s) => Ok((s, None)),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(s)] => Ok((s, None)),
            [Value::String(s), Value::Object(m)] => Ok((s, Some(m))),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// A piece of a `Fn::Sub` text.
pub(crate) enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
    /// `${!Literal}`: the text without its mark.
    Literal(&'a str),
}

/// Splits a `Fn::Sub` text at its variables.
pub(crate) fn sub_parts(text: &str) -> Result<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if at > 0 {
            parts.push(Part::Text(&rest[..at]));
        }
        let inner = &rest[at + 2..];
        let Some(end) = inner.find('}') else {
            parts.push(Part::Text(&rest[at..]));
            return Ok(parts);
        };
        let name = inner[..end].trim();
        match name.strip_prefix('!') {
            Some(literal) => parts.push(Part::Literal(literal)),
            None if name.is_empty() || !is_name(name) => {
                return Err(Error::template(format_args!(
                    "variable names in Fn::Sub syntax must contain only alphanumeric characters, \
                     underscores, periods, and colons"
                )));
            }
            None => parts.push(Part::Name(name)),
        }
        rest = &inner[end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

fn is_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':'))
}

/// Checks that every reference of a template leads to something.
///
/// # Errors
/// `Template format error: Unresolved resource dependencies [X] in the Resources block of the
/// template` and its kin.
pub(crate) fn check(t: &Template) -> Result<()> {
    for condition in t.conditions.values() {
        for r in references(condition)? {
            match r {
                Reference::Condition(c) if !t.conditions.contains_key(&c) => {
                    return Err(Error::format(format_args!(
                        "Unresolved condition dependency {c} in the Conditions block of the template"
                    )));
                }
                Reference::Name(n) if !is_parameter(t, &n) => {
                    return Err(Error::template(format_args!(
                        "Unresolved dependencies [{n}]. Cannot reference resources in the \
                         Conditions block of the template"
                    )));
                }
                Reference::Attribute(n, _) => {
                    return Err(Error::template(format_args!(
                        "Unresolved dependencies [{n}]. Cannot reference resources in the \
                         Conditions block of the template"
                    )));
                }
                _ => {}
            }
        }
    }
    let mut lost = BTreeSet::new();
    for (name, r) in &t.resources {
        let mut all = BTreeSet::new();
        r.properties.values().try_for_each(|v| walk(v, &mut all))?;
        for v in [&r.metadata, &r.creation_policy, &r.update_policy].into_iter().flatten() {
            walk(v, &mut all)?;
        }
        condition(t, r.condition.as_ref(), "Resources")?;
        leads(t, &all, "Resources", &mut lost)?;
        for d in &r.depends_on {
            if !t.resources.contains_key(d) {
                lost.insert(d.clone());
            }
        }
        if r.depends_on.contains(name) {
            return Err(Error(format!("Circular dependency between resources: [{name}]")));
        }
    }
    unresolved(&lost, "Resources")?;
    for o in t.outputs.values() {
        let mut all = references(&o.value)?;
        if let Some(export) = &o.export {
            walk(export, &mut all)?;
        }
        condition(t, o.condition.as_ref(), "Outputs")?;
        leads(t, &all, "Outputs", &mut lost)?;
    }
    unresolved(&lost, "Outputs")
}

fn is_parameter(t: &Template, name: &str) -> bool {
    t.parameters.contains_key(name) || PSEUDO.contains(&name)
}

fn condition(t: &Template, name: Option<&String>, block: &str) -> Result<()> {
    match name.filter(|n| !t.conditions.contains_key(*n)) {
        None => Ok(()),
        Some(n) => Err(Error::format(format_args!(
            "Unresolved condition dependency {n} in the {block} block of the template"
        ))),
    }
}

fn leads(
    t: &Template,
    all: &BTreeSet<Reference>,
    block: &str,
    lost: &mut BTreeSet<String>,
) -> Result<()> {
    for r in all {
        match r {
            Reference::Name(n) => {
                if !is_parameter(t, n) && !t.resources.contains_key(n) {
                    lost.insert(n.clone());
                }
            }
            Reference::Attribute(n, _) if !t.resources.contains_key(n) => {
                return Err(Error::template(format_args!(
                    "instance of Fn::GetAtt references undefined resource {n}"
                )));
            }
            Reference::Attribute(..) => {}
            Reference::Condition(c) => condition(t, Some(c), block)?,
        }
    }
    Ok(())
}

fn unresolved(lost: &BTreeSet<String>, block: &str) -> Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = lost.iter().map(String::as_str).collect();
    Err(Error::format(format_args!(
        "Unresolved resource dependencies [{}] in the {block} block of the template",
        names.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_reference_must_lead_somewhere() {
        let with = |p: Value| json!({"Resources": {"A": {"Type": "T", "Properties": {"P": p}}}});
        let cases = [
            (
                with(json!({"Ref": "B"})),
                "Template format error: Unresolved resource dependencies [B] in the Resources block of the template",
            ),
            (
                with(json!({"Fn::Sub": "x-${B}-${AWS::Region}-${!C}"})),
                "Template format error: Unresolved resource dependencies [B] in the Resources block of the template",
            ),
            (
                with(json!({"Fn::GetAtt": ["B", "Arn"]})),
                "Template error: instance of Fn::GetAtt references undefined resource B",
            ),
            (
                with(json!({"Fn::GetAtt": ["B"]})),
                "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
            ),
            (
                with(json!({"Ref": ["B"]})),
                "Template error: every Ref object must have a single String value.",
            ),
            (
                with(json!({"Fn::If": ["C", 1, 2]})),
                "Template format error: Unresolved condition dependency C in the Resources block of the template",
            ),
            (
                json!({"Resources": {"A": {"Type": "T", "DependsOn": "Z"}}}),
                "Template format error: Unresolved resource dependencies [Z] in the Resources block of the template",
            ),
            (
                json!({"Resources": {"A": {"Type": "T"}}, "Outputs": {"O": {"Value": {"Ref": "Z"}}}}),
                "Template format error: Unresolved resource dependencies [Z] in the Outputs block of the template",
            ),
            (
                json!({"Conditions": {"C": {"Fn::Equals": [{"Ref": "A"}, "x"]}}, "Resources": {"A": {"Type": "T"}}}),
                "Template error: Unresolved dependencies [A]. Cannot reference resources in the Conditions block of the template",
            ),
        ];
        for (template, message) in cases {
            assert_eq!(Template::new(&template).unwrap_err().to_string(), message);
        }
        let map = json!({"Fn::Sub": ["${X}-${A.Arn}", {"X": {"Ref": "A"}}]});
        let want = [Reference::Name("A".into()), Reference::Attribute("A".into(), "Arn".into())];
        assert_eq!(references(&map).unwrap().into_iter().collect::<Vec<_>>(), want);
    }
}
