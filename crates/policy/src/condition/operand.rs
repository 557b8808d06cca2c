//! The values that conditions compare: numbers, dates and address ranges.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

/// A number; no infinities.
pub fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

/// A date as W3C's ISO 8601 profile has it, or seconds since 1970. In microseconds since 1970.
pub fn date(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>()
        && text.len() != 4
    {
        return seconds.checked_mul(1_000_000);
    }
    if let Ok(t) = text.parse::<Timestamp>() {
        return Some(t.as_microsecond());
    }
    let day = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    let utc = |d: civil::DateTime| d.to_zoned(TimeZone::UTC).ok();
    // A time without seconds: 2020-01-01T10:00Z.
    if let Some(t) = day.strip_suffix('Z') {
        return t.parse().ok().and_then(utc).map(|z| z.timestamp().as_microsecond());
    }
    let day: civil::Date = day.parse().ok()?;
    utc(day.at(0, 0, 0, 0)).map(|z| z.timestamp().as_microsecond())
}

/// An address or a range in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub v6: bool,
    bits: u128,
    /// Length of the prefix, counted in the family's own bits.
    pub prefix: u32,
}

impl Network {
    /// `192.0.2.0/24`, `2001:db8::/32`, or a bare address. Bits past the prefix do not count.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = match text.split_once('/') {
            Some((a, p)) => (a, Some(p.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (v6, bits, size) = match address.trim().parse::<IpAddr>().ok()? {
            IpAddr::V4(a) => (false, u128::from(a.to_bits()), 32),
            IpAddr::V6(a) => match a.to_ipv4_mapped() {
                Some(a) if prefix.is_none() => (false, u128::from(a.to_bits()), 32),
                _ => (true, a.to_bits(), 128),
            },
        };
        let prefix = prefix.unwrap_or(size);
        (prefix <= size).then_some(Network { v6, bits, prefix })
    }

    /// Whether all of `other` lies inside.
    pub fn contains(&self, other: &Network) -> bool {
        if self.v6 != other.v6 || other.prefix < self.prefix {
            return false;
        }
        let size = if self.v6 { 128 } else { 32 };
        let shift = size - self.prefix;
        shift == 128 || self.bits >> shift == other.bits >> shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_in_several_forms() {
        let new_year = 1_577_836_800_000_000;
        for d in [
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00Z",
            "2020-01-01",
            "2020-01",
            "2020",
            "1577836800",
            "2020-01-01T01:00:00+01:00",
        ] {
            assert_eq!(date(d), Some(new_year), "{d}");
        }
        for bad in ["", "soon", "2020-13-01", "99999999999999999999"] {
            assert_eq!(date(bad), None, "{bad}");
        }
        assert_eq!(number(" 1.50 "), Some(1.5));
        assert_eq!(number("inf"), None);
    }

    #[test]
    fn networks_contain_addresses() {
        let inside =
            |n: &str, a: &str| Network::parse(n).unwrap().contains(&Network::parse(a).unwrap());
        assert!(inside("203.0.113.0/24", "203.0.113.9"));
        assert!(inside("203.0.113.77/24", "203.0.113.9"));
        assert!(!inside("203.0.113.0/24", "203.0.114.9"));
        assert!(inside("0.0.0.0/0", "1.2.3.4"));
        assert!(!inside("0.0.0.0/0", "::1"));
        assert!(inside("::/0", "2001:db8::1"));
        assert!(inside("2001:DB8:1234:5678::/64", "2001:db8:1234:5678::9"));
        assert!(!inside("2001:db8:1234:5678::/64", "2001:db8:1234:5679::9"));
        assert!(inside("10.0.0.1", "::ffff:10.0.0.1"));
        for bad in ["", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/x", "host"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
