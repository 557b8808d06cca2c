//! What an append sets off: metrics and messages to subscribers, each a job of the same transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::{ApiError, Cloud, Cx, Result, Source, Value, map};
use fogbank_store::Tx;
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::event::Pos;
use crate::group::Group;
use crate::stream::Stream;
use crate::{Logs, authz, emf, metric_filter, subscription};

static ERRANDS: Jobs<Errand> = Jobs::new("logs.errand");

/// Something to be told to another service.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Errand {
    #[n(0)]
    account: String,
    #[n(1)]
    region: String,
    /// The group's ARN, with `:*`.
    #[n(2)]
    source: String,
    #[n(3)]
    what: What,
    #[n(4)]
    tries: u32,
    /// Seconds since 1970.
    #[n(5)]
    begun: i64,
}
fogbank_store::record!(Errand, version = 1);

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum What {
    #[n(0)]
    Metrics(#[n(0)] String, #[n(1)] Vec<Datum>),
    /// A function's ARN and its event.
    #[n(1)]
    Invoke(#[n(0)] String, #[cbor(n(1), with = "minicbor::bytes")] Vec<u8>),
}

/// Values of a metric at a time.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Datum {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub dimensions: Vec<(String, String)>,
    /// Milliseconds since 1970.
    #[n(2)]
    pub at: i64,
    #[n(3)]
    pub values: Vec<f64>,
    #[n(4)]
    pub unit: Option<String>,
    #[n(5)]
    pub resolution: Option<i64>,
}

/// What came in one append.
pub struct Appended<'a> {
    pub cx: &'a Cx,
    pub group: &'a Group,
    pub stream: &'a Stream,
    /// The number of the first event.
    pub first: u64,
    pub events: &'a [(i64, String)],
}

impl Appended<'_> {
    /// The id of the event at a position.
    pub fn id(&self, i: usize) -> String {
        let seq = self.first + i as u64;
        Pos { ts: self.events[i].0, stream: self.stream.id, seq }.id()
    }
}

/// How many data one request of CloudWatch takes.
const DATA: usize = 500;

/// Adds what is to be done to the transaction; says whether there is anything.
pub async fn outgoing(tx: &mut Tx, appended: &Appended<'_>) -> Result<bool> {
    let mut metrics: BTreeMap<String, Vec<Datum>> = BTreeMap::new();
    if appended.group.class == "STANDARD" {
        for (_, message) in appended.events {
            emf::extract(message, &mut metrics);
        }
    }
    let mut errands: Vec<What> = Vec::new();
    if appended.group.metric_filters > 0 {
        metric_filter::apply(tx, appended, &mut metrics).await?;
    }
    if appended.group.subscription_filters > 0 {
        subscription::apply(tx, appended, &mut errands).await?;
    }
    for (namespace, data) in metrics {
        errands.extend(data.chunks(DATA).map(|d| What::Metrics(namespace.clone(), d.to_vec())));
    }
    let any = !errands.is_empty();
    let cx = appended.cx;
    for (i, what) in errands.into_iter().enumerate() {
        let errand = Errand {
            account: cx.account.clone(),
            region: cx.region.clone().into_owned(),
            source: format!("{}:*", authz::arn(cx, &appended.group.name)),
            what,
            tries: 0,
            begun: cx.now.as_second(),
        };
        // Unique: no other append of the stream begins with this number.
        let id = format!("{:016x}-{:016x}-{i}", appended.stream.id, appended.first);
        ERRANDS.put(tx, cx.now, &id, &errand);
    }
    Ok(any)
}

/// A context in which Logs acts for a group.
pub fn acting(cloud: &Arc<dyn Cloud>, account: &str, region: &str, source: &str) -> Cx {
    let source = Source { arn: source.to_owned(), account: account.to_owned() };
    let region = region.to_owned();
    Cx::acting(cloud, "logs.amazonaws.com", "logs", account, region, Some(source))
}

/// Starts doing what is to be done.
pub fn start(logs: &Arc<Logs>, cloud: &Arc<dyn Cloud>) -> Worker {
    let (clock, cloud) = (cloud.clock().clone(), Arc::clone(cloud));
    Worker::start(logs.store.clone(), clock, &ERRANDS, Options { at_once: 16 }, move |job| {
        let cloud = Arc::clone(&cloud);
        async move { work(&cloud, job).await }
    })
}

async fn work(cloud: &Arc<dyn Cloud>, job: Job<Errand>) -> Next<Errand> {
    let mut errand = job.what;
    let cx = acting(cloud, &errand.account, &errand.region, &errand.source);
    let Err(e) = run(&cx, &errand.what).await else { return Next::Done };
    let now = cloud.clock().now();
    // Like AWS: what may get better is tried again for a day.
    if !passes(&e) || now.as_second() - errand.begun > 86_400 {
        tracing::warn!("{}: {} is given up: {e}", errand.source, named(&errand.what));
        return Next::Done;
    }
    errand.tries += 1;
    let wait = SignedDuration::from_secs(1 << errand.tries.min(9));
    Next::At(now.saturating_add(wait).unwrap_or(Timestamp::MAX), errand)
}

async fn run(cx: &Cx, what: &What) -> Result<()> {
    match what {
        What::Metrics(namespace, data) => {
            let data: Vec<Value> = data.iter().map(Datum::wire).collect();
            let input = map! { "Namespace" => namespace.as_str(), "MetricData" => data };
            cx.call("cloudwatch", "PutMetricData", input).await?;
        }
        What::Invoke(function, event) => {
            let event = bytes::Bytes::copy_from_slice(event);
            invoke(cx, function, "Event", event).await?;
        }
    }
    Ok(())
}

/// Invokes a function.
pub async fn invoke(cx: &Cx, function: &str, kind: &str, event: bytes::Bytes) -> Result<()> {
    let input = map! {
        "FunctionName" => function,
        "InvocationType" => kind,
        "Payload" => Value::Blob(event),
    };
    cx.call("lambda", "Invoke", input).await?;
    Ok(())
}

fn passes(e: &ApiError) -> bool {
    matches!(
        e.code(),
        "TooManyRequestsException"
            | "ServiceException"
            | "InternalFailure"
            | "ResourceConflictException"
            | "ServiceUnavailable"
            | "ThrottlingException"
    )
}

fn named(what: &What) -> String {
    match what {
        What::Metrics(namespace, _) => format!("metric data for {namespace}"),
        What::Invoke(function, _) => format!("an event for {function}"),
    }
}

impl Datum {
    fn wire(&self) -> Value {
        let dimension =
            |(n, v): &(String, String)| map! {"Name" => n.as_str(), "Value" => v.as_str()};
        let dimensions: Vec<Value> = self.dimensions.iter().map(dimension).collect();
        let time = Timestamp::from_millisecond(self.at).unwrap_or_default();
        map! {
            "MetricName" => self.name.as_str(),
            "Dimensions" => dimensions,
            "Timestamp" => Value::Time(time),
            "Values" => self.values.iter().map(|v| Value::Float(*v)).collect::<Vec<_>>(),
            "Unit" => self.unit.as_deref().map(Value::from),
            "StorageResolution" => self.resolution,
        }
    }
}

#[cfg(test)]
mod tests;
