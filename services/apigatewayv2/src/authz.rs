//! What must be allowed: the HTTP method of the request on the path of the resource.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-iam-policy-examples.html>

use fogbank_core::{Check, Cx, Result, Value};

use crate::ApiGatewayV2;

/// The method and path of an operation, with the members that stand in the path.
fn place(operation: &str) -> (&'static str, &'static str) {
    match operation {
        "CreateApi" => ("POST", "/apis"),
        "ImportApi" => ("PUT", "/apis"),
        "GetApis" => ("GET", "/apis"),
        "GetApi" => ("GET", "/apis/{ApiId}"),
        "UpdateApi" => ("PATCH", "/apis/{ApiId}"),
        "ReimportApi" => ("PUT", "/apis/{ApiId}"),
        "DeleteApi" => ("DELETE", "/apis/{ApiId}"),
        "ExportApi" => ("GET", "/apis/{ApiId}/exports/{Specification}"),
        "DeleteCorsConfiguration" => ("DELETE", "/apis/{ApiId}/cors"),
        "CreateRoute" => ("POST", "/apis/{ApiId}/routes"),
        "GetRoutes" => ("GET", "/apis/{ApiId}/routes"),
        "GetRoute" => ("GET", "/apis/{ApiId}/routes/{RouteId}"),
        "UpdateRoute" => ("PATCH", "/apis/{ApiId}/routes/{RouteId}"),
        "DeleteRoute" => ("DELETE", "/apis/{ApiId}/routes/{RouteId}"),
        "CreateIntegration" => ("POST", "/apis/{ApiId}/integrations"),
        "GetIntegrations" => ("GET", "/apis/{ApiId}/integrations"),
        "GetIntegration" => ("GET", "/apis/{ApiId}/integrations/{IntegrationId}"),
        "UpdateIntegration" => ("PATCH", "/apis/{ApiId}/integrations/{IntegrationId}"),
        "DeleteIntegration" => ("DELETE", "/apis/{ApiId}/integrations/{IntegrationId}"),
        "CreateAuthorizer" => ("POST", "/apis/{ApiId}/authorizers"),
        "GetAuthorizers" => ("GET", "/apis/{ApiId}/authorizers"),
        "GetAuthorizer" => ("GET", "/apis/{ApiId}/authorizers/{AuthorizerId}"),
        "UpdateAuthorizer" => ("PATCH", "/apis/{ApiId}/authorizers/{AuthorizerId}"),
        "DeleteAuthorizer" => ("DELETE", "/apis/{ApiId}/authorizers/{AuthorizerId}"),
        "CreateStage" => ("POST", "/apis/{ApiId}/stages"),
        "GetStages" => ("GET", "/apis/{ApiId}/stages"),
        "GetStage" => ("GET", "/apis/{ApiId}/stages/{StageName}"),
        "UpdateStage" => ("PATCH", "/apis/{ApiId}/stages/{StageName}"),
        "DeleteStage" => ("DELETE", "/apis/{ApiId}/stages/{StageName}"),
        "DeleteAccessLogSettings" => {
            ("DELETE", "/apis/{ApiId}/stages/{StageName}/accesslogsettings")
        }
        "DeleteRouteSettings" => {
            ("DELETE", "/apis/{ApiId}/stages/{StageName}/routesettings/{RouteKey}")
        }
        "ResetAuthorizersCache" => ("DELETE", "/apis/{ApiId}/stages/{StageName}/cache/authorizers"),
        "CreateDeployment" => ("POST", "/apis/{ApiId}/deployments"),
        "GetDeployments" => ("GET", "/apis/{ApiId}/deployments"),
        "GetDeployment" => ("GET", "/apis/{ApiId}/deployments/{DeploymentId}"),
        "UpdateDeployment" => ("PATCH", "/apis/{ApiId}/deployments/{DeploymentId}"),
        "DeleteDeployment" => ("DELETE", "/apis/{ApiId}/deployments/{DeploymentId}"),
        "GetTags" => ("GET", "/tags/{ResourceArn}"),
        "TagResource" => ("POST", "/tags/{ResourceArn}"),
        "UntagResource" => ("DELETE", "/tags/{ResourceArn}"),
        _ => ("POST", "/*"),
    }
}

/// The check of every operation.
pub async fn check(_: &ApiGatewayV2, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let (method, path) = place(cx.operation);
    let mut resource = format!("arn:aws:apigateway:{}::", cx.region);
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        resource.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = input.str(name).unwrap_or("*");
        if name == "ResourceArn" {
            // Escaped, so that the ARN is one segment.
            resource.push_str(&value.replace(':', "%3A").replace('/', "%2F"));
        } else {
            resource.push_str(value);
        }
        rest = after;
    }
    resource.push_str(rest);
    let mut checks = vec![Check::new(format!("apigateway:{method}"), resource)];
    for role in ["CredentialsArn", "AuthorizerCredentialsArn"] {
        let given = input.str(role).filter(|r| r.contains(":role/"));
        checks.extend(given.map(|role| {
            Check::new("iam:PassRole", role).with("iam:PassedToService", "apigateway.amazonaws.com")
        }));
    }
    Ok(checks)
}
