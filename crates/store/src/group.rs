//! Group commit: concurrent committers share one flush to the device.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::engine::Embedded;
use crate::{Error, Result};

/// A thread that flushes whenever somebody waits, for all who wait by then.
pub(crate) struct Group {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<oneshot::Sender<Result<(), String>>>,
    closed: bool,
}

impl Group {
    pub fn start(engine: Arc<dyn Embedded>) -> Result<Self> {
        let shared = Arc::<Shared>::default();
        let theirs = shared.clone();
        let thread = std::thread::Builder::new()
            .name("fogbank-flush".to_owned())
            .spawn(move || theirs.run(&*engine))
            .map_err(|e| Error::Engine { action: "start a thread", detail: e.to_string() })?;
        Ok(Group { shared, thread: Some(thread) })
    }

    /// Returns once every commit that had returned before this call is on the device.
    pub async fn flushed(&self) -> Result<()> {
        let (tell, told) = oneshot::channel();
        self.shared.state.lock().waiting.push(tell);
        self.shared.wake.notify_one();
        let failed = |detail| Error::Engine { action: "flush to the device", detail };
        told.await.map_err(|e| failed(e.to_string()))?.map_err(failed)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.wake.notify_one();
        // It holds the engine, which must be closed when the store is.
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}

impl Shared {
    fn run(&self, engine: &dyn Embedded) {
        loop {
            let mut state = self.state.lock();
            while state.waiting.is_empty() {
                if state.closed {
                    return;
                }
                self.wake.wait(&mut state);
            }
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            let done = engine.sync().map_err(|e| e.to_string());
            for w in waiting {
                // Whoever gave up waiting does not mind.
                let _ = w.send(done.clone());
            }
        }
    }
}
