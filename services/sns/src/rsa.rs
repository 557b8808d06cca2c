//! RSA, as much of it as signing notifications needs: a key of our own, and PKCS #1 v1.5 signatures.
//!
//! SNS signs with RSA and, by default, SHA-1, which our TLS library does not do. What is signed here
//! is no secret and the key protects nothing beyond this machine: it is not made for hiding from
//! somebody who measures time.

use fogbank_core::Ids;
use num_bigint::BigUint;
use sha1::{Digest, Sha1};
use sha2::Sha256;

const BITS: u64 = 2048;
const EXPONENT: u32 = 65_537;

/// A private key.
#[derive(Clone)]
pub struct Key {
    n: BigUint,
    p: BigUint,
    q: BigUint,
}

/// What a signature is made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha1,
    Sha256,
}

impl Key {
    /// A new key. Takes a moment.
    pub fn make(ids: &Ids) -> Key {
        let (p, q) = (prime(ids), prime(ids));
        Key { n: &p * &q, p, q }
    }

    /// The key of two primes as [`Key::primes`] gave them.
    pub fn of(p: &[u8], q: &[u8]) -> Key {
        let (p, q) = (BigUint::from_bytes_be(p), BigUint::from_bytes_be(q));
        Key { n: &p * &q, p, q }
    }

    pub fn primes(&self) -> (Vec<u8>, Vec<u8>) {
        (self.p.to_bytes_be(), self.q.to_bytes_be())
    }

    pub fn sign(&self, hash: Hash, message: &[u8]) -> Vec<u8> {
        let mut digest: Vec<u8> = match hash {
            Hash::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14".to_vec(),
            Hash::Sha256 => {
                b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
                    .to_vec()
            }
        };
        match hash {
            Hash::Sha1 => digest.extend_from_slice(&Sha1::digest(message)),
            Hash::Sha256 => digest.extend_from_slice(&Sha256::digest(message)),
        }
        let size = (BITS / 8) as usize;
        let mut padded = vec![0xFF; size];
        padded[..2].copy_from_slice(&[0, 1]);
        padded[size - digest.len() - 1] = 0;
        padded[size - digest.len()..].copy_from_slice(&digest);
        let signature = self.power(&BigUint::from_bytes_be(&padded)).to_bytes_be();
        let mut out = vec![0; size - signature.len()];
        out.extend_from_slice(&signature);
        out
    }

    /// `m` to the private exponent, by the remainder theorem.
    fn power(&self, m: &BigUint) -> BigUint {
        let one = BigUint::from(1u32);
        let e = BigUint::from(EXPONENT);
        let half = |p: &BigUint| {
            let order = p - &one;
            let d = e.modinv(&order).unwrap_or_default();
            (m % p).modpow(&d, p)
        };
        let (a, b) = (half(&self.p), half(&self.q));
        let inverse = self.q.modinv(&self.p).unwrap_or_default();
        let difference = ((&a + &self.p) - (&b % &self.p)) % &self.p;
        &b + &self.q * ((difference * inverse) % &self.p)
    }

    /// The public key, as `RSAPublicKey` in DER.
    pub fn public(&self) -> Vec<u8> {
        let parts = [integer(&self.n), integer(&BigUint::from(EXPONENT))].concat();
        tagged(0x30, &parts)
    }
}

/// A prime of half the bits, of which the two highest are set.
fn prime(ids: &Ids) -> BigUint {
    let e = BigUint::from(EXPONENT);
    let one = BigUint::from(1u32);
    let mut bytes = [0; (BITS / 16) as usize];
    loop {
        ids.fill(&mut bytes);
        bytes[0] |= 0xC0;
        bytes[bytes.len() - 1] |= 1;
        let p = BigUint::from_bytes_be(&bytes);
        if is_prime(&p, ids) && e.modinv(&(&p - &one)).is_some() {
            return p;
        }
    }
}

fn is_prime(n: &BigUint, ids: &Ids) -> bool {
    let zero = BigUint::default();
    if small_primes().any(|p| n % p == zero) {
        return false;
    }
    let one = BigUint::from(1u32);
    let less = n - &one;
    let twos = less.trailing_zeros().unwrap_or(0);
    let odd = &less >> twos;
    let mut bytes = [0; 64];
    (0..24).all(|_| {
        ids.fill(&mut bytes);
        let base = BigUint::from_bytes_be(&bytes) + 2u32;
        let mut x = base.modpow(&odd, n);
        if x == one || x == less {
            return true;
        }
        (1..twos).any(|_| {
            x = (&x * &x) % n;
            x == less
        })
    })
}

fn small_primes() -> impl Iterator<Item = u32> {
    (3u32..2000)
        .step_by(2)
        .filter(|n| (3..).step_by(2).take_while(|d| d * d <= *n).all(|d| n % d != 0))
}

fn integer(n: &BigUint) -> Vec<u8> {
    let mut bytes = n.to_bytes_be();
    if bytes[0] & 0x80 != 0 {
        bytes.insert(0, 0);
    }
    tagged(2, &bytes)
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        n @ 0..=127 => out.push(n as u8),
        n @ 128..=255 => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use ring::signature::{self, UnparsedPublicKey};

    use super::*;

    #[test]
    fn another_library_verifies_what_is_signed() {
        let made = Key::make(&Ids::seeded(7));
        let (p, q) = made.primes();
        let key = Key::of(&p, &q);
        for (hash, algorithm) in [
            (Hash::Sha1, &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
            (Hash::Sha256, &signature::RSA_PKCS1_2048_8192_SHA256),
        ] {
            let signed = key.sign(hash, b"message");
            let public = UnparsedPublicKey::new(algorithm, key.public());
            assert!(public.verify(b"message", &signed).is_ok());
            assert!(public.verify(b"massage", &signed).is_err());
        }
    }
}
