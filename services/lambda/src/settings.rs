//! Small settings of a function: recursion, runtime updates, and the code signing it has not.

use fogbank_core::{Cx, Op, Result, Value, map, ops};
use serde::Deserialize;

use crate::error::invalid;
use crate::function::{FUNCTIONS, QualifiedInput};
use crate::name::Target;
use crate::{Lambda, authz};

pub const OPS: &[Op<Lambda>] = ops![
    GetFunctionCodeSigningConfig => get_code_signing [authz::function],
    GetRuntimeManagementConfig => get_runtime_management [authz::function],
    PutRuntimeManagementConfig => put_runtime_management [authz::function],
    GetFunctionRecursionConfig => get_recursion [authz::function],
    PutFunctionRecursionConfig => put_recursion [authz::function],
];

/// How many items a page has.
#[must_use]
pub fn limit(max_items: Option<i64>, most: usize) -> usize {
    max_items.and_then(|n| usize::try_from(n).ok()).unwrap_or(most).clamp(1, most)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameInput {
    function_name: String,
}

/// A function without a configuration answers with its name alone.
///
/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionCodeSigningConfig.html>
async fn get_code_signing(lambda: &Lambda, cx: &Cx, input: NameInput) -> Result<Value> {
    let target = Target::parse(cx, &input.function_name, None)?;
    lambda.function(&target).await?;
    Ok(map! { "FunctionName" => target.name, "CodeSigningConfigArn" => "" })
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetRuntimeManagementConfig.html>
async fn get_runtime_management(lambda: &Lambda, cx: &Cx, input: QualifiedInput) -> Result<Value> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    let function = lambda.function(&target).await?;
    lambda.version_of(&target, &function).await?;
    let mode = function.runtime_updates.unwrap_or_else(|| "Auto".into());
    Ok(map! { "UpdateRuntimeOn" => mode, "FunctionArn" => target.arn() })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RuntimeInput {
    function_name: String,
    qualifier: Option<String>,
    update_runtime_on: String,
    runtime_version_arn: Option<String>,
}

/// The interpreter here is the machine's in any case; `Manual`, which pins one, is refused.
///
/// <https://docs.aws.amazon.com/lambda/latest/api/API_PutRuntimeManagementConfig.html>
async fn put_runtime_management(lambda: &Lambda, cx: &Cx, input: RuntimeInput) -> Result<Value> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    if input.update_runtime_on == "Manual" {
        return Err(cx.refuse_member("UpdateRuntimeOn Manual"));
    }
    if input.runtime_version_arn.is_some() {
        return Err(invalid(
            "RuntimeVersionArn is only allowed when UpdateRuntimeOn is set to Manual",
        ));
    }
    let (mut tx, mut function) = lambda.change(&target, &[]).await?;
    let mode = input.update_runtime_on;
    function.runtime_updates = Some(mode.clone()).filter(|m| m != "Auto");
    tx.put(&FUNCTIONS, &target.key(), &function);
    tx.commit().await?;
    Ok(map! { "UpdateRuntimeOn" => mode, "FunctionArn" => target.arn() })
}

fn recursion(allowed: bool) -> Value {
    map! { "RecursiveLoop" => if allowed { "Allow" } else { "Terminate" } }
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionRecursionConfig.html>
async fn get_recursion(lambda: &Lambda, cx: &Cx, input: NameInput) -> Result<Value> {
    let target = Target::whole(cx, &input.function_name)?;
    Ok(recursion(lambda.function(&target).await?.recursion_allowed))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecursionInput {
    function_name: String,
    recursive_loop: String,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionRecursionConfig.html>
async fn put_recursion(lambda: &Lambda, cx: &Cx, input: RecursionInput) -> Result<Value> {
    let target = Target::whole(cx, &input.function_name)?;
    let (mut tx, mut function) = lambda.change(&target, &[]).await?;
    function.recursion_allowed = input.recursive_loop == "Allow";
    tx.put(&FUNCTIONS, &target.key(), &function);
    tx.commit().await?;
    Ok(recursion(function.recursion_allowed))
}
