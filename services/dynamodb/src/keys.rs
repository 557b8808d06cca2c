//! Where items lie: a table's rows in the order of their partition key's hash, then of their keys.

use fogbank_core::Result;
use fogbank_dynamo::{Attr, Item, attr::MAX_ITEM, item_size, scope};
use fogbank_store::{Key, Range, Table};

use crate::error::{parameter, validation};
use crate::reply::Stored;
use crate::schema::{Index, KeyPart, KeySchema, Projected, Schema, fits};

/// Items, by table, hash, partition key and sort key.
pub static ITEMS: Table<Stored> = Table::new("dynamodb.item");
/// Rows of indexes, by index, hash, index key and the item's key.
pub static ROWS: Table<Stored> = Table::new("dynamodb.row");

impl fogbank_store::Record for Stored {
    fn store(&self, out: &mut Vec<u8>) -> std::result::Result<(), String> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
    fn load(stored: bytes::Bytes) -> std::result::Result<Self, String> {
        Ok(Stored(stored))
    }
}

/// A key attribute's value as bytes in the order of the values.
pub fn ordered(value: &Attr) -> Vec<u8> {
    match value {
        Attr::S(s) => s.as_bytes().to_vec(),
        Attr::B(b) => b.clone(),
        Attr::N(n) => {
            let mut out = Vec::with_capacity(24);
            n.encode_ordered(&mut out);
            out
        }
        _ => Vec::new(),
    }
}

