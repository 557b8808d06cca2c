//! Parameter mappings: what an integration's request and its answer get of their own.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html>

use std::collections::BTreeMap;

use fogbank_apigw::{Template, json_text, pairs};
use fogbank_core::Result;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::Routed;
use crate::error::bad_request;

/// The mappings of an integration, read once.
#[derive(Debug, Default)]
pub struct Mappings {
    request: Vec<Mapping>,
    /// By status.
    response: BTreeMap<u16, Vec<Mapping>>,
}

#[derive(Debug)]
struct Mapping {
    action: Action,
    place: Place,
    value: Template,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Append,
    Overwrite,
    Remove,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Header(String),
    Query(String),
    Path,
    Status,
}

const ROOTS: [&str; 4] = ["request", "context", "stageVariables", "response"];

/// Headers that no mapping may touch.
const RESERVED: [&str; 16] = [
    "access-control-",
    "apigw-",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "forwarded",
    "keep-alive",
    "origin",
    "proxy-",
    "te",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "x-amz-",
];

fn parse(key: &str, response: bool) -> Option<(Action, Place)> {
    let (action, place) = key.split_once(':')?;
    let action = match action {
        "append" => Action::Append,
        "overwrite" => Action::Overwrite,
        "remove" => Action::Remove,
        _ => return None,
    };
    let place = match place.split_once('.') {
        Some(("header", name)) => {
            let lower = name.to_ascii_lowercase();
            HeaderName::try_from(&lower).ok()?;
            let reserved =
                |r: &&str| if r.ends_with('-') { lower.starts_with(*r) } else { lower == **r };
            // An origin's answer may not say more about itself than the gateway does.
            if RESERVED.iter().any(reserved) {
                return None;
            }
            Place::Header(lower)
        }
        Some(("querystring", name)) if !response => Place::Query(name.to_owned()),
        None if place == "path" && !response && action == Action::Overwrite => Place::Path,
        None if place == "statuscode" && response && action == Action::Overwrite => Place::Status,
        _ => return None,
    };
    Some((action, place))
}

/// Refuses mappings that AWS refuses.
pub fn check(
    request: &BTreeMap<String, String>,
    response: &BTreeMap<String, BTreeMap<String, String>>,
) -> Result<()> {
    let invalid = |kind: &str, key: &str| {
        bad_request(format!(
            "Invalid mapping expression specified: Validation Result: warnings : [], errors : \
             [Invalid {kind} Actioned Parameter specified: {key}]"
        ))
    };
    for key in request.keys() {
        parse(key, false).ok_or_else(|| invalid("Request", key))?;
    }
    for (status, map) in response {
        let fits = status.parse::<u16>().is_ok_and(|s| (200..600).contains(&s));
        if !fits {
            return Err(bad_request(format!("Invalid response status code: {status}")));
        }
        for key in map.keys() {
            parse(key, true).ok_or_else(|| invalid("Response", key))?;
        }
    }
    Ok(())
}

impl Mappings {
    pub fn parse(
        request: &BTreeMap<String, String>,
        response: &BTreeMap<String, BTreeMap<String, String>>,
    ) -> Self {
        let read = |map: &BTreeMap<String, String>, response: bool| {
            let one = |(k, v): (&String, &String)| {
                let (action, place) = parse(k, response)?;
                Some(Mapping { action, place, value: Template::parse(v, &ROOTS) })
            };
            map.iter().filter_map(one).collect::<Vec<_>>()
        };
        Mappings {
            request: read(request, false),
            response: response
                .iter()
                .filter_map(|(s, m)| Some((s.parse().ok()?, read(m, true))))
                .collect(),
        }
    }

    /// Changes a request on its way out: its path (with slash), query and headers.
    pub fn request(
        &self,
        routed: &Routed<'_>,
        path: &mut String,
        query: &mut String,
        headers: &mut HeaderMap,
    ) {
        let scope = |name: &str| routed.variable(name);
        for m in &self.request {
            let value = m.value.value(&scope).unwrap_or_default();
            match &m.place {
                Place::Header(name) => set(headers, name, m.action, &value),
                Place::Query(name) => {
                    let mut all = pairs(query);
                    if m.action != Action::Append {
                        all.retain(|(n, _)| n != name);
                    }
                    if m.action != Action::Remove {
                        all.push((name.clone(), value));
                    }
                    *query = encode(&all);
                }
                Place::Path => {
                    *path = if value.starts_with('/') { value } else { format!("/{value}") };
                }
                Place::Status => {}
            }
        }
    }

