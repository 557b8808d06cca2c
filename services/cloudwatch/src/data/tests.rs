//! Queries and expressions over what is stored.

use fogbank_core::{Value, map};

use crate::testing::{World, at, numbers};

async fn filled() -> (World, i64) {
    let w = World::new();
    let start = w.now() - 600;
    for (name, factor) in [("a", 1.0), ("b", 10.0)] {
        let data: Vec<Value> = (0..5)
            .map(|i| {
                map! {"MetricName" => name, "Value" => Value::Float(factor * f64::from(i + 1)),
                "Timestamp" => at(start + 60 * i64::from(i))}
            })
            .collect();
        w.ok("PutMetricData", map! {"Namespace" => "n", "MetricData" => data}).await;
    }
    (w, start)
}

fn metric(id: &str, name: &str) -> Value {
    let metric = map! {"Namespace" => "n", "MetricName" => name};
    map! {"Id" => id, "MetricStat" => map! {"Metric" => metric, "Period" => 60, "Stat" => "Sum"}}
}

fn expression(id: &str, text: &str) -> Value {
    map! {"Id" => id, "Expression" => text}
}

#[tokio::test]
async fn metrics_and_expressions() {
    let (w, start) = filled().await;
    let ask = |queries: Vec<Value>, more: Vec<(&'static str, Value)>| {
        let mut input = map! {"MetricDataQueries" => queries, "StartTime" => at(start), "EndTime" => at(start + 600)};
        if let Value::Map(m) = &mut input {
            m.extend(more.into_iter().map(|(k, v)| (k.into(), v)));
        }
        input
    };
    let queries = vec![
        expression("e2", "e1 * 2"),
        metric("m1", "a"),
        metric("m2", "b"),
        expression("e1", "m1 + m2"),
        expression("all", "METRICS()"),
        metric("none", "zzz"),
    ];
    let got = w.ok("GetMetricData", ask(queries.clone(), vec![])).await;
    let results = got.get("MetricDataResults").unwrap().items();
    let ids: Vec<&str> = results.iter().map(|r| r.str("Id").unwrap()).collect();
    assert_eq!(ids, ["e2", "m1", "m2", "e1", "all", "all", "all", "none"]);
    assert_eq!(numbers(results[0].get("Values")), [110.0, 88.0, 66.0, 44.0, 22.0]);
    assert_eq!(results[1].str("Label"), Some("a"));
    assert_eq!(results[7].str("StatusCode"), Some("Complete"));
    // By pages, oldest first.
    let (mut got, mut token, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let more = vec![
            ("ScanBy", "TimestampAscending".into()),
            ("MaxDatapoints", Value::Int(3)),
            ("NextToken", token),
        ];
        let page = w.ok("GetMetricData", ask(queries[1..3].to_vec(), more)).await;
        for r in page.get("MetricDataResults").unwrap().items() {
            got.extend(numbers(r.get("Values")));
        }
        pages += 1;
        match page.get("NextToken") {
            Some(t) => token = t.clone(),
            None => break,
        }
    }
    assert_eq!(got, [1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
    assert_eq!(pages, 4);
    for (queries, error) in [
        (vec![metric("M", "a")], "ValidationError: The value M for parameter Id"),
        (vec![metric("m", "a"), metric("m", "b")], "ValidationError: The values for parameter id"),
        (vec![expression("e", "e + 1")], "ValidationError: Error in expression 'e': It refers"),
        (vec![expression("e", "x + 1")], "ValidationError: Error in expression 'e': Unknown id"),
        (
            vec![metric("m", "a"), expression("e", "SUM(m)")],
            "ValidationError: Error in expression 'e': The expression must return",
        ),
        (
            vec![metric("m", "a"), expression("e", "m +")],
            "ValidationError: Error in expression 'e': ",
        ),
        (vec![expression("e", "SEARCH('{n} a', 'Sum')")], "NotImplemented: "),
        (vec![expression("e", "SELECT AVG(a) FROM n")], "NotImplemented: "),
        (vec![map! {"Id" => "e"}], "ValidationError: "),
    ] {
        let e = w.err("GetMetricData", ask(queries, vec![])).await;
        assert!(e.starts_with(error), "{e} is not {error}");
    }
}
