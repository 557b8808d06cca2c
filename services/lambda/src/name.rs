//! Names of functions: bare, as ARN or part of one, with or without a qualifier.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html#API_GetFunction_RequestSyntax>

use fogbank_core::{Cx, Result};
use fogbank_store::Key;

use crate::error::{invalid, not_found, validation};

/// The version that is worked on.
pub const LATEST: &str = "$LATEST";

/// A function, and which of its versions or aliases is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub account: String,
    pub region: String,
    pub name: String,
    /// As it was given: a version, an alias, `$LATEST`; `None` for the bare function.
    pub qualifier: Option<String>,
}

impl Target {
    /// Reads the `FunctionName` of a request, and its `Qualifier`.
    ///
    /// # Errors
    /// `InvalidParameterValueException` when the two contradict each other,
    /// `ResourceNotFoundException` for another region.
    pub fn parse(cx: &Cx, text: &str, qualifier: Option<&str>) -> Result<Self> {
        let mut target = Target::read(&cx.account, &cx.region, text)
            .ok_or_else(|| invalid(format!("Invalid function name: {text}")))?;
        if target.region != cx.region {
            return Err(not_found(format!(
                "Functions from '{}' are not reachable in this region ('{}')",
                target.region, cx.region
            )));
        }
        if target.name.len() > 64 {
            return Err(validation(
                text,
                "functionName",
                "Member must have length less than or equal to 64",
            ));
        }
        match (&target.qualifier, qualifier.filter(|q| !q.is_empty())) {
            (Some(a), Some(b)) if a != b => {
                return Err(invalid(
                    "The derived qualifier from the function name does not match the specified \
                     qualifier.",
                ));
            }
            (None, Some(q)) => target.qualifier = Some(q.to_owned()),
            _ => {}
        }
        Ok(target)
    }

    /// As [`Target::parse`], for operations on the function as a whole.
    ///
    /// # Errors
    /// `InvalidParameterValueException` for a qualifier.
    pub fn whole(cx: &Cx, text: &str) -> Result<Self> {
        let target = Target::parse(cx, text, None)?;
        match &target.qualifier {
            Some(q) if q != LATEST => Err(invalid(format!(
                "This operation does not permit a qualifier on the function name, got: {q}"
            ))),
            _ => Ok(Target { qualifier: None, ..target }),
        }
    }

    /// Any of the forms in which a function may be named.
    #[must_use]
    pub fn read(account: &str, region: &str, text: &str) -> Option<Self> {
        let mut target = Target {
            account: account.to_owned(),
            region: region.to_owned(),
            name: String::new(),
            qualifier: None,
        };
        let mut rest: Vec<&str> = text.split(':').collect();
        if rest.len() > 3 && rest[0] == "arn" && rest[2] == "lambda" {
            rest.drain(..3);
        }
        if rest.len() > 1 && is_region(rest[0]) {
            target.region = rest.remove(0).to_owned();
        }
        let digits = |s: &str| s.len() == 12 && s.bytes().all(|b| b.is_ascii_digit());
        if rest.len() > 1 && digits(rest[0]) {
            target.account = rest.remove(0).to_owned();
        }
        if rest.len() > 1 && rest[0] == "function" {
            rest.remove(0);
        }
        match rest.as_slice() {
            [name] => target.name = (*name).to_owned(),
            [name, qualifier] => {
                target.name = (*name).to_owned();
                target.qualifier = Some((*qualifier).to_owned());
            }
            _ => return None,
        }
        (!target.name.is_empty()).then_some(target)
    }

    /// The ARN without the qualifier.
    #[must_use]
    pub fn function_arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region, self.account, self.name)
    }

    /// The ARN as it was asked for.
    #[must_use]
    pub fn arn(&self) -> String {
        match &self.qualifier {
            Some(q) => format!("{}:{q}", self.function_arn()),
            None => self.function_arn(),
        }
    }

    /// The key of the function's record.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.name)
    }

    /// The key of what hangs on the qualifier: `$LATEST` and none are the same there.
    #[must_use]
    pub fn qualified_key(&self) -> Key {
        self.key().str(self.qualifier.as_deref().filter(|q| *q != LATEST).unwrap_or_default())
    }

    /// This function, as a whole or with another qualifier.
    #[must_use]
    pub fn with(&self, qualifier: Option<&str>) -> Self {
        Target { qualifier: qualifier.map(str::to_owned), ..self.clone() }
    }

    /// What every function of an account in a region has in common.
    #[must_use]
    pub fn scope(&self) -> Key {
        Key::new().str(&self.account).str(&self.region)
    }
}

/// Whether a qualifier is the number of a version.
#[must_use]
pub fn number(qualifier: &str) -> Option<u64> {
    qualifier.parse().ok()
}

fn is_region(label: &str) -> bool {
    let mut parts = label.split('-');
    parts.next().is_some_and(|a| a.len() == 2)
        && parts.clone().count() >= 2
        && parts.next_back().is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        for (text, expected) in [
            ("f", arn.to_owned()),
            ("f:1", format!("{arn}:1")),
            ("f:$LATEST", format!("{arn}:$LATEST")),
            ("function:f", arn.to_owned()),
            ("123456789012:function:f:live", format!("{arn}:live")),
            ("123456789012:f", arn.to_owned()),
            (arn, arn.to_owned()),
            (
                "arn:aws:lambda:eu-west-2:000000000000:function:g:2",
                "arn:aws:lambda:eu-west-2:000000000000:function:g:2".to_owned(),
            ),
            ("us-east-1:123456789012:function:f", arn.to_owned()),
        ] {
            let target = Target::read("123456789012", "us-east-1", text).unwrap();
            assert_eq!(target.arn(), expected, "{text}");
        }
        for bad in ["", "a:b:c", "arn:aws:lambda:us-east-1:123456789012:function:f:1:2"] {
            assert_eq!(Target::read("123456789012", "us-east-1", bad), None, "{bad}");
        }
    }
}
