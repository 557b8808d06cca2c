//! JSON values that are shared in memory and stored as their text.

use std::sync::Arc;

use minicbor::{Decode, Decoder, Encode, Encoder};
use serde_json::Value;

/// A shared JSON value; cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Json(pub Arc<Value>);

impl From<Value> for Json {
    fn from(v: Value) -> Self {
        Json(Arc::new(v))
    }
}

impl std::ops::Deref for Json {
    type Target = Value;
    fn deref(&self) -> &Value {
        &self.0
    }
}

impl<C> Encode<C> for Json {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0.to_string())?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Json {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let text = d.str()?;
        serde_json::from_str(text)
            .map(|v| Json(Arc::new(v)))
            .map_err(minicbor::decode::Error::message)
    }
}
