//! Items as bytes: compact, and written as a reply without being read into a tree.
//!
//! An item is its attributes' number and then each name and value; a value is a tag and its
//! content; lengths are variable-length integers. Numbers are their canonical text.

use std::str;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{Attr, Error, Item, Result};

const S: u8 = 0;
const N: u8 = 1;
const B: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;
const NULL: u8 = 5;
const L: u8 = 6;
const M: u8 = 7;
const SS: u8 = 8;
const NS: u8 = 9;
const BS: u8 = 10;

/// Appends an item.
pub fn write(item: &Item, out: &mut Vec<u8>) {
    length(out, item.len());
    for (name, value) in item {
        bytes(out, name.as_bytes());
        write_attr(value, out);
    }
}

/// An item as bytes.
#[must_use]
pub fn to_bytes(item: &Item) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(item, &mut out);
    out
}

fn write_attr(value: &Attr, out: &mut Vec<u8>) {
    match value {
        Attr::S(s) => tagged(out, S, s.as_bytes()),
        Attr::N(n) => tagged(out, N, n.to_string().as_bytes()),
        Attr::B(b) => tagged(out, B, b),
        Attr::Bool(b) => out.push(if *b { TRUE } else { FALSE }),
        Attr::Null => out.push(NULL),
        Attr::L(items) => {
            out.push(L);
            length(out, items.len());
            items.iter().for_each(|i| write_attr(i, out));
        }
        Attr::M(map) => {
            out.push(M);
            write(map, out);
        }
        Attr::Ss(set) => several(out, SS, set.iter().map(String::as_bytes)),
        Attr::Ns(set) => {
            out.push(NS);
            length(out, set.len());
            set.iter().for_each(|n| bytes(out, n.to_string().as_bytes()));
        }
        Attr::Bs(set) => several(out, BS, set.iter().map(Vec::as_slice)),
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    bytes(out, content);
}

fn several<'a>(out: &mut Vec<u8>, tag: u8, set: impl ExactSizeIterator<Item = &'a [u8]>) {
    out.push(tag);
    length(out, set.len());
    set.for_each(|b| bytes(out, b));
}

fn bytes(out: &mut Vec<u8>, content: &[u8]) {
    length(out, content.len());
    out.extend_from_slice(content);
}

fn length(out: &mut Vec<u8>, mut n: usize) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Reads an item back.
///
/// # Errors
/// When the bytes are not an item's.
pub fn read(stored: &[u8]) -> Result<Item> {
    let mut r = Reader { rest: stored };
    let item = r.item()?;
    if r.rest.is_empty() { Ok(item) } else { Err(damaged()) }
}

/// Appends an item in the API's JSON.
///
/// # Errors
/// When the bytes are not an item's.
pub fn write_json(stored: &[u8], out: &mut String) -> Result<()> {
    let mut r = Reader { rest: stored };
    r.json_item(out)?;
    if r.rest.is_empty() { Ok(()) } else { Err(damaged()) }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.rest.split_first().ok_or_else(damaged)?;
        self.rest = rest;
        Ok(*first)
    }

    fn length(&mut self) -> Result<usize> {
        let mut n = 0;
        for shift in (0..35).step_by(7) {
            let b = self.byte()?;
            n |= usize::from(b & 0x7F) << shift;
            if b < 0x80 {
                return Ok(n);
            }
        }
        Err(damaged())
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.length()?;
        if n > self.rest.len() {
            return Err(damaged());
        }
        let (content, rest) = self.rest.split_at(n);
        self.rest = rest;
        Ok(content)
    }

    fn text(&mut self) -> Result<&'a str> {
        str::from_utf8(self.bytes()?).map_err(|_| damaged())
    }

    fn item(&mut self) -> Result<Item> {
        let n = self.length()?;
        let mut item = Item::new();
        for _ in 0..n {
            let name = self.text()?.to_owned();
            let value = self.attr()?;
            item.insert(name, value);
        }
        Ok(item)
    }

    fn attr(&mut self) -> Result<Attr> {
        Ok(match self.byte()? {
            S => Attr::S(self.text()?.to_owned()),
            N => Attr::N(self.text()?.parse()?),
            B => Attr::B(self.bytes()?.to_vec()),
            FALSE => Attr::Bool(false),
            TRUE => Attr::Bool(true),
            NULL => Attr::Null,
            L => Attr::L(self.each(Reader::attr)?),
            M => Attr::M(self.item()?),
            SS => Attr::Ss(self.each(|r| r.text().map(str::to_owned))?),
            NS => Attr::Ns(self.each(|r| r.text()?.parse())?),
            BS => Attr::Bs(self.each(|r| r.bytes().map(<[u8]>::to_vec))?),
            _ => return Err(damaged()),
        })
    }

    fn each<T>(&mut self, one: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let n = self.length()?;
        (0..n).map(|_| one(self)).collect()
    }

    fn json_item(&mut self, out: &mut String) -> Result<()> {
        let n = self.length()?;
        out.push('{');
        for i in 0..n {
            if i > 0 {
                out.push(',');
            }
            quoted(out, self.text()?);
            out.push(':');
            self.json(out)?;
        }
        out.push('}');
        Ok(())
    }

    fn json(&mut self, out: &mut String) -> Result<()> {
        match self.byte()? {
            S => {
                out.push_str("{\"S\":");
                quoted(out, self.text()?);
            }
            N => {
                out.push_str("{\"N\":\"");
                out.push_str(self.text()?);
                out.push('"');
            }
            B => {
                out.push_str("{\"B\":");
                base64(out, self.bytes()?);
            }
            FALSE => out.push_str("{\"BOOL\":false"),
            TRUE => out.push_str("{\"BOOL\":true"),
            NULL => out.push_str("{\"NULL\":true"),
            L => self.json_list(out, "{\"L\":[", Reader::json)?,
            M => {
                out.push_str("{\"M\":");
                self.json_item(out)?;
            }
            SS => self.json_list(out, "{\"SS\":[", |r, out| {
                quoted(out, r.text()?);
                Ok(())
            })?,
            NS => self.json_list(out, "{\"NS\":[", |r, out| {
                quoted(out, r.text()?);
                Ok(())
            })?,
            BS => self.json_list(out, "{\"BS\":[", |r, out| {
                base64(out, r.bytes()?);
                Ok(())
            })?,
            _ => return Err(damaged()),
        }
        out.push('}');
        Ok(())
    }

    fn json_list(
        &mut self,
        out: &mut String,
        open: &str,
        one: impl Fn(&mut Self, &mut String) -> Result<()>,
    ) -> Result<()> {
        out.push_str(open);
        for i in 0..self.length()? {
            if i > 0 {
                out.push(',');
            }
            one(self, out)?;
        }
        out.push(']');
        Ok(())
    }
}

