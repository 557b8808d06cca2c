//! Patterns against messages, most of them from AWS's own documentation.

use super::*;

fn check(pattern: &str, yes: &[&str], no: &[&str]) {
    let filter = Filter::parse(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
    for m in yes {
        assert!(filter.matches(m), "{pattern} is about {m}");
    }
    for m in no {
        assert!(!filter.matches(m), "{pattern} is not about {m}");
    }
}

#[test]
fn terms() {
    check("", &["", "anything"], &[]);
    check("ERROR", &["[ERROR 400] BAD"], &["error", "[WARN]"]);
    check("ERROR ARGUMENTS", &["[ERROR 420] INVALID ARGUMENTS"], &["ERROR", "ARGUMENTS"]);
    check("?ERROR ?ARGUMENTS", &["ERROR", "ARGUMENTS"], &["x"]);
    check("\"INTERNAL SERVER\"", &["[ERROR 500] INTERNAL SERVER ERROR"], &["SERVER INTERNAL"]);
    check("ERROR -ARGUMENTS", &["ERROR x"], &["ERROR ARGUMENTS", "x"]);
    check("-DEBUG", &["x", ""], &["a DEBUG b"]);
    // Beside other terms, optional ones are ignored.
    check("?ERROR INFO", &["INFO"], &["ERROR"]);
    check("%4[0-9]{2}%", &["status 404"], &["status 504"]);
    check("-\"a b\" ?c", &["x"], &["a b"]);
}

#[test]
fn json() {
    let event = r#"{"eventType": "UpdateTrail", "n": 5, "ok": true, "none": null, "ip": "123.1.2.3",
        "a": [{"k": "v"}, {"k": 7}], "o": {"d": "deep"}, "sp ace": 1, "big": 1e3}"#;
    for yes in [
        r#"{ $.eventType = "UpdateTrail" }"#,
        "{$.eventType=UpdateTrail}",
        "{ $.ip = 123.* }",
        "{ $.ip != 124.* }",
        "{ $.n = 5 }",
        "{ $.n >= 5 && $.n < 5.5 }",
        "{ $.big = 1000 }",
        "{ $.a[0].k = v }",
        "{ $.a[*].k = 7 }",
        "{ $.none IS NULL }",
        "{ $.ok IS TRUE }",
        "{ $.ok = true }",
        "{ $.nope NOT EXISTS }",
        "{ $.o.d = %^de+p$% }",
        r#"{ $["sp ace"] = 1 }"#,
        "{ ($.n = 1 || $.n = 5) && ($.o.d = deep) }",
        "{ $.n = 1 && $.n = 2 || $.n = 5 }",
        r#"{ $.eventType = "*Trail" }"#,
    ] {
        check(yes, &[event], &["", "UpdateTrail", "{", "[]"]);
    }
    for no in [
        "{ $.n = 6 }",
        "{ $.n > 5 }",
        "{ $.nope = 1 }",
        "{ $.nope != 1 }",
        "{ $.ok IS FALSE }",
        "{ $.eventType IS NULL }",
        "{ $.eventType NOT EXISTS }",
        "{ $.eventType > 3 }",
        "{ $.n = 1 && ($.n = 2 || $.n = 5) }",
    ] {
        check(no, &[], &[event]);
    }
}

#[test]
fn fields() {
    let line =
        r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;
    for yes in [
        "[ip, user, username, timestamp, request, status_code, bytes]",
        "[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes > 1000]",
        "[..., request = GET*, status_code = 404 || status_code = 410, bytes]",
        "[ip = %127\\.0\\.0\\.[1-9]%, ...]",
        "[ip, ..., bytes >= 1534]",
        "[,,,,,status=404,]",
        "[ip=127.0.0.1 && ip != 1, user, username = frank, ...]",
    ] {
        check(yes, &[line], &["", "a b"]);
    }
    for no in [
        "[ip, user]",
        "[..., status_code = 5*, bytes]",
        "[ip, user, username, timestamp, request, status_code, bytes, more]",
        "[..., bytes < 10]",
    ] {
        check(no, &[], &[line]);
    }
    let filter = Filter::parse("[ip, ..., request, status, bytes]").unwrap();
    assert_eq!(filter.value(line, "$bytes").as_deref(), Some("1534"));
    assert_eq!(filter.extract(line)["$request"], "GET /index.html HTTP/1.0");
    assert!(filter.knows("$ip") && filter.knows("1") && !filter.knows("$nope"));
}

#[test]
fn what_is_read_from_json() {
    let filter = Filter::parse("{ $.a = * || $.b[0] = 1 }").unwrap();
    let event = r#"{"a": "x", "b": [1], "latency": 5.25}"#;
    let found: Vec<_> = filter.extract(event).into_iter().collect();
    assert_eq!(found, [("$.a".into(), "x".into()), ("$.b[0]".into(), "1".into())]);
    assert_eq!(filter.value(event, "$.latency").as_deref(), Some("5.25"));
    assert_eq!(filter.value(event, "$.nope"), None);
    assert_eq!(filter.value(event, "3").as_deref(), Some("3"));
}

#[test]
fn what_cannot_be_read_is_refused() {
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(200), ")".repeat(200));
    let long = "x".repeat(1025);
    for bad in [
        "{ $.a }",
        "{ $.a = }",
        "{ a = 1 }",
        "{ $.a = 1",
        "{}",
        "{ $.a = 1 $.b = 2 }",
        "[",
        "[a",
        "[a = ]",
        "[a, b = 1 && c = 2]",
        "[..., ...]",
        "\"open",
        "%open",
        "%(%",
        "{ $.a > x }",
        "{ $. = 1 }",
        "{ $.a[x] = 1 }",
        "{ $.a IS ODD }",
        "{ ($.a = 1 }",
        "-",
        "?",
        "a{b",
        "{ $.a[ }",
        "{ $.a > %1% }",
        &deep,
        &long,
    ] {
        assert!(Filter::parse(bad).is_err(), "{bad}");
    }
}
