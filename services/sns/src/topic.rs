//! Topics: their record and their life.

use std::collections::BTreeMap;
use std::sync::Arc;

use fogbank_core::{Cx, Op, Result, ops, page};
use fogbank_store::{Key, Lock, Part, Range, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::address::{Address, is_name};
use crate::attribute::Settings;
use crate::error::{invalid, no_topic};
use crate::tag::{self, Tag};
use crate::{Sns, authz, subscription};

pub const OPS: &[Op<Sns>] = ops![
    CreateTopic => create_topic [authz::create_topic],
    DeleteTopic => delete_topic [authz::topic],
    ListTopics => list_topics,
];

pub static TOPICS: Table<Topic> = Table::new("sns.topic");

/// A topic's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Topic {
    #[n(0)]
    pub settings: Settings,
    #[n(1)]
    pub tags: BTreeMap<String, String>,
    /// How many subscriptions are confirmed, wait, and are gone.
    #[n(2)]
    pub confirmed: u64,
    #[n(3)]
    pub pending: u64,
    #[n(4)]
    pub deleted: u64,
    /// Tells it from an earlier topic of the same name.
    #[n(5)]
    pub generation: u64,
}
fogbank_store::record!(Topic, version = 1);

/// A topic and where it is.
#[derive(Clone, Debug)]
pub struct Found {
    pub at: Address,
    pub topic: Topic,
}

impl Sns {
    pub(crate) async fn look_up(&self, at: &Address) -> Result<Option<Found>> {
        let topic = self.store.get(&TOPICS, &at.key()).await?;
        Ok(topic.map(|topic| Found { at: at.clone(), topic }))
    }

    /// # Errors
    /// `NotFound`.
    pub(crate) async fn find(&self, at: &Address) -> Result<Found> {
        self.look_up(at).await?.ok_or_else(no_topic)
    }

    /// The topic of a request, which its checks have read.
    ///
    /// # Errors
    /// `NotFound`.
    pub(crate) async fn of_request(&self, cx: &Cx, arn: &str) -> Result<Arc<Found>> {
        let at = Address::of_arn(arn)?;
        match cx.recall::<Found>().filter(|f| f.at == at) {
            Some(found) => Ok(found),
            None => Ok(Arc::new(self.find(&at).await?)),
        }
    }

    /// Changes a topic's record under its lock.
    ///
    /// # Errors
    /// `NotFound`, or the change's own.
    pub(crate) async fn edit(
        &self,
        at: &Address,
        change: impl FnOnce(&mut Topic) -> Result<()>,
    ) -> Result<()> {
        let mut tx = self.store.lock(&[Lock::exclusive(&TOPICS, &at.key())]).await;
        let mut topic = tx.get(&TOPICS, &at.key()).await?.ok_or_else(no_topic)?;
        change(&mut topic)?;
        tx.put(&TOPICS, &at.key(), &topic);
        Ok(tx.commit().await?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateTopicInput {
    name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    tags: Vec<Tag>,
    data_protection_policy: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TopicArn {
    topic_arn: String,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>
async fn create_topic(sns: &Sns, cx: &Cx, input: CreateTopicInput) -> Result<TopicArn> {
    if input.data_protection_policy.is_some() {
        return Err(cx.refuse_member("DataProtectionPolicy"));
    }
    let at = Address::own(cx, &input.name);
    let fifo = input.attributes.get("FifoTopic").is_some_and(|v| v == "true");
    if !is_name(&at.name) {
        return Err(invalid("Topic Name"));
    }
    if fifo != at.is_fifo() {
        return Err(invalid(if fifo {
            "Name Reason: The name of a FIFO topic must end with .fifo"
        } else {
            "Name Reason: Topic names ending in .fifo are for FIFO topics"
        }));
    }
    let mut settings = Settings::default();
    for (name, value) in input.attributes.iter().filter(|(n, _)| *n != "FifoTopic") {
        settings.set(cx, &at, name, value)?;
    }
    let tags = tag::read(input.tags)?;
    let arn = TopicArn { topic_arn: at.arn() };
    let mut tx = sns.store.lock(&[Lock::exclusive(&TOPICS, &at.key())]).await;
    if let Some(old) = tx.get(&TOPICS, &at.key()).await? {
        let mut same = old.settings.clone();
        for (name, value) in input.attributes.iter().filter(|(n, _)| *n != "FifoTopic") {
            same.set(cx, &at, name, value)?;
        }
        if same != old.settings {
            return Err(invalid(
                "Attributes Reason: Topic already exists with different attributes",
            ));
        }
        if tags.iter().any(|(k, v)| old.tags.get(k) != Some(v)) {
            return Err(invalid("Tags Reason: Topic already exists with different tags"));
        }
        return Ok(arn);
    }
    let mut b = [0; 8];
    cx.ids().fill(&mut b);
    let topic = Topic {
        settings,
        tags,
        confirmed: 0,
        pending: 0,
        deleted: 0,
        generation: u64::from_le_bytes(b),
    };
    tx.put(&TOPICS, &at.key(), &topic);
    tx.commit().await?;
    Ok(arn)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteTopicInput {
    topic_arn: String,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_DeleteTopic.html>
async fn delete_topic(sns: &Sns, _: &Cx, input: DeleteTopicInput) -> Result<()> {
    let at = Address::of_arn(&input.topic_arn)?;
    let mut tx = sns.store.lock(&[Lock::exclusive(&TOPICS, &at.key())]).await;
    // Deleting what is not there succeeds.
    if tx.get(&TOPICS, &at.key()).await?.is_some() {
        tx.delete(&TOPICS, &at.key());
        subscription::remove_all(&mut tx, &at).await?;
        tx.commit().await?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListTopicsInput {
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListTopicsOutput {
    topics: Vec<TopicArn>,
    next_token: Option<String>,
}

/// How many topics or subscriptions a list gives at a time.
pub const PAGE: usize = 100;

/// <https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html>
async fn list_topics(sns: &Sns, cx: &Cx, input: ListTopicsInput) -> Result<ListTopicsOutput> {
    let parent = Key::new().str(&cx.account).str(&cx.region);
    let mut range = Range::prefix(&parent);
    if let Some(last) = token(input.next_token.as_deref())? {
        range = range.after(&parent.clone().str(&last));
    }
    let found = sns.store.scan(&TOPICS, range, PAGE + 1).await?;
    let mut names: Vec<String> = found.iter().filter_map(|(key, _)| part(key, 2)).collect();
    let next_token = cut(&mut names);
    let arn = |n: &String| TopicArn { topic_arn: Address::own(cx, n).arn() };
    Ok(ListTopicsOutput { topics: names.iter().map(arn).collect(), next_token })
}

/// The last name of the page before.
///
/// # Errors
/// `InvalidParameter` for a token that is none.
pub fn token(token: Option<&str>) -> Result<Option<String>> {
    token.map(page::decode).transpose().map_err(|_| invalid("NextToken"))
}

/// Leaves a page of names, and says where the next begins.
pub fn cut(names: &mut Vec<String>) -> Option<String> {
    let more = names.len() > PAGE;
    names.truncate(PAGE);
    names.last().filter(|_| more).map(|n| page::encode(n))
}

/// The text that is the nth part of a key.
pub fn part(key: &Key, n: usize) -> Option<String> {
    match key.parts().nth(n)? {
        Part::Str(s) => Some(s.into_owned()),
        Part::Bytes(_) | Part::U64(_) => None,
    }
}
