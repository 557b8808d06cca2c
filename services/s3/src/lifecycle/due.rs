//! When a rule acts on an object: filters, days and S3's rounding to midnight.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

use fogbank_core::Time;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::validate::CLASSES;
use super::{Filter, Lifecycle, Rule, Subject};

/// How long a rule's day lasts, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(i64);

impl Day {
    /// A real one: 24 hours, and what falls due within a day is done at the midnight (UTC) after.
    pub const REAL: Day = Day(86_400);

    /// A shorter one, for tests: what is due is done at once.
    #[must_use]
    pub fn of_seconds(n: u32) -> Self {
        Day(i64::from(n.max(1)))
    }

    /// Its length in seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// When something that began at `from` (seconds since 1970) is `days` old, as rules count.
    pub(super) fn after(self, from: i64, days: i64) -> i64 {
        let at = from.saturating_add(days.saturating_mul(self.0));
        if self == Day::REAL {
            at.saturating_add(self.0 - 1).div_euclid(self.0).saturating_mul(self.0)
        } else {
            at
        }
    }
}

impl Rule {
    pub(super) fn is_on(&self) -> bool {
        self.status == "Enabled"
    }

    pub(super) fn prefix(&self) -> &str {
        let f = self.filter.as_ref();
        let in_and = || f.and_then(|f| f.and.as_ref()).and_then(|a| a.prefix.as_deref());
        let prefix = self.prefix.as_deref().or_else(|| f.and_then(|f| f.prefix.as_deref()));
        prefix.or_else(in_and).unwrap_or_default()
    }

    /// Whether the rule is on and its filter takes the object.
    pub(super) fn takes(&self, o: Subject<'_>) -> bool {
        self.is_on() && o.key.starts_with(self.prefix()) && self.size_and_tags(o)
    }

    fn size_and_tags(&self, o: Subject<'_>) -> bool {
        let Some(f) = &self.filter else { return true };
        let Filter { tag, and, .. } = f;
        let and = and.as_ref();
        let over = f.object_size_greater_than.or(and.and_then(|a| a.object_size_greater_than));
        let under = f.object_size_less_than.or(and.and_then(|a| a.object_size_less_than));
        let size = i64::try_from(o.size).unwrap_or(i64::MAX);
        let tags = tag.iter().chain(and.map_or(&[][..], |a| &a.tags));
        over.is_none_or(|n| size > n)
            && under.is_none_or(|n| size < n)
            && tags.into_iter().all(|t| o.tags.iter().any(|(k, v)| *k == t.key && *v == t.value))
    }

    fn has_size_filter(&self) -> bool {
        self.filter.as_ref().is_some_and(|f| {
            let and = f.and.as_ref();
            f.object_size_greater_than.is_some()
                || f.object_size_less_than.is_some()
                || and.is_some_and(|a| {
                    a.object_size_greater_than.is_some() || a.object_size_less_than.is_some()
                })
        })
    }
}

impl Lifecycle {
    /// When the current version expires, and by which rule: seconds since 1970.
    pub(super) fn expires(&self, day: Day, o: Subject<'_>) -> Option<(i64, &Rule)> {
        let due = |r: &Rule| {
            let e = r.expiration.as_ref()?;
            match (e.days, e.date) {
                (Some(days), _) => Some(day.after(o.modified, days)),
                (None, Some(date)) => Some(date.0.as_second()),
                (None, None) => None,
            }
        };
        let rules = self.rules.iter().filter(|r| r.takes(o));
        rules.filter_map(|r| Some((due(r)?, r))).min_by_key(|(at, _)| *at)
    }

    /// The class that the current version should be in at `now`; `None` when it is there.
    pub(super) fn class(&self, day: Day, o: Subject<'_>, class: &str, now: i64) -> Option<&str> {
        let due = self.rules.iter().filter(|r| r.takes(o)).flat_map(|r| {
            r.transitions.iter().filter(move |t| {
                let at = match (t.days, t.date) {
                    (Some(days), _) => day.after(o.modified, days),
                    (None, date) => date.map_or(i64::MAX, |d| d.0.as_second()),
                };
                at <= now && self.worth_moving(r, o.size, &t.storage_class)
            })
        });
        colder(class, due.map(|t| t.storage_class.as_str()))
    }

