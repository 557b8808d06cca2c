//! Filter expressions: which traces are meant.
//!
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html>

use fogbank_core::{ApiError, Result};
use serde_json::Value as Json;

use crate::invalid;
use crate::segment::Segment;
use crate::trace::Whole;

/// An expression that has been read.
#[derive(Clone, Debug)]
pub struct Filter(Option<Node>);

#[derive(Clone, Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// A keyword compared.
    Is(String, Op, Lit),
    /// `service("x") { … }`: what holds of one of its segments.
    Service(Option<String>, Option<Box<Node>>),
    /// `edge("a", "b")`.
    Edge(String, String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    Contains,
    Begins,
    Ends,
}

#[derive(Clone, Debug, PartialEq)]
enum Lit {
    Text(String),
    Number(f64),
    Bool(bool),
}

const DEEPEST: usize = 32;
const LONGEST: usize = 2000;
const FLAGS: &[&str] = &["ok", "error", "fault", "throttle", "partial"];
const WORDS: &[&str] = &[
    "responsetime",
    "duration",
    "http.status",
    "http.url",
    "http.method",
    "http.useragent",
    "http.clientip",
    "user",
    "name",
    "traceid",
    "id",
];

impl Filter {
    /// Reads an expression; the empty one means every trace.
    pub fn parse(text: &str) -> Result<Filter> {
        if text.len() > LONGEST {
            return Err(invalid("The filter expression is too long."));
        }
        let mut p = Parser { rest: text.trim(), depth: 0 };
        if p.rest.is_empty() {
            return Ok(Filter(None));
        }
        let node = p.any()?;
        if p.rest.is_empty() { Ok(Filter(Some(node))) } else { Err(p.bad()) }
    }

    pub fn holds(&self, trace: &Whole) -> bool {
        self.0.as_ref().is_none_or(|n| n.holds(trace, None))
    }
}

impl Node {
    /// `of` is the segment that is meant within braces.
    fn holds(&self, w: &Whole, of: Option<&Segment>) -> bool {
        match self {
            Node::All(some) => some.iter().all(|n| n.holds(w, of)),
            Node::Any(some) => some.iter().any(|n| n.holds(w, of)),
            Node::Not(n) => !n.holds(w, of),
            Node::Service(name, inner) => w.segments.iter().any(|(s, _)| {
                name.as_ref().is_none_or(|n| s.name() == n)
                    && inner.as_ref().is_none_or(|n| n.holds(w, Some(s)))
            }),
            Node::Edge(from, to) => w.segments.iter().any(|(child, _)| {
                child.name() == to
                    && child.text("parent_id").is_some_and(|p| {
                        w.segments.iter().any(|(s, _)| {
                            s.name() == from
                                && (s.id() == p || s.subsegments().iter().any(|x| x.id() == p))
                        })
                    })
            }),
            Node::Is(word, op, lit) => values(word, w, of).iter().any(|v| compare(v, *op, lit)),
        }
    }
}

/// What a keyword means for a trace, or for one of its segments.
fn values(word: &str, w: &Whole, of: Option<&Segment>) -> Vec<Json> {
    let segments: Vec<&Segment> = match of {
        Some(s) => vec![s],
        None => w.segments.iter().map(|(s, _)| s).collect(),
    };
    let any = |flag: &str| segments.iter().any(|s| s.any(flag));
    let root = of.or_else(|| w.root());
    let at = |path: &str| segments.iter().filter_map(|s| s.at(path).cloned()).collect();
    match word {
        "error" | "fault" | "throttle" => vec![any(word).into()],
        "ok" => vec![(!any("error") && !any("fault") && !any("throttle")).into()],
        "partial" => vec![segments.iter().any(|s| s.is_open()).into()],
        "responsetime" => root.map(|r| (r.end() - r.start()).into()).into_iter().collect(),
        "duration" => match of {
            Some(s) => vec![(s.end() - s.start()).into()],
            None => vec![(w.end() - w.start()).into()],
        },
        "http.status" => at("http.response.status"),
        "http.url" => at("http.request.url"),
        "http.method" => at("http.request.method"),
        "http.useragent" => at("http.request.user_agent"),
        "http.clientip" => at("http.request.client_ip"),
        "user" => at("user"),
        "name" => at("name"),
        "id" | "traceid" => vec![w.id.clone().into()],
        _ => match word.strip_prefix("annotation.") {
            Some(key) => {
                let all = segments.iter().flat_map(|s| s.annotations());
                all.filter(|(k, _)| k == key).map(|(_, v)| v).collect()
            }
            None => Vec::new(),
        },
    }
}

