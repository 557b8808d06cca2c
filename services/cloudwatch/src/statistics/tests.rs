//! Statistics by period.

use fogbank_core::{Value, map};

use crate::testing::{World, at, numbers};

#[tokio::test]
async fn statistics_by_period() {
    let w = World::new();
    let start = w.now() - 600;
    let data: Vec<Value> = (0..100)
        .map(|i| {
            map! {"MetricName" => "m", "Value" => Value::Float(f64::from(i + 1)), "Unit" => "Count",
            "Timestamp" => at(start + i64::from(i))}
        })
        .collect();
    w.ok("PutMetricData", map! {"Namespace" => "n", "MetricData" => data}).await;
    let values = map! {"MetricName" => "m", "Unit" => "Count", "Timestamp" => at(start + 299),
    "Values" => vec![Value::Float(1.0), Value::Float(3.0)],
    "Counts" => vec![Value::Float(2.0), Value::Float(1.0)]};
    w.ok("PutMetricData", map! {"Namespace" => "n", "MetricData" => vec![values]}).await;
    let ask = |period: i64| {
        map! {"Namespace" => "n", "MetricName" => "m", "StartTime" => at(start),
        "EndTime" => at(start + 600), "Period" => period,
        "Statistics" => ["SampleCount", "Sum", "Average", "Minimum", "Maximum"].map(Value::from).to_vec(),
        "ExtendedStatistics" => vec![Value::from("p90")]}
    };
    let got = w.ok("GetMetricStatistics", ask(60)).await;
    let points = got.get("Datapoints").unwrap().items();
    let of = |name: &str| -> Vec<f64> {
        points
            .iter()
            .flat_map(|p| numbers(Some(&Value::List(vec![p.get(name).unwrap().clone()]))))
            .collect()
    };
    assert_eq!(of("SampleCount"), [60.0, 40.0, 3.0]);
    assert_eq!(of("Sum"), [1830.0, 3220.0, 5.0]);
    assert_eq!(of("Maximum"), [60.0, 100.0, 3.0]);
    assert_eq!(points[0].str("Unit"), Some("Count"));
    assert_eq!(
        numbers(Some(&Value::List(vec![
            points[0].get("ExtendedStatistics").unwrap().get("p90").unwrap().clone()
        ]))),
        [54.0]
    );
    let whole = w.ok("GetMetricStatistics", ask(600)).await;
    assert_eq!(whole.get("Datapoints").unwrap().items().len(), 1);
    for (more, error) in [
        (("Period", Value::Int(7)), "InvalidParameterValue: "),
        (("EndTime", at(start)), "InvalidParameterValue: The parameter StartTime must be less"),
        (
            ("StartTime", at(start - 2 * 86_400)),
            "InvalidParameterCombination: You have requested up to 2,890 datapoints",
        ),
        (("ExtendedStatistics", vec![Value::from("p101")].into()), "InvalidParameterValue: "),
    ] {
        let Value::Map(mut input) = ask(60) else { unreachable!() };
        input.retain(|(k, _)| *k != more.0);
        input.push((more.0.into(), more.1));
        let e = w.err("GetMetricStatistics", Value::Map(input)).await;
        assert!(e.starts_with(error), "{e} is not {error}");
    }
}
