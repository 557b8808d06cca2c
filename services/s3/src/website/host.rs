//! Which bucket's website a host name is.

/// The bucket in `<bucket>.s3-website-<region>.amazonaws.com`, `<bucket>.s3-website.<region>.…`
/// and the local `<bucket>.s3-website.localhost` forms. `host` is in lower case, without a port.
///
/// Bucket names may themselves contain dots: `www.example.com.s3-website-us-east-1.amazonaws.com`.
#[must_use]
pub fn bucket_of_host(host: &str) -> Option<&str> {
    let at = host.rfind(".s3-website")?;
    let (bucket, rest) = (&host[..at], &host[at + ".s3-website".len()..]);
    (!bucket.is_empty() && rest.len() > 1 && rest.starts_with(['.', '-'])).then_some(bucket)
}

/// Whether a host may be a bucket's own name, for websites under a domain of one's own. Names of
/// this machine and of AWS never are.
pub(super) fn may_be_a_domain(host: &str) -> bool {
    host.contains('.')
        && !host.ends_with(".amazonaws.com")
        && !host.ends_with(".localhost")
        && !host.ends_with(".localstack.cloud")
        && !host.starts_with('[')
        && host.parse::<std::net::IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, want) in [
            ("site.s3-website-us-east-1.amazonaws.com", Some("site")),
            ("site.s3-website.eu-central-1.amazonaws.com", Some("site")),
            ("site.s3-website.localhost", Some("site")),
            ("site.s3-website.localhost.localstack.cloud", Some("site")),
            ("www.example.com.s3-website-us-east-1.amazonaws.com", Some("www.example.com")),
            ("a.s3-website-b.s3-website.localhost", Some("a.s3-website-b")),
            ("s3-website.localhost", None),
            (".s3-website.localhost", None),
            ("site.s3-websites.localhost", None),
            ("site.s3-website", None),
            ("site.s3-website.", None),
            ("site.s3.localhost", None),
            ("", None),
        ] {
            assert_eq!(bucket_of_host(host), want, "{host}");
        }
    }

    #[test]
    fn domains() {
        assert!(may_be_a_domain("www.example.com"));
        for host in ["localhost", "127.0.0.1", "[::1]", "a.localhost", "s3.amazonaws.com"] {
            assert!(!may_be_a_domain(host), "{host}");
        }
    }
}
