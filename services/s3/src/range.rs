//! The `Range` header: which bytes of an object a read wants.
//!
//! <https://www.rfc-editor.org/rfc/rfc9110#name-range-requests>

use std::ops::Range;

use fogbank_core::{ApiError, Result};

/// The bytes that `header` asks for of `size`. `None`: all of them, since S3 ignores a range that
/// it does not understand, and several at once.
///
/// # Errors
/// `InvalidRange` when nothing of it exists.
pub(crate) fn parse(header: &str, size: u64) -> Result<Option<Range<u64>>> {
    let Some(spec) = header.trim().strip_prefix("bytes=") else { return Ok(None) };
    let Some((first, last)) = spec.trim().split_once('-') else { return Ok(None) };
    let number = |s: &str| match s.trim() {
        "" => Some(None),
        n if n.bytes().all(|b| b.is_ascii_digit()) => {
            Some(Some(n.parse::<u64>().unwrap_or(u64::MAX)))
        }
        _ => None,
    };
    let (Some(first), Some(last)) = (number(first), number(last)) else { return Ok(None) };
    let range = match (first, last) {
        (None, None) => return Ok(None),
        (Some(a), Some(b)) if a > b => return Ok(None),
        (Some(a), None) => a..size,
        (Some(a), Some(b)) => a..size.min(b.saturating_add(1)),
        (None, Some(n)) => size.saturating_sub(n)..size,
    };
    if range.is_empty() { Err(invalid_range(header, size)) } else { Ok(Some(range)) }
}

fn invalid_range(header: &str, size: u64) -> ApiError {
    let error = ApiError::new("InvalidRange", "The requested range is not satisfiable")
        .status(416)
        .field("RangeRequested", header)
        .field("ActualObjectSize", size.to_string());
    match http::HeaderValue::try_from(format!("bytes */{size}")) {
        Ok(v) => error.header(http::header::CONTENT_RANGE, v),
        Err(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn ranges() {
        for (header, size, want) in [
            ("bytes=0-0", 10, Some(0..1)),
            ("bytes=4-7", 10, Some(4..8)),
            ("bytes=4-", 10, Some(4..10)),
            ("bytes=4-99", 10, Some(4..10)),
            ("bytes=4-18446744073709551615", 10, Some(4..10)),
            ("bytes=-3", 10, Some(7..10)),
            ("bytes=-30", 10, Some(0..10)),
            // Not understood: the whole object.
            ("bytes=7-4", 10, None),
            ("bytes=0-1,3-4", 10, None),
            ("bytes=a-b", 10, None),
            ("bytes=-", 10, None),
            ("lines=1-2", 10, None),
        ] {
            assert_eq!(parse(header, size).unwrap(), want, "{header}");
        }
        for (header, size) in
            [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=0-", 0), ("bytes=-0", 10)]
        {
            assert_eq!(parse(header, size).unwrap_err().code(), "InvalidRange", "{header}");
        }
    }
}
