//! What a request on several items adds up to: units by table, and the item collections touched.

use fogbank_core::{Str, Value};

use crate::capacity::Used;
use crate::reply::Members;
use crate::write::{Action, collection};

#[derive(Debug, Default)]
pub struct Totals {
    used: Vec<(String, Used)>,
    collections: Vec<(Str, Value)>,
}

impl Totals {
    /// Adds units to those of a table.
    pub fn add(&mut self, table: &str, used: &Used) {
        match self.used.iter_mut().find(|(t, _)| t == table) {
            Some((_, u)) => u.add(used),
            None => self.used.push((table.to_owned(), used.clone())),
        }
    }

    /// Notes the item collection that a write touches, where its table has any.
    pub fn touch(&mut self, action: &Action) {
        let Some(one) = collection(&action.schema, &action.item) else { return };
        let table = &action.place.name;
        match self.collections.iter_mut().find(|(t, _)| t == table) {
            Some((_, Value::List(list))) => list.push(one),
            _ => self.collections.push((table.clone().into(), Value::List(vec![one]))),
        }
    }

    /// Writes `ConsumedCapacity` and `ItemCollectionMetrics` as they were asked for; transactions
    /// name the kind of their units.
    pub fn write(self, reply: &mut Members, asked: Option<&str>, unit: Option<&'static str>) {
        let all: Vec<Value> =
            self.used.iter().filter_map(|(t, u)| u.shown(t, asked, unit)).collect();
        if !all.is_empty() {
            reply.add("ConsumedCapacity", Value::List(all));
        }
        if !self.collections.is_empty() {
            reply.add("ItemCollectionMetrics", Value::Map(self.collections));
        }
    }
}
