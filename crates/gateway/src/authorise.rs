//! Authorisation: the policies of a principal and a resource asked about a check.

use std::sync::Arc;

use fogbank_core::{ApiError, Check, Cx, Result};
use fogbank_model::{Protocol, Service};
use fogbank_policy::Context;
use fogbank_sigv4::Dialect;

use crate::{Denial, Gateway, Mode};

impl Gateway {
    /// Whether `cx`'s principal may do what `check` asks.
    ///
    /// # Errors
    /// The service's access-denied error with the reason.
    pub(crate) async fn allow(&self, cx: &Cx, check: &Check) -> Result<()> {
        if self.mode == Mode::Off {
            return Ok(());
        }
        let caller = &cx.principal;
        let own = check.resource_account.as_ref().is_none_or(|a| *a == caller.account);
        if caller.is_root() && own && check.resource_policy.is_none() {
            return if check.resource_policy_required && !check.granted {
                self.deny(cx, check, "no resource policy allows it")
            } else {
                Ok(())
            };
        }
        let set = if caller.is_root() || caller.is_anonymous() {
            Arc::default()
        } else {
            self.identities.policies(caller).await?
        };
        let context = Context {
            now: cx.now,
            source_ip: cx.http.is_some().then_some(cx.source_ip),
            secure: cx.secure,
            region: &cx.region,
            via_service: cx.http.is_none(),
            user_agent: cx.header("user-agent"),
            referer: cx.header("referer"),
            source: cx.source.as_deref(),
            ..Context::new(caller, cx.now)
        };
        let verdict = self
            .policies
            .check(&context, &set, check)
            .map_err(|e| ApiError::internal(format!("a stored policy does not compile: {e}")))?;
        if verdict.decision.allowed { Ok(()) } else { self.deny(cx, check, &verdict.message) }
    }

    fn deny(&self, cx: &Cx, check: &Check, message: &str) -> Result<()> {
        let enforced = self.mode == Mode::Enforce;
        let denial = Denial {
            principal: cx.principal.arn.clone(),
            action: check.action.clone().into_owned(),
            resource: check.resource.clone(),
        };
        self.journal.denied(denial, message, enforced, cx.now);
        if enforced { Err(denied(cx.service, message)) } else { Ok(()) }
    }
}

/// A refusal in the words of the service's protocol.
fn denied(service: &str, message: &str) -> ApiError {
    let model = fogbank_model::service(service);
    let (code, status) = match model.map_or(Dialect::Json, dialect) {
        // A service that has moved to JSON keeps the status it had.
        Dialect::Json if model.is_some_and(|m| m.query_compatible) => {
            ("AccessDeniedException", 403)
        }
        // SNS has a word of its own for it.
        Dialect::Query if model.is_some_and(|m| m.error(None, "AuthorizationError").is_some()) => {
            ("AuthorizationErrorException", 403)
        }
        Dialect::S3 | Dialect::Query => ("AccessDenied", 403),
        Dialect::Ec2 => ("UnauthorizedOperation", 403),
        Dialect::Json => ("AccessDeniedException", 400),
        Dialect::RestJson => ("AccessDeniedException", 403),
    };
    ApiError::new(code, message).status(status)
}

/// How a service words failures of authentication and authorisation.
#[must_use]
pub fn dialect(service: &Service) -> Dialect {
    match service.protocols.first() {
        Some(Protocol::RestXml) if service.signing == "s3" => Dialect::S3,
        Some(Protocol::Query | Protocol::RestXml) => Dialect::Query,
        Some(Protocol::Ec2) => Dialect::Ec2,
        Some(Protocol::RestJson) => Dialect::RestJson,
        Some(Protocol::Json | Protocol::Cbor) | None => Dialect::Json,
    }
}
