//! Traces with their segments.

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::Range;
use serde::{Deserialize, Serialize};

use crate::put::{KEPT_MS, SEGMENTS, TRACES, Trace, now_ms, parent};
use crate::segment::{Segment, trace_id};
use crate::{XRay, invalid};

pub const OPS: &[Op<XRay>] = ops![BatchGetTraces => batch_get_traces];

/// More segments than this a trace does not have: its size is bounded.
const MOST_SEGMENTS: usize = 10_000;
const MOST_TRACES: usize = 5;

/// A trace with its segments, in order of their start.
pub struct Whole {
    pub id: String,
    pub trace: Trace,
    pub segments: Vec<(Segment, String)>,
}

impl Whole {
    pub fn start(&self) -> f64 {
        self.segments.iter().map(|(s, _)| s.start()).fold(f64::INFINITY, f64::min)
    }

    pub fn end(&self) -> f64 {
        self.segments.iter().map(|(s, _)| s.end()).fold(0.0, f64::max)
    }

    /// The segment that everything began with.
    pub fn root(&self) -> Option<&Segment> {
        let all = || self.segments.iter().map(|(s, _)| s);
        all().find(|s| s.text("parent_id").is_none()).or_else(|| all().next())
    }
}

impl XRay {
    /// The trace of this id, if it is there and not too old.
    pub async fn whole(&self, cx: &Cx, id: &str) -> Result<Option<Whole>> {
        let key = parent(cx).str(id);
        let Some(trace) = self.store.get(&TRACES, &key).await? else { return Ok(None) };
        if trace.start < now_ms(cx).saturating_sub(KEPT_MS) {
            return Ok(None);
        }
        let found = self.store.scan(&SEGMENTS, Range::prefix(&key), MOST_SEGMENTS).await?;
        let read = |s: crate::put::Stored| Some((Segment::stored(&s.document)?, s.document));
        let mut segments: Vec<_> = found.into_iter().filter_map(|(_, s)| read(s)).collect();
        segments.sort_by(|(a, _), (b, _)| a.start().total_cmp(&b.start()));
        Ok(Some(Whole { id: id.to_owned(), trace, segments }))
    }
}

/// The ids of a request, checked.
pub fn ids(given: &[String]) -> Result<Vec<String>> {
    if given.len() > MOST_TRACES {
        return Err(invalid(format!("At most {MOST_TRACES} trace ids can be given.")));
    }
    let id = |t: &String| trace_id(t).ok_or_else(|| invalid(format!("Invalid trace id: {t}")));
    given.iter().map(id).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchGetTracesInput {
    trace_ids: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SegmentView {
    id: String,
    document: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TraceView {
    id: String,
    duration: f64,
    limit_exceeded: bool,
    segments: Vec<SegmentView>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchGetTracesOutput {
    traces: Vec<TraceView>,
    unprocessed_trace_ids: Vec<String>,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_BatchGetTraces.html>
async fn batch_get_traces(
    xray: &XRay,
    cx: &Cx,
    input: BatchGetTracesInput,
) -> Result<BatchGetTracesOutput> {
    let (mut traces, mut unprocessed_trace_ids) = (Vec::new(), Vec::new());
    for id in ids(&input.trace_ids)? {
        let Some(whole) = xray.whole(cx, &id).await? else {
            unprocessed_trace_ids.push(id);
            continue;
        };
        let view = |(s, document): &(Segment, String)| SegmentView {
            id: s.id().to_owned(),
            document: document.clone(),
        };
        traces.push(TraceView {
            id,
            duration: whole.end() - whole.start(),
            limit_exceeded: whole.trace.bytes >= crate::put::LARGEST,
            segments: whole.segments.iter().map(view).collect(),
        });
    }
    Ok(BatchGetTracesOutput { traces, unprocessed_trace_ids })
}
