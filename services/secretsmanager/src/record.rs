//! What the store holds of a secret: its record, and the sealed value of each version.

use fogbank_core::{Arn, Cx, Time};
use fogbank_store::{Key, Table};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// By account, region and name.
pub static SECRETS: Table<Secret> = Table::new("secretsmanager.secret");
/// By account, region, name and version.
pub static VALUES: Table<Sealed> = Table::new("secretsmanager.value");
/// By account, region, time of creation and name.
pub static BY_AGE: Table<()> = Table::new("secretsmanager.by-age");

pub const CURRENT: &str = "AWSCURRENT";
pub const PENDING: &str = "AWSPENDING";
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// A secret.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Secret {
    #[n(0)]
    pub place: Place,
    /// The six characters at the ARN's end.
    #[n(1)]
    pub suffix: String,
    #[n(2)]
    pub description: Option<String>,
    /// As the client named it; `None` is the AWS managed key.
    #[n(3)]
    pub kms_key: Option<String>,
    /// Microseconds since 1970, as all times here.
    #[n(4)]
    pub created: i64,
    #[n(5)]
    pub changed: i64,
    /// The day of the last access.
    #[n(6)]
    pub accessed: Option<i64>,
    /// When its deletion was asked for, and when it comes.
    #[n(7)]
    pub deleted: Option<(i64, i64)>,
    #[n(8)]
    pub tags: Vec<Tag>,
    #[n(9)]
    pub policy: Option<String>,
    #[n(10)]
    pub versions: Vec<Version>,
    #[n(11)]
    pub rotation: Option<Rotation>,
    /// The service that manages it (`rds`).
    #[n(12)]
    pub owner: Option<String>,
}
fogbank_store::record!(Secret, version = 1);

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    #[n(0)]
    pub account: String,
    #[n(1)]
    pub region: String,
    #[n(2)]
    pub name: String,
}

/// A version, as all but its value.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Version {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub stages: Vec<String>,
    #[n(2)]
    pub created: i64,
    /// A version that rotation has only announced has none yet.
    #[n(3)]
    pub has_value: bool,
    #[n(4)]
    pub accessed: Option<i64>,
}

/// How a secret rotates.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Rotation {
    #[n(0)]
    pub enabled: bool,
    #[n(1)]
    pub lambda: Option<String>,
    #[n(2)]
    pub rules: Rules,
    #[n(3)]
    pub last: Option<i64>,
    #[n(4)]
    pub next: Option<i64>,
    /// Counts how often a rotation was begun: the steps of an earlier beginning are for nothing.
    #[n(5)]
    pub begun: Option<u32>,
}

/// `RotationRules`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Rules {
    #[n(0)]
    pub automatically_after_days: Option<i64>,
    #[n(1)]
    pub duration: Option<String>,
    #[n(2)]
    pub schedule_expression: Option<String>,
}

/// A value under a data key, which is under the KMS key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Sealed {
    /// KMS's ciphertext of the data key.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub data_key: Vec<u8>,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub text: Vec<u8>,
    /// `SecretBinary`.
    #[n(2)]
    pub binary: bool,
    /// The ARN of the KMS key.
    #[n(3)]
    pub kms_key: String,
}
fogbank_store::record!(Sealed, version = 1);

/// A tag, in records and on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    #[n(0)]
    pub key: String,
    #[n(1)]
    #[serde(default)]
    pub value: String,
}

impl Place {
    pub fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.name)
    }

    pub fn version(&self, id: &str) -> Key {
        self.key().str(id)
    }

    /// The ARN without the suffix.
    pub fn arn(&self) -> String {
        format!("arn:aws:secretsmanager:{}:{}:secret:{}", self.region, self.account, self.name)
    }

    pub fn by_age(&self, created: i64) -> Key {
        let created = u64::try_from(created).unwrap_or(0);
        Key::new().str(&self.account).str(&self.region).u64(created).str(&self.name)
    }

    /// The place that a `SecretId` means, and, if it is an ARN, the one that it would be with a
    /// suffix at its end.
    pub fn of(cx: &Cx, id: &str) -> (Place, Option<(Place, String)>) {
        let arn = Arn::parse(id).filter(|a| a.service == "secretsmanager");
        let Some((arn, name)) = arn.and_then(|a| Some((a, a.resource.strip_prefix("secret:")?)))
        else {
            let (account, region) = (cx.account.clone(), cx.region.to_string());
            return (Place { account, region, name: id.to_owned() }, None);
        };
        let place = |name: &str| Place {
            account: arn.account.to_owned(),
            region: arn.region.to_owned(),
            name: name.to_owned(),
        };
        let whole = name.rsplit_once('-').filter(|(_, s)| s.chars().count() == 6);
        (place(name), whole.map(|(n, s)| (place(n), s.to_owned())))
    }
}

impl Secret {
    pub fn arn(&self) -> String {
        format!("{}-{}", self.place.arn(), self.suffix)
    }

    pub fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|v| v.id == id)
    }

    pub fn at_stage(&self, stage: &str) -> Option<&Version> {
        self.versions.iter().find(|v| v.stages.iter().any(|s| s == stage))
    }

    /// The KMS key in a form that means the same to every account.
    pub fn kms_key(&self) -> String {
        let Place { account, region, .. } = &self.place;
        let of_here = |resource: &str| format!("arn:aws:kms:{region}:{account}:{resource}");
        match &self.kms_key {
            None => of_here("alias/aws/secretsmanager"),
            Some(k) if k.starts_with("arn:") => k.clone(),
            Some(k) if k.starts_with("alias/") => of_here(k),
            Some(k) => of_here(&format!("key/{k}")),
        }
    }
}

/// A time of a record, as it goes on the wire.
pub fn time(micros: i64) -> Time {
    Time(moment(micros))
}

pub fn moment(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}
