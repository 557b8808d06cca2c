//! Names of parameters, and which version a name asks for.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html#sysman-parameter-name-constraints>

use fogbank_core::{ApiError, Arn, Cx, Result};

use crate::error::validation;
use crate::record::Place;

/// The longest name; with an ARN around it, it has 1011 characters.
const LONGEST: usize = 1011;
/// As many levels as a hierarchy may have.
const LEVELS: usize = 15;

const RULE: &str = "If formed as a path, it can consist of sub-paths divided by slash symbol; each \
                    sub-path can be formed as a mix of letters, numbers and the following 3 \
                    symbols .-_";

/// A name with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub place: Place,
    /// `:3` or `:label`, as the answer repeats it.
    pub selector: Option<String>,
}

/// Reads a name, or a parameter's ARN, with or without a selector.
pub fn read(cx: &Cx, text: &str) -> Asked {
    let (account, region, rest) = match Arn::parse(text).filter(|a| a.service == "ssm") {
        Some(arn) => {
            let name = arn.resource.strip_prefix("parameter").unwrap_or(arn.resource);
            // A name without a hierarchy has no slash of its own.
            let flat = name.strip_prefix('/').filter(|n| !n.contains('/'));
            (arn.account, arn.region, flat.unwrap_or(name))
        }
        None => (cx.account.as_str(), &*cx.region, text),
    };
    let (name, selector) = match rest.split_once(':') {
        Some((name, selector)) => (name, Some(format!(":{selector}"))),
        None => (rest, None),
    };
    let (account, region) = (account.to_owned(), region.to_owned());
    Asked { place: Place { account, region, name: name.to_owned() }, selector }
}

/// Takes a name as a new parameter's.
pub fn check(name: &str) -> Result<()> {
    let first = name.trim_start_matches('/').to_ascii_lowercase();
    let rooted = name.starts_with('/');
    if rooted && (first == "aws" || first.starts_with("aws/")) {
        return Err(ApiError::new(
            "AccessDeniedException",
            format!("No access to reserved parameter name: {name}."),
        )
        .status(400));
    }
    if first.starts_with("aws") || first.starts_with("ssm") {
        let what = if rooted {
            "\"ssm\" (case-insensitive)"
        } else {
            "\"aws\" or \"ssm\" (case-insensitive)"
        };
        return Err(validation(format!("Parameter name: can't be prefixed with {what}. {RULE}")));
    }
    if name.contains('/') && !rooted {
        return Err(validation("Parameter name must be a fully qualified name."));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let empty = |name: &str| name.split('/').any(str::is_empty);
    if !name.chars().all(fits) || empty(name.strip_prefix('/').unwrap_or(name)) {
        return Err(validation(format!(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). {RULE}"
        )));
    }
    if name.len() > LONGEST {
        return Err(validation(format!("Parameter name can have {LONGEST} characters at most.")));
    }
    if name.split('/').filter(|p| !p.is_empty()).count() > LEVELS {
        return Err(ApiError::new(
            "HierarchyLevelLimitExceededException",
            format!("Parameter name must have {LEVELS} levels at most."),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad_names() {
        for good in ["a", "/a", "/a/b/c", "a.b-c_d", "/prod/db/password", "my-aws", "/x/aws/ssm"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for (bad, code) in [
            ("aws", "ValidationException"),
            ("AWSx", "ValidationException"),
            ("ssm-x", "ValidationException"),
            ("/ssm/x", "ValidationException"),
            ("/aws/x", "AccessDeniedException"),
            ("a/b", "ValidationException"),
            ("/a//b", "ValidationException"),
            ("/a/", "ValidationException"),
            ("a b", "ValidationException"),
            ("", "ValidationException"),
            ("/", "ValidationException"),
            ("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", "HierarchyLevelLimitExceededException"),
        ] {
            assert_eq!(check(bad).unwrap_err().code(), code, "{bad}");
        }
    }
}
