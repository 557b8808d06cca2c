//! Subscribe.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::endpoint::Protocol;
use crate::error::{invalid, unauthorized};
use crate::subscription::{Options, Subscription};
use crate::{Sns, authz, delivery};

pub const OPS: &[Op<Sns>] = ops![Subscribe => subscribe [authz::subscribe]];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SubscribeInput {
    topic_arn: String,
    protocol: String,
    endpoint: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    return_subscription_arn: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SubscribeOutput {
    subscription_arn: String,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html>
async fn subscribe(sns: &Sns, cx: &Cx, input: SubscribeInput) -> Result<SubscribeOutput> {
    let found = sns.of_request(cx, &input.topic_arn).await?;
    let protocol = Protocol::read(cx, &input.protocol)?;
    let endpoint = input.endpoint.filter(|e| !e.is_empty()).ok_or_else(|| invalid("Endpoint"))?;
    let owner = protocol.check(&endpoint, found.at.is_fifo())?;
    if owner.is_some_and(|o| o != cx.account) {
        // AWS would send a confirmation there, for the owner to find.
        return Err(unauthorized(format!(
            "User: {} is not authorized to subscribe {endpoint}, which is another account's",
            cx.principal.arn
        )));
    }
    let options = Options::read(cx, protocol, &input.attributes)?;
    let token = protocol.is_http().then(|| cx.ids().hex(128));
    let id = cx.ids().uuid();
    let s = Subscription {
        token: token.map(|t| format!("{}{t}", id.replace('-', ""))),
        id,
        owner: cx.account.clone(),
        principal: cx.principal.arn.clone(),
        protocol,
        endpoint,
        options,
        authenticated: !protocol.is_http(),
        lasting: false,
    };
    let s = sns.insert(&found.at, s, &input.attributes).await?;
    if s.token.is_some() {
        delivery::ask_for_confirmation(sns, cx, &found, &s).await?;
        if !input.return_subscription_arn {
            return Ok(SubscribeOutput { subscription_arn: "pending confirmation".to_owned() });
        }
    }
    Ok(SubscribeOutput { subscription_arn: s.arn(&found.at) })
}
