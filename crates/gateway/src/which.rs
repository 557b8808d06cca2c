//! Which service a request is for: the signature's scope, else target, action, host, path.

use fogbank_core::ApiError;
use fogbank_model::{self as model, Head, Protocol, Service};
use http::request::Parts;

use crate::names::{HostName, is_plain, parameter};

/// Where the service is found when nothing else says: anonymous S3 requests have a path only.
const DEFAULT: &str = "s3";

/// Path prefixes by which services with one signing name differ.
const BY_PATH: &[(&str, &str)] = &[("/v2/", "apigatewayv2"), ("/v20180820/", "s3control")];

/// What the head of a request tells.
#[derive(Debug)]
pub enum Which {
    Service(&'static Head),
    /// The form in the body must say it: one of these, or of all when there are none.
    Form(Vec<&'static Head>),
}

/// Finds the service by a request's head. `scope` is the signature's service, if it has one.
///
/// # Errors
/// `UnknownService` for a name that no model has.
pub fn by_head(parts: &Parts, scope: Option<&str>, host: &HostName<'_>) -> Result<Which, ApiError> {
    let target = target(parts);
    if let Some(name) = scope {
        // The hot path: S3 shares its name with services of the control plane.
        if name == DEFAULT && target.is_none() && host.service.is_none_or(|s| s == DEFAULT) {
            let id = by_path(parts).filter(|id| *id == "s3control").unwrap_or(DEFAULT);
            return head(id).map(Which::Service);
        }
        let all: Vec<_> = model::find(|h| h.signing == name || h.id == name).collect();
        return narrow(parts, all, target, host).ok_or_else(|| unknown(name));
    }
    if let Some(target) = target
        && let Some(h) = model::find(|h| h.target == target).next()
    {
        return Ok(Which::Service(h));
    }
    if let Some(id) = cbor_service(parts) {
        return model::find(|h| h.service_id.replace(' ', "_") == id || h.service_id == id)
            .next()
            .map(Which::Service)
            .ok_or_else(|| unknown(id));
    }
    if let Some(service) = host.service {
        let all: Vec<_> = model::find(|h| h.endpoint == service).collect();
        if let Some(which) = narrow(parts, all, None, host) {
            return Ok(which);
        }
    }
    if is_form(parts) && parts.uri.path() == "/" || has_action(parts) {
        return Ok(Which::Form(Vec::new()));
    }
    head(DEFAULT).map(Which::Service)
}

/// Finds the service by the form of a query request, among `heads` or, if there are none, among
/// those of `served` (ids of services) that speak the query protocol.
///
/// # Errors
/// `InvalidAction` when no service has such an action in such a version.
pub fn by_form(
    heads: &[&'static Head],
    served: impl Iterator<Item = &'static str>,
    form: &str,
) -> Result<&'static Head, ApiError> {
    let action = parameter(form, "Action").unwrap_or_default();
    let version = parameter(form, "Version");
    let fits = |s: &Service| {
        s.protocols.iter().any(|p| matches!(p, Protocol::Query | Protocol::Ec2))
            && version.as_deref().is_none_or(|v| v == s.version)
            && s.operation(&action).is_some()
    };
    let served: Vec<_> = served.filter_map(|id| model::find(|h| h.id == id).next()).collect();
    let among = if heads.is_empty() { &served[..] } else { heads };
    among.iter().copied().find(|h| fits(h.service())).or_else(|| heads.first().copied()).ok_or_else(
        || {
            ApiError::new(
                "InvalidAction",
                format!(
                    "Could not find operation {action} for version {}",
                    version.as_deref().unwrap_or("NO_VERSION_SPECIFIED")
                ),
            )
            .status(400)
        },
    )
}

/// Whether the label (or two) of a host name is a service's.
pub fn is_endpoint(label: &str) -> bool {
    model::find(|h| h.endpoint == label).next().is_some()
}

/// What the host says; nothing for addresses and `localhost`, which need no search.
#[must_use]
pub fn host(host: &str) -> HostName<'_> {
    if is_plain(host) { HostName::default() } else { HostName::parse(host, is_endpoint) }
}

/// One of several services that share a name.
fn narrow(
    parts: &Parts,
    mut all: Vec<&'static Head>,
    target: Option<&str>,
    host: &HostName<'_>,
) -> Option<Which> {
    if all.len() > 1 {
        let first = |test: &dyn Fn(&Head) -> bool| all.iter().copied().find(|h| test(h));
        let chosen = target
            .and_then(|t| first(&|h| h.target == t))
            .or_else(|| by_path(parts).and_then(|id| first(&|h| h.id == id)))
            .or_else(|| host.service.and_then(|s| only(&all, |h| h.endpoint == s)));
        if let Some(h) = chosen {
            return Some(Which::Service(h));
        }
        if is_form(parts) || has_action(parts) {
            return Some(Which::Form(all));
        }
    }
    (!all.is_empty()).then(|| Which::Service(all.swap_remove(0)))
}

fn only(all: &[&'static Head], test: impl Fn(&Head) -> bool) -> Option<&'static Head> {
    let mut fit = all.iter().copied().filter(|h| test(h));
    let one = fit.next()?;
    fit.next().is_none().then_some(one)
}

fn by_path(parts: &Parts) -> Option<&'static str> {
    let path = parts.uri.path();
    BY_PATH.iter().find(|(p, _)| path.starts_with(p)).map(|(_, id)| *id)
}

/// `DynamoDB_20120810` of `X-Amz-Target: DynamoDB_20120810.PutItem`.
fn target(parts: &Parts) -> Option<&str> {
    let target = parts.headers.get("x-amz-target")?.to_str().ok()?;
    Some(target.rsplit_once('.').map_or(target, |(prefix, _)| prefix))
}

/// `Name` of RPC v2's `/service/Name/operation/Op`.
fn cbor_service(parts: &Parts) -> Option<&str> {
    if !parts.headers.contains_key("smithy-protocol") {
        return None;
    }
    let (_, rest) = parts.uri.path().rsplit_once("/service/")?;
    let (name, rest) = rest.split_once('/')?;
    rest.starts_with("operation/").then_some(name)
}

/// Whether the body is a form, as the query protocol's is.
#[must_use]
pub fn is_form(parts: &Parts) -> bool {
    const FORM: &str = "application/x-www-form-urlencoded";
    let t = parts.headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    t.and_then(|t| t.get(..FORM.len())).is_some_and(|t| t.eq_ignore_ascii_case(FORM))
}

fn has_action(parts: &Parts) -> bool {
    parts.uri.query().is_some_and(|q| q.split('&').any(|p| p.starts_with("Action=")))
}

fn head(id: &str) -> Result<&'static Head, ApiError> {
    model::head(id).ok_or_else(|| unknown(id))
}

fn unknown(name: &str) -> ApiError {
    ApiError::not_implemented(&format!("The service {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn which(request: http::request::Builder, scope: Option<&str>, host_name: &str) -> String {
        let parts = request.body(()).unwrap().into_parts().0;
        match by_head(&parts, scope, &host(host_name)) {
            Ok(Which::Service(h)) => h.id.to_owned(),
            Ok(Which::Form(all)) => {
                all.iter().map(|h| h.id).fold("form".into(), |a, b| a + " " + b)
            }
            Err(e) => e.message().to_owned(),
        }
    }

    #[test]
    fn the_service_is_found() {
        let get = |uri: &str| Request::get(uri);
        let form = || {
            Request::post("/").header("content-type", "application/x-www-form-urlencoded; charset")
        };
        let target = |t: &str| Request::post("/").header("x-amz-target", t);
        let plain = "127.0.0.1";
        let cases = [
            (get("/b/k"), Some("s3"), plain, "s3"),
            (get("/b/k"), None, plain, "s3"),
            (get("/v20180820/tags/x"), Some("s3"), plain, "s3control"),
            (get("/"), Some("s3"), "000000000000.s3-control.us-east-1.amazonaws.com", "s3control"),
            (form(), Some("sts"), plain, "sts"),
            (form(), Some("elasticloadbalancing"), plain, "form elb elbv2"),
            (form(), None, plain, "form"),
            (form(), None, "sts.us-east-1.amazonaws.com", "sts"),
            (get("/?Action=GetCallerIdentity&Version=2011-06-15"), None, plain, "form"),
            (target("DynamoDB_20120810.PutItem"), Some("dynamodb"), plain, "dynamodb"),
            (target("DynamoDBStreams_20120810.X"), Some("dynamodb"), plain, "dynamodbstreams"),
            (target("AWSCognitoIdentityService.GetId"), None, plain, "cognito-identity"),
            (get("/v2/apis"), Some("apigateway"), plain, "apigatewayv2"),
            (get("/restapis"), Some("apigateway"), plain, "apigateway"),
            (Request::post("/"), None, "sync-states.us-east-1.amazonaws.com", "stepfunctions"),
            (get("/"), Some("no-such"), plain, "The service no-such is not implemented by fogbank"),
        ];
        for (n, (request, scope, host, expected)) in cases.into_iter().enumerate() {
            assert_eq!(which(request, scope, host), expected, "case {n}");
        }
    }

    #[test]
    fn forms_name_action_and_version() {
        let served = || ["iam", "sts", "s3"].into_iter();
        let find = |form: &str| by_form(&[], served(), form).map(|h| h.id);
        assert_eq!(find("Action=GetCallerIdentity&Version=2011-06-15").unwrap(), "sts");
        assert_eq!(find("Version=2010-05-08&Action=ListUsers").unwrap(), "iam");
        assert_eq!(find("Action=Nope&Version=2011-06-15").unwrap_err().code(), "InvalidAction");
        let elb: Vec<_> = model::find(|h| h.signing == "elasticloadbalancing").collect();
        let version = |v: &str| {
            let form = format!("Action=DescribeLoadBalancers&Version={v}");
            by_form(&elb, served(), &form).unwrap().id
        };
        assert_eq!([version("2012-06-01"), version("2015-12-01")], ["elb", "elbv2"]);
    }
}
