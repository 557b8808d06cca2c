//! Acting without a client's request: as an AWS service, or in a role that the service may assume.
//!
//! What a service does by itself (a queue that feeds a function, a rule that starts a workflow)
//! carries a principal like any request, and is authorised and journalled like one.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services>

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::cx::CxParts;
use crate::{ApiError, Body, Cloud, Credential, Cx, Principal, Result, Str, map};

/// The resource for which a service acts: `aws:SourceArn` and `aws:SourceAccount` of its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub arn: String,
    /// Twelve digits.
    pub account: String,
}

impl Cx {
    /// The context of what a service does by itself: `host` is its principal
    /// (`lambda.amazonaws.com`), `service` the model's name of it (`lambda`), `source` the resource
    /// on whose behalf it acts.
    #[must_use]
    pub fn acting(
        cloud: &Arc<dyn Cloud>,
        host: &str,
        service: &'static str,
        account: &str,
        region: impl Into<Str>,
        source: Option<Source>,
    ) -> Cx {
        let request_id = cloud.ids().request_id();
        Cx::new(
            Arc::clone(cloud),
            CxParts {
                account: account.to_owned(),
                region: region.into(),
                principal: Arc::new(Principal::service(host, account)),
                access_key: None,
                service,
                operation: "",
                request_id,
                source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                secure: true,
                http: None,
                source: source.map(Arc::new),
                body: Body::Empty,
            },
        )
    }

    /// The credential of a session of `role_arn`, which this context's principal assumes: for a
    /// context made by [`Cx::acting`], the role's trust policy must let the service in.
    ///
    /// # Errors
    /// STS's: `AccessDenied` when the trust policy does not let the principal in.
    pub async fn assume(&self, role_arn: &str, session: &str) -> Result<Arc<Credential>> {
        let input = map! { "RoleArn" => role_arn, "RoleSessionName" => session };
        let reply = self.call("sts", "AssumeRole", input).await?;
        let found = reply.get("Credentials");
        let text = |name: &str| found.and_then(|c| c.str(name)).unwrap_or_default();
        let known = self.cloud.identify(text("AccessKeyId"), Some(text("SessionToken"))).await?;
        known.ok_or_else(|| ApiError::internal("a new session is not known"))
    }

    /// A context like this one, in a session of a role (see [`Cx::assume`]). Sessions may be kept
    /// for as long as their credential lives: policies are read anew for each call.
    #[must_use]
    pub fn in_session(&self, credential: &Credential) -> Cx {
        self.with_principal(Arc::clone(&credential.principal), Some(credential.access_key.clone()))
    }

    /// A context like this one for another principal, in that principal's account.
    #[must_use]
    pub fn with_principal(&self, principal: Arc<Principal>, access_key: Option<String>) -> Cx {
        let account = if principal.account.is_empty() { &self.account } else { &principal.account };
        Cx::new(
            Arc::clone(&self.cloud),
            CxParts {
                account: account.clone(),
                region: self.region.clone(),
                principal,
                access_key,
                service: self.service,
                operation: self.operation,
                request_id: self.cloud.ids().request_id(),
                source_ip: self.source_ip,
                secure: true,
                http: None,
                source: self.source.clone(),
                body: Body::Empty,
            },
        )
    }
}
