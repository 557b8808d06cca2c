//! The operations on grants.

use fogbank_core::{ApiError, Check, Cx, Op, Result, Time, ops};
use fogbank_store::{Key, Lock, Range};
use serde::{Deserialize, Serialize};

use super::{Constraints, GRANTS, Grant, OF_GRANTEE, RETIRABLE, check_principal, grantable};
use crate::error::{access_denied, dry_run, limit_exceeded, not_found, validation};
use crate::find::{Asked, By, last, usable};
use crate::page::Page;
use crate::record::{KEYS, Place, time};
use crate::{Kms, authz};

pub const OPS: &[Op<Kms>] = ops![
    CreateGrant => create_grant [authz::create_grant],
    ListGrants => list_grants [authz::on_key],
    ListRetirableGrants => list_retirable_grants,
    RevokeGrant => revoke_grant [authz::on_key],
    RetireGrant => retire_grant [authz::retire_grant],
];

/// As many grants as a key may have.
const MOST: usize = 50_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    key_id: String,
    grantee_principal: Option<String>,
    retiring_principal: Option<String>,
    operations: Vec<String>,
    constraints: Option<Constraints>,
    #[serde(default)]
    grant_tokens: Vec<String>,
    name: Option<String>,
    dry_run: Option<bool>,
    grantee_service_principal: Option<String>,
    retiring_service_principal: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateOutput {
    grant_token: String,
    grant_id: String,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>
async fn create_grant(kms: &Kms, cx: &Cx, input: CreateInput) -> Result<CreateOutput> {
    if input.grantee_service_principal.is_some() {
        return Err(cx.refuse_member("GranteeServicePrincipal"));
    }
    if input.retiring_service_principal.is_some() {
        return Err(cx.refuse_member("RetiringServicePrincipal"));
    }
    kms.check_tokens(&input.grant_tokens)?;
    let grantee = input
        .grantee_principal
        .ok_or_else(|| validation("You must specify a GranteePrincipal value for the grant."))?;
    check_principal(&grantee)?;
    input.retiring_principal.as_deref().map_or(Ok(()), check_principal)?;
    let found = kms.asked(cx, 0, &input.key_id, By::Id).await?;
    usable(&found.key)?;
    let mut operations = input.operations;
    operations.sort();
    operations.dedup();
    let (spec, usage) = (found.key.spec, found.key.usage);
    if let Some(bad) = operations.iter().find(|o| !grantable(o, spec, usage)) {
        return Err(validation(format!("Operation {bad} is not supported for this key.")));
    }
    within(kms, cx, &operations).await?;
    dry_run(input.dry_run)?;
    let place = found.key.place.clone();
    let mut grant = Grant {
        id: cx.ids().hex(64),
        place: place.clone(),
        name: input.name,
        created: cx.now.as_microsecond(),
        grantee,
        retiring: input.retiring_principal,
        issuer: cx.account.clone(),
        operations,
        constraints: input.constraints.unwrap_or_default(),
    };
    let mut tx = kms.store.lock(&[Lock::exclusive(&KEYS, &place.key())]).await;
    let key = tx.get(&KEYS, &place.key()).await?.ok_or_else(|| crate::find::no_key(&place))?;
    usable(&key)?;
    // The same grant under the same name is made once.
    let same = Range::prefix(&place.key().str(&grant.grantee));
    let others = tx.scan(&OF_GRANTEE, same, usize::MAX).await?;
    if others.len() >= MOST {
        return Err(limit_exceeded(format!("A key can have {MOST} grants at most.")));
    }
    for id in others.iter().filter_map(|(k, ())| last(k)).filter(|_| grant.name.is_some()) {
        let Some(other) = tx.get(&GRANTS, &place.key().str(&id)).await? else { continue };
        let again =
            Grant { id: grant.id.clone(), created: grant.created, ..other.clone() } == grant;
        if again {
            grant = other;
            break;
        }
    }
    grant.put(&mut tx);
    tx.commit().await?;
    Ok(CreateOutput { grant_token: kms.token(cx, &grant)?, grant_id: grant.id })
}

/// Whoever may make grants only by a grant can hand on no more than it has.
async fn within(kms: &Kms, cx: &Cx, operations: &[String]) -> Result<()> {
    let Some(found) = cx.recall::<Asked>().and_then(|a| a.0.first().cloned()) else {
        return Ok(());
    };
    let Some(id) = &found.grant else { return Ok(()) };
    let question = Check { granted: false, ..authz::bare(cx, "kms:CreateGrant", &found.key) };
    if cx.authorize(question).await.is_ok() {
        return Ok(());
    }
    let parent = kms.store.get(&GRANTS, &found.key.place.key().str(id)).await?;
    let has = parent.map(|p| p.operations).unwrap_or_default();
    match operations.iter().find(|o| !has.contains(o)) {
        None => Ok(()),
        Some(more) => Err(access_denied(format!(
            "User: {} is not authorized to grant {more}, which its own grant does not have",
            cx.principal.arn
        ))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    key_id: String,
    grant_id: Option<String>,
    grantee_principal: Option<String>,
    grantee_service_principal: Option<String>,
    limit: Option<i64>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    key_id: String,
    grant_id: String,
    name: Option<String>,
    creation_date: Time,
    grantee_principal: String,
    retiring_principal: Option<String>,
    issuing_account: String,
    operations: Vec<String>,
    constraints: Option<Constraints>,
}

impl From<Grant> for Listed {
    fn from(g: Grant) -> Self {
        Listed {
            key_id: g.place.arn(),
            grant_id: g.id,
            name: g.name,
            creation_date: time(g.created),
            grantee_principal: g.grantee,
            retiring_principal: g.retiring,
            issuing_account: format!("arn:aws:iam::{}:root", g.issuer),
            operations: g.operations,
            constraints: Some(g.constraints).filter(|c| !c.is_empty()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    grants: Vec<Listed>,
    next_marker: Option<String>,
    truncated: bool,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListGrants.html>
async fn list_grants(kms: &Kms, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    if input.grantee_service_principal.is_some() {
        return Err(cx.refuse_member("GranteeServicePrincipal"));
    }
    let place = kms.asked(cx, 0, &input.key_id, By::Id).await?.key.place.clone();
    if let Some(id) = &input.grant_id {
        let found = kms.store.get(&GRANTS, &place.key().str(id)).await?;
        let fits = |g: &Grant| input.grantee_principal.as_ref().is_none_or(|p| *p == g.grantee);
        let grants = found.into_iter().filter(fits).map(Listed::from).collect();
        return Ok(ListOutput { grants, next_marker: None, truncated: false });
    }
    let (limit, marker) = (input.limit.unwrap_or(50), input.marker.as_deref());
    let (grants, Page { next_marker, truncated }) = match &input.grantee_principal {
        None => {
            let (found, page) =
                kms.page(&GRANTS, Range::prefix(&place.key()), limit, marker).await?;
            (found.into_iter().map(|(_, g)| g).collect(), page)
        }
        Some(who) => {
            let range = Range::prefix(&place.key().str(who));
            let (found, page) = kms.page(&OF_GRANTEE, range, limit, marker).await?;
            let ids = found.iter().filter_map(|(k, ())| last(k));
            (kms.grants(ids.map(|id| place.key().str(&id))).await?, page)
        }
    };
    let grants = grants.into_iter().map(Listed::from).collect();
    Ok(ListOutput { grants, next_marker, truncated })
}

impl Kms {
    async fn grants(&self, keys: impl Iterator<Item = Key>) -> Result<Vec<Grant>> {
        let mut found = Vec::new();
        for key in keys {
            found.extend(self.store.get(&GRANTS, &key).await?);
        }
        Ok(found)
    }

    /// The grant that a request means to retire.
    pub(crate) async fn retiring(&self, cx: &Cx, input: &RetireInput) -> Result<Grant> {
        let key = match (&input.grant_token, &input.key_id, &input.grant_id) {
            (Some(token), None, None) => self.open_token(token)?,
            (None, Some(key), Some(id)) => {
                if !key.starts_with("arn:") {
                    return Err(ApiError::new("InvalidArnException", format!("Invalid arn {key}")));
                }
                self.find(cx, key, By::Id).await?.key.place.key().str(id)
            }
            _ => {
                return Err(validation(
                    "Specify either the grant token, or the key's ARN and the grant's id.",
                ));
            }
        };
        self.store.get(&GRANTS, &key).await?.ok_or_else(|| no_grant("Grant is not found."))
    }
}

fn no_grant(message: impl Into<String>) -> ApiError {
    not_found(message)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RetirableInput {
    limit: Option<i64>,
    marker: Option<String>,
    retiring_principal: Option<String>,
    retiring_service_principal: Option<String>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListRetirableGrants.html>
async fn list_retirable_grants(kms: &Kms, cx: &Cx, input: RetirableInput) -> Result<ListOutput> {
    if input.retiring_service_principal.is_some() {
        return Err(cx.refuse_member("RetiringServicePrincipal"));
    }
    let who = input
        .retiring_principal
        .ok_or_else(|| validation("You must specify a RetiringPrincipal value."))?;
    check_principal(&who)?;
    let own = fogbank_core::Arn::parse(&who).is_some_and(|a| a.account == cx.account);
    if !own {
        return Err(access_denied(format!(
            "User: {} is not authorized to perform: kms:ListRetirableGrants",
            cx.principal.arn
        )));
    }
    let range = Range::prefix(&Key::new().str(&who).str(&cx.region));
    let limit = input.limit.unwrap_or(50);
    let (found, Page { next_marker, truncated }) =
        kms.page(&RETIRABLE, range, limit, input.marker.as_deref()).await?;
    let keys = found.iter().filter_map(|(k, ())| {
        let mut parts = k.parts();
        let (_, region) = (parts.text()?, parts.text()?.into_owned());
        let (account, id) = (parts.text()?.into_owned(), parts.text()?.into_owned());
        Some(Place { account, region, id }.key().str(&parts.text()?))
    });
    let grants = kms.grants(keys).await?.into_iter().map(Listed::from).collect();
    Ok(ListOutput { grants, next_marker, truncated })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RevokeInput {
    key_id: String,
    grant_id: String,
    dry_run: Option<bool>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RevokeGrant.html>
async fn revoke_grant(kms: &Kms, cx: &Cx, input: RevokeInput) -> Result<()> {
    let place = kms.asked(cx, 0, &input.key_id, By::Id).await?.key.place.clone();
    let at = place.key().str(&input.grant_id);
    dry_run(input.dry_run)?;
    kms.remove(&place, &at, &input.grant_id).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RetireInput {
    grant_token: Option<String>,
    key_id: Option<String>,
    grant_id: Option<String>,
    dry_run: Option<bool>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RetireGrant.html>
async fn retire_grant(kms: &Kms, cx: &Cx, input: RetireInput) -> Result<()> {
    let grant = kms.retiring(cx, &input).await?;
    dry_run(input.dry_run)?;
    kms.remove(&grant.place, &grant.place.key().str(&grant.id), &grant.id).await
}

impl Kms {
    async fn remove(&self, place: &Place, at: &Key, id: &str) -> Result<()> {
        let mut tx = self.store.lock(&[Lock::exclusive(&KEYS, &place.key())]).await;
        let Some(grant) = tx.get(&GRANTS, at).await? else {
            return Err(no_grant(format!("Grant ID {id} not found")));
        };
        grant.drop(&mut tx);
        Ok(tx.commit().await?)
    }
}
