//! Checks of single fields.

use serde_json::{Map as Object, Value};

use super::{Checker, Here};
use crate::intrinsic::{Expr, Function};
use crate::jsonata::{self, Expression};
use crate::path::{Path, Root};
use crate::template::kind;

/// The query language of an object, given that of what it stands in.
pub fn language(v: &Value, above: bool) -> bool {
    match v.get("QueryLanguage").and_then(Value::as_str) {
        Some(l) => l == "JSONata",
        None => above,
    }
}

impl Checker {
    pub fn query_language(&mut self, here: &Here, o: &Object<String, Value>) -> bool {
        match o.get("QueryLanguage") {
            None => here.jsonata,
            Some(v) if v == "JSONata" => true,
            // A machine in JSONata has no states in JSONPath.
            Some(v) if v == "JSONPath" => {
                if here.jsonata && !here.path.is_empty() {
                    let at = here.at("QueryLanguage").path;
                    self.schema(&at, "Field QueryLanguage cannot be set to 'JSONPath' when it is 'JSONata' at the top level".into());
                }
                false
            }
            Some(_) => {
                let at = here.at("QueryLanguage").path;
                self.schema(&at, "Value is not one of allowed values [JSONPath, JSONata]".into());
                here.jsonata
            }
        }
    }

    /// Only these fields may be there.
    pub fn fields(&mut self, here: &Here, o: &Object<String, Value>, allowed: &[&str]) {
        for name in o.keys().filter(|n| !allowed.contains(&n.as_str())) {
            self.schema(&here.at(name).path, "Field is not supported".into());
        }
    }

    pub fn required(&mut self, here: &Here, o: &Object<String, Value>, names: &[&str]) {
        let missing: Vec<&str> = names.iter().copied().filter(|n| !o.contains_key(*n)).collect();
        if !missing.is_empty() {
            self.schema(&here.path, format!("These fields are required: [{}]", missing.join(", ")));
        }
    }

    /// At most one of these.
    pub fn exclusive(&mut self, here: &Here, o: &Object<String, Value>, names: &[&str]) {
        if names.iter().filter(|n| o.contains_key(**n)).count() > 1 {
            let names = names.join(", ");
            self.schema(
                &here.path,
                format!("Only one of the following fields is allowed: [{names}]"),
            );
        }
    }

    /// Exactly one of these.
    pub fn one(&mut self, here: &Here, o: &Object<String, Value>, names: &[&str]) {
        if names.iter().filter(|n| o.contains_key(**n)).count() != 1 {
            let names = names.join(", ");
            self.schema(
                &here.path,
                format!("Exactly one of the following fields is required: [{names}]"),
            );
        }
    }

    pub fn text(&mut self, here: &Here, o: &Object<String, Value>, name: &str) {
        if o.get(name).is_some_and(|v| !v.is_string()) {
            self.schema(&here.at(name).path, "Value is not of type string".into());
        }
    }

    pub fn boolean(&mut self, here: &Here, o: &Object<String, Value>, name: &str) {
        if o.get(name).is_some_and(|v| !v.is_boolean()) {
            self.schema(&here.at(name).path, "Value is not of type boolean".into());
        }
    }

    pub fn choice_of(&mut self, here: &Here, o: &Object<String, Value>, name: &str, of: &[&str]) {
        if let Some(v) = o.get(name)
            && !v.as_str().is_some_and(|s| of.contains(&s))
        {
            let message = format!("Value is not one of allowed values [{}]", of.join(", "));
            self.schema(&here.at(name).path, message);
        }
    }

    /// A number, or in JSONata an expression.
    pub fn number(
        &mut self,
        here: &Here,
        o: &Object<String, Value>,
        name: &str,
        (least, most): (f64, f64),
        whole: bool,
    ) {
        let Some(v) = o.get(name) else { return };
        let at = here.at(name);
        if here.jsonata && v.is_string() {
            return self.expression(&at, v);
        }
        let Some(n) = v.as_f64() else {
            let wanted = if whole { "integer" } else { "number" };
            return self.schema(&at.path, format!("Value is not of type {wanted}"));
        };
        if whole && n.fract() != 0.0 {
            return self.schema(&at.path, "Value is not of type integer".into());
        }
        if n < least {
            self.schema(&at.path, format!("Value must be greater than or equal to {least}"));
        } else if n > most {
            self.schema(&at.path, format!("Value must be less than or equal to {most}"));
        }
    }

