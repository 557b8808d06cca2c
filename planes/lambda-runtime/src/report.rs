//! The platform's own log lines, in the function's log format.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html> (text) and
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html> (JSON).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{Level, LogFormat, Spec};

/// An event of an environment's life.
#[derive(Debug)]
pub enum Event<'a> {
    InitStart {
        runtime: &'a str,
    },
    /// Only when a start failed, as on AWS.
    InitReport {
        duration: Duration,
        /// `init` or `invoke`.
        phase: &'a str,
        status: Status<'a>,
    },
    Start {
        request_id: &'a str,
        tenant: Option<&'a str>,
    },
    End {
        request_id: &'a str,
    },
    Report(Report<'a>),
}

/// `REPORT`.
#[derive(Debug)]
pub struct Report<'a> {
    pub request_id: &'a str,
    pub duration: Duration,
    pub billed_ms: u64,
    pub max_memory_mb: u32,
    pub init: Option<Duration>,
    pub status: Status<'a>,
    pub tenant: Option<&'a str>,
    /// `Root=1-…;Parent=…;Sampled=1`, when the function is traced.
    pub trace: Option<&'a str>,
}

/// How a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status<'a> {
    Success,
    /// The function reported an error, which is no failure of the environment.
    Error(Option<&'a str>),
    Timeout,
}

impl Event<'_> {
    /// The line, unless the function's settings leave it out.
    #[must_use]
    pub fn line(&self, spec: &Spec, at: Timestamp) -> Option<String> {
        match spec.log_format {
            LogFormat::Text => Some(self.text(spec)),
            LogFormat::Json => {
                (self.level() >= spec.system_log_level).then(|| self.json(spec, at).to_string())
            }
        }
    }

    fn level(&self) -> Level {
        match self {
            Event::InitStart { .. } | Event::Start { .. } => Level::Info,
            Event::End { .. } => Level::Debug,
            Event::InitReport { status, .. } | Event::Report(Report { status, .. }) => match status
            {
                Status::Success => Level::Info,
                _ => Level::Warn,
            },
        }
    }

    fn text(&self, spec: &Spec) -> String {
        match self {
            Event::InitStart { runtime } => format!("INIT_START Runtime Version: {runtime}"),
            Event::InitReport { duration, phase, status } => {
                let ms = millis(*duration);
                let mut s = format!("INIT_REPORT Init Duration: {ms:.2} ms\tPhase: {phase}");
                status.text(&mut s);
                s
            }
            Event::Start { request_id, .. } => {
                format!("START RequestId: {request_id} Version: {}", spec.version)
            }
            Event::End { request_id } => format!("END RequestId: {request_id}"),
            Event::Report(r) => r.text(spec),
        }
    }

    fn json(&self, spec: &Spec, at: Timestamp) -> Value {
        let (kind, record) = match self {
            Event::InitStart { runtime } => (
                "platform.initStart",
                json!({
                    "initializationType": "on-demand",
                    "phase": "init",
                    "runtimeVersion": runtime,
                    "functionName": spec.function_name,
                    "functionVersion": spec.version,
                    "instanceMaxMemory": u64::from(spec.memory_mb) << 20,
                }),
            ),
            Event::InitReport { duration, phase, status } => {
                let mut record = json!({
                    "initializationType": "on-demand",
                    "phase": phase,
                    "metrics": { "durationMs": rounded(*duration) },
                });
                status.json(&mut record);
                ("platform.initReport", record)
            }
            Event::Start { request_id, tenant } => {
                let mut record = json!({
                    "requestId": request_id,
                    "functionArn": spec.arn,
                    "version": spec.version,
                });
                if let Some(t) = tenant {
                    record["tenantId"] = (*t).into();
                }
                ("platform.start", record)
            }
            Event::End { request_id } => {
                ("platform.runtimeDone", json!({ "requestId": request_id, "status": "success" }))
            }
            Event::Report(r) => ("platform.report", r.json(spec)),
        };
        json!({ "time": time(at), "type": kind, "record": record })
    }
}

impl Report<'_> {
    fn text(&self, spec: &Spec) -> String {
        let mut s = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {} ms\t\
             Memory Size: {} MB\tMax Memory Used: {} MB\t",
            self.request_id,
            millis(self.duration),
            self.billed_ms,
            spec.memory_mb,
            self.max_memory_mb
        );
        if let Some(init) = self.init {
            s.push_str(&format!("Init Duration: {:.2} ms\t", millis(init)));
        }
        if self.status != Status::Success {
            s.pop();
            self.status.text(&mut s);
        }
        if let Some((root, _)) = self.trace.and_then(trace) {
            s.push_str(&format!("\nXRAY TraceId: {root}\tSampled: true\t"));
        }
        s
    }

    fn json(&self, spec: &Spec) -> Value {
        let mut metrics = Map::new();
        metrics.insert("durationMs".into(), rounded(self.duration));
        metrics.insert("billedDurationMs".into(), self.billed_ms.into());
        metrics.insert("memorySizeMB".into(), spec.memory_mb.into());
        metrics.insert("maxMemoryUsedMB".into(), self.max_memory_mb.into());
        if let Some(init) = self.init {
            metrics.insert("initDurationMs".into(), rounded(init));
        }
        let mut record = json!({ "requestId": self.request_id, "metrics": metrics });
        if let Some((root, parent)) = self.trace.and_then(trace) {
            let value = format!("Root={root};Parent={parent};Sampled=1");
            record["tracing"] = json!({
                "spanId": parent, "type": "X-Amzn-Trace-Id", "value": value,
            });
        }
        if let Some(t) = self.tenant {
            record["tenantId"] = t.into();
        }
        self.status.json(&mut record);
        record
    }
}

