//! CloudFormation's own types: metadata of the CDK, wait condition handles, nested stacks.

use fogbank_core::{ApiError, Result};
use serde_json::{Value, json};

use super::{Kind, Made, Props};
use crate::kind;
use crate::maker::{Maker, text};
use crate::record::Instance;

pub const KINDS: &[Kind] = &[
    kind!("AWS::CDK::Metadata" {
        properties: ["Analytics"],
        required: [],
        replaces: [],
        create: create_metadata,
        update: update_metadata,
        delete: nothing,
    }),
    kind!("AWS::CloudFormation::WaitConditionHandle" {
        properties: [],
        required: [],
        replaces: [],
        create: create_handle,
        delete: nothing,
    }),
    kind!("AWS::CloudFormation::Stack" {
        properties: ["NotificationARNs", "Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"],
        required: ["TemplateURL"],
        replaces: [],
        create: create_stack,
        update: update_stack,
        delete: delete_stack,
    }),
];

async fn create_metadata(m: &Maker<'_>, _: &Props) -> Result<Made> {
    Ok(Made::new(m.name(255)))
}

async fn update_metadata(_: &Maker<'_>, old: &Instance, _: &Props) -> Result<Made> {
    Ok(Made::new(&old.physical_id))
}

async fn nothing(_: &Maker<'_>, _: &Instance) -> Result<()> {
    Ok(())
}

/// A handle is an address where the wait condition's signals are put. Conditions that wait for them
/// are refused by their own type's name.
async fn create_handle(m: &Maker<'_>, _: &Props) -> Result<Made> {
    Ok(Made::new(m.name(255)))
}

fn input(m: &Maker<'_>, p: &Props) -> Value {
    let parameters: Vec<Value> = p
        .get("Parameters")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(k, v)| {
            let value = match v {
                Value::Array(all) => {
                    all.iter().map(|v| text(Some(v))).collect::<Vec<_>>().join(",")
                }
                v => text(Some(v)),
            };
            json!({"ParameterKey": k, "ParameterValue": value})
        })
        .collect();
    json!({
        "TemplateURL": p.get("TemplateURL"),
        "Parameters": parameters,
        "Tags": Maker::tag_list(&m.tags(p)),
        "NotificationARNs": p.get("NotificationARNs"),
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    })
}

async fn create_stack(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let mut input = input(m, p);
    input["StackName"] = json!(m.name(128));
    input["DisableRollback"] = json!(true);
    let name = m.name(128);
    let known = m.cfn.find(m.cx, &name).await?;
    let id = match known {
        // A second try after a restart.
        Some(s) => s.id,
        None => {
            let made = m.call("cloudformation", "CreateStack", input).await?;
            let id = text(made.get("StackId"));
            m.cfn.adopt(m.cx, &id, m.stack_id).await?;
            id
        }
    };
    settled(m, &id).await
}

async fn update_stack(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    let mut input = input(m, p);
    input["StackName"] = json!(old.physical_id);
    match m.call("cloudformation", "UpdateStack", input).await {
        Err(e) if !e.message().contains("No updates are to be performed") => Err(e),
        _ => settled(m, &old.physical_id).await,
    }
}

async fn delete_stack(m: &Maker<'_>, i: &Instance) -> Result<()> {
    m.call("cloudformation", "DeleteStack", json!({"StackName": i.physical_id})).await?;
    for tries in 0.. {
        match m.cfn.find(m.cx, &i.physical_id).await? {
            None => return Ok(()),
            Some(s) if s.status == "DELETE_COMPLETE" => return Ok(()),
            Some(s) if s.status == "DELETE_FAILED" => {
                return Err(failed(&s.id, s.reason.as_deref()));
            }
            Some(_) => m.pause(tries).await,
        }
    }
    Ok(())
}

/// Waits until a nested stack is done; its outputs are attributes.
async fn settled(m: &Maker<'_>, id: &str) -> Result<Made> {
    for tries in 0.. {
        let stack = m.cfn.stack(m.cx, id).await?;
        match stack.status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => {
                let mut made = Made::new(id);
                for o in &stack.outputs {
                    made = made.with(&format!("Outputs.{}", o.key), o.value.as_str());
                }
                return Ok(made);
            }
            _ if stack.in_progress() => m.pause(tries).await,
            _ => return Err(failed(id, stack.reason.as_deref())),
        }
    }
    Err(ApiError::internal("a nested stack was never done"))
}

fn failed(id: &str, reason: Option<&str>) -> ApiError {
    ApiError::new(
        "NotStabilized",
        format!("Embedded stack {id} was not successfully created: {}", reason.unwrap_or_default()),
    )
}
