//! Evaluation, function by function, and its faults.

use serde_json::json;

use super::*;

struct World;

impl Scope for World {
    fn parameter(&self, name: &str) -> Option<Value> {
        match name {
            "AWS::Region" => Some(json!("us-east-1")),
            "Env" => Some(json!("prod")),
            "List" => Some(json!(["a", "b"])),
            _ => None,
        }
    }
    fn resource(&self, name: &str) -> Option<Value> {
        (name == "Bucket").then(|| json!("my-bucket"))
    }
    fn attribute(&self, resource: &str, attribute: &str) -> Result<Value> {
        match (resource, attribute) {
            ("Bucket", "Arn") => Ok(json!("arn:aws:s3:::my-bucket")),
            _ => Err(Error::template(format_args!(
                "resource {resource} does not support attribute type {attribute} in Fn::GetAtt"
            ))),
        }
    }
    fn import(&self, name: &str) -> Result<Value> {
        Err(Error(format!("No export named {name} found.")))
    }
    fn zones(&self, _: &str) -> Vec<String> {
        vec!["us-east-1a".into(), "us-east-1b".into()]
    }
}

fn template() -> Template {
    Template::parse(&json!({
        "Mappings": {"M": {"us-east-1": {"ami": "ami-1", "list": ["x", "y"]}}},
        "Conditions": {
            "Prod": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
            "Dev": {"Fn::Not": [{"Condition": "Prod"}]},
            "Either": {"Fn::Or": [{"Condition": "Dev"}, {"Condition": "Prod"}]},
            "Loop": {"Fn::Not": [{"Condition": "Loop"}]},
        },
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
    }))
    .unwrap()
}

#[test]
fn functions_give_what_cloudformation_gives() {
    let (t, w) = (template(), World);
    let e = Eval::new(&t, &w);
    let cases = [
        (json!({"Ref": "Bucket"}), json!("my-bucket")),
        (json!({"Fn::GetAtt": "Bucket.Arn"}), json!("arn:aws:s3:::my-bucket")),
        (
            json!({"Fn::Sub": "${Bucket}/${Bucket.Arn}/${!Keep}/${AWS::Region}"}),
            json!("my-bucket/arn:aws:s3:::my-bucket/${Keep}/us-east-1"),
        ),
        (json!({"Fn::Sub": ["${x}-${Env}", {"x": {"Ref": "Env"}}]}), json!("prod-prod")),
        (json!({"Fn::Join": ["-", ["a", {"Ref": "Env"}, 1, true]]}), json!("a-prod-1-true")),
        (json!({"Fn::Join": [",", {"Ref": "List"}]}), json!("a,b")),
        (json!({"Fn::Select": ["1", {"Fn::GetAZs": ""}]}), json!("us-east-1b")),
        (json!({"Fn::Select": [1, {"Fn::Split": ["|", "a|b"]}]}), json!("b")),
        (json!({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "ami"]}), json!("ami-1")),
        (json!({"Fn::FindInMap": ["M", "eu", "ami", {"DefaultValue": "none"}]}), json!("none")),
        (json!({"Fn::If": ["Prod", "big", "small"]}), json!("big")),
        (json!({"Fn::If": ["Dev", "big", {"Ref": "AWS::NoValue"}]}), Value::Null),
        (json!({"Fn::Base64": "hi"}), json!("aGk=")),
        (
            json!({"Fn::Cidr": ["10.0.0.0/16", 3, 8]}),
            json!(["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]),
        ),
        (json!({"Fn::Length": {"Ref": "List"}}), json!(2)),
        (json!({"Fn::ToJsonString": {"a": {"Ref": "Env"}}}), json!("{\"a\":\"prod\"}")),
        (json!([1, {"Ref": "AWS::NoValue"}, 2]), json!([1, 2])),
        (
            json!({"a": {"Ref": "AWS::NoValue"}, "Condition": {"x": 1}}),
            json!({"Condition": {"x": 1}}),
        ),
    ];
    for (given, want) in cases {
        assert_eq!(e.some(&given).unwrap(), want, "{given}");
    }
    assert!(e.condition("Either").unwrap() && !e.condition("Dev").unwrap());
    assert!(e.truth(&json!({"Fn::EachMemberIn": [["a"], {"Ref": "List"}]})).unwrap());
    assert!(e.truth(&json!({"Fn::Contains": [["prod"], {"Ref": "Env"}]})).unwrap());
}

#[test]
fn faults_are_worded_as_cloudformation_words_them() {
    let (t, w) = (template(), World);
    let cases = [
        (
            json!({"Fn::Select": [7, ["a"]]}),
            "Template error: Fn::Select cannot select nonexistent value at index 7",
        ),
        (
            json!({"Fn::FindInMap": ["M", "eu", "ami"]}),
            "Template error: Unable to get mapping for M::eu::ami",
        ),
        (
            json!({"Fn::GetAtt": ["Bucket", "Nope"]}),
            "Template error: resource Bucket does not support attribute type Nope in Fn::GetAtt",
        ),
        (json!({"Fn::ImportValue": "x"}), "No export named x found."),
        (
            json!({"Fn::If": ["Prod", 1]}),
            "Template error: Fn::If requires a list argument with three elements",
        ),
        (
            json!({"Fn::If": ["Loop", 1, 2]}),
            "Template error: Found circular condition dependency between Loop and itself",
        ),
    ];
    for (given, want) in cases {
        assert_eq!(Eval::new(&t, &w).some(&given).unwrap_err().to_string(), want);
    }
    for bad in [
        json!({"Fn::Join": "x"}),
        json!({"Fn::Join": ["", "x"]}),
        json!({"Fn::Cidr": ["10.0.0.0/16", 300, 8]}),
        json!({"Fn::Cidr": ["10.0.0.0/28", 16, 8]}),
        json!({"Fn::Cidr": ["nope", 1, 8]}),
        json!({"Fn::Sub": "${a b}"}),
        json!({"Fn::Nope": 1}),
    ] {
        assert!(Eval::new(&t, &w).some(&bad).is_err(), "{bad}");
    }
}
