//! The error an operation answers with: AWS's code and message, and internal context beside it.

use http::{HeaderName, HeaderValue};

use crate::{Str, Value};

/// What every handler returns.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

/// An AWS error. Status and shape on the wire come from the service's model unless overridden.
///
/// `Display` prints code and message only; [`ApiError::internal_context`] is for our own log.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError(Box<Inner>);

#[derive(Clone, Debug, Default, PartialEq)]
struct Inner {
    code: Str,
    message: String,
    status: Option<u16>,
    fields: Vec<(Str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    context: Option<String>,
}

impl ApiError {
    /// `code` as AWS spells it (`NoSuchBucket`), `message` as AWS words it.
    pub fn new(code: impl Into<Str>, message: impl Into<String>) -> Self {
        ApiError(Box::new(Inner { code: code.into(), message: message.into(), ..Inner::default() }))
    }

    /// A fault of ours: the client sees `InternalFailure`, `context` goes to our log.
    pub fn internal(context: impl Into<String>) -> Self {
        ApiError::new(
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        )
        .status(500)
        .context(context)
    }

    /// The refusal of something we do not implement, by name. A 4xx status that no SDK retries.
    #[must_use]
    pub fn not_implemented(what: &str) -> Self {
        ApiError::new("NotImplemented", format!("{what} is not implemented by fogbank")).status(400)
    }

    /// Overrides the HTTP status that the model gives this code.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds a member to the error's body (S3's `BucketName`, a modelled error's own members).
    #[must_use]
    pub fn field(mut self, name: impl Into<Str>, value: impl Into<Value>) -> Self {
        self.0.fields.push((name.into(), value.into()));
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Notes for our log, never sent to the client.
    #[must_use]
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.0.context = Some(context.into());
        self
    }

    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }
    /// The status override, if any.
    #[must_use]
    pub fn status_override(&self) -> Option<u16> {
        self.0.status
    }
    #[must_use]
    pub fn fields(&self) -> &[(Str, Value)] {
        &self.0.fields
    }
    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }
    #[must_use]
    pub fn internal_context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl std::error::Error for ApiError {}