fn compare(v: &Json, op: Op, lit: &Lit) -> bool {
    match lit {
        Lit::Bool(b) => match op {
            Op::Equal => v.as_bool() == Some(*b),
            Op::Unequal => v.as_bool() == Some(!b),
            _ => false,
        },
        Lit::Number(n) => v.as_f64().is_some_and(|x| match op {
            Op::Equal => x == *n,
            Op::Unequal => x != *n,
            Op::Less => x < *n,
            Op::AtMost => x <= *n,
            Op::More => x > *n,
            Op::AtLeast => x >= *n,
            _ => false,
        }),
        Lit::Text(t) => v.as_str().is_some_and(|x| match op {
            Op::Equal => x == t,
            Op::Unequal => x != t,
            Op::Contains => x.contains(t.as_str()),
            Op::Begins => x.starts_with(t.as_str()),
            Op::Ends => x.ends_with(t.as_str()),
            _ => false,
        }),
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn bad(&self) -> ApiError {
        let near: String = self.rest.chars().take(20).collect();
        invalid(format!("Invalid filter expression near '{near}'"))
    }

    fn take(&mut self, sign: &str) -> bool {
        let Some(head) = self.rest.get(..sign.len()) else { return false };
        let rest = &self.rest[sign.len()..];
        let word = sign.ends_with(|c: char| c.is_alphabetic());
        let goes_on = rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if !head.eq_ignore_ascii_case(sign) || word && goes_on {
            return false;
        }
        self.rest = rest.trim_start();
        true
    }

    fn any(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.bad());
        }
        let mut any = vec![self.all()?];
        while self.take("OR") || self.take("||") {
            any.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if any.len() == 1 { any.remove(0) } else { Node::Any(any) })
    }

    fn all(&mut self) -> Result<Node> {
        let mut all = vec![self.one()?];
        while self.take("AND") || self.take("&&") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Node::All(all) })
    }

    fn one(&mut self) -> Result<Node> {
        let mut not = false;
        while self.take("NOT") || self.rest.starts_with('!') && self.take("!") {
            not = !not;
        }
        let node = self.plain()?;
        Ok(if not { Node::Not(Box::new(node)) } else { node })
    }

    fn plain(&mut self) -> Result<Node> {
        if self.take("(") {
            let inner = self.any()?;
            return if self.take(")") { Ok(inner) } else { Err(self.bad()) };
        }
        if self.take("service") {
            return self.service();
        }
        if self.take("edge") {
            self.expect("(")?;
            let from = self.named()?;
            self.expect(",")?;
            let to = self.named()?;
            self.expect(")")?;
            return Ok(Node::Edge(from, to));
        }
        let n = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || "._-[]".contains(c)))
            .unwrap_or(self.rest.len());
        let word = self.rest[..n].to_owned();
        let word = match word.strip_prefix("annotation[").and_then(|w| w.strip_suffix(']')) {
            Some(key) => format!("annotation.{key}"),
            None if word.starts_with("annotation.") => word,
            None => word.to_lowercase(),
        };
        let known = FLAGS.contains(&word.as_str())
            || WORDS.contains(&word.as_str())
            || word.strip_prefix("annotation.").is_some_and(|k| !k.is_empty());
        if !known {
            return Err(self.bad());
        }
        self.rest = self.rest[n..].trim_start();
        let ops = [
            ("!=", Op::Unequal),
            ("<=", Op::AtMost),
            (">=", Op::AtLeast),
            ("=", Op::Equal),
            ("<", Op::Less),
            (">", Op::More),
            ("CONTAINS", Op::Contains),
            ("BEGINSWITH", Op::Begins),
            ("ENDSWITH", Op::Ends),
        ];
        let Some((_, op)) = ops.into_iter().find(|(s, _)| self.take(s)) else {
            // A flag by itself says that it is so.
            return if FLAGS.contains(&word.as_str()) {
                Ok(Node::Is(word, Op::Equal, Lit::Bool(true)))
            } else {
                Err(self.bad())
            };
        };
        let lit = self.lit()?;
        Ok(Node::Is(word, op, lit))
    }

    fn service(&mut self) -> Result<Node> {
        let mut name = None;
        if self.take("(") && !self.take(")") {
            name = Some(self.named()?);
            self.expect(")")?;
        }
        let mut inner = None;
        if self.take("{") {
            inner = Some(Box::new(self.any()?));
            self.expect("}")?;
        }
        Ok(Node::Service(name, inner))
    }

    /// `"x"` or `id(name: "x", type: "y")`, of which the name counts.
    fn named(&mut self) -> Result<String> {
        if !self.take("id") {
            return self.text();
        }
        self.expect("(")?;
        let mut name = None;
        loop {
            if self.take("name") {
                self.expect(":")?;
                name = Some(self.text()?);
            } else if self.take("type") || self.take("account.id") {
                self.expect(":")?;
                self.text()?;
            } else {
                return Err(self.bad());
            }
            if !self.take(",") {
                break;
            }
        }
        self.expect(")")?;
        name.ok_or_else(|| self.bad())
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.take(sign) { Ok(()) } else { Err(self.bad()) }
    }

    fn text(&mut self) -> Result<String> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or_else(|| self.bad())?;
        let end = self.rest[1..].find(quote).ok_or_else(|| self.bad())?;
        let text = self.rest[1..=end].to_owned();
        self.rest = self.rest[end + 2..].trim_start();
        Ok(text)
    }

    fn lit(&mut self) -> Result<Lit> {
        if self.take("true") {
            return Ok(Lit::Bool(true));
        }
        if self.take("false") {
            return Ok(Lit::Bool(false));
        }
        if self.rest.starts_with(['"', '\'']) {
            return Ok(Lit::Text(self.text()?));
        }
        let n = self
            .rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
            .unwrap_or(self.rest.len());
        let number = self.rest[..n].parse().map_err(|_| self.bad())?;
        self.rest = self.rest[n..].trim_start();
        Ok(Lit::Number(number))
    }
}
