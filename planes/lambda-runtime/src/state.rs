//! What an environment's runtime and extensions are doing: the meeting point of those who ask for
//! work over HTTP and the environment that has some.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{Failure, Part};

/// An event on its way to the runtime: headers and payload of `next`'s answer.
#[derive(Debug)]
pub struct Work {
    pub headers: HeaderMap,
    pub payload: Bytes,
}

/// What an extension is told by its `next`.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub body: Bytes,
}

/// What the runtime made of an event.
#[derive(Debug)]
pub enum Answer {
    Response { body: Bytes, content_type: Option<String> },
    Failed(Failure),
}

/// An extension that has registered.
#[derive(Debug)]
pub struct Extension {
    pub id: String,
    pub name: String,
    pub invoke: bool,
    pub shutdown: bool,
    /// It waits in `next`, having done all it was asked.
    pub ready: bool,
    waiting: Option<oneshot::Sender<Event>>,
    pending: Option<Event>,
}

/// The invocation that is running.
#[derive(Debug)]
pub struct Current {
    pub request_id: String,
    pub streaming: Option<mpsc::Sender<Part>>,
    answer: Option<oneshot::Sender<Answer>>,
}

#[derive(Debug, Default)]
struct State {
    /// The runtime waits in `next`.
    ready: bool,
    waiting: Option<oneshot::Sender<Work>>,
    pending: Option<Work>,
    current: Option<Current>,
    extensions: Vec<Extension>,
    /// Extensions may no longer register.
    closed: bool,
    failure: Option<Failure>,
}

/// Shared by the environment and the Runtime API's connections; clones are the same.
#[derive(Clone, Debug)]
pub struct Exchange {
    state: Arc<Mutex<State>>,
    /// Counts the changes, for those who wait for one.
    changed: Arc<watch::Sender<u64>>,
}

/// Why a report of the runtime's is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No invocation of this id is running, or it has been answered.
    InvalidRequestId,
    InvalidState,
}

impl Exchange {
    pub fn new() -> Self {
        Exchange { state: Arc::default(), changed: Arc::new(watch::channel(0).0) }
    }

    fn touch(&self) {
        self.changed.send_modify(|n| *n += 1);
    }

    /// Forgets everything: the processes have been killed.
    pub fn reset(&self) {
        *self.state.lock() = State::default();
        self.touch();
    }

