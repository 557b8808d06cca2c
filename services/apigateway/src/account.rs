//! The account's settings: the role that writes logs.

use fogbank_apigw::Json;
use fogbank_core::{Cx, Op, Result, Value, map, ops};
use fogbank_store::{Key, Lock, Table};
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::authz::check;
use crate::document::patches;
use crate::error::bad_request;
use crate::patch::{self, Kind};

pub const OPS: &[Op<ApiGateway>] = ops![
    GetAccount => get_account [check],
    UpdateAccount => update_account [check],
];

static ACCOUNTS: Table<Json<Account>> = Table::new("apigateway.account");

/// The settings of an account in a region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudwatch_role_arn: Option<String>,
}

fn key(account: &str, region: &str) -> Key {
    Key::new().str(account).str(region)
}

impl Account {
    fn view(&self) -> Value {
        map! {
            "cloudwatchRoleArn" => self.cloudwatch_role_arn.clone(),
            "throttleSettings" => map! {
                "burstLimit" => 5000,
                "rateLimit" => Value::Float(10_000.0),
            },
            "features" => vec![Value::from("UsagePlans")],
            "apiKeyVersion" => "4",
        }
    }
}

impl ApiGateway {
    pub async fn account(&self, account: &str, region: &str) -> Result<Account> {
        let found = self.store.get(&ACCOUNTS, &key(account, region)).await?;
        Ok(found.map(|j| j.0).unwrap_or_default())
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetAccount.html>
async fn get_account(gw: &ApiGateway, cx: &Cx, _: Value) -> Result<Value> {
    Ok(gw.account(&cx.account, &cx.region).await?.view())
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateAccount.html>
async fn update_account(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let key = key(&cx.account, &cx.region);
    let mut tx = gw.store.lock(&[Lock::exclusive(&ACCOUNTS, &key)]).await;
    let old = tx.get(&ACCOUNTS, &key).await?.map(|j| j.0).unwrap_or_default();
    let mut operations = patches(&input)?;
    // Usage plans are on already.
    operations.retain(|o| o.path.as_deref() != Some("/features"));
    let mut new: Account = patch::apply(&old, &operations, &[("/cloudwatchRoleArn", Kind::Text)])?;
    new.cloudwatch_role_arn = new.cloudwatch_role_arn.filter(|r| !r.is_empty());
    if new != old
        && let Some(role) = &new.cloudwatch_role_arn
        && !(role.starts_with("arn:aws:iam::") && role.contains(":role/"))
    {
        return Err(bad_request(
            "The role ARN does not have required permissions configured. Please grant trust permission for API Gateway and add the required role policy.",
        ));
    }
    tx.put(&ACCOUNTS, &key, &Json(new.clone()));
    tx.commit().await?;
    Ok(new.view())
}
