//! IAM: roles, policies, instance profiles, users, groups, access keys.

use fogbank_core::{ApiError, Result};
use serde_json::{Value, json};

use super::{Kind, Made, Props};
use crate::kind;
use crate::maker::{Maker, pick, text};
use crate::record::Instance;

pub const KINDS: &[Kind] = &[
    kind!("AWS::IAM::Role" {
        properties: [
            "AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration",
            "Path", "PermissionsBoundary", "Policies", "RoleName", "Tags",
        ],
        required: ["AssumeRolePolicyDocument"],
        replaces: ["Path", "RoleName"],
        create: create_role,
        update: update_role,
        delete: delete_role,
    }),
    kind!("AWS::IAM::Policy" {
        properties: ["Groups", "PolicyDocument", "PolicyName", "Roles", "Users"],
        required: ["PolicyDocument", "PolicyName"],
        replaces: [],
        create: create_policy,
        update: update_policy,
        delete: delete_policy,
    }),
    kind!("AWS::IAM::ManagedPolicy" {
        properties: [
            "Description", "Groups", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Users",
        ],
        required: ["PolicyDocument"],
        replaces: ["Description", "ManagedPolicyName", "Path"],
        create: create_managed,
        update: update_managed,
        delete: delete_managed,
    }),
    kind!("AWS::IAM::InstanceProfile" {
        properties: ["InstanceProfileName", "Path", "Roles"],
        required: ["Roles"],
        replaces: ["InstanceProfileName", "Path"],
        create: create_profile,
        update: update_profile,
        delete: delete_profile,
    }),
    kind!("AWS::IAM::User" {
        properties: [
            "Groups", "ManagedPolicyArns", "Path", "PermissionsBoundary", "Policies", "Tags",
            "UserName",
        ],
        required: [],
        replaces: ["UserName"],
        create: create_user,
        update: update_user,
        delete: delete_user,
    }),
    kind!("AWS::IAM::Group" {
        properties: ["GroupName", "ManagedPolicyArns", "Path", "Policies"],
        required: [],
        replaces: ["GroupName"],
        create: create_group,
        update: update_group,
        delete: delete_group,
    }),
    kind!("AWS::IAM::AccessKey" {
        properties: ["Serial", "Status", "UserName"],
        required: ["UserName"],
        replaces: ["Serial", "UserName"],
        create: create_key,
        update: update_key,
        delete: delete_key,
    }),
];

const ABSENT: &[&str] = &["NoSuchEntity"];

/// The three sorts of principals that policies hang on: IAM's word, its member's name, the
/// property that lists them.
const HOLDERS: &[(&str, &str, &str)] = &[
    ("Role", "RoleName", "Roles"),
    ("User", "UserName", "Users"),
    ("Group", "GroupName", "Groups"),
];

fn list(p: &Props, name: &str) -> Vec<String> {
    p.get(name).and_then(Value::as_array).into_iter().flatten().map(|v| text(Some(v))).collect()
}

fn document(v: Option<&Value>) -> String {
    match v {
        Some(Value::String(s)) => s.clone(),
        Some(v) => v.to_string(),
        None => String::new(),
    }
}

async fn create_role(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let name = m.named(p, "RoleName", 64);
    let mut input = pick(p, &["Description", "MaxSessionDuration", "Path", "PermissionsBoundary"]);
    input.insert("RoleName".into(), json!(name));
    let trust = document(p.get("AssumeRolePolicyDocument"));
    input.insert("AssumeRolePolicyDocument".into(), json!(trust));
    input.insert("Tags".into(), Maker::tag_list(&m.tags(p)));
    let made = m.call("iam", "CreateRole", input.into()).await?;
    attach(m, "Role", &name, &Props::new(), p).await?;
    Ok(named(&name, &made["Role"], "RoleId"))
}

