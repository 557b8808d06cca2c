//! Attribute values between the API's form and ours.

use std::collections::BTreeMap;

use bytes::Bytes;
use fogbank_core::{Result, Str, Value};
use fogbank_dynamo::{Attr, Item, Number, attr};

use crate::error::{language, parameter, validation};

const ONE_OF: &str = "must contain exactly one of the supported datatypes";

/// Reads an attribute value.
pub fn attr(v: Value) -> Result<Attr> {
    nested(v, 0)
}

fn nested(v: Value, depth: usize) -> Result<Attr> {
    if depth > attr::MAX_DEPTH {
        return Err(validation(
            "Nesting Levels have exceeded supported limits: Attributes can only have up to 32 levels of nesting",
        ));
    }
    let Value::Map(mut members) = v else {
        return Err(validation(format!("Supplied AttributeValue is empty, {ONE_OF}")));
    };
    if members.len() > 1 {
        return Err(validation(format!(
            "Supplied AttributeValue has more than one datatypes set, {ONE_OF}"
        )));
    }
    let Some((kind, v)) = members.pop() else {
        return Err(validation(format!("Supplied AttributeValue is empty, {ONE_OF}")));
    };
    Ok(match (&*kind, v) {
        ("S", Value::Str(s)) => Attr::S(s.into_owned()),
        ("N", Value::Str(n)) => Attr::N(number(&n)?),
        ("B", Value::Blob(b)) => Attr::B(b.into()),
        ("BOOL", Value::Bool(b)) => Attr::Bool(b),
        ("NULL", Value::Bool(true)) => Attr::Null,
        ("NULL", _) => {
            return Err(parameter("Null attribute value types must have the value of true"));
        }
        ("L", Value::List(items)) => {
            let items = items.into_iter().map(|i| nested(i, depth + 1));
            Attr::L(items.collect::<Result<_>>()?)
        }
        ("M", Value::Map(entries)) => Attr::M(map(entries, depth + 1)?),
        ("SS", Value::List(items)) => {
            let texts = items.into_iter().map(text).collect::<Result<_>>()?;
            Attr::Ss(set(texts, "An string set  may not be empty", |s: &String| s.clone())?)
        }
        ("NS", Value::List(items)) => {
            let numbers = items.into_iter().map(|i| number(&text(i)?)).collect::<Result<_>>()?;
            Attr::Ns(set(numbers, "An number set  may not be empty", Number::to_string)?)
        }
        ("BS", Value::List(items)) => {
            let blobs = items.into_iter().map(|i| match i {
                Value::Blob(b) => Ok(Vec::from(b)),
                _ => Err(validation("A binary set holds binaries")),
            });
            let blobs = blobs.collect::<Result<_>>()?;
            let shown =
                |b: &Vec<u8>| format!("java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]", b.len());
            Attr::Bs(set(blobs, "Binary sets should not be empty", shown)?)
        }
        _ => return Err(validation(format!("Supplied AttributeValue is empty, {ONE_OF}"))),
    })
}

fn number(text: &str) -> Result<Number> {
    text.parse().map_err(|e| language(&e))
}

fn text(v: Value) -> Result<String> {
    match v {
        Value::Str(s) => Ok(s.into_owned()),
        _ => Err(validation("A set holds values of its type")),
    }
}

/// Sorted; neither empty nor with a value twice.
fn set<T: Ord>(mut items: Vec<T>, empty: &str, shown: impl Fn(&T) -> String) -> Result<Vec<T>> {
    if items.is_empty() {
        return Err(parameter(empty));
    }
    if items.is_sorted_by(|a, b| a < b) {
        return Ok(items);
    }
    let all: Vec<String> = items.iter().map(shown).collect();
    items.sort();
    if items.windows(2).any(|w| w[0] == w[1]) {
        let all = all.join(", ");
        return Err(parameter(format!("Input collection [{all}] contains duplicates.")));
    }
    Ok(items)
}

fn map(entries: Vec<(Str, Value)>, depth: usize) -> Result<Item> {
    entries.into_iter().map(|(k, v)| Ok((k.into_owned(), nested(v, depth)?))).collect()
}

/// Reads an item or a key.
pub fn item(v: Value) -> Result<Item> {
    match v {
        Value::Map(entries) => map(entries, 0),
        _ => Ok(Item::new()),
    }
}

/// Reads `ExpressionAttributeValues`, whose errors name the placeholder.
pub fn placeholders(v: Value) -> Result<BTreeMap<String, Attr>> {
    let Value::Map(entries) = v else { return Ok(BTreeMap::new()) };
    let read = entries.into_iter().map(|(k, v)| match nested(v, 0) {
        Ok(a) => Ok((k.into_owned(), a)),
        Err(e) => {
            let message = e.message();
            Err(validation(format!(
                "ExpressionAttributeValues contains invalid value: {message} for key {k}"
            )))
        }
    });
    read.collect()
}

