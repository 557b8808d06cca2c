//! Secrets: made, described, deleted, restored.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/managing-secrets.html>

use std::collections::BTreeMap;

use fogbank_core::{Blob, Cx, Op, Result, Time, ops};
use fogbank_store::{Lock, Tx};
use serde::{Deserialize, Serialize};

use crate::cipher::{self, Plain};
use crate::error::{deleted, exists, invalid_parameter, invalid_request, no_secret};
use crate::find::refuse;
use crate::job::{JOBS, Job};
use crate::record::{
    BY_AGE, CURRENT, Place, Rules, SECRETS, Secret, Tag, VALUES, Version, moment, time,
};
use crate::{Manager, authz, rotation, tag, value};

pub const OPS: &[Op<Manager>] = ops![
    CreateSecret => create_secret [authz::create_secret],
    DescribeSecret => describe_secret [authz::on_secret],
    DeleteSecret => delete_secret [authz::on_secret],
    RestoreSecret => restore_secret [authz::on_secret],
];

const DAY: i64 = 24 * 3600 * 1_000_000;
/// The recovery window when none is asked for, in days.
const WINDOW: i64 = 30;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_binary: Option<Blob>,
    secret_string: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    add_replica_regions: Vec<fogbank_core::Value>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(rename = "CrossAccountPrimaryARN")]
    cross_account_primary: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    version_id: Option<String>,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>
async fn create_secret(sm: &Manager, cx: &Cx, input: CreateInput) -> Result<CreateOutput> {
    refuse(
        cx,
        &[
            ("AddReplicaRegions", !input.add_replica_regions.is_empty()),
            ("Type", input.kind.is_some()),
            ("CrossAccountPrimaryARN", input.cross_account_primary.is_some()),
        ],
    )?;
    check_name(&input.name)?;
    tag::check(&input.tags)?;
    let plain = value::plain(input.secret_string, input.secret_binary)?;
    let place =
        Place { account: cx.account.clone(), region: cx.region.to_string(), name: input.name };
    let token = input.client_request_token.unwrap_or_else(|| cx.ids().uuid());
    // The value is encrypted before the name is locked, for a secret that may be there already.
    if let Some(found) = sm.store.get(&SECRETS, &place.key()).await? {
        return again(sm, cx, &found, &token, plain.as_ref()).await;
    }
    let now = cx.now.as_microsecond();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut secret = Secret {
        place,
        suffix: cx.ids().pick(alphabet, 6),
        description: input.description.filter(|d| !d.is_empty()),
        kms_key: input.kms_key_id.filter(|k| k != "alias/aws/secretsmanager"),
        created: now,
        changed: now,
        accessed: None,
        deleted: None,
        tags: input.tags,
        policy: None,
        versions: Vec::new(),
        rotation: None,
        owner: None,
    };
    let sealed = match &plain {
        Some(p) => Some(cipher::close(cx, &secret.kms_key(), &secret.arn(), &token, p).await?),
        None => None,
    };
    let at = secret.place.key();
    let mut tx = sm.store.lock(&[Lock::exclusive(&SECRETS, &at)]).await;
    if tx.get(&SECRETS, &at).await?.is_some() {
        return Err(already(&secret.place.name));
    }
    if let Some(sealed) = &sealed {
        secret.versions.push(Version {
            id: token.clone(),
            stages: vec![CURRENT.to_owned()],
            created: now,
            has_value: true,
            accessed: None,
        });
        tx.put(&VALUES, &secret.place.version(&token), sealed);
    }
    tx.put(&BY_AGE, &secret.place.by_age(now), &());
    tx.put(&SECRETS, &at, &secret);
    tx.commit().await?;
    let version_id = sealed.is_some().then_some(token);
    Ok(CreateOutput { arn: secret.arn(), name: secret.place.name, version_id })
}

/// The answer to a request for a secret that is there: the first time's, if it is the same request.
async fn again(
    sm: &Manager,
    cx: &Cx,
    found: &Secret,
    token: &str,
    plain: Option<&Plain>,
) -> Result<CreateOutput> {
    if found.deleted.is_some() {
        return Err(invalid_request(
            "You can't create this secret because a secret with this name is already scheduled \
             for deletion.",
        ));
    }
    let same = match (plain, found.version(token)) {
        (Some(p), Some(v)) if v.has_value => value::is(sm, cx, found, token, p).await?,
        _ => false,
    };
    if !same {
        return Err(already(&found.place.name));
    }
    let version_id = Some(token.to_owned());
    Ok(CreateOutput { arn: found.arn(), name: found.place.name.clone(), version_id })
}

fn already(name: &str) -> fogbank_core::ApiError {
    exists(format!("The operation failed because the secret {name} already exists."))
}

