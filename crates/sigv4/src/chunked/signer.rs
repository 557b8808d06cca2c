//! The chain of signatures over chunks and trailer: each covers the one before.

use fogbank_core::ApiError;

use crate::auth::Signed;
use crate::canonical::sha256_hex;
use crate::error::{Dialect, Error, Mismatch};
use crate::key::SigningKey;

/// SHA-256 of nothing: chunks have no headers.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    access_key: String,
    /// Date and scope, each with its line end.
    middle: String,
    previous: String,
}

impl Signer {
    pub fn new(signed: &Signed<'_>, key: SigningKey) -> Self {
        Signer {
            key,
            access_key: signed.scope.access_key().to_owned(),
            middle: format!("{}\n{}\n", signed.date.text(), signed.scope.text()),
            previous: signed.signature.clone().into_owned(),
        }
    }

    /// Checks the signature of a chunk with this hash.
    pub fn chunk(&mut self, hash: &[u8], given: String) -> Result<(), ApiError> {
        let hash = hex::encode(hash);
        self.check("AWS4-HMAC-SHA256-PAYLOAD", &format!("{EMPTY}\n{hash}"), given)
    }

    /// Checks the signature of the trailers.
    pub fn trailer(
        &mut self,
        trailers: &[(String, String)],
        given: String,
    ) -> Result<(), ApiError> {
        let text: String = trailers.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        self.check("AWS4-HMAC-SHA256-TRAILER", &sha256_hex(text.as_bytes()), given)
    }

    fn check(&mut self, kind: &str, last: &str, given: String) -> Result<(), ApiError> {
        let text = format!("{kind}\n{}{}\n{last}", self.middle, self.previous);
        if !self.key.check(text.as_bytes(), &given) {
            let mismatch = Mismatch {
                access_key: self.access_key.clone(),
                signature: given,
                string_to_sign: text,
                canonical_request: String::new(),
            };
            return Err(Error::Mismatch(Box::new(mismatch)).api(Dialect::S3));
        }
        self.previous = given;
        Ok(())
    }

    /// The signature of a chunk, for tests.
    #[cfg(test)]
    pub fn sign_chunk(&mut self, hash: &[u8]) -> String {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}{}\n{EMPTY}\n{}",
            self.middle,
            self.previous,
            hex::encode(hash)
        );
        self.previous = self.key.sign(text.as_bytes());
        self.previous.clone()
    }

    /// The signature of the trailers, for tests.
    #[cfg(test)]
    pub fn sign_trailer(&mut self, text: &str) -> String {
        let text = format!(
            "AWS4-HMAC-SHA256-TRAILER\n{}{}\n{}",
            self.middle,
            self.previous,
            sha256_hex(text.as_bytes())
        );
        self.key.sign(text.as_bytes())
    }
}
