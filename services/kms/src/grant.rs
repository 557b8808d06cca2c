//! Grants: permissions on one key for one principal, within constraints, that can be given back.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>

use fogbank_core::{ApiError, Arn, Cx, Kind, Result, Value};
use fogbank_store::{Key, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Kms;
use crate::cipher::Context;
use crate::find::last;
use crate::record::Place;
use crate::spec::{Spec, Usage};

mod ops;

pub use ops::OPS;

/// By the place of the key and the grant's id.
pub static GRANTS: Table<Grant> = Table::new("kms.grant");
/// By the place of the key, the grantee and the grant's id.
pub static OF_GRANTEE: Table<()> = Table::new("kms.grant-to");
/// By the principal that may retire it, the place of the key and the grant's id.
pub static RETIRABLE: Table<()> = Table::new("kms.grant-by");

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Grant {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub place: Place,
    #[n(2)]
    pub name: Option<String>,
    #[n(3)]
    pub created: i64,
    #[n(4)]
    pub grantee: String,
    #[n(5)]
    pub retiring: Option<String>,
    /// The account under which it was made.
    #[n(6)]
    pub issuer: String,
    #[n(7)]
    pub operations: Vec<String>,
    #[n(8)]
    pub constraints: Constraints,
}
fogbank_store::record!(Grant, version = 1);

/// What the encryption context of a request must have.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Constraints {
    #[n(0)]
    pub encryption_context_subset: Option<Context>,
    #[n(1)]
    pub encryption_context_equals: Option<Context>,
}

impl Constraints {
    fn is_empty(&self) -> bool {
        self.encryption_context_subset.is_none() && self.encryption_context_equals.is_none()
    }

    /// Whether a request with this encryption context is within them.
    fn hold(&self, context: &Value) -> bool {
        let given: &[_] = match context {
            Value::Map(m) => m,
            _ => &[],
        };
        let has = |k: &str, v: &str| given.iter().any(|(n, x)| n == k && x.as_str() == Some(v));
        let all = |wanted: &Context| wanted.iter().all(|(k, v)| has(k, v));
        self.encryption_context_subset.as_ref().is_none_or(all)
            && self
                .encryption_context_equals
                .as_ref()
                .is_none_or(|wanted| wanted.len() == given.len() && all(wanted))
    }
}

impl Grant {
    fn put(&self, tx: &mut Tx) {
        let place = self.place.key();
        tx.put(&GRANTS, &place.clone().str(&self.id), self);
        tx.put(&OF_GRANTEE, &place.str(&self.grantee).str(&self.id), &());
        if let Some(retiring) = &self.retiring {
            tx.put(&RETIRABLE, &self.retirable(retiring), &());
        }
    }

    fn drop(&self, tx: &mut Tx) {
        let place = self.place.key();
        tx.delete(&GRANTS, &place.clone().str(&self.id));
        tx.delete(&OF_GRANTEE, &place.str(&self.grantee).str(&self.id));
        if let Some(retiring) = &self.retiring {
            tx.delete(&RETIRABLE, &self.retirable(retiring));
        }
    }

    fn retirable(&self, retiring: &str) -> Key {
        let Place { account, region, id } = &self.place;
        Key::new().str(retiring).str(region).str(account).str(id).str(&self.id)
    }

    /// Whether `cx`'s principal may give it back without being told so by a policy.
    pub fn retired_by(&self, cx: &Cx) -> bool {
        let me = names(cx);
        let is_me = |who: &str| me.iter().any(|m| m == who);
        let itself = self.operations.iter().any(|o| o == "RetireGrant") && is_me(&self.grantee);
        itself || self.retiring.as_deref().is_some_and(is_me)
    }
}

/// The names under which a grant may mean `cx`'s principal.
pub fn names(cx: &Cx) -> Vec<String> {
    let p = &cx.principal;
    match &p.kind {
        Kind::AssumedRole { role_arn, .. } => vec![p.arn.clone(), role_arn.clone()],
        Kind::Anonymous => Vec::new(),
        _ => vec![p.arn.clone()],
    }
}

