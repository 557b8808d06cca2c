//! Service graphs: who called whom, how often and how it went.

use std::collections::{BTreeMap, HashMap};

use fogbank_core::{Cx, Op, Result, Time, ops};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::segment::Segment;
use crate::summary::range;
use crate::trace::{Whole, ids};
use crate::{XRay, filter::Filter};

pub const OPS: &[Op<XRay>] =
    ops![GetServiceGraph => get_service_graph, GetTraceGraph => get_trace_graph];

/// How many traces a graph is drawn from.
const MOST: usize = 1000;
const LONGEST_S: i64 = 6 * 3600;

#[derive(Clone, Copy, Debug, Default)]
struct Statistics {
    ok: i64,
    error: i64,
    throttle: i64,
    fault: i64,
    time: f64,
}

impl Statistics {
    fn add(&mut self, s: &Segment) {
        if s.flag("fault") {
            self.fault += 1;
        } else if s.flag("throttle") {
            self.throttle += 1;
        } else if s.flag("error") {
            self.error += 1;
        } else {
            self.ok += 1;
        }
        self.time += s.end() - s.start();
    }
}

/// A service: its name and kind.
type Name = (String, Option<String>);

#[derive(Default)]
struct Node {
    statistics: Statistics,
    root: bool,
    start: f64,
    end: f64,
    edges: BTreeMap<Name, (Statistics, f64, f64)>,
}

#[derive(Default)]
struct Graph(BTreeMap<Name, Node>);

impl Graph {
    fn see(&mut self, name: &Name, s: &Segment, counts: bool) -> &mut Node {
        let node = self
            .0
            .entry(name.clone())
            .or_insert_with(|| Node { start: f64::INFINITY, ..Node::default() });
        node.start = node.start.min(s.start());
        node.end = node.end.max(s.end());
        if counts {
            node.statistics.add(s);
        }
        node
    }

    fn edge(&mut self, from: &Name, to: &Name, s: &Segment) {
        let edges = &mut self.see(from, s, false).edges;
        let (statistics, start, end) =
            edges.entry(to.clone()).or_insert((Statistics::default(), f64::INFINITY, 0.0));
        statistics.add(s);
        *start = start.min(s.start());
        *end = end.max(s.end());
    }

    fn add(&mut self, w: &Whole) {
        let name = |s: &Segment| (s.name().to_owned(), s.origin().map(str::to_owned));
        // Which service a segment or subsegment belongs to, and which were answered by a segment.
        let mut owner: HashMap<String, Name> = HashMap::new();
        let mut answered: Vec<String> = Vec::new();
        let whole = || w.segments.iter().map(|(s, _)| s).filter(|s| !s.is_subsegment());
        for s in whole() {
            owner.insert(s.id().to_owned(), name(s));
            for x in s.subsegments() {
                owner.insert(x.id().to_owned(), name(s));
            }
            answered.extend(s.text("parent_id").map(str::to_owned));
        }
        for s in whole() {
            let own = name(s);
            self.see(&own, s, true);
            match s.text("parent_id").and_then(|p| owner.get(p)) {
                Some(caller) => self.edge(&caller.clone(), &own, s),
                None => {
                    let client = (own.0.clone(), Some("client".to_owned()));
                    self.see(&client, s, false);
                    self.edge(&client, &own, s);
                    self.see(&own, s, false).root = true;
                }
            }
            for x in s.subsegments() {
                let kind = match x.text("namespace") {
                    Some("aws") => Some(format!("AWS::{}", x.name())),
                    Some("remote") => Some("remote".to_owned()),
                    _ => continue,
                };
                if !answered.iter().any(|a| a == x.id()) {
                    let called = (x.name().to_owned(), kind);
                    self.see(&called, &x, true);
                    self.edge(&own, &called, &x);
                }
            }
        }
    }

