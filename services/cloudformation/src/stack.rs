//! Stacks: create, update, delete, and what steers operations under way.

use fogbank_core::{ApiError, Check, Cx, Op, Result, Value, ops};
use fogbank_store::Lock;
use serde::{Deserialize, Serialize};

use crate::CloudFormation;
use crate::engine::{self, event};
use crate::error::{no_such_stack, validation};
use crate::prepare::Given;
use crate::record::{CallerRecord, Model, NAMES, STACKS, StackRecord, name_key, unique};

pub const OPS: &[Op<CloudFormation>] = ops![
    CreateStack => create_stack [on_stack],
    UpdateStack => update_stack [on_stack],
    DeleteStack => delete_stack [on_stack],
    CancelUpdateStack => cancel_update_stack [on_stack],
    ContinueUpdateRollback => continue_update_rollback [on_stack],
    RollbackStack => rollback_stack [on_stack],
    UpdateTerminationProtection => update_termination_protection [on_stack],
];

/// The action on the stack that the request names, and the right to hand on its role.
pub async fn on_stack(cfn: &CloudFormation, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let name = input.str("StackName").unwrap_or("*");
    let arn = match cfn.find(cx, name).await? {
        Some(s) => s.id,
        None if name.starts_with("arn:") => name.to_owned(),
        None => cx.arn("cloudformation", &format!("stack/{name}/*")),
    };
    let mut check = Check::new(format!("cloudformation:{}", cx.operation), arn);
    for (member, key) in [
        ("TemplateURL", "cloudformation:TemplateUrl"),
        ("RoleARN", "cloudformation:RoleArn"),
        ("ChangeSetName", "cloudformation:ChangeSetName"),
    ] {
        if let Some(v) = input.str(member) {
            check = check.with(key, v);
        }
    }
    let mut checks = vec![check];
    if let Some(role) = input.str("RoleARN") {
        let pass = Check::new("iam:PassRole", role);
        checks.push(pass.with("iam:PassedToService", "cloudformation.amazonaws.com"));
    }
    Ok(checks)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateStackInput {
    stack_name: String,
    #[serde(flatten)]
    given: Given,
    disable_rollback: Option<bool>,
    on_failure: Option<String>,
    timeout_in_minutes: Option<i64>,
    stack_policy_body: Option<String>,
    enable_termination_protection: Option<bool>,
    client_request_token: Option<String>,
    retain_except_on_create: Option<bool>,
    #[serde(default)]
    rollback_configuration: Option<Value>,
    #[serde(default)]
    resource_types: Option<Vec<String>>,
    #[serde(rename = "StackPolicyURL")]
    stack_policy_url: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StackOutput {
    stack_id: String,
}

/// A stack that is about to be.
pub fn blank(cx: &Cx, name: &str) -> StackRecord {
    let id = cx.arn("cloudformation", &format!("stack/{name}/{}", cx.ids().uuid()));
    StackRecord {
        id,
        name: name.to_owned(),
        account: cx.account.clone(),
        region: cx.region.to_string(),
        status: String::new(),
        reason: None,
        created: cx.now.as_microsecond(),
        updated: None,
        deleted: None,
        model: Model::default(),
        previous: None,
        outputs: Vec::new(),
        on_failure: "ROLLBACK".into(),
        protected: false,
        parent: None,
        root: None,
        caller: CallerRecord::of(&cx.principal),
        token: None,
        policy: None,
        skip: Vec::new(),
        deadline: None,
        change_set: None,
        cancel: false,
    }
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>
async fn create_stack(
    cfn: &CloudFormation,
    cx: &Cx,
    input: CreateStackInput,
) -> Result<StackOutput> {
    if input.stack_policy_url.is_some() {
        return Err(cx.refuse_member("StackPolicyURL"));
    }
    if input.rollback_configuration.as_ref().is_some_and(|v| {
        !v.get("RollbackTriggers").map(Value::items).unwrap_or_default().is_empty()
    }) {
        return Err(cx.refuse_member("RollbackConfiguration"));
    }
    if input.resource_types.is_some() {
        return Err(cx.refuse_member("ResourceTypes"));
    }
    if input.retain_except_on_create == Some(true) {
        return Err(cx.refuse_member("RetainExceptOnCreate"));
    }
    if input.timeout_in_minutes.is_some() {
        cx.ignore_member("TimeoutInMinutes");
    }
    let name = &input.stack_name;
    let mut stack = blank(cx, name);
    stack.on_failure = match (input.disable_rollback, input.on_failure.as_deref()) {
        (Some(_), Some(_)) => {
            return Err(validation(
                "Either DisableRollback or OnFailure can be specified, not both.",
            ));
        }
        (Some(true), None) => "DO_NOTHING".into(),
        (_, Some(f)) => f.to_owned(),
        _ => "ROLLBACK".into(),
    };
    stack.protected = input.enable_termination_protection == Some(true);
    stack.token = input.client_request_token;
    stack.policy = input.stack_policy_body;
    stack.model = input.given.model(cx, &stack, None).await?;
    stack.status = "CREATE_IN_PROGRESS".into();

    let names = name_key(&cx.account, &cx.region, name);
    let key = stack.key();
    let locks = [Lock::exclusive(&NAMES, &names), Lock::exclusive(&STACKS, &key)];
    let mut tx = cfn.store.lock(&locks).await;
    if tx.get(&NAMES, &names).await?.is_some() {
        return Err(ApiError::new(
            "AlreadyExistsException",
            format!("Stack [{name}] already exists"),
        )
        .status(400));
    }
    tx.put(&NAMES, &names, &bytes::Bytes::from(stack.unique().to_owned()));
    tx.put(&STACKS, &key, &stack);
    let first = event(&stack, "CREATE_IN_PROGRESS", Some("User Initiated".into()));
    cfn.event(cx, &mut tx, stack.unique(), first);
    engine::enqueue(cx, &mut tx, &stack);
    tx.commit().await?;
    cfn.wake();
    Ok(StackOutput { stack_id: stack.id })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateStackInput {
    stack_name: String,
    #[serde(flatten)]
    given: Given,
    disable_rollback: Option<bool>,
    stack_policy_body: Option<String>,
    client_request_token: Option<String>,
    #[serde(rename = "StackPolicyURL")]
    stack_policy_url: Option<String>,
    stack_policy_during_update_body: Option<String>,
    #[serde(default)]
    resource_types: Option<Vec<String>>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html>
async fn update_stack(
    cfn: &CloudFormation,
    cx: &Cx,
    input: UpdateStackInput,
) -> Result<StackOutput> {
    if input.stack_policy_url.is_some() {
        return Err(cx.refuse_member("StackPolicyURL"));
    }
    if input.stack_policy_during_update_body.is_some() {
        return Err(cx.refuse_member("StackPolicyDuringUpdateBody"));
    }
    if input.resource_types.is_some() {
        return Err(cx.refuse_member("ResourceTypes"));
    }
    let stack = cfn.stack(cx, &input.stack_name).await?;
    may_update(&stack)?;
    let model = input.given.model(cx, &stack, Some(&stack.model)).await?;
    if model == stack.model {
        return Err(validation("No updates are to be performed."));
    }
    begin_update(cfn, cx, &stack, model, |s| {
        if let Some(policy) = input.stack_policy_body {
            s.policy = Some(policy);
        }
        s.on_failure =
            if input.disable_rollback == Some(true) { "DO_NOTHING" } else { "ROLLBACK" }.into();
        s.token = input.client_request_token;
    })
    .await?;
    Ok(StackOutput { stack_id: stack.id })
}

/// Whether a stack's state lets it be updated.
///
/// # Errors
/// `ValidationError` with the state.
pub fn may_update(s: &StackRecord) -> Result<()> {
    match s.status.as_str() {
        "CREATE_COMPLETE"
        | "UPDATE_COMPLETE"
        | "UPDATE_ROLLBACK_COMPLETE"
        | "IMPORT_COMPLETE"
        | "UPDATE_FAILED" => Ok(()),
        "DELETE_COMPLETE" => Err(no_such_stack(&s.name)),
        status => {
            Err(validation(format!("Stack:{} is in {status} state and can not be updated.", s.id)))
        }
    }
}

/// Sets a stack on its way to another model.
///
/// # Errors
/// Somebody else was faster.
pub async fn begin_update(
    cfn: &CloudFormation,
    cx: &Cx,
    stack: &StackRecord,
    model: Model,
    edit: impl FnOnce(&mut StackRecord),
) -> Result<()> {
    cfn.edit(&stack.key(), |s, tx| {
        may_update(s)?;
        // After a failed update that was left as it is, the way back is to the one before.
        let before = if s.status == "UPDATE_FAILED" { s.previous.take() } else { None };
        s.previous = Some(before.unwrap_or_else(|| s.model.clone()));
        s.model = model;
        s.status = "UPDATE_IN_PROGRESS".into();
        s.reason = Some("User Initiated".into());
        s.updated = Some(cx.now.as_microsecond());
        s.caller = CallerRecord::of(&cx.principal);
        s.skip.clear();
        edit(s);
        let first = event(s, "UPDATE_IN_PROGRESS", Some("User Initiated".into()));
        cfn.event(cx, tx, s.unique(), first);
        engine::enqueue(cx, tx, s);
        Ok(())
    })
    .await?;
    cfn.wake();
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteStackInput {
    stack_name: String,
    #[serde(default)]
    retain_resources: Vec<String>,
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
    client_request_token: Option<String>,
    deletion_mode: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html>
async fn delete_stack(cfn: &CloudFormation, cx: &Cx, input: DeleteStackInput) -> Result<()> {
    // A stack that is not there is deleted.
    let Some(stack) = cfn.find(cx, &input.stack_name).await? else { return Ok(()) };
    if !stack.is_live() || stack.status == "DELETE_IN_PROGRESS" {
        return Ok(());
    }
    if input.deletion_mode.as_deref() == Some("FORCE_DELETE_STACK")
        && stack.status != "DELETE_FAILED"
    {
        return Err(validation(
            "Invalid operation on stack. FORCE_DELETE_STACK is only allowed for stacks in DELETE_FAILED state.",
        ));
    }
    if stack.protected {
        return Err(validation(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        )));
    }
    if !input.retain_resources.is_empty() && stack.status != "DELETE_FAILED" {
        return Err(validation(format!(
            "Invalid operation on stack [{}]. RetainResources can only be specified for stacks in DELETE_FAILED state.",
            stack.id
        )));
    }
    for export in stack.outputs.iter().filter_map(|o| o.export.as_ref()) {
        if let Some(by) = crate::engine::importers(cfn, &stack, export).await?.first() {
            return Err(validation(format!(
                "Cannot delete export {export} as it is in use by {by}."
            )));
        }
    }
    let mut skip = input.retain_resources;
    if input.deletion_mode.as_deref() == Some("FORCE_DELETE_STACK") {
        let failed = cfn.resources(stack.unique()).await?;
        skip.extend(
            failed.into_iter().filter(|r| r.status == "DELETE_FAILED").map(|r| r.logical_id),
        );
    }
    cfn.edit(&stack.key(), |s, tx| {
        if s.in_progress() && s.status != "CREATE_IN_PROGRESS" {
            return Err(validation(format!(
                "Stack [{}] cannot be deleted while in status {}",
                s.name, s.status
            )));
        }
        s.status = "DELETE_IN_PROGRESS".into();
        s.reason = Some("User Initiated".into());
        s.caller = CallerRecord::of(&cx.principal);
        s.skip = skip;
        s.token = input.client_request_token;
        if input.role_arn.is_some() {
            s.model.role = input.role_arn;
        }
        let first = event(s, "DELETE_IN_PROGRESS", Some("User Initiated".into()));
        cfn.event(cx, tx, s.unique(), first);
        engine::enqueue(cx, tx, s);
        Ok(())
    })
    .await?;
    cfn.wake();
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NamedInput {
    stack_name: String,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html>
async fn cancel_update_stack(cfn: &CloudFormation, cx: &Cx, input: NamedInput) -> Result<()> {
    let stack = cfn.stack(cx, &input.stack_name).await?;
    cfn.edit(&stack.key(), |s, _| {
        if s.status != "UPDATE_IN_PROGRESS" {
            return Err(validation(
                "CancelUpdateStack cannot be called from current stack status".to_owned(),
            ));
        }
        s.cancel = true;
        Ok(())
    })
    .await?;
    cfn.progress.news.notify_waiters();
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContinueInput {
    stack_name: String,
    #[serde(default)]
    resources_to_skip: Vec<String>,
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
}

#[derive(Serialize)]
struct Empty {}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html>
async fn continue_update_rollback(
    cfn: &CloudFormation,
    cx: &Cx,
    input: ContinueInput,
) -> Result<Empty> {
    let stack = cfn.stack(cx, &input.stack_name).await?;
    for name in &input.resources_to_skip {
        let r = cfn.resource(stack.unique(), name).await?;
        if r.is_none_or(|r| r.status != "UPDATE_FAILED") {
            return Err(validation(format!(
                "Resources [{name}] to skip must be in UPDATE_FAILED state."
            )));
        }
    }
    restart(cfn, cx, &stack, &["UPDATE_ROLLBACK_FAILED"], "UPDATE_ROLLBACK_IN_PROGRESS", |s| {
        s.skip = input.resources_to_skip;
        if input.role_arn.is_some() {
            s.model.role = input.role_arn;
        }
    })
    .await?;
    Ok(Empty {})
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html>
async fn rollback_stack(
    cfn: &CloudFormation,
    cx: &Cx,
    input: ContinueInput,
) -> Result<StackOutput> {
    let stack = cfn.stack(cx, &input.stack_name).await?;
    let to = if stack.status == "CREATE_FAILED" {
        "ROLLBACK_IN_PROGRESS"
    } else {
        "UPDATE_ROLLBACK_IN_PROGRESS"
    };
    restart(cfn, cx, &stack, &["CREATE_FAILED", "UPDATE_FAILED"], to, |s| {
        s.on_failure = "ROLLBACK".into();
    })
    .await?;
    Ok(StackOutput { stack_id: stack.id })
}

async fn restart(
    cfn: &CloudFormation,
    cx: &Cx,
    stack: &StackRecord,
    from: &[&str],
    to: &'static str,
    edit: impl FnOnce(&mut StackRecord),
) -> Result<()> {
    cfn.edit(&stack.key(), |s, tx| {
        if !from.contains(&s.status.as_str()) {
            return Err(validation(format!(
                "Stack:{} is in {} state and can not be rolled back.",
                s.id, s.status
            )));
        }
        s.status = to.into();
        s.reason = Some("User Initiated".into());
        s.caller = CallerRecord::of(&cx.principal);
        edit(s);
        cfn.event(cx, tx, s.unique(), event(s, to, Some("User Initiated".into())));
        engine::enqueue(cx, tx, s);
        Ok(())
    })
    .await?;
    cfn.wake();
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProtectionInput {
    stack_name: String,
    enable_termination_protection: bool,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateTerminationProtection.html>
async fn update_termination_protection(
    cfn: &CloudFormation,
    cx: &Cx,
    input: ProtectionInput,
) -> Result<StackOutput> {
    let stack = cfn.stack(cx, &input.stack_name).await?;
    if stack.root.is_some() {
        return Err(validation("Termination Protection cannot be set on nested stacks."));
    }
    cfn.edit(&stack.key(), |s, _| {
        s.protected = input.enable_termination_protection;
        Ok(())
    })
    .await?;
    Ok(StackOutput { stack_id: stack.id })
}

impl CloudFormation {
    /// Makes a stack the child of another.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn adopt(&self, cx: &Cx, id: &str, parent: &str) -> Result<()> {
        let above = self.stack(cx, parent).await?;
        let root = above.root.clone().unwrap_or_else(|| parent.to_owned());
        let key = crate::record::stack_key(&cx.account, &cx.region, unique(id));
        self.edit(&key, |s, _| {
            s.parent = Some(parent.to_owned());
            s.root = Some(root);
            Ok(())
        })
        .await
    }
}
