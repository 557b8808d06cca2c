//! TestState.
use fogbank_core::{Op, ops};
use crate::Sfn;
pub const OPS: &[Op<Sfn>] = ops![];
