//! Parameters in the store: loaded by version or label, deleted.

use fogbank_core::{ApiError, Cx, Result};
use fogbank_store::{Lock, Tx};

use crate::Ssm;
use crate::error::{no_version, not_found};
use crate::job::JOBS;
use crate::name::Asked;
use crate::record::{PARAMETERS, Parameter, Place, VERSIONS, Version, moment};

impl Ssm {
    /// The parameter at a place.
    pub(crate) async fn load(&self, place: &Place) -> Result<Option<Parameter>> {
        Ok(self.store.get(&PARAMETERS, &place.key()).await?)
    }

    /// The version of a parameter that a name asks for.
    pub(crate) async fn version(&self, head: &Parameter, asked: &Asked) -> Result<Version> {
        let name = &head.place.name;
        let number = match asked.selector.as_deref().map(|s| &s[1..]) {
            None => head.version,
            Some(s) if !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()) => {
                s.parse().map_err(|_| no_version(name, s))?
            }
            Some(label) => {
                let found = head.labels.iter().find(|(l, _)| l == label);
                found.map(|(_, n)| *n).ok_or_else(|| no_label(name, label))?
            }
        };
        let found = self.store.get(&VERSIONS, &head.place.version(number)).await?;
        found.ok_or_else(|| no_version(name, number))
    }

    /// Changes the head of a parameter.
    pub(crate) async fn edit<T>(
        &self,
        place: &Place,
        missing: impl FnOnce() -> ApiError,
        change: impl FnOnce(&mut Parameter) -> Result<T>,
    ) -> Result<T> {
        let at = place.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&PARAMETERS, &at)]).await;
        let mut head = tx.get(&PARAMETERS, &at).await?.ok_or_else(missing)?;
        let answer = change(&mut head)?;
        tx.put(&PARAMETERS, &at, &head);
        tx.commit().await?;
        Ok(answer)
    }

    /// Deletes a parameter with all its versions, if it is there and `agree` says so.
    pub(crate) async fn remove(
        &self,
        place: &Place,
        agree: impl FnOnce(&Parameter) -> bool,
    ) -> Result<bool> {
        let at = place.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&PARAMETERS, &at)]).await;
        let Some(head) = tx.get(&PARAMETERS, &at).await?.filter(|p| agree(p)) else {
            return Ok(false);
        };
        for number in head.oldest..=head.version {
            tx.delete(&VERSIONS, &place.version(number));
        }
        unschedule(&mut tx, &head);
        tx.delete(&PARAMETERS, &at);
        tx.commit().await?;
        Ok(true)
    }

    /// The parameter that a name asks for, which must be of the caller's account and region.
    pub(crate) async fn own(&self, cx: &Cx, asked: &Asked) -> Result<Parameter> {
        let place = &asked.place;
        if place.account != cx.account || place.region != cx.region {
            return Err(not_found());
        }
        self.load(place).await?.ok_or_else(not_found)
    }
}

/// Takes the expiry of a parameter back.
pub fn unschedule(tx: &mut Tx, head: &Parameter) {
    if let Some(due) = head.expires {
        JOBS.cancel(tx, moment(due), &head.place.arn());
    }
}

fn no_label(name: &str, label: &str) -> ApiError {
    ApiError::new(
        "ParameterVersionNotFound",
        format!(
            "Systems Manager could not find the label {label} for parameter {name}. Verify the \
             label and try again."
        ),
    )
}
