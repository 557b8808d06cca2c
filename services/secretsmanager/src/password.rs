//! GetRandomPassword.

use fogbank_core::{Cx, Ids, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::Manager;
use crate::error::{invalid_parameter, invalid_request};

pub const OPS: &[Op<Manager>] = ops![GetRandomPassword => get_random_password];

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PasswordInput {
    password_length: Option<usize>,
    #[serde(default)]
    exclude_characters: String,
    #[serde(default)]
    exclude_numbers: bool,
    #[serde(default)]
    exclude_punctuation: bool,
    #[serde(default)]
    exclude_uppercase: bool,
    #[serde(default)]
    exclude_lowercase: bool,
    #[serde(default)]
    include_space: bool,
    require_each_included_type: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PasswordOutput {
    random_password: String,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html>
async fn get_random_password(_: &Manager, cx: &Cx, input: PasswordInput) -> Result<PasswordOutput> {
    Ok(PasswordOutput { random_password: make(cx.ids(), &input)? })
}

fn make(ids: &Ids, input: &PasswordInput) -> Result<String> {
    let space = if input.include_space { " " } else { "" };
    let kinds: Vec<Vec<u8>> = [
        (LOWER, input.exclude_lowercase),
        (UPPER, input.exclude_uppercase),
        (DIGITS, input.exclude_numbers),
        (PUNCTUATION, input.exclude_punctuation),
        (space, !input.include_space),
    ]
    .iter()
    .filter(|(_, excluded)| !excluded)
    .map(|(kind, _)| {
        kind.bytes().filter(|b| !input.exclude_characters.contains(char::from(*b))).collect()
    })
    .filter(|kind: &Vec<u8>| !kind.is_empty())
    .collect();
    let all: Vec<u8> = kinds.concat();
    if all.is_empty() {
        return Err(invalid_request("There are no characters left to make a password of."));
    }
    let length = input.password_length.unwrap_or(32);
    // A space is no type of which there must be one.
    let mut required =
        if input.require_each_included_type == Some(false) { Vec::new() } else { kinds };
    required.retain(|k| k != b" ");
    if length < required.len() {
        return Err(invalid_parameter("Password length is too short based on the required types."));
    }
    let mut password: Vec<u8> = required.iter().flat_map(|k| ids.pick(k, 1).into_bytes()).collect();
    password.extend(ids.pick(&all, length - password.len()).bytes());
    // Fisher and Yates: the required ones stand anywhere.
    for i in (1..password.len()).rev() {
        password.swap(i, below(ids, i + 1));
    }
    Ok(password.into_iter().map(char::from).collect())
}

/// A number below `n`, each as likely as the next.
fn below(ids: &Ids, n: usize) -> usize {
    let n = u64::try_from(n).unwrap_or(u64::MAX);
    let limit = u64::MAX - u64::MAX % n;
    loop {
        let mut bytes = [0; 8];
        ids.fill(&mut bytes);
        let x = u64::from_le_bytes(bytes);
        if x < limit {
            return usize::try_from(x % n).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(json: &str) -> PasswordInput {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn passwords_have_what_is_asked_for() {
        let ids = Ids::seeded(1);
        let has = |p: &str, kind: &str| p.chars().any(|c| kind.contains(c));
        for _ in 0..200 {
            let p = make(&ids, &input("{}")).unwrap();
            assert_eq!(p.len(), 32);
            assert!([LOWER, UPPER, DIGITS, PUNCTUATION].iter().all(|k| has(&p, k)), "{p}");
            let p = make(&ids, &input(r#"{"PasswordLength":4}"#)).unwrap();
            assert!([LOWER, UPPER, DIGITS, PUNCTUATION].iter().all(|k| has(&p, k)), "{p}");
            let p = make(&ids, &input(r#"{"PasswordLength":200,"ExcludePunctuation":true,"ExcludeCharacters":"abcO0"}"#)).unwrap();
            assert!(!has(&p, PUNCTUATION) && !has(&p, "abcO0"), "{p}");
        }
        let p = make(
            &ids,
            &input(
                r#"{"PasswordLength":1,"ExcludeLowercase":true,"ExcludeUppercase":true,"ExcludePunctuation":true}"#,
            ),
        );
        assert!(has(&p.unwrap(), DIGITS));
        for bad in [
            r#"{"PasswordLength":3}"#,
            r#"{"ExcludeLowercase":true,"ExcludeUppercase":true,"ExcludePunctuation":true,"ExcludeNumbers":true}"#,
        ] {
            assert!(make(&ids, &input(bad)).is_err(), "{bad}");
        }
        assert!(
            make(&ids, &input(r#"{"PasswordLength":1,"RequireEachIncludedType":false}"#)).is_ok()
        );
    }
}
