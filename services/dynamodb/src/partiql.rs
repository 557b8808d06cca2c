//! PartiQL: statements in place of the operations on items.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{ApiError, Check, Cx, Op, Reply, Result, Str, Value, map};
use fogbank_dynamo::condition::{Comparison, Operand};
use fogbank_dynamo::key::{KeyCondition, KeyConditions};
use fogbank_dynamo::partiql::{Statement, parse};
use fogbank_dynamo::{Attr, Condition, Item, Path, Projection, codec};
use fogbank_store::Lock;

use crate::capacity::Used;
use crate::error::{Reason, cancelled, language, validation};
use crate::keys::ITEMS;
use crate::read::{Page, Source, Wanted};
use crate::reply::{Members, Out};
use crate::schema::{Place, Schema};
use crate::totals::Totals;
use crate::transact::{Once, check_count};
use crate::value::{self, Input};
use crate::write::{Act, Action};
use crate::{Dynamo, authz, keys, query};

pub const OPS: &[Op<Dynamo>] = &[
    Op {
        name: "ExecuteStatement",
        run: |ddb, cx, v| Box::pin(execute_statement(ddb, cx, Input::of(v))),
        authz: Some(|ddb, cx, v| Box::pin(checks(ddb, cx, v))),
    },
    Op {
        name: "BatchExecuteStatement",
        run: |ddb, cx, v| Box::pin(batch_execute_statement(ddb, cx, Input::of(v))),
        authz: Some(|ddb, cx, v| Box::pin(checks(ddb, cx, v))),
    },
    Op {
        name: "ExecuteTransaction",
        run: |ddb, cx, v| Box::pin(execute_transaction(ddb, cx, v)),
        authz: Some(|ddb, cx, v| Box::pin(checks(ddb, cx, v))),
    },
];

/// Each statement needs the right to do what it says on its table or index.
async fn checks(ddb: &Dynamo, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let several = input.get("Statements").or(input.get("TransactStatements"));
    let all = several.map_or(std::slice::from_ref(input), Value::items);
    let mut found = Vec::new();
    for one in all {
        // What cannot be read is refused by the operation, in its own way.
        let Ok(statement) = read(&mut Input::of(one.clone())) else { continue };
        let place = Place::of(cx, statement.table())?;
        let mut check = authz::on_table(ddb, cx, &place, statement.action()).await?;
        if let Statement::Select { index, condition, .. } = &statement {
            if let Some(index) = index {
                check.resource = format!("{}/index/{index}", check.resource);
            }
            let schema = cx.recall::<Schema>().filter(|s| s.place == place);
            let full = match (&schema, condition) {
                (Some(s), Some(c)) => {
                    let key = index.as_ref().and_then(|i| s.index(i)).map_or(s.key(), |i| &i.key);
                    constants(c).iter().any(|(name, _)| *name == key.hash.name)
                }
                _ => false,
            };
            check = check.with("dynamodb:FullTableScan", (!full).to_string());
        }
        let schema = cx.recall::<Schema>().filter(|s| s.place == place);
        if let Some(leading) = schema.and_then(|s| leading(&statement, &s)) {
            check = check.with("dynamodb:LeadingKeys", leading);
        }
        found.push(check);
    }
    Ok(found)
}

fn leading(statement: &Statement, schema: &Schema) -> Option<String> {
    let hash = &schema.key().hash.name;
    match statement {
        Statement::Insert { item, .. } => item.get(hash).map(authz::key_text),
        Statement::Select { condition: Some(c), .. }
        | Statement::Update { condition: c, .. }
        | Statement::Delete { condition: c, .. }
        | Statement::Exists { condition: c, .. } => {
            constants(c).into_iter().find(|(n, _)| n == hash).map(|(_, v)| authz::key_text(v))
        }
        Statement::Select { condition: None, .. } => None,
    }
}

fn read(one: &mut Input) -> Result<Statement> {
    let text = one.text("Statement").unwrap_or_default();
    let parameters = one.list("Parameters").unwrap_or_default();
    let parameters = parameters.into_iter().map(value::attr).collect::<Result<Vec<_>>>()?;
    parse(&text, &parameters).map_err(|e| language(&e))
}

