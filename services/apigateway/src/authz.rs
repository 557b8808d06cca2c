//! What must be allowed: the HTTP method of the request on the path of the resource.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-iam-policy-examples.html>

use fogbank_core::{Check, Cx, Result, Value};

use crate::ApiGateway;

/// Operations with their method and their path, in which members of the input stand. By name.
const PLACES: &[(&str, &str, &str)] = &[
    ("CreateApiKey", "POST", "/apikeys"),
    ("CreateAuthorizer", "POST", "/restapis/{restApiId}/authorizers"),
    ("CreateDeployment", "POST", "/restapis/{restApiId}/deployments"),
    ("CreateModel", "POST", "/restapis/{restApiId}/models"),
    ("CreateRequestValidator", "POST", "/restapis/{restApiId}/requestvalidators"),
    ("CreateResource", "POST", "/restapis/{restApiId}/resources/{parentId}"),
    ("CreateRestApi", "POST", "/restapis"),
    ("CreateStage", "POST", "/restapis/{restApiId}/stages"),
    ("CreateUsagePlan", "POST", "/usageplans"),
    ("CreateUsagePlanKey", "POST", "/usageplans/{usagePlanId}/keys"),
    ("DeleteApiKey", "DELETE", "/apikeys/{apiKey}"),
    ("DeleteAuthorizer", "DELETE", "/restapis/{restApiId}/authorizers/{authorizerId}"),
    ("DeleteDeployment", "DELETE", "/restapis/{restApiId}/deployments/{deploymentId}"),
    ("DeleteGatewayResponse", "DELETE", "/restapis/{restApiId}/gatewayresponses/{responseType}"),
    (
        "DeleteIntegration",
        "DELETE",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration",
    ),
    (
        "DeleteIntegrationResponse",
        "DELETE",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration/responses/{statusCode}",
    ),
    ("DeleteMethod", "DELETE", "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}"),
    (
        "DeleteMethodResponse",
        "DELETE",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/responses/{statusCode}",
    ),
    ("DeleteModel", "DELETE", "/restapis/{restApiId}/models/{modelName}"),
    (
        "DeleteRequestValidator",
        "DELETE",
        "/restapis/{restApiId}/requestvalidators/{requestValidatorId}",
    ),
    ("DeleteResource", "DELETE", "/restapis/{restApiId}/resources/{resourceId}"),
    ("DeleteRestApi", "DELETE", "/restapis/{restApiId}"),
    ("DeleteStage", "DELETE", "/restapis/{restApiId}/stages/{stageName}"),
    ("DeleteUsagePlan", "DELETE", "/usageplans/{usagePlanId}"),
    ("DeleteUsagePlanKey", "DELETE", "/usageplans/{usagePlanId}/keys/{keyId}"),
    (
        "FlushStageAuthorizersCache",
        "DELETE",
        "/restapis/{restApiId}/stages/{stageName}/cache/authorizers",
    ),
    ("FlushStageCache", "DELETE", "/restapis/{restApiId}/stages/{stageName}/cache/data"),
    ("GetAccount", "GET", "/account"),
    ("GetApiKey", "GET", "/apikeys/{apiKey}"),
    ("GetApiKeys", "GET", "/apikeys"),
    ("GetAuthorizer", "GET", "/restapis/{restApiId}/authorizers/{authorizerId}"),
    ("GetAuthorizers", "GET", "/restapis/{restApiId}/authorizers"),
    ("GetDeployment", "GET", "/restapis/{restApiId}/deployments/{deploymentId}"),
    ("GetDeployments", "GET", "/restapis/{restApiId}/deployments"),
    ("GetExport", "GET", "/restapis/{restApiId}/stages/{stageName}/exports/{exportType}"),
    ("GetGatewayResponse", "GET", "/restapis/{restApiId}/gatewayresponses/{responseType}"),
    ("GetGatewayResponses", "GET", "/restapis/{restApiId}/gatewayresponses"),
    (
        "GetIntegration",
        "GET",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration",
    ),
    (
        "GetIntegrationResponse",
        "GET",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration/responses/{statusCode}",
    ),
    ("GetMethod", "GET", "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}"),
    (
        "GetMethodResponse",
        "GET",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/responses/{statusCode}",
    ),
    ("GetModel", "GET", "/restapis/{restApiId}/models/{modelName}"),
    ("GetModelTemplate", "GET", "/restapis/{restApiId}/models/{modelName}/default_template"),
    ("GetModels", "GET", "/restapis/{restApiId}/models"),
    ("GetRequestValidator", "GET", "/restapis/{restApiId}/requestvalidators/{requestValidatorId}"),
    ("GetRequestValidators", "GET", "/restapis/{restApiId}/requestvalidators"),
    ("GetResource", "GET", "/restapis/{restApiId}/resources/{resourceId}"),
    ("GetResources", "GET", "/restapis/{restApiId}/resources"),
    ("GetRestApi", "GET", "/restapis/{restApiId}"),
    ("GetRestApis", "GET", "/restapis"),
    ("GetStage", "GET", "/restapis/{restApiId}/stages/{stageName}"),
    ("GetStages", "GET", "/restapis/{restApiId}/stages"),
    ("GetTags", "GET", "/tags/{resourceArn}"),
    ("GetUsage", "GET", "/usageplans/{usagePlanId}/usage"),
    ("GetUsagePlan", "GET", "/usageplans/{usagePlanId}"),
    ("GetUsagePlanKey", "GET", "/usageplans/{usagePlanId}/keys/{keyId}"),
    ("GetUsagePlanKeys", "GET", "/usageplans/{usagePlanId}/keys"),
    ("GetUsagePlans", "GET", "/usageplans"),
    ("ImportApiKeys", "POST", "/apikeys"),
    ("ImportRestApi", "POST", "/restapis"),
    ("PutGatewayResponse", "PUT", "/restapis/{restApiId}/gatewayresponses/{responseType}"),
    (
        "PutIntegration",
        "PUT",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration",
    ),
    (
        "PutIntegrationResponse",
        "PUT",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration/responses/{statusCode}",
    ),
    ("PutMethod", "PUT", "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}"),
    (
        "PutMethodResponse",
        "PUT",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/responses/{statusCode}",
    ),
    ("PutRestApi", "PUT", "/restapis/{restApiId}"),
    ("TagResource", "PUT", "/tags/{resourceArn}"),
    ("TestInvokeAuthorizer", "POST", "/restapis/{restApiId}/authorizers/{authorizerId}"),
    (
        "TestInvokeMethod",
        "POST",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}",
    ),
    ("UntagResource", "DELETE", "/tags/{resourceArn}"),
    ("UpdateAccount", "PATCH", "/account"),
    ("UpdateApiKey", "PATCH", "/apikeys/{apiKey}"),
    ("UpdateAuthorizer", "PATCH", "/restapis/{restApiId}/authorizers/{authorizerId}"),
    ("UpdateDeployment", "PATCH", "/restapis/{restApiId}/deployments/{deploymentId}"),
    ("UpdateGatewayResponse", "PATCH", "/restapis/{restApiId}/gatewayresponses/{responseType}"),
    (
        "UpdateIntegration",
        "PATCH",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration",
    ),
    (
        "UpdateIntegrationResponse",
        "PATCH",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration/responses/{statusCode}",
    ),
    ("UpdateMethod", "PATCH", "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}"),
    (
        "UpdateMethodResponse",
        "PATCH",
        "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/responses/{statusCode}",
    ),
    ("UpdateModel", "PATCH", "/restapis/{restApiId}/models/{modelName}"),
    (
        "UpdateRequestValidator",
        "PATCH",
        "/restapis/{restApiId}/requestvalidators/{requestValidatorId}",
    ),
    ("UpdateResource", "PATCH", "/restapis/{restApiId}/resources/{resourceId}"),
    ("UpdateRestApi", "PATCH", "/restapis/{restApiId}"),
    ("UpdateStage", "PATCH", "/restapis/{restApiId}/stages/{stageName}"),
    ("UpdateUsage", "PATCH", "/usageplans/{usagePlanId}/keys/{keyId}/usage"),
    ("UpdateUsagePlan", "PATCH", "/usageplans/{usagePlanId}"),
];

