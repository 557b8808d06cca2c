//! PutTraceSegments and PutTelemetryRecords.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, Value, ops};
use fogbank_store::{Key, Lock, Parts, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::segment::Segment;
use crate::{XRay, invalid};

pub const OPS: &[Op<XRay>] = ops![
    PutTraceSegments => put_trace_segments,
    PutTelemetryRecords => put_telemetry_records,
];

/// By account, region, trace.
pub static TRACES: Table<Trace> = Table::new("xray.trace");
/// By account, region, trace, segment.
pub static SEGMENTS: Table<Stored> = Table::new("xray.segment");
/// By account, region, start in milliseconds, trace.
pub static BY_START: Table<()> = Table::new("xray.trace-by-start");

/// What is known of a trace without its segments.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Trace {
    /// Milliseconds since 1970.
    #[n(0)]
    pub start: u64,
    #[n(1)]
    pub revision: u32,
    #[n(2)]
    pub bytes: u64,
}
fogbank_store::record!(Trace, version = 1);

/// A segment as it came.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Stored {
    #[n(0)]
    pub document: String,
}
fogbank_store::record!(Stored, version = 1);

/// Traces are told for thirty days.
pub const KEPT_MS: u64 = 30 * 86_400_000;
/// The largest trace: 500 kB on AWS.
pub const LARGEST: u64 = 500 * 1024;
/// How many traces that are too old go with a request.
const STEP: usize = 4;

pub fn parent(cx: &Cx) -> Key {
    Key::new().str(&cx.account).str(&cx.region)
}

pub fn now_ms(cx: &Cx) -> u64 {
    u64::try_from(cx.now.as_millisecond()).unwrap_or(0)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutTraceSegmentsInput {
    trace_segment_documents: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Unprocessed {
    id: Option<String>,
    error_code: &'static str,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutTraceSegmentsOutput {
    unprocessed_trace_segments: Vec<Unprocessed>,
}

const MOST: usize = 50;

/// <https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html>
async fn put_trace_segments(
    xray: &XRay,
    cx: &Cx,
    input: PutTraceSegmentsInput,
) -> Result<PutTraceSegmentsOutput> {
    if input.trace_segment_documents.len() > MOST {
        return Err(invalid(format!("At most {MOST} segments can be sent in one request.")));
    }
    let mut unprocessed = Vec::new();
    let mut by_trace: BTreeMap<String, Vec<(Segment, String)>> = BTreeMap::new();
    for document in input.trace_segment_documents {
        match Segment::parse(&document) {
            Ok(s) => by_trace.entry(s.trace()).or_default().push((s, document)),
            Err((error_code, id)) => {
                let message = format!("Invalid segment. ErrorCode: {error_code}");
                unprocessed.push(Unprocessed { id, error_code, message });
            }
        }
    }
    let keys: Vec<Key> = by_trace.keys().map(|t| parent(cx).str(t)).collect();
    let locks: Vec<Lock> = keys.iter().map(|k| Lock::exclusive(&TRACES, k)).collect();
    let mut tx = xray.store.lock(&locks).await;
    for (key, (id, segments)) in keys.into_iter().zip(by_trace) {
        let before = tx.get(&TRACES, &key).await?;
        let mut trace = before.clone().unwrap_or_default();
        for (segment, document) in segments {
            if trace.bytes + document.len() as u64 > LARGEST {
                let error_code = "TraceSizeLimitExceeded";
                let message = format!("Invalid segment. ErrorCode: {error_code}");
                let id = Some(segment.id().to_owned());
                unprocessed.push(Unprocessed { id, error_code, message });
                continue;
            }
            let start = (segment.start() * 1000.0) as u64;
            trace.start = if trace.revision == 0 { start } else { trace.start.min(start) };
            trace.revision += 1;
            trace.bytes += document.len() as u64;
            // A segment that was open is replaced when it has ended.
            tx.put(&SEGMENTS, &key.clone().str(segment.id()), &Stored { document });
        }
        if trace.revision == 0 {
            continue;
        }
        if let Some(before) = before.filter(|b| b.start != trace.start) {
            tx.delete(&BY_START, &parent(cx).u64(before.start).str(&id));
        }
        tx.put(&BY_START, &parent(cx).u64(trace.start).str(&id), &());
        tx.put(&TRACES, &key, &trace);
    }
    tx.commit().await?;
    let mut tx = xray.store.lock(&[]).await;
    if forget(&mut tx, cx).await? {
        tx.commit().await?;
    }
    Ok(PutTraceSegmentsOutput { unprocessed_trace_segments: unprocessed })
}

/// Removes a few of the traces that are too old to be told.
async fn forget(tx: &mut Tx, cx: &Cx) -> Result<bool> {
    let oldest = now_ms(cx).saturating_sub(KEPT_MS);
    let old = Range::prefix(&parent(cx)).to(&parent(cx).u64(oldest));
    let found = tx.scan(&BY_START, old, STEP).await?;
    for (k, ()) in &found {
        let id = Parts::of(k.as_bytes()).nth(3);
        if let Some(fogbank_store::Part::Str(id)) = id {
            let key = parent(cx).str(&id);
            for (s, _) in tx.scan(&SEGMENTS, Range::prefix(&key), 1000).await? {
                tx.delete(&SEGMENTS, &s);
            }
            tx.delete(&TRACES, &key);
        }
        tx.delete(&BY_START, k);
    }
    Ok(!found.is_empty())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutTelemetryRecordsInput {
    telemetry_records: Vec<Value>,
}

/// What a daemon tells of itself. AWS takes it and tells it to nobody; so does this.
/// <https://docs.aws.amazon.com/xray/latest/api/API_PutTelemetryRecords.html>
async fn put_telemetry_records(_: &XRay, _: &Cx, input: PutTelemetryRecordsInput) -> Result<()> {
    if input.telemetry_records.is_empty() {
        return Err(invalid("TelemetryRecords must not be empty."));
    }
    Ok(())
}