async fn update_role(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    let (name, before) = (&old.physical_id, old.props());
    if p.get("AssumeRolePolicyDocument") != before.get("AssumeRolePolicyDocument") {
        let trust = document(p.get("AssumeRolePolicyDocument"));
        let input = json!({"RoleName": name, "PolicyDocument": trust});
        m.call("iam", "UpdateAssumeRolePolicy", input).await?;
    }
    let mut input = pick(p, &["Description", "MaxSessionDuration"]);
    if ["Description", "MaxSessionDuration"].iter().any(|k| p.get(*k) != before.get(*k)) {
        input.insert("RoleName".into(), json!(name));
        m.call("iam", "UpdateRole", input.into()).await?;
    }
    boundary(m, "Role", name, &before, p).await?;
    attach(m, "Role", name, &before, p).await?;
    retag(m, "Role", name, &m.tags(&before), &m.tags(p)).await?;
    Ok(Made { id: name.clone(), attributes: old.attrs() })
}

async fn delete_role(m: &Maker<'_>, i: &Instance) -> Result<()> {
    strip(m, "Role", &i.physical_id, &i.props()).await?;
    m.find("iam", "DeleteRole", json!({"RoleName": i.physical_id}), ABSENT).await.map(drop)
}

fn named(name: &str, v: &Value, id: &str) -> Made {
    Made::new(name).with("Arn", text(v.get("Arn"))).with(id, text(v.get(id)))
}

/// Brings inline and managed policies from what they were to what they shall be.
async fn attach(m: &Maker<'_>, what: &str, name: &str, old: &Props, new: &Props) -> Result<()> {
    let member = format!("{what}Name");
    let (had, has) = (list(old, "ManagedPolicyArns"), list(new, "ManagedPolicyArns"));
    for arn in has.iter().filter(|a| !had.contains(a)) {
        let input = json!({&*member: name, "PolicyArn": arn});
        m.call("iam", &format!("Attach{what}Policy"), input).await?;
    }
    for arn in had.iter().filter(|a| !has.contains(a)) {
        let input = json!({&*member: name, "PolicyArn": arn});
        m.find("iam", &format!("Detach{what}Policy"), input, ABSENT).await?;
    }
    let inline = |p: &Props| -> Vec<(String, String)> {
        let all = p.get("Policies").and_then(Value::as_array).into_iter().flatten();
        all.map(|v| (text(v.get("PolicyName")), document(v.get("PolicyDocument")))).collect()
    };
    let (had, has) = (inline(old), inline(new));
    for (policy, document) in has.iter().filter(|p| !had.contains(p)) {
        let input = json!({&*member: name, "PolicyName": policy, "PolicyDocument": document});
        m.call("iam", &format!("Put{what}Policy"), input).await?;
    }
    for (policy, _) in had.iter().filter(|(n, _)| !has.iter().any(|(h, _)| h == n)) {
        let input = json!({&*member: name, "PolicyName": policy});
        m.find("iam", &format!("Delete{what}Policy"), input, ABSENT).await?;
    }
    Ok(())
}

async fn strip(m: &Maker<'_>, what: &str, name: &str, p: &Props) -> Result<()> {
    match attach(m, what, name, p, &Props::new()).await {
        Err(e) if e.code() == "NoSuchEntity" => Ok(()),
        other => other,
    }
}

async fn boundary(m: &Maker<'_>, what: &str, name: &str, old: &Props, new: &Props) -> Result<()> {
    if old.get("PermissionsBoundary") == new.get("PermissionsBoundary") {
        return Ok(());
    }
    let member = format!("{what}Name");
    match new.get("PermissionsBoundary") {
        Some(arn) => {
            let input = json!({&*member: name, "PermissionsBoundary": arn});
            m.call("iam", &format!("Put{what}PermissionsBoundary"), input).await?;
        }
        None => {
            let operation = format!("Delete{what}PermissionsBoundary");
            m.find("iam", &operation, json!({&*member: name}), ABSENT).await?;
        }
    }
    Ok(())
}

type Tags = [(String, String)];

