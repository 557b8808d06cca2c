//! Trying a method, or an authorizer, of an API as it stands: for real, with a log of what happened.

use std::sync::Arc;

use bytes::Bytes;
use fogbank_apigw::{Child, LIMIT, Visit};
use fogbank_core::{Cx, Op, Result, Value, map, ops};
use http::{HeaderName, HeaderValue, Request};

use crate::ApiGateway;
use crate::authz::check;
use crate::compiled::Deployed;
use crate::deployment::Snapshot;
use crate::document::{member, text};
use crate::error::{bad_request, not_found};
use crate::resource::Resource;
use crate::serve::Exec;
use crate::stage::Stage;

pub const OPS: &[Op<ApiGateway>] = ops![TestInvokeMethod => test_invoke_method [check]];

type Lists = std::collections::BTreeMap<String, Vec<String>>;
type Texts = std::collections::BTreeMap<String, String>;

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_TestInvokeMethod.html>
async fn test_invoke_method(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let (id, resource) = (text(&input, "restApiId")?, text(&input, "resourceId")?);
    let api = gw.api(cx, id).await?;
    let store = &gw.store;
    let snapshot = Snapshot {
        resources: fogbank_apigw::children(store, id).await?,
        models: fogbank_apigw::children(store, id).await?,
        validators: fogbank_apigw::children(store, id).await?,
        authorizers: fogbank_apigw::children(store, id).await?,
        responses: fogbank_apigw::children(store, id).await?,
        api,
    };
    let resource = snapshot.resources.iter().find(|r| r.id == resource);
    let resource = resource.ok_or_else(|| not_found(Resource::KIND))?;
    let method = text(&input, "httpMethod")?;
    resource.method(method)?;
    let path = input.str("pathWithQueryString").filter(|p| !p.is_empty());
    let path = path.unwrap_or(&resource.path).to_owned();
    let visit = visit(cx, id, method, &path, &input)?;
    let mut stage = Stage::new(cx, "test-invoke-stage");
    stage.variables = member(&input, "stageVariables")?;
    let deployed = Deployed::new(snapshot);
    let bare = path.split('?').next().unwrap_or("/").to_owned();
    let mut exec = Exec::new(gw, &deployed, &stage, &visit, &bare);
    exec.log = Some(vec![
        format!("Starting execution for request: {}", visit.request_id),
        format!("HTTP Method: {method}, Resource Path: {bare}"),
        format!("Method request query string: {}", visit.query()),
        format!(
            "Method request body before transformations: {}",
            String::from_utf8_lossy(&visit.body)
        ),
    ]);
    let started = cx.cloud.clock().now();
    let response = exec.run().await;
    let status = response.status().as_u16();
    let mut lines = exec.log.take().unwrap_or_default();
    let refused = response.headers().contains_key("x-amzn-errortype");
    lines.push(if refused {
        format!("Execution failed with status: {status}")
    } else {
        "Successfully completed execution".to_owned()
    });
    lines.push(format!("Method completed with status: {status}"));
    let (parts, body) = response.into_parts();
    let body = body.collect(LIMIT).await?;
    let mut lists = Lists::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        lists.entry(title(name.as_str())).or_default().push(value);
    }
    let headers =
        lists.iter().filter_map(|(k, v)| Some((k.clone().into(), v.last()?.as_str().into())));
    let headers = headers.collect();
    let latency = cx.cloud.clock().now().duration_since(started).as_millis();
    let stamp = time(cx);
    let log: String = std::iter::once(format!("Execution log for request {}\n", visit.request_id))
        .chain(lines.into_iter().map(|l| format!("{stamp} : {l}\n")))
        .collect();
    let lists = lists
        .into_iter()
        .map(|(k, v)| (k.into(), Value::List(v.into_iter().map(Value::from).collect())));
    Ok(map! {
        "status" => i64::from(status),
        "body" => String::from_utf8_lossy(&body).into_owned(),
        "headers" => Value::Map(headers),
        "multiValueHeaders" => Value::Map(lists.collect()),
        "log" => log,
        "latency" => i64::try_from(latency).unwrap_or_default(),
    })
}

/// The request that the test describes.
fn visit(cx: &Cx, api: &str, method: &str, path: &str, input: &Value) -> Result<Visit> {
    let invalid = || bad_request("Invalid pathWithQueryString");
    let verb = if method == "ANY" { "GET" } else { method };
    let mut request = Request::new(());
    *request.method_mut() = verb.parse().map_err(|_| bad_request("Invalid HTTP method"))?;
    *request.uri_mut() = path.parse().map_err(|_| invalid())?;
    let headers: Texts = member(input, "headers")?;
    let lists: Lists = member(input, "multiValueHeaders")?;
    let one = headers.into_iter().map(|(k, v)| (k, vec![v]));
    for (name, values) in one.chain(lists) {
        let bad = || bad_request(format!("Invalid header: {name}"));
        let header = HeaderName::try_from(name.to_ascii_lowercase()).map_err(|_| bad())?;
        for value in values {
            let value = HeaderValue::from_str(&value).map_err(|_| bad())?;
            request.headers_mut().append(header.clone(), value);
        }
    }
    let body: Option<String> = member(input, "body")?;
    let body = Bytes::from(body.unwrap_or_default());
    let (parts, ()) = request.into_parts();
    let mut visit = Visit::internal(Arc::clone(&cx.cloud), parts, body, cx.source_ip);
    visit.api = api.to_owned();
    Ok(visit)
}

/// `Content-Type` of `content-type`.
fn title(name: &str) -> String {
    let words = name.split('-').map(|w| {
        let mut chars = w.chars();
        chars
            .next()
            .map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + chars.as_str())
    });
    words.collect::<Vec<_>>().join("-")
}

/// `Tue Nov 24 15:48:44 UTC 2026`.
fn time(cx: &Cx) -> String {
    let t = jiff::tz::Offset::UTC.to_datetime(cx.now);
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = DAYS[usize::from(t.weekday().to_sunday_zero_offset().unsigned_abs()) % 7];
    let month = MONTHS[usize::from(t.month().unsigned_abs()).saturating_sub(1) % 12];
    format!(
        "{day} {month} {:02} {:02}:{:02}:{:02} UTC {}",
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.year()
    )
}
