//! Batches: up to ten entries, each of which fails by itself.

use std::collections::HashSet;

use fogbank_core::{ApiError, Result};
use serde::Serialize;

/// The most entries.
pub const MOST: usize = 10;

/// An entry that failed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Failed {
    id: String,
    sender_fault: bool,
    code: String,
    message: String,
}

impl Failed {
    pub fn new(id: String, e: &ApiError) -> Self {
        let sender_fault = !e.code().starts_with("Internal");
        Failed { id, sender_fault, code: e.code().to_owned(), message: e.message().to_owned() }
    }
}

/// What a batch answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output<T> {
    successful: Vec<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Failed>,
}

impl<T> Output<T> {
    pub fn new(successful: Vec<T>, failed: Vec<Failed>) -> Self {
        Output { successful, failed }
    }
}

/// Checks the ids of a batch's entries; `kind` is the entry's name in AWS's sentence.
///
/// # Errors
/// Those that fail a batch as a whole.
pub fn check<'a>(ids: impl ExactSizeIterator<Item = &'a str>, kind: &str) -> Result<()> {
    if ids.len() == 0 {
        let text = format!("There should be at least one {kind} in the request.");
        return Err(ApiError::new("EmptyBatchRequest", text));
    }
    if ids.len() > MOST {
        return Err(ApiError::new(
            "TooManyEntriesInBatchRequest",
            format!(
                "Maximum number of entries per request are {MOST}. You have sent {}.",
                ids.len()
            ),
        ));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let mut seen = HashSet::new();
    for id in ids {
        if !(1..=80).contains(&id.len()) || !id.bytes().all(fits) {
            return Err(ApiError::new(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and \
                 underscores. It can be at most 80 letters long.",
            ));
        }
        if !seen.insert(id) {
            return Err(ApiError::new("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_fails_as_a_whole() {
        let ten: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        let many: Vec<String> = (0..11).map(|n| n.to_string()).collect();
        let long = "x".repeat(81);
        let texts = |all: &[String]| {
            let ids: Vec<&str> = all.iter().map(String::as_str).collect();
            check(ids.into_iter(), "X").map_err(|e| e.code().to_owned())
        };
        assert_eq!(texts(&ten), Ok(()));
        for (ids, code) in [
            (vec![], "EmptyBatchRequest"),
            (many, "TooManyEntriesInBatchRequest"),
            (vec!["a".into(), "a".into()], "BatchEntryIdsNotDistinct"),
            (vec![String::new()], "InvalidBatchEntryId"),
            (vec!["a b".into()], "InvalidBatchEntryId"),
            (vec![long], "InvalidBatchEntryId"),
        ] {
            assert_eq!(texts(&ids), Err(code.to_owned()));
        }
    }
}
