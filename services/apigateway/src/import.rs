//! Importing: an API from its description in Swagger 2.0 or OpenAPI 3, with API Gateway's extensions.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html>

use std::collections::BTreeMap;

use fogbank_apigw::{Change, new_id};
use fogbank_core::{ApiError, Cx, Op, Result, Value, ops};
use serde_json::{Map, Value as Json};

use crate::ApiGateway;
use crate::api::{self, RestApi};
use crate::authorizer::Authorizer;
use crate::authz::check;
use crate::document::text;
use crate::error::bad_request;
use crate::gateway_response::GatewayResponse;
use crate::integration::{Integration, IntegrationResponse};
use crate::method::{Method, MethodResponse};
use crate::model::Model;
use crate::resource::{Resource, check_part};
use crate::validator::RequestValidator;

pub const OPS: &[Op<ApiGateway>] = ops![
    ImportRestApi => import_rest_api [check],
    PutRestApi => put_rest_api [check],
];

const X: &str = "x-amazon-apigateway-";

/// The most that a description may have.
const MOST: usize = 6 << 20;

fn described(input: &Value) -> Result<Json> {
    let Some(Value::Blob(body)) = input.get("body") else {
        return Err(bad_request("The body of the API's description is missing"));
    };
    if body.len() > MOST {
        return Err(bad_request("The API's description is too large"));
    }
    let parsed: Result<Json, _> = serde_json::from_slice(body);
    let document = parsed.map_err(|e| {
        if body.trim_ascii_start().starts_with(b"{") {
            bad_request(format!(
                "Unable to parse API definition because of a malformed integration or JSON: {e}"
            ))
        } else {
            ApiError::not_implemented("A description that is not in JSON")
        }
    })?;
    let known = document.get("swagger").is_some_and(|v| v == "2.0")
        || document.get("openapi").and_then(Json::as_str).is_some_and(|v| v.starts_with("3."));
    if !known {
        return Err(bad_request("Invalid OpenAPI input."));
    }
    Ok(document)
}

fn string(v: &Json, name: &str) -> Option<String> {
    v.get(name).and_then(Json::as_str).map(str::to_owned)
}

fn object<'j>(v: &'j Json, name: &str) -> impl Iterator<Item = (&'j String, &'j Json)> {
    v.get(name).and_then(Json::as_object).into_iter().flatten()
}

fn texts(v: &Json, name: &str) -> BTreeMap<String, String> {
    let text = |v: &Json| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    object(v, name).map(|(k, v)| (k.clone(), text(v))).collect()
}

