//! Access logs: a line for each request, on its way to CloudWatch Logs.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use fogbank_core::{Body, Cloud, Cx, Principal, Value, map};
use tokio::sync::mpsc;

use crate::expression::Template;
use crate::visit::Context;

/// A format of access logs, read once.
#[derive(Clone, Debug)]
pub struct Format(Template);

impl Format {
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Format(Template::parse(text, &["context"]))
    }

    /// The line for a request; variables without a value are `-`.
    #[must_use]
    pub fn line(&self, context: &Context) -> String {
        let get = |name: &str| {
            let value = context.get(name.strip_prefix("context.")?)?;
            Some(value.replace('"', "\\\""))
        };
        self.0.render(&get, "-").replace(['\n', '\r'], " ")
    }

    /// Whether it names the request, as AWS demands.
    #[must_use]
    pub fn names_the_request(&self) -> bool {
        let id = ["context.requestId", "context.extendedRequestId"];
        self.0.variables().any(|v| id.contains(&v))
    }
}

/// A line and where it goes.
#[derive(Clone, Debug)]
pub struct AccessLog {
    /// The log group's ARN, with or without its `:*`.
    pub group: Arc<str>,
    pub stream: String,
    pub account: String,
    pub region: String,
    pub text: String,
    /// Milliseconds since 1970.
    pub at: i64,
    /// The role that the account has named for writing logs; without one the account itself
    /// writes, as log delivery does.
    pub role: Option<String>,
}

/// Lines on their way. Requests do not wait for them: what a full queue cannot take is dropped and
/// counted, as on AWS, where delivery is best effort.
pub struct Logs {
    send: mpsc::Sender<AccessLog>,
    take: parking_lot::Mutex<Option<mpsc::Receiver<AccessLog>>>,
}

/// How many lines may wait.
const QUEUE: usize = 8192;
/// How many go in one request at most.
const BATCH: usize = 1000;

impl Default for Logs {
    fn default() -> Self {
        let (send, take) = mpsc::channel(QUEUE);
        Logs { send, take: parking_lot::Mutex::new(Some(take)) }
    }
}

impl Logs {
    /// Adds a line.
    pub fn write(&self, line: AccessLog) {
        if self.send.try_send(line).is_err() {
            tracing::debug!("an access log line was dropped: the queue is full");
        }
    }

    /// Sets delivery going. Once only.
    pub fn start(&self, cloud: &Arc<dyn Cloud>) {
        let Some(take) = self.take.lock().take() else { return };
        tokio::spawn(deliver(Arc::downgrade(cloud), take));
    }
}

async fn deliver(cloud: Weak<dyn Cloud>, mut take: mpsc::Receiver<AccessLog>) {
    let mut lines = Vec::with_capacity(BATCH);
    while take.recv_many(&mut lines, BATCH).await > 0 {
        let Some(cloud) = cloud.upgrade() else { return };
        let mut batches: HashMap<(Arc<str>, String), Vec<AccessLog>> = HashMap::new();
        for line in lines.drain(..) {
            batches.entry((Arc::clone(&line.group), line.stream.clone())).or_default().push(line);
        }
        for batch in batches.into_values() {
            put(&cloud, batch).await;
        }
    }
}

async fn put(cloud: &Arc<dyn Cloud>, mut batch: Vec<AccessLog>) {
    batch.sort_by_key(|l| l.at);
    let Some(first) = batch.first() else { return };
    let group = group_name(&first.group).to_owned();
    let cx = match writer(cloud, first).await {
        Ok(cx) => cx,
        Err(e) => return tracing::debug!("access logs to {group}: {e}"),
    };
    let stream = first.stream.clone();
    let events: Vec<Value> = batch
        .into_iter()
        .map(|l| map! { "timestamp" => Value::Int(l.at), "message" => l.text })
        .collect();
    let input = map! { "logGroupName" => group.as_str(), "logStreamName" => stream.as_str(), "logEvents" => events };
    let mut written = cx.call("logs", "PutLogEvents", input.clone()).await;
    if written.as_ref().is_err_and(|e| e.code() == "ResourceNotFoundException") {
        let new = map! { "logGroupName" => group.as_str(), "logStreamName" => stream.as_str() };
        let made = cx.cloud.call(&cx, "logs", "CreateLogStream", new, Body::Empty).await;
        if made.is_ok() {
            written = cx.call("logs", "PutLogEvents", input).await;
        }
    }
    if let Err(e) = written {
        tracing::debug!("access logs to {group}: {e}");
    }
}

/// Who writes: a session of the account's role, or the account.
async fn writer(cloud: &Arc<dyn Cloud>, line: &AccessLog) -> fogbank_core::Result<Cx> {
    let host = "apigateway.amazonaws.com";
    let region = line.region.clone();
    let cx = Cx::acting(cloud, host, "apigateway", &line.account, region, None);
    match &line.role {
        Some(role) => {
            let credential = cx.assume(role, "apigateway-logs").await?;
            Ok(cx.in_session(&credential))
        }
        None => Ok(cx.with_principal(Arc::new(Principal::root(&line.account)), None)),
    }
}

/// The group's name in its ARN.
fn group_name(arn: &str) -> &str {
    let name = arn.splitn(7, ':').nth(6).unwrap_or(arn);
    name.strip_suffix(":*").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut context = Context::default();
        context.set("requestId", "r");
        context.set("routeKey", "GET /\"x\"");
        let format = Format::parse(
            "{\"id\":\"$context.requestId\",\"r\":\"$context.routeKey\",\"u\":\"$context.identity.userArn\"}\n",
        );
        assert_eq!(format.line(&context), "{\"id\":\"r\",\"r\":\"GET /\\\"x\\\"\",\"u\":\"-\"} ");
        assert!(format.names_the_request());
        assert!(!Format::parse("$context.status").names_the_request());
        assert_eq!(group_name("arn:aws:logs:us-east-1:000000000000:log-group:/a/b:*"), "/a/b");
        assert_eq!(group_name("arn:aws:logs:us-east-1:000000000000:log-group:/a/b"), "/a/b");
    }
}
