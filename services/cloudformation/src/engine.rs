//! Operations under way: each stack's is one durable job, which goes on after a restart where its
//! records say that it was.

use std::sync::Arc;

use fogbank_bus::{Jobs, Next, Options, Worker};
use fogbank_core::{ApiError, Cloud, Cx, Result, Source};
use fogbank_store::{Tx, record};
use minicbor::{Decode, Encode};

use crate::CloudFormation;
use crate::record::{EventRecord, STACKS, StackRecord, stack_key, unique};
use crate::run::{Outcome, Run};

mod outputs;

pub use outputs::importers;

static OPERATIONS: Jobs<Operation> = Jobs::new("cfn.operation");

/// A stack that has something to do.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Operation {
    #[n(0)]
    account: String,
    #[n(1)]
    region: String,
    #[n(2)]
    unique: String,
}
record!(Operation, version = 1);

/// Adds the operation of a stack to the transaction that asks for it.
pub fn enqueue(cx: &Cx, tx: &mut Tx, stack: &StackRecord) {
    let operation = Operation {
        account: stack.account.clone(),
        region: stack.region.clone(),
        unique: stack.unique().to_owned(),
    };
    OPERATIONS.put(tx, cx.cloud.clock().now(), stack.unique(), &operation);
}

/// Starts the worker.
pub fn start(cfn: Arc<CloudFormation>, cloud: Arc<dyn Cloud>) -> Worker {
    let (store, clock) = (cfn.store.clone(), cloud.clock().clone());
    Worker::start(store, clock, &OPERATIONS, Options { at_once: 64 }, move |job| {
        let (cfn, cloud) = (Arc::clone(&cfn), Arc::clone(&cloud));
        async move {
            let again = job.what.clone();
            match work(&cfn, &cloud, &job.what).await {
                Ok(()) => Next::Done,
                Err(e) => {
                    tracing::error!(
                        stack = again.unique,
                        "the stack cannot go on: {e} {}",
                        e.internal_context().unwrap_or_default()
                    );
                    let later = cloud.clock().now() + jiff::SignedDuration::from_secs(5);
                    Next::At(later, again)
                }
            }
        }
    })
}

/// Takes a stack from phase to phase until it rests.
async fn work(cfn: &CloudFormation, cloud: &Arc<dyn Cloud>, op: &Operation) -> Result<()> {
    let key = stack_key(&op.account, &op.region, &op.unique);
    loop {
        let Some(stack) = cfn.store.get(&STACKS, &key).await? else { return Ok(()) };
        if !stack.in_progress() {
            return Ok(());
        }
        let own = Cx::acting(
            cloud,
            "cloudformation.amazonaws.com",
            "cloudformation",
            &stack.account,
            stack.region.clone(),
            Some(Source { arn: stack.id.clone(), account: stack.account.clone() }),
        );
        let cx = match caller(&own, &stack).await {
            Ok(cx) => cx,
            Err(e) => {
                let reason = format!(
                    "Role {} is invalid or cannot be assumed: {}",
                    stack.model.role.as_deref().unwrap_or_default(),
                    e.message()
                );
                give_up(cfn, &own, &stack, &reason).await?;
                continue;
            }
        };
        match stack.status.as_str() {
            "CREATE_IN_PROGRESS" => create(cfn, &cx, &stack).await?,
            "UPDATE_IN_PROGRESS" => update(cfn, &cx, &stack).await?,
            "UPDATE_ROLLBACK_IN_PROGRESS" => roll_back(cfn, &cx, &stack).await?,
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => {
                let run = Run::new(cfn, &cx, &stack, &stack.model).await?;
                run.clean(true).await?;
                rest(cfn, &cx, &stack, "UPDATE_COMPLETE", None).await?;
            }
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" => {
                let run = Run::new(cfn, &cx, &stack, &stack.model).await?;
                run.clean(true).await?;
                rest(cfn, &cx, &stack, "UPDATE_ROLLBACK_COMPLETE", None).await?;
            }
            "ROLLBACK_IN_PROGRESS" => {
                let run = Run::new(cfn, &cx, &stack, &stack.model).await?;
                let failed = run.clean(false).await?;
                let (status, reason) = if failed.is_empty() {
                    ("ROLLBACK_COMPLETE", None)
                } else {
                    ("ROLLBACK_FAILED", Some(not_deleted(&failed)))
                };
                if status == "ROLLBACK_COMPLETE" && stack.on_failure == "DELETE" {
                    gone(cfn, &cx, &stack).await?;
                } else {
                    rest(cfn, &cx, &stack, status, reason).await?;
                }
            }
            "DELETE_IN_PROGRESS" => {
                let run = Run::new(cfn, &cx, &stack, &stack.model).await?;
                let failed = run.clean(false).await?;
                if failed.is_empty() {
                    gone(cfn, &cx, &stack).await?;
                } else {
                    rest(cfn, &cx, &stack, "DELETE_FAILED", Some(not_deleted(&failed))).await?;
                }
            }
            other => return Err(ApiError::internal(format!("a stack in the state {other}"))),
        }
        cfn.progress.news.notify_waiters();
    }
}

/// In whose name calls are made: the execution role's, or the caller's.
async fn caller(own: &Cx, stack: &StackRecord) -> Result<Cx> {
    match &stack.model.role {
        Some(role) => {
            let credential = own.assume(role, "AWSCloudFormation").await?;
            Ok(own.in_session(&credential))
        }
        None => Ok(own.with_principal(Arc::new(stack.caller.principal()), None)),
    }
}

