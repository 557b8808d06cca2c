//! The documents of an API: their tables, how input is laid over them, and lists of them.

use std::collections::BTreeMap;

use fogbank_apigw::{Child, api_of, child_key, page_of, shown};
use fogbank_core::value::{from_value, to_value};
use fogbank_core::{ApiError, Cx, Result, Value, map, page};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ApiGatewayV2;
use crate::api::Api;
use crate::error::{bad_request, no_such_api, not_found};

/// The input's member `name`, which the model requires.
pub fn text<'v>(input: &'v Value, name: &str) -> Result<&'v str> {
    input.str(name).ok_or_else(|| bad_request(format!("{name} is required")))
}

/// `document` with the members of `input` laid over it. Members of maps named in `merged` are
/// taken one by one, and an empty text takes one away.
pub fn overlay<T: Serialize + DeserializeOwned>(
    document: &T,
    input: Value,
    merged: &[&str],
) -> Result<T> {
    let Value::Map(mut members) = to_value(document)? else {
        return Err(ApiError::internal("a document is no structure"));
    };
    let Value::Map(given) = input else { return from_value(Value::Map(members)) };
    for (name, value) in given {
        if value == Value::Null {
            continue;
        }
        let old = members.iter_mut().find(|(n, _)| *n == name);
        match (old, value) {
            (Some((_, Value::Map(old))), Value::Map(new)) if merged.contains(&&*name) => {
                for (k, v) in new {
                    old.retain(|(o, _)| *o != k);
                    if v.as_str() != Some("") {
                        old.push((k, v));
                    }
                }
            }
            (Some((_, old)), value) => *old = value,
            (None, value) => members.push((name, value)),
        }
    }
    from_value(Value::Map(members))
}

/// Texts by name, without the empty ones.
pub fn without_empty(map: &mut BTreeMap<String, String>) {
    map.retain(|_, v| !v.is_empty());
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PageInput {
    pub max_results: Option<String>,
    pub next_token: Option<String>,
}

impl PageInput {
    /// How many, and after which.
    pub fn read(&self) -> Result<(usize, Option<String>)> {
        let limit = match &self.max_results {
            None => 100,
            Some(text) => text
                .parse()
                .ok()
                .filter(|n| (1..=1000).contains(n))
                .ok_or_else(|| bad_request("Invalid value for maxResults"))?,
        };
        let invalid = |_| bad_request("Invalid value for nextToken");
        let after = self.next_token.as_deref().map(page::decode).transpose().map_err(invalid)?;
        Ok((limit, after))
    }
}

impl ApiGatewayV2 {
    /// An API of the caller's account and region.
    pub async fn api(&self, cx: &Cx, id: &str) -> Result<Api> {
        let found = api_of(&self.store, cx, id).await?;
        found.ok_or_else(|| no_such_api(&cx.account, id))
    }

    pub async fn child<T: Child>(&self, cx: &Cx, api: &str, id: &str) -> Result<T> {
        self.api(cx, api).await?;
        let found = self.store.get(T::table(), &child_key(api, id)).await?;
        found.map(|j| j.0).ok_or_else(|| not_found(T::KIND))
    }

    /// `GetRoute` and the like.
    pub async fn get<T: Child>(&self, cx: &Cx, input: &Value) -> Result<Value> {
        let found: T = self.child(cx, text(input, "ApiId")?, text(input, T::ID)?).await?;
        to_value(&found)
    }

    /// `GetRoutes` and the like.
    pub async fn list<T: Child>(&self, cx: &Cx, input: Value) -> Result<Value> {
        let api = text(&input, "ApiId")?.to_owned();
        self.api(cx, &api).await?;
        let (limit, after) = from_value::<PageInput>(input)?.read()?;
        let (found, more) = page_of::<T>(&self.store, &api, after.as_deref(), limit).await?;
        let next = found.last().filter(|_| more).map(|d| page::encode(d.id()));
        let items = found.iter().map(shown).collect::<Result<Vec<_>>>()?;
        Ok(map! { "Items" => items, "NextToken" => next })
    }
}
