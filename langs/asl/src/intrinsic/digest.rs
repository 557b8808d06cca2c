//! The hashes that `States.Hash` and JSONata's `$hash` know.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The hash of `data` in hexadecimal, by the algorithm's name.
///
/// # Errors
/// For an algorithm that there is none of.
pub fn digest(data: &[u8], algorithm: &str) -> Result<String, String> {
    Ok(match algorithm {
        "MD5" => hex::encode(Md5::digest(data)),
        "SHA-1" => hex::encode(Sha1::digest(data)),
        "SHA-256" => hex::encode(Sha256::digest(data)),
        "SHA-384" => hex::encode(Sha384::digest(data)),
        "SHA-512" => hex::encode(Sha512::digest(data)),
        other => {
            return Err(format!(
                "{other} is not one of the algorithms MD5, SHA-1, SHA-256, SHA-384, SHA-512"
            ));
        }
    })
}
