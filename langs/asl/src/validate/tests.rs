//! Definitions that are wrong, each in a way of its own.

use expect_test::{Expect, expect};

use super::*;

fn check(text: &str, express: bool, want: &Expect) {
    let found = super::check(text, Options { express });
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    want.assert_eq(&lines.join("\n"));
}

fn pass(rest: &str) -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Pass", "End": true{rest}}}}}}}"#)
}

#[test]
fn what_is_missing_is_named() {
    check(
        "{}",
        false,
        &expect!["SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /"],
    );
    check(
        r#"{"States": {"A": {"Type": "Pass", "Next": "B"}}}"#,
        false,
        &expect![[r#"
            SCHEMA_VALIDATION_FAILED: These fields are required: [StartAt] at /
            MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next"#]],
    );
    check("[]", false, &expect!["SCHEMA_VALIDATION_FAILED: Value is not of type object at /"]);
}

#[test]
fn what_is_no_json_is_located() {
    check(
        "not a definition",
        false,
        &expect![[r#"
            INVALID_JSON_DESCRIPTION: Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
             at [Source: (String)"not a definition"; line: 1, column: 4] at [Source: (String)"not a definition"; line: 1, column: 4]"#]],
    );
    assert_eq!(super::check("{\"a\": 1, \"a\": 2}", Options::default())[0].code, NO_JSON);
    assert_eq!(super::check(&"[".repeat(100_000), Options::default())[0].code, NO_JSON);
}

#[test]
fn fields_are_checked() {
    for bad in [
        r#", "InputPath": "x""#,
        r#", "ResultPath": "$..a""#,
        r#", "ResultPath": "$v""#,
        r#", "Output": 1"#,
        r#", "Parameters": {"a.$": "b"}"#,
        r#", "Parameters": {"a.$": "$.b", "a": 1}"#,
        r#", "Parameters": {"a.$": "States.MathAdd(1, 'x')"}"#,
        r#", "Assign": {"1a": 1}"#,
        r#", "Assign": {"states": 1}"#,
        r#", "Nope": 1"#,
        r#", "QueryLanguage": "JSONata", "Output": "{% 1 + %}""#,
        r#", "QueryLanguage": "JSONata", "Output": "{% 1""#,
        r#", "QueryLanguage": "JSONata", "InputPath": "$""#,
        r#", "QueryLanguage": "XPath""#,
    ] {
        assert!(!super::check(&pass(bad), Options::default()).is_empty(), "{bad}");
    }
    assert_eq!(super::check(&pass(""), Options::default()), []);
}

#[test]
fn express_machines_do_less() {
    let task = |resource: &str| {
        format!(
            r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Task", "Resource": "{resource}", "End": true}}}}}}"#
        )
    };
    check(
        &task("arn:aws:states:::states:startExecution.sync"),
        true,
        &expect![
            "SCHEMA_VALIDATION_FAILED: Express state machine does not support '.sync' service integration at /States/A/Resource"
        ],
    );
    check(&task("arn:aws:states:::states:startExecution.sync"), false, &expect![""]);
}

#[test]
fn ways_are_followed() {
    check(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}, "C": {"Type": "Succeed"}}}"#,
        false,
        &expect![[r#"
            MISSING_TRANSITION_TARGET: State "C" is not reachable. at /States/C
            MISSING_END_STATE: No terminal state found at /States"#]],
    );
}

#[test]
fn deep_definitions_are_refused() {
    let mut text = r#"{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}"#.to_owned();
    for i in 0..40 {
        text = format!(
            r#"{{"StartAt": "P{i}", "States": {{"P{i}": {{"Type": "Parallel", "End": true, "Branches": [{text}]}}}}}}"#
        );
    }
    assert!(!super::check(&text, Options::default()).is_empty());
    assert!(crate::Definition::parse(&text).is_err());
}
