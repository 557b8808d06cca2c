//! Forms: the requests of the query protocol and of EC2's dialect.
//!
//! `Filter.1.Value.member.2=x` names a path; the paths are gathered into a tree that is then read
//! by shape.

use std::collections::BTreeMap;

use fogbank_core::{ApiError, Result, Value};
use fogbank_model::{Kind, Member, Protocol, Service, Shape};
use percent_encoding::percent_decode_str;

use crate::xml::scalar;
use crate::{MAX_DEPTH, Request, malformed};

/// The most parameters a form may have; EC2's largest real ones have some thousands.
const MAX_PARAMETERS: usize = 20_000;

#[derive(Debug, Default)]
struct Node {
    value: Option<String>,
    children: BTreeMap<String, Node>,
}

/// Reads the form in the body, and the parameters of the URL.
///
/// # Errors
/// `MalformedQueryString` for what is no form, `MalformedInput` for a scalar that does not parse.
pub fn decode(service: &Service, shape: &Shape, r: &Request<'_>, ec2: bool) -> Result<Value> {
    let body = std::str::from_utf8(r.body)
        .map_err(|_| malformed(Protocol::Query, "The request is not valid UTF-8."))?;
    let mut root = Node::default();
    let pairs = [r.query, body].into_iter().flat_map(|t| t.split('&')).filter(|p| !p.is_empty());
    for (n, pair) in pairs.enumerate() {
        if n >= MAX_PARAMETERS {
            return Err(malformed(Protocol::Query, "The request has too many parameters."));
        }
        let (k, v) = pair.split_once('=').unwrap_or((pair, ""));
        root.insert(&unescape(k)?, unescape(v)?)?;
    }
    // SQS's requests may go to a queue's own URL, which then need not be said again.
    if service.id == "sqs" && r.path != "/" && !root.children.contains_key("QueueUrl") {
        root.insert("QueueUrl", unescape(r.path)?)?;
    }
    read_structure(service, shape, &root, ec2)
}

fn unescape(text: &str) -> Result<String> {
    let spaced = text.trim_end_matches(['\r', '\n']).replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| malformed(Protocol::Query, "The request is not valid UTF-8."))
}

impl Node {
    fn insert(&mut self, path: &str, value: String) -> Result<()> {
        let mut node = self;
        for (depth, part) in path.split('.').enumerate() {
            if depth > MAX_DEPTH {
                return Err(malformed(Protocol::Query, "The request is nested too deeply."));
            }
            if !node.children.contains_key(part) {
                node.children.insert(part.to_owned(), Node::default());
            }
            node = node.children.get_mut(part).expect("inserted above");
        }
        node.value = Some(value);
        Ok(())
    }

    /// The children whose names are numbers, in their order. A number that is none is refused
    /// rather than dropped with what stands under it.
    fn numbered(&self) -> Result<Vec<&Node>> {
        let mut all: Vec<(u64, &Node)> = Vec::new();
        for (k, n) in &self.children {
            match k.parse() {
                Ok(number) => all.push((number, n)),
                Err(_) if k.bytes().all(|b| b.is_ascii_digit()) && !k.is_empty() => {
                    return Err(malformed(Protocol::Query, "A list's index is too large."));
                }
                Err(_) => {}
            }
        }
        all.sort_by_key(|(k, _)| *k);
        Ok(all.into_iter().map(|(_, n)| n).collect())
    }
}

fn read_structure(service: &Service, shape: &Shape, node: &Node, ec2: bool) -> Result<Value> {
    let mut entries = Vec::new();
    for m in &shape.members {
        let of = service.shape(m.shape);
        let Some(child) = child(node, m, of, ec2) else { continue };
        let flat = m.flattened || of.flattened || ec2;
        if let Some(v) = read(service, of, child, flat, ec2)? {
            entries.push((m.name.into(), v));
        }
    }
    Ok(Value::Map(entries))
}

fn child<'n>(node: &'n Node, m: &Member, of: &Shape, ec2: bool) -> Option<&'n Node> {
    if ec2 {
        let name = match m.query_name {
            "" => capitalised(m.wire()),
            q => q.to_owned(),
        };
        return node.children.get(&name);
    }
    // A service that has moved to JSON keeps its old names here.
    if !m.query_name.is_empty() {
        return node.children.get(m.query_name);
    }
    // A flattened list goes by its items' name.
    let flat_name = match of.kind {
        Kind::List(_, item) if (m.flattened || of.flattened) && !item.is_empty() => Some(item),
        _ => None,
    };
    flat_name.and_then(|n| node.children.get(n)).or_else(|| node.children.get(m.wire()))
}

fn capitalised(name: &str) -> String {
    let mut c = name.chars();
    c.next().map(|f| f.to_uppercase().chain(c).collect()).unwrap_or_default()
}

fn read(
    service: &Service,
    shape: &Shape,
    node: &Node,
    flat: bool,
    ec2: bool,
) -> Result<Option<Value>> {
    Ok(Some(match shape.kind {
        Kind::Structure => read_structure(service, shape, node, ec2)?,
        Kind::List(item, item_name) => {
            let name = if item_name.is_empty() { "member" } else { item_name };
            // Clients differ in whether they name the items; AWS takes `member` from all.
            let holder = if flat {
                node
            } else {
                node.children.get(name).or(node.children.get("member")).unwrap_or(node)
            };
            let of = service.shape(item);
            let mut items = Vec::new();
            for n in holder.numbered()? {
                items.extend(read(service, of, n, ec2, ec2)?);
            }
            Value::List(items)
        }
        Kind::Map { key, value, key_name, value_name } => {
            let or = |name: &'static str, default| if name.is_empty() { default } else { name };
            let holder = if flat { node } else { node.children.get("entry").unwrap_or(node) };
            let mut entries = Vec::new();
            for n in holder.numbered()? {
                let (k, v) =
                    (n.children.get(or(key_name, "key")), n.children.get(or(value_name, "value")));
                let k = k
                    .map(|k| read(service, service.shape(key), k, false, ec2))
                    .transpose()?
                    .flatten();
                let v = v
                    .map(|v| read(service, service.shape(value), v, false, ec2))
                    .transpose()?
                    .flatten();
                if let (Some(Value::Str(k)), Some(v)) = (k, v) {
                    entries.push((k, v));
                }
            }
            Value::Map(entries)
        }
        _ => match &node.value {
            None => return Ok(None),
            Some(text) => scalar(shape, text, true).ok_or_else(|| {
                ApiError::new(
                    "MalformedInput",
                    format!("Value ({text}) is not a valid {}", kind(shape)),
                )
                .status(400)
            })?,
        },
    }))
}

fn kind(shape: &Shape) -> &'static str {
    match shape.kind {
        Kind::Boolean => "boolean",
        Kind::Integer | Kind::Long => "integer",
        Kind::Float | Kind::Double => "number",
        Kind::Timestamp(_) => "timestamp",
        Kind::Blob => "Base64 text",
        _ => "value",
    }
}
