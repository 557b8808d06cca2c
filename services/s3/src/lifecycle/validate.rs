//! What S3 refuses about a lifecycle configuration.

use std::collections::HashSet;

use fogbank_core::{ApiError, Result, Time};

use super::{Filter, Lifecycle, Rule, Transition};
use crate::error::{invalid_request, malformed_xml};

/// The classes that rules move objects to, from warm to cold.
pub(super) const CLASSES: [&str; 6] =
    ["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];

/// Checks a configuration.
///
/// # Errors
/// `MalformedXML`, `InvalidArgument`, `InvalidRequest`, in S3's words.
pub(super) fn configuration(config: &Lifecycle) -> Result<()> {
    if config.rules.is_empty() || config.rules.len() > 1000 {
        return Err(malformed_xml());
    }
    let minimum = config.transition_default_minimum_object_size.as_deref();
    if !matches!(minimum, None | Some("all_storage_classes_128K" | "varies_by_storage_class")) {
        return Err(invalid("Invalid TransitionDefaultMinimumObjectSize found"));
    }
    let mut ids = HashSet::new();
    for rule in &config.rules {
        let id = rule.id.as_deref();
        if id.is_some_and(|i| i.len() > 255) {
            return Err(invalid("ID length should not exceed allowed limit of 255"));
        }
        if id.is_some_and(|i| !ids.insert(i)) {
            let text = "Rule ID must be unique. Found same ID for more than one rule";
            return Err(invalid(text));
        }
        one(rule)?;
    }
    Ok(())
}

fn one(rule: &Rule) -> Result<()> {
    if !matches!(rule.status.as_str(), "Enabled" | "Disabled") {
        return Err(malformed_xml());
    }
    if rule.prefix.is_some() == rule.filter.is_some() {
        return Err(malformed_xml());
    }
    let tagged = rule.filter.as_ref().map(filter).transpose()?.unwrap_or(false);
    let prefix = rule.prefix().to_owned();
    if prefix.len() > 1024 {
        return Err(invalid("The maximum size of a prefix is 1024"));
    }
    expiration(rule, tagged)?;
    transitions(rule, &prefix)?;
    noncurrent(rule)?;
    if let Some(abort) = &rule.abort_incomplete_multipart_upload {
        if tagged {
            let text = "AbortIncompleteMultipartUpload cannot be specified with Tags.";
            return Err(invalid_request(text));
        }
        let days = abort.days_after_initiation.ok_or_else(malformed_xml)?;
        positive(days, "DaysAfterInitiation", "AbortIncompleteMultipartUpload action")?;
    }
    if rule.expiration.is_none()
        && rule.transitions.is_empty()
        && rule.noncurrent_version_expiration.is_none()
        && rule.noncurrent_version_transitions.is_empty()
        && rule.abort_incomplete_multipart_upload.is_none()
    {
        return Err(invalid_request("At least one action needs to be specified in a rule"));
    }
    Ok(())
}

/// Whether the filter is well formed and, if so, whether it asks for tags.
fn filter(f: &Filter) -> Result<bool> {
    let alone = [
        f.prefix.is_some(),
        f.tag.is_some(),
        f.object_size_greater_than.is_some(),
        f.object_size_less_than.is_some(),
        f.and.is_some(),
    ];
    if alone.iter().filter(|b| **b).count() > 1 {
        return Err(malformed_xml());
    }
    let (mut tags, mut over, mut under) =
        (Vec::from_iter(&f.tag), f.object_size_greater_than, f.object_size_less_than);
    if let Some(and) = &f.and {
        let parts = usize::from(and.prefix.is_some())
            + and.tags.len()
            + usize::from(and.object_size_greater_than.is_some())
            + usize::from(and.object_size_less_than.is_some());
        if parts < 2 {
            return Err(malformed_xml());
        }
        tags = and.tags.iter().collect();
        (over, under) = (and.object_size_greater_than, and.object_size_less_than);
    }
    if over.is_some_and(|n| n < 0) || under.is_some_and(|n| n < 1) {
        return Err(malformed_xml());
    }
    if over.zip(under).is_some_and(|(o, u)| u <= o + 1) {
        let text = "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.";
        return Err(invalid_request(text));
    }
    let keys: HashSet<_> = tags.iter().map(|t| &t.key).collect();
    if keys.len() != tags.len() {
        return Err(invalid_request("Duplicate Tag Keys are not allowed."));
    }
    if tags.iter().any(|t| t.key.is_empty() || t.key.chars().count() > 128) {
        return Err(malformed_xml());
    }
    Ok(!tags.is_empty())
}

fn expiration(rule: &Rule, tagged: bool) -> Result<()> {
    let Some(e) = &rule.expiration else { return Ok(()) };
    let given = [e.days.is_some(), e.date.is_some(), e.expired_object_delete_marker.is_some()];
    if given.iter().filter(|b| **b).count() != 1 {
        return Err(malformed_xml());
    }
    if tagged && e.expired_object_delete_marker.is_some() {
        return Err(invalid_request("ExpiredObjectDeleteMarker cannot be specified with Tags."));
    }
    if let Some(days) = e.days {
        positive(days, "Days", "Expiration action")?;
    }
    e.date.map_or(Ok(()), midnight)
}

fn transitions(rule: &Rule, prefix: &str) -> Result<()> {
    let mut classes = HashSet::new();
    for t in &rule.transitions {
        let Transition { date, days, storage_class } = t;
        if days.is_some() == date.is_some() || !CLASSES.contains(&storage_class.as_str()) {
            return Err(malformed_xml());
        }
        if !classes.insert(storage_class) {
            return Err(invalid(format!(
                "'StorageClass' must be different for 'Transition' actions in same 'Rule' with \
                 filter '(prefix={prefix})'"
            )));
        }
        if days.is_some_and(|d| d < 0) {
            return Err(invalid("'Days' for Transition action must be nonnegative"));
        }
        let infrequent = matches!(storage_class.as_str(), "STANDARD_IA" | "ONEZONE_IA");
        if infrequent && days.is_some_and(|d| d < 30) {
            return Err(invalid(format!(
                "'Days' in Transition action must be greater than or equal to 30 for storageClass \
                 '{storage_class}'"
            )));
        }
        date.map_or(Ok(()), midnight)?;
        let Some(e) = &rule.expiration else { continue };
        if (e.days.is_some() && date.is_some()) || (e.date.is_some() && days.is_some()) {
            return Err(invalid_request(format!(
                "Found mixed 'Date' and 'Days' based Expiration and Transition actions in \
                 lifecycle rule for filter '(prefix={prefix})'"
            )));
        }
        let late = e.days.zip(*days).is_some_and(|(e, t)| e <= t)
            || e.date.zip(*date).is_some_and(|(e, t)| e <= t);
        if late {
            let what = if days.is_some() { "Days" } else { "Date" };
            return Err(invalid(format!(
                "'{what}' in the Expiration action for filter '(prefix={prefix})' must be greater \
                 than '{what}' in the Transition action"
            )));
        }
    }
    Ok(())
}

fn noncurrent(rule: &Rule) -> Result<()> {
    let newer = |n: Option<i64>| match n {
        Some(n) if !(1..=100).contains(&n) => Err(invalid(
            "'NewerNoncurrentVersions' must be a positive integer less than or equal to 100",
        )),
        _ => Ok(()),
    };
    if let Some(e) = &rule.noncurrent_version_expiration {
        let days = e.noncurrent_days.ok_or_else(malformed_xml)?;
        positive(days, "NoncurrentDays", "NoncurrentVersionExpiration action")?;
        newer(e.newer_noncurrent_versions)?;
    }
    for t in &rule.noncurrent_version_transitions {
        if !CLASSES.contains(&t.storage_class.as_str()) || t.noncurrent_days.is_none() {
            return Err(malformed_xml());
        }
        if t.noncurrent_days.is_some_and(|d| d < 0) {
            let text = "'NoncurrentDays' for NoncurrentVersionTransition action must be \
                        nonnegative";
            return Err(invalid(text));
        }
        newer(t.newer_noncurrent_versions)?;
    }
    Ok(())
}

fn positive(days: i64, member: &str, of: &str) -> Result<()> {
    // S3 counts days in 32 bits.
    if (1..=i64::from(i32::MAX)).contains(&days) {
        return Ok(());
    }
    Err(invalid(format!("'{member}' for {of} must be a positive integer")))
}

fn midnight(date: Time) -> Result<()> {
    if date.0.as_microsecond().rem_euclid(86_400_000_000) == 0 {
        return Ok(());
    }
    Err(invalid("'Date' must be at midnight GMT"))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidArgument", message).status(400)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule (JSON without status and prefix) and the code of its refusal.
    #[test]
    fn rules_are_checked() {
        let check = |json: &str| {
            let config: Lifecycle = serde_json::from_str(json).unwrap();
            configuration(&config).map_err(|e| e.code().to_owned())
        };
        for (rule, want) in [
            (r#""Expiration":{"Days":1}"#, None),
            (r#""Expiration":{"Days":0}"#, Some("InvalidArgument")),
            (r#""Expiration":{"Days":-1}"#, Some("InvalidArgument")),
            (r#""Expiration":{"Days":9000000000}"#, Some("InvalidArgument")),
            (r#""Expiration":{}"#, Some("MalformedXML")),
            (r#""Expiration":{"Days":1,"ExpiredObjectDeleteMarker":true}"#, Some("MalformedXML")),
            (r#""Expiration":{"Date":86400000000}"#, None),
            (r#""Expiration":{"Date":86400000001}"#, Some("InvalidArgument")),
            (
                r#""NoncurrentVersionExpiration":{"NoncurrentDays":1,"NewerNoncurrentVersions":2}"#,
                None,
            ),
            (
                r#""NoncurrentVersionExpiration":{"NewerNoncurrentVersions":2}"#,
                Some("MalformedXML"),
            ),
            (
                r#""NoncurrentVersionExpiration":{"NoncurrentDays":1,"NewerNoncurrentVersions":101}"#,
                Some("InvalidArgument"),
            ),
            (r#""AbortIncompleteMultipartUpload":{"DaysAfterInitiation":2}"#, None),
            (r#""Transitions":[{"Days":0,"StorageClass":"GLACIER"}]"#, None),
            (
                r#""Transitions":[{"Days":29,"StorageClass":"STANDARD_IA"}]"#,
                Some("InvalidArgument"),
            ),
            (r#""Transitions":[{"Days":30,"StorageClass":"TAPE"}]"#, Some("MalformedXML")),
            (
                r#""Transitions":[{"Days":30,"StorageClass":"GLACIER"}],"Expiration":{"Days":30}"#,
                Some("InvalidArgument"),
            ),
            (
                r#""Transitions":[{"Date":0,"StorageClass":"GLACIER"}],"Expiration":{"Days":30}"#,
                Some("InvalidRequest"),
            ),
        ] {
            let json = format!(r#"{{"Rules":[{{"Status":"Enabled","Prefix":"",{rule}}}]}}"#);
            assert_eq!(check(&json).err().as_deref(), want, "{rule}");
        }
        for (rule, want) in [
            (r#""Status":"Enabled","Filter":{}"#, None),
            (r#""Status":"enabled","Filter":{}"#, Some("MalformedXML")),
            (r#""Status":"Enabled""#, Some("MalformedXML")),
            (r#""Status":"Enabled","Filter":{},"Prefix":"""#, Some("MalformedXML")),
            (
                r#""Status":"Enabled","Filter":{"Prefix":"a","ObjectSizeLessThan":5}"#,
                Some("MalformedXML"),
            ),
            (r#""Status":"Enabled","Filter":{"And":{"Prefix":"a"}}"#, Some("MalformedXML")),
            (r#""Status":"Enabled","Filter":{"And":{"Prefix":"a","ObjectSizeLessThan":5}}"#, None),
            (
                r#""Status":"Enabled","Filter":{"And":{"ObjectSizeGreaterThan":5,"ObjectSizeLessThan":5}}"#,
                Some("InvalidRequest"),
            ),
        ] {
            let json = format!(r#"{{"Rules":[{{{rule},"Expiration":{{"Days":1}}}}]}}"#);
            assert_eq!(check(&json).err().as_deref(), want, "{rule}");
        }
        let rule = r#"{"ID":"a","Status":"Enabled","Prefix":"","Expiration":{"Days":1}}"#;
        let twice = format!(r#"{{"Rules":[{rule},{rule}]}}"#);
        assert_eq!(check(&twice).unwrap_err(), "InvalidArgument");
        assert_eq!(check(r#"{"Rules":[]}"#).unwrap_err(), "MalformedXML");
        let none = r#"{"Rules":[{"Status":"Enabled","Prefix":""}]}"#;
        assert_eq!(check(none).unwrap_err(), "InvalidRequest");
    }
}
