//! Templates: the payloads of `Parameters`, `Arguments`, `Assign`, `Output` and the like, in which
//! some values are computed.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::fault::{self, Fault};
use crate::intrinsic::{Error, Expr};
use crate::jsonata::{self, Expression, Failure};
use crate::path::{Path, Root};
use crate::world::World;

/// A payload, or one value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    Literal(Value),
    /// A path or an intrinsic function, and the name of the field it stands in (`value.$`).
    Expr(Box<Expr>, String),
    Jsonata(Box<Expression>),
    Object(Vec<(String, Template)>),
    Array(Vec<Template>),
}

/// What a template may read.
pub struct Names<'a> {
    /// `$` of a path.
    pub root: &'a Value,
    /// The state's input: `$states.input`, and what a message shows.
    pub input: &'a Arc<Value>,
    pub result: Option<&'a Value>,
    pub error: Option<&'a Value>,
    pub context: &'a dyn Fn() -> Value,
    pub variable: &'a dyn Fn(&str) -> Option<Arc<Value>>,
    pub world: &'a Arc<dyn World + Send + Sync>,
}

impl Template {
    /// A payload template of a JSONPath state: fields whose names end in `.$` are computed.
    ///
    /// # Errors
    /// An expression that is none, and the field it stands in.
    pub fn paths(v: &Value) -> Result<Template, String> {
        Ok(match v {
            Value::Object(o) => {
                let fields = o.iter().map(|(k, v)| match (k.strip_suffix(".$"), v) {
                    (Some(name), Value::String(text)) => {
                        let expr = Expr::parse(text).map_err(|why| format!("{k}: {why}"))?;
                        Ok((name.to_owned(), Template::Expr(Box::new(expr), k.clone())))
                    }
                    _ => Ok((k.clone(), Template::paths(v)?)),
                });
                Template::object(fields.collect::<Result<_, String>>()?)
            }
            Value::Array(a) => {
                Template::array(a.iter().map(Template::paths).collect::<Result<_, _>>()?)
            }
            other => Template::Literal(other.clone()),
        })
    }

    /// A payload of a JSONata state: texts in `{% %}` are computed.
    #[must_use]
    pub fn jsonata(v: &Value, location: &str) -> Template {
        match v {
            Value::String(s) => match jsonata::unwrap(s) {
                Some(source) => Template::Jsonata(Box::new(Expression::new(source, location))),
                None => Template::Literal(v.clone()),
            },
            Value::Object(o) => Template::object(
                o.iter()
                    .map(|(k, v)| (k.clone(), Template::jsonata(v, &format!("{location}/{k}"))))
                    .collect(),
            ),
            Value::Array(a) => Template::array(
                a.iter()
                    .enumerate()
                    .map(|(i, v)| Template::jsonata(v, &format!("{location}[{i}]")))
                    .collect(),
            ),
            other => Template::Literal(other.clone()),
        }
    }

    /// A field that holds a path or an intrinsic function (`SecondsPath`).
    ///
    /// # Errors
    /// When it is neither.
    pub fn path(text: &str, field: &str) -> Result<Template, String> {
        Ok(Template::Expr(Box::new(Expr::parse(text)?), field.to_owned()))
    }

    fn object(fields: Vec<(String, Template)>) -> Template {
        if fields.iter().any(|(_, t)| !matches!(t, Template::Literal(_))) {
            return Template::Object(fields);
        }
        let literal = |(k, t)| match t {
            Template::Literal(v) => (k, v),
            _ => (k, Value::Null),
        };
        Template::Literal(Value::Object(fields.into_iter().map(literal).collect()))
    }

    fn array(items: Vec<Template>) -> Template {
        if items.iter().any(|t| !matches!(t, Template::Literal(_))) {
            return Template::Array(items);
        }
        let literal = |t| match t {
            Template::Literal(v) => v,
            _ => Value::Null,
        };
        Template::Literal(items.into_iter().map(literal).collect())
    }

