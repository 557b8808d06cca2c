//! Rotation as it is asked for: the function, the rules, the plan.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets.html>

use fogbank_core::{Check, Cx, Op, Result, Value, ops};
use fogbank_cron::{Schedule, Unit};
use fogbank_store::Tx;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::error::{deleted, invalid_parameter, invalid_request};
use crate::find::refuse;
use crate::job::{JOBS, Job, Task};
use crate::record::{CURRENT, PENDING, Rotation, Rules, Secret, moment};
use crate::{Manager, authz, rotate};

pub const OPS: &[Op<Manager>] = ops![
    RotateSecret => rotate_secret [authz::on_secret],
    CancelRotateSecret => cancel_rotate_secret [authz::on_secret],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RotateInput {
    secret_id: String,
    client_request_token: Option<String>,
    #[serde(rename = "RotationLambdaARN")]
    rotation_lambda: Option<String>,
    rotation_rules: Option<Rules>,
    rotate_immediately: Option<bool>,
    #[serde(default)]
    external_secret_rotation_metadata: Vec<Value>,
    external_secret_rotation_role_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RotateOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    version_id: Option<String>,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html>
async fn rotate_secret(sm: &Manager, cx: &Cx, input: RotateInput) -> Result<RotateOutput> {
    refuse(
        cx,
        &[
            ("ExternalSecretRotationMetadata", !input.external_secret_rotation_metadata.is_empty()),
            ("ExternalSecretRotationRoleArn", input.external_secret_rotation_role_arn.is_some()),
        ],
    )?;
    if let Some(rules) = &input.rotation_rules {
        check(rules)?;
    }
    let found = sm.asked(cx, &input.secret_id).await?;
    if found.deleted.is_some() {
        return Err(deleted());
    }
    let before = found.rotation.as_ref();
    let lambda = input.rotation_lambda.or_else(|| before.and_then(|r| r.lambda.clone()));
    let lambda = lambda.ok_or_else(|| {
        invalid_request("No Lambda rotation function ARN is associated with this secret.")
    })?;
    cx.authorize(Check::new("lambda:InvokeFunction", lambda.clone())).await?;
    rotate::try_function(&cx.cloud, &found, &lambda).await?;
    let token = input.client_request_token.unwrap_or_else(|| cx.ids().uuid());
    let now_at_once = input.rotate_immediately.unwrap_or(true);
    if let Some(pending) = incomplete(&found).filter(|p| now_at_once && *p != token) {
        let pending = pending.to_owned();
        sm.edit_at(&found, |secret, tx| {
            first_step(tx, secret, &pending, cx.now);
            Ok(())
        })
        .await?;
        sm.wake();
        return Err(unfinished());
    }
    let answer = sm
        .edit_at(&found, |secret, tx| {
            if secret.deleted.is_some() {
                return Err(deleted());
            }
            unschedule(tx, secret);
            let before = secret.rotation.take();
            let last = before.as_ref().and_then(|r| r.last);
            let begun = before.as_ref().and_then(|r| r.begun);
            let rules = input.rotation_rules.or(before.map(|r| r.rules)).unwrap_or_default();
            secret.rotation = Some(Rotation {
                enabled: true,
                lambda: Some(lambda),
                rules,
                last,
                next: None,
                begun,
            });
            schedule(tx, secret, cx.now);
            let mut version_id = None;
            if now_at_once {
                begin(tx, secret, &token, cx.now)?;
                version_id = Some(token);
            }
            Ok(RotateOutput { arn: secret.arn(), name: secret.place.name.clone(), version_id })
        })
        .await?;
    sm.wake();
    Ok(answer)
}

/// Announces a new version and plans the first step.
pub fn begin(tx: &mut Tx, secret: &mut Secret, token: &str, now: Timestamp) -> Result<()> {
    let current = secret.at_stage(CURRENT).map(|v| v.id.clone());
    if incomplete(secret).is_some_and(|p| p != token) {
        return Err(unfinished());
    }
    if current.as_deref() == Some(token) {
        return Ok(());
    }
    if secret.version(token).is_none() {
        secret.versions.push(crate::record::Version {
            id: token.to_owned(),
            stages: Vec::new(),
            created: now.as_microsecond(),
            has_value: false,
            accessed: None,
        });
    }
    secret.label(token, &[PENDING.to_owned()]);
    first_step(tx, secret, token, now);
    Ok(())
}

fn first_step(tx: &mut Tx, secret: &mut Secret, version: &str, now: Timestamp) {
    let Some(rotation) = &mut secret.rotation else { return };
    let begun = rotation.begun.unwrap_or(0).wrapping_add(1);
    rotation.begun = Some(begun);
    let step = Job::of(secret, Task::Step(version.to_owned(), 0, 0, begun));
    JOBS.put(tx, now, &Job::step_id(secret, version), &step);
}

/// The version of a rotation that has begun and not ended.
pub fn incomplete(secret: &Secret) -> Option<&str> {
    let pending = secret.at_stage(PENDING)?;
    (!pending.stages.iter().any(|s| s == CURRENT)).then_some(pending.id.as_str())
}

fn unfinished() -> fogbank_core::ApiError {
    invalid_request("A previous rotation isn't complete. That rotation will be reattempted.")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CancelInput {
    secret_id: String,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CancelRotateSecret.html>
async fn cancel_rotate_secret(sm: &Manager, cx: &Cx, input: CancelInput) -> Result<RotateOutput> {
    sm.edit(cx, &input.secret_id, |secret, tx| {
        if secret.deleted.is_some() {
            return Err(deleted());
        }
        unschedule(tx, secret);
        let rotation = secret.rotation.as_mut().filter(|r| r.enabled);
        let rotation = rotation.ok_or_else(|| {
            invalid_request("You can't cancel rotation of a secret that does not rotate.")
        })?;
        rotation.enabled = false;
        rotation.next = None;
        let version_id = secret.at_stage(PENDING).map(|v| v.id.clone());
        Ok(RotateOutput { arn: secret.arn(), name: secret.place.name.clone(), version_id })
    })
    .await
}

/// Plans the next rotation by the rules.
pub fn schedule(tx: &mut Tx, secret: &mut Secret, now: Timestamp) {
    let Some(rotation) = secret.rotation.as_mut().filter(|r| r.enabled) else { return };
    let Some(next) = rotation.rules.next(now) else { return };
    let due = next.as_microsecond();
    rotation.next = Some(due);
    let job = Job::of(secret, Task::Rotate(due));
    JOBS.put(tx, next, &Job::rotate_id(secret), &job);
}

/// Takes the plan back.
pub fn unschedule(tx: &mut Tx, secret: &Secret) {
    if let Some(due) = secret.rotation.as_ref().and_then(|r| r.next) {
        JOBS.cancel(tx, moment(due), &Job::rotate_id(secret));
    }
}

impl Rules {
    /// The first time after `now`.
    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if let Some(text) = &self.schedule_expression {
            return Schedule::parse(text).ok()?.next(now, now, &TimeZone::UTC);
        }
        let days = self.automatically_after_days?;
        now.checked_add(jiff::SignedDuration::from_hours(24 * days)).ok()
    }
}

/// Takes rules as a secret's.
fn check(rules: &Rules) -> Result<()> {
    if rules.automatically_after_days.is_some() && rules.schedule_expression.is_some() {
        return Err(invalid_parameter(
            "You can't specify both AutomaticallyAfterDays and ScheduleExpression.",
        ));
    }
    if let Some(text) = &rules.duration {
        let hours = text.strip_suffix('h').and_then(|h| h.parse().ok());
        if !hours.is_some_and(|h: u32| (1..=24).contains(&h)) {
            return Err(invalid_parameter("Duration must be between 1h and 24h."));
        }
    }
    let Some(text) = &rules.schedule_expression else { return Ok(()) };
    let bad = |why: &str| Err(invalid_parameter(format!("Invalid ScheduleExpression: {why}.")));
    match Schedule::parse(text) {
        Ok(Schedule::Rate(rate)) => match (rate.unit, rate.value) {
            (Unit::Hour, 4..=23976) | (Unit::Day, 1..=999) => Ok(()),
            _ => bad("a secret rotates every four hours at most, and every 999 days at least"),
        },
        Ok(Schedule::Cron(cron)) if cron.minutes_are(&[0]) => Ok(()),
        Ok(Schedule::Cron(_)) => bad("the minutes of a rotation's cron expression are 0"),
        Ok(Schedule::At(_)) => bad("a rotation has a rate or a cron expression"),
        Err(e) => bad(&e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_held_to_their_limits() {
        let rules = |days, schedule: Option<&str>, duration: Option<&str>| Rules {
            automatically_after_days: days,
            schedule_expression: schedule.map(Into::into),
            duration: duration.map(Into::into),
        };
        for good in [
            rules(Some(30), None, None),
            rules(None, Some("rate(4 hours)"), Some("3h")),
            rules(None, Some("cron(0 8 1 * ? *)"), None),
        ] {
            assert_eq!(check(&good), Ok(()));
        }
        for bad in [
            rules(Some(1), Some("rate(1 day)"), None),
            rules(None, Some("rate(3 hours)"), None),
            rules(None, Some("rate(30 minutes)"), None),
            rules(None, Some("cron(5 8 1 * ? *)"), None),
            rules(None, Some("at(2026-01-01T00:00:00)"), None),
            rules(Some(1), None, Some("25h")),
        ] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
    }
}