    /// Waits until `done` says so; it is asked again after each change.
    async fn until<T>(&self, mut done: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(t) = done(&mut self.state.lock()) {
                return t;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    // The runtime's side.

    /// The runtime asks for work: at once when there is some, else through the receiver.
    pub fn next(&self) -> Result<Work, oneshot::Receiver<Work>> {
        let mut s = self.state.lock();
        if let Some(w) = s.pending.take() {
            return Ok(w);
        }
        let (give, take) = oneshot::channel();
        s.ready = true;
        s.waiting = Some(give);
        drop(s);
        self.touch();
        Err(take)
    }

    /// The invocation of this id, to be answered: where its parts go if they are streamed.
    pub fn streaming(&self, request_id: &str) -> Result<Option<mpsc::Sender<Part>>, Refused> {
        let s = self.state.lock();
        match &s.current {
            Some(c) if c.request_id == request_id && c.answer.is_some() => Ok(c.streaming.clone()),
            _ => Err(Refused::InvalidRequestId),
        }
    }

    /// The runtime has answered.
    pub fn answer(&self, request_id: &str, answer: Answer) -> Result<(), Refused> {
        let mut s = self.state.lock();
        let current = s.current.as_mut().filter(|c| c.request_id == request_id);
        let give = current.and_then(|c| {
            // Whoever takes the parts waits for their end.
            c.streaming = None;
            c.answer.take()
        });
        let _ = give.ok_or(Refused::InvalidRequestId)?.send(answer);
        Ok(())
    }

    /// The runtime or an extension reports that its start failed, or that it gives up.
    pub fn fail(&self, failure: Failure) {
        self.state.lock().failure.get_or_insert(failure);
        self.touch();
    }

    /// Whether the runtime has not asked for work yet.
    pub fn is_starting(&self) -> bool {
        let s = self.state.lock();
        !s.ready && s.current.is_none()
    }

    // The extensions' side.

    pub fn register(
        &self,
        id: &str,
        name: &str,
        invoke: bool,
        shutdown: bool,
    ) -> Result<(), Refused> {
        let mut s = self.state.lock();
        if s.closed || s.extensions.iter().any(|e| e.name == name) {
            return Err(Refused::InvalidState);
        }
        s.extensions.push(Extension {
            id: id.to_owned(),
            name: name.to_owned(),
            invoke,
            shutdown,
            ready: false,
            waiting: None,
            pending: None,
        });
        drop(s);
        self.touch();
        Ok(())
    }

    /// An extension asks for its next event.
    pub fn next_event(&self, id: &str) -> Option<Result<Event, oneshot::Receiver<Event>>> {
        let mut s = self.state.lock();
        let e = s.extensions.iter_mut().find(|e| e.id == id)?;
        if let Some(event) = e.pending.take() {
            return Some(Ok(event));
        }
        let (give, take) = oneshot::channel();
        e.ready = true;
        e.waiting = Some(give);
        drop(s);
        self.touch();
        Some(Err(take))
    }

    pub fn extension(&self, id: &str) -> Option<String> {
        self.state.lock().extensions.iter().find(|e| e.id == id).map(|e| e.name.clone())
    }

    // The environment's side.

    /// Waits until extensions of these names have registered.
    pub async fn registered(&self, names: &[String]) -> Result<(), Failure> {
        self.until(|s| {
            if let Some(f) = &s.failure {
                return Some(Err(f.clone()));
            }
            let all = names.iter().all(|n| s.extensions.iter().any(|e| e.name == *n));
            all.then_some(Ok(()))
        })
        .await
    }

    /// Waits until the runtime and all extensions wait for work, or one reports a failure.
    pub async fn settled(&self) -> Result<(), Failure> {
        self.until(|s| {
            if let Some(f) = &s.failure {
                return Some(Err(f.clone()));
            }
            let all = s.ready && s.extensions.iter().all(|e| e.ready);
            s.closed |= all;
            all.then_some(Ok(()))
        })
        .await
    }

    /// Waits until all extensions have done what they were asked.
    pub async fn extensions_settled(&self) {
        self.until(|s| s.extensions.iter().all(|e| e.ready).then_some(())).await;
    }

    pub fn has_extensions(&self) -> bool {
        !self.state.lock().extensions.is_empty()
    }

    /// Hands an event to the runtime, and `event` to the extensions that want invocations. The
    /// answer comes through the receiver.
    pub fn dispatch(
        &self,
        request_id: &str,
        work: Work,
        event: &Event,
        streaming: Option<mpsc::Sender<Part>>,
    ) -> oneshot::Receiver<Answer> {
        let (give, take) = oneshot::channel();
        let mut s = self.state.lock();
        s.current =
            Some(Current { request_id: request_id.to_owned(), streaming, answer: Some(give) });
        s.ready = false;
        s.pending = match s.waiting.take() {
            // Whoever waited may have gone.
            Some(waiting) => waiting.send(work).err(),
            None => Some(work),
        };
        for e in s.extensions.iter_mut().filter(|e| e.invoke) {
            e.tell(event.clone());
        }
        take
    }

    /// The failure that was reported, if one was.
    pub fn reported(&self) -> Option<Failure> {
        self.state.lock().failure.clone()
    }

    /// Waits for a failure that is reported outside of any answer.
    pub async fn failure(&self) -> Failure {
        self.until(|s| s.failure.clone()).await
    }

    /// Tells the extensions that want to know of the end. False when there are none.
    pub fn shut_down(&self, event: &Event) -> bool {
        let mut s = self.state.lock();
        let mut any = false;
        for e in s.extensions.iter_mut().filter(|e| e.shutdown) {
            e.tell(event.clone());
            any = true;
        }
        any
    }
}

impl Extension {
    fn tell(&mut self, event: Event) {
        self.ready = false;
        self.pending = match self.waiting.take() {
            Some(waiting) => waiting.send(event).err(),
            None => Some(event),
        };
    }
}

/// How long an extension and the runtime have to end by themselves.
pub const SHUTDOWN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn work(n: u8) -> Work {
        Work { headers: HeaderMap::new(), payload: Bytes::from(vec![n]) }
    }
    fn event() -> Event {
        Event { id: "e".into(), body: Bytes::new() }
    }

    #[tokio::test]
    async fn work_meets_the_runtime_whoever_comes_first() {
        let x = Exchange::new();
        let waiting = x.next().unwrap_err();
        let _answer = x.dispatch("1", work(1), &event(), None);
        assert_eq!(waiting.await.unwrap().payload[..], [1]);
        let _answer = x.dispatch("2", work(2), &event(), None);
        assert_eq!(x.next().unwrap().payload[..], [2]);
        // A runtime that went away while it waited loses nothing.
        drop(x.next().unwrap_err());
        let _answer = x.dispatch("3", work(3), &event(), None);
        assert_eq!(x.next().unwrap().payload[..], [3]);
    }

    #[tokio::test]
    async fn an_invocation_is_answered_once() {
        let x = Exchange::new();
        let answer = x.dispatch("1", work(1), &event(), None);
        let failed = || Answer::Failed(Failure::TooLarge { size: 1, limit: 0 });
        assert_eq!(x.answer("2", failed()), Err(Refused::InvalidRequestId));
        assert_eq!(x.answer("1", failed()), Ok(()));
        assert_eq!(x.answer("1", failed()), Err(Refused::InvalidRequestId));
        assert!(answer.await.is_ok());
    }

    #[tokio::test]
    async fn it_is_settled_when_all_wait() {
        let x = Exchange::new();
        x.register("id", "ext", true, false).unwrap();
        let _runtime = x.next();
        let settled = tokio::time::timeout(Duration::from_millis(1), x.settled());
        assert!(settled.await.is_err());
        let _event = x.next_event("id").unwrap();
        x.settled().await.unwrap();
        assert_eq!(x.register("id2", "late", true, false), Err(Refused::InvalidState));
    }
}
