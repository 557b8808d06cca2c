//! Amazon CloudWatch: metrics, alarms, dashboards.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/Welcome.html>
//!
//! What is put of a metric is added up by the minute (by the second, for high resolution), with the
//! distribution of its values, so that every statistic can be had of it. Age coarsens it as on AWS.
//!
//! **Invariant:** an alarm is a job that looks after itself; a change of its state and what that
//! change sets off are one transaction.

mod alarm;
mod bucket;
mod change;
mod composite;
mod dashboard;
mod data;
mod error;
mod evaluate;
mod expression;
mod history;
mod list;
mod message;
mod metric;
mod put;
mod roll;
mod series;
mod stat;
mod statistics;
mod tag;
#[cfg(test)]
mod testing;

use std::sync::{Arc, OnceLock};

use fogbank_bus::Worker;
use fogbank_core::{Cloud, Service};
use fogbank_store::Store;

/// The service's state.
pub struct CloudWatch {
    store: Store,
    workers: OnceLock<Workers>,
}

/// What works in the background; absent until [`CloudWatch::start`].
struct Workers {
    _roll: Worker,
    evaluate: Worker,
    act: Worker,
}

impl CloudWatch {
    /// CloudWatch over `store`.
    #[must_use]
    pub fn new(store: Store) -> Arc<Self> {
        Arc::new(CloudWatch { store, workers: OnceLock::new() })
    }

    /// The operations as the gateway serves them.
    #[must_use]
    pub fn service(self: &Arc<Self>) -> Service {
        Service::new(
            "cloudwatch",
            Arc::clone(self),
            &[
                alarm::OPS,
                alarm::describe::OPS,
                alarm::put::OPS,
                dashboard::OPS,
                data::OPS,
                history::OPS,
                list::OPS,
                put::OPS,
                statistics::OPS,
                tag::OPS,
            ],
        )
    }

    /// Sets going what no request asks for: the ageing of data, alarms.
    pub fn start(self: &Arc<Self>, cloud: &Arc<dyn Cloud>) {
        let workers = Workers {
            _roll: roll::start(self, cloud),
            evaluate: evaluate::start(self, cloud),
            act: change::start(self, cloud),
        };
        let _ = self.workers.set(workers);
    }

    /// Tells the workers that there is something to evaluate or to do.
    fn wake(&self) {
        if let Some(w) = self.workers.get() {
            w.evaluate.wake();
            w.act.wake();
        }
    }
}
