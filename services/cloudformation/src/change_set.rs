//! Change sets: what an update would do, looked at before it is done.

use fogbank_cfn::{Eval, Template, graph};
use fogbank_core::{ApiError, Cx, Op, Result, Time, Value, ops};
use fogbank_store::{Key, Lock, Range};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::CloudFormation;
use crate::describe::{ShownParameter, parameters, tags};
use crate::engine::{self, event};
use crate::error::{template as fault, validation};
use crate::kinds;
use crate::maker::from_json;
use crate::prepare::{Given, Tag};
use crate::record::{
    CHANGE_SETS, CallerRecord, ChangeSetRecord, Model, NAMES, STACKS, StackRecord, name_key,
    of_stack, parse, time, unique,
};
use crate::scope::{Known, World};
use crate::stack::{begin_update, blank, may_update, on_stack};

pub const OPS: &[Op<CloudFormation>] = ops![
    CreateChangeSet => create_change_set [on_stack],
    DescribeChangeSet => describe_change_set [on_set],
    ExecuteChangeSet => execute_change_set [on_set],
    DeleteChangeSet => delete_change_set [on_set],
    ListChangeSets => list_change_sets [on_stack],
];

use fogbank_core::Check;

/// A change set may be named by its ARN alone; what is asked about is its stack.
async fn on_set(cfn: &CloudFormation, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    if input.str("StackName").is_some() {
        return on_stack(cfn, cx, input).await;
    }
    let id = input.str("ChangeSetName").unwrap_or_default();
    let (stack, _) = locate(cfn, cx, None, id).await?;
    Ok(vec![Check::new(format!("cloudformation:{}", cx.operation), stack.id)])
}

/// There is no such change set.
pub fn not_found(name: &str) -> ApiError {
    ApiError::new("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist")).status(404)
}

/// The name and unique part in a change set's ARN, or the name alone.
fn name_of(text: &str) -> &str {
    match text.split_once(":changeSet/") {
        Some((_, rest)) => rest.split('/').next().unwrap_or(rest),
        None => text,
    }
}

async fn locate(
    cfn: &CloudFormation,
    cx: &Cx,
    stack: Option<&str>,
    set: &str,
) -> Result<(StackRecord, ChangeSetRecord)> {
    let name = name_of(set);
    let key = match stack {
        Some(s) => {
            let stack = cfn.stack(cx, s).await?;
            return match cfn.store.get(&CHANGE_SETS, &of_stack(stack.unique(), name)).await? {
                Some(c) => Ok((stack, c)),
                None => Err(not_found(set)),
            };
        }
        None if set.starts_with("arn:") => Key::new().str(&cx.account).str(unique(set)),
        None => {
            return Err(validation(
                "StackName must be specified if ChangeSetName is not specified as an ARN.",
            ));
        }
    };
    let owner = cfn.store.get(&OWNERS, &key).await?.ok_or_else(|| not_found(set))?;
    let owner = String::from_utf8_lossy(&owner).into_owned();
    let stack = cfn.stack(cx, &owner).await?;
    let found = cfn.store.get(&CHANGE_SETS, &of_stack(stack.unique(), name)).await?;
    found.filter(|c| c.id == set).map(|c| (stack, c)).ok_or_else(|| not_found(set))
}