async fn create(cfn: &CloudFormation, cx: &Cx, stack: &StackRecord) -> Result<()> {
    let run = Run::new(cfn, cx, stack, &stack.model).await?;
    let reason = match run.converge().await? {
        Outcome::Done => match outputs::publish(&run).await? {
            Ok(()) => return rest(cfn, cx, stack, "CREATE_COMPLETE", None).await,
            Err(reason) => reason,
        },
        Outcome::Failed(names) => {
            format!("The following resource(s) failed to create: [{}]. ", names.join(", "))
        }
    };
    if stack.on_failure == "DO_NOTHING" {
        return rest(cfn, cx, stack, "CREATE_FAILED", Some(reason)).await;
    }
    let reason = format!("{reason}Rollback requested by user.");
    rest(cfn, cx, stack, "ROLLBACK_IN_PROGRESS", Some(reason)).await
}

async fn update(cfn: &CloudFormation, cx: &Cx, stack: &StackRecord) -> Result<()> {
    let run = Run::new(cfn, cx, stack, &stack.model).await?;
    let reason = match run.converge().await? {
        Outcome::Done => match outputs::publish(&run).await? {
            Ok(()) => {
                let status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS";
                return rest(cfn, cx, stack, status, None).await;
            }
            Err(reason) => reason,
        },
        Outcome::Failed(names) => {
            format!("The following resource(s) failed to update: [{}]. ", names.join(", "))
        }
    };
    if stack.on_failure == "DO_NOTHING" {
        return rest(cfn, cx, stack, "UPDATE_FAILED", Some(reason)).await;
    }
    rest(cfn, cx, stack, "UPDATE_ROLLBACK_IN_PROGRESS", Some(reason)).await
}

/// Back to the model before the update.
async fn roll_back(cfn: &CloudFormation, cx: &Cx, stack: &StackRecord) -> Result<()> {
    let before = stack.previous.clone().unwrap_or_else(|| stack.model.clone());
    let run = Run::new(cfn, cx, stack, &before).await?.skipping(&stack.skip);
    match run.converge().await? {
        Outcome::Done => {
            let _ = outputs::publish(&run).await?;
            cfn.edit(&stack.key(), |s, _| {
                s.model = before;
                s.previous = None;
                s.skip.clear();
                Ok(())
            })
            .await?;
            rest(cfn, cx, stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None).await
        }
        Outcome::Failed(names) => {
            let names = names.join(", ");
            let reason = format!("The following resource(s) failed to update: [{names}]. ");
            rest(cfn, cx, stack, "UPDATE_ROLLBACK_FAILED", Some(reason)).await
        }
    }
}

/// A stack whose operation cannot even begin.
async fn give_up(cfn: &CloudFormation, cx: &Cx, stack: &StackRecord, reason: &str) -> Result<()> {
    let status = match stack.status.as_str() {
        "CREATE_IN_PROGRESS" => "CREATE_FAILED",
        "ROLLBACK_IN_PROGRESS" => "ROLLBACK_FAILED",
        "DELETE_IN_PROGRESS" => "DELETE_FAILED",
        "UPDATE_IN_PROGRESS" => "UPDATE_FAILED",
        _ => "UPDATE_ROLLBACK_FAILED",
    };
    rest(cfn, cx, stack, status, Some(reason.to_owned())).await
}

fn not_deleted(names: &[String]) -> String {
    format!("The following resource(s) failed to delete: [{}]. ", names.join(", "))
}

/// Writes a stack's new state with its event.
async fn rest(
    cfn: &CloudFormation,
    cx: &Cx,
    stack: &StackRecord,
    status: &str,
    reason: Option<String>,
) -> Result<()> {
    let now = cx.cloud.clock().now().as_microsecond();
    cfn.edit(&stack.key(), |s, tx| {
        s.status = status.to_owned();
        s.reason = reason.clone();
        s.cancel = false;
        if status.starts_with("UPDATE") || status.starts_with("ROLLBACK") {
            s.updated = Some(now);
        }
        if status == "UPDATE_COMPLETE" {
            s.previous = None;
        }
        cfn.event(cx, tx, s.unique(), event(s, status, reason.clone()));
        Ok(())
    })
    .await
}

/// A stack's own event.
pub fn event(s: &StackRecord, status: &str, reason: Option<String>) -> EventRecord {
    EventRecord {
        id: String::new(),
        logical_id: s.name.clone(),
        physical_id: s.id.clone(),
        kind: "AWS::CloudFormation::Stack".into(),
        status: status.to_owned(),
        reason,
        at: 0,
        properties: None,
        token: s.token.clone(),
    }
}

/// The end of a stack: its name is free again, its record stays for those who know its id.
async fn gone(cfn: &CloudFormation, cx: &Cx, stack: &StackRecord) -> Result<()> {
    let names = crate::record::name_key(&stack.account, &stack.region, &stack.name);
    let own = cfn.store.get(&crate::record::NAMES, &names).await?;
    let own = own.is_some_and(|id| id == unique(&stack.id).as_bytes());
    outputs::withdraw(cfn, stack).await?;
    let now = cx.cloud.clock().now().as_microsecond();
    cfn.edit(&stack.key(), |s, tx| {
        s.status = "DELETE_COMPLETE".into();
        s.reason = None;
        s.deleted = Some(now);
        if own {
            tx.delete(&crate::record::NAMES, &names);
        }
        cfn.event(cx, tx, s.unique(), event(s, "DELETE_COMPLETE", None));
        Ok(())
    })
    .await
}
