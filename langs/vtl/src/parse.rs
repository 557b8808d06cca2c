//! The parser of templates: text, references and directives.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::Error;
use crate::ast::{Access, Call, Expr, Foreach, Macro, Node, Reference};

/// A template that has been parsed.
#[derive(Clone, Debug)]
pub struct Template {
    pub(crate) nodes: Vec<Node>,
    pub(crate) macros: HashMap<Box<str>, Arc<Macro>>,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// [`Error::Syntax`], or [`Error::Refused`] for `#include` and `#parse`.
    pub fn parse(source: &str) -> Result<Self, Error> {
        Template::within(source, &HashSet::new())
    }

    /// As [`Template::parse`], where macros of these names are known.
    pub(crate) fn within(source: &str, known: &HashSet<Box<str>>) -> Result<Self, Error> {
        let mut p = Parser::new(source);
        p.known.extend(known.iter().cloned());
        let nodes = p.block(&[])?.0;
        Ok(Template { nodes, macros: p.macros })
    }
}

/// How deeply blocks and expressions may nest.
const DEPTH: usize = 100;

pub struct Parser<'a> {
    source: &'a str,
    pub at: usize,
    depth: usize,
    macros: HashMap<Box<str>, Arc<Macro>>,
    /// Names of macros, here or elsewhere: only these are calls.
    known: HashSet<Box<str>>,
}

impl<'a> Parser<'a> {
    fn new(source: &'a str) -> Self {
        let mut known = HashSet::new();
        for (at, found) in source.match_indices("#macro") {
            let rest = source[at + found.len()..].trim_start();
            if let Some(rest) = rest.strip_prefix('(') {
                let name = word(rest.trim_start());
                if !name.is_empty() {
                    known.insert(name.into());
                }
            }
        }
        Parser { source, at: 0, depth: 0, macros: HashMap::new(), known }
    }

    pub fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    pub fn fail<T>(&self, message: impl Into<String>) -> Result<T, Error> {
        let before = &self.source[..self.at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        Err(Error::Syntax { message: message.into(), line, column })
    }

    pub fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > DEPTH { Err(Error::Limit("nesting")) } else { Ok(()) }
    }

    pub fn shallower(&mut self) {
        self.depth -= 1;
    }

    /// Takes `token` if it comes next.
    pub fn take(&mut self, token: &str) -> bool {
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    pub fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    pub fn expect(&mut self, token: &str) -> Result<(), Error> {
        self.space();
        if self.take(token) { Ok(()) } else { self.fail(format!("expected '{token}'")) }
    }

    /// The end of a line directive: blanks and a line's end after it are its own.
    fn line_end(&mut self) {
        let rest = self.rest();
        let after = rest.trim_start_matches([' ', '\t']);
        let end = if after.starts_with("\r\n") {
            2
        } else {
            usize::from(after.starts_with(['\n', '\r']))
        };
        if end > 0 {
            self.at += rest.len() - after.len() + end;
        }
    }

    /// Parses up to one of the directives `until`, which is consumed and returned.
    fn block(&mut self, until: &[&str]) -> Result<(Vec<Node>, String), Error> {
        self.deeper()?;
        let mut nodes = Vec::new();
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(next) = rest.find(['$', '#', '\\']) else {
                text.push_str(rest);
                self.at = self.source.len();
                break;
            };
            text.push_str(&rest[..next]);
            self.at += next;
            let escapes = self.rest().len() - self.rest().trim_start_matches('\\').len();
            let sign = self.rest()[escapes..].chars().next();
            match sign {
                Some('$') => {
                    let start = self.at;
                    self.at += escapes;
                    match self.reference(escapes)? {
                        Some(reference) => {
                            flush(&mut text, &mut nodes);
                            nodes.push(Node::Reference(reference));
                        }
                        None => {
                            text.push_str(&self.source[start..start + escapes + 1]);
                            self.at = start + escapes + 1;
                        }
                    }
                }
                Some('#') => {
                    let start = self.at;
                    self.at += escapes;
                    if escapes % 2 == 1 {
                        // `\#if` is the text `#if`, before a directive that there is.
                        let known = self.is_directive();
                        let kept = if known { escapes / 2 } else { escapes };
                        text.extend(std::iter::repeat_n('\\', kept));
                        text.push('#');
                        self.at = start + escapes + 1;
                        continue;
                    }
                    let mark = text.len();
                    text.extend(std::iter::repeat_n('\\', escapes));
                    if escapes > 0 && self.is_directive() {
                        text.truncate(mark + escapes / 2);
                    }
                    if let Some(end) = self.directive(&mut nodes, &mut text, until)? {
                        flush(&mut text, &mut nodes);
                        self.shallower();
                        return Ok((nodes, end));
                    }
                }
                _ => {
                    text.extend(std::iter::repeat_n('\\', escapes));
                    self.at += escapes;
                }
            }
        }
        flush(&mut text, &mut nodes);
        self.shallower();
        match until.is_empty() {
            true => Ok((nodes, String::new())),
            false => self.fail("expected #end"),
        }
    }

