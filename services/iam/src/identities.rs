//! Who an access key is and what it may: IAM as the gateway and STS see it.
//!
//! What is remembered here is valid as long as the account's version stands, which is read at each
//! request; so a change takes effect with the next request, on every node.

use std::collections::HashMap;
use std::sync::Arc;

use fogbank_core::authz::PolicySet;
use fogbank_core::{
    Arn, BoxFuture, Clock, Credential, Cx, Identities, Kind as Who, Principal, Result,
};
use fogbank_identity::{Directory, Grant, OidcProvider};
use fogbank_store::Key;
use parking_lot::Mutex;

use crate::access_key::{KEY_USES, KEYS, KeyUse};
use crate::entity::Entity;
use crate::oidc::Provider;
use crate::policy::Policy;
use crate::principal::{Grantee, Grants};
use crate::role::{LAST_USED, LastUsed, Role};
use crate::tag::Tag;
use crate::user::User;
use crate::{Iam, managed};

/// The key and the secret of the root user of the account 000000000000. Twelve digits with the
/// same secret are the root user of that account.
const TEST: &str = "test";
const TEST_ACCOUNT: &str = "000000000000";

/// Grants nothing: stands for session policies that are all gone.
pub const NOTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

/// Uses of one key are noted once in this many seconds.
const NOTE_EVERY: i64 = 60;

/// Credentials and policy sets, each with the version of the account that they come from.
pub struct Known {
    clock: Clock,
    credentials: Memory<String, (u64, Option<String>, Arc<Credential>)>,
    policies: Memory<(String, String), (u64, Arc<PolicySet>)>,
    noted: Memory<String, i64>,
}

type Memory<K, V> = Mutex<HashMap<K, V>>;

/// A full memory is emptied rather than sorted: what is in use comes back at the next request.
const MOST: usize = 10_000;

impl Known {
    pub fn new(clock: Clock) -> Self {
        let (credentials, policies, noted) = Default::default();
        Known { clock, credentials, policies, noted }
    }
}

fn keep<K: std::hash::Hash + Eq, V>(memory: &Memory<K, V>, key: K, value: V) {
    let mut memory = memory.lock();
    if memory.len() >= MOST {
        memory.clear();
    }
    memory.insert(key, value);
}

impl Identities for Iam {
    fn credential<'a>(
        &'a self,
        access_key: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Arc<Credential>>>> {
        Box::pin(async move {
            if let Some(account) = root_account(access_key) {
                return Ok(Some(Arc::new(root(access_key, account))));
            }
            let remembered = self.known.credentials.lock().get(access_key).cloned();
            if let Some((version, token, credential)) = remembered
                && token.as_deref() == session_token
                && version == self.version(&credential.principal.account).await?
            {
                return Ok(Some(credential));
            }
            let found = match session_token {
                Some(token) => self.temporary(access_key, token).await?,
                None => self.long_term(access_key).await?,
            };
            let Some((version, credential)) = found else { return Ok(None) };
            let credential = Arc::new(credential);
            let entry = (version, session_token.map(str::to_owned), credential.clone());
            keep(&self.known.credentials, access_key.to_owned(), entry);
            Ok(Some(credential))
        })
    }

    fn policies<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<Arc<PolicySet>>> {
        Box::pin(async move {
            let (account, id) = match &principal.kind {
                Who::User { .. } | Who::AssumedRole { .. } | Who::Federated { .. } => {
                    (principal.account.as_str(), holder_id(principal))
                }
                Who::Root | Who::Anonymous | Who::Service => return Ok(Arc::default()),
            };
            let version = self.version(account).await?;
            let key = (account.to_owned(), id.to_owned());
            let remembered = self.known.policies.lock().get(&key).cloned();
            if let Some((at, set)) = remembered
                && at == version
            {
                return Ok(set);
            }
            let set = Arc::new(self.policy_set(principal).await?);
            keep(&self.known.policies, key, (version, set.clone()));
            Ok(set)
        })
    }

    fn used<'a>(
        &'a self,
        credential: &'a Credential,
        service: &'a str,
        region: &'a str,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let at = self.known.clock.now().as_second();
            let key = &credential.access_key;
            let recent = |t: &i64| (0..NOTE_EVERY).contains(&(at - t));
            if self.known.noted.lock().get(key).is_some_and(recent) {
                return;
            }
            keep(&self.known.noted, key.clone(), at);
            let principal = &credential.principal;
            // A note that is lost costs nothing but the note.
            let _ = match &principal.kind {
                Who::AssumedRole { .. } => {
                    let key = Key::new().str(&principal.account).str(holder_id(principal));
                    let last = LastUsed { at, region: region.to_owned() };
                    self.store.put(&LAST_USED, &key, &last).await
                }
                Who::User { .. } if principal.session.is_none() => {
                    let (service, region) = (service.to_owned(), region.to_owned());
                    self.store
                        .put(&KEY_USES, &Key::new().str(key), &KeyUse { at, service, region })
                        .await
                }
                _ => Ok(()),
            };
        })
    }
}

