//! Evaluation: functions to plain values, with what is known of parameters and resources so far.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html>

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use crate::refs::{Part, get_att, sub, sub_parts};
use crate::template::plain;
use crate::{Error, MAX_DEPTH, MAX_NODES, Result, Template};

/// What is known outside the template.
pub trait Scope {
    /// What `Ref` gives for a parameter or a pseudo parameter; `None` when there is none of this
    /// name.
    fn parameter(&self, name: &str) -> Option<Value>;
    /// What `Ref` gives for a resource: its physical id.
    fn resource(&self, name: &str) -> Option<Value>;
    /// What `Fn::GetAtt` gives.
    ///
    /// # Errors
    /// The resource has no such attribute.
    fn attribute(&self, resource: &str, attribute: &str) -> Result<Value>;
    /// The value of another stack's export.
    ///
    /// # Errors
    /// `No export named x found.`
    fn import(&self, name: &str) -> Result<Value>;
    /// The availability zones of a region (empty: this one).
    fn zones(&self, region: &str) -> Vec<String>;
}

/// An evaluation over one template.
pub struct Eval<'a> {
    template: &'a Template,
    scope: &'a dyn Scope,
    conditions: RefCell<BTreeMap<String, Option<bool>>>,
    depth: Cell<usize>,
    nodes: Cell<usize>,
}

impl<'a> Eval<'a> {
    #[must_use]
    pub fn new(template: &'a Template, scope: &'a dyn Scope) -> Self {
        Eval {
            template,
            scope,
            conditions: RefCell::default(),
            depth: Cell::new(0),
            nodes: Cell::new(0),
        }
    }

    /// A value without functions; `None` for `AWS::NoValue`, which removes what holds it.
    ///
    /// # Errors
    /// In CloudFormation's words.
    pub fn value(&self, v: &Value) -> Result<Option<Value>> {
        self.depth.set(self.depth.get() + 1);
        self.nodes.set(self.nodes.get() + 1);
        if self.depth.get() > MAX_DEPTH || self.nodes.get() > MAX_NODES {
            return Err(Error::template("the functions of the template do not come to an end"));
        }
        let result = self.any(v);
        self.depth.set(self.depth.get() - 1);
        result
    }

    /// As [`Eval::value`], where nothing cannot stand.
    ///
    /// # Errors
    /// As [`Eval::value`].
    pub fn some(&self, v: &Value) -> Result<Value> {
        Ok(self.value(v)?.unwrap_or(Value::Null))
    }

    /// All properties of a resource, or any other map.
    ///
    /// # Errors
    /// As [`Eval::value`].
    pub fn map(&self, m: &Map<String, Value>) -> Result<Map<String, Value>> {
        let mut out = Map::new();
        for (k, v) in m {
            if let Some(v) = self.value(v)? {
                out.insert(k.clone(), v);
            }
        }
        Ok(out)
    }

    fn any(&self, v: &Value) -> Result<Option<Value>> {
        match v {
            Value::Array(items) => {
                let all: Result<Vec<_>> = items.iter().map(|v| self.value(v)).collect();
                Ok(Some(Value::Array(all?.into_iter().flatten().collect())))
            }
            Value::Object(m) => {
                if m.len() == 1
                    && let Some((function, argument)) = m.iter().next()
                    && (function.starts_with("Fn::") || function == "Ref")
                {
                    return self.function(function, argument);
                }
                if m.len() == 1
                    && let Some(Value::String(c)) = m.get("Condition")
                    && self.template.conditions.contains_key(c)
                {
                    return Ok(Some(Value::Bool(self.condition(c)?)));
                }
                Ok(Some(Value::Object(self.map(m)?)))
            }
            scalar => Ok(Some(scalar.clone())),
        }
    }

