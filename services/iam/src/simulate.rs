//! The policy simulator: what the policy engine would decide, and which statement decides.

use std::sync::Arc;

use fogbank_core::authz::PolicySet;
use fogbank_core::{Arn, Cx, Kind as Who, Op, Principal, Result, Str, ops};
use fogbank_policy::{Context, Decision, Policies, Policy as Compiled, Request, Source, decide};
use serde::{Deserialize, Serialize};

use crate::authz;
use crate::document::{self, Use};
use crate::entity::Entity;
use crate::error::{invalid_input, no_such_entity};
use crate::group::Group;
use crate::page::{PageOutput, cut};
use crate::principal::{Grantee, Grants};
use crate::role::Role;
use crate::user::User;
use crate::{Iam, identities, policy};

pub const OPS: &[Op<Iam>] = ops![
    SimulateCustomPolicy => simulate_custom,
    SimulatePrincipalPolicy => simulate_principal [authz::source],
    GetContextKeysForCustomPolicy => keys_custom,
    GetContextKeysForPrincipalPolicy => keys_principal [authz::source],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SimulateInput {
    policy_source_arn: Option<String>,
    #[serde(default)]
    policy_input_list: Vec<String>,
    #[serde(default)]
    permissions_boundary_policy_input_list: Vec<String>,
    action_names: Vec<String>,
    #[serde(default)]
    resource_arns: Vec<String>,
    resource_policy: Option<String>,
    resource_owner: Option<String>,
    caller_arn: Option<String>,
    #[serde(default)]
    context_entries: Vec<ContextEntry>,
    resource_handling_option: Option<String>,
    max_items: Option<i64>,
    marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEntry {
    context_key_name: String,
    #[serde(default)]
    context_key_values: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SimulateOutput {
    evaluation_results: Vec<Evaluation>,
    is_truncated: bool,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Evaluation {
    eval_action_name: String,
    eval_resource_name: String,
    eval_decision: &'static str,
    matched_statements: Vec<Matched>,
    missing_context_values: Vec<String>,
    permissions_boundary_decision_detail: Option<BoundaryDetail>,
    #[serde(skip)]
    order: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Matched {
    source_policy_id: String,
    source_policy_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BoundaryDetail {
    allowed_by_permissions_boundary: bool,
}

/// A policy with the name and the sort that answers give it.
struct Named {
    id: String,
    kind: &'static str,
    policy: Arc<Compiled>,
}

/// What is simulated.
struct Case {
    principal: Principal,
    identity: Vec<Named>,
    boundary: Option<Compiled>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html>
async fn simulate_custom(_: &Iam, cx: &Cx, input: SimulateInput) -> Result<SimulateOutput> {
    let principal = caller(cx, input.caller_arn.as_deref())?;
    let mut case = Case { principal, identity: Vec::new(), boundary: None };
    add_inputs(&mut case, &input)?;
    simulate(cx, &case, &input)
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
async fn simulate_principal(iam: &Iam, cx: &Cx, input: SimulateInput) -> Result<SimulateOutput> {
    let source = input.policy_source_arn.as_deref().unwrap_or_default();
    let mut case = iam.source(cx, source).await?;
    if let Some(arn) = &input.caller_arn {
        case.principal = caller(cx, Some(arn))?;
    }
    add_inputs(&mut case, &input)?;
    simulate(cx, &case, &input)
}

fn add_inputs(case: &mut Case, input: &SimulateInput) -> Result<()> {
    for (i, text) in input.policy_input_list.iter().enumerate() {
        let policy = Arc::new(document::parse(text, Use::Identity)?);
        let id = format!("PolicyInputList.{}", i + 1);
        case.identity.push(Named { id, kind: "none", policy });
    }
    match input.permissions_boundary_policy_input_list.as_slice() {
        [] => {}
        [text] => case.boundary = Some(document::parse(text, Use::Identity)?),
        _ => {
            return Err(invalid_input("At most one permissions boundary policy can be simulated."));
        }
    }
    Ok(())
}

fn simulate(cx: &Cx, case: &Case, input: &SimulateInput) -> Result<SimulateOutput> {
    if input.resource_handling_option.is_some() {
        return Err(cx.refuse_member("ResourceHandlingOption"));
    }
    let text = input.resource_policy.as_deref();
    let resource_policy = text
        .map(|t| Compiled::parse(t, fogbank_policy::Usage::Resource).map_err(|e| e.api()))
        .transpose()?;
    let any = ["*".to_owned()];
    let resources = if input.resource_arns.is_empty() { &any[..] } else { &input.resource_arns };
    let keys: Vec<(Str, Vec<String>)> = input
        .context_entries
        .iter()
        .map(|e| (e.context_key_name.clone().into(), e.context_key_values.clone()))
        .collect();
    let owner = match &input.resource_owner {
        Some(arn) => Arn::parse(arn).map_or(arn.as_str(), |a| a.account).to_owned(),
        None => case.principal.account.clone(),
    };
    let context =
        Context { resource_account: &owner, keys: &keys, ..Context::new(&case.principal, cx.now) };
    let identity: Vec<_> = case.identity.iter().map(|n| n.policy.clone()).collect();
    let policies = Policies {
        identity: &identity,
        boundary: case.boundary.as_ref(),
        session: &[],
        resource: resource_policy.as_ref(),
    };
    let missing = missing(&policies, &context);
    let mut results = Vec::new();
    for action in &input.action_names {
        if action.split_once(':').is_none_or(|(s, a)| s.is_empty() || a.is_empty()) {
            return Err(invalid_input(format!("Invalid action: {action}")));
        }
        for resource in resources {
            let request = Request {
                action,
                resource,
                resource_account: &owner,
                granted: false,
                resource_policy_required: false,
                context: &context,
            };
            let decision = decide(&request, &policies);
            let boundary = case.boundary.as_ref().map(|_| BoundaryDetail {
                allowed_by_permissions_boundary: decision.source != Source::Boundary,
            });
            results.push(Evaluation {
                eval_action_name: action.clone(),
                eval_resource_name: resource.clone(),
                eval_decision: word(&decision),
                matched_statements: matched(case, &decision),
                missing_context_values: missing.clone(),
                permissions_boundary_decision_detail: boundary,
                order: format!("{:010}", results.len()),
            });
        }
    }
    let (evaluation_results, PageOutput { is_truncated, marker }) =
        cut(results, |r| &r.order, input.marker.as_deref(), input.max_items)?;
    Ok(SimulateOutput { evaluation_results, is_truncated, marker })
}

fn word(decision: &Decision) -> &'static str {
    match (decision.allowed, decision.explicit) {
        (true, _) => "allowed",
        (false, true) => "explicitDeny",
        (false, false) => "implicitDeny",
    }
}

/// The policy that decided.
fn matched(case: &Case, decision: &Decision) -> Vec<Matched> {
    let Some((at, _)) = decision.statement else { return Vec::new() };
    let of =
        |id: &str, kind| vec![Matched { source_policy_id: id.into(), source_policy_type: kind }];
    match decision.source {
        Source::Identity => case.identity.get(at).map_or_else(Vec::new, |n| of(&n.id, n.kind)),
        Source::Resource => of("ResourcePolicy", "resource"),
        Source::Boundary => of("PermissionsBoundaryPolicyInputList.1", "none"),
        Source::Session | Source::Root | Source::Grant => Vec::new(),
    }
}

/// Keys that conditions ask for and the context lacks.
fn missing(policies: &Policies<'_>, context: &Context<'_>) -> Vec<String> {
    let all =
        policies.identity.iter().map(|p| &**p).chain(policies.boundary).chain(policies.resource);
    let mut keys = condition_keys(all);
    keys.retain(|k| context.get(k).is_absent());
    keys
}

fn condition_keys<'a>(policies: impl Iterator<Item = &'a Compiled>) -> Vec<String> {
    let statements = policies.flat_map(|p| &p.statements);
    let mut keys: Vec<String> =
        statements.flat_map(|s| &s.conditions).map(|c| c.key().to_owned()).collect();
    keys.sort();
    keys.dedup();
    keys
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeysInput {
    policy_source_arn: Option<String>,
    #[serde(default)]
    policy_input_list: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeysOutput {
    context_key_names: Vec<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetContextKeysForCustomPolicy.html>
async fn keys_custom(_: &Iam, _: &Cx, input: KeysInput) -> Result<KeysOutput> {
    keys(Vec::new(), &input)
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetContextKeysForPrincipalPolicy.html>
async fn keys_principal(iam: &Iam, cx: &Cx, input: KeysInput) -> Result<KeysOutput> {
    let case = iam.source(cx, input.policy_source_arn.as_deref().unwrap_or_default()).await?;
    keys(case.identity.into_iter().map(|n| n.policy).collect(), &input)
}

fn keys(mut policies: Vec<Arc<Compiled>>, input: &KeysInput) -> Result<KeysOutput> {
    for text in &input.policy_input_list {
        policies.push(Arc::new(document::parse(text, Use::Identity)?));
    }
    Ok(KeysOutput { context_key_names: condition_keys(policies.iter().map(|p| &**p)) })
}

/// The principal with this ARN, or somebody of the account.
fn caller(cx: &Cx, arn: Option<&str>) -> Result<Principal> {
    let Some(text) = arn else {
        let kind = Who::User { name: String::new() };
        return Ok(Principal { kind, ..Principal::root(&cx.account) });
    };
    let bad = || invalid_input(format!("CallerArn {text} is not the ARN of a user."));
    let arn = Arn::parse(text).filter(|a| a.resource.starts_with("user/")).ok_or_else(bad)?;
    let name = arn.resource.rsplit('/').next().unwrap_or_default().to_owned();
    let kind = Who::User { name };
    Ok(Principal { arn: text.to_owned(), kind, ..Principal::root(arn.account) })
}

impl Iam {
    /// The policies of the user, group or role with this ARN, and a principal that has them.
    async fn source(&self, cx: &Cx, arn: &str) -> Result<Case> {
        let account = &cx.account;
        let missing = || no_such_entity(format!("The entity with ARN {arn} cannot be found."));
        let parsed = Arn::parse(arn).filter(|a| a.account == account).ok_or_else(missing)?;
        let (kind, name) = parsed.resource.split_once('/').unwrap_or((parsed.resource, ""));
        let name = name.rsplit('/').next().unwrap_or_default();
        let principal = Principal { arn: arn.to_owned(), ..caller(cx, None)? };
        let mut case = Case { principal, identity: Vec::new(), boundary: None };
        match kind {
            "user" => {
                let user: User = self.load(account, name).await?;
                case.principal = identities::user_principal(account, &user);
                self.add(&mut case, user.grants(), "user").await?;
                for group in self.groups_of(account, &user).await? {
                    self.add(&mut case, group.grants(), "group").await?;
                }
            }
            "group" => {
                let group: Group = self.load(account, name).await?;
                self.add(&mut case, group.grants(), "group").await?;
            }
            "role" => {
                let role: Role = self.load(account, name).await?;
                case.principal.kind = Who::AssumedRole {
                    role_arn: role.arn(account),
                    role_name: role.head.name.clone(),
                    session: String::new(),
                };
                self.add(&mut case, role.grants(), "role").await?;
            }
            _ => return Err(missing()),
        }
        Ok(case)
    }

    async fn add(&self, case: &mut Case, grants: &Grants, kind: &'static str) -> Result<()> {
        let compile = |text: &str| Compiled::parse(text, fogbank_policy::Usage::Stored);
        for (name, text) in &grants.inline {
            let policy = Arc::new(compile(text).map_err(|e| e.api())?);
            case.identity.push(Named { id: name.clone(), kind, policy });
        }
        for arn in &grants.attached {
            let mut set = PolicySet::default();
            let one = Grants { attached: vec![arn.clone()], ..Grants::default() };
            self.collect(&one, &mut set).await?;
            let kind = if crate::managed::is_managed(arn) { "aws-managed" } else { "user-managed" };
            for text in &set.identity {
                let policy = Arc::new(compile(text).map_err(|e| e.api())?);
                case.identity.push(Named { id: policy::name_of(arn).to_owned(), kind, policy });
            }
        }
        let bounds = Grants { boundary: grants.boundary.clone(), ..Grants::default() };
        let mut set = PolicySet::default();
        self.collect(&bounds, &mut set).await?;
        if let Some(text) = set.boundary {
            case.boundary = Some(compile(&text).map_err(|e| e.api())?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fogbank_core::{Value, map};

    use crate::testing::{ACCOUNT, World, at};

    const READ: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"true"}}},
        {"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/secret"}]}"#;

    #[tokio::test]
    async fn decisions_are_those_of_the_engine() {
        let w = World::new().await;
        w.ok("CreateUser", map! {"UserName" => "u"}).await;
        w.ok(
            "PutUserPolicy",
            map! {"UserName" => "u", "PolicyName" => "read", "PolicyDocument" => READ},
        )
        .await;
        let secure = map! {"ContextKeyName" => "aws:SecureTransport", "ContextKeyType" => "boolean",
        "ContextKeyValues" => vec![Value::from("true")]};
        let list = |items: &[&str]| items.iter().map(|i| Value::from(*i)).collect::<Vec<_>>();
        let input = map! {
            "PolicySourceArn" => format!("arn:aws:iam::{ACCOUNT}:user/u"),
            "ActionNames" => list(&["s3:GetObject", "s3:PutObject"]),
            "ResourceArns" => list(&["arn:aws:s3:::b/x", "arn:aws:s3:::b/secret"]),
            "ContextEntries" => vec![secure],
        };
        let out = w.ok("SimulatePrincipalPolicy", input).await;
        let results = out.get("EvaluationResults").unwrap().items();
        let decisions: Vec<_> = results.iter().map(|r| at(r, "EvalDecision")).collect();
        assert_eq!(decisions, ["allowed", "explicitDeny", "implicitDeny", "implicitDeny"]);
        assert_eq!(at(&results[0], "MatchedStatements.0.SourcePolicyId"), "read");
        let custom = map! {"PolicyInputList" => list(&[READ]), "ActionNames" => list(&["s3:GetObject"]),
        "ResourceArns" => list(&["arn:aws:s3:::b/x"])};
        let out = w.ok("SimulateCustomPolicy", custom).await;
        assert_eq!(at(&out, "EvaluationResults.0.EvalDecision"), "implicitDeny");
        let keys =
            w.ok("GetContextKeysForCustomPolicy", map! {"PolicyInputList" => list(&[READ])}).await;
        assert!(at(&keys, "ContextKeyNames.0").eq_ignore_ascii_case("aws:SecureTransport"));
    }
}
