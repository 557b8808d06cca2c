//! Intrinsic functions: `States.Format('{}', $.name)` and the seventeen others.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html>

use serde_json::Value;

use crate::path::Path;
use crate::world::World;

mod call;
mod digest;

pub use call::mix;
pub use digest::digest;

/// An expression of a field whose name ends in `.$`: a path or a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Path(Path),
    Call(Box<Call>),
    /// Only as an argument.
    Literal(Value),
}

/// A call of an intrinsic function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub function: Function,
    pub arguments: Vec<Expr>,
    /// As it is written.
    pub text: String,
}

/// The functions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Format,
    StringToJson,
    JsonToString,
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
}

/// Name, function, least and most arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 18] = [
    ("Format", Function::Format, 1, 1000),
    ("StringToJson", Function::StringToJson, 1, 1),
    ("JsonToString", Function::JsonToString, 1, 1),
    ("Array", Function::Array, 0, 1000),
    ("ArrayPartition", Function::ArrayPartition, 2, 2),
    ("ArrayContains", Function::ArrayContains, 2, 2),
    ("ArrayRange", Function::ArrayRange, 3, 3),
    ("ArrayGetItem", Function::ArrayGetItem, 2, 2),
    ("ArrayLength", Function::ArrayLength, 1, 1),
    ("ArrayUnique", Function::ArrayUnique, 1, 1),
    ("Base64Encode", Function::Base64Encode, 1, 1),
    ("Base64Decode", Function::Base64Decode, 1, 1),
    ("Hash", Function::Hash, 2, 2),
    ("JsonMerge", Function::JsonMerge, 3, 3),
    ("MathRandom", Function::MathRandom, 2, 3),
    ("MathAdd", Function::MathAdd, 2, 2),
    ("StringSplit", Function::StringSplit, 2, 2),
    ("UUID", Function::Uuid, 0, 0),
];

/// AWS nests at most ten calls.
const DEEPEST: usize = 10;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// A path leads nowhere; the text of the path.
    Missing(Path, String),
    /// A function refuses its arguments; its text and why.
    Function(String, String),
}

impl Expr {
    /// Reads a path or a call.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Expr, String> {
        if text.starts_with('$') {
            return Path::parse(text).map(Expr::Path);
        }
        let mut p = Parser { text, at: 0 };
        let call = p.call(DEEPEST)?;
        p.space();
        if p.at == text.len() { Ok(call) } else { Err(format!("unexpected '{}'", p.rest())) }
    }

    /// The paths within it.
    pub fn paths<'a>(&'a self, out: &mut Vec<&'a Path>) {
        match self {
            Expr::Path(p) => out.push(p),
            Expr::Call(c) => c.arguments.iter().for_each(|a| a.paths(out)),
            Expr::Literal(_) => {}
        }
    }

    /// Its value; `select` answers its paths.
    ///
    /// # Errors
    /// A path that leads nowhere, or arguments that a function does not take.
    pub fn value(
        &self,
        world: &dyn World,
        select: &dyn Fn(&Path) -> Result<Value, String>,
    ) -> Result<Value, Error> {
        match self {
            Expr::Literal(v) => Ok(v.clone()),
            Expr::Path(p) => select(p).map_err(|why| Error::Missing(p.clone(), why)),
            Expr::Call(c) => {
                let arguments: Result<Vec<_>, _> =
                    c.arguments.iter().map(|a| a.value(world, select)).collect();
                call::run(c.function, arguments?, world)
                    .map_err(|why| Error::Function(c.text.clone(), why))
            }
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, s: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(s);
        self.at += if found { s.len() } else { 0 };
        found
    }

    fn call(&mut self, depth: usize) -> Result<Expr, String> {
        let deeper = depth.checked_sub(1).ok_or("intrinsic functions nest too deeply")?;
        self.space();
        let from = self.at;
        if !self.eat("States.") {
            return Err("it is neither a path nor an intrinsic function".into());
        }
        let rest = self.rest();
        let end = rest.find('(').ok_or("an intrinsic function has its arguments in parentheses")?;
        let found = FUNCTIONS.iter().find(|(name, ..)| *name == &rest[..end]);
        let (_, function, least, most) =
            found.ok_or_else(|| format!("there is no function States.{}", &rest[..end]))?;
        self.at += end + 1;
        let mut arguments = Vec::new();
        while !self.eat(")") {
            if !arguments.is_empty() && !self.eat(",") {
                return Err(format!("a comma or ) is missing before '{}'", self.rest()));
            }
            arguments.push(self.argument(deeper)?);
        }
        if !(*least..=*most).contains(&arguments.len()) {
            return Err(format!(
                "States.{} does not take {} arguments",
                &rest[..end],
                arguments.len()
            ));
        }
        let text = self.text[from..self.at].to_owned();
        Ok(Expr::Call(Box::new(Call { function: *function, arguments, text })))
    }

    fn argument(&mut self, depth: usize) -> Result<Expr, String> {
        self.space();
        let rest = self.rest();
        match rest.chars().next() {
            Some('\'') => self.text_literal().map(|s| Expr::Literal(s.into())),
            Some('$') => {
                let end = path_end(rest);
                self.at += end;
                Path::parse(rest[..end].trim_end()).map(Expr::Path)
            }
            Some('S') => self.call(depth),
            Some(_) => {
                let end = rest.find([',', ')']).unwrap_or(rest.len());
                self.at += end;
                match serde_json::from_str(rest[..end].trim()) {
                    Ok(v @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => {
                        Ok(Expr::Literal(v))
                    }
                    _ => Err(format!("'{}' is no argument", rest[..end].trim())),
                }
            }
            None => Err("an argument is missing".into()),
        }
    }

    /// A text in single quotes, in which a backslash stands before quotes, braces and itself. What
    /// it stands before in a format is for the format to see.
    fn text_literal(&mut self) -> Result<String, String> {
        let rest = &self.rest()[1..];
        let mut out = String::new();
        let mut chars = rest.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at += i + 2;
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, '\'')) => out.push('\''),
                    Some((_, '\\')) => out.push_str("\\\\"),
                    Some((_, c)) => out.extend(['\\', c]),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err("a text is not closed".into())
    }
}

/// Where a path that is an argument ends: at a comma or parenthesis outside brackets and quotes.
fn path_end(text: &str) -> usize {
    let (mut brackets, mut quote) = (0usize, None);
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => brackets += 1,
            (None, ']') => brackets = brackets.saturating_sub(1),
            (None, ',' | ')') if brackets == 0 => return i,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
