//! Optimised integrations: DynamoDB items, SQS, SNS, EventBridge, Step Functions itself.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html>

use fogbank_asl::Fault;
use fogbank_core::{ApiError, Cx};
use serde_json::{Value, json};

use super::names::{Names, exception, optimised};
use super::sdk::{Refused, enter, invoke, unfit};
use super::{Answer, Asked};
use crate::Sfn;

/// The actions that are integrated.
const ACTIONS: [(&str, &[&str]); 5] = [
    ("dynamodb", &["getItem", "putItem", "updateItem", "deleteItem"]),
    ("sqs", &["sendMessage"]),
    ("sns", &["publish"]),
    ("events", &["putEvents"]),
    ("states", &["startExecution"]),
];

pub async fn call(sfn: &Sfn, asked: &Asked<'_>, service: &str, action: &str) -> Answer {
    let integrated = ACTIONS.iter().any(|(s, a)| *s == service && a.contains(&action));
    let names = optimised(service).filter(|_| integrated);
    let names = names.ok_or_else(|| super::unsupported(&asked.task.arn))?;
    if service == "states" {
        return super::states::start(sfn, asked).await.map(|(answer, _)| answer);
    }
    let mut arguments = asked.call.arguments.0.as_ref().clone();
    match service {
        "sqs" => stringify(&mut arguments, "MessageBody"),
        "sns" => stringify(&mut arguments, "Message"),
        "events" => events(&mut arguments, asked),
        _ => {}
    }
    let cx = enter(sfn, asked, &names.error).await?;
    let answer = call_with(&cx, &names, action, arguments).await?;
    if service == "events" && answer["FailedEntryCount"].as_i64().unwrap_or(0) > 0 {
        let error = Some("EventBridge.FailedEntry".to_owned());
        return Err(Fault::plain(error, Some(answer.to_string())));
    }
    Ok(answer)
}

/// Calls an operation; the answer has what the SDK's first version says of the reply.
pub async fn call_with(cx: &Cx, names: &Names, action: &str, arguments: Value) -> Answer {
    let shown = arguments.clone();
    match invoke(cx, &names.model, action, arguments).await {
        Ok(v) => Ok(with_metadata(cx, v)),
        Err(Refused::Input(why)) => Err(unfit(&shown, &why)),
        Err(Refused::Unknown) => Err(Fault::runtime(format!("There is no operation '{action}'"))),
        Err(Refused::Error(operation, e)) => Err(fault(cx, names, operation, &e)),
    }
}

/// An error as the first version of the SDKs has it.
pub fn fault(cx: &Cx, names: &Names, operation: &str, e: &ApiError) -> Fault {
    let shape = cx.cloud.shapes().and_then(|s| s.error(&names.model, operation, e.code()));
    let name = shape.map_or_else(|| names.base.clone(), exception);
    let status = e.status_override().unwrap_or(400);
    let request = cx.ids().request_id();
    let cause = format!(
        "{} (Service: {}; Status Code: {status}; Error Code: {}; Request ID: {request}; Proxy: null)",
        e.message(),
        names.service,
        e.code()
    );
    Fault::plain(Some(format!("{}.{name}", names.error)), Some(cause))
}

/// Adds what is said of the HTTP reply.
pub fn with_metadata(cx: &Cx, mut answer: Value) -> Value {
    let Value::Object(o) = &mut answer else { return answer };
    let request = cx.ids().request_id();
    let length = serde_json::Value::Object(o.clone()).to_string().len().to_string();
    let date = cx.now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let kind = "application/x-amz-json-1.0";
    o.insert(
        "SdkHttpMetadata".to_owned(),
        json!({
            "AllHttpHeaders": {
                "x-amzn-RequestId": [request],
                "connection": ["keep-alive"],
                "Content-Length": [length],
                "Date": [date],
                "Content-Type": [kind],
            },
            "HttpHeaders": {
                "connection": "keep-alive",
                "Content-Length": length,
                "Content-Type": kind,
                "Date": date,
                "x-amzn-RequestId": request,
            },
            "HttpStatusCode": 200,
        }),
    );
    o.insert("SdkResponseMetadata".to_owned(), json!({ "RequestId": request }));
    answer
}

/// A member that is text: JSON is written out.
pub fn stringify(arguments: &mut Value, name: &str) {
    if let Some(v) = arguments.get_mut(name)
        && !v.is_string()
        && !v.is_null()
    {
        *v = v.to_string().into();
    }
}

/// Each entry gets its detail as text, and the execution among its resources.
fn events(arguments: &mut Value, asked: &Asked<'_>) {
    let Some(entries) = arguments.get_mut("Entries").and_then(Value::as_array_mut) else { return };
    for entry in entries {
        stringify(entry, "Detail");
        let Value::Object(o) = entry else { continue };
        let resources = o.entry("Resources").or_insert_with(|| json!([]));
        if let Value::Array(list) = resources {
            list.push(asked.execution.into());
            list.push(asked.caller.machine_arn.clone().into());
        }
    }
}
