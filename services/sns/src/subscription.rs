//! Subscriptions: their record, their attributes, and lists of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::attribute::Attributes;
use crate::endpoint::{Protocol, Redrive};
use crate::error::{invalid, no_subscription, no_topic};
use crate::filter::Filter;
use crate::retry::Retry;
use crate::topic::{PAGE, TOPICS, Topic, cut, part, token};
use crate::{Sns, authz};

pub const OPS: &[Op<Sns>] = ops![
    GetSubscriptionAttributes => get_subscription_attributes [authz::subscription],
    SetSubscriptionAttributes => set_subscription_attributes [authz::subscription],
    ListSubscriptions => list_subscriptions,
    ListSubscriptionsByTopic => list_subscriptions_by_topic [authz::topic],
];

/// `(topic, id)`.
pub static SUBSCRIPTIONS: Table<Subscription> = Table::new("sns.subscription");
/// `(owner, region, topic's account, topic's name, id)`.
static OWNED: Table<()> = Table::new("sns.owned");
/// `(topic, protocol, endpoint)`: the id.
static ENDPOINTS: Table<Bytes> = Table::new("sns.endpoint");

/// A subscription's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Subscription {
    #[n(0)]
    pub id: String,
    /// The account that subscribed.
    #[n(1)]
    pub owner: String,
    /// The ARN of who subscribed.
    #[n(2)]
    pub principal: String,
    #[n(3)]
    pub protocol: Protocol,
    #[n(4)]
    pub endpoint: String,
    #[n(5)]
    pub options: Options,
    /// With what it is to be confirmed; `None`: it is.
    #[n(6)]
    pub token: Option<String>,
    /// Whether a signed request confirmed it.
    #[n(7)]
    pub authenticated: bool,
    /// Only signed requests may end it.
    #[n(8)]
    pub lasting: bool,
}
fogbank_store::record!(Subscription, version = 1);

/// What a client can set.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Options {
    #[n(0)]
    pub raw: bool,
    /// The filter policy as it was given.
    #[n(1)]
    pub filter: Option<String>,
    /// It looks at the message's body.
    #[n(2)]
    pub filter_body: bool,
    /// The ARN of the dead-letter queue.
    #[n(3)]
    pub dead_letters: Option<String>,
    /// The delivery policy as it was given.
    #[n(4)]
    pub delivery: Option<String>,
}

impl Options {
    /// # Errors
    /// `InvalidParameter`.
    pub fn read(cx: &Cx, protocol: Protocol, given: &BTreeMap<String, String>) -> Result<Self> {
        let mut o = Options::default();
        // The scope first: it says what the policy may hold.
        let scope = given.iter().filter(|(n, _)| *n == "FilterPolicyScope");
        for (name, value) in scope.chain(given.iter().filter(|(n, _)| *n != "FilterPolicyScope")) {
            o.set(cx, protocol, name, value)?;
        }
        Ok(o)
    }

    fn set(&mut self, cx: &Cx, protocol: Protocol, name: &str, value: &str) -> Result<()> {
        let text = || Some(value.to_owned()).filter(|v| !v.is_empty());
        match name {
            "RawMessageDelivery" => match value {
                "true" if protocol == Protocol::Lambda => {
                    return Err(invalid(
                        "Attributes Reason: RawMessageDelivery: Delivery protocol [lambda] does not support raw message delivery.",
                    ));
                }
                v if v.eq_ignore_ascii_case("true") => self.raw = true,
                v if v.eq_ignore_ascii_case("false") => self.raw = false,
                _ => {
                    return Err(invalid(format!(
                        "RawMessageDelivery Reason: Invalid value [{value}]. Must be true or false."
                    )));
                }
            },
            "FilterPolicyScope" => {
                self.filter_body = match value {
                    "MessageBody" => true,
                    "MessageAttributes" => false,
                    _ => {
                        return Err(invalid(format!(
                            "FilterPolicyScope: Invalid value [{value}]. Please use either \
                             MessageBody or MessageAttributes"
                        )));
                    }
                };
                if let Some(filter) = &self.filter {
                    Filter::parse(filter, self.filter_body)?;
                }
            }
            "FilterPolicy" => {
                let filter = text().filter(|t| t.trim() != "{}");
                if let Some(filter) = &filter {
                    Filter::parse(filter, self.filter_body)?;
                }
                self.filter = filter;
            }
            "RedrivePolicy" => {
                self.dead_letters = text().map(|t| Redrive::parse(&t)).transpose()?;
            }
            "DeliveryPolicy" => {
                if !protocol.is_http() && !value.is_empty() {
                    return Err(invalid(format!(
                        "DeliveryPolicy: Delivery protocol [{}] does not support delivery policies.",
                        protocol.name()
                    )));
                }
                if !value.is_empty() {
                    Retry::of_subscription(value)?;
                }
                self.delivery = text();
            }
            "ReplayPolicy" | "SubscriptionRoleArn" => return Err(cx.refuse_member(name)),
            _ => return Err(invalid("AttributeName")),
        }
        Ok(())
    }
}

