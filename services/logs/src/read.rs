//! Reading events: GetLogEvents of a stream, FilterLogEvents of a group.

use fogbank_core::{Cx, Op, Result, ops, page as marker};
use fogbank_logfilter::Filter;
use serde::{Deserialize, Serialize};

use crate::error::{invalid, no_stream};
use crate::event::Pos;
use crate::gather::{Found, Want, gather};
use crate::group::millis;
use crate::stream::{self, STREAMS};
use crate::{Logs, authz, page};

pub const OPS: &[Op<Logs>] = ops![
    GetLogEvents => get_log_events [authz::stream],
    FilterLogEvents => filter_log_events [authz::group],
];

const MOST: usize = 10_000;
/// How many events one request looks at: what it has not seen then is for the next.
const BUDGET: usize = 200_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetLogEventsInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    limit: Option<i64>,
    next_token: Option<String>,
    #[serde(default)]
    start_from_head: bool,
    #[serde(default)]
    unmask: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputEvent {
    timestamp: i64,
    message: String,
    ingestion_time: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GetLogEventsOutput {
    events: Vec<OutputEvent>,
    next_forward_token: String,
    next_backward_token: String,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>
async fn get_log_events(
    logs: &Logs,
    cx: &Cx,
    input: GetLogEventsInput,
) -> Result<GetLogEventsOutput> {
    if input.unmask {
        cx.ignore_member("unmask");
    }
    let (name, identifier) = (input.log_group_name.as_deref(), &input.log_group_identifier);
    let group = logs.group_of(cx, name, identifier.as_deref()).await?;
    let key = stream::key(group.id, &input.log_stream_name);
    let stream = logs.store.get(&STREAMS, &key).await?.ok_or_else(no_stream)?;
    let token = input.next_token.as_deref().map(Token::parse).transpose()?;
    let from = input.start_time.unwrap_or(0).max(group.oldest(millis(cx.now)));
    let to = until(input.start_time, input.end_time, false)?;
    let want = Want {
        group: group.id,
        stream: Some(stream.id),
        streams: &|_| true,
        fits: &|_| true,
        from,
        to,
        after: token.as_ref().filter(|t| t.forward).map(|t| t.at),
        before: token.as_ref().filter(|t| !t.forward).map(|t| t.at),
        newest: token.as_ref().map_or(!input.start_from_head, |t| !t.forward),
        limit: page::limit(input.limit, MOST),
        budget: usize::MAX,
    };
    let found = gather(&logs.store, &want).await?;
    // At an end the tokens stay where they are, so that a client sees that there is no more.
    let here = token.map_or(Pos { ts: from, stream: 0, seq: 0 }, |t| t.at);
    let first = found.events.first().map_or(here, |e| e.pos);
    let last = found.events.last().map_or(here, |e| e.pos);
    let event = |e: crate::event::Event| OutputEvent {
        timestamp: e.pos.ts,
        message: e.message,
        ingestion_time: e.ingested,
    };
    Ok(GetLogEventsOutput {
        events: found.events.into_iter().map(event).collect(),
        next_forward_token: format!("f/{}/s", last.id()),
        next_backward_token: format!("b/{}/s", first.id()),
    })
}

/// A place and a direction.
struct Token {
    forward: bool,
    at: Pos,
}

impl Token {
    fn parse(text: &str) -> Result<Token> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [way @ ("f" | "b"), id] | [way @ ("f" | "b"), id, "s"] => Pos::parse(id)
                .map(|at| Token { forward: way == "f", at })
                .ok_or_else(page::bad_token),
            _ => Err(page::bad_token()),
        }
    }
}

/// The end of the time asked for: exclusive for GetLogEvents, inclusive for FilterLogEvents.
fn until(start: Option<i64>, end: Option<i64>, inclusive: bool) -> Result<i64> {
    let Some(end) = end else { return Ok(i64::MAX) };
    if start.is_some_and(|s| s > end) {
        return Err(invalid("End time cannot be less than Start time."));
    }
    Ok(if inclusive { end.saturating_add(1) } else { end })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterLogEventsInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
    start_from_head: Option<bool>,
    #[serde(default)]
    unmask: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilteredEvent {
    log_stream_name: String,
    timestamp: i64,
    message: String,
    ingestion_time: i64,
    event_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilterLogEventsOutput {
    events: Vec<FilteredEvent>,
    /// Always empty since 2019.
    searched_log_streams: [(); 0],
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>
async fn filter_log_events(
    logs: &Logs,
    cx: &Cx,
    input: FilterLogEventsInput,
) -> Result<FilterLogEventsOutput> {
    if input.unmask {
        cx.ignore_member("unmask");
    }
    let (name, identifier) = (input.log_group_name.as_deref(), &input.log_group_identifier);
    let group = logs.group_of(cx, name, identifier.as_deref()).await?;
    let pattern = input.filter_pattern.unwrap_or_default();
    let filter = Filter::parse(&pattern).map_err(|e| bad_pattern(&e))?;
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        return Err(invalid(
            "logStreamNamePrefix and logStreamNames are mutually exclusive parameters.",
        ));
    }
    let mut only = None;
    let named = input.log_stream_names.unwrap_or_default();
    for name in &named {
        let found = logs.store.get(&STREAMS, &stream::key(group.id, name)).await?;
        let found = found.ok_or_else(no_stream)?;
        if named.len() == 1 {
            only = Some(found);
        }
    }
    let prefix = input.log_stream_name_prefix.unwrap_or_default();
    let newest = input.start_from_head == Some(false);
    let at = page::decode(input.next_token.as_deref())?
        .map(|id| Pos::parse(&id).ok_or_else(page::bad_token))
        .transpose()?;
    let want = Want {
        group: group.id,
        stream: only.as_ref().map(|s| s.id),
        streams: &|name| {
            if named.is_empty() {
                name.starts_with(&prefix)
            } else {
                named.iter().any(|n| n == name)
            }
        },
        fits: &|message| filter.matches(message),
        from: input.start_time.unwrap_or(0).max(group.oldest(millis(cx.now))),
        to: until(input.start_time, input.end_time, true)?,
        after: at.filter(|_| !newest),
        before: at.filter(|_| newest),
        newest,
        limit: page::limit(input.limit, MOST),
        budget: BUDGET,
    };
    let Found { mut events, next, names, .. } = gather(&logs.store, &want).await?;
    if newest {
        events.reverse();
    }
    let event = |e: crate::event::Event| FilteredEvent {
        log_stream_name: match &only {
            Some(s) => s.name.clone(),
            None => names.get(&e.pos.stream).cloned().flatten().unwrap_or_default().to_string(),
        },
        timestamp: e.pos.ts,
        message: e.message,
        ingestion_time: e.ingested,
        event_id: e.pos.id(),
    };
    Ok(FilterLogEventsOutput {
        events: events.into_iter().map(event).collect(),
        searched_log_streams: [],
        next_token: next.map(|p| marker::encode(&p.id())),
    })
}

/// A filter pattern that cannot be read.
pub fn bad_pattern(e: &fogbank_logfilter::Error) -> fogbank_core::ApiError {
    invalid(format!("Invalid filter pattern: {e}"))
}

#[cfg(test)]
mod tests;
