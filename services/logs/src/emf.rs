//! The embedded metric format: events that carry metrics.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::emit::Datum;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: i64,
    cloud_watch_metrics: Vec<Directive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: String,
    #[serde(default)]
    dimensions: Vec<Vec<String>>,
    metrics: Vec<Definition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: String,
    unit: Option<String>,
    storage_resolution: Option<i64>,
}

const MOST_METRICS: usize = 100;
const MOST_VALUES: usize = 100;
const MOST_DIMENSIONS: usize = 30;
/// What CloudWatch takes as a unit.
const UNITS: &[&str] = &[
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// Adds the metrics that a message carries, by namespace. What does not follow the format is an
/// event like any other.
pub fn extract(message: &str, found: &mut BTreeMap<String, Vec<Datum>>) {
    if !message.starts_with('{') || !message.contains("\"CloudWatchMetrics\"") {
        return; // nearly every event
    }
    let Ok(Json::Object(root)) = serde_json::from_str::<Json>(message) else { return };
    let Some(metadata) = root.get("_aws") else { return };
    let Ok(metadata) = Metadata::deserialize(metadata) else { return };
    for directive in metadata.cloud_watch_metrics {
        let namespace = directive.namespace;
        if !is_name(&namespace, 255) || namespace.starts_with("AWS/") || namespace.starts_with(':')
        {
            continue;
        }
        // Without dimensions a metric has none: one set that is empty.
        let mut sets = directive.dimensions;
        if sets.is_empty() {
            sets.push(Vec::new());
        }
        for set in sets.iter().filter(|s| s.len() <= MOST_DIMENSIONS) {
            let Some(dimensions) = dimensions(&root, set) else { continue };
            for metric in directive.metrics.iter().take(MOST_METRICS) {
                let values = root.get(&metric.name).map(numbers).unwrap_or_default();
                if values.is_empty() || !is_name(&metric.name, 255) {
                    continue;
                }
                found.entry(namespace.clone()).or_default().push(Datum {
                    name: metric.name.clone(),
                    dimensions: dimensions.clone(),
                    at: metadata.timestamp,
                    values,
                    unit: metric.unit.clone().filter(|u| UNITS.contains(&u.as_str())),
                    resolution: metric.storage_resolution.filter(|r| *r == 1),
                });
            }
        }
    }
}

/// The values of a set's dimensions; `None` when the event lacks one.
fn dimensions(
    root: &serde_json::Map<String, Json>,
    set: &[String],
) -> Option<Vec<(String, String)>> {
    let value = |name: &String| {
        let text = match root.get(name)? {
            Json::String(s) => s.clone(),
            Json::Number(n) => n.to_string(),
            _ => return None,
        };
        (is_name(name, 250) && is_name(&text, 1024)).then(|| (name.clone(), text))
    };
    set.iter().map(value).collect()
}

/// Whether CloudWatch would take it.
fn is_name(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.len() <= longest && !text.contains(|c: char| c.is_control())
}

fn numbers(v: &Json) -> Vec<f64> {
    let all = match v {
        Json::Array(all) if all.len() <= MOST_VALUES => all.as_slice(),
        Json::Array(_) => return Vec::new(),
        one => std::slice::from_ref(one),
    };
    all.iter().filter_map(Json::as_f64).filter(|n| n.is_finite() && n.abs() < 1e100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> Vec<Datum> {
        let mut found = BTreeMap::new();
        extract(message, &mut found);
        found.into_values().flatten().collect()
    }

    #[test]
    fn metrics_by_each_set_of_dimensions() {
        let found =
            of(r#"{"_aws": {"Timestamp": 1574109732004, "CloudWatchMetrics": [{"Namespace": "app",
            "Dimensions": [["fn"], ["fn", "version"], ["nope"], []],
            "Metrics": [{"Name": "time", "Unit": "Milliseconds", "StorageResolution": 1},
                        {"Name": "hits"}, {"Name": "absent"}]}]},
            "fn": "baz", "version": "$LATEST", "time": 100.5, "hits": [1, 2, "x"]}"#);
        assert_eq!(found.len(), 6);
        let first = Datum {
            name: "time".into(),
            dimensions: vec![("fn".into(), "baz".into())],
            at: 1_574_109_732_004,
            values: vec![100.5],
            unit: Some("Milliseconds".into()),
            resolution: Some(1),
        };
        assert_eq!(found[0], first);
        assert_eq!((found[3].dimensions.len(), &found[3].values), (2, &vec![1.0, 2.0]));
        assert!(found[5].dimensions.is_empty());
    }

    #[test]
    fn other_events_carry_none() {
        for message in [
            "",
            "text with \"CloudWatchMetrics\"",
            "{\"CloudWatchMetrics\": 1}",
            r#"{"_aws": {"CloudWatchMetrics": []}}"#,
            r#"{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "AWS/x", "Metrics": [{"Name": "a"}]}]}, "a": 1}"#,
            r#"{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "x", "Metrics": [{"Name": "a"}]}]}, "a": "1"}"#,
        ] {
            assert_eq!(of(message), [], "{message}");
        }
    }
}
