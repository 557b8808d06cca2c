//! Dynamic references: values that only their own service knows, put in at the last moment and
//! written down nowhere.

use std::collections::HashMap;

use fogbank_cfn::dynamic::{Dynamic, find};
use fogbank_core::{ApiError, Cx, Result, map};
use serde_json::{Map, Value};

use crate::error::{template, validation};

/// The properties with every `{{resolve:…}}` replaced.
///
/// # Errors
/// A parameter or secret that cannot be read.
pub async fn resolve(cx: &Cx, properties: &Map<String, Value>) -> Result<Map<String, Value>> {
    let mut texts = Vec::new();
    properties.values().for_each(|v| collect(v, &mut texts));
    if texts.is_empty() {
        return Ok(properties.clone());
    }
    let mut values: HashMap<String, String> = HashMap::new();
    for text in texts {
        for (range, reference) in find(text).map_err(|e| template(&e))? {
            let written = &text[range];
            if !values.contains_key(written) {
                values.insert(written.to_owned(), look_up(cx, &reference).await?);
            }
        }
    }
    Ok(properties.iter().map(|(k, v)| (k.clone(), replace(v, &values))).collect())
}

fn collect<'v>(v: &'v Value, texts: &mut Vec<&'v str>) {
    match v {
        Value::String(s) if s.contains("{{resolve:") => texts.push(s),
        Value::Array(all) => all.iter().for_each(|v| collect(v, texts)),
        Value::Object(m) => m.values().for_each(|v| collect(v, texts)),
        _ => {}
    }
}

fn replace(v: &Value, values: &HashMap<String, String>) -> Value {
    match v {
        Value::String(s) => match find(s) {
            Ok(found) if !found.is_empty() => {
                let mut out = String::new();
                let mut from = 0;
                for (range, _) in found {
                    out.push_str(&s[from..range.start]);
                    out.push_str(values.get(&s[range.clone()]).map_or("", String::as_str));
                    from = range.end;
                }
                out.push_str(&s[from..]);
                Value::from(out)
            }
            _ => v.clone(),
        },
        Value::Array(all) => all.iter().map(|v| replace(v, values)).collect(),
        Value::Object(m) => {
            Value::Object(m.iter().map(|(k, v)| (k.clone(), replace(v, values))).collect())
        }
        _ => v.clone(),
    }
}

async fn look_up(cx: &Cx, reference: &Dynamic<'_>) -> Result<String> {
    match reference {
        Dynamic::Ssm { name, version } | Dynamic::SsmSecure { name, version } => {
            let secure = matches!(reference, Dynamic::SsmSecure { .. });
            let name = match version {
                Some(v) => format!("{name}:{v}"),
                None => (*name).to_owned(),
            };
            let input = map! {"Name" => name.as_str(), "WithDecryption" => secure};
            let reply = cx.call("ssm", "GetParameter", input).await?;
            let value = reply.get("Parameter").and_then(|p| p.str("Value"));
            value.map(str::to_owned).ok_or_else(|| ApiError::internal("a parameter without value"))
        }
        Dynamic::Secret { id, json_key, stage, version } => {
            let mut input = vec![("SecretId".into(), fogbank_core::Value::from(*id))];
            if let Some(s) = stage {
                input.push(("VersionStage".into(), (*s).into()));
            }
            if let Some(v) = version {
                input.push(("VersionId".into(), (*v).into()));
            }
            let input = fogbank_core::Value::Map(input);
            let reply = cx.call("secretsmanager", "GetSecretValue", input).await?;
            let secret = reply
                .str("SecretString")
                .ok_or_else(|| validation("Secrets Manager: the secret has no SecretString"))?;
            let Some(key) = json_key else { return Ok(secret.to_owned()) };
            let json: Value = serde_json::from_str(secret)
                .map_err(|_| validation("Could not parse SecretString JSON"))?;
            match json.get(*key) {
                Some(Value::String(s)) => Ok(s.clone()),
                Some(v) if !v.is_null() => Ok(v.to_string()),
                _ => Err(validation(format!(
                    "Could not find a value associated with JSONKey in SecretString: {key}"
                ))),
            }
        }
    }
}
