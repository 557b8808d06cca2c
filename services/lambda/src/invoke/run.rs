//! One invocation: a place, an environment, the function, and what is counted of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fogbank_core::{ApiError, Cx};
use fogbank_lambda_runtime::{InitError, Invocation, Outcome, Part};
use jiff::SignedDuration;
use tokio::sync::mpsc;

use super::Resolved;
use crate::Lambda;
use crate::concurrency::{ACCOUNT, total_reserved};
use crate::config::State;
use crate::metrics::Measured;
use crate::pool::{Key, Starter, end};
use crate::trace;

/// What a function is invoked with.
pub struct Request {
    pub id: String,
    pub payload: Bytes,
    /// JSON text.
    pub client_context: Option<String>,
    /// `X-Amzn-Trace-Id` as it came.
    pub trace: Option<String>,
    pub tenant: Option<String>,
    pub streaming: Option<mpsc::Sender<Part>>,
}

/// What came of it.
pub struct Run {
    pub outcome: Outcome,
    /// The trace header that the function had.
    pub trace: String,
}

/// Why a function was not run.
#[derive(Debug)]
pub enum Unable {
    /// With AWS's reason.
    Throttled(&'static str),
    Recursion,
    Start(InitError),
    NotReady(String),
    Api(ApiError),
}

impl From<fogbank_store::Error> for Unable {
    fn from(e: fogbank_store::Error) -> Self {
        Unable::Api(e.into())
    }
}

impl Lambda {
    /// Runs a function on one event. Once it has an environment it runs to its end, whether or not
    /// somebody still waits for it.
    ///
    /// # Errors
    /// Why it could not be run; what the function itself does wrong is in the outcome.
    pub(crate) async fn run(
        &self,
        cx: &Cx,
        resolved: Resolved,
        request: Request,
    ) -> Result<Run, Unable> {
        let (Some(lambda), Some(environments)) = (self.me.upgrade(), self.environments.get())
        else {
            return Err(Unable::Start(InitError::Sandbox("nothing runs code here".into())));
        };
        if let State::Failed(why) = &resolved.config.state {
            return Err(Unable::NotReady(format!(
                "The operation cannot be performed at this time. The function is currently in the \
                 following state: Failed ({why})"
            )));
        }
        let now = cx.cloud.clock().now();
        let active = resolved.config.tracing == "Active";
        let arn = resolved.target.function_arn();
        let (header, rounds) = trace::enter(request.trace.as_deref(), &arn, active, cx.ids(), now);
        if rounds >= trace::MOST && !resolved.function.recursion_allowed {
            return Err(Unable::Recursion);
        }
        let measured = Measured::new(&resolved);
        let held = match self.place(&resolved).await {
            Ok(held) => held,
            Err(Unable::Throttled(reason)) => {
                self.metrics.throttle(&measured, now);
                return Err(Unable::Throttled(reason));
            }
            Err(e) => return Err(e),
        };
        self.metrics.running(&measured, held.running, now);
        let timeout = u64::from(resolved.config.timeout);
        let key =
            Key { revision: resolved.config.revision.clone(), tenant: request.tenant.clone() };
        let starter = Starter {
            lambda: Arc::clone(&lambda),
            cloud: Arc::clone(&cx.cloud),
            environments: environments.clone(),
            function: resolved.target.with(None),
            version: resolved.version.clone(),
            config: resolved.config,
            tenant: request.tenant.clone(),
        };
        let invocation = Invocation {
            request_id: request.id,
            payload: request.payload,
            deadline: Duration::from_secs(timeout),
            client_context: request.client_context,
            cognito_identity: None,
            trace_id: Some(header.clone()),
            tenant: request.tenant,
            invoked_arn: resolved.target.arn(),
            streaming: request.streaming,
        };
        let clock = cx.cloud.clock().clone();
        let task = tokio::spawn(async move {
            let pool = lambda.pools.of(&key);
            // Its credentials must outlive the request.
            let lasts = SignedDuration::from_secs(i64::from(starter.config.timeout) + 60);
            let taken = lambda.pools.take(&pool, now, lasts, || starter.plan()).await;
            let mut kept = taken.map_err(Unable::Start)?;
            let outcome = kept.environment.invoke(invocation).await;
            let now = clock.now();
            if kept.environment.is_alive() {
                lambda.pools.give_back(&pool, kept, now);
            } else {
                end(&pool, kept, fogbank_lambda_runtime::Shutdown::Failure);
            }
            drop(held);
            lambda.metrics.ran(&measured, &outcome, now);
            Ok::<_, Unable>(outcome)
        });
        let ended = task.await.map_err(|e| Unable::Api(ApiError::internal(e.to_string())))?;
        Ok(Run { outcome: ended?, trace: header })
    }

    /// A place among those that run.
    async fn place(&self, resolved: &Resolved) -> Result<crate::pool::Held, Unable> {
        let target = &resolved.target;
        let reserved = resolved.function.reserved;
        let all = total_reserved(&self.store, &target.account, &target.region).await;
        let unreserved = ACCOUNT.saturating_sub(all.map_err(Unable::Api)?);
        let account = format!("{}/{}", target.account, target.region);
        self.pools
            .counters
            .take(&resolved.function.id, &account, reserved, unreserved)
            .map_err(Unable::Throttled)
    }
}
