//! Activities: work that is fetched.

use std::time::Duration;

use fogbank_asl::Signal;
use fogbank_asl::run::Phase;
use fogbank_core::{Cx, Op, Result, Time, Value, map, ops};
use fogbank_store::{Key, Lock, Range};
use serde::{Deserialize, Serialize};

use crate::arn::{ActivityArn, check_name};
use crate::drive::Knock;
use crate::error::no_activity;
use crate::machine::{default_encryption, encryption, time};
use crate::page::PageInput;
use crate::record::{
    ACTIVITIES, Activity, EXECUTIONS, Encryption, Execution, RUNS, StoredRun, Tag, WORK, Waiting,
};
use crate::token::Token;
use crate::{Sfn, authz, tag};

pub const OPS: &[Op<Sfn>] = ops![
    CreateActivity => create_activity [authz::create_activity],
    DescribeActivity => describe_activity [authz::activity],
    DeleteActivity => delete_activity [authz::activity],
    ListActivities => list_activities,
    GetActivityTask => get_activity_task [authz::activity],
];

/// How long a worker waits for work before it gets none.
const LONG_POLL: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateInput {
    name: String,
    #[serde(default)]
    tags: Vec<Tag>,
    encryption_configuration: Option<Encryption>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateOutput {
    activity_arn: String,
    creation_date: Time,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateActivity.html>
async fn create_activity(sfn: &Sfn, cx: &Cx, input: CreateInput) -> Result<CreateOutput> {
    check_name(&input.name)?;
    let arn = cx.arn("states", &format!("activity:{}", input.name));
    tag::check(&input.tags, &arn)?;
    let encryption = encryption(input.encryption_configuration)?;
    let key = ActivityArn::parse(&arn)?.key();
    let mut tx = sfn.store.lock(&[Lock::exclusive(&ACTIVITIES, &key)]).await;
    if let Some(old) = tx.get(&ACTIVITIES, &key).await? {
        return Ok(CreateOutput { activity_arn: arn, creation_date: time(old.created) });
    }
    let created = cx.now.as_microsecond();
    let activity = Activity { name: input.name, created, tags: input.tags, encryption };
    tx.put(&ACTIVITIES, &key, &activity);
    tx.commit().await?;
    Ok(CreateOutput { activity_arn: arn, creation_date: time(created) })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActivityInput {
    activity_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeOutput {
    activity_arn: String,
    name: String,
    creation_date: Time,
    encryption_configuration: Encryption,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeActivity.html>
async fn describe_activity(sfn: &Sfn, _: &Cx, input: ActivityInput) -> Result<DescribeOutput> {
    let key = ActivityArn::parse(&input.activity_arn)?.key();
    let found: Option<Activity> = sfn.store.get(&ACTIVITIES, &key).await?;
    let a = found.ok_or_else(|| no_activity(&input.activity_arn))?;
    Ok(DescribeOutput {
        activity_arn: input.activity_arn,
        encryption_configuration: default_encryption(a.encryption.as_ref()),
        creation_date: time(a.created),
        name: a.name,
    })
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteActivity.html>
async fn delete_activity(sfn: &Sfn, _: &Cx, input: ActivityInput) -> Result<Value> {
    let key = ActivityArn::parse(&input.activity_arn)?.key();
    sfn.store.delete(&ACTIVITIES, &key).await?;
    Ok(map! {})
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListItem {
    activity_arn: String,
    name: String,
    creation_date: Time,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListOutput {
    activities: Vec<ListItem>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListActivities.html>
async fn list_activities(sfn: &Sfn, cx: &Cx, input: PageInput) -> Result<ListOutput> {
    let place = Key::new().str(&cx.account).str(&cx.region);
    let (found, next_token) =
        input.read(&sfn.store, &ACTIVITIES, Range::prefix(&place), 100).await?;
    let item = |a: Activity| ListItem {
        activity_arn: cx.arn("states", &format!("activity:{}", a.name)),
        creation_date: time(a.created),
        name: a.name,
    };
    Ok(ListOutput { activities: found.into_iter().map(|(_, a)| item(a)).collect(), next_token })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskInput {
    activity_arn: String,
    worker_name: Option<String>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct TaskOutput {
    task_token: Option<String>,
    input: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html>
async fn get_activity_task(sfn: &Sfn, _: &Cx, input: TaskInput) -> Result<TaskOutput> {
    let key = ActivityArn::parse(&input.activity_arn)?.key();
    if sfn.store.get(&ACTIVITIES, &key).await?.is_none() {
        return Err(no_activity(&input.activity_arn));
    }
    let deadline = tokio::time::sleep(LONG_POLL);
    tokio::pin!(deadline);
    loop {
        let notified = sfn.tasks.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if let Some(found) = sfn.take_work(&input.activity_arn, input.worker_name.clone()).await? {
            return Ok(found);
        }
        tokio::select! {
            () = &mut notified => {}
            () = &mut deadline => return Ok(TaskOutput::default()),
        }
    }
}

impl Sfn {
    /// The oldest task that still waits for a worker.
    async fn take_work(&self, arn: &str, worker: Option<String>) -> Result<Option<TaskOutput>> {
        loop {
            let range = Range::prefix(&Key::new().str(arn));
            let Some((key, w)) = self.store.scan(&WORK, range, 1).await?.into_iter().next() else {
                return Ok(None);
            };
            let mut tx = self.store.lock(&[Lock::exclusive(&WORK, &key)]).await;
            if tx.get(&WORK, &key).await?.is_none() {
                continue;
            }
            let found = self.handed_over(&w, worker.clone()).await?;
            tx.delete(&WORK, &key);
            tx.commit().await?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    async fn handed_over(&self, w: &Waiting, worker: Option<String>) -> Result<Option<TaskOutput>> {
        let knock = Knock::Signals(w.frame, w.ticket, vec![Signal::Started(worker)]);
        let stepped = self.step(&w.id, knock).await?;
        if !stepped.taken {
            return Ok(None);
        }
        let key = w.id.key();
        let run: Option<StoredRun> = self.store.get(&RUNS, &key).await?;
        let execution: Option<Execution> = self.store.get(&EXECUTIONS, &key).await?;
        let (Some(StoredRun(run)), Some(e)) = (run, execution) else { return Ok(None) };
        let Some(f) = run.waiting(w.frame, w.ticket) else { return Ok(None) };
        let Phase::Task(call) = &f.phase else { return Ok(None) };
        let token =
            Token { id: w.id.clone(), secret: e.secret, frame: w.frame, ticket: w.ticket }.text();
        Ok(Some(TaskOutput { task_token: Some(token), input: Some(call.arguments.to_string()) }))
    }
}