fn check_name(name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if name.chars().all(fits) {
        return Ok(());
    }
    Err(crate::error::validation(
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
         following: -/_+=.@!",
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IdInput {
    secret_id: String,
}

/// A secret as DescribeSecret and ListSecrets show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    description: Option<String>,
    kms_key_id: Option<String>,
    rotation_enabled: Option<bool>,
    #[serde(rename = "RotationLambdaARN")]
    rotation_lambda: Option<String>,
    rotation_rules: Option<Rules>,
    last_rotated_date: Option<Time>,
    last_changed_date: Time,
    last_accessed_date: Option<Time>,
    deleted_date: Option<Time>,
    next_rotation_date: Option<Time>,
    tags: Option<Vec<Tag>>,
    version_ids_to_stages: Option<BTreeMap<String, Vec<String>>>,
    secret_versions_to_stages: Option<BTreeMap<String, Vec<String>>>,
    owning_service: Option<String>,
    created_date: Time,
}

impl Described {
    fn of(secret: &Secret) -> Self {
        let rotation = secret.rotation.as_ref();
        let stages = secret.versions.iter().filter(|v| !v.stages.is_empty());
        let stages: BTreeMap<_, _> = stages.map(|v| (v.id.clone(), v.stages.clone())).collect();
        Described {
            arn: secret.arn(),
            name: secret.place.name.clone(),
            description: secret.description.clone(),
            kms_key_id: secret.kms_key.clone(),
            rotation_enabled: rotation.map(|r| r.enabled),
            rotation_lambda: rotation.and_then(|r| r.lambda.clone()),
            rotation_rules: rotation.map(|r| r.rules.clone()),
            last_rotated_date: rotation.and_then(|r| r.last).map(time),
            last_changed_date: time(secret.changed),
            last_accessed_date: secret.accessed.map(time),
            deleted_date: secret.deleted.map(|(asked, _)| time(asked)),
            next_rotation_date: rotation.and_then(|r| r.next).map(time),
            tags: Some(secret.tags.clone()).filter(|t| !t.is_empty()),
            version_ids_to_stages: Some(stages).filter(|s| !s.is_empty()),
            secret_versions_to_stages: None,
            owning_service: secret.owner.clone(),
            created_date: time(secret.created),
        }
    }

    /// As an item of a list.
    pub fn listed(secret: &Secret) -> Self {
        let mut d = Described::of(secret);
        d.secret_versions_to_stages = d.version_ids_to_stages.take();
        d
    }
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html>
async fn describe_secret(sm: &Manager, cx: &Cx, input: IdInput) -> Result<Described> {
    Ok(Described::of(&*sm.asked(cx, &input.secret_id).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteInput {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    #[serde(default)]
    force_delete_without_recovery: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    deletion_date: Time,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html>
async fn delete_secret(sm: &Manager, cx: &Cx, input: DeleteInput) -> Result<DeleteOutput> {
    let force = input.force_delete_without_recovery;
    if force && input.recovery_window_in_days.is_some() {
        return Err(invalid_parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    let days = input.recovery_window_in_days.unwrap_or(WINDOW);
    if !(7..=30).contains(&days) {
        return Err(invalid_parameter(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    let now = cx.now.as_microsecond();
    let found = match sm.asked(cx, &input.secret_id).await {
        Ok(found) => found,
        // Forcing asks for it to be gone, and it is.
        Err(e) if force && e.code() == "ResourceNotFoundException" => {
            let (place, whole) = Place::of(cx, &input.secret_id);
            let name = whole.map_or(place.name, |(p, _)| p.name);
            return Ok(DeleteOutput { arn: input.secret_id, name, deletion_date: time(now) });
        }
        Err(e) => return Err(e),
    };
    let due = if force { now } else { now + days * DAY };
    let deletion = |secret: &mut Secret, tx: &mut Tx| {
        if secret.deleted.is_some() && !force {
            return Err(invalid_request(
                "You can't perform this operation on the secret because it was already scheduled \
                 for deletion.",
            ));
        }
        if let Some((_, before)) = secret.deleted {
            JOBS.cancel(tx, moment(before), &Job::delete_id(secret));
        }
        rotation::unschedule(tx, secret);
        secret.deleted = Some((now, due));
        if !force {
            JOBS.put(tx, moment(due), &Job::delete_id(secret), &Job::delete(secret, due));
        }
        Ok(DeleteOutput {
            arn: secret.arn(),
            name: secret.place.name.clone(),
            deletion_date: time(due),
        })
    };
    if force {
        return sm.purge(&found, deletion).await;
    }
    let answer = sm.edit_at(&found, deletion).await?;
    sm.wake();
    Ok(answer)
}

impl Manager {
    /// Deletes a secret and all its versions for good, if `agree` says so.
    pub(crate) async fn purge<T>(
        &self,
        found: &Secret,
        agree: impl FnOnce(&mut Secret, &mut Tx) -> Result<T>,
    ) -> Result<T> {
        let at = found.place.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&SECRETS, &at)]).await;
        let secret = tx.get(&SECRETS, &at).await?;
        let mut secret = secret.filter(|s| s.suffix == found.suffix).ok_or_else(no_secret)?;
        let answer = agree(&mut secret, &mut tx)?;
        for version in &secret.versions {
            tx.delete(&VALUES, &secret.place.version(&version.id));
        }
        tx.delete(&BY_AGE, &secret.place.by_age(secret.created));
        tx.delete(&SECRETS, &at);
        tx.commit().await?;
        Ok(answer)
    }

    /// Deletes what is due at `due`.
    pub(crate) async fn expire(&self, place: &Place, suffix: &str, due: i64) -> Result<()> {
        let Some(found) = self.store.get(&SECRETS, &place.key()).await? else { return Ok(()) };
        if found.suffix != suffix {
            return Ok(());
        }
        let agree = |s: &mut Secret, _: &mut Tx| match s.deleted {
            Some((_, at)) if at == due => Ok(()),
            _ => Err(deleted()),
        };
        match self.purge(&found, agree).await {
            // It was restored, or is to go at another time.
            Err(e) if e.code() != "InternalFailure" => Ok(()),
            other => other,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NameOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RestoreSecret.html>
async fn restore_secret(sm: &Manager, cx: &Cx, input: IdInput) -> Result<NameOutput> {
    let answer = sm
        .edit(cx, &input.secret_id, |secret, tx| {
            if let Some((_, due)) = secret.deleted.take() {
                JOBS.cancel(tx, moment(due), &Job::delete_id(secret));
                rotation::schedule(tx, secret, cx.now);
            }
            Ok(NameOutput { arn: secret.arn(), name: secret.place.name.clone() })
        })
        .await?;
    sm.wake();
    Ok(answer)
}
