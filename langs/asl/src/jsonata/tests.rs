//! Expressions, and how those end that would not.

use serde_json::json;

use super::*;
use crate::world::Still;

fn value(source: &str) -> Result<Value, Failure> {
    let input = Arc::new(json!({"a": 1, "list": [1, 2, 3, 4, 5], "s": "x"}));
    let world: Arc<dyn World + Send + Sync> = Arc::new(Still);
    let names = Names {
        input: &input,
        result: Some(&json!({"r": true})),
        error: None,
        context: &|| json!({"State": {"Name": "S"}}),
        variable: &|n| (n == "v").then(|| Arc::new(json!(7))),
        world: &world,
    };
    Expression::new(source, "Output").value(&names)
}

#[test]
fn expressions_see_states_and_variables() {
    for (source, want) in [
        ("$states.input.a + $v", json!(8)),
        ("$states.result.r", json!(true)),
        ("$states.context.State.Name", json!("S")),
        ("$keys($states)", json!(["input", "context", "result"])),
        ("[0.5, 1e20, 3]", json!([0.5, 1e20, 3])),
        ("$partition($states.input.list, 2)", json!([[1, 2], [3, 4], [5]])),
        ("$range(1, 6, 2)", json!([1, 3, 5])),
        ("$hash('a', 'MD5')", json!("0cc175b9c0f1b6a831c399e269772661")),
        ("$parse('{\"k\": [1]}')", json!({"k": [1]})),
        ("$uuid()", json!("00000000-0000-4000-8000-000000000000")),
        ("$random(3) = $random(3)", json!(true)),
        ("$millis()", json!(0)),
        ("$now()", json!("1970-01-01T00:00:00.000Z")),
    ] {
        assert_eq!(value(source), Ok(want), "{source}");
    }
}

#[test]
fn what_has_no_value_says_why() {
    assert_eq!(value("$nope"), Err(Failure::Undefined));
    assert_eq!(value("$states.input.nope"), Err(Failure::Undefined));
    assert_eq!(value("function($x){$x}"), Err(Failure::NoJson));
    assert!(matches!(value("'a' + 1"), Err(Failure::Threw(why)) if why.starts_with("T2001")));
    assert!(matches!(value("$eval('1')"), Err(Failure::Threw(_))));
    assert!(Expression::check("(1 + ").is_err());
    assert!(Expression::check(&"(".repeat(100_000)).is_err());
}

#[test]
fn what_loops_or_explodes_ends() {
    for source in [
        "($f := function($x){$f($x + 1)}; $f(0))",
        "($f := function($x){1 + $f($x + 1)}; $f(0))",
        "$map([1..9000000], function($x){$x})",
        "($a := [1..9]; $b := [$a,[$a],$a,$a,$a,$a,$a,$a]; $c := [$b,[$b],$b,$b,$b,$b,$b,$b]; \
          $d := [[$c],[$c],[$c],[$c],[$c],[$c],[$c]]; $e := [[$d],[$d],[$d],[$d],[$d],[$d],[$d]]; \
          $f := [[$e],[$e],[$e],[$e],[$e],[$e],[$e]]; [[$f],[$f],[$f],[$f],[$f],[$f],[$f],[$f]])",
    ] {
        assert!(matches!(value(source), Err(Failure::Threw(_) | Failure::TooLarge)), "{source}");
    }
}
