//! Who may call a route: IAM, a JWT, or a function's word.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html>

use std::sync::Arc;

use fogbank_apigw::{Allowed, Function, Manner, Verdict, allows, invoke};
use fogbank_core::cx::CxParts;
use fogbank_core::{Body, Check, Cx, Http, Kind, Principal};
use serde_json::{Value, json};

use super::{Refusal, Routed};
use crate::ApiGatewayV2;
use crate::authorizer::Authorizer;
use crate::jwt;

impl ApiGatewayV2 {
    /// Lets the request pass, with what is known of its caller.
    pub(super) async fn authorize(&self, routed: &mut Routed<'_>) -> Result<(), Refusal> {
        match routed.target.route.authorization_type.as_deref().unwrap_or("NONE") {
            "NONE" => Ok(()),
            "AWS_IAM" => self.iam(routed).await,
            kind => {
                let target = routed.target;
                let Some(authorizer) = &target.authorizer else { return Err(Refusal::INTERNAL) };
                match kind {
                    "JWT" => self.token(routed, authorizer).await,
                    _ => self.function_decides(routed, authorizer).await,
                }
            }
        }
    }

    /// A signature that policies allow.
    async fn iam(&self, routed: &mut Routed<'_>) -> Result<(), Refusal> {
        let (visit, api) = (routed.visit, &routed.compiled.api);
        let signer = visit.cloud.authenticate("execute-api", &visit.parts, &visit.body).await;
        let credential = match signer {
            Ok(Some(credential)) => credential,
            Ok(None) => return Err(Refusal::FORBIDDEN),
            Err(e) => {
                tracing::debug!(api = api.api_id, "a signature was refused: {e}");
                routed.context.set("authorizer.error", e.message());
                return Err(Refusal::FORBIDDEN);
            }
        };
        let principal = Arc::clone(&credential.principal);
        let cx = caller(routed, Arc::clone(&principal), &credential.access_key);
        let mut check = Check::new("execute-api:Invoke", routed.arn(routed.path));
        check.resource_account = Some(api.account.clone());
        if let Err(e) = cx.authorize(check).await {
            routed.context.set("authorizer.error", e.message());
            return Err(Refusal::FORBIDDEN);
        }
        let user = match &principal.kind {
            Kind::Root => principal.account.clone(),
            _ => principal.id.clone(),
        };
        let key = &credential.access_key;
        for (name, value) in [
            ("identity.accessKey", key.as_str()),
            ("identity.accountId", &principal.account),
            ("identity.caller", &user),
            ("identity.user", &user),
            ("identity.userArn", &principal.arn),
        ] {
            routed.context.set(name, value);
        }
        routed.authorizer = Some(json!({ "iam": {
            "accessKey": key,
            "accountId": principal.account,
            "callerId": user,
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": principal.arn,
            "userId": user,
        }}));
        Ok(())
    }

    async fn token(&self, routed: &mut Routed<'_>, authorizer: &Authorizer) -> Result<(), Refusal> {
        let source = authorizer.identity_source.first().map_or("", String::as_str);
        let found = routed.variable(source.trim_start_matches('$'));
        let token = found.as_deref().map(|t| {
            let bare = t.get(..7).filter(|p| p.eq_ignore_ascii_case("bearer "));
            bare.map_or(t, |_| t[7..].trim())
        });
        let Some(token) = token.filter(|t| !t.is_empty()) else {
            let challenge = Some("Bearer".to_owned());
            return Err(Refusal { challenge, ..Refusal::UNAUTHORIZED });
        };
        let Some(terms) = &authorizer.jwt_configuration else { return Err(Refusal::INTERNAL) };
        let visit = routed.visit;
        let outcome =
            jwt::verify(&self.keys, &self.outbound, &*visit.cloud, terms, token, visit.now).await;
        let claims = match outcome {
            Ok(claims) => claims,
            Err(why) => {
                routed.context.set("authorizer.error", why.as_str());
                let challenge = format!(
                    "Bearer scope=\"\" error=\"invalid_token\" error_description=\"{why}\""
                );
                return Err(Refusal { challenge: Some(challenge), ..Refusal::UNAUTHORIZED });
            }
        };
        let has = jwt::scopes(&claims);
        let wanted = routed.target.route.authorization_scopes.as_deref().unwrap_or_default();
        if !wanted.is_empty() && !wanted.iter().any(|w| has.contains(w)) {
            let challenge =
                format!("Bearer scope=\"{}\" error=\"insufficient_scope\"", wanted.join(" "));
            return Err(Refusal { challenge: Some(challenge), ..Refusal::FORBIDDEN });
        }
        let texts: serde_json::Map<String, Value> =
            claims.iter().map(|(k, v)| (k.clone(), jwt::claim_text(v).into())).collect();
        for (name, value) in &texts {
            let value = value.as_str().unwrap_or_default();
            routed.context.set(format!("authorizer.claims.{name}"), value);
        }
        let matched: Vec<&String> = wanted.iter().filter(|w| has.contains(w)).collect();
        let scopes = if wanted.is_empty() { Value::Null } else { json!(matched) };
        routed.authorizer = Some(json!({ "jwt": { "claims": texts, "scopes": scopes } }));
        Ok(())
    }

