//! The parser of paths.

use super::filter::{self, Filter};
use super::{Function, Path, Root, Step};

/// The deepest nesting of parentheses in a filter, and the most steps of a path.
const DEEPEST: usize = 32;
const MOST_STEPS: usize = 256;

pub fn path(text: &str) -> Result<Path, String> {
    let mut p = Parser { text, at: 0 };
    if !p.eat("$") {
        return Err("a path begins with $".into());
    }
    let root = if p.eat("$") {
        Root::Context
    } else {
        match p.word() {
            "" => Root::Input,
            name => Root::Variable(name.to_owned()),
        }
    };
    let steps = p.steps()?;
    if p.at < text.len() {
        return Err(format!("unexpected '{}'", p.rest()));
    }
    Ok(Path { root, steps, text: text.to_owned() })
}

/// A cursor over the text of a path or a filter.
pub struct Parser<'t> {
    pub text: &'t str,
    pub at: usize,
}

impl<'t> Parser<'t> {
    pub fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub fn eat(&mut self, s: &str) -> bool {
        let found = self.rest().starts_with(s);
        if found {
            self.at += s.len();
        }
        found
    }

    pub fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// An identifier, or nothing.
    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest
            .char_indices()
            .find(|(i, c)| !(c.is_alphabetic() || *c == '_' || (*i > 0 && c.is_numeric())))
            .map_or(rest.len(), |(i, _)| i);
        self.at += end;
        &rest[..end]
    }

    /// A member's name in dot notation: everything up to what ends it.
    fn name(&mut self) -> Result<&'t str, String> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| {
                c.is_whitespace()
                    || matches!(
                        c,
                        '.' | '['
                            | ']'
                            | '('
                            | ')'
                            | ','
                            | '='
                            | '<'
                            | '>'
                            | '!'
                            | '&'
                            | '|'
                            | '\''
                            | '"'
                            | '{'
                            | '}'
                            | '@'
                            | '*'
                            | '?'
                    )
            })
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(match rest {
                "" => "a path may not end with '.'".to_owned(),
                _ => format!("a name is missing before '{rest}'"),
            });
        }
        self.at += end;
        Ok(&rest[..end])
    }

    pub fn steps(&mut self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        while steps.len() < MOST_STEPS {
            if self.eat("..") {
                steps.push(Step::Descend);
                if self.rest().starts_with('[') {
                    continue;
                }
                if self.eat("*") {
                    steps.push(Step::Wildcard);
                } else {
                    steps.push(Step::Name(self.name()?.to_owned()));
                }
            } else if self.eat(".") {
                if self.eat("*") {
                    steps.push(Step::Wildcard);
                    continue;
                }
                let name = self.name()?;
                match function(name).filter(|_| self.rest().starts_with("()")) {
                    Some(f) => {
                        self.eat("()");
                        steps.push(Step::Function(f));
                        return Ok(steps);
                    }
                    None => steps.push(Step::Name(name.to_owned())),
                }
            } else if self.eat("[") {
                steps.push(self.bracket()?);
            } else {
                return Ok(steps);
            }
        }
        Err("it has too many steps".into())
    }

    fn bracket(&mut self) -> Result<Step, String> {
        self.space();
        let step = if self.eat("*") {
            Step::Wildcard
        } else if self.eat("?") {
            self.space();
            if !self.eat("(") {
                return Err("a filter is put in parentheses".into());
            }
            let f = filter::any(self, DEEPEST)?;
            self.space();
            if !self.eat(")") {
                return Err("a filter is not closed".into());
            }
            Step::Filter(f)
        } else if self.eat("(@.length-") {
            // From the end: `[(@.length-1)]`.
            let n = self.int()?.filter(|n| *n > 0).ok_or("a position is missing")?;
            if !self.eat(")") {
                return Err("a parenthesis is not closed".into());
            }
            Step::Index(-n)
        } else if self.rest().starts_with(['\'', '"']) {
            let mut names = vec![self.quoted()?];
            self.space();
            while self.eat(",") {
                self.space();
                names.push(self.quoted()?);
                self.space();
            }
            match names.len() {
                1 => Step::Name(names.remove(0)),
                _ => Step::Names(names),
            }
        } else {
            self.positions()?
        };
        self.space();
        if self.eat("]") { Ok(step) } else { Err("a bracket is not closed".into()) }
    }

    fn positions(&mut self) -> Result<Step, String> {
        let first = self.int()?;
        self.space();
        if self.eat(":") {
            self.space();
            let to = self.int()?;
            if self.eat(":") && self.int()?.is_some_and(|n| n != 1) {
                return Err("a slice has no step here".into());
            }
            return Ok(Step::Slice(first, to));
        }
        let mut all = vec![first.ok_or("a position or a quoted name belongs in brackets")?];
        while self.eat(",") {
            self.space();
            all.push(self.int()?.ok_or("a position is missing")?);
            self.space();
        }
        Ok(if let [i] = all[..] { Step::Index(i) } else { Step::Indexes(all) })
    }

    fn int(&mut self) -> Result<Option<i64>, String> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with('-'));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return if sign == 1 { Err("a number is missing".into()) } else { Ok(None) };
        }
        self.at += sign + digits;
        rest[..sign + digits].parse().map(Some).map_err(|_| "a position is too large".to_owned())
    }

    /// A text in single or double quotes; a backslash takes the next character as it is.
    pub fn quoted(&mut self) -> Result<String, String> {
        let mut chars = self.rest().char_indices();
        let Some((_, quote @ ('\'' | '"'))) = chars.next() else {
            return Err("a quoted text is missing".into());
        };
        let mut out = String::new();
        while let Some((i, c)) = chars.next() {
            if c == quote {
                self.at += i + 1;
                return Ok(out);
            }
            match c {
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, c)) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err("a quoted text is not closed".into())
    }
}

fn function(name: &str) -> Option<Function> {
    Some(match name {
        "length" | "size" => Function::Length,
        "min" => Function::Min,
        "max" => Function::Max,
        "avg" => Function::Avg,
        "sum" => Function::Sum,
        "keys" => Function::Keys,
        _ => return None,
    })
}

/// Used by the filter's parser for `@` and `$` within it.
pub fn operand(p: &mut Parser<'_>) -> Result<Vec<Step>, String> {
    p.steps()
}

impl Filter {
    /// Reads a filter's text, without its parentheses.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Filter, String> {
        let mut p = Parser { text, at: 0 };
        let f = filter::any(&mut p, DEEPEST)?;
        p.space();
        if p.at == text.len() { Ok(f) } else { Err(format!("unexpected '{}'", p.rest())) }
    }
}
