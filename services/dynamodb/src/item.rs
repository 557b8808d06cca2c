//! Items one by one: get, put, update, delete.

use std::sync::Arc;

use fogbank_core::{Cx, Op, Reply, Result};
use fogbank_dynamo::{Condition, Item, Projection, Scope, Update};

use crate::capacity::Used;
use crate::error::{language, parameter, validation};
use crate::keys::{self, ITEMS};
use crate::legacy::{self, Legacy};
use crate::reply::{Members, Out};
use crate::schema::{Place, Schema};
use crate::value::{self, Input};
use crate::write::{Act, Action, collection};
use crate::{Dynamo, authz};

/// These take their input as a value: items are open-ended, and the way through serde would build
/// them twice.
pub const OPS: &[Op<Dynamo>] = &[
    Op {
        name: "GetItem",
        run: |ddb, cx, v| Box::pin(get_item(ddb, cx, Input::of(v))),
        authz: Some(|ddb, cx, v| Box::pin(authz::item(ddb, cx, v))),
    },
    Op {
        name: "PutItem",
        run: |ddb, cx, v| Box::pin(write(ddb, cx, Input::of(v), Kind::Put)),
        authz: Some(|ddb, cx, v| Box::pin(authz::item(ddb, cx, v))),
    },
    Op {
        name: "UpdateItem",
        run: |ddb, cx, v| Box::pin(write(ddb, cx, Input::of(v), Kind::Update)),
        authz: Some(|ddb, cx, v| Box::pin(authz::item(ddb, cx, v))),
    },
    Op {
        name: "DeleteItem",
        run: |ddb, cx, v| Box::pin(write(ddb, cx, Input::of(v), Kind::Delete)),
        authz: Some(|ddb, cx, v| Box::pin(authz::item(ddb, cx, v))),
    },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Put,
    Update,
    Delete,
    Check,
}

/// The table of a request: what its checks have found, if that was this one.
pub async fn schema_of(ddb: &Dynamo, cx: &Cx, place: &Place) -> Result<Arc<Schema>> {
    match cx.recall::<Schema>() {
        Some(s) if s.place == *place => Ok(s),
        _ => ddb.schema(place).await,
    }
}

/// The placeholders of a request.
pub fn scope(input: &mut Input) -> Result<Scope> {
    let names = input.take("ExpressionAttributeNames").map(value::texts);
    let values = input.take("ExpressionAttributeValues").map(value::placeholders).transpose()?;
    Scope::new(names, values).map_err(|e| language(&e))
}

/// Checks that placeholders come with an expression that can use them, and that expressions and
/// the parameters from before them are not mixed.
pub fn check_mixed(input: &Input, expressions: &[&str], older: &[&str]) -> Result<()> {
    let given = |names: &[&str]| {
        names.iter().filter(|n| input.has(n)).copied().collect::<Vec<_>>().join(", ")
    };
    let (new, old) = (given(expressions), given(older));
    let holders = given(&["ExpressionAttributeNames", "ExpressionAttributeValues"]);
    if !old.is_empty() && (!new.is_empty() || !holders.is_empty() && new.is_empty()) {
        if new.is_empty() {
            let which = holders.split(", ").next().unwrap_or_default();
            return Err(validation(format!(
                "{which} can only be specified when using expressions"
            )));
        }
        return Err(validation(format!(
            "Can not use both expression and non-expression parameters in the same request: \
             Non-expression parameters: {{{old}}} Expression parameters: {{{new}}}"
        )));
    }
    if new.is_empty() && input.has("ExpressionAttributeNames") {
        return Err(validation(
            "ExpressionAttributeNames can only be specified when using expressions",
        ));
    }
    let with_values: Vec<&str> =
        expressions.iter().filter(|e| **e != "ProjectionExpression").copied().collect();
    if input.has("ExpressionAttributeValues") && given(&with_values).is_empty() {
        let (names, are) = match &with_values[..] {
            [] => {
                return Err(validation(
                    "ExpressionAttributeValues can only be specified when using expressions",
                ));
            }
            [one] => ((*one).to_owned(), "is"),
            several => (several.join(" and "), "are"),
        };
        return Err(validation(format!(
            "ExpressionAttributeValues can only be specified when using expressions: {names} {are} null"
        )));
    }
    Ok(())
}

/// `ProjectionExpression` or `AttributesToGet`.
pub fn projection(input: &mut Input, scope: &Scope) -> Result<Option<Projection>> {
    if let Some(text) = input.text("ProjectionExpression") {
        let parsed = Projection::parse(&text, scope);
        return parsed.map(Some).map_err(|e| language(&e.within("ProjectionExpression")));
    }
    let Some(names) = input.list("AttributesToGet") else { return Ok(None) };
    let names: Vec<String> = names.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort();
    if let Some(w) = sorted.windows(2).find(|w| w[0] == w[1]) {
        return Err(parameter(format!("Duplicate value in attribute name: {}", w[0])));
    }
    Ok(Some(Projection::top(names.iter().map(String::as_str))))
}

