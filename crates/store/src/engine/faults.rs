//! Faults: an engine that fails or dawdles when a test says so.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fogbank_core::BoxFuture;

use super::{Batch, Embedded, Engine, Guard, Span};
use crate::lock::{Locks, Name};
use crate::{Error, Result};

/// What to do with a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Fail, with nothing done.
    Fail,
    /// Do it, then fail all the same: a lost reply.
    Lost,
    /// Wait, then do it.
    Delay(Duration),
}

/// Which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Get,
    Range,
    Commit,
    Lock,
}

type Plan = Box<dyn Fn(Call) -> Option<Fault> + Send + Sync>;

/// An embedded engine behind the asynchronous trait, with `plan` asked before each call.
pub struct Faults {
    inner: Box<dyn Embedded>,
    locks: Arc<Locks>,
    plan: Plan,
}

impl Faults {
    /// `plan` tells what befalls the next call.
    pub fn new(
        inner: impl Embedded,
        plan: impl Fn(Call) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        Faults { inner: Box::new(inner), locks: Arc::default(), plan: Box::new(plan) }
    }

    async fn run<T>(&self, call: Call, f: impl FnOnce() -> Result<T>) -> Result<T> {
        let failed = || Error::Engine { action: "answer", detail: format!("injected in {call:?}") };
        match (self.plan)(call) {
            None => f(),
            Some(Fault::Fail) => Err(failed()),
            Some(Fault::Lost) => f().and_then(|_| Err(failed())),
            Some(Fault::Delay(d)) => {
                tokio::time::sleep(d).await;
                f()
            }
        }
    }
}

impl Engine for Faults {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(self.run(Call::Get, || self.inner.get(key)))
    }

    fn range<'a>(
        &'a self,
        span: &'a Span,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>>> {
        Box::pin(self.run(Call::Range, move || {
            let mut out = Vec::new();
            self.inner.range(span, &mut |k, v| {
                out.push((Bytes::copy_from_slice(k), Bytes::copy_from_slice(v)));
                if out.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            Ok(out)
        }))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.run(Call::Commit, || self.inner.commit(batch)))
    }

    fn lock<'a>(&'a self, names: &'a [Name]) -> BoxFuture<'a, Result<Box<dyn Guard>>> {
        Box::pin(async move {
            self.run(Call::Lock, || Ok(())).await?;
            Ok(Box::new(self.locks.take(names.to_vec()).await) as Box<dyn Guard>)
        })
    }

    fn size(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async { Ok(self.inner.size()) })
    }
}
