//! ConfirmSubscription and Unsubscribe: what also the links in messages do.

use fogbank_core::{Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::error::{invalid, unauthorized};
use crate::{Sns, authz};

pub const OPS: &[Op<Sns>] = ops![
    ConfirmSubscription => confirm_subscription [authz::confirm],
    Unsubscribe => unsubscribe [authz::subscription],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfirmInput {
    topic_arn: String,
    token: String,
    authenticate_on_unsubscribe: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ConfirmOutput {
    subscription_arn: String,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html>
async fn confirm_subscription(sns: &Sns, cx: &Cx, input: ConfirmInput) -> Result<ConfirmOutput> {
    let topic = Address::of_arn(&input.topic_arn)?;
    sns.find(&topic).await?;
    let id = id_of(&input.token).ok_or_else(|| invalid("Token"))?;
    let signed = !cx.principal.is_anonymous();
    let lasting = input.authenticate_on_unsubscribe.as_deref() == Some("true");
    let confirm = sns.edit_subscription(&topic, &id, |s| match &s.token {
        Some(token) if *token == input.token => {
            s.token = None;
            s.authenticated = signed;
            s.lasting = signed && lasting;
            Ok(())
        }
        // Confirming twice does no harm.
        None => Ok(()),
        Some(_) => Err(invalid("Token")),
    });
    let s = confirm.await.map_err(|e| match e.code() {
        "NotFoundException" => invalid("Token"),
        _ => e,
    })?;
    Ok(ConfirmOutput { subscription_arn: s.arn(&topic) })
}

/// The subscription that a token is for: its first 32 digits.
fn id_of(token: &str) -> Option<String> {
    let hex = token.get(..32).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UnsubscribeInput {
    subscription_arn: String,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html>
async fn unsubscribe(sns: &Sns, cx: &Cx, input: UnsubscribeInput) -> Result<()> {
    let (topic, id) = Address::of_subscription(&input.subscription_arn)?;
    let lasting = sns.subscription(&topic, &id).await?.is_some_and(|s| s.lasting);
    if lasting && cx.principal.is_anonymous() {
        return Err(unauthorized("Unsubscribing requires a signed request"));
    }
    sns.remove(&topic, &id).await
}
