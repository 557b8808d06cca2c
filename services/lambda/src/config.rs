//! Configurations: what a version of a function is, fixed once it is published.

use std::collections::BTreeMap;

use fogbank_blob::BlobId;
use fogbank_core::Cx;
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

pub mod input;
pub mod runtime;
mod view;

pub use view::View;

/// The settings and the code of a function.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Config {
    #[n(0)]
    pub runtime: String,
    #[n(1)]
    pub role: String,
    #[n(2)]
    pub handler: String,
    #[n(3)]
    pub description: String,
    /// In seconds.
    #[n(4)]
    pub timeout: u32,
    /// In MB.
    #[n(5)]
    pub memory: u32,
    /// The size of `/tmp`, in MB.
    #[n(6)]
    pub tmp: u32,
    /// `None` when it was never set: answers have no `Environment` then.
    #[n(7)]
    pub environment: Option<BTreeMap<String, String>>,
    #[n(8)]
    pub layers: Vec<LayerUse>,
    #[n(9)]
    pub code: Code,
    #[n(10)]
    pub architecture: String,
    /// `Active` or `PassThrough`.
    #[n(11)]
    pub tracing: String,
    /// The ARN of a queue or topic.
    #[n(12)]
    pub dead_letter: Option<String>,
    #[n(13)]
    pub logging: Logging,
    #[n(14)]
    pub kms_key: Option<String>,
    #[n(15)]
    pub revision: String,
    /// Milliseconds since 1970.
    #[n(16)]
    pub modified: i64,
    #[n(17)]
    pub state: State,
    #[n(18)]
    pub update: Update,
    /// An empty `VpcConfig` was given: answers have an empty one.
    #[n(19)]
    pub vpc: bool,
}

/// The archive of a function's code.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Code {
    #[n(0)]
    pub blob: BlobId,
    /// In base64, as answers have it.
    #[n(1)]
    pub sha256: String,
    #[n(2)]
    pub size: u64,
    #[n(3)]
    pub unpacked: u64,
}

/// A layer's version that a function uses.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct LayerUse {
    #[n(0)]
    pub arn: String,
    #[n(1)]
    pub code: Code,
}

/// `LoggingConfig`.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Logging {
    #[n(0)]
    pub json: bool,
    #[n(1)]
    pub application_level: Option<String>,
    #[n(2)]
    pub system_level: Option<String>,
    /// `None`: `/aws/lambda/NAME`.
    #[n(3)]
    pub group: Option<String>,
}

/// Whether the function can be invoked.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum State {
    #[n(0)]
    Pending,
    #[n(1)]
    Active,
    /// With the reason.
    #[n(2)]
    Failed(#[n(0)] String),
}

/// What became of the last change.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Update {
    #[n(0)]
    InProgress,
    #[n(1)]
    Successful,
    /// With the reason.
    #[n(2)]
    Failed(#[n(0)] String),
}

impl Config {
    /// Gives it a new revision, as of now.
    pub fn touch(&mut self, cx: &Cx) {
        self.revision = cx.ids().uuid();
        self.modified = cx.now.as_millisecond();
    }

    /// A digest of everything that makes a new version worth publishing.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let same = Config {
            revision: String::new(),
            modified: 0,
            state: State::Active,
            update: Update::Successful,
            ..self.clone()
        };
        let digest = Sha256::digest(minicbor::to_vec(&same).unwrap_or_default());
        digest.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Whether a change is still under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.state == State::Pending || self.update == Update::InProgress
    }

    #[must_use]
    pub fn log_group(&self, function: &str) -> String {
        self.logging.group.clone().unwrap_or_else(|| format!("/aws/lambda/{function}"))
    }

    /// The archives that make up an environment, the function's own first.
    pub fn codes(&self) -> impl Iterator<Item = &Code> {
        std::iter::once(&self.code).chain(self.layers.iter().map(|l| &l.code))
    }
}

/// `2026-01-31T12:00:00.000+0000`.
#[must_use]
pub fn modified(milliseconds: i64) -> String {
    let t = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    t.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_as_lambda_writes_them() {
        assert_eq!(super::modified(1_700_000_000_007), "2023-11-14T22:13:20.007+0000");
    }
}
