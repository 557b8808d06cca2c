//! Usage plans: how often the holders of keys may call which stages.

use std::collections::BTreeMap;

use fogbank_apigw::{Json, Rate, new_id, shown};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Value, map, ops, page};
use fogbank_store::{Key, Lock, Part, Range, Table, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::api_key::{KEYS, own};
use crate::authz::check;
use crate::document::{PageInput, patches, text};
use crate::error::{bad_request, conflict, not_found};
use crate::patch::{self, Kind, Operation};
use crate::stage::Stage;

pub const OPS: &[Op<ApiGateway>] = ops![
    CreateUsagePlan => create_usage_plan [check],
    GetUsagePlan => get_usage_plan [check],
    GetUsagePlans => get_usage_plans [check],
    UpdateUsagePlan => update_usage_plan [check],
    DeleteUsagePlan => delete_usage_plan [check],
    CreateUsagePlanKey => create_usage_plan_key [check],
    GetUsagePlanKey => get_usage_plan_key [check],
    GetUsagePlanKeys => get_usage_plan_keys [check],
    DeleteUsagePlanKey => delete_usage_plan_key [check],
    GetUsage => get_usage [check],
];

pub static PLANS: Table<Json<UsagePlan>> = Table::new("apigateway.plan");
/// Account, region, plan, key.
static PLAN_KEYS: Table<()> = Table::new("apigateway.plan-key");
/// Account, region, key, plan.
static KEY_PLANS: Table<()> = Table::new("apigateway.key-plan");
/// Requests by plan, key and day (days since 1970).
static USAGE: Table<u64> = Table::new("apigateway.usage");

/// A usage plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsagePlan {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub api_stages: Vec<ApiStage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Throttle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_code: Option<String>,
    pub tags: BTreeMap<String, String>,
}

/// A stage that a plan covers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiStage {
    pub api_id: String,
    pub stage: String,
    /// By `/path/METHOD`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub throttle: BTreeMap<String, Throttle>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Throttle {
    pub burst_limit: i64,
    pub rate_limit: f64,
}

