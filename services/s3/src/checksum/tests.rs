//! Tests of `checksum`.

use super::*;

fn sum(a: Algorithm, bytes: &[u8]) -> String {
    let mut h = Hasher::new(a);
    h.update(bytes);
    h.checksum().value
}

#[test]
fn known_values() {
    for (a, want) in [
        (Algorithm::Crc32, "y/Q5Jg=="),
        (Algorithm::Crc32C, "4waSgw=="),
        (Algorithm::Crc64Nvme, "rosUhgp5mIg="),
        (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
        (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        (Algorithm::Md5, "JfnnlDI7RTiF9RgfG2JNCw=="),
    ] {
        assert_eq!(sum(a, b"123456789"), want, "{}", a.name());
    }
}

#[test]
fn crcs_of_parts_combine_to_the_crc_of_the_whole() {
    for a in [Algorithm::Crc32, Algorithm::Crc32C, Algorithm::Crc64Nvme] {
        let (x, y, z) = (sum(a, b"1234"), sum(a, b"567"), sum(a, b"89"));
        let parts = [(x.as_str(), 4), (y.as_str(), 3), (z.as_str(), 2)];
        let all = combine(a, ChecksumType::FullObject, &parts).unwrap();
        assert_eq!(all.value, sum(a, b"123456789"), "{}", a.name());
    }
    assert!(combine(Algorithm::Sha1, ChecksumType::FullObject, &[("AAAA", 1)]).is_none());
}

#[test]
fn composite_checksums_hash_the_digests() {
    let (x, y) = (sum(Algorithm::Sha256, b"a"), sum(Algorithm::Sha256, b"b"));
    let c = combine(Algorithm::Sha256, ChecksumType::Composite, &[(&x, 1), (&y, 1)]).unwrap();
    let digests: Vec<u8> = [&x, &y].into_iter().flat_map(|v| BASE64.decode(v).unwrap()).collect();
    assert_eq!(c.value, format!("{}-2", sum(Algorithm::Sha256, &digests)));
}

#[test]
fn types_that_an_algorithm_does_not_have_are_refused() {
    use ChecksumType::{Composite, FullObject};
    for (a, asked, want) in [
        (Algorithm::Crc64Nvme, None, Some(FullObject)),
        (Algorithm::Crc64Nvme, Some("COMPOSITE"), None),
        (Algorithm::Crc32, None, Some(Composite)),
        (Algorithm::Crc32, Some("FULL_OBJECT"), Some(FullObject)),
        (Algorithm::Sha256, Some("FULL_OBJECT"), None),
        (Algorithm::Sha256, Some("nonsense"), None),
    ] {
        assert_eq!(ChecksumType::for_upload(a, asked).ok(), want, "{} {asked:?}", a.name());
    }
}

#[test]
fn malformed_values_are_refused() {
    for bad in ["", "AAAA", "not base64!", "y/Q5Jg==-2", "y/Q5Jg"] {
        assert!(check_value(Algorithm::Crc32, bad, false).is_err(), "{bad}");
    }
    assert!(check_value(Algorithm::Crc32, "y/Q5Jg==-2", true).is_ok());
}
