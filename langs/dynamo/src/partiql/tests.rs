//! Statements and what they come to.

use super::*;

fn n(i: i64) -> Attr {
    Attr::N(i.into())
}

#[test]
fn statements_are_read() {
    let select = parse(
        r#"SELECT a, "b c".d[0] FROM "my-table"."my-index" WHERE p = ? AND (c > 5 OR c IS MISSING) ORDER BY c DESC"#,
        &[Attr::S("x".into())],
    );
    let Statement::Select { table, index, what, condition, order } = select.unwrap() else {
        panic!("a select")
    };
    assert_eq!((table.as_str(), index.as_deref()), ("my-table", Some("my-index")));
    assert_eq!(what.unwrap()[1].to_string(), "[b c, d, [0]]");
    assert_eq!(order, [("c".to_owned(), true)]);
    let item: Item = [("p".to_owned(), Attr::S("x".into())), ("c".to_owned(), n(6))].into();
    assert!(condition.unwrap().holds(&item));

    let insert = r"INSERT INTO t VALUE {'p': 'it''s', 'n': -1.5e2, 's': <<'b','a'>>, 'l': [1, null, {'x': true}], 'q': ?}";
    let Statement::Insert { item, .. } = parse(insert, &[n(7)]).unwrap() else {
        panic!("an insert")
    };
    assert_eq!(item["p"], Attr::S("it's".into()));
    assert_eq!(item["n"], n(-150));
    assert_eq!(item["s"], Attr::Ss(vec!["a".into(), "b".into()]));
    assert_eq!(item["q"], n(7));

    let update = "UPDATE t SET a = a + 1, l = list_append(l, [9]) SET s = set_add(s, <<1>>) REMOVE z WHERE p = 'x' RETURNING ALL NEW *";
    let Statement::Update { update, returning, .. } = parse(update, &[]).unwrap() else {
        panic!("an update")
    };
    assert_eq!((update.set.len(), update.add.len(), update.remove.len()), (2, 1, 1));
    assert_eq!(returning, Some("ALL_NEW"));
    assert!(matches!(
        parse("DELETE FROM t WHERE p = 'x' AND begins_with(c, 'y') -- gone\n;", &[]).unwrap(),
        Statement::Delete { returning: None, .. }
    ));
    assert!(matches!(
        parse("EXISTS(SELECT * FROM t WHERE p = 1 AND c NOT IN [1, 2])", &[]).unwrap(),
        Statement::Exists { .. }
    ));
}

#[test]
fn what_is_refused() {
    let deep = format!("INSERT INTO t VALUE {}", "{'a':".repeat(200));
    for (text, why) in [
        ("", "Unexpected term: end of statement"),
        ("DROP TABLE t", "Unexpected term: DROP"),
        ("SELECT * FROM t WHERE", "Unexpected term"),
        ("SELECT * FROM t WHERE a = 'x", "Unterminated quotation"),
        ("SELECT * FROM t WHERE a = ?", "Number of parameters"),
        ("UPDATE t SET a = 1", "mandatory equality on all key attributes"),
        ("INSERT INTO t VALUE 5", "must be a tuple"),
        ("INSERT INTO t VALUE {'s': <<1, 'a'>>}", "of one type"),
        ("SELECT * FROM t é", "Unexpected term: é"),
        (&deep, "nested too deeply"),
        (&"x".repeat(9000), "maximum allowed size"),
    ] {
        let told = parse(text, &[]).unwrap_err().to_string();
        assert!(told.contains(why), "{text}: {told}");
    }
    assert!(parse("SELECT * FROM t", &[n(1)]).is_err());
}
