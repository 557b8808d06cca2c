//! Names: which service, region and bucket a host name or a signature's scope stands for.
//!
//! <https://docs.aws.amazon.com/general/latest/gr/rande.html> (endpoints) and
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html> (buckets in hosts).

use std::borrow::Cow;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;

/// The zones whose every name is ours, longest first where one ends another.
pub const ZONES: &[&str] =
    &["localhost.localstack.cloud", "localhost", "amazonaws.com.cn", "amazonaws.com", "api.aws"];

/// What a host name says. Everything borrows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostName<'a> {
    /// The labels between the host prefix and the region: `s3`, `sts`, `api.ecr`, `execute-api`.
    /// `None` for an address, a bare zone and foreign names.
    pub service: Option<&'a str>,
    pub region: Option<&'a str>,
    /// What stands before the service: a bucket, an API's id, an account, `dataplane`.
    pub prefix: Option<&'a str>,
    /// The name ends in one of [`ZONES`].
    pub ours: bool,
}

impl<'a> HostName<'a> {
    /// Reads a lower-case host name without port. `known` says which labels are an endpoint
    /// prefix (`sts`, `api.ecr`).
    pub fn parse(host: &'a str, known: impl Fn(&str) -> bool) -> Self {
        let Some(rest) = ours(host) else { return HostName::default() };
        let bare = HostName { ours: true, ..HostName::default() };
        if rest.is_empty() {
            return bare;
        }
        let (mut head, mut region) = (rest, None);
        if let Some((before, last)) = split_last(head).filter(|(_, l)| is_region(l)) {
            (head, region) = (before, Some(last));
        } else if is_region(head) {
            return HostName { region: Some(head), ..bare };
        }
        for variant in ["dualstack", "fips"] {
            if let Some((before, last)) = split_last(head)
                && last == variant
            {
                head = before;
            }
        }
        let last = head.rsplit('.').next().unwrap_or(head);
        if let Some((service, in_label)) = s3_label(last) {
            let prefix = head[..head.len() - last.len()].strip_suffix('.');
            return HostName {
                service: Some(service),
                region: region.or(in_label),
                prefix,
                ..bare
            };
        }
        if let Some((before, _)) = split_last(head) {
            // `api.ecr`: an endpoint prefix of two labels.
            let two = match before.rsplit_once('.') {
                Some((front, _)) => &head[front.len() + 1..],
                None => head,
            };
            if known(two) {
                let prefix = head[..head.len() - two.len()].strip_suffix('.');
                return HostName { service: Some(two), region, prefix, ..bare };
            }
        }
        // Clients put these on by themselves: `sync-states`, `stream-logs`, `data-servicediscovery`.
        let service = ["sync-", "stream-", "data-"]
            .iter()
            .find_map(|p| last.strip_prefix(p).filter(|s| known(s)))
            .unwrap_or(last);
        let prefix = head[..head.len() - last.len()].strip_suffix('.');
        if known(service) {
            HostName { service: Some(service), region, prefix, ..bare }
        } else {
            HostName { region, prefix: Some(head), ..bare }
        }
    }

    /// The bucket of a virtual-hosted S3 request, from a host like `b.s3.us-east-1.amazonaws.com`;
    /// `b.localhost` counts too once the request is known to be for S3.
    #[must_use]
    pub fn bucket(&self) -> Option<&'a str> {
        match self.service {
            Some("s3") => self.prefix,
            None if self.ours && self.region.is_none() => self.prefix,
            _ => None,
        }
    }
}

/// What precedes the zone, for a name in one of ours; empty for the zone itself.
fn ours(host: &str) -> Option<&str> {
    ZONES.iter().find_map(|zone| {
        let rest = host.strip_suffix(zone)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_suffix('.') }
    })
}

/// Whether a name ends in one of our zones, or is one.
#[must_use]
pub fn is_ours(host: &str) -> bool {
    ours(host).is_some()
}

