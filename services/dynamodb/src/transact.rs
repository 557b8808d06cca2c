//! Transactions: several items at once, all or none.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>

use std::collections::HashSet;

use fogbank_bus::Jobs;
use fogbank_core::{ApiError, Cx, Op, Reply, Result, Value};
use fogbank_store::{Key, Lock, Table};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::capacity::Used;
use crate::error::{Reason, cancelled, language, validation};
use crate::item::{Kind, action, projection, scope};
use crate::keys::{self, ITEMS, hash};
use crate::reply::{Members, Out};
use crate::schema::Place;
use crate::totals::Totals;
use crate::value::{self, Input};
use crate::write::Action;
use crate::{Dynamo, authz};

pub const OPS: &[Op<Dynamo>] = &[
    Op {
        name: "TransactWriteItems",
        run: |ddb, cx, v| Box::pin(transact_write_items(ddb, cx, v)),
        authz: Some(|ddb, cx, v| Box::pin(authz::transaction(ddb, cx, v))),
    },
    Op {
        name: "TransactGetItems",
        run: |ddb, cx, v| Box::pin(transact_get_items(ddb, cx, Input::of(v))),
        authz: Some(|ddb, cx, v| Box::pin(authz::transaction(ddb, cx, v))),
    },
];

/// The most items and bytes of a transaction.
const MOST: usize = 100;
const MOST_BYTES: usize = 4 << 20;

/// Transactions that were done, by the token of their client.
static TOKENS: Table<Done> = Table::new("dynamodb.token");
/// Tokens to forget.
pub static FORGET: Jobs<Token> = Jobs::new("dynamodb.forget");
/// How long a token is known.
const KNOWN: SignedDuration = SignedDuration::from_mins(10);

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Done {
    /// Of the request that came with the token.
    #[n(0)]
    hash: u64,
    #[n(1)]
    until: i64,
}
fogbank_store::record!(Done, version = 1);

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Token(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    Vec<u8>,
);
fogbank_store::record!(Token, version = 1);

/// A client's token and what came with it.
pub struct Once {
    key: Key,
    hash: u64,
}

impl Once {
    pub fn new(cx: &Cx, token: &str, request: &Value) -> Self {
        let key = Key::new().str(&cx.account).str(&cx.region).str(token);
        Once { key, hash: hash(format!("{request:?}").as_bytes()) }
    }
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
async fn transact_write_items(ddb: &Dynamo, cx: &Cx, v: Value) -> Result<Reply> {
    let once = v
        .str("ClientRequestToken")
        .map(|t| Once::new(cx, t, v.get("TransactItems").unwrap_or(&Value::Null)));
    let mut input = Input::of(v);
    let asked = input.text("ReturnConsumedCapacity");
    let metrics = input.text("ReturnItemCollectionMetrics").as_deref() == Some("SIZE");
    let items = input.list("TransactItems").unwrap_or_default();
    check_count(items.len())?;
    let (mut actions, mut reasons, mut failed) = (Vec::new(), Vec::new(), false);
    for one in items {
        match parse(ddb, cx, one).await {
            Ok(action) => {
                actions.push(action);
                reasons.push(Reason::NONE);
            }
            // What is wrong with an item's values cancels; what is wrong with the request fails it.
            Err(e) if is_reason(&e) => {
                reasons.extend(Reason::of(&e));
                failed = true;
            }
            Err(e) => return Err(e),
        }
    }
    if failed {
        return Err(cancelled(reasons));
    }
    let staged = ddb.transact(cx, &actions, once).await?;
    let mut totals = Totals::default();
    for (i, action) in actions.iter().enumerate() {
        // What was done before is only looked up.
        let used = staged.get(i).map_or_else(|| Used::read(0, true), |done| done.used.clone());
        totals.add(&action.place.name, &used.doubled());
        if metrics {
            totals.touch(action);
        }
    }
    let unit = if staged.is_empty() { "ReadCapacityUnits" } else { "WriteCapacityUnits" };
    let mut reply = Members::default();
    totals.write(&mut reply, asked.as_deref(), Some(unit));
    reply.out().reply(cx)
}

pub fn check_count(n: usize) -> Result<()> {
    match n {
        0 => Err(validation(
            "1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
        )),
        1..=MOST => Ok(()),
        _ => Err(validation(
            "1 validation error detected: Value '[...]' at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100",
        )),
    }
}

/// Whether an error is about the values of one item.
fn is_reason(e: &ApiError) -> bool {
    let of_item = ["One or more parameter values", "The provided key element"];
    e.code() == "ValidationException" && of_item.iter().any(|m| e.message().starts_with(m))
}

async fn parse(ddb: &Dynamo, cx: &Cx, one: Value) -> Result<Action> {
    let mut one = Input::of(one);
    let kinds = [
        ("Put", Kind::Put),
        ("Update", Kind::Update),
        ("Delete", Kind::Delete),
        ("ConditionCheck", Kind::Check),
    ];
    let mut given: Vec<(Kind, Value)> =
        kinds.into_iter().filter_map(|(name, kind)| Some((kind, one.take(name)?))).collect();
    let (Some((kind, v)), true) = (given.pop(), given.is_empty()) else {
        return Err(validation(
            "TransactItems can only contain one of Check, Put, Update or Delete",
        ));
    };
    action(ddb, cx, &mut Input::of(v), kind).await
}

impl Dynamo {
    /// Does all actions or none. Nothing is answered when the same client has had them done
    /// before.
    pub async fn transact(
        &self,
        cx: &Cx,
        actions: &[Action],
        once: Option<Once>,
    ) -> Result<Vec<crate::write::Staged>> {
        let mut seen = HashSet::new();
        if !actions.iter().all(|a| seen.insert(&a.row)) {
            return Err(validation(
                "Transaction request cannot include multiple operations on one item",
            ));
        }
        let size: usize = actions.iter().map(|a| fogbank_dynamo::item_size(&a.item)).sum();
        if size > MOST_BYTES {
            return Err(validation(
                "Collection size of items in the transaction exceeds the limit of 4MB",
            ));
        }
        let mut locks: Vec<Lock> = actions.iter().flat_map(Action::locks).collect();
        locks.extend(once.as_ref().map(|o| Lock::exclusive(&TOKENS, &o.key)));
        let mut tx = self.store.lock(&locks).await;
        if let Some(once) = &once {
            let now = cx.now.as_microsecond();
            if let Some(done) = tx.get(&TOKENS, &once.key).await?.filter(|d| d.until > now) {
                if done.hash != once.hash {
                    return Err(ApiError::new(
                        "IdempotentParameterMismatchException",
                        "Requests using the same token must have identical parameters",
                    ));
                }
                return Ok(Vec::new());
            }
        }
        let staged = match self.act_all(cx, &mut tx, actions).await? {
            Ok(staged) => staged,
            Err(reasons) => return Err(cancelled(reasons)),
        };
        if let Some(once) = once {
            let until = cx.now.saturating_add(KNOWN).unwrap_or(Timestamp::MAX);
            tx.put(&TOKENS, &once.key, &Done { hash: once.hash, until: until.as_microsecond() });
            let id = cx.request_id.as_str();
            FORGET.put(&mut tx, until, id, &Token(once.key.as_bytes().to_vec()));
        }
        self.commit(tx, staged).await
    }

