//! The dates of a signature: ISO 8601 basic (`20150830T123600Z`) and HTTP's own.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A moment in a signature: its text as the string to sign has it, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    text: [u8; 16],
    pub time: Timestamp,
}

impl Date {
    /// From `YYYYMMDDTHHMMSSZ`; nothing else, as AWS has it for `X-Amz-Date`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Date> {
        let text: [u8; 16] = text.as_bytes().try_into().ok()?;
        if text[8] != b'T' || text[15] != b'Z' {
            return None;
        }
        let number = |r: std::ops::Range<usize>| {
            text[r]
                .iter()
                .try_fold(0i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
        };
        let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
        let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
        if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60;
        Some(Date { text, time: Timestamp::from_second(seconds + second).ok()? })
    }

    /// From a `Date` header: ISO 8601 basic or RFC 1123 (`Sun, 30 Aug 2015 12:36:00 GMT`).
    #[must_use]
    pub fn parse_http(text: &str) -> Option<Date> {
        Date::parse(text).or_else(|| {
            let z = jiff::fmt::rfc2822::DateTimeParser::new().parse_zoned(text).ok()?;
            Some(Date::new(z.timestamp()))
        })
    }

    /// To the second; the fraction is dropped.
    #[must_use]
    pub fn new(time: Timestamp) -> Date {
        let t = time.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
        let text = t.as_bytes().try_into().unwrap_or(*b"00010101T000000Z");
        Date { text, time: Timestamp::from_second(time.as_second()).unwrap_or(time) }
    }

    /// `20150830T123600Z`.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// `20150830`.
    #[must_use]
    pub fn day(&self) -> &str {
        self.text().get(..8).unwrap_or_default()
    }
}

/// As S3's error bodies show a time: `2015-08-30T12:36:00Z`.
#[must_use]
pub fn iso(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, counting years from March so that the leap day
/// comes last. The calendar's own arithmetic costs more than the rest of parsing a header.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let m = (month + 9) % 12;
    y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (m * 306 + 5) / 10 + day
        - 1
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_calendar() {
        for day in (-200_000i64..300_000).step_by(37) {
            let t = Timestamp::from_second(day * 86_400 + day.rem_euclid(86_400)).unwrap();
            let d = Date::new(t);
            if (0..=9999).contains(&t.to_zoned(TimeZone::UTC).year()) {
                assert_eq!(Date::parse(d.text()), Some(d), "{}", d.text());
            }
        }
    }

    #[test]
    fn odd_dates_are_refused() {
        for bad in [
            "",
            "20150830",
            "20150830T123600",
            "20150830t123600Z",
            "20151330T123600Z",
            "20150230T123600Z",
            "20150830T243600Z",
            "2015083 T123600Z",
            "+0150830T123600Z",
            "20150830T123660Z",
            "２０１５",
            "20150830T123600ZZ",
        ] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
        let http = Date::parse_http("Sun, 30 Aug 2015 12:36:00 GMT").unwrap();
        assert_eq!(http.text(), "20150830T123600Z");
        assert_eq!(Date::parse_http("yesterday"), None);
    }
}