impl Subscription {
    pub fn arn(&self, topic: &Address) -> String {
        format!("{}:{}", topic.arn(), self.id)
    }
}

fn key(topic: &Address, id: &str) -> Key {
    topic.key().str(id)
}

fn endpoint_key(topic: &Address, protocol: Protocol, endpoint: &str) -> Key {
    topic.key().str(protocol.name()).str(endpoint)
}

fn owned_key(topic: &Address, s: &Subscription) -> Key {
    Key::new().str(&s.owner).str(&topic.region).str(&topic.account).str(&topic.name).str(&s.id)
}

/// Counts a subscription in its topic's record.
fn count<'a>(topic: &'a mut Topic, s: &Subscription) -> &'a mut u64 {
    if s.token.is_some() { &mut topic.pending } else { &mut topic.confirmed }
}

impl Sns {
    pub(crate) async fn subscription(
        &self,
        topic: &Address,
        id: &str,
    ) -> Result<Option<Subscription>> {
        Ok(self.store.get(&SUBSCRIPTIONS, &key(topic, id)).await?)
    }

    /// All subscriptions of a topic: what a message costs.
    pub(crate) async fn subscribers(&self, topic: &Address) -> Result<Vec<Subscription>> {
        let all = self.store.scan(&SUBSCRIPTIONS, Range::prefix(&topic.key()), usize::MAX).await?;
        Ok(all.into_iter().map(|(_, s)| s).collect())
    }

    /// Adds a subscription, or gives back the one that the endpoint has already.
    ///
    /// # Errors
    /// `NotFound`, and `InvalidParameter` when the endpoint has one with other options.
    pub(crate) async fn insert(
        &self,
        topic: &Address,
        s: Subscription,
        given: &BTreeMap<String, String>,
    ) -> Result<Subscription> {
        let mut tx = self.store.lock(&[Lock::exclusive(&TOPICS, &topic.key())]).await;
        let mut record = tx.get(&TOPICS, &topic.key()).await?.ok_or_else(no_topic)?;
        let by_endpoint = endpoint_key(topic, s.protocol, &s.endpoint);
        if let Some(id) = tx.get(&ENDPOINTS, &by_endpoint).await? {
            let id = String::from_utf8_lossy(&id).into_owned();
            if let Some(old) = tx.get(&SUBSCRIPTIONS, &key(topic, &id)).await? {
                if !given.is_empty() && old.options != s.options {
                    return Err(invalid(
                        "Attributes Reason: Subscription already exists with different attributes",
                    ));
                }
                return Ok(old);
            }
        }
        *count(&mut record, &s) += 1;
        tx.put(&TOPICS, &topic.key(), &record);
        tx.put(&SUBSCRIPTIONS, &key(topic, &s.id), &s);
        tx.put(&ENDPOINTS, &by_endpoint, &Bytes::from(s.id.clone()));
        tx.put(&OWNED, &owned_key(topic, &s), &());
        tx.commit().await?;
        Ok(s)
    }

    /// Changes a subscription under its topic's lock.
    ///
    /// # Errors
    /// `NotFound`, or the change's own.
    pub(crate) async fn edit_subscription(
        &self,
        topic: &Address,
        id: &str,
        change: impl FnOnce(&mut Subscription) -> Result<()>,
    ) -> Result<Subscription> {
        let mut tx = self.store.lock(&[Lock::exclusive(&TOPICS, &topic.key())]).await;
        let found = tx.get(&SUBSCRIPTIONS, &key(topic, id)).await?;
        let mut s = found.ok_or_else(no_subscription)?;
        let was_pending = s.token.is_some();
        change(&mut s)?;
        if was_pending
            && s.token.is_none()
            && let Some(mut record) = tx.get(&TOPICS, &topic.key()).await?
        {
            record.pending = record.pending.saturating_sub(1);
            record.confirmed += 1;
            tx.put(&TOPICS, &topic.key(), &record);
        }
        tx.put(&SUBSCRIPTIONS, &key(topic, id), &s);
        tx.commit().await?;
        Ok(s)
    }

    /// Ends a subscription, if it is there.
    pub(crate) async fn remove(&self, topic: &Address, id: &str) -> Result<()> {
        let mut tx = self.store.lock(&[Lock::exclusive(&TOPICS, &topic.key())]).await;
        let Some(s) = tx.get(&SUBSCRIPTIONS, &key(topic, id)).await? else { return Ok(()) };
        if let Some(mut record) = tx.get(&TOPICS, &topic.key()).await? {
            let n = count(&mut record, &s);
            *n = n.saturating_sub(1);
            record.deleted += 1;
            tx.put(&TOPICS, &topic.key(), &record);
        }
        forget(&mut tx, topic, &s);
        Ok(tx.commit().await?)
    }
}

fn forget(tx: &mut Tx, topic: &Address, s: &Subscription) {
    tx.delete(&SUBSCRIPTIONS, &key(topic, &s.id));
    tx.delete(&ENDPOINTS, &endpoint_key(topic, s.protocol, &s.endpoint));
    tx.delete(&OWNED, &owned_key(topic, s));
}

