//! Names: which API a host or a path stands for.

/// How many characters an API's id has.
pub const API_ID: usize = 10;

/// Whether a text may be an API's id.
#[must_use]
pub fn is_api_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// An API as an address names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    pub api: &'a str,
    /// The region in the host's name.
    pub region: Option<&'a str>,
    /// What is left of the path: the stage, if the API has it there, and what follows.
    pub path: std::borrow::Cow<'a, str>,
}

/// The API and the region of a host name in lower case without port:
/// `x1.execute-api.us-east-1.amazonaws.com`, `x1.execute-api.localhost`.
#[must_use]
pub fn of_host(host: &str) -> Option<(&str, Option<&str>)> {
    let (api, rest) = host.split_once('.')?;
    let zone = rest.strip_prefix("execute-api.")?;
    if !is_api_id(api) {
        return None;
    }
    for ours in ["localhost.localstack.cloud", "localhost", "amazonaws.com", "amazonaws.com.cn"] {
        if zone == ours {
            return Some((api, None));
        }
        if let Some(region) = zone.strip_suffix(ours).and_then(|z| z.strip_suffix('.'))
            && !region.is_empty()
            && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return Some((api, Some(region)));
        }
    }
    None
}

/// The API of a path on an address that has no name: `/_aws/execute-api/x1/prod/orders` and
/// `/restapis/x1/prod/_user_request_/orders`.
#[must_use]
pub fn of_path(path: &str) -> Option<Address<'_>> {
    if let Some(rest) = path.strip_prefix("/_aws/execute-api/") {
        let (api, rest) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        return is_api_id(api).then_some(Address { api, region: None, path: rest.into() });
    }
    let rest = path.strip_prefix("/restapis/")?;
    let (api, rest) = rest.split_once('/')?;
    let (stage, rest) = rest.split_once('/')?;
    let rest = rest.strip_prefix("_user_request_")?;
    if !is_api_id(api) || !(rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    let path = match stage {
        "" if rest.is_empty() => "/".into(),
        "" => rest.into(),
        _ => format!("/{stage}{rest}").into(),
    };
    Some(Address { api, region: None, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, expected) in [
            ("x1.execute-api.us-east-1.amazonaws.com", Some(("x1", Some("us-east-1")))),
            ("x1.execute-api.localhost", Some(("x1", None))),
            ("x1.execute-api.localhost.localstack.cloud", Some(("x1", None))),
            (
                "x1.execute-api.eu-west-1.localhost.localstack.cloud",
                Some(("x1", Some("eu-west-1"))),
            ),
            ("x1.s3.amazonaws.com", None),
            ("execute-api.us-east-1.amazonaws.com", None),
            ("a.b.execute-api.localhost", None),
            ("x-1.execute-api.localhost", None),
            ("x1.execute-api.us.east.amazonaws.com", None),
        ] {
            assert_eq!(of_host(host), expected, "{host}");
        }
    }

    #[test]
    fn paths() {
        for (path, expected) in [
            ("/_aws/execute-api/x1/prod/a%20b", Some(("x1", "/prod/a%20b"))),
            ("/_aws/execute-api/x1", Some(("x1", "/"))),
            ("/restapis/x1/prod/_user_request_/a/b", Some(("x1", "/prod/a/b"))),
            ("/restapis/x1/prod/_user_request_", Some(("x1", "/prod"))),
            ("/restapis/x1//_user_request_/a", Some(("x1", "/a"))),
            ("/restapis/x1//_user_request_", Some(("x1", "/"))),
            ("/restapis/x1/resources/abc", None),
            ("/restapis/x1/prod/_user_request_x", None),
            ("/_aws/execute-api//x", None),
            ("/", None),
        ] {
            let got = of_path(path);
            assert_eq!(got.as_ref().map(|a| (a.api, &*a.path)), expected, "{path}");
        }
    }
}
