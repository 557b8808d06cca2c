//! Message move tasks: dead letters go back to where they came from, or elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{ApiError, Check, Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Range, Table};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::address::Address;
use crate::bury::Fresh;
use crate::error::{bad_value, invalid, no_such_resource};
use crate::fifo::{LINE, TURNS, turn_key};
use crate::flight::{READY, Standing, lane, read};
use crate::job::{self, Task};
use crate::message::MESSAGES;
use crate::place::{Place, micros};
use crate::queue::Found;
use crate::redrive::part_text;
use crate::{Sqs, authz, tally};

pub const OPS: &[Op<Sqs>] = ops![
    StartMessageMoveTask => start_message_move_task [authz::source],
    CancelMessageMoveTask => cancel_message_move_task [authz::task],
    ListMessageMoveTasks => list_message_move_tasks [authz::source],
];

/// `(account, region, source queue, number descending)`.
static TASKS: Table<Move> = Table::new("sqs.move");

/// A task.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Move {
    #[n(0)]
    status: Status,
    /// Milliseconds since 1970.
    #[n(1)]
    started: i64,
    /// An ARN; `None`: each message's own source.
    #[n(2)]
    destination: Option<String>,
    /// Messages a second.
    #[n(3)]
    rate: Option<u64>,
    #[n(4)]
    moved: u64,
    #[n(5)]
    to_move: u64,
    #[n(6)]
    failure: Option<String>,
}
fogbank_store::record!(Move, version = 1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
enum Status {
    #[n(0)]
    Running,
    #[n(1)]
    Cancelling,
    #[n(2)]
    Cancelled,
    #[n(3)]
    Completed,
    #[n(4)]
    Failed,
}

impl Status {
    fn text(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Cancelling => "CANCELLING",
            Status::Cancelled => "CANCELLED",
            Status::Completed => "COMPLETED",
            Status::Failed => "FAILED",
        }
    }
    fn active(self) -> bool {
        matches!(self, Status::Running | Status::Cancelling)
    }
}

/// A task's handle: base64 of JSON, as AWS's is.
pub struct Handle {
    pub source: Address,
    task: u64,
}

impl Handle {
    fn text(&self) -> String {
        STANDARD.encode(
            json!({"taskId": self.task.to_string(), "sourceArn": self.source.arn()}).to_string(),
        )
    }

    /// # Errors
    /// `InvalidParameterValue`.
    pub fn parse(text: &str) -> Result<Self> {
        let read = || {
            let json: Json = serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()?;
            let source = Address::of_arn(json["sourceArn"].as_str()?)?;
            Some(Handle { source, task: json["taskId"].as_str()?.parse().ok()? })
        };
        read().ok_or_else(|| invalid("Value for parameter TaskHandle is invalid."))
    }
}

pub fn no_such_source() -> ApiError {
    no_such_resource("The resource that you specified for the SourceArn parameter doesn't exist.")
}

