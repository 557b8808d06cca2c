//! Getting a function ready: its code is unpacked and found whole, then it is `Active`.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>

use std::sync::Arc;

use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::{Cx, Result};
use fogbank_store::{Lock, Tx};
use minicbor::{Decode, Encode};

use crate::Lambda;
use crate::config::{Config, State, Update};
use crate::function::FUNCTIONS;
use crate::name::Target;
use crate::version::{VERSIONS, version_key};

static READY: Jobs<Ready> = Jobs::new("lambda.ready");

/// A function that was created or changed.
#[derive(Clone, Debug, Encode, Decode)]
struct Ready {
    #[n(0)]
    account: String,
    #[n(1)]
    region: String,
    #[n(2)]
    name: String,
}
fogbank_store::record!(Ready, version = 1);

/// Notes in a transaction that a function must be made ready.
pub fn put(tx: &mut Tx, cx: &Cx, function: &Target) {
    let job = Ready {
        account: function.account.clone(),
        region: function.region.clone(),
        name: function.name.clone(),
    };
    READY.put(tx, cx.now, &cx.ids().request_id(), &job);
}

/// Sets the worker going.
pub fn start(lambda: &Arc<Lambda>) -> Worker {
    let (store, clock) = (lambda.store.clone(), lambda.clock.clone());
    let lambda = Arc::downgrade(lambda);
    Worker::start(store, clock, &READY, Options { at_once: 4 }, move |job: Job<Ready>| {
        let lambda = lambda.upgrade();
        async move {
            let Some(lambda) = lambda else { return Next::Done };
            match lambda.make_ready(&job.what).await {
                Ok(()) => Next::Done,
                Err(e) => {
                    tracing::error!("the function {} is not ready yet: {e}", job.what.name);
                    let later = job.due.saturating_add(jiff::SignedDuration::from_secs(1));
                    Next::At(later.unwrap_or(job.due), job.what)
                }
            }
        }
    })
}

impl Lambda {
    /// Tells the worker that there is a function to make ready.
    pub(crate) fn wake_ready(&self) {
        if let Some(w) = self.ready.get() {
            w.wake();
        }
    }

    async fn make_ready(&self, job: &Ready) -> Result<()> {
        let function = Target {
            account: job.account.clone(),
            region: job.region.clone(),
            name: job.name.clone(),
            qualifier: None,
        };
        let key = function.key();
        let Some(record) = self.store.get(&FUNCTIONS, &key).await? else { return Ok(()) };
        let failure = self.unpack_all(&record.latest).await.err();
        let mut tx = self.store.lock(&[Lock::exclusive(&FUNCTIONS, &key)]).await;
        let Some(mut now) = tx.get(&FUNCTIONS, &key).await? else { return Ok(()) };
        // A later change has a job of its own.
        if now.latest.revision != record.latest.revision {
            return Ok(());
        }
        settle(&mut now.latest, failure.as_deref());
        tx.put(&FUNCTIONS, &key, &now);
        let newest = version_key(&function, now.last_version);
        if let Some(mut version) = tx.get(&VERSIONS, &newest).await?
            && version.config.is_busy()
        {
            settle(&mut version.config, failure.as_deref());
            tx.put(&VERSIONS, &newest, &version);
        }
        tx.commit().await?;
        Ok(())
    }

    /// Unpacks the code of a configuration and of its layers.
    ///
    /// # Errors
    /// A sentence on what cannot be unpacked.
    pub(crate) async fn unpack_all(&self, config: &Config) -> Result<(), String> {
        for code in config.codes() {
            self.unpack(code).await?;
        }
        Ok(())
    }
}

fn settle(config: &mut Config, failure: Option<&str>) {
    match failure {
        None => (config.state, config.update) = (State::Active, Update::Successful),
        Some(why) if config.state == State::Pending => {
            config.state = State::Failed(why.to_owned());
            config.update = Update::Failed(why.to_owned());
        }
        Some(why) => config.update = Update::Failed(why.to_owned()),
    }
}