    fn function(&self, name: &str, argument: &Value) -> Result<Option<Value>> {
        let value = match name {
            "Ref" => return self.reference(argument),
            "Fn::If" => return self.choose(argument),
            "Fn::GetAtt" => {
                let (resource, (attribute, computed)) = get_att(argument)?;
                let attribute = match computed {
                    Some(v) => plain(&self.some(&v)?),
                    None => attribute,
                };
                self.scope.attribute(&resource, &attribute)?
            }
            "Fn::Sub" => self.substitute(argument)?,
            "Fn::Join" => self.join(argument)?,
            "Fn::Select" => self.select(argument)?,
            "Fn::Split" => {
                let [delimiter, text] = self.arguments(argument).map_err(|e| {
                    e.unwrap_or_else(|| Error::template("every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split."))
                })?;
                let text = plain(&text);
                let delimiter = plain(&delimiter);
                if delimiter.is_empty() {
                    return Err(Error::template("Fn::Split delimiter must not be empty"));
                }
                Value::from(text.split(&delimiter).collect::<Vec<_>>())
            }
            "Fn::FindInMap" => self.find_in_map(argument)?,
            "Fn::ImportValue" => self.scope.import(&plain(&self.some(argument)?))?,
            "Fn::Base64" => Value::from(BASE64.encode(plain(&self.some(argument)?))),
            "Fn::GetAZs" => {
                let region = match self.some(argument)? {
                    Value::String(s) => s,
                    _ => String::new(),
                };
                Value::from(self.scope.zones(&region))
            }
            "Fn::Cidr" => self.cidr(argument)?,
            "Fn::Length" => match self.some(argument)? {
                Value::Array(items) => Value::from(items.len()),
                _ => {
                    return Err(Error::template(
                        "Fn::Length requires a list or a function that returns a list",
                    ));
                }
            },
            "Fn::ToJsonString" => match self.some(argument)? {
                v @ (Value::Object(_) | Value::Array(_)) => Value::from(v.to_string()),
                _ => {
                    return Err(Error::template("Fn::ToJsonString requires an object or a list"));
                }
            },
            "Fn::Equals"
            | "Fn::And"
            | "Fn::Or"
            | "Fn::Not"
            | "Fn::Contains"
            | "Fn::EachMemberIn"
            | "Fn::EachMemberEquals"
            | "Fn::RefAll"
            | "Fn::ValueOf"
            | "Fn::ValueOfAll" => Value::Bool(
                self.truth(&Value::Object(Map::from_iter([(name.to_owned(), argument.clone())])))?,
            ),
            other => {
                return Err(Error::template(format_args!("unsupported function: {other}")));
            }
        };
        Ok(Some(value))
    }

    /// The two arguments of a function, evaluated; `Err(None)` when there are not two.
    fn arguments<const N: usize>(&self, v: &Value) -> Result<[Value; N], Option<Error>> {
        let Value::Array(items) = v else { return Err(None) };
        let all: Result<Vec<Value>> = items.iter().map(|v| self.some(v)).collect();
        all.map_err(Some)?.try_into().map_err(|_| None)
    }

    fn reference(&self, argument: &Value) -> Result<Option<Value>> {
        let Value::String(name) = argument else {
            return Err(Error::template("every Ref object must have a single String value."));
        };
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        self.scope
            .parameter(name)
            .or_else(|| self.scope.resource(name))
            .map(Some)
            .ok_or_else(|| Error::format(format_args!("Unresolved resource dependencies [{name}]")))
    }

    fn choose(&self, argument: &Value) -> Result<Option<Value>> {
        let Some([Value::String(condition), yes, no]) = argument.as_array().map(Vec::as_slice)
        else {
            return Err(Error::template("Fn::If requires a list argument with three elements"));
        };
        if self.condition(condition)? { self.value(yes) } else { self.value(no) }
    }

    fn substitute(&self, argument: &Value) -> Result<Value> {
        let (text, map) = sub(argument)?;
        let mut out = String::new();
        for part in sub_parts(text)? {
            match part {
                Part::Text(t) => out.push_str(t),
                Part::Literal(t) => {
                    out.push_str("${");
                    out.push_str(t);
                    out.push('}');
                }
                Part::Name(name) => {
                    let value = match (map.and_then(|m| m.get(name)), name.split_once('.')) {
                        (Some(v), _) => self.some(v)?,
                        (None, Some((r, a))) => self.scope.attribute(r, a)?,
                        (None, None) => self.reference(&Value::from(name))?.unwrap_or(Value::Null),
                    };
                    match value {
                        Value::Array(_) | Value::Object(_) => {
                            return Err(Error::template(
                                "Fn::Sub expression does not resolve to a string",
                            ));
                        }
                        v => out.push_str(&plain(&v)),
                    }
                }
            }
        }
        Ok(Value::from(out))
    }

