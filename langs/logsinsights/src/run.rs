//! A query at work: events go in one by one, rows come out at the end.

use std::collections::{BTreeMap, HashSet};

use crate::Event;
use crate::aggregate::Sum;
use crate::eval::{Row, eval};
use crate::parse::{Command, Named, Pattern};
use crate::value::Value;

/// A query at work.
pub struct Run<'a> {
    /// Those that look at one event at a time.
    each: &'a [Command],
    /// Those that need all.
    rest: &'a [Command],
    limit: usize,
    now: i64,
    rows: Vec<Fields>,
    groups: BTreeMap<Vec<String>, Group>,
    /// How many events passed the filters.
    matched: usize,
}

/// More rows are held than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// What a query without commands for it shows.
const SHOWN: &[&str] = &["@timestamp", "@message"];
/// Rows that are held at most.
const MOST_ROWS: usize = 200_000;
const MOST_GROUPS: usize = 50_000;

/// A row: what it shows, and what else later commands may ask for.
#[derive(Clone, Debug, Default)]
struct Fields {
    all: Vec<(String, Value)>,
    shown: Vec<String>,
}

#[derive(Default)]
struct Group {
    by: Vec<Value>,
    sums: Vec<Sum>,
}

/// An event with the fields that commands have added.
struct Live<'e> {
    event: &'e dyn Event,
    own: Vec<(String, Value)>,
}

impl Row for Live<'_> {
    fn get(&self, name: &str) -> Value {
        let own = self.own.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        own.unwrap_or_else(|| self.event.field(name))
    }
}

impl Row for Fields {
    fn get(&self, name: &str) -> Value {
        let found = self.all.iter().rev().find(|(n, _)| n == name);
        found.map(|(_, v)| v.clone()).unwrap_or_default()
    }
}

impl Fields {
    fn set(&mut self, name: &str, value: Value) {
        self.all.retain(|(n, _)| n != name);
        self.all.push((name.to_owned(), value));
    }
}

impl<'a> Run<'a> {
    pub(crate) fn new(commands: &'a [Command], limit: usize, now: i64) -> Self {
        let alone = |c: &Command| {
            matches!(
                c,
                Command::Fields(_)
                    | Command::Display(_)
                    | Command::Filter(_)
                    | Command::Parse { .. }
            )
        };
        let split = commands.iter().position(|c| !alone(c)).unwrap_or(commands.len());
        let (each, rest) = commands.split_at(split);
        let (rows, groups) = Default::default();
        Run { each, rest, limit, now, rows, groups, matched: 0 }
    }

    /// How many events passed the filters so far.
    #[must_use]
    pub fn matched(&self) -> usize {
        self.matched
    }

    /// How many rows are enough, when events come newest first and nothing is sorted or added up.
    #[must_use]
    pub fn enough(&self) -> Option<usize> {
        match self.rest {
            [] => Some(self.limit),
            [Command::Limit(n)] => Some(*n),
            _ => None,
        }
    }

    /// Takes an event.
    ///
    /// # Errors
    /// [`Full`]: the query holds more than it may.
    pub fn feed(&mut self, event: &dyn Event) -> Result<(), Full> {
        let mut live = Live { event, own: Vec::new() };
        let mut shown: Vec<String> = Vec::new();
        for command in self.each {
            match command {
                Command::Filter(e) if !eval(e, &live, self.now).truth() => return Ok(()),
                Command::Fields(some) => self.name(&mut live, some, &mut shown),
                Command::Display(some) => {
                    shown.clear();
                    self.name(&mut live, some, &mut shown);
                }
                Command::Parse { from, how, names } => {
                    let text = eval(from, &live, self.now).text();
                    for (name, value) in names.iter().zip(parsed(how, names, &text)) {
                        if let Some(v) = value {
                            live.own.push((name.clone(), Value::Text(v)));
                        }
                        shown.push(name.clone());
                    }
                }
                _ => {}
            }
        }
        self.matched += 1;
        if let Some(Command::Stats { of, by }) = self.rest.first() {
            return self.group(of, by, &live);
        }
        if self.rows.len() >= MOST_ROWS {
            return Err(Full);
        }
        if shown.is_empty() {
            shown = SHOWN.iter().map(|s| (*s).to_owned()).collect();
        }
        let mut row = Fields { all: live.own.clone(), shown };
        for name in row.shown.clone() {
            row.set(&name, live.get(&name));
        }
        // What later commands ask for has to be read while the event is there.
        for name in self.asked() {
            row.set(&name, live.get(&name));
        }
        self.rows.push(row);
        Ok(())
    }

