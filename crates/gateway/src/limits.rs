//! How much of a request is read into memory, per service, and how large a head may be.

use http::HeaderMap;

/// The greatest sum of header names and values, in bytes.
const HEAD: usize = 64 << 10;

/// The greatest body in bytes of an operation that does not stream it: what the service's largest
/// documented request needs.
#[must_use]
pub fn body(service: &str) -> usize {
    const MIB: usize = 1 << 20;
    match service {
        // A 50 MiB archive in base64.
        "lambda" => 72 * MIB,
        "bedrock-runtime" | "rekognition" | "textract" => 28 * MIB,
        "dynamodb" => 17 * MIB,
        "kinesis" | "firehose" => 12 * MIB,
        // The largest CompleteMultipartUpload, with checksums and without white space to spare.
        "s3" => 8 * MIB,
        _ => 4 * MIB,
    }
}

/// Whether a request's headers are more than is read.
#[must_use]
pub fn head_is_too_large(headers: &HeaderMap) -> bool {
    headers.iter().map(|(n, v)| n.as_str().len() + v.len()).sum::<usize>() > HEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn heads_are_bounded() {
        let mut h = HeaderMap::new();
        assert!(!head_is_too_large(&h));
        h.insert("a", HeaderValue::from_bytes(&vec![b'x'; HEAD + 1]).unwrap());
        assert!(head_is_too_large(&h));
        h.clear();
        for n in 0..64 {
            let name = HeaderName::from_bytes(format!("h{n}").as_bytes()).unwrap();
            h.insert(name, HeaderValue::from_bytes(&[b'x'; 1100]).unwrap());
        }
        assert!(head_is_too_large(&h));
    }
}
