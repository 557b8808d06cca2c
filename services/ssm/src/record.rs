//! What the store holds of a parameter: its head, and each version.

use fogbank_core::Time;
use fogbank_store::{Key, Table};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::policies::Policy;

/// By account, region and name.
pub static PARAMETERS: Table<Parameter> = Table::new("ssm.parameter");
/// By account, region, name and number.
pub static VERSIONS: Table<Version> = Table::new("ssm.version");

/// A parameter, as all but its values.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Parameter {
    #[n(0)]
    pub place: Place,
    /// The number of the latest version.
    #[n(1)]
    pub version: u64,
    /// The number of the oldest version that is kept.
    #[n(2)]
    pub oldest: u64,
    #[n(3)]
    pub labels: Vec<(String, u64)>,
    #[n(4)]
    pub tags: Vec<Tag>,
    /// When it is to be deleted, in microseconds since 1970.
    #[n(5)]
    pub expires: Option<i64>,
}
fogbank_store::record!(Parameter, version = 1);

/// Where a parameter is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    #[n(0)]
    pub account: String,
    #[n(1)]
    pub region: String,
    #[n(2)]
    pub name: String,
}

/// A version.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Version {
    #[n(0)]
    pub number: u64,
    #[n(1)]
    pub kind: Kind,
    #[n(2)]
    pub value: Stored,
    /// The KMS key of a SecureString, as the client named it.
    #[n(3)]
    pub key: Option<String>,
    #[n(4)]
    pub description: Option<String>,
    #[n(5)]
    pub allowed_pattern: Option<String>,
    #[n(6)]
    pub data_type: String,
    #[n(7)]
    pub tier: Tier,
    #[n(8)]
    pub policies: Vec<Policy>,
    /// Microseconds since 1970.
    #[n(9)]
    pub modified: i64,
    /// The ARN of who made it.
    #[n(10)]
    pub user: String,
}
fogbank_store::record!(Version, version = 1);

/// `Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum Kind {
    #[n(0)]
    String,
    #[n(1)]
    StringList,
    #[n(2)]
    SecureString,
}

/// `Tier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub enum Tier {
    #[n(0)]
    Standard,
    #[n(1)]
    Advanced,
}

/// A value at rest.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub enum Stored {
    #[n(0)]
    Plain(#[n(0)] String),
    /// Encrypted by KMS itself.
    #[n(1)]
    Direct(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        Vec<u8>,
    ),
    /// Under a data key, which is under the KMS key: key, value.
    #[n(2)]
    Envelope(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        Vec<u8>,
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        Vec<u8>,
    ),
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stored")
    }
}

/// A tag, in records and on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    #[n(0)]
    pub key: String,
    #[n(1)]
    pub value: String,
}

impl Place {
    pub fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.name)
    }

    pub fn version(&self, number: u64) -> Key {
        self.key().u64(number)
    }

    pub fn arn(&self) -> String {
        arn(&self.account, &self.region, &self.name)
    }
}

/// The ARN of a parameter, whose name may or may not begin with a slash.
pub fn arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:ssm:{region}:{account}:parameter/{}", name.strip_prefix('/').unwrap_or(name))
}

impl Parameter {
    pub fn labels_of(&self, number: u64) -> Vec<String> {
        let mut labels: Vec<String> =
            self.labels.iter().filter(|(_, n)| *n == number).map(|(l, _)| l.clone()).collect();
        labels.sort();
        labels
    }
}

/// A time of a record, as it goes on the wire.
pub fn time(micros: i64) -> Time {
    Time(moment(micros))
}

pub fn moment(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}
