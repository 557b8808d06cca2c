//! CORS of function URLs: answered by Lambda, not by the function.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors>

use http::{HeaderMap, HeaderValue, header};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// `Cors`.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cors {
    #[n(0)]
    allow_credentials: Option<bool>,
    #[n(1)]
    allow_headers: Option<Vec<String>>,
    #[n(2)]
    allow_methods: Option<Vec<String>>,
    #[n(3)]
    allow_origins: Option<Vec<String>>,
    #[n(4)]
    expose_headers: Option<Vec<String>>,
    #[n(5)]
    max_age: Option<i64>,
}

impl Cors {
    /// Adds what a browser at `origin` may know of an answer.
    pub fn decorate(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let Some(origin) = origin.filter(|o| self.admits(o)) else { return };
        let any = self.allow_origins.iter().flatten().any(|o| o == "*");
        let credentials = self.allow_credentials == Some(true);
        let named =
            if any && !credentials { HeaderValue::from_static("*") } else { origin.clone() };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, named);
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        list(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, self.expose_headers.as_ref());
    }

    /// Adds what a preflight asks for.
    pub fn preflight(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        self.decorate(origin, headers);
        if !headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        list(headers, header::ACCESS_CONTROL_ALLOW_METHODS, self.allow_methods.as_ref());
        list(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, self.allow_headers.as_ref());
        if let Some(age) = self.max_age {
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age));
        }
    }

    fn admits(&self, origin: &HeaderValue) -> bool {
        let origin = origin.as_bytes();
        self.allow_origins
            .iter()
            .flatten()
            .any(|o| o == "*" || o.as_bytes().eq_ignore_ascii_case(origin))
    }
}

fn list(headers: &mut HeaderMap, name: http::HeaderName, values: Option<&Vec<String>>) {
    let joined = values.map(|v| v.join(",")).filter(|v| !v.is_empty());
    if let Some(value) = joined.and_then(|v| HeaderValue::try_from(v).ok()) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_admitted_or_told_nothing() {
        let cors = Cors {
            allow_origins: Some(vec!["https://a.example".into()]),
            allow_methods: Some(vec!["GET".into(), "POST".into()]),
            max_age: Some(60),
            ..Cors::default()
        };
        let at = |origin: &'static str| {
            let mut headers = HeaderMap::new();
            cors.preflight(Some(&HeaderValue::from_static(origin)), &mut headers);
            headers
        };
        let yes = at("https://a.example");
        assert_eq!(yes[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert_eq!(yes[header::ACCESS_CONTROL_ALLOW_METHODS], "GET,POST");
        assert_eq!(yes[header::ACCESS_CONTROL_MAX_AGE], "60");
        assert!(at("https://b.example").is_empty());
        let any = Cors { allow_origins: Some(vec!["*".into()]), ..Cors::default() };
        let mut headers = HeaderMap::new();
        any.decorate(Some(&HeaderValue::from_static("https://b.example")), &mut headers);
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }
}
