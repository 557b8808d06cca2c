//! Invoke: a function is called and waited for, or its event is put in the queue.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_core::{ApiError, Blob, Check, Cx, Op, Reply, Result, Value, map, ops};
use fogbank_lambda_runtime::InitError;
use http::{HeaderName, HeaderValue, header};
use serde::Deserialize;

use crate::config::Config;
use crate::error::{function_missing, invalid, not_json, throttled, too_large};
use crate::function::Function;
use crate::name::{LATEST, Target, number};
use crate::{Lambda, alias, asynchronous, authz};

mod run;
mod streaming;

pub use run::{Request, Run, Unable};
pub use streaming::{Piece, Streamed};

pub const OPS: &[Op<Lambda>] = ops![
    Invoke => invoke [invoke_checks],
    InvokeAsync => invoke_async [invoke_checks],
    InvokeWithResponseStream => streaming::invoke [invoke_checks],
];

/// The most that an event may have, by how it comes.
const SYNC: usize = 6 << 20;
const EVENT: usize = 1 << 20;

/// `lambda:InvokeFunction` on the function as it is named.
async fn invoke_checks(lambda: &Lambda, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let name = input.str("FunctionName").unwrap_or_default();
    let target = Target::parse(cx, name, input.str("Qualifier"))?;
    Ok(vec![authz::of(lambda, &target, "lambda:InvokeFunction".into()).await?])
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    function_name: String,
    qualifier: Option<String>,
    invocation_type: Option<String>,
    log_type: Option<String>,
    client_context: Option<String>,
    payload: Option<Blob>,
    tenant_id: Option<String>,
    durable_execution_name: Option<String>,
}

/// A function as it was asked for, and the version that serves this request.
pub struct Resolved {
    /// As asked for.
    pub target: Target,
    pub function: Function,
    pub version: String,
    pub config: Config,
}

impl Lambda {
    /// The version that serves one request: an alias with weights decides anew each time.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub(crate) async fn resolve(&self, cx: &Cx, target: Target) -> Result<Resolved> {
        let function = self.function(&target).await?;
        let version = match target.qualifier.as_deref() {
            None | Some(LATEST) => LATEST.to_owned(),
            Some(q) if number(q).is_some() => q.to_owned(),
            Some(q) => {
                let alias = alias::get(&self.store, &target, q).await?;
                alias.ok_or_else(|| function_missing(&target.arn()))?.choose(cx)
            }
        };
        let (_, config) = self.version_of(&target.with(Some(&version)), &function).await?;
        Ok(Resolved { target, function, version, config })
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
async fn invoke(lambda: &Lambda, cx: &Cx, input: Input) -> Result<Reply> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    if input.durable_execution_name.is_some() {
        return Err(cx.refuse_member("DurableExecutionName"));
    }
    let resolved = lambda.resolve(cx, target).await?;
    check_tenant(&resolved.function, input.tenant_id.as_deref())?;
    let kind = input.invocation_type.as_deref().unwrap_or("RequestResponse");
    let payload = event(input.payload, kind)?;
    let client_context = input.client_context.as_deref().map(client_context).transpose()?;
    match kind {
        "DryRun" => return Ok(answer(204, &resolved.version)),
        "Event" => {
            let event =
                asynchronous::Event::new(cx, &resolved, payload, client_context, input.tenant_id);
            lambda.enqueue(cx, &event).await?;
            return Ok(answer(202, ""));
        }
        _ => {}
    }
    let request = Request {
        id: cx.request_id.clone(),
        payload,
        client_context,
        trace: cx.header("x-amzn-trace-id").map(str::to_owned),
        tenant: input.tenant_id,
        streaming: None,
    };
    let version = resolved.version.clone();
    let run = lambda.run(cx, resolved, request).await.map_err(Unable::answer)?;
    Ok(sync_reply(&run, &version, input.log_type.as_deref() == Some("Tail")))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html>
async fn invoke_async(lambda: &Lambda, cx: &Cx, input: Input) -> Result<Value> {
    let target = Target::parse(cx, &input.function_name, None)?;
    let resolved = lambda.resolve(cx, target).await?;
    check_tenant(&resolved.function, None)?;
    let body = cx.take_body().collect(EVENT).await;
    let body = body.map_err(|_| too_large(EVENT + 1, "Event", EVENT))?;
    let payload = event(Some(Blob(body)), "Event")?;
    let event = asynchronous::Event::new(cx, &resolved, payload, None, None);
    lambda.enqueue(cx, &event).await?;
    Ok(map! { "Status" => Value::Int(202) })
}

/// Whether a request names a tenant exactly when its function has them apart.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation-invoke.html>
pub fn check_tenant(function: &Function, tenant: Option<&str>) -> Result<()> {
    match (function.tenancy, tenant) {
        (true, None) => Err(invalid(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in \
             your request and try again.",
        )),
        (false, Some(_)) => Err(invalid(
            "The invoked function is not enabled with tenancy configuration. Remove the tenant ID \
             from your request and try again.",
        )),
        _ => Ok(()),
    }
}

/// The event: JSON of a size that this kind of invocation takes; `{}` when there is none.
fn event(payload: Option<Blob>, kind: &str) -> Result<Bytes> {
    let bytes = payload.map(|b| b.0).unwrap_or_default();
    if bytes.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    let limit = if kind == "Event" { EVENT } else { SYNC };
    if bytes.len() > limit {
        return Err(too_large(bytes.len(), kind, limit));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
        Ok(_) => Ok(bytes),
        Err(e) => Err(not_json(&e.to_string())),
    }
}

/// The client context as JSON text.
fn client_context(header: &str) -> Result<String> {
    let bad = || {
        ApiError::new(
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        )
        .field("Type", "User")
    };
    if header.len() > 3583 {
        return Err(bad());
    }
    let text = STANDARD.decode(header).ok().and_then(|b| String::from_utf8(b).ok());
    let text = text.ok_or_else(bad)?;
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(serde_json::Value::Object(_)) => Ok(text),
        _ => Err(bad()),
    }
}

