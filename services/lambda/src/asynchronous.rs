//! Asynchronous invocations: events kept in the store until the function has taken them, or never
//! will.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

use std::sync::Arc;

use bytes::Bytes;
use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::{Cloud, Cx, Result};
use fogbank_lambda_runtime::Outcome;
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::event_invoke::{self, EventConfig};
use crate::invoke::{Request, Resolved, Unable};
use crate::metrics::Measured;
use crate::name::Target;
use crate::{Lambda, role};

mod destination;

pub use destination::{deliver, queue_url};

static EVENTS: Jobs<Event> = Jobs::new("lambda.event");

/// The longest that an event waits, in seconds, when the function says nothing else.
const AGE: u32 = 21_600;
/// How often an event is tried again after a function's error.
const RETRIES: u32 = 2;

/// An event in the queue.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Event {
    #[n(0)]
    account: String,
    #[n(1)]
    region: String,
    #[n(2)]
    name: String,
    #[n(3)]
    qualifier: Option<String>,
    #[n(4)]
    request_id: String,
    #[cbor(n(5), with = "minicbor::bytes")]
    payload: Vec<u8>,
    /// Milliseconds since 1970.
    #[n(6)]
    received: i64,
    /// How often the function was run on it.
    #[n(7)]
    attempts: u32,
    /// How often in a row it could not be run.
    #[n(8)]
    refusals: u32,
    #[n(9)]
    client_context: Option<String>,
    #[n(10)]
    trace: Option<String>,
    #[n(11)]
    tenant: Option<String>,
    /// The function's id: one made anew under the name does not get the event.
    #[n(12)]
    function: String,
}
fogbank_store::record!(Event, version = 1);

impl Event {
    pub fn new(
        cx: &Cx,
        resolved: &Resolved,
        payload: Bytes,
        client_context: Option<String>,
        tenant: Option<String>,
    ) -> Self {
        Event {
            account: resolved.target.account.clone(),
            region: resolved.target.region.clone(),
            name: resolved.target.name.clone(),
            qualifier: resolved.target.qualifier.clone(),
            request_id: cx.request_id.clone(),
            payload: payload.into(),
            received: cx.now.as_millisecond(),
            attempts: 0,
            refusals: 0,
            client_context,
            trace: cx.header("x-amzn-trace-id").map(str::to_owned),
            tenant,
            function: resolved.function.id.clone(),
        }
    }

    fn target(&self) -> Target {
        Target {
            account: self.account.clone(),
            region: self.region.clone(),
            name: self.name.clone(),
            qualifier: self.qualifier.clone(),
        }
    }
}

/// Sets the worker going. How many events are in hand is limited by the functions' concurrency.
pub fn start(lambda: &Arc<Lambda>, cloud: &Arc<dyn Cloud>) -> Worker {
    let (store, clock) = (lambda.store.clone(), lambda.clock.clone());
    let (lambda, cloud) = (Arc::downgrade(lambda), Arc::clone(cloud));
    Worker::start(store, clock, &EVENTS, Options { at_once: 1000 }, move |job: Job<Event>| {
        let (lambda, cloud) = (lambda.upgrade(), Arc::clone(&cloud));
        async move {
            match lambda {
                Some(lambda) => lambda.deliver(&cloud, job).await,
                None => Next::At(job.due, job.what),
            }
        }
    })
}

/// How an event ended, as records of destinations say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
}

