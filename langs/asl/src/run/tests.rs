//! Whole runs, written down and read back between any two moves.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::world::Still;

fn meta() -> Meta {
    Meta {
        execution: json!({"Id": "e", "Name": "n"}),
        state_machine: json!({"Id": "m"}),
        context: None,
        region: "us-east-1".into(),
        standard: true,
        recording: true,
        map_runs: "arn:aws:states:us-east-1:123456789012:mapRun:m/".into(),
        missing_activities: Vec::new(),
        token: Arc::new(|f, t| format!("{f}.{t}")),
    }
}

/// Runs a definition; each task answers with its arguments, or fails where they say so. The run is
/// written down and read back between any two moves.
fn run(definition: &Value, input: Value) -> (Outcome, Vec<Event>) {
    let definition = Definition::parse(&definition.to_string()).unwrap();
    let (meta, world): (_, Arc<dyn World + Send + Sync>) = (meta(), Arc::new(Still));
    let mut run = Run::new(&definition, 0, input.into(), None);
    let mut events = Vec::new();
    let mut waiting: Vec<Effect> = Vec::new();
    let mut begun = false;
    loop {
        let mut bytes = Vec::new();
        minicbor::encode(&run, &mut bytes).unwrap();
        run = minicbor::decode(&bytes).unwrap();
        let mut mover = Mover {
            run: &mut run,
            definition: &definition,
            meta: &meta,
            world: &world,
            moves: Moves::default(),
        };
        if !std::mem::replace(&mut begun, true) {
            mover.begin("{}", serde_json::Map::new());
        }
        match waiting.pop() {
            Some(Effect::Task { frame, ticket }) => {
                let f = mover.run.waiting(frame, ticket).unwrap().clone();
                let Phase::Task(call) = f.phase else { panic!("no task") };
                let answer = match call.arguments.get("fail").and_then(Value::as_str) {
                    Some(e) if f.retry_count < 1 => Err(Fault::plain(Some(e.into()), None)),
                    _ => Ok(Value::clone(&call.arguments)),
                };
                assert!(mover.signal(frame, ticket, Signal::Ended(answer.clone())));
                assert!(
                    !mover.signal(frame, ticket, Signal::Ended(answer)),
                    "a signal counts once"
                );
            }
            Some(Effect::Timer { frame, ticket, why, .. }) => {
                mover.signal(frame, ticket, Signal::Timer(why));
            }
            _ => {}
        }
        mover.advance(1);
        events.append(&mut mover.moves.events);
        waiting.append(&mut mover.moves.effects);
        if let Some(o) = &run.outcome {
            return (o.clone(), events);
        }
    }
}

fn output(definition: &Value, input: Value) -> Value {
    match run(definition, input).0 {
        Outcome::Succeeded(v) => Value::clone(&v),
        other => panic!("{other:?}"),
    }
}

fn kinds(events: &[Event]) -> String {
    let all: Vec<String> =
        events.iter().map(|e| format!("{}<{} {}", e.id, e.previous, e.kind)).collect();
    all.join("\n")
}

const TASK: &str = "arn:aws:states:::sqs:sendMessage";

#[test]
fn data_flows_through_a_json_path_state() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": TASK, "InputPath": "$.in", "Parameters": {"x.$": "$.a", "c": 1},
              "ResultSelector": {"y.$": "$.x"}, "ResultPath": "$.out", "OutputPath": "$", "Assign": {"v.$": "$.c"}, "Next": "B"},
        "B": {"Type": "Pass", "Parameters": {"v.$": "$v", "all.$": "$"}, "End": true},
    }});
    let input = json!({"in": {"a": [1]}});
    let want = json!({"v": 1, "all": {"in": {"a": [1]}, "out": {"y": [1]}}});
    assert_eq!(output(&definition, input), want);
}

#[test]
fn errors_are_retried_then_caught() {
    let task = |max: u64| {
        json!({"StartAt": "A", "States": {
            "A": {"Type": "Task", "Resource": TASK, "Parameters": {"fail": "E"}, "End": true,
                  "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": max}],
                  "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "B"}]},
            "B": {"Type": "Succeed"},
        }})
    };
    assert_eq!(output(&task(1), json!({})), json!({"fail": "E"}));
    assert_eq!(output(&task(0), json!({"k": 1})), json!({"k": 1, "e": {"Error": "E"}}));
}

#[test]
fn a_map_is_told_as_aws_tells_it() {
    let definition = json!({"StartAt": "M", "States": {"M": {
        "Type": "Map", "MaxConcurrency": 1, "End": true,
        "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}},
    }}});
    let (outcome, events) = run(&definition, json!([1, 2]));
    assert_eq!(outcome, Outcome::Succeeded(json!([1, 2]).into()));
    expect_test::expect![[r#"
        1<0 ExecutionStarted
        2<0 MapStateEntered
        3<2 MapStateStarted
        4<3 MapIterationStarted
        5<4 PassStateEntered
        6<5 PassStateExited
        7<6 MapIterationSucceeded
        8<6 MapIterationStarted
        9<8 PassStateEntered
        10<9 PassStateExited
        11<10 MapIterationSucceeded
        12<11 MapStateSucceeded
        13<11 MapStateExited
        14<13 ExecutionSucceeded"#]]
    .assert_eq(&kinds(&events));
}

#[test]
fn a_failing_branch_ends_the_others() {
    let definition = json!({"StartAt": "P", "States": {"P": {
        "Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 100, "End": true}}},
            {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "C"}}},
        ],
    }}});
    let (outcome, events) = run(&definition, json!({}));
    assert_eq!(outcome, Outcome::Failed(Some("E".into()), Some("C".into())));
    let last: Vec<&str> = events.iter().rev().take(2).map(|e| e.kind.as_str()).collect();
    assert_eq!(last, ["ExecutionFailed", "ParallelStateFailed"]);
}

#[test]
fn endless_machines_end_at_the_limit() {
    let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}});
    let Outcome::Failed(error, _) = run(&definition, json!({})).0 else { panic!("it failed not") };
    assert_eq!(error.as_deref(), Some("States.Runtime"));
}

#[test]
fn outputs_are_bounded() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Output": "{% $pad('x', 300000) %}", "End": true},
    }});
    let Outcome::Failed(error, _) = run(&definition, json!({})).0 else { panic!("it failed not") };
    assert_eq!(error.as_deref(), Some("States.DataLimitExceeded"));
}
