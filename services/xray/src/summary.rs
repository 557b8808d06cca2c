//! GetTraceSummaries.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, Time, ops, page};
use fogbank_store::{Part, Parts, Range};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::filter::Filter;
use crate::put::{BY_START, KEPT_MS, now_ms, parent};
use crate::segment::Segment;
use crate::trace::Whole;
use crate::{XRay, invalid};

pub const OPS: &[Op<XRay>] = ops![GetTraceSummaries => get_trace_summaries];

/// How many traces one answer looks at.
const PAGE: usize = 200;
const LONGEST_S: i64 = 24 * 3600;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetTraceSummariesInput {
    start_time: Time,
    end_time: Time,
    filter_expression: Option<String>,
    sampling: Option<bool>,
    next_token: Option<String>,
}

/// A service as summaries name it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ServiceId {
    pub name: String,
    pub names: Vec<String>,
    pub account_id: Option<String>,
    #[serde(rename = "Type")]
    pub kind: Option<String>,
}

impl ServiceId {
    pub fn of(s: &Segment, account: &str) -> Self {
        let (name, kind) = (s.name().to_owned(), s.origin().map(str::to_owned));
        ServiceId { names: vec![name.clone()], name, account_id: Some(account.to_owned()), kind }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Http {
    #[serde(rename = "HttpURL")]
    http_url: Option<String>,
    http_status: Option<i64>,
    http_method: Option<String>,
    user_agent: Option<String>,
    client_ip: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AnnotationValue {
    number_value: Option<f64>,
    boolean_value: Option<bool>,
    string_value: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Annotation {
    annotation_value: AnnotationValue,
    service_ids: Vec<ServiceId>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    user_name: String,
    service_ids: Vec<ServiceId>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    id: String,
    start_time: Time,
    duration: f64,
    response_time: f64,
    has_fault: bool,
    has_error: bool,
    has_throttle: bool,
    is_partial: bool,
    http: Http,
    annotations: BTreeMap<String, Vec<Annotation>>,
    users: Vec<User>,
    service_ids: Vec<ServiceId>,
    entry_point: Option<ServiceId>,
    revision: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetTraceSummariesOutput {
    trace_summaries: Vec<Summary>,
    approximate_time: Time,
    traces_processed_count: usize,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_GetTraceSummaries.html>
async fn get_trace_summaries(
    xray: &XRay,
    cx: &Cx,
    input: GetTraceSummariesInput,
) -> Result<GetTraceSummariesOutput> {
    if input.sampling == Some(true) {
        cx.ignore_member("Sampling");
    }
    let (from, to) = range(cx, input.start_time, input.end_time, LONGEST_S)?;
    let filter = Filter::parse(input.filter_expression.as_deref().unwrap_or_default())?;
    let after = match &input.next_token {
        None => None,
        Some(t) => {
            let text = page::decode(t).map_err(|_| invalid("Invalid NextToken"))?;
            let (start, id) = text.split_once(' ').ok_or_else(|| invalid("Invalid NextToken"))?;
            Some((start.parse().map_err(|_| invalid("Invalid NextToken"))?, id.to_owned()))
        }
    };
    let (found, next) = xray.started(cx, from, to, after, PAGE).await?;
    let mut trace_summaries = Vec::new();
    let traces_processed_count = found.len();
    for id in found {
        let Some(whole) = xray.whole(cx, &id).await? else { continue };
        if filter.holds(&whole) {
            trace_summaries.push(summary(&whole, &cx.account));
        }
    }
    Ok(GetTraceSummariesOutput {
        trace_summaries,
        approximate_time: Time(cx.now),
        traces_processed_count,
        next_token: next.map(|(start, id)| page::encode(&format!("{start} {id}"))),
    })
}

/// A time asked about, in milliseconds, at most so many seconds long.
pub fn range(cx: &Cx, from: Time, to: Time, longest: i64) -> Result<(u64, u64)> {
    if from.0 >= to.0 {
        return Err(invalid("StartTime must be before EndTime"));
    }
    if to.0.as_second() - from.0.as_second() > longest {
        return Err(invalid(format!("Time range cannot be longer than {} hours", longest / 3600)));
    }
    let ms = |t: Time| u64::try_from(t.0.as_millisecond()).unwrap_or(0);
    Ok((ms(from).max(now_ms(cx).saturating_sub(KEPT_MS)), ms(to)))
}

/// A place in the index by start.
type Place = (u64, String);

impl XRay {
    /// The ids of traces that began within a time, and where the next page begins.
    pub async fn started(
        &self,
        cx: &Cx,
        from: u64,
        to: u64,
        after: Option<Place>,
        most: usize,
    ) -> Result<(Vec<String>, Option<Place>)> {
        let at = |ms: u64| parent(cx).u64(ms);
        let mut range = Range::prefix(&parent(cx)).from(&at(from)).to(&at(to));
        if let Some((start, id)) = after {
            range = range.after(&at(start).str(&id));
        }
        let mut found: Vec<Place> = Vec::new();
        for (k, ()) in self.store.scan(&BY_START, range, most + 1).await? {
            let mut parts = Parts::of(k.as_bytes()).skip(2);
            if let (Some(Part::U64(start)), Some(Part::Str(id))) = (parts.next(), parts.next()) {
                found.push((start, id.into_owned()));
            }
        }
        let more = found.len() > most;
        found.truncate(most);
        let next = more.then(|| found.last().cloned()).flatten();
        Ok((found.into_iter().map(|(_, id)| id).collect(), next))
    }
}

fn summary(w: &Whole, account: &str) -> Summary {
    let root = w.root();
    let mut services: Vec<ServiceId> = Vec::new();
    let mut annotations: BTreeMap<String, Vec<Annotation>> = BTreeMap::new();
    let mut users: Vec<User> = Vec::new();
    for (s, _) in &w.segments {
        let id = ServiceId::of(s, account);
        if !s.is_subsegment() && !services.contains(&id) {
            services.push(id.clone());
        }
        for (key, value) in s.annotations() {
            let annotation_value = AnnotationValue {
                number_value: value.as_f64(),
                boolean_value: value.as_bool(),
                string_value: value.as_str().map(str::to_owned),
            };
            let annotation = Annotation { annotation_value, service_ids: vec![id.clone()] };
            annotations.entry(key).or_default().push(annotation);
        }
        if let Some(user_name) = s.text("user") {
            users.push(User { user_name: user_name.to_owned(), service_ids: vec![id] });
        }
    }
    let text = |path: &str| Some(root?.at(path)?.as_str()?.to_owned());
    let any = |flag: &str| w.segments.iter().any(|(s, _)| s.any(flag));
    let start = Timestamp::from_microsecond((w.start() * 1e6) as i64).unwrap_or_default();
    Summary {
        id: w.id.clone(),
        start_time: Time(start),
        duration: w.end() - w.start(),
        response_time: root.map_or(0.0, |r| r.end() - r.start()),
        has_fault: any("fault"),
        has_error: any("error"),
        has_throttle: any("throttle"),
        is_partial: w.segments.iter().any(|(s, _)| s.is_open()),
        http: Http {
            http_url: text("http.request.url"),
            http_status: root.and_then(|r| r.at("http.response.status")).and_then(Json::as_i64),
            http_method: text("http.request.method"),
            user_agent: text("http.request.user_agent"),
            client_ip: text("http.request.client_ip"),
        },
        annotations,
        users,
        service_ids: services,
        entry_point: root.map(|r| ServiceId::of(r, account)),
        revision: w.trace.revision,
    }
}
