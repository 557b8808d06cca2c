//! botocore's `service-2.json` -> the text of a table, without any prose.
//!
//! The format is described in `models/README.md`; [`load`](crate::load) reads it.

use std::fmt::Write;

use serde_json::Value;

/// The table of the service that botocore keeps under `id`.
#[must_use]
pub fn table(id: &str, model: &Value) -> String {
    let meta = &model["metadata"];
    let mut out = Line::new("service");
    out.word(id).word(text(meta, "apiVersion"));
    out.text("endpoint", &meta["endpointPrefix"]).text("signing", &meta["signingName"]);
    out.text("id", &meta["serviceId"]).text("target", &meta["targetPrefix"]);
    out.text("json", &meta["jsonVersion"]);
    match &meta["xmlNamespace"] {
        Value::Object(o) => out.text("xmlns", &o["uri"]),
        other => out.text("xmlns", other),
    };
    let protocols: Vec<&str> = match meta["protocols"].as_array() {
        Some(all) => all.iter().filter_map(Value::as_str).collect(),
        None => vec![text(meta, "protocol")],
    };
    out.pair("protocols", &protocols.join(","));
    out.flag("query-compatible", !meta["awsQueryCompatible"].is_null());
    let mut out = out.end();
    for (name, op) in members(&model["operations"]) {
        // A deprecated operation whose successor has the same method and path.
        let heir = |(_, o): (&str, &Value)| o["deprecated"] != true && o["http"] == op["http"];
        let rest = text(meta, "protocol").starts_with("rest");
        if rest && op["deprecated"] == true && members(&model["operations"]).any(heir) {
            continue;
        }
        operation(&mut out, name, op);
    }
    for (name, shape) in members(&model["shapes"]) {
        write_shape(&mut out, name, shape);
    }
    out
}

fn operation(out: &mut String, name: &str, op: &Value) {
    let mut l = Line::new("op");
    l.word(name).word(text(&op["http"], "method")).word(text(&op["http"], "requestUri"));
    l.number("status", &op["http"]["responseCode"]);
    l.text("in", &op["input"]["shape"]).text("out", &op["output"]["shape"]);
    l.text("wrapper", &op["output"]["resultWrapper"]);
    l.text("root", &op["input"]["locationName"]);
    l.text("rootns", &op["input"]["xmlNamespace"]["uri"]);
    l.text("host", &op["endpoint"]["hostPrefix"]);
    let errors: Vec<&str> =
        op["errors"].as_array().into_iter().flatten().filter_map(|e| e["shape"].as_str()).collect();
    l.list("errors", &errors);
    let none = op["authtype"] == "none" || op["auth"] == serde_json::json!(["smithy.api#noAuth"]);
    l.flag("anonymous", none);
    let unsigned = op["authtype"] == "v4-unsigned-body" || op["unsignedPayload"] == true;
    l.flag("unsigned-body", unsigned);
    let checksum =
        op["httpChecksumRequired"] == true || op["httpChecksum"]["requestChecksumRequired"] == true;
    l.flag("checksum", checksum);
    out.push_str(&l.end());
}

fn write_shape(out: &mut String, name: &str, s: &Value) {
    let kind = text(s, "type");
    let mut l = Line::new(kind);
    l.word(name);
    l.number("min", &s["min"]).number("max", &s["max"]);
    l.text("format", &s["timestampFormat"]).text("payload", &s["payload"]);
    l.text("name", &s["locationName"]);
    for flag in ["flattened", "sensitive", "union", "document", "wrapper", "sparse", "streaming"] {
        l.flag(flag, s[flag] == true);
    }
    l.flag("eventstream", s["eventstream"] == true).flag("event", s["event"] == true);
    if s["exception"] == true || !s["error"].is_null() {
        l.flag("error", true);
        l.text("code", &s["error"]["code"]).number("status", &s["error"]["httpStatusCode"]);
        l.flag("fault", s["fault"] == true);
    }
    if kind == "list" {
        reference(&mut l, "of", &s["member"]);
    }
    if kind == "map" {
        reference(&mut l, "key", &s["key"]);
        reference(&mut l, "value", &s["value"]);
    }
    let values: Vec<&str> =
        s["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    l.list("enum", &values);
    // The pattern comes last: it may hold anything but a line break.
    l.text("pattern", &s["pattern"]);
    out.push_str(&l.end());
    let required: Vec<&Value> = s["required"].as_array().into_iter().flatten().collect();
    for (member, m) in members(&s["members"]) {
        let mut l = Line::new("");
        l.word(member).word(text(m, "shape"));
        l.flag("required", required.iter().any(|r| *r == member));
        l.text("in", &m["location"]);
        match text(m, "location") {
            // Headers are looked up by their lower-case names.
            "header" => {
                let name = m["locationName"].as_str().unwrap_or(member);
                l.pair("name", &name.to_ascii_lowercase());
            }
            "headers" => {
                l.pair("name", &text(m, "locationName").to_ascii_lowercase());
            }
            _ => {
                l.text("name", &m["locationName"]);
            }
        }
        l.text("query", &m["queryName"]);
        l.text("xmlns", &m["xmlNamespace"]["uri"]).text("prefix", &m["xmlNamespace"]["prefix"]);
        for flag in [
            "flattened",
            "streaming",
            "xmlAttribute",
            "idempotencyToken",
            "jsonvalue",
            "eventpayload",
            "hostLabel",
        ] {
            l.flag(flag, m[flag] == true);
        }
        out.push_str(&l.end());
    }
}

fn reference(l: &mut Line, what: &str, r: &Value) {
    l.text(what, &r["shape"]);
    l.text(&format!("{what}-name"), &r["locationName"]);
}

/// A line: words, then `key=value` pairs, separated by tabs.
struct Line(String);

impl Line {
    fn new(kind: &str) -> Self {
        Line(kind.to_owned())
    }
    fn word(&mut self, w: &str) -> &mut Self {
        self.0.push('\t');
        self.0.push_str(&clean(w));
        self
    }
    fn pair(&mut self, k: &str, v: &str) -> &mut Self {
        if !v.is_empty() {
            let _ = write!(self.0, "\t{k}={}", clean(v));
        }
        self
    }
    fn text(&mut self, k: &str, v: &Value) -> &mut Self {
        self.pair(k, v.as_str().unwrap_or_default())
    }
    fn number(&mut self, k: &str, v: &Value) -> &mut Self {
        if v.is_number() { self.pair(k, &v.to_string()) } else { self }
    }
    fn list(&mut self, k: &str, v: &[&str]) -> &mut Self {
        self.pair(k, &v.join("|"))
    }
    fn flag(&mut self, k: &str, on: bool) -> &mut Self {
        if on {
            self.word(k);
        }
        self
    }
    fn end(&self) -> String {
        format!("{}\n", self.0)
    }
}

/// Tabs and line breaks end fields; only patterns hold them, where the escapes mean the same.
fn clean(s: &str) -> String {
    s.replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

fn members(v: &Value) -> impl Iterator<Item = (&str, &Value)> {
    v.as_object().into_iter().flatten().map(|(k, v)| (k.as_str(), v))
}

fn text<'a>(v: &'a Value, key: &str) -> &'a str {
    v[key].as_str().unwrap_or_default()
}
