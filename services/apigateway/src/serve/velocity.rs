//! What mapping templates see: `$input`, `$util`, `$context` and `$stageVariables`.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html>

use std::cell::OnceCell;
use std::fmt::Write as _;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fogbank_vtl::jsonpath::Path;
use fogbank_vtl::{Error, Limits, Object, Value};
use percent_encoding::percent_decode_str;

use super::Exec;
use crate::compiled::Lazy;

/// What a template made, and what it asks for beside.
#[derive(Debug, Default)]
pub struct Rendered {
    pub text: String,
    /// `$context.responseOverride.status`.
    pub status: Option<u16>,
    /// The entries of `$context.…Override.header` and, for requests, of the others.
    pub headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    pub path: Vec<(String, String)>,
}

impl Exec<'_> {
    /// Renders a template over `body`.
    pub fn render(&self, template: &Lazy, body: &[u8]) -> Result<Rendered, String> {
        let parsed = template.template().map_err(ToString::to_string)?;
        let input = Input {
            body: String::from_utf8_lossy(body).into(),
            document: OnceCell::new(),
            parameters: self.all_parameters(),
        };
        let context = self.context_map();
        let variables = self.variables().iter().map(|(k, v)| (k, Value::text(v)));
        let all = vec![
            ("input", Value::Object(Rc::new(input) as Rc<dyn Object>)),
            ("util", Value::Object(Rc::new(Util) as Rc<dyn Object>)),
            ("context", context.clone()),
            ("stageVariables", Value::map(variables)),
        ];
        let text = parsed.render(all, &Limits::default()).map_err(|e| e.to_string())?;
        let entries = |root: &str, place: &str| -> Vec<(String, String)> {
            match at(&context, root).and_then(|o| at(&o, place)) {
                Some(Value::Map(map)) => {
                    map.0.borrow().iter().map(|(k, v)| (k.to_string(), v.render())).collect()
                }
                _ => Vec::new(),
            }
        };
        let status = at(&context, "responseOverride").and_then(|o| at(&o, "status"));
        let mut headers = entries("responseOverride", "header");
        headers.extend(entries("requestOverride", "header"));
        Ok(Rendered {
            text,
            status: status.and_then(|s| s.render().parse().ok()).filter(|s| (100..600).contains(s)),
            headers,
            query: entries("requestOverride", "querystring"),
            path: entries("requestOverride", "path"),
        })
    }

    /// `$context` as a map of maps.
    fn context_map(&self) -> Value {
        let empty = || Value::map::<&str>([]);
        let root = Value::map([
            (
                "requestOverride",
                Value::map([("header", empty()), ("querystring", empty()), ("path", empty())]),
            ),
            ("responseOverride", Value::map([("header", empty())])),
            ("error", empty()),
            ("identity", empty()),
        ]);
        for (name, value) in self.context.iter() {
            let mut holder = root.clone();
            let mut parts = name.split('.').peekable();
            while let Some(part) = parts.next() {
                let Value::Map(map) = holder else { break };
                if parts.peek().is_none() {
                    map.0.borrow_mut().insert(part.into(), Value::text(value));
                    break;
                }
                holder = map.0.borrow_mut().entry(part.into()).or_insert_with(empty).clone();
            }
        }
        root
    }

    /// The request's parameters: path, query, headers.
    fn all_parameters(&self) -> [(&'static str, Vec<(String, String)>); 3] {
        let path = self.parameters.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        let headers = self.visit.headers().iter().map(|(n, v)| {
            (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned())
        });
        [("path", path), ("querystring", self.visit.parameters()), ("header", headers.collect())]
    }
}

fn at(v: &Value, name: &str) -> Option<Value> {
    match v {
        Value::Map(map) => map.0.borrow().get(name).cloned(),
        _ => None,
    }
}

fn thrown<T>(method: &str, exception: impl Into<String>) -> Result<T, Error> {
    Err(Error::Exception { method: method.to_owned(), exception: exception.into() })
}

