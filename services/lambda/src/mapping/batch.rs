//! A batch of records: filtered, handed to the function, and what the function says of it.

use std::collections::HashSet;
use std::sync::Arc;

use fogbank_core::Cloud;
use fogbank_eventpattern::{Dialect, Pattern};
use serde_json::{Value as Json, json};

use super::Mapping;
use crate::Lambda;
use crate::invoke::{Request, Unable, check_tenant};
use crate::role;

/// The most that an event of a batch may have.
pub const BYTES: usize = 6 << 20;

/// What became of a batch.
#[derive(Debug)]
pub enum Verdict {
    /// All of it is done.
    Done,
    /// These items are to be tried again.
    Partly(HashSet<String>),
    /// The function failed on it: the type of the error.
    Failed { request_id: String, version: String },
    /// It was not run: for lack of a place, or something broken on the way.
    NotRun(String),
}

/// The patterns of a mapping; a record passes when there are none or one matches.
#[derive(Default)]
pub struct Filters(Vec<Pattern>);

impl Filters {
    pub fn new(mapping: &Mapping) -> Self {
        Filters(
            mapping
                .filters
                .iter()
                .filter_map(|p| Pattern::parse(p, Dialect::EventBridge).ok())
                .collect(),
        )
    }

    /// Whether a record passes. The member `body` (a queue's) is text that may be JSON.
    pub fn pass(&self, record: &Json, body: Option<&str>) -> bool {
        if self.0.is_empty() {
            return true;
        }
        self.0.iter().any(|pattern| {
            let Some((member, below)) = body.and_then(|b| Some((b, pattern.looks_below(b)?)))
            else {
                return pattern.matches(record);
            };
            // A pattern for JSON sees JSON; one for text sees text that is none.
            let parsed = record[member].as_str().and_then(|t| serde_json::from_str::<Json>(t).ok());
            match (below, parsed) {
                (true, Some(value)) => {
                    let mut seen = record.clone();
                    seen[member] = value;
                    pattern.matches(&seen)
                }
                (false, None) => pattern.matches(record),
                _ => false,
            }
        })
    }
}

/// Hands records to the mapping's function.
pub async fn hand_over(
    lambda: &Lambda,
    cloud: &Arc<dyn Cloud>,
    mapping: &Mapping,
    records: &[Json],
    ids: &[String],
    trace: Option<String>,
) -> Verdict {
    let target = mapping.target();
    let cx = role::acting(cloud, &target);
    let resolved = match lambda.resolve(&cx, target).await {
        Ok(r) => r,
        Err(e) => return Verdict::NotRun(e.message().to_owned()),
    };
    if let Err(e) = check_tenant(&resolved.function, None) {
        return Verdict::NotRun(e.message().to_owned());
    }
    let version = resolved.version.clone();
    let request_id = cx.request_id.clone();
    let request = Request {
        id: request_id.clone(),
        payload: json!({ "Records": records }).to_string().into(),
        client_context: None,
        trace,
        tenant: None,
        streaming: None,
    };
    let run = match lambda.run(&cx, resolved, request).await {
        Ok(run) => run,
        Err(Unable::Throttled(reason)) => return Verdict::NotRun(reason.into()),
        Err(e) => return Verdict::NotRun(format!("{e:?}")),
    };
    match run.outcome.result {
        Ok(answer) if mapping.reports_failures => match failures(&answer, ids) {
            Some(none) if none.is_empty() => Verdict::Done,
            Some(some) => Verdict::Partly(some),
            None => Verdict::Failed { request_id, version },
        },
        Ok(_) => Verdict::Done,
        Err(_) => Verdict::Failed { request_id, version },
    }
}

/// The items that an answer reports as failed; `None` when the whole batch counts as failed.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
fn failures(answer: &[u8], ids: &[String]) -> Option<HashSet<String>> {
    let answer: Json = serde_json::from_slice(answer).ok()?;
    let list = match answer {
        Json::Null => return Some(HashSet::new()),
        Json::Object(mut members) => members.remove("batchItemFailures"),
        _ => return None,
    };
    let items = match list {
        None | Some(Json::Null) => return Some(HashSet::new()),
        Some(Json::Array(items)) => items,
        Some(_) => return None,
    };
    let mut failed = HashSet::with_capacity(items.len());
    for item in items {
        let id = item.get("itemIdentifier")?.as_str()?;
        if !ids.iter().any(|known| known == id) {
            return None;
        }
        failed.insert(id.to_owned());
    }
    Some(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_as_lambda_reads_them() {
        let ids = ["a".to_owned(), "b".to_owned()];
        let read = |text: &str| {
            failures(text.as_bytes(), &ids).map(|s| {
                let mut all: Vec<_> = s.into_iter().collect();
                all.sort();
                all.join(",")
            })
        };
        let some = |s: &str| Some(s.to_owned());
        for (text, expected) in [
            ("null", some("")),
            ("{}", some("")),
            (r#"{"batchItemFailures":null}"#, some("")),
            (r#"{"batchItemFailures":[]}"#, some("")),
            (r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#, some("b")),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, None),
            (r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#, None),
            (r#"{"batchItemFailures":[{"x":"a"}]}"#, None),
            (r#""text""#, None),
            ("nonsense", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn bodies_are_text_or_json_as_the_pattern_wants() {
        let filters = |p: &str| Filters(vec![Pattern::parse(p, Dialect::EventBridge).unwrap()]);
        let record = |body: &str| json!({ "body": body, "messageId": "m" });
        let below = filters(r#"{"body":{"city":["Bonn"]}}"#);
        assert!(below.pass(&record(r#"{"city":"Bonn"}"#), Some("body")));
        assert!(!below.pass(&record(r#"{"city":"Kiel"}"#), Some("body")));
        assert!(!below.pass(&record("Bonn"), Some("body")));
        let text = filters(r#"{"body":[{"prefix":"Bo"}]}"#);
        assert!(text.pass(&record("Bonn"), Some("body")));
        assert!(!text.pass(&record(r#"{"city":"Bonn"}"#), Some("body")));
        assert!(filters(r#"{"messageId":["m"]}"#).pass(&record("x"), Some("body")));
        assert!(Filters::default().pass(&record("x"), Some("body")));
    }
}
