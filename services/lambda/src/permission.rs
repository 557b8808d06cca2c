//! Permissions: the policy of a function, a version or an alias, statement by statement.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html>

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Range, Store, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::error::{conflict, invalid, not_found, policy_too_long};
use crate::function::{QualifiedInput, check_revision};
use crate::name::{LATEST, Target};
use crate::{Lambda, alias, authz};

pub const OPS: &[Op<Lambda>] = ops![
    AddPermission => add_permission [authz::function],
    RemovePermission => remove_permission [authz::function],
    GetPolicy => get_policy [authz::function],
];

static POLICIES: Table<Policy> = Table::new("lambda.policy");

/// A policy's record. The text is kept ready for the policy engine.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Policy {
    /// Statement ids and their JSON texts, in the order in which they were added.
    #[n(0)]
    pub statements: Vec<(String, String)>,
    #[n(1)]
    pub text: String,
    #[n(2)]
    pub revision: String,
}
fogbank_store::record!(Policy, version = 1);

impl Policy {
    /// Renders the text anew, as another revision.
    pub fn changed(&mut self, cx: &Cx) {
        let all: Vec<&str> = self.statements.iter().map(|(_, s)| s.as_str()).collect();
        self.text =
            format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{}]}}"#, all.join(","));
        self.revision = cx.ids().uuid();
    }

    /// The place of a statement.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<usize> {
        self.statements.iter().position(|(i, _)| i == id)
    }
}

/// The text of the policy that hangs on a function, a version or an alias.
///
/// # Errors
/// When the store fails.
pub async fn policy(store: &Store, target: &Target) -> Result<Option<String>> {
    Ok(store.get(&POLICIES, &target.qualified_key()).await?.map(|p| p.text))
}

/// Deletes all policies of a function.
///
/// # Errors
/// When the store fails.
pub async fn delete_all(tx: &mut Tx, function: &Target) -> Result<()> {
    for (k, _) in tx.scan(&POLICIES, Range::prefix(&function.key()), usize::MAX).await? {
        tx.delete(&POLICIES, &k);
    }
    Ok(())
}

