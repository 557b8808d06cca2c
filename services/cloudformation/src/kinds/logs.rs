//! CloudWatch Logs: log groups.

use fogbank_core::Result;
use serde_json::json;

use super::{Kind, Made, Props};
use crate::kind;
use crate::maker::{Maker, pick, text};
use crate::record::Instance;

pub const KINDS: &[Kind] = &[kind!("AWS::Logs::LogGroup" {
    properties: ["KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"],
    required: [],
    replaces: ["LogGroupClass", "LogGroupName"],
    create: create,
    update: update,
    delete: delete,
})];

async fn create(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let name = m.named(p, "LogGroupName", 512);
    let mut input = pick(p, &["KmsKeyId", "LogGroupClass"]);
    input.insert("logGroupName".into(), json!(name));
    let tags = m.tags(p);
    input.insert("tags".into(), Maker::tag_map(&tags));
    m.call("logs", "CreateLogGroup", input.into()).await?;
    retention(m, &name, p).await?;
    Ok(group(m, &name))
}

async fn update(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    let name = &old.physical_id;
    if p.get("RetentionInDays") != old.props().get("RetentionInDays") {
        retention(m, name, p).await?;
        if !p.contains_key("RetentionInDays") {
            m.call("logs", "DeleteRetentionPolicy", json!({"logGroupName": name})).await?;
        }
    }
    if p.get("KmsKeyId") != old.props().get("KmsKeyId") {
        match p.get("KmsKeyId") {
            Some(key) => {
                let input = json!({"logGroupName": name, "kmsKeyId": key});
                m.call("logs", "AssociateKmsKey", input).await?;
            }
            None => {
                m.call("logs", "DisassociateKmsKey", json!({"logGroupName": name})).await?;
            }
        }
    }
    Ok(group(m, name))
}

async fn delete(m: &Maker<'_>, i: &Instance) -> Result<()> {
    let input = json!({"logGroupName": i.physical_id});
    m.find("logs", "DeleteLogGroup", input, &["ResourceNotFoundException"]).await.map(drop)
}

async fn retention(m: &Maker<'_>, name: &str, p: &Props) -> Result<()> {
    if let Some(days) = p.get("RetentionInDays") {
        let days: i64 = text(Some(days)).parse().unwrap_or(0);
        let input = json!({"logGroupName": name, "retentionInDays": days});
        m.call("logs", "PutRetentionPolicy", input).await?;
    }
    Ok(())
}

fn group(m: &Maker<'_>, name: &str) -> Made {
    Made::new(name).with("Arn", m.arn("logs", &format!("log-group:{name}:*")))
}
