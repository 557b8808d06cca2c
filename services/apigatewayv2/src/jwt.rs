//! JSON Web Tokens of an issuer: signature, issuer, audience, times and scopes.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use fogbank_apigw::Outbound;
use fogbank_core::Cloud;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use parking_lot::Mutex;
use ring::signature::{self, RsaPublicKeyComponents};
use serde_json::{Map, Value};

use crate::authorizer::Jwt;

/// The keys of issuers, as they last told.
#[derive(Default)]
pub struct Keys(Mutex<HashMap<String, Told>>);

/// When an issuer told its keys, and which.
type Told = (Timestamp, Arc<Vec<Key>>);

/// A key of an issuer.
#[derive(Clone, Debug)]
pub struct Key {
    id: String,
    n: Vec<u8>,
    e: Vec<u8>,
}

/// Keys are asked for anew after two hours, and for an unknown key after a minute.
const FRESH: i64 = 2 * 3600;
const AGAIN: i64 = 60;
/// Issuers kept at most.
const MOST: usize = 1000;

/// A token's claims, when it is the issuer's, meant for the audience and in its time.
pub async fn verify(
    keys: &Keys,
    outbound: &Outbound,
    cloud: &dyn Cloud,
    terms: &Jwt,
    token: &str,
    now: Timestamp,
) -> Result<Map<String, Value>, String> {
    let bad = || "the token is malformed".to_owned();
    let mut parts = token.split('.');
    let (Some(head), Some(body), Some(signed), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(bad());
    };
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| bad());
    let header: Value = serde_json::from_slice(&decode(head)?).map_err(|_| bad())?;
    let Value::Object(claims) = serde_json::from_slice(&decode(body)?).map_err(|_| bad())? else {
        return Err(bad());
    };
    let issuer = terms.issuer.as_deref().unwrap_or_default();
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err("invalid issuer".to_owned());
    }
    check_claims(&claims, &terms.audience, now)?;
    let algorithm: &dyn RsaVerify = match header.get("alg").and_then(Value::as_str) {
        Some("RS256") => &signature::RSA_PKCS1_2048_8192_SHA256,
        Some("RS384") => &signature::RSA_PKCS1_2048_8192_SHA384,
        Some("RS512") => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => return Err("the token's algorithm is not supported".to_owned()),
    };
    let id = header.get("kid").and_then(Value::as_str).ok_or("the token names no key")?;
    let key = keys.find(outbound, cloud, issuer, id, now).await?;
    let message = &token[..head.len() + 1 + body.len()];
    let key = RsaPublicKeyComponents { n: &key.n[..], e: &key.e[..] };
    algorithm
        .check(&key, message.as_bytes(), &decode(signed)?)
        .map_err(|()| "the signature is invalid".to_owned())?;
    Ok(claims)
}

/// What the three algorithms have in common.
trait RsaVerify: Sync {
    fn check(
        &self,
        key: &RsaPublicKeyComponents<&[u8]>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), ()>;
}

impl RsaVerify for signature::RsaParameters {
    fn check(
        &self,
        key: &RsaPublicKeyComponents<&[u8]>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), ()> {
        key.verify(self, message, signature).map_err(|_| ())
    }
}

fn check_claims(
    claims: &Map<String, Value>,
    audience: &[String],
    now: Timestamp,
) -> Result<(), String> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(v) => v
            .as_f64()
            .map(|t| Some(t as i64))
            .ok_or_else(|| format!("the token's {name} is no time")),
    };
    let now = now.as_second();
    match time("exp")? {
        Some(t) if t > now => {}
        _ => return Err("the token has expired".to_owned()),
    }
    for name in ["nbf", "iat"] {
        if time(name)?.is_some_and(|t| t > now) {
            return Err("the token is not valid yet".to_owned());
        }
    }
    if audience.is_empty() {
        return Ok(());
    }
    // Only a token without audience may name its client instead.
    let named: Vec<&str> = match claims.get("aud") {
        Some(Value::String(s)) => vec![s],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => claims.get("client_id").and_then(Value::as_str).into_iter().collect(),
    };
    if named.iter().any(|n| audience.iter().any(|a| a == n)) {
        Ok(())
    } else {
        Err("the token does not have a valid audience".to_owned())
    }
}

