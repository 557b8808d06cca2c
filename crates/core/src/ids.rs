//! Identifiers and randomness, passed in so that tests can fix them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

type Fill = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// A source of identifiers and secrets; cheap to clone.
#[derive(Clone)]
pub struct Ids {
    fill: Fill,
    sequence: Arc<AtomicU64>,
    seed: u64,
}

impl Ids {
    /// The operating system's randomness.
    ///
    /// # Panics
    /// When the system has none to give, as nothing safe can be done then.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn system() -> Self {
        Ids::with(Arc::new(|b: &mut [u8]| getrandom::fill(b).expect("the system's randomness")))
    }

    /// A repeatable source for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let n = AtomicU64::new(seed);
        Ids::with(Arc::new(move |b: &mut [u8]| {
            for chunk in b.chunks_mut(8) {
                let x = mix(n.fetch_add(1, Ordering::Relaxed)).to_le_bytes();
                chunk.copy_from_slice(&x[..chunk.len()]);
            }
        }))
    }

    fn with(fill: Fill) -> Self {
        let mut s = [0; 8];
        fill(&mut s);
        Ids { fill, sequence: Arc::default(), seed: u64::from_le_bytes(s) }
    }

    /// Fills `buf` with unpredictable bytes (fit for secrets, from [`Ids::system`]).
    pub fn fill(&self, buf: &mut [u8]) {
        (self.fill)(buf);
    }

    /// `n` characters of `alphabet` (at most 256 of them), each as likely as the next.
    #[must_use]
    pub fn pick(&self, alphabet: &[u8], n: usize) -> String {
        let limit = 256 - 256 % alphabet.len();
        let mut out = String::with_capacity(n);
        let mut buf = [0; 64];
        while out.len() < n {
            self.fill(&mut buf);
            let fit = buf.iter().filter(|b| usize::from(**b) < limit);
            out.extend(
                fit.take(n - out.len())
                    .map(|b| char::from(alphabet[usize::from(*b) % alphabet.len()])),
            );
        }
        out
    }

    /// `n` lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self, n: usize) -> String {
        self.pick(b"0123456789abcdef", n)
    }

    /// `n` capital letters and digits: EC2-style and S3-style ids.
    #[must_use]
    pub fn upper(&self, n: usize) -> String {
        self.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", n)
    }

    /// An IAM unique id or access key id: the prefix (`AIDA`, `AROA`, `AKIA`, …) and 17 or, for
    /// access keys, 16 characters.
    #[must_use]
    pub fn iam(&self, prefix: &str) -> String {
        let n = if matches!(prefix, "AKIA" | "ASIA") { 16 } else { 17 };
        format!("{prefix}{}", self.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", n))
    }

    /// A random (version 4) UUID.
    #[must_use]
    pub fn uuid(&self) -> String {
        let mut b = [0; 16];
        self.fill(&mut b);
        uuid_text(b)
    }

    /// A request id: a UUID, unique but not secret, and cheaper than [`Ids::uuid`].
    #[must_use]
    pub fn request_id(&self) -> String {
        uuid_text(self.unique())
    }

    /// S3's request id: 16 capital letters and digits, unique but not secret.
    #[must_use]
    pub fn s3_request_id(&self) -> String {
        const A: &[u8; 32] = b"ABCDEFGHJKMNPQRSTVWXYZ0123456789";
        self.unique().iter().map(|b| char::from(A[usize::from(b & 31)])).collect()
    }

    fn unique(&self) -> [u8; 16] {
        let n = self.sequence.fetch_add(1, Ordering::Relaxed);
        let mut b = [0; 16];
        b[..8].copy_from_slice(&mix(self.seed ^ n).to_le_bytes());
        b[8..].copy_from_slice(&mix(self.seed.wrapping_add(n.rotate_left(32))).to_le_bytes());
        b
    }
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ids")
    }
}

fn uuid_text(mut b: [u8; 16]) -> String {
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut s = String::with_capacity(36);
    for (i, x) in b.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            s.push('-');
        }
        s.push(char::from(HEX[usize::from(x >> 4)]));
        s.push(char::from(HEX[usize::from(x & 15)]));
    }
    s
}

/// SplitMix64's finaliser: spreads a counter over all 64 bits.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn shapes_are_as_aws_has_them() {
        let i = Ids::seeded(1);
        assert_eq!(i.iam("AKIA").len(), 20);
        assert_eq!(i.iam("AIDA").len(), 21);
        assert_eq!(i.request_id().len(), 36);
        assert_eq!(&i.uuid()[14..15], "4");
        assert_eq!(i.s3_request_id().len(), 16);
        assert_ne!(i.request_id(), i.request_id());
    }
}
