//! The documents of an API: their tables, how input is laid over them, and lists of them.

use std::collections::BTreeMap;

use fogbank_apigw::Json;
use fogbank_core::value::{from_value, to_value};
use fogbank_core::{ApiError, Cx, Result, Value, map, page};
use fogbank_store::{Key, Range, Table};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ApiGatewayV2;
use crate::api::Api;
use crate::error::{bad_request, no_such_api, not_found};

/// A document below an API.
pub trait Child: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The word for it in messages.
    const KIND: &'static str;
    /// The member that holds its id.
    const ID: &'static str;
    fn table() -> &'static Table<Json<Self>>;
    fn id(&self) -> &str;
}

/// The most documents of a kind that an API may have.
pub const MOST: usize = 1000;

pub fn api_key(id: &str) -> Key {
    Key::new().str(id)
}

pub fn child_key(api: &str, id: &str) -> Key {
    Key::new().str(api).str(id)
}

/// An id as API Gateway makes them.
pub fn new_id(cx: &Cx, length: usize) -> String {
    let first = cx.ids().pick(b"abcdefghijklmnopqrstuvwxyz", 1);
    first + &cx.ids().pick(b"abcdefghijklmnopqrstuvwxyz0123456789", length - 1)
}

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
        let found = self.store.get(&crate::api::APIS, &api_key(id)).await?;
        let own = |a: &Api| a.account == cx.account && a.region == cx.region;
        found.map(|j| j.0).filter(own).ok_or_else(|| no_such_api(&cx.account, id))
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
        let mut range = Range::prefix(&api_key(&api));
        if let Some(after) = after {
            range = range.after(&child_key(&api, &after));
        }
        let mut found = self.store.scan(T::table(), range, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(_, d)| page::encode(d.0.id()));
        let items = found.iter().map(|(_, d)| to_value(&d.0)).collect::<Result<Vec<_>>>()?;
        Ok(map! { "Items" => items, "NextToken" => next })
    }

    /// All documents of a kind that an API has.
    pub async fn children<T: Child>(&self, api: &str) -> Result<Vec<T>> {
        let found = self.store.scan(T::table(), Range::prefix(&api_key(api)), MOST).await?;
        Ok(found.into_iter().map(|(_, d)| d.0).collect())
    }
}