/// The host without its port; `[::1]:4566` gives `::1`.
#[must_use]
pub fn without_port(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether the host is an address or plain `localhost`: it then says nothing about the service.
#[must_use]
pub fn is_plain(host: &str) -> bool {
    host == "localhost"
        || (host.starts_with(|c: char| c.is_ascii_digit() || c == ':')
            && host.parse::<IpAddr>().is_ok())
}

/// The service and region of a credential scope: `AKIA…/20260101/us-east-1/s3/aws4_request`.
#[must_use]
pub fn scope(credential: &str) -> Option<(&str, &str)> {
    let mut parts = credential.rsplit('/');
    if parts.next()? != "aws4_request" {
        return None;
    }
    let service = parts.next()?;
    let region = parts.next()?;
    parts.nth(1)?;
    Some((service, region))
}

/// The credential of an `Authorization: AWS4-HMAC-SHA256 Credential=…` header.
#[must_use]
pub fn header_credential(authorization: &str) -> Option<&str> {
    // As nearly every client writes it, else wherever it stands.
    let rest = match authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=") {
        Some(rest) => rest,
        None => authorization.strip_prefix("AWS4-")?.split_once("Credential=")?.1,
    };
    let end = rest.bytes().position(|b| matches!(b, b',' | b' '));
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// The service in the scope of a request's signature, be it in the header or the query.
#[must_use]
pub fn signed_service(parts: &http::request::Parts) -> Option<Cow<'_, str>> {
    let header = parts.headers.get(http::header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    if let Some((service, _)) = header.and_then(header_credential).and_then(scope) {
        return Some(Cow::Borrowed(service));
    }
    let query = parts.uri.query().filter(|q| q.contains("X-Amz-Credential="))?;
    let credential = parameter(query, "X-Amz-Credential")?;
    scope(&credential).map(|(service, _)| Cow::Owned(service.to_owned()))
}

/// The value of one form or query parameter, decoded, when it is there and is UTF-8.
#[must_use]
pub fn parameter(form: &str, name: &str) -> Option<String> {
    form.split('&').find_map(|pair| {
        let (k, v) = pair.split_once('=').unwrap_or((pair, ""));
        let same = k == name || (k.contains('%') && percent_decode_str(k).eq(name.bytes()));
        same.then(|| percent_decode_str(&v.replace('+', " ")).decode_utf8().ok().map(Into::into))?
    })
}

fn split_last(labels: &str) -> Option<(&str, &str)> {
    labels.rsplit_once('.')
}

/// `us-east-1`, `eu-central-2`, `us-gov-west-1`, `ap-southeast-5`.
#[must_use]
pub fn is_region(label: &str) -> bool {
    let mut parts = label.split('-');
    let Some(area) = parts.next() else { return false };
    let rest: Vec<&str> = parts.collect();
    let [middle @ .., number] = rest.as_slice() else { return false };
    area.len() == 2
        && area.bytes().all(|b| b.is_ascii_lowercase())
        && (1..=2).contains(&middle.len())
        && middle.iter().all(|m| m.len() > 1 && m.bytes().all(|b| b.is_ascii_lowercase()))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// S3's own labels, some with the region inside: `s3`, `s3-us-west-2`, `s3-website-eu-west-1`.
fn s3_label(label: &str) -> Option<(&'static str, Option<&str>)> {
    let tail = match label {
        "s3" => return Some(("s3", None)),
        _ => label.strip_prefix("s3-")?,
    };
    match tail {
        "fips" | "external-1" | "accelerate" => Some(("s3", None)),
        "website" => Some(("s3-website", None)),
        "control" | "control-fips" => Some(("s3-control", None)),
        _ => match tail.strip_prefix("website-") {
            Some(region) if is_region(region) => Some(("s3-website", Some(region))),
            None if is_region(tail) => Some(("s3", Some(tail))),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(s: &str) -> bool {
        matches!(s, "sts" | "iam" | "states" | "rum" | "api.ecr" | "logs" | "execute-api")
    }

    #[test]
    fn hosts_are_read() {
        // host, service, region, prefix, bucket
        let cases = [
            ("s3.us-east-1.amazonaws.com", "s3", "us-east-1", "", ""),
            ("s3.amazonaws.com", "s3", "", "", ""),
            ("b.s3.amazonaws.com", "s3", "", "b", "b"),
            ("a.b.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1", "a.b", "a.b"),
            ("b.s3.dualstack.us-west-2.amazonaws.com", "s3", "us-west-2", "b", "b"),
            ("b.s3-us-west-2.amazonaws.com", "s3", "us-west-2", "b", "b"),
            ("b.s3-website-us-east-1.amazonaws.com", "s3-website", "us-east-1", "b", ""),
            ("b.s3-website.eu-central-1.amazonaws.com", "s3-website", "eu-central-1", "b", ""),
            ("s3.localhost", "s3", "", "", ""),
            ("b.s3.localhost", "s3", "", "b", "b"),
            ("b.localhost", "", "", "b", "b"),
            ("b.s3.localhost.localstack.cloud", "s3", "", "b", "b"),
            ("b.s3.us-east-1.localhost.localstack.cloud", "s3", "us-east-1", "b", "b"),
            ("localhost", "", "", "", ""),
            ("iam.amazonaws.com", "iam", "", "", ""),
            ("sts.us-gov-west-1.amazonaws.com", "sts", "us-gov-west-1", "", ""),
            ("sync-states.us-east-1.amazonaws.com", "states", "us-east-1", "", ""),
            ("dataplane.rum.us-east-1.amazonaws.com", "rum", "us-east-1", "dataplane", ""),
            (
                "000000000000.s3-control.us-east-1.amazonaws.com",
                "s3-control",
                "us-east-1",
                "000000000000",
                "",
            ),
            ("api.ecr.us-east-1.amazonaws.com", "api.ecr", "us-east-1", "", ""),
            ("x1.execute-api.us-east-1.amazonaws.com", "execute-api", "us-east-1", "x1", ""),
            ("us-east-1.amazonaws.com", "", "us-east-1", "", ""),
            ("127.0.0.1", "", "", "", ""),
            ("example.com", "", "", "", ""),
            ("", "", "", "", ""),
            (".amazonaws.com", "", "", "", ""),
            ("..s3.amazonaws.com", "s3", "", ".", "."),
        ];
        for (host, service, region, prefix, bucket) in cases {
            let h = HostName::parse(host, known);
            let got = [h.service, h.region, h.prefix, h.bucket()].map(Option::unwrap_or_default);
            assert_eq!(got, [service, region, prefix, bucket], "{host}");
        }
    }

    #[test]
    fn credentials_and_parameters_are_read() {
        let auth = "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request, Signed…";
        assert_eq!(header_credential(auth).and_then(scope), Some(("s3", "us-east-1")));
        assert_eq!(scope("a/b/c"), None);
        assert_eq!(scope("us-east-1/s3/aws4_request"), None);
        assert_eq!(header_credential("Basic abc"), None);
        assert_eq!(parameter("a=1&Action=Get%20It+now", "Action").as_deref(), Some("Get It now"));
        assert_eq!(parameter("%41ction=X", "Action").as_deref(), Some("X"));
        assert_eq!(parameter("Action=%ff", "Action"), None);
    }

    #[test]
    fn ports_are_cut() {
        for (authority, host) in [
            ("a.b:4566", "a.b"),
            ("[::1]:4566", "::1"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", ":"),
            ("[", ""),
        ] {
            assert_eq!(without_port(authority), host);
        }
        assert!(is_plain("127.0.0.1") && is_plain("::1") && !is_plain("1.example.com"));
    }
}