/// `ConditionExpression` or `Expected`.
pub fn condition(input: &mut Input, scope: &Scope) -> Result<Option<Condition>> {
    if let Some(text) = input.text("ConditionExpression") {
        let parsed = Condition::parse(&text, scope);
        return parsed.map(Some).map_err(|e| language(&e.within("ConditionExpression")));
    }
    let operator = input.text("ConditionalOperator");
    let Some(expected) = input.entries("Expected") else {
        return match operator {
            Some(_) => {
                Err(validation("ConditionalOperator cannot be used without Filter or Expected"))
            }
            None => Ok(None),
        };
    };
    if operator.is_some() && expected.len() < 2 {
        return Err(validation(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        ));
    }
    legacy::expected(expected, legacy::operator(operator.as_deref()))
}

/// Reads what a write is to do; the table is looked up last, when the request is known to be well
/// formed.
pub async fn action(ddb: &Dynamo, cx: &Cx, input: &mut Input, kind: Kind) -> Result<Action> {
    let name = input.text("TableName").unwrap_or_default();
    let place = Place::of(cx, &name)?;
    match kind {
        Kind::Update => check_mixed(
            input,
            &["UpdateExpression", "ConditionExpression"],
            &["AttributeUpdates", "Expected", "ConditionalOperator"],
        )?,
        _ => check_mixed(input, &["ConditionExpression"], &["Expected", "ConditionalOperator"])?,
    }
    let item = input.take(if kind == Kind::Put { "Item" } else { "Key" });
    let item = value::item(item.unwrap_or_default())?;
    let scope = scope(input)?;
    let act = match kind {
        Kind::Put => Act::Put,
        Kind::Delete => Act::Delete,
        Kind::Check => Act::Check,
        Kind::Update => match (input.text("UpdateExpression"), input.entries("AttributeUpdates")) {
            (Some(text), _) => Act::Update(
                Update::parse(&text, &scope)
                    .map_err(|e| language(&e.within("UpdateExpression")))?,
            ),
            (None, Some(updates)) => Act::Legacy(Legacy::parse(updates)?),
            (None, None) => Act::Update(Update::default()),
        },
    };
    let condition = condition(input, &scope)?;
    scope.check_used().map_err(|e| language(&e))?;
    let show_failed =
        input.text("ReturnValuesOnConditionCheckFailure").as_deref() == Some("ALL_OLD");
    let schema = schema_of(ddb, cx, &place).await?;
    let action = Action::new(schema, item, act)?;
    Ok(Action { condition, show_failed, ..action })
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html>
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html>
async fn write(ddb: &Dynamo, cx: &Cx, mut input: Input, kind: Kind) -> Result<Reply> {
    let which = input.text("ReturnValues");
    let which = which.as_deref().unwrap_or("NONE");
    if kind != Kind::Update && !matches!(which, "NONE" | "ALL_OLD") {
        return Err(validation("ReturnValues can only be ALL_OLD or NONE"));
    }
    let asked = input.text("ReturnConsumedCapacity");
    let metrics = input.text("ReturnItemCollectionMetrics").as_deref() == Some("SIZE");
    let action = action(ddb, cx, &mut input, kind).await?;
    let done = ddb.act(cx, &action).await?;
    let mut reply = Members::default();
    reply.add_some("Attributes", action.returned(which, &done)?);
    reply.add_some("ConsumedCapacity", done.used.shown(&action.place.name, asked.as_deref(), None));
    if metrics {
        reply.add_some("ItemCollectionMetrics", collection(&action.schema, &action.item));
    }
    reply.out().reply(cx)
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html>
async fn get_item(ddb: &Dynamo, cx: &Cx, mut input: Input) -> Result<Reply> {
    let place = Place::of(cx, &input.text("TableName").unwrap_or_default())?;
    check_mixed(&input, &["ProjectionExpression"], &["AttributesToGet"])?;
    let key = value::item(input.take("Key").unwrap_or_default())?;
    let scope = scope(&mut input)?;
    let projection = projection(&mut input, &scope)?;
    scope.check_used().map_err(|e| language(&e))?;
    let consistent = input.flag("ConsistentRead").unwrap_or(false);
    let asked = input.text("ReturnConsumedCapacity");
    let schema = schema_of(ddb, cx, &place).await?;
    let (found, size) = get(ddb, &schema, &key, projection.as_ref()).await?;
    let mut reply = Members::default();
    reply.add_some("Item", found);
    let used = Used::read(size, consistent);
    reply.add_some("ConsumedCapacity", used.shown(&place.name, asked.as_deref(), None));
    reply.out().reply(cx)
}

/// An item, or the part of it that is wanted, and the size of the whole.
pub async fn get(
    ddb: &Dynamo,
    schema: &Schema,
    key: &Item,
    projection: Option<&Projection>,
) -> Result<(Option<Out>, usize)> {
    keys::check_key(schema.key(), key)?;
    let stored = ddb.store.get(&ITEMS, &keys::row(schema, key)).await?;
    let size = stored.as_ref().map_or(0, crate::reply::Stored::size);
    let out = match (stored, projection) {
        (None, _) => None,
        (Some(s), None) => Some(Out::Stored(s)),
        (Some(s), Some(p)) => Some(Out::Item(p.apply(&s.item()?))),
    };
    Ok((out, size))
}
