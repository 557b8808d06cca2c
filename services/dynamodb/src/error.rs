//! DynamoDB's errors.

use fogbank_core::{ApiError, Value};
use fogbank_dynamo::Item;

use crate::value::item_value;

/// The request is not valid, in AWS's words.
pub fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}

/// A parameter has a wrong value: AWS's most frequent beginning.
pub fn parameter(message: impl AsRef<str>) -> ApiError {
    validation(format!("One or more parameter values were invalid: {}", message.as_ref()))
}

/// An expression or value that the language refuses.
pub fn language(e: &fogbank_dynamo::Error) -> ApiError {
    validation(e.to_string())
}

/// Reading or writing items of a table that is not there.
pub fn no_resource() -> ApiError {
    ApiError::new("ResourceNotFoundException", "Requested resource not found")
}

/// Describing or changing a table that is not there.
pub fn no_table(name: &str) -> ApiError {
    ApiError::new(
        "ResourceNotFoundException",
        format!("Requested resource not found: Table: {name} not found"),
    )
}

pub fn in_use(message: impl Into<String>) -> ApiError {
    ApiError::new("ResourceInUseException", message)
}

pub fn limit_exceeded(message: impl Into<String>) -> ApiError {
    ApiError::new("LimitExceededException", message)
}

/// A condition did not hold; `item` is what the caller asked to see.
pub fn condition_failed(item: Option<&Item>) -> ApiError {
    let e = ApiError::new("ConditionalCheckFailedException", "The conditional request failed");
    match item {
        Some(item) => e.field("Item", item_value(item)),
        None => e,
    }
}

/// An item is inserted that is there already.
pub fn duplicate() -> ApiError {
    ApiError::new("DuplicateItemException", "Duplicate primary key exists in table")
}

/// A transaction that was cancelled, and why: a reason for each of its actions.
pub fn cancelled(reasons: Vec<Reason>) -> ApiError {
    let codes: Vec<&str> = reasons.iter().map(|r| r.code).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    let reasons = reasons.into_iter().map(Reason::value).collect();
    ApiError::new("TransactionCanceledException", message)
        .field("CancellationReasons", Value::List(reasons))
}

/// Why an action cancelled its transaction, or that it did not.
#[derive(Clone, Debug)]
pub struct Reason {
    pub code: &'static str,
    pub message: Option<String>,
    pub item: Option<Item>,
}

impl Reason {
    pub const NONE: Reason = Reason { code: "None", message: None, item: None };

    /// The reason that an error of a single action becomes; `None` for what fails the whole call.
    pub fn of(e: &ApiError) -> Option<Self> {
        let code = match e.code() {
            "ConditionalCheckFailedException" => "ConditionalCheckFailed",
            "ValidationException" => "ValidationError",
            "DuplicateItemException" => "DuplicateItem",
            _ => return None,
        };
        Some(Reason { code, message: Some(e.message().to_owned()), item: None })
    }

    fn value(self) -> Value {
        let mut members = vec![("Code".into(), Value::from(self.code))];
        if let Some(m) = self.message {
            members.push(("Message".into(), m.into()));
        }
        if let Some(item) = self.item {
            members.push(("Item".into(), item_value(&item)));
        }
        Value::Map(members)
    }
}
