//! Values at rest: each under a data key of its own, which KMS gives and opens in the caller's name.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html>

use fogbank_core::{ApiError, Cx, Result, Value, map};
use fogbank_identity::Seal;

use crate::record::Sealed;

/// What a version holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Plain {
    pub bytes: Vec<u8>,
    /// `SecretBinary`.
    pub binary: bool,
}

/// What binds a data key to its version.
fn context(arn: &str, version: &str) -> Value {
    map! { "SecretARN" => arn, "SecretVersionId" => version }
}

/// Encrypts a value for a version of the secret at `arn`.
///
/// # Errors
/// `EncryptionFailure` when the key cannot be used, `AccessDeniedException` when the caller may not.
pub async fn close(cx: &Cx, key: &str, arn: &str, version: &str, plain: &Plain) -> Result<Sealed> {
    let input = map! { "KeyId" => key, "KeySpec" => "AES_256", "EncryptionContext" => context(arn, version) };
    let made = cx.call("kms", "GenerateDataKey", input).await.map_err(|e| {
        refused(
            &e,
            "EncryptionFailure",
            "Secrets Manager can't encrypt the protected secret text using the provided KMS key. \
             Check that the KMS key is available, enabled, and not in an invalid state.",
        )
    })?;
    let data_key = blob(&made, "CiphertextBlob");
    let text =
        Seal::of(&blob(&made, "Plaintext"))?.close(cx.ids(), version.as_bytes(), &plain.bytes)?;
    let kms_key = made.str("KeyId").unwrap_or(key).to_owned();
    Ok(Sealed { data_key, text, binary: plain.binary, kms_key })
}

/// Opens the value of a version.
///
/// # Errors
/// `DecryptionFailure` when the key cannot be used, `AccessDeniedException` when the caller may not.
pub async fn open(cx: &Cx, arn: &str, version: &str, sealed: &Sealed) -> Result<Plain> {
    let data_key = bytes::Bytes::from(sealed.data_key.clone());
    let input = map! {
        "CiphertextBlob" => Value::Blob(data_key),
        "EncryptionContext" => context(arn, version),
    };
    let failed =
        "Secrets Manager can't decrypt the protected secret text using the provided KMS key.";
    let opened = cx
        .call("kms", "Decrypt", input)
        .await
        .map_err(|e| refused(&e, "DecryptionFailure", failed))?;
    let bytes = Seal::of(&blob(&opened, "Plaintext"))?.reveal(version.as_bytes(), &sealed.text);
    let bytes = bytes.ok_or_else(|| ApiError::new("DecryptionFailure", failed))?;
    Ok(Plain { bytes, binary: sealed.binary })
}

fn blob(reply: &Value, member: &str) -> Vec<u8> {
    match reply.get(member) {
        Some(Value::Blob(b)) => b.to_vec(),
        _ => Vec::new(),
    }
}

fn refused(e: &ApiError, code: &'static str, message: &str) -> ApiError {
    match e.code() {
        "AccessDeniedException" => {
            ApiError::new("AccessDeniedException", "Access to KMS is not allowed").status(400)
        }
        "InternalFailure" | "NotImplemented" => e.clone(),
        _ => ApiError::new(code, message),
    }
    .context(e.to_string())
}
