//! ReceiveMessage.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Table};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::batch::MOST;
use crate::error::{bad_value, unknown_attribute};
use crate::fifo;
use crate::flight::{self, Taken};
use crate::handle::Handle;
use crate::message::{MESSAGES, SYSTEM, View, is_id};
use crate::place::{Place, micros, seconds};
use crate::queue::Found;
use crate::{Sqs, authz};

pub const OPS: &[Op<Sqs>] = ops![ReceiveMessage => receive_message [authz::queue]];

/// `(generation, ReceiveRequestAttemptId)`.
static ATTEMPTS: Table<Attempt> = Table::new("sqs.attempt");

/// What a receive took, for one that asks again under the same id.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Attempt {
    /// Microseconds since 1970.
    #[n(0)]
    until: u64,
    /// Group, order and salt of each message.
    #[n(1)]
    taken: Vec<(String, u64, u64)>,
    #[n(2)]
    nonce: u32,
    #[n(3)]
    due: u64,
}
fogbank_store::record!(Attempt, version = 1);

/// How long an attempt may be repeated, in seconds.
const REPEATABLE: u64 = 300;

/// What a receive wants.
pub struct Wanted {
    pub most: usize,
    /// In seconds.
    pub visibility: u64,
    /// Marks what this receive takes.
    pub nonce: u32,
    /// Messages that were received so often go to the dead-letter queue.
    pub max_receives: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessageInput {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    receive_request_attempt_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessageOutput {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<View>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>
async fn receive_message(
    sqs: &Sqs,
    cx: &Cx,
    input: ReceiveMessageInput,
) -> Result<ReceiveMessageOutput> {
    let found = sqs.of_request(cx, &input.queue_url).await?;
    let settings = &found.queue.settings;
    let number = |n: Option<i64>, range: std::ops::RangeInclusive<i64>, name, reason| match n {
        None => Ok(None),
        Some(n) if range.contains(&n) => Ok(Some(n as u64)),
        Some(n) => Err(bad_value(n, name, reason)),
    };
    let most = number(
        input.max_number_of_messages,
        1..=10,
        "MaxNumberOfMessages",
        "Must be between 1 and 10, if provided.",
    )?;
    let visibility = number(
        input.visibility_timeout,
        0..=43_200,
        "VisibilityTimeout",
        "Must be >= 0 and <= 43200, if provided.",
    )?;
    let wait = number(
        input.wait_time_seconds,
        0..=20,
        "WaitTimeSeconds",
        "Must be >= 0 and <= 20, if provided.",
    )?;
    let attempt = input.receive_request_attempt_id;
    if let Some(id) = &attempt {
        let name = "ReceiveRequestAttemptId";
        if !settings.fifo {
            let reason = "The request include parameter that is not valid for this queue type.";
            return Err(bad_value(id, name, reason));
        }
        if !is_id(id) {
            let reason = "ReceiveRequestAttemptId can only include alphanumeric and punctuation \
                          characters. 1 to 128 in length.";
            return Err(bad_value(id, name, reason));
        }
    }
    let system = system(&input.attribute_names, &input.message_system_attribute_names)?;
    let mut nonce = [0; 4];
    cx.ids().fill(&mut nonce);
    let wanted = Wanted {
        most: most.map_or(1, |n| usize::try_from(n).unwrap_or(MOST)),
        visibility: visibility.unwrap_or(settings.visibility),
        nonce: u32::from_be_bytes(nonce),
        max_receives: settings.redrive.as_ref().map(|r| r.max_receives),
    };
    let wait = wait.unwrap_or(settings.wait);
    let (found, taken) = sqs.receive(cx, &found, wanted, wait, attempt.as_deref()).await?;
    let names = &input.message_attribute_names;
    let view = |t| View::new(t, found.generation(), found.fifo(), &system, names);
    Ok(ReceiveMessageOutput { messages: taken.into_iter().map(view).collect() })
}

/// The system attributes that are asked for, under the old member and the new one.
fn system<'a>(old: &'a [String], new: &'a [String]) -> Result<Vec<&'a str>> {
    let mut names = Vec::new();
    for name in old.iter().chain(new) {
        match name.as_str() {
            "All" => names.extend(SYSTEM),
            name if SYSTEM.contains(&name) => names.push(name),
            _ => return Err(unknown_attribute(name)),
        }
    }
    Ok(names)
}

impl Sqs {
    async fn receive(
        &self,
        cx: &Cx,
        found: &Found,
        wanted: Wanted,
        wait: u64,
        attempt: Option<&str>,
    ) -> Result<(Found, Vec<Taken>)> {
        let mut found = found.clone();
        if let Some(id) = attempt
            && let Some(taken) = self.repeat(&found, id, &wanted, cx.now).await?
        {
            return Ok((found, taken));
        }
        let end = cx.now.saturating_add(SignedDuration::from_secs(wait as i64));
        let end = end.unwrap_or(Timestamp::MAX);
        // Entered before looking: a message that comes in between wakes us.
        let mut waiter = (wait > 0).then(|| self.waiting.enter(found.generation()));
        let mut now = cx.now;
        loop {
            let taken = self.take(&found, &wanted, now).await?;
            if taken.len() == wanted.most {
                // There may be more, for others who wait.
                self.waiting.wake(found.generation(), 1);
            }
            let (Some(waits), true) = (&waiter, taken.is_empty() && now < end) else {
                if let Some(id) = attempt.filter(|_| !taken.is_empty()) {
                    self.remember_attempt(&found, id, &wanted, &taken, now).await?;
                }
                return Ok((found, taken));
            };
            let next = if found.fifo() {
                self.next_turn(found.generation(), now).await?
            } else {
                self.next_ready(found.generation(), now).await?
            };
            let next =
                next.and_then(|us| Timestamp::from_microsecond(i64::try_from(us).ok()?).ok());
            waits.wait(now, next.map_or(end, |n| n.min(end))).await;
            now = self.clock.now();
            let before = found.generation();
            found = self.find(&found.at).await?;
            if found.generation() != before {
                waiter = Some(self.waiting.enter(found.generation()));
            }
        }
    }

    /// Takes what may be received now; what has ended its time in the queue goes.
    async fn take(&self, found: &Found, wanted: &Wanted, now: Timestamp) -> Result<Vec<Taken>> {
        let generation = found.generation();
        if !self.limits.admit(&self.store, generation, now, wanted.most).await? {
            if found.fifo() {
                return Ok(Vec::new());
            }
            let text = "The maximum number of in flight messages is reached.";
            return Err(ApiError::new("OverLimit", text));
        }
        let mut max_receives = wanted.max_receives;
        loop {
            let wanted = Wanted { max_receives, ..*wanted };
            let round = if found.fifo() {
                self.take_turns(found, &wanted, now).await?
            } else {
                self.take_ready(found, &wanted, now).await?
            };
            if round.spent.is_empty() {
                return Ok(round.taken);
            }
            if !self.bury(found, &round.spent, now).await? {
                // Without a dead-letter queue to go to they stay.
                max_receives = None;
            }
            if !round.taken.is_empty() {
                return Ok(round.taken);
            }
        }
    }

    async fn remember_attempt(
        &self,
        found: &Found,
        id: &str,
        wanted: &Wanted,
        taken: &[Taken],
        now: Timestamp,
    ) -> Result<()> {
        let of =
            |t: &Taken| (t.message.group.clone().unwrap_or_default(), t.place.order, t.place.salt);
        let attempt = Attempt {
            until: micros(now) + seconds(REPEATABLE),
            taken: taken.iter().map(of).collect(),
            nonce: wanted.nonce,
            due: taken.first().map_or(0, |t| t.due),
        };
        Ok(self.store.put(&ATTEMPTS, &attempt_key(found, id), &attempt).await?)
    }

    /// What the receive with this id took, if none of it was changed since; its time begins anew.
    async fn repeat(
        &self,
        found: &Found,
        id: &str,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Option<Vec<Taken>>> {
        let generation = found.generation();
        let key = attempt_key(found, id);
        let Some(attempt) = self.store.get(&ATTEMPTS, &key).await? else { return Ok(None) };
        if attempt.until <= micros(now) || attempt.due <= micros(now) {
            self.store.delete(&ATTEMPTS, &key).await?;
            return Ok(None);
        }
        let mut locks = vec![Lock::exclusive(&ATTEMPTS, &key)];
        locks.extend(attempt.taken.iter().map(|(g, ..)| fifo::lock(generation, g)));
        let mut tx = self.store.lock(&locks).await;
        let due = micros(now) + seconds(wanted.visibility);
        let mut taken = Vec::new();
        for (group, order, salt) in &attempt.taken {
            let place = Place { order: *order, salt: *salt };
            let handle = Handle { generation, place, due: attempt.due, nonce: attempt.nonce };
            let standing = flight::find(&mut tx, found, &handle, Some(group)).await?;
            let message = tx.get(&MESSAGES, &place.key(generation)).await?;
            let (Some(s), Some(message)) = (standing, message) else { return Ok(None) };
            if s.due != attempt.due {
                return Ok(None);
            }
            flight::reschedule(&mut tx, generation, &s, due, now).await?;
            taken.push(Taken { place, due, receipt: s.receipt, message });
        }
        tx.put(&ATTEMPTS, &key, &Attempt { due, ..attempt });
        tx.commit().await?;
        Ok(Some(taken))
    }
}

fn attempt_key(found: &Found, id: &str) -> Key {
    Key::new().u64(found.generation()).str(id)
}

/// The table of attempts, for whoever clears a generation.
pub async fn clear(sqs: &Sqs, generation: u64) -> Result<bool> {
    sqs.clear(&ATTEMPTS, generation).await
}
