//! The threads that give birth: they live as long as fogbank does.
//!
//! The kernel's "tell me when my parent ends" means the thread that started a process, so that a
//! pool whose threads come and go would take sandboxes with it.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: Mutex<std::collections::VecDeque<Job>>,
    some: Condvar,
}

/// A handle to the threads; they are never stopped, as that would end what they started.
#[derive(Clone)]
pub struct Launchers(Arc<Queue>);

impl Launchers {
    /// Starts a few.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn start(count: usize) -> std::io::Result<Launchers> {
        let queue = Arc::new(Queue::default());
        for _ in 0..count {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name("launcher".into()).spawn(move || {
                loop {
                    let job = {
                        let mut jobs = queue.jobs.lock();
                        loop {
                            if let Some(job) = jobs.pop_front() {
                                break job;
                            }
                            queue.some.wait(&mut jobs);
                        }
                    };
                    // A thread that unwound would kill every sandbox it had started.
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
                        tracing::error!("a sandbox launch panicked");
                    }
                }
            })?;
        }
        Ok(Launchers(queue))
    }

    /// Runs `job` on one of the threads. `None` when it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (give, take) = tokio::sync::oneshot::channel();
        self.0.jobs.lock().push_back(Box::new(move || {
            let _ = give.send(job());
        }));
        self.0.some.notify_one();
        take.await.ok()
    }
}
