//! GetParameterHistory.

use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use fogbank_store::Range;
use serde::{Deserialize, Serialize};

use crate::get::value;
use crate::policies::PolicyView;
use crate::record::{Kind, Tier, VERSIONS, time};
use crate::{Ssm, authz, name, page};

pub const OPS: &[Op<Ssm>] = ops![GetParameterHistory => get_parameter_history [authz::on_name]];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HistoryInput {
    name: String,
    #[serde(default)]
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    name: String,
    #[serde(rename = "Type")]
    kind: Kind,
    key_id: Option<String>,
    last_modified_date: Time,
    last_modified_user: String,
    description: Option<String>,
    value: String,
    allowed_pattern: Option<String>,
    version: u64,
    labels: Vec<String>,
    tier: Tier,
    policies: Vec<PolicyView>,
    data_type: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HistoryOutput {
    parameters: Vec<Entry>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameterHistory.html>
async fn get_parameter_history(ssm: &Ssm, cx: &Cx, input: HistoryInput) -> Result<HistoryOutput> {
    let head = ssm.own(cx, &name::read(cx, &input.name)).await?;
    let limit = input.max_results.unwrap_or(50).clamp(1, 50);
    let mut range = Range::prefix(&head.place.key());
    if let Some(token) = &input.next_token {
        let after: u64 = page::decode(token)?
            .parse()
            .map_err(|_| ApiError::new("InvalidNextToken", "The specified token isn't valid."))?;
        range = range.after(&head.place.version(after));
    }
    let mut found = ssm.store.scan(&VERSIONS, range, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_token =
        found.last().filter(|_| more).map(|(_, v)| page::encode(&v.number.to_string()));
    let mut parameters = Vec::new();
    for (_, v) in found {
        parameters.push(Entry {
            name: head.place.name.clone(),
            value: value(cx, &head, &v, input.with_decryption).await?,
            kind: v.kind,
            key_id: v.key,
            last_modified_date: time(v.modified),
            last_modified_user: v.user,
            description: v.description,
            allowed_pattern: v.allowed_pattern,
            version: v.number,
            labels: head.labels_of(v.number),
            tier: v.tier,
            policies: v.policies.iter().map(PolicyView::from).collect(),
            data_type: v.data_type,
        });
    }
    Ok(HistoryOutput { parameters, next_token })
}
