//! Records: a version byte and CBOR with numbered fields, so that fields can be added.

use bytes::Bytes;
use minicbor::{Decode, Decoder, Encode};

/// What a table holds. Made by [`record!`](crate::record!) for structs; [`Bytes`] are stored as
/// they are.
pub trait Record: Sized + Send + Sync + 'static {
    /// Appends the stored form to `out`.
    ///
    /// # Errors
    /// A sentence on what cannot be encoded.
    fn store(&self, out: &mut Vec<u8>) -> Result<(), String>;

    /// Reads the stored form back.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    fn load(stored: Bytes) -> Result<Self, String>;
}

/// Makes a struct that derives `minicbor::Encode` and `Decode` a [`Record`].
///
/// Adding an optional field under a new index needs no new version. A change that older data does
/// not fit raises `version` and names a function that reads the older ones:
/// `record!(Role, version = 2, upgrade = read_old_role)` with
/// `fn read_old_role(version: u8, cbor: &[u8]) -> Result<Role, String>`.
#[macro_export]
macro_rules! record {
    ($t:ty, version = $v:literal) => {
        $crate::record!($t, version = $v, upgrade = $crate::record::decode);
    };
    ($t:ty, version = $v:literal, upgrade = $upgrade:path) => {
        impl $crate::Record for $t {
            fn store(&self, out: &mut ::std::vec::Vec<u8>) -> Result<(), ::std::string::String> {
                $crate::record::encode($v, self, out)
            }
            fn load(stored: $crate::record::Stored) -> Result<Self, ::std::string::String> {
                let (version, cbor) = $crate::record::open($v, &stored)?;
                if version == $v {
                    $crate::record::decode(version, cbor)
                } else {
                    $upgrade(version, cbor)
                }
            }
        }
    };
}

/// What [`Record::load`] gets.
pub type Stored = Bytes;

impl Record for Bytes {
    fn store(&self, out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(self);
        Ok(())
    }
    fn load(stored: Bytes) -> Result<Self, String> {
        Ok(stored)
    }
}

/// An entry whose key says it all: an index.
impl Record for () {
    fn store(&self, _: &mut Vec<u8>) -> Result<(), String> {
        Ok(())
    }
    fn load(_: Bytes) -> Result<Self, String> {
        Ok(())
    }
}

/// A counter.
impl Record for u64 {
    fn store(&self, out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(&self.to_le_bytes());
        Ok(())
    }
    fn load(stored: Bytes) -> Result<Self, String> {
        <[u8; 8]>::try_from(&stored[..])
            .map(u64::from_le_bytes)
            .map_err(|_| format!("{} bytes where a number of 8 bytes belongs", stored.len()))
    }
}

#[doc(hidden)]
pub fn encode<T: Encode<()>>(version: u8, value: &T, out: &mut Vec<u8>) -> Result<(), String> {
    out.push(version);
    minicbor::encode(value, out).map_err(|e| e.to_string())
}

#[doc(hidden)]
pub fn open(known: u8, stored: &[u8]) -> Result<(u8, &[u8]), String> {
    match stored.split_first() {
        None => Err("it is empty".to_owned()),
        Some((v, _)) if *v > known => Err(format!(
            "it has version {v}, this fogbank reads up to {known}; a newer fogbank wrote it"
        )),
        Some((v, cbor)) => Ok((*v, cbor)),
    }
}

#[doc(hidden)]
pub fn decode<T: for<'b> Decode<'b, ()>>(_version: u8, cbor: &[u8]) -> Result<T, String> {
    let mut d = Decoder::new(cbor);
    let value = d.decode().map_err(|e| e.to_string())?;
    match cbor.len() - d.position() {
        0 => Ok(value),
        n => Err(format!("{n} bytes are left over behind it")),
    }
}
