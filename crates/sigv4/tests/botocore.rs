//! The signing vectors that botocore's source package carries, when it is unpacked under
//! `target/suites/botocore-VERSION`. Without it there is nothing to run, and the test says so.
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

use std::fs;
use std::path::{Path, PathBuf};

use fogbank_sigv4::{Dialect, Error, Keys, Terms, parse, payload};

#[path = "support/raw.rs"]
mod raw;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

#[test]
fn botocores_vectors_verify() {
    let Some(suite) = suite() else {
        println!("skipped: no target/suites/botocore-*/tests/unit/auth/aws4_testsuite");
        return;
    };
    let mut signed = Vec::new();
    collect(&suite, &mut signed);
    assert!(signed.len() > 30, "{} cases", signed.len());
    for path in signed {
        // One of the signed requests has a mistaken signature; that in .authz is right for all.
        let (top, body) = split(&fs::read_to_string(&path).unwrap());
        let unsigned: Vec<&str> = top.lines().filter(|l| !l.starts_with("Authorization")).collect();
        let authorization = fs::read_to_string(path.with_extension("authz")).unwrap();
        let unsigned = unsigned.join("\n");
        let text = format!("{unsigned}\nAuthorization: {authorization}\n\n{body}");
        let name = path.display();
        assert_eq!(verify(&text).err(), None, "{name}");
        let tampered = text.replacen("example.amazonaws.com", "evil.amazonaws.com", 1);
        assert!(matches!(verify(&tampered), Err(Error::Mismatch(_))), "{name}, tampered");
    }
}

fn verify(text: &str) -> Result<(), Error> {
    let request = raw::Raw::parse(text).unwrap();
    let head = request.head();
    let signed = parse(&head)?.ok_or(Error::Missing)?;
    let body = payload::of_body(&head, request.body.as_bytes());
    let now = signed.date.time;
    let terms = Terms { dialect: Dialect::Query, secret: SECRET, payload: &body, now };
    signed.verify(&head, &terms, &Keys::default()).map(drop)
}

/// Head and body of a request, with plain line ends.
fn split(text: &str) -> (String, String) {
    let text = text.replace("\r\n", "\n");
    let (top, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    (top.to_owned(), body.to_owned())
}

fn suite() -> Option<PathBuf> {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/suites");
    fs::read_dir(suites)
        .ok()?
        .filter_map(Result::ok)
        .map(|d| d.path().join("tests/unit/auth/aws4_testsuite"))
        .find(|p| p.is_dir())
}

fn collect(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|e| e == "sreq") {
            out.push(path);
        }
    }
}
