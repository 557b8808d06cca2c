//! Execution roles: whether Lambda may assume them, and sessions of them.

use std::collections::HashMap;
use std::sync::Arc;

use fogbank_core::{Arn, Check, Cloud, Credential, Cx, Result, Source};
use jiff::SignedDuration;
use parking_lot::Mutex;

use crate::error::invalid;
use crate::name::Target;

/// Lambda's principal.
pub const HOST: &str = "lambda.amazonaws.com";

/// Sessions that functions run in, kept until shortly before they end. Another process makes its
/// own.
#[derive(Default)]
pub struct Roles(Mutex<HashMap<(String, String), Arc<Credential>>>);

/// A session is renewed this long before it ends.
const MARGIN: SignedDuration = SignedDuration::from_mins(20);

/// What Lambda does by itself on behalf of a function.
pub fn acting(cloud: &Arc<dyn Cloud>, function: &Target) -> Cx {
    let source = Source { arn: function.function_arn(), account: function.account.clone() };
    Cx::acting(cloud, HOST, "lambda", &function.account, function.region.clone(), Some(source))
}

impl Roles {
    /// A session of a function's role, which Lambda assumes.
    ///
    /// # Errors
    /// STS's, when the role does not let Lambda in.
    pub async fn session(
        &self,
        cloud: &Arc<dyn Cloud>,
        function: &Target,
        role: &str,
    ) -> Result<Arc<Credential>> {
        let key = (function.function_arn(), role.to_owned());
        let now = cloud.clock().now();
        let fresh = |c: &Arc<Credential>| {
            c.expires.is_none_or(|e| now.checked_add(MARGIN).is_ok_and(|soon| soon < e))
        };
        if let Some(known) = self.0.lock().get(&key).filter(|c| fresh(c)) {
            return Ok(Arc::clone(known));
        }
        let made = acting(cloud, function).assume(role, &session_name(function)).await?;
        let mut known = self.0.lock();
        known.retain(|_, c| fresh(c));
        known.insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// A context in the function's role.
    ///
    /// # Errors
    /// STS's, when the role does not let Lambda in.
    pub async fn cx(&self, cloud: &Arc<dyn Cloud>, function: &Target, role: &str) -> Result<Cx> {
        let session = self.session(cloud, function, role).await?;
        Ok(acting(cloud, function).in_session(&session))
    }
}

/// Sessions are named as their function; STS wants two characters at least.
#[must_use]
pub fn session_name(function: &Target) -> String {
    let name = &function.name;
    if name.len() < 2 { format!("{name}_") } else { name.clone() }
}

/// Whether the caller may give a function this role, and the role lets Lambda in.
///
/// # Errors
/// `AccessDeniedException` for the first, `InvalidParameterValueException` for the second.
pub async fn check(cx: &Cx, function: &Target, role: &str) -> Result<()> {
    let account = Arn::parse(role).map(|a| a.account);
    if account != Some(&function.account) {
        return Err(fogbank_core::ApiError::new(
            "AccessDeniedException",
            "Cross-account pass role is not allowed.",
        )
        .status(403));
    }
    cx.authorize(Check::new("iam:PassRole", role).with("iam:PassedToService", HOST)).await?;
    let assumed = acting(&cx.cloud, function).assume(role, &session_name(function)).await;
    assumed
        .map(|_| ())
        .map_err(|_| invalid("The role defined for the function cannot be assumed by Lambda."))
}

/// Whether a role may do something to a resource, in AWS's words for when it may not.
///
/// # Errors
/// `InvalidParameterValueException`.
pub async fn may(
    cx: &Cx,
    function: &Target,
    role: &str,
    action: &'static str,
    resource: &str,
) -> Result<()> {
    let denied = || {
        let (service, call) = action.split_once(':').unwrap_or_default();
        let service = service.to_ascii_uppercase();
        invalid(format!(
            "The provided execution role does not have permissions to call {call} on {service}"
        ))
    };
    let lambda = acting(&cx.cloud, function);
    let session = lambda.assume(role, &session_name(function)).await.map_err(|_| denied())?;
    let checked = lambda.in_session(&session).authorize(Check::new(action, resource)).await;
    checked.map_err(|_| denied())
}
