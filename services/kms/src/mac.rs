//! Message authentication codes.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/hmac.html>

use fogbank_core::{ApiError, Blob, Cx, Op, Result, ops};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Sha224, Sha256, Sha384, Sha512};

use crate::data::ready;
use crate::error::dry_run;
use crate::find::{By, Found};
use crate::spec::{Spec, Usage};
use crate::{Kms, authz};

pub const OPS: &[Op<Kms>] = ops![
    GenerateMac => generate_mac [authz::on_key],
    VerifyMac => verify_mac [authz::on_key],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MacInput {
    message: Blob,
    key_id: String,
    mac_algorithm: String,
    mac: Option<Blob>,
    #[serde(default)]
    grant_tokens: Vec<String>,
    dry_run: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MacOutput {
    mac: Option<Blob>,
    mac_valid: Option<bool>,
    mac_algorithm: String,
    key_id: String,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateMac.html>
async fn generate_mac(kms: &Kms, cx: &Cx, input: MacInput) -> Result<MacOutput> {
    let (found, made) = code(kms, cx, &input).await?;
    dry_run(input.dry_run)?;
    Ok(MacOutput {
        mac: Some(Blob(made.into())),
        mac_valid: None,
        mac_algorithm: input.mac_algorithm,
        key_id: found,
    })
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_VerifyMac.html>
async fn verify_mac(kms: &Kms, cx: &Cx, input: MacInput) -> Result<MacOutput> {
    let (found, made) = code(kms, cx, &input).await?;
    let given = input.mac.as_ref().map_or(&[][..], |m| &m.0);
    if !same(given, &made) {
        return Err(ApiError::new("KMSInvalidMacException", ""));
    }
    dry_run(input.dry_run)?;
    Ok(MacOutput {
        mac: None,
        mac_valid: Some(true),
        mac_algorithm: input.mac_algorithm,
        key_id: found,
    })
}

async fn code(kms: &Kms, cx: &Cx, input: &MacInput) -> Result<(String, Vec<u8>)> {
    kms.check_tokens(&input.grant_tokens)?;
    let found: std::sync::Arc<Found> = kms.asked(cx, 0, &input.key_id, By::Alias).await?;
    let key = &found.key;
    ready(cx, key, Usage::GenerateVerifyMac)?;
    let able = key.spec.mac_algorithms().unwrap_or_default();
    if !able.contains(&&*input.mac_algorithm) {
        return Err(ApiError::new(
            "InvalidKeyUsageException",
            format!(
                "Algorithm {} is incompatible with key spec {}.",
                input.mac_algorithm,
                key.spec.name()
            ),
        ));
    }
    let secret = kms.material(&key.place, key.generation).await?;
    Ok((key.arn(), keyed(key.spec, &secret, &input.message.0)))
}

fn keyed(spec: Spec, secret: &[u8], message: &[u8]) -> Vec<u8> {
    fn run<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(secret).expect("any length is a key");
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }
    match spec {
        Spec::Hmac224 => run::<Hmac<Sha224>>(secret, message),
        Spec::Hmac384 => run::<Hmac<Sha384>>(secret, message),
        Spec::Hmac512 => run::<Hmac<Sha512>>(secret, message),
        _ => run::<Hmac<Sha256>>(secret, message),
    }
}

/// Whether two codes are the same, in a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_4231() {
        let (key, text) = (b"Jefe", b"what do ya want for nothing?");
        for (spec, begins) in [
            (Spec::Hmac224, "a30e01098bc6dbbf"),
            (Spec::Hmac256, "5bdcc146bf60754e"),
            (Spec::Hmac384, "af45d2e376484031"),
            (Spec::Hmac512, "164b7a7bfcf819e2"),
        ] {
            assert!(hex::encode(keyed(spec, key, text)).starts_with(begins), "{spec:?}");
        }
    }
}
