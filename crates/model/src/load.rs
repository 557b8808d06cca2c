//! Reads a table: one pass over its lines, then names are replaced by numbers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::route::Router;
use crate::{
    ErrorInfo, Kind, Location, Member, Operation, Protocol, Service, Shape, ShapeId, TimeFormat,
};

/// # Panics
/// On a malformed table; the tables are part of the binary and a test reads each of them.
pub fn load(table: &'static str) -> Service {
    // First the numbers, since lines name shapes that come later.
    let mut numbers: HashMap<&str, u32, BuildHasherDefault<NameHasher>> = HashMap::default();
    for line in table.lines() {
        if !line.starts_with(['\t']) && !line.starts_with("op\t") && !line.starts_with("service\t")
        {
            let name = line.split('\t').nth(1).expect("a shape has a name");
            let n = u32::try_from(numbers.len()).expect("fewer than 2^32 shapes");
            numbers.insert(name, n);
        }
    }
    let id = |name: &str| ShapeId(*numbers.get(name).expect("a shape that the table defines"));
    let mut lines = table.lines();
    let mut s = service(lines.next().expect("a table has a first line"));
    s.shapes.reserve_exact(numbers.len());
    for line in lines {
        let mut f = Fields(line.split('\t'));
        match f.word() {
            "op" => s.operations.push(operation(&mut f, &id)),
            "" => {
                let shape = s.shapes.last_mut().expect("a member follows its structure");
                shape.members.push(member(&mut f, &id));
            }
            kind => s.shapes.push(shape(kind, line, &id)),
        }
    }
    for shape in &mut s.shapes {
        shape.members.sort_unstable_by_key(|m| m.name);
        shape.members.shrink_to_fit();
        let headers = (0u16..).zip(&shape.members).filter(|(_, m)| m.location == Location::Header);
        let mut headers: Vec<u16> = headers.map(|(i, _)| i).collect();
        headers.sort_unstable_by_key(|i| shape.members[usize::from(*i)].wire_name);
        shape.headers = headers;
    }
    let events = |id: &ShapeId| {
        let mut members = s.shapes[id.0 as usize].members.iter();
        members.any(|m| s.shapes[m.shape.0 as usize].event_stream)
    };
    for o in &mut s.operations {
        o.event_stream = o.input.iter().any(events);
    }
    s.operations.sort_unstable_by_key(|o| o.name);
    s.by_name = (0..u32::try_from(s.shapes.len()).unwrap_or(0)).collect();
    s.by_name.sort_unstable_by_key(|i| s.shapes[*i as usize].name);
    s.router = Router::new(&s);
    s
}

/// A short hash for short names, none of which comes from outside.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let mixed = self.0.rotate_left(5) ^ u64::from_le_bytes(word);
            self.0 = mixed.wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }
    fn finish(&self) -> u64 {
        self.0.rotate_left(20)
    }
}

struct Fields<'a>(std::str::Split<'a, char>);

impl<'a> Fields<'a> {
    fn word(&mut self) -> &'a str {
        self.0.next().unwrap_or_default()
    }
    /// The rest: flags come with an empty value.
    fn pairs(&mut self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.0.by_ref().map(|f| f.split_once('=').unwrap_or((f, "")))
    }
}

fn service(line: &'static str) -> Service {
    let mut f = Fields(line.split('\t'));
    f.word();
    let (id, version) = (f.word(), f.word());
    let mut s = Service {
        id,
        version,
        endpoint: "",
        signing: "",
        service_id: "",
        target: "",
        json_version: "",
        xml_namespace: "",
        protocols: Vec::new(),
        query_compatible: false,
        operations: Vec::new(),
        shapes: Vec::new(),
        router: Router::default(),
        by_name: Vec::new(),
    };
    for (k, v) in f.pairs() {
        match k {
            "endpoint" => s.endpoint = v,
            "signing" => s.signing = v,
            "id" => s.service_id = v,
            "target" => s.target = v,
            "json" => s.json_version = v,
            "xmlns" => s.xml_namespace = v,
            "protocols" => s.protocols = v.split(',').filter_map(protocol).collect(),
            "query-compatible" => s.query_compatible = true,
            _ => {}
        }
    }
    if s.signing.is_empty() {
        s.signing = s.endpoint;
    }
    s
}

fn protocol(name: &str) -> Option<Protocol> {
    Some(match name {
        "json" => Protocol::Json,
        "rest-json" => Protocol::RestJson,
        "rest-xml" => Protocol::RestXml,
        "query" => Protocol::Query,
        "ec2" => Protocol::Ec2,
        "smithy-rpc-v2-cbor" => Protocol::Cbor,
        _ => return None,
    })
}

