//! Expressions from AWS's documents, changes of the clocks, and a comparison with counting minutes.

use proptest::prelude::*;

use super::*;

fn next(text: &str, after: &str, zone: &str) -> String {
    let schedule = Schedule::parse(text).unwrap();
    let zone = TimeZone::get(zone).unwrap();
    let after: Timestamp = after.parse().unwrap();
    schedule.next(after, after, &zone).map_or_else(|| "never".into(), |t| t.to_string())
}

#[test]
fn the_next_time_is_as_aws_says() {
    for (text, after, expected) in [
        ("cron(0 10 * * ? *)", "2026-01-01T10:00:00Z", "2026-01-02T10:00:00Z"),
        ("cron(15 12 * * ? *)", "2026-01-01T00:00:00Z", "2026-01-01T12:15:00Z"),
        ("cron(0 18 ? * MON-FRI *)", "2026-01-02T18:00:00Z", "2026-01-05T18:00:00Z"),
        ("cron(0 8 1 * ? *)", "2026-01-01T08:00:00Z", "2026-02-01T08:00:00Z"),
        ("cron(0/15 * * * ? *)", "2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-01-02T17:55:00Z", "2026-01-05T08:00:00Z"),
        ("cron(0 9 ? * 2#1 *)", "2026-01-01T00:00:00Z", "2026-01-05T09:00:00Z"),
        ("cron(15 10 ? * 6L 2026-2027)", "2026-01-01T00:00:00Z", "2026-01-30T10:15:00Z"),
        ("cron(0 0 L * ? *)", "2028-02-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("cron(0 0 L-2 * ? *)", "2026-02-01T00:00:00Z", "2026-02-26T00:00:00Z"),
        ("cron(0 0 1W * ? *)", "2026-08-01T00:00:00Z", "2026-08-03T00:00:00Z"),
        ("cron(0 0 31W 5 ? *)", "2026-01-01T00:00:00Z", "2026-05-29T00:00:00Z"),
        ("cron(0 0 LW 1 ? *)", "2026-01-01T00:00:00Z", "2026-01-30T00:00:00Z"),
        ("cron(0 0 29 2 ? *)", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("cron(0 0 ? * FRI-SUN *)", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"),
        ("cron(0 0 ? * L *)", "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"),
        ("cron(0 0 30 2 ? *)", "2026-01-01T00:00:00Z", "never"),
        ("cron(0 0 1 1 ? 2020)", "2026-01-01T00:00:00Z", "never"),
        ("at(2026-03-01T10:00:00)", "2026-01-01T00:00:00Z", "2026-03-01T10:00:00Z"),
        ("at(2026-03-01T10:00:00)", "2026-03-01T10:00:00Z", "never"),
        ("rate(5 minutes)", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
        ("rate(1 day)", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
    ] {
        assert_eq!(next(text, after, "UTC"), expected, "{text} after {after}");
    }
}

#[test]
fn clocks_that_change_skip_or_repeat() {
    let daily = "cron(30 2 * * ? *)";
    // 2:30 on 8 March 2026 does not exist in New York.
    assert_eq!(next(daily, "2026-03-07T12:00:00Z", "America/New_York"), "2026-03-09T06:30:00Z");
    // 1:30 on 1 November 2026 comes twice: the first counts.
    let twice = "cron(30 1 * * ? *)";
    assert_eq!(next(twice, "2026-11-01T05:00:00Z", "America/New_York"), "2026-11-01T05:30:00Z");
    assert_eq!(next(twice, "2026-11-01T05:30:00Z", "America/New_York"), "2026-11-02T06:30:00Z");
}

#[test]
fn rates_count_from_their_start() {
    let Schedule::Rate(rate) = Schedule::parse("rate(2 hours)").unwrap() else { panic!("no rate") };
    let at = |s: &str| s.parse::<Timestamp>().unwrap();
    let start = at("2026-01-01T00:30:00Z");
    assert_eq!(rate.next(start, at("2026-01-01T05:00:00Z")), Some(at("2026-01-01T06:30:00Z")));
    assert_eq!(rate.next(start, at("2026-01-01T06:30:00Z")), Some(at("2026-01-01T08:30:00Z")));
    assert_eq!(rate.next(start, at("2025-01-01T00:00:00Z")), Some(start));
}

#[test]
fn what_aws_refuses_is_refused() {
    for bad in [
        "",
        "cron",
        "cron()",
        "cron(* * * * *)",
        "cron(* * * * * *)",
        "cron(* * ? * ? *)",
        "cron(60 * * * ? *)",
        "cron(* 24 * * ? *)",
        "cron(* * 0 * ? *)",
        "cron(* * 32 * ? *)",
        "cron(* * * 13 ? *)",
        "cron(* * ? * 8 *)",
        "cron(* * ? * 2#6 *)",
        "cron(* * * * ? 1969)",
        "cron(5-1 * * * ? *)",
        "cron(*/0 * * * ? *)",
        "cron(+1 * * * ? *)",
        "cron(1,,2 * * * ? *)",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(2 minute)",
        "rate(1 week)",
        "rate(-1 days)",
        "rate(+1 day)",
        "rate(1day)",
        "at(2026-02-30T00:00:00)",
        "at(2026-02-01)",
        "Cron(0 0 * * ? *)",
        "rate(99999999999 days)",
    ] {
        assert!(Schedule::parse(bad).is_err(), "{bad}");
    }
}

fn field(first: u16, last: u16) -> impl Strategy<Value = String> {
    let one = (first..=last).prop_map(|v| v.to_string());
    let range =
        (first..=last, first..=last).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b)));
    let step = (first..=last, 1u16..9).prop_map(|(a, n)| format!("{a}/{n}"));
    prop_oneof![
        Just("*".to_owned()),
        one.clone(),
        range,
        step,
        (one.clone(), one).prop_map(|(a, b)| format!("{a},{b}"))
    ]
}

proptest! {
    #[test]
    fn nothing_lies_between(
        minutes in field(0, 59), hours in field(0, 23), weekday in field(1, 7), start in 0i64..2_000_000_000,
    ) {
        let schedule = Schedule::parse(&format!("cron({minutes} {hours} ? * {weekday} *)")).unwrap();
        let after = Timestamp::from_second(start).unwrap();
        let found = schedule.next(after, after, &TimeZone::UTC).unwrap();
        prop_assert!(found > after);
        prop_assert_eq!(found.as_second() % 60, 0);
        // A minute earlier, the answer is the same: nothing lies between.
        let middle = Timestamp::from_second((after.as_second() + found.as_second()) / 2).unwrap();
        prop_assert_eq!(schedule.next(after, middle, &TimeZone::UTC), Some(found).filter(|f| *f > middle));
        let before = Timestamp::from_second(found.as_second() - 1).unwrap();
        prop_assert_eq!(schedule.next(after, before, &TimeZone::UTC), Some(found));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,40}", fields in "[0-9*?/LW#,A-Z -]{0,30}") {
        let _ = Schedule::parse(&text);
        if let Ok(s) = Schedule::parse(&format!("cron({fields})")) {
            let _ = s.next(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, &TimeZone::UTC);
            let _ = s.next(Timestamp::UNIX_EPOCH, Timestamp::MAX, &TimeZone::UTC);
        }
    }
}
