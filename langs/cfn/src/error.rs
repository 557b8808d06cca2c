//! What is wrong with a template, in CloudFormation's words.

/// A fault of a template; `Display` is the message that CloudFormation gives with its
/// `ValidationError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A fault of the template's form: `Template format error: …`.
    pub(crate) fn format(detail: impl std::fmt::Display) -> Self {
        Error(format!("Template format error: {detail}"))
    }

    /// A fault of what the template says: `Template error: …`.
    pub(crate) fn template(detail: impl std::fmt::Display) -> Self {
        Error(format!("Template error: {detail}"))
    }
}
