//! StartExecution: a Standard execution begins in the transaction that records it; an Express one
//! that nobody waits for is a job.

use fogbank_asl::Run;
use fogbank_asl::run::{Mover, Moves};
use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use fogbank_store::Lock;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::arn::{ExecutionId, check_name};
use crate::drive::{Knock, input as parsed, put, started_key};
use crate::error::validation;
use crate::machine::{Found, time};
use crate::record::{
    EVENTS, EXECUTIONS, Execution, JOBS, Job, RUNS, STARTED, Status, StoredEvent, What,
};
use crate::world::world;
use crate::{Sfn, authz};

pub const OPS: &[Op<Sfn>] = ops![
    StartExecution => start_execution [authz::machine],
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartInput {
    pub state_machine_arn: String,
    pub name: Option<String>,
    pub input: Option<String>,
    pub trace_header: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartOutput {
    execution_arn: String,
    start_date: Time,
}

impl StartInput {
    /// Checks what needs no machine; the input as text and as JSON.
    pub fn parse(&self) -> Result<(String, serde_json::Value)> {
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        let text = self.input.clone().unwrap_or_else(|| "{}".to_owned());
        if text.len() > fogbank_asl::LARGEST {
            return Err(validation(format!(
                "1 validation error detected: Value at 'input' failed to satisfy constraint: Member \
                 must have length less than or equal to {}",
                fogbank_asl::LARGEST
            )));
        }
        match serde_json::from_str(&text) {
            Ok(v) => Ok((text, v)),
            Err(e) => Err(invalid_input(&text, &e)),
        }
    }
}

/// The refusal of an input that is no JSON.
pub fn invalid_input(text: &str, e: &serde_json::Error) -> ApiError {
    let found = fogbank_asl::validate::parse(text).err();
    let why = found.map_or_else(|| e.to_string(), |d| d.message);
    ApiError::new(
        "InvalidExecutionInput",
        format!("Invalid State Machine Execution Input: '{why}'"),
    )
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>
async fn start_execution(sfn: &Sfn, cx: &Cx, input: StartInput) -> Result<StartOutput> {
    let (text, _) = input.parse()?;
    let dice = dice(cx);
    let found = sfn.find(&input.state_machine_arn, dice).await?;
    let name = input.name.clone().unwrap_or_else(|| cx.ids().uuid());
    let express = found.machine.express;
    let execution = execution(cx, &found, name, text, input.trace_header);
    if express {
        return start_express(sfn, cx, execution).await;
    }
    sfn.begin(execution)
        .await
        .map(|e| StartOutput { execution_arn: e.id.arn(), start_date: time(e.started) })
}

pub fn dice(cx: &Cx) -> u32 {
    let mut b = [0; 4];
    cx.ids().fill(&mut b);
    u32::from_le_bytes(b)
}

/// An execution that has not begun.
pub fn execution(
    cx: &Cx,
    found: &Found,
    name: String,
    input: String,
    trace: Option<String>,
) -> Execution {
    let arn = found.arn.plain();
    Execution {
        id: ExecutionId {
            region: found.arn.region.clone(),
            account: found.arn.account.clone(),
            machine: found.arn.name.clone(),
            name,
        },
        status: Status::Running,
        started: cx.cloud.clock().now().as_microsecond(),
        stopped: None,
        input,
        output: None,
        error: None,
        cause: None,
        version: found.version.map(|n| format!("{arn}:{n}")),
        alias: found.alias.as_ref().map(|a| format!("{arn}:{a}")),
        trace,
        set: found.set.clone(),
        scope: 0,
        map_run: None,
        redrives: 0,
        redriven: None,
        watchers: Vec::new(),
        secret: String::new(),
        revision: found.revision.clone(),
        defined: found.updated,
        expires: None,
    }
}

async fn start_express(sfn: &Sfn, cx: &Cx, mut e: Execution) -> Result<StartOutput> {
    e.secret = cx.ids().uuid();
    let arn = express_arn(&e);
    let started = e.started;
    let mut tx = sfn.store.lock(&[]).await;
    let job = Job { id: e.id.clone(), what: What::Express(Box::new(e)) };
    let due = cx.cloud.clock().now();
    JOBS.put(&mut tx, due, &arn, &job);
    tx.commit().await?;
    sfn.wake();
    Ok(StartOutput { execution_arn: arn, start_date: time(started) })
}

/// The ARN of an Express execution, whose secret is the last part.
pub fn express_arn(e: &Execution) -> String {
    let ExecutionId { region, account, machine, name } = &e.id;
    format!("arn:aws:states:{region}:{account}:express:{machine}:{name}:{}", e.secret)
}

impl Sfn {
    /// Begins a Standard execution: recorded, and moved as far as it goes at once.
    pub async fn begin(&self, mut e: Execution) -> Result<Execution> {
        let cloud = self.cloud()?;
        let compiled = self.definition(&e.set.definition).await?;
        e.secret = cloud.ids().hex(24);
        let key = e.id.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&RUNS, &key)]).await;
        let old: Option<Execution> = tx.get(&EXECUTIONS, &key).await?;
        if let Some(old) = old {
            // The same request again, while it runs, is answered again.
            if old.status == Status::Running && old.input == e.input {
                return Ok(old);
            }
            let arn = e.id.arn();
            return Err(ApiError::new(
                "ExecutionAlreadyExists",
                format!("Execution Already Exists: '{arn}'"),
            ));
        }
        let mut run = Run::new(&compiled.definition, e.scope, parsed(&e.input), None);
        if let Some(seconds) = compiled.definition.timeout.filter(|_| e.scope == 0) {
            let seconds = i64::try_from(seconds).unwrap_or(99_999_999).min(99_999_999);
            let start = Timestamp::from_microsecond(e.started).unwrap_or_default();
            let at = start.saturating_add(SignedDuration::from_secs(seconds));
            let at = at.unwrap_or(Timestamp::MAX);
            e.expires = Some(at.as_microsecond());
            put(&mut tx, at, &e, What::Expire);
        }
        tx.put(&STARTED, &started_key(&e, None), &bytes::Bytes::new());
        tx.put(&STARTED, &started_key(&e, Some(Status::Running)), &bytes::Bytes::new());
        let meta = self.meta(&e, &compiled).await?;
        let world = world(&cloud);
        let mut mover = Mover {
            run: &mut run,
            definition: &compiled.definition,
            meta: &meta,
            world: &world,
            moves: Moves::default(),
        };
        let mut details = serde_json::Map::new();
        details.insert("roleArn".to_owned(), e.set.role.clone().into());
        for (name, v) in
            [("stateMachineVersionArn", &e.version), ("stateMachineAliasArn", &e.alias)]
        {
            if let Some(v) = v {
                details.insert(name.to_owned(), v.clone().into());
            }
        }
        mover.begin(&e.input, details);
        let began = std::mem::take(&mut mover.moves.events);
        for event in began {
            tx.put(&EVENTS, &key.clone().u64(event.id), &StoredEvent(event));
        }
        if !e.set.logging.level.is_empty() {
            put(&mut tx, cloud.clock().now(), &e, What::Log(1, 1));
        }
        // The first event after the start names none before it.
        tx.put(&EXECUTIONS, &key, &e);
        self.advance(&mut tx, &mut e, &mut run, &compiled, Knock::Go).await?;
        tx.commit().await?;
        self.wake();
        if !compiled.activities.is_empty() {
            self.tasks.notify_waiters();
        }
        Ok(e)
    }
}
