//! Signing keys, and a bounded cache of them for the hot path.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::RwLock;
use sha2::Sha256;

/// The HMAC that all of SigV4 is made of.
pub(crate) type HmacSha256 = Hmac<Sha256>;

/// A key for one secret, day, region and service, with its first HMAC block already absorbed.
#[derive(Clone)]
pub struct SigningKey(HmacSha256);

impl SigningKey {
    /// Derives the key. `date` is `YYYYMMDD`.
    #[must_use]
    pub fn derive(secret: &str, date: &str, region: &str, service: &str) -> Self {
        let mut seed = Vec::with_capacity(4 + secret.len());
        seed.extend_from_slice(b"AWS4");
        seed.extend_from_slice(secret.as_bytes());
        let mut mac = keyed(&seed);
        for part in [date, region, service, "aws4_request"] {
            mac.update(part.as_bytes());
            mac = keyed(&mac.finalize().into_bytes());
        }
        SigningKey(mac)
    }

    /// The signature of `text` in lower-case hex.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(text);
        hex::encode(mac.finalize().into_bytes())
    }

    /// Whether `signature` (64 lower-case hex digits) is that of `text`, in constant time.
    #[must_use]
    pub fn check(&self, text: &[u8], signature: &str) -> bool {
        let mut given = [0u8; 32];
        let lower = !signature.bytes().any(|b| b.is_ascii_uppercase());
        if !lower || hex::decode_to_slice(signature, &mut given).is_err() {
            return false;
        }
        let mut mac = self.0.clone();
        mac.update(text);
        mac.verify_slice(&given).is_ok()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

/// A cache of signing keys of fixed size: one slot per hash value, the newcomer evicts.
///
/// Four HMACs per request are saved; there is no list to keep and nothing to sweep.
pub struct Keys {
    hasher: RandomState,
    slots: Box<[Slot]>,
}

type Slot = RwLock<Option<Arc<Entry>>>;

struct Entry {
    secret: String,
    date: String,
    region: String,
    service: String,
    key: SigningKey,
}

impl Keys {
    /// A cache of at most `slots` keys (one at least).
    #[must_use]
    pub fn new(slots: usize) -> Self {
        let slots = (0..slots.max(1)).map(|_| RwLock::new(None)).collect();
        Keys { hasher: RandomState::new(), slots }
    }

    /// The key, derived if it is not at hand.
    #[must_use]
    pub fn get(&self, secret: &str, date: &str, region: &str, service: &str) -> SigningKey {
        let hash = self.hasher.hash_one((secret, date, region, service));
        let index = usize::try_from(hash % self.slots.len() as u64).unwrap_or_default();
        let slot = &self.slots[index];
        if let Some(e) = &*slot.read()
            && (&*e.service, &*e.region, &*e.date, &*e.secret) == (service, region, date, secret)
        {
            return e.key.clone();
        }
        let key = SigningKey::derive(secret, date, region, service);
        *slot.write() = Some(Arc::new(Entry {
            secret: secret.into(),
            date: date.into(),
            region: region.into(),
            service: service.into(),
            key: key.clone(),
        }));
        key
    }
}

impl Default for Keys {
    /// Room for 256 keys.
    fn default() -> Self {
        Keys::new(256)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.slots.len())
    }
}

fn keyed(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("an HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_gives_what_deriving_gives() {
        let keys = Keys::new(3);
        for round in 0..2 {
            for n in 0..20 {
                let secret = format!("secret{n}");
                let k = keys.get(&secret, "20150830", "us-east-1", "iam");
                let d = SigningKey::derive(&secret, "20150830", "us-east-1", "iam");
                assert_eq!(k.sign(b"x"), d.sign(b"x"), "{round} {n}");
            }
        }
    }

    #[test]
    fn a_signature_is_64_lower_case_digits() {
        let k = SigningKey::derive("s", "20150830", "us-east-1", "iam");
        let good = k.sign(b"x");
        assert!(k.check(b"x", &good));
        assert!(!k.check(b"y", &good));
        assert!(!k.check(b"x", &good.to_uppercase()));
        assert!(!k.check(b"x", &good[..62]));
        assert!(!k.check(b"x", &format!("{good}00")));
        assert!(!k.check(b"x", ""));
        assert!(!k.check(b"x", "é"));
    }
}