/// The stack's id of a change set: account and the unique part of the set's ARN.
static OWNERS: fogbank_store::Table<bytes::Bytes> = fogbank_store::Table::new("cfn.changesetof");

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    stack_name: String,
    change_set_name: String,
    change_set_type: Option<String>,
    description: Option<String>,
    client_token: Option<String>,
    on_stack_failure: Option<String>,
    include_nested_stacks: Option<bool>,
    import_existing_resources: Option<bool>,
    resources_to_import: Option<Vec<Value>>,
    deployment_mode: Option<String>,
    resource_types: Option<Vec<String>>,
    #[serde(flatten)]
    given: Given,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateOutput {
    id: String,
    stack_id: String,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>
async fn create_change_set(
    cfn: &CloudFormation,
    cx: &Cx,
    input: CreateInput,
) -> Result<CreateOutput> {
    let kind = input.change_set_type.as_deref().unwrap_or("UPDATE");
    for (given, name) in [
        (kind == "IMPORT" || input.resources_to_import.is_some(), "ChangeSetType=IMPORT"),
        (input.import_existing_resources == Some(true), "ImportExistingResources"),
        (input.deployment_mode.is_some(), "DeploymentMode"),
        (input.resource_types.is_some(), "ResourceTypes"),
    ] {
        if given {
            return Err(cx.refuse_member(name));
        }
    }
    if input.include_nested_stacks == Some(true) {
        cx.ignore_member("IncludeNestedStacks");
    }
    let found = cfn.find(cx, &input.stack_name).await?.filter(StackRecord::is_live);
    let mut fresh = false;
    let stack = match (kind, found) {
        ("CREATE", Some(s)) if s.status == "REVIEW_IN_PROGRESS" => s,
        ("CREATE", Some(s)) => {
            return Err(validation(format!(
                "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
                s.name, input.change_set_name
            )));
        }
        ("CREATE", None) => {
            fresh = true;
            let mut s = blank(cx, &input.stack_name);
            s.status = "REVIEW_IN_PROGRESS".into();
            s.reason = Some("User Initiated".into());
            s
        }
        (_, Some(s)) => {
            may_update(&s)?;
            s
        }
        (_, None) => {
            return Err(validation(format!("Stack [{}] does not exist", input.stack_name)));
        }
    };
    let key = of_stack(stack.unique(), &input.change_set_name);
    if cfn.store.get(&CHANGE_SETS, &key).await?.is_some() {
        return Err(ApiError::new(
            "AlreadyExistsException",
            format!("ChangeSet {} already exists", input.change_set_name),
        )
        .status(400));
    }
    let previous = (kind != "CREATE").then_some(&stack.model);
    let model = input.given.model(cx, &stack, previous).await?;
    let changes = changes(cfn, &stack, &model).await?;
    let unchanged =
        changes.is_empty() && !fresh && kind != "CREATE" && same_outside(&stack.model, &model);
    let id = cx
        .arn("cloudformation", &format!("changeSet/{}/{}", input.change_set_name, cx.ids().uuid()));
    let record = ChangeSetRecord {
        id: id.clone(),
        name: input.change_set_name.clone(),
        description: input.description,
        status: if unchanged { "FAILED" } else { "CREATE_COMPLETE" }.into(),
        reason: unchanged.then(|| {
            "The submitted information didn't contain changes. Submit different information to create a change set.".to_owned()
        }),
        execution: if unchanged { "UNAVAILABLE" } else { "AVAILABLE" }.into(),
        created: cx.now.as_microsecond(),
        changes: Json::Array(changes).to_string(),
        kind: kind.to_owned(),
        on_stack_failure: input.on_stack_failure,
        model,
    };
    let _ = input.client_token;
    let names = name_key(&cx.account, &cx.region, &stack.name);
    let locks = [Lock::exclusive(&NAMES, &names), Lock::exclusive(&CHANGE_SETS, &key)];
    let mut tx = cfn.store.lock(&locks).await;
    if fresh {
        if tx.get(&NAMES, &names).await?.is_some() {
            return Err(validation(format!("Stack [{}] already exists", stack.name)));
        }
        tx.put(&NAMES, &names, &bytes::Bytes::from(stack.unique().to_owned()));
        tx.put(&STACKS, &stack.key(), &stack);
        let first = event(&stack, "REVIEW_IN_PROGRESS", Some("User Initiated".into()));
        cfn.event(cx, &mut tx, stack.unique(), first);
    }
    tx.put(&CHANGE_SETS, &key, &record);
    let owner = Key::new().str(&cx.account).str(unique(&id));
    tx.put(&OWNERS, &owner, &bytes::Bytes::from(stack.id.clone()));
    tx.commit().await?;
    Ok(CreateOutput { id, stack_id: stack.id })
}

/// Whether nothing but resources could have changed: outputs, tags, capabilities, role.
fn same_outside(a: &Model, b: &Model) -> bool {
    let outputs = |m: &Model| parse(&m.processed).ok().and_then(|v| v.get("Outputs").cloned());
    outputs(a) == outputs(b) && a.tags == b.tags && a.notifications == b.notifications
}

/// What would happen to each resource.
async fn changes(cfn: &CloudFormation, stack: &StackRecord, model: &Model) -> Result<Vec<Json>> {
    let template = Template::new(&parse(&model.processed)?).map_err(|e| fault(&e))?;
    let records = cfn.resources(stack.unique()).await?;
    let known = records
        .iter()
        .filter_map(|r| {
            let i = r.now.as_ref()?;
            let k = Known { physical_id: i.physical_id.clone(), attributes: i.attrs() };
            Some((r.logical_id.clone(), k))
        })
        .collect();
    let exports = std::collections::BTreeMap::new();
    let world = World { template: &template, stack, model, resources: &known, exports: &exports };
    let eval = Eval::new(&template, &world);
    let graph = graph::dependencies(&template).map_err(|e| fault(&e))?;
    let mut replaced: Vec<String> = Vec::new();
    let mut all = Vec::new();
    let mut wanted = Vec::new();
    for (name, r) in &template.resources {
        if let Some(c) = &r.condition
            && !eval.condition(c).map_err(|e| fault(&e))?
        {
            continue;
        }
        wanted.push(name.clone());
        let Some(now) = records.iter().find(|x| x.logical_id == *name).and_then(|x| x.now.as_ref())
        else {
            all.push(change("Add", name, &r.kind, None, None, &[]));
            continue;
        };
        let Some(kind) = kinds::find(&r.kind) else { continue };
        let old = now.props();
        // What depends on something new cannot be told yet: it is then taken for changed.
        let waits = graph.get(name).is_some_and(|n| n.iter().any(|n| replaced.contains(n)));
        let new = eval.map(&r.properties).ok();
        let details: Vec<(String, bool)> = match &new {
            Some(new) => {
                let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
                names.sort();
                names.dedup();
                let differ = names.into_iter().filter(|n| old.get(*n) != new.get(*n));
                differ
                    .map(|n| {
                        (n.clone(), kind.update.is_none() || kind.replaces.contains(&n.as_str()))
                    })
                    .collect()
            }
            None => r
                .properties
                .iter()
                .filter(|(k, v)| old.get(*k) != Some(*v) && v.is_object())
                .map(|(k, _)| (k.clone(), kind.replaces.contains(&k.as_str())))
                .collect(),
        };
        if details.is_empty() && !waits && now.kind == r.kind {
            continue;
        }
        let replace = if now.kind != r.kind || (new.is_some() && details.iter().any(|d| d.1)) {
            "True"
        } else if details.iter().any(|d| d.1) {
            "Conditional"
        } else {
            "False"
        };
        if replace != "False" {
            replaced.push(name.clone());
        }
        if details.is_empty() {
            continue;
        }
        all.push(change("Modify", name, &r.kind, Some(&now.physical_id), Some(replace), &details));
    }
    for r in &records {
        if let Some(now) = r.now.as_ref().filter(|_| !wanted.contains(&r.logical_id)) {
            let mut c = change("Remove", &r.logical_id, &r.kind, Some(&now.physical_id), None, &[]);
            let policy = match r.deletion_policy.as_deref() {
                Some("Retain") => "Retain",
                _ => "Delete",
            };
            c["ResourceChange"]["PolicyAction"] = json!(policy);
            all.push(c);
        }
    }
    Ok(all)
}

fn change(
    action: &str,
    name: &str,
    kind: &str,
    physical: Option<&str>,
    replacement: Option<&str>,
    details: &[(String, bool)],
) -> Json {
    let details: Vec<Json> = details
        .iter()
        .map(|(property, recreates)| {
            json!({
                "Target": {
                    "Attribute": "Properties", "Name": property,
                    "RequiresRecreation": if *recreates { "Always" } else { "Never" },
                },
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            })
        })
        .collect();
    let scope: &[&str] = if details.is_empty() { &[] } else { &["Properties"] };
    json!({
        "Type": "Resource",
        "ResourceChange": {
            "Action": action, "LogicalResourceId": name, "PhysicalResourceId": physical,
            "ResourceType": kind, "Replacement": replacement, "Scope": scope, "Details": details,
        },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetInput {
    change_set_name: String,
    stack_name: Option<String>,
    client_request_token: Option<String>,
    disable_rollback: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeOutput {
    change_set_name: String,
    change_set_id: String,
    stack_id: String,
    stack_name: String,
    description: Option<String>,
    parameters: Option<Vec<ShownParameter>>,
    creation_time: Time,
    execution_status: String,
    status: String,
    status_reason: Option<String>,
    #[serde(rename = "NotificationARNs")]
    notification_arns: Vec<String>,
    rollback_configuration: Nothing,
    capabilities: Vec<String>,
    tags: Vec<Tag>,
    changes: Value,
    include_nested_stacks: bool,
    on_stack_failure: Option<String>,
}

#[derive(Serialize)]
struct Nothing {}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html>
async fn describe_change_set(
    cfn: &CloudFormation,
    cx: &Cx,
    input: SetInput,
) -> Result<DescribeOutput> {
    let (stack, set) = locate(cfn, cx, input.stack_name.as_deref(), &input.change_set_name).await?;
    let parameters = parameters(&set.model);
    Ok(DescribeOutput {
        change_set_name: set.name,
        change_set_id: set.id,
        stack_id: stack.id,
        stack_name: stack.name,
        description: set.description,
        parameters: (!parameters.is_empty()).then_some(parameters),
        creation_time: time(set.created),
        execution_status: set.execution,
        status: set.status,
        status_reason: set.reason,
        notification_arns: set.model.notifications.clone(),
        rollback_configuration: Nothing {},
        capabilities: set.model.capabilities.clone(),
        tags: tags(&set.model),
        changes: from_json(parse(&set.changes)?),
        include_nested_stacks: false,
        on_stack_failure: set.on_stack_failure,
    })
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html>
async fn execute_change_set(cfn: &CloudFormation, cx: &Cx, input: SetInput) -> Result<Nothing> {
    let (stack, set) = locate(cfn, cx, input.stack_name.as_deref(), &input.change_set_name).await?;
    if set.execution != "AVAILABLE" {
        return Err(ApiError::new(
            "InvalidChangeSetStatus",
            format!(
                "ChangeSet [{}] cannot be executed in its current status of [{}]",
                set.id, set.status
            ),
        )
        .status(400));
    }
    let failure = match (input.disable_rollback, set.on_stack_failure.as_deref()) {
        (Some(true), _) => "DO_NOTHING",
        (_, Some(f)) => f,
        _ => "ROLLBACK",
    }
    .to_owned();
    let id = set.id.clone();
    if set.kind == "CREATE" {
        cfn.edit(&stack.key(), |s, tx| {
            if s.status != "REVIEW_IN_PROGRESS" {
                return Err(validation(format!("Stack [{}] is not in review", s.name)));
            }
            s.model = set.model.clone();
            s.status = "CREATE_IN_PROGRESS".into();
            s.reason = Some("User Initiated".into());
            s.caller = CallerRecord::of(&cx.principal);
            s.on_failure = failure;
            s.token = input.client_request_token;
            s.change_set = Some(id);
            let first = event(s, "CREATE_IN_PROGRESS", Some("User Initiated".into()));
            cfn.event(cx, tx, s.unique(), first);
            engine::enqueue(cx, tx, s);
            Ok(())
        })
        .await?;
        cfn.wake();
    } else {
        begin_update(cfn, cx, &stack, set.model.clone(), |s| {
            s.on_failure = failure;
            s.token = input.client_request_token;
            s.change_set = Some(id);
        })
        .await?;
    }
    // The others are about a stack that is no more: they go, this one stays to be looked at.
    let range = Range::prefix(&Key::new().str(stack.unique()));
    let mut tx = cfn.store.lock(&[]).await;
    for (row, other) in cfn.store.scan(&CHANGE_SETS, range, 1000).await? {
        if other.id == set.id {
            let done = ChangeSetRecord {
                execution: "EXECUTE_COMPLETE".into(),
                status: "CREATE_COMPLETE".into(),
                ..other
            };
            tx.put(&CHANGE_SETS, &row, &done);
        } else {
            tx.delete(&CHANGE_SETS, &row);
        }
    }
    tx.commit().await?;
    Ok(Nothing {})
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteChangeSet.html>
async fn delete_change_set(cfn: &CloudFormation, cx: &Cx, input: SetInput) -> Result<Nothing> {
    let found = locate(cfn, cx, input.stack_name.as_deref(), &input.change_set_name).await;
    let (stack, set) = match found {
        Ok(found) => found,
        // One that is not there is deleted.
        Err(e) if e.code() == "ChangeSetNotFound" => return Ok(Nothing {}),
        Err(e) => return Err(e),
    };
    let mut tx = cfn.store.lock(&[]).await;
    tx.delete(&CHANGE_SETS, &of_stack(stack.unique(), &set.name));
    tx.delete(&OWNERS, &Key::new().str(&cx.account).str(unique(&set.id)));
    tx.commit().await?;
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    stack_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SetSummary {
    stack_id: String,
    stack_name: String,
    change_set_id: String,
    change_set_name: String,
    execution_status: String,
    status: String,
    status_reason: Option<String>,
    creation_time: Time,
    description: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    summaries: Vec<SetSummary>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListChangeSets.html>
async fn list_change_sets(cfn: &CloudFormation, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let stack = cfn.stack(cx, &input.stack_name).await?;
    let range = Range::prefix(&Key::new().str(stack.unique()));
    let all = cfn.store.scan(&CHANGE_SETS, range, 1000).await?;
    let summaries = all.into_iter().map(|(_, c)| SetSummary {
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        change_set_id: c.id,
        change_set_name: c.name,
        execution_status: c.execution,
        status: c.status,
        status_reason: c.reason,
        creation_time: time(c.created),
        description: c.description,
    });
    Ok(ListOutput { summaries: summaries.collect() })
}