/// The check of every operation.
pub async fn check(_: &ApiGateway, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let at = PLACES.binary_search_by(|(name, ..)| (*name).cmp(cx.operation));
    let (method, path) = at.map_or(("POST", "/*"), |i| (PLACES[i].1, PLACES[i].2));
    let mut resource = format!("arn:aws:apigateway:{}::", cx.region);
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        resource.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = input.str(name).unwrap_or("*");
        if name == "resourceArn" {
            // Escaped, so that the ARN is one segment.
            resource.push_str(&value.replace(':', "%3A").replace('/', "%2F"));
        } else {
            resource.push_str(value);
        }
        rest = after;
    }
    resource.push_str(rest);
    let mut checks = vec![Check::new(format!("apigateway:{method}"), resource)];
    let patches = input.get("patchOperations").map(Value::items).unwrap_or_default();
    let patched = patches.iter().filter(|p| {
        matches!(
            p.str("path"),
            Some("/credentials" | "/authorizerCredentials" | "/cloudwatchRoleArn")
        )
    });
    let given = ["credentials", "authorizerCredentials"].into_iter().filter_map(|m| input.str(m));
    let roles = given.chain(patched.filter_map(|p| p.str("value")));
    checks.extend(roles.filter(|r| r.contains(":role/")).map(|role| {
        Check::new("iam:PassRole", role).with("iam:PassedToService", "apigateway.amazonaws.com")
    }));
    Ok(checks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_sorted() {
        assert!(PLACES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
