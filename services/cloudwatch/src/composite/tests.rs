//! Rules, read and decided.

use super::*;

#[test]
fn rules_are_read_and_decided() {
    let state = |name: &str| match name {
        "a" | "a b" => "ALARM",
        "ok" => "OK",
        _ => INSUFFICIENT,
    };
    for (rule, expected) in [
        ("ALARM(a)", true),
        ("ALARM(\"a b\") AND OK(ok)", true),
        ("ALARM(ok) OR INSUFFICIENT_DATA('z')", true),
        ("NOT ALARM(a) OR FALSE", false),
        ("ALARM(a) AND NOT (OK(ok) OR TRUE)", false),
        ("ALARM(a) OR ALARM(ok) AND ALARM(z)", true),
        ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:a)", true),
        ("TRUE", true),
    ] {
        assert_eq!(parse(rule).unwrap().holds(&state), expected, "{rule}");
    }
    assert_eq!(children("ALARM(a) AND (OK(\"a b\") OR ALARM(a))"), ["a", "a b"]);
    let deep = format!("{}TRUE{}", "(".repeat(100), ")".repeat(100));
    for bad in [
        "",
        "ALARM",
        "ALARM()",
        "ALARM(a",
        "a",
        "ALARM(a) ALARM(b)",
        "NOT",
        "ALARM(\"a)",
        "TRUEX",
        "é",
        &deep,
    ] {
        assert!(check(bad).is_err(), "{bad}");
    }
}
