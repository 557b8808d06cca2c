//! Values: put and got, by version and by stage.

use fogbank_core::{Blob, Cx, Op, Result, Time, Value, ops};
use fogbank_store::Lock;
use serde::{Deserialize, Serialize};

use crate::cipher::{self, Plain};
use crate::error::{
    deleted, exists, invalid_parameter, invalid_request, no_secret, not_found, validation,
};
use crate::record::{CURRENT, SECRETS, Sealed, Secret, VALUES, Version, time};
use crate::stage::limit;
use crate::{Manager, authz, list};

pub const OPS: &[Op<Manager>] = ops![
    PutSecretValue => put_secret_value [authz::on_secret],
    GetSecretValue => get_secret_value [authz::on_secret],
    BatchGetSecretValue => batch_get_secret_value,
];

/// In bytes.
const LONGEST: usize = 65536;
const DAY: i64 = 24 * 3600 * 1_000_000;

/// The value of a request: a text, or bytes, or none.
pub fn plain(text: Option<String>, binary: Option<Blob>) -> Result<Option<Plain>> {
    let plain = match (text, binary) {
        (Some(_), Some(_)) => {
            return Err(invalid_parameter(
                "You can't specify both a binary secret value and a string secret value in the \
                 same secret.",
            ));
        }
        (Some(t), None) => Plain { bytes: t.into_bytes(), binary: false },
        (None, Some(b)) => Plain { bytes: b.0.to_vec(), binary: true },
        (None, None) => return Ok(None),
    };
    if plain.bytes.len() > LONGEST {
        let member = if plain.binary { "secretBinary" } else { "secretString" };
        return Err(validation(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: \
             Member must have length less than or equal to {LONGEST}"
        )));
    }
    if plain.bytes.is_empty() && plain.binary {
        return Err(invalid_parameter("You can't create a version with an empty binary value."));
    }
    Ok(Some(plain))
}

