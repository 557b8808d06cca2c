//! Pagination: a slice of an ordered list and the marker of the next one.

use crate::{ApiError, Result};

/// A page of items and where the next one starts.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Opaque; `None` on the last page.
    pub next: Option<String>,
}

/// Cuts a page out of `items`, which are sorted by `key`. `after` is the previous page's marker:
/// the key of its last item, in hexadecimal, so that clients cannot take it for a name.
///
/// # Errors
/// `ValidationError` when the marker is not one of ours.
pub fn page<T>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<T>> {
    let after = after.map(decode).transpose()?;
    let mut it = items.into_iter().filter(|i| after.as_deref().is_none_or(|a| key(i) > a));
    let items: Vec<T> = it.by_ref().take(limit).collect();
    let more = it.next().is_some();
    let next = if more { items.last().map(|i| encode(key(i))) } else { None };
    Ok(Page { items, next })
}

/// A marker that hides `key`.
#[must_use]
pub fn encode(key: &str) -> String {
    key.bytes().fold(String::with_capacity(key.len() * 2), |mut s, b| {
        use std::fmt::Write;
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// The key in a marker made by [`encode`].
///
/// # Errors
/// `ValidationError` when it is not one.
pub fn decode(marker: &str) -> Result<String> {
    let bad = || ApiError::new("ValidationError", "Invalid pagination token.").status(400);
    if !marker.is_ascii() || marker.len() % 2 == 1 {
        return Err(bad());
    }
    let bytes: Option<Vec<u8>> = (0..marker.len() / 2)
        .map(|i| u8::from_str_radix(&marker[2 * i..2 * i + 2], 16).ok())
        .collect();
    bytes.and_then(|b| String::from_utf8(b).ok()).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_up() {
        let all = ["a", "b", "c"];
        let p = page(all, |s| s, None, 2).unwrap();
        assert_eq!(p.items, ["a", "b"]);
        let q = page(all, |s| s, p.next.as_deref(), 2).unwrap();
        assert_eq!((q.items, q.next), (vec!["c"], None));
        assert!(page(all, |s| s, Some("xyz"), 2).is_err());
    }
}