fn base64(out: &mut String, b: &[u8]) {
    out.push('"');
    STANDARD.encode_string(b, out);
    out.push('"');
}

/// The bytes that JSON strings cannot have as they are.
static ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 0x20 {
        table[b] = true;
        b += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// Appends a quoted, escaped JSON string.
pub fn quoted(out: &mut String, s: &str) {
    use std::fmt::Write;
    out.push('"');
    let mut rest = s;
    while let Some(at) = rest.bytes().position(|b| ESCAPED[usize::from(b)]) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        match tail.as_bytes()[0] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b => {
                let _ = write!(out, "\\u{b:04x}");
            }
        }
        rest = &tail[1..];
    }
    out.push_str(rest);
    out.push('"');
}

fn damaged() -> Error {
    Error::new("a stored item is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Item {
        let n = |t: &str| t.parse().unwrap();
        [
            ("s", Attr::S("a\"\\\n\u{1}é".into())),
            ("n", Attr::N(n("-1.50"))),
            ("b", Attr::B(vec![0, 255])),
            ("t", Attr::Bool(true)),
            ("f", Attr::Bool(false)),
            ("z", Attr::Null),
            ("l", Attr::L(vec![Attr::N(n("1")), Attr::L(vec![])])),
            ("m", Attr::M([("x".to_owned(), Attr::S(String::new()))].into())),
            ("ss", Attr::Ss(vec!["a".into(), "b".into()])),
            ("ns", Attr::Ns(vec![n("1"), n("2")])),
            ("bs", Attr::Bs(vec![vec![1]])),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v))
        .collect()
    }

    #[test]
    fn items_survive_and_are_written_without_a_tree() {
        let stored = to_bytes(&sample());
        assert_eq!(read(&stored).unwrap(), sample());
        let mut json = String::new();
        write_json(&stored, &mut json).unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed["s"]["S"], "a\"\\\n\u{1}é");
        assert_eq!(parsed["n"]["N"], "-1.5");
        assert_eq!(parsed["b"]["B"], "AP8=");
        assert_eq!(parsed["l"], serde_json::json!({"L": [{"N": "1"}, {"L": []}]}));
        assert_eq!(parsed["ns"]["NS"], serde_json::json!(["1", "2"]));
        assert_eq!(parsed["z"]["NULL"], true);
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let stored = to_bytes(&sample());
        for cut in 0..stored.len() {
            assert!(read(&stored[..cut]).is_err(), "{cut}");
            assert!(write_json(&stored[..cut], &mut String::new()).is_err(), "{cut}");
        }
        for at in 0..stored.len() {
            let mut broken = stored.clone();
            broken[at] ^= 0xFF;
            let _ = read(&broken);
            let _ = write_json(&broken, &mut String::new());
        }
    }
}
