//! Who reads the sources: a task for each enabled mapping, begun anew whenever the mapping changes.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use fogbank_core::Cloud;
use fogbank_store::{Lock, Range};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{MAPPINGS, Mapping, sqs, stream};
use crate::Lambda;

/// The tasks that read.
#[derive(Default)]
pub struct Pollers {
    world: OnceLock<(Weak<Lambda>, Arc<dyn Cloud>)>,
    /// Dropping a sender stops its task after the batch in hand.
    running: Mutex<HashMap<String, (String, watch::Sender<bool>)>>,
}

/// What a task works with.
#[derive(Clone)]
pub struct Poll {
    pub lambda: Weak<Lambda>,
    pub cloud: Arc<dyn Cloud>,
    pub mapping: Arc<Mapping>,
    pub stop: watch::Receiver<bool>,
}

impl Pollers {
    /// Takes up all mappings that there are.
    pub fn start(&self, lambda: &Arc<Lambda>, cloud: &Arc<dyn Cloud>) {
        let _ = self.world.set((Arc::downgrade(lambda), Arc::clone(cloud)));
        let lambda = Arc::clone(lambda);
        tokio::spawn(async move {
            match lambda.store.scan(&MAPPINGS, Range::all(), usize::MAX).await {
                Ok(all) => all.iter().for_each(|(_, m)| lambda.pollers.look(m)),
                Err(e) => tracing::error!("the event source mappings cannot be read: {e}"),
            }
        });
    }

    /// Brings the task of a mapping in line with its record, and its state with the task.
    pub fn look(&self, mapping: &Mapping) {
        let Some((lambda, cloud)) = self.world.get() else { return };
        {
            let mut running = self.running.lock();
            let current = running.get(&mapping.uuid).is_some_and(|(r, _)| *r == mapping.revision);
            if !current {
                running.remove(&mapping.uuid);
                if mapping.enabled {
                    let (stop, stopped) = watch::channel(false);
                    running.insert(mapping.uuid.clone(), (mapping.revision.clone(), stop));
                    let poll = Poll {
                        lambda: lambda.clone(),
                        cloud: Arc::clone(cloud),
                        mapping: Arc::new(mapping.clone()),
                        stop: stopped,
                    };
                    tokio::spawn(async move {
                        if poll.mapping.is_queue() {
                            sqs::run(poll).await;
                        } else {
                            stream::run(poll).await;
                        }
                    });
                }
            }
        }
        let (lambda, mapping) = (lambda.clone(), mapping.clone());
        tokio::spawn(async move {
            let Some(lambda) = lambda.upgrade() else { return };
            let state = if mapping.enabled { "Enabled" } else { "Disabled" };
            let settled = lambda.note(&mapping, |m| state.clone_into(&mut m.state)).await;
            if let Err(e) = settled {
                tracing::error!("the state of {} is not written: {e}", mapping.uuid);
            }
        });
    }

    /// Stops the task of a mapping that is no more.
    pub fn stop(&self, uuid: &str) {
        self.running.lock().remove(uuid);
    }
}

impl Poll {
    /// Whether the task is to end.
    pub fn is_over(&self) -> bool {
        self.stop.has_changed().is_err()
    }

    /// Waits for a time, or until the task is to end.
    pub async fn pause(&self, time: std::time::Duration) {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = stop.changed() => {}
        }
    }
}

impl Lambda {
    /// Changes a mapping's record, unless the mapping has changed meanwhile.
    pub(super) async fn note(
        &self,
        mapping: &Mapping,
        change: impl FnOnce(&mut Mapping),
    ) -> fogbank_core::Result<()> {
        let key = mapping.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&MAPPINGS, &key)]).await;
        let Some(mut now) = tx.get(&MAPPINGS, &key).await? else { return Ok(()) };
        if now.revision != mapping.revision {
            return Ok(());
        }
        let before = now.clone();
        change(&mut now);
        if now != before {
            tx.put(&MAPPINGS, &key, &now);
            tx.commit().await?;
        }
        Ok(())
    }
}
