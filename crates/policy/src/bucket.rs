//! What S3 checks in a bucket's policy beyond the grammar: its actions and resources must fit.

use fogbank_core::Arn;

use crate::error::Fault;
use crate::glob::{Glob, Style};

mod actions;

use actions::{BUCKET, OBJECT};

/// Checks one statement's actions and resources against the bucket.
pub(crate) fn validate(
    bucket: &str,
    actions: &[&str],
    negated: bool,
    resources: &[&str],
) -> Result<(), Fault> {
    let mut reach = Reach { bucket: false, object: false };
    for r in resources {
        let here = of_resource(bucket, r).ok_or_else(|| Fault::Resource((*r).to_owned()))?;
        reach.bucket |= here.bucket;
        reach.object |= here.object;
    }
    for a in actions {
        let kinds = of_action(a);
        if !kinds.bucket && !kinds.object {
            return Err(Fault::Action((*a).to_owned()));
        }
        let applies = kinds.bucket && reach.bucket || kinds.object && reach.object;
        if !applies && !negated {
            return Err(Fault::Inapplicable((*a).to_owned()));
        }
    }
    Ok(())
}

/// Which of the two kinds of resource something is about.
struct Reach {
    bucket: bool,
    object: bool,
}

/// `None` when the resource lies outside the bucket.
fn of_resource(bucket: &str, resource: &str) -> Option<Reach> {
    if resource == "*" {
        return Some(Reach { bucket: true, object: true });
    }
    let arn = Arn::parse(resource)?;
    if arn.service != "s3" || !arn.region.is_empty() || !arn.account.is_empty() {
        return None;
    }
    let (name, key) = match arn.resource.split_once('/') {
        Some((name, key)) => (name, Some(key)),
        None => (arn.resource, None),
    };
    let glob = Glob::new(name, Style { wild: true, ..Style::default() });
    // A star at the end of the bucket's part runs on into the keys.
    let open = key.is_none() && name.ends_with('*');
    glob.matches_plain(bucket)
        .then_some(Reach { bucket: key.is_none(), object: key.is_some() || open })
}

fn of_action(action: &str) -> Reach {
    let glob = Glob::new(action, Style { wild: true, lower: true, ..Style::default() });
    let any = |names: &str| {
        names.split(' ').any(|n| glob.matches_plain(&format!("s3:{}", n.to_ascii_lowercase())))
    };
    Reach { bucket: any(BUCKET), object: any(OBJECT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_resources_must_fit() {
        let check = |action: &str, resource: &str| validate("b", &[action], false, &[resource]);
        let (all, keys) = ("arn:aws:s3:::b", "arn:aws:s3:::b/*");
        assert!(check("s3:ListBucket", all).is_ok());
        assert!(check("s3:GetObject", keys).is_ok());
        assert!(check("s3:*", all).is_ok());
        assert!(check("*", keys).is_ok());
        assert!(check("s3:getobject", "arn:aws:s3:::*").is_ok());
        assert!(validate("b", &["s3:GetObject", "s3:ListBucket"], false, &[all, keys]).is_ok());
        assert!(matches!(check("s3:ListBucket", keys), Err(Fault::Inapplicable(_))));
        assert!(matches!(check("s3:GetObject", all), Err(Fault::Inapplicable(_))));
        assert!(matches!(check("s3:Frobnicate", all), Err(Fault::Action(_))));
        assert!(matches!(check("ec2:RunInstances", all), Err(Fault::Action(_))));
        assert!(matches!(check("s3:ListBucket", "arn:aws:s3:::other"), Err(Fault::Resource(_))));
        assert!(matches!(check("s3:ListBucket", "b"), Err(Fault::Resource(_))));
    }
}