    pub fn integer(
        &mut self,
        here: &Here,
        o: &Object<String, Value>,
        name: &str,
        least: f64,
        most: f64,
    ) {
        let plain = Here { jsonata: here.jsonata && name != "MaxAttempts", ..here.clone() };
        self.number(&plain, o, name, (least, most), true);
    }

    /// A field that must be an expression in `{% %}` when it is a text.
    pub fn expression(&mut self, at: &Here, v: &Value) {
        match v.as_str().map(|s| (s, jsonata::unwrap(s))) {
            Some((_, Some(_))) => self.jsonata_text(at, v),
            _ => self.schema(&at.path, "Value is not a valid JSONata expression".into()),
        }
    }

    /// A text of a JSONata state: an expression must be whole.
    pub fn jsonata_text(&mut self, at: &Here, v: &Value) {
        let Some(s) = v.as_str() else { return };
        match jsonata::unwrap(s) {
            Some(source) => {
                if let Err(why) = Expression::check(source) {
                    let message = format!("The JSONata expression '{source}' is not valid: {why}");
                    self.schema(&at.path, message);
                }
            }
            None if s.starts_with("{%") || s.ends_with("%}") => {
                let message = "A JSONata expression must be surrounded by '{%' and '%}'";
                self.schema(&at.path, message.into());
            }
            None => {}
        }
    }

    /// A path, or `null` where that is allowed.
    pub fn path(&mut self, here: &Here, o: &Object<String, Value>, name: &str, null: bool) {
        let Some(v) = o.get(name) else { return };
        let at = here.at(name);
        match v {
            Value::Null if null => {}
            Value::String(s) => {
                if let Err(why) = Expr::parse(s).map_err(|_| ()).and_then(|e| types(&e)) {
                    let () = why;
                    let message =
                        "Value is not a valid JSONPath or a valid intrinsic function call";
                    self.schema(&at.path, message.into());
                }
            }
            other => {
                let message = format!("Value is not of type string but of type {}", kind(other));
                self.schema(&at.path, message);
            }
        }
    }

    /// A path without functions.
    pub fn plain_path(&mut self, at: &Here, v: &Value) {
        if v.as_str().is_none_or(|s| Path::parse(s).is_err()) {
            self.schema(&at.path, "Value is not a valid JSONPath".into());
        }
    }

    /// `ResultPath`
    pub fn reference_path(&mut self, here: &Here, o: &Object<String, Value>, name: &str) {
        let Some(v) = o.get(name) else { return };
        let good = match v {
            Value::Null => true,
            Value::String(s) => {
                Path::parse(s).is_ok_and(|p| p.root == Root::Input && p.is_reference())
            }
            _ => false,
        };
        if !good {
            self.schema(&here.at(name).path, "Value is not a Reference Path".into());
        }
    }
}

/// Checks the literals among the arguments of intrinsic functions.
pub fn types(e: &Expr) -> Result<(), ()> {
    let Expr::Call(c) = e else { return Ok(()) };
    let number = |e: &Expr| !matches!(e, Expr::Literal(v) if !v.is_number());
    let text = |e: &Expr| !matches!(e, Expr::Literal(v) if !v.is_string());
    let list = |e: &Expr| !matches!(e, Expr::Literal(_));
    let fits = match c.function {
        Function::MathAdd | Function::MathRandom | Function::ArrayRange => {
            c.arguments.iter().all(number)
        }
        Function::StringToJson
        | Function::StringSplit
        | Function::Base64Encode
        | Function::Base64Decode => c.arguments.iter().all(text),
        Function::Format => c.arguments.first().is_none_or(text),
        Function::ArrayLength | Function::ArrayUnique | Function::ArrayContains => {
            c.arguments.first().is_none_or(list)
        }
        Function::ArrayPartition | Function::ArrayGetItem => {
            c.arguments.first().is_none_or(list) && c.arguments.get(1).is_none_or(number)
        }
        _ => true,
    };
    if !fits {
        return Err(());
    }
    c.arguments.iter().try_for_each(types)
}
