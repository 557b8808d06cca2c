//! Timestamps in the three formats of the wire.

use fogbank_model::TimeFormat;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

/// Reads a timestamp; any of the formats is taken wherever one is, as AWS's own parsers do.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return from_seconds(seconds);
    }
    if let Ok(t) = text.parse::<Timestamp>() {
        return Some(t);
    }
    // Dates alone, and date-times without a zone, are UTC.
    if let Ok(t) = text.parse::<jiff::civil::DateTime>() {
        return t.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp());
    }
    http_date(text)
}

fn http_date(text: &str) -> Option<Timestamp> {
    if let Ok(t) = rfc2822::DateTimeParser::new().parse_timestamp(text) {
        return Some(t);
    }
    // RFC 850 and asctime, which HTTP servers must still read; a weekday that is wrong is forgiven.
    let formats =
        ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S GMT"];
    formats.iter().find_map(|f| {
        let t = jiff::civil::DateTime::strptime(f, text).ok()?;
        t.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp())
    })
}

/// Seconds since 1970, kept to the microsecond.
pub fn from_seconds(seconds: f64) -> Option<Timestamp> {
    if !seconds.is_finite() || seconds.abs() > 2.6e11 {
        return None;
    }
    Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()
}

/// Appends a timestamp.
pub fn write(out: &mut String, t: Timestamp, format: TimeFormat, milliseconds: bool) {
    use std::fmt::Write;
    match format {
        TimeFormat::Iso8601 => iso(out, t, milliseconds),
        TimeFormat::Rfc822 => http(out, t),
        TimeFormat::Unix => {
            let (s, ms) = (t.as_second(), t.subsec_millisecond());
            let _ = match ms {
                0 => write!(out, "{s}"),
                // Before 1970 the fraction counts back from the second.
                _ => write!(out, "{}", t.as_millisecond() as f64 / 1e3),
            };
        }
    }
}

/// `Tue, 29 Apr 2014 18:30:38 GMT`. Written by hand: every S3 reply has one.
fn http(out: &mut String, t: Timestamp) {
    const DAYS: [&str; 7] = ["Mon, ", "Tue, ", "Wed, ", "Thu, ", "Fri, ", "Sat, ", "Sun, "];
    const MONTHS: [&str; 12] = [
        " Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ", " Jul ", " Aug ", " Sep ", " Oct ",
        " Nov ", " Dec ",
    ];
    let name = |names: &[&'static str], one: i8| {
        usize::try_from(one - 1).ok().and_then(|i| names.get(i).copied()).unwrap_or_default()
    };
    let d = TimeZone::UTC.to_datetime(t);
    out.reserve(29);
    out.push_str(name(&DAYS, d.weekday().to_monday_one_offset()));
    digits(out, d.day().into(), 2);
    out.push_str(name(&MONTHS, d.month()));
    digits(out, d.year().into(), 4);
    for (mark, n) in [(' ', d.hour()), (':', d.minute()), (':', d.second())] {
        out.push(mark);
        digits(out, n.into(), 2);
    }
    out.push_str(" GMT");
}

/// `2026-01-01T00:00:00Z`; milliseconds only when there are some, or always. Written by hand: a
/// listing has a thousand of them.
fn iso(out: &mut String, t: Timestamp, always: bool) {
    let d = TimeZone::UTC.to_datetime(t);
    let two = |out: &mut String, n: i8| digits(out, i64::from(n), 2);
    digits(out, i64::from(d.year()), 4);
    out.push('-');
    two(out, d.month());
    out.push('-');
    two(out, d.day());
    out.push('T');
    two(out, d.hour());
    out.push(':');
    two(out, d.minute());
    out.push(':');
    two(out, d.second());
    let ms = d.millisecond();
    if always || ms != 0 {
        out.push('.');
        digits(out, i64::from(ms), 3);
    }
    out.push('Z');
}

/// Appends a whole number.
pub fn number(out: &mut String, n: i64) {
    digits(out, n, 1);
}

/// Appends a number with leading zeros up to `width` digits.
fn digits(out: &mut String, n: i64, width: usize) {
    let mut buf = [b'0'; 20];
    let mut at = buf.len();
    let mut left = n.unsigned_abs();
    while left > 0 || buf.len() - at < width {
        at -= 1;
        buf[at] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    if n < 0 {
        out.push('-');
    }
    out.push_str(std::str::from_utf8(&buf[at..]).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_that_clients_send() {
        let want: Timestamp = "2014-04-29T18:30:38Z".parse().unwrap();
        for text in [
            "2014-04-29T18:30:38Z",
            "2014-04-29T18:30:38.000Z",
            "Tue, 29 Apr 2014 18:30:38 GMT",
            "Tuesday, 29-Apr-14 18:30:38 GMT",
            "Tue Apr 29 18:30:38 2014",
            "2014-04-29T20:30:38+02:00",
            "1398796238",
            "1.398796238e9",
        ] {
            assert_eq!(parse(text), Some(want), "{text}");
        }
        for bad in ["", "tomorrow", "NaN", "1e300", "99999-01-01"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_are_written_whole() {
        for n in [0, 7, -1, 1234, i64::MAX, i64::MIN] {
            let mut s = String::new();
            number(&mut s, n);
            assert_eq!(s, n.to_string());
        }
    }

    #[test]
    fn writes_each_format() {
        let t: Timestamp = "2014-04-29T18:30:38.120Z".parse().unwrap();
        let text = |f, ms| {
            let mut s = String::new();
            write(&mut s, t, f, ms);
            s
        };
        assert_eq!(text(TimeFormat::Iso8601, false), "2014-04-29T18:30:38.120Z");
        assert_eq!(text(TimeFormat::Rfc822, false), "Tue, 29 Apr 2014 18:30:38 GMT");
        assert_eq!(text(TimeFormat::Unix, false), "1398796238.12");
    }
}
