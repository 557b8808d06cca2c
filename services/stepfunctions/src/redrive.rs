//! RedriveExecution: a failed execution goes on from the state that failed.

use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use fogbank_store::Tx;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::drive::{Knock, started_key};
use crate::execution::redrivable;
use crate::machine::time;
use crate::record::{EXECUTIONS, Execution, STARTED, Status};
use crate::{Sfn, authz};

pub const OPS: &[Op<Sfn>] = ops![
    RedriveExecution => redrive_execution [authz::execution],
];

/// How long after its end an execution may be redriven.
const DAYS: i64 = 14;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedriveInput {
    execution_arn: String,
    #[expect(dead_code, reason = "a redrive is known by the execution's own state")]
    client_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RedriveOutput {
    redrive_date: Time,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html>
async fn redrive_execution(sfn: &Sfn, cx: &Cx, input: RedriveInput) -> Result<RedriveOutput> {
    let e = sfn.execution(&input.execution_arn).await?;
    let refuse = |why: &str| ApiError::new("ExecutionNotRedrivable", why.to_owned());
    match redrivable(&e) {
        ("REDRIVABLE", _) => {}
        (_, why) => return Err(refuse(why.unwrap_or("Execution is redriven by its Map Run"))),
    }
    let stopped = time(e.stopped.unwrap_or_default()).0;
    if cx.now.duration_since(stopped) > SignedDuration::from_hours(24 * DAYS) {
        return Err(refuse("Execution can only be redriven within 14 days of its end"));
    }
    let stepped = sfn.step(&e.id, Knock::Redrive).await?;
    if !stepped.taken {
        return Err(refuse("Execution cannot be redriven"));
    }
    let at = stepped.execution.and_then(|e| e.redriven).unwrap_or(cx.now.as_microsecond());
    Ok(RedriveOutput { redrive_date: time(at) })
}

impl Sfn {
    /// Makes an ended execution a running one.
    pub fn revive(&self, tx: &mut Tx, e: &mut Execution) -> Result<()> {
        tx.delete(&STARTED, &started_key(e, Some(e.status)));
        e.redrives += 1;
        e.redriven = Some(self.cloud()?.clock().now().as_microsecond());
        e.status = Status::Running;
        e.stopped = None;
        e.error = None;
        e.cause = None;
        e.output = None;
        tx.put(&STARTED, &started_key(e, Some(Status::Running)), &bytes::Bytes::new());
        tx.put(&EXECUTIONS, &e.id.key(), e);
        Ok(())
    }
}