impl Status<'_> {
    fn text(self, s: &mut String) {
        match self {
            Status::Success => {}
            Status::Timeout => s.push_str("\tStatus: timeout"),
            Status::Error(None) => s.push_str("\tStatus: error"),
            Status::Error(Some(kind)) => {
                s.push_str(&format!("\tStatus: error\tError Type: {kind}"));
            }
        }
    }

    fn json(self, record: &mut Value) {
        record["status"] = match self {
            Status::Success => "success",
            Status::Timeout => "timeout",
            Status::Error(_) => "error",
        }
        .into();
        if let Status::Error(Some(kind)) = self {
            record["errorType"] = kind.into();
        }
    }
}

/// The root and parent of a sampled trace header.
fn trace(header: &str) -> Option<(&str, &str)> {
    let part =
        |name: &str| header.split(';').find_map(|p| p.trim().strip_prefix(name)?.strip_prefix('='));
    (part("Sampled") == Some("1")).then_some(())?;
    Some((part("Root")?, part("Parent").unwrap_or_default()))
}

fn millis(d: Duration) -> f64 {
    d.as_secs_f64() * 1000.0
}

fn rounded(d: Duration) -> Value {
    // To three decimals, as AWS has them.
    ((millis(d) * 1000.0).round() / 1000.0).into()
}

/// `2024-10-17T10:12:13.123Z`.
#[must_use]
pub fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::spec;

    #[test]
    fn lines_are_as_lambda_prints_them() {
        let ms = |n: u64| Duration::from_micros(n);
        let report = |status, init, trace| {
            Event::Report(Report {
                request_id: "r",
                duration: ms(2250),
                billed_ms: 3,
                max_memory_mb: 36,
                init,
                status,
                tenant: Some("blue"),
                trace,
            })
        };
        let init = Some(ms(92_250));
        let sampled = Some("Root=1-2-3;Parent=4;Sampled=1");
        let text = "REPORT RequestId: r\tDuration: 2.25 ms\tBilled Duration: 3 ms\t\
                    Memory Size: 128 MB\tMax Memory Used: 36 MB";
        let metrics = r#"{"billedDurationMs":3,"durationMs":2.25,"#;
        let memory = r#""maxMemoryUsedMB":36,"memorySizeMB":128}"#;
        let at = "2024-10-17T10:12:13.123456Z".parse().unwrap();
        let json = |kind: &str, record: String| {
            format!(
                r#"{{"record":{record},"time":"2024-10-17T10:12:13.123Z","type":"platform.{kind}"}}"#
            )
        };
        let cases = [
            (
                Event::Start { request_id: "r", tenant: Some("blue") },
                "START RequestId: r Version: $LATEST".to_owned(),
                json(
                    "start",
                    r#"{"functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f","requestId":"r","tenantId":"blue","version":"$LATEST"}"#.into(),
                ),
            ),
            (
                report(Status::Success, init, None),
                format!("{text}\tInit Duration: 92.25 ms\t"),
                json(
                    "report",
                    format!(
                        r#"{{"metrics":{metrics}"initDurationMs":92.25,{memory},"requestId":"r","status":"success","tenantId":"blue"}}"#
                    ),
                ),
            ),
            (
                report(Status::Timeout, None, sampled),
                format!("{text}\tStatus: timeout\nXRAY TraceId: 1-2-3\tSampled: true\t"),
                json(
                    "report",
                    format!(
                        r#"{{"metrics":{metrics}{memory},"requestId":"r","status":"timeout","tenantId":"blue","tracing":{{"spanId":"4","type":"X-Amzn-Trace-Id","value":"Root=1-2-3;Parent=4;Sampled=1"}}}}"#
                    ),
                ),
            ),
            (
                report(Status::Error(Some("Runtime.ExitError")), None, None),
                format!("{text}\tStatus: error\tError Type: Runtime.ExitError"),
                json(
                    "report",
                    format!(
                        r#"{{"errorType":"Runtime.ExitError","metrics":{metrics}{memory},"requestId":"r","status":"error","tenantId":"blue"}}"#
                    ),
                ),
            ),
        ];
        for (event, text, json) in cases {
            let mut spec = spec();
            assert_eq!(event.line(&spec, at).unwrap(), text);
            spec.log_format = LogFormat::Json;
            // In which order the members stand is nobody's business.
            let read = |t: &str| serde_json::from_str::<serde_json::Value>(t).unwrap();
            assert_eq!(read(&event.line(&spec, at).unwrap()), read(&json));
        }
        // What is below the function's system log level is left out.
        let quiet = Spec { log_format: LogFormat::Json, system_log_level: Level::Warn, ..spec() };
        assert_eq!(Event::Start { request_id: "r", tenant: None }.line(&quiet, at), None);
    }
}