async fn retag(m: &Maker<'_>, what: &str, name: &str, old: &Tags, new: &Tags) -> Result<()> {
    let member = format!("{what}Name");
    let fresh: Vec<_> = new.iter().filter(|t| !old.contains(t)).cloned().collect();
    if !fresh.is_empty() {
        let input = json!({&*member: name, "Tags": Maker::tag_list(&fresh)});
        m.call("iam", &format!("Tag{what}"), input).await?;
    }
    let gone: Vec<&String> =
        old.iter().map(|(k, _)| k).filter(|k| !new.iter().any(|(n, _)| n == *k)).collect();
    if !gone.is_empty() {
        m.call("iam", &format!("Untag{what}"), json!({&*member: name, "TagKeys": gone})).await?;
    }
    Ok(())
}

async fn create_policy(m: &Maker<'_>, p: &Props) -> Result<Made> {
    if HOLDERS.iter().all(|(_, _, property)| list(p, property).is_empty()) {
        return Err(ApiError::new(
            "InvalidRequest",
            "At least one of [Groups,Roles,Users] must be non-empty.",
        ));
    }
    let id = m.name(64);
    put_policy(m, p).await?;
    Ok(Made::new(&*id).with("Id", id.as_str()))
}

async fn put_policy(m: &Maker<'_>, p: &Props) -> Result<()> {
    let (name, document) = (text(p.get("PolicyName")), document(p.get("PolicyDocument")));
    for (what, member, property) in HOLDERS {
        for holder in list(p, property) {
            let input = json!({*member: holder, "PolicyName": name, "PolicyDocument": document});
            m.call("iam", &format!("Put{what}Policy"), input).await?;
        }
    }
    Ok(())
}

async fn remove_policy(m: &Maker<'_>, old: &Props, keep: &Props) -> Result<()> {
    let name = text(old.get("PolicyName"));
    let same = name == text(keep.get("PolicyName"));
    for (what, member, property) in HOLDERS {
        let kept = list(keep, property);
        for holder in list(old, property).into_iter().filter(|h| !same || !kept.contains(h)) {
            let input = json!({*member: holder, "PolicyName": name});
            m.find("iam", &format!("Delete{what}Policy"), input, ABSENT).await?;
        }
    }
    Ok(())
}

async fn update_policy(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    put_policy(m, p).await?;
    remove_policy(m, &old.props(), p).await?;
    Ok(Made { id: old.physical_id.clone(), attributes: old.attrs() })
}

async fn delete_policy(m: &Maker<'_>, i: &Instance) -> Result<()> {
    remove_policy(m, &i.props(), &Props::new()).await
}

async fn create_managed(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let mut input = pick(p, &["Description", "Path"]);
    input.insert("PolicyName".into(), json!(m.named(p, "ManagedPolicyName", 128)));
    input.insert("PolicyDocument".into(), json!(document(p.get("PolicyDocument"))));
    let made = m.call("iam", "CreatePolicy", input.into()).await?;
    let policy = &made["Policy"];
    let arn = text(policy.get("Arn"));
    hang(m, &arn, &Props::new(), p).await?;
    Ok(Made::new(&*arn)
        .with("PolicyArn", arn.as_str())
        .with("PolicyId", text(policy.get("PolicyId"))))
}

/// Attaches a managed policy to those that its properties name, and detaches it from others.
async fn hang(m: &Maker<'_>, arn: &str, old: &Props, new: &Props) -> Result<()> {
    for (what, member, property) in HOLDERS {
        let (had, has) = (list(old, property), list(new, property));
        for holder in has.iter().filter(|h| !had.contains(h)) {
            let input = json!({*member: holder, "PolicyArn": arn});
            m.call("iam", &format!("Attach{what}Policy"), input).await?;
        }
        for holder in had.iter().filter(|h| !has.contains(h)) {
            let input = json!({*member: holder, "PolicyArn": arn});
            m.find("iam", &format!("Detach{what}Policy"), input, ABSENT).await?;
        }
    }
    Ok(())
}

