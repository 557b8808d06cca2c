//! ValidateStateMachineDefinition.

use fogbank_asl::validate::{Options, check};
use fogbank_core::{Check, Cx, Op, Result, Value, ops};
use serde::{Deserialize, Serialize};

use crate::Sfn;

pub const OPS: &[Op<Sfn>] = ops![
    ValidateStateMachineDefinition => validate_state_machine_definition [anywhere],
];

async fn anywhere(_: &Sfn, cx: &Cx, _: &Value) -> Result<Vec<Check>> {
    Ok(vec![Check::new(
        "states:ValidateStateMachineDefinition",
        cx.arn("states", "stateMachine:*"),
    )])
}

/// How many diagnostics AWS shows at most.
const MOST: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValidateInput {
    definition: String,
    r#type: Option<String>,
    severity: Option<String>,
    max_results: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Diagnostic {
    severity: &'static str,
    code: &'static str,
    message: String,
    location: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ValidateOutput {
    result: &'static str,
    diagnostics: Vec<Diagnostic>,
    truncated: bool,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html>
async fn validate_state_machine_definition(
    _: &Sfn,
    _: &Cx,
    input: ValidateInput,
) -> Result<ValidateOutput> {
    let express = input.r#type.as_deref() == Some("EXPRESS");
    let mut found = check(&input.definition, Options { express });
    let failed = found.iter().any(|d| !d.warning);
    if input.severity.as_deref() != Some("WARNING") {
        found.retain(|d| !d.warning);
    }
    let most = input.max_results.filter(|n| *n > 0).unwrap_or(MOST).min(MOST);
    let truncated = found.len() > most;
    found.truncate(most);
    let shown = |d: fogbank_asl::validate::Diagnostic| Diagnostic {
        severity: if d.warning { "WARNING" } else { "ERROR" },
        code: d.code,
        message: d.message,
        location: d.location,
    };
    Ok(ValidateOutput {
        result: if failed { "FAIL" } else { "OK" },
        diagnostics: found.into_iter().map(shown).collect(),
        truncated,
    })
}
