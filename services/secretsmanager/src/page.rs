//! Pages as Secrets Manager has them: `MaxResults` and `NextToken`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fogbank_core::{ApiError, Result};
use fogbank_store::Key;

/// How many items a page has when the client does not say, and at most.
const MOST: i64 = 100;

/// At most this many items.
pub fn limit(asked: Option<i64>) -> usize {
    usize::try_from(asked.unwrap_or(MOST).clamp(1, MOST)).unwrap_or(1)
}

/// A page of a list that is at hand: the token is a position.
pub fn cut<T>(
    items: Vec<T>,
    asked: Option<i64>,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>)> {
    let from = match token {
        Some(t) => decode(t)?.parts().number().ok_or_else(invalid)?,
        None => 0,
    };
    let (limit, from) = (limit(asked), usize::try_from(from).map_err(|_| invalid())?);
    let more = items.len().saturating_sub(from) > limit;
    let next = u64::try_from(from.saturating_add(limit)).unwrap_or(u64::MAX);
    let page = items.into_iter().skip(from).take(limit).collect();
    Ok((page, more.then(|| encode(&Key::new().u64(next)))))
}

pub fn encode(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(key.as_bytes())
}

pub fn decode(token: &str) -> Result<Key> {
    URL_SAFE_NO_PAD.decode(token).map(|b| Key::from_bytes(&b)).map_err(|_| invalid())
}

fn invalid() -> ApiError {
    ApiError::new("InvalidNextTokenException", "Invalid pagination token.")
}