/// What the description says of the API itself.
fn about(document: &Json, api: &mut RestApi) {
    let info = document.get("info").unwrap_or(&Json::Null);
    if let Some(title) = string(info, "title") {
        api.name = title;
    }
    api.version = string(info, "version").or(api.version.take());
    api.description = string(info, "description").or(api.description.take());
    if let Some(types) = document.get(format!("{X}binary-media-types")).and_then(Json::as_array) {
        api.binary_media_types = types.iter().filter_map(Json::as_str).map(str::to_owned).collect();
    }
    if let Some(policy) = document.get(format!("{X}policy")) {
        api.policy = Some(policy.to_string());
    }
    if let Some(source) = string(document, &format!("{X}api-key-source")) {
        api.api_key_source = source;
    }
    if let Some(n) = document.get(format!("{X}minimum-compression-size")).and_then(Json::as_i64) {
        api.minimum_compression_size = Some(n);
    }
    let endpoint = document.get(format!("{X}endpoint-configuration"));
    if let Some(off) =
        endpoint.and_then(|e| e.get("disableExecuteApiEndpoint")).and_then(Json::as_bool)
    {
        api.disable_execute_api_endpoint = off;
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_ImportRestApi.html>
async fn import_rest_api(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let document = described(&input)?;
    let mut new = RestApi::default();
    about(&document, &mut new);
    if let Some(Value::Map(parameters)) = input.get("parameters") {
        let types = parameters.iter().find(|(k, _)| k == "endpointConfigurationTypes");
        if let Some(kind) = types.and_then(|(_, v)| v.as_str()) {
            new.endpoint_configuration.types = vec![kind.to_owned()];
        }
    }
    let made = api::insert(gw, cx, new).await?;
    let mut change = gw.change(cx, &made.id).await?;
    match apply(&mut change, &document).await {
        Ok(()) => {}
        Err(e) => {
            drop(change);
            // Nothing is left of an import that failed.
            let input = fogbank_core::map! { "restApiId" => made.id };
            crate::api::remove(gw, cx, input).await?;
            return Err(e);
        }
    }
    let answer = change.api.view()?;
    change.put_api();
    change.commit().await?;
    Ok(answer)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_PutRestApi.html>
async fn put_rest_api(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let document = described(&input)?;
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    if input.str("mode") == Some("overwrite") {
        change.clear(&crate::resource::RESOURCES).await?;
        change.clear(&crate::model::MODELS).await?;
        change.clear(&crate::validator::VALIDATORS).await?;
        change.clear(&crate::authorizer::AUTHORIZERS).await?;
        change.clear(&crate::gateway_response::RESPONSES).await?;
        let root = Resource::root(&change.api.root_resource_id);
        change.put(&root);
        for model in Model::defaults(cx) {
            change.put(&model);
        }
    }
    about(&document, &mut change.api);
    change.api.settle(cx)?;
    apply(&mut change, &document).await?;
    let answer = change.api.view()?;
    change.put_api();
    change.commit().await?;
    Ok(answer)
}

/// What methods refer to by name.
#[derive(Default)]
struct Known {
    validators: BTreeMap<String, String>,
    security: BTreeMap<String, Security>,
    default_validator: Option<String>,
}

enum Security {
    ApiKey,
    Iam,
    Authorizer(String),
}

async fn apply(change: &mut Change<'_, RestApi>, document: &Json) -> Result<()> {
    let cx = change.cx;
    let schemas = document.get("definitions").or_else(|| document.pointer("/components/schemas"));
    if let Some(Json::Object(schemas)) = schemas {
        for (name, schema) in schemas {
            let model = Model {
                id: new_id(cx, 6),
                name: name.chars().filter(char::is_ascii_alphanumeric).collect(),
                description: string(schema, "description"),
                schema: Some(external(schema, &change.api.id).to_string()),
                content_type: "application/json".into(),
            };
            model.check()?;
            change.put(&model);
        }
    }
    let mut known = Known::default();
    for (name, v) in object(document, &format!("{X}request-validators")) {
        let flag = |n: &str| v.get(n).and_then(Json::as_bool).unwrap_or(false);
        let validator = RequestValidator {
            id: new_id(cx, 6),
            name: Some(name.clone()),
            validate_request_body: flag("validateRequestBody"),
            validate_request_parameters: flag("validateRequestParameters"),
        };
        known.validators.insert(name.clone(), validator.id.clone());
        change.put(&validator);
    }
    known.default_validator = string(document, &format!("{X}request-validator"));
    for (kind, v) in object(document, &format!("{X}gateway-responses")) {
        let default = GatewayResponse::default_of(kind)?;
        let status =
            v.get("statusCode").map(|s| s.as_str().map_or_else(|| s.to_string(), str::to_owned));
        let mut response = GatewayResponse {
            status_code: status.or(default.status_code),
            response_parameters: texts(v, "responseParameters"),
            response_templates: texts(v, "responseTemplates"),
            default_response: false,
            response_type: kind.clone(),
        };
        if response.response_templates.is_empty() {
            response.response_templates = default.response_templates;
        }
        response.check()?;
        change.put(&response);
    }
    let security = document
        .get("securityDefinitions")
        .or_else(|| document.pointer("/components/securitySchemes"));
    for (name, v) in security.and_then(Json::as_object).into_iter().flatten() {
        let scheme = self::security(change, name, v)?;
        known.security.insert(name.clone(), scheme);
    }
    let mut resources: BTreeMap<String, Resource> = BTreeMap::new();
    for resource in change.all::<Resource>().await? {
        resources.insert(resource.path.clone(), resource);
    }
    for (path, item) in object(document, "paths") {
        let path = if path == "/" { path.clone() } else { path.trim_end_matches('/').to_owned() };
        ensure(cx, &mut resources, &path)?;
        let Json::Object(item) = item else { continue };
        for (name, operation) in item {
            let verb = match name.as_str() {
                n if n == format!("{X}any-method") => "ANY".to_owned(),
                "get" | "put" | "post" | "delete" | "patch" | "options" | "head" => {
                    name.to_ascii_uppercase()
                }
                _ => continue,
            };
            let shared = item.get("parameters");
            let id = resources.get(&path).map(|r| r.id.clone()).unwrap_or_default();
            let method = method(change, document, &known, &verb, operation, shared, &id).await.map_err(|e| {
                bad_request(format!("Errors found during import:\n\tUnable to put method '{verb}' on resource at path '{path}': {}", e.message()))
            })?;
            if let Some(resource) = resources.get_mut(&path) {
                resource.resource_methods.insert(verb, method);
            }
        }
    }
    if resources.len() > 300 {
        return Err(bad_request("The description has more than 300 resources"));
    }
    for resource in resources.values() {
        change.put(resource);
    }
    Ok(())
}

/// References to other models, as models have them.
fn external(schema: &Json, api: &str) -> Json {
    match schema {
        Json::Object(map) => map
            .iter()
            .map(|(k, v)| {
                let model = v.as_str().filter(|_| k == "$ref").and_then(|r| r.rsplit('/').next());
                let v = match model {
                    Some(name) => {
                        format!("https://apigateway.amazonaws.com/restapis/{api}/models/{name}")
                            .into()
                    }
                    None => external(v, api),
                };
                (k.clone(), v)
            })
            .collect::<Map<_, _>>()
            .into(),
        Json::Array(all) => all.iter().map(|v| external(v, api)).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

fn security(change: &mut Change<'_, RestApi>, name: &str, v: &Json) -> Result<Security> {
    if string(v, &format!("{X}authtype")).is_some_and(|t| t.eq_ignore_ascii_case("awsSigv4")) {
        return Ok(Security::Iam);
    }
    let Some(extension) = v.get(format!("{X}authorizer")) else { return Ok(Security::ApiKey) };
    let kind = string(extension, "type").unwrap_or_default().to_ascii_uppercase();
    let header = string(v, "name").unwrap_or_else(|| "Authorization".into());
    let mut authorizer = Authorizer {
        id: new_id(change.cx, 6),
        name: name.to_owned(),
        kind,
        auth_type: string(v, &format!("{X}authtype")),
        authorizer_uri: string(extension, "authorizerUri"),
        authorizer_credentials: string(extension, "authorizerCredentials"),
        identity_source: string(extension, "identitySource"),
        identity_validation_expression: string(extension, "identityValidationExpression"),
        authorizer_result_ttl_in_seconds: extension
            .get("authorizerResultTtlInSeconds")
            .and_then(Json::as_i64),
    };
    if authorizer.kind == "TOKEN" && authorizer.identity_source.is_none() {
        authorizer.identity_source = Some(format!("method.request.header.{header}"));
    }
    authorizer.settle(change.cx)?;
    change.put(&authorizer);
    Ok(Security::Authorizer(authorizer.id))
}

/// Makes the resource of a path, and those above it.
fn ensure(cx: &Cx, resources: &mut BTreeMap<String, Resource>, path: &str) -> Result<()> {
    if resources.contains_key(path) {
        return Ok(());
    }
    let (parent, part) =
        path.rsplit_once('/').ok_or_else(|| bad_request(format!("Invalid path: {path}")))?;
    let parent = if parent.is_empty() { "/" } else { parent };
    check_part(part, parent)?;
    if path.matches('/').count() > 100 {
        return Err(bad_request(format!("Invalid path: {path}")));
    }
    ensure(cx, resources, parent)?;
    let resource = Resource {
        id: new_id(cx, 6),
        parent_id: resources.get(parent).map(|r| r.id.clone()),
        path_part: Some(part.to_owned()),
        path: path.to_owned(),
        resource_methods: BTreeMap::new(),
    };
    resources.insert(path.to_owned(), resource);
    Ok(())
}

/// A reference within the document, followed once.
fn resolved<'j>(document: &'j Json, v: &'j Json) -> &'j Json {
    let reference = v.get("$ref").and_then(Json::as_str).and_then(|r| r.strip_prefix('#'));
    reference.and_then(|r| document.pointer(r)).unwrap_or(v)
}

fn model_of(schema: Option<&Json>) -> Option<String> {
    let reference = schema?.get("$ref")?.as_str()?;
    let name = reference.rsplit('/').next()?;
    Some(name.chars().filter(char::is_ascii_alphanumeric).collect())
}

async fn method(
    change: &mut Change<'_, RestApi>,
    document: &Json,
    known: &Known,
    verb: &str,
    operation: &Json,
    shared: Option<&Json>,
    resource: &str,
) -> Result<Method> {
    let mut method = Method {
        http_method: verb.to_owned(),
        authorization_type: "NONE".into(),
        operation_name: string(operation, "operationId"),
        ..Method::default()
    };
    let own = operation.get("parameters");
    for list in [shared, own].into_iter().flatten() {
        for p in list.as_array().into_iter().flatten() {
            let p = resolved(document, p);
            let (Some(name), Some(place)) = (string(p, "name"), string(p, "in")) else { continue };
            let required = p.get("required").and_then(Json::as_bool).unwrap_or(false);
            let place = match place.as_str() {
                "query" => "querystring",
                "header" => "header",
                "path" => "path",
                "body" => {
                    if let Some(model) = model_of(p.get("schema")) {
                        method.request_models.insert("application/json".into(), model);
                    }
                    continue;
                }
                _ => continue,
            };
            method.request_parameters.insert(format!("method.request.{place}.{name}"), required);
        }
    }
    if let Some(body) = operation.get("requestBody") {
        for (media, content) in object(resolved(document, body), "content") {
            if let Some(model) = model_of(content.get("schema")) {
                method.request_models.insert(media.clone(), model);
            }
        }
    }
    for (status, response) in object(operation, "responses") {
        let response = resolved(document, response);
        let status = if status == "default" { "200" } else { status };
        let mut one =
            MethodResponse { status_code: status.to_owned(), ..MethodResponse::default() };
        for (header, _) in object(response, "headers") {
            one.response_parameters.insert(format!("method.response.header.{header}"), false);
        }
        if let Some(model) = model_of(response.get("schema")) {
            one.response_models.insert("application/json".into(), model);
        }
        for (media, content) in object(response, "content") {
            if let Some(model) = model_of(content.get("schema")) {
                one.response_models.insert(media.clone(), model);
            }
        }
        method.method_responses.insert(one.status_code.clone(), one);
    }
    let security = operation.get("security").or_else(|| document.get("security"));
    for entry in security.and_then(Json::as_array).into_iter().flatten() {
        for name in entry.as_object().into_iter().flatten().map(|(k, _)| k) {
            match known.security.get(name) {
                Some(Security::ApiKey) => method.api_key_required = true,
                Some(Security::Iam) => method.authorization_type = "AWS_IAM".into(),
                Some(Security::Authorizer(id)) => {
                    method.authorization_type = "CUSTOM".into();
                    method.authorizer_id = Some(id.clone());
                }
                None => {
                    return Err(bad_request(format!(
                        "Security definition '{name}' is not defined"
                    )));
                }
            }
        }
    }
    let auth = operation.get(format!("{X}auth")).and_then(|a| string(a, "type"));
    if let Some(kind) = auth {
        method.authorization_type = kind.to_ascii_uppercase();
    }
    let validator = string(operation, &format!("{X}request-validator"));
    if let Some(name) = validator.or_else(|| known.default_validator.clone()) {
        let id = known.validators.get(&name);
        let id =
            id.ok_or_else(|| bad_request(format!("Request validator '{name}' is not defined")))?;
        method.request_validator_id = Some(id.clone());
    }
    method.check(change).await?;
    if let Some(extension) = operation.get(format!("{X}integration")) {
        let mut integration = integration(extension);
        integration.settle(change.cx, resource)?;
        for from in integration.request_parameters.values() {
            // What is mapped is declared by being mapped.
            if from.starts_with("method.request.") && !from.starts_with("method.request.body") {
                method.request_parameters.entry(from.clone()).or_insert(false);
            }
        }
        for response in integration.integration_responses.values() {
            let declared = method.method_responses.entry(response.status_code.clone()).or_default();
            declared.status_code.clone_from(&response.status_code);
            for to in response.response_parameters.keys() {
                declared.response_parameters.entry(to.clone()).or_insert(false);
            }
        }
        for response in integration.integration_responses.values() {
            response.check(&method)?;
        }
        method.method_integration = Some(integration);
    }
    Ok(method)
}

fn integration(v: &Json) -> Integration {
    let mut integration = Integration {
        kind: string(v, "type").unwrap_or_default().to_ascii_uppercase(),
        http_method: string(v, "httpMethod").map(|m| m.to_ascii_uppercase()),
        uri: string(v, "uri"),
        connection_type: string(v, "connectionType"),
        credentials: string(v, "credentials"),
        passthrough_behavior: string(v, "passthroughBehavior")
            .unwrap_or_default()
            .to_ascii_uppercase(),
        content_handling: string(v, "contentHandling"),
        timeout_in_millis: v.get("timeoutInMillis").and_then(Json::as_i64).unwrap_or_default(),
        cache_namespace: string(v, "cacheNamespace").unwrap_or_default(),
        cache_key_parameters: Vec::new(),
        request_parameters: texts(v, "requestParameters"),
        request_templates: texts(v, "requestTemplates"),
        integration_responses: BTreeMap::new(),
    };
    for (pattern, r) in object(v, "responses") {
        let status =
            r.get("statusCode").map(|s| s.as_str().map_or_else(|| s.to_string(), str::to_owned));
        let response = IntegrationResponse {
            status_code: status.unwrap_or_else(|| "200".into()),
            selection_pattern: (pattern != "default").then(|| pattern.clone()),
            content_handling: string(r, "contentHandling"),
            response_parameters: texts(r, "responseParameters"),
            response_templates: texts(r, "responseTemplates"),
        };
        integration.integration_responses.insert(response.status_code.clone(), response);
    }
    integration
}