impl Throttle {
    pub fn rate(self) -> Rate {
        Rate { per_second: self.rate_limit, burst: self.burst_limit as f64 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Quota {
    pub limit: i64,
    pub offset: i64,
    /// `DAY`, `WEEK` or `MONTH`.
    pub period: String,
}

fn key(cx: &Cx, id: &str) -> Key {
    own(&cx.account, &cx.region, id)
}

fn pair(cx: &Cx, a: &str, b: &str) -> Key {
    key(cx, a).str(b)
}

/// Days since 1970.
fn day(at: Timestamp) -> u64 {
    u64::try_from(at.as_second().div_euclid(86_400)).unwrap_or_default()
}

/// The last part of a key.
fn last(key: &Key) -> Option<String> {
    match key.parts().last()? {
        Part::Str(s) => Some(s.into_owned()),
        _ => None,
    }
}

impl UsagePlan {
    async fn check(&self, gw: &ApiGateway, cx: &Cx) -> Result<()> {
        if self.name.is_empty() {
            return Err(bad_request("Usage Plan name cannot be blank"));
        }
        if let Some(q) = &self.quota {
            if !matches!(&*q.period, "DAY" | "WEEK" | "MONTH") {
                return Err(bad_request("Usage Plan quota period must be one of DAY, WEEK, MONTH"));
            }
            if q.limit < 0 || q.offset < 0 || q.offset > q.limit {
                return Err(bad_request("Usage Plan quota limit and offset must not be negative"));
            }
        }
        for (i, s) in self.api_stages.iter().enumerate() {
            let there = gw.child::<Stage>(cx, &s.api_id, &s.stage).await.is_ok();
            if !there {
                return Err(fogbank_core::ApiError::new(
                    "NotFoundException",
                    format!("API Stage not found: {}:{}", s.api_id, s.stage),
                )
                .status(404));
            }
            if self.api_stages[..i].iter().any(|o| o.api_id == s.api_id && o.stage == s.stage) {
                return Err(conflict(format!(
                    "Usage plan already contains stage {}:{}",
                    s.api_id, s.stage
                )));
            }
        }
        crate::tag::validate(&self.tags)
    }

    /// The first day of the period that `today` is in.
    fn since(&self, today: u64) -> u64 {
        let date = Date::new(1970, 1, 1)
            .ok()
            .and_then(|d| d.checked_add(jiff::Span::new().days(today as i64)).ok());
        match self.quota.as_ref().map(|q| q.period.as_str()) {
            Some("MONTH") => today - date.map_or(0, |d| d.day() as u64 - 1),
            // Weeks begin on Sunday.
            Some("WEEK") => today - date.map_or(0, |d| d.weekday().to_sunday_zero_offset() as u64),
            _ => today,
        }
    }
}

/// What a plan says to a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Pass {
    Yes,
    Throttled,
    Exceeded,
}

impl ApiGateway {
    async fn plan(&self, cx: &Cx, id: &str) -> Result<UsagePlan> {
        let found = self.store.get(&PLANS, &key(cx, id)).await?;
        found.map(|j| j.0).ok_or_else(|| not_found("Usage Plan"))
    }

    /// The plan by which a key may call a stage.
    pub async fn plan_for(
        &self,
        account: &str,
        region: &str,
        key_id: &str,
        api: &str,
        stage: &str,
    ) -> Result<Option<UsagePlan>> {
        let range = Range::prefix(&own(account, region, key_id));
        for (at, ()) in self.store.scan(&KEY_PLANS, range, 100).await? {
            let Some(id) = last(&at) else { continue };
            if let Some(Json(plan)) = self.store.get(&PLANS, &own(account, region, &id)).await?
                && plan.api_stages.iter().any(|s| s.api_id == api && s.stage == stage)
            {
                return Ok(Some(plan));
            }
        }
        Ok(None)
    }

    /// Counts a request of a key against a plan.
    pub async fn count(
        &self,
        plan: &UsagePlan,
        key_id: &str,
        stage: (&str, &str),
        method: &str,
        now: Timestamp,
    ) -> Result<Pass> {
        let covered = plan.api_stages.iter().find(|s| (&*s.api_id, &*s.stage) == stage);
        let own = covered.and_then(|s| s.throttle.get(method));
        if let Some(t) = own.or(plan.throttle.as_ref()) {
            let part = if own.is_some() { method } else { "*" };
            let bucket = format!("plan/{}/{key_id}/{part}", plan.id);
            if !self.throttles.take(&bucket, t.rate(), now) {
                return Ok(Pass::Throttled);
            }
        }
        let today = day(now);
        let base = Key::new().str(&plan.id).str(key_id);
        let at = base.clone().u64(today);
        let mut tx = self.store.lock(&[Lock::exclusive(&USAGE, &base)]).await;
        if let Some(quota) = &plan.quota {
            let range = Range::prefix(&base).from(&base.clone().u64(plan.since(today)));
            let days = tx.scan(&USAGE, range, 40).await?;
            let used: u64 = days.iter().map(|(_, n)| n).sum();
            let first = plan.since(today) == today || days.is_empty();
            let offset = if first { quota.offset } else { 0 };
            if used as i64 + offset >= quota.limit {
                return Ok(Pass::Exceeded);
            }
        }
        let n = tx.get(&USAGE, &at).await?.unwrap_or_default();
        tx.put(&USAGE, &at, &(n + 1));
        tx.commit().await?;
        Ok(Pass::Yes)
    }
}

/// Takes a key out of its plans.
pub async fn forget_key(tx: &mut Tx, cx: &Cx, id: &str) -> Result<()> {
    for (at, ()) in tx.scan(&KEY_PLANS, Range::prefix(&key(cx, id)), 1000).await? {
        if let Some(plan) = last(&at) {
            tx.delete(&PLAN_KEYS, &pair(cx, &plan, id));
        }
        tx.delete(&KEY_PLANS, &at);
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateUsagePlan.html>
async fn create_usage_plan(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut plan: UsagePlan = from_value(input)?;
    plan.id = new_id(cx, 6);
    plan.check(gw, cx).await?;
    gw.store.put(&PLANS, &key(cx, &plan.id), &Json(plan.clone())).await?;
    shown(&plan)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetUsagePlan.html>
async fn get_usage_plan(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    shown(&gw.plan(cx, text(&input, "usagePlanId")?).await?)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetUsagePlans.html>
async fn get_usage_plans(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let (limit, after) = from_value::<PageInput>(input.clone())?.read(25)?;
    let owner = match input.str("keyId") {
        Some(id) => key(cx, id),
        None => Key::new().str(&cx.account).str(&cx.region),
    };
    let mut range = Range::prefix(&owner);
    if let Some(after) = &after {
        range = range.after(&owner.clone().str(after));
    }
    let mut plans = Vec::new();
    if input.str("keyId").is_some() {
        for (at, ()) in gw.store.scan(&KEY_PLANS, range, limit + 1).await? {
            if let Some(id) = last(&at) {
                plans.push(gw.plan(cx, &id).await?);
            }
        }
    } else {
        plans.extend(gw.store.scan(&PLANS, range, limit + 1).await?.into_iter().map(|(_, j)| j.0));
    }
    let more = plans.len() > limit;
    plans.truncate(limit);
    let position = plans.last().filter(|_| more).map(|p| page::encode(&p.id));
    let items = plans.iter().map(shown).collect::<Result<Vec<_>>>()?;
    Ok(map! { "items" => items, "position" => position })
}

/// What an operation on `/apiStages` does: stages are added and taken away as `api:stage`, and
/// have throttles of their own below.
fn edit_stages(plan: &mut UsagePlan, operation: &Operation) -> Result<bool> {
    let path = operation.path.as_deref().unwrap_or_default();
    let parts = patch::segments(path);
    if parts.first().is_none_or(|p| p != "apiStages") {
        return Ok(false);
    }
    let invalid = || bad_request(format!("Invalid patch path  '{path}'"));
    let named = |text: &str| {
        text.split_once(':').map(|(a, s)| (a.to_owned(), s.to_owned())).ok_or_else(invalid)
    };
    let op = operation.op.as_deref().unwrap_or("replace");
    let value = operation.value.as_deref().unwrap_or_default();
    match (&parts[1..], op) {
        ([], "add") => {
            let (api_id, stage) = named(value)?;
            let new = ApiStage { api_id, stage, throttle: BTreeMap::new() };
            plan.api_stages.push(new);
        }
        ([], "remove") => {
            let (api, stage) = named(value)?;
            plan.api_stages.retain(|s| s.api_id != api || s.stage != stage);
        }
        ([name, rest @ ..], _) => {
            let (api, stage) = named(name)?;
            let found = plan.api_stages.iter_mut().find(|s| s.api_id == api && s.stage == stage);
            let found = found.ok_or_else(|| not_found("API Stage"))?;
            match (rest, op) {
                ([], "remove") => {
                    plan.api_stages.retain(|s| s.api_id != api || s.stage != stage);
                }
                ([t], "remove") if t == "throttle" => found.throttle.clear(),
                ([t, path, method], "remove") if t == "throttle" => {
                    found.throttle.remove(&format!("{path}/{method}"));
                }
                ([t, path, method, what], _) if t == "throttle" => {
                    let own = found.throttle.entry(format!("{path}/{method}")).or_default();
                    match what.as_str() {
                        "rateLimit" => own.rate_limit = value.parse().map_err(|_| invalid())?,
                        "burstLimit" => own.burst_limit = value.parse().map_err(|_| invalid())?,
                        _ => return Err(invalid()),
                    }
                }
                _ => return Err(invalid()),
            }
        }
        _ => return Err(invalid()),
    }
    Ok(true)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateUsagePlan.html>
async fn update_usage_plan(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let rules = [
        ("/name", Kind::Text),
        ("/description", Kind::Text),
        ("/productCode", Kind::Text),
        ("/quota/limit", Kind::Int),
        ("/quota/offset", Kind::Int),
        ("/quota/period", Kind::Text),
        ("/throttle/rateLimit", Kind::Float),
        ("/throttle/burstLimit", Kind::Int),
    ];
    let at = key(cx, text(&input, "usagePlanId")?);
    let mut tx = gw.store.lock(&[Lock::exclusive(&PLANS, &at)]).await;
    let mut plan = tx.get(&PLANS, &at).await?.ok_or_else(|| not_found("Usage Plan"))?.0;
    for operation in patches(&input)? {
        let whole = operation.op.as_deref() == Some("remove");
        match operation.path.as_deref() {
            Some("/throttle") if whole => plan.throttle = None,
            Some("/quota") if whole => plan.quota = None,
            _ if edit_stages(&mut plan, &operation)? => {}
            _ => plan = patch::apply(&plan, &[operation], &rules)?,
        }
    }
    plan.check(gw, cx).await?;
    tx.put(&PLANS, &at, &Json(plan.clone()));
    tx.commit().await?;
    shown(&plan)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteUsagePlan.html>
async fn delete_usage_plan(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let id = text(&input, "usagePlanId")?;
    let at = key(cx, id);
    let mut tx = gw.store.lock(&[Lock::exclusive(&PLANS, &at)]).await;
    let plan = tx.get(&PLANS, &at).await?.ok_or_else(|| not_found("Usage Plan"))?.0;
    if let Some(s) = plan.api_stages.first() {
        return Err(bad_request(format!(
            "Cannot delete usage plan: it is still associated with API stage {}:{}",
            s.api_id, s.stage
        )));
    }
    for (pair_at, ()) in tx.scan(&PLAN_KEYS, Range::prefix(&at), 100_000).await? {
        if let Some(k) = last(&pair_at) {
            tx.delete(&KEY_PLANS, &pair(cx, &k, id));
        }
        tx.delete(&PLAN_KEYS, &pair_at);
    }
    tx.delete(&PLANS, &at);
    tx.commit().await?;
    Ok(())
}

async fn key_view(gw: &ApiGateway, cx: &Cx, id: &str) -> Result<Value> {
    let k = gw.api_key(cx, id).await?;
    Ok(map! { "id" => k.id, "type" => "API_KEY", "name" => k.name, "value" => k.value })
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateUsagePlanKey.html>
async fn create_usage_plan_key(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let (plan, id) = (text(&input, "usagePlanId")?, text(&input, "keyId")?);
    if text(&input, "keyType")? != "API_KEY" {
        return Err(bad_request("Invalid key type specified: must be API_KEY"));
    }
    let (plan_at, key_at) = (key(cx, plan), key(cx, id));
    let locks = [Lock::shared(&PLANS, &plan_at), Lock::shared(&KEYS, &key_at)];
    let mut tx = gw.store.lock(&locks).await;
    tx.get(&PLANS, &plan_at).await?.ok_or_else(|| not_found("Usage Plan"))?;
    tx.get(&KEYS, &key_at).await?.ok_or_else(|| not_found("API Key"))?;
    if tx.get(&PLAN_KEYS, &pair(cx, plan, id)).await?.is_some() {
        return Err(conflict("Usage Plan Key already exists"));
    }
    tx.put(&PLAN_KEYS, &pair(cx, plan, id), &());
    tx.put(&KEY_PLANS, &pair(cx, id, plan), &());
    tx.commit().await?;
    key_view(gw, cx, id).await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetUsagePlanKey.html>
async fn get_usage_plan_key(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let (plan, id) = (text(&input, "usagePlanId")?, text(&input, "keyId")?);
    gw.plan(cx, plan).await?;
    let there = gw.store.get(&PLAN_KEYS, &pair(cx, plan, id)).await?;
    there.ok_or_else(|| not_found("Usage Plan Key"))?;
    key_view(gw, cx, id).await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetUsagePlanKeys.html>
async fn get_usage_plan_keys(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let plan = text(&input, "usagePlanId")?;
    gw.plan(cx, plan).await?;
    let (limit, after) = from_value::<PageInput>(input.clone())?.read(25)?;
    let mut range = Range::prefix(&key(cx, plan));
    if let Some(after) = &after {
        range = range.after(&pair(cx, plan, after));
    }
    let mut ids: Vec<String> = gw
        .store
        .scan(&PLAN_KEYS, range, limit + 1)
        .await?
        .iter()
        .filter_map(|(at, ())| last(at))
        .collect();
    let more = ids.len() > limit;
    ids.truncate(limit);
    let position = ids.last().filter(|_| more).map(|id| page::encode(id));
    let mut items = Vec::new();
    for id in &ids {
        let view = key_view(gw, cx, id).await?;
        let fits = input
            .str("nameQuery")
            .is_none_or(|n| view.str("name").is_some_and(|name| name.starts_with(n)));
        if fits {
            items.push(view);
        }
    }
    Ok(map! { "items" => items, "position" => position })
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteUsagePlanKey.html>
async fn delete_usage_plan_key(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let (plan, id) = (text(&input, "usagePlanId")?, text(&input, "keyId")?);
    let at = pair(cx, plan, id);
    let mut tx = gw.store.lock(&[Lock::exclusive(&PLAN_KEYS, &at)]).await;
    tx.get(&PLAN_KEYS, &at).await?.ok_or_else(|| not_found("Usage Plan Key"))?;
    tx.delete(&PLAN_KEYS, &at);
    tx.delete(&KEY_PLANS, &pair(cx, id, plan));
    tx.commit().await?;
    Ok(())
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetUsage.html>
async fn get_usage(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let plan = gw.plan(cx, text(&input, "usagePlanId")?).await?;
    let (start, end) = (text(&input, "startDate")?, text(&input, "endDate")?);
    let read = |date: &str| {
        let parsed: Option<Date> = date.parse().ok();
        let at = parsed.and_then(|d| d.to_zoned(jiff::tz::TimeZone::UTC).ok());
        at.map(|z| day(z.timestamp()))
            .ok_or_else(|| bad_request("Invalid date: must be YYYY-MM-DD"))
    };
    let (first, to) = (read(start)?, read(end)?);
    if to < first || to - first > 365 {
        return Err(bad_request("The end date must be on or after the start date"));
    }
    let ids: Vec<String> = match input.str("keyId") {
        Some(id) => vec![id.to_owned()],
        None => {
            let range = Range::prefix(&key(cx, &plan.id));
            let all = gw.store.scan(&PLAN_KEYS, range, 500).await?;
            all.iter().filter_map(|(at, ())| last(at)).collect()
        }
    };
    let mut items = Vec::new();
    for id in ids {
        let mut days = Vec::new();
        let mut left = plan.quota.as_ref().map_or(0, |q| q.limit);
        for d in first..=to {
            let at = Key::new().str(&plan.id).str(&id).u64(d);
            let used = gw.store.get(&USAGE, &at).await?.unwrap_or_default() as i64;
            if plan.since(d) == d {
                left = plan.quota.as_ref().map_or(0, |q| q.limit);
            }
            left = (left - used).max(0);
            days.push(Value::List(vec![Value::Int(used), Value::Int(left)]));
        }
        items.push((id.into(), Value::List(days)));
    }
    Ok(map! {
        "usagePlanId" => plan.id,
        "startDate" => start,
        "endDate" => end,
        "items" => Value::Map(items),
    })
}
