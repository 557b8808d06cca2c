//! The form of a batch in the log.
//!
//! `length u32, crc u32 of the length, crc u32 of the entries`, then entries: `key length u16, value
//! length u32 (all ones: deleted), key, crc u32 of the value, value`. Numbers are little-endian,
//! checksums are CRC-32C. That of the value is checked by every read, the others when the log is
//! replayed; a length that can be trusted tells a torn end from damage.

use crc_fast::CrcAlgorithm;

use super::index::Place;
use crate::engine::Batch;

/// Length and checksums.
pub const HEAD: usize = 12;

const ENTRY_HEAD: usize = 6;
const DELETED: u32 = u32::MAX;

/// An entry read back. `at` is where checksum and value begin, from the start of the frame.
#[derive(Debug, PartialEq)]
pub struct Entry<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
    pub at: usize,
}

pub fn checksum(bytes: &[u8]) -> u32 {
    // The algorithm has 32 bits.
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// The bytes an entry takes: what is live or not.
pub fn entry_size(key: usize, value: Option<usize>) -> u64 {
    (ENTRY_HEAD + key + value.map_or(0, |v| v + 4)) as u64
}

pub fn size(batch: &Batch) -> u64 {
    let entries = batch.iter().map(|(k, v)| entry_size(k.len(), v.as_ref().map(|v| v.len())));
    HEAD as u64 + entries.sum::<u64>()
}

/// Replaces what is in `out`. Keys have at most 65,535 bytes and the batch less than 4 GiB, as the
/// callers made sure.
pub fn encode(batch: &Batch, out: &mut Vec<u8>) {
    out.clear();
    out.reserve(size(batch) as usize);
    out.extend_from_slice(&[0; HEAD]);
    for (key, value) in batch {
        let value_len = value.as_ref().map_or(DELETED, |v| v.len() as u32);
        out.extend_from_slice(&(key.len() as u16).to_le_bytes());
        out.extend_from_slice(&value_len.to_le_bytes());
        out.extend_from_slice(key);
        if let Some(value) = value {
            out.extend_from_slice(&checksum(value).to_le_bytes());
            out.extend_from_slice(value);
        }
    }
    let length = ((out.len() - HEAD) as u32).to_le_bytes();
    let crc = checksum(&out[HEAD..]);
    out[..4].copy_from_slice(&length);
    out[4..8].copy_from_slice(&checksum(&length).to_le_bytes());
    out[8..HEAD].copy_from_slice(&crc.to_le_bytes());
}

/// Where the entries of `batch` stand once its frame is written at `offset`; `None` for deletions.
pub fn places(batch: &Batch, segment: u32, offset: u64, mut put: impl FnMut(&[u8], Option<Place>)) {
    let mut at = offset + HEAD as u64;
    for (key, value) in batch {
        let len = value.as_ref().map(|v| v.len());
        let here = at + (ENTRY_HEAD + key.len()) as u64;
        // A segment is shorter than 4 GiB: 32 MiB, or one batch.
        put(key, len.map(|len| Place { segment, at: here as u32, len: len as u32 }));
        at += entry_size(key.len(), len);
    }
}

/// The length of the entries behind `head`; `None` when it is not what was written.
pub fn length(head: &[u8]) -> Option<u64> {
    let (length, rest) = head.split_first_chunk::<4>()?;
    let whole = rest.get(..4)? == checksum(length).to_le_bytes();
    whole.then(|| u64::from(u32::from_le_bytes(*length)))
}

/// Whether the frame is what was written.
pub fn is_whole(frame: &[u8]) -> bool {
    frame.len() > HEAD && frame[8..HEAD] == checksum(&frame[HEAD..]).to_le_bytes()
}

/// The entries of a whole frame; `None` in place of one that makes no sense.
pub fn entries(frame: &[u8]) -> impl Iterator<Item = Option<Entry<'_>>> {
    let mut at = HEAD;
    std::iter::from_fn(move || {
        if at >= frame.len() {
            return None;
        }
        let entry = entry(frame, &mut at);
        if entry.is_none() {
            at = frame.len();
        }
        Some(entry)
    })
}

fn entry<'a>(frame: &'a [u8], at: &mut usize) -> Option<Entry<'a>> {
    let (key_len, rest) = frame[*at..].split_first_chunk::<2>()?;
    let (value_len, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_len)))?;
    let here = frame.len() - rest.len();
    let value = match u32::from_le_bytes(*value_len) {
        DELETED => None,
        n => Some(rest.get(4..)?.get(..n as usize)?),
    };
    *at = here + value.map_or(0, |v| v.len() + 4);
    Some(Entry { key, value, at: here })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_batch_comes_back_and_a_flipped_bit_shows() {
        let batch: Batch = vec![
            (b"a".to_vec(), Some(Bytes::from_static(b"value"))),
            (b"".to_vec(), None),
            (b"b".to_vec(), Some(Bytes::new())),
        ];
        let mut out = Vec::new();
        encode(&batch, &mut out);
        assert_eq!(out.len() as u64, size(&batch));
        assert!(is_whole(&out));
        let mut places_of = Vec::new();
        places(&batch, 1, 0, |k, p| places_of.push((k.to_vec(), p.map(|p| p.at as usize))));
        for (e, ((key, value), (_, at))) in entries(&out).zip(batch.iter().zip(&places_of)) {
            let e = e.unwrap();
            assert_eq!((e.key, e.value), (&key[..], value.as_deref()));
            assert!(at.is_none_or(|at| at == e.at));
        }
        assert_eq!(entries(&out).count(), 3);
        for bit in 0..out.len() * 8 {
            let mut bad = out.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(length(&bad).is_none() || !is_whole(&bad), "bit {bit}");
            // What a checksum would catch must not break the reader either.
            entries(&bad).for_each(drop);
        }
    }
}