/// The scopes in a token's `scope` or `scp`.
pub fn scopes(claims: &Map<String, Value>) -> Vec<String> {
    let claim = claims.get("scope").or_else(|| claims.get("scp"));
    match claim {
        Some(Value::String(s)) => s.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// A claim as events and logs have it: `[a b]` for a list.
pub fn claim_text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Array(all) => {
            let all: Vec<String> = all.iter().map(claim_text).collect();
            format!("[{}]", all.join(" "))
        }
        other => other.to_string(),
    }
}

impl Keys {
    async fn find(
        &self,
        outbound: &Outbound,
        cloud: &dyn Cloud,
        issuer: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<Key, String> {
        let kept = self.0.lock().get(issuer).cloned();
        if let Some((at, keys)) = &kept {
            let age = now.duration_since(*at).as_secs();
            if age < FRESH
                && let Some(key) = keys.iter().find(|k| k.id == id)
            {
                return Ok(key.clone());
            }
            if age < AGAIN {
                return Err("the token's key is not known to its issuer".to_owned());
            }
        }
        let keys = Arc::new(fetch(outbound, cloud, issuer).await?);
        {
            let mut all = self.0.lock();
            if all.len() >= MOST {
                all.clear();
            }
            all.insert(issuer.to_owned(), (now, Arc::clone(&keys)));
        }
        let key = keys.iter().find(|k| k.id == id).cloned();
        key.ok_or_else(|| "the token's key is not known to its issuer".to_owned())
    }
}

async fn fetch(outbound: &Outbound, cloud: &dyn Cloud, issuer: &str) -> Result<Vec<Key>, String> {
    let get = async |url: &str| {
        let limit = Duration::from_millis(1500);
        let sent = outbound.send(cloud, Method::GET, url, HeaderMap::new(), Bytes::new(), limit);
        let answer = sent.await.map_err(|e| format!("the issuer cannot be reached: {e}"))?;
        if !answer.status.is_success() {
            return Err(format!("the issuer answered {}", answer.status));
        }
        serde_json::from_slice::<Value>(&answer.body).map_err(|e| e.to_string())
    };
    let known = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let configuration = get(&known).await?;
    let jwks = configuration.get("jwks_uri").and_then(Value::as_str);
    let set = get(jwks.ok_or("the issuer names no keys")?).await?;
    let all = set.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(all.iter().filter_map(read).collect())
}

fn read(key: &Value) -> Option<Key> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    if text("kty")? != "RSA" {
        return None;
    }
    let number = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?.trim_end_matches('=')).ok();
    Some(Key { id: text("kid")?.to_owned(), n: number("n")?, e: number("e")? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims() {
        let now = Timestamp::from_second(1000).unwrap();
        let audience = ["me".to_owned()];
        for (claims, ok) in [
            (json!({"exp": 1001, "aud": "me"}), true),
            (json!({"exp": 1001, "aud": ["you", "me"]}), true),
            (json!({"exp": 1001, "client_id": "me"}), true),
            (json!({"exp": 1001, "aud": "you", "client_id": "me"}), false),
            (json!({"exp": 1000, "aud": "me"}), false),
            (json!({"aud": "me"}), false),
            (json!({"exp": 1001, "nbf": 1001, "aud": "me"}), false),
            (json!({"exp": 1001, "iat": 2000, "aud": "me"}), false),
            (json!({"exp": "x", "aud": "me"}), false),
            (json!({"exp": 1001}), false),
        ] {
            let map = claims.as_object().unwrap();
            assert_eq!(check_claims(map, &audience, now).is_ok(), ok, "{claims}");
        }
        assert_eq!(scopes(json!({"scope": "a b"}).as_object().unwrap()), ["a", "b"]);
        assert_eq!(scopes(json!({"scp": ["a"]}).as_object().unwrap()), ["a"]);
        assert_eq!(claim_text(&json!(["a", 1])), "[a 1]");
    }
}
