//! The methods of lists, maps, their entries and their iterators.

use std::cell::RefCell;
use std::rc::Rc;

use crate::compare::same;
use crate::render::{Place, thrown};
use crate::value::{List, Map, Object};
use crate::{Error, Value};

/// How long a list or map may become.
pub const MOST: usize = 100_000;

type Answer = Result<Option<Value>, Error>;

/// Calls a method of a list.
pub fn call(value: &Value, list: &Rc<List>, name: &str, arguments: &[Value]) -> Answer {
    let length = list.items.borrow().len();
    let out = |at: i64| {
        let text = format!("java.lang.IndexOutOfBoundsException: Index: {at}, Size: {length}");
        thrown(name, text)
    };
    let within = |at: i64, end: usize| usize::try_from(at).ok().filter(|i| *i < end);
    Ok(Some(match (name, arguments) {
        ("size" | "length", []) => length.into(),
        ("isEmpty", []) => (length == 0).into(),
        ("get", [Value::Int(at)]) => match within(*at, length) {
            Some(i) => return Ok(Some(list.items.borrow()[i].clone())),
            None => return out(*at),
        },
        ("set", [Value::Int(at), new]) => match within(*at, length) {
            Some(i) => std::mem::replace(&mut list.items.borrow_mut()[i], new.clone()),
            None => return out(*at),
        },
        ("add", [new]) => {
            room(length + 1)?;
            list.items.borrow_mut().push(new.clone());
            true.into()
        }
        ("add", [Value::Int(at), new]) => match within(*at, length + 1) {
            Some(i) => {
                room(length + 1)?;
                list.items.borrow_mut().insert(i, new.clone());
                Value::text("")
            }
            None => return out(*at),
        },
        ("addAll", [Value::List(more)]) => {
            let more = more.items.borrow().clone();
            room(length + more.len())?;
            let any = !more.is_empty();
            list.items.borrow_mut().extend(more);
            any.into()
        }
        ("remove", [Value::Int(at)]) => match within(*at, length) {
            Some(i) => list.items.borrow_mut().remove(i),
            None => return out(*at),
        },
        ("remove", [what]) => {
            let at = list.items.borrow().iter().position(|v| same(v, what, 0));
            if let Some(i) = at {
                list.items.borrow_mut().remove(i);
            }
            at.is_some().into()
        }
        ("removeAll" | "retainAll", [Value::List(other)]) => {
            let other = other.items.borrow().clone();
            let keep = name == "retainAll";
            list.items.borrow_mut().retain(|v| other.iter().any(|o| same(v, o, 0)) == keep);
            (list.items.borrow().len() != length).into()
        }
        ("clear", []) => {
            list.items.borrow_mut().clear();
            Value::text("")
        }
        ("contains", [what]) => list.items.borrow().iter().any(|v| same(v, what, 0)).into(),
        ("containsAll", [Value::List(other)]) => {
            let (items, other) = (list.items.borrow(), other.items.borrow());
            other.iter().all(|o| items.iter().any(|v| same(v, o, 0))).into()
        }
        ("indexOf", [what]) => {
            let at = list.items.borrow().iter().position(|v| same(v, what, 0));
            Value::Int(at.map_or(-1, |i| i as i64))
        }
        ("lastIndexOf", [what]) => {
            let at = list.items.borrow().iter().rposition(|v| same(v, what, 0));
            Value::Int(at.map_or(-1, |i| i as i64))
        }
        ("subList", [Value::Int(from), Value::Int(to)]) => {
            let (a, b) = (usize::try_from(*from).ok(), usize::try_from(*to).ok());
            match (a, b) {
                (Some(a), Some(b)) if a <= b && b <= length => {
                    let items = list.items.borrow()[a..b].to_vec();
                    Value::List(Rc::new(List { items: RefCell::new(items), json: list.json }))
                }
                _ => return out(*to),
            }
        }
        ("toArray" | "stream", []) => value.clone(),
        ("iterator" | "listIterator", []) => iterator(list.items.borrow().clone()),
        _ => return Ok(None),
    }))
}

fn room(length: usize) -> Result<(), Error> {
    if length > MOST { Err(Error::Limit("list size")) } else { Ok(()) }
}

