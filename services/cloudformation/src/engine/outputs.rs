//! Outputs, and the exports among them.

use std::collections::BTreeMap;

use fogbank_cfn::Eval;
use fogbank_core::Result;
use fogbank_store::{Key, Lock};
use serde_json::Value;

use crate::CloudFormation;
use crate::record::{EXPORTS, ExportRecord, IMPORTS, OutputRecord, StackRecord};
use crate::run::Run;

/// Evaluates the outputs of what has been made and makes its exports known. `Err` says why the
/// stack fails.
pub async fn publish(run: &Run<'_>) -> Result<std::result::Result<(), String>> {
    let found = match evaluate(run) {
        Ok(found) => found,
        Err(e) => return Ok(Err(e.to_string())),
    };
    let s = run.stack;
    let key = |name: &str| Key::new().str(&s.account).str(&s.region).str(name);
    let exports: BTreeMap<&str, &str> =
        found.iter().filter_map(|o| Some((o.export.as_deref()?, o.value.as_str()))).collect();
    let before: Vec<String> = s.outputs.iter().filter_map(|o| o.export.clone()).collect();
    let locks: Vec<Lock> = exports
        .keys()
        .map(|n| (*n).to_owned())
        .chain(before.iter().cloned())
        .map(|n| Lock::exclusive(&EXPORTS, &key(&n)))
        .collect();
    let mut tx = run.cfn.store.lock(&locks).await;
    for (name, value) in &exports {
        if let Some(other) = tx.get(&EXPORTS, &key(name)).await?.filter(|e| e.stack_id != s.id) {
            let owner = other.stack_id.split('/').nth(1).unwrap_or_default().to_owned();
            return Ok(Err(format!(
                "Export with name {name} is already exported by stack {owner}. "
            )));
        }
        let export = ExportRecord {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            stack_id: s.id.clone(),
        };
        tx.put(&EXPORTS, &key(name), &export);
    }
    for name in before.iter().filter(|n| !exports.contains_key(n.as_str())) {
        if let Some(by) = importers(run.cfn, s, name).await?.first() {
            return Ok(Err(format!("Export {name} cannot be deleted as it is in use by {by}. ")));
        }
        tx.delete(&EXPORTS, &key(name));
    }
    for name in run.exports.keys() {
        tx.put(&IMPORTS, &key(name).str(s.unique()), &bytes::Bytes::from(s.name.clone()));
    }
    tx.commit().await?;
    run.cfn
        .edit(&s.key(), |s, _| {
            s.outputs = found;
            Ok(())
        })
        .await?;
    Ok(Ok(()))
}

fn evaluate(run: &Run<'_>) -> fogbank_cfn::Result<Vec<OutputRecord>> {
    let known = run.known.lock();
    let world = run.world(&known);
    let eval = Eval::new(&run.template, &world);
    let text = |v: Value| match v {
        Value::String(s) => s,
        Value::Null => String::new(),
        v => v.to_string(),
    };
    let mut found = Vec::new();
    for (name, o) in &run.template.outputs {
        if let Some(c) = &o.condition
            && !eval.condition(c)?
        {
            continue;
        }
        let export = o.export.as_ref().map(|e| eval.some(e)).transpose()?;
        let value = match eval.some(&o.value)? {
            v @ (Value::Array(_) | Value::Object(_)) => {
                let _ = v;
                return Err(fogbank_cfn::Error(format!(
                    "Template format error: Output {name} is malformed. The Value field of every Outputs member must evaluate to a String."
                )));
            }
            v => text(v),
        };
        found.push(OutputRecord {
            key: name.clone(),
            value,
            description: o.description.clone(),
            export: export.map(text),
        });
    }
    Ok(found)
}

/// The names of the stacks that import an export.
pub async fn importers(cfn: &CloudFormation, s: &StackRecord, name: &str) -> Result<Vec<String>> {
    let prefix = Key::new().str(&s.account).str(&s.region).str(name);
    let all = cfn.store.scan(&IMPORTS, fogbank_store::Range::prefix(&prefix), 1000).await?;
    Ok(all.into_iter().map(|(_, n)| String::from_utf8_lossy(&n).into_owned()).collect())
}

/// Takes a stack's exports and imports back.
pub async fn withdraw(cfn: &CloudFormation, s: &StackRecord) -> Result<()> {
    let key = |name: &str| Key::new().str(&s.account).str(&s.region).str(name);
    let mut tx = cfn.store.lock(&[]).await;
    for name in s.outputs.iter().filter_map(|o| o.export.as_ref()) {
        tx.delete(&EXPORTS, &key(name));
    }
    let imports = fogbank_store::Key::new().str(&s.account).str(&s.region);
    let range = fogbank_store::Range::prefix(&imports);
    for (row, _) in cfn.store.scan(&IMPORTS, range, 10_000).await? {
        let mut parts = row.parts();
        let (_, _, name, by) = (parts.text(), parts.text(), parts.text(), parts.text());
        if by.as_deref() == Some(s.unique())
            && let Some(name) = name
        {
            tx.delete(&IMPORTS, &key(&name).str(s.unique()));
        }
    }
    tx.commit().await?;
    Ok(())
}