/// `$input`.
struct Input {
    body: Rc<str>,
    document: OnceCell<Value>,
    parameters: [(&'static str, Vec<(String, String)>); 3],
}

impl Input {
    /// The body as JSON; what is none is a text.
    fn document(&self) -> &Value {
        self.document.get_or_init(|| match self.body.trim() {
            "" => Value::map::<&str>([]),
            text => Value::parse_json(text.as_bytes())
                .unwrap_or_else(|_| Value::Text(Rc::clone(&self.body))),
        })
    }

    fn find(&self, method: &str, path: &Value) -> Result<Option<Value>, Error> {
        let text = path.render();
        match Path::parse(&text) {
            Ok(path) => Ok(path.find(self.document())),
            Err(e) => thrown(method, format!("com.jayway.jsonpath.InvalidPathException: {e}")),
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let last = |all: &'_ [(String, String)]| all.iter().rposition(|(n, _)| n == name);
        for (place, all) in &self.parameters {
            if let Some(i) = last(all) {
                return Some(&all[i].1);
            }
            if *place == "header"
                && let Some((_, v)) = all.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))
            {
                return Some(v);
            }
        }
        None
    }
}

impl Object for Input {
    fn get(&self, name: &str) -> Option<Value> {
        (name == "body").then(|| Value::Text(Rc::clone(&self.body)))
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
        Ok(match (name, arguments) {
            ("json", [path]) => {
                // What is not there is the empty text, in its quotes.
                let found = self.find(name, path)?;
                Some(found.map_or_else(|| "\"\"".to_owned(), |v| v.to_json()).into())
            }
            ("path", [path]) => self.find(name, path)?,
            ("params", []) => Some(Value::map(self.parameters.iter().map(|(place, all)| {
                (*place, Value::map(all.iter().map(|(n, v)| (n, Value::text(v)))))
            }))),
            ("params", [wanted]) => {
                let wanted = wanted.render();
                Some(self.parameter(&wanted).unwrap_or_default().into())
            }
            _ => None,
        })
    }

    fn text(&self) -> String {
        self.body.to_string()
    }
}

/// `$util`.
struct Util;

impl Object for Util {
    fn call(&self, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
        let [argument] = arguments else { return Ok(None) };
        if argument.is_null() {
            return Ok(Some(Value::text("")));
        }
        let text = argument.render();
        Ok(Some(match name {
            "escapeJavaScript" => escape(&text).into(),
            "parseJson" => match Value::parse_json(text.as_bytes()) {
                Ok(v) => v,
                Err(e) => return thrown(name, e),
            },
            "urlEncode" => url_encode(&text).into(),
            "urlDecode" => {
                percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().as_ref().into()
            }
            "base64Encode" => STANDARD.encode(text).into(),
            "base64Decode" => match STANDARD.decode(text.trim()) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).as_ref().into(),
                Err(e) => return thrown(name, format!("java.lang.IllegalArgumentException: {e}")),
            },
            _ => return Ok(None),
        }))
    }

    fn text(&self) -> String {
        "util".into()
    }
}

/// As Java's `StringEscapeUtils.escapeJavaScript`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (' '..='\u{7e}').contains(&c) => out.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04X}");
                }
            }
        }
    }
    out
}

/// As Java's `URLEncoder`.
fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                out.push(char::from(b));
            }
            b' ' => out.push('+'),
            b => {
                let _ = write!(out, "%{b:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utilities() {
        assert_eq!(
            escape("it's \"a/b\" \\ \n é😀"),
            "it\\'s \\\"a\\/b\\\" \\\\ \\n \\u00E9\\uD83D\\uDE00"
        );
        assert_eq!(url_encode("a b&c=é"), "a+b%26c%3D%C3%A9");
        let call = |name: &str, v: Value| Util.call(name, &[v]).unwrap().unwrap().render();
        assert_eq!(call("base64Encode", "hi".into()), "aGk=");
        assert_eq!(call("base64Decode", "aGk=".into()), "hi");
        assert_eq!(call("urlDecode", "a+b%26".into()), "a b&");
        assert!(Util.call("parseJson", &["{".into()]).is_err());
    }
}
