//! Mutated policies, the same in each run.

use fogbank_policy::fuzz;

const SEEDS: &[&str] = &[
    r#"{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"s","Effect":"Allow","Principal":{"AWS":["*","111111111111"],"Service":"ec2.amazonaws.com"},"Action":["s3:Get*","s3:*"],"Resource":["arn:aws:s3:::b/${aws:username, 'x'}/*","*"],"Condition":{"StringLike":{"x:k":["a*","${x:k}"]},"NumericLessThan":{"x:n":5},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"Bool":{"x:b":true},"Null":{"x:k":false}}}]}"#,
    r#"{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111111111111:role/r"},"NotAction":"s3:?*","NotResource":"arn:aws:s3:*"}}"#,
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
];

const PIECES: &[&str] = &[
    "",
    "*",
    "?",
    "**",
    "${",
    "}",
    "${aws:username}",
    ":",
    "\"",
    ",",
    "{",
    "}",
    "[",
    "]",
    "null",
    "1e999",
    "-1",
    "\\u0000",
    "ሴ",
    "ForAllValues:",
    "IfExists",
    "Not",
    "arn:aws:s3:::b",
];

#[test]
fn mutated_policies_parse_or_are_refused() {
    let mut state = 7u64;
    let mut below = |n: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % n.max(1)
    };
    for seed in SEEDS {
        fuzz::document(seed.as_bytes());
        for _ in 0..1500 {
            let mut data = seed.as_bytes().to_vec();
            for _ in 0..=below(3) {
                let at = below(data.len() + 1);
                match below(3) {
                    0 => {
                        let end = (at + below(12)).min(data.len());
                        data.drain(at..end);
                    }
                    1 if at < data.len() => data[at] = below(256) as u8,
                    _ => {
                        let piece = PIECES[below(PIECES.len())];
                        data.splice(at..at, piece.bytes());
                    }
                }
            }
            fuzz::document(&data);
        }
    }
}
