//! Where uploaded code can be fetched: an address that holds for ten minutes.

use fogbank_core::{Ids, Result};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

/// The path that such addresses have.
pub const PATH: &str = "/_aws/lambda/code/";
const HOLDS: SignedDuration = SignedDuration::from_mins(10);

/// Makes and checks addresses. Its key is of this process: what another one gave out ends with it.
pub struct Signer([u8; 32]);

impl Signer {
    #[must_use]
    pub fn new(ids: &Ids) -> Self {
        let mut key = [0; 32];
        ids.fill(&mut key);
        Signer(key)
    }

    /// The path of a blob from now on.
    #[must_use]
    pub fn path(&self, blob: &str, now: Timestamp) -> String {
        let until = now.checked_add(HOLDS).unwrap_or(now).as_second();
        format!("{PATH}{blob}?Expires={until}&Signature={}", self.sign(blob, until))
    }

    /// The blob that an address is for, if it still holds.
    ///
    /// # Errors
    /// None: what does not hold is nothing.
    pub fn open<'p>(&self, path: &'p str, query: &str, now: Timestamp) -> Result<Option<&'p str>> {
        let Some(blob) = path.strip_prefix(PATH) else { return Ok(None) };
        let get =
            |name: &str| query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
        let until: i64 = get("Expires").and_then(|t| t.parse().ok()).unwrap_or(0);
        let Some(signature) = get("Signature") else { return Ok(None) };
        let same = signature.len() == 64 && constant_eq(signature, &self.sign(blob, until));
        Ok((same && now.as_second() <= until).then_some(blob))
    }

    fn sign(&self, blob: &str, until: i64) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{blob}\n{until}").as_bytes());
        mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect()
    }
}

fn constant_eq(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |x, (a, b)| x | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_for_a_while() {
        let signer = Signer::new(&Ids::seeded(1));
        let now = Timestamp::from_second(1000).unwrap();
        let whole = signer.path("abc", now);
        let (path, query) = whole.split_once('?').unwrap();
        assert_eq!(signer.open(path, query, now).unwrap(), Some("abc"));
        let late = Timestamp::from_second(1601).unwrap();
        assert_eq!(signer.open(path, query, late).unwrap(), None);
        let longer = query.replace("1600", "9999");
        assert_eq!(signer.open(path, &longer, now).unwrap(), None);
        assert_eq!(signer.open("/_aws/lambda/code/x", query, now).unwrap(), None);
        assert_eq!(signer.open(path, "", now).unwrap(), None);
    }
}
