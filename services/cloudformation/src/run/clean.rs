//! Deleting: what the model does not have, and what was replaced; last made, first gone.

use std::collections::{BTreeMap, BTreeSet};

use fogbank_core::Result;
use fogbank_store::Lock;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{AT_ONCE, Run, reason};
use crate::kinds;
use crate::record::{EventRecord, Instance, RESOURCES, ResourceRecord, of_stack};

impl Run<'_> {
    /// Deletes what is not (`keep`: not any more) part of the model, with `keep` only that; without,
    /// everything. Gives the logical ids of what could not be deleted.
    ///
    /// # Errors
    /// The store's.
    pub async fn clean(&self, keep: bool) -> Result<Vec<String>> {
        let all = self.cfn.resources(self.stack.unique()).await?;
        let doomed: BTreeMap<String, ResourceRecord> = all
            .into_iter()
            .filter(|r| r.now.is_some() || !r.old.is_empty() || r.status.ends_with("_FAILED"))
            .filter(|r| !keep || !self.target.contains_key(&r.logical_id) || !r.old.is_empty())
            .map(|r| (r.logical_id.clone(), r))
            .collect();
        // A resource goes once all that were made from it are gone.
        let mut held: BTreeMap<String, BTreeSet<String>> =
            doomed.keys().map(|n| (n.clone(), BTreeSet::new())).collect();
        for (name, r) in &doomed {
            for need in &r.needs {
                if let Some(by) = held.get_mut(need) {
                    by.insert(name.clone());
                }
            }
        }
        let mut failed = Vec::new();
        let mut running = FuturesUnordered::new();
        loop {
            let free: Vec<String> = held
                .iter()
                .filter(|(_, by)| by.is_empty())
                .take(AT_ONCE - running.len().min(AT_ONCE))
                .map(|(n, _)| n.clone())
                .collect();
            for name in free {
                held.remove(&name);
                let Some(r) = doomed.get(&name).cloned() else { continue };
                let stays = keep && self.target.contains_key(&name);
                running.push(async move { (self.remove(r, stays).await, name) });
            }
            let Some((result, name)) = running.next().await else { break };
            if result? {
                for by in held.values_mut() {
                    by.remove(&name);
                }
            } else {
                failed.push(name);
            }
        }
        failed.sort();
        Ok(failed)
    }

    /// Deletes what stands behind a resource: its old instances, and the one of now unless it
    /// `stays`. Tells whether all is gone.
    async fn remove(&self, mut r: ResourceRecord, stays: bool) -> Result<bool> {
        while let Some(old) = r.old.last().cloned() {
            if !self.delete(&mut r, &old, true).await? {
                return Ok(false);
            }
            r.old.pop();
            self.save(&r).await?;
        }
        if stays {
            return Ok(true);
        }
        let Some(now) = r.now.clone() else {
            // It was never made.
            self.step(&mut r, "DELETE_COMPLETE", None, None).await?;
            return Ok(true);
        };
        let done = self.delete(&mut r, &now, false).await?;
        if done {
            r.now = None;
            self.save(&r).await?;
        }
        Ok(done)
    }

    async fn save(&self, r: &ResourceRecord) -> Result<()> {
        let key = of_stack(self.stack.unique(), &r.logical_id);
        Ok(self.cfn.store.put(&RESOURCES, &key, r).await?)
    }

    /// Deletes one instance, or leaves it alone where its policy says so.
    async fn delete(&self, r: &mut ResourceRecord, i: &Instance, replaced: bool) -> Result<bool> {
        let policy = if replaced { &r.update_replace_policy } else { &r.deletion_policy };
        let retain = match policy.as_deref() {
            Some("Retain") => true,
            Some("RetainExceptOnCreate") => self.stack.status != "ROLLBACK_IN_PROGRESS",
            _ => false,
        } || self.stack.skip.contains(&r.logical_id);
        if retain {
            self.tell(r, i, "DELETE_SKIPPED", None, !replaced).await?;
            return Ok(true);
        }
        self.tell(r, i, "DELETE_IN_PROGRESS", None, !replaced).await?;
        let outcome = match kinds::find(&i.kind) {
            Some(kind) => (kind.delete)(&self.maker(r), i).await,
            None => Ok(()),
        };
        match outcome {
            Ok(()) => {
                self.tell(r, i, "DELETE_COMPLETE", None, !replaced).await?;
                Ok(true)
            }
            Err(e) => {
                let why = Some(reason(self.cx, &e));
                self.tell(r, i, "DELETE_FAILED", why, !replaced).await?;
                Ok(false)
            }
        }
    }

    /// An event about an instance; with `mark` the resource itself is in that state.
    async fn tell(
        &self,
        r: &mut ResourceRecord,
        i: &Instance,
        status: &str,
        reason: Option<String>,
        mark: bool,
    ) -> Result<()> {
        let key = of_stack(self.stack.unique(), &r.logical_id);
        let mut tx = self.cfn.store.lock(&[Lock::exclusive(&RESOURCES, &key)]).await;
        if mark {
            r.status = status.to_owned();
            r.reason.clone_from(&reason);
            r.at = self.cx.cloud.clock().now().as_microsecond();
            tx.put(&RESOURCES, &key, &*r);
        }
        let event = EventRecord {
            id: String::new(),
            logical_id: r.logical_id.clone(),
            physical_id: i.physical_id.clone(),
            kind: i.kind.clone(),
            status: status.to_owned(),
            reason,
            at: 0,
            properties: None,
            token: self.stack.token.clone(),
        };
        self.cfn.event(self.cx, &mut tx, self.stack.unique(), event);
        Ok(tx.commit().await?)
    }
}
