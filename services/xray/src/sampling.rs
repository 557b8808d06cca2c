//! Sampling: which requests are traced. The rules, and each client's share of them.
//!
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, Time, Value, ops};
use fogbank_store::{Lock, Range, Table};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::put::parent;
use crate::tag::{self, Tag};
use crate::{XRay, invalid};

pub const OPS: &[Op<XRay>] = ops![
    GetSamplingRules => get_sampling_rules,
    CreateSamplingRule => create_sampling_rule,
    UpdateSamplingRule => update_sampling_rule,
    DeleteSamplingRule => delete_sampling_rule,
    GetSamplingTargets => get_sampling_targets,
];

/// By account, region, name.
static RULES: Table<Stored> = Table::new("xray.sampling-rule");
const MOST: usize = 26;
/// For how long a share is good, and how often clients ask.
const QUOTA_S: i64 = 15;
const INTERVAL_S: i64 = 10;

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Stored {
    #[n(0)]
    rule: Rule,
    /// Seconds since 1970.
    #[n(1)]
    created: i64,
    #[n(2)]
    modified: i64,
}
fogbank_store::record!(Stored, version = 1);

/// A rule, in records and on the wire.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    #[n(0)]
    rule_name: Option<String>,
    #[n(1)]
    #[serde(rename = "RuleARN")]
    rule_arn: Option<String>,
    #[n(2)]
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    #[n(3)]
    priority: i64,
    #[n(4)]
    fixed_rate: f64,
    #[n(5)]
    reservoir_size: i64,
    #[n(6)]
    service_name: String,
    #[n(7)]
    service_type: String,
    #[n(8)]
    host: String,
    #[n(9)]
    #[serde(rename = "HTTPMethod")]
    http_method: String,
    #[n(10)]
    #[serde(rename = "URLPath")]
    url_path: String,
    #[n(11)]
    version: i64,
    #[n(12)]
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RecordView {
    sampling_rule: Rule,
    created_at: Time,
    modified_at: Time,
}

impl From<Stored> for RecordView {
    fn from(s: Stored) -> Self {
        let time = |t| Time(Timestamp::from_second(t).unwrap_or_default());
        let (created_at, modified_at) = (time(s.created), time(s.modified));
        RecordView { sampling_rule: s.rule, created_at, modified_at }
    }
}

fn arn(cx: &Cx, name: &str) -> String {
    cx.arn("xray", &format!("sampling-rule/{name}"))
}

/// The rule that is always there: the first request of each second, and one in twenty.
fn default_rule(cx: &Cx) -> Stored {
    let any = || "*".to_owned();
    let rule = Rule {
        rule_name: Some("Default".into()),
        rule_arn: Some(arn(cx, "Default")),
        resource_arn: any(),
        priority: 10_000,
        fixed_rate: 0.05,
        reservoir_size: 1,
        service_name: any(),
        service_type: any(),
        host: any(),
        http_method: any(),
        url_path: any(),
        version: 1,
        attributes: BTreeMap::new(),
    };
    Stored { rule, created: 0, modified: 0 }
}

