//! Writing an item: the row, its rows in the indexes, its place in the stream, its expiry.
//!
//! **Invariant:** whoever stages a change holds the item's lock and shares its table's, so that a
//! change of the table (a new index, a stream) comes before or after it.

use std::cell::OnceCell;
use std::sync::Arc;

use fogbank_core::{Cx, Result, Value};
use fogbank_dynamo::attr::MAX_ITEM;
use fogbank_dynamo::{Condition, Item, Path, Projection, Update, item_size};
use fogbank_store::{Key, Lock, Tx};
use jiff::Timestamp;

use crate::capacity::{self, Used};
use crate::error::{Reason, condition_failed, duplicate, language, no_resource, validation};
use crate::keys::{self, ITEMS, ROWS};
use crate::legacy::Legacy;
use crate::reply::Stored;
use crate::schema::{Place, RAW, Schema};
use crate::stream::Ticket;
use crate::{Dynamo, ttl};

/// What to do with one item.
#[derive(Debug)]
pub struct Action {
    pub place: Place,
    pub schema: Arc<Schema>,
    pub row: Key,
    /// The item's key, or the item that is put.
    pub item: Item,
    pub act: Act,
    pub condition: Option<Condition>,
    /// Show the item when the condition does not hold.
    pub show_failed: bool,
    /// PartiQL's INSERT: when the condition does not hold, there is such an item.
    pub inserts: bool,
}

#[derive(Debug)]
pub enum Act {
    Put,
    Delete,
    Update(Update),
    Legacy(Legacy),
    Check,
}

/// The item before the change, read when somebody looks.
#[derive(Debug, Default)]
pub struct Before {
    pub stored: Option<Stored>,
    item: OnceCell<Item>,
}

impl Before {
    pub fn new(stored: Option<Stored>) -> Self {
        Before { stored, item: OnceCell::new() }
    }

    pub fn size(&self) -> usize {
        self.stored.as_ref().map_or(0, Stored::size)
    }

    /// The item; `None` when there was none.
    pub fn item(&self) -> Result<Option<&Item>> {
        let Some(stored) = &self.stored else { return Ok(None) };
        if let Some(read) = self.item.get() {
            return Ok(Some(read));
        }
        let item = stored.item()?;
        Ok(Some(self.item.get_or_init(|| item)))
    }
}

/// A change that its transaction will commit.
#[derive(Debug)]
pub struct Staged {
    pub before: Before,
    pub after: Option<Stored>,
    pub used: Used,
    /// Items and bytes by table or index.
    counts: Vec<(u64, i64, i64)>,
    ticket: Option<Ticket>,
    expires: bool,
}

/// Who changes an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    Client,
    TimeToLive,
}

impl Action {
    /// An action on the item of `item`'s key.
    pub fn new(schema: Arc<Schema>, item: Item, act: Act) -> Result<Self> {
        match act {
            Act::Put => keys::check_item(&schema, &item)?,
            _ => keys::check_key(schema.key(), &item)?,
        }
        if let Act::Update(update) = &act {
            check_no_key(&schema, update.paths().map(|p| p.root.as_str()))?;
        }
        if let Act::Legacy(legacy) = &act {
            check_no_key(&schema, legacy.names())?;
        }
        let row = keys::row(&schema, &item);
        let place = schema.place.clone();
        Ok(Action {
            place,
            schema,
            row,
            item,
            act,
            condition: None,
            show_failed: false,
            inserts: false,
        })
    }

    /// Its locks: the table stays as it is, nobody else touches the item.
    pub fn locks(&self) -> [Lock; 2] {
        [Lock::shared(&RAW, &self.place.key()), Lock::exclusive(&ITEMS, &self.row)]
    }

    /// The item as it becomes; `None` when it goes or does not come to be.
    fn after(&self, before: &Before) -> Result<Option<Item>> {
        let made = |updated: Item, creates: bool| {
            Ok((creates || before.stored.is_some()).then_some(updated))
        };
        let old = || Ok::<_, fogbank_core::ApiError>(before.item()?.unwrap_or(&self.item));
        match &self.act {
            Act::Put => Ok(Some(self.item.clone())),
            Act::Delete => Ok(None),
            Act::Check => Ok(before.item()?.cloned()),
            Act::Update(update) => {
                let only_takes = update.set.is_empty()
                    && update.add.is_empty()
                    && update.paths().next().is_some();
                // There is nothing to take from.
                if only_takes && before.stored.is_none() {
                    return Ok(None);
                }
                made(update.apply(old()?).map_err(|e| language(&e))?, true)
            }
            Act::Legacy(legacy) => made(legacy.apply(old()?)?, legacy.creates()),
        }
    }

