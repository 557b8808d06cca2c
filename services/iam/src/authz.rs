//! What must be allowed before an operation runs: the action, the resource's ARN, IAM's condition
//! keys.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>

use fogbank_core::{Check, Cx, Kind as Who, Result, Value};

use crate::entity::{Entity, Head, Kind};
use crate::group::Group;
use crate::instance_profile::InstanceProfile;
use crate::oidc::Provider;
use crate::policy::Policy;
use crate::role::Role;
use crate::user::User;
use crate::{Iam, access_key, managed, service_linked};

type Checks = Result<Vec<Check>>;

pub async fn user(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![on_user(iam, cx, input).await?])
}

pub async fn group(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![named::<Group>(iam, cx, input, "GroupName").await?])
}

pub async fn role(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![named::<Role>(iam, cx, input, "RoleName").await?])
}

pub async fn instance_profile(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![named::<InstanceProfile>(iam, cx, input, "InstanceProfileName").await?])
}

pub async fn policy(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    let arn = input.str("PolicyArn").unwrap_or("*");
    if managed::is_managed(arn) {
        return Ok(vec![check(cx, arn.to_owned())]);
    }
    Ok(vec![at_arn::<Policy>(iam, cx, input, arn).await?])
}

pub async fn oidc(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    let arn = input.str("OpenIDConnectProviderArn").unwrap_or("*");
    Ok(vec![at_arn::<Provider>(iam, cx, input, arn).await?])
}

pub async fn create_user(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![bounded(creation(cx, Kind::User, input, "UserName"), input)])
}

pub async fn create_group(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![creation(cx, Kind::Group, input, "GroupName")])
}

pub async fn create_role(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![bounded(creation(cx, Kind::Role, input, "RoleName"), input)])
}

pub async fn create_policy(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![creation(cx, Kind::Policy, input, "PolicyName")])
}

pub async fn create_instance_profile(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![creation(cx, Kind::InstanceProfile, input, "InstanceProfileName")])
}

pub async fn create_oidc(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    let url = input.str("Url").unwrap_or("*");
    let url = url.strip_prefix("https://").unwrap_or(url);
    let check = check(cx, format!("arn:aws:iam::{}:oidc-provider/{url}", cx.account));
    Ok(vec![with_request_tags(check, input)])
}

pub async fn create_service_linked(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    let service = input.str("AWSServiceName").unwrap_or("*");
    let arn = service_linked::arn(&cx.account, service, input.str("CustomSuffix"));
    Ok(vec![check(cx, arn).with("iam:AWSServiceName", service)])
}

pub async fn list_users(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![below_path(cx, Kind::User, input)])
}

pub async fn list_groups(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![below_path(cx, Kind::Group, input)])
}

pub async fn list_roles(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![below_path(cx, Kind::Role, input)])
}

pub async fn list_instance_profiles(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![below_path(cx, Kind::InstanceProfile, input)])
}

pub async fn attach_user(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    let check = on_user(iam, cx, input).await?;
    let user = input.str("UserName").unwrap_or_default();
    let found: Option<User> = iam.find(&cx.account, user).await?;
    let bound = found.and_then(|u| u.grants.boundary);
    Ok(vec![attachment(check, input, bound)])
}

pub async fn attach_group(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    let check = named::<Group>(iam, cx, input, "GroupName").await?;
    Ok(vec![attachment(check, input, None)])
}

pub async fn attach_role(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    let check = named::<Role>(iam, cx, input, "RoleName").await?;
    let role = input.str("RoleName").unwrap_or_default();
    let found: Option<Role> = iam.find(&cx.account, role).await?;
    let bound = found.and_then(|r| r.grants.boundary);
    Ok(vec![attachment(check, input, bound)])
}

pub async fn bound_user(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![bounded(on_user(iam, cx, input).await?, input)])
}

pub async fn bound_role(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![bounded(named::<Role>(iam, cx, input, "RoleName").await?, input)])
}

/// Operations whose user is the caller when the request names none.
pub async fn own_user(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    user(iam, cx, input).await
}

/// The user, group or role whose policies are simulated.
pub async fn source(_: &Iam, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![check(cx, input.str("PolicySourceArn").unwrap_or("*").to_owned())])
}

/// The user that a key belongs to.
pub async fn key_user(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    let id = input.str("AccessKeyId").unwrap_or_default();
    let key = iam.store.get(&access_key::KEYS, &fogbank_store::Key::new().str(id)).await?;
    let owner: Option<User> = match key.filter(|k| k.account == cx.account) {
        Some(key) => iam.holder(&cx.account, &key.user_id).await?,
        None => None,
    };
    let arn = owner.map_or_else(|| "*".to_owned(), |u| u.arn(&cx.account));
    Ok(vec![check(cx, arn)])
}

