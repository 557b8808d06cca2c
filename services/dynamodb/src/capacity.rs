//! Capacity units: what a request has used.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>

use std::collections::BTreeMap;

use fogbank_core::{Str, Value};

use crate::write::Before;

/// Units by table and index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Used {
    pub table: f64,
    global: BTreeMap<String, f64>,
    local: BTreeMap<String, f64>,
    write: bool,
}

impl Used {
    /// A write that takes an item from one size to another.
    pub fn write(before: usize, after: usize) -> Self {
        Used { table: units(before.max(after), 1024), write: true, ..Used::default() }
    }

    /// A read of so many bytes.
    pub fn read(bytes: usize, consistent: bool) -> Self {
        Used { table: units(bytes, 4096) * factor(consistent), ..Used::default() }
    }

    /// A read of so many bytes of an index.
    pub fn read_index(name: &str, local: bool, bytes: usize, consistent: bool) -> Self {
        let mut used = Used::default();
        used.of(local).insert(name.to_owned(), units(bytes, 4096) * factor(consistent));
        used
    }

    fn of(&mut self, local: bool) -> &mut BTreeMap<String, f64> {
        if local { &mut self.local } else { &mut self.global }
    }

    /// A change of a row of an index: one write where it stays in place, two where it moves.
    pub fn index(
        &mut self,
        name: &str,
        local: bool,
        was: Option<usize>,
        is: Option<usize>,
        stays: bool,
    ) {
        let cost = match (was, is) {
            (Some(a), Some(b)) if stays => units(a.max(b), 1024),
            (a, b) => a.into_iter().chain(b).map(|n| units(n, 1024)).sum(),
        };
        *self.of(local).entry(name.to_owned()).or_default() += cost;
    }

    /// Adds another request's units.
    pub fn add(&mut self, other: &Used) {
        self.table += other.table;
        self.write |= other.write;
        for (mine, theirs) in [(&mut self.global, &other.global), (&mut self.local, &other.local)] {
            for (name, n) in theirs {
                *mine.entry(name.clone()).or_default() += n;
            }
        }
    }

    /// Transactions use twice the units.
    pub fn doubled(mut self) -> Self {
        self.table *= 2.0;
        self.global.values_mut().chain(self.local.values_mut()).for_each(|n| *n *= 2.0);
        self
    }

    /// `ConsumedCapacity` as `ReturnConsumedCapacity` asks for it; transactions name the kind of
    /// their units.
    pub fn shown(
        &self,
        table: &str,
        asked: Option<&str>,
        unit: Option<&'static str>,
    ) -> Option<Value> {
        let indexes = match asked {
            Some("INDEXES") => true,
            Some("TOTAL") => false,
            _ => return None,
        };
        let capacity = |n: f64| {
            let mut members = vec![(Str::Borrowed("CapacityUnits"), Value::Float(n))];
            members.extend(unit.map(|u| (Str::Borrowed(u), Value::Float(n))));
            members
        };
        let total = self.table + self.global.values().chain(self.local.values()).sum::<f64>();
        let mut members = vec![(Str::Borrowed("TableName"), Value::from(table))];
        members.extend(capacity(total));
        if indexes {
            members.push(("Table".into(), Value::Map(capacity(self.table))));
            for (name, map) in
                [("GlobalSecondaryIndexes", &self.global), ("LocalSecondaryIndexes", &self.local)]
            {
                if !map.is_empty() {
                    let each =
                        map.iter().map(|(k, n)| (k.clone().into(), Value::Map(capacity(*n))));
                    members.push((name.into(), Value::Map(each.collect())));
                }
            }
        }
        Some(Value::Map(members))
    }
}

/// What checking an item's condition in a transaction uses.
pub fn checked(before: &Before) -> Used {
    Used::write(before.size(), 0)
}

fn units(bytes: usize, of: usize) -> f64 {
    bytes.div_ceil(of).max(1) as f64
}

fn factor(consistent: bool) -> f64 {
    if consistent { 1.0 } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_counted_up() {
        assert_eq!(Used::write(0, 1025).table, 2.0);
        assert_eq!(Used::write(5000, 1).table, 5.0);
        assert_eq!(Used::read(0, false).table, 0.5);
        assert_eq!(Used::read(4097, true).table, 2.0);
        let mut used = Used::write(1, 1);
        used.index("g", false, Some(10), Some(10), false);
        used.index("l", true, Some(10), Some(2000), true);
        let shown = used.shown("t", Some("INDEXES"), None).unwrap();
        assert_eq!(shown.get("CapacityUnits"), Some(&Value::Float(5.0)));
        assert_eq!(shown.get("Table").unwrap().get("CapacityUnits"), Some(&Value::Float(1.0)));
        assert!(used.shown("t", None, None).is_none());
    }
}
