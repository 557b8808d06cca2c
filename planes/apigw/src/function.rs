//! Functions behind APIs: their names in integration URIs, and calling them.

use bytes::Bytes;
use fogbank_core::{ApiError, Cx, Result, Value};

/// A function as an integration or authorizer names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function(pub String);

impl Function {
    /// The function of `arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations`
    /// or of a plain function ARN. `None` for anything else.
    #[must_use]
    pub fn of_uri(uri: &str) -> Option<Self> {
        if uri.starts_with("arn:aws:lambda:") || uri.starts_with("arn:aws-us-gov:lambda:") {
            return Some(Function(uri.to_owned()));
        }
        let mut parts = uri.splitn(6, ':');
        let (arn, _, service, _, name, path) = (
            parts.next()?,
            parts.next()?,
            parts.next()?,
            parts.next()?,
            parts.next()?,
            parts.next()?,
        );
        if arn != "arn" || service != "apigateway" || name != "lambda" {
            return None;
        }
        let rest = path.strip_prefix("path/")?;
        let at = rest.find("/functions/")?;
        let name = rest[at + "/functions/".len()..].strip_suffix("/invocations")?;
        (!name.is_empty()).then(|| Function(name.to_owned()))
    }
}

/// What a function said.
#[derive(Debug)]
pub struct Invoked {
    pub payload: Bytes,
    /// `Handled` or `Unhandled`, when it failed.
    pub error: Option<String>,
}

/// How to call it, beside its payload.
#[derive(Clone, Debug, Default)]
pub struct Manner<'a> {
    pub asynchronous: bool,
    pub tenant: Option<&'a str>,
}

/// Calls a function with `cx`'s principal.
///
/// # Errors
/// Lambda's: the function is not there, may not be called, is throttled.
pub async fn invoke(
    cx: &Cx,
    function: &Function,
    payload: Vec<u8>,
    manner: Manner<'_>,
) -> Result<Invoked> {
    let kind = if manner.asynchronous { "Event" } else { "RequestResponse" };
    let mut input = vec![
        ("FunctionName".into(), Value::from(function.0.as_str())),
        ("InvocationType".into(), kind.into()),
        ("Payload".into(), Value::Blob(payload.into())),
    ];
    if let Some(tenant) = manner.tenant {
        input.push(("TenantId".into(), tenant.into()));
    }
    let reply =
        cx.cloud.call(cx, "lambda", "Invoke", Value::Map(input), fogbank_core::Body::Empty).await?;
    let payload = match (reply.value.get("Payload"), reply.body) {
        (Some(Value::Blob(b)), _) => b.clone(),
        (_, Some(body)) => body.collect(crate::visit::LIMIT).await?,
        (Some(Value::Str(s)), _) => Bytes::copy_from_slice(s.as_bytes()),
        (None, None) => Bytes::new(),
        _ => return Err(ApiError::internal("an invocation's payload is no blob")),
    };
    Ok(Invoked { payload, error: reply.value.str("FunctionError").map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:live";
        let uri = format!(
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
        );
        assert_eq!(Function::of_uri(&uri).unwrap().0, arn);
        assert_eq!(Function::of_uri(arn).unwrap().0, arn);
        for bad in [
            "arn:aws:apigateway:us-east-1:states:action/StartExecution",
            "arn:aws:apigateway:us-east-1:lambda:path/functions//invocations",
            "https://example.com",
            "",
        ] {
            assert_eq!(Function::of_uri(bad), None, "{bad}");
        }
    }
}
