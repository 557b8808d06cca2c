//! GetMetricData.

use fogbank_core::{Cx, Op, Result, Time, ops};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::CloudWatch;
use crate::error::{bad_token, validation};
use crate::expression::{self, Query, Scope};
use crate::series::rounded;
use crate::statistics::ceiling;

pub const OPS: &[Op<CloudWatch>] = ops![GetMetricData => get_metric_data];

const MOST_QUERIES: usize = 500;
const MOST_POINTS: usize = 100_800;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetMetricDataInput {
    metric_data_queries: Vec<Query>,
    start_time: Time,
    end_time: Time,
    scan_by: Option<String>,
    max_datapoints: Option<i64>,
    next_token: Option<String>,
    label_options: Option<fogbank_core::Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DataResult {
    id: String,
    label: String,
    timestamps: Vec<Time>,
    values: Vec<f64>,
    status_code: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetMetricDataOutput {
    metric_data_results: Vec<DataResult>,
    messages: [(); 0],
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
async fn get_metric_data(
    cw: &CloudWatch,
    cx: &Cx,
    input: GetMetricDataInput,
) -> Result<GetMetricDataOutput> {
    if input.label_options.is_some() {
        cx.ignore_member("LabelOptions");
    }
    let queries = &input.metric_data_queries;
    if queries.is_empty() || queries.len() > MOST_QUERIES {
        return Err(validation(format!(
            "The collection MetricDataQueries must have a size between 1 and {MOST_QUERIES}."
        )));
    }
    if input.start_time.0 >= input.end_time.0 {
        return Err(validation("The parameter StartTime must be less than the parameter EndTime."));
    }
    if queries.iter().filter_map(|q| q.label.as_ref()).any(|l| l.contains("${")) {
        cx.ignore_member("MetricDataQueries.Label: ${…}");
    }
    let refuse = |what: &str| cx.refuse_member(what);
    expression::check(queries, &refuse)?;
    let now = cx.now.as_second();
    let scope = Scope {
        store: &cw.store,
        account: &cx.account,
        region: &cx.region,
        from: rounded(input.start_time.0.as_second(), now),
        to: ceiling(input.end_time.0),
        now,
    };
    let answers = expression::answer(&scope, queries, &refuse).await?;
    let ascending = input.scan_by.as_deref() == Some("TimestampAscending");
    let most = input.max_datapoints.and_then(|n| usize::try_from(n).ok()).unwrap_or(MOST_POINTS);
    let mut page = Page {
        skip: input.next_token.as_deref().map(token).transpose()?.unwrap_or(0),
        room: most.clamp(1, MOST_POINTS),
        given: 0,
        more: false,
    };
    let begun = page.skip;
    let mut results = Vec::new();
    for answer in answers {
        for series in answer.series {
            let mut all: Vec<(i64, f64)> = series.points.into_iter().collect();
            if !ascending {
                all.reverse();
            }
            // A first page names all queries; later ones those with data.
            let empty = all.is_empty();
            let (points, cut) = page.take(all);
            if points.is_empty() && (page.more || begun > 0) && !(empty && begun == 0) {
                continue;
            }
            let time = |(t, _): &(i64, f64)| Timestamp::from_second(*t).ok().map(Time);
            results.push(DataResult {
                id: answer.id.clone(),
                label: series.label,
                timestamps: points.iter().filter_map(time).collect(),
                values: points.iter().map(|(_, v)| *v).collect(),
                status_code: if cut { "PartialData" } else { "Complete" },
            });
        }
    }
    let next_token = page.more.then(|| format!("d{}", begun + page.given));
    Ok(GetMetricDataOutput { metric_data_results: results, messages: [], next_token })
}

/// A page of all points one after the other.
struct Page {
    skip: usize,
    room: usize,
    given: usize,
    more: bool,
}

impl Page {
    /// The part of these points on the page, and whether some come after it.
    fn take(&mut self, points: Vec<(i64, f64)>) -> (Vec<(i64, f64)>, bool) {
        let n = points.len();
        let skipped = self.skip.min(n);
        self.skip -= skipped;
        let taken: Vec<_> = points.into_iter().skip(skipped).take(self.room).collect();
        self.room -= taken.len();
        self.given += taken.len();
        let cut = skipped + taken.len() < n;
        self.more |= cut;
        (taken, cut)
    }
}

fn token(text: &str) -> Result<usize> {
    text.strip_prefix('d').and_then(|n| n.parse().ok()).ok_or_else(bad_token)
}

#[cfg(test)]
mod tests;
