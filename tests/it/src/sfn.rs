//! Workflows: kill -9 while they run (each goes on where it was, and takes every transition once),
//! and a Terraform project.

use anyhow::{Context, Result, ensure};
use fogbank_testkit::cloud::Options;
use fogbank_testkit::http::{Connection, Request};
use serde_json::{Value, json};

const EXECUTIONS: usize = 40;
const ROUNDS: usize = 3;

#[test]
fn kill9_repeats_no_transition() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let options = Options::durable(folder.path());
    let mut cloud = options.start()?;
    let mut to = cloud.connect()?;
    let states: serde_json::Map<String, Value> = (0..4)
        .flat_map(|i| {
            let wait = json!({"Type": "Wait", "Seconds": 1, "Next": format!("P{i}")});
            let mut pass = json!({"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}});
            match i {
                3 => pass["End"] = true.into(),
                i => pass["Next"] = format!("W{}", i + 1).into(),
            }
            [(format!("W{i}"), wait), (format!("P{i}"), pass)]
        })
        .collect();
    let definition = json!({"StartAt": "W0", "States": states}).to_string();
    let role = "arn:aws:iam::000000000000:role/any";
    let input = json!({"name": "m", "definition": definition, "roleArn": role});
    let machine = call(&mut to, "CreateStateMachine", &input)?["stateMachineArn"].clone();
    let mut executions = Vec::new();
    for i in 0..EXECUTIONS {
        let input =
            json!({"stateMachineArn": machine, "name": format!("e{i}"), "input": "{\"n\": 0}"});
        executions.push(call(&mut to, "StartExecution", &input)?["executionArn"].clone());
    }
    for round in 0..ROUNDS {
        // Waits fall due all the time; the process dies in the middle of one or another.
        cloud.kill()?;
        cloud = options.start().with_context(|| format!("round {round}: restart"))?;
    }
    let mut to = cloud.connect()?;
    for arn in &executions {
        let describe = json!({ "executionArn": arn });
        let mut e = call(&mut to, "DescribeExecution", &describe)?;
        for _ in 0..100_000 {
            if e["status"] != "RUNNING" {
                break;
            }
            e = call(&mut to, "DescribeExecution", &describe)?;
        }
        ensure!(e["status"] == "SUCCEEDED" && e["output"] == "{\"n\":4}", "{arn}: {e}");
        let input = json!({"executionArn": arn, "maxResults": 1000});
        let history = call(&mut to, "GetExecutionHistory", &input)?;
        let ids: Vec<u64> = history["events"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|e| e["id"].as_u64())
            .collect();
        let wanted: Vec<u64> = (1..=18).collect();
        ensure!(ids == wanted, "{arn}: events {ids:?}");
    }
    Ok(())
}

fn call(to: &mut Connection, operation: &str, input: &Value) -> Result<Value> {
    let body = input.to_string();
    let target = format!("AWSStepFunctions.{operation}");
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", &target)];
    let request = Request {
        method: "POST",
        target: "/",
        headers: &headers,
        body: body.as_bytes(),
        service: "states",
        key: ("test", "test"),
    };
    let answer = to.send(&request)?;
    ensure!(answer.status == 200, "{operation}: {} {}", answer.status, answer.text());
    Ok(serde_json::from_slice(&answer.body)?)
}

#[test]
fn step_functions_by_terraform() -> Result<()> {
    let changes = [("\"first\"", "\"second\""), ("{ team = \"orders\" }", "{ team = \"shop\" }")];
    crate::terraform::cycle("tests/terraform/stepfunctions", &changes).map(drop)
}
