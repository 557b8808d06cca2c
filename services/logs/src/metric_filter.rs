//! Metric filters: metrics from the events of a group.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_logfilter::Filter;
use fogbank_store::{Key, Lock, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::emit::{Appended, Datum};
use crate::error::{invalid, limit_exceeded, no_group, not_found};
use crate::group::{self, GROUPS, millis};
use crate::read::bad_pattern;
use crate::{Logs, authz, page};

pub const OPS: &[Op<Logs>] = ops![
    PutMetricFilter => put_metric_filter [authz::group],
    DeleteMetricFilter => delete_metric_filter [authz::group],
    DescribeMetricFilters => describe_metric_filters [authz::group],
    TestMetricFilter => test_metric_filter,
];

/// By account, region, group, name.
pub static FILTERS: Table<MetricFilter> = Table::new("logs.metric-filter");
const MOST: usize = 100;
/// A datum of CloudWatch has at most this many values.
const VALUES: usize = 150;

/// A filter's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct MetricFilter {
    #[n(0)]
    name: String,
    #[n(1)]
    group: String,
    #[n(2)]
    pattern: String,
    #[n(3)]
    created: i64,
    #[n(4)]
    transformations: Vec<Transformation>,
}
fogbank_store::record!(MetricFilter, version = 1);

