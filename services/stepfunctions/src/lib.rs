//! AWS Step Functions: state machines, executions, activities.
//!
//! A definition is compiled once (`definitions`), an execution is a [`fogbank_asl::Run`]. Standard
//! executions live in the store: each move is one transaction that writes state, history and the
//! jobs that do what the run wants done ([`drive`]). Express executions live in this process
//! ([`express`]). Tasks call other services in the machine's role ([`task`]).
//!
//! <https://docs.aws.amazon.com/step-functions/latest/apireference/Welcome.html>

mod activity;
mod alias;
mod arn;
mod authz;
mod definitions;
mod drive;
mod error;
mod execution;
mod express;
mod history;
mod json;
mod logging;
mod machine;
mod map_run;
mod page;
mod record;
mod redrive;
mod role;
mod send;
mod start;
mod sync;
mod tag;
mod task;
mod test_state;
mod token;
mod validate;
mod version;
mod world;

use std::sync::{Arc, OnceLock};

use fogbank_bus::Worker;
use fogbank_core::{Cloud, Service};
use fogbank_store::Store;
use tokio::sync::Notify;

/// The service's state.
pub struct Sfn {
    pub(crate) store: Store,
    pub(crate) definitions: definitions::Definitions,
    pub(crate) roles: role::Roles,
    /// Wakes those who wait for an activity's tasks.
    pub(crate) tasks: Notify,
    pub(crate) cloud: OnceLock<Arc<dyn Cloud>>,
    worker: OnceLock<Worker>,
}

impl Sfn {
    /// Over a store; [`start`] sets its executions going.
    #[must_use]
    pub fn new(store: Store) -> Arc<Self> {
        Arc::new(Sfn {
            store,
            definitions: definitions::Definitions::default(),
            roles: role::Roles::default(),
            tasks: Notify::new(),
            cloud: OnceLock::new(),
            worker: OnceLock::new(),
        })
    }

    /// Tells the worker that jobs were added.
    pub(crate) fn wake(&self) {
        if let Some(w) = self.worker.get() {
            w.wake();
        }
    }
}

/// The service with all its operations.
#[must_use]
pub fn service(sfn: Arc<Sfn>) -> Service {
    Service::new(
        "stepfunctions",
        sfn,
        &[
            machine::OPS,
            version::OPS,
            alias::OPS,
            start::OPS,
            sync::OPS,
            execution::OPS,
            history::OPS,
            redrive::OPS,
            activity::OPS,
            send::OPS,
            map_run::OPS,
            validate::OPS,
            test_state::OPS,
            tag::OPS,
        ],
    )
}

/// Sets the executions going, those first that an earlier process left.
pub fn start(sfn: &Arc<Sfn>, cloud: &Arc<dyn Cloud>) {
    let _ = sfn.cloud.set(Arc::clone(cloud));
    let _ = sfn.worker.set(drive::worker(sfn, cloud));
    sfn.wake();
}
