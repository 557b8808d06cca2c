//! TestState: a state by itself, with a mocked result or a real call.

use std::sync::Arc;

use fogbank_asl::definition::{Kind, State};
use fogbank_asl::inspect::{Inspection, Status, Subject, state_context};
use fogbank_asl::run::{Call, time};
use fogbank_asl::validate::{self, Options};
use fogbank_asl::{Definition, Fault, Json, Meta, Signal};
use fogbank_core::{ApiError, Cx, Op, Result, Value, ops};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as JsonValue, json};

use crate::definitions::invalid;
use crate::error::validation;
use crate::role::Caller;
use crate::start::invalid_input;
use crate::world::world;
use crate::{Sfn, authz, task};

pub const OPS: &[Op<Sfn>] = ops![
    TestState => test_state [authz::test_state],
];

/// What a state is called when only the state is given.
const NAME: &str = "StateName";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestInput {
    definition: String,
    role_arn: Option<String>,
    input: Option<String>,
    inspection_level: Option<String>,
    reveal_secrets: Option<bool>,
    variables: Option<String>,
    state_name: Option<String>,
    mock: Option<Mock>,
    context: Option<String>,
    #[serde(default)]
    state_configuration: Configuration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mock {
    result: Option<String>,
    error_output: Option<ErrorOutput>,
    field_validation_mode: Option<String>,
}

#[derive(Deserialize)]
struct ErrorOutput {
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Configuration {
    retrier_retry_count: Option<u32>,
    error_caused_by_state: Option<String>,
    map_iteration_failure_count: Option<usize>,
    map_item_reader_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TestOutput {
    output: Option<String>,
    error: Option<String>,
    cause: Option<String>,
    inspection_data: Option<Value>,
    next_state: Option<String>,
    status: &'static str,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html>
async fn test_state(sfn: &Sfn, cx: &Cx, input: TestInput) -> Result<TestOutput> {
    let definition = definition(&input)?;
    let wanted = input.state_name.as_deref().unwrap_or(NAME);
    let found = definition.find(wanted);
    let (scope, state) = found.ok_or_else(|| validation("State not found in definition"))?;
    let text = input.input.clone().unwrap_or_else(|| "{}".to_owned());
    let value: JsonValue = serde_json::from_str(&text).map_err(|e| invalid_input(&text, &e))?;
    check_mock(&input, state)?;
    let meta = meta(sfn, cx, &input, state, &value)?;
    let world = world(&cx.cloud);
    let subject = Subject {
        definition: &definition,
        scope,
        state,
        input: value.into(),
        variables: variables(input.variables.as_deref())?,
        meta: &meta,
        world: &world,
        retried: input.state_configuration.retrier_retry_count.unwrap_or(0),
        reader_items: reader_items(&input)?,
    };
    let inspection = match &state.kind {
        Kind::Task(_) | Kind::Parallel(_) | Kind::Map(_) => {
            called(sfn, cx, &input, &subject).await?
        }
        _ => subject.plain(),
    };
    let level = input.inspection_level.as_deref().unwrap_or("INFO");
    if level == "TRACE" && input.reveal_secrets == Some(true) {
        cx.ignore_member("revealSecrets");
    }
    Ok(answer(&inspection, level))
}

fn definition(input: &TestInput) -> Result<Definition> {
    let text = &input.definition;
    let parsed = validate::parse(text).map_err(|d| invalid(&d.to_string()))?;
    let whole = if input.state_name.is_some() {
        parsed
    } else {
        // Where a state leads is not checked: there is nowhere to go.
        json!({"StartAt": NAME, "States": {NAME: parsed}})
    };
    let mut found = validate::check_value(&whole, Options::default());
    if input.state_name.is_none() {
        found.retain(|d| d.code == validate::SCHEMA);
    }
    if !found.is_empty() {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        return Err(invalid(&lines.join(", ")));
    }
    Definition::parse(&whole.to_string()).map_err(|why| invalid(&why))
}

fn check_mock(input: &TestInput, state: &State) -> Result<()> {
    let kind = state.kind.name();
    let many = matches!(state.kind, Kind::Parallel(_) | Kind::Map(_));
    let Some(mock) = &input.mock else {
        if many {
            return Err(ApiError::new(
                "InvalidDefinition",
                "TestState API does not support Map or Parallel states. Supported state types \
                 include: [Task, Wait, Pass, Succeed, Fail, Choice]",
            ));
        }
        if matches!(state.kind, Kind::Task(_)) && input.role_arn.is_none() {
            return Err(validation("RoleArn must be specified when testing a Task state"));
        }
        return Ok(());
    };
    if !many && !matches!(state.kind, Kind::Task(_)) {
        let message = format!("State type '{kind}' is not supported when a mock is specified");
        return Err(validation(message));
    }
    match (&mock.result, &mock.error_output) {
        (Some(_), Some(_)) => Err(validation("Only one of result and errorOutput may be mocked")),
        (None, None) => Err(validation("A mock has a result or an errorOutput")),
        _ => Ok(()),
    }
}

/// The context object, checked if it was given.
fn meta(sfn: &Sfn, cx: &Cx, input: &TestInput, state: &State, value: &JsonValue) -> Result<Meta> {
    let context = match &input.context {
        Some(text) => Some(given_context(text)?),
        None => None,
    };
    let (machine, name) = (cx.ids().uuid(), cx.ids().uuid());
    let now = time(cx.now.as_microsecond());
    let mut execution = json!({
        "Id": cx.arn("states", &format!("express:{machine}:{name}")),
        "Input": value,
        "Name": name,
        "StartTime": now,
    });
    if let Some(role) = &input.role_arn {
        execution["RoleArn"] = role.clone().into();
    }
    let state_machine =
        json!({"Id": cx.arn("states", &format!("stateMachine:{machine}")), "Name": machine});
    let retried = input.state_configuration.retrier_retry_count.unwrap_or(0);
    let context = context.unwrap_or_else(|| {
        let mut c = json!({"Execution": execution, "StateMachine": state_machine});
        c["State"] = state_context(&state.name, &now, retried);
        c
    });
    let _ = sfn;
    Ok(Meta {
        execution,
        state_machine,
        context: Some(context),
        region: cx.region.to_string(),
        standard: false,
        recording: false,
        map_runs: cx.arn("states", &format!("mapRun:{machine}/")),
        missing_activities: Vec::new(),
        token: Arc::new(|_, _| String::new()),
    })
}

/// A context object as a test gives it: only what a test may give, of the right types.
fn given_context(text: &str) -> Result<JsonValue> {
    let bad = |why: &str| validation(format!("Invalid Context object provided: {why}"));
    let v: JsonValue = serde_json::from_str(text).map_err(|_| bad("must be valid JSON"))?;
    let Some(o) = v.as_object() else { return Err(bad("must be a JSON object")) };
    let fields: [(&str, &[(&str, &str)]); 4] = [
        (
            "Execution",
            &[
                ("Id", "string"),
                ("Input", ""),
                ("Name", "string"),
                ("RoleArn", "string"),
                ("StartTime", "string"),
                ("RedriveCount", "number"),
            ],
        ),
        ("State", &[("EnteredTime", "string"), ("Name", "string"), ("RetryCount", "number")]),
        ("StateMachine", &[("Id", "string"), ("Name", "string")]),
        ("Task", &[("Token", "string")]),
    ];
    for (name, part) in o {
        let Some((_, allowed)) = fields.iter().find(|(n, _)| n == name) else {
            return Err(bad(&format!(
                "'{name}' field is not supported when mocking a Context object"
            )));
        };
        let Some(part) = part.as_object() else {
            return Err(bad(&format!("{name} must be an object")));
        };
        for (field, v) in part {
            let Some((_, kind)) = allowed.iter().find(|(n, _)| n == field) else {
                return Err(bad(&format!(
                    "'{name}.{field}' field is not supported when mocking a Context object"
                )));
            };
            let fits = match *kind {
                "string" => v.is_string(),
                "number" => v.is_number(),
                _ => true,
            };
            if !fits {
                return Err(bad(&format!("{name}.{field} must be a {kind}")));
            }
        }
    }
    Ok(v)
}

fn variables(text: Option<&str>) -> Result<Vec<(String, Json)>> {
    let Some(text) = text else { return Ok(Vec::new()) };
    match serde_json::from_str(text) {
        Ok(JsonValue::Object(o)) => Ok(o.into_iter().map(|(k, v)| (k, v.into())).collect()),
        _ => Err(validation("Variables must be a JSON object")),
    }
}

fn reader_items(input: &TestInput) -> Result<Option<Vec<JsonValue>>> {
    let Some(text) = &input.state_configuration.map_item_reader_data else { return Ok(None) };
    match serde_json::from_str(text) {
        Ok(JsonValue::Array(a)) => Ok(Some(a)),
        Ok(JsonValue::Object(o)) => {
            Ok(Some(o.into_iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect()))
        }
        _ => Err(validation("Map item reader data must be a JSON array or object")),
    }
}

/// A state that calls something: mocked, or really.
async fn called(sfn: &Sfn, cx: &Cx, input: &TestInput, s: &Subject<'_>) -> Result<Inspection> {
    let prepared = match s.prepare() {
        Ok(p) => p,
        Err(i) => return Ok(*i),
    };
    if let Some(n) = input.state_configuration.map_iteration_failure_count
        && matches!(s.state.kind, Kind::Map(_))
        && n > prepared.iterations()
    {
        return Err(validation(
            "Map iteration failure count must be less than or equal to the number of Map iterations",
        ));
    }
    if let Some(name) = &input.state_configuration.error_caused_by_state
        && s.definition.find(name).is_none()
    {
        return Err(validation("The state in errorCausedByState was not found in the definition"));
    }
    let Some(mock) = &input.mock else {
        let fault = match really(sfn, cx, input, s, &prepared.arguments).await? {
            Ok(v) => return Ok(prepared.succeeded(v)),
            Err(fault) => fault,
        };
        return Ok(prepared.failed(&fault));
    };
    if let Some(e) = &mock.error_output {
        return Ok(prepared.failed(&Fault::plain(e.error.clone(), e.cause.clone())));
    }
    let text = mock.result.as_deref().unwrap_or_default();
    let result: JsonValue =
        serde_json::from_str(text).map_err(|_| validation("Mocked result must be valid JSON"))?;
    match &s.state.kind {
        Kind::Parallel(branches) => match &result {
            JsonValue::Array(a) if a.len() == branches.len() => {}
            JsonValue::Array(_) => {
                return Err(validation(
                    "Mocked result must contain the same number of items as number of Parallel \
                     branches.",
                ));
            }
            _ => return Err(validation("Mocked result must be an array.")),
        },
        Kind::Map(m) => {
            let writes = m.distributed.as_ref().is_some_and(|d| d.writer.is_some());
            if !writes && !result.is_array() {
                return Err(validation("Mocked result must be an array."));
            }
        }
        Kind::Task(t) => {
            let mode = mock.field_validation_mode.as_deref().unwrap_or("STRICT");
            if mode != "NONE"
                && let Some(flaw) = task::flaw(sfn, t, &result, mode == "STRICT")
            {
                return Err(validation(format!("Mock result schema validation error: {flaw}")));
            }
        }
        _ => {}
    }
    Ok(prepared.succeeded(result))
}

/// Calls what the task calls, in the role.
async fn really(
    sfn: &Sfn,
    cx: &Cx,
    input: &TestInput,
    s: &Subject<'_>,
    arguments: &JsonValue,
) -> Result<std::result::Result<JsonValue, Fault>> {
    let Kind::Task(t) = &s.state.kind else { return Ok(Ok(JsonValue::Null)) };
    let machine = cx.arn("states", "stateMachine:TestState");
    let caller = Caller {
        cloud: Arc::clone(&cx.cloud),
        account: cx.account.clone(),
        region: cx.region.to_string(),
        machine_arn: machine,
        role: input.role_arn.clone().unwrap_or_default(),
        session: "TestState".to_owned(),
    };
    let call = Call {
        arguments: arguments.clone().into(),
        role: None,
        started: false,
        submitted: false,
        heartbeat: None,
        beat: 0,
        timeout: None,
    };
    let execution = cx.arn("states", "execution:TestState:test");
    let asked = task::Asked {
        caller: &caller,
        task: t,
        call: &call,
        execution: &execution,
        trace: None,
        unique: cx.ids().uuid(),
    };
    let did = task::perform(sfn, &asked).await;
    for signal in did.signals {
        match signal {
            Signal::Ended(r) => return Ok(r),
            Signal::Submitted(v) => return Ok(Ok(v)),
            _ => {}
        }
    }
    Err(ApiError::new("InvalidDefinition", "TestState does not support activities"))
}

fn answer(i: &Inspection, level: &str) -> TestOutput {
    let mut data: Vec<(fogbank_core::Str, Value)> = Vec::new();
    for (name, text) in &i.steps {
        data.push(((*name).into(), Value::from(text.as_str())));
    }
    if let Some(n) = i.max_concurrency {
        data.push(("maxConcurrency".into(), Value::Int(n.cast_signed())));
    }
    if let Some(n) = i.tolerated_count {
        data.push(("toleratedFailureCount".into(), Value::Int(n.cast_signed())));
    }
    if let Some(p) = i.tolerated_percentage {
        data.push(("toleratedFailurePercentage".into(), Value::Float(p)));
    }
    if !i.variables.is_empty() {
        let all: Map<String, JsonValue> =
            i.variables.iter().map(|(k, v)| (k.clone(), JsonValue::clone(v))).collect();
        data.push(("variables".into(), Value::from(JsonValue::Object(all).to_string())));
    }
    let index = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let mut details: Vec<(fogbank_core::Str, Value)> = Vec::new();
    if let Some(n) = i.catch_index {
        details.push(("catchIndex".into(), index(n)));
    }
    if let Some(n) = i.retry_index {
        details.push(("retryIndex".into(), index(n)));
    }
    if let Some(s) = i.retry_seconds {
        details.push(("retryBackoffIntervalSeconds".into(), Value::Int(s as i64)));
    }
    if !details.is_empty() {
        data.push(("errorDetails".into(), Value::Map(details)));
    }
    TestOutput {
        output: i.output.as_ref().map(ToString::to_string),
        error: i.error.clone(),
        cause: i.cause.clone(),
        inspection_data: (level != "INFO").then_some(Value::Map(data)),
        next_state: i.next.clone(),
        status: match i.status {
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::Retriable => "RETRIABLE",
            Status::CaughtError => "CAUGHT_ERROR",
        },
    }
}