impl Kms {
    /// A grant of the key that lets `cx`'s principal do `operation` with this encryption context.
    pub(crate) async fn granted(
        &self,
        cx: &Cx,
        place: &Place,
        operation: &str,
        context: Option<&Value>,
    ) -> Result<Option<String>> {
        for name in names(cx) {
            let range = Range::prefix(&place.key().str(&name));
            for (entry, ()) in self.store.scan(&OF_GRANTEE, range, usize::MAX).await? {
                let Some(id) = last(&entry) else { continue };
                let Some(grant) = self.store.get(&GRANTS, &place.key().str(&id)).await? else {
                    continue;
                };
                let fits = grant.operations.iter().any(|o| o == operation)
                    && (context.is_none() && !has_context(operation)
                        || grant.constraints.hold(context.unwrap_or(&Value::Null)));
                if fits {
                    return Ok(Some(id));
                }
            }
        }
        Ok(None)
    }

    /// A token for a grant. Grants hold at once here, so that a token only names one.
    fn token(&self, cx: &Cx, grant: &Grant) -> Result<String> {
        use base64::Engine;
        let named = grant.place.key().str(&grant.id);
        let sealed = self.seal.close(cx.ids(), TOKEN, named.as_bytes())?;
        Ok(base64::engine::general_purpose::STANDARD.encode(sealed))
    }

    /// The key, in the table of grants, of the grant that a token names.
    fn open_token(&self, token: &str) -> Result<Key> {
        use base64::Engine;
        let sealed = base64::engine::general_purpose::STANDARD.decode(token).ok();
        let named = sealed.and_then(|s| self.seal.reveal(TOKEN, &s));
        named.map(|n| Key::from_bytes(&n)).ok_or_else(|| {
            ApiError::new("InvalidGrantTokenException", "The grant token is not valid.")
        })
    }

    /// Refuses tokens that no grant was given with.
    pub(crate) fn check_tokens(&self, tokens: &[String]) -> Result<()> {
        tokens.iter().try_for_each(|t| self.open_token(t).map(drop))
    }
}

/// What tokens are sealed for.
const TOKEN: &[u8] = b"kms.grant-token";

/// Whether requests of an operation carry an encryption context.
fn has_context(operation: &str) -> bool {
    matches!(
        operation,
        "Encrypt"
            | "Decrypt"
            | "GenerateDataKey"
            | "GenerateDataKeyWithoutPlaintext"
            | "GenerateDataKeyPair"
            | "GenerateDataKeyPairWithoutPlaintext"
            | "ReEncryptFrom"
            | "ReEncryptTo"
    )
}

/// Whether grants may give an operation on a key of this spec and usage.
fn grantable(operation: &str, spec: Spec, usage: Usage) -> bool {
    match operation {
        "CreateGrant" | "RetireGrant" | "DescribeKey" => true,
        "Encrypt" | "Decrypt" | "ReEncryptFrom" | "ReEncryptTo" => usage == Usage::EncryptDecrypt,
        "GenerateMac" | "VerifyMac" => usage == Usage::GenerateVerifyMac,
        "Sign" | "Verify" => usage == Usage::SignVerify,
        "DeriveSharedSecret" => usage == Usage::KeyAgreement,
        "GetPublicKey" => spec.kind() == 2,
        _ => spec == Spec::Symmetric,
    }
}

/// Takes a text as a grant's principal.
fn check_principal(text: &str) -> Result<()> {
    let known = Arn::parse(text).is_some_and(|a| {
        matches!(a.service, "iam" | "sts")
            && a.account.len() == 12
            && !a.resource.is_empty()
            && !text.contains('*')
    });
    if known {
        return Ok(());
    }
    Err(ApiError::new("InvalidArnException", format!("Invalid principal {text}")))
}

/// Takes all grants of a key away.
pub async fn drop_all(tx: &mut Tx, place: &Place) -> Result<()> {
    for (_, grant) in tx.scan(&GRANTS, Range::prefix(&place.key()), usize::MAX).await? {
        grant.drop(tx);
    }
    Ok(())
}