    fn is_directive(&self) -> bool {
        let rest = self.rest().strip_prefix('#').unwrap_or_default();
        let name = rest.strip_prefix('{').unwrap_or(rest);
        let name = word(name.strip_prefix('@').unwrap_or(name));
        WORDS.contains(&name) || self.known.contains(name)
    }

    /// A directive, a comment, or plain text. Returns its name when it is one of `until`.
    fn directive(
        &mut self,
        nodes: &mut Vec<Node>,
        text: &mut String,
        until: &[&str],
    ) -> Result<Option<String>, Error> {
        let start = self.at;
        if self.take("##") {
            let rest = self.rest();
            self.at += rest.find('\n').map_or(rest.len(), |n| n + 1);
            return Ok(None);
        }
        if self.take("#*") {
            let rest = self.rest();
            self.at += rest.find("*#").map_or(rest.len(), |n| n + 2);
            return Ok(None);
        }
        if self.take("#[[") {
            let rest = self.rest();
            let Some(end) = rest.find("]]#") else { return self.fail("expected ]]#") };
            text.push_str(&rest[..end]);
            self.at += end + 3;
            return Ok(None);
        }
        self.at += 1;
        let braced = self.take("{");
        let with_body = !braced && self.take("@");
        let name = word(self.rest());
        self.at += name.len();
        let plain = |p: &mut Self, text: &mut String| {
            text.push('#');
            p.at = start + 1;
            Ok(None)
        };
        if name.is_empty() || braced && !self.take("}") {
            return plain(self, text);
        }
        if until.contains(&name) && matches!(name, "end" | "else" | "elseif") {
            if name != "elseif" {
                self.line_end();
            }
            return Ok(Some(name.to_owned()));
        }
        match name {
            "set" | "if" | "foreach" | "define" | "evaluate" | "macro" => {
                // Only with its parenthesis is it a directive.
                let rest = self.rest().trim_start_matches([' ', '\t']);
                if !rest.starts_with('(') {
                    return plain(self, text);
                }
                if name == "set" {
                    trim_line(text);
                }
                flush(text, nodes);
                self.expect("(")?;
                self.line_directive(name, nodes)?;
            }
            "include" | "parse" => {
                return Err(Error::Refused(if name == "parse" { "#parse" } else { "#include" }));
            }
            "break" | "stop" => {
                flush(text, nodes);
                self.line_end();
                nodes.push(if name == "break" { Node::Break } else { Node::Stop });
            }
            "end" | "else" | "elseif" => {
                return self.fail(format!("#{name} without its beginning"));
            }
            _ if self.known.contains(name) => {
                let rest = self.rest().trim_start_matches([' ', '\t']);
                if !rest.starts_with('(') {
                    return plain(self, text);
                }
                flush(text, nodes);
                self.expect("(")?;
                let arguments = self.arguments(")")?;
                let source = self.source[start..self.at].into();
                let body = if with_body {
                    self.line_end();
                    Some(Arc::new(self.block(&["end"])?.0))
                } else {
                    self.line_end();
                    None
                };
                nodes.push(Node::Call(Box::new(Call {
                    name: name.into(),
                    arguments,
                    body,
                    source,
                })));
            }
            _ => return plain(self, text),
        }
        Ok(None)
    }

    /// What follows `#set(` and the others.
    fn line_directive(&mut self, name: &str, nodes: &mut Vec<Node>) -> Result<(), Error> {
        match name {
            "set" => {
                let target = self.variable()?;
                self.expect("=")?;
                let value = self.expression()?;
                self.expect(")")?;
                self.line_end();
                nodes.push(Node::Set(Box::new(target), value));
            }
            "if" => {
                let mut branches = Vec::new();
                let mut condition = self.condition()?;
                let otherwise = loop {
                    let (body, end) = self.block(&["elseif", "else", "end"])?;
                    branches.push((condition, body));
                    match end.as_str() {
                        "end" => break Vec::new(),
                        "else" => break self.block(&["end"])?.0,
                        _ => {
                            self.expect("(")?;
                            condition = self.condition()?;
                        }
                    }
                };
                nodes.push(Node::If(branches, otherwise));
            }
            "foreach" => {
                let variable = self.variable()?.name;
                self.space();
                if !self.take("in") {
                    return self.fail("expected 'in'");
                }
                let list = self.condition()?;
                let (body, end) = self.block(&["else", "end"])?;
                let otherwise = if end == "else" { self.block(&["end"])?.0 } else { Vec::new() };
                nodes.push(Node::Foreach(Box::new(Foreach { variable, list, body, otherwise })));
            }
            "define" => {
                let variable = self.variable()?.name;
                self.expect(")")?;
                self.line_end();
                let body = self.block(&["end"])?.0;
                nodes.push(Node::Define(variable, Arc::new(body)));
            }
            "evaluate" => {
                let value = self.condition()?;
                nodes.push(Node::Evaluate(value));
            }
            _ => {
                self.space();
                let name = word(self.rest());
                self.at += name.len();
                if name.is_empty() {
                    return self.fail("expected the macro's name");
                }
                let mut parameters = Vec::new();
                loop {
                    self.space();
                    self.take(",");
                    self.space();
                    if self.take(")") {
                        break;
                    }
                    parameters.push(self.variable()?.name);
                }
                self.line_end();
                let body = self.block(&["end"])?.0;
                // The first definition counts.
                let new = Arc::new(Macro { parameters, body });
                self.macros.entry(name.into()).or_insert(new);
            }
        }
        Ok(())
    }

