//! DescribeParameters.

use fogbank_core::{Cx, Op, Result, Time, ops};
use fogbank_store::{Key, Range};
use serde::{Deserialize, Serialize};

use crate::error::validation;
use crate::filter::{self, Filter};
use crate::policies::PolicyView;
use crate::record::{Kind, PARAMETERS, Parameter, Place, Tier, VERSIONS, Version, time};
use crate::{Ssm, page};

pub const OPS: &[Op<Ssm>] = ops![DescribeParameters => describe_parameters];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeInput {
    #[serde(default)]
    filters: Vec<Filter>,
    #[serde(default)]
    parameter_filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
    #[serde(default)]
    shared: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    name: String,
    #[serde(rename = "ARN")]
    arn: String,
    #[serde(rename = "Type")]
    kind: Kind,
    key_id: Option<String>,
    last_modified_date: Time,
    last_modified_user: String,
    description: Option<String>,
    allowed_pattern: Option<String>,
    version: u64,
    tier: Tier,
    policies: Vec<PolicyView>,
    data_type: String,
}

impl Described {
    fn of(head: &Parameter, v: Version) -> Self {
        Described {
            name: head.place.name.clone(),
            arn: head.place.arn(),
            kind: v.kind,
            key_id: v.key,
            last_modified_date: time(v.modified),
            last_modified_user: v.user,
            description: v.description,
            allowed_pattern: v.allowed_pattern,
            version: v.number,
            tier: v.tier,
            policies: v.policies.iter().map(PolicyView::from).collect(),
            data_type: v.data_type,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeOutput {
    parameters: Vec<Described>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html>
async fn describe_parameters(ssm: &Ssm, cx: &Cx, input: DescribeInput) -> Result<DescribeOutput> {
    if input.shared {
        return Err(cx.refuse_member("Shared"));
    }
    if !input.filters.is_empty() && !input.parameter_filters.is_empty() {
        return Err(validation(
            "You can use either Filters or ParameterFilters in a single request.",
        ));
    }
    filter::check(&input.parameter_filters)?;
    let mut filters = input.parameter_filters;
    // The older form: a name is what it begins with.
    filters.extend(input.filters.into_iter().map(|f| {
        let begins = (f.key == "Name").then(|| "BeginsWith".to_owned());
        Filter { option: begins, ..f }
    }));
    let limit = input.max_results.unwrap_or(50).clamp(1, 50);
    let after = input.next_token.as_deref().map(page::decode).transpose()?;
    let (found, next_token) = match by_name(cx, &filters) {
        Some(places) => (ssm.at(&places, &filters).await?, None),
        None => ssm.all(cx, &filters, after, limit).await?,
    };
    let parameters = found.into_iter().map(|(h, v)| Described::of(&h, v)).collect();
    Ok(DescribeOutput { parameters, next_token })
}

/// The places of parameters that are asked for by their names.
fn by_name(cx: &Cx, filters: &[Filter]) -> Option<Vec<Place>> {
    let equal = |f: &&Filter| f.key == "Name" && f.option.as_deref().is_none_or(|o| o == "Equals");
    let filter = filters.iter().find(equal)?;
    let mut names: Vec<String> = filter
        .values
        .iter()
        .flat_map(|v| {
            let bare = v.strip_prefix('/').unwrap_or(v);
            [bare.to_owned(), format!("/{bare}")]
        })
        .collect();
    names.sort();
    names.dedup();
    let place = |name| Place { account: cx.account.clone(), region: cx.region.to_string(), name };
    Some(names.into_iter().map(place).collect())
}

impl Ssm {
    async fn at(&self, places: &[Place], filters: &[Filter]) -> Result<Vec<(Parameter, Version)>> {
        let mut found = Vec::new();
        for place in places {
            if let Some(head) = self.load(place).await? {
                found.extend(self.passing(head, filters).await?);
            }
        }
        Ok(found)
    }

    async fn all(
        &self,
        cx: &Cx,
        filters: &[Filter],
        mut after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<(Parameter, Version)>, Option<String>)> {
        let here = Key::new().str(&cx.account).str(&cx.region);
        let path = filters.iter().find(|f| f.key == "Path" && f.values.len() == 1);
        let path = path.map(|f| format!("{}/", f.values[0].trim_end_matches('/')));
        let mut found: Vec<(Parameter, Version)> = Vec::new();
        loop {
            let mut range = match &path {
                Some(path) => Range::starting(&here, path),
                None => Range::prefix(&here),
            };
            if let Some(a) = &after {
                range = range.after(&here.clone().str(a));
            }
            let batch = self.store.scan(&PARAMETERS, range, limit + 1).await?;
            let last = batch.len() <= limit;
            for (_, head) in batch {
                let name = head.place.name.clone();
                if let Some(one) = self.passing(head, filters).await? {
                    if found.len() == limit {
                        let token = found.last().map(|(h, _)| page::encode(&h.place.name));
                        return Ok((found, token));
                    }
                    found.push(one);
                }
                after = Some(name);
            }
            if last {
                return Ok((found, None));
            }
        }
    }

    async fn passing(
        &self,
        head: Parameter,
        filters: &[Filter],
    ) -> Result<Option<(Parameter, Version)>> {
        let version = self.store.get(&VERSIONS, &head.place.version(head.version)).await?;
        let version = version.filter(|v| filters.iter().all(|f| f.fits(&head, v)));
        Ok(version.map(|v| (head, v)))
    }
}