fn key(source: &Address, task: u64) -> Key {
    source.key().u64_desc(task)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StartInput {
    source_arn: String,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StartOutput {
    task_handle: String,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>
async fn start_message_move_task(sqs: &Sqs, cx: &Cx, input: StartInput) -> Result<StartOutput> {
    let source = Address::of_arn(&input.source_arn).ok_or_else(no_such_source)?;
    let found = sqs.look_up(&source).await?.ok_or_else(no_such_source)?;
    let rate = match input.max_number_of_messages_per_second {
        None => None,
        Some(n @ 1..=500) => Some(n as u64),
        Some(n) => {
            let reason = "Must be between 1 and 500, if provided.";
            return Err(bad_value(n, "MaxNumberOfMessagesPerSecond", reason));
        }
    };
    if sqs.sources(&source, None, 1).await?.is_empty() {
        return Err(invalid("Source queue must be configured as a Dead Letter Queue."));
    }
    if let Some(arn) = &input.destination_arn {
        let missing = || {
            no_such_resource(
                "The resource that you specified for the DestinationArn parameter doesn't exist.",
            )
        };
        let to = Address::of_arn(arn).ok_or_else(missing)?;
        let to = sqs.look_up(&to).await?.ok_or_else(missing)?;
        if to.at == source || to.fifo() != found.fifo() {
            return Err(invalid("Source and destination must be two queues of the same type."));
        }
        let mut check = Check::new("sqs:SendMessage", arn.clone());
        check.resource_account = Some(to.at.account);
        check.resource_policy = to.queue.settings.policy.as_deref().map(Into::into);
        cx.authorize(check).await?;
    }
    let task = micros(cx.now);
    let mut tx = sqs.store.lock(&[Lock::exclusive(&TASKS, &source.key())]).await;
    let newest = tx.scan(&TASKS, Range::prefix(&source.key()), KEPT + 1).await?;
    if newest.first().is_some_and(|(_, t)| t.status.active()) {
        return Err(ApiError::new(
            "UnsupportedOperation",
            "There is already a task running. Only one active task is allowed for a source queue \
             arn at a given time.",
        ));
    }
    for (old, _) in newest.iter().skip(KEPT - 1) {
        tx.delete(&TASKS, old);
    }
    let record = Move {
        status: Status::Running,
        started: cx.now.as_millisecond(),
        destination: input.destination_arn,
        rate,
        moved: 0,
        to_move: tally::total(&sqs.store, &source).await?,
        failure: None,
    };
    tx.put(&TASKS, &key(&source, task), &record);
    let Address { account, region, name } = source.clone();
    job::later(&mut tx, cx.now, &cx.request_id, &Task::Move { account, region, name, task });
    tx.commit().await?;
    sqs.wake_worker();
    Ok(StartOutput { task_handle: Handle { source, task }.text() })
}

/// How many tasks of a queue are remembered.
const KEPT: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CancelInput {
    task_handle: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CancelOutput {
    approximate_number_of_messages_moved: u64,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CancelMessageMoveTask.html>
async fn cancel_message_move_task(sqs: &Sqs, _: &Cx, input: CancelInput) -> Result<CancelOutput> {
    let Handle { source, task } = Handle::parse(&input.task_handle)?;
    let mut tx = sqs.store.lock(&[Lock::exclusive(&TASKS, &source.key())]).await;
    let key = key(&source, task);
    let found = tx.get(&TASKS, &key).await?;
    let mut record = found.ok_or_else(|| no_such_resource("Task does not exist."))?;
    if record.status != Status::Running {
        return Err(ApiError::new("UnsupportedOperation", "Task is not running."));
    }
    record.status = Status::Cancelling;
    tx.put(&TASKS, &key, &record);
    tx.commit().await?;
    Ok(CancelOutput { approximate_number_of_messages_moved: record.moved })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    source_arn: String,
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    results: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    task_handle: Option<String>,
    status: &'static str,
    source_arn: String,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<u64>,
    approximate_number_of_messages_moved: u64,
    approximate_number_of_messages_to_move: u64,
    failure_reason: Option<String>,
    started_timestamp: i64,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html>
async fn list_message_move_tasks(sqs: &Sqs, _: &Cx, input: ListInput) -> Result<ListOutput> {
    let source = Address::of_arn(&input.source_arn).ok_or_else(no_such_source)?;
    sqs.look_up(&source).await?.ok_or_else(no_such_source)?;
    let limit = match input.max_results {
        None => 1,
        Some(n @ 1..=10) => n as usize,
        Some(n) => {
            return Err(bad_value(n, "MaxResults", "Must be between 1 and 10, if provided."));
        }
    };
    let found = sqs.store.scan(&TASKS, Range::prefix(&source.key()), limit).await?;
    let entry = |(key, t): (Key, Move)| {
        let task = match key.parts().nth(3) {
            Some(fogbank_store::Part::U64(n)) => n,
            _ => 0,
        };
        // Only a task that runs can be cancelled, and only such a one has a handle.
        let handle = || Handle { source: source.clone(), task }.text();
        Entry {
            task_handle: (t.status == Status::Running).then(handle),
            status: t.status.text(),
            source_arn: source.arn(),
            destination_arn: t.destination,
            max_number_of_messages_per_second: t.rate,
            approximate_number_of_messages_moved: t.moved,
            approximate_number_of_messages_to_move: t.to_move,
            failure_reason: t.failure,
            started_timestamp: t.started,
        }
    };
    Ok(ListOutput { results: found.into_iter().map(entry).collect() })
}

/// How many messages a step moves.
const STEP: u64 = 10;

/// Does a step of a task; says when the next one is.
pub async fn step(
    sqs: &Sqs,
    source: &Address,
    task: u64,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let key = key(source, task);
    let Some(record) = sqs.store.get(&TASKS, &key).await? else { return Ok(None) };
    let (mut moved, mut end) = (0, None);
    if record.status != Status::Running {
        end = Some((Status::Cancelled, None));
    } else if let Some(found) = sqs.look_up(source).await? {
        let most = record.rate.map_or(STEP, |r| r.min(STEP));
        let standing = sqs.visible(&found, now, usize::try_from(most).unwrap_or(1)).await?;
        if standing.is_empty() {
            end = Some((Status::Completed, None));
        }
        for s in standing {
            match sqs.send_back(&found, &s, record.destination.as_deref(), now).await? {
                Ok(()) => moved += 1,
                Err(why) => {
                    end = Some((Status::Failed, Some(why.to_owned())));
                    break;
                }
            }
        }
    } else {
        let why = "AWS.SimpleQueueService.NonExistentQueue".to_owned();
        end = Some((Status::Failed, Some(why)));
    }
    let mut tx = sqs.store.lock(&[Lock::exclusive(&TASKS, &source.key())]).await;
    let Some(mut record) = tx.get(&TASKS, &key).await? else { return Ok(None) };
    record.moved += moved;
    let next = match end {
        Some((status, failure)) => {
            (record.status, record.failure) = (status, failure);
            None
        }
        None => {
            let pause = record.rate.map_or(0, |rate| 1_000_000 * moved / rate);
            let pause = SignedDuration::from_micros(i64::try_from(pause).unwrap_or(0));
            Some(now.saturating_add(pause).unwrap_or(now))
        }
    };
    tx.put(&TASKS, &key, &record);
    tx.commit().await?;
    Ok(next)
}

impl Sqs {
    /// The first messages that could be received now.
    async fn visible(&self, found: &Found, now: Timestamp, most: usize) -> Result<Vec<Standing>> {
        let generation = found.generation();
        let range = Range::prefix(&lane(generation)).to(&lane(generation).u64(micros(now) + 1));
        if !found.fifo() {
            let all = self.store.scan(&READY, range, most).await?;
            let standing = |(key, receipt): (Key, _)| {
                let (due, place) = read(key.as_bytes())?;
                Some(Standing { place, due, receipt, group: None })
            };
            return Ok(all.into_iter().filter_map(standing).collect());
        }
        let mut out = Vec::new();
        for (key, ()) in self.store.scan(&LINE, range, most).await? {
            let Some(group) = key.parts().nth(3).map(|p| part_text(&p)) else { continue };
            let first = turn_key(generation, &group, Place { order: 0, salt: 0 });
            let all = Range::prefix(&Key::new().u64(generation).str(&group)).from(&first);
            for (key, turn) in self.store.scan(&TURNS, all, 1).await? {
                let mut parts = key.parts();
                parts.number();
                parts.text();
                let Some(place) = Place::read(&mut parts) else { continue };
                let group = Some(group.clone());
                out.push(Standing { place, due: turn.due, receipt: turn.receipt, group });
            }
        }
        Ok(out)
    }

    /// Moves a message; the inner error is a reason why the task fails.
    async fn send_back(
        &self,
        from: &Found,
        s: &Standing,
        destination: Option<&str>,
        now: Timestamp,
    ) -> Result<std::result::Result<(), &'static str>> {
        let message = self.store.get(&MESSAGES, &s.place.key(from.generation())).await?;
        let Some(message) = message else { return Ok(Ok(())) };
        let Some(arn) = destination.or(message.source.as_deref()) else {
            return Ok(Err("CouldNotDetermineMessageSource"));
        };
        let to = match Address::of_arn(arn) {
            Some(at) => self.look_up(&at).await?,
            None => None,
        };
        let Some(to) = to.filter(|t| t.fifo() == from.fifo()) else {
            return Ok(Err("AWS.SimpleQueueService.NonExistentQueue"));
        };
        self.shift(from, s, Some((&to, Fresh::Yes(self.ids.uuid()))), now).await?;
        self.waiting.wake(to.generation(), 1);
        Ok(Ok(()))
    }
}