    /// The class that a noncurrent version should be in. `newer`: how many noncurrent versions are
    /// newer; `since`: when it became noncurrent.
    pub(super) fn noncurrent_class(
        &self,
        day: Day,
        o: Subject<'_>,
        class: &str,
        newer: i64,
        since: i64,
        now: i64,
    ) -> Option<&str> {
        let due = self.rules.iter().filter(|r| r.takes(o)).flat_map(|r| {
            r.noncurrent_version_transitions.iter().filter(move |t| {
                newer >= t.newer_noncurrent_versions.unwrap_or(0)
                    && day.after(since, t.noncurrent_days.unwrap_or(0)) <= now
                    && self.worth_moving(r, o.size, &t.storage_class)
            })
        });
        colder(class, due.map(|t| t.storage_class.as_str()))
    }

    /// Whether a noncurrent version is to be deleted at `now`.
    pub(super) fn noncurrent_expired(
        &self,
        day: Day,
        o: Subject<'_>,
        newer: i64,
        since: i64,
        now: i64,
    ) -> bool {
        self.rules.iter().filter(|r| r.takes(o)).any(|r| {
            r.noncurrent_version_expiration.as_ref().is_some_and(|e| {
                newer >= e.newer_noncurrent_versions.unwrap_or(0)
                    && day.after(since, e.noncurrent_days.unwrap_or(i64::MAX)) <= now
            })
        })
    }

    /// Whether a delete marker that is the last version of its key is to be removed at `now`.
    pub(super) fn marker_expired(&self, day: Day, o: Subject<'_>, now: i64) -> bool {
        self.rules.iter().filter(|r| r.takes(o)).any(|r| {
            r.expiration.as_ref().is_some_and(|e| {
                e.expired_object_delete_marker == Some(true)
                    || e.days.is_some_and(|d| day.after(o.modified, d) <= now)
                    || e.date.is_some_and(|d| d.0.as_second() <= now)
            })
        })
    }

    /// When a multipart upload is aborted, and by which rule.
    pub(super) fn abort(&self, day: Day, key: &str, initiated: i64) -> Option<(Time, String)> {
        let rules = self.rules.iter().filter(|r| r.is_on() && key.starts_with(r.prefix()));
        let due = rules.filter_map(|r| {
            let days = r.abort_incomplete_multipart_upload.as_ref()?.days_after_initiation?;
            Some((day.after(initiated, days), r))
        });
        let (at, rule) = due.min_by_key(|(at, _)| *at)?;
        Some((Time(Timestamp::from_second(at).ok()?), rule.id.clone().unwrap_or_default()))
    }

    /// `expiry-date="…", rule-id="…"`.
    pub(super) fn expiration_header(&self, o: Subject<'_>) -> Option<String> {
        let (at, rule) = self.expires(Day::REAL, o)?;
        let date = Timestamp::from_second(at).ok()?;
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&date).ok()?;
        let id = rule.id.as_deref().unwrap_or_default();
        const ID: &percent_encoding::AsciiSet =
            &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
        let id = utf8_percent_encode(id, ID);
        Some(format!("expiry-date=\"{date}\", rule-id=\"{id}\""))
    }

    /// Small objects stay where they are, unless the rule speaks of sizes itself.
    fn worth_moving(&self, rule: &Rule, size: u64, class: &str) -> bool {
        let minimum = self.transition_default_minimum_object_size.as_deref();
        let archive = matches!(class, "GLACIER" | "DEEP_ARCHIVE");
        size >= 128 * 1024
            || rule.has_size_filter()
            || (archive && minimum == Some("varies_by_storage_class"))
    }
}

