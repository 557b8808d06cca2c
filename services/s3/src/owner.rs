//! Owners as S3 shows them: canonical user ids, which are not account numbers.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// `Owner` and `Initiator` in answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Owner {
    /// The account's number, as accounts have no other name here.
    pub display_name: String,
    #[serde(rename = "ID")]
    pub id: String,
}

impl Owner {
    /// The owner that an account is.
    #[must_use]
    pub fn of(account: &str) -> Self {
        Owner { display_name: account.into(), id: canonical_id(account) }
    }
}

const TAG: usize = 27;

/// The canonical user id of an account: 64 hexadecimal digits, the same on every node. It looks
/// random, yet [`account_of`] can tell the account, and that it is an id of ours.
#[must_use]
pub fn canonical_id(account: &str) -> String {
    let number: u64 = account.parse().unwrap_or(0);
    let tag = tag(number);
    let mut id = [0; 32];
    id[..TAG].copy_from_slice(&tag);
    for (i, b) in number.to_be_bytes()[3..].iter().enumerate() {
        id[TAG + i] = b ^ tag[i];
    }
    hex::encode(id)
}

/// The account behind a canonical user id; `None` when it is not one.
#[must_use]
pub fn account_of(id: &str) -> Option<String> {
    let bytes = hex::decode(id).ok().filter(|b| b.len() == 32)?;
    let number = bytes[TAG..].iter().zip(&bytes).fold(0, |n, (a, b)| n << 8 | u64::from(a ^ b));
    (number < 1_000_000_000_000 && tag(number) == bytes[..TAG]).then(|| format!("{number:012}"))
}

fn tag(number: u64) -> [u8; TAG] {
    let digest = Sha256::new()
        .chain_update(b"fogbank canonical user ")
        .chain_update(number.to_be_bytes())
        .finalize();
    let mut tag = [0; TAG];
    tag.copy_from_slice(&digest[..TAG]);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_account() {
        for account in ["000000000000", "111111111111", "999999999999"] {
            let id = canonical_id(account);
            assert_eq!(id.len(), 64);
            assert_eq!(account_of(&id).as_deref(), Some(account));
        }
        assert_ne!(canonical_id("000000000000"), canonical_id("000000000001"));
    }

    #[test]
    fn other_ids_are_nobodys() {
        let mut forged = canonical_id("000000000000");
        forged.replace_range(..1, if forged.starts_with('0') { "1" } else { "0" });
        for id in ["", "_foo", &"0".repeat(64), &"é".repeat(32), &forged] {
            assert_eq!(account_of(id), None, "{id}");
        }
    }
}