fn root_account(access_key: &str) -> Option<&str> {
    let number = access_key.len() == 12 && access_key.bytes().all(|b| b.is_ascii_digit());
    match access_key {
        TEST => Some(TEST_ACCOUNT),
        account if number => Some(account),
        _ => None,
    }
}

fn root(access_key: &str, account: &str) -> Credential {
    Credential {
        access_key: access_key.to_owned(),
        secret: TEST.to_owned(),
        session_token: None,
        expires: None,
        principal: Arc::new(Principal::root(account)),
    }
}

/// The unique id of the user or role behind a principal: `aws:userid` up to the colon. A federated
/// session is named after the user who asked for it.
fn holder_id(principal: &Principal) -> &str {
    match &principal.kind {
        Who::Federated { user_arn, .. } => user_arn,
        _ => principal.id.split(':').next().unwrap_or_default(),
    }
}

impl Iam {
    /// The credential of a user's key, with the version of the account that it was read at.
    async fn long_term(&self, access_key: &str) -> Result<Option<(u64, Credential)>> {
        let at = Key::new().str(access_key);
        let Some(key) = self.store.get(&KEYS, &at).await? else { return Ok(None) };
        let version = self.version(&key.account).await?;
        // Read again: the key may have changed between the two reads.
        let Some(key) = self.store.get(&KEYS, &at).await? else { return Ok(None) };
        let user: Option<User> = self.holder(&key.account, &key.user_id).await?;
        let Some(user) = user.filter(|_| key.active) else { return Ok(None) };
        let credential = Credential {
            access_key: access_key.to_owned(),
            secret: key.secret,
            session_token: None,
            expires: None,
            principal: Arc::new(user_principal(&key.account, &user)),
        };
        Ok(Some((version, credential)))
    }

    /// The credential of a session.
    async fn temporary(&self, access_key: &str, token: &str) -> Result<Option<(u64, Credential)>> {
        let Some((grant, secret)) = self.sessions.verify(access_key, token) else {
            return Ok(None);
        };
        let version = self.version(&grant.principal.account).await?;
        let expires = grant.expires;
        let Some(principal) = self.session_principal(grant).await? else { return Ok(None) };
        let credential = Credential {
            access_key: access_key.to_owned(),
            secret,
            session_token: Some(token.to_owned()),
            expires: Some(expires),
            principal: Arc::new(principal),
        };
        Ok(Some((version, credential)))
    }

    /// A session's principal as it stands now; `None` when its user or role is gone.
    async fn session_principal(&self, grant: Grant) -> Result<Option<Principal>> {
        let mut principal = grant.principal;
        let account = principal.account.clone();
        let id = principal.id.split(':').next().unwrap_or_default();
        match &principal.kind {
            Who::AssumedRole { .. } => {
                let Some(role) = self.holder::<Role>(&account, id).await? else { return Ok(None) };
                let own = pairs(&role.head.tags);
                let fresh =
                    |k: &str| !principal.tags.iter().any(|(s, _)| s.eq_ignore_ascii_case(k));
                let own: Vec<_> = own.into_iter().filter(|(k, _)| fresh(k)).collect();
                principal.tags.extend(own);
            }
            Who::User { .. } => {
                let Some(user) = self.holder::<User>(&account, id).await? else { return Ok(None) };
                let session = principal.session.take();
                principal = Principal { session, ..user_principal(&account, &user) };
            }
            Who::Federated { user_arn, .. } => {
                if !user_arn.ends_with(":root") && self.user_at(user_arn).await?.is_none() {
                    return Ok(None);
                }
            }
            Who::Root | Who::Anonymous | Who::Service => {}
        }
        for arn in &grant.policy_arns {
            let text = self.managed_policy(arn).await?;
            principal.session_policies.extend(text.map(|t| t.to_string()));
        }
        if !grant.policy_arns.is_empty() && principal.session_policies.is_empty() {
            principal.session_policies.push(NOTHING.to_owned());
        }
        Ok(Some(principal))
    }

