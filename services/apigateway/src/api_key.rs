//! API keys: what clients say in `x-api-key`.

use std::collections::BTreeMap;

use fogbank_apigw::{Json, new_id};
use fogbank_core::value::{from_value, to_value};
use fogbank_core::{Cx, Op, Result, Time, Value, map, ops, page};
use fogbank_store::{Key, Lock, Range, Table};
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::authz::check;
use crate::document::{PageInput, member, patches, text};
use crate::error::{bad_request, conflict, not_found};
use crate::patch::{self, Kind};

pub const OPS: &[Op<ApiGateway>] = ops![
    CreateApiKey => create_api_key [check],
    GetApiKey => get_api_key [check],
    GetApiKeys => get_api_keys [check],
    UpdateApiKey => update_api_key [check],
    DeleteApiKey => delete_api_key [check],
];

pub static KEYS: Table<Json<ApiKey>> = Table::new("apigateway.key");
/// The id of a key, by its value.
static VALUES: Table<Json<String>> = Table::new("apigateway.key-value");

/// An API key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiKey {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub enabled: bool,
    pub created_date: Option<Time>,
    pub last_updated_date: Option<Time>,
    pub stage_keys: Vec<String>,
    pub tags: BTreeMap<String, String>,
}

/// The key of what belongs to an account in a region.
pub fn own(account: &str, region: &str, id: &str) -> Key {
    Key::new().str(account).str(region).str(id)
}

fn key(cx: &Cx, id: &str) -> Key {
    own(&cx.account, &cx.region, id)
}

impl ApiKey {
    fn view(&self, value: bool) -> Result<Value> {
        let mut shown = self.clone();
        if !value {
            shown.value = None;
        }
        to_value(&shown)
    }
}

impl ApiGateway {
    pub async fn api_key(&self, cx: &Cx, id: &str) -> Result<ApiKey> {
        let found = self.store.get(&KEYS, &key(cx, id)).await?;
        found.map(|j| j.0).ok_or_else(|| not_found("API Key"))
    }

    /// The key of this value, if it is enabled.
    pub async fn key_of_value(
        &self,
        account: &str,
        region: &str,
        value: &str,
    ) -> Result<Option<ApiKey>> {
        let at = self.store.get(&VALUES, &own(account, region, value)).await?;
        let Some(Json(id)) = at else { return Ok(None) };
        let found = self.store.get(&KEYS, &own(account, region, &id)).await?;
        Ok(found.map(|j| j.0).filter(|k| k.enabled))
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateApiKey.html>
async fn create_api_key(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    if input.get("stageKeys").is_some_and(|v| !v.items().is_empty()) {
        return Err(cx.refuse_member("stageKeys"));
    }
    let mut new: ApiKey = from_value(input)?;
    crate::tag::validate(&new.tags)?;
    new.id = new_id(cx, 10);
    let value = new.value.take().filter(|v| !v.is_empty());
    if value.as_ref().is_some_and(|v| !(20..=128).contains(&v.len())) {
        return Err(bad_request("API Key value should be at least 20 characters"));
    }
    let value = value.unwrap_or_else(|| {
        cx.ids().pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 40)
    });
    new.value = Some(value.clone());
    new.created_date = Some(Time(cx.now));
    new.last_updated_date = Some(Time(cx.now));
    let by_value = key(cx, &value);
    let mut tx = gw.store.lock(&[Lock::exclusive(&VALUES, &by_value)]).await;
    if tx.get(&VALUES, &by_value).await?.is_some() {
        return Err(conflict("API Key already exists"));
    }
    tx.put(&VALUES, &by_value, &Json(new.id.clone()));
    tx.put(&KEYS, &key(cx, &new.id), &Json(new.clone()));
    tx.commit().await?;
    new.view(true)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetApiKey.html>
async fn get_api_key(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let found = gw.api_key(cx, text(&input, "apiKey")?).await?;
    found.view(input.get("includeValue") == Some(&Value::Bool(true)))
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetApiKeys.html>
async fn get_api_keys(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let (limit, after) = from_value::<PageInput>(input.clone())?.read(25)?;
    let values = input.get("includeValues") == Some(&Value::Bool(true));
    let owner = Key::new().str(&cx.account).str(&cx.region);
    let mut range = Range::prefix(&owner);
    if let Some(after) = after {
        range = range.after(&key(cx, &after));
    }
    let name: Option<String> = member(&input, "nameQuery")?;
    let customer: Option<String> = member(&input, "customerId")?;
    let fits = |k: &ApiKey| {
        name.as_ref().is_none_or(|n| k.name.starts_with(n.as_str()))
            && customer.as_ref().is_none_or(|c| k.customer_id.as_ref() == Some(c))
    };
    let mut all = Vec::new();
    // Pages are of keys that fit; there are few that do not.
    for (_, Json(k)) in gw.store.scan(&KEYS, range, 10_000).await? {
        if fits(&k) {
            all.push(k);
        }
        if all.len() > limit {
            break;
        }
    }
    let more = all.len() > limit;
    all.truncate(limit);
    let position = all.last().filter(|_| more).map(|k| page::encode(&k.id));
    let items = all.iter().map(|k| k.view(values)).collect::<Result<Vec<_>>>()?;
    Ok(map! { "items" => items, "position" => position })
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateApiKey.html>
async fn update_api_key(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let at = key(cx, text(&input, "apiKey")?);
    let mut tx = gw.store.lock(&[Lock::exclusive(&KEYS, &at)]).await;
    let old = tx.get(&KEYS, &at).await?.ok_or_else(|| not_found("API Key"))?.0;
    let rules = [
        ("/name", Kind::Text),
        ("/description", Kind::Text),
        ("/enabled", Kind::Bool),
        ("/customerId", Kind::Text),
    ];
    let mut new: ApiKey = patch::apply(&old, &patches(&input)?, &rules)?;
    new.last_updated_date = Some(Time(cx.now));
    tx.put(&KEYS, &at, &Json(new.clone()));
    tx.commit().await?;
    new.view(false)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteApiKey.html>
async fn delete_api_key(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let id = text(&input, "apiKey")?;
    let at = key(cx, id);
    let mut tx = gw.store.lock(&[Lock::exclusive(&KEYS, &at)]).await;
    let old = tx.get(&KEYS, &at).await?.ok_or_else(|| not_found("API Key"))?.0;
    if let Some(value) = &old.value {
        tx.delete(&VALUES, &key(cx, value));
    }
    crate::usage_plan::forget_key(&mut tx, cx, id).await?;
    tx.delete(&KEYS, &at);
    tx.commit().await?;
    Ok(())
}
