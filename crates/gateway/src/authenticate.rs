//! Authentication: from a signature to the principal that made it.

use std::sync::Arc;

use fogbank_core::{ApiError, Credential, Principal, Result, Str, clock};
use fogbank_sigv4::key::SigningKey;
use fogbank_sigv4::{Dialect, Error, Head, Signed, Terms};

use crate::{Gateway, browser};

/// Where requests act that name no region.
const REGION: &str = "us-east-1";
/// Where requests act that name no account: unsigned ones.
const ACCOUNT: &str = "000000000000";

/// Who makes a request.
pub struct Caller {
    pub principal: Arc<Principal>,
    pub account: String,
    pub region: Str,
    pub access_key: Option<String>,
}

impl Caller {
    /// The owner of a key that has signed for `region`.
    pub fn of(credential: &Credential, region: &str) -> Self {
        Caller {
            account: credential.principal.account.clone(),
            principal: Arc::clone(&credential.principal),
            region: region_name(region),
            access_key: Some(credential.access_key.clone()),
        }
    }

    /// Whoever sends no signature.
    pub fn anonymous(principal: Arc<Principal>, region: Option<&str>) -> Self {
        Caller {
            principal,
            account: ACCOUNT.into(),
            region: region_name(region.unwrap_or(REGION)),
            access_key: None,
        }
    }
}

impl Gateway {
    /// Verifies `signed` over `head`. `payload` is the text that stands for the body in the
    /// signature. The key that comes back signs the chunks of the body.
    pub(crate) async fn authenticate(
        &self,
        head: &Head<'_>,
        signed: &Signed<'_>,
        payload: &str,
        dialect: Dialect,
    ) -> Result<(Caller, SigningKey)> {
        let access_key = signed.scope.access_key();
        let credential =
            self.identities.credential(access_key, signed.token.as_deref()).await?.ok_or_else(
                || {
                    let access_key = access_key.to_owned();
                    // A temporary key is known by its token: if there is one, that is what is wrong.
                    match &signed.token {
                        Some(token) => Error::Token { token: token.to_string() },
                        None => Error::UnknownKey { access_key },
                    }
                    .api(dialect)
                },
            )?;
        browser::check(head.headers, &credential)?;
        let terms = Terms { dialect, secret: &credential.secret, payload, now: clock::real_now() };
        if !is_region(signed.scope.region()) {
            let given = signed.scope.region().to_owned();
            let region = Error::Region { place: signed.place, given, expected: REGION.into() };
            return Err(region.api(dialect));
        }
        let key = signed.verify(head, &terms, &self.keys).map_err(|e| e.api(dialect))?;
        self.session(signed, &credential).map_err(|e| e.api(dialect))?;
        let scope = &signed.scope;
        self.identities.used(&credential, scope.service(), scope.region()).await;
        Ok((Caller::of(&credential, scope.region()), key))
    }

    fn session(&self, signed: &Signed<'_>, credential: &Credential) -> Result<(), Error> {
        let ended = credential.expires.is_some_and(|e| e <= self.clock.now());
        signed.verify_token(credential.session_token.as_deref(), ended)
    }
}

/// The refusal of a request without a signature that needs one.
pub fn missing(dialect: Dialect) -> ApiError {
    Error::Missing.api(dialect)
}

/// Whether a text may stand for a region: it becomes part of ARNs.
fn is_region(name: &str) -> bool {
    name == "*"
        || name.len() <= 32
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A region's name without an allocation for the usual ones. `aws-global` and the like, which some
/// SDKs sign for, are where global services live.
fn region_name(name: &str) -> Str {
    const KNOWN: [&str; 8] = [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "eu-west-1",
        "eu-central-1",
        "ap-southeast-1",
        "ap-northeast-1",
    ];
    if matches!(name, "aws-global" | "*" | "") {
        return REGION.into();
    }
    KNOWN.iter().find(|k| **k == name).map_or_else(|| name.to_owned().into(), |k| (*k).into())
}
