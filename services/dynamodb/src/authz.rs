//! What must be allowed before an operation runs: the action, the table or index, the condition
//! keys of fine-grained access.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html>

use std::collections::BTreeSet;
use std::sync::Arc;

use fogbank_core::{Check, Cx, Result, Str, Value};
use fogbank_dynamo::{Attr, Condition, Path, Projection, Scope, Update};

use crate::schema::{Place, Schema};
use crate::{Dynamo, value};

type Checks = Result<Vec<Check>>;

/// On everything.
pub async fn all(_: &Dynamo, cx: &Cx, _: &Value) -> Checks {
    Ok(vec![Check::new(format!("dynamodb:{}", cx.operation), "*")])
}

/// On the table that `TableName` names.
pub async fn table(ddb: &Dynamo, cx: &Cx, input: &Value) -> Checks {
    let place = Place::of(cx, input.str("TableName").unwrap_or_default())?;
    let mut check = on_table(ddb, cx, &place, cx.operation).await?;
    for tag in input.get("Tags").map(Value::items).unwrap_or_default() {
        let (key, value) = (tag.str("Key").unwrap_or_default(), tag.str("Value"));
        check = check.with(format!("aws:RequestTag/{key}"), value.unwrap_or_default());
        check = check.with("aws:TagKeys", key);
    }
    Ok(vec![check])
}

/// On the resource that `ResourceArn` names.
pub async fn resource(ddb: &Dynamo, cx: &Cx, input: &Value) -> Checks {
    let arn = input.str("ResourceArn").unwrap_or("*");
    let Ok(place) = Place::of(cx, arn) else {
        return Ok(vec![Check::new(format!("dynamodb:{}", cx.operation), arn)]);
    };
    let mut check = on_table(ddb, cx, &place, cx.operation).await?;
    arn.clone_into(&mut check.resource);
    Ok(vec![check])
}

/// A check on a table, which need not exist.
pub async fn on_table(ddb: &Dynamo, cx: &Cx, place: &Place, action: &str) -> Result<Check> {
    let found = ddb.find(place).await?;
    if let Some(schema) = &found {
        cx.remember(Arc::clone(schema));
    }
    Ok(check(place, found.as_deref(), action))
}

fn check(place: &Place, schema: Option<&Schema>, action: &str) -> Check {
    let mut check = Check::new(
        format!("dynamodb:{action}"),
        match schema {
            Some(s) => s.arn.clone(),
            None => place.arn(),
        },
    );
    check.resource_account = Some(place.account.clone());
    if let Some(schema) = schema {
        check.resource_policy = schema.policy.clone();
        for (key, value) in &schema.record.tags {
            check = check.with(format!("aws:ResourceTag/{key}"), value.clone());
        }
    }
    check
}

/// On one item of one table, or on a query or scan of it.
pub async fn item(ddb: &Dynamo, cx: &Cx, input: &Value) -> Checks {
    let place = Place::of(cx, input.str("TableName").unwrap_or_default())?;
    let mut check = on_table(ddb, cx, &place, cx.operation).await?;
    if let Some(index) = input.str("IndexName") {
        check.resource = format!("{}/index/{index}", check.resource);
    }
    if !cx.principal.is_root() || check.resource_policy.is_some() {
        let schema = cx.recall::<Schema>();
        fine(&mut check, schema.as_deref(), std::slice::from_ref(input), input);
    }
    Ok(vec![check])
}

/// On each table of a batch.
pub async fn batch(ddb: &Dynamo, cx: &Cx, input: &Value) -> Checks {
    let mut checks = Vec::new();
    let Some(Value::Map(tables)) = input.get("RequestItems") else { return Ok(checks) };
    for (name, requests) in tables {
        let place = Place::of(cx, name)?;
        let mut check = on_table(ddb, cx, &place, cx.operation).await?;
        if !cx.principal.is_root() || check.resource_policy.is_some() {
            let schema = ddb.find(&place).await?;
            let mut parts = Vec::new();
            for request in requests.items() {
                parts.extend(request.get("PutRequest").or(request.get("DeleteRequest")).cloned());
            }
            for key in requests.get("Keys").map(Value::items).unwrap_or_default() {
                parts.push(Value::Map(vec![("Key".into(), key.clone())]));
            }
            let extra = if requests.get("Keys").is_some() { requests } else { input };
            parts.push(extra.clone());
            fine(&mut check, schema.as_deref(), &parts, extra);
        }
        checks.push(check);
    }
    Ok(checks)
}

/// On each item of a transaction, as if it were asked for by itself.
pub async fn transaction(ddb: &Dynamo, cx: &Cx, input: &Value) -> Checks {
    const ACTIONS: &[(&str, &str)] = &[
        ("Get", "GetItem"),
        ("Put", "PutItem"),
        ("Update", "UpdateItem"),
        ("Delete", "DeleteItem"),
        ("ConditionCheck", "ConditionCheckItem"),
    ];
    let mut checks = Vec::new();
    for one in input.get("TransactItems").map(Value::items).unwrap_or_default() {
        for (member, action) in ACTIONS {
            let Some(part) = one.get(member) else { continue };
            let place = Place::of(cx, part.str("TableName").unwrap_or_default())?;
            let mut check = on_table(ddb, cx, &place, action).await?;
            check = check.with("dynamodb:EnclosingOperation", cx.operation);
            let schema = cx.recall::<Schema>();
            fine(&mut check, schema.as_deref(), std::slice::from_ref(part), part);
            checks.push(check);
        }
    }
    Ok(checks)
}

