//! Expressions over a few series.

use super::*;

struct World;

fn series(points: &[(i64, f64)]) -> Series {
    Series { points: points.iter().copied().collect(), period: 60, label: "x".into() }
}

impl Env for World {
    fn get(&self, id: &str) -> Option<Val> {
        self.metrics().into_iter().find(|(i, _)| i == id).map(|(_, s)| Val::Series(s))
    }
    fn metrics(&self) -> Vec<(String, Series)> {
        vec![
            ("m1".into(), series(&[(0, 1.0), (60, 2.0), (180, 4.0)])),
            ("m2".into(), series(&[(0, 10.0), (60, 20.0), (120, 30.0)])),
            ("none".into(), series(&[])),
        ]
    }
    fn range(&self) -> (i64, i64) {
        (0, 240)
    }
}

fn check(text: &str, expected: &[(i64, f64)]) {
    let expr = Expr::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    match expr.eval(&World) {
        Ok(Val::Series(s)) => {
            assert_eq!(s.points.into_iter().collect::<Vec<_>>(), expected, "{text}");
        }
        Ok(Val::Number(n)) => assert_eq!([(0, n)], expected, "{text}"),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn expressions() {
    check("1 + 2 * 3 ^ 2 - -4 / 2", &[(0, 21.0)]);
    check("(1 + 2) * 3 > 8 && 1 == 1", &[(0, 1.0)]);
    check("m1 + m2", &[(0, 11.0), (60, 22.0)]);
    check("m1 / 2", &[(0, 0.5), (60, 1.0), (180, 2.0)]);
    check("100 * m1 / m2", &[(0, 10.0), (60, 10.0)]);
    check("m1 / 0", &[]);
    check("m1 > 1", &[(0, 0.0), (60, 1.0), (180, 1.0)]);
    check("SUM([m1, m2])", &[(0, 11.0), (60, 22.0), (120, 30.0), (180, 4.0)]);
    check("AVG(METRICS())", &[(0, 5.5), (60, 11.0), (120, 30.0), (180, 4.0)]);
    check("SUM(METRICS(\"m1\"))", &[(0, 1.0), (60, 2.0), (180, 4.0)]);
    check("SUM(m1)", &[(0, 7.0)]);
    check("MAX(m2) - MIN(m2)", &[(0, 20.0)]);
    check("FILL(m1, 0)", &[(0, 1.0), (60, 2.0), (120, 0.0), (180, 4.0)]);
    check("FILL(m1, REPEAT)", &[(0, 1.0), (60, 2.0), (120, 2.0), (180, 4.0)]);
    check("FILL(m1, LINEAR)", &[(0, 1.0), (60, 2.0), (120, 3.0), (180, 4.0)]);
    check("FILL(none, 7)", &[(0, 7.0), (60, 7.0), (120, 7.0), (180, 7.0)]);
    check("RATE(m2) * PERIOD(m2)", &[(60, 10.0), (120, 10.0)]);
    check("DIFF(m1)", &[(60, 1.0), (180, 2.0)]);
    check("DIFF_TIME(m1)", &[(60, 60.0), (180, 120.0)]);
    check("RUNNING_SUM(m1)", &[(0, 1.0), (60, 3.0), (180, 7.0)]);
    check("IF(m1 > 1, m1, 0)", &[(0, 0.0), (60, 2.0), (180, 4.0)]);
    check("IF(m2 >= 20, 5)", &[(60, 5.0), (120, 5.0)]);
    check("METRIC_COUNT(METRICS())", &[(0, 3.0)]);
    check("FIRST(SORT(METRICS(), SUM, DESC))", &[(0, 10.0), (60, 20.0), (120, 30.0)]);
    check("MINUTE(m1)", &[(0, 0.0), (60, 1.0), (180, 3.0)]);
    check("ABS(-m1 - 1.5e0)", &[(0, 2.5), (60, 3.5), (180, 5.5)]);
}

#[test]
fn what_cannot_be_is_refused() {
    let deep = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    let minus = "-".repeat(5000);
    for bad in [
        "",
        "m1 +",
        "(m1",
        "m1 m2",
        "FILL(m1)",
        "NOPE(m1)",
        "[1]",
        "'x' + 1",
        "m9",
        "1..2",
        "SUM('x')",
        "SORT(m1, COLOUR)",
        "IF('a', 1, 2)",
        "é",
        "\"x",
        &deep,
        &minus,
    ] {
        let got = Expr::parse(bad).and_then(|e| e.eval(&World));
        assert!(matches!(got, Err(Error::Invalid(_))), "{bad:.40}: {got:?}");
    }
    for unknown in ["SEARCH('{A}', 'Sum')", "ANOMALY_DETECTION_BAND(m1)"] {
        let got = Expr::parse(unknown).unwrap().eval(&World);
        assert!(matches!(got, Err(Error::Unknown(_))), "{got:?}");
    }
    assert_eq!(Expr::parse("m1 + SUM([m2, m1])").unwrap().names(), ["m1", "m2"]);
}