/// The coldest of `due`, if it is colder than `class`: objects never move up.
fn colder<'a>(class: &str, due: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let rank = |c: &str| CLASSES.iter().position(|k| *k == c).map_or(0, |n| n + 1);
    due.max_by_key(|c| rank(c)).filter(|c| rank(c) > rank(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rules: &str) -> Lifecycle {
        serde_json::from_str(&format!(r#"{{"Rules":[{rules}]}}"#)).unwrap()
    }

    const DAY: i64 = 86_400;

    #[test]
    fn days_end_at_midnight() {
        for (from, days, want) in [(0, 1, DAY), (1, 1, 2 * DAY), (DAY - 1, 1, 2 * DAY), (5, 0, DAY)]
        {
            assert_eq!(Day::REAL.after(from, days), want, "{from} {days}");
        }
        assert_eq!(Day::of_seconds(10).after(3, 2), 23);
        assert!(Day::REAL.after(i64::MAX, i64::MAX) > 0);
    }

    #[test]
    fn filters() {
        let tags = [("k".to_owned(), "v".to_owned())];
        let o = Subject { key: "a/b", size: 100, modified: 0, tags: &tags };
        for (filter, want) in [
            ("{}", true),
            (r#"{"Prefix":"a/"}"#, true),
            (r#"{"Prefix":"b/"}"#, false),
            (r#"{"Tag":{"Key":"k","Value":"v"}}"#, true),
            (r#"{"Tag":{"Key":"k","Value":"w"}}"#, false),
            (r#"{"ObjectSizeGreaterThan":99}"#, true),
            (r#"{"ObjectSizeGreaterThan":100}"#, false),
            (r#"{"ObjectSizeLessThan":100}"#, false),
            (
                r#"{"And":{"Prefix":"a/","Tags":[{"Key":"k","Value":"v"}],"ObjectSizeLessThan":101}}"#,
                true,
            ),
            (r#"{"And":{"Prefix":"a/","Tags":[{"Key":"x","Value":"v"}]}}"#, false),
        ] {
            let rule =
                format!(r#"{{"Status":"Enabled","Filter":{filter},"Expiration":{{"Days":1}}}}"#);
            assert_eq!(config(&rule).expires(Day::REAL, o).is_some(), want, "{filter}");
        }
        let off = config(r#"{"Status":"Disabled","Prefix":"","Expiration":{"Days":1}}"#);
        assert!(off.expires(Day::REAL, o).is_none());
    }

    #[test]
    fn the_header_names_the_first_rule() {
        let c = config(
            r#"{"ID":"late","Status":"Enabled","Prefix":"","Expiration":{"Days":9}},
               {"ID":"a b","Status":"Enabled","Prefix":"","Expiration":{"Days":1}}"#,
        );
        let o = Subject { key: "k", size: 0, modified: 1, tags: &[] };
        let want = "expiry-date=\"Sat, 03 Jan 1970 00:00:00 GMT\", rule-id=\"a%20b\"";
        assert_eq!(c.expiration_header(o).unwrap(), want);
    }

    #[test]
    fn transitions_go_down_only() {
        let c = config(
            r#"{"Status":"Enabled","Prefix":"","Transitions":[
                {"Days":1,"StorageClass":"GLACIER_IR"},{"Days":5,"StorageClass":"GLACIER"}]}"#,
        );
        let o = Subject { key: "k", size: 1 << 20, modified: 0, tags: &[] };
        for (class, now, want) in [
            ("STANDARD", 0, None),
            ("STANDARD", DAY, Some("GLACIER_IR")),
            ("STANDARD", 5 * DAY, Some("GLACIER")),
            ("GLACIER", 5 * DAY, None),
            ("DEEP_ARCHIVE", 5 * DAY, None),
        ] {
            assert_eq!(c.class(Day::REAL, o, class, now), want, "{class} {now}");
        }
        let small = Subject { size: 10, ..o };
        assert_eq!(c.class(Day::REAL, small, "STANDARD", 9 * DAY), None);
    }

    #[test]
    fn newer_noncurrent_versions_are_kept() {
        let c = config(
            r#"{"Status":"Enabled","Prefix":"","NoncurrentVersionExpiration":
                {"NoncurrentDays":1,"NewerNoncurrentVersions":2}}"#,
        );
        let o = Subject { key: "k", size: 1, modified: 0, tags: &[] };
        for (newer, now, want) in
            [(0, 9 * DAY, false), (1, 9 * DAY, false), (2, 9 * DAY, true), (2, 0, false)]
        {
            assert_eq!(c.noncurrent_expired(Day::REAL, o, newer, 0, now), want, "{newer} {now}");
        }
    }
}