/// Where a partition lies. It is part of every key on disk: never to be changed.
pub fn hash(partition: &[u8]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325_u64;
    for b in partition {
        h = (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    }
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

/// The rows of the partition `value` of a table or index.
pub fn partition(id: u64, value: &Attr) -> Key {
    let value = ordered(value);
    Key::new().u64(id).u64(hash(&value)).bytes(&value)
}

/// The row of the item with this key (or of an item that has it); the key was checked.
pub fn row(schema: &Schema, item: &Item) -> Key {
    let key = schema.key();
    let mut row = partition(schema.record.id, item.get(&key.hash.name).unwrap_or(&Attr::Null));
    if let Some(range) = &key.range {
        row = row.bytes(&ordered(item.get(&range.name).unwrap_or(&Attr::Null)));
    }
    row
}

/// The row of an item in an index; `None` when it lacks a key of the index.
pub fn index_row(schema: &Schema, index: &Index, item: &Item) -> Option<Key> {
    // Items of before the index may have what cannot be its key: they are not in it.
    let value = |part: &KeyPart| {
        let value = item.get(&part.name).filter(|v| fits(part, v))?;
        check_value(part, value, false).is_ok().then_some(value)
    };
    let hash = value(&index.key.hash)?;
    let mut row = partition(index.id, hash);
    if let Some(range) = &index.key.range {
        row = row.bytes(&ordered(value(range)?));
    }
    for part in schema.key().parts() {
        row = row.bytes(&ordered(item.get(&part.name)?));
    }
    Some(row)
}

/// What an index holds of an item.
pub fn projected(schema: &Schema, index: &Index, item: &Item) -> Stored {
    let named = match &index.projected {
        Projected::All => return Stored::of(item),
        Projected::Include(named) => &named[..],
        Projected::Keys => &[],
    };
    let held = |name: &str| {
        index.key.has(name) || schema.key().has(name) || named.iter().any(|n| n == name)
    };
    let part: Item =
        item.iter().filter(|(k, _)| held(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    Stored::of(&part)
}

/// All rows of a table or index.
pub fn all(id: u64) -> Range {
    Range::prefix(&Key::new().u64(id))
}

/// The rows of segment `n` of `of`.
pub fn segment(id: u64, n: u64, of: u64) -> Range {
    let bound = |n: u64| ((u128::from(n) << 64) / u128::from(of.max(1))) as u64;
    let key = |n: u64| Key::new().u64(id).u64(bound(n));
    let range = all(id).from(&key(n));
    if n + 1 < of { range.to(&key(n + 1)) } else { range }
}

/// Checks a key that a request names: exactly the key attributes, of their types.
pub fn check_key(schema: &KeySchema, key: &Item) -> Result<()> {
    let wrong = || validation("The provided key element does not match the schema");
    if key.len() != schema.parts().count() {
        return Err(wrong());
    }
    for part in schema.parts() {
        let value = key.get(&part.name).ok_or_else(wrong)?;
        if !fits(part, value) {
            return Err(wrong());
        }
    }
    schema.parts().enumerate().try_for_each(|(i, part)| check_value(part, &key[&part.name], i == 1))
}

/// A key's value may be neither empty nor too long.
fn check_value(part: &KeyPart, value: &Attr, range: bool) -> Result<()> {
    let kind = match value {
        Attr::S(s) if s.is_empty() => "string",
        Attr::B(b) if b.is_empty() => "binary",
        _ => {
            let long = match value {
                Attr::S(s) => s.len(),
                Attr::B(b) => b.len(),
                _ => 0,
            };
            return match (range, long) {
                (false, 2049..) => Err(parameter(
                    "Size of hashkey has exceeded the maximum size limit of2048 bytes",
                )),
                (true, 1025..) => Err(parameter(
                    "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
                )),
                _ => Ok(()),
            };
        }
    };
    Err(validation(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot \
         contain an empty {kind} value. Key: {}",
        part.name
    )))
}

/// Checks an item that is to be stored: its key, the keys of indexes, its size.
pub fn check_item(schema: &Schema, item: &Item) -> Result<()> {
    for (i, part) in schema.key().parts().enumerate() {
        let Some(value) = item.get(&part.name) else {
            return Err(parameter(format!("Missing the key {} in the item", part.name)));
        };
        if !fits(part, value) {
            return Err(parameter(format!(
                "Type mismatch for key {} expected: {} actual: {}",
                part.name,
                part.kind,
                value.kind()
            )));
        }
        check_value(part, value, i == 1)?;
    }
    check_index_keys(schema, item)?;
    if item.keys().any(|k| k.len() > scope::MAX_NAME) {
        return Err(crate::error::language(&scope::name_too_large()));
    }
    if item_size(item) > MAX_ITEM {
        return Err(validation("Item size has exceeded the maximum allowed size"));
    }
    Ok(())
}

/// Checks that an item's values can be keys of the indexes that they are keys of.
pub fn check_index_keys(schema: &Schema, item: &Item) -> Result<()> {
    for index in schema.kept() {
        for (i, part) in index.key.parts().enumerate() {
            let Some(value) = item.get(&part.name) else { continue };
            let (name, key) = (&index.name, &part.name);
            if !fits(part, value) {
                return Err(parameter(format!(
                    "Type mismatch for Index Key {key} Expected: {} Actual: {} IndexName: {name}",
                    part.kind,
                    value.kind()
                )));
            }
            let empty = match value {
                Attr::S(s) if s.is_empty() => "string",
                Attr::B(b) if b.is_empty() => "binary",
                _ => {
                    check_value(part, value, i == 1)?;
                    continue;
                }
            };
            return Err(validation(format!(
                "One or more parameter values are not valid. A value specified for a secondary \
                 index key is not supported. The AttributeValue for a key attribute cannot contain \
                 an empty {empty} value. IndexName: {name}, IndexKey: {key}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_join_up() {
        let h = |n: u64, of: u64| ((u128::from(n) << 64) / u128::from(of)) as u64;
        assert_eq!(h(0, 4), 0);
        assert_eq!(h(2, 4), 1 << 63);
        assert_eq!(hash(b"a"), hash(b"a"));
        assert_ne!(hash(b"a"), hash(b"b"));
    }

    #[test]
    fn keys_are_checked() {
        let part = |name: &str| KeyPart { name: name.into(), kind: "S".into() };
        let schema = KeySchema { hash: part("p"), range: Some(part("c")) };
        let key = |p: Attr, c: Attr| Item::from([("p".to_owned(), p), ("c".to_owned(), c)]);
        let s = |t: &str| Attr::S(t.into());
        assert!(check_key(&schema, &key(s("a"), s("b"))).is_ok());
        for (k, why) in [
            (key(s("a"), Attr::N(1.into())), "does not match the schema"),
            (key(s(""), s("b")), "cannot contain an empty string value. Key: p"),
            (key(s(&"x".repeat(2049)), s("b")), "Size of hashkey"),
            (key(s("a"), s(&"x".repeat(1025))), "Aggregated size of all range keys"),
            (Item::from([("p".to_owned(), s("a"))]), "does not match the schema"),
        ] {
            let told = check_key(&schema, &k).unwrap_err();
            assert!(told.message().contains(why), "{told}");
        }
    }
}
