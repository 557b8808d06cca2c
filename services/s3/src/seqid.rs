//! Opaque identifiers that hide a sequence number: version ids and upload ids.
//!
//! Given the id, the row is found by its key; nothing is searched. 24 bytes, 32 characters.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use fogbank_core::Ids;
use jiff::Timestamp;

/// A new id for `seq`: the sequence is masked by the random bytes behind it.
pub(crate) fn make(ids: &Ids, seq: u64) -> String {
    let mut b = [0u8; 24];
    ids.fill(&mut b[8..]);
    let mask = mask(&b);
    b[..8].copy_from_slice(&(seq ^ mask).to_be_bytes());
    // S3's ids have '.' where base64 has '-'.
    BASE64.encode(b).replace('-', ".")
}

/// The sequence in an id; `None` when it is not one of ours.
pub(crate) fn seq(id: &str) -> Option<u64> {
    if id.len() != 32 || id.contains('-') {
        return None;
    }
    let b: [u8; 24] = BASE64.decode(id.replace('.', "-")).ok()?.try_into().ok()?;
    let (head, _) = b.split_first_chunk::<8>()?;
    Some(u64::from_be_bytes(*head) ^ mask(&b))
}

/// A sequence for `now` that is greater than `before`.
pub(crate) fn next(now: Timestamp, before: Option<u64>) -> u64 {
    let now = u64::try_from(now.as_microsecond()).unwrap_or(0);
    before.map_or(now, |b| now.max(b + 1))
}

fn mask(b: &[u8; 24]) -> u64 {
    b[8..16].iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_gives_its_sequence_back() {
        let ids = Ids::seeded(1);
        for n in [0, 1, 1_700_000_000_000_000, u64::MAX] {
            let id = make(&ids, n);
            assert_eq!(id.len(), 32);
            assert_eq!(seq(&id), Some(n));
        }
        assert_ne!(make(&ids, 7), make(&ids, 7));
    }

    #[test]
    fn foreign_ids_are_none() {
        for id in ["", "null", "é", "................................-", "x".repeat(33).as_str()] {
            assert_eq!(seq(id), None, "{id}");
        }
    }

    #[test]
    fn sequences_grow_even_when_the_clock_stands() {
        let now = Timestamp::from_second(5).unwrap();
        assert_eq!(next(now, None), 5_000_000);
        assert_eq!(next(now, Some(9_000_000)), 9_000_001);
    }
}
