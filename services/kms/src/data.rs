//! Encrypting and decrypting, data keys, random bytes.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/kms-cryptography.html>

use std::sync::Arc;

use bytes::Bytes;
use fogbank_core::{ApiError, Blob, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::cipher::{Context, Head};
use crate::error::{access_denied, dry_run, validation};
use crate::find::{Asked, By, Found, usable};
use crate::record::KeyRecord;
use crate::spec::{Spec, Usage};
use crate::{Kms, authz};

pub const OPS: &[Op<Kms>] = ops![
    Encrypt => encrypt [authz::on_key],
    Decrypt => decrypt [authz::decrypt],
    ReEncrypt => re_encrypt [authz::re_encrypt],
    GenerateDataKey => generate_data_key [authz::on_key],
    GenerateDataKeyWithoutPlaintext => generate_data_key_without_plaintext [authz::on_key],
    GenerateRandom => generate_random,
];

/// The algorithm of symmetric keys, and the default everywhere.
const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";

/// Refuses a key that cannot be used now, or not for this.
pub fn ready(cx: &Cx, key: &KeyRecord, usage: Usage) -> Result<()> {
    usable(key)?;
    if key.usage == usage {
        return Ok(());
    }
    let (arn, has) = (key.arn(), key.usage.name());
    Err(ApiError::new(
        "InvalidKeyUsageException",
        format!("{arn} key usage is {has} which is not valid for {}.", cx.operation),
    ))
}

/// Data keys come from symmetric keys only.
pub fn symmetric(cx: &Cx, key: &KeyRecord) -> Result<()> {
    ready(cx, key, Usage::EncryptDecrypt)?;
    if key.spec == Spec::Symmetric {
        return Ok(());
    }
    let (arn, spec) = (key.arn(), key.spec.name());
    Err(ApiError::new(
        "InvalidKeyUsageException",
        format!("{arn} key spec is {spec} which is not valid for {}.", cx.operation),
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EncryptInput {
    key_id: String,
    plaintext: Blob,
    #[serde(default)]
    encryption_context: Context,
    #[serde(default)]
    grant_tokens: Vec<String>,
    encryption_algorithm: Option<String>,
    dry_run: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EncryptOutput {
    ciphertext_blob: Blob,
    key_id: String,
    encryption_algorithm: String,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>
async fn encrypt(kms: &Kms, cx: &Cx, input: EncryptInput) -> Result<EncryptOutput> {
    kms.check_tokens(&input.grant_tokens)?;
    let found = kms.asked(cx, 0, &input.key_id, By::Alias).await?;
    let key = &found.key;
    ready(cx, key, Usage::EncryptDecrypt)?;
    let algorithm = algorithm(key, input.encryption_algorithm)?;
    dry_run(input.dry_run)?;
    let text = &input.plaintext.0;
    let sealed = kms.encrypt(cx.ids(), key, &input.encryption_context, text).await?;
    Ok(EncryptOutput {
        ciphertext_blob: Blob(sealed.into()),
        key_id: key.arn(),
        encryption_algorithm: algorithm,
    })
}

fn algorithm(key: &KeyRecord, asked: Option<String>) -> Result<String> {
    let asked = asked.unwrap_or_else(|| SYMMETRIC.to_owned());
    let able = key.spec.encryption_algorithms(key.usage);
    if able.is_some_and(|a| a.contains(&&*asked)) {
        return Ok(asked);
    }
    let (arn, spec) = (key.arn(), key.spec.name());
    Err(ApiError::new(
        "InvalidKeyUsageException",
        format!("Algorithm {asked} and key spec {spec} of {arn} do not fit together."),
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DecryptInput {
    ciphertext_blob: Option<Blob>,
    #[serde(default)]
    encryption_context: Context,
    #[serde(default)]
    grant_tokens: Vec<String>,
    key_id: Option<String>,
    encryption_algorithm: Option<String>,
    #[serde(default)]
    recipient: Option<fogbank_core::Value>,
    dry_run: Option<bool>,
    #[serde(default)]
    dry_run_modifiers: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DecryptOutput {
    key_id: String,
    plaintext: Blob,
    encryption_algorithm: String,
    key_material_id: Option<String>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html>
async fn decrypt(kms: &Kms, cx: &Cx, input: DecryptInput) -> Result<DecryptOutput> {
    if input.recipient.is_some() {
        return Err(cx.refuse_member("Recipient"));
    }
    if !input.dry_run_modifiers.is_empty() {
        return Err(cx.refuse_member("DryRunModifiers"));
    }
    kms.check_tokens(&input.grant_tokens)?;
    let blob = input.ciphertext_blob.unwrap_or_default().0;
    let found = kms.opener(cx, 0, &blob, input.key_id.as_deref()).await?;
    let key = &found.key;
    ready(cx, key, Usage::EncryptDecrypt)?;
    let algorithm = algorithm(key, input.encryption_algorithm)?;
    let head = Head::read(&blob)?;
    let plain = kms.decrypt(key, &head, &input.encryption_context, &blob).await?;
    dry_run(input.dry_run)?;
    Ok(DecryptOutput {
        key_id: key.arn(),
        plaintext: Blob(plain.into()),
        encryption_algorithm: algorithm,
        key_material_id: Some(key.place.material_id(head.generation)),
    })
}

impl Kms {
    /// The key that is to open `blob`: the one it names itself, which must be the one that the
    /// request names, if it names one.
    pub(crate) async fn opener(
        &self,
        cx: &Cx,
        position: usize,
        blob: &[u8],
        named: Option<&str>,
    ) -> Result<Arc<Found>> {
        if let Some(found) = cx.recall::<Asked>().and_then(|a| a.0.get(position).cloned()) {
            return Ok(found);
        }
        let head = Head::read(blob);
        if let Some(named) = named {
            let found = self.find(cx, named, By::Alias).await?;
            if head?.place != found.key.place {
                return Err(ApiError::new(
                    "IncorrectKeyException",
                    "The key ID in the request does not identify a CMK that can perform this \
                     operation.",
                ));
            }
            return Ok(Arc::new(found));
        }
        let place = head?.place;
        let known = if place.region == cx.region { self.load(&place).await.ok() } else { None };
        let key = known.ok_or_else(|| {
            access_denied(
                "The ciphertext refers to a customer master key that does not exist, does not \
                 exist in this region, or you are not allowed to access.",
            )
        })?;
        Ok(Arc::new(Found { key, alias: None, grant: None }))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReEncryptInput {
    ciphertext_blob: Option<Blob>,
    #[serde(default)]
    source_encryption_context: Context,
    source_key_id: Option<String>,
    destination_key_id: String,
    #[serde(default)]
    destination_encryption_context: Context,
    source_encryption_algorithm: Option<String>,
    destination_encryption_algorithm: Option<String>,
    #[serde(default)]
    grant_tokens: Vec<String>,
    dry_run: Option<bool>,
    #[serde(default)]
    dry_run_modifiers: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReEncryptOutput {
    ciphertext_blob: Blob,
    source_key_id: String,
    key_id: String,
    source_encryption_algorithm: String,
    destination_encryption_algorithm: String,
    source_key_material_id: Option<String>,
    destination_key_material_id: Option<String>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html>
async fn re_encrypt(kms: &Kms, cx: &Cx, input: ReEncryptInput) -> Result<ReEncryptOutput> {
    if !input.dry_run_modifiers.is_empty() {
        return Err(cx.refuse_member("DryRunModifiers"));
    }
    kms.check_tokens(&input.grant_tokens)?;
    let blob = input.ciphertext_blob.unwrap_or_default().0;
    let source = kms.opener(cx, 0, &blob, input.source_key_id.as_deref()).await?;
    let target = kms.asked(cx, 1, &input.destination_key_id, By::Alias).await?;
    for key in [&source.key, &target.key] {
        ready(cx, key, Usage::EncryptDecrypt)?;
    }
    let source_algorithm = algorithm(&source.key, input.source_encryption_algorithm)?;
    let target_algorithm = algorithm(&target.key, input.destination_encryption_algorithm)?;
    let head = Head::read(&blob)?;
    let plain = kms.decrypt(&source.key, &head, &input.source_encryption_context, &blob).await?;
    dry_run(input.dry_run)?;
    let context = &input.destination_encryption_context;
    let sealed = kms.encrypt(cx.ids(), &target.key, context, &plain).await?;
    Ok(ReEncryptOutput {
        ciphertext_blob: Blob(sealed.into()),
        source_key_id: source.key.arn(),
        key_id: target.key.arn(),
        source_encryption_algorithm: source_algorithm,
        destination_encryption_algorithm: target_algorithm,
        source_key_material_id: Some(source.key.place.material_id(head.generation)),
        destination_key_material_id: target.key.material_id(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataKeyInput {
    key_id: String,
    #[serde(default)]
    encryption_context: Context,
    number_of_bytes: Option<u16>,
    key_spec: Option<String>,
    #[serde(default)]
    grant_tokens: Vec<String>,
    recipient: Option<fogbank_core::Value>,
    dry_run: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DataKeyOutput {
    ciphertext_blob: Blob,
    plaintext: Option<Blob>,
    key_id: String,
    key_material_id: Option<String>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html>
async fn generate_data_key(kms: &Kms, cx: &Cx, input: DataKeyInput) -> Result<DataKeyOutput> {
    data_key(kms, cx, input).await
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyWithoutPlaintext.html>
async fn generate_data_key_without_plaintext(
    kms: &Kms,
    cx: &Cx,
    input: DataKeyInput,
) -> Result<DataKeyOutput> {
    let made = data_key(kms, cx, input).await?;
    Ok(DataKeyOutput { plaintext: None, ..made })
}

async fn data_key(kms: &Kms, cx: &Cx, input: DataKeyInput) -> Result<DataKeyOutput> {
    if input.recipient.is_some() {
        return Err(cx.refuse_member("Recipient"));
    }
    kms.check_tokens(&input.grant_tokens)?;
    let size = match (input.number_of_bytes, input.key_spec.as_deref()) {
        (Some(n), None) => usize::from(n),
        (None, Some("AES_128")) => 16,
        (None, Some(_)) => 32,
        _ => return Err(validation("Please specify either number of bytes or key spec.")),
    };
    let found = kms.asked(cx, 0, &input.key_id, By::Alias).await?;
    let key = &found.key;
    symmetric(cx, key)?;
    dry_run(input.dry_run)?;
    let mut plain = vec![0; size];
    cx.ids().fill(&mut plain);
    let sealed = kms.encrypt(cx.ids(), key, &input.encryption_context, &plain).await?;
    Ok(DataKeyOutput {
        ciphertext_blob: Blob(sealed.into()),
        plaintext: Some(Blob(plain.into())),
        key_id: key.arn(),
        key_material_id: key.material_id(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RandomInput {
    number_of_bytes: Option<u16>,
    custom_key_store_id: Option<String>,
    recipient: Option<fogbank_core::Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RandomOutput {
    plaintext: Blob,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateRandom.html>
async fn generate_random(_: &Kms, cx: &Cx, input: RandomInput) -> Result<RandomOutput> {
    if input.custom_key_store_id.is_some() {
        return Err(cx.refuse_member("CustomKeyStoreId"));
    }
    if input.recipient.is_some() {
        return Err(cx.refuse_member("Recipient"));
    }
    let size = input.number_of_bytes.filter(|n| (1..=1024).contains(n));
    let size = size.ok_or_else(|| validation("NumberOfBytes must be between 1 and 1024."))?;
    let mut random = vec![0; usize::from(size)];
    cx.ids().fill(&mut random);
    Ok(RandomOutput { plaintext: Blob(Bytes::from(random)) })
}
