//! Which secret a `SecretId` means: a name, an ARN, or an ARN without its suffix.

use std::sync::Arc;

use fogbank_core::{ApiError, Cx, Result};
use fogbank_store::{Lock, Tx};

use crate::Manager;
use crate::error::no_secret;
use crate::record::{Place, SECRETS, Secret};

/// The secret that the checks of a request have found.
pub struct Asked(pub Arc<Secret>);

impl Manager {
    /// The secret that `id` means, if there is one.
    pub(crate) async fn find(&self, cx: &Cx, id: &str) -> Result<Option<Secret>> {
        let (bare, whole) = Place::of(cx, id);
        for (place, suffix) in whole.map(|(p, s)| (p, Some(s))).into_iter().chain([(bare, None)]) {
            if place.region != cx.region {
                return Ok(None);
            }
            let found = self.store.get(&SECRETS, &place.key()).await?;
            if let Some(secret) = found.filter(|f| suffix.is_none_or(|s| s == f.suffix)) {
                return Ok(Some(secret));
            }
        }
        Ok(None)
    }

    /// What the checks of this request found, else the secret that `id` means.
    pub(crate) async fn asked(&self, cx: &Cx, id: &str) -> Result<Arc<Secret>> {
        if let Some(found) = cx.recall::<Asked>() {
            return Ok(Arc::clone(&found.0));
        }
        Ok(Arc::new(self.find(cx, id).await?.ok_or_else(no_secret)?))
    }

    /// Changes the secret that `id` means.
    pub(crate) async fn edit<T>(
        &self,
        cx: &Cx,
        id: &str,
        change: impl FnOnce(&mut Secret, &mut Tx) -> Result<T>,
    ) -> Result<T> {
        let found = self.asked(cx, id).await?;
        self.edit_at(&found, change).await
    }

    /// Changes a secret that was found before.
    pub(crate) async fn edit_at<T>(
        &self,
        found: &Secret,
        change: impl FnOnce(&mut Secret, &mut Tx) -> Result<T>,
    ) -> Result<T> {
        let at = found.place.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&SECRETS, &at)]).await;
        let secret = tx.get(&SECRETS, &at).await?;
        // Another secret may have taken the name meanwhile.
        let mut secret = secret.filter(|s| s.suffix == found.suffix).ok_or_else(no_secret)?;
        let answer = change(&mut secret, &mut tx)?;
        tx.put(&SECRETS, &at, &secret);
        tx.commit().await?;
        Ok(answer)
    }
}

/// Refuses members of an input that have no effect here.
pub fn refuse(cx: &Cx, members: &[(&str, bool)]) -> Result<(), ApiError> {
    match members.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(cx.refuse_member(name)),
        None => Ok(()),
    }
}
