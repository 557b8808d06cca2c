//! Ciphertexts of symmetric keys: they carry the key and the generation that made them, and open
//! only with the encryption context they were made with.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#encrypt_context>

use std::collections::BTreeMap;

use fogbank_core::{ApiError, Ids, Result};
use fogbank_identity::Seal;

use crate::Kms;
use crate::error::invalid_ciphertext;
use crate::record::{KeyRecord, MATERIALS, Place};

/// The first byte: the form of what follows.
const FORM: u8 = 1;

/// Names and values that are bound to a ciphertext.
pub type Context = BTreeMap<String, String>;

/// The head of a ciphertext: which key opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub place: Place,
    pub generation: u32,
    length: usize,
}

impl Head {
    fn write(place: &Place, generation: u32) -> Option<Vec<u8>> {
        let mut out = vec![FORM];
        let account: u64 = place.account.parse().ok()?;
        out.extend_from_slice(&account.to_be_bytes()[3..]);
        out.push(u8::try_from(place.region.len()).ok()?);
        out.extend_from_slice(place.region.as_bytes());
        out.extend_from_slice(&hex::decode(place.id.replace('-', "")).ok()?);
        out.extend_from_slice(&generation.to_be_bytes());
        Some(out)
    }

    /// Reads the head of a ciphertext.
    ///
    /// # Errors
    /// `InvalidCiphertextException`: it is none of ours.
    pub fn read(blob: &[u8]) -> Result<Head> {
        Head::parse(blob).ok_or_else(invalid_ciphertext)
    }

    fn parse(blob: &[u8]) -> Option<Head> {
        let (form, rest) = blob.split_first()?;
        let (account, rest) = rest.split_first_chunk::<5>()?;
        let (region, rest) = rest.split_first()?;
        let (region, rest) = rest.split_at_checked((*region).into())?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let mut number = [0; 8];
        number[3..].copy_from_slice(account);
        let number = u64::from_be_bytes(number);
        if *form != FORM || number > 999_999_999_999 {
            return None;
        }
        let mut id = hex::encode(id);
        for at in [8, 13, 18, 23] {
            id.insert(at, '-');
        }
        let region = std::str::from_utf8(region).ok()?.to_owned();
        Some(Head {
            place: Place { account: format!("{number:012}"), region, id },
            generation: u32::from_be_bytes(*generation),
            length: blob.len() - rest.len(),
        })
    }
}

/// The additional data of a ciphertext: its head and its context, in one way of writing it.
fn bound(head: &[u8], context: &Context) -> Vec<u8> {
    let mut out = head.to_vec();
    for (k, v) in context {
        for text in [k, v] {
            out.extend_from_slice(&(text.len() as u64).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

impl Kms {
    /// The material of a generation, if it is there.
    pub(crate) async fn material(&self, place: &Place, generation: u32) -> Result<Vec<u8>> {
        let at = place.material(generation);
        let sealed = self.store.get(&MATERIALS, &at).await?.ok_or_else(|| lost(place))?;
        self.seal.reveal(at.as_bytes(), &sealed).ok_or_else(|| lost(place))
    }

    /// Encrypts under the key's current generation.
    pub(crate) async fn encrypt(
        &self,
        ids: &Ids,
        key: &KeyRecord,
        context: &Context,
        text: &[u8],
    ) -> Result<Vec<u8>> {
        let cipher = Seal::of(&self.material(&key.place, key.generation).await?)?;
        let head = Head::write(&key.place, key.generation).ok_or_else(|| lost(&key.place))?;
        let sealed = cipher.close(ids, &bound(&head, context), text)?;
        Ok([head, sealed].concat())
    }

    /// Opens what the key encrypted, in any generation.
    pub(crate) async fn decrypt(
        &self,
        key: &KeyRecord,
        head: &Head,
        context: &Context,
        blob: &[u8],
    ) -> Result<Vec<u8>> {
        if head.generation > key.generation {
            return Err(invalid_ciphertext());
        }
        let cipher = Seal::of(&self.material(&key.place, head.generation).await?)?;
        let (before, sealed) = blob.split_at(head.length);
        cipher.reveal(&bound(before, context), sealed).ok_or_else(invalid_ciphertext)
    }
}

fn lost(place: &Place) -> ApiError {
    ApiError::internal(format!("the material of {} cannot be read", place.arn()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_its_key_and_junk_tells_nothing() {
        let place = Place {
            account: "000000000012".into(),
            region: "eu-central-1".into(),
            id: "1234abcd-12ab-34cd-56ef-1234567890ab".into(),
        };
        let blob = Head::write(&place, 7).unwrap();
        let head = Head::read(&blob).unwrap();
        assert_eq!((head.place, head.generation, head.length), (place, 7, blob.len()));
        for n in 0..blob.len() {
            assert!(Head::read(&blob[..n]).is_err());
        }
        assert!(Head::read(&[0xff; 64]).is_err());
    }

    #[test]
    fn contexts_do_not_run_into_each_other() {
        let of = |pairs: &[(&str, &str)]| {
            let c = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            bound(b"", &c)
        };
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
        assert_ne!(of(&[("a", ""), ("b", "")]), of(&[("a", "b")]));
        assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
    }
}
