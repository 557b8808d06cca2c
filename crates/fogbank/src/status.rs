//! `fogbank status`: what a running cloud does and holds.

use std::fmt::Write;
use std::process::ExitCode;

use jiff::{SignedDuration, SpanRound, Unit};
use serde_json::Value;

use crate::cli::Target;
use crate::instance::Instance;

/// Prints it. The exit code is 1 when no cloud runs on the port.
///
/// # Errors
/// When something else listens there.
pub fn status(target: &Target) -> anyhow::Result<ExitCode> {
    let instance = Instance::at(target.port);
    if !instance.is_up()? {
        eprintln!("no cloud runs on port {}", target.port);
        return Ok(ExitCode::FAILURE);
    }
    crate::output(&render(&instance.endpoint(), &instance.get("/_fogbank/status")?))?;
    Ok(ExitCode::SUCCESS)
}

fn render(endpoint: &str, s: &Value) -> String {
    let text = |path: &str| s.pointer(path).and_then(Value::as_str).unwrap_or("?");
    let number = |path: &str| s.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "{name:<10}{value}");
    };
    let since = duration(number("/uptime_seconds"));
    line("endpoint", format!("{endpoint}  (fogbank {}, up {since})", text("/fogbank")));
    line("iam", text("/iam").to_owned());
    line("time", clock(text("/clock/now"), s.pointer("/clock/offset_seconds")));
    line("requests", format!("{}, {} with an error", number("/requests"), number("/errors")));
    if let Some(state) = s.get("state") {
        line("state", holdings(state));
    }
    for (name, service) in s.get("services").and_then(Value::as_object).into_iter().flatten() {
        let n = service.get("operations").and_then(Value::as_u64).unwrap_or(0);
        line(name, format!("{n} operations"));
    }
    let denials = s.get("denials").and_then(Value::as_array).map_or(0, Vec::len);
    if denials > 0 {
        line("denials", format!("{denials}; `fogbank doctor` lists them"));
    }
    out
}

fn clock(now: &str, offset: Option<&Value>) -> String {
    match offset.and_then(Value::as_i64) {
        None | Some(0) => now.to_owned(),
        Some(n) => format!("{now}  ({:#} from real time)", SignedDuration::from_secs(n)),
    }
}

fn holdings(state: &Value) -> String {
    let place = state.get("directory").and_then(Value::as_str).unwrap_or("memory");
    let records: u64 = state
        .get("tables")
        .and_then(Value::as_object)
        .map_or(0, |t| t.values().filter_map(Value::as_u64).sum());
    format!("{records} records in {place}")
}

fn duration(seconds: u64) -> String {
    let span = jiff::Span::new().try_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    let rounded =
        span.and_then(|s| s.round(SpanRound::new().largest(Unit::Day).days_are_24_hours()));
    rounded.map_or_else(|_| format!("{seconds}s"), |s| format!("{s:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_is_readable_whatever_is_missing() {
        let s = json!({
            "fogbank": "1", "iam": "enforce", "uptime_seconds": 90_061, "requests": 7, "errors": 1,
            "clock": {"now": "2030-01-01T00:00:00Z", "offset_seconds": 60},
            "services": {"s3": {"operations": 9}}, "denials": [1],
            "state": {"directory": "/d", "tables": {"a": 2, "b": 3}},
        });
        let text = render("http://x", &s);
        for part in
            ["up 1d 1h 1m 1s", "7, 1 with", "1m from real", "s3        9", "5 records in /d"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(render("http://x", &json!({})).contains('?'));
    }
}
