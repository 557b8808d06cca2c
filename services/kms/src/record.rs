//! What the store holds of a key: the record, and the sealed material of each generation.

use bytes::Bytes;
use fogbank_core::Time;
use fogbank_store::{Key, Table};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::spec::{Spec, Usage};

pub static KEYS: Table<KeyRecord> = Table::new("kms.key");
/// Sealed: by account, region, key and generation.
pub static MATERIALS: Table<Bytes> = Table::new("kms.material");

/// A KMS key.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct KeyRecord {
    #[n(0)]
    pub place: Place,
    /// Microseconds since 1970, as all times here.
    #[n(1)]
    pub created: i64,
    #[n(2)]
    pub description: String,
    #[n(3)]
    pub usage: Usage,
    #[n(4)]
    pub spec: Spec,
    #[n(5)]
    pub enabled: bool,
    /// When it is to be deleted.
    #[n(6)]
    pub deletion: Option<i64>,
    #[n(7)]
    pub policy: String,
    #[n(8)]
    pub tags: Vec<Tag>,
    /// An AWS managed key: the service's name (`secretsmanager`).
    #[n(9)]
    pub managed_for: Option<String>,
    #[n(10)]
    pub rotation: Option<Rotation>,
    /// The generation that encrypts.
    #[n(11)]
    pub generation: u32,
    #[n(12)]
    pub rotated: Vec<Rotated>,
}
fogbank_store::record!(KeyRecord, version = 1);

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    #[n(0)]
    pub account: String,
    #[n(1)]
    pub region: String,
    #[n(2)]
    pub id: String,
}

/// Automatic rotation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rotation {
    #[n(0)]
    pub days: i64,
    #[n(1)]
    pub next: i64,
}

/// A rotation that has been.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rotated {
    #[n(0)]
    pub at: i64,
    #[n(1)]
    pub on_demand: bool,
}

/// A tag, in records and on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Tag {
    #[n(0)]
    #[serde(rename = "TagKey")]
    pub key: String,
    #[n(1)]
    #[serde(rename = "TagValue")]
    pub value: String,
}

impl Place {
    pub fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.id)
    }

    pub fn material(&self, generation: u32) -> Key {
        self.key().u64(generation.into())
    }

    pub fn arn(&self) -> String {
        format!("arn:aws:kms:{}:{}:key/{}", self.region, self.account, self.id)
    }

    /// `KeyMaterialId`: names a generation and tells nothing of it.
    pub fn material_id(&self, generation: u32) -> String {
        use sha2::{Digest, Sha256};
        hex::encode(Sha256::digest(self.material(generation).as_bytes()))
    }
}

impl KeyRecord {
    pub fn arn(&self) -> String {
        self.place.arn()
    }

    /// `KeyMaterialId` of what encrypts now; only symmetric encryption keys tell it.
    pub fn material_id(&self) -> Option<String> {
        (self.spec == Spec::Symmetric).then(|| self.place.material_id(self.generation))
    }
}

/// A time of a record, as it goes on the wire.
pub fn time(micros: i64) -> Time {
    Time(Timestamp::from_microsecond(micros).unwrap_or_default())
}
