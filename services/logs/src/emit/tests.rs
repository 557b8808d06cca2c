//! What an append sets off reaches the other services.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use base64::Engine;
use fogbank_core::{Cloud, Cx, Op, Result, Service, Value, map, ops};
use parking_lot::Mutex;

use crate::testing::{World, at};

/// Stands in for the services that Logs calls.
#[derive(Default)]
struct Neighbour(Mutex<Vec<(String, Value, Vec<u8>)>>);

const OPS: &[Op<Neighbour>] = ops![PutMetricData => note, Invoke => note];

async fn note(n: &Neighbour, cx: &Cx, input: Value) -> Result<Value> {
    assert_eq!(cx.principal.arn, "logs.amazonaws.com");
    let body = match input.get("Payload") {
        Some(Value::Blob(b)) => b.to_vec(),
        _ => Vec::new(),
    };
    n.0.lock().push((cx.operation.to_owned(), input, body));
    Ok(map! {})
}

async fn with_neighbours() -> (World, Arc<Neighbour>) {
    let w = World::with_stream().await;
    let neighbour = Arc::new(Neighbour::default());
    w.cloud.add(Service::new("cloudwatch", neighbour.clone(), &[OPS]));
    w.cloud.add(Service::new("lambda", neighbour.clone(), &[OPS]));
    let cloud: Arc<dyn Cloud> = w.cloud.clone();
    w.logs.start(&cloud);
    (w, neighbour)
}

async fn heard(n: &Neighbour, many: usize) -> Vec<(String, Value, Vec<u8>)> {
    while n.0.lock().len() < many {
        tokio::task::yield_now().await;
    }
    std::mem::take(&mut *n.0.lock())
}

fn filter(name: &str, pattern: &str, value: &str, more: Vec<(&'static str, Value)>) -> Value {
    let mut t = vec![
        ("metricName".into(), name.into()),
        ("metricNamespace".into(), "app".into()),
        ("metricValue".into(), value.into()),
    ];
    t.extend(more.into_iter().map(|(k, v)| (k.into(), v)));
    map! {"logGroupName" => "g", "filterName" => name, "filterPattern" => pattern,
    "metricTransformations" => vec![Value::Map(t)]}
}

#[tokio::test]
async fn metric_filters_and_embedded_metrics() {
    let (w, n) = with_neighbours().await;
    w.ok(
        "PutMetricFilter",
        filter("errors", "ERROR", "1", vec![("defaultValue", Value::Float(0.0))]),
    )
    .await;
    let dimensions = map! {"path" => "$.path"};
    w.ok(
        "PutMetricFilter",
        filter(
            "slow",
            "{ $.ms > 0 }",
            "$.ms",
            vec![("dimensions", dimensions), ("unit", "Milliseconds".into())],
        ),
    )
    .await;
    let now = w.now() / 60_000 * 60_000;
    w.put("s", &[(now, "fine")]).await;
    let got = heard(&n, 1).await;
    let first = |v: &Value| v.get("MetricData").unwrap().items()[0].clone();
    assert_eq!(first(&got[0].1).get("Values"), Some(&Value::List(vec![Value::Float(0.0)])));
    w.put(
        "s",
        &[
            (now, "ERROR 1"),
            (now + 1, "ERROR 2"),
            (now + 2, r#"{"path": "/a", "ms": 5.5}"#),
            (now + 3, r#"{"ms": 1}"#),
            (now + 4, r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"emf","Metrics":[{"Name":"m"}]}]},"m":3}"#),
        ],
    )
    .await;
    let got = heard(&n, 2).await;
    let by: BTreeMap<&str, &Value> =
        got.iter().map(|(_, v, _)| (v.str("Namespace").unwrap(), v)).collect();
    let data = by["app"].get("MetricData").unwrap().items();
    assert_eq!(data.len(), 2);
    assert_eq!(data[0].get("Values").unwrap().items().len(), 2);
    assert_eq!(at(&data[1], "Dimensions.0.Value"), "/a");
    assert_eq!(at(&data[1], "Unit"), "Milliseconds");
    assert_eq!(at(by["emf"], "MetricData.0.MetricName"), "m");
    let listed = w
        .ok("DescribeMetricFilters", map! {"metricName" => "slow", "metricNamespace" => "app"})
        .await;
    assert_eq!(at(&listed, "metricFilters.0.filterPattern"), "{ $.ms > 0 }");
    w.ok("DeleteMetricFilter", map! {"logGroupName" => "g", "filterName" => "slow"}).await;
    w.ok("DeleteLogGroup", map! {"logGroupName" => "g"}).await;
    let listed = w.ok("DescribeMetricFilters", map! {}).await;
    assert!(listed.get("metricFilters").unwrap().items().is_empty());
}

#[tokio::test]
async fn bad_metric_filters_are_refused() {
    let (w, _) = with_neighbours().await;
    let both = vec![("defaultValue", Value::Float(0.0)), ("dimensions", map! {"p" => "$.p"})];
    for input in [
        filter("f", "{ $.a", "1", vec![]),
        filter("f", "ERROR", "$.a", vec![]),
        filter("f", "ERROR", "many", vec![]),
        filter("f", "[a, b]", "$c", vec![]),
        filter("f", "{ $.a = 1 }", "1", both),
    ] {
        let e = w.err("PutMetricFilter", input).await;
        assert!(e.starts_with("InvalidParameterException: "), "{e}");
    }
    let tested = map! {"filterPattern" => "[a, b = 4*]",
    "logEventMessages" => vec![Value::from("x 404"), Value::from("x 200")]};
    let tested = w.ok("TestMetricFilter", tested).await;
    assert_eq!(tested.get("matches").unwrap().items().len(), 1);
    assert_eq!(at(&tested, "matches.0.extractedValues.$b"), "404");
}

#[tokio::test]
async fn a_subscriber_gets_its_events_packed() {
    let (w, n) = with_neighbours().await;
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
    let input = |name: &str, to: &str| {
        map! {"logGroupName" => "g", "filterName" => name, "filterPattern" => "[level = W*, ...]", "destinationArn" => to}
    };
    w.ok("PutSubscriptionFilter", input("a", arn)).await;
    w.ok("PutSubscriptionFilter", input("b", arn)).await;
    assert!(
        w.err("PutSubscriptionFilter", input("c", arn)).await.starts_with("LimitExceededException")
    );
    let kinesis = "arn:aws:kinesis:us-east-1:123456789012:stream/s";
    assert!(
        w.err("PutSubscriptionFilter", input("c", kinesis)).await.starts_with("NotImplemented")
    );
    w.ok("DeleteSubscriptionFilter", map! {"logGroupName" => "g", "filterName" => "b"}).await;
    n.0.lock().clear();
    w.put("s", &[(w.now(), "INFO x"), (w.now(), "WARN disk slow")]).await;
    let got = heard(&n, 1).await;
    assert_eq!((got[0].0.as_str(), got[0].1.str("InvocationType")), ("Invoke", Some("Event")));
    let event: serde_json::Value = serde_json::from_slice(&got[0].2).unwrap();
    let packed = base64::engine::general_purpose::STANDARD
        .decode(event["awslogs"]["data"].as_str().unwrap())
        .unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    let message: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(message["logEvents"].as_array().unwrap().len(), 1);
    assert_eq!(message["logEvents"][0]["message"], "WARN disk slow");
    assert_eq!(message["logEvents"][0]["extractedFields"]["level"], "WARN");
    assert_eq!(
        (&message["messageType"], &message["owner"]),
        (&"DATA_MESSAGE".into(), &"123456789012".into())
    );
}