    /// An expression and the end of its directive's head.
    fn condition(&mut self) -> Result<Expr, Error> {
        let e = self.expression()?;
        self.expect(")")?;
        self.line_end();
        Ok(e)
    }

    /// A reference where one must stand.
    fn variable(&mut self) -> Result<Reference, Error> {
        self.space();
        match self.reference(0)? {
            Some(r) => Ok(r),
            None => self.fail("expected a reference"),
        }
    }

    /// Expressions up to `close`, separated by commas or, for macros, by blanks.
    pub fn arguments(&mut self, close: &str) -> Result<Vec<Expr>, Error> {
        let mut all = Vec::new();
        loop {
            self.space();
            if self.take(close) {
                return Ok(all);
            }
            if !all.is_empty() {
                self.take(",");
            }
            all.push(self.expression()?);
        }
    }

    /// A reference, if one stands here; else nothing is consumed.
    pub fn reference(&mut self, escapes: usize) -> Result<Option<Reference>, Error> {
        let start = self.at;
        if !self.take("$") {
            return Ok(None);
        }
        let quiet = self.take("!");
        let braced = self.take("{");
        let name = word(self.rest());
        if name.is_empty() {
            self.at = start;
            return Ok(None);
        }
        self.at += name.len();
        self.deeper()?;
        let mut path = Vec::new();
        loop {
            let rest = self.rest();
            if let Some(after) = rest.strip_prefix('.') {
                let name = word(after);
                if name.is_empty() {
                    break;
                }
                self.at += 1 + name.len();
                path.push(if self.take("(") {
                    Access::Method(name.into(), self.arguments(")")?)
                } else {
                    Access::Property(name.into())
                });
            } else if rest.starts_with('[') {
                let back = self.at;
                self.at += 1;
                // In plain text a bracket may be no index at all.
                let index = self.expression().and_then(|e| self.expect("]").map(|()| e));
                match index {
                    Ok(e) => path.push(Access::Index(e)),
                    Err(Error::Syntax { .. }) => {
                        self.at = back;
                        break;
                    }
                    Err(e) => return Err(e),
                }
            } else {
                break;
            }
        }
        self.shallower();
        if braced && !self.take("}") {
            // `${name` without its end is text.
            self.at = start;
            return Ok(None);
        }
        let source = self.source[start..self.at].into();
        Ok(Some(Reference { name: name.into(), path, quiet, source, escapes }))
    }

    /// The nodes of a text in double quotes.
    pub fn inside(&self, text: &str) -> Result<Vec<Node>, Error> {
        let mut p = Parser::new(text);
        p.known.extend(self.known.iter().cloned());
        p.depth = self.depth;
        Ok(p.block(&[])?.0)
    }
}

/// Directives that every template has.
const WORDS: [&str; 13] = [
    "set", "if", "elseif", "else", "end", "foreach", "macro", "define", "evaluate", "break",
    "stop", "include", "parse",
];

fn flush(text: &mut String, nodes: &mut Vec<Node>) {
    if !text.is_empty() {
        nodes.push(Node::Text(std::mem::take(text).into()));
    }
}

/// Blanks between a line's start and `#set` are its own.
fn trim_line(text: &mut String) {
    let kept = text.trim_end_matches([' ', '\t']).len();
    if kept > 0 && text[..kept].ends_with('\n') {
        text.truncate(kept);
    }
}

/// The identifier at the start of a text.
fn word(text: &str) -> &str {
    let first = text.chars().next();
    if !first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
        return "";
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let end = text.find(|c| !fits(c)).unwrap_or(text.len());
    &text[..end]
}