async fn update_managed(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    let (arn, before) = (&old.physical_id, old.props());
    if p.get("PolicyDocument") != before.get("PolicyDocument") {
        prune(m, arn, 4).await?;
        let document = document(p.get("PolicyDocument"));
        let input = json!({"PolicyArn": arn, "PolicyDocument": document, "SetAsDefault": true});
        m.call("iam", "CreatePolicyVersion", input).await?;
    }
    hang(m, arn, &before, p).await?;
    Ok(Made { id: arn.clone(), attributes: old.attrs() })
}

/// Deletes the oldest versions, so that `keep` are left; the default one stays.
async fn prune(m: &Maker<'_>, arn: &str, keep: usize) -> Result<()> {
    let found = m.find("iam", "ListPolicyVersions", json!({"PolicyArn": arn}), ABSENT).await?;
    let all = found.as_ref().and_then(|v| v["Versions"].as_array());
    let old = all.into_iter().flatten().filter(|v| v["IsDefaultVersion"] != json!(true));
    for v in old.skip(keep.saturating_sub(1)) {
        let input = json!({"PolicyArn": arn, "VersionId": v["VersionId"]});
        m.find("iam", "DeletePolicyVersion", input, ABSENT).await?;
    }
    Ok(())
}

async fn delete_managed(m: &Maker<'_>, i: &Instance) -> Result<()> {
    hang(m, &i.physical_id, &i.props(), &Props::new()).await?;
    prune(m, &i.physical_id, 1).await?;
    m.find("iam", "DeletePolicy", json!({"PolicyArn": i.physical_id}), ABSENT).await.map(drop)
}

async fn create_profile(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let name = m.named(p, "InstanceProfileName", 128);
    let mut input = pick(p, &["Path"]);
    input.insert("InstanceProfileName".into(), json!(name));
    let made = m.call("iam", "CreateInstanceProfile", input.into()).await?;
    for role in list(p, "Roles") {
        let input = json!({"InstanceProfileName": name, "RoleName": role});
        m.call("iam", "AddRoleToInstanceProfile", input).await?;
    }
    Ok(Made::new(&*name).with("Arn", text(made["InstanceProfile"].get("Arn"))))
}

async fn update_profile(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    let name = &old.physical_id;
    let (had, has) = (list(&old.props(), "Roles"), list(p, "Roles"));
    for role in had.iter().filter(|r| !has.contains(r)) {
        let input = json!({"InstanceProfileName": name, "RoleName": role});
        m.find("iam", "RemoveRoleFromInstanceProfile", input, ABSENT).await?;
    }
    for role in has.iter().filter(|r| !had.contains(r)) {
        let input = json!({"InstanceProfileName": name, "RoleName": role});
        m.call("iam", "AddRoleToInstanceProfile", input).await?;
    }
    Ok(Made { id: name.clone(), attributes: old.attrs() })
}

async fn delete_profile(m: &Maker<'_>, i: &Instance) -> Result<()> {
    for role in list(&i.props(), "Roles") {
        let input = json!({"InstanceProfileName": i.physical_id, "RoleName": role});
        m.find("iam", "RemoveRoleFromInstanceProfile", input, ABSENT).await?;
    }
    let input = json!({"InstanceProfileName": i.physical_id});
    m.find("iam", "DeleteInstanceProfile", input, ABSENT).await.map(drop)
}

async fn create_user(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let name = m.named(p, "UserName", 64);
    let mut input = pick(p, &["Path", "PermissionsBoundary"]);
    input.insert("UserName".into(), json!(name));
    input.insert("Tags".into(), Maker::tag_list(&m.tags(p)));
    let made = m.call("iam", "CreateUser", input.into()).await?;
    attach(m, "User", &name, &Props::new(), p).await?;
    groups(m, &name, &Props::new(), p).await?;
    Ok(Made::new(&*name).with("Arn", text(made["User"].get("Arn"))))
}

