//! Service-linked roles: made for a service and changed by nobody else.
//!
//! fogbank's services act on their own and need no permissions of the role, so it has none.

use fogbank_core::{Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::authz;
use crate::entity::{Head, Kind};
use crate::error::{invalid_input, no_such_entity};
use crate::principal::Grants;
use crate::role::{Role, RoleOutput, RoleView};

pub const OPS: &[Op<Iam>] = ops![
    CreateServiceLinkedRole => create [authz::create_service_linked],
    DeleteServiceLinkedRole => delete [authz::role],
    GetServiceLinkedRoleDeletionStatus => deletion_status,
];

/// Services that have such a role, and its name.
const SERVICES: &[(&str, &str)] = &[
    ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"),
    ("ecs.amazonaws.com", "AWSServiceRoleForECS"),
    ("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS"),
    ("eks-nodegroup.amazonaws.com", "AWSServiceRoleForAmazonEKSNodegroup"),
    ("eks-fargate.amazonaws.com", "AWSServiceRoleForAmazonEKSForFargate"),
    ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"),
    ("elasticache.amazonaws.com", "AWSServiceRoleForElastiCache"),
    ("elasticfilesystem.amazonaws.com", "AWSServiceRoleForAmazonElasticFileSystem"),
    ("events.amazonaws.com", "AWSServiceRoleForCloudWatchEvents"),
    ("ops.apigateway.amazonaws.com", "AWSServiceRoleForAPIGateway"),
    ("rds.amazonaws.com", "AWSServiceRoleForRDS"),
    ("replicator.lambda.amazonaws.com", "AWSServiceRoleForLambdaReplicator"),
    ("spot.amazonaws.com", "AWSServiceRoleForEC2Spot"),
    (
        "dynamodb.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
    ),
    (
        "ecs.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_ECSService",
    ),
    ("rum.amazonaws.com", "AWSServiceRoleForCloudWatchRUM"),
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    #[serde(rename = "AWSServiceName")]
    service: String,
    description: Option<String>,
    custom_suffix: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceLinkedRole.html>
async fn create(iam: &Iam, cx: &Cx, input: CreateInput) -> Result<RoleOutput> {
    let service = &input.service;
    let (suffix_fits, name) = role_name(service, input.custom_suffix.as_deref())
        .ok_or_else(|| invalid_input(format!("Invalid service name: {service}")))?;
    if !suffix_fits {
        return Err(invalid_input(format!("Custom suffix is not allowed for {service}")));
    }
    if iam.find::<Role>(&cx.account, &name).await?.is_some() {
        return Err(invalid_input(format!(
            "Service role name {name} has been taken in this account, please try a different \
             suffix."
        )));
    }
    let path = format!("/aws-service-role/{service}/");
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":["{service}"]}},"Action":["sts:AssumeRole"]}}]}}"#
    );
    let role = Role {
        head: Head::new(cx, Kind::Role, &name, Some(&path), Vec::new())?,
        grants: Grants::default(),
        trust,
        description: input.description,
        max_session: 3600,
        linked_to: Some(service.clone()),
    };
    let role = iam.insert_role(cx, role, None).await?;
    Ok(RoleOutput { role: RoleView::new(&cx.account, &role) })
}

/// The name of the service's role, and whether the suffix, if any, is allowed.
fn role_name(service: &str, suffix: Option<&str>) -> Option<(bool, String)> {
    let (_, name) = SERVICES.iter().find(|(s, _)| *s == service)?;
    Some(match suffix {
        None => (true, (*name).to_owned()),
        Some(suffix) => (service == "autoscaling.amazonaws.com", format!("{name}_{suffix}")),
    })
}

/// The ARN of the role that a request would make, for its authorisation.
pub fn arn(account: &str, service: &str, suffix: Option<&str>) -> String {
    let name = role_name(service, suffix).map_or_else(|| "*".to_owned(), |(_, name)| name);
    format!("arn:aws:iam::{account}:role/aws-service-role/{service}/{name}")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteInput {
    role_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteOutput {
    deletion_task_id: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServiceLinkedRole.html>
///
/// The role is gone when this answers, so the task it names has always succeeded.
async fn delete(iam: &Iam, cx: &Cx, input: DeleteInput) -> Result<DeleteOutput> {
    let role: Role = iam.load(&cx.account, &input.role_name).await?;
    let linked = |r: &Role| match &r.linked_to {
        Some(_) => Ok(()),
        None => Err(invalid_input(format!("{} is not a service-linked role.", r.head.name))),
    };
    linked(&role)?;
    iam.remove_role(cx, &input.role_name, linked).await?;
    let (path, name) = (&role.head.path, &role.head.name);
    Ok(DeleteOutput { deletion_task_id: format!("task{path}{name}/{}", cx.ids().uuid()) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatusInput {
    deletion_task_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StatusOutput {
    status: &'static str,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetServiceLinkedRoleDeletionStatus.html>
async fn deletion_status(_: &Iam, _: &Cx, input: StatusInput) -> Result<StatusOutput> {
    let id = &input.deletion_task_id;
    if id.starts_with("task/aws-service-role/") {
        return Ok(StatusOutput { status: "SUCCEEDED" });
    }
    Err(no_such_entity(format!("Deletion task {id} cannot be found.")))
}
