//! Changes of a function: its code, its settings.

use fogbank_core::{Cx, Result};
use serde::Deserialize;

use super::{FUNCTIONS, architecture, check_dead_letter, check_revision, check_settled};
use crate::config::input::Settings;
use crate::config::{Update, View};
use crate::error::invalid;
use crate::name::Target;
use crate::version::Version;
use crate::{Lambda, code, layer, ready, role};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CodeInput {
    function_name: String,
    architectures: Option<Vec<String>>,
    #[serde(default)]
    publish: bool,
    publish_to: Option<String>,
    #[serde(default)]
    dry_run: bool,
    revision_id: Option<String>,
    #[serde(flatten)]
    source: code::Source,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html>
pub async fn update_function_code(lambda: &Lambda, cx: &Cx, input: CodeInput) -> Result<View> {
    let target = Target::whole(cx, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(cx.refuse_member("PublishTo"));
    }
    let before = lambda.function(&target).await?;
    check_revision(input.revision_id.as_deref(), &before.latest.revision)?;
    check_settled(&target, &before.latest)?;
    let bytes = input.source.fetch(cx).await?;
    let mut planned = before.latest.clone();
    planned.code = lambda.describe_code(&bytes)?;
    layer::check_size(&planned)?;
    if input.dry_run {
        return Ok(View::latest(&target, &planned, before.tenancy));
    }
    let new = lambda.keep_code(bytes).await?;
    let (mut tx, mut function) = lambda.change(&target, &[]).await?;
    let settled = check_settled(&target, &function.latest)
        .and_then(|()| check_revision(input.revision_id.as_deref(), &function.latest.revision));
    if let Err(e) = settled {
        drop(tx);
        lambda.drop_code(&new).await;
        return Err(e);
    }
    let old = std::mem::replace(&mut function.latest.code, new);
    if input.architectures.is_some() {
        function.latest.architecture = architecture(input.architectures);
    }
    function.latest.update = Update::InProgress;
    function.latest.touch(cx);
    let orphan = !Version::any_uses(&mut tx, &target, &old).await?;
    let view = if input.publish {
        Version::publish(&mut tx, cx, &target, &mut function, None).view(&target, function.tenancy)
    } else {
        View::latest(&target, &function.latest, function.tenancy)
    };
    tx.put(&FUNCTIONS, &target.key(), &function);
    ready::put(&mut tx, cx, &target);
    tx.commit().await?;
    lambda.wake_ready();
    lambda.pools.retire(&before.latest.revision);
    if orphan {
        lambda.drop_code(&old).await;
    }
    Ok(view)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConfigurationInput {
    function_name: String,
    revision_id: Option<String>,
    #[serde(flatten)]
    settings: Settings,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html>
pub async fn update_function_configuration(
    lambda: &Lambda,
    cx: &Cx,
    input: ConfigurationInput,
) -> Result<View> {
    let target = Target::whole(cx, &input.function_name)?;
    let settings = input.settings;
    let before = lambda.function(&target).await?;
    settings.check(cx, before.tenancy)?;
    check_settled(&target, &before.latest)?;
    check_revision(input.revision_id.as_deref(), &before.latest.revision)?;
    if settings.handler.as_deref() == Some("") {
        return Err(invalid("Handler must not be empty."));
    }
    let role_arn = settings.role.as_deref().unwrap_or(&before.latest.role);
    if settings.role.is_some() {
        role::check(cx, &target, role_arn).await?;
    }
    if let Some(arn) = settings.dead_letter().filter(|a| !a.is_empty()) {
        check_dead_letter(cx, &target, role_arn, arn).await?;
    }
    let layers = match &settings.layers {
        Some(arns) => Some(layer::resolve(lambda, cx, arns).await?),
        None => None,
    };
    let (mut tx, mut function) = lambda.change(&target, &[]).await?;
    check_settled(&target, &function.latest)?;
    check_revision(input.revision_id.as_deref(), &function.latest.revision)?;
    settings.apply(&mut function.latest);
    if let Some(layers) = layers {
        function.latest.layers = layers;
        layer::check_size(&function.latest)?;
    }
    function.latest.update = Update::InProgress;
    function.latest.touch(cx);
    tx.put(&FUNCTIONS, &target.key(), &function);
    ready::put(&mut tx, cx, &target);
    tx.commit().await?;
    lambda.wake_ready();
    lambda.pools.retire(&before.latest.revision);
    Ok(View::latest(&target, &function.latest, function.tenancy))
}
