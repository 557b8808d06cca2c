//! Key specs and usages: which keys there are and what each can do.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>

use fogbank_core::{Ids, Result};
use minicbor::{Decode, Encode};

/// `KeySpec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Spec {
    #[n(0)]
    Symmetric,
    #[n(1)]
    Hmac224,
    #[n(2)]
    Hmac256,
    #[n(3)]
    Hmac384,
    #[n(4)]
    Hmac512,
}

/// `KeyUsage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Usage {
    #[n(0)]
    EncryptDecrypt,
    #[n(1)]
    SignVerify,
    #[n(2)]
    GenerateVerifyMac,
    #[n(3)]
    KeyAgreement,
}

const SPECS: &[(&str, Spec)] = &[
    ("SYMMETRIC_DEFAULT", Spec::Symmetric),
    ("HMAC_224", Spec::Hmac224),
    ("HMAC_256", Spec::Hmac256),
    ("HMAC_384", Spec::Hmac384),
    ("HMAC_512", Spec::Hmac512),
];

const USAGES: &[(&str, Usage)] = &[
    ("ENCRYPT_DECRYPT", Usage::EncryptDecrypt),
    ("SIGN_VERIFY", Usage::SignVerify),
    ("GENERATE_VERIFY_MAC", Usage::GenerateVerifyMac),
    ("KEY_AGREEMENT", Usage::KeyAgreement),
];

impl Spec {
    pub fn parse(name: &str) -> Option<Spec> {
        SPECS.iter().find(|(n, _)| *n == name).map(|(_, s)| *s)
    }

    pub fn name(self) -> &'static str {
        SPECS.iter().find(|(_, s)| *s == self).map_or("", |(n, _)| n)
    }

    /// Whether a key of this spec may be for `usage`.
    pub fn serves(self, usage: Usage) -> bool {
        match self {
            Spec::Symmetric => usage == Usage::EncryptDecrypt,
            Spec::Hmac224 | Spec::Hmac256 | Spec::Hmac384 | Spec::Hmac512 => {
                usage == Usage::GenerateVerifyMac
            }
        }
    }

    /// The length of a secret key in bytes.
    pub fn size(self) -> usize {
        match self {
            Spec::Symmetric | Spec::Hmac256 => 32,
            Spec::Hmac224 => 28,
            Spec::Hmac384 => 48,
            Spec::Hmac512 => 64,
        }
    }

    pub fn encryption_algorithms(self, _: Usage) -> Option<Vec<&'static str>> {
        (self == Spec::Symmetric).then(|| vec!["SYMMETRIC_DEFAULT"])
    }

    pub fn mac_algorithms(self) -> Option<Vec<&'static str>> {
        Some(vec![match self {
            Spec::Hmac224 => "HMAC_SHA_224",
            Spec::Hmac256 => "HMAC_SHA_256",
            Spec::Hmac384 => "HMAC_SHA_384",
            Spec::Hmac512 => "HMAC_SHA_512",
            Spec::Symmetric => return None,
        }])
    }
}

impl Usage {
    pub fn parse(name: &str) -> Option<Usage> {
        USAGES.iter().find(|(n, _)| *n == name).map(|(_, u)| *u)
    }

    pub fn name(self) -> &'static str {
        USAGES.iter().find(|(_, u)| *u == self).map_or("", |(n, _)| n)
    }
}

impl Spec {
    /// New key material.
    ///
    /// # Errors
    /// When the generation of a key pair fails.
    pub async fn generate(self, ids: &Ids) -> Result<Vec<u8>> {
        let mut secret = vec![0; self.size()];
        ids.fill(&mut secret);
        Ok(secret)
    }

    pub fn signing_algorithms(self, _: Usage) -> Option<Vec<&'static str>> {
        None
    }

    /// What an alias cannot change: symmetric, asymmetric or HMAC.
    pub fn kind(self) -> u8 {
        match self {
            Spec::Symmetric => 0,
            Spec::Hmac224 | Spec::Hmac256 | Spec::Hmac384 | Spec::Hmac512 => 1,
        }
    }
}
