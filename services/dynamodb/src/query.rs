//! Query: one partition of a table or an index, in the order of the sort key.

use fogbank_core::{Cx, Op, Reply, Result};
use fogbank_dynamo::condition::Comparison;
use fogbank_dynamo::key::{KeyCondition, KeyConditions};
use fogbank_dynamo::{Attr, Condition};
use fogbank_store::Range;

use crate::error::{language, validation};
use crate::item::{check_mixed, projection, schema_of, scope};
use crate::read::{Source, Wanted, reply, select};
use crate::schema::{KeyPart, Place, fits};
use crate::value::{self, Input};
use crate::{Dynamo, authz, keys, legacy};

pub const OPS: &[Op<Dynamo>] = &[Op {
    name: "Query",
    run: |ddb, cx, v| Box::pin(query(ddb, cx, Input::of(v))),
    authz: Some(|ddb, cx, v| Box::pin(authz::item(ddb, cx, v))),
}];

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html>
async fn query(ddb: &Dynamo, cx: &Cx, mut input: Input) -> Result<Reply> {
    let place = Place::of(cx, &input.text("TableName").unwrap_or_default())?;
    check_mixed(
        &input,
        &["ProjectionExpression", "FilterExpression", "KeyConditionExpression"],
        &["AttributesToGet", "QueryFilter", "ConditionalOperator"],
    )?;
    if input.has("KeyConditions") && input.has("KeyConditionExpression") {
        return Err(validation(
            "Can not use both expression and non-expression parameters in the same request: \
             Non-expression parameters: {KeyConditions} Expression parameters: \
             {KeyConditionExpression}",
        ));
    }
    let scope = scope(&mut input)?;
    let conditions = match (input.text("KeyConditionExpression"), input.entries("KeyConditions")) {
        (Some(text), _) => fogbank_dynamo::key::parse(&text, &scope).map_err(|e| {
            let plain = e.to_string();
            // These name the parameter themselves.
            let named = plain.starts_with("Invalid operator used")
                || plain.starts_with("KeyConditionExpressions ")
                || plain.starts_with("Invalid condition in");
            language(&if named { e } else { e.within("KeyConditionExpression") })
        })?,
        (None, Some(older)) => legacy::key_conditions(older)?,
        (None, None) => {
            return Err(validation(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
            ));
        }
    };
    let filter = filter(&mut input, &scope, "QueryFilter")?;
    let projection = projection(&mut input, &scope)?;
    scope.check_used().map_err(|e| language(&e))?;
    let limit = limit(&mut input)?;
    let consistent = input.flag("ConsistentRead").unwrap_or(false);
    let asked = input.text("ReturnConsumedCapacity");
    let forward = input.flag("ScanIndexForward").unwrap_or(true);
    let schema = schema_of(ddb, cx, &place).await?;
    let source = Source::new(schema, input.text("IndexName").as_deref(), consistent)?;
    let (only_count, fetch) =
        select(&source, input.text("Select").as_deref(), projection.as_ref())?;
    if let Some(filter) = &filter {
        check_filter(&source, filter)?;
    }
    let mut range = range(&source, conditions)?;
    if !forward {
        range = range.reverse();
    }
    if let Some(start) = input.take("ExclusiveStartKey") {
        range = range.after(&source.start(&value::item(start)?)?);
    }
    let wanted = Wanted { filter, projection, limit, only_count, fetch };
    let page = ddb.page(&source, range, &wanted, consistent).await?;
    reply(cx, page, &place.name, asked.as_deref(), only_count)
}

/// `FilterExpression`, or what stood for it before expressions.
pub fn filter(
    input: &mut Input,
    scope: &fogbank_dynamo::Scope,
    older: &str,
) -> Result<Option<Condition>> {
    if let Some(text) = input.text("FilterExpression") {
        let parsed = Condition::parse(&text, scope);
        return parsed.map(Some).map_err(|e| language(&e.within("FilterExpression")));
    }
    let operator = input.text("ConditionalOperator");
    let entries = input.entries(older);
    if operator.is_some() && entries.as_ref().is_none_or(|e| e.len() < 2) {
        return Err(validation(if entries.as_ref().is_none_or(Vec::is_empty) {
            "ConditionalOperator cannot be used without Filter or Expected"
        } else {
            "ConditionalOperator can only be used when Filter or Expected has two or more elements"
        }));
    }
    match entries {
        Some(entries) => legacy::filter(entries, legacy::operator(operator.as_deref())),
        None => Ok(None),
    }
}

