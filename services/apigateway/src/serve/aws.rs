//! AWS services as backends: an integration's URI to a request in the service's own protocol.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html#apigw-PutIntegration-request-uri>

use fogbank_apigw::LIMIT;
use fogbank_core::{ApiError, Cx, Exchange, Result as ApiResult, Source};

use super::integrate::Answer;
use super::{Exec, Refusal};
use crate::compiled::Target;

/// What a URI names: `arn:aws:apigateway:region:[subdomain.]service:path|action/…`.
#[derive(Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub region: &'a str,
    pub service: &'a str,
    /// A bucket, for S3.
    pub subdomain: Option<&'a str>,
    /// An operation, where the URI names one.
    pub action: Option<&'a str>,
    /// With its slash; the parameters of an action, without.
    pub path: &'a str,
}

impl<'a> Place<'a> {
    pub fn parse(uri: &'a str) -> Option<Self> {
        let mut parts = uri.splitn(6, ':');
        let (arn, _, gateway) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, service, rest) = (parts.next()?, parts.next()?, parts.next()?);
        if arn != "arn" || gateway != "apigateway" {
            return None;
        }
        let (subdomain, service) = match service.rsplit_once('.') {
            Some((sub, service)) => (Some(sub), service),
            None => (None, service),
        };
        let (action, path) = match rest.strip_prefix("action/") {
            Some(rest) => {
                let (action, parameters) = rest.split_once('&').unwrap_or((rest, ""));
                (Some(action), parameters)
            }
            None => (None, rest.strip_prefix("path")?),
        };
        Some(Place { region, service, subdomain, action, path })
    }
}

impl Exec<'_> {
    /// The service as it calls for this API, or a session of a role, or the caller.
    pub async fn acting(&self, arn: String, role: Option<&str>) -> ApiResult<Cx> {
        let api = &self.deployed.api;
        let source = Source { arn, account: api.account.clone() };
        let cx = Cx::acting(
            &self.visit.cloud,
            "apigateway.amazonaws.com",
            "apigateway",
            &api.account,
            api.region.clone(),
            Some(source),
        );
        match role {
            Some("arn:aws:iam::*:user/*") => match &self.caller {
                Some(caller) => Ok(cx.with_principal(std::sync::Arc::clone(caller), None)),
                None => Err(ApiError::new("AccessDeniedException", "The caller has not signed")),
            },
            Some(role) => {
                let credential = cx.assume(role, "BackplaneAssumeRoleSession").await?;
                Ok(cx.in_session(&credential))
            }
            None => Ok(cx),
        }
    }

    /// As [`Exec::acting`], for the method's own resource.
    pub async fn acting_for_method(&mut self, target: &Target) -> Result<Cx, Refusal> {
        let path = self.context.get("resourcePath").unwrap_or("/").to_owned();
        let role = target.integration.credentials.as_deref().map(|r| self.with_variables(r));
        self.acting(self.arn(&path), role.as_deref()).await.map_err(|e| {
            tracing::debug!(api = self.deployed.api.id, "no role to act in: {e}");
            self.note(|| "Execution failed due to configuration error: API Gateway does not have permission to assume the provided role".to_owned());
            Refusal::internal()
        })
    }

    /// Asks an AWS service.
    pub(super) async fn aws(&mut self, target: &Target) -> Result<Answer, Refusal> {
        let out = self.outgoing(target, false)?;
        let Some(place) = Place::parse(&out.uri) else { return Err(Refusal::internal()) };
        let mut cx = self.acting_for_method(target).await?;
        cx.region = place.region.to_owned().into();
        let mut uri = match (place.action, place.subdomain) {
            (Some(_), _) => "/".to_owned(),
            (None, Some(bucket)) => format!("/{bucket}{}", place.path),
            (None, None) if place.path.is_empty() => "/".to_owned(),
            (None, None) => place.path.to_owned(),
        };
        let more = if place.action.is_some() { place.path } else { "" };
        let query: Vec<&str> = [more, &out.query].into_iter().filter(|q| !q.is_empty()).collect();
        if !query.is_empty() {
            uri = format!("{uri}?{}", query.join("&"));
        }
        let mut request = http::Request::new(out.body);
        *request.method_mut() = out.method;
        *request.uri_mut() = uri.parse().map_err(|_| Refusal::internal())?;
        *request.headers_mut() = out.headers;
        self.note(|| format!("Sending request to {}", place.service));
        let exchange = Exchange {
            service: place.service.to_owned(),
            operation: place.action.map(str::to_owned),
            request,
        };
        let work = async {
            let (parts, body) = cx.cloud.exchange(&cx, exchange).await.into_parts();
            body.collect(LIMIT).await.map(|body| (parts, body))
        };
        let answered = tokio::time::timeout(Self::limit(target), work).await;
        let (parts, body) =
            answered.map_err(|_| Refusal::timeout())?.map_err(|_| Refusal::bad_gateway())?;
        // A function that fails answers 200: what it says selects the response.
        let error = parts.headers.contains_key("x-amz-function-error").then(|| {
            let said: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let message = said.get("errorMessage").and_then(|m| m.as_str());
            message.map_or_else(|| String::from_utf8_lossy(&body).into_owned(), str::to_owned)
        });
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        let read = |rest: &'static str| {
            let uri: &'static str =
                Box::leak(format!("arn:aws:apigateway:eu-west-1:{rest}").into_boxed_str());
            Place::parse(uri).map(|p| (p.service, p.subdomain, p.action, p.path))
        };
        for (rest, expected) in [
            (
                "states:action/StartSyncExecution",
                Some(("states", None, Some("StartSyncExecution"), "")),
            ),
            ("sns:action/Publish&TopicArn=x", Some(("sns", None, Some("Publish"), "TopicArn=x"))),
            ("s3:path/b/k", Some(("s3", None, None, "/b/k"))),
            ("b.s3:path/k", Some(("s3", Some("b"), None, "/k"))),
            ("sqs:path/000000000000/q", Some(("sqs", None, None, "/000000000000/q"))),
            (
                "lambda:path/2015-03-31/functions/arn:aws:lambda:x:1:function:f/invocations",
                Some((
                    "lambda",
                    None,
                    None,
                    "/2015-03-31/functions/arn:aws:lambda:x:1:function:f/invocations",
                )),
            ),
            ("s3:path", Some(("s3", None, None, ""))),
            ("s3:x", None),
        ] {
            assert_eq!(read(rest), expected, "{rest}");
        }
    }
}
