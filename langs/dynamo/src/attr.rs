//! Attribute values, items, and how large they are.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use crate::Number;

/// A map of attributes: an item, or a value of type M.
pub type Item = BTreeMap<String, Attr>;

/// How deeply values may nest.
pub const MAX_DEPTH: usize = 32;
/// How large an item may be.
pub const MAX_ITEM: usize = 400 * 1024;

/// An attribute's value. Sets are sorted and without duplicates, so that equal values are equal
/// structures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attr {
    S(String),
    N(Number),
    B(Vec<u8>),
    Bool(bool),
    Null,
    L(Vec<Attr>),
    M(Item),
    Ss(Vec<String>),
    Ns(Vec<Number>),
    Bs(Vec<Vec<u8>>),
}

impl Attr {
    /// The type as the API spells it: `S`, `BOOL`, `NS`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Attr::S(_) => "S",
            Attr::N(_) => "N",
            Attr::B(_) => "B",
            Attr::Bool(_) => "BOOL",
            Attr::Null => "NULL",
            Attr::L(_) => "L",
            Attr::M(_) => "M",
            Attr::Ss(_) => "SS",
            Attr::Ns(_) => "NS",
            Attr::Bs(_) => "BS",
        }
    }

    /// The type as messages spell it in some places.
    #[must_use]
    pub fn kind_word(&self) -> &'static str {
        match self {
            Attr::S(_) => "STRING",
            Attr::N(_) => "NUMBER",
            Attr::B(_) => "BINARY",
            Attr::Bool(_) => "BOOLEAN",
            Attr::Null => "NULL",
            Attr::L(_) => "LIST",
            Attr::M(_) => "MAP",
            Attr::Ss(_) => "STRING_SET",
            Attr::Ns(_) => "NUMBER_SET",
            Attr::Bs(_) => "BINARY_SET",
        }
    }

    /// Whether the order of values of this type is defined: strings, numbers, binaries.
    #[must_use]
    pub fn is_scalar(&self) -> bool {
        matches!(self, Attr::S(_) | Attr::N(_) | Attr::B(_))
    }

    #[must_use]
    pub fn is_set(&self) -> bool {
        matches!(self, Attr::Ss(_) | Attr::Ns(_) | Attr::Bs(_))
    }

    /// The order of two values of one scalar type; `None` otherwise.
    #[must_use]
    pub fn compare(&self, other: &Attr) -> Option<Ordering> {
        match (self, other) {
            (Attr::S(a), Attr::S(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Attr::N(a), Attr::N(b)) => Some(a.cmp(b)),
            (Attr::B(a), Attr::B(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// The bytes it counts for.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Attr::S(s) => s.len(),
            Attr::N(n) => n.size(),
            Attr::B(b) => b.len(),
            Attr::Bool(_) | Attr::Null => 1,
            Attr::L(items) => 3 + items.iter().map(|i| 1 + i.size()).sum::<usize>(),
            Attr::M(map) => 3 + map.iter().map(|(k, v)| 1 + k.len() + v.size()).sum::<usize>(),
            Attr::Ss(set) => set.iter().map(String::len).sum(),
            Attr::Ns(set) => set.iter().map(Number::size).sum(),
            Attr::Bs(set) => set.iter().map(Vec::len).sum(),
        }
    }

    /// What the function `size` answers; `None` where it is not defined.
    #[must_use]
    pub fn length(&self) -> Option<usize> {
        match self {
            Attr::S(s) => Some(s.len()),
            Attr::B(b) => Some(b.len()),
            Attr::L(l) => Some(l.len()),
            Attr::M(m) => Some(m.len()),
            Attr::Ss(s) => Some(s.len()),
            Attr::Ns(s) => Some(s.len()),
            Attr::Bs(s) => Some(s.len()),
            Attr::N(_) | Attr::Bool(_) | Attr::Null => None,
        }
    }

    /// Whether `part` is in it: a part of a text or of bytes, a member of a set or a list.
    #[must_use]
    pub fn contains(&self, part: &Attr) -> bool {
        match (self, part) {
            (Attr::S(s), Attr::S(p)) => s.contains(p.as_str()),
            (Attr::B(b), Attr::B(p)) => p.is_empty() || b.windows(p.len()).any(|w| w == p),
            (Attr::Ss(set), Attr::S(p)) => set.contains(p),
            (Attr::Ns(set), Attr::N(p)) => set.contains(p),
            (Attr::Bs(set), Attr::B(p)) => set.contains(p),
            (Attr::L(list), p) => list.contains(p),
            _ => false,
        }
    }

    /// Whether it begins with `start`.
    #[must_use]
    pub fn begins_with(&self, start: &Attr) -> bool {
        match (self, start) {
            (Attr::S(s), Attr::S(p)) => s.starts_with(p.as_str()),
            (Attr::B(b), Attr::B(p)) => b.starts_with(p),
            _ => false,
        }
    }
}

/// For messages: `AttributeValue: {N:1}`.
impl fmt::Display for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}:", self.kind())?;
        match self {
            Attr::S(s) => f.write_str(s)?,
            Attr::N(n) => write!(f, "{n}")?,
            Attr::B(b) => write!(f, "java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]", b.len())?,
            Attr::Bool(b) => write!(f, "{b}")?,
            Attr::Null => f.write_str("true")?,
            Attr::L(items) => list(f, items)?,
            Attr::M(map) => {
                f.write_str("{")?;
                for (i, (k, v)) in map.iter().enumerate() {
                    write!(f, "{}{k}={v}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("}")?;
            }
            Attr::Ss(set) => list(f, set)?,
            Attr::Ns(set) => list(f, set)?,
            Attr::Bs(set) => write!(f, "[{} binaries]", set.len())?,
        }
        f.write_str("}")
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    f.write_str("[")?;
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
    }
    f.write_str("]")
}

/// The bytes an item counts for: names and values.
#[must_use]
pub fn item_size(item: &Item) -> usize {
    item.iter().map(|(k, v)| k.len() + v.size()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_documented() {
        let n = |t: &str| Attr::N(t.parse().unwrap());
        assert_eq!(Attr::S("é".into()).size(), 2);
        assert_eq!(Attr::Null.size(), 1);
        assert_eq!(Attr::L(vec![Attr::S("ab".into()), n("1")]).size(), 3 + 3 + 3);
        assert_eq!(Attr::M([("k".to_owned(), Attr::Bool(true))].into()).size(), 3 + 1 + 1 + 1);
        let item: Item = [("name".to_owned(), Attr::S("value".into()))].into();
        assert_eq!(item_size(&item), 9);
    }

    #[test]
    fn containment_and_order() {
        let s = |t: &str| Attr::S(t.into());
        assert!(s("hello").contains(&s("ell")));
        assert!(!s("1").contains(&Attr::N(1.into())));
        assert!(Attr::L(vec![Attr::N(1.into())]).contains(&Attr::N("1.0".parse().unwrap())));
        assert!(Attr::B(vec![1, 2, 3]).contains(&Attr::B(vec![2, 3])));
        assert!(s("a").compare(&Attr::N(1.into())).is_none());
        assert_eq!(s("a").compare(&s("B")), Some(Ordering::Greater));
    }
}