#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transformation {
    #[n(0)]
    metric_name: String,
    #[n(1)]
    metric_namespace: String,
    #[n(2)]
    metric_value: String,
    #[n(3)]
    default_value: Option<f64>,
    #[n(4)]
    dimensions: Option<BTreeMap<String, String>>,
    #[n(5)]
    unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutMetricFilterInput {
    log_group_name: String,
    filter_name: String,
    filter_pattern: String,
    metric_transformations: Vec<Transformation>,
    #[serde(default)]
    apply_on_transformed_logs: bool,
    field_selection_criteria: Option<String>,
    emit_system_field_dimensions: Option<Vec<String>>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html>
async fn put_metric_filter(logs: &Logs, cx: &Cx, input: PutMetricFilterInput) -> Result<()> {
    for (member, given) in [
        ("applyOnTransformedLogs", input.apply_on_transformed_logs),
        ("fieldSelectionCriteria", input.field_selection_criteria.is_some()),
        ("emitSystemFieldDimensions", input.emit_system_field_dimensions.is_some()),
    ] {
        if given {
            return Err(cx.refuse_member(member));
        }
    }
    let filter = Filter::parse(&input.filter_pattern).map_err(|e| bad_pattern(&e))?;
    for t in &input.metric_transformations {
        check(t, &filter)?;
    }
    let group_key = group::key(cx, &input.log_group_name);
    let key = group_key.clone().str(&input.filter_name);
    let mut tx = logs.store.lock(&[Lock::exclusive(&GROUPS, &group_key)]).await;
    let mut group = tx.get(&GROUPS, &group_key).await?.ok_or_else(no_group)?;
    let before = tx.get(&FILTERS, &key).await?;
    if before.is_none() {
        if group.metric_filters as usize >= MOST {
            return Err(limit_exceeded("Resource limit exceeded."));
        }
        group.metric_filters += 1;
        tx.put(&GROUPS, &group_key, &group);
    }
    let filter = MetricFilter {
        name: input.filter_name,
        group: input.log_group_name,
        pattern: input.filter_pattern,
        created: before.map_or_else(|| millis(cx.now), |f| f.created),
        transformations: input.metric_transformations,
    };
    tx.put(&FILTERS, &key, &filter);
    tx.commit().await?;
    Ok(())
}

fn check(t: &Transformation, filter: &Filter) -> Result<()> {
    let dimensions = t.dimensions.iter().flatten();
    if t.default_value.is_some() && dimensions.clone().next().is_some() {
        return Err(invalid(
            "Invalid metric transformation: dimensions and default value are mutually exclusive \
             properties.",
        ));
    }
    if dimensions.clone().count() > 3 {
        return Err(invalid("Invalid metric transformation: at most 3 dimensions are allowed."));
    }
    for (_, value) in dimensions {
        if !value.starts_with('$') || !filter.knows(value) {
            return Err(invalid(format!(
                "Invalid metric transformation: the dimension value {value} is not a field of the \
                 filter pattern."
            )));
        }
    }
    let number = t.metric_value.parse::<f64>().is_ok_and(f64::is_finite);
    if !number && (!t.metric_value.starts_with('$') || !filter.knows(&t.metric_value)) {
        return Err(invalid(format!(
            "Invalid metric transformation: metricValue {} is neither a number nor a field of the \
             filter pattern.",
            t.metric_value
        )));
    }
    if t.metric_namespace.is_empty() || t.metric_name.is_empty() {
        return Err(invalid("Invalid metric transformation: a metric needs a name."));
    }
    if t.metric_namespace.starts_with("AWS/") {
        return Err(invalid("Invalid metric transformation: namespaces of AWS/ are reserved."));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteFilterInput {
    log_group_name: String,
    filter_name: String,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteMetricFilter.html>
async fn delete_metric_filter(logs: &Logs, cx: &Cx, input: DeleteFilterInput) -> Result<()> {
    let group_key = group::key(cx, &input.log_group_name);
    let key = group_key.clone().str(&input.filter_name);
    let mut tx = logs.store.lock(&[Lock::exclusive(&GROUPS, &group_key)]).await;
    let mut group = tx.get(&GROUPS, &group_key).await?.ok_or_else(no_group)?;
    if tx.get(&FILTERS, &key).await?.is_none() {
        return Err(not_found("The specified metric filter does not exist."));
    }
    group.metric_filters = group.metric_filters.saturating_sub(1);
    tx.put(&GROUPS, &group_key, &group);
    tx.delete(&FILTERS, &key);
    tx.commit().await?;
    Ok(())
}

/// Removes the filters of a group with it.
pub async fn drop_all(tx: &mut Tx, group_key: &Key) -> Result<()> {
    for (key, _) in tx.scan(&FILTERS, Range::prefix(group_key), MOST).await? {
        tx.delete(&FILTERS, &key);
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeMetricFiltersInput {
    log_group_name: Option<String>,
    filter_name_prefix: Option<String>,
    metric_name: Option<String>,
    metric_namespace: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetricFilterView {
    filter_name: String,
    filter_pattern: String,
    metric_transformations: Vec<Transformation>,
    creation_time: i64,
    log_group_name: String,
    apply_on_transformed_logs: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeMetricFiltersOutput {
    metric_filters: Vec<MetricFilterView>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeMetricFilters.html>
async fn describe_metric_filters(
    logs: &Logs,
    cx: &Cx,
    input: DescribeMetricFiltersInput,
) -> Result<DescribeMetricFiltersOutput> {
    if input.metric_name.is_some() != input.metric_namespace.is_some() {
        return Err(invalid("Both metricName and metricNamespace must be specified together."));
    }
    let prefix = input.filter_name_prefix.as_deref().unwrap_or_default();
    let mut range = match &input.log_group_name {
        Some(name) => {
            logs.group(cx, name).await?;
            Range::starting(&group::key(cx, name), prefix)
        }
        None => Range::prefix(&Key::new().str(&cx.account).str(&cx.region)),
    };
    if let Some(after) = page::decode(input.next_token.as_deref())? {
        let (group, name) = after.split_once('\n').ok_or_else(page::bad_token)?;
        range = range.after(&group::key(cx, group).str(name));
    }
    let fits = |f: &MetricFilter| {
        let of = |t: &Transformation| {
            input.metric_name.as_ref().is_none_or(|n| *n == t.metric_name)
                && input.metric_namespace.as_ref().is_none_or(|n| *n == t.metric_namespace)
        };
        f.name.starts_with(prefix) && f.transformations.iter().any(of)
    };
    let limit = page::limit(input.limit, 50);
    let mut found = Vec::new();
    loop {
        let got = logs.store.scan(&FILTERS, range.clone(), limit + 1).await?;
        let end = got.len() <= limit;
        if let Some((last, _)) = got.last() {
            range = range.after(last);
        }
        found.extend(got.into_iter().map(|(_, f)| f).filter(&fits));
        if end || found.len() > limit {
            break;
        }
    }
    let next_token = page::cut(&mut found, limit, |f| format!("{}\n{}", f.group, f.name));
    let view = |f: MetricFilter| MetricFilterView {
        filter_name: f.name,
        filter_pattern: f.pattern,
        metric_transformations: f.transformations,
        creation_time: f.created,
        log_group_name: f.group,
        apply_on_transformed_logs: false,
    };
    let metric_filters = found.into_iter().map(view).collect();
    Ok(DescribeMetricFiltersOutput { metric_filters, next_token })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestMetricFilterInput {
    filter_pattern: String,
    log_event_messages: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    event_number: usize,
    event_message: String,
    extracted_values: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct TestMetricFilterOutput {
    matches: Vec<Match>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TestMetricFilter.html>
async fn test_metric_filter(
    _: &Logs,
    _: &Cx,
    input: TestMetricFilterInput,
) -> Result<TestMetricFilterOutput> {
    let filter = Filter::parse(&input.filter_pattern).map_err(|e| bad_pattern(&e))?;
    let matches = input.log_event_messages.into_iter().enumerate();
    let matches = matches.filter(|(_, m)| filter.matches(m)).map(|(i, m)| Match {
        event_number: i + 1,
        extracted_values: filter.extract(&m),
        event_message: m,
    });
    Ok(TestMetricFilterOutput { matches: matches.collect() })
}

/// Adds the metrics of a group's filters to what an append sets off.
pub async fn apply(
    tx: &mut Tx,
    appended: &Appended<'_>,
    found: &mut BTreeMap<String, Vec<Datum>>,
) -> Result<()> {
    let group_key = group::key(appended.cx, &appended.group.name);
    for (_, f) in tx.scan(&FILTERS, Range::prefix(&group_key), MOST).await? {
        // It was read before it was stored.
        let Ok(filter) = Filter::parse(&f.pattern) else { continue };
        let hits: Vec<&(i64, String)> =
            appended.events.iter().filter(|(_, m)| filter.matches(m)).collect();
        for t in &f.transformations {
            found
                .entry(t.metric_namespace.clone())
                .or_default()
                .extend(data(t, &filter, &hits, appended));
        }
    }
    Ok(())
}

/// Names and values, as a datum has them.
type Dimensions = Vec<(String, String)>;

fn data(
    t: &Transformation,
    filter: &Filter,
    hits: &[&(i64, String)],
    appended: &Appended<'_>,
) -> Vec<Datum> {
    // By minute and dimensions, as CloudWatch adds them up.
    let mut by: BTreeMap<(i64, Dimensions), Vec<f64>> = BTreeMap::new();
    let minute = |at: i64| at.div_euclid(60_000) * 60_000;
    for (at, message) in hits {
        let value = filter.value(message, &t.metric_value).and_then(|v| v.parse::<f64>().ok());
        let Some(value) = value.filter(|v| v.is_finite()) else { continue };
        let dimension =
            |(name, of): (&String, &String)| Some((name.clone(), filter.value(message, of)?));
        let dimensions: Option<Vec<_>> = t.dimensions.iter().flatten().map(dimension).collect();
        let Some(dimensions) = dimensions else { continue };
        by.entry((minute(*at), dimensions)).or_default().push(value);
    }
    if let (true, Some(default), Some((at, _))) =
        (by.is_empty(), t.default_value, appended.events.last())
    {
        by.insert((minute(*at), Vec::new()), vec![default]);
    }
    let mut all = Vec::new();
    for ((at, dimensions), values) in by {
        for part in values.chunks(VALUES) {
            all.push(Datum {
                name: t.metric_name.clone(),
                dimensions: dimensions.clone(),
                at,
                values: part.to_vec(),
                unit: t.unit.clone(),
                resolution: None,
            });
        }
    }
    all
}
