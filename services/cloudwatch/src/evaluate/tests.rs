//! The table of AWS's documentation on missing data.

use super::*;
use crate::alarm::OneMetric;

fn watch(periods: i64, datapoints: i64, missing: &str) -> Watch {
    Watch {
        source: WatchSource::One(OneMetric {
            namespace: "n".into(),
            name: "m".into(),
            dimensions: Vec::new(),
            statistic: Some("Sum".into()),
            extended: None,
            period: 60,
            unit: None,
        }),
        periods,
        datapoints: Some(datapoints),
        comparison: "GreaterThanThreshold".into(),
        threshold: 0.0,
        missing: Some(missing.into()),
        low_samples: None,
    }
}

/// `0` is fine, `X` breaching, `-` missing; the newest stands last.
fn after(w: &Watch, points: &str) -> String {
    let value = |c: char| match c {
        '0' => Some(0.0),
        'X' => Some(1.0),
        _ => None,
    };
    let points: Vec<Point> =
        points.chars().rev().enumerate().map(|(i, c)| (600 - 60 * i as i64, value(c))).collect();
    judge(w, &points, "-", Timestamp::UNIX_EPOCH).map_or("stay".into(), |to| to.value)
}

#[test]
fn missing_data() {
    for (periods, datapoints, points, expected) in [
        (3, 3, "0-X-X", ["OK", "OK", "OK", "OK"]),
        (3, 3, "----0", ["OK", "OK", "OK", "OK"]),
        (3, 3, "-----", ["INSUFFICIENT_DATA", "stay", "ALARM", "OK"]),
        (3, 3, "0XX-X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        (3, 3, "--X--", ["ALARM", "stay", "ALARM", "OK"]),
        (3, 2, "0-X-X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        (3, 2, "00X0X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        (3, 2, "0-X--", ["OK", "OK", "ALARM", "OK"]),
        (3, 2, "----0", ["OK", "OK", "ALARM", "OK"]),
        (3, 2, "---X-", ["ALARM", "stay", "ALARM", "OK"]),
        (3, 3, "----X", ["stay", "stay", "ALARM", "OK"]),
        (1, 1, "--X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        (1, 1, "-X0", ["OK", "OK", "OK", "OK"]),
    ] {
        for (treat, expected) in
            ["missing", "ignore", "breaching", "notBreaching"].iter().zip(expected)
        {
            let got = after(&watch(periods, datapoints, treat), points);
            assert_eq!(got, expected, "{datapoints} of {periods}, {points}, {treat}");
        }
    }
}

#[test]
fn reasons_are_worded_as_on_aws() {
    let w = watch(1, 1, "missing");
    let judge = |points: &[Point]| judge(&w, points, "-", Timestamp::UNIX_EPOCH).unwrap().reason;
    assert_eq!(
        judge(&[(60, Some(5.0)), (0, None), (-60, None)]),
        "Threshold Crossed: 1 out of the last 1 datapoint [5.0 (01/01/70 00:01:00)] was greater \
         than the threshold (0.0) (minimum 1 datapoint for OK -> ALARM transition)."
    );
    assert_eq!(
        judge(&[(60, Some(0.0)), (0, None), (-60, None)]),
        "Threshold Crossed: 1 out of the last 1 datapoint [0.0 (01/01/70 00:01:00)] was not \
         greater than the threshold (0.0) (minimum 1 datapoint for ALARM -> OK transition)."
    );
    assert_eq!(
        judge(&[(60, None), (0, None), (-60, None)]),
        "Insufficient Data: 1 datapoint was unknown."
    );
}
