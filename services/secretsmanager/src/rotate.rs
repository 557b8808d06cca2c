//! Rotation as it happens: four calls of a Lambda function, each a job of its own, so that a
//! rotation goes on where a process ended.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html>

use std::sync::Arc;

use bytes::Bytes;
use fogbank_bus::Next;
use fogbank_core::{ApiError, Cloud, Cx, Result, Source, Value, map};
use fogbank_store::Lock;
use jiff::Timestamp;

use crate::Manager;
use crate::job::{Job, Task, later};
use crate::record::{Place, SECRETS, Secret};
use crate::rotation::{begin, incomplete, schedule};

const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];
/// How long to wait after each failure, in seconds; then the rotation waits for its next turn.
const PATIENCE: [i64; 4] = [60, 300, 900, 3600];

/// The service, on behalf of a secret.
fn acting(cloud: &Arc<dyn Cloud>, secret: &Secret) -> Cx {
    let Place { account, region, .. } = &secret.place;
    let source = Source { arn: secret.arn(), account: account.clone() };
    Cx::acting(
        cloud,
        "secretsmanager.amazonaws.com",
        "secretsmanager",
        account,
        region.clone(),
        Some(source),
    )
}

/// Whether the function is there and lets the service in.
///
/// # Errors
/// AWS's sentence when it does not.
pub async fn try_function(cloud: &Arc<dyn Cloud>, secret: &Secret, lambda: &str) -> Result<()> {
    let input = map! { "FunctionName" => lambda, "InvocationType" => "DryRun" };
    match acting(cloud, secret).call("lambda", "Invoke", input).await {
        Ok(_) => Ok(()),
        Err(e) if matches!(e.code(), "NotImplemented" | "InternalFailure") => Err(e),
        Err(e) => Err(ApiError::new(
            "AccessDeniedException",
            "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function \
             policy grants access to the principal secretsmanager.amazonaws.com.",
        )
        .status(400)
        .context(e.to_string())),
    }
}

/// A step: of which version, which of [`STEPS`], how often it has failed, and which beginning of a
/// rotation it belongs to.
pub struct Step<'a> {
    pub version: &'a str,
    pub number: u8,
    pub failed: u8,
    pub begun: u32,
}

impl Manager {
    /// Begins a rotation that the schedule asks for.
    pub(crate) async fn begin_due(
        &self,
        cloud: &Arc<dyn Cloud>,
        place: &Place,
        suffix: &str,
        due: i64,
        now: Timestamp,
    ) -> Result<()> {
        let at = place.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&SECRETS, &at)]).await;
        let Some(mut secret) = tx.get(&SECRETS, &at).await? else { return Ok(()) };
        let planned = secret.rotation.as_ref().and_then(|r| r.next);
        if secret.suffix != suffix || secret.deleted.is_some() || planned != Some(due) {
            return Ok(());
        }
        // A rotation that was left unfinished is what is tried again.
        let token = incomplete(&secret).map_or_else(|| cloud.ids().uuid(), str::to_owned);
        begin(&mut tx, &mut secret, &token, now)?;
        schedule(&mut tx, &mut secret, now);
        tx.put(&SECRETS, &at, &secret);
        tx.commit().await?;
        self.wake();
        Ok(())
    }

    /// Takes a step of a rotation.
    pub(crate) async fn step(
        &self,
        cloud: &Arc<dyn Cloud>,
        job: &Job,
        step: Step<'_>,
        now: Timestamp,
    ) -> Result<Next<Job>> {
        let Step { version, number, failed, begun } = step;
        let found = self.store.get(&SECRETS, &job.place.key()).await?;
        let Some(secret) = found.filter(|s| s.suffix == job.suffix && s.deleted.is_none()) else {
            return Ok(Next::Done);
        };
        let rotation = secret.rotation.as_ref().filter(|r| r.enabled && r.begun == Some(begun));
        let (Some(lambda), Some(name)) =
            (rotation.and_then(|r| r.lambda.clone()), STEPS.get(usize::from(number)))
        else {
            return Ok(Next::Done);
        };
        let next = |number, failed| Job {
            task: Task::Step(version.to_owned(), number, failed, begun),
            ..job.clone()
        };
        if let Err(why) = invoke(cloud, &secret, &lambda, name, version).await {
            let arn = secret.arn();
            tracing::warn!("rotation of {arn}: {name} failed: {why}");
            return Ok(match PATIENCE.get(usize::from(failed)) {
                Some(wait) => Next::At(later(now, *wait), next(number, failed + 1)),
                None => Next::Done,
            });
        }
        if usize::from(number) + 1 < STEPS.len() {
            return Ok(Next::At(now, next(number + 1, 0)));
        }
        self.finish(&secret, now).await?;
        Ok(Next::Done)
    }

    /// Notes that a rotation has succeeded.
    async fn finish(&self, secret: &Secret, now: Timestamp) -> Result<()> {
        let done = self.edit_at(secret, |secret, _| {
            if let Some(r) = &mut secret.rotation {
                r.last = Some(now.as_microsecond());
            }
            secret.changed = now.as_microsecond();
            Ok(())
        });
        match done.await {
            Err(e) if e.code() == "ResourceNotFoundException" => Ok(()),
            other => other,
        }
    }
}

/// One call of the function; `Err` says why it did not succeed.
async fn invoke(
    cloud: &Arc<dyn Cloud>,
    secret: &Secret,
    lambda: &str,
    step: &str,
    version: &str,
) -> Result<(), String> {
    let event = serde_json::json!({
        "Step": step,
        "SecretId": secret.arn(),
        "ClientRequestToken": version,
    });
    let input = map! {
        "FunctionName" => lambda,
        "InvocationType" => "RequestResponse",
        "Payload" => Value::Blob(Bytes::from(event.to_string())),
    };
    let reply = acting(cloud, secret).call("lambda", "Invoke", input).await;
    let reply = reply.map_err(|e| e.to_string())?;
    match reply.str("FunctionError") {
        None => Ok(()),
        Some(e) => Err(format!("the function ended with an error ({e})")),
    }
}

#[cfg(test)]
mod tests;
