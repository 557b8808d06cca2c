//! Execution environments: started, invoked, frozen, shut down.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fogbank_core::{Clock, Ids};

use crate::{Credentials, Failure, Front, Invocation, Logs, Outcome, Runtimes, Spec};

/// Makes environments; cheap to clone.
#[derive(Clone)]
pub struct Environments(Arc<Options>);

/// What environments are made with.
pub struct Options {
    /// A directory of our own, for what environments need while they live.
    pub scratch: PathBuf,
    pub runtimes: Runtimes,
    pub front: Arc<dyn Front>,
    /// The CA that environments trust beside the public ones.
    pub ca_pem: Arc<str>,
    pub clock: Clock,
    pub ids: Ids,
}

/// What this machine can keep environments from doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Environments are apart from each other and from the machine: namespaces, users, seccomp.
    /// Without it, tenant isolation must be refused.
    pub isolated: bool,
    /// Memory, processor and process limits are the kernel's.
    pub limits: bool,
    /// `/tmp` is of the configured size.
    pub tmp_size: bool,
}

/// Why an environment cannot be started at all. A function whose own start fails is no such
/// error: see [`Environment::init_failure`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitError {
    /// No interpreter for this runtime; the text says what would help.
    NoRuntime(String),
    /// The sandbox could not be made.
    Sandbox(String),
}

impl std::fmt::Display for InitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InitError::NoRuntime(s) | InitError::Sandbox(s) => f.write_str(s),
        }
    }
}

impl std::error::Error for InitError {}

/// Why an environment is shut down, as extensions are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// It has been idle, or its function has changed.
    Spindown,
    Timeout,
    Failure,
}

impl Environments {
    #[must_use]
    pub fn new(options: Options) -> Self {
        Environments(Arc::new(options))
    }

    /// What this machine allows.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        Capabilities { isolated: false, limits: false, tmp_size: false }
    }

    /// Starts an environment and runs its INIT phase (10 seconds at most). A function whose start
    /// fails gives an environment all the same: as on AWS, the first invocation tries again and
    /// answers with the failure.
    ///
    /// # Errors
    /// When there is nothing to run the function with.
    pub async fn start(
        &self,
        spec: Arc<Spec>,
        credentials: Credentials,
        logs: Arc<dyn Logs>,
    ) -> Result<Environment, InitError> {
        let _ = (credentials, logs, &self.0);
        Err(InitError::NoRuntime(format!("no interpreter for {}", spec.runtime)))
    }
}

/// One environment. It serves one invocation at a time and is frozen between them. Dropped, it is
/// killed.
pub struct Environment {
    init: Duration,
}

impl Environment {
    /// Runs the function on one event. Without fail: whatever happens is in the outcome.
    pub async fn invoke(&mut self, invocation: Invocation) -> Outcome {
        let _ = invocation;
        unreachable!("no environment can be started yet")
    }

    /// How long the INIT phase took.
    #[must_use]
    pub fn init_duration(&self) -> Duration {
        self.init
    }

    /// Why the INIT phase failed, if it did (for provisioned concurrency).
    #[must_use]
    pub fn init_failure(&self) -> Option<&Failure> {
        None
    }

    /// Whether it can take an invocation. A failed one can: its runtime is started anew.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        true
    }

    /// The SHUTDOWN phase: extensions are told, then everything in it ends.
    pub async fn shutdown(self, reason: Shutdown) {
        let _ = reason;
    }
}
