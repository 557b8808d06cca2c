//! Session tokens: made by STS, opened at each request, stored nowhere.
//!
//! A token is base64 of the session (CBOR) and its HMAC-SHA256 under the installation's secret. The
//! secret access key that belongs to it is derived from the same two, so a token that opens is all
//! that is needed to verify a signature.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::principal::Session;
use fogbank_core::{Ids, Kind, Principal, Result};
use fogbank_store::Store;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use sha2::Sha256;

use crate::{keys, secret};

const MAC: usize = 32;
/// Longer texts are no tokens of ours; AWS's own stay far below.
const LONGEST: usize = 64 * 1024;

/// What a session may be and until when. The tags of `principal` are the session's own; those of
/// its role are added when the token is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub principal: Principal,
    /// Managed policies that limit the session beside `principal.session_policies`, by ARN: they
    /// apply as they stand at each request.
    pub policy_arns: Vec<String>,
    pub expires: Timestamp,
}

/// The credentials of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    pub access_key: String,
    pub secret: String,
    pub token: String,
}

/// Makes and opens session tokens; cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<[u8; 32]>);

impl Sessions {
    /// Reads the installation's secret, or makes it at the first start.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(store: &Store, ids: &Ids) -> Result<Self> {
        Ok(Sessions(Arc::new(secret::of(store, ids, "session").await?)))
    }

    /// Credentials for `grant`.
    #[must_use]
    pub fn issue(&self, ids: &Ids, grant: &Grant) -> Issued {
        let access_key = keys::key_id(ids, "ASIA", &grant.principal.account);
        let mut text = minicbor::to_vec(Wire::new(&access_key, grant)).unwrap_or_default();
        let mac = self.mac(b"token", &text);
        text.extend_from_slice(&mac);
        let secret = self.secret(&text);
        Issued { access_key, secret, token: STANDARD.encode(&text) }
    }

    /// The grant behind `token` and the secret access key that belongs to it; `None` when the token
    /// is not ours or belongs to another access key. Expiry is for the caller to judge.
    #[must_use]
    pub fn verify(&self, access_key: &str, token: &str) -> Option<(Grant, String)> {
        if token.len() > LONGEST {
            return None;
        }
        let text = STANDARD.decode(token).ok()?;
        let (body, mac) = text.split_at_checked(text.len().checked_sub(MAC)?)?;
        self.keyed(b"token", body).verify_slice(mac).ok()?;
        let wire: Wire = minicbor::decode(body).ok()?;
        if wire.access_key != access_key {
            return None;
        }
        Some((wire.into_grant()?, self.secret(&text)))
    }

    fn secret(&self, token: &[u8]) -> String {
        let mut s = STANDARD.encode(self.mac(b"secret", token));
        s.truncate(40);
        s
    }

    fn mac(&self, purpose: &[u8], data: &[u8]) -> [u8; MAC] {
        self.keyed(purpose, data).finalize().into_bytes().into()
    }

    fn keyed(&self, purpose: &[u8], data: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("any length is a key");
        mac.update(purpose);
        mac.update(&[0]);
        mac.update(data);
        mac
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

/// The token's content. New fields get new indices, so that older tokens keep opening.
#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    access_key: String,
    #[n(1)]
    account: String,
    #[n(2)]
    arn: String,
    #[n(3)]
    id: String,
    #[n(4)]
    kind: WireKind,
    #[n(5)]
    tags: Vec<(String, String)>,
    #[n(6)]
    session_policies: Vec<String>,
    #[n(7)]
    policy_arns: Vec<String>,
    #[n(8)]
    issued_us: i64,
    #[n(9)]
    expires_us: i64,
    #[n(10)]
    source_identity: Option<String>,
    #[n(11)]
    transitive_tags: Vec<String>,
    #[n(12)]
    federated_provider: Option<String>,
    #[n(13)]
    claims: Vec<(String, Vec<String>)>,
}

