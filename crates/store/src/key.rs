//! Keys: tuples of text, bytes and numbers whose byte order is the order of the tuples.
//!
//! Each part is a tag and its content. Text and bytes end with 0x00, and a 0x00 inside is written
//! 0x00 0xFF; tags are below 0xFF, so a text sorts before its own extensions and UTF-8 keeps its
//! binary order. Numbers are eight bytes, big-endian; descending ones are inverted.

use std::borrow::Cow;
use std::fmt;

const BYTES: u8 = 1;
const STR: u8 = 2;
const U64: u8 = 3;
const U64_DESC: u8 = 4;

const END: u8 = 0x00;
const ESCAPE: u8 = 0xFF;

/// A key of a table: `Key::new().str(account).str(name)`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

/// One part of a key, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Str(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    /// Ascending or descending: the number that was put in.
    U64(u64),
}

impl Key {
    /// The empty tuple: a prefix of every key.
    #[must_use]
    pub fn new() -> Self {
        Key::default()
    }

    /// Appends text, ordered by its UTF-8 bytes.
    #[must_use]
    pub fn str(mut self, s: &str) -> Self {
        self.push(STR, s.as_bytes());
        self
    }

    /// Appends bytes, in lexical order.
    #[must_use]
    pub fn bytes(mut self, b: &[u8]) -> Self {
        self.push(BYTES, b);
        self
    }

    /// Appends a number, small ones first.
    #[must_use]
    pub fn u64(mut self, n: u64) -> Self {
        self.0.push(U64);
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    /// Appends a number, large ones first (newest version first).
    #[must_use]
    pub fn u64_desc(mut self, n: u64) -> Self {
        self.0.push(U64_DESC);
        self.0.extend_from_slice(&(!n).to_be_bytes());
        self
    }

    /// The parts, in order.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        Parts::of(&self.0)
    }

    /// The encoded bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key from its encoded bytes, as a visitor sees them. [`Parts`] tells whether they make sense.
    #[must_use]
    pub fn from_bytes(encoded: &[u8]) -> Self {
        Key(encoded.to_vec())
    }

    fn push(&mut self, tag: u8, content: &[u8]) {
        // A first allocation that holds most keys whole.
        self.0.reserve((content.len() + 2).max(if self.0.capacity() == 0 { 64 } else { 0 }));
        self.0.push(tag);
        escape_into(&mut self.0, content);
        self.0.push(END);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// For messages: `("000000000000", "my-role", 7)`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, part) in self.parts().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            match part {
                Part::Str(s) => write!(f, "{s:?}")?,
                Part::Bytes(b) => write!(f, "b\"{}\"", b.escape_ascii())?,
                Part::U64(n) => write!(f, "{n}")?,
            }
        }
        f.write_str(")")
    }
}

/// An iterator over the parts of an encoded key; it ends at the first byte that makes no sense.
/// Nothing is copied but text and bytes that contain a NUL.
#[derive(Clone, Debug)]
pub struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    /// Over the key bytes that a visitor gets.
    #[must_use]
    pub fn of(encoded: &'a [u8]) -> Self {
        Parts(encoded)
    }

    /// The next part, if it is text.
    pub fn text(&mut self) -> Option<Cow<'a, str>> {
        match self.next()? {
            Part::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The next part, if it is bytes.
    pub fn raw(&mut self) -> Option<Cow<'a, [u8]>> {
        match self.next()? {
            Part::Bytes(b) => Some(b),
            _ => None,
        }
    }

    /// The next part, if it is a number.
    pub fn number(&mut self) -> Option<u64> {
        match self.next()? {
            Part::U64(n) => Some(n),
            _ => None,
        }
    }

    fn content(&mut self) -> Option<Cow<'a, [u8]>> {
        let all = self.0;
        let mut plain = 0;
        let mut copy: Option<Vec<u8>> = None;
        loop {
            let end = plain + all[plain..].iter().position(|b| *b == END)?;
            let escaped = all.get(end + 1) == Some(&ESCAPE);
            match (&mut copy, escaped) {
                (None, false) => {
                    self.0 = &all[end + 1..];
                    return Some(Cow::Borrowed(&all[..end]));
                }
                (None, true) => copy = Some(all[..=end].to_vec()),
                (Some(c), true) => c.extend_from_slice(&all[plain..=end]),
                (Some(c), false) => {
                    c.extend_from_slice(&all[plain..end]);
                    self.0 = &all[end + 1..];
                    return copy.map(Cow::Owned);
                }
            }
            plain = end + 2;
        }
    }

    fn fixed(&mut self) -> Option<u64> {
        let (n, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*n))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let (tag, rest) = self.0.split_first()?;
        self.0 = rest;
        let part = match *tag {
            BYTES => self.content().map(Part::Bytes),
            STR => self.content().and_then(text).map(Part::Str),
            U64 => self.fixed().map(Part::U64),
            U64_DESC => self.fixed().map(|n| Part::U64(!n)),
            _ => None,
        };
        if part.is_none() {
            self.0 = &[];
        }
        part
    }
}

/// The bytes that every text part beginning with `s` begins with.
pub(crate) fn open_text(s: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len() + 1);
    out.push(STR);
    escape_into(&mut out, s.as_bytes());
    out
}

/// The least bytes greater than everything that begins with `prefix`; `None` when there are none.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|b| *b != 0xFF)?;
    let mut out = prefix[..=last].to_vec();
    out[last] += 1;
    Some(out)
}

fn escape_into(out: &mut Vec<u8>, content: &[u8]) {
    let mut rest = content;
    while let Some(at) = rest.iter().position(|b| *b == END) {
        out.extend_from_slice(&rest[..=at]);
        out.push(ESCAPE);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn text(b: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match b {
        Cow::Borrowed(b) => std::str::from_utf8(b).ok().map(Cow::Borrowed),
        Cow::Owned(b) => String::from_utf8(b).ok().map(Cow::Owned),
    }
}