/// Adds the keys of fine-grained access: whose items, which attributes, what is returned.
fn fine(check: &mut Check, schema: Option<&Schema>, parts: &[Value], all: &Value) {
    let (mut leading, mut names) = (BTreeSet::new(), BTreeSet::new());
    for part in parts {
        let hash = schema.map(|s| {
            let index = part.str("IndexName").and_then(|name| s.index(name));
            index.map_or(&s.key().hash.name, |i| &i.key.hash.name).as_str()
        });
        look(part, hash, &mut leading, &mut names);
    }
    let action = check.action.clone();
    let mut add = |key: &'static str, values: Vec<String>| {
        if !values.is_empty() {
            check.context.push((Str::Borrowed(key), values));
        }
    };
    add("dynamodb:LeadingKeys", leading.into_iter().collect());
    add("dynamodb:Attributes", names.into_iter().collect());
    let given = |member: &str| all.str(member).map(str::to_owned);
    let reads = ["GetItem", "BatchGetItem", "Query", "Scan"].iter().any(|a| action.ends_with(a));
    if reads {
        let some = ["ProjectionExpression", "AttributesToGet"].iter().any(|p| all.get(p).is_some());
        // What a read without a word about it answers.
        let implied = match (some, all.get("IndexName").is_some()) {
            (true, _) => "SPECIFIC_ATTRIBUTES",
            (false, true) => "ALL_PROJECTED_ATTRIBUTES",
            (false, false) => "ALL_ATTRIBUTES",
        };
        add("dynamodb:Select", vec![given("Select").unwrap_or_else(|| implied.to_owned())]);
    }
    add("dynamodb:ReturnValues", given("ReturnValues").into_iter().collect());
    let capacity = given("ReturnConsumedCapacity");
    add("dynamodb:ReturnConsumedCapacity", capacity.into_iter().collect());
}

/// The partition keys and attributes that a request names.
fn look(
    part: &Value,
    hash: Option<&str>,
    leading: &mut BTreeSet<String>,
    names: &mut BTreeSet<String>,
) {
    for member in ["Key", "Item"] {
        let Some(Value::Map(entries)) = part.get(member) else { continue };
        for (name, v) in entries {
            names.insert(name.clone().into_owned());
            if Some(&**name) == hash
                && let Ok(v) = value::attr(v.clone())
            {
                leading.insert(key_text(&v));
            }
        }
    }
    for member in ["Expected", "AttributeUpdates", "KeyConditions", "QueryFilter", "ScanFilter"] {
        let Some(Value::Map(entries)) = part.get(member) else { continue };
        for (name, v) in entries {
            names.insert(name.clone().into_owned());
            let first = v.get("AttributeValueList").and_then(|l| l.items().first().cloned());
            if member == "KeyConditions"
                && Some(&**name) == hash
                && let Some(Ok(v)) = first.map(value::attr)
            {
                leading.insert(key_text(&v));
            }
        }
    }
    for name in part.get("AttributesToGet").map(Value::items).unwrap_or_default() {
        names.extend(name.as_str().map(str::to_owned));
    }
    // What does not parse is refused by the operation itself.
    let values = part.get("ExpressionAttributeValues").cloned().map(value::placeholders);
    let placeholders = part.get("ExpressionAttributeNames").cloned().map(value::texts);
    let Ok(scope) = Scope::new(placeholders, values.and_then(Result::ok)) else { return };
    let mut note = |p: &Path| {
        names.insert(p.root.clone());
    };
    for member in ["ConditionExpression", "FilterExpression", "KeyConditionExpression"] {
        if let Some(Ok(c)) = part.str(member).map(|t| Condition::parse(t, &scope)) {
            c.paths(&mut note);
        }
    }
    if let Some(Ok(u)) = part.str("UpdateExpression").map(|t| Update::parse(t, &scope)) {
        u.paths().for_each(&mut note);
        u.reads(&mut note);
    }
    if let Some(Ok(p)) = part.str("ProjectionExpression").map(|t| Projection::parse(t, &scope)) {
        names.extend(p.roots().map(str::to_owned));
    }
    if let Some(Ok(keys)) =
        part.str("KeyConditionExpression").map(|t| fogbank_dynamo::key::parse(t, &scope))
        && let Some(condition) = hash.and_then(|h| keys.get(h))
    {
        leading.extend(condition.values().map(key_text));
    }
}

/// A key's value as policies spell it.
pub fn key_text(v: &Attr) -> String {
    match v {
        Attr::S(s) => s.clone(),
        Attr::N(n) => n.to_string(),
        Attr::B(b) => {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.encode(b)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use fogbank_core::map;

    use super::*;

    #[test]
    fn keys_and_attributes_are_found() {
        let (mut leading, mut names) = (BTreeSet::new(), BTreeSet::new());
        let input = map! {
            "KeyConditionExpression" => "#p = :p AND c > :c",
            "FilterExpression" => "f.g = :c",
            "ProjectionExpression" => "x, y[0]",
            "ExpressionAttributeNames" => map! {"#p" => "p"},
            "ExpressionAttributeValues" => map! {":p" => map! {"S" => "alice"}, ":c" => map! {"N" => "1"}},
        };
        look(&input, Some("p"), &mut leading, &mut names);
        assert_eq!(leading.into_iter().collect::<Vec<_>>(), ["alice"]);
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["c", "f", "p", "x", "y"]);
    }
}
