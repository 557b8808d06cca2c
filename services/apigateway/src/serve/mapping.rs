//! Mappings: values taken from a request, the context or a backend's answer.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html>

use fogbank_vtl::Value;
use fogbank_vtl::jsonpath::Path;
use http::HeaderMap;

use super::Exec;

/// A backend's answer, as mappings see it.
pub struct Answered<'a> {
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// The text that a JSONPath finds in a body.
fn found(body: &[u8], path: &str) -> Option<String> {
    let root = Value::parse_json(body).ok()?;
    let path = Path::parse(&format!("$.{path}")).ok()?;
    match path.find(&root)? {
        Value::Null => None,
        Value::Text(s) => Some(s.to_string()),
        other => Some(other.to_json()),
    }
}

impl Exec<'_> {
    /// The value of a mapping's right side: `'text'`, `method.request.header.x`, `context.x`, …
    pub fn source(&self, from: &str, answer: Option<&Answered<'_>>) -> Option<String> {
        if let Some(text) = from.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
            return Some(text.to_owned());
        }
        if let Some(name) = from.strip_prefix("context.") {
            return self.context.get(name).map(str::to_owned);
        }
        if let Some(name) = from.strip_prefix("stageVariables.") {
            return self.variables().get(name).cloned();
        }
        if let Some(rest) = from.strip_prefix("integration.response.") {
            let answer = answer?;
            if let Some(name) = rest.strip_prefix("header.") {
                return Some(answer.headers.get(name)?.to_str().ok()?.to_owned());
            }
            if let Some(name) = rest.strip_prefix("multivalueheader.") {
                let all = answer.headers.get_all(name);
                let all: Vec<&str> = all.iter().filter_map(|v| v.to_str().ok()).collect();
                return (!all.is_empty()).then(|| all.join(","));
            }
            return match rest.strip_prefix("body")?.strip_prefix('.') {
                Some(path) => found(answer.body, path),
                None => Some(String::from_utf8_lossy(answer.body).into_owned()),
            };
        }
        let rest = from.strip_prefix("method.request.")?;
        let (place, name) = rest.split_once('.').unwrap_or((rest, ""));
        match place {
            "header" => self.visit.header(name).map(str::to_owned),
            "multivalueheader" => {
                let all = self.visit.headers().get_all(name);
                let all: Vec<&str> = all.iter().filter_map(|v| v.to_str().ok()).collect();
                (!all.is_empty()).then(|| all.join(","))
            }
            // The last of several counts.
            "querystring" => {
                self.visit.parameters().into_iter().rfind(|(n, _)| n == name).map(|(_, v)| v)
            }
            "multivaluequerystring" => {
                let all: Vec<String> = self
                    .visit
                    .parameters()
                    .into_iter()
                    .filter(|(n, _)| n == name)
                    .map(|(_, v)| v)
                    .collect();
                (!all.is_empty()).then(|| all.join(","))
            }
            "path" => self.parameters.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()),
            "body" if name.is_empty() => {
                Some(String::from_utf8_lossy(&self.visit.body).into_owned())
            }
            "body" => found(&self.visit.body, name),
            _ => None,
        }
    }
}