async fn groups(m: &Maker<'_>, user: &str, old: &Props, new: &Props) -> Result<()> {
    let (had, has) = (list(old, "Groups"), list(new, "Groups"));
    for group in has.iter().filter(|g| !had.contains(g)) {
        let input = json!({"UserName": user, "GroupName": group});
        m.call("iam", "AddUserToGroup", input).await?;
    }
    for group in had.iter().filter(|g| !has.contains(g)) {
        let input = json!({"UserName": user, "GroupName": group});
        m.find("iam", "RemoveUserFromGroup", input, ABSENT).await?;
    }
    Ok(())
}

async fn update_user(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    let (name, before) = (&old.physical_id, old.props());
    if p.get("Path") != before.get("Path") {
        let input = json!({"UserName": name, "NewPath": p.get("Path").unwrap_or(&json!("/"))});
        m.call("iam", "UpdateUser", input).await?;
    }
    boundary(m, "User", name, &before, p).await?;
    attach(m, "User", name, &before, p).await?;
    groups(m, name, &before, p).await?;
    retag(m, "User", name, &m.tags(&before), &m.tags(p)).await?;
    Ok(Made { id: name.clone(), attributes: old.attrs() })
}

async fn delete_user(m: &Maker<'_>, i: &Instance) -> Result<()> {
    strip(m, "User", &i.physical_id, &i.props()).await?;
    groups(m, &i.physical_id, &i.props(), &Props::new()).await?;
    m.find("iam", "DeleteUser", json!({"UserName": i.physical_id}), ABSENT).await.map(drop)
}

async fn create_group(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let name = m.named(p, "GroupName", 128);
    let mut input = pick(p, &["Path"]);
    input.insert("GroupName".into(), json!(name));
    let made = m.call("iam", "CreateGroup", input.into()).await?;
    attach(m, "Group", &name, &Props::new(), p).await?;
    Ok(Made::new(&*name).with("Arn", text(made["Group"].get("Arn"))))
}

async fn update_group(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    if p.get("Path") != old.props().get("Path") {
        let path = p.get("Path").cloned().unwrap_or_else(|| json!("/"));
        let input = json!({"GroupName": old.physical_id, "NewPath": path});
        m.call("iam", "UpdateGroup", input).await?;
    }
    attach(m, "Group", &old.physical_id, &old.props(), p).await?;
    Ok(Made { id: old.physical_id.clone(), attributes: old.attrs() })
}

async fn delete_group(m: &Maker<'_>, i: &Instance) -> Result<()> {
    strip(m, "Group", &i.physical_id, &i.props()).await?;
    m.find("iam", "DeleteGroup", json!({"GroupName": i.physical_id}), ABSENT).await.map(drop)
}

async fn create_key(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let made = m.call("iam", "CreateAccessKey", json!({"UserName": p.get("UserName")})).await?;
    let key = &made["AccessKey"];
    let id = text(key.get("AccessKeyId"));
    if text(p.get("Status")) == "Inactive" {
        status(m, &id, p).await?;
    }
    Ok(Made::new(id).with("SecretAccessKey", text(key.get("SecretAccessKey"))))
}

async fn status(m: &Maker<'_>, id: &str, p: &Props) -> Result<()> {
    let input = json!({
        "UserName": p.get("UserName"), "AccessKeyId": id,
        "Status": p.get("Status").cloned().unwrap_or_else(|| json!("Active")),
    });
    m.call("iam", "UpdateAccessKey", input).await.map(drop)
}

async fn update_key(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    status(m, &old.physical_id, p).await?;
    Ok(Made { id: old.physical_id.clone(), attributes: old.attrs() })
}

async fn delete_key(m: &Maker<'_>, i: &Instance) -> Result<()> {
    let input = json!({"UserName": i.props().get("UserName"), "AccessKeyId": i.physical_id});
    m.find("iam", "DeleteAccessKey", input, ABSENT).await.map(drop)
}
