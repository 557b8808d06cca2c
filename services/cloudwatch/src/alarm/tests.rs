//! Alarms from a metric to what they set off.

use std::sync::Arc;

use fogbank_core::{Cloud, Cx, Op, Result, Service, Value, map, ops};
use fogbank_testkit::handler::text_at;
use jiff::SignedDuration;
use parking_lot::Mutex;

use crate::testing::{World, at};

/// Stands in for SNS and Lambda.
#[derive(Default)]
struct Neighbour(Mutex<Vec<(String, Value)>>);

const OPS: &[Op<Neighbour>] = ops![Publish => note, Invoke => note];

async fn note(n: &Neighbour, cx: &Cx, input: Value) -> Result<Value> {
    assert!(cx.source.as_ref().is_some_and(|s| s.arn.contains(":alarm:")));
    n.0.lock().push((cx.principal.arn.clone(), input));
    Ok(map! {})
}

fn world() -> (World, Arc<Neighbour>) {
    let w = World::new();
    let neighbour = Arc::new(Neighbour::default());
    w.cloud.add(Service::new("sns", neighbour.clone(), &[OPS]));
    w.cloud.add(Service::new("lambda", neighbour.clone(), &[OPS]));
    let cloud: Arc<dyn Cloud> = w.cloud.clone();
    w.cw.start(&cloud);
    (w, neighbour)
}

