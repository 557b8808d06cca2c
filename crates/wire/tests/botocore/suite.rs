//! The case files: each suite carries a small model, which becomes a table.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_core::{Str, Value};
use fogbank_model::{Kind, Operation, Protocol, Service, Shape};
use serde_json::{Value as Json, json};

/// One case and its model.
pub struct Case {
    pub direction: &'static str,
    /// The file's name without `.json`: `rest-xml`.
    pub file: String,
    pub name: String,
    /// Where the case stands in its file: suite and case.
    pub at: (usize, usize),
    pub json: Json,
    pub service: &'static Service,
    pub operation: &'static Operation,
}

impl Case {
    pub fn protocol(&self) -> Protocol {
        self.service.protocols[0]
    }
}

/// botocore's source package: `$FOGBANK_BOTOCORE`, or where `cargo xtask models` unpacks it.
pub fn botocore() -> Option<PathBuf> {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/botocore");
    let given = std::env::var_os("FOGBANK_BOTOCORE").map(PathBuf::from);
    let found = given.or_else(|| {
        let entries = fs::read_dir(target).ok()?.flatten().map(|e| e.path());
        entries.filter(|p| p.join("tests/unit/protocols").is_dir()).max()
    });
    if found.is_none() {
        println!("skipped: no botocore under target/: run `cargo xtask models --fetch-only`");
    }
    found
}

/// All cases of a direction; `None` when botocore is not there.
pub fn suites(direction: &'static str) -> Option<Vec<Case>> {
    let folder = botocore()?.join("tests/unit/protocols").join(direction);
    let mut files: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let file = path.file_stem()?.to_str()?.to_owned();
        let suites: Vec<Json> = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        for (s, suite) in suites.into_iter().enumerate() {
            for (c, case) in suite["cases"].as_array()?.iter().enumerate() {
                let service = service(&suite, case, direction);
                let name = case["given"]["name"].as_str()?;
                cases.push(Case {
                    direction,
                    file: file.clone(),
                    name: case["id"].as_str()?.to_owned(),
                    at: (s, c),
                    json: case.clone(),
                    service,
                    operation: service.operation(name)?,
                });
            }
        }
    }
    Some(cases)
}

/// The table of one case: its operation differs from its neighbours' only in small things.
fn service(suite: &Json, case: &Json, direction: &str) -> &'static Service {
    let mut given = case["given"].clone();
    let name = given["name"].as_str().unwrap_or_default().to_owned();
    let output = given["output"]["shape"].as_str().unwrap_or_default().to_owned();
    let members = suite["shapes"][&output]["members"].as_object().is_some_and(|m| !m.is_empty());
    if direction == "output" && suite["metadata"]["protocol"] == "query" && members {
        given["output"]["resultWrapper"] = json!(format!("{name}Result"));
    }
    let model = json!({
        "metadata": suite["metadata"],
        "operations": { name: given },
        "shapes": suite["shapes"],
    });
    let table = fogbank_model::convert::table("test", &model);
    Box::leak(Box::new(fogbank_model::load(Box::leak(table.into_boxed_str()))))
}

/// The cases that are allowed to fail, of those that start with `prefix`.
pub fn exceptions(prefix: &str) -> BTreeSet<String> {
    let list = include_str!("exceptions.txt").lines().filter(|l| l.starts_with(prefix));
    list.map(|l| l.split_whitespace().next().unwrap_or_default().to_owned()).collect()
}

/// Parameters or results as botocore's files write them, as a value.
pub fn value(service: &Service, shape: &Shape, json: &Json) -> Value {
    let of = |id| service.shape(id);
    match (shape.kind, json) {
        (_, Json::Null) => Value::Null,
        _ if shape.document => plain(json),
        (Kind::Structure, Json::Object(o)) => Value::Map(
            o.iter()
                .map(|(k, v)| {
                    let m = shape.member(k).expect("a member of the case's model");
                    (Str::Borrowed(m.name), value(service, of(m.shape), v))
                })
                .collect(),
        ),
        (Kind::Map { value: v, .. }, Json::Object(o)) => Value::Map(
            o.iter().map(|(k, x)| (Str::Owned(k.clone()), value(service, of(v), x))).collect(),
        ),
        (Kind::List(item, _), Json::Array(a)) => {
            Value::List(a.iter().map(|x| value(service, of(item), x)).collect())
        }
        (Kind::Blob, Json::String(s)) => Value::Blob(Bytes::copy_from_slice(s.as_bytes())),
        (Kind::Timestamp(_), Json::Number(n)) => {
            let micros = n.as_f64().unwrap_or_default() * 1e6;
            let t = jiff::Timestamp::from_microsecond(micros.round() as i64);
            Value::Time(t.expect("a time in range"))
        }
        (Kind::Float | Kind::Double, Json::Number(n)) => {
            Value::Float(n.as_f64().unwrap_or_default())
        }
        (Kind::Float | Kind::Double, Json::String(s)) => {
            Value::Float(s.parse().expect("NaN or Infinity"))
        }
        _ => plain(json),
    }
}

fn plain(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => {
            n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or_default()), Value::Int)
        }
        Json::String(s) => Value::from(s.as_str()),
        Json::Array(a) => Value::List(a.iter().map(plain).collect()),
        Json::Object(o) => {
            Value::Map(o.iter().map(|(k, v)| (Str::Owned(k.clone()), plain(v))).collect())
        }
    }
}

/// A value as text that does not depend on the order of members; nulls in structures are absent.
pub fn canonical(v: &Value) -> String {
    match v {
        Value::Map(m) => {
            let mut all: Vec<String> = m
                .iter()
                .filter(|(_, v)| *v != Value::Null)
                .map(|(k, v)| format!("{k:?}: {}", canonical(v)))
                .collect();
            all.sort();
            format!("{{{}}}", all.join(", "))
        }
        Value::List(l) => {
            format!("[{}]", l.iter().map(canonical).collect::<Vec<_>>().join(", "))
        }
        Value::Str(s) => format!("{s:?}"),
        other => format!("{other:?}"),
    }
}

/// A body as the files write it: base64 for CBOR, else text.
pub fn body(case: &Case, json: &Json) -> Bytes {
    let text = json["body"].as_str().unwrap_or_default();
    if case.protocol() == Protocol::Cbor {
        return STANDARD.decode(text).expect("base64").into();
    }
    Bytes::copy_from_slice(text.as_bytes())
}
