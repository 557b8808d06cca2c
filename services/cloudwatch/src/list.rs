//! ListMetrics.

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Key, Range};
use serde::{Deserialize, Serialize};

use crate::CloudWatch;
use crate::error::bad_token;
use crate::metric::{METRICS, Metric, Named};

pub const OPS: &[Op<CloudWatch>] = ops![ListMetrics => list_metrics];

const PAGE: usize = 500;
/// Those without data for two weeks are not listed.
const LISTED: i64 = 14 * 86_400;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListMetricsInput {
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<DimensionFilter>,
    recently_active: Option<String>,
    next_token: Option<String>,
    #[serde(default)]
    include_linked_accounts: bool,
    owning_account: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DimensionFilter {
    name: String,
    value: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListMetricsOutput {
    metrics: Vec<Named>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html>
async fn list_metrics(
    cw: &CloudWatch,
    cx: &Cx,
    input: ListMetricsInput,
) -> Result<ListMetricsOutput> {
    if input.include_linked_accounts || input.owning_account.is_some() {
        return Err(cx.refuse_member("IncludeLinkedAccounts"));
    }
    let now = cx.now.as_second();
    // What is known of the last data is up to ten minutes old.
    let oldest = now - input.recently_active.as_ref().map_or(LISTED, |_| 3 * 3600 + 600);
    let mut parent = Key::new().str(&cx.account).str(&cx.region);
    if let Some(namespace) = &input.namespace {
        parent = parent.str(namespace);
        if let Some(name) = &input.metric_name {
            parent = parent.str(name);
        }
    }
    let fits = |m: &Metric| {
        m.last >= oldest
            && input.metric_name.as_ref().is_none_or(|n| *n == m.name)
            && input.dimensions.iter().all(|f| {
                let value = |v: &str| f.value.as_ref().is_none_or(|w| w == v);
                m.dimensions.iter().any(|d| d.name == f.name && value(&d.value))
            })
    };
    let mut after = match &input.next_token {
        Some(t) => Some(token(t)?),
        None => None,
    };
    let mut metrics = Vec::new();
    loop {
        let mut range = Range::prefix(&parent);
        if let Some(after) = &after {
            range = range.after(after);
        }
        let found = cw.store.scan(&METRICS, range, PAGE).await?;
        let end = found.len() < PAGE;
        for (key, metric) in found {
            if fits(&metric) {
                if metrics.len() == PAGE {
                    let next_token = after.as_ref().map(encode);
                    return Ok(ListMetricsOutput { metrics, next_token });
                }
                metrics.push(metric.named());
            }
            after = Some(key);
        }
        if end {
            return Ok(ListMetricsOutput { metrics, next_token: None });
        }
    }
}

fn encode(key: &Key) -> String {
    key.as_bytes().iter().fold(String::new(), |mut s, b| {
        use std::fmt::Write;
        let _ = write!(s, "{b:02x}");
        s
    })
}

fn token(text: &str) -> Result<Key> {
    if !text.is_ascii() || text.len() % 2 == 1 || text.len() > 20_000 {
        return Err(bad_token());
    }
    let byte = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).map_err(|_| bad_token());
    let bytes: Result<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    Ok(Key::from_bytes(&bytes?))
}
