//! Tasks: the calls of other services, in the machine's role.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html>

use fogbank_asl::definition::Task;
use fogbank_asl::resource::{Integration, Pattern};
use fogbank_asl::run::Call;
use fogbank_asl::{Fault, Resource, Signal};
use serde_json::Value;

use crate::Sfn;
use crate::arn::ExecutionId;
use crate::record::{Execution, Status};
use crate::role::Caller;

mod http;
mod lambda;
mod names;
mod optimised;
mod sdk;
mod states;

pub use sdk::{Refused, invoke};

/// A call that a task asks for.
pub struct Asked<'a> {
    pub caller: &'a Caller,
    pub task: &'a Task,
    pub call: &'a Call,
    /// The execution's ARN.
    pub execution: &'a str,
    pub trace: Option<&'a str>,
    /// The same for each repetition of this call, and for no other.
    pub unique: String,
}

/// What came of it.
pub struct Did {
    pub signals: Vec<Signal>,
    /// The execution that the task waits for, and whether its output is wanted as JSON.
    pub watch: Option<(ExecutionId, bool)>,
}

/// The answer of a call, or why there is none.
pub type Answer = Result<Value, Fault>;

/// Calls what the task calls.
pub async fn perform(sfn: &Sfn, asked: &Asked<'_>) -> Did {
    let whole =
        |r: Answer| Did { signals: vec![Signal::Started(None), Signal::Ended(r)], watch: None };
    match &asked.task.resource {
        Resource::Lambda(arn) => whole(lambda::direct(sfn, asked, arn).await),
        Resource::Activity(_) => Did { signals: Vec::new(), watch: None },
        Resource::Other(uri) => whole(Err(unsupported(uri))),
        Resource::Service(i) => service(sfn, asked, i).await,
    }
}

async fn service(sfn: &Sfn, asked: &Asked<'_>, i: &Integration) -> Did {
    let sync = matches!(i.pattern, Pattern::Sync | Pattern::Sync2);
    let whole =
        |r: Answer| Did { signals: vec![Signal::Started(None), Signal::Ended(r)], watch: None };
    let answer = match (i.service.as_str(), i.action.as_str()) {
        ("states", "startExecution") if sync => {
            return match states::start(sfn, asked).await {
                Ok((answer, child)) => Did {
                    signals: vec![Signal::Started(None), Signal::Submitted(answer)],
                    watch: Some((child, i.pattern == Pattern::Sync2)),
                },
                Err(fault) => whole(Err(fault)),
            };
        }
        _ if sync => Err(unsupported(&asked.task.arn)),
        ("lambda", "invoke") => lambda::invoke(sfn, asked, i.pattern == Pattern::Callback).await,
        ("apigateway", "invoke") => http::api_gateway(asked).await,
        ("http", "invoke") => Err(unsupported(&asked.task.arn)),
        (service, action) => match service.strip_prefix("aws-sdk:") {
            Some(name) => sdk::call(sfn, asked, name, action).await,
            None => optimised::call(sfn, asked, service, action).await,
        },
    };
    match answer {
        Ok(v) if i.pattern == Pattern::Callback => {
            Did { signals: vec![Signal::Started(None), Signal::Submitted(v)], watch: None }
        }
        other => whole(other),
    }
}

fn unsupported(resource: &str) -> Fault {
    Fault::runtime(format!("The resource '{resource}' is not implemented by fogbank."))
}

/// What a task that waited for an execution gets.
pub fn outcome(e: &Execution, parsed: bool) -> Answer {
    let described = states::described(e, parsed);
    match e.status {
        Status::Succeeded => Ok(described),
        _ => Err(Fault::plain(
            Some(fogbank_asl::fault::TASK_FAILED.to_owned()),
            Some(described.to_string()),
        )),
    }
}

/// The validation of a mocked result by the service's model, where there is one.
pub fn flaw(sfn: &Sfn, task: &Task, result: &Value, whole: bool) -> Option<String> {
    let Resource::Service(i) = &task.resource else { return None };
    let cloud = sfn.cloud().ok()?;
    let shapes = cloud.shapes()?;
    let service = match i.service.strip_prefix("aws-sdk:") {
        Some(name) => names::sdk(name).model.to_owned(),
        None => names::optimised(&i.service)?.model.to_owned(),
    };
    let operation = shapes.operation(&service, &i.action)?;
    shapes.flaw(&service, operation, &crate::json::to_value(result.clone()), whole)
}
