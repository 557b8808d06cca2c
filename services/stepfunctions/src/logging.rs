//! Execution logs: history events in CloudWatch Logs, by level.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html>

use fogbank_asl::Event;
use fogbank_core::{ApiError, Cx, Result, Source, Value, map};
use fogbank_store::Range;
use serde_json::{Value as Json, json};

use crate::Sfn;
use crate::arn::ExecutionId;
use crate::history::redact;
use crate::machine::LoggingInput;
use crate::record::{EVENTS, EXECUTIONS, Execution, Logging};
use crate::start::express_arn;

/// Who writes the logs of services.
const DELIVERY: &str = "delivery.logs.amazonaws.com";

/// Checks a logging configuration.
pub async fn settings(_: &Cx, given: Option<LoggingInput>) -> Result<Logging> {
    let Some(l) = given else { return Ok(Logging::default()) };
    let bad = |why: &str| {
        ApiError::new(
            "InvalidLoggingConfiguration",
            format!("Invalid Logging Configuration: {why}"),
        )
    };
    let level = l.level.unwrap_or_else(|| "OFF".to_owned());
    let destinations = l.destinations.unwrap_or_default();
    let mut groups = Vec::new();
    for d in destinations {
        let group = d.cloud_watch_logs_log_group.and_then(|g| g.log_group_arn);
        let group = group.filter(|g| g.starts_with("arn:") && g.contains(":log-group:"));
        groups.push(group.ok_or_else(|| bad("Must specify a valid log group ARN."))?);
    }
    if level == "OFF" {
        return Ok(Logging {
            level: String::new(),
            data: l.include_execution_data == Some(true),
            groups,
        });
    }
    if groups.len() != 1 {
        return Err(bad("Must specify exactly one Log Destination."));
    }
    Ok(Logging { level, data: l.include_execution_data == Some(true), groups })
}

/// Whether a level wants an event.
fn wanted(level: &str, kind: &str) -> bool {
    match level {
        "ALL" => true,
        "ERROR" => {
            kind.ends_with("Failed") || kind.ends_with("TimedOut") || kind.ends_with("Aborted")
        }
        "FATAL" => matches!(kind, "ExecutionFailed" | "ExecutionTimedOut" | "ExecutionAborted"),
        _ => false,
    }
}

impl Sfn {
    /// Sends events of a Standard execution to its log.
    pub async fn deliver(&self, id: &ExecutionId, first: u64, last: u64) -> Result<()> {
        let key = id.key();
        let found: Option<Execution> = self.store.get(&EXECUTIONS, &key).await?;
        let Some(e) = found else { return Ok(()) };
        let range =
            Range::prefix(&key).from(&key.clone().u64(first)).to(&key.clone().u64(last + 1));
        let events = self.store.scan(&EVENTS, range, 30_000).await?;
        let events: Vec<Event> = events.into_iter().map(|(_, s)| s.0).collect();
        self.log(&e, &id.arn(), &events).await;
        Ok(())
    }

    /// Sends the events of an Express execution to its log.
    pub async fn log_express(&self, e: &Execution, events: &[Event]) {
        if !events.is_empty() {
            self.log(e, &express_arn(e), events).await;
        }
    }

    /// What cannot be delivered is lost, as on AWS, and told to whoever runs this.
    async fn log(&self, e: &Execution, arn: &str, events: &[Event]) {
        let l = &e.set.logging;
        let lines: Vec<Value> = events
            .iter()
            .filter(|ev| wanted(&l.level, &ev.kind))
            .map(|ev| {
                let message = line(ev, arn, l.data, e.redrives).to_string();
                map! {"timestamp" => ev.at / 1000, "message" => message}
            })
            .collect();
        if lines.is_empty() {
            return;
        }
        for group in &l.groups {
            if let Err(error) = self.send_log(e, group, &lines).await {
                let context = error.internal_context().unwrap_or_default();
                tracing::warn!(execution = arn, group, "log not delivered: {error} {context}");
            }
        }
    }

    async fn send_log(&self, e: &Execution, group: &str, lines: &[Value]) -> Result<()> {
        let name = group.split(":log-group:").nth(1).unwrap_or_default();
        let name = name.trim_end_matches(":*").to_owned();
        let started = crate::machine::time(e.started).0;
        let stream = format!(
            "states/{}/{}/{:08x}",
            e.id.machine,
            started.strftime("%Y-%m-%d-%H-%M"),
            crc(&e.id.name)
        );
        let cx = self.log_cx(e).await?;
        let (mut made, mut let_in) = (false, false);
        for chunk in lines.chunks(1000) {
            loop {
                let input = map! {
                    "logGroupName" => name.clone(),
                    "logStreamName" => stream.clone(),
                    "logEvents" => chunk.to_vec(),
                };
                match cx.call("logs", "PutLogEvents", input).await {
                    Ok(_) => break,
                    Err(error) if error.code() == "ResourceNotFoundException" && !made => {
                        made = true;
                        let input = map! {"logGroupName" => name.clone(), "logStreamName" => stream.clone()};
                        match cx.call("logs", "CreateLogStream", input).await {
                            Err(error) if error.code() != "ResourceAlreadyExistsException" => {
                                return Err(error);
                            }
                            _ => {}
                        }
                    }
                    Err(error) if error.code() == "AccessDeniedException" && !let_in => {
                        let_in = true;
                        self.let_delivery_in(e).await?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Adds the resource policy that lets log delivery write, in the machine's role: on AWS, too,
    /// that role needs `logs:PutResourcePolicy`.
    async fn let_delivery_in(&self, e: &Execution) -> Result<()> {
        let (account, region) = (&e.id.account, &e.id.region);
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "AWSLogDeliveryWrite",
                "Effect": "Allow",
                "Principal": {"Service": DELIVERY},
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": format!("arn:aws:logs:{region}:{account}:log-group:*"),
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }],
        });
        let cx = self.roles.enter(&self.caller(e)?, None).await?;
        let input = map! {
            "policyName" => "AWSLogDeliveryWrite20150319",
            "policyDocument" => policy.to_string(),
        };
        cx.call("logs", "PutResourcePolicy", input).await.map(|_| ())
    }

    /// Logs are written by the log delivery service, which the log group's resource policy lets in.
    async fn log_cx(&self, e: &Execution) -> Result<Cx> {
        let source = Source { arn: e.id.machine_arn(), account: e.id.account.clone() };
        Ok(Cx::acting(
            &self.cloud()?,
            DELIVERY,
            "states",
            &e.id.account,
            e.id.region.clone(),
            Some(source),
        ))
    }
}

fn line(e: &Event, arn: &str, data: bool, redrives: u32) -> Json {
    let mut details = e.details.as_ref().map_or_else(|| json!({}), |d| Json::clone(d));
    if !data {
        redact(&mut details);
    }
    json!({
        "id": e.id.to_string(),
        "type": e.kind,
        "details": details,
        "redrive_count": redrives.to_string(),
        "previous_event_id": e.previous.to_string(),
        "event_timestamp": (e.at / 1000).to_string(),
        "execution_arn": arn,
    })
}

/// A short number for a name: which stream an execution writes to.
fn crc(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn levels_choose_events() {
        assert!(wanted("ALL", "PassStateEntered"));
        assert!(wanted("ERROR", "TaskFailed") && !wanted("ERROR", "TaskSucceeded"));
        assert!(wanted("FATAL", "ExecutionTimedOut") && !wanted("FATAL", "TaskFailed"));
        assert!(!wanted("", "ExecutionFailed"));
    }
}
