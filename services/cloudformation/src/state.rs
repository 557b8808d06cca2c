//! The service's state, and how operations reach stacks.

use std::sync::{Arc, OnceLock};

use fogbank_bus::Worker;
use fogbank_core::{Cloud, Cx, Result};
use fogbank_store::{Lock, Range, Store, Tx};

use crate::error::no_such_stack;
use crate::record::{
    EVENTS, EventRecord, NAMES, RESOURCES, ResourceRecord, STACKS, StackRecord, name_key, of_stack,
    stack_key, unique,
};

/// The state of the service. Everything it knows is in the store.
pub struct CloudFormation {
    pub(crate) store: Store,
    worker: OnceLock<Worker>,
    pub(crate) progress: crate::progress::Progress,
}

impl CloudFormation {
    #[must_use]
    pub fn new(store: Store) -> Arc<Self> {
        Arc::new(CloudFormation {
            store,
            worker: OnceLock::new(),
            progress: crate::progress::Progress::default(),
        })
    }

    /// Sets the worker going that carries out operations, those of an earlier process first.
    pub fn start(self: &Arc<Self>, cloud: &Arc<dyn Cloud>) {
        let worker = crate::engine::start(Arc::clone(self), Arc::clone(cloud));
        let _ = self.worker.set(worker);
    }

    pub(crate) fn wake(&self) {
        if let Some(w) = self.worker.get() {
            w.wake();
        }
    }

    /// The live stack of a name, or any stack of an id (an ARN).
    pub(crate) async fn find(&self, cx: &Cx, name: &str) -> Result<Option<StackRecord>> {
        let id = if name.starts_with("arn:") {
            unique(name).to_owned()
        } else {
            let key = name_key(&cx.account, &cx.region, name);
            match self.store.get(&NAMES, &key).await? {
                Some(id) => String::from_utf8_lossy(&id).into_owned(),
                None => return Ok(None),
            }
        };
        Ok(self.store.get(&STACKS, &stack_key(&cx.account, &cx.region, &id)).await?)
    }

    /// As [`CloudFormation::find`], and it must be there.
    pub(crate) async fn stack(&self, cx: &Cx, name: &str) -> Result<StackRecord> {
        self.find(cx, name).await?.ok_or_else(|| no_such_stack(name))
    }

    /// The resources of a stack, by logical id.
    pub(crate) async fn resources(&self, unique: &str) -> Result<Vec<ResourceRecord>> {
        let range = Range::prefix(&fogbank_store::Key::new().str(unique));
        let all = self.store.scan(&RESOURCES, range, 10_000).await?;
        Ok(all.into_iter().map(|(_, r)| r).collect())
    }

    pub(crate) async fn resource(&self, unique: &str, id: &str) -> Result<Option<ResourceRecord>> {
        Ok(self.store.get(&RESOURCES, &of_stack(unique, id)).await?)
    }

    /// Edits a stack under its lock.
    pub(crate) async fn edit<T>(
        &self,
        key: &fogbank_store::Key,
        edit: impl FnOnce(&mut StackRecord, &mut Tx) -> Result<T>,
    ) -> Result<T> {
        let mut tx = self.store.lock(&[Lock::exclusive(&STACKS, key)]).await;
        let stack = tx.get(&STACKS, key).await?;
        let mut stack = stack.ok_or_else(|| no_such_stack("?"))?;
        let done = edit(&mut stack, &mut tx)?;
        tx.put(&STACKS, key, &stack);
        tx.commit().await?;
        Ok(done)
    }

    /// Adds an event to a transaction.
    pub(crate) fn event(&self, cx: &Cx, tx: &mut Tx, stack: &str, mut event: EventRecord) {
        event.at = cx.cloud.clock().now().as_microsecond();
        let at = self.progress.tick(u64::try_from(event.at).unwrap_or(0));
        if event.id.is_empty() {
            event.id = format!("{}-{}-{at}", event.logical_id, event.status);
        }
        let key = fogbank_store::Key::new().str(stack).u64_desc(at);
        tx.put(&EVENTS, &key, &event);
    }
}
