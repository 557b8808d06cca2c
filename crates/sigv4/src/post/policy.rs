//! The policy document of a browser upload: parsing it, and holding the form against it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::ApiError;
use jiff::Timestamp;
use serde_json::Value;

use super::Fields;

/// Fields that need no condition, in lower case.
const FREE: &[&str] = &["x-amz-signature", "signature", "awsaccesskeyid", "file", "policy"];

/// A parsed policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PostPolicy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
struct Condition {
    /// As S3 quotes it in an error: its JSON.
    text: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// Field names are in lower case.
    Equals {
        field: String,
        value: String,
    },
    StartsWith {
        field: String,
        value: String,
    },
    Length {
        least: u64,
        most: u64,
    },
}

impl PostPolicy {
    /// Parses the base64 text of the form's `policy` field.
    ///
    /// # Errors
    /// `InvalidPolicyDocument`.
    pub fn parse(base64: &str) -> Result<Self, ApiError> {
        let compact: String = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(compact).map_err(|_| invalid("Invalid base64 encoding."))?;
        let json: Value = serde_json::from_slice(&bytes).map_err(|_| invalid("Invalid JSON."))?;
        let Value::Object(document) = json else { return Err(invalid("Invalid JSON.")) };
        let expiration = match document.get("expiration") {
            None => return Err(invalid("Policy missing expiration.")),
            // ISO 8601 in UTC, as documented: other forms that a parser may know are refused.
            Some(Value::String(s)) => (s.as_bytes().get(10) == Some(&b'T') && s.ends_with('Z'))
                .then(|| s.parse().ok())
                .flatten()
                .ok_or_else(|| invalid(&format!("Invalid 'expiration' value: '{s}'")))?,
            Some(v) => return Err(invalid(&format!("Invalid 'expiration' value: '{v}'"))),
        };
        let conditions = match document.get("conditions") {
            None => return Err(invalid("Policy missing conditions.")),
            Some(Value::Array(list)) => {
                let parsed: Result<Vec<_>, _> = list.iter().map(conditions).collect();
                parsed?.into_iter().flatten().collect()
            }
            Some(_) => return Err(invalid("Invalid 'conditions' value: must be a List")),
        };
        Ok(PostPolicy { expiration, conditions })
    }

    /// Holds the form against the policy: it is not expired, each condition is met, and each
    /// field has one. The `key` field must be given as it will be used (`${filename}` filled in).
    ///
    /// # Errors
    /// `AccessDenied`, saying which condition failed.
    pub fn check(&self, fields: Fields<'_>, bucket: &str, now: Timestamp) -> Result<(), ApiError> {
        if now >= self.expiration {
            return Err(denied("Policy expired."));
        }
        let implied = [("bucket".to_owned(), bucket.to_owned())];
        // The bucket is where the form goes, whatever a field of that name claims.
        let given = || fields.iter().filter(|(n, _)| !n.eq_ignore_ascii_case("bucket"));
        let all = || given().chain(&implied);
        for c in &self.conditions {
            let values: Vec<&str> = all()
                .filter(|(n, _)| c.test.field().is_some_and(|f| n.to_lowercase() == *f))
                .map(|(_, v)| v.as_str())
                .collect();
            if !c.test.met(&values) {
                return Err(denied(&format!("Policy Condition failed: {}", c.text)));
            }
        }
        let extra: Vec<String> = all()
            .map(|(n, _)| n.to_lowercase())
            .filter(|n| !FREE.contains(&&**n) && !n.starts_with("x-ignore-"))
            .filter(|n| !self.conditions.iter().any(|c| c.test.field() == Some(n)))
            .collect();
        if extra.is_empty() {
            return Ok(());
        }
        Err(denied(&format!("Extra input fields: {}", extra.join(","))))
    }

    /// The sizes that `content-length-range` allows: at least, at most; `None` without one.
    #[must_use]
    pub fn length_range(&self) -> Option<(u64, u64)> {
        let ranges = self.conditions.iter().filter_map(|c| match c.test {
            Test::Length { least, most } => Some((least, most)),
            _ => None,
        });
        ranges.reduce(|a, b| (a.0.max(b.0), a.1.min(b.1)))
    }