    async fn function_decides(
        &self,
        routed: &mut Routed<'_>,
        authorizer: &Authorizer,
    ) -> Result<(), Refusal> {
        let mut identities = Vec::new();
        for source in &authorizer.identity_source {
            match routed.variable(source.trim_start_matches('$')).filter(|v| !v.is_empty()) {
                Some(value) => identities.push(value),
                None => return Err(Refusal::UNAUTHORIZED),
            }
        }
        let api = &routed.compiled.api;
        let ttl = authorizer.authorizer_result_ttl_in_seconds.unwrap_or(0);
        // The answer counts for all routes of the stage that have the same identities.
        let key = format!(
            "{}/{}/{}/{}",
            api.api_id,
            routed.stage(),
            authorizer.authorizer_id,
            identities.join("\u{0}")
        );
        let cached = if ttl > 0 { self.answers.get(&key, routed.visit.now) } else { None };
        let verdict = match cached {
            Some(v) => v,
            None => {
                let asked = self.ask(routed, authorizer, &identities).await;
                let verdict = asked.map(Arc::new).map_err(|why| {
                    tracing::debug!(api = api.api_id, "an authorizer failed: {why}");
                    routed.context.set("authorizer.error", why);
                    Refusal::INTERNAL
                })?;
                self.answers.put(key, Arc::clone(&verdict), ttl, routed.visit.now);
                verdict
            }
        };
        let resource = routed.arn(routed.path);
        match allows(&verdict, routed.visit, &api.account, &resource) {
            Allowed::Yes => {}
            Allowed::No | Allowed::Denied => return Err(Refusal::FORBIDDEN),
            Allowed::Malformed => return Err(Refusal::INTERNAL),
        }
        if !verdict.principal.is_empty() {
            routed.context.set("authorizer.principalId", verdict.principal.as_str());
        }
        for (name, value) in &verdict.context {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            routed.context.set(format!("authorizer.{name}"), text);
        }
        let mut told = verdict.context.clone();
        if authorizer.authorizer_payload_format_version.as_deref() == Some("1.0") {
            told.insert("principalId".into(), verdict.principal.as_str().into());
        }
        routed.authorizer = Some(json!({ "lambda": told }));
        Ok(())
    }

    /// Asks the function.
    async fn ask(
        &self,
        routed: &Routed<'_>,
        authorizer: &Authorizer,
        identities: &[String],
    ) -> Result<Verdict, String> {
        let uri = authorizer.authorizer_uri.as_deref().unwrap_or_default();
        let function = Function::of_uri(uri).ok_or("its URI names no function")?;
        let simple = authorizer.authorizer_payload_format_version.as_deref() == Some("2.0");
        let mut event = if simple { routed.simple() } else { routed.rest() };
        let arn = routed.arn(routed.path);
        if let Value::Object(members) = &mut event {
            members.insert("type".into(), "REQUEST".into());
            members.remove("body");
            members.remove("isBase64Encoded");
            if simple {
                members.insert("routeArn".into(), arn.into());
                members.insert("identitySource".into(), json!(identities));
            } else {
                members.insert("methodArn".into(), arn.into());
                let first = identities.join(",");
                members.insert("identitySource".into(), first.as_str().into());
                members.insert("authorizationToken".into(), first.into());
            }
        }
        let api = &routed.compiled.api;
        let source = format!(
            "arn:aws:execute-api:{}:{}:{}/authorizers/{}",
            api.region, api.account, api.api_id, authorizer.authorizer_id
        );
        let role = authorizer.authorizer_credentials_arn.as_deref();
        let cx = routed.acting_for(source, role).await.map_err(|e| e.to_string())?;
        let payload = serde_json::to_vec(&event).map_err(|e| e.to_string())?;
        let work = invoke(&cx, &function, payload, Manner::default());
        let limit = std::time::Duration::from_secs(10);
        let invoked = tokio::time::timeout(limit, work)
            .await
            .map_err(|_| "it did not answer in time".to_owned())?
            .map_err(|e| e.to_string())?;
        if let Some(kind) = invoked.error {
            return Err(format!("it failed: {kind}"));
        }
        let plain = authorizer.enable_simple_responses == Some(true);
        let read = if plain { Verdict::of_simple } else { Verdict::of_policy };
        read(&invoked.payload).ok_or_else(|| "its answer is malformed".to_owned())
    }
}

/// The caller's own context, as conditions see it.
fn caller(routed: &Routed<'_>, principal: Arc<Principal>, access_key: &str) -> Cx {
    let (visit, api) = (routed.visit, &routed.compiled.api);
    Cx::new(
        Arc::clone(&visit.cloud),
        CxParts {
            account: api.account.clone(),
            region: api.region.clone().into(),
            principal,
            access_key: Some(access_key.to_owned()),
            service: "apigatewayv2",
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
