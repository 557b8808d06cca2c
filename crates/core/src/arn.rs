//! Amazon Resource Names: `arn:partition:service:region:account:resource`.

/// A parsed ARN, borrowed from its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    /// Everything after the fifth colon, further colons included.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// `None` unless the text has six colon-separated parts and starts with `arn`.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut p = text.splitn(6, ':');
        if p.next()? != "arn" {
            return None;
        }
        Some(Arn {
            partition: p.next()?,
            service: p.next()?,
            region: p.next()?,
            account: p.next()?,
            resource: p.next()?,
        })
    }
}

impl std::fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Arn { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::Arn;

    #[test]
    fn keeps_colons_in_the_resource() {
        let text = "arn:aws:lambda:us-east-1:000000000000:function:f:1";
        let a = Arn::parse(text).unwrap();
        assert_eq!((a.service, a.resource), ("lambda", "function:f:1"));
        assert_eq!(a.to_string(), text);
        assert_eq!(Arn::parse("arn:aws:s3"), None);
    }
}
