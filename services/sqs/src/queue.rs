//! Queues: their record, their life, and how they are found.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Range, Table, Tx};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::address::{self, Address};
use crate::attribute::Settings;
use crate::error::{bad_value, no_such_queue};
use crate::job::{self, Task};
use crate::place::{micros, seconds};
use crate::{Sqs, authz, redrive, tag, tally};

pub const OPS: &[Op<Sqs>] = ops![
    CreateQueue => create_queue [authz::create_queue],
    DeleteQueue => delete_queue [authz::owner],
    GetQueueUrl => get_queue_url [authz::named],
    ListQueues => list_queues,
];

pub static QUEUES: Table<Queue> = Table::new("sqs.queue");
/// When a queue of a name was deleted, in microseconds since 1970: the name rests for a minute.
pub static GONE: Table<u64> = Table::new("sqs.gone");

/// How long a name rests, and how often a queue may be purged.
pub const REST: u64 = 60;

/// A queue's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Queue {
    /// Under which its messages lie: another one after each purge.
    #[n(0)]
    pub generation: u64,
    /// Seconds since 1970.
    #[n(1)]
    pub created: i64,
    #[n(2)]
    pub modified: i64,
    #[n(3)]
    pub settings: Settings,
    #[n(4)]
    pub tags: BTreeMap<String, String>,
    /// Microseconds since 1970.
    #[n(5)]
    pub purged: Option<u64>,
    /// Which job drops its old messages: others are out of date.
    #[n(6)]
    pub sweep: u64,
}
fogbank_store::record!(Queue, version = 1);

/// A queue and where it is.
#[derive(Clone, Debug)]
pub struct Found {
    pub at: Address,
    pub queue: Queue,
}

impl Found {
    pub fn fifo(&self) -> bool {
        self.queue.settings.fifo
    }

    pub fn generation(&self) -> u64 {
        self.queue.generation
    }
}

impl Sqs {
    pub(crate) async fn look_up(&self, at: &Address) -> Result<Option<Found>> {
        let queue = self.store.get(&QUEUES, &at.key()).await?;
        Ok(queue.map(|queue| Found { at: at.clone(), queue }))
    }

    /// # Errors
    /// `QueueDoesNotExist`.
    pub(crate) async fn find(&self, at: &Address) -> Result<Found> {
        self.look_up(at).await?.ok_or_else(no_such_queue)
    }

    /// The queue of a request, which its checks have read.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub(crate) async fn of_request(&self, cx: &Cx, url: &str) -> Result<Arc<Found>> {
        match cx.recall::<Found>() {
            Some(found) => Ok(found),
            None => Ok(Arc::new(self.find(&Address::of_url(cx, url)?).await?)),
        }
    }

    /// Changes a queue's record under its lock.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, or the change's own.
    pub(crate) async fn edit(
        &self,
        at: &Address,
        change: impl FnOnce(&mut Queue) -> Result<()>,
    ) -> Result<()> {
        let mut tx = self.store.lock(&[Lock::exclusive(&QUEUES, &at.key())]).await;
        let mut queue = tx.get(&QUEUES, &at.key()).await?.ok_or_else(no_such_queue)?;
        change(&mut queue)?;
        tx.put(&QUEUES, &at.key(), &queue);
        Ok(tx.commit().await?)
    }
}