/// Whether a version holds this value already.
pub async fn is(sm: &Manager, cx: &Cx, secret: &Secret, id: &str, plain: &Plain) -> Result<bool> {
    let Some(sealed) = sm.store.get(&VALUES, &secret.place.version(id)).await? else {
        return Ok(false);
    };
    Ok(cipher::open(cx, &secret.arn(), id, &sealed).await? == *plain)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutInput {
    secret_id: String,
    client_request_token: Option<String>,
    secret_binary: Option<Blob>,
    secret_string: Option<String>,
    version_stages: Option<Vec<String>>,
    rotation_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    version_id: String,
    version_stages: Vec<String>,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html>
async fn put_secret_value(sm: &Manager, cx: &Cx, input: PutInput) -> Result<PutOutput> {
    if input.rotation_token.is_some() {
        // It tells a rotation function that assumes another account's role from others.
        cx.ignore_member("RotationToken");
    }
    let plain = plain(input.secret_string, input.secret_binary)?
        .ok_or_else(|| invalid_request("You must provide either SecretString or SecretBinary."))?;
    let stages = input.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
    let secret = sm.asked(cx, &input.secret_id).await?;
    let token = input.client_request_token.unwrap_or_else(|| cx.ids().uuid());
    let stages = sm.put(cx, &secret, &token, &plain, &stages).await?;
    Ok(PutOutput {
        arn: secret.arn(),
        name: secret.place.name.clone(),
        version_id: token,
        version_stages: stages,
    })
}

impl Manager {
    /// Gives a secret a version with this value and these labels; returns the version's labels.
    pub(crate) async fn put(
        &self,
        cx: &Cx,
        secret: &Secret,
        token: &str,
        plain: &Plain,
        stages: &[String],
    ) -> Result<Vec<String>> {
        if secret.deleted.is_some() {
            return Err(deleted());
        }
        if secret.version(token).is_some_and(|v| v.has_value) {
            return self.again(cx, secret, token, plain, stages).await;
        }
        let sealed = cipher::close(cx, &secret.kms_key(), &secret.arn(), token, plain).await?;
        self.add(cx, secret, token, &sealed, stages).await
    }

    async fn add(
        &self,
        cx: &Cx,
        secret: &Secret,
        token: &str,
        sealed: &Sealed,
        stages: &[String],
    ) -> Result<Vec<String>> {
        let now = cx.now.as_microsecond();
        self.edit_at(secret, |secret, tx| {
            if secret.deleted.is_some() {
                return Err(deleted());
            }
            match secret.versions.iter_mut().find(|v| v.id == token) {
                Some(v) if v.has_value => return Err(taken()),
                Some(v) => v.has_value = true,
                None => secret.versions.push(Version {
                    id: token.to_owned(),
                    stages: Vec::new(),
                    created: now,
                    has_value: true,
                    accessed: None,
                }),
            }
            let mut stages = stages.to_vec();
            // The first version of a secret is current, whatever else it is.
            if secret.at_stage(CURRENT).is_none() && !stages.iter().any(|s| s == CURRENT) {
                stages.push(CURRENT.to_owned());
            }
            secret.label(token, &stages);
            secret.changed = now;
            secret.prune(tx, now);
            tx.put(&VALUES, &secret.place.version(token), sealed);
            let labels = secret.version(token).map(|v| v.stages.clone()).unwrap_or_default();
            if labels.len() > 20 { Err(limit()) } else { Ok(labels) }
        })
        .await
    }

    /// The same version again: nothing changes if it has the same value and the same labels.
    async fn again(
        &self,
        cx: &Cx,
        secret: &Secret,
        token: &str,
        plain: &Plain,
        stages: &[String],
    ) -> Result<Vec<String>> {
        if !is(self, cx, secret, token, plain).await? {
            return Err(taken());
        }
        let has = secret.version(token).map(|v| v.stages.clone()).unwrap_or_default();
        if stages.iter().all(|s| has.contains(s)) {
            return Ok(has);
        }
        self.edit_at(secret, |secret, _| {
            secret.label(token, stages);
            secret.changed = cx.now.as_microsecond();
            Ok(secret.version(token).map(|v| v.stages.clone()).unwrap_or_default())
        })
        .await
    }
}

pub fn taken() -> fogbank_core::ApiError {
    exists("You can't modify an existing version, you can only create new version.")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetInput {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ValueOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    version_id: String,
    secret_binary: Option<Blob>,
    secret_string: Option<String>,
    version_stages: Vec<String>,
    created_date: Time,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>
async fn get_secret_value(sm: &Manager, cx: &Cx, input: GetInput) -> Result<ValueOutput> {
    let secret = sm.asked(cx, &input.secret_id).await?;
    sm.value(cx, &secret, input.version_id.as_deref(), input.version_stage.as_deref()).await
}

impl Manager {
    async fn value(
        &self,
        cx: &Cx,
        secret: &Secret,
        id: Option<&str>,
        stage: Option<&str>,
    ) -> Result<ValueOutput> {
        if secret.deleted.is_some() {
            return Err(deleted());
        }
        let none = |what: String| {
            not_found(format!("Secrets Manager can't find the specified secret value for {what}"))
        };
        let version = match (id, stage) {
            (Some(id), stage) => {
                let found = secret.version(id).ok_or_else(|| none(format!("VersionId: {id}")))?;
                if stage.is_some_and(|s| !found.stages.iter().any(|x| x == s)) {
                    return Err(invalid_request(
                        "You provided a VersionStage that is not associated to the provided \
                         VersionId.",
                    ));
                }
                found
            }
            (None, stage) => {
                let stage = stage.unwrap_or(CURRENT);
                secret.at_stage(stage).ok_or_else(|| none(format!("staging label: {stage}")))?
            }
        };
        let sealed = self.store.get(&VALUES, &secret.place.version(&version.id)).await?;
        let sealed = sealed.ok_or_else(|| match stage {
            Some(s) if id.is_none() => none(format!("staging label: {s}")),
            _ => none(format!("VersionId: {}", version.id)),
        })?;
        let plain = cipher::open(cx, &secret.arn(), &version.id, &sealed).await?;
        self.touch(cx, secret, version).await?;
        let (binary, text) = if plain.binary {
            (Some(Blob(plain.bytes.into())), None)
        } else {
            (None, Some(String::from_utf8_lossy(&plain.bytes).into_owned()))
        };
        Ok(ValueOutput {
            arn: secret.arn(),
            name: secret.place.name.clone(),
            version_id: version.id.clone(),
            secret_binary: binary,
            secret_string: text,
            version_stages: version.stages.clone(),
            created_date: time(version.created),
        })
    }

    /// Notes the day of an access: one write for each secret and day.
    async fn touch(&self, cx: &Cx, secret: &Secret, version: &Version) -> Result<()> {
        let today = cx.now.as_microsecond().div_euclid(DAY) * DAY;
        if secret.accessed == Some(today) && version.accessed == Some(today) {
            return Ok(());
        }
        let at = secret.place.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&SECRETS, &at)]).await;
        let Some(mut now) = tx.get(&SECRETS, &at).await? else { return Ok(()) };
        now.accessed = Some(today);
        if let Some(v) = now.versions.iter_mut().find(|v| v.id == version.id) {
            v.accessed = Some(today);
        }
        tx.put(&SECRETS, &at, &now);
        Ok(tx.commit().await?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchInput {
    secret_id_list: Option<Vec<String>>,
    filters: Option<Vec<list::Filter>>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchError {
    secret_id: String,
    error_code: String,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchOutput {
    secret_values: Vec<ValueOutput>,
    next_token: Option<String>,
    errors: Vec<BatchError>,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html>
async fn batch_get_secret_value(sm: &Manager, cx: &Cx, input: BatchInput) -> Result<BatchOutput> {
    let (ids, next_token) = match (input.secret_id_list, input.filters) {
        (Some(_), Some(_)) => {
            return Err(invalid_parameter(
                "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
            ));
        }
        (Some(_), None) if input.max_results.is_some() => {
            return Err(invalid_parameter(
                "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is \
                 provided.",
            ));
        }
        (Some(ids), None) => (ids, None),
        (None, filters) => {
            let filters = filters.filter(|f| !f.is_empty()).ok_or_else(|| {
                invalid_parameter("Either 'SecretIdList' or 'Filters' must be provided.")
            })?;
            let most = Some(input.max_results.unwrap_or(20).clamp(1, 20));
            let all = sm.matching(cx, &filters, false, &list::Order::default()).await?;
            let all = all.into_iter().map(|s| s.arn()).collect();
            crate::page::cut(all, most, input.next_token.as_deref())?
        }
    };
    let (mut secret_values, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        match one(sm, cx, &id).await {
            Ok(value) => secret_values.push(value),
            Err(e) => errors.push(BatchError {
                secret_id: id,
                error_code: e.code().to_owned(),
                message: e.message().to_owned(),
            }),
        }
    }
    Ok(BatchOutput { secret_values, next_token, errors })
}

/// One of a batch: it must be allowed as if it was asked for alone.
async fn one(sm: &Manager, cx: &Cx, id: &str) -> Result<ValueOutput> {
    let secret = sm.find(cx, id).await?.ok_or_else(no_secret)?;
    let check = authz::about("GetSecretValue", &secret, &Value::Null);
    cx.authorize(check.with("secretsmanager:VersionStage", CURRENT)).await?;
    sm.value(cx, &secret, None, None).await
}
