//! Parameter Store: parameters.

use fogbank_core::Result;
use serde_json::json;

use super::{Kind, Made, Props};
use crate::kind;
use crate::maker::{Maker, pick, text};
use crate::record::Instance;

pub const KINDS: &[Kind] = &[kind!("AWS::SSM::Parameter" {
    properties: [
        "AllowedPattern", "DataType", "Description", "Name", "Policies", "Tags", "Tier", "Type",
        "Value",
    ],
    required: ["Type", "Value"],
    replaces: ["Name", "DataType"],
    create: create,
    update: update,
    delete: delete,
})];

const MEMBERS: &[&str] =
    &["AllowedPattern", "DataType", "Description", "Policies", "Tier", "Type", "Value"];

async fn create(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let name = m.named(p, "Name", 500);
    let mut input = pick(p, MEMBERS);
    input.insert("Name".into(), json!(name));
    let tags = m.tags(p);
    input.insert("Tags".into(), Maker::tag_list(&tags));
    m.call("ssm", "PutParameter", input.into()).await?;
    Ok(parameter(&name, p))
}

async fn update(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    let mut input = pick(p, MEMBERS);
    input.insert("Name".into(), json!(old.physical_id));
    input.insert("Overwrite".into(), json!(true));
    m.call("ssm", "PutParameter", input.into()).await?;
    Ok(parameter(&old.physical_id, p))
}

async fn delete(m: &Maker<'_>, i: &Instance) -> Result<()> {
    let input = json!({"Name": i.physical_id});
    m.find("ssm", "DeleteParameter", input, &["ParameterNotFound"]).await.map(drop)
}

fn parameter(name: &str, p: &Props) -> Made {
    Made::new(name).with("Type", text(p.get("Type"))).with("Value", text(p.get("Value")))
}