/// A generation that no queue has had.
pub fn generation(cx: &Cx) -> u64 {
    let mut b = [0; 8];
    cx.ids().fill(&mut b);
    u64::from_le_bytes(b)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateQueueInput {
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, rename = "tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueueUrlOutput {
    queue_url: String,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>
async fn create_queue(sqs: &Sqs, cx: &Cx, input: CreateQueueInput) -> Result<QueueUrlOutput> {
    let at = Address::own(cx, &input.queue_name);
    let settings = Settings::create(&input.attributes)?;
    address::check_name(&at.name, settings.fifo)?;
    tag::check(&input.tags)?;
    if let Some(old) = sqs.look_up(&at).await? {
        old.queue.settings.same_as(&settings, &input.attributes)?;
        return Ok(QueueUrlOutput { queue_url: at.url(cx) });
    }
    redrive::check(sqs, &at, &settings).await?;
    let locks = [Lock::exclusive(&QUEUES, &at.key())].into_iter().chain(tally::all(&at));
    let mut tx = sqs.store.lock(&locks.collect::<Vec<_>>()).await;
    if let Some(old) = tx.get(&QUEUES, &at.key()).await? {
        old.settings.same_as(&settings, &input.attributes)?;
        return Ok(QueueUrlOutput { queue_url: at.url(cx) });
    }
    if let Some(deleted) = tx.get(&GONE, &at.key()).await?
        && micros(cx.now) < deleted + seconds(REST)
    {
        return Err(ApiError::new(
            "QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with \
             the same name.",
        ));
    }
    let queue = Queue {
        generation: generation(cx),
        created: cx.now.as_second(),
        modified: cx.now.as_second(),
        settings,
        tags: input.tags,
        purged: None,
        sweep: generation(cx),
    };
    redrive::index(&mut tx, &at, None, queue.settings.redrive.as_ref());
    job::sweep_later(&mut tx, cx.now, &at, &queue);
    tally::reset(&mut tx, &at, queue.generation);
    tx.put(&QUEUES, &at.key(), &queue);
    tx.commit().await?;
    sqs.wake_worker();
    Ok(QueueUrlOutput { queue_url: at.url(cx) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueueInput {
    pub queue_url: String,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>
async fn delete_queue(sqs: &Sqs, cx: &Cx, input: QueueInput) -> Result<()> {
    let at = Address::of_url(cx, &input.queue_url)?;
    let locks = [Lock::exclusive(&QUEUES, &at.key())].into_iter().chain(tally::all(&at));
    let mut tx = sqs.store.lock(&locks.collect::<Vec<_>>()).await;
    let queue = tx.get(&QUEUES, &at.key()).await?.ok_or_else(no_such_queue)?;
    tx.delete(&QUEUES, &at.key());
    tx.put(&GONE, &at.key(), &micros(cx.now));
    tally::remove(&mut tx, &at);
    redrive::index(&mut tx, &at, queue.settings.redrive.as_ref(), None);
    abandon(sqs, &mut tx, cx.now, queue.generation);
    let rested = cx.now.saturating_add(jiff::SignedDuration::from_secs(REST as i64));
    let forget = Task::Forget { account: at.account, region: at.region, name: at.name };
    job::later(&mut tx, rested.unwrap_or(cx.now), &generation(cx).to_string(), &forget);
    tx.commit().await?;
    sqs.let_go(queue.generation);
    Ok(())
}

/// Leaves what lies under a generation to a job.
pub fn abandon(sqs: &Sqs, tx: &mut Tx, now: Timestamp, generation: u64) {
    sqs.limits.forget(generation);
    job::later(tx, now, &generation.to_string(), &Task::Clear { generation, again: true });
}

impl Sqs {
    /// After a generation was abandoned: whoever waits for its messages looks again.
    pub(crate) fn let_go(&self, generation: u64) {
        self.waiting.wake_all(generation);
        self.wake_worker();
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueUrlInput {
    queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html>
async fn get_queue_url(sqs: &Sqs, cx: &Cx, input: GetQueueUrlInput) -> Result<QueueUrlOutput> {
    let mut at = Address::own(cx, &input.queue_name);
    at.account = input.owner.unwrap_or(at.account);
    Ok(QueueUrlOutput { queue_url: sqs.find(&at).await?.at.url(cx) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListQueuesInput {
    queue_name_prefix: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListQueuesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_urls: Option<Vec<String>>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html>
async fn list_queues(sqs: &Sqs, cx: &Cx, input: ListQueuesInput) -> Result<ListQueuesOutput> {
    let parent = Key::new().str(&cx.account).str(&cx.region);
    let mut range = Range::starting(&parent, input.queue_name_prefix.as_deref().unwrap_or(""));
    let page = Page::of(input.max_results, input.next_token.as_deref())?;
    if let Some(last) = &page.after {
        range = range.after(&parent.clone().str(last));
    }
    let found = sqs.store.scan(&QUEUES, range, page.limit + 1).await?;
    let name = |key: &Key| key.parts().nth(2).map(|p| crate::redrive::part_text(&p));
    let names: Vec<String> = found.iter().filter_map(|(key, _)| name(key)).collect();
    let (names, next_token) = page.cut(names);
    let urls: Vec<String> = names.iter().map(|n| Address::own(cx, n).url(cx)).collect();
    Ok(ListQueuesOutput { queue_urls: Some(urls).filter(|u| !u.is_empty()), next_token })
}

/// A page of names: SQS gives a token only when the client asked for pages.
pub struct Page {
    pub limit: usize,
    pub after: Option<String>,
    asked: bool,
}

impl Page {
    /// # Errors
    /// `InvalidParameterValue` for a token or number that is none.
    pub fn of(max: Option<i64>, token: Option<&str>) -> Result<Self> {
        let limit = match max {
            None => 1000,
            Some(n @ 1..=1000) => n as usize,
            Some(n) => {
                return Err(bad_value(n, "MaxResults", "Must be between 1 and 1000, if provided."));
            }
        };
        let read = |t: &str| String::from_utf8(BASE64.decode(t).ok()?).ok();
        let after = match token {
            None => None,
            Some(t) => Some(read(t).ok_or_else(|| {
                bad_value(t, "NextToken", "The token is not valid for this request.")
            })?),
        };
        Ok(Page { limit, after, asked: max.is_some() || token.is_some() })
    }

    /// Of one name more than the page holds: the page, and the token of the next.
    pub fn cut(&self, mut names: Vec<String>) -> (Vec<String>, Option<String>) {
        let more = names.len() > self.limit && self.asked;
        names.truncate(self.limit);
        let token = names.last().filter(|_| more).map(|n| BASE64.encode(n));
        (names, token)
    }
}