/// Reads a map of texts: `ExpressionAttributeNames`.
pub fn texts(v: Value) -> BTreeMap<String, String> {
    let Value::Map(entries) = v else { return BTreeMap::new() };
    let texts = entries.into_iter().filter_map(|(k, v)| match v {
        Value::Str(s) => Some((k.into_owned(), s.into_owned())),
        _ => None,
    });
    texts.collect()
}

/// Writes an attribute value in the API's form.
pub fn attr_value(a: &Attr) -> Value {
    let (kind, v) = match a {
        Attr::S(s) => ("S", Value::from(s.as_str())),
        Attr::N(n) => ("N", n.to_string().into()),
        Attr::B(b) => ("B", Value::Blob(Bytes::copy_from_slice(b))),
        Attr::Bool(b) => ("BOOL", Value::Bool(*b)),
        Attr::Null => ("NULL", Value::Bool(true)),
        Attr::L(items) => ("L", Value::List(items.iter().map(attr_value).collect())),
        Attr::M(map) => ("M", item_value(map)),
        Attr::Ss(set) => ("SS", Value::List(set.iter().map(|s| s.as_str().into()).collect())),
        Attr::Ns(set) => ("NS", Value::List(set.iter().map(|n| n.to_string().into()).collect())),
        Attr::Bs(set) => {
            let blobs = set.iter().map(|b| Value::Blob(Bytes::copy_from_slice(b)));
            ("BS", Value::List(blobs.collect()))
        }
    };
    Value::Map(vec![(Str::Borrowed(kind), v)])
}

/// Writes an item in the API's form.
pub fn item_value(item: &Item) -> Value {
    Value::Map(item.iter().map(|(k, v)| (Str::Owned(k.clone()), attr_value(v))).collect())
}

/// The members of an input structure, to be taken out one by one.
#[derive(Debug, Default)]
pub struct Input(Vec<(Str, Value)>);

impl Input {
    pub fn of(v: Value) -> Self {
        match v {
            Value::Map(members) => Input(members),
            _ => Input::default(),
        }
    }

    /// The member `name`, which is not there afterwards.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(k, _)| k == name)?;
        Some(self.0.swap_remove(at).1).filter(|v| *v != Value::Null)
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::Str(s) => Some(s.into_owned()),
            _ => None,
        }
    }

    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(b) => Some(b),
            _ => None,
        }
    }

    pub fn number(&mut self, name: &str) -> Option<i64> {
        match self.take(name)? {
            Value::Int(n) => Some(n),
            _ => None,
        }
    }

    pub fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.take(name)? {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn entries(&mut self, name: &str) -> Option<Vec<(Str, Value)>> {
        match self.take(name)? {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(k, v)| k == name && *v != Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use fogbank_core::map;

    use super::*;

    #[test]
    fn values_survive_and_bad_ones_are_named() {
        let list = |texts: &[&str]| Value::List(texts.iter().map(|t| Value::from(*t)).collect());
        for v in [
            map! {"S" => ""},
            map! {"N" => "1.5"},
            map! {"B" => Value::Blob(Bytes::from_static(b"\0"))},
            map! {"BOOL" => false},
            map! {"NULL" => true},
            map! {"L" => vec![map! {"M" => map! {"k" => map! {"SS" => list(&["a", "b"])}}}]},
            map! {"NS" => list(&["1", "2"])},
        ] {
            assert_eq!(attr_value(&attr(v.clone()).unwrap()), v);
        }
        let mut deep = map! {"NULL" => true};
        for _ in 0..33 {
            deep = map! {"L" => vec![deep]};
        }
        for (v, why) in [
            (map! {}, "Supplied AttributeValue is empty"),
            (map! {"S" => "a", "N" => "1"}, "more than one datatypes set"),
            (map! {"N" => "x"}, "cannot be converted to a numeric value: x"),
            (map! {"NULL" => false}, "Null attribute value types must have the value of true"),
            (map! {"SS" => list(&[])}, "An string set  may not be empty"),
            (map! {"SS" => list(&["a", "a"])}, "Input collection [a, a] contains duplicates."),
            (map! {"NS" => list(&["1", "1.0"])}, "contains duplicates"),
            (deep, "Nesting Levels have exceeded supported limits"),
        ] {
            let told = attr(v).unwrap_err();
            assert!(told.message().contains(why), "{told}");
        }
    }
}
