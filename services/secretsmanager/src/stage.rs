//! Staging labels: which version is current, pending, previous.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html#term_version>

use fogbank_core::{Cx, Op, Result, Time, ops};
use fogbank_store::Tx;
use serde::{Deserialize, Serialize};

use crate::error::{deleted, invalid_parameter, not_found};
use crate::record::{CURRENT, PREVIOUS, Secret, VALUES, Version, time};
use crate::{Manager, authz, page};

pub const OPS: &[Op<Manager>] = ops![
    UpdateSecretVersionStage => update_secret_version_stage [authz::on_secret],
    ListSecretVersionIds => list_secret_version_ids [authz::on_secret],
];

/// As many labels as a version may have.
const LABELS: usize = 20;
/// As many versions as a secret keeps.
const VERSIONS: usize = 100;
const DAY: i64 = 24 * 3600 * 1_000_000;

impl Secret {
    /// Gives `stages` to the version `id`, and takes them from whichever had them. Who loses
    /// AWSCURRENT becomes AWSPREVIOUS.
    pub fn label(&mut self, id: &str, stages: &[String]) {
        for stage in stages {
            let before = self.at_stage(stage).map(|v| v.id.clone());
            if before.as_deref() == Some(id) {
                continue;
            }
            self.unlabel(stage);
            self.attach(id, stage);
            if stage == CURRENT {
                // Whoever is current is not previous.
                if let Some(v) = self.versions.iter_mut().find(|v| v.id == id) {
                    v.stages.retain(|s| s != PREVIOUS);
                }
                if let Some(before) = before {
                    self.unlabel(PREVIOUS);
                    self.attach(&before, PREVIOUS);
                }
            }
        }
    }

    /// Takes a label from whichever version has it.
    pub fn unlabel(&mut self, stage: &str) {
        for v in &mut self.versions {
            v.stages.retain(|s| s != stage);
        }
    }

    fn attach(&mut self, id: &str, stage: &str) {
        if let Some(v) = self.versions.iter_mut().find(|v| v.id == id) {
            v.stages.push(stage.to_owned());
        }
    }

    /// Forgets versions without labels, when there are many and they are older than a day.
    pub fn prune(&mut self, tx: &mut Tx, now: i64) {
        while self.versions.len() > VERSIONS {
            let old = |v: &Version| v.stages.is_empty() && v.created < now - DAY;
            let Some(at) = self.versions.iter().position(old) else { return };
            let gone = self.versions.remove(at);
            tx.delete(&VALUES, &self.place.version(&gone.id));
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateInput {
    secret_id: String,
    version_stage: String,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NameOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html>
async fn update_secret_version_stage(
    sm: &Manager,
    cx: &Cx,
    input: UpdateInput,
) -> Result<NameOutput> {
    let (stage, from, to) =
        (&input.version_stage, &input.remove_from_version_id, &input.move_to_version_id);
    sm.edit(cx, &input.secret_id, |secret, _| {
        if secret.deleted.is_some() {
            return Err(deleted());
        }
        if from.is_none() && to.is_none() {
            return Err(invalid_parameter(
                "You must specify RemoveFromVersionId, MoveToVersionId, or both.",
            ));
        }
        for id in [from, to].into_iter().flatten() {
            if secret.version(id).is_none() {
                return Err(not_found(format!(
                    "Secrets Manager can't find the specified secret version: {id}"
                )));
            }
        }
        let holder = secret.at_stage(stage).map(|v| v.id.clone());
        match (&holder, from) {
            (Some(h), None) if Some(h) != to.as_ref() => {
                return Err(invalid_parameter(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is \
                     currently attached to version {h}, so you must explicitly reference that \
                     version in RemoveFromVersionId."
                )));
            }
            (Some(h), Some(f)) if h != f => {
                return Err(invalid_parameter(format!(
                    "The parameter RemoveFromVersionId is incorrect. Staging label {stage} is \
                     currently attached to version {h}, not version {f}."
                )));
            }
            (None, Some(f)) => {
                return Err(invalid_parameter(format!(
                    "Staging label {stage} is not attached to version {f}."
                )));
            }
            _ => {}
        }
        match to {
            Some(id) => {
                let labels = secret.version(id).map_or(0, |v| v.stages.len());
                if labels >= LABELS {
                    return Err(limit());
                }
                secret.label(id, std::slice::from_ref(stage));
            }
            None if stage == CURRENT => {
                return Err(invalid_parameter(
                    "You can only move staging label AWSCURRENT to a different secret version. \
                     It can\u{2019}t be completely removed.",
                ));
            }
            None => secret.unlabel(stage),
        }
        secret.changed = cx.now.as_microsecond();
        Ok(NameOutput { arn: secret.arn(), name: secret.place.name.clone() })
    })
    .await
}

pub fn limit() -> fogbank_core::ApiError {
    fogbank_core::ApiError::new(
        "LimitExceededException",
        format!("A version can have {LABELS} staging labels at most."),
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    secret_id: String,
    max_results: Option<i64>,
    next_token: Option<String>,
    #[serde(default)]
    include_deprecated: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    version_id: String,
    version_stages: Option<Vec<String>>,
    last_accessed_date: Option<Time>,
    created_date: Time,
    kms_key_ids: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    versions: Vec<Listed>,
    next_token: Option<String>,
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html>
async fn list_secret_version_ids(sm: &Manager, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let secret = sm.asked(cx, &input.secret_id).await?;
    let shown: Vec<Version> = secret
        .versions
        .iter()
        .filter(|v| input.include_deprecated || !v.stages.is_empty())
        .cloned()
        .collect();
    let (shown, next_token) = page::cut(shown, input.max_results, input.next_token.as_deref())?;
    let mut versions = Vec::new();
    for v in shown {
        let sealed = sm.store.get(&VALUES, &secret.place.version(&v.id)).await?;
        let managed = secret.kms_key.is_none();
        let key = sealed.map(|s| if managed { "DefaultEncryptionKey".into() } else { s.kms_key });
        versions.push(Listed {
            version_id: v.id,
            version_stages: Some(v.stages).filter(|s| !s.is_empty()),
            last_accessed_date: v.accessed.map(time),
            created_date: time(v.created),
            kms_key_ids: key.map(|k| vec![k]),
        });
    }
    Ok(ListOutput { versions, next_token, arn: secret.arn(), name: secret.place.name.clone() })
}
