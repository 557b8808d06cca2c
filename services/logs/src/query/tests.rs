//! Queries from start to results.

use std::sync::Arc;

use fogbank_core::{Cloud, Value, map};

use crate::testing::World;

async fn rows(w: &World, query: &str) -> Vec<String> {
    let now = w.now() / 1000;
    let input = map! {"logGroupName" => "g", "startTime" => now - 3600, "endTime" => now + 60, "queryString" => query};
    let started = w.ok("StartQuery", input).await;
    let id = map! {"queryId" => started.str("queryId").unwrap()};
    loop {
        let got = w.ok("GetQueryResults", id.clone()).await;
        if got.str("status") == Some("Running") {
            tokio::task::yield_now().await;
            continue;
        }
        assert_eq!(got.str("status"), Some("Complete"));
        let field = |f: &Value| format!("{}={}", f.str("field").unwrap(), f.str("value").unwrap());
        let row = |r: &Value| {
            let shown = r.items().iter().filter(|f| f.str("field") != Some("@ptr")).map(field);
            shown.collect::<Vec<_>>().join(" ")
        };
        return got.get("results").unwrap().items().iter().map(row).collect();
    }
}

#[tokio::test]
async fn events_json_and_lambdas_lines() {
    let w = World::with_stream().await;
    let cloud: Arc<dyn Cloud> = w.cloud.clone();
    w.logs.start(&cloud);
    let now = w.now() - 60_000;
    w.put(
        "s",
        &[
            (now, r#"{"level": "error", "ctx": {"user": "ann"}, "ok": true, "list": [7]}"#),
            (now + 1, r#"{"level": "info", "ctx": {"user": "bob"}, "ok": false}"#),
            (now + 2, "REPORT RequestId: abc-1\tDuration: 12.50 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t"),
        ],
    )
    .await;
    for (query, expected) in [
        (
            "filter level = 'error' | fields ctx.user, list.0, @logStream",
            vec!["ctx.user=ann list.0=7 @logStream=s"],
        ),
        ("filter ok = true | stats count(*) as n", vec!["n=1"]),
        (
            "filter @type = 'REPORT' | stats max(@duration) as d, max(@maxMemoryUsed / 1000000) as mb",
            vec!["d=12.5 mb=40"],
        ),
        ("fields @requestId | filter ispresent(@requestId)", vec!["@requestId=abc-1"]),
        ("stats count(*) as n by @log", vec!["@log=123456789012:g n=3"]),
        ("fields level | limit 1 ", vec![""]),
    ] {
        assert_eq!(rows(&w, query).await, expected, "{query}");
    }
    let all = w.ok("DescribeQueries", map! {"logGroupName" => "g", "status" => "Complete"}).await;
    assert_eq!(all.get("queries").unwrap().items().len(), 6);
    let id = all.get("queries").unwrap().items()[0].str("queryId").unwrap();
    let stopped = w.err("StopQuery", map! {"queryId" => id}).await;
    assert!(stopped.starts_with("InvalidParameterException: "), "{stopped}");
    let input = |q: &str| map! {"logGroupName" => "g", "startTime" => 1, "endTime" => 2, "queryString" => q};
    assert!(
        w.err("StartQuery", input("fields a | nope"))
            .await
            .starts_with("MalformedQueryException: ")
    );
    assert!(w.err("StartQuery", input("pattern @message")).await.starts_with("NotImplemented: "));
    // Results are forgotten after a week.
    w.cloud.clock.set_offset(jiff::SignedDuration::from_hours(24 * 8));
    while w.run("GetQueryResults", map! {"queryId" => id}).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