fn with(base: &Value, more: Vec<(&'static str, Value)>) -> Value {
    let Value::Map(mut m) = base.clone() else { unreachable!() };
    m.retain(|(k, _)| more.iter().all(|(n, _)| k != n));
    m.extend(more.into_iter().filter(|(_, v)| *v != Value::Null).map(|(k, v)| (k.into(), v)));
    Value::Map(m)
}

fn alarm(name: &str) -> Value {
    let topic = "arn:aws:sns:us-east-1:123456789012:t";
    let function = "arn:aws:lambda:us-east-1:123456789012:function:f";
    map! {
        "AlarmName" => name, "Namespace" => "n", "MetricName" => "m", "Statistic" => "Sum",
        "Period" => 60, "EvaluationPeriods" => 1, "Threshold" => Value::Float(1.0),
        "ComparisonOperator" => "GreaterThanThreshold",
        "AlarmActions" => vec![Value::from(topic), Value::from(function)],
        "OKActions" => vec![Value::from(topic)],
    }
}

async fn wait(w: &World, name: &str, state: &str) {
    loop {
        let names = map! {"AlarmNames" => vec![Value::from(name)],
        "AlarmTypes" => vec![Value::from("MetricAlarm"), Value::from("CompositeAlarm")]};
        let found = w.ok("DescribeAlarms", names).await;
        let all = ["MetricAlarms", "CompositeAlarms"];
        let mut all = all.iter().flat_map(|l| found.get(l).map(Value::items).unwrap_or_default());
        if all.any(|a| a.str("StateValue") == Some(state)) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn put(cw: &World, value: f64, second: i64) {
    let datum =
        map! {"MetricName" => "m", "Value" => Value::Float(value), "Timestamp" => at(second)};
    cw.ok("PutMetricData", map! {"Namespace" => "n", "MetricData" => vec![datum]}).await;
}

#[tokio::test]
async fn from_a_metric_to_a_topic_and_a_function() {
    let (w, n) = world();
    let start = w.now();
    let offset = w.cloud.clock.offset();
    w.ok("PutMetricAlarm", alarm("a")).await;
    let rule = map! {"AlarmName" => "both", "AlarmRule" => "ALARM(a) AND NOT OK(a)"};
    w.ok("PutCompositeAlarm", rule).await;
    wait(&w, "both", "OK").await;
    put(&w, 5.0, start).await;
    w.cloud.clock.set_offset(offset + SignedDuration::from_secs(90));
    wait(&w, "a", "ALARM").await;
    wait(&w, "both", "ALARM").await;
    while n.0.lock().len() < 2 {
        tokio::task::yield_now().await;
    }
    let told = std::mem::take(&mut *n.0.lock());
    let of = |who: &str| told.iter().find(|(p, _)| p == who).map(|(_, v)| v.clone()).unwrap();
    let message = of("cloudwatch.amazonaws.com");
    assert_eq!(message.str("Subject"), Some("ALARM: \"a\" in US East (N. Virginia)"));
    let message: serde_json::Value = serde_json::from_str(message.str("Message").unwrap()).unwrap();
    assert_eq!(
        (&message["OldStateValue"], &message["Trigger"]["Statistic"]),
        (&"INSUFFICIENT_DATA".into(), &"SUM".into())
    );
    assert_eq!(of("lambda.alarms.cloudwatch.amazonaws.com").str("InvocationType"), Some("Event"));
    assert!(w.cloud.events().iter().any(|e| e.detail_type == "CloudWatch Alarm State Change"));
    put(&w, 0.0, start + 60).await;
    w.cloud.clock.set_offset(offset + SignedDuration::from_secs(180));
    wait(&w, "a", "OK").await;
    wait(&w, "both", "OK").await;
    while n.0.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    loop {
        let history = w
            .ok("DescribeAlarmHistory", map! {"AlarmName" => "a", "ScanBy" => "TimestampAscending"})
            .await;
        let items = history.get("AlarmHistoryItems").unwrap().items();
        let kinds: Vec<&str> = items.iter().map(|i| i.str("HistoryItemType").unwrap()).collect();
        if kinds.len() < 6 {
            tokio::task::yield_now().await;
            continue;
        }
        assert_eq!(
            kinds,
            ["ConfigurationUpdate", "StateUpdate", "Action", "Action", "StateUpdate", "Action"]
        );
        assert_eq!(
            items[1].str("HistorySummary"),
            Some("Alarm updated from INSUFFICIENT_DATA to ALARM")
        );
        break;
    }
}

#[tokio::test]
async fn states_set_by_hand_actions_off_tags_and_deletion() {
    let (w, n) = world();
    w.ok(
        "PutMetricAlarm",
        with(&alarm("a"), vec![("Tags", vec![map! {"Key" => "k", "Value" => "v"}].into())]),
    )
    .await;
    w.ok("DisableAlarmActions", map! {"AlarmNames" => vec![Value::from("a")]}).await;
    let set = |v: &str| map! {"AlarmName" => "a", "StateValue" => v, "StateReason" => "by hand"};
    w.ok("SetAlarmState", set("ALARM")).await;
    w.ok("EnableAlarmActions", map! {"AlarmNames" => vec![Value::from("a")]}).await;
    w.ok("SetAlarmState", set("OK")).await;
    while n.0.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(n.0.lock().len(), 1);
    let for_metric =
        w.ok("DescribeAlarmsForMetric", map! {"Namespace" => "n", "MetricName" => "m"}).await;
    assert_eq!(text_at(&for_metric, "MetricAlarms.0.AlarmName"), "a");
    let arn = text_at(&for_metric, "MetricAlarms.0.AlarmArn");
    let tags = w.ok("ListTagsForResource", map! {"ResourceARN" => arn}).await;
    assert_eq!(text_at(&tags, "Tags.0.Value"), "v");
    w.ok("DeleteAlarms", map! {"AlarmNames" => vec![Value::from("a")]}).await;
    assert!(w.err("SetAlarmState", set("OK")).await.starts_with("ResourceNotFound"));
    let for_metric =
        w.ok("DescribeAlarmsForMetric", map! {"Namespace" => "n", "MetricName" => "m"}).await;
    assert!(for_metric.get("MetricAlarms").unwrap().items().is_empty());
}

#[tokio::test]
async fn alarms_come_in_pages_and_bad_ones_are_refused() {
    let (w, _) = world();
    for i in 0..5 {
        w.ok("PutMetricAlarm", alarm(&format!("p{i}"))).await;
    }
    let (mut names, mut token) = (Vec::new(), Value::Null);
    loop {
        let input = map! {"AlarmNamePrefix" => "p", "MaxRecords" => 2, "NextToken" => token};
        let page = w.ok("DescribeAlarms", input).await;
        for a in page.get("MetricAlarms").unwrap().items() {
            names.push(a.str("AlarmName").unwrap().to_owned());
        }
        match page.get("NextToken") {
            Some(t) => token = t.clone(),
            None => break,
        }
    }
    assert_eq!(names, ["p0", "p1", "p2", "p3", "p4"]);
    let good = alarm("bad");
    for more in [
        vec![("Period", Value::Int(7))],
        vec![("Period", Value::Null)],
        vec![("EvaluationPeriods", Value::Int(2000))],
        vec![("DatapointsToAlarm", Value::Int(2))],
        vec![("TreatMissingData", "maybe".into())],
        vec![("ExtendedStatistic", "p90".into())],
        vec![("Statistic", Value::Null), ("ExtendedStatistic", "p101".into())],
        vec![("Threshold", Value::Null)],
        vec![("AlarmActions", vec![Value::from("topic")].into())],
    ] {
        let e = w.err("PutMetricAlarm", with(&good, more.clone())).await;
        assert!(e.starts_with("ValidationError: "), "{more:?}: {e}");
    }
    let bands = with(&good, vec![("ComparisonOperator", "GreaterThanUpperThreshold".into())]);
    assert!(w.err("PutMetricAlarm", bands).await.starts_with("NotImplemented"));
    let rule = map! {"AlarmName" => "c", "AlarmRule" => "ALARM(nope)"};
    assert!(w.err("PutCompositeAlarm", rule).await.contains("do not exist"));
}