/// AddRoleToInstanceProfile also passes the role to EC2.
pub async fn add_role(iam: &Iam, cx: &Cx, input: &Value) -> Checks {
    let profile = named::<InstanceProfile>(iam, cx, input, "InstanceProfileName").await?;
    let mut pass = named::<Role>(iam, cx, input, "RoleName").await?;
    pass.action = "iam:PassRole".into();
    Ok(vec![profile, pass.with("iam:PassedToService", "ec2.amazonaws.com")])
}

async fn on_user(iam: &Iam, cx: &Cx, input: &Value) -> Result<Check> {
    if input.str("UserName").is_some() {
        return named::<User>(iam, cx, input, "UserName").await;
    }
    match &cx.principal.kind {
        Who::User { name } => {
            let found: Option<User> = iam.find(&cx.account, name).await?;
            Ok(existing(cx, found.as_ref(), name, input))
        }
        _ => Ok(check(cx, "*".into())),
    }
}

async fn named<E: Entity>(iam: &Iam, cx: &Cx, input: &Value, member: &str) -> Result<Check> {
    let name = input.str(member).unwrap_or("*");
    let found: Option<E> = iam.find(&cx.account, name).await?;
    Ok(existing(cx, found.as_ref(), name, input))
}

async fn at_arn<E: Entity>(iam: &Iam, cx: &Cx, input: &Value, arn: &str) -> Result<Check> {
    let found: Option<E> = iam.find(&cx.account, arn).await?;
    let check = check(cx, arn.to_owned());
    let check = found.iter().fold(check, |c, e| with_resource_tags(c, e.head()));
    Ok(with_request_tags(check, input))
}

/// A check on a resource that should exist; one that does not is taken to have no path.
fn existing<E: Entity>(cx: &Cx, found: Option<&E>, name: &str, input: &Value) -> Check {
    let check = match found {
        Some(e) => with_resource_tags(check(cx, e.arn(&cx.account)), e.head()),
        None => check(cx, format!("arn:aws:iam::{}:{}/{name}", cx.account, E::KIND.arn_name())),
    };
    with_request_tags(check, input)
}

fn creation(cx: &Cx, kind: Kind, input: &Value, member: &str) -> Check {
    let (path, name) = (input.str("Path").unwrap_or("/"), input.str(member).unwrap_or("*"));
    let arn = format!("arn:aws:iam::{}:{}{path}{name}", cx.account, kind.arn_name());
    with_request_tags(check(cx, arn), input)
}

fn below_path(cx: &Cx, kind: Kind, input: &Value) -> Check {
    let prefix = input.str("PathPrefix").unwrap_or("/");
    check(cx, format!("arn:aws:iam::{}:{}{prefix}", cx.account, kind.arn_name()))
}

fn check(cx: &Cx, arn: String) -> Check {
    Check::new(format!("iam:{}", cx.operation), arn)
}

fn bounded(check: Check, input: &Value) -> Check {
    match input.str("PermissionsBoundary") {
        Some(arn) => check.with("iam:PermissionsBoundary", arn),
        None => check,
    }
}

fn attachment(check: Check, input: &Value, boundary: Option<String>) -> Check {
    let check = check.with("iam:PolicyARN", input.str("PolicyArn").unwrap_or_default());
    match boundary {
        Some(arn) => check.with("iam:PermissionsBoundary", arn),
        None => check,
    }
}

fn with_resource_tags(mut check: Check, head: &Head) -> Check {
    for tag in &head.tags {
        check = check
            .with(format!("aws:ResourceTag/{}", tag.key), tag.value.clone())
            .with(format!("iam:ResourceTag/{}", tag.key), tag.value.clone());
    }
    check
}

fn with_request_tags(mut check: Check, input: &Value) -> Check {
    let tags = input.get("Tags").map(Value::items).unwrap_or_default();
    let mut keys: Vec<String> = input.get("TagKeys").map_or_else(Vec::new, |k| {
        k.items().iter().filter_map(Value::as_str).map(str::to_owned).collect()
    });
    for tag in tags {
        if let (Some(key), value) = (tag.str("Key"), tag.str("Value").unwrap_or_default()) {
            check = check.with(format!("aws:RequestTag/{key}"), value);
            keys.push(key.to_owned());
        }
    }
    if !keys.is_empty() {
        check.context.push(("aws:TagKeys".into(), keys));
    }
    check
}
