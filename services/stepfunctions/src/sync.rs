//! StartSyncExecution: an Express execution, and its caller waits.

use fogbank_core::{Cx, Op, Result, Time, ops};
use serde::{Deserialize, Serialize};

use crate::error::wrong_type;
use crate::machine::time;
use crate::record::Status;
use crate::start::{StartInput, dice, execution, express_arn};
use crate::{Sfn, authz};

pub const OPS: &[Op<Sfn>] = ops![
    StartSyncExecution => start_sync_execution [authz::machine],
];

/// What an execution is billed for at least, and in steps of.
const MEGABYTES: i64 = 64;
const MILLISECONDS: i64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SyncInput {
    state_machine_arn: String,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
    included_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Included {
    included: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SyncOutput {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    start_date: Time,
    stop_date: Time,
    status: &'static str,
    error: Option<String>,
    cause: Option<String>,
    input: Option<String>,
    input_details: Option<Included>,
    output: Option<String>,
    output_details: Option<Included>,
    trace_header: Option<String>,
    #[serde(rename = "billingDetails")]
    billing: BillingDetails,
}

#[derive(Serialize)]
struct BillingDetails {
    #[serde(rename = "billedMemoryUsedInMB")]
    memory: i64,
    #[serde(rename = "billedDurationInMilliseconds")]
    duration: i64,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html>
async fn start_sync_execution(sfn: &Sfn, cx: &Cx, input: SyncInput) -> Result<SyncOutput> {
    let start = StartInput {
        state_machine_arn: input.state_machine_arn,
        name: input.name,
        input: input.input,
        trace_header: None,
    };
    let (text, value) = start.parse()?;
    let found = sfn.find(&start.state_machine_arn, dice(cx)).await?;
    if !found.machine.express {
        return Err(wrong_type());
    }
    let name = start.name.unwrap_or_else(|| cx.ids().request_id());
    let mut e = execution(cx, &found, name, text, input.trace_header);
    e.secret = cx.ids().request_id();
    let compiled = sfn.definition(&e.set.definition).await?;
    let ended = sfn.run_express(&e, &compiled, value).await?;
    sfn.log_express(&e, &ended.events).await;
    let stopped = cx.cloud.clock().now().as_microsecond();
    let millis = (stopped - e.started) / 1000;
    let all = input.included_data.as_deref() != Some("METADATA_ONLY");
    let included = || Some(Included { included: all });
    Ok(SyncOutput {
        execution_arn: express_arn(&e),
        state_machine_arn: found.arn.plain(),
        name: e.id.name.clone(),
        start_date: time(e.started),
        stop_date: time(stopped),
        status: ended.status.name(),
        error: ended.error,
        cause: ended.cause,
        input_details: included(),
        output_details: ended.output.as_ref().and_then(|_| included()),
        input: Some(e.input.clone()).filter(|_| all),
        output: ended.output.filter(|_| all && ended.status == Status::Succeeded),
        trace_header: e.trace.clone(),
        billing: BillingDetails {
            memory: MEGABYTES,
            duration: (millis / MILLISECONDS + 1) * MILLISECONDS,
        },
    })
}