    async fn user_at(&self, arn: &str) -> Result<Option<User>> {
        let Some(parsed) = Arn::parse(arn) else { return Ok(None) };
        let name = parsed.resource.rsplit('/').next().unwrap_or_default();
        let user: Option<User> = self.find(parsed.account, name).await?;
        Ok(user.filter(|u| u.arn(parsed.account) == arn))
    }

    /// The policies of a user, of a role, or of the user behind a federated session.
    async fn policy_set(&self, principal: &Principal) -> Result<PolicySet> {
        let account = &principal.account;
        let id = holder_id(principal);
        let mut set = PolicySet::default();
        let user = match &principal.kind {
            Who::AssumedRole { .. } => {
                if let Some(role) = self.holder::<Role>(account, id).await? {
                    self.collect(role.grants(), &mut set).await?;
                }
                return Ok(set);
            }
            // Root's own federated sessions are limited by their session policies alone.
            Who::Federated { user_arn, .. } if user_arn.ends_with(":root") => {
                set.identity.extend(self.managed_policy(managed::ADMINISTRATOR).await?);
                return Ok(set);
            }
            Who::Federated { user_arn, .. } => self.user_at(user_arn).await?,
            _ => self.holder::<User>(account, id).await?,
        };
        let Some(user) = user else { return Ok(set) };
        self.collect(user.grants(), &mut set).await?;
        for group in self.groups_of(account, &user).await? {
            self.collect(group.grants(), &mut set).await?;
        }
        Ok(set)
    }

    /// Adds the texts of what is granted to a set.
    pub(crate) async fn collect(&self, grants: &Grants, set: &mut PolicySet) -> Result<()> {
        set.identity.extend(grants.inline.values().map(|t| Arc::from(t.as_str())));
        for arn in &grants.attached {
            set.identity.extend(self.managed_policy(arn).await?);
        }
        if let Some(arn) = &grants.boundary {
            set.boundary = self.managed_policy(arn).await?.or_else(|| Some(NOTHING.into()));
        }
        Ok(())
    }
}

pub fn user_principal(account: &str, user: &User) -> Principal {
    Principal {
        account: account.to_owned(),
        arn: user.arn(account),
        id: user.head.id.clone(),
        kind: Who::User { name: user.head.name.clone() },
        tags: pairs(&user.head.tags),
        session_policies: Vec::new(),
        session: None,
    }
}

fn pairs(tags: &[Tag]) -> Vec<(String, String)> {
    tags.iter().map(|t| (t.key.clone(), t.value.clone())).collect()
}

impl Directory for Iam {
    fn role<'a>(
        &'a self,
        account: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<fogbank_identity::Role>>> {
        Box::pin(async move {
            let role: Option<Role> = self.find(account, name).await?;
            Ok(role.map(|role| fogbank_identity::Role {
                account: account.to_owned(),
                arn: role.arn(account),
                trust_policy: Arc::from(role.trust.as_str()),
                max_session: role.max_session,
                tags: pairs(&role.head.tags),
                name: role.head.name,
                id: role.head.id,
            }))
        })
    }

    fn managed_policy<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<Option<Arc<str>>>> {
        Box::pin(async move {
            if managed::is_managed(arn) {
                return Ok(managed::get(arn).map(managed::Managed::text));
            }
            let account = Arn::parse(arn).map_or("", |a| a.account);
            let policy: Option<Policy> = self.find(account, arn).await?;
            Ok(policy.and_then(|p| p.document().map(Arc::from)))
        })
    }

    fn oidc_provider<'a>(
        &'a self,
        account: &'a str,
        url: &'a str,
    ) -> BoxFuture<'a, Result<Option<OidcProvider>>> {
        Box::pin(async move {
            let provider: Option<Provider> = self.find(account, url).await?;
            Ok(provider.map(|p| OidcProvider {
                arn: p.arn(account),
                url: p.head.name,
                client_ids: p.clients,
            }))
        })
    }

    fn key_account<'a>(&'a self, access_key: &'a str) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async move {
            if let Some(account) = root_account(access_key) {
                return Ok(Some(account.to_owned()));
            }
            Ok(self.store.get(&KEYS, &Key::new().str(access_key)).await?.map(|k| k.account))
        })
    }

    fn role_used<'a>(
        &'a self,
        cx: &'a Cx,
        role: &'a fogbank_identity::Role,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let key = Key::new().str(&role.account).str(&role.id);
            let last = LastUsed { at: cx.now.as_second(), region: cx.region.to_string() };
            Ok(self.store.put(&LAST_USED, &key, &last).await?)
        })
    }
}

#[cfg(test)]
mod tests;
