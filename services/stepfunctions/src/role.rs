//! Roles: the sessions in which executions call other services, kept until shortly before they end.

use std::sync::Arc;

use fogbank_core::{Cloud, Credential, Cx, Result, Source};
use jiff::SignedDuration;
use quick_cache::sync::Cache;

/// Sessions by role, machine and region.
pub struct Roles(Cache<(String, String, String), Arc<Credential>>);

const KEPT: usize = 1000;
/// How long before its end a session is no longer used.
const MARGIN: SignedDuration = SignedDuration::from_secs(120);
const HOST: &str = "states.amazonaws.com";

impl Default for Roles {
    fn default() -> Self {
        Roles(Cache::new(KEPT))
    }
}

/// For whom a call is made.
#[derive(Clone)]
pub struct Caller {
    pub cloud: Arc<dyn Cloud>,
    pub account: String,
    pub region: String,
    pub machine_arn: String,
    pub role: String,
    /// The name of the session: the execution's.
    pub session: String,
}

impl Roles {
    /// A context in a session of the caller's role, or of `other`, which that role assumes.
    pub async fn enter(&self, caller: &Caller, other: Option<&str>) -> Result<Cx> {
        let source = Source { arn: caller.machine_arn.clone(), account: caller.account.clone() };
        let acting = Cx::acting(
            &caller.cloud,
            HOST,
            "states",
            &caller.account,
            caller.region.clone(),
            Some(source),
        );
        let cx = self.session(caller, &acting, &caller.role, "").await?;
        match other {
            Some(role) if role != caller.role => {
                self.session(caller, &cx, role, &caller.role).await
            }
            _ => Ok(cx),
        }
    }

    async fn session(&self, caller: &Caller, from: &Cx, role: &str, by: &str) -> Result<Cx> {
        let key = (role.to_owned(), format!("{by} {}", caller.machine_arn), caller.region.clone());
        let now = caller.cloud.clock().now();
        if let Some(c) = self.0.get(&key) {
            let fresh = c.expires.is_none_or(|e| e.duration_since(now) > MARGIN);
            if fresh && known(caller, &c).await {
                return Ok(from.in_session(&c));
            }
        }
        let name: String = caller
            .session
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '='))
            .take(64)
            .collect();
        let name = if name.len() < 2 { "states" } else { &name };
        let credential = from.assume(role, name).await?;
        self.0.insert(key, Arc::clone(&credential));
        Ok(from.in_session(&credential))
    }
}

/// Whether a session's role still stands.
async fn known(caller: &Caller, c: &Credential) -> bool {
    let found = caller.cloud.identify(&c.access_key, c.session_token.as_deref()).await;
    matches!(found, Ok(Some(_)))
}