/// Calls a method of a map.
pub fn map_call(map: &Rc<Map>, name: &str, arguments: &[Value]) -> Answer {
    let entries = &map.0;
    let key = |v: &Value| v.render();
    Ok(Some(match (name, arguments) {
        ("size", []) => entries.borrow().len().into(),
        ("isEmpty", []) => entries.borrow().is_empty().into(),
        ("get", [k]) => return Ok(entries.borrow().get(&*key(k)).cloned()),
        ("getOrDefault", [k, other]) => {
            entries.borrow().get(&*key(k)).cloned().unwrap_or_else(|| other.clone())
        }
        ("put", [k, v]) => {
            room(entries.borrow().len() + 1)?;
            let old = entries.borrow_mut().insert(key(k).into(), v.clone());
            return Ok(old);
        }
        ("putIfAbsent", [k, v]) => {
            room(entries.borrow().len() + 1)?;
            let k: Rc<str> = key(k).into();
            let old = entries.borrow().get(&k).cloned();
            if old.is_none() {
                entries.borrow_mut().insert(k, v.clone());
            }
            return Ok(old);
        }
        ("putAll", [Value::Map(more)]) => {
            let more = more.0.borrow().clone();
            room(entries.borrow().len() + more.len())?;
            entries.borrow_mut().extend(more);
            Value::text("")
        }
        ("remove", [k]) => return Ok(entries.borrow_mut().shift_remove(&*key(k))),
        ("clear", []) => {
            entries.borrow_mut().clear();
            Value::text("")
        }
        ("containsKey", [k]) => entries.borrow().contains_key(&*key(k)).into(),
        ("containsValue", [v]) => entries.borrow().values().any(|o| same(o, v, 0)).into(),
        ("keySet", []) => Value::list(entries.borrow().keys().map(Value::text).collect()),
        ("values", []) => Value::list(entries.borrow().values().cloned().collect()),
        ("entrySet", []) => {
            let entry = |(k, v): (&Rc<str>, &Value)| {
                let entry = Entry { map: Rc::clone(map), key: Rc::clone(k), value: v.clone() };
                Value::Object(Rc::new(entry) as Rc<dyn Object>)
            };
            Value::list(entries.borrow().iter().map(entry).collect())
        }
        _ => return Ok(None),
    }))
}

/// An entry of a map.
struct Entry {
    map: Rc<Map>,
    key: Rc<str>,
    value: Value,
}

impl Object for Entry {
    fn get(&self, name: &str) -> Option<Value> {
        match name {
            "key" => Some(Value::Text(Rc::clone(&self.key))),
            "value" => Some(self.map.0.borrow().get(&self.key).unwrap_or(&self.value).clone()),
            _ => None,
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Answer {
        match (name, arguments) {
            ("getKey", []) => Ok(self.get("key")),
            ("getValue", []) => Ok(self.get("value")),
            ("setValue", [new]) => {
                Ok(self.map.0.borrow_mut().insert(Rc::clone(&self.key), new.clone()))
            }
            _ => Ok(None),
        }
    }

    fn text(&self) -> String {
        format!("{}={}", self.key, self.get("value").unwrap_or_default().render())
    }
}

/// An iterator.
struct Iterator {
    items: Vec<Value>,
    at: Place,
}

pub fn iterator(items: Vec<Value>) -> Value {
    Value::Object(Rc::new(Iterator { items, at: RefCell::new(0) }) as Rc<dyn Object>)
}

impl Object for Iterator {
    fn call(&self, name: &str, arguments: &[Value]) -> Answer {
        let at = *self.at.borrow();
        match (name, arguments) {
            ("hasNext", []) => Ok(Some((at < self.items.len()).into())),
            ("next", []) => match self.items.get(at) {
                Some(v) => {
                    *self.at.borrow_mut() += 1;
                    Ok(Some(v.clone()))
                }
                None => thrown(name, "java.util.NoSuchElementException"),
            },
            _ => Ok(None),
        }
    }

    fn text(&self) -> String {
        "java.util.Iterator".into()
    }
}

/// What an object that is an iterator has left; nothing for others.
pub fn drain(object: &dyn Object) -> Result<Vec<Value>, Error> {
    let mut items = Vec::new();
    while let Some(Value::Bool(true)) = object.call("hasNext", &[])? {
        room(items.len() + 1)?;
        match object.call("next", &[])? {
            Some(v) => items.push(v),
            None => break,
        }
    }
    Ok(items)
}
