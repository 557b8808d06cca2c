//! Logs: what environments say, on its way to CloudWatch Logs with the function's own rights.
//!
//! A role that may not write logs has none, as on AWS. Nothing here makes an invocation wait.

use std::sync::Arc;

use fogbank_core::{ApiError, Cloud, Cx, Value, map};
use fogbank_lambda_runtime::{Line, Logs};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::name::Target;
use crate::role::Roles;

/// How long lines are gathered before they are sent.
const GATHER: std::time::Duration = std::time::Duration::from_millis(100);
/// PutLogEvents takes so many events, and so many bytes with 26 more for each event.
const EVENTS: usize = 10_000;
const BYTES: usize = 1_000_000;
const EACH: usize = 26;
/// A line longer than this is cut; lines that nobody takes are dropped beyond so many bytes.
const LINE: usize = 256 * 1024 - EACH;
const WAITING: usize = 16 << 20;

/// Makes streams.
#[derive(Default)]
pub struct Shipper {
    roles: Arc<Roles>,
}

/// The log stream of one environment.
pub struct Stream {
    me: std::sync::Weak<Stream>,
    cloud: Arc<dyn Cloud>,
    roles: Arc<Roles>,
    function: Target,
    role: String,
    group: String,
    name: String,
    runtime: tokio::runtime::Handle,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<(Timestamp, String)>,
    bytes: usize,
    /// A task is sending, or about to.
    sending: bool,
}

impl Shipper {
    pub fn new(roles: Arc<Roles>) -> Self {
        Shipper { roles }
    }

    /// The stream of an environment about to start. Called within the runtime.
    pub fn stream(
        &self,
        cloud: &Arc<dyn Cloud>,
        function: &Target,
        role: &str,
        group: &str,
        name: &str,
    ) -> Arc<Stream> {
        Arc::new_cyclic(|me| Stream {
            me: me.clone(),
            cloud: Arc::clone(cloud),
            roles: Arc::clone(&self.roles),
            function: function.clone(),
            role: role.to_owned(),
            group: group.to_owned(),
            name: name.to_owned(),
            runtime: tokio::runtime::Handle::current(),
            waiting: Mutex::default(),
        })
    }
}

impl Logs for Stream {
    fn line(&self, at: Timestamp, line: Line) {
        let mut text = match line {
            Line::Function(s) | Line::Extension(s) | Line::Platform(s) => s,
        };
        if text.len() >= LINE {
            let cut = (0..LINE).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
            text.truncate(cut);
        }
        text.push('\n');
        let mut waiting = self.waiting.lock();
        if waiting.bytes + text.len() > WAITING {
            return;
        }
        waiting.bytes += text.len();
        waiting.lines.push((at, text));
        if !waiting.sending
            && let Some(me) = self.me.upgrade()
        {
            waiting.sending = true;
            self.runtime.spawn(async move { me.send_all().await });
        }
    }
}

impl Stream {
    async fn send_all(&self) {
        loop {
            tokio::time::sleep(GATHER).await;
            let lines = {
                let mut waiting = self.waiting.lock();
                waiting.bytes = 0;
                std::mem::take(&mut waiting.lines)
            };
            self.send(lines).await;
            let mut waiting = self.waiting.lock();
            if waiting.lines.is_empty() {
                waiting.sending = false;
                return;
            }
        }
    }

    async fn send(&self, mut lines: Vec<(Timestamp, String)>) {
        lines.sort_by_key(|(at, _)| *at);
        let cx = match self.roles.cx(&self.cloud, &self.function, &self.role).await {
            Ok(cx) => cx,
            Err(e) => {
                tracing::debug!("no logs of {}: {e}", self.function.name);
                return;
            }
        };
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (at, text) in lines {
            let size = text.len() + EACH;
            if batch.len() >= EVENTS || bytes + size > BYTES {
                self.put(&cx, std::mem::take(&mut batch)).await;
                bytes = 0;
            }
            bytes += size;
            batch.push(map! { "timestamp" => Value::Int(at.as_millisecond()), "message" => text });
        }
        self.put(&cx, batch).await;
    }

    async fn put(&self, cx: &Cx, events: Vec<Value>) {
        if events.is_empty() {
            return;
        }
        let input = map! {
            "logGroupName" => self.group.clone(),
            "logStreamName" => self.name.clone(),
            "logEvents" => events,
        };
        let done = match cx.call("logs", "PutLogEvents", input.clone()).await {
            Err(e) if e.code() == "ResourceNotFoundException" => match self.make(cx).await {
                Ok(()) => cx.call("logs", "PutLogEvents", input).await.map(|_| ()),
                Err(e) => Err(e),
            },
            done => done.map(|_| ()),
        };
        if let Err(e) = done {
            tracing::debug!("logs of {} are lost: {e}", self.function.name);
        }
    }

    /// Makes the stream and, where the role may, the group.
    async fn make(&self, cx: &Cx) -> Result<(), ApiError> {
        let group = map! { "logGroupName" => self.group.clone() };
        let stream = map! {
            "logGroupName" => self.group.clone(), "logStreamName" => self.name.clone()
        };
        let there = |e: &ApiError| e.code() == "ResourceAlreadyExistsException";
        match cx.call("logs", "CreateLogStream", stream.clone()).await {
            Ok(_) => return Ok(()),
            Err(e) if there(&e) => return Ok(()),
            Err(e) if e.code() == "ResourceNotFoundException" => {}
            Err(e) => return Err(e),
        }
        match cx.call("logs", "CreateLogGroup", group).await {
            Err(e) if !there(&e) => return Err(e),
            _ => {}
        }
        match cx.call("logs", "CreateLogStream", stream).await {
            Err(e) if !there(&e) => Err(e),
            _ => Ok(()),
        }
    }
}
