//! Receipt handles: which message, and which receipt of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::Result;

use crate::error::bad_handle;
use crate::place::Place;

/// What a handle says. To its holder it is opaque text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    /// The queue's generation.
    pub generation: u64,
    pub place: Place,
    /// When the receipt's visibility timeout ends, as it was set by the receipt.
    pub due: u64,
    /// Tells one receipt from another.
    pub nonce: u32,
}

/// Marks our handles, and the version of their form.
const HEAD: [u8; 4] = [1, 1, 0xF0, 1];

impl Handle {
    pub fn text(&self) -> String {
        let mut b = Vec::with_capacity(44);
        b.extend_from_slice(&HEAD);
        for n in [self.generation, self.place.order, self.place.salt, self.due] {
            b.extend_from_slice(&n.to_be_bytes());
        }
        b.extend_from_slice(&self.nonce.to_be_bytes());
        b.push(b.iter().fold(0, |sum, b| sum ^ b.rotate_left(3)));
        STANDARD.encode(b)
    }

    /// # Errors
    /// `ReceiptHandleIsInvalid` for what is none.
    pub fn parse(text: &str) -> Result<Self> {
        Handle::read(text).ok_or_else(bad_handle)
    }

    fn read(text: &str) -> Option<Self> {
        let b = STANDARD.decode(text).ok()?;
        let (sum, b) = b.split_last()?;
        let rest = b.strip_prefix(&HEAD[..])?;
        if rest.len() != 36 || *sum != b.iter().fold(0, |sum, b| sum ^ b.rotate_left(3)) {
            return None;
        }
        let number = |i: usize| rest.get(8 * i..8 * i + 8)?.try_into().ok().map(u64::from_be_bytes);
        Some(Handle {
            generation: number(0)?,
            place: Place { order: number(1)?, salt: number(2)? },
            due: number(3)?,
            nonce: u32::from_be_bytes(rest.get(32..)?.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_comes_back_and_nothing_else_is_one() {
        let place = Place { order: u64::MAX, salt: 7 };
        let h = Handle { generation: 1 << 60, place, due: 5, nonce: 9 };
        let text = h.text();
        assert_eq!(Handle::parse(&text).unwrap(), h);
        for n in 0..text.len() {
            let mut bad = text.clone().into_bytes();
            bad[n] = if bad[n] == b'A' { b'B' } else { b'A' };
            assert_ne!(Handle::read(&String::from_utf8(bad).unwrap()), Some(h), "byte {n}");
            assert_eq!(Handle::read(&text[..n]), None);
        }
        assert_eq!(Handle::parse("x").unwrap_err().code(), "ReceiptHandleIsInvalid");
    }
}