/// Ends all subscriptions of a topic that is deleted.
pub async fn remove_all(tx: &mut Tx, topic: &Address) -> Result<()> {
    let all = tx.scan(&SUBSCRIPTIONS, Range::prefix(&topic.key()), usize::MAX).await?;
    for (_, s) in &all {
        forget(tx, topic, s);
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SubscriptionInput {
    subscription_arn: String,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html>
async fn get_subscription_attributes(
    sns: &Sns,
    _: &Cx,
    input: SubscriptionInput,
) -> Result<Attributes> {
    let (topic, id) = Address::of_subscription(&input.subscription_arn)?;
    let s = sns.subscription(&topic, &id).await?.ok_or_else(no_subscription)?;
    let o = &s.options;
    let mut out = BTreeMap::new();
    let mut put = |name: &str, value: String| {
        out.insert(name.to_owned(), value);
    };
    put("SubscriptionArn", s.arn(&topic));
    put("TopicArn", topic.arn());
    put("Owner", s.owner.clone());
    put("SubscriptionPrincipal", s.principal.clone());
    put("Protocol", s.protocol.name().to_owned());
    put("Endpoint", s.endpoint.clone());
    put("RawMessageDelivery", o.raw.to_string());
    put("PendingConfirmation", s.token.is_some().to_string());
    put("ConfirmationWasAuthenticated", s.authenticated.to_string());
    if let Some(filter) = &o.filter {
        put("FilterPolicy", filter.clone());
        let scope = if o.filter_body { "MessageBody" } else { "MessageAttributes" };
        put("FilterPolicyScope", scope.to_owned());
    }
    if let Some(arn) = &o.dead_letters {
        put("RedrivePolicy", Redrive::text(arn));
    }
    if let Some(policy) = &o.delivery {
        put("DeliveryPolicy", policy.clone());
    }
    if s.protocol.is_http() {
        let own = o.delivery.as_deref().and_then(|d| Retry::of_subscription(d).ok());
        put("EffectiveDeliveryPolicy", own.unwrap_or(Retry::HTTP).effective());
    }
    Ok(Attributes { attributes: out })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetInput {
    subscription_arn: String,
    attribute_name: String,
    attribute_value: Option<String>,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html>
async fn set_subscription_attributes(sns: &Sns, cx: &Cx, input: SetInput) -> Result<()> {
    let (topic, id) = Address::of_subscription(&input.subscription_arn)?;
    let value = input.attribute_value.unwrap_or_default();
    let set = |s: &mut Subscription| s.options.set(cx, s.protocol, &input.attribute_name, &value);
    sns.edit_subscription(&topic, &id, set).await?;
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    subscription_arn: String,
    owner: String,
    protocol: &'static str,
    endpoint: String,
    topic_arn: String,
}

impl View {
    fn new(topic: &Address, s: Subscription) -> Self {
        View {
            subscription_arn: match s.token {
                Some(_) => "PendingConfirmation".to_owned(),
                None => s.arn(topic),
            },
            owner: s.owner,
            protocol: s.protocol.name(),
            endpoint: s.endpoint,
            topic_arn: topic.arn(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    subscriptions: Vec<View>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptions.html>
async fn list_subscriptions(sns: &Sns, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let parent = Key::new().str(&cx.account).str(&cx.region);
    let mut range = Range::prefix(&parent);
    if let Some(last) = token(input.next_token.as_deref())? {
        let mut key = parent.clone();
        for part in last.split('/') {
            key = key.str(part);
        }
        range = range.after(&key);
    }
    let found = sns.store.scan(&OWNED, range, PAGE + 1).await?;
    let path = |(key, ()): &(Key, ())| {
        Some(format!("{}/{}/{}", part(key, 2)?, part(key, 3)?, part(key, 4)?))
    };
    let mut paths: Vec<String> = found.iter().filter_map(path).collect();
    let next_token = cut(&mut paths);
    let mut subscriptions = Vec::new();
    for path in &paths {
        let mut parts = path.split('/').map(str::to_owned);
        let (Some(account), Some(name), Some(id)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let topic = Address { account, region: cx.region.clone().into_owned(), name };
        if let Some(s) = sns.subscription(&topic, &id).await? {
            subscriptions.push(View::new(&topic, s));
        }
    }
    Ok(ListOutput { subscriptions, next_token })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ByTopicInput {
    topic_arn: String,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html>
async fn list_subscriptions_by_topic(
    sns: &Sns,
    cx: &Cx,
    input: ByTopicInput,
) -> Result<ListOutput> {
    let topic = sns.of_request(cx, &input.topic_arn).await?.at.clone();
    let mut range = Range::prefix(&topic.key());
    if let Some(last) = token(input.next_token.as_deref())? {
        range = range.after(&key(&topic, &last));
    }
    let mut found = sns.store.scan(&SUBSCRIPTIONS, range, PAGE + 1).await?;
    let mut ids: Vec<String> = found.iter().map(|(_, s)| s.id.clone()).collect();
    let next_token = cut(&mut ids);
    found.truncate(ids.len());
    let subscriptions = found.into_iter().map(|(_, s)| View::new(&topic, s)).collect();
    Ok(ListOutput { subscriptions, next_token })
}