    /// The paths that an update touches.
    fn touched(&self) -> Option<Projection> {
        match &self.act {
            Act::Update(update) => Some(Projection::of(update.paths())),
            Act::Legacy(legacy) => {
                let tops: Vec<Path> = legacy.names().map(Path::top).collect();
                Some(Projection::of(&tops))
            }
            _ => None,
        }
    }

    /// What `ReturnValues` asks for.
    pub fn returned(&self, which: &str, done: &Staged) -> Result<Option<crate::reply::Out>> {
        let part = |item: Option<&Item>| {
            let touched = self.touched()?;
            let part = touched.apply(item?);
            (!part.is_empty()).then(|| part.into())
        };
        Ok(match which {
            "ALL_OLD" => done.before.stored.clone().map(Into::into),
            "ALL_NEW" => done.after.clone().map(Into::into),
            "UPDATED_OLD" => part(done.before.item()?),
            "UPDATED_NEW" => part(done.after.as_ref().map(Stored::item).transpose()?.as_ref()),
            _ => None,
        })
    }
}

fn check_no_key<'a>(schema: &Schema, names: impl Iterator<Item = &'a str>) -> Result<()> {
    for name in names {
        if schema.key().has(name) {
            return Err(crate::error::parameter(format!(
                "Cannot update attribute {name}. This attribute is part of the key"
            )));
        }
    }
    Ok(())
}

impl Dynamo {
    /// Does one action in a transaction of its own.
    pub async fn act(&self, cx: &Cx, action: &Action) -> Result<Staged> {
        let mut tx = self.store.lock(&action.locks()).await;
        let staged = self.stage(&mut tx, cx.now, action).await?;
        let staged = self.commit(tx, vec![staged]).await?;
        staged.into_iter().next().ok_or_else(|| fogbank_core::ApiError::internal("no action"))
    }

    /// Does several actions at once, or none: the reasons then say why.
    pub async fn act_all(
        &self,
        cx: &Cx,
        tx: &mut Tx,
        actions: &[Action],
    ) -> Result<std::result::Result<Vec<Staged>, Vec<Reason>>> {
        let (mut staged, mut reasons, mut failed) = (Vec::new(), Vec::new(), false);
        for action in actions {
            match self.stage(tx, cx.now, action).await {
                Ok(s) => {
                    staged.push(s);
                    reasons.push(Reason::NONE);
                }
                Err(e) => {
                    let Some(mut reason) = Reason::of(&e) else { return Err(e) };
                    if action.show_failed && reason.code == "ConditionalCheckFailed" {
                        let found = tx.get(&ITEMS, &action.row).await?;
                        reason.item = found.map(|s| s.item()).transpose()?;
                    }
                    reasons.push(reason);
                    failed = true;
                }
            }
        }
        Ok(if failed { Err(reasons) } else { Ok(staged) })
    }

    /// Commits staged changes and tells whoever counts, polls or waits.
    pub async fn commit(&self, tx: Tx, staged: Vec<Staged>) -> Result<Vec<Staged>> {
        tx.commit().await?;
        let (mut expires, mut done) = (false, staged);
        for s in &mut done {
            // The stream's readers may pass it now.
            s.ticket = None;
            expires |= s.expires;
            for (id, items, bytes) in s.counts.drain(..) {
                self.counts.add(id, items, bytes);
            }
        }
        if expires {
            self.wake_expiry();
        }
        Ok(done)
    }

