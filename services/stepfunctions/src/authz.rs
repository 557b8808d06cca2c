//! What must be allowed before an operation runs.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html>

use fogbank_core::{Check, Cx, Result, Value};

use crate::Sfn;
use crate::arn::{self, MachineArn};

type Checks = Result<Vec<Check>>;

fn check(cx: &Cx, resource: String) -> Check {
    let mut check = Check::new(format!("states:{}", cx.operation), resource);
    if let Some((_, account, _)) = arn::states(&check.resource) {
        check.resource_account = Some(account);
    }
    check
}

/// The resource whose ARN is the member `name`, whatever it is.
fn on(cx: &Cx, input: &Value, name: &str) -> Checks {
    Ok(vec![check(cx, input.str(name).unwrap_or("*").to_owned())])
}

/// CreateStateMachine, and the role that is passed.
pub async fn create_machine(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    let name = input.str("name").unwrap_or("*");
    let mut checks =
        vec![tagged(check(cx, cx.arn("states", &format!("stateMachine:{name}"))), input)];
    checks.extend(pass_role(input));
    Ok(checks)
}

pub async fn update_machine(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    let mut checks = on(cx, input, "stateMachineArn")?;
    checks.extend(pass_role(input));
    Ok(checks)
}

pub async fn machine(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    on(cx, input, "stateMachineArn")
}

/// On the machine of a version or alias; IAM knows the qualified ARN too.
pub async fn version(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    on(cx, input, "stateMachineVersionArn")
}

pub async fn alias(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    on(cx, input, "stateMachineAliasArn")
}

pub async fn create_alias(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    let routes = input.get("routingConfiguration").map(Value::items).unwrap_or_default();
    let version = routes.first().and_then(|r| r.str("stateMachineVersionArn")).unwrap_or("*");
    let resource = MachineArn::parse(version).map_or_else(|_| "*".to_owned(), |m| m.plain());
    Ok(vec![check(cx, resource)])
}

pub async fn execution(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    on(cx, input, "executionArn")
}

/// ListExecutions: of a machine, or of a Map run.
pub async fn list_executions(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    let name = if input.get("mapRunArn").is_some() { "mapRunArn" } else { "stateMachineArn" };
    on(cx, input, name)
}

pub async fn map_run(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    on(cx, input, "mapRunArn")
}

pub async fn create_activity(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    let name = input.str("name").unwrap_or("*");
    Ok(vec![tagged(check(cx, cx.arn("states", &format!("activity:{name}"))), input)])
}

pub async fn activity(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    on(cx, input, "activityArn")
}

pub async fn resource(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![tagged(check(cx, input.str("resourceArn").unwrap_or("*").to_owned()), input)])
}

/// TestState calls nothing without the role that it is given.
pub async fn test_state(_: &Sfn, cx: &Cx, input: &Value) -> Checks {
    let mut checks = vec![check(cx, "*".to_owned())];
    checks.extend(pass_role(input));
    Ok(checks)
}

fn pass_role(input: &Value) -> Option<Check> {
    let role = input.str("roleArn")?;
    Some(Check::new("iam:PassRole", role).with("iam:PassedToService", "states.amazonaws.com"))
}

fn tagged(mut check: Check, input: &Value) -> Check {
    let tags = input.get("tags").map(Value::items).unwrap_or_default();
    let mut keys = Vec::new();
    for tag in tags {
        if let (Some(k), v) = (tag.str("key"), tag.str("value").unwrap_or_default()) {
            keys.push(k.to_owned());
            check = check.with(format!("aws:RequestTag/{k}"), v);
        }
    }
    let removed = input.get("tagKeys").map(Value::items).unwrap_or_default();
    keys.extend(removed.iter().filter_map(Value::as_str).map(str::to_owned));
    if !keys.is_empty() {
        check.context.push(("aws:TagKeys".into(), keys));
    }
    check
}
