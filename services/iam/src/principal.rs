//! Users, groups and roles as holders of permissions: inline policies, attachments, a boundary.

use std::collections::BTreeMap;

use fogbank_core::Result;
use fogbank_store::{Key, Range, Store, Table, Tx};
use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::entity::{Entity, Kind};
use crate::error::delete_conflict;

/// What a user, a group or a role has been granted.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Grants {
    /// Inline policies by name: the JSON texts as they were given.
    #[n(0)]
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies, in the order of attachment.
    #[n(1)]
    pub attached: Vec<String>,
    /// The ARN of the permissions boundary.
    #[n(2)]
    pub boundary: Option<String>,
}

/// A resource that holds permissions.
pub trait Grantee: Entity {
    /// The most that its inline policies may have in all, in characters that are no white space.
    const INLINE_SIZE: usize;
    /// The quota of managed policies per entity, by name.
    const ATTACHED_QUOTA: &'static str;

    fn grants(&self) -> &Grants;
    fn grants_mut(&mut self) -> &mut Grants;

    /// Refuses what must not be changed by hand: roles linked to a service.
    fn check_modifiable(&self) -> Result<()> {
        Ok(())
    }
}

/// How a managed policy is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    Permissions = 1,
    Boundary = 2,
}

/// Who uses a managed policy: account, policy ARN, usage, kind, unique id of the user.
static USES: Table<()> = Table::new("iam.policy-use");

/// Notes in the transaction that `holder` uses the policy.
pub fn note_use<G: Grantee>(tx: &mut Tx, account: &str, holder: &G, arn: &str, usage: Usage) {
    tx.put(&USES, &use_key(account, holder, arn, usage), &());
}

/// Takes back [`note_use`].
pub fn drop_use<G: Grantee>(tx: &mut Tx, account: &str, holder: &G, arn: &str, usage: Usage) {
    tx.delete(&USES, &use_key(account, holder, arn, usage));
}

/// Takes back all uses of a holder that is being deleted.
pub fn drop_uses<G: Grantee>(tx: &mut Tx, account: &str, holder: &G) {
    for arn in &holder.grants().attached {
        drop_use(tx, account, holder, arn, Usage::Permissions);
    }
    if let Some(arn) = &holder.grants().boundary {
        drop_use(tx, account, holder, arn, Usage::Boundary);
    }
}

/// The kind (as [`Kind`]'s number) and unique id of everyone in `account` who uses the policy so.
pub async fn users_of(
    store: &Store,
    account: &str,
    arn: &str,
    usage: Usage,
) -> Result<Vec<(u64, String)>> {
    let prefix = Key::new().str(account).str(arn).u64(usage as u64);
    let rows = store.scan(&USES, Range::prefix(&prefix), usize::MAX).await?;
    let read = |key: &Key| {
        let mut parts = key.parts();
        let kind = parts.nth(3)?;
        match (kind, parts.text()) {
            (fogbank_store::Part::U64(kind), Some(id)) => Some((kind, id.into_owned())),
            _ => None,
        }
    };
    Ok(rows.iter().filter_map(|(key, ())| read(key)).collect())
}

fn use_key<G: Grantee>(account: &str, holder: &G, arn: &str, usage: Usage) -> Key {
    let key = Key::new().str(account).str(arn).u64(usage as u64);
    key.u64(G::KIND as u64).str(&holder.head().id)
}

/// A permissions boundary in answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BoundaryView {
    permissions_boundary_type: &'static str,
    permissions_boundary_arn: String,
}

impl BoundaryView {
    pub fn of(grants: &Grants) -> Option<Self> {
        let permissions_boundary_arn = grants.boundary.clone()?;
        Some(BoundaryView { permissions_boundary_type: "Policy", permissions_boundary_arn })
    }
}

/// Refuses to delete a holder that still has policies.
pub fn check_bare(grants: &Grants) -> Result<()> {
    if !grants.attached.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    if !grants.inline.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must delete policies first."));
    }
    Ok(())
}

/// The kind that a number in a key stands for.
pub fn kind_of(number: u64) -> Option<Kind> {
    [Kind::User, Kind::Group, Kind::Role].into_iter().find(|k| *k as u64 == number)
}
