//! Who may call a method: policies, signatures, functions and API keys.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-control-access-to-api.html>

use std::sync::Arc;
use std::time::Duration;

use fogbank_apigw::{Allowed, Function, Manner, Template, Verdict, allows, invoke};
use fogbank_core::cx::CxParts;
use fogbank_core::{ApiError, Body, Check, Cx, Http, Kind, Principal};
use regex_lite::Regex;
use serde_json::{Value, json};

use super::{Exec, Refusal};
use crate::authorizer::Authorizer;
use crate::compiled::{Node, Target};
use crate::usage_plan::Pass;

impl Exec<'_> {
    pub(super) async fn authorize(&mut self, target: &Target) -> Result<(), Refusal> {
        match target.method.authorization_type.as_str() {
            "AWS_IAM" => self.iam().await,
            "CUSTOM" => {
                self.policy().await?;
                let id = target.method.authorizer_id.as_deref().unwrap_or_default();
                match self.deployed.authorizers.get(id) {
                    Some(authorizer) => self.function_decides(authorizer).await,
                    None => Err(Refusal::silent("AUTHORIZER_CONFIGURATION_ERROR")),
                }
            }
            _ => self.policy().await,
        }
    }

    /// The API's own policy, for callers without a signature.
    async fn policy(&self) -> Result<(), Refusal> {
        if self.deployed.api.policy.is_none() {
            return Ok(());
        }
        let cx = self.caller(Arc::new(Principal::anonymous()), None);
        self.allowed(&cx).await
    }

    async fn allowed(&self, cx: &Cx) -> Result<(), Refusal> {
        let api = &self.deployed.api;
        let mut check = Check::new("execute-api:Invoke", self.arn(self.path));
        check.resource_account = Some(api.account.clone());
        check.resource_policy.clone_from(&self.deployed.policy);
        cx.authorize(check).await.map_err(|e| {
            // Of the account only the last digits are told.
            let hidden = format!("********{}", api.account.get(8..).unwrap_or_default());
            let text = e.message().replace(
                &format!(":{}:{}/", api.account, api.id),
                &format!(":{hidden}:{}/", api.id),
            );
            let text = text.replace("User: *", "User: anonymous");
            Refusal { iam: true, ..Refusal::of("ACCESS_DENIED", &text) }
        })
    }

    /// A signature that policies allow.
    async fn iam(&mut self) -> Result<(), Refusal> {
        let visit = self.visit;
        let signer = visit.cloud.authenticate("execute-api", &visit.parts, &visit.body).await;
        let credential = match signer {
            Ok(Some(credential)) => credential,
            Ok(None) => {
                let text = "Missing Authentication Token";
                return Err(Refusal::of("MISSING_AUTHENTICATION_TOKEN", text));
            }
            Err(e) => return Err(signature(&e)),
        };
        let principal = Arc::clone(&credential.principal);
        let cx = self.caller(Arc::clone(&principal), Some(credential.access_key.clone()));
        self.allowed(&cx).await?;
        let user = match &principal.kind {
            Kind::Root => principal.account.clone(),
            _ => principal.id.clone(),
        };
        for (name, value) in [
            ("identity.accessKey", credential.access_key.as_str()),
            ("identity.accountId", &principal.account),
            ("identity.caller", &user),
            ("identity.user", &user),
            ("identity.userArn", &principal.arn),
        ] {
            self.context.set(name, value);
        }
        self.caller = Some(principal);
        Ok(())
    }

    async fn function_decides(&mut self, authorizer: &Authorizer) -> Result<(), Refusal> {
        let unauthorized = || Refusal::of("UNAUTHORIZED", "Unauthorized");
        let mut identities = Vec::new();
        for source in authorizer.sources() {
            match self.source(source, None).filter(|v| !v.is_empty()) {
                Some(v) => identities.push(v),
                None => return Err(unauthorized()),
            }
        }
        if let (Some(pattern), [token]) =
            (&authorizer.identity_validation_expression, &identities[..])
            && !Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|r| r.is_match(token))
        {
            return Err(unauthorized());
        }
        let api = &self.deployed.api;
        let ttl = authorizer.authorizer_result_ttl_in_seconds.unwrap_or(0);
        let key = format!(
            "{}/{}/{}/{}",
            api.id,
            self.stage.stage_name,
            authorizer.id,
            identities.join("\u{0}")
        );
        let cached = if ttl > 0 { self.gw.answers.get(&key, self.visit.now) } else { None };
        let verdict = match cached {
            Some(v) => v,
            None => {
                let verdict = Arc::new(self.ask(authorizer, &identities).await?);
                self.gw.answers.put(key, Arc::clone(&verdict), ttl, self.visit.now);
                verdict
            }
        };
        let denied = |text: &str| Refusal { iam: true, ..Refusal::of("ACCESS_DENIED", text) };
        match allows(&verdict, self.visit, &api.account, &self.arn(self.path)) {
            Allowed::Yes => {}
            Allowed::No => return Err(denied("User is not authorized to access this resource")),
            Allowed::Denied => {
                return Err(denied(
                    "User is not authorized to access this resource with an explicit deny",
                ));
            }
            Allowed::Malformed => return Err(Refusal::silent("AUTHORIZER_CONFIGURATION_ERROR")),
        }
        self.context.set("authorizer.principalId", verdict.principal.as_str());
        for (name, value) in &verdict.context {
            let text = match value {
                Value::String(s) => s.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                // Objects and arrays are no context.
                _ => return Err(Refusal::silent("AUTHORIZER_CONFIGURATION_ERROR")),
            };
            self.context.set(format!("authorizer.{name}"), text);
        }
        self.usage_key.clone_from(&verdict.usage_key);
        Ok(())
    }

    /// Asks the function.
    async fn ask(
        &self,
        authorizer: &Authorizer,
        identities: &[String],
    ) -> Result<Verdict, Refusal> {
        let failed = |why: String| {
            tracing::debug!(api = self.deployed.api.id, "an authorizer failed: {why}");
            Refusal::silent("AUTHORIZER_FAILURE")
        };
        let uri = authorizer.authorizer_uri.as_deref().unwrap_or_default();
        let uri = self.with_variables(uri);
        let function =
            Function::of_uri(&uri).ok_or_else(|| failed("its URI names no function".into()))?;
        let arn = self.arn(self.path);
        let event = if authorizer.kind == "TOKEN" {
            let token = identities.first();
            json!({ "type": "TOKEN", "methodArn": arn, "authorizationToken": token })
        } else {
            let mut event = self.event();
            if let Value::Object(members) = &mut event {
                members.insert("type".into(), "REQUEST".into());
                members.insert("methodArn".into(), arn.into());
                members.remove("body");
                members.remove("isBase64Encoded");
            }
            event
        };
        let api = &self.deployed.api;
        let source = format!(
            "arn:aws:execute-api:{}:{}:{}/authorizers/{}",
            api.region, api.account, api.id, authorizer.id
        );
        let role = authorizer.authorizer_credentials.as_deref();
        let cx = self.acting(source, role).await.map_err(|e| failed(e.to_string()))?;
        let payload = serde_json::to_vec(&event).unwrap_or_default();
        let work = invoke(&cx, &function, payload, Manner::default());
        let invoked = tokio::time::timeout(Duration::from_secs(10), work)
            .await
            .map_err(|_| failed("it did not answer in time".into()))?
            .map_err(|e| failed(e.to_string()))?;
        if invoked.error.is_some() {
            let said: Value = serde_json::from_slice(&invoked.payload).unwrap_or_default();
            let said = said.get("errorMessage").and_then(Value::as_str).unwrap_or_default();
            // The one word by which a function may say 401.
            return Err(if said == "Unauthorized" {
                Refusal::of("UNAUTHORIZED", "Unauthorized")
            } else {
                failed(said.to_owned())
            });
        }
        Verdict::of_policy(&invoked.payload)
            .ok_or_else(|| Refusal::silent("AUTHORIZER_CONFIGURATION_ERROR"))
    }

    /// The API key, where the method wants one, and what its plan allows.
    pub(super) async fn key(&mut self, node: &Node, target: &Target) -> Result<(), Refusal> {
        if !target.method.api_key_required {
            return Ok(());
        }
        let forbidden = || Refusal::of("INVALID_API_KEY", "Forbidden");
        let (api, gw) = (&self.deployed.api, self.gw);
        let value = match &*api.api_key_source {
            "AUTHORIZER" => self.usage_key.clone(),
            _ => self.visit.header("x-api-key").map(str::to_owned),
        };
        let value = value.ok_or_else(forbidden)?;
        let (account, region) = (&api.account, &api.region);
        let fault = |e: ApiError| {
            tracing::error!(api = api.id, "a key could not be read: {e}");
            Refusal::internal()
        };
        let key = gw.key_of_value(account, region, &value).await.map_err(fault)?;
        let key = key.ok_or_else(forbidden)?;
        let stage = &self.stage.stage_name;
        let plan = gw.plan_for(account, region, &key.id, &api.id, stage).await.map_err(fault)?;
        let plan = plan.ok_or_else(forbidden)?;
        let method = format!("{}/{}", node.path, target.method.http_method);
        let at = (api.id.as_str(), stage.as_str());
        match gw.count(&plan, &key.id, at, &method, self.visit.now).await.map_err(fault)? {
            Pass::Yes => {}
            Pass::Throttled => return Err(Refusal::of("THROTTLED", "Too Many Requests")),
            Pass::Exceeded => return Err(Refusal::of("QUOTA_EXCEEDED", "Limit Exceeded")),
        }
        self.context.set("identity.apiKey", value);
        self.context.set("identity.apiKeyId", key.id);
        Ok(())
    }

    /// A text with the stage's variables filled in.
    pub fn with_variables(&self, text: &str) -> String {
        let scope =
            |name: &str| self.variables().get(name.strip_prefix("stageVariables.")?).cloned();
        Template::parse(text, &["stageVariables"]).render(&scope, "")
    }

    /// The caller's own context, as conditions see it.
    fn caller(&self, principal: Arc<Principal>, access_key: Option<String>) -> Cx {
        let (visit, api) = (self.visit, &self.deployed.api);
        Cx::new(
            Arc::clone(&visit.cloud),
            CxParts {
                account: api.account.clone(),
                region: api.region.clone().into(),
                principal,
                access_key,
                service: "apigateway",
                operation: "Invoke",
                request_id: visit.request_id.clone(),
                source_ip: visit.source_ip,
                secure: visit.tls || visit.source_ip.is_loopback(),
                http: Some(Http {
                    method: visit.parts.method.clone(),
                    uri: visit.parts.uri.to_string(),
                    host: visit.host.clone(),
                    tls: visit.tls,
                    headers: Arc::new(visit.parts.headers.clone()),
                }),
                source: None,
                body: Body::Empty,
            },
        )
    }
}

/// A signature that does not hold.
fn signature(e: &ApiError) -> Refusal {
    let (kind, error) = match e.code() {
        "ExpiredTokenException" => ("EXPIRED_TOKEN", "ExpiredTokenException"),
        "MissingAuthenticationTokenException" => {
            ("MISSING_AUTHENTICATION_TOKEN", "MissingAuthenticationTokenException")
        }
        "IncompleteSignatureException" => ("INVALID_SIGNATURE", "IncompleteSignatureException"),
        "UnrecognizedClientException" => ("INVALID_SIGNATURE", "UnrecognizedClientException"),
        _ => ("INVALID_SIGNATURE", "InvalidSignatureException"),
    };
    Refusal { error: Some(error), ..Refusal::of(kind, e.message()) }
}
