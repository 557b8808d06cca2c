//! Lists of functions, with or without their versions.

use fogbank_core::{Cx, Result, page};
use fogbank_store::{Key, Range};
use serde::{Deserialize, Serialize};

use super::{FUNCTIONS, Function};
use crate::config::View;
use crate::name::{LATEST, Target};
use crate::settings::limit;
use crate::version::{VERSIONS, version_key};
use crate::{Lambda, error};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListInput {
    function_version: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
    master_region: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListOutput {
    functions: Vec<View>,
    next_marker: Option<String>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>
pub async fn list_functions(lambda: &Lambda, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let all = input.function_version.is_some();
    if input.master_region.is_some_and(|r| r != "ALL" && r != cx.region) {
        return Ok(ListOutput { functions: Vec::new(), next_marker: None });
    }
    let limit = limit(input.max_items, 50);
    let scope = Key::new().str(&cx.account).str(&cx.region);
    // The last function and version that were shown.
    let (mut name, mut version) = match input.marker.as_deref().map(page::decode).transpose()? {
        Some(m) => {
            let (name, version) =
                m.split_once('/').ok_or_else(|| error::invalid("Invalid marker"))?;
            (Some(name.to_owned()), version.parse::<u64>().ok())
        }
        None => (None, None),
    };
    let mut functions = Vec::new();
    let mut range = Range::prefix(&scope);
    if let Some(name) = &name {
        range = range.from(&scope.clone().str(name));
    }
    for (key, function) in lambda.store.scan(&FUNCTIONS, range, limit + 2).await? {
        let Some(found) = key.parts().nth(2).and_then(|p| match p {
            fogbank_store::Part::Str(s) => Some(s.into_owned()),
            _ => None,
        }) else {
            continue;
        };
        let seen = version.filter(|_| name.as_deref() == Some(&*found));
        let target = Target {
            account: cx.account.clone(),
            region: cx.region.to_string(),
            name: found,
            qualifier: None,
        };
        for (n, view) in lambda.entries(&target, &function, all, seen, limit + 1).await? {
            if functions.len() == limit {
                let marker = format!("{}/{}", name.unwrap_or_default(), version.unwrap_or(0));
                return Ok(ListOutput { functions, next_marker: Some(page::encode(&marker)) });
            }
            functions.push(view);
            (name, version) = (Some(target.name.clone()), Some(n));
        }
    }
    Ok(ListOutput { functions, next_marker: None })
}

impl Lambda {
    /// What a function shows in a list, behind version `seen`; `$LATEST` counts as 0.
    async fn entries(
        &self,
        target: &Target,
        function: &Function,
        all: bool,
        seen: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, View)>> {
        let mut entries = Vec::new();
        if seen.is_none() {
            let shown = if all { target.with(Some(LATEST)) } else { target.clone() };
            entries.push((0, View::brief(&shown, LATEST, &function.latest, function.tenancy)));
        }
        if !all {
            return Ok(entries);
        }
        let range =
            Range::prefix(&target.key()).after(&version_key(target, seen.unwrap_or_default()));
        for (_, version) in self.store.scan(&VERSIONS, range, limit).await? {
            entries.push((version.number, version.brief(target, function.tenancy)));
        }
        Ok(entries)
    }
}
