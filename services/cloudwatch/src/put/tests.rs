//! What PutMetricData does not take.

use fogbank_core::{Principal, Value, map};

use crate::testing::{ACCOUNT, World, at};

#[tokio::test]
async fn bad_data_is_refused() {
    let w = World::new();
    let now = w.now();
    let float = |n: f64| Value::Float(n);
    let set = |n: f64| map! {"SampleCount" => float(n), "Sum" => float(1.0), "Minimum" => float(1.0), "Maximum" => float(1.0)};
    let values = |n: usize| Value::List(vec![float(1.0); n]);
    for (datum, error) in [
        (map! {}, "MissingParameter: At least one of the parameters must be specified."),
        (
            map! {"Value" => float(1.0), "StatisticValues" => set(1.0)},
            "InvalidParameterCombination: The parameters MetricData.member.1.Value and \
             MetricData.member.1.StatisticValues are mutually exclusive and you have specified both.",
        ),
        (
            map! {"Value" => float(f64::NAN)},
            "InvalidParameterValue: The value NaN for parameter MetricData.member.1.Value is invalid.",
        ),
        (map! {"Value" => float(1e300)}, "InvalidParameterValue: The value 1"),
        (
            map! {"Value" => float(1.0), "Timestamp" => at(now + 3 * 3600)},
            "InvalidParameterValue: The parameter MetricData.member.1.Timestamp must specify a time \
             no more than two hours in the future.",
        ),
        (
            map! {"Value" => float(1.0), "Timestamp" => at(now - 15 * 86_400)},
            "InvalidParameterValue: The parameter MetricData.member.1.Timestamp must specify a time \
             within the past two weeks.",
        ),
        (map! {"Value" => float(1.0), "StorageResolution" => 5}, "InvalidParameterValue: "),
        (map! {"Values" => values(2), "Counts" => values(3)}, "InvalidParameterValue: "),
        (map! {"Values" => values(151)}, "InvalidParameterValue: "),
        (map! {"StatisticValues" => set(0.0)}, "InvalidParameterValue: "),
    ] {
        let Value::Map(mut datum) = datum else { unreachable!() };
        datum.push(("MetricName".into(), "m".into()));
        let input = map! {"Namespace" => "n", "MetricData" => vec![Value::Map(datum)]};
        let e = w.err("PutMetricData", input).await;
        assert!(e.starts_with(error), "{e} is not {error}");
    }
}

#[tokio::test]
async fn services_alone_write_to_their_namespaces() {
    let w = World::new();
    let datum = map! {"MetricName" => "m", "Value" => Value::Float(1.0)};
    let input = map! {"Namespace" => "AWS/Lambda", "MetricData" => vec![datum]};
    assert_eq!(
        w.err("PutMetricData", input.clone()).await,
        "InvalidParameterValue: The value AWS/ for parameter Namespace is invalid."
    );
    let lambda = Principal::service("lambda.amazonaws.com", ACCOUNT);
    w.cloud.run(&w.service, "PutMetricData", lambda, input).await.unwrap();
    let listed = w.ok("ListMetrics", map! {"Namespace" => "AWS/Lambda"}).await;
    assert_eq!(listed.get("Metrics").unwrap().items().len(), 1);
}

#[tokio::test]
async fn metrics_are_listed_in_pages_and_by_dimension() {
    let w = World::new();
    let datum = |i: usize| {
        let dimension = |n: &str, v: String| map! {"Name" => n, "Value" => v};
        map! {"MetricName" => "m", "Value" => Value::Float(1.0),
        "Dimensions" => vec![dimension("z", format!("{}", i % 2)), dimension("i", format!("{i:03}"))]}
    };
    let data: Vec<Value> = (0..800).map(datum).collect();
    w.ok("PutMetricData", map! {"Namespace" => "n", "MetricData" => data}).await;
    for (filter, expected) in
        [(map! {}, 800), (map! {"Name" => "z", "Value" => "1"}, 400), (map! {"Name" => "i"}, 800)]
    {
        let (mut n, mut token) = (0, None::<String>);
        loop {
            let some = if filter == map! {} { vec![] } else { vec![filter.clone()] };
            let input = map! {"Namespace" => "n", "Dimensions" => some,
            "NextToken" => token.as_deref().map(Value::from)};
            let page = w.ok("ListMetrics", input).await;
            n += page.get("Metrics").unwrap().items().len();
            token = page.str("NextToken").map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        assert_eq!(n, expected, "{filter:?}");
    }
    w.cloud.clock.set_offset(jiff::SignedDuration::from_hours(4));
    let recent = w.ok("ListMetrics", map! {"RecentlyActive" => "PT3H"}).await;
    assert!(recent.get("Metrics").unwrap().items().is_empty());
}