    /// Changes an answer on its way back.
    pub fn response(
        &self,
        routed: &Routed<'_>,
        status: &mut u16,
        headers: &mut HeaderMap,
        body: &[u8],
    ) {
        let Some(mappings) = self.response.get(status) else { return };
        let came = headers.clone();
        let scope = |name: &str| match name.strip_prefix("response.") {
            Some(rest) => match rest.split_once('.') {
                Some(("header", name)) => came.get(name)?.to_str().ok().map(str::to_owned),
                Some(("body", path)) => {
                    let v: Value = serde_json::from_slice(body).ok()?;
                    json_text(&v, path)
                }
                None if rest == "body" => Some(String::from_utf8_lossy(body).into_owned()),
                _ => None,
            },
            None => routed.variable(name),
        };
        for m in mappings {
            let value = m.value.value(&scope).unwrap_or_default();
            match &m.place {
                Place::Header(name) => set(headers, name, m.action, &value),
                Place::Status => {
                    if let Some(s) = value.parse().ok().filter(|s| (200..600).contains(s)) {
                        *status = s;
                    }
                }
                Place::Query(_) | Place::Path => {}
            }
        }
    }
}

impl Routed<'_> {
    /// The value of a mapping's variable.
    pub fn variable(&self, name: &str) -> Option<String> {
        let (root, rest) = name.split_once('.')?;
        match root {
            "context" => self.context.get(rest).map(str::to_owned),
            "stageVariables" => self.serving.stage.stage_variables.get(rest).cloned(),
            "request" => {
                let (kind, name) = rest.split_once('.').unwrap_or((rest, ""));
                match kind {
                    "header" => {
                        let all = self.visit.headers().get_all(name);
                        let all: Vec<&str> = all.iter().filter_map(|v| v.to_str().ok()).collect();
                        (!all.is_empty()).then(|| all.join(","))
                    }
                    "querystring" => {
                        let all = self.visit.parameters();
                        let all: Vec<String> =
                            all.into_iter().filter(|(n, _)| n == name).map(|(_, v)| v).collect();
                        (!all.is_empty()).then(|| all.join(","))
                    }
                    "path" if name.is_empty() => Some(self.path.to_owned()),
                    "path" => {
                        self.parameters.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone())
                    }
                    "body" if name.is_empty() => {
                        Some(String::from_utf8_lossy(&self.visit.body).into_owned())
                    }
                    "body" => {
                        let v: Value = serde_json::from_slice(&self.visit.body).ok()?;
                        json_text(&v, name)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

fn set(headers: &mut HeaderMap, name: &str, action: Action, value: &str) {
    let Ok(name) = HeaderName::try_from(name) else { return };
    if action != Action::Append {
        headers.remove(&name);
    }
    if action != Action::Remove
        && let Ok(value) = HeaderValue::from_str(value)
    {
        headers.append(name, value);
    }
}

fn encode(pairs: &[(String, String)]) -> String {
    let escape = |s: &str| utf8_percent_encode(s, NON_ALPHANUMERIC).to_string();
    let all: Vec<String> =
        pairs.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect();
    all.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (key, response, ok) in [
            ("append:header.X-A", false, true),
            ("overwrite:querystring.a", false, true),
            ("overwrite:path", false, true),
            ("append:path", false, false),
            ("remove:header.host2", false, true),
            ("append:header.authorization", false, false),
            ("append:header.x-amz-date", false, false),
            ("header.x", false, false),
            ("overwrite:statuscode", true, true),
            ("overwrite:statuscode", false, false),
            ("append:querystring.a", true, false),
            ("append:overwrite.static", true, false),
        ] {
            assert_eq!(parse(key, response).is_some(), ok, "{key}");
        }
    }
}
