//! Each intrinsic function, and calls that are none.

use serde_json::{Value, json};

use super::*;
use crate::world::Still;

fn value(text: &str) -> Result<Value, String> {
    let root =
        json!({"name": "Ann", "list": [1, 2, 2, 3], "n": 4, "o": {"a": 1}, "s": "{\"k\":1}"});
    let expr = Expr::parse(text)?;
    let select = |p: &Path| p.select(&root).map_err(|m| m.0);
    expr.value(&Still, &select).map_err(|e| match e {
        Error::Missing(p, _) => format!("missing {}", p.text),
        Error::Function(_, why) => why,
    })
}

#[test]
fn each_function_does_as_documented() {
    let cases = [
        (
            "States.Format('Hi {}, you are {} {}', $.name, $.n, $.list)",
            json!("Hi Ann, you are 4 [1,2,2,3]"),
        ),
        (r"States.Format('\{\} {} it\'s', 'x')", json!("{} x it's")),
        ("States.StringToJson($.s)", json!({"k": 1})),
        (r#"States.StringToJson('{"a": "b"}')"#, json!({"a": "b"})),
        ("States.JsonToString($.o)", json!("{\"a\":1}")),
        ("States.Array($.n, 'x', null, true, States.Array())", json!([4, "x", null, true, []])),
        ("States.ArrayPartition($.list, 3)", json!([[1, 2, 2], [3]])),
        ("States.ArrayContains($.list, 3)", json!(true)),
        ("States.ArrayContains($.list, '3')", json!(false)),
        ("States.ArrayRange(1, 9, 3)", json!([1, 4, 7])),
        ("States.ArrayRange(3, 1, -1)", json!([3, 2, 1])),
        ("States.ArrayGetItem($.list, 0)", json!(1)),
        ("States.ArrayLength($.list)", json!(4)),
        ("States.ArrayUnique($.list)", json!([1, 2, 3])),
        ("States.Base64Encode('Hello')", json!("SGVsbG8=")),
        ("States.Base64Decode('SGVsbG8=')", json!("Hello")),
        ("States.Hash('a', 'MD5')", json!("0cc175b9c0f1b6a831c399e269772661")),
        ("States.JsonMerge($.o, States.StringToJson($.s), false)", json!({"a": 1, "k": 1})),
        ("States.MathAdd($.n, -1)", json!(3)),
        ("States.StringSplit('1,2,,3+4', ',+')", json!(["1", "2", "3", "4"])),
        ("States.MathRandom(1, 2)", json!(1)),
        ("States.UUID()", json!("00000000-0000-4000-8000-000000000000")),
    ];
    for (text, want) in cases {
        assert_eq!(value(text), Ok(want), "{text}");
    }
}

#[test]
fn what_is_no_call_is_refused() {
    let nested = format!("{}$.n{}", "States.Array(".repeat(11), ")".repeat(11));
    for bad in [
        "States.Nope($.n)",
        "States.MathAdd(1)",
        "States.Format('x",
        "States.UUID",
        "hello",
        "States.Array(1 2)",
        "States.Array(x)",
        &nested,
    ] {
        assert!(Expr::parse(bad).is_err(), "{bad}");
    }
    for bad in [
        "States.ArrayRange(0, 5000, 1)",
        "States.MathAdd('a', 1)",
        "States.JsonMerge($.o, $.o, true)",
        "States.Format('{}')",
        "States.ArrayGetItem($.list, 9)",
        "States.Format('{}', $.nope)",
    ] {
        assert!(value(bad).is_err(), "{bad}");
    }
}
