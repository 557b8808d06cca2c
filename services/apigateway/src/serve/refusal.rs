//! The gateway's own answers, as an API may have set them.

use fogbank_core::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::Exec;
use crate::gateway_response::TYPES;

/// Why a request ends before or behind its integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A type of gateway responses.
    pub kind: &'static str,
    /// `null` where AWS says nothing.
    pub message: Option<String>,
    /// `x-amzn-errortype`, where it is not the kind's.
    pub error: Option<&'static str>,
    /// Another status than the kind's.
    pub status: Option<u16>,
    /// The answer says `Message`, as IAM's do.
    pub iam: bool,
}

impl Refusal {
    pub fn of(kind: &'static str, message: &str) -> Self {
        let message = Some(message.to_owned());
        Refusal { kind, message, error: None, status: None, iam: false }
    }

    pub fn silent(kind: &'static str) -> Self {
        Refusal { kind, message: None, error: None, status: None, iam: false }
    }

    /// The fault of a setting or of a backend: nothing is told.
    pub fn internal() -> Self {
        Refusal::of("API_CONFIGURATION_ERROR", "Internal server error")
    }

    /// A backend that answered what cannot be passed on.
    pub fn bad_gateway() -> Self {
        Refusal { status: Some(502), ..Refusal::internal() }
    }

    pub fn timeout() -> Self {
        Refusal::of("INTEGRATION_TIMEOUT", "Endpoint request timed out")
    }

    fn status(&self) -> u16 {
        let own = TYPES.iter().find(|(name, _)| *name == self.kind).and_then(|(_, s)| *s);
        self.status.or(own).unwrap_or(500)
    }

    fn error(&self) -> &'static str {
        self.error.unwrap_or(match self.kind {
            "ACCESS_DENIED" => "AccessDeniedException",
            "AUTHORIZER_CONFIGURATION_ERROR" | "AUTHORIZER_FAILURE" => {
                "AuthorizerConfigurationException"
            }
            "BAD_REQUEST_BODY" | "BAD_REQUEST_PARAMETERS" => "BadRequestException",
            "EXPIRED_TOKEN" => "ExpiredTokenException",
            "INVALID_API_KEY" => "ForbiddenException",
            "INVALID_SIGNATURE" => "InvalidSignatureException",
            "MISSING_AUTHENTICATION_TOKEN" => "MissingAuthenticationTokenException",
            "QUOTA_EXCEEDED" => "LimitExceededException",
            "REQUEST_TOO_LARGE" => "RequestTooLargeException",
            "RESOURCE_NOT_FOUND" => "NotFoundException",
            "THROTTLED" => "TooManyRequestsException",
            "UNAUTHORIZED" => "UnauthorizedException",
            "UNSUPPORTED_MEDIA_TYPE" => "UnsupportedMediaTypeException",
            _ => "InternalServerErrorException",
        })
    }
}

impl Exec<'_> {
    /// The answer to a refusal.
    pub fn refuse(&mut self, refusal: &Refusal) -> Response<Body> {
        let quoted = refusal
            .message
            .as_ref()
            .map_or_else(|| "null".to_owned(), |m| serde_json::Value::from(m.as_str()).to_string());
        self.note(|| {
            format!(
                "Gateway response type: {} with status code: {}",
                refusal.kind,
                refusal.status()
            )
        });
        let c = &mut self.context;
        c.set("error.message", refusal.message.as_deref().unwrap_or_default());
        c.set("error.messageString", quoted.as_str());
        c.set("error.responseType", refusal.kind);
        let mut status = refusal.status();
        let general = if status < 500 { "DEFAULT_4XX" } else { "DEFAULT_5XX" };
        let responses = &self.deployed.responses;
        let own = responses.get(refusal.kind).or_else(|| responses.get(general));
        let mut response = Response::new(Body::Empty);
        let mut content_type = "application/json".to_owned();
        let body = match own {
            None => {
                let name = if refusal.iam { "Message" } else { "message" };
                format!("{{\"{name}\":{quoted}}}")
            }
            Some(answer) => {
                let set = answer.response.status_code.as_deref().and_then(|s| s.parse().ok());
                status = set.unwrap_or(status);
                for (to, from) in &answer.response.response_parameters {
                    let name = to.strip_prefix("gatewayresponse.header.").unwrap_or_default();
                    if let (Ok(name), Some(value)) =
                        (HeaderName::try_from(name.to_ascii_lowercase()), self.source(from, None))
                        && let Ok(value) = HeaderValue::from_str(&value)
                    {
                        response.headers_mut().insert(name, value);
                    }
                }
                let accept = self.visit.header("accept").unwrap_or_default();
                let found = accept
                    .split(',')
                    .find_map(|a| answer.templates.get(a))
                    .or_else(|| answer.templates.get("application/json"))
                    .or_else(|| answer.templates.first());
                match found {
                    Some((media, template)) => {
                        content_type = media.to_owned();
                        self.plain(&template.source)
                    }
                    None => String::new(),
                }
            }
        };
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert("x-amzn-errortype", HeaderValue::from_static(refusal.error()));
        if !headers.contains_key(CONTENT_TYPE)
            && let Ok(value) = HeaderValue::from_str(&content_type)
        {
            headers.insert(CONTENT_TYPE, value);
        }
        *response.body_mut() = body.into();
        response
    }

    /// A template of a gateway response: variables, no directives.
    fn plain(&self, source: &str) -> String {
        let roots = ["context", "stageVariables", "method"];
        let template = fogbank_apigw::Template::parse(source, &roots);
        let scope = |name: &str| self.source(name, None);
        template.render(&scope, "")
    }
}
