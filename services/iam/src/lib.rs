//! AWS Identity and Access Management: users, groups, roles, policies, and who an access key is.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html>
//!
//! State is per account and has no region. Resources refer to each other by their unique id, so a
//! rename touches one record. Every change renews the account's version, which tells all nodes that
//! what they remember of its identities is stale.
//!
//! **Invariant:** one transaction per operation; nothing is kept in memory that the account's
//! version does not vouch for.

mod access_key;
mod account;
mod attached;
mod authz;
mod boundary;
mod details;
mod document;
mod entity;
mod error;
mod group;
mod identities;
mod inline;
mod instance_profile;
mod managed;
mod membership;
mod none;
mod oidc;
mod page;
mod password;
mod policy;
mod principal;
mod role;
mod service_linked;
mod simulate;
mod summary;
mod tag;
#[cfg(test)]
mod testing;
mod user;
mod version;

use std::sync::Arc;

use fogbank_core::{Clock, Cx, Result, Service};
use fogbank_identity::Sessions;
use fogbank_store::{Key, Store, Table, Tx};

/// What an account's identities looked like: renewed by every change in the account.
static VERSIONS: Table<u64> = Table::new("iam.version");

/// The service's state.
pub struct Iam {
    store: Store,
    sessions: Sessions,
    known: identities::Known,
}

impl Iam {
    /// IAM over `store`. It implements [`fogbank_core::Identities`] for the gateway and
    /// [`fogbank_identity::Directory`] for STS.
    #[must_use]
    pub fn new(store: Store, sessions: Sessions, clock: Clock) -> Arc<Self> {
        Arc::new(Iam { store, sessions, known: identities::Known::new(clock) })
    }

    /// The operations of [`Iam`] as the gateway serves them.
    #[must_use]
    pub fn service(self: &Arc<Self>) -> Service {
        Service::new(
            "iam",
            self.clone(),
            &[
                access_key::OPS,
                account::OPS,
                attached::OPS,
                boundary::OPS,
                details::OPS,
                group::OPS,
                inline::OPS,
                instance_profile::OPS,
                membership::OPS,
                none::OPS,
                oidc::OPS,
                password::OPS,
                policy::OPS,
                role::OPS,
                service_linked::OPS,
                simulate::OPS,
                summary::OPS,
                tag::OPS,
                user::OPS,
                version::OPS,
            ],
        )
    }

    /// Commits a change of `cx`'s account. The version is a fresh random number rather than a
    /// counter, so no lock is shared by all changes of an account.
    async fn commit(&self, cx: &Cx, mut tx: Tx) -> Result<()> {
        let mut version = [0; 8];
        cx.ids().fill(&mut version);
        tx.put(&VERSIONS, &Key::new().str(&cx.account), &u64::from_le_bytes(version));
        tx.commit().await?;
        Ok(())
    }

    /// The account's version, 0 before its first change.
    async fn version(&self, account: &str) -> Result<u64> {
        Ok(self.store.get(&VERSIONS, &Key::new().str(account)).await?.unwrap_or(0))
    }
}
