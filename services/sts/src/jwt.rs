//! JSON Web Tokens as identity providers sign them: RS256 and ES256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

/// A token that has been taken apart, but not verified.
#[derive(Debug)]
pub struct Token<'a> {
    algorithm: String,
    key_id: Option<String>,
    /// The claims, an object.
    pub claims: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// `None` when the text is no token.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = object(header)?;
        let text_of = |name: &str| header.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Token {
            algorithm: text_of("alg")?,
            key_id: text_of("kid"),
            claims: object(claims)?,
            signed,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// The text of a claim.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim as a list of texts: `aud` is one text or several.
    pub fn texts(&self, claim: &str) -> Vec<String> {
        match self.claims.get(claim) {
            Some(Value::String(s)) => vec![s.clone()],
            Some(Value::Number(n)) => vec![n.to_string()],
            Some(Value::Bool(b)) => vec![b.to_string()],
            Some(Value::Array(a)) => {
                a.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether a key of the issuer's set has signed the token.
    pub fn is_signed_by(&self, key_set: &str) -> bool {
        let Ok(set) = serde_json::from_str::<Value>(key_set) else { return false };
        let keys = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let meant = |key: &&Value| match (&self.key_id, key.get("kid").and_then(Value::as_str)) {
            (Some(wanted), Some(id)) => wanted == id,
            _ => true,
        };
        keys.iter().filter(meant).any(|key| self.verify(key) == Some(true))
    }

    fn verify(&self, key: &Value) -> Option<bool> {
        let part = |name: &str| URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok();
        let kind = key.get("kty").and_then(Value::as_str)?;
        let message = self.signed.as_bytes();
        // The algorithm must fit the kind of key: a token cannot choose how it is verified.
        Some(match (self.algorithm.as_str(), kind) {
            ("RS256", "RSA") => RsaPublicKeyComponents { n: part("n")?, e: part("e")? }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, &self.signature)
                .is_ok(),
            ("ES256", "EC") => {
                let (x, y) = (part("x")?, part("y")?);
                let point = [&[4], x.as_slice(), &y].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, &self.signature)
                    .is_ok()
            }
            _ => false,
        })
    }
}

fn object(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok().filter(Value::is_object)
}

#[cfg(test)]
pub mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A token of `claims` and the key set that verifies it.
    pub fn signed(claims: &str) -> (String, String) {
        let random = SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
                .unwrap();
        let text = format!("{}.{}", encode(r#"{"alg":"ES256","kid":"k1"}"#), encode(claims));
        let signature = pair.sign(&random, text.as_bytes()).unwrap();
        let point = pair.public_key().as_ref();
        let set = format!(
            r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"k1","x":"{}","y":"{}"}}]}}"#,
            encode(&point[1..33]),
            encode(&point[33..])
        );
        (format!("{text}.{}", encode(signature)), set)
    }

    #[test]
    fn a_signed_token_is_verified() {
        let (token, keys) = signed(r#"{"sub":"ann","aud":["a","b"]}"#);
        let parsed = Token::parse(&token).unwrap();
        assert!(parsed.is_signed_by(&keys));
        assert_eq!(parsed.text("sub"), Some("ann"));
        assert_eq!(parsed.texts("aud"), ["a", "b"]);
        let (_, other) = signed("{}");
        assert!(!parsed.is_signed_by(&other));
        for junk in
            ["", "{}", r#"{"keys":[{}]}"#, r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#]
        {
            assert!(!parsed.is_signed_by(junk), "{junk}");
        }
    }

    #[test]
    fn altered_and_unsigned_tokens_are_not() {
        let (token, keys) = signed(r#"{"sub":"ann"}"#);
        let parts: Vec<&str> = token.split('.').collect();
        let altered = format!("{}.{}.{}", parts[0], encode(r#"{"sub":"bob"}"#), parts[2]);
        assert!(!Token::parse(&altered).unwrap().is_signed_by(&keys));
        let none = format!("{}.{}.", encode(r#"{"alg":"none"}"#), parts[1]);
        assert!(!Token::parse(&none).unwrap().is_signed_by(&keys));
        for junk in ["", ".", "..", "a.b.c", &"x".repeat(20_000)] {
            assert!(Token::parse(junk).is_none(), "{junk:.20}");
        }
    }
}
