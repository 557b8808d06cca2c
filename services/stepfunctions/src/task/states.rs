//! `states:startExecution`: executions that executions start, and wait for.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html>

use fogbank_asl::Fault;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Asked;
use super::names::optimised;
use super::optimised::{fault, stringify, with_metadata};
use super::sdk::{Refused, enter, invoke, unfit};
use crate::Sfn;
use crate::arn::ExecutionId;
use crate::record::Execution;

/// Starts an execution; the answer, and the execution.
pub async fn start(sfn: &Sfn, asked: &Asked<'_>) -> Result<(Value, ExecutionId), Fault> {
    let names = optimised("states").ok_or_else(|| super::unsupported(&asked.task.arn))?;
    let mut arguments = asked.call.arguments.0.as_ref().clone();
    stringify(&mut arguments, "Input");
    let named = arguments.get("Name").is_some_and(|n| !n.is_null());
    if let Value::Object(o) = &mut arguments {
        if o.get("Input").is_some_and(Value::is_null) {
            o.remove("Input");
        }
        if !named {
            // The same name each time: a call that is repeated starts nothing twice.
            o.insert("Name".to_owned(), name(&asked.unique).into());
        }
        if let Some(trace) = asked.trace {
            o.entry("TraceHeader").or_insert_with(|| trace.into());
        }
    }
    let cx = enter(sfn, asked, &names.error).await?;
    let shown = arguments.clone();
    let mut answer = match invoke(&cx, &names.model, "startExecution", arguments).await {
        Ok(v) => v,
        Err(Refused::Input(why)) => return Err(unfit(&shown, &why)),
        Err(Refused::Unknown) => return Err(super::unsupported(&asked.task.arn)),
        Err(Refused::Error(operation, e)) => {
            // Our own name exists: an earlier try of this call has started it.
            let own = (!named && e.code() == "ExecutionAlreadyExists")
                .then(|| e.message().split('\'').nth(1).map(str::to_owned))
                .flatten();
            match own {
                Some(arn) => json!({ "ExecutionArn": arn }),
                None => return Err(fault(&cx, &names, operation, &e)),
            }
        }
    };
    let arn = answer.get("ExecutionArn").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(date) = answer.get("StartDate").and_then(Value::as_str) {
        answer["StartDate"] = millis(date);
    }
    let id = ExecutionId::parse(&arn).unwrap_or_else(|_| ExecutionId {
        region: String::new(),
        account: String::new(),
        machine: String::new(),
        name: arn,
    });
    Ok((with_metadata(&cx, answer), id))
}

fn millis(date: &str) -> Value {
    date.parse::<jiff::Timestamp>().map_or_else(|_| date.into(), |t| t.as_millisecond().into())
}

/// A UUID made of what is unique.
fn name(of: &str) -> String {
    let h = hex::encode(Sha256::digest(of.as_bytes()));
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..32])
}

/// An execution as the task that waited for it sees it.
pub fn described(e: &Execution, parsed: bool) -> Value {
    let text = |s: &str| match parsed {
        true => serde_json::from_str(s).unwrap_or_else(|_| s.into()),
        false => Value::from(s),
    };
    let mut out = Map::new();
    let mut add = |name: &str, v: Value| {
        out.insert(name.to_owned(), v);
    };
    if let Some(c) = &e.cause {
        add("Cause", c.clone().into());
    }
    if let Some(error) = &e.error {
        add("Error", error.clone().into());
    }
    add("ExecutionArn", e.id.arn().into());
    add("Input", text(&e.input));
    add("InputDetails", json!({"Included": true}));
    add("Name", e.id.name.clone().into());
    if let Some(output) = &e.output {
        add("Output", text(output));
        add("OutputDetails", json!({"Included": true}));
    }
    add("StartDate", (e.started / 1000).into());
    add("StateMachineArn", e.id.machine_arn().into());
    add("Status", e.status.name().into());
    if let Some(at) = e.stopped {
        add("StopDate", (at / 1000).into());
    }
    Value::Object(out)
}