impl Lambda {
    /// Puts an event in the queue. When it returns, the event is kept.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn enqueue(&self, cx: &Cx, event: &Event) -> Result<()> {
        let mut tx = self.store.lock(&[]).await;
        EVENTS.put(&mut tx, cx.now, &event.request_id, event);
        tx.commit().await?;
        if let Some(worker) = self.events.get() {
            worker.wake();
        }
        self.metrics.count(&Measured::of(&event.target()), "AsyncEventsReceived", cx.now);
        Ok(())
    }

    async fn deliver(&self, cloud: &Arc<dyn Cloud>, job: Job<Event>) -> Next<Event> {
        let event = job.what;
        let target = event.target();
        let cx = role::acting(cloud, &target);
        let resolved = match self.resolve(&cx, target.clone()).await {
            Ok(r) if r.function.id == event.function => r,
            // The function is gone, and with it what was meant for it.
            Ok(_) => return Next::Done,
            Err(e) if e.code() == "ResourceNotFoundException" => return Next::Done,
            Err(e) => return self.later(cloud, event, &e.to_string()),
        };
        let settings = match event_invoke::of(&self.store, &target).await {
            Ok(s) => s,
            Err(e) => return self.later(cloud, event, &e.to_string()),
        };
        let now = cloud.clock().now();
        let end = Ending { lambda: self, cloud, event: &event, settings: &settings };
        let function = Function {
            role: resolved.config.role.clone(),
            dead_letter: resolved.config.dead_letter.clone(),
            version: resolved.version.clone(),
        };
        if is_old(&event, &settings, now) {
            end.fail(&function, Condition::EventAgeExceeded, None).await;
            return Next::Done;
        }
        if resolved.function.reserved == Some(0) {
            end.fail(&function, Condition::RetriesExhausted, None).await;
            return Next::Done;
        }
        let request = Request {
            id: event.request_id.clone(),
            payload: event.payload.clone().into(),
            client_context: event.client_context.clone(),
            trace: event.trace.clone(),
            tenant: event.tenant.clone(),
            streaming: None,
        };
        let run = match self.run(&cx, resolved, request).await {
            Ok(run) => run,
            Err(Unable::Recursion) => {
                self.metrics.count(&Measured::of(&target), "RecursiveInvocationsDropped", now);
                end.fail(&function, Condition::RetriesExhausted, None).await;
                return Next::Done;
            }
            Err(e) => return self.later(cloud, event, &format!("{e:?}")),
        };
        if run.outcome.result.is_ok() {
            end.succeed(&function, &run.outcome).await;
            return Next::Done;
        }
        let attempts = event.attempts + 1;
        let now = cloud.clock().now();
        let failed = Event { attempts, refusals: 0, ..event.clone() };
        let end = Ending { event: &failed, ..end };
        // A minute before the first retry, two before the second.
        let next = now.saturating_add(SignedDuration::from_mins(i64::from(attempts)));
        let next = next.unwrap_or(Timestamp::MAX);
        if attempts > settings.retries.unwrap_or(RETRIES) {
            end.fail(&function, Condition::RetriesExhausted, Some(&run.outcome)).await;
            return Next::Done;
        }
        if is_old(&event, &settings, next) {
            end.fail(&function, Condition::EventAgeExceeded, Some(&run.outcome)).await;
            return Next::Done;
        }
        Next::At(next, failed)
    }

    /// An event that could not be given to the function now: from a second up to five minutes.
    fn later(&self, cloud: &Arc<dyn Cloud>, event: Event, why: &str) -> Next<Event> {
        tracing::debug!("an event for {} waits: {why}", event.name);
        let seconds = 1_i64 << event.refusals.min(9);
        let pause = SignedDuration::from_secs(seconds.min(300));
        let due = cloud.clock().now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        Next::At(due, Event { refusals: event.refusals.saturating_add(1), ..event })
    }
}

fn is_old(event: &Event, settings: &EventConfig, now: Timestamp) -> bool {
    let age = i64::from(settings.age.unwrap_or(AGE)) * 1000;
    now.as_millisecond() - event.received > age
}

/// What of a function's version matters at the end of an event.
struct Function {
    role: String,
    dead_letter: Option<String>,
    version: String,
}

/// Sends on what has become of an event.
#[derive(Clone, Copy)]
struct Ending<'a> {
    lambda: &'a Lambda,
    cloud: &'a Arc<dyn Cloud>,
    event: &'a Event,
    settings: &'a EventConfig,
}

impl Ending<'_> {
    async fn succeed(&self, function: &Function, outcome: &Outcome) {
        if let Some(to) = &self.settings.on_success {
            self.send(function, to, Condition::Success, Some(outcome)).await;
        }
    }

    async fn fail(&self, function: &Function, condition: Condition, outcome: Option<&Outcome>) {
        if let Some(to) = &self.settings.on_failure {
            self.send(function, to, condition, outcome).await;
        }
        if let Some(to) = &function.dead_letter {
            let sent = destination::dead_letter(self, function, to, outcome).await;
            self.told(sent, "DeadLetterErrors", to);
        }
        self.count("AsyncEventsDropped");
    }

    async fn send(
        &self,
        function: &Function,
        to: &str,
        condition: Condition,
        outcome: Option<&Outcome>,
    ) {
        let sent = destination::send(self, function, to, condition, outcome).await;
        self.told(sent, "DestinationDeliveryFailures", to);
    }

    fn told(&self, sent: Result<()>, metric: &'static str, to: &str) {
        if let Err(e) = sent {
            tracing::warn!("{to} did not take what became of an event of {}: {e}", self.event.name);
            self.count(metric);
        }
    }

    fn count(&self, metric: &'static str) {
        let measured = Measured::of(&self.event.target());
        self.lambda.metrics.count(&measured, metric, self.cloud.clock().now());
    }
}
