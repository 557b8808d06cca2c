//! GetExecutionHistory.

use fogbank_asl::Event;
use fogbank_core::{Cx, Op, Result, Value, ops};
use fogbank_store::Range;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::json::to_value;
use crate::page::PageInput;
use crate::record::EVENTS;
use crate::{Sfn, authz};

pub const OPS: &[Op<Sfn>] = ops![
    GetExecutionHistory => get_execution_history [authz::execution],
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HistoryInput {
    execution_arn: String,
    reverse_order: Option<bool>,
    include_execution_data: Option<bool>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HistoryOutput {
    events: Vec<Value>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html>
async fn get_execution_history(sfn: &Sfn, _: &Cx, input: HistoryInput) -> Result<HistoryOutput> {
    let e = sfn.execution(&input.execution_arn).await?;
    let mut range = Range::prefix(&e.id.key());
    if input.reverse_order == Some(true) {
        range = range.reverse();
    }
    let (found, next_token) = input.page.read(&sfn.store, &EVENTS, range, 100).await?;
    let data = input.include_execution_data != Some(false);
    let events = found.into_iter().map(|(_, s)| view(s.0, data)).collect();
    Ok(HistoryOutput { events, next_token })
}

/// An event as the API shows it; without its inputs and outputs unless `data`.
pub fn view(e: Event, data: bool) -> Value {
    let mut out = vec![
        ("timestamp".into(), Value::Time(Timestamp::from_microsecond(e.at).unwrap_or_default())),
        ("type".into(), Value::from(e.kind.as_str())),
        ("id".into(), Value::Int(e.id.cast_signed())),
        ("previousEventId".into(), Value::Int(e.previous.cast_signed())),
    ];
    if let (Some(member), Some(details)) = (Event::member(&e.kind), e.details) {
        let mut details = Json::clone(&details);
        if !data {
            redact(&mut details);
        }
        out.push((member.into(), to_value(details)));
    }
    Value::Map(out)
}

/// Takes inputs and outputs out.
pub fn redact(details: &mut Json) {
    if let Json::Object(o) = details {
        for name in [
            "input",
            "output",
            "parameters",
            "inputDetails",
            "outputDetails",
            "assignedVariables",
            "assignedVariablesDetails",
        ] {
            o.remove(name);
        }
    }
}
