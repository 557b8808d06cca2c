//! What must be allowed: the action, the function's ARN, its policy and its condition keys.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html>

use std::sync::Arc;

use fogbank_core::{Check, Cx, Result, Str, Value};

use crate::function::FUNCTIONS;
use crate::name::Target;
use crate::{Lambda, permission};

/// `lambda:OPERATION` on the function that the input names, as it names it.
///
/// # Errors
/// What is wrong with the name.
pub async fn function(lambda: &Lambda, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    Ok(vec![on_function(lambda, cx, input, format!("lambda:{}", cx.operation).into()).await?])
}

/// As [`function()`], with another action than the operation's name.
///
/// # Errors
/// What is wrong with the name.
pub async fn on_function(lambda: &Lambda, cx: &Cx, input: &Value, action: Str) -> Result<Check> {
    let name = input.str("FunctionName").unwrap_or_default();
    let target = Target::parse(cx, name, input.str("Qualifier"))?;
    let mut check = of(lambda, &target, action).await?;
    if let Some(function) = lambda.store.get(&FUNCTIONS, &target.key()).await? {
        for (key, value) in function.tags {
            check.context.push((format!("aws:ResourceTag/{key}").into(), vec![value]));
        }
    }
    Ok(check)
}

/// A question about a function, with the policy that hangs on what is asked for.
///
/// # Errors
/// When the store fails.
pub async fn of(lambda: &Lambda, target: &Target, action: Str) -> Result<Check> {
    Ok(Check {
        resource_account: Some(target.account.clone()),
        resource_policy: permission::policy(&lambda.store, target).await?.map(Arc::from),
        ..Check::new(action, target.arn())
    })
}

/// As [`function()`], with the type of authentication that the request names.
///
/// # Errors
/// What is wrong with the name.
pub async fn function_url(lambda: &Lambda, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let mut checks = function(lambda, cx, input).await?;
    if let (Some(check), Some(auth)) = (checks.first_mut(), input.str("AuthType")) {
        check.context.push(("lambda:FunctionUrlAuthType".into(), vec![auth.to_owned()]));
    }
    Ok(checks)
}

/// `lambda:CreateFunction`, with the layers and tags of the request.
///
/// # Errors
/// What is wrong with the name.
pub async fn create_function(_: &Lambda, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let target = Target::whole(cx, input.str("FunctionName").unwrap_or_default())?;
    let mut check = Check::new("lambda:CreateFunction", target.arn());
    request_tags(&mut check, input);
    layers(&mut check, input);
    Ok(vec![check])
}

/// `lambda:UpdateFunctionConfiguration`, with the layers of the request.
///
/// # Errors
/// What is wrong with the name.
pub async fn update(lambda: &Lambda, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let mut checks = function(lambda, cx, input).await?;
    if let Some(check) = checks.first_mut() {
        layers(check, input);
    }
    Ok(checks)
}

fn layers(check: &mut Check, input: &Value) {
    let all = input.get("Layers").map(Value::items).unwrap_or_default();
    let all: Vec<String> = all.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if !all.is_empty() {
        check.context.push(("lambda:Layer".into(), all));
    }
}

/// `aws:RequestTag/KEY` and `aws:TagKeys`.
pub fn request_tags(check: &mut Check, input: &Value) {
    let Some(Value::Map(tags)) = input.get("Tags") else { return };
    for (key, value) in tags {
        let value = value.as_str().unwrap_or_default().to_owned();
        check.context.push((format!("aws:RequestTag/{key}").into(), vec![value]));
    }
    let keys = tags.iter().map(|(k, _)| k.clone().into_owned()).collect();
    check.context.push(("aws:TagKeys".into(), keys));
}

/// The resource of a tagging operation.
///
/// # Errors
/// None.
pub async fn tagged(_: &Lambda, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let arn = input.str("Resource").unwrap_or_default();
    let mut check = Check::new(format!("lambda:{}", cx.operation), arn);
    request_tags(&mut check, input);
    let keys = input.get("TagKeys").map(Value::items).unwrap_or_default();
    if !keys.is_empty() {
        let keys = keys.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        check.context.push(("aws:TagKeys".into(), keys));
    }
    Ok(vec![check])
}
