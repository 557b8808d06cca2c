//! What secrets do on the clock: rotate, and go.

use std::sync::Arc;

use fogbank_bus::{Job as Due, Jobs, Next};
use fogbank_core::{Cloud, Result};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::Manager;
use crate::record::{Place, Secret};
use crate::rotate::Step;

pub static JOBS: Jobs<Job> = Jobs::new("secretsmanager.job");

/// A job: the secret (its suffix too, since another may take the name), and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Job {
    #[n(0)]
    pub place: Place,
    #[n(1)]
    pub suffix: String,
    #[n(2)]
    pub task: Task,
}
fogbank_store::record!(Job, version = 1);

/// What to do. A time is the one at which the secret's record says it is due.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Task {
    #[n(0)]
    Delete(#[n(0)] i64),
    /// The schedule says so.
    #[n(1)]
    Rotate(#[n(0)] i64),
    /// A step of a rotation: the version, the step, how often it has failed, and which beginning it
    /// belongs to.
    #[n(2)]
    Step(#[n(0)] String, #[n(1)] u8, #[n(2)] u8, #[n(3)] u32),
}

impl Job {
    pub fn delete(secret: &Secret, due: i64) -> Job {
        Job::of(secret, Task::Delete(due))
    }

    pub fn of(secret: &Secret, task: Task) -> Job {
        Job { place: secret.place.clone(), suffix: secret.suffix.clone(), task }
    }

    pub fn delete_id(secret: &Secret) -> String {
        format!("delete {}", secret.arn())
    }
    pub fn rotate_id(secret: &Secret) -> String {
        format!("rotate {}", secret.arn())
    }
    pub fn step_id(secret: &Secret, version: &str) -> String {
        format!("step {} {version}", secret.arn())
    }
}

impl Manager {
    /// Does what is due.
    pub(crate) async fn work(&self, cloud: &Arc<dyn Cloud>, job: Due<Job>) -> Next<Job> {
        let now = cloud.clock().now();
        match self.one(cloud, &job.what, now).await {
            Ok(next) => next,
            Err(e) => {
                let context = e.internal_context().unwrap_or_default();
                tracing::error!("a secret's job failed and is tried again: {e} {context}");
                Next::At(later(now, 60), job.what)
            }
        }
    }

    async fn one(&self, cloud: &Arc<dyn Cloud>, job: &Job, now: Timestamp) -> Result<Next<Job>> {
        let Job { place, suffix, task } = job;
        match task {
            Task::Delete(due) => self.expire(place, suffix, *due).await.map(|()| Next::Done),
            Task::Rotate(due) => {
                self.begin_due(cloud, place, suffix, *due, now).await.map(|()| Next::Done)
            }
            Task::Step(version, step, failed, begun) => {
                let step = Step { version, number: *step, failed: *failed, begun: *begun };
                self.step(cloud, job, step, now).await
            }
        }
    }
}

pub fn later(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
