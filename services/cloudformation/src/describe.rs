//! Looking at stacks: their state, resources, events, exports.

use fogbank_core::{Cx, Op, Result, Time, ops};
use fogbank_store::{Key, Range};
use serde::{Deserialize, Serialize};

use crate::CloudFormation;
use crate::error::{no_such_stack, validation};
use crate::prepare::Tag;
use crate::record::{EVENTS, EXPORTS, Model, ResourceRecord, STACKS, StackRecord, parse, time};
use crate::stack::on_stack;

pub const OPS: &[Op<CloudFormation>] = ops![
    DescribeStacks => describe_stacks [on_stack],
    ListStacks => list_stacks,
    DescribeStackEvents => describe_stack_events [on_stack],
    DescribeStackResource => describe_stack_resource [on_stack],
    DescribeStackResources => describe_stack_resources [on_stack],
    ListStackResources => list_stack_resources [on_stack],
    ListExports => list_exports,
    ListImports => list_imports,
];

/// Stacks, events and resources on one page.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    stack_name: Option<String>,
    next_token: Option<String>,
    #[serde(default)]
    stack_status_filter: Vec<String>,
    logical_resource_id: Option<String>,
    physical_resource_id: Option<String>,
    export_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ShownParameter {
    parameter_key: String,
    parameter_value: String,
    resolved_value: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownOutput {
    output_key: String,
    output_value: String,
    description: Option<String>,
    export_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Drift {
    stack_drift_status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceDrift {
    stack_resource_drift_status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Stack {
    stack_id: String,
    stack_name: String,
    change_set_id: Option<String>,
    description: Option<String>,
    parameters: Option<Vec<ShownParameter>>,
    creation_time: Time,
    deletion_time: Option<Time>,
    last_updated_time: Option<Time>,
    rollback_configuration: RollbackConfiguration,
    stack_status: String,
    stack_status_reason: Option<String>,
    disable_rollback: bool,
    #[serde(rename = "NotificationARNs")]
    notification_arns: Vec<String>,
    capabilities: Option<Vec<String>>,
    outputs: Option<Vec<ShownOutput>>,
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
    tags: Vec<Tag>,
    enable_termination_protection: bool,
    parent_id: Option<String>,
    root_id: Option<String>,
    drift_information: Drift,
}

#[derive(Serialize)]
struct RollbackConfiguration {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StacksOutput {
    stacks: Vec<Stack>,
    next_token: Option<String>,
}

/// The parameters of a model as they are shown: those that must not be seen are stars.
pub fn parameters(model: &Model) -> Vec<ShownParameter> {
    let value = parse(&model.processed).unwrap_or_default();
    let declared = value.get("Parameters").and_then(|p| p.as_object());
    let hidden = |name: &str| {
        let p = declared.and_then(|d| d.get(name)).and_then(|p| p.get("NoEcho"));
        p.is_some_and(|v| v == true || v == "true" || v == "True")
    };
    let all = model.parameters.iter().map(|(k, v)| ShownParameter {
        parameter_key: k.clone(),
        parameter_value: if hidden(k) { "****".into() } else { v.clone() },
        resolved_value: model.resolved.iter().find(|(n, _)| n == k).map(|(_, v)| v.clone()),
    });
    all.collect()
}

pub fn tags(model: &Model) -> Vec<Tag> {
    model.tags.iter().map(|(k, v)| Tag { key: k.clone(), value: v.clone() }).collect()
}

fn shown(s: StackRecord) -> Stack {
    let value = parse(&s.model.processed).unwrap_or_default();
    let some = |all: Vec<String>| (!all.is_empty()).then_some(all);
    let outputs: Vec<ShownOutput> = s
        .outputs
        .iter()
        .map(|o| ShownOutput {
            output_key: o.key.clone(),
            output_value: o.value.clone(),
            description: o.description.clone(),
            export_name: o.export.clone(),
        })
        .collect();
    let parameters = parameters(&s.model);
    Stack {
        description: value.get("Description").and_then(|d| d.as_str()).map(str::to_owned),
        parameters: (!parameters.is_empty()).then_some(parameters),
        creation_time: time(s.created),
        deletion_time: s.deleted.map(time),
        last_updated_time: s.updated.map(time),
        rollback_configuration: RollbackConfiguration {},
        disable_rollback: s.on_failure == "DO_NOTHING",
        notification_arns: s.model.notifications.clone(),
        capabilities: some(s.model.capabilities.clone()),
        outputs: (!outputs.is_empty()).then_some(outputs),
        role_arn: s.model.role.clone(),
        tags: tags(&s.model),
        enable_termination_protection: s.protected,
        drift_information: Drift { stack_drift_status: "NOT_CHECKED" },
        stack_id: s.id,
        stack_name: s.name,
        change_set_id: s.change_set,
        stack_status: s.status,
        stack_status_reason: s.reason,
        parent_id: s.parent,
        root_id: s.root,
    }
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html>
async fn describe_stacks(cfn: &CloudFormation, cx: &Cx, input: Input) -> Result<StacksOutput> {
    if let Some(name) = &input.stack_name {
        let stack = cfn.stack(cx, name).await?;
        return Ok(StacksOutput { stacks: vec![shown(stack)], next_token: None });
    }
    let (page, next_token) = page(cfn, cx, input.next_token, StackRecord::is_live).await?;
    Ok(StacksOutput { stacks: page.into_iter().map(shown).collect(), next_token })
}

async fn page(
    cfn: &CloudFormation,
    cx: &Cx,
    token: Option<String>,
    fits: impl Fn(&StackRecord) -> bool,
) -> Result<(Vec<StackRecord>, Option<String>)> {
    let mut range = Range::prefix(&Key::new().str(&cx.account).str(&cx.region));
    if let Some(t) = &token {
        range = range.after(&crate::record::stack_key(&cx.account, &cx.region, t));
    }
    let mut found: Vec<StackRecord> = Vec::new();
    loop {
        let rows = cfn.store.scan(&STACKS, range.clone(), PAGE).await?;
        let full = rows.len() == PAGE;
        for (row, s) in rows {
            range = range.clone().after(&row);
            if fits(&s) {
                found.push(s);
                if found.len() == PAGE {
                    let next = found.last().map(|s| s.unique().to_owned());
                    return Ok((found, next));
                }
            }
        }
        if !full {
            return Ok((found, None));
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    stack_id: String,
    stack_name: String,
    template_description: Option<String>,
    creation_time: Time,
    last_updated_time: Option<Time>,
    deletion_time: Option<Time>,
    stack_status: String,
    stack_status_reason: Option<String>,
    parent_id: Option<String>,
    root_id: Option<String>,
    drift_information: Drift,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListStacksOutput {
    stack_summaries: Vec<Summary>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html>
async fn list_stacks(cfn: &CloudFormation, cx: &Cx, input: Input) -> Result<ListStacksOutput> {
    let filter = input.stack_status_filter;
    let fits = |s: &StackRecord| filter.is_empty() || filter.contains(&s.status);
    let (page, next_token) = page(cfn, cx, input.next_token, fits).await?;
    let stack_summaries = page.into_iter().map(shown).map(|s| Summary {
        stack_id: s.stack_id,
        stack_name: s.stack_name,
        template_description: s.description,
        creation_time: s.creation_time,
        last_updated_time: s.last_updated_time,
        deletion_time: s.deletion_time,
        stack_status: s.stack_status,
        stack_status_reason: s.stack_status_reason,
        parent_id: s.parent_id,
        root_id: s.root_id,
        drift_information: s.drift_information,
    });
    Ok(ListStacksOutput { stack_summaries: stack_summaries.collect(), next_token })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    stack_id: String,
    event_id: String,
    stack_name: String,
    logical_resource_id: String,
    physical_resource_id: String,
    resource_type: String,
    timestamp: Time,
    resource_status: String,
    resource_status_reason: Option<String>,
    resource_properties: Option<String>,
    client_request_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EventsOutput {
    stack_events: Vec<Event>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html>
async fn describe_stack_events(
    cfn: &CloudFormation,
    cx: &Cx,
    input: Input,
) -> Result<EventsOutput> {
    let name = input.stack_name.unwrap_or_default();
    let stack = cfn
        .find(cx, &name)
        .await?
        .ok_or_else(|| validation(format!("Stack [{name}] does not exist")))?;
    let mut range = Range::prefix(&Key::new().str(stack.unique()));
    if let Some(t) = &input.next_token {
        let at: u64 = t.parse().map_err(|_| validation("NextToken is not valid."))?;
        range = range.after(&Key::new().str(stack.unique()).u64_desc(at));
    }
    let rows = cfn.store.scan(&EVENTS, range, PAGE).await?;
    let last = rows.last().filter(|_| rows.len() == PAGE).and_then(|(k, _)| {
        let mut parts = k.parts();
        parts.text()?;
        parts.number().map(|n| n.to_string())
    });
    let events = rows.into_iter().map(|(_, e)| Event {
        stack_id: stack.id.clone(),
        event_id: e.id,
        stack_name: stack.name.clone(),
        logical_resource_id: e.logical_id,
        physical_resource_id: e.physical_id,
        resource_type: e.kind,
        timestamp: time(e.at),
        resource_status: e.status,
        resource_status_reason: e.reason,
        resource_properties: e.properties,
        client_request_token: e.token,
    });
    Ok(EventsOutput { stack_events: events.collect(), next_token: last })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    stack_name: Option<String>,
    stack_id: Option<String>,
    logical_resource_id: String,
    physical_resource_id: Option<String>,
    resource_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_updated_timestamp: Option<Time>,
    resource_status: String,
    resource_status_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    drift_information: ResourceDrift,
}

fn resource(stack: Option<&StackRecord>, r: ResourceRecord, detail: bool) -> Resource {
    let listed = stack.is_none();
    Resource {
        stack_name: stack.map(|s| s.name.clone()),
        stack_id: stack.map(|s| s.id.clone()),
        logical_resource_id: r.logical_id,
        physical_resource_id: r.now.map(|i| i.physical_id),
        resource_type: r.kind,
        timestamp: (!listed && !detail).then(|| time(r.at)),
        last_updated_timestamp: (listed || detail).then(|| time(r.at)),
        resource_status: r.status,
        resource_status_reason: r.reason,
        metadata: r.metadata.filter(|_| detail),
        drift_information: ResourceDrift { stack_resource_drift_status: "NOT_CHECKED" },
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceOutput {
    stack_resource_detail: Resource,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html>
async fn describe_stack_resource(
    cfn: &CloudFormation,
    cx: &Cx,
    input: Input,
) -> Result<ResourceOutput> {
    let name = input.stack_name.unwrap_or_default();
    let id = input.logical_resource_id.unwrap_or_default();
    let stack = cfn
        .find(cx, &name)
        .await?
        .ok_or_else(|| validation(format!("Stack '{name}' does not exist")))?;
    let found = cfn
        .resource(stack.unique(), &id)
        .await?
        .ok_or_else(|| validation(format!("Resource {id} does not exist for stack {name}")))?;
    Ok(ResourceOutput { stack_resource_detail: resource(Some(&stack), found, true) })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourcesOutput {
    stack_resources: Vec<Resource>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html>
async fn describe_stack_resources(
    cfn: &CloudFormation,
    cx: &Cx,
    input: Input,
) -> Result<ResourcesOutput> {
    if input.physical_resource_id.is_some() {
        return Err(cx.refuse_member("PhysicalResourceId"));
    }
    let name = input
        .stack_name
        .ok_or_else(|| validation("Either StackName or PhysicalResourceId must be specified."))?;
    let stack = cfn.stack(cx, &name).await?;
    let mut all = cfn.resources(stack.unique()).await?;
    if let Some(id) = &input.logical_resource_id {
        all.retain(|r| r.logical_id == *id);
        if all.is_empty() {
            return Err(validation(format!("Resource {id} does not exist for stack {name}")));
        }
    }
    let stack_resources = all.into_iter().map(|r| resource(Some(&stack), r, false)).collect();
    Ok(ResourcesOutput { stack_resources })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceList {
    stack_resource_summaries: Vec<Resource>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html>
async fn list_stack_resources(cfn: &CloudFormation, cx: &Cx, input: Input) -> Result<ResourceList> {
    let name = input.stack_name.unwrap_or_default();
    let stack = cfn.find(cx, &name).await?.ok_or_else(|| no_such_stack(&name))?;
    let all = cfn.resources(stack.unique()).await?;
    let after = input.next_token.unwrap_or_default();
    let mut rest = all.into_iter().filter(|r| r.logical_id > after);
    let page: Vec<_> = rest.by_ref().take(PAGE).collect();
    let next_token = rest.next().and_then(|_| page.last().map(|r| r.logical_id.clone()));
    let stack_resource_summaries = page.into_iter().map(|r| resource(None, r, false)).collect();
    Ok(ResourceList { stack_resource_summaries, next_token })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Export {
    exporting_stack_id: String,
    name: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExportsOutput {
    exports: Vec<Export>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListExports.html>
async fn list_exports(cfn: &CloudFormation, cx: &Cx, input: Input) -> Result<ExportsOutput> {
    let prefix = Key::new().str(&cx.account).str(&cx.region);
    let mut range = Range::prefix(&prefix);
    if let Some(t) = &input.next_token {
        range = range.after(&prefix.clone().str(t));
    }
    let rows = cfn.store.scan(&EXPORTS, range, PAGE).await?;
    let next_token = rows.last().filter(|_| rows.len() == PAGE).map(|(_, e)| e.name.clone());
    let exports = rows.into_iter().map(|(_, e)| Export {
        exporting_stack_id: e.stack_id,
        name: e.name,
        value: e.value,
    });
    Ok(ExportsOutput { exports: exports.collect(), next_token })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ImportsOutput {
    imports: Vec<String>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListImports.html>
async fn list_imports(cfn: &CloudFormation, cx: &Cx, input: Input) -> Result<ImportsOutput> {
    let name = input.export_name.unwrap_or_default();
    let key = Key::new().str(&cx.account).str(&cx.region).str(&name);
    let export = cfn.store.get(&EXPORTS, &key).await?;
    let missing = || validation(format!("Export '{name}' is not imported by any stack."));
    export.ok_or_else(|| validation(format!("Export '{name}' does not exist.")))?;
    let stack = crate::stack::blank(cx, "x");
    let imports = crate::engine::importers(cfn, &stack, &name).await?;
    if imports.is_empty() { Err(missing()) } else { Ok(ImportsOutput { imports }) }
}
