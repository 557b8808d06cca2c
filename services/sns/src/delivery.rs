//! Deliveries: jobs that bring messages to their subscribers, again and again until they are taken.

use std::sync::Arc;

use bytes::Bytes;
use fogbank_apigw::OutboundError;
use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::{ApiError, Arn, Cloud, Cx, Result, Source, Value, map};
use fogbank_store::{Lock, Range, Tx};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::Sns;
use crate::address::Address;
use crate::endpoint::{self, Protocol};
use crate::envelope::{self, Confirmation, Signed};
use crate::line::{LINE, group_key};
use crate::message::{Content, Message};
use crate::retry::Retry;
use crate::subscription::Subscription;
use crate::topic::Found;

static JOBS: Jobs<Work> = Jobs::new("sns.delivery");

/// Something to deliver.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
enum Work {
    #[n(0)]
    Message(#[n(0)] Delivery),
    /// The messages of a FIFO topic's group, in order.
    #[n(1)]
    Group {
        #[n(0)]
        topic: Address,
        #[n(1)]
        group: String,
    },
    /// A request for confirmation.
    #[n(2)]
    Confirmation {
        #[n(0)]
        topic: Address,
        #[n(1)]
        id: String,
        #[n(2)]
        attempts: u32,
        #[n(3)]
        message: String,
        #[n(4)]
        at: i64,
    },
}
fogbank_store::record!(Work, version = 1);

/// A message and who has not taken it yet.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Delivery {
    #[n(0)]
    topic: Address,
    #[n(1)]
    message: Message,
    #[n(2)]
    targets: Vec<Target>,
}
fogbank_store::record!(Delivery, version = 1);

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Target {
    /// The subscription's id.
    #[n(0)]
    id: String,
    #[n(1)]
    attempts: u32,
    /// Microseconds since 1970.
    #[n(2)]
    due: i64,
}

/// How one attempt ended.
enum Outcome {
    Taken,
    /// It may be taken another time.
    Again(String),
    /// It never will be.
    Refused(String),
}

/// How many endpoints get a message at the same time.
const AT_ONCE: usize = 16;
/// How long an HTTP endpoint may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

fn delivery(now: Timestamp, topic: &Address, message: Message, to: Vec<String>) -> Delivery {
    let due = now.as_microsecond();
    let targets = to.into_iter().map(|id| Target { id, attempts: 0, due }).collect();
    Delivery { topic: topic.clone(), message, targets }
}

/// Adds a delivery to a transaction; after its commit the worker is to be woken.
pub fn later(tx: &mut Tx, now: Timestamp, topic: &Address, message: Message, to: Vec<String>) {
    let id = message.id.clone();
    JOBS.put(tx, now, &id, &Work::Message(delivery(now, topic, message, to)));
}

/// Adds a delivery behind those of its group, under the group's lock.
pub fn later_in_order(
    tx: &mut Tx,
    now: Timestamp,
    topic: &Address,
    order: u64,
    message: Message,
    to: Vec<String>,
) {
    let (id, group) = (message.id.clone(), message.group.clone().unwrap_or_default());
    let key = group_key(topic, &group).u64(order);
    tx.put(&LINE, &key, &delivery(now, topic, message, to));
    JOBS.put(tx, now, &id, &Work::Group { topic: topic.clone(), group });
}

/// Asks an HTTP endpoint to confirm.
pub async fn ask_for_confirmation(
    sns: &Sns,
    cx: &Cx,
    found: &Found,
    s: &Subscription,
) -> Result<()> {
    let mut tx = sns.store.lock(&[]).await;
    let message = cx.ids().uuid();
    let (topic, id, at) = (found.at.clone(), s.id.clone(), cx.now.as_millisecond());
    let work = Work::Confirmation { topic, id, attempts: 0, message: message.clone(), at };
    JOBS.put(&mut tx, cx.now, &message, &work);
    tx.commit().await?;
    sns.wake_worker();
    Ok(())
}

