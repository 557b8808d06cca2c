//! What keys do on the clock: rotate, and go.

use fogbank_bus::{Job as Due, Jobs, Next};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::Kms;
use crate::record::Place;

pub static JOBS: Jobs<Job> = Jobs::new("kms.job");

/// A job, with the time at which the key's record says it is due: when that has changed, so has the
/// plan, and the job is for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Job {
    #[n(0)]
    Rotate(#[n(0)] Place, #[n(1)] i64),
    #[n(1)]
    Delete(#[n(0)] Place, #[n(1)] i64),
}
fogbank_store::record!(Job, version = 1);

impl Kms {
    /// Does what is due.
    pub(crate) async fn work(&self, job: Due<Job>) -> Next<Job> {
        let now = self.clock.now();
        let done = match &job.what {
            Job::Rotate(place, due) => self.rotate(place, *due, now).await,
            Job::Delete(place, due) => self.destroy(place, *due).await,
        };
        match done {
            Ok(()) => Next::Done,
            Err(e) => {
                let context = e.internal_context().unwrap_or_default();
                tracing::error!("a key's job failed and is tried again: {e} {context}");
                let later = now.saturating_add(SignedDuration::from_secs(60));
                Next::At(later.unwrap_or(Timestamp::MAX), job.what)
            }
        }
    }
}
