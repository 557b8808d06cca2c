//! A change of an API: one transaction, a new version, and new deployments where stages follow.

use fogbank_apigw::Json;
use fogbank_core::{Cx, Result, Time, Value};
use fogbank_store::{Key, Lock, Range, Table, Tx};

use crate::ApiGatewayV2;
use crate::api::{APIS, Api};
use crate::deployment::{self, DEPLOYMENTS, Deployment};
use crate::document::{Child, MOST, api_key, child_key, new_id};
use crate::error::{bad_request, no_such_api, not_found};
use crate::stage::{STAGES, Stage};

/// Counts the changes of an API: what is compiled is as good as its version.
pub static VERSIONS: Table<u64> = Table::new("apigatewayv2.version");

/// A change under way. It holds the API, so that changes come one after the other.
pub struct Change<'a> {
    pub cx: &'a Cx,
    pub api: Api,
    pub tx: Tx,
    deploys: bool,
}

impl ApiGatewayV2 {
    /// Begins a change of an API of the caller's.
    pub async fn change<'a>(&self, cx: &'a Cx, id: &str) -> Result<Change<'a>> {
        let key = api_key(id);
        let mut tx = self.store.lock(&[Lock::exclusive(&APIS, &key)]).await;
        let found = tx.get(&APIS, &key).await?.map(|j: Json<Api>| j.0);
        let own = |a: &Api| a.account == cx.account && a.region == cx.region;
        let api = found.filter(own).ok_or_else(|| no_such_api(&cx.account, id))?;
        Ok(Change { cx, api, tx, deploys: false })
    }
}

impl<'a> Change<'a> {
    /// The change that makes an API.
    pub fn new(cx: &'a Cx, api: Api, tx: Tx) -> Self {
        Change { cx, api, tx, deploys: false }
    }

    pub async fn find<T: Child>(&mut self, id: &str) -> Result<Option<T>> {
        let found = self.tx.get(T::table(), &child_key(&self.api.api_id, id)).await?;
        Ok(found.map(|j| j.0))
    }

    pub async fn get<T: Child>(&mut self, id: &str) -> Result<T> {
        self.find(id).await?.ok_or_else(|| not_found(T::KIND))
    }

    pub async fn all<T: Child>(&mut self) -> Result<Vec<T>> {
        let range = Range::prefix(&api_key(&self.api.api_id));
        let found = self.tx.scan(T::table(), range, MOST).await?;
        Ok(found.into_iter().map(|(_, d)| d.0).collect())
    }

    /// Refuses one more of a kind when there are `quota`.
    pub async fn room<T: Child>(&mut self, quota: usize) -> Result<()> {
        if self.all::<T>().await?.len() < quota {
            return Ok(());
        }
        Err(bad_request(format!("Number of {}s exceeded the limit of {quota}", T::KIND)))
    }

    pub fn put<T: Child>(&mut self, document: &T) {
        let key = child_key(&self.api.api_id, document.id());
        self.tx.put(T::table(), &key, &Json(document.clone()));
    }

    pub fn delete<T: Child>(&mut self, id: &str) {
        self.tx.delete(T::table(), &child_key(&self.api.api_id, id));
    }

    /// The API itself has changed.
    pub fn put_api(&mut self) {
        self.tx.put(&APIS, &api_key(&self.api.api_id), &Json(self.api.clone()));
    }

    /// What stages serve has changed: those that deploy by themselves do.
    pub fn deploys(&mut self) {
        self.deploys = true;
    }

    /// Makes a deployment and gives it to a stage that follows the API.
    pub async fn follow(&mut self, stage: &mut Stage) -> Result<()> {
        let old = stage.deployment_id.take();
        if let Some(old) = old
            && let Some(d) = self.find::<Deployment>(&old).await?
            && d.auto_deployed == Some(true)
        {
            deployment::remove(self, &old);
        }
        let new = Deployment::new(self.cx, new_id(self.cx, 6), None, true);
        let id = new.deployment_id.clone();
        stage.last_deployment_status_message =
            Some(format!("Successfully deployed stage with deployment ID '{id}'"));
        stage.last_updated_date = Some(Time(self.cx.now));
        stage.deployment_id = Some(id);
        self.put(&new);
        Ok(())
    }

    /// Writes it all.
    pub async fn commit(mut self) -> Result<()> {
        if self.deploys {
            for mut stage in self.all::<Stage>().await? {
                if stage.auto_deploy == Some(true) {
                    self.follow(&mut stage).await?;
                    self.put(&stage);
                }
            }
        }
        let key = api_key(&self.api.api_id);
        let version = self.tx.get(&VERSIONS, &key).await?.unwrap_or_default();
        self.tx.put(&VERSIONS, &key, &(version + 1));
        self.tx.commit().await?;
        Ok(())
    }

    /// Deletes the API with all it has.
    pub async fn delete_api(mut self, owned: &'static Table<()>) -> Result<()> {
        let id = self.api.api_id.clone();
        let key = api_key(&id);
        self.clear(&crate::route::ROUTES).await?;
        self.clear(&crate::integration::INTEGRATIONS).await?;
        self.clear(&crate::authorizer::AUTHORIZERS).await?;
        self.clear(&STAGES).await?;
        self.clear(&DEPLOYMENTS).await?;
        self.clear(&deployment::SNAPSHOTS).await?;
        self.tx.delete(&APIS, &key);
        self.tx.delete(&VERSIONS, &key);
        let owner = Key::new().str(&self.api.account).str(&self.api.region).str(&id);
        self.tx.delete(owned, &owner);
        self.tx.commit().await?;
        Ok(())
    }

    /// Deletes what an API has in a table.
    pub async fn clear<T: fogbank_store::Record>(
        &mut self,
        table: &'static Table<T>,
    ) -> Result<()> {
        let range = Range::prefix(&api_key(&self.api.api_id));
        for (key, _) in self.tx.scan(table, range, usize::MAX).await? {
            self.tx.delete(table, &key);
        }
        Ok(())
    }
}

/// A document as an operation answers it.
pub fn shown<T: Child>(document: &T) -> Result<Value> {
    fogbank_core::value::to_value(document)
}
