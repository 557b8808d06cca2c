//! The edge: what a service does with HTTP itself, beside its operations.
//!
//! S3 is the reason: browsers ask for permission across origins and send forms, which are no
//! operations of the model. The gateway finds them, verifies them, and hands them over here with
//! the request's head in [`Cx::http`] and its body in the [`Cx`].

use http::{HeaderMap, Response};

use crate::{Body, BoxFuture, Cx, Result};

/// Implemented by a service whose requests are not all operations; called by the gateway.
///
/// `path` is always path-style, percent-encoded as received and without the query
/// (`/bucket/a%20key`), whatever the host was.
pub trait Edge: Send + Sync {
    /// Answers an `OPTIONS` request, which browsers send before a request across origins. It is
    /// never signed: the principal is anonymous.
    ///
    /// # Errors
    /// The service's own, written by the gateway as an operation's error would be.
    fn preflight<'a>(&'a self, cx: &'a Cx, path: &'a str) -> BoxFuture<'a, Result<Response<Body>>>;

    /// Adds headers to the answer of an operation, errors included, whose request had an `Origin`.
    fn decorate<'a>(
        &'a self,
        cx: &'a Cx,
        path: &'a str,
        headers: &'a mut HeaderMap,
    ) -> BoxFuture<'a, ()>;

    /// Takes a form (`POST`, `multipart/form-data`) whose signature and policy have been verified.
    /// The file is the body of `cx`, which is limited to [`Form::length`] already.
    ///
    /// # Errors
    /// The service's own.
    fn form<'a>(
        &'a self,
        cx: &'a Cx,
        path: &'a str,
        form: Form,
    ) -> BoxFuture<'a, Result<Response<Body>>>;
}

/// A browser's form up to its file, which follows as a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// The fields before the file, in order, names in lower case.
    pub fields: Vec<(String, String)>,
    /// The file part's name, as the browser gave it.
    pub filename: Option<String>,
    /// The file part's own content type.
    pub content_type: Option<String>,
    /// The least and greatest size in bytes that the form's policy allows.
    pub length: Option<(u64, u64)>,
}

impl Form {
    /// The value of the first field of this name (lower case).
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}
