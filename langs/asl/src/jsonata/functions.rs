//! The functions that Step Functions adds to JSONata, and those it changes.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#jsonata-functions>

use std::sync::Arc;

use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;

use super::convert;
use crate::intrinsic::digest;
use crate::world::World;

type Answer = Result<JValue, EvaluatorError>;

/// The longest range.
const LONGEST: f64 = 1000.0;

/// The names that make [`add`] necessary.
pub const NAMES: [&str; 9] =
    ["partition", "range", "hash", "random", "uuid", "parse", "eval", "now", "millis"];

/// Adds them to an evaluator.
pub fn add(to: &mut Evaluator, world: &Arc<dyn World + Send + Sync>) -> Result<(), EvaluatorError> {
    to.register_fn("partition", partition)?;
    to.register_fn("range", range)?;
    to.register_fn("hash", hash)?;
    to.register_fn("parse", parse)?;
    let w = Arc::clone(world);
    to.register_fn("uuid", move |_: &[JValue]| Ok(JValue::from(w.uuid())))?;
    let w = Arc::clone(world);
    to.register_fn_override("random", move |args: &[JValue]| {
        let bits = match args.first().and_then(JValue::as_f64) {
            Some(seed) => crate::intrinsic::mix(seed.to_bits()),
            None => w.random(),
        };
        Ok(JValue::Number((bits >> 11) as f64 / (1u64 << 53) as f64))
    })?;
    let w = Arc::clone(world);
    to.register_fn_override("millis", move |_: &[JValue]| {
        Ok(JValue::Number(w.now().as_millisecond() as f64))
    })?;
    let w = Arc::clone(world);
    to.register_fn_override("now", move |args: &[JValue]| {
        if args.is_empty() {
            let now = w.now();
            return Ok(JValue::from(now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()));
        }
        let mut inner = Evaluator::new();
        let ast = jsonata_core::parser::parse("$fromMillis(at, picture, zone)")
            .map_err(|e| EvaluatorError::EvaluationError(e.to_string()))?;
        let mut data = indexmap::IndexMap::new();
        data.insert("at".to_owned(), JValue::Number(w.now().as_millisecond() as f64));
        for (name, arg) in ["picture", "zone"].into_iter().zip(args) {
            data.insert(name.to_owned(), arg.clone());
        }
        inner.evaluate(&ast, &JValue::object(data))
    })?;
    to.register_fn_override("eval", |_: &[JValue]| -> Answer {
        fail("$eval is not supported; $parse reads JSON")
    })
}

fn partition(args: &[JValue]) -> Answer {
    let Some(items) = args.first().and_then(JValue::as_array) else {
        return fail("$partition: the first argument must be an array");
    };
    let size = args.get(1).and_then(JValue::as_f64).map_or(0.0, f64::floor);
    if size < 1.0 {
        return fail("$partition: the chunk size must be a positive number");
    }
    let chunks = items.chunks(size as usize);
    Ok(JValue::array(chunks.map(|c| JValue::array(c.to_vec())).collect()))
}

fn range(args: &[JValue]) -> Answer {
    let number = |i: usize| args.get(i).and_then(JValue::as_f64);
    let (Some(first), Some(last), Some(step)) = (number(0), number(1), number(2)) else {
        return fail("$range: three numbers are needed");
    };
    if step == 0.0 {
        return fail("$range: the increment may not be 0");
    }
    let n = ((last - first) / step).floor();
    if !n.is_finite() || n >= LONGEST {
        return fail("$range: a range holds at most 1000 items");
    }
    if n < 0.0 {
        return Ok(JValue::array(Vec::new()));
    }
    Ok(JValue::array((0..=n as u32).map(|i| JValue::Number(first + f64::from(i) * step)).collect()))
}

fn hash(args: &[JValue]) -> Answer {
    let Some(data) = args.first().filter(|v| !v.is_undefined()) else {
        return Ok(JValue::Undefined);
    };
    let data = match data.as_str() {
        Some(s) => s.to_owned(),
        None => data.to_json_string().unwrap_or_default(),
    };
    let algorithm = args.get(1).and_then(JValue::as_str).unwrap_or("SHA-256");
    match digest(data.as_bytes(), algorithm) {
        Ok(hex) => Ok(JValue::from(hex)),
        Err(why) => fail(&format!("$hash: {why}")),
    }
}

fn parse(args: &[JValue]) -> Answer {
    let Some(text) = args.first().and_then(JValue::as_str) else {
        return fail("$parse: a string is needed");
    };
    match serde_json::from_str(text) {
        Ok(v) => Ok(convert::from_json(&v)),
        Err(e) => fail(&format!("$parse: {e}")),
    }
}

fn fail(why: &str) -> Answer {
    Err(EvaluatorError::EvaluationError(why.to_owned()))
}
