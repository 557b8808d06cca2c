//! Executions: described, listed, stopped.

use fogbank_core::{Cx, Op, Result, Time, Value, map, ops};
use fogbank_store::{Key, Parts, Range};
use serde::{Deserialize, Serialize};

use crate::arn::{ExecutionId, MachineArn, Qualifier, is_express};
use crate::drive::{Knock, list_of};
use crate::error::{invalid_arn, no_execution, no_machine, no_resource, validation, wrong_type};
use crate::machine::{LoggingInput, Tracing, default_encryption, logging_view, time, variables};
use crate::page::PageInput;
use crate::record::{EXECUTIONS, Encryption, Execution, MACHINES, MAP_RUNS, STARTED, Status};
use crate::{Sfn, authz, map_run};

pub const OPS: &[Op<Sfn>] = ops![
    DescribeExecution => describe_execution [authz::execution],
    DescribeStateMachineForExecution => describe_state_machine_for_execution [authz::execution],
    ListExecutions => list_executions [authz::list_executions],
    StopExecution => stop_execution [authz::execution],
];

impl Sfn {
    /// A Standard execution by its ARN.
    pub async fn execution(&self, arn: &str) -> Result<Execution> {
        if is_express(arn) {
            return Err(invalid_arn(arn));
        }
        let id = ExecutionId::parse(arn)?;
        let found = self.store.get(&EXECUTIONS, &id.key()).await?;
        found.ok_or_else(|| no_execution(arn))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecutionInput {
    execution_arn: String,
    included_data: Option<String>,
}

#[derive(Serialize)]
struct Included {
    included: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeOutput {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    status: &'static str,
    start_date: Time,
    stop_date: Option<Time>,
    input: Option<String>,
    input_details: Option<Included>,
    output: Option<String>,
    output_details: Option<Included>,
    trace_header: Option<String>,
    map_run_arn: Option<String>,
    error: Option<String>,
    cause: Option<String>,
    state_machine_version_arn: Option<String>,
    state_machine_alias_arn: Option<String>,
    redrive_count: u32,
    redrive_date: Option<Time>,
    redrive_status: &'static str,
    redrive_status_reason: Option<&'static str>,
}

/// Whether an execution can be redriven, and why not.
pub fn redrivable(e: &Execution) -> (&'static str, Option<&'static str>) {
    match e.status {
        Status::Running => ("NOT_REDRIVABLE", Some("Execution is RUNNING and cannot be redriven")),
        Status::Succeeded => {
            ("NOT_REDRIVABLE", Some("Execution is SUCCEEDED and cannot be redriven"))
        }
        _ if e.map_run.is_some() => ("REDRIVABLE_BY_MAP_RUN", None),
        _ => ("REDRIVABLE", None),
    }
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html>
async fn describe_execution(sfn: &Sfn, _: &Cx, input: ExecutionInput) -> Result<DescribeOutput> {
    let e = sfn.execution(&input.execution_arn).await?;
    let all = input.included_data.as_deref() != Some("METADATA_ONLY");
    let (redrive_status, redrive_status_reason) = redrivable(&e);
    Ok(DescribeOutput {
        execution_arn: e.id.arn(),
        state_machine_arn: e.id.machine_arn(),
        name: e.id.name.clone(),
        status: e.status.name(),
        start_date: time(e.started),
        stop_date: e.stopped.map(time),
        input_details: Some(Included { included: all }),
        input: Some(e.input).filter(|_| all),
        output_details: e.output.as_ref().map(|_| Included { included: all }),
        output: e.output.filter(|_| all),
        trace_header: e.trace,
        map_run_arn: e.map_run.map(|c| c.arn),
        error: e.error,
        cause: e.cause,
        state_machine_version_arn: e.version,
        state_machine_alias_arn: e.alias,
        redrive_count: e.redrives,
        redrive_date: e.redriven.map(time),
        redrive_status,
        redrive_status_reason,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MachineOutput {
    state_machine_arn: String,
    name: String,
    definition: String,
    role_arn: String,
    update_date: Time,
    logging_configuration: LoggingInput,
    tracing_configuration: Tracing,
    map_run_arn: Option<String>,
    label: Option<String>,
    revision_id: Option<String>,
    encryption_configuration: Encryption,
    variable_references: Option<Value>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachineForExecution.html>
async fn describe_state_machine_for_execution(
    sfn: &Sfn,
    _: &Cx,
    input: ExecutionInput,
) -> Result<MachineOutput> {
    let e = sfn.execution(&input.execution_arn).await?;
    let compiled = sfn.definition(&e.set.definition).await?;
    let all = input.included_data.as_deref() != Some("METADATA_ONLY");
    let label = e.id.machine.split_once('/').map(|(_, l)| l.to_owned());
    let machine = e.id.machine.split('/').next().unwrap_or_default();
    Ok(MachineOutput {
        state_machine_arn: e.id.machine_arn(),
        name: machine.to_owned(),
        definition: if all { compiled.text.clone() } else { String::new() },
        role_arn: e.set.role.clone(),
        update_date: time(e.defined),
        logging_configuration: logging_view(&e.set.logging),
        tracing_configuration: Tracing { enabled: e.set.tracing },
        map_run_arn: e.map_run.as_ref().map(|c| c.arn.clone()),
        label,
        revision_id: e.revision.clone(),
        encryption_configuration: default_encryption(None),
        variable_references: variables(&compiled).filter(|_| all),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListInput {
    state_machine_arn: Option<String>,
    status_filter: Option<String>,
    map_run_arn: Option<String>,
    redrive_filter: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListItem {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    status: &'static str,
    start_date: Time,
    stop_date: Option<Time>,
    map_run_arn: Option<String>,
    item_count: Option<u64>,
    state_machine_version_arn: Option<String>,
    state_machine_alias_arn: Option<String>,
    redrive_count: u32,
    redrive_date: Option<Time>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListOutput {
    executions: Vec<ListItem>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html>
async fn list_executions(sfn: &Sfn, _: &Cx, input: ListInput) -> Result<ListOutput> {
    let status = match input.status_filter.as_deref() {
        None => None,
        Some("PENDING_REDRIVE") => {
            return Ok(ListOutput { executions: Vec::new(), next_token: None });
        }
        Some(name) => {
            let all = [
                Status::Running,
                Status::Succeeded,
                Status::Failed,
                Status::TimedOut,
                Status::Aborted,
            ];
            all.into_iter().find(|s| s.name() == name)
        }
    };
    let (list, machine, qualified) = match (&input.state_machine_arn, &input.map_run_arn) {
        (Some(_), Some(_)) | (None, None) => {
            return Err(validation("Must specify exactly one of stateMachineArn or mapRunArn"));
        }
        (Some(text), None) => {
            let arn = MachineArn::parse(text)?;
            let found = sfn.store.get(&MACHINES, &arn.key()).await?;
            let machine = found.ok_or_else(|| no_machine(text))?;
            if machine.express {
                return Err(wrong_type());
            }
            let qualified = arn.qualifier.clone().map(|q| match q {
                Qualifier::Version(n) => (format!("{}:{n}", arn.plain()), true),
                Qualifier::Alias(a) => (format!("{}:{a}", arn.plain()), false),
            });
            (list_of(&arn.account, &arn.region, &arn.name, status), arn.name.clone(), qualified)
        }
        (None, Some(text)) => {
            let key = map_run::key(text)?;
            let run = sfn.store.get(&MAP_RUNS, &key).await?.ok_or_else(|| no_resource(text))?;
            let id = &run.parent.id;
            (list_of(&id.account, &id.region, text, status), run.machine.clone(), None)
        }
    };
    let (found, next_token) =
        input.page.read(&sfn.store, &STARTED, Range::prefix(&list), 100).await?;
    let mut executions = Vec::new();
    for (key, _) in found {
        let Some((account, region, name)) = named(&key) else { continue };
        let id = ExecutionId { region, account, machine: machine.clone(), name };
        let Some(e) = sfn.store.get(&EXECUTIONS, &id.key()).await? else { continue };
        let of = match &qualified {
            None => true,
            Some((arn, true)) => e.version.as_ref() == Some(arn),
            Some((arn, false)) => e.alias.as_ref() == Some(arn),
        };
        let redriven = match input.redrive_filter.as_deref() {
            Some("REDRIVEN") => e.redrives > 0,
            Some("NOT_REDRIVEN") => e.redrives == 0,
            _ => true,
        };
        if of && redriven {
            executions.push(item(e));
        }
    }
    Ok(ListOutput { executions, next_token })
}

fn item(e: Execution) -> ListItem {
    ListItem {
        execution_arn: e.id.arn(),
        state_machine_arn: e.id.machine_arn(),
        name: e.id.name.clone(),
        status: e.status.name(),
        start_date: time(e.started),
        stop_date: e.stopped.map(time),
        item_count: e.map_run.as_ref().map(|c| c.items),
        map_run_arn: e.map_run.map(|c| c.arn),
        state_machine_version_arn: e.version,
        state_machine_alias_arn: e.alias,
        redrive_count: e.redrives,
        redrive_date: e.redriven.map(time),
    }
}

/// Account, region and name of an execution in a list.
fn named(key: &Key) -> Option<(String, String, String)> {
    let mut parts: Parts<'_> = key.parts();
    let account = parts.text()?.into_owned();
    let region = parts.text()?.into_owned();
    parts.text()?;
    parts.text()?;
    parts.number()?;
    Some((account, region, parts.text()?.into_owned()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StopInput {
    execution_arn: String,
    error: Option<String>,
    cause: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html>
async fn stop_execution(sfn: &Sfn, cx: &Cx, input: StopInput) -> Result<Value> {
    if is_express(&input.execution_arn) {
        return Err(wrong_type());
    }
    let e = sfn.execution(&input.execution_arn).await?;
    let stepped = sfn.step(&e.id, Knock::Abort(input.error, input.cause)).await?;
    let stopped = stepped.execution.and_then(|e| e.stopped);
    let stopped = stopped.map_or(Value::Time(cx.now), |t| Value::Time(time(t).0));
    Ok(map! {"stopDate" => stopped})
}
