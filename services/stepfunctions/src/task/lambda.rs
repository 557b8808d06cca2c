//! Lambda functions: by their ARN, and as `lambda:invoke`.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html>

use fogbank_asl::Fault;
use serde_json::{Value, json};

use super::names::optimised;
use super::optimised::{call_with, fault, with_metadata};
use super::sdk::{Refused, enter, invoke as call, unfit};
use super::{Answer, Asked};
use crate::Sfn;

/// The function's result as it is.
pub async fn direct(sfn: &Sfn, asked: &Asked<'_>, arn: &str) -> Answer {
    let payload = asked.call.arguments.to_string();
    let arguments = json!({"FunctionName": arn, "Payload": payload});
    let answer = run(sfn, asked, arguments).await?;
    Ok(answer.get("Payload").cloned().unwrap_or_default())
}

/// `lambda:invoke`: the result is in `Payload`.
pub async fn invoke(sfn: &Sfn, asked: &Asked<'_>, _callback: bool) -> Answer {
    let mut arguments = asked.call.arguments.0.as_ref().clone();
    if let Some(p) = arguments.get_mut("Payload") {
        // The payload is JSON: a text is one in quotes.
        *p = p.to_string().into();
    }
    if arguments.get("InvocationType").is_some_and(|t| t == "Event") {
        let names = optimised("lambda").ok_or_else(|| super::unsupported(&asked.task.arn))?;
        let cx = enter(sfn, asked, &names.error).await?;
        return call_with(&cx, &names, "invoke", arguments).await;
    }
    run(sfn, asked, arguments).await
}

async fn run(sfn: &Sfn, asked: &Asked<'_>, arguments: Value) -> Answer {
    let names = optimised("lambda").ok_or_else(|| super::unsupported(&asked.task.arn))?;
    let cx = enter(sfn, asked, &names.error).await?;
    let shown = arguments.clone();
    let answer = match call(&cx, &names.model, "invoke", arguments).await {
        Ok(v) => v,
        Err(Refused::Input(why)) => return Err(unfit(&shown, &why)),
        Err(Refused::Unknown) => return Err(super::unsupported(&asked.task.arn)),
        Err(Refused::Error(operation, e)) => return Err(fault(&cx, &names, operation, &e)),
    };
    let text = answer.get("Payload").and_then(Value::as_str).unwrap_or_default();
    if let Some(kind) = answer.get("FunctionError").and_then(Value::as_str) {
        return Err(failed(text, kind));
    }
    let payload = match text {
        "" => json!({}),
        text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    };
    let mut out = json!({"ExecutedVersion": answer.get("ExecutedVersion").cloned().unwrap_or_else(|| "$LATEST".into())});
    out["Payload"] = payload;
    let mut out = with_metadata(&cx, out);
    out["StatusCode"] = answer.get("StatusCode").cloned().unwrap_or_else(|| 200.into());
    Ok(out)
}

/// A function's error: its type is the error's name, all of it the cause.
fn failed(text: &str, kind: &str) -> Fault {
    let parsed: Value = serde_json::from_str(text).unwrap_or_default();
    let error = parsed.get("errorType").and_then(Value::as_str);
    let error = error.filter(|e| !e.is_empty()).unwrap_or("Lambda.Unknown");
    let cause = if text.is_empty() { kind } else { text };
    Fault::plain(Some(error.to_owned()), Some(cause.to_owned()))
}