    /// Forgets a token whose time is over.
    pub async fn forget(&self, token: Token, now: Timestamp) -> Result<()> {
        let key = Key::from_bytes(&token.0);
        let mut tx = self.store.lock(&[Lock::exclusive(&TOKENS, &key)]).await;
        if tx.get(&TOKENS, &key).await?.is_some_and(|d| d.until <= now.as_microsecond()) {
            tx.delete(&TOKENS, &key);
            tx.commit().await?;
        }
        Ok(())
    }
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html>
async fn transact_get_items(ddb: &Dynamo, cx: &Cx, mut input: Input) -> Result<Reply> {
    let asked = input.text("ReturnConsumedCapacity");
    let items = input.list("TransactItems").unwrap_or_default();
    check_count(items.len())?;
    let mut gets = Vec::new();
    for one in items {
        let mut one = Input::of(Input::of(one).take("Get").unwrap_or_default());
        let place = Place::of(cx, &one.text("TableName").unwrap_or_default())?;
        crate::item::check_mixed(&one, &["ProjectionExpression"], &[])?;
        let key = value::item(one.take("Key").unwrap_or_default())?;
        let scope = scope(&mut one)?;
        let projection = projection(&mut one, &scope)?;
        scope.check_used().map_err(|e| language(&e))?;
        let schema = ddb.schema(&place).await?;
        keys::check_key(schema.key(), &key)?;
        let row = keys::row(&schema, &key);
        gets.push((place, row, projection));
    }
    let mut seen = HashSet::new();
    if !gets.iter().all(|(_, row, _)| seen.insert(row)) {
        return Err(validation(
            "Transaction request cannot include multiple operations on one item",
        ));
    }
    // Shared locks: no item changes while the others are read.
    let locks: Vec<Lock> = gets.iter().map(|(_, row, _)| Lock::shared(&ITEMS, row)).collect();
    let mut tx = ddb.store.lock(&locks).await;
    let (mut responses, mut totals, mut bytes) = (Vec::new(), Totals::default(), 0);
    for (place, row, projection) in &gets {
        let stored = tx.get(&ITEMS, row).await?;
        let size = stored.as_ref().map_or(0, crate::reply::Stored::size);
        bytes += size;
        totals.add(&place.name, &Used::read(size, true).doubled());
        let mut one = Members::default();
        one.add_some(
            "Item",
            match (stored, projection) {
                (None, _) => None,
                (Some(s), None) => Some(Out::Stored(s)),
                (Some(s), Some(p)) => Some(Out::Item(p.apply(&s.item()?))),
            },
        );
        responses.push(one.out());
    }
    drop(tx);
    if bytes > MOST_BYTES {
        return Err(validation(
            "Collection size of items in the transaction exceeds the limit of 4MB",
        ));
    }
    let mut reply = Members::default();
    reply.add("Responses", Out::List(responses));
    totals.write(&mut reply, asked.as_deref(), Some("ReadCapacityUnits"));
    reply.out().reply(cx)
}
