//! Batches: many items in one request, each by itself.

use std::collections::HashSet;

use fogbank_core::{Cx, Op, Reply, Result, Value};

use crate::capacity::Used;
use crate::error::{language, parameter, validation};
use crate::item::{check_mixed, get, projection, scope};
use crate::reply::{Members, Out};
use crate::schema::Place;
use crate::totals::Totals;
use crate::value::{self, Input};
use crate::write::{Act, Action};
use crate::{Dynamo, authz, keys};

pub const OPS: &[Op<Dynamo>] = &[
    Op {
        name: "BatchGetItem",
        run: |ddb, cx, v| Box::pin(batch_get_item(ddb, cx, Input::of(v))),
        authz: Some(|ddb, cx, v| Box::pin(authz::batch(ddb, cx, v))),
    },
    Op {
        name: "BatchWriteItem",
        run: |ddb, cx, v| Box::pin(batch_write_item(ddb, cx, Input::of(v))),
        authz: Some(|ddb, cx, v| Box::pin(authz::batch(ddb, cx, v))),
    },
];

/// The most bytes that a batch answers or takes.
const MOST: usize = 16 << 20;

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
async fn batch_get_item(ddb: &Dynamo, cx: &Cx, mut input: Input) -> Result<Reply> {
    let tables = input.entries("RequestItems").unwrap_or_default();
    let asked = input.text("ReturnConsumedCapacity");
    let total: usize =
        tables.iter().map(|(_, v)| v.get("Keys").map_or(0, |k| k.items().len())).sum();
    if tables.is_empty() || total == 0 {
        return Err(validation(
            "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ));
    }
    if total > 100 {
        return Err(validation("Too many items requested for the BatchGetItem call"));
    }
    let mut parsed = Vec::new();
    for (name, v) in tables {
        let place = Place::of(cx, &name)?;
        let mut one = Input::of(v.clone());
        check_mixed(&one, &["ProjectionExpression"], &["AttributesToGet"])?;
        let scope = scope(&mut one)?;
        let projection = projection(&mut one, &scope)?;
        scope.check_used().map_err(|e| language(&e))?;
        let consistent = one.flag("ConsistentRead").unwrap_or(false);
        let keys = one.list("Keys").unwrap_or_default();
        let keys: Vec<_> = keys.into_iter().map(value::item).collect::<Result<_>>()?;
        parsed.push((name, place, projection, consistent, keys, v));
    }
    let (mut responses, mut left, mut totals) = (Vec::new(), Vec::new(), Totals::default());
    let mut bytes = 0;
    for (name, place, projection, consistent, keys, original) in parsed {
        let schema = ddb.schema(&place).await?;
        let mut seen = HashSet::new();
        for key in &keys {
            keys::check_key(schema.key(), key)?;
            if !seen.insert(keys::row(&schema, key)) {
                return Err(validation("Provided list of item keys contains duplicates"));
            }
        }
        let (mut found, mut rest) = (Vec::new(), Vec::new());
        for key in keys {
            if bytes >= MOST {
                rest.push(value::item_value(&key));
                continue;
            }
            let (item, size) = get(ddb, &schema, &key, projection.as_ref()).await?;
            bytes += size;
            totals.add(&place.name, &Used::read(size, consistent));
            found.extend(item);
        }
        responses.push((name.clone(), Out::List(found)));
        if !rest.is_empty() {
            let Value::Map(mut members) = original else { continue };
            members.retain(|(k, _)| k != "Keys");
            members.push(("Keys".into(), Value::List(rest)));
            left.push((name, Out::Value(Value::Map(members))));
        }
    }
    let mut reply = Members::default();
    reply.add("Responses", Out::Map(responses));
    reply.add("UnprocessedKeys", Out::Map(left));
    totals.write(&mut reply, asked.as_deref(), None);
    reply.out().reply(cx)
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>
async fn batch_write_item(ddb: &Dynamo, cx: &Cx, mut input: Input) -> Result<Reply> {
    let tables = input.entries("RequestItems").unwrap_or_default();
    let asked = input.text("ReturnConsumedCapacity");
    let metrics = input.text("ReturnItemCollectionMetrics").as_deref() == Some("SIZE");
    let total: usize = tables.iter().map(|(_, v)| v.items().len()).sum();
    if total == 0 {
        return Err(validation("The batch write request list for a table cannot be null or empty"));
    }
    if total > 25 {
        return Err(validation("Too many items requested for the BatchWriteItem call"));
    }
    let mut actions: Vec<Action> = Vec::new();
    let mut seen = HashSet::new();
    for (name, requests) in tables {
        let place = Place::of(cx, &name)?;
        let Value::List(requests) = requests else { continue };
        if requests.is_empty() {
            return Err(validation(
                "The batch write request list for a table cannot be null or empty",
            ));
        }
        let mut parsed: Vec<(fogbank_dynamo::Item, Act)> = Vec::new();
        for request in requests {
            let mut request = Input::of(request);
            parsed.push(match (request.take("PutRequest"), request.take("DeleteRequest")) {
                (Some(put), None) => {
                    (value::item(Input::of(put).take("Item").unwrap_or_default())?, Act::Put)
                }
                (None, Some(delete)) => {
                    (value::item(Input::of(delete).take("Key").unwrap_or_default())?, Act::Delete)
                }
                _ => {
                    return Err(validation(
                        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
                    ));
                }
            });
        }
        let schema = ddb.schema(&place).await?;
        for (item, act) in parsed {
            let action = Action::new(schema.clone(), item, act)?;
            if !seen.insert(action.row.clone()) {
                return Err(validation("Provided list of item keys contains duplicates"));
            }
            actions.push(action);
        }
    }
    let size: usize = actions.iter().map(|a| fogbank_dynamo::item_size(&a.item)).sum();
    if size > MOST {
        return Err(parameter("The size of the request exceeds 16 MB"));
    }
    let locks: Vec<_> = actions.iter().flat_map(Action::locks).collect();
    let mut tx = ddb.store.lock(&locks).await;
    // Without conditions nothing fails by itself: one commit for all.
    let staged = match ddb.act_all(cx, &mut tx, &actions).await? {
        Ok(staged) => staged,
        Err(reasons) => {
            let why = reasons.into_iter().find_map(|r| r.message);
            return Err(validation(why.unwrap_or_default()));
        }
    };
    let staged = ddb.commit(tx, staged).await?;
    let mut totals = Totals::default();
    for (action, done) in actions.iter().zip(&staged) {
        totals.add(&action.place.name, &done.used);
        if metrics {
            totals.touch(action);
        }
    }
    let mut reply = Members::default();
    reply.add("UnprocessedItems", Out::Map(Vec::new()));
    totals.write(&mut reply, asked.as_deref(), None);
    reply.out().reply(cx)
}
