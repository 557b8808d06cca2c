//! TestState.
use crate::Sfn;
use fogbank_core::{Op, ops};
pub const OPS: &[Op<Sfn>] = ops![];
