//! What the operations on documents share: reading input, finding, paging.

use fogbank_apigw::{Change, Child, api_of, child_key, page_of, shown};
use fogbank_core::value::{from_value, to_value};
use fogbank_core::{Cx, Result, Value, map, page};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ApiGateway;
use crate::api::RestApi;
use crate::error::{bad_request, no_such_api, not_found};
use crate::patch::Operation;

/// The input's member `name`, which the model requires.
pub fn text<'v>(input: &'v Value, name: &str) -> Result<&'v str> {
    input.str(name).ok_or_else(|| bad_request(format!("{name} is required")))
}

/// The patch operations of an input.
pub fn patches(input: &Value) -> Result<Vec<Operation>> {
    input.get("patchOperations").map_or(Ok(Vec::new()), |p| from_value(p.clone()))
}

/// A member of the input as a type, or its default.
pub fn member<T: DeserializeOwned + Default>(input: &Value, name: &str) -> Result<T> {
    input.get(name).map_or(Ok(T::default()), |v| from_value(v.clone()))
}

/// How many of a list, and after which.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct PageInput {
    pub limit: Option<i64>,
    pub position: Option<String>,
}

impl PageInput {
    pub fn read(&self, default: usize) -> Result<(usize, Option<String>)> {
        let limit = match self.limit {
            None => default,
            Some(n) => usize::try_from(n)
                .ok()
                .filter(|n| (1..=500).contains(n))
                .ok_or_else(|| bad_request("Invalid limit specified"))?,
        };
        let invalid = |_| bad_request("Invalid position parameter");
        let after = self.position.as_deref().map(page::decode).transpose().map_err(invalid)?;
        Ok((limit, after))
    }
}

impl ApiGateway {
    /// An API of the caller's account and region.
    pub async fn api(&self, cx: &Cx, id: &str) -> Result<RestApi> {
        let found = api_of(&self.store, cx, id).await?;
        found.ok_or_else(|| no_such_api(&cx.account, id))
    }

    /// Begins a change of an API of the caller's.
    pub async fn change<'a>(&self, cx: &'a Cx, id: &str) -> Result<Change<'a, RestApi>> {
        let found = Change::begin(&self.store, cx, id).await?;
        found.ok_or_else(|| no_such_api(&cx.account, id))
    }

    pub async fn child<T: Child>(&self, cx: &Cx, api: &str, id: &str) -> Result<T> {
        self.api(cx, api).await?;
        let found = self.store.get(T::table(), &child_key(api, id)).await?;
        found.map(|j| j.0).ok_or_else(|| not_found(T::KIND))
    }

    /// `GetModel` and the like.
    pub async fn get<T: Child>(&self, cx: &Cx, input: &Value) -> Result<Value> {
        to_value(&self.child::<T>(cx, text(input, "restApiId")?, text(input, T::ID)?).await?)
    }

    /// `GetModels` and the like.
    pub async fn list<T: Child>(&self, cx: &Cx, input: &Value) -> Result<Value> {
        let api = text(input, "restApiId")?;
        self.api(cx, api).await?;
        let (limit, after) = from_value::<PageInput>(input.clone())?.read(25)?;
        let (found, more) = page_of::<T>(&self.store, api, after.as_deref(), limit).await?;
        let position = found.last().filter(|_| more).map(|d| page::encode(d.id()));
        let items = found.iter().map(shown).collect::<Result<Vec<_>>>()?;
        Ok(map! { "items" => items, "position" => position })
    }
}

/// A child that must be there.
pub async fn found<T: Child>(change: &mut Change<'_, RestApi>, id: &str) -> Result<T> {
    change.find(id).await?.ok_or_else(|| not_found(T::KIND))
}
