//! Conditions that hold, that do not, and that are refused.

use super::*;

fn item() -> Item {
    let n = |t: &str| Attr::N(t.parse().unwrap());
    let s = |t: &str| Attr::S(t.into());
    [
        ("a", n("5")),
        ("b", s("hello")),
        ("c", Attr::L(vec![n("1"), s("x")])),
        ("d", Attr::M([("e".to_owned(), Attr::M([("f".to_owned(), n("7"))].into()))].into())),
        ("g", Attr::Ss(vec!["p".into(), "q".into()])),
        ("h", Attr::Null),
        ("k", Attr::B(vec![1, 2, 3])),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_owned(), v))
    .collect()
}

fn scope() -> Scope {
    let n = |t: &str| Attr::N(t.parse().unwrap());
    let s = |t: &str| Attr::S(t.into());
    let values = [
        (":five", n("5.0")),
        (":six", n("6")),
        (":s", s("he")),
        (":x", s("x")),
        (":p", s("p")),
        (":type", s("N")),
        (":nope", s("Z")),
        (":list", Attr::L(vec![])),
        (":seven", n("7")),
    ];
    let names = [("#n".to_owned(), "a".to_owned()), ("#e".to_owned(), "e".to_owned())];
    let values = values.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    Scope::new(Some(names.into()), Some(values)).unwrap()
}

#[test]
fn what_holds() {
    for (text, expected) in [
        ("a = :five", true),
        ("#n = :five AND b <> :s", true),
        ("a < :six and not a > :six", true),
        ("a = :six OR a = :five AND b = :s", false),
        ("(a = :six OR a = :five) AND begins_with(b, :s)", true),
        ("NOT a = :six", true),
        ("a BETWEEN :five AND :six", true),
        ("a IN (:six, :five)", true),
        ("d.#e.f = :seven", true),
        ("c[1] = :x", true),
        ("c[9] = :x", false),
        ("contains(c, :x)", true),
        ("contains(g, :p)", true),
        ("contains(b, :s)", true),
        ("size(b) = :five", true),
        ("size(c) < size(b)", true),
        ("size(a) < :six", false),
        ("attribute_exists(d.e)", true),
        ("attribute_not_exists(d.zz)", true),
        ("attribute_type(a, :type)", true),
        ("zz <> :five", true),
        ("zz = :five", false),
        ("b > :six", false),
        ("a <> :s", true),
    ] {
        let scope = scope();
        let c = Condition::parse(text, &scope).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(c.holds(&item()), expected, "{text}");
    }
}

#[test]
fn what_is_refused() {
    let deep = format!("{}a = :five", "NOT ".repeat(301));
    let many = format!("a = :five{}", " OR a = :five".repeat(200));
    let fits = format!("a = :five{}{}", " or (a = :five".repeat(149), ")".repeat(149));
    Condition::parse(&fits, &scope()).unwrap();
    let brackets = format!("{}a = :five", "(".repeat(1000));
    for (text, why) in [
        ("", "The expression can not be empty;"),
        ("a = ", "Syntax error; token: \"<EOF>\", near: \"= \""),
        ("a == :five", "Syntax error; token: \"=\", near: \"== :five\""),
        ("a = :five b", "Syntax error; token: \"b\""),
        ("a % :five", "Syntax error; token: \"%\""),
        ("name = :five", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("a = :zz", "value used in expression is not defined; attribute value: :zz"),
        ("#zz = :five", "name used in the document path is not defined; attribute name: #zz"),
        ("foo(a)", "Invalid function name; function: foo"),
        ("attribute_exists(a, b)", "number of operands: 2"),
        (
            "attribute_exists(:five)",
            "requires a document path; operator or function: attribute_exists",
        ),
        ("attribute_type(a, :nope)", "Invalid attribute type name found; type: Z"),
        ("begins_with(b, :five)", "operator or function: begins_with, operand type: N"),
        ("a < :list", "operator or function: <, operand type: L"),
        (
            "a BETWEEN :six AND :five",
            "upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:6}",
        ),
        ("a BETWEEN :six AND :s", "same data type"),
        ("a = a", "first operand must be distinct"),
        ("size(a)", "not allowed to be used this way in an expression; function: size"),
        ("list_append(a, b)", "not allowed in a condition expression"),
        ("((a = :five))", "redundant parentheses"),
        ("a", "Syntax error"),
        ("a.", "Syntax error"),
        ("a[x] = :five", "Syntax error"),
        ("_a = :five", "Syntax error; token: \"_\""),
        (&many, "too many operators"),
        (&deep, "nested too deeply"),
        (&brackets, "nested too deeply"),
        (&"a".repeat(5000), "expression size: 5000"),
    ] {
        let told = Condition::parse(text, &scope()).unwrap_err().to_string();
        assert!(told.contains(why), "{text}: {told}");
    }
    Condition::parse("(a = :five) AND (b = :s)", &scope()).unwrap();
    Condition::parse("((a = :five) AND (b = :s))", &scope()).unwrap();
}

#[test]
fn placeholders_must_be_used() {
    let scope = scope();
    Condition::parse("#n = :five", &scope).unwrap();
    let told = scope.check_used().unwrap_err().to_string();
    assert_eq!(
        told,
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#e}"
    );
    for (names, why) in [
        ("n", "invalid key: Syntax error; key: \"n\""),
        ("#", "invalid key"),
        ("#a-b", "invalid key"),
    ] {
        let told = Scope::new(Some([(names.to_owned(), "a".to_owned())].into()), None)
            .unwrap_err()
            .to_string();
        assert!(told.contains(why), "{names}: {told}");
    }
    assert!(Scope::new(Some([].into()), None).is_err());
}
