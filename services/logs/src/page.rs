//! Pages as CloudWatch Logs has them: `limit` and `nextToken`.

use fogbank_core::{Result, page};

use crate::error::invalid;

/// How many items: what the client asks for, else the default.
pub fn limit(asked: Option<i64>, default: usize) -> usize {
    asked.and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
}

/// The key in a token.
pub fn decode(token: Option<&str>) -> Result<Option<String>> {
    token.map(|t| page::decode(t).map_err(|_| bad_token())).transpose()
}

pub fn bad_token() -> fogbank_core::ApiError {
    invalid("The specified nextToken is invalid.")
}

/// Cuts what was read with one item too many to `limit`; gives the token of the next page.
pub fn cut<T>(items: &mut Vec<T>, limit: usize, key: impl Fn(&T) -> String) -> Option<String> {
    if items.len() <= limit {
        return None;
    }
    items.truncate(limit);
    items.last().map(|i| page::encode(&key(i)))
}
