//! Which operation a request asks for.

use std::borrow::Cow;

use fogbank_core::{ApiError, Result};
use fogbank_model::{Protocol, Service};
use percent_encoding::percent_decode_str;

use crate::{Call, Request};

/// Finds the operation of `service` that a request asks for, and the protocol it speaks.
///
/// # Errors
/// `UnknownOperationException`, `InvalidAction` or S3's `MethodNotAllowed` when there is none: AWS
/// itself has no such operation.
pub fn route(service: &'static Service, r: &Request<'_>) -> Result<Call> {
    let protocol = protocol(service, r);
    let found = match protocol {
        Protocol::Json => {
            let target = r.header("x-amz-target").unwrap_or_default();
            service.operation(target.rsplit_once('.').map_or(target, |(_, op)| op))
        }
        Protocol::Cbor => {
            r.path.rsplit_once("/operation/").and_then(|(_, op)| service.operation(op))
        }
        Protocol::Query | Protocol::Ec2 => match action(r) {
            Some(name) => service.operation(&name),
            None => None,
        },
        Protocol::RestJson | Protocol::RestXml => {
            let header = |name: &str| r.headers.contains_key(name);
            let routed = service.router.find(r.method, r.path, |name| r.parameter(name), header);
            routed.map(|at| &service.operations[at])
        }
    };
    let operation = found.ok_or_else(|| unknown(service, protocol, r))?;
    Ok(Call { service, operation, protocol })
}

/// The protocol of a request, among those the service speaks; its headers and query tell.
#[must_use]
pub fn protocol(service: &Service, r: &Request<'_>) -> Protocol {
    if let [only] = service.protocols[..] {
        return only;
    }
    let speaks = |p: Protocol| service.protocols.contains(&p);
    let content_type = r.header("content-type").unwrap_or_default();
    if speaks(Protocol::Cbor) && r.header("smithy-protocol") == Some("rpc-v2-cbor") {
        return Protocol::Cbor;
    }
    if speaks(Protocol::Json) && r.headers.contains_key("x-amz-target") {
        return Protocol::Json;
    }
    let form = content_type.starts_with("application/x-www-form-urlencoded");
    if speaks(Protocol::Query) && (form || r.query.contains("Action=")) {
        return Protocol::Query;
    }
    let first = service.protocols.first().copied().unwrap_or(Protocol::Json);
    match first {
        // Reached without its header: a JSON client of a service that prefers CBOR, or garbage.
        Protocol::Cbor if speaks(Protocol::Json) => Protocol::Json,
        p => p,
    }
}

/// The `Action` of a query request: in the form, or in the URL.
fn action<'r>(r: &Request<'r>) -> Option<Cow<'r, str>> {
    let body = std::str::from_utf8(r.body).ok()?;
    [body, r.query].into_iter().find_map(|text: &'r str| {
        let mut pairs = text.split('&').map(|p| p.split_once('=').unwrap_or((p, "")));
        let (_, v) = pairs.find(|(k, _)| *k == "Action")?;
        percent_decode_str(v).decode_utf8().ok()
    })
}

fn unknown(service: &Service, protocol: Protocol, r: &Request<'_>) -> ApiError {
    match protocol {
        Protocol::Query | Protocol::Ec2 => match action(r) {
            Some(name) => {
                let version = service.version;
                let text = format!("The action {name} is not valid for this web service.");
                ApiError::new("InvalidAction", text)
                    .status(400)
                    .context(format!("{} {version}", service.id))
            }
            None => ApiError::new(
                "MissingAction",
                "The request is missing an action or a required parameter.",
            )
            .status(400),
        },
        Protocol::RestXml if service.id == "s3" => ApiError::new(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )
        .status(405)
        .field("Method", r.method)
        .field(
            "ResourceType",
            if r.path.trim_matches('/').contains('/') { "OBJECT" } else { "BUCKET" },
        ),
        _ => ApiError::new(
            "UnknownOperationException",
            "The requested operation is not recognized by the service.",
        )
        .status(if matches!(protocol, Protocol::RestJson | Protocol::RestXml) {
            404
        } else {
            400
        }),
    }
}