    /// Checks the size of the file.
    ///
    /// # Errors
    /// `EntityTooLarge` or `EntityTooSmall`.
    pub fn check_length(&self, size: u64) -> Result<(), ApiError> {
        let Some((least, most)) = self.length_range() else { return Ok(()) };
        let (code, message, bound, limit) = if size > most {
            let m = "Your proposed upload exceeds the maximum allowed size";
            ("EntityTooLarge", m, "MaxSizeAllowed", most)
        } else if size < least {
            let m = "Your proposed upload is smaller than the minimum allowed size";
            ("EntityTooSmall", m, "MinSizeAllowed", least)
        } else {
            return Ok(());
        };
        Err(ApiError::new(code, message)
            .status(400)
            .field("ProposedSize", size.to_string())
            .field(bound, limit.to_string()))
    }
}

impl Test {
    fn field(&self) -> Option<&String> {
        match self {
            Test::Equals { field, .. } | Test::StartsWith { field, .. } => Some(field),
            Test::Length { .. } => None,
        }
    }

    /// Whether the field with these values meets it. A size is checked later.
    fn met(&self, values: &[&str]) -> bool {
        match self {
            Test::Length { .. } => true,
            Test::Equals { value, .. } => {
                !values.is_empty() && values.iter().all(|v| same(value, v, |v, w| v == w))
            }
            // Whatever comes, or nothing.
            Test::StartsWith { value, .. } if value.is_empty() => true,
            Test::StartsWith { field, value } => {
                let starts = |v: &str| same(value, v, |v, w| w.starts_with(v));
                !values.is_empty()
                    && values.iter().all(|v| match field.as_str() {
                        // A list of types: each must fit.
                        "content-type" => v.split(',').all(|t| starts(t.trim())),
                        _ => starts(v),
                    })
            }
        }
    }
}

/// Compares with a policy's value as it stands, or with its `\$` read as `$`.
fn same(policy: &str, given: &str, f: impl Fn(&str, &str) -> bool) -> bool {
    f(policy, given) || policy.contains("\\$") && f(&policy.replace("\\$", "$"), given)
}

/// An entry of `conditions`: `{"acl": "private"}` or `["starts-with", "$key", "user/"]`.
fn conditions(json: &Value) -> Result<Vec<Condition>, ApiError> {
    let one = |test| Ok(vec![Condition { text: json.to_string(), test }]);
    match json {
        Value::Object(members) if !members.is_empty() => members
            .iter()
            .map(|(name, value)| {
                let value = text(value).ok_or_else(|| bad_condition(json))?;
                // S3 quotes it in its long form.
                let quoted = serde_json::json!(["eq", format!("${name}"), value]);
                let test = Test::Equals { field: name.to_lowercase(), value };
                Ok(Condition { text: quoted.to_string(), test })
            })
            .collect(),
        Value::Array(parts) => {
            let [Value::String(operator), a, b] = parts.as_slice() else {
                return Err(bad_condition(json));
            };
            let operator = operator.to_ascii_lowercase();
            if operator == "content-length-range" {
                let (Some(least), Some(most)) = (number(a), number(b)) else {
                    return Err(bad_condition(json));
                };
                return one(Test::Length { least, most });
            }
            let field = a.as_str().and_then(|f| f.strip_prefix('$')).map(str::to_lowercase);
            let (Some(field), Some(value)) = (field, text(b)) else {
                return Err(bad_condition(json));
            };
            match operator.as_str() {
                "eq" => one(Test::Equals { field, value }),
                "starts-with" => one(Test::StartsWith { field, value }),
                _ => Err(bad_condition(json)),
            }
        }
        _ => Err(bad_condition(json)),
    }
}

fn text(json: &Value) -> Option<String> {
    match json {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

fn number(json: &Value) -> Option<u64> {
    json.as_u64().or_else(|| json.as_str()?.parse().ok())
}

fn bad_condition(json: &Value) -> ApiError {
    invalid(&format!("Invalid Simple-Condition: {json}"))
}

fn invalid(what: &str) -> ApiError {
    ApiError::new("InvalidPolicyDocument", format!("Invalid Policy: {what}")).status(400)
}

fn denied(why: &str) -> ApiError {
    ApiError::new("AccessDenied", format!("Invalid according to Policy: {why}")).status(403)
}
