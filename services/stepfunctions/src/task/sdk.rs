//! `aws-sdk:SERVICE:action`: any operation of any service that is here, as the models describe it.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html>

use fogbank_asl::Fault;
use fogbank_core::{ApiError, Body, Cx};
use serde_json::Value;

use super::names::{Names, exception, sdk};
use super::{Answer, Asked};
use crate::Sfn;
use crate::json::{from_value, to_value};

/// The largest payload that is read into an answer.
const LARGEST: usize = 8 << 20;

pub async fn call(sfn: &Sfn, asked: &Asked<'_>, service: &str, action: &str) -> Answer {
    let names = sdk(service);
    let cx = enter(sfn, asked, &names.error).await?;
    match invoke(&cx, &names.model, action, asked.call.arguments.0.as_ref().clone()).await {
        Ok(v) => Ok(v),
        Err(Refused::Input(why)) => Err(unfit(&asked.call.arguments, &why)),
        Err(Refused::Unknown) => Err(super::unsupported(&asked.task.arn)),
        Err(Refused::Error(operation, e)) => Err(fault(&cx, &names, operation, &e)),
    }
}

/// Why a call has no answer.
pub enum Refused {
    /// The arguments do not fit the operation.
    Input(String),
    /// There is no such operation.
    Unknown,
    Error(&'static str, ApiError),
}

/// Calls an operation with JSON as SDKs have it.
pub async fn invoke(
    cx: &Cx,
    model: &str,
    action: &str,
    arguments: Value,
) -> Result<Value, Refused> {
    let cloud = &cx.cloud;
    let shapes = cloud.shapes().ok_or(Refused::Unknown)?;
    let operation = shapes.operation(model, action).ok_or(Refused::Unknown)?;
    let given = shapes.input(model, operation, to_value(arguments));
    let (input, payload) = given.map_err(|e| Refused::Input(e.message().to_owned()))?;
    let body = payload.map_or(Body::Empty, Body::Full);
    let refused = |e| Refused::Error(operation, e);
    let reply = cloud.call(cx, model, operation, input, body).await.map_err(refused)?;
    let payload = match reply.body {
        None => None,
        Some(b) => Some(b.collect(LARGEST).await.map_err(refused)?),
    };
    Ok(from_value(shapes.output(model, operation, reply.value, payload)))
}

/// A context in the machine's role; what that role may not be is the task's error.
pub async fn enter(sfn: &Sfn, asked: &Asked<'_>, error: &str) -> Result<Cx, Fault> {
    let role = asked.call.role.as_deref();
    sfn.roles.enter(asked.caller, role).await.map_err(|e| {
        let cause = format!(
            "Neither the global service principal states.amazonaws.com, nor the \
                             regional one is authorized to assume the provided role. {}",
            e.message()
        );
        let _ = error;
        Fault::plain(Some("States.TaskFailed".to_owned()), Some(cause))
    })
}

/// The refusal of arguments, in AWS's words.
pub fn unfit(arguments: &Value, why: &str) -> Fault {
    Fault::runtime(format!(
        "The Parameters '{arguments}' could not be used to start the Task: [{why}]"
    ))
}

/// An error as the second version of the SDKs has it.
pub fn fault(cx: &Cx, names: &Names, operation: &str, e: &ApiError) -> Fault {
    let shape = cx.cloud.shapes().and_then(|s| s.error(&names.model, operation, e.code()));
    let name = shape.map_or_else(|| names.base.clone(), exception);
    let status = e.status_override().unwrap_or(400);
    let request = cx.ids().request_id();
    let cause = format!(
        "{} (Service: {}, Status Code: {status}, Request ID: {request}) (SDK Attempt Count: 1)",
        e.message(),
        names.service
    );
    Fault::plain(Some(format!("{}.{name}", names.error)), Some(cause))
}
