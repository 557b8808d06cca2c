//! One running hash, whatever its algorithm.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::record::{Algorithm, Checksum, ChecksumType};

/// A hash over bytes that arrive in pieces.
pub(crate) struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    Md5(Md5),
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match (algorithm, algorithm.crc()) {
            (_, Some(crc)) => State::Crc(crc_fast::Digest::new(crc)),
            (Algorithm::Sha1, _) => State::Sha1(Sha1::new()),
            (Algorithm::Sha256, _) => State::Sha256(Sha256::new()),
            (Algorithm::Sha512, _) => State::Sha512(Sha512::new()),
            _ => State::Md5(Md5::new()),
        };
        Hasher { algorithm, state }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(d) => d.update(bytes),
            State::Sha1(d) => d.update(bytes),
            State::Sha256(d) => d.update(bytes),
            State::Sha512(d) => d.update(bytes),
            State::Md5(d) => d.update(bytes),
        }
    }

    /// The digest, big-endian for a CRC.
    pub fn finish(self) -> Vec<u8> {
        match self.state {
            State::Crc(d) => d.finalize().to_be_bytes()[8 - self.algorithm.length()..].to_vec(),
            State::Sha1(d) => d.finalize().to_vec(),
            State::Sha256(d) => d.finalize().to_vec(),
            State::Sha512(d) => d.finalize().to_vec(),
            State::Md5(d) => d.finalize().to_vec(),
        }
    }

    /// The digest as the checksum of a whole object or part.
    pub fn checksum(self) -> Checksum {
        let algorithm = self.algorithm;
        Checksum { algorithm, kind: ChecksumType::FullObject, value: BASE64.encode(self.finish()) }
    }
}
