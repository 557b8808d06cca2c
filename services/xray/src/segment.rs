//! Segment documents: what must be in them, and what is told of them.
//!
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>

use serde_json::{Map, Value as Json};

/// A segment, or a subsegment that was sent by itself.
#[derive(Clone, Debug)]
pub struct Segment(Map<String, Json>);

/// The longest document.
pub const LONGEST: usize = 64 * 1024;
/// How deep subsegments are looked into.
const DEEPEST: usize = 64;

impl Segment {
    /// Reads a document that was accepted before.
    pub fn stored(document: &str) -> Option<Segment> {
        match serde_json::from_str(document) {
            Ok(Json::Object(o)) => Some(Segment(o)),
            _ => None,
        }
    }

    /// Reads and checks a document. The error is X-Ray's code, and the id if there is one.
    pub fn parse(document: &str) -> Result<Segment, (&'static str, Option<String>)> {
        if document.len() > LONGEST {
            return Err(("SegmentTooLarge", None));
        }
        let Some(segment) = Segment::stored(document) else { return Err(("ParseError", None)) };
        let id = segment.text("id").map(str::to_owned);
        let fail = |code| Err((code, id.clone()));
        let hex = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_hexdigit());
        match segment.text("id") {
            None => return fail("MissingId"),
            Some(id) if !hex(id, 16) => return fail("InvalidId"),
            Some(_) => {}
        }
        match segment.text("trace_id") {
            None => return fail("MissingTraceId"),
            Some(t) if trace_id(t).is_none() => return fail("InvalidTraceId"),
            Some(_) => {}
        }
        match segment.text("name") {
            None | Some("") => return fail("MissingName"),
            Some(n) if n.chars().count() > 200 => return fail("InvalidName"),
            Some(_) => {}
        }
        let Some(start) = segment.number("start_time") else { return fail("MissingStartTime") };
        match segment.number("end_time") {
            Some(end) if end < start => return fail("InvalidEndTime"),
            None if segment.0.get("in_progress") != Some(&Json::Bool(true)) => {
                return fail("MissingEndTime");
            }
            _ => {}
        }
        if segment.text("type") == Some("subsegment") && segment.text("parent_id").is_none() {
            return fail("MissingParentId");
        }
        Ok(segment)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.as_f64().filter(|n| n.is_finite() && *n >= 0.0)
    }

    /// A member of a member: `http.response.status`.
    pub fn at(&self, path: &str) -> Option<&Json> {
        let mut steps = path.split('.');
        let first = self.0.get(steps.next()?)?;
        steps.try_fold(first, |v, s| v.get(s))
    }

    pub fn id(&self) -> &str {
        self.text("id").unwrap_or_default()
    }

    /// In the form `1-xxxxxxxx-…`.
    pub fn trace(&self) -> String {
        self.text("trace_id").and_then(trace_id).unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        self.text("name").unwrap_or_default()
    }

    pub fn is_subsegment(&self) -> bool {
        self.text("type") == Some("subsegment")
    }

    pub fn is_open(&self) -> bool {
        self.0.get("in_progress") == Some(&Json::Bool(true)) && self.number("end_time").is_none()
    }

    pub fn start(&self) -> f64 {
        self.number("start_time").unwrap_or(0.0)
    }

    pub fn end(&self) -> f64 {
        self.number("end_time").unwrap_or_else(|| self.start())
    }

    /// The kind of service it ran in.
    pub fn origin(&self) -> Option<&str> {
        self.text("origin")
    }

    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Json::Bool(true))
    }

    /// Whether it, or something within it, has this flag.
    pub fn any(&self, flag: &str) -> bool {
        self.flag(flag) || self.subsegments().iter().any(|s| s.flag(flag))
    }

    /// Those within it, at every depth.
    pub fn subsegments(&self) -> Vec<Segment> {
        let mut found = Vec::new();
        self.collect(&mut found, 0);
        found
    }

    fn collect(&self, found: &mut Vec<Segment>, depth: usize) {
        let inner = self.0.get("subsegments").and_then(Json::as_array);
        for s in inner.into_iter().flatten().filter_map(Json::as_object) {
            // Each by itself, without those within.
            let mut alone = s.clone();
            let within = alone.remove("subsegments");
            found.push(Segment(alone));
            if depth < DEEPEST
                && let Some(within) = within
            {
                let mut holder = Map::new();
                holder.insert("subsegments".into(), within);
                Segment(holder).collect(found, depth + 1);
            }
        }
    }

    /// Its annotations and those within it.
    pub fn annotations(&self) -> Vec<(String, Json)> {
        let mut found = Vec::new();
        for s in std::iter::once(self.clone()).chain(self.subsegments()) {
            let own = s.0.get("annotations").and_then(Json::as_object);
            found.extend(own.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
        }
        found
    }
}

/// A trace id in X-Ray's form; W3C's, without dashes, is taken too.
pub fn trace_id(text: &str) -> Option<String> {
    let hex = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_hexdigit());
    if hex(text, 32) {
        return Some(format!("1-{}-{}", &text[..8], &text[8..]));
    }
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        ["1", time, unique] if hex(time, 8) && hex(unique, 24) => Some(text.to_owned()),
        _ => None,
    }
}