/// The attributes that a condition makes equal to a constant, whatever else it says.
fn constants(condition: &Condition) -> Vec<(&str, &Attr)> {
    let top = |p: &Path| p.rest.is_empty();
    match condition {
        Condition::And(a, b) => [constants(a), constants(b)].concat(),
        Condition::Compare(Comparison::Eq, Operand::Path(p), Operand::Value(v))
        | Condition::Compare(Comparison::Eq, Operand::Value(v), Operand::Path(p))
            if top(p) =>
        {
            vec![(&p.root, v)]
        }
        _ => Vec::new(),
    }
}

/// The key that a condition names whole.
fn whole_key(schema: &Schema, condition: &Condition) -> Result<Item> {
    let known = constants(condition);
    let parts = schema.key().parts().map(|part| {
        let found = known.iter().find(|(n, _)| *n == part.name);
        let (name, v) = found.ok_or_else(|| {
            validation("Where clause does not contain a mandatory equality on all key attributes")
        })?;
        Ok(((*name).to_owned(), (*v).clone()))
    });
    parts.collect()
}

/// What a statement that is no SELECT does.
async fn action(
    ddb: &Dynamo,
    cx: &Cx,
    statement: Statement,
    show_failed: bool,
) -> Result<(Action, Option<&'static str>)> {
    let place = Place::of(cx, statement.table())?;
    let schema = ddb.schema(&place).await?;
    let hash = Path::top(schema.key().hash.name.clone());
    let (mut action, returning) = match statement {
        Statement::Insert { item, .. } => {
            let mut action = Action::new(schema, item, Act::Put)?;
            action.condition = Some(Condition::Missing(hash));
            action.inserts = true;
            (action, None)
        }
        Statement::Update { update, condition, returning, .. } => {
            let key = whole_key(&schema, &condition)?;
            let mut action = Action::new(schema, key, Act::Update(update))?;
            action.condition = Some(condition);
            (action, returning)
        }
        Statement::Delete { condition, returning, .. } => {
            if returning.is_some_and(|r| r != "ALL_OLD") {
                return Err(validation("Only RETURNING ALL OLD * is supported for DELETE"));
            }
            let key = whole_key(&schema, &condition)?;
            let mut action = Action::new(schema, key, Act::Delete)?;
            // An item that is not there is gone already.
            action.condition =
                Some(Condition::Or(Box::new(Condition::Missing(hash)), Box::new(condition)));
            (action, returning)
        }
        Statement::Exists { condition, .. } => {
            let key = whole_key(&schema, &condition)?;
            let mut action = Action::new(schema, key, Act::Check)?;
            action.condition = Some(condition);
            (action, None)
        }
        Statement::Select { .. } => {
            return Err(validation("Statement is not a write").context("a select as an action"));
        }
    };
    action.show_failed = show_failed;
    Ok((action, returning))
}

/// Where a SELECT goes on: the part it is in, and the last key.
fn token(part: usize, last: &Item) -> String {
    let mut bytes = (part as u32).to_be_bytes().to_vec();
    codec::write(last, &mut bytes);
    STANDARD.encode(bytes)
}

fn parse_token(text: &str) -> Result<(usize, Item)> {
    let wrong = || validation("Invalid NextToken");
    let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
    let (part, rest) = bytes.split_first_chunk::<4>().ok_or_else(wrong)?;
    Ok((u32::from_be_bytes(*part) as usize, codec::read(rest).map_err(|_| wrong())?))
}

