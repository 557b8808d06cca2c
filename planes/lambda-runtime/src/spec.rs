//! What an environment is made of: the function's version as the service knows it.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

/// One version of a function, as its environments need it.
#[derive(Clone, Debug)]
pub struct Spec {
    pub function_name: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// The function's ARN without a version or alias.
    pub arn: String,
    /// `python3.13`, `nodejs22.x`, `provided.al2023`.
    pub runtime: String,
    pub handler: String,
    /// The unpacked code, shared by all environments and shown read-only at `/var/task`.
    pub code: PathBuf,
    /// Unpacked layers in the function's order, merged read-only at `/opt`; later ones win.
    pub layers: Vec<PathBuf>,
    /// The function's own variables, decrypted.
    pub environment: Vec<(String, String)>,
    pub memory_mb: u32,
    /// The size of `/tmp`.
    pub tmp_mb: u32,
    pub timeout: Duration,
    pub account: String,
    pub region: String,
    pub log_group: String,
    pub log_stream: String,
    pub log_format: LogFormat,
    /// The least level of the function's own lines that is kept (JSON format only).
    pub app_log_level: Level,
    /// The least level of platform events that are kept (JSON format only).
    pub system_log_level: Level,
    /// Active tracing: `_X_AMZN_TRACE_ID` tells the runtime to sample.
    pub tracing: bool,
    /// Whose environment this is, for functions with tenant isolation.
    pub tenant: Option<String>,
    pub mounts: Vec<Mount>,
}

/// A directory shown inside at `target` (`/mnt/docs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub source: PathBuf,
    pub target: PathBuf,
    pub read_only: bool,
}

/// The credentials of the function's role, given as `AWS_ACCESS_KEY_ID` and so on at the start.
#[derive(Clone)]
pub struct Credentials {
    pub access_key: String,
    pub secret: String,
    pub token: String,
    pub expires: Timestamp,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}, until {})", self.access_key, self.expires)
    }
}

/// `LoggingConfig.LogFormat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// A log level, the least urgent first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    #[default]
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    /// As AWS spells it: `INFO`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
        }
    }

    /// Reads `INFO` and the like, in any case.
    #[must_use]
    pub fn parse(s: &str) -> Option<Level> {
        use Level::{Debug, Error, Fatal, Info, Trace, Warn};
        [Trace, Debug, Info, Warn, Error, Fatal]
            .into_iter()
            .find(|l| l.name().eq_ignore_ascii_case(s))
    }
}

/// The world outside an environment, as it reaches it; the binary implements it.
pub trait Front: Send + Sync {
    /// A connection from inside to any of AWS's names, on port 443 (`tls`) or 80/4566.
    fn accept(&self, stream: std::net::TcpStream, tls: bool);

    /// A DNS query from inside. `None` sends no answer.
    fn resolve(&self, query: &[u8]) -> Option<Vec<u8>>;

    /// Where clients on this machine reach AWS's services: for functions that run as plain
    /// processes, to which AWS's names cannot lead here.
    fn endpoint(&self) -> Option<String> {
        None
    }

    /// A datagram for the X-Ray daemon at 127.0.0.1:2000.
    fn xray(&self, datagram: Bytes, spec: &Spec);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A function for tests.
    pub(crate) fn spec() -> Spec {
        Spec {
            function_name: "f".into(),
            version: "$LATEST".into(),
            arn: "arn:aws:lambda:us-east-1:000000000000:function:f".into(),
            runtime: "python3.13".into(),
            handler: "app.handler".into(),
            code: "/code".into(),
            layers: vec![],
            environment: vec![],
            memory_mb: 128,
            tmp_mb: 512,
            timeout: Duration::from_secs(3),
            account: "000000000000".into(),
            region: "us-east-1".into(),
            log_group: "/aws/lambda/f".into(),
            log_stream: "2024/10/17/[$LATEST]0123".into(),
            log_format: LogFormat::Text,
            app_log_level: Level::Info,
            system_log_level: Level::Info,
            tracing: false,
            tenant: None,
            mounts: vec![],
        }
    }

    #[test]
    fn levels_are_ordered_and_named() {
        assert_eq!(Level::parse("warn"), Some(Level::Warn));
        assert_eq!(Level::parse("loud"), None);
        assert!(Level::Debug < Level::Error);
    }
}