/// Starts the worker.
pub fn start(sns: &Arc<Sns>, cloud: &Arc<dyn Cloud>) -> Worker {
    let (store, clock) = (sns.store.clone(), sns.clock.clone());
    let (weak, cloud) = (Arc::downgrade(sns), Arc::clone(cloud));
    Worker::start(store, clock, &JOBS, Options::default(), move |job: Job<Work>| {
        let (sns, cloud) = (weak.upgrade(), Arc::clone(&cloud));
        async move {
            let Some(sns) = sns else { return Next::Done };
            let what = job.what.clone();
            match sns.work(&cloud, job.what).await {
                Ok(next) => next,
                Err(e) => {
                    tracing::error!("a delivery of SNS failed: {e} {:?}", e.internal_context());
                    Next::At(after(sns.clock.now(), 5), what)
                }
            }
        }
    })
}

fn after(now: Timestamp, seconds: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}

fn at(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
}

impl Sns {
    async fn work(&self, cloud: &Arc<dyn Cloud>, work: Work) -> Result<Next<Work>> {
        match work {
            Work::Message(d) => Ok(match self.deliver(cloud, d).await? {
                Some((due, rest)) => Next::At(due, Work::Message(rest)),
                None => Next::Done,
            }),
            Work::Group { topic, group } => self.deliver_group(cloud, topic, group).await,
            Work::Confirmation { topic, id, attempts, message, at } => {
                let sub = self.subscription(&topic, &id).await?;
                let (Some(found), Some(s)) = (self.look_up(&topic).await?, sub) else {
                    return Ok(Next::Done);
                };
                let Some(token) = s.token.clone() else { return Ok(Next::Done) };
                let c = Confirmation::new(&**cloud, &topic, &token, &message, at);
                let two = found.topic.settings.signature_2 == Some(true);
                let signed = self.signer.sign(c.to_sign.clone(), two, &topic.region).await?;
                let body = c.document(&topic, &token, &message, at, &signed);
                let headers = headers("SubscriptionConfirmation", &topic, &message);
                let outcome = self.post(&**cloud, &s.endpoint, headers, body).await;
                let retry = Retry::HTTP.delay(attempts + 1);
                Ok(match (outcome, retry) {
                    (Outcome::Taken, _) | (_, None) => Next::Done,
                    (_, Some(delay)) => {
                        let attempts = attempts + 1;
                        let work = Work::Confirmation { topic, id, attempts, message, at };
                        Next::At(after(self.clock.now(), delay), work)
                    }
                })
            }
        }
    }

    /// Delivers what waits of a group, one message after the other.
    async fn deliver_group(
        &self,
        cloud: &Arc<dyn Cloud>,
        topic: Address,
        group: String,
    ) -> Result<Next<Work>> {
        let key = group_key(&topic, &group);
        let _turn = self.lines.turn(key.clone()).await;
        loop {
            let first = self.store.scan(&LINE, Range::prefix(&key), 1).await?;
            let Some((place, waiting)) = first.into_iter().next() else { return Ok(Next::Done) };
            let rest = self.deliver(cloud, waiting).await?;
            let mut tx = self.store.lock(&[Lock::exclusive(&LINE, &key)]).await;
            match rest {
                // Those behind it must wait, too.
                Some((due, rest)) => {
                    tx.put(&LINE, &place, &rest);
                    tx.commit().await?;
                    return Ok(Next::At(due, Work::Group { topic, group }));
                }
                None => {
                    tx.delete(&LINE, &place);
                    tx.commit().await?;
                }
            }
        }
    }