/// The parts of a table or an index that a condition leaves to read: `None` is all of it.
fn ranges(source: &Source, condition: Option<&Condition>) -> Option<Vec<KeyConditions>> {
    fn flat<'a>(c: &'a Condition, out: &mut Vec<&'a Condition>) {
        match c {
            Condition::And(a, b) => {
                flat(a, out);
                flat(b, out);
            }
            c => out.push(c),
        }
    }
    let key = source.key();
    let mut all = Vec::new();
    flat(condition?, &mut all);
    let is = |o: &Operand, name: &str| matches!(o, Operand::Path(p) if p.rest.is_empty() && p.root == name);
    let hashes: Vec<Attr> = all.iter().find_map(|c| match c {
        Condition::Compare(Comparison::Eq, o, Operand::Value(v)) if is(o, &key.hash.name) => {
            Some(vec![v.clone()])
        }
        Condition::In(o, list) if is(o, &key.hash.name) => list
            .iter()
            .map(|v| match v {
                Operand::Value(v) => Some(v.clone()),
                _ => None,
            })
            .collect(),
        _ => None,
    })?;
    let range = key.range.as_ref().and_then(|part| {
        let found = all.iter().find_map(|c| match c {
            Condition::Compare(how, o, Operand::Value(v))
                if is(o, &part.name) && *how != Comparison::Ne =>
            {
                Some(KeyCondition::Compare(*how, v.clone()))
            }
            Condition::Between(o, Operand::Value(a), Operand::Value(b)) if is(o, &part.name) => {
                Some(KeyCondition::Between(a.clone(), b.clone()))
            }
            Condition::BeginsWith(o, Operand::Value(v)) if is(o, &part.name) => {
                Some(KeyCondition::BeginsWith(v.clone()))
            }
            _ => None,
        });
        Some((part.name.clone(), found?))
    });
    Some(
        hashes
            .into_iter()
            .map(|v| {
                let mut one = KeyConditions::new();
                one.insert(key.hash.name.clone(), KeyCondition::Compare(Comparison::Eq, v));
                one.extend(range.clone());
                one
            })
            .collect(),
    )
}

struct Selecting {
    limit: Option<usize>,
    consistent: bool,
    next: Option<String>,
}

