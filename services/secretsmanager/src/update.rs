//! UpdateSecret: the description, the KMS key, the value.

use fogbank_core::{Blob, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::cipher;
use crate::error::deleted;
use crate::find::refuse;
use crate::record::{CURRENT, PENDING, PREVIOUS, Secret, VALUES};
use crate::{Manager, authz, value};

pub const OPS: &[Op<Manager>] = ops![
    UpdateSecret => update_secret [authz::on_secret],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateInput {
    secret_id: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_binary: Option<Blob>,
    secret_string: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    version_id: Option<String>,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecret.html>
async fn update_secret(sm: &Manager, cx: &Cx, input: UpdateInput) -> Result<UpdateOutput> {
    refuse(cx, &[("Type", input.kind.is_some())])?;
    let plain = value::plain(input.secret_string, input.secret_binary)?;
    let found = sm.asked(cx, &input.secret_id).await?;
    if found.deleted.is_some() {
        return Err(deleted());
    }
    let mut secret = (*found).clone();
    if let Some(key) = input.kms_key_id {
        secret.kms_key = Some(key).filter(|k| !k.is_empty() && k != "alias/aws/secretsmanager");
    }
    let key_changes = secret.kms_key != found.kms_key;
    let mut version_id = None;
    if let Some(plain) = plain {
        let token = input.client_request_token.unwrap_or_else(|| cx.ids().uuid());
        sm.put(cx, &secret, &token, &plain, &[CURRENT.to_owned()]).await?;
        version_id = Some(token);
    } else if key_changes {
        sm.encrypt_anew(cx, &secret).await?;
    }
    if key_changes || input.description.is_some() {
        sm.edit_at(&found, |now, _| {
            if now.deleted.is_some() {
                return Err(deleted());
            }
            now.kms_key.clone_from(&secret.kms_key);
            if let Some(text) = input.description {
                now.description = Some(text).filter(|d| !d.is_empty());
            }
            now.changed = cx.now.as_microsecond();
            Ok(())
        })
        .await?;
    }
    Ok(UpdateOutput { arn: found.arn(), name: found.place.name.clone(), version_id })
}

impl Manager {
    /// Puts the versions that are in use under the secret's KMS key, which has changed.
    async fn encrypt_anew(&self, cx: &Cx, secret: &Secret) -> Result<()> {
        for stage in [CURRENT, PENDING, PREVIOUS] {
            let Some(version) = secret.at_stage(stage).filter(|v| v.has_value) else { continue };
            let at = secret.place.version(&version.id);
            let Some(sealed) = self.store.get(&VALUES, &at).await? else { continue };
            let plain = cipher::open(cx, &secret.arn(), &version.id, &sealed).await?;
            let key = secret.kms_key();
            let anew = cipher::close(cx, &key, &secret.arn(), &version.id, &plain).await?;
            // A version's value never changes, so that there is nothing to lose here but the
            // secret itself.
            self.edit_at(secret, |now, tx| {
                if now.version(&version.id).is_some() {
                    tx.put(&VALUES, &at, &anew);
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}