    /// Tries all endpoints that are due; what is left, and when it is due.
    async fn deliver(
        &self,
        cloud: &Arc<dyn Cloud>,
        mut d: Delivery,
    ) -> Result<Option<(Timestamp, Delivery)>> {
        let Some(found) = self.look_up(&d.topic).await? else { return Ok(None) };
        let now = self.clock.now();
        let (due, mut rest): (Vec<_>, Vec<_>) = d.targets.drain(..).partition(|t| at(t.due) <= now);
        let message = &d.message;
        let mut ready = Vec::new();
        let mut signed: Vec<(&str, Signed)> = Vec::new();
        for target in due {
            let Some(s) = self.subscription(&d.topic, &target.id).await? else { continue };
            let text = message.for_protocol(s.protocol.name());
            if !s.options.raw && !signed.iter().any(|(t, _)| *t == text) {
                let two = found.topic.settings.signature_2 == Some(true);
                let to_sign = envelope::to_sign(&d.topic, message, text);
                signed.push((text, self.signer.sign(to_sign, two, &d.topic.region).await?));
            }
            ready.push((target, s));
        }
        let (found, signed) = (&found, &signed);
        let attempts = ready.into_iter().map(|(target, s)| async move {
            let text = message.for_protocol(s.protocol.name());
            let signature = signed.iter().find(|(t, _)| *t == text).map(|(_, s)| s);
            let outcome = self.attempt(cloud, found, &s, message, text, signature).await;
            (target, s, outcome)
        });
        let mut attempts = futures_util::stream::iter(attempts).buffer_unordered(AT_ONCE);
        while let Some((target, s, outcome)) = attempts.next().await {
            let why = match outcome {
                Outcome::Taken => continue,
                Outcome::Again(why) => match self.retry(found, &s).delay(target.attempts + 1) {
                    Some(delay) => {
                        let due = after(self.clock.now(), delay).as_microsecond();
                        rest.push(Target { attempts: target.attempts + 1, due, ..target });
                        continue;
                    }
                    None => why,
                },
                Outcome::Refused(why) => why,
            };
            tracing::info!("{} did not take a message of {}: {why}", s.endpoint, found.at.arn());
            self.to_dead_letters(cloud, found, &s, message).await;
        }
        drop(attempts);
        let next = rest.iter().map(|t| t.due).min();
        d.targets = rest;
        Ok(next.map(|due| (at(due), d)))
    }

    fn retry(&self, found: &Found, s: &Subscription) -> Retry {
        if !s.protocol.is_http() {
            return Retry::AWS;
        }
        let own = s.options.delivery.as_deref().and_then(|d| Retry::of_subscription(d).ok());
        let topic = found.topic.settings.delivery.as_deref();
        own.or_else(|| topic.and_then(|d| Retry::of_topic(d).ok())).unwrap_or(Retry::HTTP)
    }

    async fn attempt(
        &self,
        cloud: &Arc<dyn Cloud>,
        found: &Found,
        s: &Subscription,
        message: &Message,
        text: &str,
        signed: Option<&Signed>,
    ) -> Outcome {
        let topic = &found.at;
        let body = match (signed, s.protocol) {
            (Some(signed), Protocol::Lambda) => {
                envelope::lambda_event(&**cloud, topic, s, message, text, signed)
            }
            (Some(signed), _) if !s.options.raw => {
                envelope::notification(&**cloud, topic, s, message, text, signed)
            }
            _ => text.to_owned(),
        };
        match s.protocol {
            Protocol::Sqs => {
                let raw = s.options.raw;
                told(send(cloud, topic, &s.endpoint, message, body, raw).await)
            }
            Protocol::Lambda => {
                let region = Arn::parse(&s.endpoint).map(|a| a.region.to_owned());
                let cx = acting(cloud, topic, region.unwrap_or_default());
                let input = map! {
                    "FunctionName" => s.endpoint.as_str(),
                    "InvocationType" => "Event",
                    "Payload" => Value::Blob(Bytes::from(body)),
                };
                told(cx.call("lambda", "Invoke", input).await)
            }
            Protocol::Http | Protocol::Https => {
                let mut headers = headers("Notification", topic, &message.id);
                put(&mut headers, "x-amz-sns-subscription-arn", &s.arn(topic));
                if s.options.raw {
                    put(&mut headers, "x-amz-sns-rawdelivery", "true");
                }
                self.post(&**cloud, &s.endpoint, headers, body).await
            }
        }
    }