    fn join(&self, argument: &Value) -> Result<Value> {
        let wrong = || {
            Error::template(
                "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a \
                 list of strings to be joined or a function that returns a list of strings (such \
                 as Fn::GetAZs) to be joined.",
            )
        };
        let [delimiter, items] = self.arguments(argument).map_err(|e| e.unwrap_or_else(wrong))?;
        let (Value::String(delimiter), Value::Array(items)) = (delimiter, items) else {
            return Err(wrong());
        };
        if items.iter().any(|v| v.is_object() || v.is_array()) {
            return Err(wrong());
        }
        Ok(Value::from(items.iter().map(plain).collect::<Vec<_>>().join(&delimiter)))
    }

    fn select(&self, argument: &Value) -> Result<Value> {
        let wrong = || {
            Error::template(
                "Fn::Select requires a list argument with two elements: an integer index and a list",
            )
        };
        let [index, items] = self.arguments(argument).map_err(|e| e.unwrap_or_else(wrong))?;
        let Value::Array(items) = items else { return Err(wrong()) };
        let index: usize = plain(&index).parse().map_err(|_| wrong())?;
        items.get(index).cloned().ok_or_else(|| {
            Error::template(format_args!(
                "Fn::Select cannot select nonexistent value at index {index}"
            ))
        })
    }

    fn find_in_map(&self, argument: &Value) -> Result<Value> {
        let wrong = || {
            Error::template(
                "every Fn::FindInMap object requires three parameters, the map name, map key and \
                 the attribute for return value",
            )
        };
        let Value::Array(parts) = argument else { return Err(wrong()) };
        let (keys, default) = match parts.as_slice() {
            [a, b, c] => ([a, b, c], None),
            [a, b, c, Value::Object(o)] if o.len() == 1 => {
                ([a, b, c], Some(o.get("DefaultValue").ok_or_else(wrong)?))
            }
            _ => return Err(wrong()),
        };
        let mut texts = Vec::with_capacity(3);
        for k in keys {
            texts.push(plain(&self.some(k)?));
        }
        let found = self
            .template
            .mappings
            .get(&texts[0])
            .and_then(|m| m.get(&texts[1]))
            .and_then(|m| m.get(&texts[2]));
        match (found, default) {
            (Some(v), _) => Ok(v.clone()),
            (None, Some(v)) => self.some(v),
            (None, None) => Err(Error::template(format_args!(
                "Unable to get mapping for {}::{}::{}",
                texts[0], texts[1], texts[2]
            ))),
        }
    }

    /// `Fn::Cidr: [block, count, bits]`: subnets of 2^bits addresses.
    fn cidr(&self, argument: &Value) -> Result<Value> {
        let wrong = |what: &str| Error::template(format_args!("Fn::Cidr {what}"));
        let Value::Array(items) = argument else {
            return Err(wrong("requires a list of two or three elements"));
        };
        let all: Result<Vec<String>> = items.iter().map(|v| Ok(plain(&self.some(v)?))).collect();
        let all = all?;
        let (block, count, bits) = match all.as_slice() {
            [b, n] => (b, n, "8"),
            [b, n, bits] => (b, n, bits.as_str()),
            _ => return Err(wrong("requires a list of two or three elements")),
        };
        let parsed = block
            .split_once('/')
            .and_then(|(a, p)| Some((a.parse::<IpAddr>().ok()?, p.parse::<u32>().ok()?)));
        let Some((address, prefix)) = parsed else {
            return Err(wrong(&format!("the block {block} is not a valid CIDR block")));
        };
        let count: u32 = count.parse().map_err(|_| wrong("count must be an integer"))?;
        let bits: u32 = bits.parse().map_err(|_| wrong("cidrBits must be an integer"))?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let room = width.checked_sub(prefix).and_then(|r| r.checked_sub(bits));
        let fits = room.is_some_and(|r| r >= 8 || count <= 1 << r);
        if !(1..=256).contains(&count) || !fits || bits >= width {
            return Err(wrong(&format!("cannot make {count} blocks of {bits} bits from {block}")));
        }
        let base: u128 = match address {
            IpAddr::V4(a) => u32::from(a).into(),
            IpAddr::V6(a) => a.into(),
        };
        let keep = width - prefix;
        let base = if keep >= 128 { 0 } else { base >> keep << keep };
        let blocks: Vec<String> = (0..count)
            .map(|i| {
                let at = base + (u128::from(i) << bits);
                let ip = match address {
                    IpAddr::V4(_) => IpAddr::from(u32::try_from(at).unwrap_or(0).to_be_bytes()),
                    IpAddr::V6(_) => IpAddr::from(at.to_be_bytes()),
                };
                format!("{ip}/{}", width - bits)
            })
            .collect();
        Ok(Value::from(blocks))
    }

