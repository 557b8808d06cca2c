//! Paths, where they lead, and texts that are none.

use serde_json::{Value, json};

use super::*;

fn select(path: &str, root: &Value) -> Result<Value, String> {
    Path::parse(path)?.select(root).map_err(|Missing(m)| m)
}

#[test]
fn paths_lead_where_aws_says() {
    let doc = json!({
        "a": {"b-c": [1, 2, 3], "x y": true},
        "items": [{"n": 1, "k": "p"}, {"n": 2, "k": "q"}, {"k": "r", "tags": ["t"]}],
    });
    let cases = [
        ("$", doc.clone()),
        ("$.a.b-c[1]", json!(2)),
        ("$.a.b-c[-1]", json!(3)),
        ("$['a']['x y']", json!(true)),
        ("$.a.b-c[0:2]", json!([1, 2])),
        ("$.a.b-c[-2:]", json!([2, 3])),
        ("$.a.b-c[0,2]", json!([1, 3])),
        ("$.items[*].n", json!([1, 2])),
        ("$..n", json!([1, 2])),
        ("$.items[?(@.n == 2)].k", json!(["q"])),
        ("$.items[?(@.n > 1 || @.k == 'r')].k", json!(["q", "r"])),
        ("$.items[?(@.tags)].k", json!(["r"])),
        ("$.items[?(!@.tags && @.n >= 1)].k", json!(["p", "q"])),
        ("$.items[?(@.k in ['p', 'r'])].k", json!(["p", "r"])),
        ("$.items[?(@.k == q)].n", json!([2])),
        ("$.items[(@.length-1)].k", json!("r")),
        ("$.items.length()", json!(3)),
        ("$.nope[*].x", json!([])),
        ("$.a.b-c.sum()", json!(6.0)),
    ];
    for (path, want) in cases {
        assert_eq!(select(path, &doc), Ok(want), "{path}");
    }
}

#[test]
fn what_is_missing_is_told() {
    let doc = json!({"a": {}});
    assert_eq!(select("$.x", &doc), Err("No results for path: $['x']".into()));
    assert_eq!(select("$.x.y", &doc), Err("Missing property in path $['x']".into()));
    assert_eq!(select("$.a[3]", &doc), Err("No results for path: $['a'][3]".into()));
}

#[test]
fn what_is_no_path_is_refused() {
    for bad in
        ["", "x", "$.", "$.a[", "$.a[?(@.x", "$.a['x", "$[?@.x]", "$.a b", "$.a[1", "$..", "$[a]"]
    {
        assert!(Path::parse(bad).is_err(), "{bad}");
    }
    let deep = format!("$[?({}@.x)]", "(".repeat(100_000));
    assert!(Path::parse(&deep).is_err());
}

#[test]
fn results_are_put_in_place() {
    let put = |path: &str, root: Value| put(&Path::parse(path).unwrap(), root, json!(1));
    assert_eq!(put("$", json!({"a": 0})), Ok(json!(1)));
    assert_eq!(put("$.b.c", json!({"a": 0})), Ok(json!({"a": 0, "b": {"c": 1}})));
    assert_eq!(put("$.a[1]", json!({"a": [0, 0]})), Ok(json!({"a": [0, 1]})));
    assert!(put("$.a[5]", json!({"a": [0]})).is_err());
    assert!(put("$.a", json!([0])).is_err());
}
