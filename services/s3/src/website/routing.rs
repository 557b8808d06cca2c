//! Redirects: all requests, routing rules, folders.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{RedirectAll, RoutingRule, Website};

/// Where a visitor is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub status: u16,
    pub url: String,
}

/// How the visitor came: for what a rule leaves open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit<'a> {
    pub tls: bool,
    /// With the port, as in the `Host` header.
    pub host: &'a str,
    /// The key, decoded.
    pub key: &'a str,
    /// Without the question mark.
    pub query: Option<&'a str>,
}

const KEEP: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    // What a rule may put in front of a key on purpose: `#!/`, `?page=`.
    .remove(b'#')
    .remove(b'!')
    .remove(b'?')
    .remove(b'=')
    .remove(b'&')
    .remove(b'%');

const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'!')
    .remove(b'=')
    .remove(b'@')
    .remove(b':');

impl Website {
    /// Where every request goes, if the whole website moved.
    pub(super) fn moved(&self, visit: Visit<'_>) -> Option<Location> {
        let RedirectAll { host_name, protocol } = self.redirect_all_requests_to.as_ref()?;
        let key = utf8_percent_encode(visit.key, KEY).to_string();
        Some(Location { status: 301, url: visit.url(protocol.as_deref(), Some(host_name), &key) })
    }

    /// Where the first rule sends the visitor: rules without an error code before the object is
    /// looked up (`error` is `None`), rules with one when that failed.
    pub(super) fn route(&self, visit: Visit<'_>, error: Option<u16>) -> Option<Location> {
        let rules = self.routing_rules.as_deref().unwrap_or_default();
        let rule = rules.iter().find(|r| r.matches(visit.key, error))?;
        let r = &rule.redirect;
        let prefix = rule.condition.as_ref().and_then(|c| c.key_prefix_equals.as_deref());
        let key = match (&r.replace_key_with, &r.replace_key_prefix_with) {
            (Some(key), _) => utf8_percent_encode(key, KEEP).to_string(),
            (None, Some(with)) => {
                let rest = visit.key.strip_prefix(prefix.unwrap_or_default()).unwrap_or(visit.key);
                format!("{}{}", utf8_percent_encode(with, KEEP), utf8_percent_encode(rest, KEY))
            }
            (None, None) => utf8_percent_encode(visit.key, KEY).to_string(),
        };
        Some(Location {
            status: r.http_redirect_code.as_deref().and_then(|c| c.parse().ok()).unwrap_or(301),
            url: visit.url(r.protocol.as_deref(), r.host_name.as_deref(), &key),
        })
    }
}

impl RoutingRule {
    fn matches(&self, key: &str, error: Option<u16>) -> bool {
        let Some(c) = &self.condition else { return error.is_none() };
        let wanted = c.http_error_code_returned_equals.as_deref().and_then(|c| c.parse().ok());
        wanted == error && c.key_prefix_equals.as_deref().is_none_or(|p| key.starts_with(p))
    }
}

impl Visit<'_> {
    fn url(&self, protocol: Option<&str>, host: Option<&str>, key: &str) -> String {
        let protocol = protocol.unwrap_or(if self.tls { "https" } else { "http" });
        let host = host.unwrap_or(self.host);
        match self.query.filter(|q| !q.is_empty()) {
            Some(q) if !key.contains(['?', '#']) => format!("{protocol}://{host}/{key}?{q}"),
            _ => format!("{protocol}://{host}/{key}"),
        }
    }
}

/// The path of a folder, for a visitor who left out its slash.
pub(super) fn folder(key: &str) -> String {
    format!("/{}/", utf8_percent_encode(key, KEY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let site: Website = serde_json::from_str(
            r#"{"IndexDocument": {"Suffix": "i"}, "RoutingRules": [
                {"Condition": {"KeyPrefixEquals": "docs/"},
                 "Redirect": {"ReplaceKeyPrefixWith": "documents/"}},
                {"Condition": {"KeyPrefixEquals": "app/", "HttpErrorCodeReturnedEquals": "403"},
                 "Redirect": {"ReplaceKeyPrefixWith": "?page=", "HttpRedirectCode": "302"}},
                {"Condition": {"HttpErrorCodeReturnedEquals": "404"},
                 "Redirect": {"HostName": "example.com", "Protocol": "https",
                              "ReplaceKeyWith": "sorry.html"}}]}"#,
        )
        .unwrap();
        for (key, error, want) in [
            ("docs/a b", None, Some((301, "http://h:1/documents/a%20b?q=1"))),
            ("docs/a", Some(404), Some((301, "https://example.com/sorry.html?q=1"))),
            ("app/x", Some(403), Some((302, "http://h:1/?page=x"))),
            ("app/x", None, None),
            ("x", Some(403), None),
        ] {
            let visit = Visit { tls: false, host: "h:1", key, query: Some("q=1") };
            let got = site.route(visit, error);
            let want = want.map(|(status, url)| Location { status, url: url.into() });
            assert_eq!(got, want, "{key} {error:?}");
        }
    }

    #[test]
    fn a_moved_website_keeps_paths_and_queries() {
        let all = RedirectAll { host_name: "example.com".into(), protocol: None };
        let site = Website { redirect_all_requests_to: Some(all), ..Website::default() };
        let visit = Visit { tls: true, host: "h", key: "a/ü", query: Some("x=y") };
        assert_eq!(site.moved(visit).unwrap().url, "https://example.com/a/%C3%BC?x=y");
        assert_eq!(folder("a\r\nb"), "/a%0D%0Ab/");
    }
}