/// Runs a SELECT; answers the page and the token of the next.
async fn select(
    ddb: &Dynamo,
    cx: &Cx,
    statement: &Statement,
    how: Selecting,
) -> Result<(Page, Option<String>, Place)> {
    let Statement::Select { table, index, what, condition, order } = statement else {
        return Err(validation("Statement is not a SELECT").context("not a select"));
    };
    let place = Place::of(cx, table)?;
    let schema = ddb.schema(&place).await?;
    let source = Source::new(schema, index.as_deref(), how.consistent)?;
    let parts = ranges(&source, condition.as_ref());
    let descends = order.iter().any(|(_, d)| *d);
    if !order.is_empty() {
        let key = source.key();
        if parts.is_none() {
            return Err(validation(
                "Must have WHERE clause in the statement when using ORDER BY clause.",
            ));
        }
        if let Some((name, _)) = order.iter().find(|(n, _)| !key.has(n)) {
            return Err(validation(format!(
                "Variable reference {name} in ORDER BY clause must be part of the primary key"
            )));
        }
    }
    let projection = what.as_ref().map(Projection::of);
    let (_, fetch) = crate::read::select(&source, None, projection.as_ref())?;
    let ranges = match parts {
        None => vec![keys::all(source.id())],
        Some(parts) => {
            parts.into_iter().map(|c| query::range(&source, c)).collect::<Result<_>>()?
        }
    };
    let (mut at, mut start) = match &how.next {
        Some(t) => parse_token(t).map(|(part, last)| (part, Some(last)))?,
        None => (0, None),
    };
    let mut wanted = Wanted {
        filter: condition.clone(),
        projection,
        limit: how.limit,
        only_count: false,
        fetch,
    };
    let mut all = Page::default();
    while let Some(range) = ranges.get(at) {
        let mut range = range.clone();
        if descends {
            range = range.reverse();
        }
        if let Some(last) = start.take() {
            range = range.after(&source.start(&last)?);
        }
        let page = ddb.page(&source, range, &wanted, how.consistent).await?;
        all.items.extend(page.items);
        all.scanned += page.scanned;
        all.used.add(&page.used);
        if let Some(last) = page.last {
            let next = token(at, &last);
            all.last = Some(last);
            return Ok((all, Some(next), place));
        }
        wanted.limit = wanted.limit.map(|l| l.saturating_sub(page.scanned).max(1));
        at += 1;
    }
    Ok((all, None, place))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html>
async fn execute_statement(ddb: &Dynamo, cx: &Cx, mut input: Input) -> Result<Reply> {
    let statement = read(&mut input)?;
    let asked = input.text("ReturnConsumedCapacity");
    let mut reply = Members::default();
    if statement.reads() {
        let how = Selecting {
            limit: query::limit(&mut input)?,
            consistent: input.flag("ConsistentRead").unwrap_or(false),
            next: input.text("NextToken"),
        };
        let (page, next, place) = select(ddb, cx, &statement, how).await?;
        reply.add("Items", Out::List(page.items));
        reply.add_some("NextToken", next.map(Value::from));
        reply.add_some("LastEvaluatedKey", page.last);
        reply.add_some("ConsumedCapacity", page.used.shown(&place.name, asked.as_deref(), None));
        return reply.out().reply(cx);
    }
    if let Statement::Exists { .. } = statement {
        return Err(validation("EXISTS is only supported in transactions"));
    }
    let show = input.text("ReturnValuesOnConditionCheckFailure").as_deref() == Some("ALL_OLD");
    let (action, returning) = action(ddb, cx, statement, show).await?;
    let done = ddb.act(cx, &action).await?;
    let returned = action.returned(returning.unwrap_or("NONE"), &done)?;
    reply.add("Items", Out::List(returned.into_iter().collect()));
    reply.add_some("ConsumedCapacity", done.used.shown(&action.place.name, asked.as_deref(), None));
    reply.out().reply(cx)
}

/// Reads the one item that a SELECT names by its key.
async fn get(
    ddb: &Dynamo,
    cx: &Cx,
    statement: &Statement,
    consistent: bool,
) -> Result<(Option<Out>, Place, Used)> {
    let Statement::Select { condition: Some(condition), table, index: None, .. } = statement else {
        return Err(validation(
            "Select statements within BatchExecuteStatement must specify the primary key in the where clause.",
        ));
    };
    let schema = ddb.schema(&Place::of(cx, table)?).await?;
    whole_key(&schema, condition).map_err(|_| {
        validation("Select statements within BatchExecuteStatement must specify the primary key in the where clause.")
    })?;
    let how = Selecting { limit: None, consistent, next: None };
    let (mut page, _, place) = select(ddb, cx, statement, how).await?;
    Ok((page.items.pop(), place, page.used))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html>
async fn batch_execute_statement(ddb: &Dynamo, cx: &Cx, mut input: Input) -> Result<Reply> {
    let asked = input.text("ReturnConsumedCapacity");
    let statements = input.list("Statements").unwrap_or_default();
    let parsed: Vec<_> = statements
        .into_iter()
        .map(|one| {
            let mut one = Input::of(one);
            let consistent = one.flag("ConsistentRead").unwrap_or(false);
            let show =
                one.text("ReturnValuesOnConditionCheckFailure").as_deref() == Some("ALL_OLD");
            (read(&mut one), consistent, show)
        })
        .collect();
    let reads = parsed.iter().filter(|(s, ..)| s.as_ref().is_ok_and(Statement::reads)).count();
    let good = parsed.iter().filter(|(s, ..)| s.is_ok()).count();
    if reads != 0 && reads != good {
        return Err(validation(
            "The batch can contain either all read statements or all write statements, but cannot mix both",
        ));
    }
    let (mut responses, mut totals) = (Vec::new(), Totals::default());
    for (statement, consistent, show) in parsed {
        let mut one = Members::default();
        let table = statement.as_ref().map(|s| s.table().to_owned()).ok();
        let done = match statement {
            Err(e) => Err(e),
            Ok(s) if s.reads() => get(ddb, cx, &s, consistent).await,
            Ok(s) => write(ddb, cx, s, show).await,
        };
        match done {
            Ok((item, place, units)) => {
                totals.add(&place.name, &units);
                one.add("TableName", Value::from(place.name));
                one.add_some("Item", item);
            }
            Err(e) => {
                one.add("Error", error(&e)?);
                one.add_some("TableName", table.map(Value::from));
            }
        }
        responses.push(one.out());
    }
    let mut reply = Members::default();
    reply.add("Responses", Out::List(responses));
    totals.write(&mut reply, asked.as_deref(), None);
    reply.out().reply(cx)
}

async fn write(
    ddb: &Dynamo,
    cx: &Cx,
    statement: Statement,
    show: bool,
) -> Result<(Option<Out>, Place, Used)> {
    let (action, returning) = action(ddb, cx, statement, show).await?;
    let done = ddb.act(cx, &action).await?;
    let item = action.returned(returning.unwrap_or("NONE"), &done)?;
    Ok((item, action.place, done.used))
}

/// `BatchStatementError`; what is no fault of the statement fails the batch.
fn error(e: &ApiError) -> Result<Value> {
    let code = match e.code() {
        "ConditionalCheckFailedException" => "ConditionalCheckFailed",
        "ValidationException" => "ValidationError",
        "DuplicateItemException" => "DuplicateItem",
        "ResourceNotFoundException" => "ResourceNotFound",
        "AccessDeniedException" => "AccessDenied",
        _ => return Err(e.clone()),
    };
    let mut members =
        vec![(Str::Borrowed("Code"), Value::from(code)), ("Message".into(), e.message().into())];
    members.extend(e.fields().iter().filter(|(k, _)| k == "Item").cloned());
    Ok(Value::Map(members))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteTransaction.html>
async fn execute_transaction(ddb: &Dynamo, cx: &Cx, v: Value) -> Result<Reply> {
    let once = v
        .str("ClientRequestToken")
        .map(|t| Once::new(cx, t, v.get("TransactStatements").unwrap_or(&Value::Null)));
    let mut input = Input::of(v);
    let asked = input.text("ReturnConsumedCapacity");
    let statements = input.list("TransactStatements").unwrap_or_default();
    check_count(statements.len())?;
    let mut parsed = Vec::new();
    for one in statements {
        let mut one = Input::of(one);
        let show = one.text("ReturnValuesOnConditionCheckFailure").as_deref() == Some("ALL_OLD");
        parsed.push((read(&mut one)?, show));
    }
    let reads = parsed.iter().filter(|(s, _)| s.reads()).count();
    if reads != 0 && reads != parsed.len() {
        return Err(validation(
            "The transaction can contain either all read statements or all write statements, but cannot mix both",
        ));
    }
    let (mut responses, mut totals) = (Vec::new(), Totals::default());
    let unit = if reads > 0 {
        // Shared locks: no item changes while the others are read.
        let mut locks = Vec::new();
        for (statement, _) in &parsed {
            let Statement::Select { condition: Some(condition), .. } = statement else { continue };
            let schema = ddb.schema(&Place::of(cx, statement.table())?).await?;
            if let Ok(key) = whole_key(&schema, condition) {
                locks.push(Lock::shared(&ITEMS, &keys::row(&schema, &key)));
            }
        }
        let _held = ddb.store.lock(&locks).await;
        for (statement, _) in &parsed {
            let (item, place, units) = get(ddb, cx, statement, true).await?;
            totals.add(&place.name, &units.doubled());
            let mut one = Members::default();
            one.add_some("Item", item);
            responses.push(one.out());
        }
        "ReadCapacityUnits"
    } else {
        let (mut actions, mut reasons, mut failed) = (Vec::new(), Vec::new(), false);
        for (statement, show) in parsed {
            match action(ddb, cx, statement, show).await {
                Ok((action, _)) => {
                    actions.push(action);
                    reasons.push(Reason::NONE);
                }
                Err(e) => {
                    let Some(reason) = Reason::of(&e) else { return Err(e) };
                    reasons.push(reason);
                    failed = true;
                }
            }
        }
        if failed {
            return Err(cancelled(reasons));
        }
        let staged = ddb.transact(cx, &actions, once).await?;
        for (i, action) in actions.iter().enumerate() {
            let units = staged.get(i).map_or_else(|| Used::read(0, true), |s| s.used.clone());
            totals.add(&action.place.name, &units.doubled());
            responses.push(Out::Value(map! {}));
        }
        "WriteCapacityUnits"
    };
    let mut reply = Members::default();
    reply.add("Responses", Out::List(responses));
    totals.write(&mut reply, asked.as_deref(), Some(unit));
    reply.out().reply(cx)
}