impl XRay {
    /// In order of priority.
    async fn rules(&self, cx: &Cx) -> Result<Vec<Stored>> {
        let found = self.store.scan(&RULES, Range::prefix(&parent(cx)), MOST).await?;
        let mut rules: Vec<Stored> = found.into_iter().map(|(_, s)| s).collect();
        if !rules.iter().any(|s| s.rule.rule_name.as_deref() == Some("Default")) {
            rules.push(default_rule(cx));
        }
        rules.sort_by_key(|s| s.rule.priority);
        Ok(rules)
    }
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RulesOutput {
    sampling_rule_records: Vec<RecordView>,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingRules.html>
async fn get_sampling_rules(xray: &XRay, cx: &Cx, _: Nothing) -> Result<RulesOutput> {
    let records = xray.rules(cx).await?.into_iter().map(RecordView::from).collect();
    Ok(RulesOutput { sampling_rule_records: records })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateRuleInput {
    sampling_rule: Rule,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuleOutput {
    sampling_rule_record: RecordView,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_CreateSamplingRule.html>
async fn create_sampling_rule(xray: &XRay, cx: &Cx, input: CreateRuleInput) -> Result<RuleOutput> {
    let mut rule = input.sampling_rule;
    let name = rule.rule_name.clone().ok_or_else(|| invalid("RuleName is required"))?;
    if rule.version != 1 {
        return Err(invalid("Version must be 1"));
    }
    let mut tx = xray.store.lock(&[Lock::exclusive(&RULES, &parent(cx))]).await;
    let known = tx.scan(&RULES, Range::prefix(&parent(cx)), MOST).await?;
    if name == "Default" || known.iter().any(|(_, s)| s.rule.rule_name.as_ref() == Some(&name)) {
        return Err(invalid(format!("Sampling rule {name} already exists.")));
    }
    if known.len() + 1 >= MOST {
        let message = "Exceeded the maximum number of sampling rules.";
        return Err(fogbank_core::ApiError::new("RuleLimitExceededException", message));
    }
    rule.rule_arn = Some(arn(cx, &name));
    let now = cx.now.as_second();
    let stored = Stored { rule, created: now, modified: now };
    tx.put(&RULES, &parent(cx).str(&name), &stored);
    tag::put(&mut tx, &arn(cx, &name), input.tags)?;
    tx.commit().await?;
    Ok(RuleOutput { sampling_rule_record: stored.into() })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    rule_name: Option<String>,
    #[serde(rename = "RuleARN")]
    rule_arn: Option<String>,
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
    priority: Option<i64>,
    fixed_rate: Option<f64>,
    reservoir_size: Option<i64>,
    service_name: Option<String>,
    service_type: Option<String>,
    host: Option<String>,
    #[serde(rename = "HTTPMethod")]
    http_method: Option<String>,
    #[serde(rename = "URLPath")]
    url_path: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateRuleInput {
    sampling_rule_update: Update,
}

fn rule_name(name: Option<String>, arn: Option<String>) -> Result<String> {
    let in_arn = |a: String| a.split_once("sampling-rule/").map(|(_, n)| n.to_owned());
    name.or_else(|| arn.and_then(in_arn)).ok_or_else(|| invalid("RuleName or RuleARN is required"))
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_UpdateSamplingRule.html>
async fn update_sampling_rule(xray: &XRay, cx: &Cx, input: UpdateRuleInput) -> Result<RuleOutput> {
    let u = input.sampling_rule_update;
    let name = rule_name(u.rule_name, u.rule_arn)?;
    let key = parent(cx).str(&name);
    let mut tx = xray.store.lock(&[Lock::exclusive(&RULES, &parent(cx))]).await;
    let found = match tx.get(&RULES, &key).await? {
        None if name == "Default" => Some(default_rule(cx)),
        found => found,
    };
    let mut stored = found.ok_or_else(|| invalid("Sampling rule does not exist."))?;
    let only_rates =
        name == "Default" && (u.priority.is_some() || u.host.is_some() || u.service_name.is_some());
    if only_rates {
        return Err(invalid(
            "Only FixedRate and ReservoirSize of the default rule can be changed.",
        ));
    }
    let r = &mut stored.rule;
    let set = |to: &mut String, from: Option<String>| *to = from.unwrap_or_else(|| to.clone());
    set(&mut r.resource_arn, u.resource_arn);
    set(&mut r.service_name, u.service_name);
    set(&mut r.service_type, u.service_type);
    set(&mut r.host, u.host);
    set(&mut r.http_method, u.http_method);
    set(&mut r.url_path, u.url_path);
    r.priority = u.priority.unwrap_or(r.priority);
    r.fixed_rate = u.fixed_rate.unwrap_or(r.fixed_rate);
    r.reservoir_size = u.reservoir_size.unwrap_or(r.reservoir_size);
    r.attributes = u.attributes.unwrap_or_else(|| r.attributes.clone());
    stored.modified = cx.now.as_second();
    tx.put(&RULES, &key, &stored);
    tx.commit().await?;
    Ok(RuleOutput { sampling_rule_record: stored.into() })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteRuleInput {
    rule_name: Option<String>,
    #[serde(rename = "RuleARN")]
    rule_arn: Option<String>,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_DeleteSamplingRule.html>
async fn delete_sampling_rule(xray: &XRay, cx: &Cx, input: DeleteRuleInput) -> Result<RuleOutput> {
    let name = rule_name(input.rule_name, input.rule_arn)?;
    if name == "Default" {
        return Err(invalid("The default rule cannot be deleted."));
    }
    let key = parent(cx).str(&name);
    let mut tx = xray.store.lock(&[Lock::exclusive(&RULES, &parent(cx))]).await;
    let found = tx.get(&RULES, &key).await?;
    let stored = found.ok_or_else(|| invalid("Sampling rule does not exist."))?;
    tx.delete(&RULES, &key);
    tag::drop(&mut tx, &arn(cx, &name));
    tx.commit().await?;
    Ok(RuleOutput { sampling_rule_record: stored.into() })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    rule_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSamplingTargetsInput {
    sampling_statistics_documents: Vec<Document>,
    sampling_boost_statistics_documents: Option<Vec<Value>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    rule_name: String,
    fixed_rate: f64,
    reservoir_quota: i64,
    #[serde(rename = "ReservoirQuotaTTL")]
    reservoir_quota_ttl: Time,
    interval: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UnprocessedStatistics {
    rule_name: String,
    error_code: &'static str,
    message: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetSamplingTargetsOutput {
    sampling_target_documents: Vec<Target>,
    last_rule_modification: Time,
    unprocessed_statistics: Vec<UnprocessedStatistics>,
}

/// Each client that asks gets the whole reservoir: there is one client, or few.
/// <https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingTargets.html>
async fn get_sampling_targets(
    xray: &XRay,
    cx: &Cx,
    input: GetSamplingTargetsInput,
) -> Result<GetSamplingTargetsOutput> {
    if input.sampling_boost_statistics_documents.is_some_and(|d| !d.is_empty()) {
        cx.ignore_member("SamplingBoostStatisticsDocuments");
    }
    let rules = xray.rules(cx).await?;
    let ttl = cx.now.saturating_add(SignedDuration::from_secs(QUOTA_S)).unwrap_or(cx.now);
    let (mut targets, mut unprocessed) = (Vec::new(), Vec::new());
    for Document { rule_name } in input.sampling_statistics_documents {
        match rules.iter().find(|s| s.rule.rule_name.as_ref() == Some(&rule_name)) {
            Some(s) => targets.push(Target {
                rule_name,
                fixed_rate: s.rule.fixed_rate,
                reservoir_quota: s.rule.reservoir_size,
                reservoir_quota_ttl: Time(ttl),
                interval: INTERVAL_S,
            }),
            None => unprocessed.push(UnprocessedStatistics {
                rule_name,
                error_code: "400",
                message: "Unknown rule",
            }),
        }
    }
    let last = rules.iter().map(|s| s.modified).max().unwrap_or(0);
    Ok(GetSamplingTargetsOutput {
        sampling_target_documents: targets,
        last_rule_modification: Time(Timestamp::from_second(last).unwrap_or_default()),
        unprocessed_statistics: unprocessed,
    })
}
