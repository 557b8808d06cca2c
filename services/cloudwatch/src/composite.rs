//! Composite alarms: rules over the states of others.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html>

use fogbank_core::Result;
use fogbank_store::{Key, Part, Parts, Range, Table, Tx};
use jiff::Timestamp;

use crate::alarm::{self, ALARMS, Alarm, INSUFFICIENT};
use crate::change::{Scope, To};
use crate::error::validation;
use crate::{CloudWatch, evaluate};

/// By account, region, child, composite alarm.
pub static PARENTS: Table<()> = Table::new("cloudwatch.alarm-parent");

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Is(&'static str, String),
    Constant(bool),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

const DEEPEST: usize = 32;
const MOST_CHILDREN: usize = 100;

/// Checks a rule.
pub fn check(rule: &str) -> Result<()> {
    let node = parse(rule)?;
    let mut names = Vec::new();
    node.names(&mut names);
    if names.len() > MOST_CHILDREN {
        return Err(validation(format!(
            "AlarmRule must not contain more than {MOST_CHILDREN} alarms."
        )));
    }
    Ok(())
}

/// The alarms that a rule names; none, when it cannot be read.
pub fn children(rule: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(node) = parse(rule) {
        node.names(&mut names);
    }
    names
}

/// Has those evaluated that depend on an alarm which has changed.
pub async fn tell_parents(tx: &mut Tx, scope: &Scope, child: &Alarm, now: Timestamp) -> Result<()> {
    let key = Key::new().str(&scope.account).str(&scope.region).str(&child.name);
    for (k, ()) in tx.scan(&PARENTS, Range::prefix(&key), 1000).await? {
        let Some(Part::Str(parent)) = Parts::of(k.as_bytes()).nth(3) else { continue };
        let key = alarm::key(&scope.account, &scope.region, &parent);
        if let Some(parent) = tx.get(&ALARMS, &key).await? {
            evaluate::again(tx, scope, &parent, now);
        }
    }
    Ok(())
}

/// The state that a rule asks for now.
pub async fn judge(cw: &CloudWatch, scope: &Scope, rule: &str) -> Result<To> {
    let node = parse(rule)?;
    let mut states = Vec::new();
    for name in children(rule) {
        let key = alarm::key(&scope.account, &scope.region, &name);
        let found = cw.store.get(&ALARMS, &key).await?;
        let state = found.map_or_else(|| INSUFFICIENT.to_owned(), |a| a.state.value);
        states.push((name, state));
    }
    let alarmed = node.holds(&|name: &str| {
        states.iter().find(|(n, _)| n == name).map_or(INSUFFICIENT, |(_, s)| s)
    });
    let listed: Vec<String> = states
        .iter()
        .map(|(n, s)| format!("{} is in {s}", alarm::arn(&scope.account, &scope.region, n)))
        .collect();
    let value = if alarmed { "ALARM" } else { "OK" };
    let reason = if listed.is_empty() {
        format!("The alarm rule is always {alarmed}")
    } else {
        format!(
            "{}: {}",
            if alarmed { "The rule holds" } else { "The rule does not hold" },
            listed.join(", ")
        )
    };
    let reason = reason.chars().take(1023).collect();
    Ok(To { value: value.into(), reason, data: None })
}

impl Node {
    fn names(&self, found: &mut Vec<String>) {
        match self {
            Node::Is(_, name) if !found.contains(name) => found.push(name.clone()),
            Node::Not(n) => n.names(found),
            Node::All(some) | Node::Any(some) => some.iter().for_each(|n| n.names(found)),
            _ => {}
        }
    }

    fn holds<'a>(&self, state: &impl Fn(&str) -> &'a str) -> bool {
        match self {
            Node::Is(s, name) => state(name) == *s,
            Node::Constant(b) => *b,
            Node::Not(n) => !n.holds(state),
            Node::All(some) => some.iter().all(|n| n.holds(state)),
            Node::Any(some) => some.iter().any(|n| n.holds(state)),
        }
    }
}

fn parse(rule: &str) -> Result<Node> {
    let mut p = Parser { rest: rule.trim_start(), depth: 0 };
    let node = p.any()?;
    if p.rest.is_empty() { Ok(node) } else { Err(p.bad()) }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn bad(&self) -> fogbank_core::ApiError {
        let near: String = self.rest.chars().take(20).collect();
        validation(format!("AlarmRule is invalid near '{near}'."))
    }

    fn take(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            // A word ends where no letter follows.
            Some(rest)
                if !sign.ends_with(|c: char| c.is_alphabetic())
                    || !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') =>
            {
                self.rest = rest.trim_start();
                true
            }
            _ => false,
        }
    }

    fn any(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.bad());
        }
        let mut any = vec![self.all()?];
        while self.take("OR") {
            any.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if any.len() == 1 { any.remove(0) } else { Node::Any(any) })
    }

    fn all(&mut self) -> Result<Node> {
        let mut all = vec![self.one()?];
        while self.take("AND") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Node::All(all) })
    }

    fn one(&mut self) -> Result<Node> {
        let mut not = false;
        while self.take("NOT") {
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
        if self.take("TRUE") {
            return Ok(Node::Constant(true));
        }
        if self.take("FALSE") {
            return Ok(Node::Constant(false));
        }
        for state in ["ALARM", "OK", INSUFFICIENT] {
            if self.take(state) {
                if !self.take("(") {
                    return Err(self.bad());
                }
                let name = self.name()?;
                return if self.take(")") { Ok(Node::Is(state, name)) } else { Err(self.bad()) };
            }
        }
        Err(self.bad())
    }

    /// A name or an ARN, in quotes or without.
    fn name(&mut self) -> Result<String> {
        let text = match self.rest.chars().next() {
            Some(q @ ('"' | '\'')) => {
                let end = self.rest[1..].find(q).ok_or_else(|| self.bad())?;
                let text = &self.rest[1..=end];
                self.rest = self.rest[end + 2..].trim_start();
                text
            }
            _ => {
                let end = self.rest.find(')').ok_or_else(|| self.bad())?;
                let text = self.rest[..end].trim_end();
                self.rest = &self.rest[end..];
                text
            }
        };
        if text.is_empty() {
            return Err(self.bad());
        }
        let arn = fogbank_core::Arn::parse(text);
        let name = arn.and_then(|a| a.resource.strip_prefix("alarm:")).unwrap_or(text);
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests;
