//! What parameters do on the clock: they expire.

use fogbank_bus::{Job as Due, Jobs, Next};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::Ssm;
use crate::record::Place;

pub static JOBS: Jobs<Expire> = Jobs::new("ssm.job");

/// A parameter, and when its record says that it expires.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Expire {
    #[n(0)]
    pub place: Place,
    #[n(1)]
    pub due: i64,
}
fogbank_store::record!(Expire, version = 1);

impl Ssm {
    /// Does what is due.
    pub(crate) async fn work(&self, job: Due<Expire>) -> Next<Expire> {
        let Expire { place, due } = &job.what;
        match self.remove(place, |p| p.expires == Some(*due)).await {
            Ok(_) => Next::Done,
            Err(e) => {
                let context = e.internal_context().unwrap_or_default();
                tracing::error!("a parameter's job failed and is tried again: {e} {context}");
                let later = job.due.saturating_add(SignedDuration::from_secs(60));
                Next::At(later.unwrap_or(Timestamp::MAX), job.what)
            }
        }
    }
}