    /// The fields that the later commands are about.
    fn asked(&self) -> Vec<String> {
        let mut names: Vec<String> = vec!["@timestamp".into(), "@message".into(), "@ptr".into()];
        for command in self.rest {
            match command {
                Command::Sort(by) => by.iter().for_each(|(e, _)| fields(e, &mut names)),
                Command::Dedup(by) => by.iter().for_each(|e| fields(e, &mut names)),
                Command::Fields(some) | Command::Display(some) => {
                    some.iter().for_each(|(e, _)| fields(e, &mut names));
                }
                Command::Filter(e) => fields(e, &mut names),
                Command::Parse { from, .. } => fields(from, &mut names),
                Command::Stats { of, by } => {
                    of.iter()
                        .filter_map(|(a, _)| a.of.as_ref())
                        .for_each(|e| fields(e, &mut names));
                    by.iter().for_each(|(e, _)| fields(e, &mut names));
                }
                Command::Limit(_) => {}
            }
        }
        names
    }

    fn name(&self, live: &mut Live<'_>, some: &[Named], shown: &mut Vec<String>) {
        for (expr, name) in some {
            let value = eval(expr, live, self.now);
            live.own.push((name.clone(), value));
            shown.retain(|n| n != name);
            shown.push(name.clone());
        }
    }

    fn group(
        &mut self,
        of: &[(crate::parse::Aggregate, String)],
        by: &[Named],
        row: &dyn Row,
    ) -> Result<(), Full> {
        let values: Vec<Value> = by.iter().map(|(e, _)| eval(e, row, self.now)).collect();
        let key: Vec<String> = values.iter().map(Value::text).collect();
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&key) {
            return Err(Full);
        }
        let now = self.now;
        let group = self.groups.entry(key).or_insert_with(|| Group {
            by: values,
            sums: of.iter().map(|_| Sum::default()).collect(),
        });
        let time = row.get("@timestamp").number().unwrap_or(0.0);
        for ((a, _), sum) in of.iter().zip(&mut group.sums) {
            sum.add(a, a.of.as_ref().map(|e| eval(e, row, now)), time);
        }
        Ok(())
    }

    /// The rows: names and values, in order.
    #[must_use]
    pub fn finish(mut self) -> Vec<Vec<(String, String)>> {
        let mut rows = std::mem::take(&mut self.rows);
        let mut limit = self.limit;
        let mut rest = self.rest;
        let sorts = rest.iter().any(|c| matches!(c, Command::Sort(_)));
        if let Some((Command::Stats { of, by }, after)) = rest.split_first() {
            rows = self.sums(of, by);
            rest = after;
        } else if !sorts {
            // The newest first, as it is without a word about it.
            rows.sort_by(|a, b| b.get("@timestamp").order(&a.get("@timestamp")));
        }
        for command in rest {
            rows = self.apply(command, rows, &mut limit);
        }
        rows.truncate(limit);
        rows.iter().map(shown).collect()
    }

    fn sums(&mut self, of: &[(crate::parse::Aggregate, String)], by: &[Named]) -> Vec<Fields> {
        let mut groups = std::mem::take(&mut self.groups);
        if groups.is_empty() && by.is_empty() {
            let sums = of.iter().map(|_| Sum::default()).collect();
            groups.insert(Vec::new(), Group { by: Vec::new(), sums });
        }
        let row = |g: Group| {
            let mut row = Fields::default();
            for ((_, name), value) in by.iter().zip(g.by) {
                row.set(name, value);
            }
            for ((a, name), sum) in of.iter().zip(&g.sums) {
                row.set(name, sum.value(a));
            }
            row.shown = row.all.iter().map(|(n, _)| n.clone()).collect();
            row
        };
        groups.into_values().map(row).collect()
    }

    fn apply(
        &mut self,
        command: &Command,
        mut rows: Vec<Fields>,
        limit: &mut usize,
    ) -> Vec<Fields> {
        let now = self.now;
        match command {
            Command::Sort(by) => {
                let mut keyed: Vec<(Vec<Value>, Fields)> = rows
                    .into_iter()
                    .map(|r| (by.iter().map(|(e, _)| eval(e, &r, now)).collect(), r))
                    .collect();
                keyed.sort_by(|(a, _), (b, _)| {
                    let each = a.iter().zip(b).zip(by).map(|((x, y), (_, down))| {
                        let order = x.order(y);
                        if *down { order.reverse() } else { order }
                    });
                    each.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
                });
                keyed.into_iter().map(|(_, r)| r).collect()
            }
            Command::Limit(n) => {
                *limit = *n;
                rows.truncate(*n);
                rows
            }
            Command::Dedup(by) => {
                let mut seen: HashSet<Vec<String>> = HashSet::new();
                rows.retain(|r| {
                    let key: Vec<Value> = by.iter().map(|e| eval(e, r, now)).collect();
                    // Rows without the field stay.
                    key.contains(&Value::Null) || seen.insert(key.iter().map(Value::text).collect())
                });
                rows
            }
            Command::Filter(e) => {
                rows.retain(|r| eval(e, r, now).truth());
                rows
            }
            Command::Fields(some) | Command::Display(some) => {
                for row in &mut rows {
                    if matches!(command, Command::Display(_)) {
                        row.shown.clear();
                    }
                    for (expr, name) in some {
                        let value = eval(expr, row, now);
                        row.set(name, value);
                        row.shown.retain(|n| n != name);
                        row.shown.push(name.clone());
                    }
                }
                rows
            }
            Command::Parse { from, how, names } => {
                for row in &mut rows {
                    let text = eval(from, row, now).text();
                    for (name, value) in names.iter().zip(parsed(how, names, &text)) {
                        row.set(name, value.map_or(Value::Null, Value::Text));
                        row.shown.push(name.clone());
                    }
                }
                rows
            }
            Command::Stats { of, by } => {
                for row in &rows {
                    if self.group(of, by, row).is_err() {
                        break;
                    }
                }
                self.sums(of, by)
            }
        }
    }
}