#[derive(Encode, Decode)]
enum WireKind {
    #[n(0)]
    Root,
    #[n(1)]
    User(#[n(0)] String),
    #[n(2)]
    AssumedRole(#[n(0)] String, #[n(1)] String, #[n(2)] String),
    #[n(3)]
    Federated(#[n(0)] String, #[n(1)] String),
}

impl Wire {
    fn new(access_key: &str, g: &Grant) -> Self {
        let p = &g.principal;
        let s = p.session.as_deref().cloned().unwrap_or_default();
        Wire {
            access_key: access_key.into(),
            account: p.account.clone(),
            arn: p.arn.clone(),
            id: p.id.clone(),
            kind: match &p.kind {
                Kind::User { name } => WireKind::User(name.clone()),
                Kind::AssumedRole { role_arn, role_name, session } => {
                    WireKind::AssumedRole(role_arn.clone(), role_name.clone(), session.clone())
                }
                Kind::Federated { name, user_arn } => {
                    WireKind::Federated(name.clone(), user_arn.clone())
                }
                // STS gives no session to the others.
                Kind::Root | Kind::Anonymous | Kind::Service => WireKind::Root,
            },
            tags: p.tags.clone(),
            session_policies: p.session_policies.clone(),
            policy_arns: g.policy_arns.clone(),
            issued_us: s.issued.as_microsecond(),
            expires_us: g.expires.as_microsecond(),
            source_identity: s.source_identity,
            transitive_tags: s.transitive_tags,
            federated_provider: s.federated_provider,
            claims: s.claims,
        }
    }

    fn into_grant(self) -> Option<Grant> {
        let session = Session {
            issued: Timestamp::from_microsecond(self.issued_us).ok()?,
            source_identity: self.source_identity,
            transitive_tags: self.transitive_tags,
            federated_provider: self.federated_provider,
            claims: self.claims,
        };
        let principal = Principal {
            account: self.account,
            arn: self.arn,
            id: self.id,
            kind: match self.kind {
                WireKind::Root => Kind::Root,
                WireKind::User(name) => Kind::User { name },
                WireKind::AssumedRole(role_arn, role_name, session) => {
                    Kind::AssumedRole { role_arn, role_name, session }
                }
                WireKind::Federated(name, user_arn) => Kind::Federated { name, user_arn },
            },
            tags: self.tags,
            session_policies: self.session_policies,
            session: Some(Box::new(session)),
        };
        Some(Grant {
            principal,
            policy_arns: self.policy_arns,
            expires: Timestamp::from_microsecond(self.expires_us).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        Sessions(Arc::new([7; 32]))
    }

    fn grant() -> Grant {
        let mut principal = Principal::root("123456789012");
        principal.kind = Kind::AssumedRole {
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            role_name: "r".into(),
            session: "s".into(),
        };
        principal.tags = vec![("team".into(), "red".into())];
        principal.session_policies = vec!["{}".into()];
        principal.session = Some(Box::new(Session {
            issued: Timestamp::from_second(5).unwrap(),
            source_identity: Some("ann".into()),
            transitive_tags: vec!["team".into()],
            ..Session::default()
        }));
        let expires = Timestamp::from_second(3605).unwrap();
        Grant { principal, policy_arns: vec!["arn".into()], expires }
    }

    #[test]
    fn a_token_opens_to_what_was_granted() {
        let s = sessions();
        let i = s.issue(&Ids::seeded(1), &grant());
        let (opened, secret) = s.verify(&i.access_key, &i.token).unwrap();
        assert_eq!((opened, secret), (grant(), i.secret.clone()));
        assert_eq!(i.secret.len(), 40);
    }

    #[test]
    fn only_the_right_token_opens() {
        let s = sessions();
        let i = s.issue(&Ids::seeded(1), &grant());
        assert_eq!(s.verify("ASIAQAAAAAAAAAAAAAAA", &i.token), None, "another key");
        let mut bytes = STANDARD.decode(&i.token).unwrap();
        bytes[3] ^= 1;
        assert_eq!(s.verify(&i.access_key, &STANDARD.encode(&bytes)), None, "altered");
        let other = Sessions(Arc::new([8; 32]));
        assert_eq!(other.verify(&i.access_key, &i.token), None, "another installation");
        for junk in ["", "AAAA", "not base64!", &"A".repeat(1 << 20)] {
            assert_eq!(s.verify(&i.access_key, junk), None);
        }
    }
}
