//! What can go wrong in making a sandbox.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A step of the child's that the kernel refused.
    #[error("the sandbox cannot be made: {what}: {error}")]
    Step { what: &'static str, error: std::io::Error },
    #[error("the sandbox cannot be made: {what}: {error}")]
    Io { what: &'static str, error: std::io::Error },
    #[error("a path, argument or variable holds a NUL byte")]
    Nul,
    #[error("the sandbox has ended")]
    Ended,
}

impl Error {
    /// For `map_err`: says what was being done.
    pub(crate) fn io<E: Into<std::io::Error>>(what: &'static str) -> impl FnOnce(E) -> Error {
        move |e| Error::Io { what, error: e.into() }
    }
}
