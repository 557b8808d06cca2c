//! Reading ranges: what Query and Scan share.

use std::ops::ControlFlow;
use std::sync::Arc;

use fogbank_core::{Cx, Result, Value};
use fogbank_dynamo::{Condition, Item, Projection};
use fogbank_store::{Key, Range};

use crate::Dynamo;
use crate::capacity::Used;
use crate::error::{parameter, validation};
use crate::keys::{self, ITEMS, ROWS};
use crate::reply::{Members, Out, Stored, read, size_of};
use crate::schema::{Index, IndexState, Projected, Schema};

/// How many bytes one page reads.
const PAGE: usize = 1 << 20;

/// A table or one of its indexes.
#[derive(Clone, Debug)]
pub struct Source {
    pub schema: Arc<Schema>,
    /// The index's place in the table's list.
    at: Option<usize>,
}

impl Source {
    /// The table, or its index `name`, which must be readable.
    pub fn new(schema: Arc<Schema>, name: Option<&str>, consistent: bool) -> Result<Self> {
        let Some(name) = name else { return Ok(Source { schema, at: None }) };
        let at = schema.record.indexes.iter().position(|i| i.name == name);
        let Some((at, index)) = at.map(|at| (at, &schema.record.indexes[at])) else {
            return Err(validation(format!("The table does not have the specified index: {name}")));
        };
        if consistent && !index.local {
            return Err(validation(
                "Consistent reads are not supported on global secondary indexes",
            ));
        }
        if index.state != IndexState::Active {
            return Err(validation(
                "Cannot read from backfilling global secondary index: ".to_owned() + name,
            ));
        }
        Ok(Source { schema, at: Some(at) })
    }

    pub fn index(&self) -> Option<&Index> {
        self.at.and_then(|at| self.schema.record.indexes.get(at))
    }

    /// What its rows begin with.
    pub fn id(&self) -> u64 {
        self.index().map_or(self.schema.record.id, |i| i.id)
    }

    pub fn key(&self) -> &crate::schema::KeySchema {
        self.index().map_or(self.schema.key(), |i| &i.key)
    }

    /// The attributes of a `LastEvaluatedKey`.
    fn last_key(&self, item: &Item) -> Item {
        let own = self.key().parts().chain(self.schema.key().parts());
        own.filter_map(|p| Some((p.name.clone(), item.get(&p.name)?.clone()))).collect()
    }

    /// The row behind which a page starts.
    pub fn start(&self, key: &Item) -> Result<Key> {
        let wrong = |why: &str| validation(format!("The provided starting key is {why}"));
        let parts: Vec<_> = self.key().parts().chain(self.schema.key().parts()).collect();
        let fits = |p: &&crate::schema::KeyPart| {
            key.get(&p.name).is_some_and(|v| crate::schema::fits(p, v))
        };
        let names: std::collections::BTreeSet<&str> =
            parts.iter().map(|p| p.name.as_str()).collect();
        if names.len() != key.len() || !parts.iter().all(fits) {
            return Err(match self.index() {
                None => validation(
                    "The provided starting key is invalid: The provided key element does not match the schema",
                ),
                Some(_) => wrong("invalid"),
            });
        }
        match self.index() {
            None => Ok(keys::row(&self.schema, key)),
            Some(index) => {
                keys::index_row(&self.schema, index, key).ok_or_else(|| wrong("invalid"))
            }
        }
    }
}

/// What a page is to hold.
#[derive(Debug, Default)]
pub struct Wanted {
    pub filter: Option<Condition>,
    pub projection: Option<Projection>,
    pub limit: Option<usize>,
    pub only_count: bool,
    /// Rows of the table in place of the index's: a local index does not hold all that is wanted.
    pub fetch: bool,
}

/// A page.
#[derive(Debug, Default)]
pub struct Page {
    pub items: Vec<Out>,
    pub count: usize,
    pub scanned: usize,
    pub last: Option<Item>,
    pub used: Used,
}

