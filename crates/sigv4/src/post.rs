//! Browser uploads: the signature of a POST form, and the policy that it signs.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html>
//!
//! S3's way through: [`PostAuth::parse`] the form's fields; find the credential of
//! [`PostAuth::access_key`]; [`PostAuth::verify`]; [`PostPolicy::parse`] and
//! [`PostPolicy::check`] the fields; when the file's size is known, [`PostPolicy::check_length`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::ApiError;
use jiff::Timestamp;

use crate::auth::{ALGORITHM, Scope};
use crate::date::Date;
use crate::error::{Dialect, Error, Mismatch, Place};
use crate::key::Keys;
use crate::v2;

mod policy;

pub use policy::PostPolicy;

/// The form's fields in their order, values as text; names are compared without regard to case.
pub type Fields<'a> = &'a [(String, String)];

/// The signature of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostAuth<'a> {
    access_key: &'a str,
    /// The policy as signed: base64.
    policy: &'a str,
    signature: &'a str,
    /// The session token of a temporary key.
    pub token: Option<&'a str>,
    form: Form<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form<'a> {
    Version4 {
        scope: Scope<'a>,
    },
    /// HMAC-SHA1 of the policy, which S3 still takes here (`AWSAccessKeyId`, `signature`).
    Version2,
}

impl<'a> PostAuth<'a> {
    /// Finds the signature among the fields; `None` when the form is not signed at all.
    ///
    /// # Errors
    /// `InvalidArgument` when some of its fields are missing or malformed.
    pub fn parse(fields: Fields<'a>) -> Result<Option<Self>, ApiError> {
        let policy = field(fields, "policy");
        let token = field(fields, "x-amz-security-token");
        if let Some(access_key) = field(fields, "AWSAccessKeyId") {
            return Ok(Some(PostAuth {
                access_key,
                policy: policy.ok_or_else(|| missing("policy"))?,
                signature: field(fields, "signature").ok_or_else(|| missing("signature"))?,
                token,
                form: Form::Version2,
            }));
        }
        let signature = field(fields, "x-amz-signature");
        let Some(policy) = policy else {
            return if signature.is_some() { Err(missing("policy")) } else { Ok(None) };
        };
        let algorithm =
            field(fields, "x-amz-algorithm").ok_or_else(|| missing("X-Amz-Algorithm"))?;
        if algorithm != ALGORITHM {
            let m = "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"";
            return Err(argument("X-Amz-Algorithm", algorithm, m));
        }
        let credential =
            field(fields, "x-amz-credential").ok_or_else(|| missing("X-Amz-Credential"))?;
        let scope = Scope::parse(credential.into(), Place::Query).map_err(|e| {
            let message = e.api(Dialect::S3).message().to_owned();
            argument("X-Amz-Credential", credential, &message)
        })?;
        let date = field(fields, "x-amz-date").ok_or_else(|| missing("X-Amz-Date"))?;
        if Date::parse(date).is_none_or(|d| d.day() != scope.date()) {
            let m = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"";
            return Err(argument("X-Amz-Date", date, m));
        }
        Ok(Some(PostAuth {
            access_key: &credential[..scope.access_key().len()],
            policy,
            signature: signature.ok_or_else(|| missing("X-Amz-Signature"))?,
            token,
            form: Form::Version4 { scope },
        }))
    }

    /// The access key id that signed.
    #[must_use]
    pub fn access_key(&self) -> &'a str {
        self.access_key
    }

    /// The policy in base64, for [`PostPolicy::parse`].
    #[must_use]
    pub fn policy(&self) -> &'a str {
        self.policy
    }

    /// Checks the signature over the policy. How long it holds is the policy's own business.
    ///
    /// # Errors
    /// `SignatureDoesNotMatch`.
    pub fn verify(&self, secret: &str, keys: &Keys) -> Result<(), ApiError> {
        let good = match &self.form {
            Form::Version4 { scope } => keys
                .get(secret, scope.date(), scope.region(), scope.service())
                .check(self.policy.as_bytes(), self.signature),
            Form::Version2 => v2::matches(secret, self.policy, self.signature),
        };
        if good {
            return Ok(());
        }
        let mismatch = Mismatch {
            access_key: self.access_key.to_owned(),
            signature: self.signature.to_owned(),
            string_to_sign: self.policy.to_owned(),
            canonical_request: String::new(),
        };
        Err(Error::Mismatch(Box::new(mismatch)).api(Dialect::S3))
    }
}

/// A field's value by its name.
#[must_use]
pub fn field<'a>(fields: Fields<'a>, name: &str) -> Option<&'a str> {
    fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

/// The fields of a signed form, for tests and for presigning: `policy` is its JSON text.
#[must_use]
pub fn sign(
    policy: &str,
    access_key: &str,
    secret: &str,
    region: &str,
    now: Timestamp,
) -> Vec<(String, String)> {
    let date = Date::new(now);
    let policy = STANDARD.encode(policy);
    let key = crate::key::SigningKey::derive(secret, date.day(), region, "s3");
    let credential = format!("{access_key}/{}/{region}/s3/aws4_request", date.day());
    let signature = key.sign(policy.as_bytes());
    [
        ("policy", policy),
        ("x-amz-algorithm", ALGORITHM.into()),
        ("x-amz-credential", credential),
        ("x-amz-date", date.text().into()),
        ("x-amz-signature", signature),
    ]
    .map(|(n, v)| (n.to_owned(), v))
    .into()
}

fn missing(name: &'static str) -> ApiError {
    let m = format!(
        "Bucket POST must contain a field named '{name}'.  If it is specified, please check the \
         order of the fields."
    );
    argument(name, "", &m)
}

fn argument(name: &'static str, value: &str, message: &str) -> ApiError {
    ApiError::new("InvalidArgument", message)
        .status(400)
        .field("ArgumentName", name)
        .field("ArgumentValue", value.to_owned())
}

#[cfg(test)]
mod tests;