/// Deletes the policy of one version or alias.
pub fn delete_one(tx: &mut Tx, target: &Target) {
    tx.delete(&POLICIES, &target.qualified_key());
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AddInput {
    function_name: String,
    qualifier: Option<String>,
    statement_id: String,
    action: String,
    principal: String,
    source_arn: Option<String>,
    source_account: Option<String>,
    event_source_token: Option<String>,
    #[serde(rename = "PrincipalOrgID")]
    principal_org_id: Option<String>,
    function_url_auth_type: Option<String>,
    invoked_via_function_url: Option<bool>,
    revision_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AddOutput {
    statement: String,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html>
async fn add_permission(lambda: &Lambda, cx: &Cx, input: AddInput) -> Result<AddOutput> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    if target.qualifier.as_deref() == Some(LATEST) {
        return Err(invalid("We currently do not support adding policies for $LATEST."));
    }
    let statement = statement(&input, &target.arn())?.to_string();
    let (mut tx, function) = lambda.change(&target, &[]).await?;
    lambda.version_of(&target, &function).await?;
    let key = target.qualified_key();
    let mut policy = tx.get(&POLICIES, &key).await?.unwrap_or_default();
    if let Some(given) = &input.revision_id {
        check_revision(Some(given), &policy.revision)?;
    }
    if policy.find(&input.statement_id).is_some() {
        return Err(conflict(format!(
            "The statement id ({}) provided already exists. Please provide a new statement id, or \
             remove the existing statement.",
            input.statement_id
        )));
    }
    policy.statements.push((input.statement_id, statement.clone()));
    policy.changed(cx);
    if policy.text.len() > 20_480 {
        return Err(policy_too_long());
    }
    tx.put(&POLICIES, &key, &policy);
    tx.commit().await?;
    Ok(AddOutput { statement })
}

fn statement(input: &AddInput, resource: &str) -> Result<Json> {
    let mut equals = Map::new();
    if let Some(account) = &input.source_account {
        equals.insert("AWS:SourceAccount".into(), json!(account));
    }
    if let Some(token) = &input.event_source_token {
        equals.insert("lambda:EventSourceToken".into(), json!(token));
    }
    if let Some(org) = &input.principal_org_id {
        equals.insert("aws:PrincipalOrgID".into(), json!(org));
    }
    if let Some(auth) = &input.function_url_auth_type {
        if !matches!(&*input.action, "lambda:InvokeFunctionUrl") {
            return Err(invalid(
                "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
            ));
        }
        equals.insert("lambda:FunctionUrlAuthType".into(), json!(auth));
    }
    let mut conditions = Map::new();
    if !equals.is_empty() {
        conditions.insert("StringEquals".into(), Json::Object(equals));
    }
    if let Some(arn) = &input.source_arn {
        conditions.insert("ArnLike".into(), json!({ "AWS:SourceArn": arn }));
    }
    if let Some(via) = input.invoked_via_function_url {
        conditions
            .insert("Bool".into(), json!({ "lambda:InvokedViaFunctionUrl": via.to_string() }));
    }
    let mut statement = Map::new();
    statement.insert("Sid".into(), json!(input.statement_id));
    statement.insert("Effect".into(), json!("Allow"));
    statement.insert("Principal".into(), principal(&input.principal)?);
    statement.insert("Action".into(), json!(input.action));
    statement.insert("Resource".into(), json!(resource));
    if !conditions.is_empty() {
        statement.insert("Condition".into(), Json::Object(conditions));
    }
    let whole = json!({ "Version": "2012-10-17", "Statement": [&statement] }).to_string();
    if fogbank_policy::Policy::parse(&whole, fogbank_policy::Usage::Resource).is_err() {
        return Err(invalid(
            "The provided principal was invalid. Please check the principal and try again.",
        ));
    }
    Ok(Json::Object(statement))
}

/// `*`, a service, an account, or the ARN of an identity.
fn principal(text: &str) -> Result<Json> {
    let is_account = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if text == "*" {
        Ok(json!("*"))
    } else if is_account {
        Ok(json!({ "AWS": format!("arn:aws:iam::{text}:root") }))
    } else if text.starts_with("arn:") {
        Ok(json!({ "AWS": text }))
    } else if fogbank_policy::services::is_principal(text) {
        Ok(json!({ "Service": text }))
    } else {
        Err(invalid(
            "The provided principal was invalid. Please check the principal and try again.",
        ))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RemoveInput {
    function_name: String,
    qualifier: Option<String>,
    statement_id: String,
    revision_id: Option<String>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html>
async fn remove_permission(lambda: &Lambda, cx: &Cx, input: RemoveInput) -> Result<()> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    let (mut tx, _) = lambda.change(&target, &[]).await?;
    let key = target.qualified_key();
    let mut policy = match tx.get(&POLICIES, &key).await? {
        Some(p) => p,
        None => return Err(no_policy()),
    };
    let Some(at) = policy.find(&input.statement_id) else {
        return Err(not_found(format!(
            "Statement {} is not found in resource policy.",
            input.statement_id
        )));
    };
    check_revision(input.revision_id.as_deref(), &policy.revision)?;
    policy.statements.remove(at);
    policy.changed(cx);
    if policy.statements.is_empty() {
        tx.delete(&POLICIES, &key);
    } else {
        tx.put(&POLICIES, &key, &policy);
    }
    tx.commit().await?;
    Ok(())
}

fn no_policy() -> fogbank_core::ApiError {
    not_found("The resource you requested does not exist.")
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyOutput {
    policy: String,
    revision_id: String,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html>
async fn get_policy(lambda: &Lambda, cx: &Cx, input: QualifiedInput) -> Result<PolicyOutput> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    lambda.function(&target).await?;
    if let Some(q) = &target.qualifier
        && crate::name::number(q).is_none()
        && q != LATEST
        && alias::get(&lambda.store, &target, q).await?.is_none()
    {
        return Err(not_found(format!("Cannot find alias arn: {}", target.arn())));
    }
    let found = lambda.store.get(&POLICIES, &target.qualified_key()).await?;
    let policy = found.ok_or_else(no_policy)?;
    Ok(PolicyOutput { policy: policy.text, revision_id: policy.revision })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(principal: &str) -> AddInput {
        AddInput {
            function_name: "f".into(),
            qualifier: None,
            statement_id: "s".into(),
            action: "lambda:InvokeFunction".into(),
            principal: principal.into(),
            source_arn: None,
            source_account: None,
            event_source_token: None,
            principal_org_id: None,
            function_url_auth_type: None,
            invoked_via_function_url: None,
            revision_id: None,
        }
    }

    #[test]
    fn statements_are_as_lambda_writes_them() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        let from_s3 = AddInput {
            source_arn: Some("arn:aws:s3:::b".into()),
            source_account: Some("123456789012".into()),
            ..add("s3.amazonaws.com")
        };
        let s = statement(&from_s3, arn).unwrap();
        assert_eq!(
            s.to_string(),
            json!({
                "Sid": "s", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "lambda:InvokeFunction", "Resource": arn,
                "Condition": {
                    "StringEquals": {"AWS:SourceAccount": "123456789012"},
                    "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"}
                }
            })
            .to_string()
        );
        for (given, expected) in [
            ("123456789012", json!({"AWS": "arn:aws:iam::123456789012:root"})),
            (
                "arn:aws:iam::123456789012:user/u",
                json!({"AWS": "arn:aws:iam::123456789012:user/u"}),
            ),
            ("*", json!("*")),
        ] {
            assert_eq!(statement(&add(given), arn).unwrap()["Principal"], expected);
        }
        for bad in ["nobody", "x.example.com", "arn:nonsense"] {
            assert_eq!(
                statement(&add(bad), arn).unwrap_err().code(),
                "InvalidParameterValueException",
                "{bad}"
            );
        }
    }
}