fn operation(f: &mut Fields<'static>, id: &impl Fn(&str) -> ShapeId) -> Operation {
    let mut o = Operation {
        name: f.word(),
        method: f.word(),
        uri: f.word(),
        status: 200,
        input: None,
        output: None,
        errors: Vec::new(),
        wrapper: "",
        root: "",
        root_namespace: "",
        host_prefix: "",
        anonymous: false,
        unsigned_body: false,
        checksum_required: false,
        event_stream: false,
    };
    for (k, v) in f.pairs() {
        match k {
            "status" => o.status = v.parse().unwrap_or(200),
            "in" => o.input = Some(id(v)),
            "out" => o.output = Some(id(v)),
            "errors" => o.errors = v.split('|').map(id).collect(),
            "wrapper" => o.wrapper = v,
            "root" => o.root = v,
            "rootns" => o.root_namespace = v,
            "host" => o.host_prefix = v,
            "anonymous" => o.anonymous = true,
            "unsigned-body" => o.unsigned_body = true,
            "checksum" => o.checksum_required = true,
            _ => {}
        }
    }
    o
}

fn shape(kind: &str, line: &'static str, id: &impl Fn(&str) -> ShapeId) -> Shape {
    // A pattern may hold tabs' escapes and `=`: it is the rest of the line.
    let (head, pattern) = line.split_once("\tpattern=").unwrap_or((line, ""));
    let mut f = Fields(head.split('\t'));
    f.word();
    let mut s = Shape {
        name: f.word(),
        kind: Kind::String,
        members: Vec::new(),
        headers: Vec::new(),
        payload: None,
        error: None,
        min: None,
        max: None,
        values: "",
        pattern,
        location_name: "",
        flattened: false,
        sensitive: false,
        union: false,
        document: false,
        streaming: false,
        event_stream: false,
        sparse: false,
    };
    let (mut of, mut of_name, mut key, mut key_name, mut value, mut value_name) =
        ("", "", "", "", "", "");
    let (mut format, mut error) = (None, ErrorInfo { code: "", status: 0, fault: false });
    let mut is_error = false;
    for (k, v) in f.pairs() {
        match k {
            "min" => s.min = v.parse().ok(),
            "max" => s.max = v.parse().ok(),
            "format" => {
                format = match v {
                    "iso8601" => Some(TimeFormat::Iso8601),
                    "rfc822" => Some(TimeFormat::Rfc822),
                    "unixTimestamp" => Some(TimeFormat::Unix),
                    _ => None,
                }
            }
            "payload" => s.payload = Some(v),
            "name" => s.location_name = v,
            "flattened" => s.flattened = true,
            "sensitive" => s.sensitive = true,
            "union" => s.union = true,
            "document" => s.document = true,
            "streaming" => s.streaming = true,
            "eventstream" => s.event_stream = true,
            "sparse" => s.sparse = true,
            "error" => is_error = true,
            "code" => error.code = v,
            "status" => error.status = v.parse().unwrap_or(0),
            "fault" => error.fault = true,
            "of" => of = v,
            "of-name" => of_name = v,
            "key" => key = v,
            "key-name" => key_name = v,
            "value" => value = v,
            "value-name" => value_name = v,
            "enum" => s.values = v,
            _ => {}
        }
    }
    s.error = is_error.then_some(error);
    s.kind = match kind {
        "structure" => Kind::Structure,
        "list" => Kind::List(id(of), of_name),
        "map" => Kind::Map { key: id(key), value: id(value), key_name, value_name },
        "integer" => Kind::Integer,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "boolean" => Kind::Boolean,
        "blob" => Kind::Blob,
        "timestamp" => Kind::Timestamp(format),
        "string" => Kind::String,
        other => panic!("an unknown kind of shape: {other}"),
    };
    s
}

fn member(f: &mut Fields<'static>, id: &impl Fn(&str) -> ShapeId) -> Member {
    let mut m = Member {
        name: f.word(),
        shape: id(f.word()),
        required: false,
        location: Location::Body,
        wire_name: "",
        query_name: "",
        namespace: "",
        prefix: "",
        flattened: false,
        streaming: false,
        xml_attribute: false,
        idempotency_token: false,
        json_value: false,
        host_label: false,
        event_payload: false,
        header: None,
    };
    for (k, v) in f.pairs() {
        match k {
            "required" => m.required = true,
            "in" => {
                m.location = match v {
                    "uri" => Location::Uri,
                    "querystring" => Location::Query,
                    "header" => Location::Header,
                    "headers" => Location::Headers,
                    "statusCode" => Location::Status,
                    _ => Location::Body,
                }
            }
            "name" => m.wire_name = v,
            "query" => m.query_name = v,
            "xmlns" => m.namespace = v,
            "prefix" => m.prefix = v,
            "flattened" => m.flattened = true,
            "streaming" => m.streaming = true,
            "xmlAttribute" => m.xml_attribute = true,
            "idempotencyToken" => m.idempotency_token = true,
            "jsonvalue" => m.json_value = true,
            "hostLabel" => m.host_label = true,
            "eventpayload" => m.event_payload = true,
            _ => {}
        }
    }
    if m.location == Location::Header && http::HeaderName::from_bytes(m.wire().as_bytes()).is_ok() {
        // Static names cost nothing to copy; tables have them in lower case, mostly.
        m.header = match m.wire().bytes().any(|b| b.is_ascii_uppercase()) {
            true => http::HeaderName::from_bytes(m.wire().as_bytes()).ok(),
            false => Some(http::HeaderName::from_static(m.wire())),
        };
    }
    m
}