fn shown(row: &Fields) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for name in &row.shown {
        if let Some(text) = row.get(name).shown() {
            out.push((name.clone(), text));
        }
    }
    if let Some(ptr) = row.get("@ptr").shown() {
        out.push(("@ptr".into(), ptr));
    }
    out
}

fn parsed(how: &Pattern, names: &[String], text: &str) -> Vec<Option<String>> {
    match how {
        Pattern::Regex(r) => {
            let found = r.captures(text);
            let group = |n: &String| Some(found.as_ref()?.name(n)?.as_str().to_owned());
            names.iter().map(group).collect()
        }
        Pattern::Glob(parts) => glob(parts, text)
            .map_or_else(|| vec![None; names.len()], |v| v.into_iter().map(Some).collect()),
    }
}

/// What stands for each star.
fn glob(parts: &[String], text: &str) -> Option<Vec<String>> {
    let (first, others) = parts.split_first()?;
    let mut rest = &text[text.find(first.as_str())? + first.len()..];
    let mut found = Vec::with_capacity(others.len());
    for (i, part) in others.iter().enumerate() {
        let end = if part.is_empty() && i + 1 == others.len() {
            rest.len()
        } else {
            rest.find(part.as_str())?
        };
        found.push(rest[..end].to_owned());
        rest = &rest[(end + part.len()).min(rest.len())..];
    }
    Some(found)
}

/// The fields that an expression is about.
fn fields(e: &crate::parse::Expr, found: &mut Vec<String>) {
    use crate::parse::Expr as E;
    match e {
        E::Field(n) if !found.contains(n) => found.push(n.clone()),
        E::Call(_, some) => some.iter().for_each(|e| fields(e, found)),
        E::Negative(e) | E::Not(e) | E::Like(e, _) => fields(e, found),
        E::Binary(_, a, b) => {
            fields(a, found);
            fields(b, found);
        }
        E::In(e, items) => {
            fields(e, found);
            items.iter().for_each(|e| fields(e, found));
        }
        _ => {}
    }
}
