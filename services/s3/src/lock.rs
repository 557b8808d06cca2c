//! Object Lock: versions that cannot be deleted before their time.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

use fogbank_core::value::Members;
use fogbank_core::{ApiError, Check, Cx, Op, Result, Time};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::error::{invalid_argument, invalid_request};
use crate::record::{BucketRecord, Hold, LockMode, ObjectRecord};

mod configuration;
mod object;

/// The operations of Object Lock.
pub(crate) const TABLES: [&[Op<S3>]; 2] = [configuration::OPS, object::OPS];

/// The members that lock a new object.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct LockInput {
    #[serde(rename = "ObjectLockMode")]
    mode: Option<String>,
    #[serde(rename = "ObjectLockRetainUntilDate")]
    until: Option<Time>,
    #[serde(rename = "ObjectLockLegalHoldStatus")]
    legal_hold: Option<String>,
    #[serde(rename = "ObjectLockEventHold")]
    event_hold: Option<String>,
}

/// The members that show the lock of an object.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LockOutput {
    #[serde(rename = "ObjectLockMode")]
    mode: Option<&'static str>,
    #[serde(rename = "ObjectLockRetainUntilDate")]
    until: Option<Time>,
    #[serde(rename = "ObjectLockLegalHoldStatus")]
    legal_hold: Option<&'static str>,
}

impl LockOutput {
    /// Adds the members that are there.
    pub fn put(self, all: &mut Members) {
        all.put("ObjectLockMode", self.mode);
        all.put("ObjectLockRetainUntilDate", self.until.map(|t| t.0));
        all.put("ObjectLockLegalHoldStatus", self.legal_hold);
    }
}

impl LockInput {
    /// Whether any member is given.
    pub fn is_given(&self) -> bool {
        self.mode.is_some() || self.until.is_some() || self.legal_hold.is_some()
    }

    /// The lock of a new version: what the request asks for, else the bucket's default.
    ///
    /// # Errors
    /// `InvalidRequest` for a bucket without Object Lock, `InvalidArgument` for what cannot be.
    pub fn resolve(&self, cx: &Cx, bucket: &BucketRecord) -> Result<Option<Hold>> {
        if self.event_hold.is_some() {
            return Err(cx.refuse_member("ObjectLockEventHold"));
        }
        if bucket.object_lock != Some(true) {
            return if self.is_given() { Err(not_configured()) } else { Ok(None) };
        }
        let retention = match (&self.mode, self.until) {
            (None, None) => by_default(cx, bucket),
            (Some(mode), Some(until)) => {
                let mode = LockMode::parse(mode).ok_or_else(|| {
                    invalid_argument("x-amz-object-lock-mode", mode, "Unknown wormMode directive.")
                })?;
                Some((mode, future(cx, until)?))
            }
            _ => {
                return Err(invalid_argument(
                    "x-amz-object-lock-mode",
                    self.mode.as_deref().unwrap_or_default(),
                    "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be \
                     supplied",
                ));
            }
        };
        let legal_hold = match self.legal_hold.as_deref() {
            None | Some("OFF") => false,
            Some("ON") => true,
            Some(other) => {
                return Err(invalid_argument(
                    "x-amz-object-lock-legal-hold",
                    other,
                    "Legal Hold must be either of 'ON' or 'OFF'",
                ));
            }
        };
        let given = self.legal_hold.is_some();
        Ok((retention.is_some() || given).then(|| Hold {
            mode: retention.map(|r| r.0),
            until: retention.map_or(0, |r| r.1.as_millisecond()),
            legal: given.then_some(legal_hold),
        }))
    }
}

impl From<Option<&Hold>> for LockOutput {
    fn from(hold: Option<&Hold>) -> Self {
        let Some(h) = hold else { return LockOutput::default() };
        LockOutput {
            mode: h.mode.map(LockMode::name),
            until: h.mode.and_then(|_| millis(h.until)),
            legal_hold: h.legal.map(on_off),
        }
    }
}

impl LockMode {
    fn parse(name: &str) -> Option<LockMode> {
        match name {
            "GOVERNANCE" => Some(LockMode::Governance),
            "COMPLIANCE" => Some(LockMode::Compliance),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            LockMode::Governance => "GOVERNANCE",
            LockMode::Compliance => "COMPLIANCE",
        }
    }
}

impl Hold {
    /// Whether the retention period still runs.
    fn retains(&self, now: Timestamp) -> Option<LockMode> {
        self.mode.filter(|_| self.until > now.as_millisecond())
    }
}

/// Whether a version may be deleted for good. `bypass`: the caller asked to bypass governance, and
/// may.
///
/// # Errors
/// `AccessDenied`.
pub(crate) fn check_delete(cx: &Cx, record: &ObjectRecord, bypass: bool) -> Result<()> {
    let Some(hold) = &record.lock else { return Ok(()) };
    let retained = match hold.retains(cx.now) {
        None => false,
        Some(LockMode::Governance) => !bypass,
        Some(LockMode::Compliance) => true,
    };
    if retained || hold.legal == Some(true) { Err(protected()) } else { Ok(()) }
}

/// Whether the caller, who asks to bypass governance, may: `Ok(true)`.
///
/// # Errors
/// `InvalidArgument` for a bucket without Object Lock, `AccessDenied`.
pub(crate) async fn bypass(
    cx: &Cx,
    bucket: &BucketRecord,
    key: &str,
    asked: Option<bool>,
) -> Result<bool> {
    check_bypass(bucket, asked)?;
    if asked != Some(true) {
        return Ok(false);
    }
    let resource = format!("arn:aws:s3:::{}/{key}", bucket.name);
    let mut check = Check::new("s3:BypassGovernanceRetention", resource);
    check.resource_account = Some(bucket.owner.clone());
    cx.authorize(check).await?;
    Ok(true)
}

/// A request may bypass only what there is.
///
/// # Errors
/// `InvalidArgument` for a bucket without Object Lock.
pub(crate) fn check_bypass(bucket: &BucketRecord, asked: Option<bool>) -> Result<()> {
    if asked != Some(true) || bucket.object_lock == Some(true) {
        return Ok(());
    }
    Err(invalid_argument(
        "x-amz-bypass-governance-retention",
        "true",
        "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.",
    ))
}

/// What the bucket's rule gives a new version.
fn by_default(cx: &Cx, bucket: &BucketRecord) -> Option<(LockMode, Timestamp)> {
    let rule = bucket.lock_rule.as_ref()?;
    let days = i64::from(rule.days.unwrap_or(0)) + 365 * i64::from(rule.years.unwrap_or(0));
    let until = cx.now.checked_add(SignedDuration::from_hours(24 * days)).ok()?;
    Some((rule.mode, until))
}

fn future(cx: &Cx, until: Time) -> Result<Timestamp> {
    if until.0 > cx.now {
        return Ok(until.0);
    }
    Err(invalid_argument(
        "x-amz-object-lock-retain-until-date",
        &until.0.to_string(),
        "The retain until date must be in the future!",
    ))
}

fn protected() -> ApiError {
    ApiError::new("AccessDenied", "Access Denied because object protected by object lock.")
        .status(403)
}

fn not_configured() -> ApiError {
    invalid_request("Bucket is missing Object Lock Configuration")
}

fn on_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

fn millis(n: i64) -> Option<Time> {
    Timestamp::from_millisecond(n).ok().map(Time)
}
