//! Documents that are refused, and what AWS says about each.

use fogbank_policy::{Named, Policy, Usage};

fn message(usage: Usage<'_>, text: &str) -> String {
    match Policy::parse(text, usage) {
        Ok(_) => "fine".into(),
        Err(e) => e.message().to_owned(),
    }
}

/// A document around one statement.
fn around(statement: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
}

const SYNTAX: &str = "Syntax errors in policy.";
const VENDOR: &str = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
const LEGACY: &str = "The policy failed legacy parsing";

#[test]
fn identity_policies() {
    for (text, wanted) in [
        ("no json", SYNTAX),
        ("[]", SYNTAX),
        ("", SYNTAX),
        (r#"{"Version":"2012-10-17"}"#, SYNTAX),
        (r#"{"Version":"2012-10-17","Statement":[]}"#, SYNTAX),
        (r#"{"Version":"2012-10-17","Statement":"x"}"#, SYNTAX),
        (r#"{"Version":"2012-10-17","Statement":{},"Extra":1}"#, SYNTAX),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
            "Policy document must be version 2012-10-17 or greater.",
        ),
        (
            r#"{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
            "Policy document must be version 2012-10-17 or greater.",
        ),
    ] {
        assert_eq!(message(Usage::Identity, text), wanted, "{text}");
    }
    for (statement, wanted) in [
        (r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#, "fine"),
        (
            r#"[{"Sid":"a1","Effect":"Deny","NotAction":["s3:*"],"NotResource":["arn:aws:s3:::b"]}]"#,
            "fine",
        ),
        (r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:*"}"#, "fine"),
        (r#"{"Effect":"allow","Action":"s3:*","Resource":"*"}"#, SYNTAX),
        (r#"{"Action":"s3:*","Resource":"*"}"#, SYNTAX),
        (r#"{"Effect":"Allow","Resource":"*"}"#, "Policy statement must contain actions."),
        (
            r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#,
            "Policy statement must contain actions.",
        ),
        (r#"{"Effect":"Allow","Action":"s3:*"}"#, "Policy statement must contain resources."),
        (r#"{"Effect":"Allow","Action":"s3:*","NotAction":"s3:*","Resource":"*"}"#, SYNTAX),
        (r#"{"Effect":"Allow","Action":1,"Resource":"*"}"#, SYNTAX),
        (r#"{"Effect":"Allow","Action":"ListBucket","Resource":"*"}"#, VENDOR),
        (
            r#"{"Effect":"Allow","Action":"s3:List:Bucket","Resource":"*"}"#,
            "Actions/Condition can contain only one colon.",
        ),
        (
            r#"{"Effect":"Allow","Action":"s 3:ListBucket","Resource":"*"}"#,
            "Vendor s 3 is not valid",
        ),
        (
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}"#,
            r#"Resource bucket must be in ARN format or "*"."#,
        ),
        (r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3::b"}"#, LEGACY),
        (
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:error:s3:::b"}"#,
            r#"Partition "error" is not valid for resource "arn:error:s3:::b"."#,
        ),
        (
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*"}"#,
            "Policy document should not specify a principal.",
        ),
        (
            r#"[{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"}]"#,
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (
            r#"{"Sid":"a b","Effect":"Allow","Action":"s3:*","Resource":"*"}"#,
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the \
             regular expression [0-9A-Za-z]*",
        ),
        (r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":[]}"#, SYNTAX),
        (
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"X":{"a:b":"c"}}}"#,
            SYNTAX,
        ),
        (
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"a":"c"}}}"#,
            VENDOR,
        ),
        (
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"a:b":{}}}}"#,
            SYNTAX,
        ),
        (
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"NumericEquals":{"a:b":"c"}}}"#,
            LEGACY,
        ),
        (
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"1.2.3.4/99"}}}"#,
            LEGACY,
        ),
        // A repeated key would lose what stands under it.
        (r#"{"Effect":"Allow","Effect":"Deny","Action":"s3:*","Resource":"*"}"#, SYNTAX),
        (
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"a:b":"true"},"Bool":{"a:c":"true"}}}"#,
            SYNTAX,
        ),
    ] {
        assert_eq!(message(Usage::Identity, &around(statement)), wanted, "{statement}");
    }
}

