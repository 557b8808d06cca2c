//! Changes of an API: one transaction under the API's lock, which ends with a new version.

use fogbank_core::value::to_value;
use fogbank_core::{Cx, Result, Value};
use fogbank_store::{Key, Lock, Range, Record, Store, Table, Tx};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Json;

/// A document that other documents belong to: an API.
pub trait Api: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    fn table() -> &'static Table<Json<Self>>;
    /// Counts its changes: what is compiled is as good as its version.
    fn versions() -> &'static Table<u64>;
    /// By account and region.
    fn owned() -> &'static Table<()>;
    fn id(&self) -> &str;
    fn account(&self) -> &str;
    fn region(&self) -> &str;
}

/// A document below an API.
pub trait Child: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The word for it in messages.
    const KIND: &'static str;
    /// The input's member that holds its id.
    const ID: &'static str;
    fn table() -> &'static Table<Json<Self>>;
    fn id(&self) -> &str;
}

/// The most documents of a kind that an API may have.
pub const MOST: usize = 1000;

#[must_use]
pub fn api_key(id: &str) -> Key {
    Key::new().str(id)
}

#[must_use]
pub fn child_key(api: &str, id: &str) -> Key {
    Key::new().str(api).str(id)
}

/// An id as API Gateway makes them.
#[must_use]
pub fn new_id(cx: &Cx, length: usize) -> String {
    let first = cx.ids().pick(b"abcdefghijklmnopqrstuvwxyz", 1);
    first + &cx.ids().pick(b"abcdefghijklmnopqrstuvwxyz0123456789", length.saturating_sub(1))
}

/// A document as an operation answers it.
///
/// # Errors
/// `InternalFailure` when it cannot be a value.
pub fn shown<T: Serialize>(document: &T) -> Result<Value> {
    let mut value = to_value(document)?;
    if let Value::Map(members) = &mut value {
        // Whose an API is stands in its document, and in no answer.
        let hidden = ["account", "region", "Account", "Region"];
        members.retain(|(name, _)| !hidden.contains(&&**name));
    }
    Ok(value)
}

/// An API of the caller's account and region; `None` when there is none.
///
/// # Errors
/// The store's.
pub async fn api_of<A: Api>(store: &Store, cx: &Cx, id: &str) -> Result<Option<A>> {
    let found = store.get(A::table(), &api_key(id)).await?.map(|j| j.0);
    Ok(found.filter(|a| is_own(a, cx)))
}

fn is_own<A: Api>(api: &A, cx: &Cx) -> bool {
    api.account() == cx.account && api.region() == cx.region
}

/// All documents of a kind that an API has.
///
/// # Errors
/// The store's.
pub async fn children<T: Child>(store: &Store, api: &str) -> Result<Vec<T>> {
    let found = store.scan(T::table(), Range::prefix(&api_key(api)), MOST).await?;
    Ok(found.into_iter().map(|(_, d)| d.0).collect())
}

/// A page of the documents of a kind, after the id `after`; whether there are more.
///
/// # Errors
/// The store's.
pub async fn page_of<T: Child>(
    store: &Store,
    api: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<T>, bool)> {
    let mut range = Range::prefix(&api_key(api));
    if let Some(after) = after {
        range = range.after(&child_key(api, after));
    }
    let mut found = store.scan(T::table(), range, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    Ok((found.into_iter().map(|(_, d)| d.0).collect(), more))
}

/// A page of the APIs of the caller's account and region.
///
/// # Errors
/// The store's.
pub async fn apis_of<A: Api>(
    store: &Store,
    cx: &Cx,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<A>, bool)> {
    let owner = Key::new().str(&cx.account).str(&cx.region);
    let mut range = Range::prefix(&owner);
    if let Some(after) = after {
        range = range.after(&owner.clone().str(after));
    }
    let mut found = store.scan(A::owned(), range, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let mut apis = Vec::with_capacity(found.len());
    for (key, ()) in &found {
        let Some(fogbank_store::Part::Str(id)) = key.parts().nth(2) else { continue };
        if let Some(api) = store.get(A::table(), &api_key(&id)).await? {
            apis.push(api.0);
        }
    }
    Ok((apis, more))
}

/// A change under way. It holds the API, so that changes come one after the other.
pub struct Change<'a, A> {
    pub cx: &'a Cx,
    pub api: A,
    pub tx: Tx,
}

impl<'a, A: Api> Change<'a, A> {
    /// Begins a change of an API of the caller's; `None` when there is none of this id.
    ///
    /// # Errors
    /// The store's.
    pub async fn begin(store: &Store, cx: &'a Cx, id: &str) -> Result<Option<Self>> {
        let key = api_key(id);
        let mut tx = store.lock(&[Lock::exclusive(A::table(), &key)]).await;
        let found = tx.get(A::table(), &key).await?.map(|j: Json<A>| j.0);
        Ok(found.filter(|a| is_own(a, cx)).map(|api| Change { cx, api, tx }))
    }

    /// Begins with a new API.
    pub async fn create(store: &Store, cx: &'a Cx, api: A) -> Self {
        let tx = store.lock(&[Lock::exclusive(A::table(), &api_key(api.id()))]).await;
        let mut change = Change { cx, api, tx };
        change.tx.put(A::owned(), &change.owner(), &());
        change.put_api();
        change
    }

    fn owner(&self) -> Key {
        Key::new().str(self.api.account()).str(self.api.region()).str(self.api.id())
    }

    /// # Errors
    /// The store's.
    pub async fn find<T: Child>(&mut self, id: &str) -> Result<Option<T>> {
        let found = self.tx.get(T::table(), &child_key(self.api.id(), id)).await?;
        Ok(found.map(|j| j.0))
    }

    /// # Errors
    /// The store's.
    pub async fn all<T: Child>(&mut self) -> Result<Vec<T>> {
        let range = Range::prefix(&api_key(self.api.id()));
        let found = self.tx.scan(T::table(), range, MOST).await?;
        Ok(found.into_iter().map(|(_, d)| d.0).collect())
    }

    pub fn put<T: Child>(&mut self, document: &T) {
        let key = child_key(self.api.id(), document.id());
        self.tx.put(T::table(), &key, &Json(document.clone()));
    }

    pub fn delete<T: Child>(&mut self, id: &str) {
        self.tx.delete(T::table(), &child_key(self.api.id(), id));
    }

    /// The API itself has changed.
    pub fn put_api(&mut self) {
        self.tx.put(A::table(), &api_key(self.api.id()), &Json(self.api.clone()));
    }

    /// Writes it all.
    ///
    /// # Errors
    /// The store's.
    pub async fn commit(mut self) -> Result<()> {
        let key = api_key(self.api.id());
        let version = self.tx.get(A::versions(), &key).await?.unwrap_or_default();
        self.tx.put(A::versions(), &key, &(version + 1));
        self.tx.commit().await?;
        Ok(())
    }

    /// Deletes what the API has in a table.
    ///
    /// # Errors
    /// The store's.
    pub async fn clear<R: Record>(&mut self, table: &'static Table<R>) -> Result<()> {
        let range = Range::prefix(&api_key(self.api.id()));
        for (key, _) in self.tx.scan(table, range, usize::MAX).await? {
            self.tx.delete(table, &key);
        }
        Ok(())
    }

    /// Deletes the API, whose tables have been cleared.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete_api(mut self) -> Result<()> {
        let key = api_key(self.api.id());
        let owner = self.owner();
        self.tx.delete(A::table(), &key);
        self.tx.delete(A::versions(), &key);
        self.tx.delete(A::owned(), &owner);
        self.tx.commit().await?;
        Ok(())
    }
}