    /// Its value.
    ///
    /// # Errors
    /// The fault of the first expression that has none.
    pub fn value(&self, names: &Names<'_>) -> Result<Value, Fault> {
        Ok(match self {
            Template::Literal(v) => v.clone(),
            Template::Expr(e, field) => e
                .value(&**names.world, &|p| names.select(p))
                .map_err(|why| names.fault(why, field))?,
            Template::Jsonata(e) => names.query(e)?,
            Template::Object(fields) => {
                let mut out = Map::with_capacity(fields.len());
                for (k, t) in fields {
                    out.insert(k.clone(), t.value(names)?);
                }
                Value::Object(out)
            }
            Template::Array(items) => {
                Value::Array(items.iter().map(|t| t.value(names)).collect::<Result<_, _>>()?)
            }
        })
    }

    /// Each expression within it.
    pub fn each(&self, visit: &mut dyn FnMut(&Template)) {
        match self {
            Template::Object(fields) => fields.iter().for_each(|(_, t)| t.each(visit)),
            Template::Array(items) => items.iter().for_each(|t| t.each(visit)),
            Template::Literal(_) => {}
            computed => visit(computed),
        }
    }
}

impl Names<'_> {
    /// Where a path leads.
    ///
    /// # Errors
    /// Why it leads nowhere.
    pub fn select(&self, path: &Path) -> Result<Value, String> {
        match &path.root {
            Root::Input => path.select(self.root).map_err(|m| m.0),
            Root::Context => path.select(&(self.context)()).map_err(|m| m.0),
            Root::Variable(name) => {
                let found = (self.variable)(name);
                let v = found.ok_or_else(|| format!("The variable '{name}' is not defined"))?;
                path.select(&v).map_err(|m| m.0)
            }
        }
    }

    /// An expression's value.
    ///
    /// # Errors
    /// `States.QueryEvaluationError`, in AWS's words.
    pub fn query(&self, e: &Expression) -> Result<Value, Fault> {
        let names = jsonata::Names {
            input: self.input,
            result: self.result,
            error: self.error,
            context: self.context,
            variable: self.variable,
            world: self.world,
        };
        e.value(&names).map_err(|failure| {
            let head = format!(
                "The JSONata expression '{}' specified for the field '{}'",
                e.source, e.location
            );
            let cause = match failure {
                Failure::Undefined => format!("{head} returned nothing (undefined)."),
                Failure::NoJson => format!("{head} returned an unsupported result type."),
                Failure::TooLarge => {
                    format!("{head} returned a result that exceeds the maximum size.")
                }
                Failure::Threw(why) => format!("{head} threw an error during evaluation. {why}"),
            };
            Fault::query(&e.location, cause)
        })
    }

    fn fault(&self, error: Error, field: &str) -> Fault {
        match error {
            Error::Missing(path, why) => match &path.root {
                Root::Variable(_) if why.starts_with("The variable") => Fault::runtime(why),
                _ => Fault::runtime(format!(
                    "The JSONPath '{}' specified for the field '{field}' could not be found in the \
                     input '{}'",
                    path.text, self.input
                )),
            },
            Error::Function(call, why) => Fault::placed(
                fault::INTRINSIC,
                format!("The function '{call}' had the following error: {why}"),
            ),
        }
    }
}

/// What JSON calls the type of a value.
#[must_use]
pub fn kind(v: &Value) -> &'static str {
    match v {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The fault of an expression that gave another type than its field takes.
#[must_use]
pub fn unexpected(e: &Expression, expected: &str, v: &Value) -> Fault {
    Fault::query(
        &e.location,
        format!(
            "The JSONata expression '{}' specified for the field '{}' returned an unexpected result \
             type. Expected '{expected}', but was '{}' for value: {v}",
            e.source,
            e.location,
            kind(v)
        ),
    )
}
