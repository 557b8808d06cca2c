//! Queries over a few events.

use std::collections::BTreeMap;

use super::*;

struct Line(BTreeMap<&'static str, Value>);

impl Event for Line {
    fn field(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

fn events() -> Vec<Line> {
    let line = |i: i64, level: &str, ms: f64, message: String| {
        let mut fields = BTreeMap::from([
            ("@timestamp", Value::Time(1_700_000_040_000 + i * 30_000)),
            ("@message", Value::Text(message)),
            ("level", Value::Text(level.into())),
        ]);
        if ms > 0.0 {
            fields.insert("ms", Value::Number(ms));
        }
        Line(fields)
    };
    (0..6)
        .map(|i| {
            let level = if i % 3 == 0 { "ERROR" } else { "INFO" };
            line(
                i,
                level,
                (i as f64) * 10.0,
                format!("user=u{} took {}ms [{level}]", i % 2, i * 10),
            )
        })
        .collect()
}

/// Rows as `name=value` joined by blanks, without pointers and times.
fn rows(query: &str) -> Vec<String> {
    let query = Query::parse(query).unwrap_or_else(|e| panic!("{query}: {e}"));
    let mut run = query.run(1000, 0);
    for e in events() {
        run.feed(&e).unwrap();
    }
    let one = |r: Vec<(String, String)>| {
        r.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(" ")
    };
    run.finish().into_iter().map(one).collect()
}

#[test]
fn rows_of_queries() {
    for (query, expected) in [
        ("fields ms | sort ms desc | limit 2", vec!["ms=50", "ms=40"]),
        ("filter level = 'ERROR' | fields ms / 4 as q", vec!["q=7.5", ""]),
        ("filter ms > 20 and ms <= 40 | fields ms", vec!["ms=40", "ms=30"]),
        ("filter @message like /u1.*ERROR/ | display ms", vec!["ms=30"]),
        ("filter @message not like 'u1' and ispresent(ms) | fields ms", vec!["ms=40", "ms=20"]),
        ("filter ms in [10, 50] | fields ms", vec!["ms=50", "ms=10"]),
        ("filter level =~ /(?i)error/ | fields strlen(level) as n | limit 1", vec!["n=5"]),
        ("stats count(*) by level", vec!["level=ERROR count(*)=2", "level=INFO count(*)=4"]),
        (
            "stats count(*) as n, avg(ms) as a, max(ms), pct(ms, 50) as p",
            vec!["n=6 a=30 max(ms)=50 p=30"],
        ),
        ("stats sum(ms) as s by bin(1m) | sort s desc | limit 1 | display s", vec!["s=90"]),
        ("stats count() as n by level | filter n > 2", vec!["level=INFO n=4"]),
        ("stats sum(ms) as s by level, bin(1m) | stats max(s) as m", vec!["m=90"]),
        ("filter level = 'none' | stats count(*) as n", vec!["n=0"]),
        (
            "parse @message \"user=* took *ms\" as user, took | stats sum(took) as t by user",
            vec!["user=u0 t=60", "user=u1 t=90"],
        ),
        (
            "parse @message /took (?<took>\\d+)ms/ | filter took = 20 | display took",
            vec!["took=20"],
        ),
        ("fields level | dedup level", vec!["level=INFO", "level=ERROR"]),
        (
            "stats count_distinct(level) as d, earliest(ms) as e, latest(ms) as l",
            vec!["d=2 e=10 l=50"],
        ),
        ("fields concat(toupper('a'), '-', level) as x | limit 1 # the end", vec!["x=A-INFO"]),
        ("fields coalesce(nope, ms, 7) as c | sort @timestamp asc | limit 2", vec!["c=7", "c=10"]),
        ("fields -ms % 7 as `odd name` | sort ms | limit 2 ", vec!["", "odd name=-3"]),
    ] {
        assert_eq!(rows(query), expected, "{query}");
    }
    let all = rows("");
    assert_eq!(all.len(), 6);
    assert!(
        all[0].starts_with("@timestamp=2023-11-14 22:16:30.000 @message=user=u1 took 50ms"),
        "{}",
        all[0]
    );
}

#[test]
fn what_cannot_be_read_is_refused() {
    let deep = format!("filter {}1{}", "(".repeat(500), ")".repeat(500));
    let long = "x".repeat(10_001);
    for bad in [
        "nope",
        "fields",
        "filter",
        "filter a =",
        "limit x",
        "limit 0",
        "stats",
        "stats a",
        "stats sum(",
        "stats pct(a)",
        "sort",
        "parse 'a *'",
        "parse @message 'a * b *' as x",
        "parse @message /x/",
        "filter a like",
        "filter /(/",
        "filter a like /(/",
        "fields a b",
        "fields 'a",
        "fields `a",
        "filter a in 5",
        "fields a | | limit 1",
        "fields 5x",
        "fields é$§",
        "fields abs()",
        &deep,
        &long,
    ] {
        assert!(matches!(Query::parse(bad), Err(Error::Invalid(_))), "{bad:.60}");
    }
    for unknown in ["pattern @message", "fields isValidIp(a)", "unnest a into b"] {
        assert!(matches!(Query::parse(unknown), Err(Error::Unknown(_))), "{unknown}");
    }
}
