//! Requests of the cases -> parameters.

use fogbank_core::Value;
use fogbank_model::{Kind, Location, Protocol, Shape};
use fogbank_wire::{Request, route};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::suite::{Case, body, canonical, value};

/// Reads the request of a case and compares with its parameters.
pub fn check(case: &Case) -> Result<(), String> {
    let wanted = &case.json["serialized"];
    let mut headers = HeaderMap::new();
    for (k, v) in wanted["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::try_from(k).map_err(|e| e.to_string())?;
        let text = v.as_str().unwrap_or_default();
        headers.insert(name, HeaderValue::try_from(text).map_err(|e| e.to_string())?);
    }
    // Cases about something else leave the headers of their protocol out.
    if case.protocol() == Protocol::Json && !headers.contains_key("x-amz-target") {
        let target = format!("{}.{}", case.service.target, case.operation.name);
        headers.insert("x-amz-target", HeaderValue::try_from(target).expect("plain names"));
    }
    let uri = wanted["uri"].as_str().unwrap_or("/");
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let bytes = body(case, wanted);
    let method = wanted["method"].as_str().unwrap_or("POST");
    let request = Request { method, path, query, headers: &headers, body: &bytes };
    let call = route(case.service, &request).map_err(|e| format!("route: {e}"))?;
    if call.operation.name != case.operation.name {
        return Err(format!("routed to {}", call.operation.name));
    }
    let Some(input) = case.operation.input.map(|i| case.service.shape(i)) else {
        return Ok(());
    };
    let mut expected = value(case.service, input, &case.json["params"]);
    if call.streams_input() {
        streamed(&mut expected, input.payload.unwrap_or_default(), &bytes)?;
    }
    let empty = bytes::Bytes::new();
    let request = if call.streams_input() { Request { body: &empty, ..request } } else { request };
    let mut got =
        call.decode(&request).map_err(|e| format!("decode: {e} {:?}", e.internal_context()))?;
    forget_tokens(input, &mut got, &expected);
    forget_named_parameters(case, input, &mut got);
    forget_named_parameters(case, input, &mut expected);
    let (got, expected) = (canonical(&got), canonical(&expected));
    if got == expected { Ok(()) } else { Err(format!("read {got}\n    want {expected}")) }
}

/// A streamed payload goes past the value: takes it out of what is expected.
fn streamed(expected: &mut Value, payload: &str, bytes: &[u8]) -> Result<(), String> {
    let Value::Map(m) = expected else { return Ok(()) };
    let Some(at) = m.iter().position(|(k, _)| k == payload) else { return Ok(()) };
    match m.remove(at).1 {
        Value::Blob(b) if b == bytes => Ok(()),
        other => Err(format!("the payload is {other:?}")),
    }
}

/// A token that the client filled in is not among the parameters.
fn forget_tokens(input: &Shape, got: &mut Value, expected: &Value) {
    let Value::Map(m) = got else { return };
    let is_token = |name: &str| input.member(name).is_some_and(|m| m.idempotency_token);
    m.retain(|(k, _)| !is_token(k) || expected.get(k).is_some());
}

/// A server puts every parameter of the URL into the map that catches them, a client only those
/// without a member of their own: leaves the others.
fn forget_named_parameters(case: &Case, input: &Shape, v: &mut Value) {
    let Value::Map(entries) = v else { return };
    let in_query = |name: &str| input.member(name).filter(|m| m.location == Location::Query);
    for (name, v) in entries.iter_mut() {
        let Some(m) = in_query(name) else { continue };
        let (Kind::Map { .. }, Value::Map(all)) = (case.service.shape(m.shape).kind, v) else {
            continue;
        };
        let named = |k: &str| input.members.iter().any(|m| m.wire() == k);
        all.retain(|(k, _)| !named(k));
    }
    entries.retain(|(k, v)| in_query(k).is_none() || *v != Value::Map(Vec::new()));
}
