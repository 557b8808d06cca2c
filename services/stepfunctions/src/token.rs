//! Task tokens: which task of which execution waits, and a secret that only its token carries.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fogbank_core::Result;
use minicbor::{Decode, Encode};

use crate::arn::ExecutionId;
use crate::error::invalid_token;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Token {
    #[n(0)]
    pub id: ExecutionId,
    #[n(1)]
    pub secret: String,
    #[n(2)]
    pub frame: u64,
    #[n(3)]
    pub ticket: u64,
}

impl Token {
    pub fn text(&self) -> String {
        let mut out = Vec::new();
        // Writing to memory does not fail.
        let _ = minicbor::encode(self, &mut out);
        format!("AQC{}", URL_SAFE_NO_PAD.encode(out))
    }

    pub fn parse(text: &str) -> Result<Token> {
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix("AQC")?).ok()?;
            minicbor::decode(&bytes).ok()
        };
        read().ok_or_else(invalid_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_trip_and_others_are_refused() {
        let text = |s: &str| s.to_owned();
        let id = ExecutionId {
            region: text("us-east-1"),
            account: text("123456789012"),
            machine: text("m"),
            name: text("n"),
        };
        let token = Token { id, secret: text("s"), frame: 3, ticket: 9 };
        assert_eq!(Token::parse(&token.text()).unwrap(), token);
        for bad in ["", "NoSuchTaskToken", "AQC", "AQC!!", "AQCAAAA"] {
            assert_eq!(Token::parse(bad).unwrap_err().code(), "InvalidToken", "{bad}");
        }
    }
}
