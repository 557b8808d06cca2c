//! `fogbank clock`: shows and moves a cloud's time.

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::cli::{Clock, ClockAction};
use crate::instance::Instance;

/// Carries out the action and prints the cloud's time.
///
/// # Errors
/// A time or duration that cannot be read, or no cloud on the port.
pub fn clock(args: &Clock) -> anyhow::Result<()> {
    let instance = Instance::at(args.target.port);
    let now = match &args.action {
        ClockAction::Show => instance.get("/_fogbank/clock")?,
        ClockAction::Set { time } if time == "now" => {
            instance.post("/_fogbank/clock", &json!({ "offset_seconds": 0 }))?
        }
        ClockAction::Set { time } => {
            let t: Timestamp = time.parse().with_context(|| {
                format!("`{time}` is no time.\nHint: such as 2030-01-01T00:00:00Z, or `now`.")
            })?;
            instance.post("/_fogbank/clock", &json!({ "set": t.to_string() }))?
        }
        ClockAction::Advance { by } => {
            let by = duration(by)?;
            instance.post("/_fogbank/clock", &json!({ "advance_seconds": by.as_secs() }))?
        }
    };
    let offset = now.get("offset_seconds").and_then(serde_json::Value::as_i64).unwrap_or(0);
    let time = now.get("now").and_then(serde_json::Value::as_str).unwrap_or_default();
    let away = match offset {
        0 => String::new(),
        n => format!("  ({:#} from real time)", SignedDuration::from_secs(n)),
    };
    crate::output(&format!("{time}{away}\n"))
}

/// `60s`, `2h`, `1d12h`, `P1D`; a bare number is seconds. Time never runs backwards by `advance`.
fn duration(text: &str) -> anyhow::Result<SignedDuration> {
    let d = match text.parse::<u32>() {
        Ok(n) => SignedDuration::from_secs(n.into()),
        Err(_) => {
            let span: jiff::Span = text.parse().with_context(|| {
                format!("`{text}` is no duration.\nHint: such as 60s, 2h or 1d12h.")
            })?;
            // A day of a cloud is 24 hours: it keeps UTC.
            span.to_duration(jiff::SpanRelativeTo::days_are_24_hours())?
        }
    };
    if d.is_negative() {
        bail!("The clock advances only forwards.\nHint: `fogbank clock set` goes anywhere.");
    }
    Ok(d)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_as_people_write_them() {
        let cases = [("60s", 60), ("90", 90), ("2h", 7200), ("1d12h", 129_600), ("P1D", 86_400)];
        for (text, seconds) in cases {
            assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for bad in ["", "soon", "-60s", "1 fortnight"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