    async fn post(
        &self,
        cloud: &dyn Cloud,
        url: &str,
        headers: HeaderMap,
        body: String,
    ) -> Outcome {
        let sent = self.outbound.send(cloud, Method::POST, url, headers, body.into(), PATIENCE);
        match sent.await {
            Ok(r) if r.status.is_success() => Outcome::Taken,
            Ok(r) if r.status.is_server_error() || r.status.as_u16() == 429 => {
                Outcome::Again(format!("it answered {}", r.status))
            }
            Ok(r) => Outcome::Refused(format!("it answered {}", r.status)),
            Err(OutboundError::Timeout) => Outcome::Again("it did not answer in time".to_owned()),
            Err(OutboundError::Failed(why)) => Outcome::Again(why),
        }
    }

    async fn to_dead_letters(
        &self,
        cloud: &Arc<dyn Cloud>,
        found: &Found,
        s: &Subscription,
        message: &Message,
    ) {
        let Some(arn) = &s.options.dead_letters else { return };
        let text = message.for_protocol(s.protocol.name());
        let body = if s.options.raw {
            text.to_owned()
        } else {
            let two = found.topic.settings.signature_2 == Some(true);
            let to_sign = envelope::to_sign(&found.at, message, text);
            match self.signer.sign(to_sign, two, &found.at.region).await {
                Ok(signed) => {
                    envelope::notification(&**cloud, &found.at, s, message, text, &signed)
                }
                Err(_) => text.to_owned(),
            }
        };
        if let Err(e) = send(cloud, &found.at, arn, message, body, s.options.raw).await {
            tracing::warn!("a message of {} is lost: {arn} does not take it: {e}", found.at.arn());
        }
    }
}

/// A context in which SNS acts for a topic.
fn acting(cloud: &Arc<dyn Cloud>, topic: &Address, region: String) -> Cx {
    let source = Source { arn: topic.arn(), account: topic.account.clone() };
    Cx::acting(cloud, "sns.amazonaws.com", "sns", &topic.account, region, Some(source))
}

/// Sends to a queue.
async fn send(
    cloud: &Arc<dyn Cloud>,
    topic: &Address,
    queue: &str,
    message: &Message,
    body: String,
    raw: bool,
) -> Result<Value> {
    let missing = || ApiError::new("QueueDoesNotExist", "it is no queue");
    let (url, region) = endpoint::queue(queue).ok_or_else(missing)?;
    let mut input =
        vec![("QueueUrl".into(), Value::from(url)), ("MessageBody".into(), Value::from(body))];
    if let Some(group) = &message.group {
        input.push(("MessageGroupId".into(), Value::from(group.as_str())));
    }
    if let Some(id) = message.deduplication.as_deref().filter(|_| queue.ends_with(".fifo")) {
        input.push(("MessageDeduplicationId".into(), Value::from(id)));
    }
    if raw && !message.attributes.is_empty() {
        let all = message.attributes.iter().map(|a| {
            let kind = a.data_type.as_str();
            let value = match &a.value {
                Content::Text(s) => map! {"DataType" => kind, "StringValue" => s.as_str()},
                Content::Bytes(b) => map! {
                    "DataType" => kind,
                    "BinaryValue" => Value::Blob(Bytes::copy_from_slice(b)),
                },
            };
            (a.name.clone().into(), value)
        });
        input.push(("MessageAttributes".into(), Value::Map(all.collect())));
    }
    acting(cloud, topic, region).call("sqs", "SendMessage", Value::Map(input)).await
}

/// What another service's answer means: its own faults and a lack of room pass.
fn told(outcome: Result<Value>) -> Outcome {
    match outcome {
        Ok(_) => Outcome::Taken,
        Err(e) => {
            let passing =
                ["Internal", "Throttl", "TooManyRequests", "ServiceException", "Unavailable"];
            let why = e.to_string();
            if passing.iter().any(|p| e.code().contains(p)) {
                Outcome::Again(why)
            } else {
                Outcome::Refused(why)
            }
        }
    }
}

fn headers(kind: &str, topic: &Address, message: &str) -> HeaderMap {
    let mut out = HeaderMap::new();
    put(&mut out, "x-amz-sns-message-type", kind);
    put(&mut out, "x-amz-sns-message-id", message);
    put(&mut out, "x-amz-sns-topic-arn", &topic.arn());
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    let agent = HeaderValue::from_static("Amazon Simple Notification Service Agent");
    out.insert(header::USER_AGENT, agent);
    out
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
