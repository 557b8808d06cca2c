//! Blob ids: sixteen random bytes, written as 32 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use fogbank_core::Ids;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

/// The name of a blob. It cannot be anything but hexadecimal digits, so it is safe in a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId([u8; 16]);

impl BlobId {
    pub(crate) fn random(ids: &Ids) -> Self {
        let mut b = [0; 16];
        ids.fill(&mut b);
        BlobId(b)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 32];
        // The lengths fit by construction.
        hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

/// Text that is not 32 hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a blob id")]
pub struct NotAnId;

impl FromStr for BlobId {
    type Err = NotAnId;

    fn from_str(s: &str) -> Result<Self, NotAnId> {
        let mut b = [0; 16];
        hex::decode_to_slice(s, &mut b).map_err(|_| NotAnId)?;
        Ok(BlobId(b))
    }
}

impl<C> Encode<C> for BlobId {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for BlobId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let b = d.bytes()?;
        b.try_into().map(BlobId).map_err(|_| decode::Error::message("a blob id has 16 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn text_and_cbor_come_back() {
        let id = BlobId::random(&Ids::seeded(1));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 32);
        let cbor: Result<Vec<u8>, encode::Error<Infallible>> = minicbor::to_vec(id);
        assert_eq!(minicbor::decode::<BlobId>(&cbor.unwrap()).unwrap(), id);
        for bad in ["", "../../etc/passwd", "zz", &"a".repeat(33)] {
            assert_eq!(bad.parse::<BlobId>(), Err(NotAnId), "{bad}");
        }
    }
}
