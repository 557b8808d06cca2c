//! Mutated input for every parser, the same in each run.

use fogbank_sigv4::fuzz;

/// A counter spread over all 64 bits.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap_or_default() % n.max(1)
    }
}

fn mutate(seeds: &[&str], rounds: u64, target: fn(&[u8])) {
    const PIECES: &[&str] = &[
        "",
        "\0",
        "\r\n",
        "\n",
        "%",
        "%2",
        "+",
        "=",
        "&",
        ",",
        ";",
        "/",
        ":",
        "\"",
        "{",
        "[",
        "]}",
        "ሴ",
        "\u{fffd}",
        "-1",
        "99999999999999999999",
        "ffffffffffffffff",
        "AWS4-HMAC-SHA256 ",
        "X-Amz-Signature=",
        "chunk-signature=",
        "0\r\n",
    ];
    for seed in seeds {
        target(seed.as_bytes());
        for round in 0..rounds {
            let mut random = Random(round ^ seed.len() as u64);
            let mut data = seed.as_bytes().to_vec();
            for _ in 0..=random.below(4) {
                let at = random.below(data.len() + 1);
                match random.below(4) {
                    0 => data.truncate(at),
                    1 if at < data.len() => data[at] = random.below(256) as u8,
                    2 => {
                        let end = (at + random.below(20)).min(data.len());
                        data.drain(at..end);
                    }
                    _ => {
                        let piece = PIECES[random.below(PIECES.len())];
                        data.splice(at..at, piece.bytes());
                    }
                }
            }
            target(&data);
        }
    }
}

#[test]
fn authorization_headers() {
    mutate(
        &[
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/s3/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=00",
            "AWS AKIDEXAMPLE:c2ln",
            "Bearer x",
            "",
        ],
        2000,
        fuzz::header,
    );
}

#[test]
fn queries() {
    mutate(
        &[
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20150830%2Fus-east-1%2Fs3%2F\
             aws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&\
             X-Amz-Signature=00&X-Amz-Security-Token=a%2Bb",
            "AWSAccessKeyId=AK&Signature=x&Expires=1",
            "/a/b//../c%20d?e=f+g&h",
        ],
        2000,
        fuzz::query,
    );
}

#[test]
fn chunked_bodies() {
    mutate(
        &[
            "14\r\n01234567890123456789\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
            "14;chunk-signature=00\r\n01234567890123456789\r\n0;chunk-signature=00\r\n\
             x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:00\r\n\r\n",
        ],
        4000,
        fuzz::chunked,
    );
}

#[test]
fn post_policies() {
    mutate(
        &[
            r#"{"expiration":"2015-12-30T12:00:00.000Z","conditions":[{"bucket":"b"},["starts-with","$key",""],["content-length-range",1,10]]}"#,
        ],
        3000,
        fuzz::post_policy,
    );
}