    /// Checks an action's condition and writes its change to the transaction.
    async fn stage(&self, tx: &mut Tx, now: Timestamp, action: &Action) -> Result<Staged> {
        let schema = self.locked(tx, &action.place).await?;
        if schema.record.id != action.schema.record.id {
            return Err(no_resource());
        }
        let before = Before::new(tx.get(&ITEMS, &action.row).await?);
        if let Some(condition) = &action.condition {
            let none = Item::new();
            let item = before.item()?;
            if !condition.holds(item.unwrap_or(&none)) {
                if action.inserts {
                    return Err(duplicate());
                }
                return Err(condition_failed(item.filter(|_| action.show_failed)));
            }
        }
        if let Act::Check = action.act {
            let used = capacity::checked(&before);
            return Ok(Staged {
                before,
                after: None,
                used,
                counts: vec![],
                ticket: None,
                expires: false,
            });
        }
        let after = action.after(&before)?;
        if let (Some(item), false) = (&after, matches!(action.act, Act::Put)) {
            if item_size(item) > MAX_ITEM {
                return Err(validation(
                    "Item size to update has exceeded the maximum allowed size",
                ));
            }
            keys::check_index_keys(&schema, item)?;
        }
        self.change(tx, now, &schema, &action.row, before, after.as_ref(), Actor::Client).await
    }

    /// Writes what a change of one item comes to.
    #[expect(
        clippy::too_many_arguments,
        reason = "it is the one place that all changes go through"
    )]
    pub async fn change(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        schema: &Schema,
        row: &Key,
        before: Before,
        new: Option<&Item>,
        actor: Actor,
    ) -> Result<Staged> {
        let after = new.map(Stored::of);
        let mut used = Used::write(before.size(), after.as_ref().map_or(0, Stored::size));
        let mut counts = Vec::new();
        let same = before.stored == after;
        if !same {
            let id = schema.record.id;
            match &after {
                Some(stored) => tx.put(&ITEMS, row, stored),
                None => tx.delete(&ITEMS, row),
            }
            self.counts.open(tx, id).await?;
            counts.push(delta(id, before.stored.as_ref(), after.as_ref()));
        }
        let (mut ticket, mut expires) = (None, false);
        if schema.needs_old() && !same {
            let old = before.item()?;
            for index in schema.kept() {
                let row_of = |item: Option<&Item>| {
                    item.and_then(|i| {
                        Some((
                            keys::index_row(schema, index, i)?,
                            keys::projected(schema, index, i),
                        ))
                    })
                };
                let (was, is) = (row_of(old), row_of(new));
                if was == is {
                    continue;
                }
                used.index(
                    &index.name,
                    index.local,
                    was.as_ref().map(|w| w.1.size()),
                    is.as_ref().map(|w| w.1.size()),
                    was.as_ref().map(|w| &w.0) == is.as_ref().map(|w| &w.0),
                );
                counts.push(delta(index.id, was.as_ref().map(|w| &w.1), is.as_ref().map(|w| &w.1)));
                self.counts.open(tx, index.id).await?;
                if let Some((key, _)) = &was
                    && is.as_ref().is_none_or(|(k, _)| k != key)
                {
                    tx.delete(&ROWS, key);
                }
                if let Some((key, stored)) = &is {
                    tx.put(&ROWS, key, stored);
                }
            }
            if let Some(stream) = schema.stream() {
                ticket = Some(self.record(tx, now, schema, stream, old, new, actor).await?);
            }
            expires = ttl::reschedule(tx, now, schema, row, old, new);
        }
        Ok(Staged { before, after, used, counts, ticket, expires })
    }
}

fn delta(id: u64, old: Option<&Stored>, new: Option<&Stored>) -> (u64, i64, i64) {
    let count = |s: Option<&Stored>| i64::from(s.is_some());
    let bytes = |s: Option<&Stored>| s.map_or(0, |s| s.size() as i64);
    (id, count(new) - count(old), bytes(new) - bytes(old))
}

/// `ItemCollectionMetrics`: only tables with local indexes have item collections.
pub fn collection(schema: &Schema, item: &Item) -> Option<Value> {
    schema.record.indexes.iter().find(|i| i.local)?;
    let hash = &schema.key().hash.name;
    let key: Item = [(hash.clone(), item.get(hash)?.clone())].into();
    Some(fogbank_core::map! {
        "ItemCollectionKey" => crate::value::item_value(&key),
        "SizeEstimateRangeGB" => vec![Value::Float(0.0), Value::Float(1.0)],
    })
}