pub fn limit(input: &mut Input) -> Result<Option<usize>> {
    match input.number("Limit") {
        None => Ok(None),
        Some(n) => match usize::try_from(n) {
            Ok(n) if n > 0 => Ok(Some(n)),
            _ => Err(validation(format!(
                "1 validation error detected: Value '{n}' at 'limit' failed to satisfy constraint: \
                 Member must have value greater than or equal to 1"
            ))),
        },
    }
}

/// A filter says nothing of the keys that the query itself is on.
fn check_filter(source: &Source, filter: &Condition) -> Result<()> {
    let mut found = None;
    filter.paths(&mut |p| {
        if source.key().has(&p.root) {
            found = found.take().or(Some(p.root.clone()));
        }
    });
    match found {
        Some(name) => Err(validation(format!(
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
        ))),
        None => Ok(()),
    }
}

/// The rows that key conditions leave.
pub fn range(source: &Source, mut conditions: KeyConditions) -> Result<Range> {
    let key = source.key();
    let missing =
        |name: &str| validation(format!("Query condition missed key schema element: {name}"));
    if conditions.len() > 2 {
        return Err(validation("Conditions can be of length 1 or 2 only"));
    }
    let hash = conditions.remove(&key.hash.name).ok_or_else(|| missing(&key.hash.name))?;
    let KeyCondition::Compare(Comparison::Eq, hash) = hash else {
        return Err(validation("Query key condition not supported"));
    };
    check(&key.hash, &hash)?;
    let partition = keys::partition(source.id(), &hash);
    let Some((name, condition)) = conditions.pop_first() else {
        return Ok(Range::prefix(&partition));
    };
    let Some(part) = key.range.as_ref() else {
        return Err(validation("Query key condition not supported").context(name));
    };
    if part.name != name {
        return Err(missing(&part.name));
    }
    condition.values().try_for_each(|v| check(part, v))?;
    let at = |v: &Attr| partition.clone().bytes(&keys::ordered(v));
    // Behind the rows that begin with a key: what follows in a row is bytes, and numbers sort
    // after those.
    let past = |v: &Attr| at(v).u64(0);
    let all = Range::prefix(&partition);
    Ok(match &condition {
        KeyCondition::Compare(Comparison::Eq, v) => Range::prefix(&at(v)),
        KeyCondition::Compare(Comparison::Lt, v) => all.to(&at(v)),
        KeyCondition::Compare(Comparison::Le, v) => all.to(&past(v)),
        KeyCondition::Compare(Comparison::Gt, v) => all.from(&past(v)),
        KeyCondition::Compare(Comparison::Ge, v) => all.from(&at(v)),
        KeyCondition::Compare(Comparison::Ne, _) => {
            return Err(validation("Query key condition not supported"));
        }
        KeyCondition::Between(low, high) => {
            if low.compare(high).is_some_and(std::cmp::Ordering::is_gt) {
                return Err(validation(
                    "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
                ));
            }
            all.from(&at(low)).to(&past(high))
        }
        KeyCondition::BeginsWith(start) => {
            if matches!(start, Attr::N(_)) {
                return Err(validation("Query key condition not supported"));
            }
            let from = keys::ordered(start);
            let all = all.from(&partition.clone().bytes(&from));
            match above(&from) {
                Some(to) => all.to(&partition.clone().bytes(&to)),
                None => all,
            }
        }
    })
}

/// The least bytes above all that begin with `start`.
fn above(start: &[u8]) -> Option<Vec<u8>> {
    let last = start.iter().rposition(|b| *b != 0xFF)?;
    let mut out = start[..=last].to_vec();
    out[last] += 1;
    Some(out)
}

fn check(part: &KeyPart, v: &Attr) -> Result<()> {
    if !fits(part, v) {
        return Err(crate::error::parameter("Condition parameter type does not match schema type"));
    }
    match v {
        Attr::S(s) if s.is_empty() => Err(empty(part, "string")),
        Attr::B(b) if b.is_empty() => Err(empty(part, "binary")),
        _ => Ok(()),
    }
}

fn empty(part: &KeyPart, kind: &str) -> fogbank_core::ApiError {
    validation(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot \
         contain an empty {kind} value. Key: {}",
        part.name
    ))
}