#[test]
fn trust_policies() {
    for (statement, wanted) in [
        (
            r#"{"Effect":"Allow","Principal":{"Service":"elasticfilesystem.amazonaws.com"},"Action":"sts:AssumeRole"}"#,
            "fine",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["sts:AssumeRole","sts:TagSession"]}"#,
            "fine",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"Service":"s3files.amazonaws.com"},"Action":"sts:AssumeRole"}"#,
            r#"Invalid principal in policy: "SERVICE":"s3files.amazonaws.com""#,
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"alice"},"Action":"sts:AssumeRole"}"#,
            r#"Invalid principal in policy: "AWS":"alice""#,
        ),
        (
            r#"{"Effect":"Allow","Principal":{"Federated":"example.com"},"Action":"sts:AssumeRole"}"#,
            r#"Invalid principal in policy: "FEDERATED":"example.com""#,
        ),
        (r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#, "Missing required field Principal"),
        (r#"{"Effect":"Allow","Principal":"*"}"#, "Missing required field Action"),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}"#,
            "Has prohibited field Resource",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject"}"#,
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
    ] {
        assert_eq!(message(Usage::Trust, &around(statement)), wanted, "{statement}");
    }
    let old = r#"{"Version":"2008-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    assert_eq!(message(Usage::Trust, old), "fine");
}

#[test]
fn bucket_policies() {
    let usage = Usage::Bucket("b");
    for (text, wanted) in [
        ("", "Policies must be valid JSON and the first byte must be '{'"),
        (" {}", "Policies must be valid JSON and the first byte must be '{'"),
        ("{", "Policies must be valid JSON and the first byte must be '{'"),
        ("{}", "Missing required field Statement"),
        (
            r#"{"Version":"2013-01-01","Statement":[]}"#,
            "The policy must contain a valid version string",
        ),
        (r#"{"Foo":1}"#, "Unknown field Foo"),
        (r#"{"Statement":[]}"#, "Could not parse the policy: Statement is empty!"),
    ] {
        assert_eq!(message(usage, text), wanted, "{text}");
    }
    for (statement, wanted) in [
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
            "fine",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"CanonicalUser":"79a5"},"Action":"s3:*","Resource":["arn:aws:s3:::b"]}"#,
            "fine",
        ),
        (
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
            "Missing required field Principal",
        ),
        (
            r#"{"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
            "Missing required field Effect",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Resource":"arn:aws:s3:::b/*"}"#,
            "Missing required field Action",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject"}"#,
            "Missing required field Resource",
        ),
        (
            r#"{"Effect":"Maybe","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
            "Invalid effect: Maybe",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"x"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
            "Invalid principal in policy",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:Nothing","Resource":"arn:aws:s3:::b/*"}"#,
            "Policy has invalid action",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::c/*"}"#,
            "Policy has invalid resource",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"b"}"#,
            "Policy has invalid resource",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b"}"#,
            "Action does not apply to any resource(s) in statement",
        ),
        (
            r#"{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
            "Allow with NotPrincipal is not allowed.",
        ),
        (
            r#"{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
            "fine",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"Foo":{"aws:SourceIp":"1.2.3.4"}}}"#,
            "Invalid Condition type : Foo",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"Foo":"1"}}}"#,
            "Policy has an invalid condition key",
        ),
    ] {
        assert_eq!(message(usage, &around(statement)), wanted, "{statement}");
    }
    let e = Policy::parse("{}", usage).unwrap_err();
    assert_eq!((e.code(), e.api().status_override()), ("MalformedPolicy", Some(400)));
    let e = Policy::parse("{}", Usage::Identity).unwrap_err();
    assert_eq!((e.code(), e.api().status_override()), ("MalformedPolicyDocument", Some(400)));
}

#[test]
fn resource_policies() {
    for (statement, wanted) in [
        (r#"{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage"}"#, "fine"),
        (
            r#"{"Sid":"with blanks","Effect":"Allow","Principal":{"AWS":"*"},"Action":"elasticfilesystem:ClientMount","Resource":"*"}"#,
            "fine",
        ),
        (r#"{"Effect":"Allow","Action":"sqs:SendMessage"}"#, "Missing required field Principal"),
    ] {
        assert_eq!(message(Usage::Resource, &around(statement)), wanted, "{statement}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    for usage in [Usage::Identity, Usage::Bucket("b"), Usage::Stored] {
        assert!(Policy::parse(&"[".repeat(1 << 20), usage).is_err());
        assert!(Policy::parse(&"{\"Statement\":".repeat(10_000), usage).is_err());
        let deep = format!(r#"{{"Statement":{}}}"#, "[".repeat(200) + &"]".repeat(200));
        assert!(Policy::parse(&deep, usage).is_err());
    }
}

#[test]
fn principals_are_listed() {
    let text = around(
        r#"[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/r","444455556666"]},"Action":"sts:AssumeRole"},
            {"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]"#,
    );
    let p = Policy::parse(&text, Usage::Trust).unwrap();
    let named: Vec<&Named> = p.principals().collect();
    assert_eq!(named.len(), 3);
    assert_eq!(*named[0], Named::Arn("arn:aws:iam::111122223333:role/r".into()));
    assert_eq!(*named[1], Named::Account("444455556666".into()));
}
