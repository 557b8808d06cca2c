//! SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat: who has a task's token ends it.

use fogbank_asl::{Fault, Signal};
use fogbank_core::{ApiError, Check, Cx, Op, Result, Value, map, ops};
use serde::Deserialize;

use crate::Sfn;
use crate::drive::Knock;
use crate::error::invalid_token;
use crate::record::{EXECUTIONS, Execution};
use crate::token::Token;

pub const OPS: &[Op<Sfn>] = ops![
    SendTaskSuccess => send_task_success [on_machine],
    SendTaskFailure => send_task_failure [on_machine],
    SendTaskHeartbeat => send_task_heartbeat [on_machine],
];

/// Allowed on the machine that the token is of.
async fn on_machine(_: &Sfn, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let token = Token::parse(input.str("taskToken").unwrap_or_default());
    let resource = token.map_or_else(|_| "*".to_owned(), |t| t.id.machine_arn());
    Ok(vec![Check::new(format!("states:{}", cx.operation), resource)])
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SuccessInput {
    task_token: String,
    output: String,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html>
async fn send_task_success(sfn: &Sfn, _: &Cx, input: SuccessInput) -> Result<Value> {
    let token = Token::parse(&input.task_token)?;
    let output = serde_json::from_str(&input.output).map_err(|e| {
        let found = fogbank_asl::validate::parse(&input.output).err();
        let why = found.map_or_else(|| e.to_string(), |d| d.message);
        ApiError::new("InvalidOutput", format!("Invalid Output: '{why}'"))
    })?;
    sfn.send(&token, Signal::Ended(Ok(output))).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailureInput {
    task_token: String,
    error: Option<String>,
    cause: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html>
async fn send_task_failure(sfn: &Sfn, _: &Cx, input: FailureInput) -> Result<Value> {
    let token = Token::parse(&input.task_token)?;
    sfn.send(&token, Signal::Ended(Err(Fault::plain(input.error, input.cause)))).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeartbeatInput {
    task_token: String,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskHeartbeat.html>
async fn send_task_heartbeat(sfn: &Sfn, _: &Cx, input: HeartbeatInput) -> Result<Value> {
    let token = Token::parse(&input.task_token)?;
    sfn.send(&token, Signal::Heartbeat).await
}

impl Sfn {
    async fn send(&self, token: &Token, signal: Signal) -> Result<Value> {
        let found: Option<Execution> = self.store.get(&EXECUTIONS, &token.id.key()).await?;
        let e = found.filter(|e| e.secret == token.secret).ok_or_else(invalid_token)?;
        let knock = Knock::Signals(token.frame, token.ticket, vec![signal]);
        if self.step(&e.id, knock).await?.taken {
            return Ok(map! {});
        }
        Err(ApiError::new("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'"))
    }
}
