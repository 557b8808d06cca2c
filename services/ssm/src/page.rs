//! Tokens of pages: the name of the last parameter before.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fogbank_core::{ApiError, Result};

pub fn encode(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

pub fn decode(token: &str) -> Result<String> {
    let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|b| String::from_utf8(b).ok());
    name.ok_or_else(|| ApiError::new("InvalidNextToken", "The specified token isn't valid."))
}