impl Dynamo {
    /// Reads a page of `range`.
    pub async fn page(
        &self,
        source: &Source,
        range: Range,
        wanted: &Wanted,
        consistent: bool,
    ) -> Result<Page> {
        let (mut page, mut bytes) = (Page::default(), 0);
        let (mut rows, mut last, mut failed): (Vec<Stored>, Option<Stored>, _) =
            (Vec::new(), None, None);
        let simple = wanted.filter.is_none() && wanted.projection.is_none() && !wanted.fetch;
        let limit = wanted.limit.unwrap_or(usize::MAX);
        let mut see = |stored: &[u8]| {
            page.scanned += 1;
            bytes += size_of(stored);
            let full = page.scanned >= limit || bytes >= PAGE;
            let own = || Stored(bytes::Bytes::copy_from_slice(stored));
            if full {
                last = Some(own());
            }
            if simple {
                page.count += 1;
                if !wanted.only_count {
                    page.items.push(Out::Stored(own()));
                }
            } else if wanted.fetch {
                rows.push(own());
            } else {
                match read(stored) {
                    Ok(item) => keep(&mut page, wanted, item),
                    Err(e) => failed = Some(e),
                }
            }
            if full || failed.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        match source.index() {
            None => self.store.visit(&ITEMS, range, |_, v| see(v)).await?,
            Some(_) => self.store.visit(&ROWS, range, |_, v| see(v)).await?,
        }
        if let Some(e) = failed {
            return Err(e);
        }
        page.used = match source.index() {
            None => Used::read(bytes, consistent),
            Some(i) => Used::read_index(&i.name, i.local, bytes, consistent),
        };
        for row in rows {
            let key = row.item()?;
            let stored = self.store.get(&ITEMS, &keys::row(&source.schema, &key)).await?;
            if let Some(stored) = stored {
                page.used.add(&Used::read(stored.size(), consistent));
                keep(&mut page, wanted, stored.item()?);
            }
        }
        if let Some(last) = last {
            page.last = Some(source.last_key(&last.item()?));
        }
        Ok(page)
    }
}

fn keep(page: &mut Page, wanted: &Wanted, item: Item) {
    if wanted.filter.as_ref().is_some_and(|f| !f.holds(&item)) {
        return;
    }
    page.count += 1;
    if !wanted.only_count {
        page.items.push(Out::Item(match &wanted.projection {
            Some(p) => p.apply(&item),
            None => item,
        }));
    }
}

/// Settles `Select` with the projection; says whether only the number is wanted and whether the
/// table must be asked beside the index.
pub fn select(
    source: &Source,
    select: Option<&str>,
    projection: Option<&Projection>,
) -> Result<(bool, bool)> {
    if projection.is_some() {
        if let Some(other @ ("ALL_ATTRIBUTES" | "ALL_PROJECTED_ATTRIBUTES" | "COUNT")) = select {
            return Err(validation(format!(
                "Cannot specify the ProjectionExpression or AttributesToGet when choosing to get {}",
                if other == "COUNT" { "only the Count" } else { other }
            )));
        }
    } else if select == Some("SPECIFIC_ATTRIBUTES") {
        return Err(validation(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        ));
    }
    let Some(index) = source.index() else {
        return match select {
            Some("ALL_PROJECTED_ATTRIBUTES") => Err(validation(
                "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
            )),
            _ => Ok((select == Some("COUNT"), false)),
        };
    };
    let all = index.projected == Projected::All;
    if select == Some("ALL_ATTRIBUTES") && !all {
        if index.local {
            return Ok((false, true));
        }
        return Err(parameter(format!(
            "Select type ALL_ATTRIBUTES is not supported for global secondary index {} because its \
             projection type is not ALL",
            index.name
        )));
    }
    let mut fetch = false;
    if let Some(projection) = projection.filter(|_| !all) {
        let held = |name: &str| {
            index.key.has(name)
                || source.schema.key().has(name)
                || matches!(&index.projected, Projected::Include(names) if names.iter().any(|n| n == name))
        };
        let missing: Vec<&str> = projection.roots().filter(|n| !held(n)).collect();
        if !missing.is_empty() && !index.local {
            return Err(parameter(format!(
                "Global secondary index {} does not project [{}]",
                index.name,
                missing.join(", ")
            )));
        }
        fetch = !missing.is_empty();
    }
    Ok((select == Some("COUNT"), fetch))
}

/// The reply to Query and Scan.
pub fn reply(
    cx: &Cx,
    page: Page,
    table: &str,
    asked: Option<&str>,
    only_count: bool,
) -> Result<fogbank_core::Reply> {
    let mut reply = Members::default();
    if !only_count {
        reply.add("Items", Out::List(page.items));
    }
    reply.add("Count", Value::Int(page.count as i64));
    reply.add("ScannedCount", Value::Int(page.scanned as i64));
    reply.add_some("LastEvaluatedKey", page.last);
    reply.add_some("ConsumedCapacity", page.used.shown(table, asked, None));
    reply.out().reply(cx)
}