    fn view(self, account: &str) -> Vec<ServiceView> {
        let names: Vec<Name> = self.0.keys().cloned().collect();
        let reference = |n: &Name| names.iter().position(|m| m == n).unwrap_or(0);
        let service = |((name, kind), node): (&Name, &Node)| ServiceView {
            reference_id: reference(&(name.clone(), kind.clone())),
            name: name.clone(),
            names: vec![name.clone()],
            account_id: account.to_owned(),
            root: node.root,
            state: "active",
            start_time: time(node.start),
            end_time: time(node.end),
            edges: node
                .edges
                .iter()
                .map(|(to, (s, start, end))| EdgeView {
                    reference_id: reference(to),
                    start_time: time(*start),
                    end_time: time(*end),
                    summary_statistics: s.into(),
                })
                .collect(),
            summary_statistics: (&node.statistics).into(),
            kind: kind.clone(),
        };
        self.0.iter().map(service).collect()
    }
}

fn time(seconds: f64) -> Time {
    Time(Timestamp::from_microsecond((seconds * 1e6) as i64).unwrap_or_default())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorView {
    throttle_count: i64,
    other_count: i64,
    total_count: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FaultView {
    other_count: i64,
    total_count: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticsView {
    ok_count: i64,
    error_statistics: ErrorView,
    fault_statistics: FaultView,
    total_count: i64,
    total_response_time: f64,
}

impl From<&Statistics> for StatisticsView {
    fn from(s: &Statistics) -> Self {
        StatisticsView {
            ok_count: s.ok,
            error_statistics: ErrorView {
                throttle_count: s.throttle,
                other_count: s.error,
                total_count: s.error + s.throttle,
            },
            fault_statistics: FaultView { other_count: s.fault, total_count: s.fault },
            total_count: s.ok + s.error + s.throttle + s.fault,
            total_response_time: s.time,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EdgeView {
    reference_id: usize,
    start_time: Time,
    end_time: Time,
    summary_statistics: StatisticsView,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceView {
    reference_id: usize,
    name: String,
    names: Vec<String>,
    account_id: String,
    root: bool,
    #[serde(rename = "Type")]
    kind: Option<String>,
    state: &'static str,
    start_time: Time,
    end_time: Time,
    edges: Vec<EdgeView>,
    summary_statistics: StatisticsView,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetServiceGraphInput {
    start_time: Time,
    end_time: Time,
    group_name: Option<String>,
    #[serde(rename = "GroupARN")]
    group_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetServiceGraphOutput {
    start_time: Time,
    end_time: Time,
    services: Vec<ServiceView>,
    contains_old_group_versions: bool,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_GetServiceGraph.html>
async fn get_service_graph(
    xray: &XRay,
    cx: &Cx,
    input: GetServiceGraphInput,
) -> Result<GetServiceGraphOutput> {
    let (from, to) = range(cx, input.start_time, input.end_time, LONGEST_S)?;
    let filter = match (&input.group_name, &input.group_arn) {
        (None, None) => Filter::parse("")?,
        (name, arn) => {
            let group = xray.group(cx, name.as_deref(), arn.as_deref()).await?;
            Filter::parse(&group.filter.unwrap_or_default())?
        }
    };
    let (found, _) = xray.started(cx, from, to, None, MOST).await?;
    let mut graph = Graph::default();
    for id in found {
        if let Some(w) = xray.whole(cx, &id).await?.filter(|w| filter.holds(w)) {
            graph.add(&w);
        }
    }
    Ok(GetServiceGraphOutput {
        start_time: input.start_time,
        end_time: input.end_time,
        services: graph.view(&cx.account),
        contains_old_group_versions: false,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetTraceGraphInput {
    trace_ids: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetTraceGraphOutput {
    services: Vec<ServiceView>,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_GetTraceGraph.html>
async fn get_trace_graph(
    xray: &XRay,
    cx: &Cx,
    input: GetTraceGraphInput,
) -> Result<GetTraceGraphOutput> {
    let mut graph = Graph::default();
    for id in ids(&input.trace_ids)? {
        if let Some(w) = xray.whole(cx, &id).await? {
            graph.add(&w);
        }
    }
    Ok(GetTraceGraphOutput { services: graph.view(&cx.account) })
}
