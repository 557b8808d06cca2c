//! Access key ids: as AWS's, they carry the account they belong to.

use fogbank_core::Ids;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new access key id: the prefix (`AKIA`, `ASIA`) and 16 characters, which hold the account and
/// 39 random bits. `account` is twelve digits.
#[must_use]
pub fn key_id(ids: &Ids, prefix: &str, account: &str) -> String {
    let account: u128 = account.parse().unwrap_or(0);
    let mut random = [0; 8];
    ids.fill(&mut random);
    let random = u128::from(u64::from_le_bytes(random)) & ((1 << 39) - 1);
    let bits = (1 << 79) | (account & ((1 << 40) - 1)) << 39 | random;
    let digits = (0..16).rev().map(|i| char::from(BASE32[(bits >> (5 * i)) as usize & 31]));
    prefix.chars().chain(digits).collect()
}

/// The account in an id made by [`key_id`] (or by AWS); `None` when the text is no such id.
#[must_use]
pub fn key_account(key: &str) -> Option<String> {
    let rest = key.strip_prefix("AKIA").or_else(|| key.strip_prefix("ASIA"))?;
    if rest.len() != 16 {
        return None;
    }
    let mut bits = 0u128;
    for c in rest.bytes() {
        bits = bits << 5 | BASE32.iter().position(|b| *b == c)? as u128;
    }
    let account = bits >> 39 & ((1 << 40) - 1);
    (account < 1_000_000_000_000).then(|| format!("{account:012}"))
}

/// A new secret access key: 40 characters of the base64 alphabet.
#[must_use]
pub fn secret(ids: &Ids) -> String {
    ids.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_account() {
        let ids = Ids::seeded(1);
        for account in ["000000000000", "123456789012", "999999999999"] {
            let id = key_id(&ids, "ASIA", account);
            assert_eq!((id.len(), key_account(&id).as_deref()), (20, Some(account)));
        }
        // A published example of the scheme.
        assert_eq!(key_account("ASIAQNZGKIQY56JQ7WML").as_deref(), Some("029608264753"));
        assert_eq!(key_account("AKIA"), None);
        assert_eq!(key_account("AKIA!!!!!!!!!!!!!!!!"), None);
        assert_eq!(key_account("AKIA7777777777777777"), None);
        assert_ne!(key_id(&ids, "AKIA", "1"), key_id(&ids, "AKIA", "1"));
    }
}
