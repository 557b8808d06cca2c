//! SecureStrings: encrypted by KMS in the caller's name, with the parameter's ARN as context.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_core::{ApiError, Cx, Result, Value, map};
use fogbank_identity::Seal;

use crate::record::{Place, Stored, Tier};

/// The AWS managed key.
pub const DEFAULT: &str = "alias/aws/ssm";

fn context(place: &Place) -> Value {
    map! { "PARAMETER_ARN" => place.arn() }
}

/// Encrypts a value: KMS does it itself for standard parameters, gives a data key for advanced ones.
///
/// # Errors
/// `InvalidKeyId`, or the refusal of KMS.
pub async fn close(cx: &Cx, key: &str, place: &Place, tier: Tier, text: &str) -> Result<Stored> {
    match tier {
        Tier::Standard => {
            let input = map! {
                "KeyId" => key,
                "Plaintext" => Value::Blob(Bytes::copy_from_slice(text.as_bytes())),
                "EncryptionContext" => context(place),
            };
            let made = cx.call("kms", "Encrypt", input).await.map_err(|e| refused(e, key))?;
            Ok(Stored::Direct(blob(&made, "CiphertextBlob")))
        }
        Tier::Advanced => {
            let input = map! {
                "KeyId" => key,
                "KeySpec" => "AES_256",
                "EncryptionContext" => context(place),
            };
            let made = cx.call("kms", "GenerateDataKey", input).await;
            let made = made.map_err(|e| refused(e, key))?;
            let seal = Seal::of(&blob(&made, "Plaintext"))?;
            let text = seal.close(cx.ids(), place.arn().as_bytes(), text.as_bytes())?;
            Ok(Stored::Envelope(blob(&made, "CiphertextBlob"), text))
        }
    }
}

/// Opens a value.
///
/// # Errors
/// `InvalidKeyId`, or the refusal of KMS.
pub async fn open(cx: &Cx, place: &Place, stored: &Stored) -> Result<String> {
    let (sealed, text) = match stored {
        Stored::Plain(text) => return Ok(text.clone()),
        Stored::Direct(sealed) => (sealed, None),
        Stored::Envelope(key, text) => (key, Some(text)),
    };
    let input = map! {
        "CiphertextBlob" => Value::Blob(Bytes::copy_from_slice(sealed)),
        "EncryptionContext" => context(place),
    };
    let opened = cx.call("kms", "Decrypt", input).await.map_err(|e| refused(e, &place.name))?;
    let opened = blob(&opened, "Plaintext");
    let bytes = match text {
        None => Some(opened),
        Some(text) => Seal::of(&opened)?.reveal(place.arn().as_bytes(), text),
    };
    let text = bytes.and_then(|b| String::from_utf8(b).ok());
    text.ok_or_else(|| ApiError::internal(format!("the value of {} is damaged", place.arn())))
}

/// What a client sees that does not ask for decryption.
pub fn closed(stored: &Stored) -> String {
    match stored {
        Stored::Plain(text) => text.clone(),
        Stored::Direct(sealed) => STANDARD.encode(sealed),
        Stored::Envelope(key, text) => STANDARD.encode([&key[..], text].concat()),
    }
}

fn blob(reply: &Value, member: &str) -> Vec<u8> {
    match reply.get(member) {
        Some(Value::Blob(b)) => b.to_vec(),
        _ => Vec::new(),
    }
}

fn refused(e: ApiError, key: &str) -> ApiError {
    match e.code() {
        "AccessDeniedException" | "InternalFailure" | "NotImplemented" => e,
        "NotFoundException" => ApiError::new("InvalidKeyId", format!("Invalid keyId {key}")),
        _ => ApiError::new("InvalidKeyId", e.message()).context(e.to_string()),
    }
}
