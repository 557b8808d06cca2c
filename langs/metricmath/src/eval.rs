//! What an expression comes to.

use crate::parse::Node;
use crate::{Env, Error, Series, Val, functions, invalid};

pub fn eval(node: &Node, env: &dyn Env) -> Result<Val, Error> {
    match node {
        Node::Number(n) => Ok(Val::Number(*n)),
        Node::Text(t) => Ok(Val::Text(t.clone())),
        Node::Id(id) => match env.get(id) {
            Some(v) => Ok(v),
            // FILL's and SORT's words look like ids.
            None if id.bytes().all(|b| b.is_ascii_uppercase()) => Ok(Val::Text(id.clone())),
            None => invalid(format!("'{id}' is not the Id of a metric or expression")),
        },
        Node::List(items) => {
            let mut all = Vec::with_capacity(items.len());
            for item in items {
                match eval(item, env)? {
                    Val::Series(s) => all.push(s),
                    Val::Many(some) => all.extend(some),
                    _ => return invalid("only time series stand in an array"),
                }
            }
            Ok(Val::Many(all))
        }
        Node::Negative(of) => map(eval(of, env)?, &|x| -x),
        Node::Binary(sign, a, b) => binary(sign, eval(a, env)?, eval(b, env)?),
        Node::Call(name, arguments) => {
            let arguments: Result<Vec<Val>, Error> =
                arguments.iter().map(|a| eval(a, env)).collect();
            functions::call(name, arguments?, env)
        }
    }
}

/// Every value by itself.
pub fn map(v: Val, f: &dyn Fn(f64) -> f64) -> Result<Val, Error> {
    let each = |mut s: Series| {
        for x in s.points.values_mut() {
            *x = f(*x);
        }
        s.points.retain(|_, x| x.is_finite());
        s
    };
    Ok(match v {
        Val::Number(n) => Val::Number(f(n)),
        Val::Series(s) => Val::Series(each(s)),
        Val::Many(some) => Val::Many(some.into_iter().map(each).collect()),
        Val::Text(t) => return invalid(format!("'{t}' is no number")),
    })
}

fn binary(sign: &str, a: Val, b: Val) -> Result<Val, Error> {
    let truth = |b: bool| f64::from(u8::from(b));
    let f: Box<dyn Fn(f64, f64) -> f64> = match sign {
        "+" => Box::new(|a, b| a + b),
        "-" => Box::new(|a, b| a - b),
        "*" => Box::new(|a, b| a * b),
        "/" => Box::new(|a, b| a / b),
        "^" => Box::new(f64::powf),
        "==" => Box::new(move |a, b| truth(a == b)),
        "!=" => Box::new(move |a, b| truth(a != b)),
        ">=" => Box::new(move |a, b| truth(a >= b)),
        "<=" => Box::new(move |a, b| truth(a <= b)),
        ">" => Box::new(move |a, b| truth(a > b)),
        "<" => Box::new(move |a, b| truth(a < b)),
        "&&" => Box::new(move |a, b| truth(a != 0.0 && b != 0.0)),
        _ => Box::new(move |a, b| truth(a != 0.0 || b != 0.0)),
    };
    zip(a, b, &f)
}

/// Two values together: times that both have, or each with a number.
pub fn zip(a: Val, b: Val, f: &dyn Fn(f64, f64) -> f64) -> Result<Val, Error> {
    match (a, b) {
        (Val::Number(a), Val::Number(b)) => Ok(Val::Number(f(a, b))),
        (a, Val::Number(b)) => map(a, &|x| f(x, b)),
        (Val::Number(a), b) => map(b, &|x| f(a, x)),
        (Val::Series(a), Val::Series(b)) => Ok(Val::Series(both(a, &b, f))),
        (Val::Many(a), Val::Series(b)) => {
            Ok(Val::Many(a.into_iter().map(|s| both(s, &b, f)).collect()))
        }
        (Val::Series(a), Val::Many(b)) => {
            let each = |s: Series| {
                let label = s.label.clone();
                Series { label, ..both(a.clone(), &s, f) }
            };
            Ok(Val::Many(b.into_iter().map(each).collect()))
        }
        (Val::Many(a), Val::Many(b)) if a.len() == b.len() => {
            Ok(Val::Many(a.into_iter().zip(&b).map(|(x, y)| both(x, y, f)).collect()))
        }
        (Val::Many(_), Val::Many(_)) => invalid("the arrays have different lengths"),
        (Val::Text(t), _) | (_, Val::Text(t)) => invalid(format!("'{t}' is no number")),
    }
}

fn both(a: Series, b: &Series, f: &dyn Fn(f64, f64) -> f64) -> Series {
    let joined = a.points.iter().filter_map(|(t, x)| Some((*t, f(*x, *b.points.get(t)?))));
    let points = joined.filter(|(_, x)| x.is_finite()).collect();
    Series { points, period: a.period.max(b.period), label: a.label }
}
