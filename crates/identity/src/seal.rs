//! The seal: what must not stand in the store in clear is encrypted under a key of the installation.
//!
//! A sealed text is a nonce, and AES-256-GCM of the text with its place as additional data: moved to
//! another place it does not open. Whoever holds the whole data directory holds the key too; the
//! seal keeps key material out of backups of single tables, of logs and of a careless `grep`.

use std::sync::Arc;

use fogbank_core::{ApiError, Ids, Result};
use fogbank_store::Store;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::secret;

/// Seals and opens; cheap to clone.
#[derive(Clone)]
pub struct Seal(Arc<LessSafeKey>);

impl Seal {
    /// Reads the installation's key, or makes it at the first start.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(store: &Store, ids: &Ids) -> Result<Self> {
        Seal::of(&secret::of(store, ids, "seal").await?)
    }

    /// A seal, or any other use of AES-256-GCM, under a key of 32 bytes.
    ///
    /// # Errors
    /// A key of another length.
    pub fn of(key: &[u8]) -> Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key);
        let key = key.map_err(|_| ApiError::internal("a key that does not have 32 bytes"))?;
        Ok(Seal(Arc::new(LessSafeKey::new(key))))
    }

    /// Encrypts `text` for `place`.
    ///
    /// # Errors
    /// A text of more than 64 GiB.
    pub fn close(&self, ids: &Ids, place: &[u8], text: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        ids.fill(&mut nonce);
        let mut out = Vec::with_capacity(NONCE_LEN + text.len() + AES_256_GCM.tag_len());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(text);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(place), &mut out[NONCE_LEN..])
            .map_err(|_| ApiError::internal("a text that is too long to be sealed"))?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    /// The text, if `sealed` was closed under this key for this place.
    #[must_use]
    pub fn reveal(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let n = self.0.open_in_place(nonce, Aad::from(place), &mut text).ok()?.len();
        text.truncate(n);
        Some(text)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_opens_in_its_place_only() {
        let (seal, ids) = (Seal::of(&[7; 32]).unwrap(), Ids::seeded(1));
        let sealed = seal.close(&ids, b"here", b"a secret").unwrap();
        assert!(!sealed.windows(8).any(|w| w == b"a secret"));
        assert_eq!(seal.reveal(b"here", &sealed).as_deref(), Some(&b"a secret"[..]));
        assert_eq!(seal.reveal(b"there", &sealed), None);
        assert_eq!(Seal::of(&[8; 32]).unwrap().reveal(b"here", &sealed), None);
        for n in 0..sealed.len() {
            assert_eq!(seal.reveal(b"here", &sealed[..n]), None);
        }
        assert!(Seal::of(&[7; 31]).is_err());
    }
}
