//! A change of an HTTP API, with new deployments where stages follow it.

use std::ops::{Deref, DerefMut};

use fogbank_apigw::{Child, new_id};
use fogbank_core::{Cx, Result, Time};

use crate::ApiGatewayV2;
use crate::api::Api;
use crate::deployment::{self, DEPLOYMENTS, Deployment};
use crate::error::{bad_request, no_such_api, not_found};
use crate::stage::{STAGES, Stage};

pub use fogbank_apigw::shown;

/// A change under way.
pub struct Change<'a> {
    inner: fogbank_apigw::Change<'a, Api>,
    deploys: bool,
}

impl<'a> Deref for Change<'a> {
    type Target = fogbank_apigw::Change<'a, Api>;
    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl ApiGatewayV2 {
    /// Begins a change of an API of the caller's.
    pub async fn change<'a>(&self, cx: &'a Cx, id: &str) -> Result<Change<'a>> {
        let inner = fogbank_apigw::Change::begin(&self.store, cx, id).await?;
        let inner = inner.ok_or_else(|| no_such_api(&cx.account, id))?;
        Ok(Change { inner, deploys: false })
    }

    /// Begins with a new API.
    pub async fn create<'a>(&self, cx: &'a Cx, api: Api) -> Change<'a> {
        let inner = fogbank_apigw::Change::create(&self.store, cx, api).await;
        Change { inner, deploys: false }
    }
}

impl Change<'_> {
    pub async fn get<T: Child>(&mut self, id: &str) -> Result<T> {
        self.find(id).await?.ok_or_else(|| not_found(T::KIND))
    }

    /// Refuses one more of a kind when there are `quota`.
    pub async fn room<T: Child>(&mut self, quota: usize) -> Result<()> {
        if self.all::<T>().await?.len() < quota {
            return Ok(());
        }
        Err(bad_request(format!("Number of {}s exceeded the limit of {quota}", T::KIND)))
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
        self.inner.commit().await
    }

    /// Deletes the API with all it has.
    pub async fn delete_api(mut self) -> Result<()> {
        self.clear(&crate::route::ROUTES).await?;
        self.clear(&crate::integration::INTEGRATIONS).await?;
        self.clear(&crate::authorizer::AUTHORIZERS).await?;
        self.clear(&STAGES).await?;
        self.clear(&DEPLOYMENTS).await?;
        self.clear(&deployment::SNAPSHOTS).await?;
        self.inner.delete_api().await
    }
}