/// An answer without a payload.
fn answer(status: i64, version: &str) -> Reply {
    let version = Some(version.to_owned()).filter(|v| !v.is_empty());
    let value = map! { "StatusCode" => Value::Int(status), "ExecutedVersion" => version };
    Reply { value, status: u16::try_from(status).ok(), ..Reply::default() }
}

fn sync_reply(run: &Run, version: &str, tail: bool) -> Reply {
    let outcome = &run.outcome;
    let (payload, error) = match &outcome.result {
        Ok(bytes) => (bytes.clone(), None),
        Err(failure) => (failure.body(), Some("Unhandled")),
    };
    let log = tail.then(|| STANDARD.encode(&outcome.log_tail));
    let value = Value::Map(vec![
        ("StatusCode".into(), Value::Int(200)),
        ("ExecutedVersion".into(), version.into()),
        ("FunctionError".into(), error.map_or(Value::Null, Value::from)),
        ("LogResult".into(), log.map_or(Value::Null, Value::from)),
        ("Payload".into(), Value::Blob(payload)),
    ]);
    let mut headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    if let Ok(trace) = HeaderValue::from_str(&run.trace) {
        headers.push((HeaderName::from_static("x-amzn-trace-id"), trace));
    }
    Reply { value, headers, ..Reply::default() }
}

impl Unable {
    /// What the caller of a function that could not be run is told.
    pub fn answer(self) -> ApiError {
        match self {
            Unable::Throttled(reason) => throttled(reason),
            Unable::Recursion => ApiError::new(
                "RecursiveInvocationException",
                "Lambda has detected your function being invoked in a recursive loop with other \
                 Amazon Web Services resources and stopped your function's invocation.",
            )
            .field("Type", "User"),
            Unable::Start(InitError::NoRuntime(why)) => {
                ApiError::new("InvalidRuntimeException", why).field("Type", "User")
            }
            Unable::Start(InitError::Sandbox(why)) => ApiError::new("ServiceException", why),
            Unable::NotReady(message) => crate::error::conflict(message),
            Unable::Api(e) => e,
        }
    }
}
