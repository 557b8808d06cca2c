//! Shapes: what the service models say, for services that call others by operation names and JSON
//! which their users wrote (Step Functions' SDK integrations).

use bytes::Bytes;

use crate::{Result, Value};

/// The models, as far as such callers need them. Implemented by the gateway.
///
/// The JSON names members as SDKs do, with a capital (`StateMachineArn` for `stateMachineArn`), has
/// text for times and bytes, and a streamed payload as a member among others.
pub trait Shapes: Send + Sync {
    /// The model's name of an operation, given as SDKs write it (`putItem`); `None` when there is no
    /// such service or operation.
    fn operation(&self, service: &str, action: &str) -> Option<&'static str>;

    /// The operation's input, and its streamed payload.
    ///
    /// # Errors
    /// A member that the operation does not have, or one of another type: what is wrong, as the
    /// message.
    fn input(&self, service: &str, operation: &str, given: Value)
    -> Result<(Value, Option<Bytes>)>;

    /// The operation's input from JSON that people write by hand: numbers and truth as text and the
    /// other way round are taken for what they mean, documents for their text.
    ///
    /// # Errors
    /// `ValidationException` for a member that the operation does not have, or that cannot be what
    /// it has to be.
    fn fit(&self, service: &str, operation: &str, given: Value) -> Result<Value>;

    /// The operation's output as such JSON.
    fn output(&self, service: &str, operation: &str, value: Value, payload: Option<Bytes>)
    -> Value;

    /// The name of the error shape that the operation declares for a code.
    fn error(&self, service: &str, operation: &str, code: &str) -> Option<&'static str>;

    /// What is wrong with such JSON as the operation's output: the first finding. Required members
    /// may be missing unless `whole`.
    fn flaw(&self, service: &str, operation: &str, output: &Value, whole: bool) -> Option<String>;
}