    /// Whether a condition of the template holds.
    ///
    /// # Errors
    /// A condition that is not there, or that depends on itself.
    pub fn condition(&self, name: &str) -> Result<bool> {
        match self.conditions.borrow().get(name) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => {
                return Err(Error::template(format_args!(
                    "Found circular condition dependency between {name} and itself"
                )));
            }
            None => {}
        }
        let Some(v) = self.template.conditions.get(name) else {
            return Err(Error::format(format_args!(
                "Unresolved condition dependency {name} in the Conditions block of the template"
            )));
        };
        self.conditions.borrow_mut().insert(name.to_owned(), None);
        let holds = self.truth(v)?;
        self.conditions.borrow_mut().insert(name.to_owned(), Some(holds));
        Ok(holds)
    }

    /// A condition's value: its functions, or what is plainly true or false.
    ///
    /// # Errors
    /// As [`Eval::value`].
    pub fn truth(&self, v: &Value) -> Result<bool> {
        let Value::Object(m) = v else {
            return match plain(v).as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(Error::format("Every Condition member must be a boolean expression.")),
            };
        };
        let Some((function, argument)) = m.iter().next().filter(|_| m.len() == 1) else {
            return Err(Error::format(
                "Conditions can only be boolean operations on parameters and other conditions",
            ));
        };
        let list = || {
            argument.as_array().ok_or_else(|| {
                Error::template(format_args!("every {function} object requires a list argument"))
            })
        };
        match function.as_str() {
            "Condition" => self.condition(argument.as_str().unwrap_or_default()),
            "Fn::Equals" => {
                let [a, b] = self.arguments(argument).map_err(|e| {
                    e.unwrap_or_else(|| {
                        Error::template(
                            "every Fn::Equals object requires a list of 2 string parameters",
                        )
                    })
                })?;
                Ok(a == b || (!a.is_object() && !a.is_array() && plain(&a) == plain(&b)))
            }
            "Fn::Not" => match list()?.as_slice() {
                [one] => Ok(!self.truth(one)?),
                _ => Err(Error::template("every Fn::Not object requires one boolean parameter.")),
            },
            "Fn::And" | "Fn::Or" => {
                let all = list()?;
                if !(2..=10).contains(&all.len()) {
                    return Err(Error::template(format_args!(
                        "every {function} object requires a list of at least 2 and at most 10 boolean parameters."
                    )));
                }
                let want = function == "Fn::Or";
                for one in all {
                    if self.truth(one)? == want {
                        return Ok(want);
                    }
                }
                Ok(!want)
            }
            "Fn::Contains" => {
                let [all, one] = self.pair(argument, function)?;
                Ok(items(&all).iter().any(|v| plain(v) == plain(&one)))
            }
            "Fn::EachMemberIn" => {
                let [these, those] = self.pair(argument, function)?;
                let those: Vec<String> = items(&those).iter().map(plain).collect();
                Ok(items(&these).iter().all(|v| those.contains(&plain(v))))
            }
            "Fn::EachMemberEquals" => {
                let [all, one] = self.pair(argument, function)?;
                Ok(items(&all).iter().all(|v| plain(v) == plain(&one)))
            }
            _ => match self.value(v)? {
                Some(Value::Bool(b)) => Ok(b),
                Some(Value::String(s)) if s == "true" || s == "false" => Ok(s == "true"),
                _ => Err(Error::format(format_args!(
                    "Conditions can only be boolean operations on parameters and other conditions ({function})"
                ))),
            },
        }
    }

    fn pair(&self, argument: &Value, function: &str) -> Result<[Value; 2]> {
        self.arguments(argument).map_err(|e| {
            e.unwrap_or_else(|| {
                Error::template(format_args!("every {function} object requires two parameters"))
            })
        })
    }
}

fn items(v: &Value) -> &[Value] {
    match v {
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

#[cfg(test)]
mod tests;
