//! Exporting: a stage's API as a description in Swagger 2.0 or OpenAPI 3.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-export-api.html>

use fogbank_apigw::child_key;
use fogbank_core::{Cx, Op, Result, Value, map, ops};
use serde_json::{Map, Value as Json, json};

use crate::ApiGateway;
use crate::authz::check;
use crate::deployment::{SNAPSHOTS, Snapshot};
use crate::document::text;
use crate::error::{bad_request, not_found};
use crate::integration::Integration;
use crate::method::Method;
use crate::stage::Stage;

pub const OPS: &[Op<ApiGateway>] = ops![GetExport => get_export [check]];

/// What of the extensions is wanted.
#[derive(Clone, Copy, Default)]
struct Extensions {
    integrations: bool,
    authorizers: bool,
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetExport.html>
async fn get_export(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let (api, stage) = (text(&input, "restApiId")?, text(&input, "stageName")?);
    let stage: Stage = gw.child(cx, api, stage).await?;
    let open = match text(&input, "exportType")? {
        "swagger" => false,
        "oas30" => true,
        other => return Err(bad_request(format!("Invalid export type: {other}"))),
    };
    if input.str("accepts").is_some_and(|a| a.contains("yaml")) {
        return Err(cx.refuse_member("accepts application/yaml"));
    }
    let wanted = match input.get("parameters") {
        Some(Value::Map(all)) => all
            .iter()
            .find(|(k, _)| k == "extensions")
            .and_then(|(_, v)| v.as_str())
            .unwrap_or_default()
            .to_owned(),
        _ => String::new(),
    };
    let all = wanted.split(',').any(|w| w == "apigateway");
    let with = Extensions {
        integrations: all || wanted.split(',').any(|w| w == "integrations"),
        authorizers: all || wanted.split(',').any(|w| w == "authorizers"),
    };
    let found = gw.store.get(&SNAPSHOTS, &child_key(api, &stage.deployment_id)).await?;
    let snapshot = found.map(|j| j.0).ok_or_else(|| not_found("Deployment"))?;
    let document = describe(&snapshot, &stage, open, with);
    let body = serde_json::to_vec_pretty(&document).unwrap_or_default();
    let name = format!(
        "attachment; filename=\"{}_{}.json\"",
        if open { "oas30" } else { "swagger" },
        stage.deployment_id
    );
    Ok(map! {
        "contentType" => "application/json",
        "contentDisposition" => name,
        "body" => Value::Blob(body.into()),
    })
}

fn describe(s: &Snapshot, stage: &Stage, open: bool, with: Extensions) -> Json {
    let api = &s.api;
    let host = format!("{}.execute-api.{}.amazonaws.com", api.id, api.region);
    let mut info = json!({ "title": api.name, "version": api.version.clone().unwrap_or_else(|| {
        api.created_date.map(|t| t.0.to_string()).unwrap_or_default()
    }) });
    if let Some(d) = &api.description {
        info["description"] = d.as_str().into();
    }
    let mut paths = Map::new();
    for resource in s.resources.iter().filter(|r| !r.resource_methods.is_empty()) {
        let mut item = Map::new();
        for (verb, method) in &resource.resource_methods {
            let name = match verb.as_str() {
                "ANY" => "x-amazon-apigateway-any-method".to_owned(),
                verb => verb.to_ascii_lowercase(),
            };
            item.insert(name, operation(s, method, open, with));
        }
        paths.insert(resource.path.clone(), item.into());
    }
    let mut schemas = Map::new();
    for model in &s.models {
        let schema: Json =
            serde_json::from_str(model.schema.as_deref().unwrap_or("{}")).unwrap_or_default();
        schemas.insert(model.name.clone(), internal(&schema, open));
    }
    let mut security = Map::new();
    if s.resources.iter().flat_map(|r| r.resource_methods.values()).any(|m| m.api_key_required) {
        security.insert(
            "api_key".into(),
            json!({ "type": "apiKey", "name": "x-api-key", "in": "header" }),
        );
    }
    if with.authorizers {
        for a in &s.authorizers {
            let header = a.sources().next().and_then(|h| h.rsplit('.').next()).unwrap_or("Unused");
            security.insert(
                a.name.clone(),
                json!({
                    "type": "apiKey",
                    "name": header,
                    "in": "header",
                    "x-amazon-apigateway-authtype": a.auth_type,
                    "x-amazon-apigateway-authorizer": pruned(json!({
                        "type": a.kind.to_ascii_lowercase(),
                        "authorizerUri": a.authorizer_uri,
                        "authorizerCredentials": a.authorizer_credentials,
                        "authorizerResultTtlInSeconds": a.authorizer_result_ttl_in_seconds,
                        "identitySource": a.identity_source,
                        "identityValidationExpression": a.identity_validation_expression,
                    })),
                }),
            );
        }
    }
    let mut document = if open {
        json!({
            "openapi": "3.0.1",
            "info": info,
            "servers": [{
                "url": format!("https://{host}/{{basePath}}"),
                "variables": { "basePath": { "default": stage.stage_name } },
            }],
            "paths": paths,
            "components": { "schemas": schemas, "securitySchemes": security },
        })
    } else {
        json!({
            "swagger": "2.0",
            "info": info,
            "host": host,
            "basePath": format!("/{}", stage.stage_name),
            "schemes": ["https"],
            "paths": paths,
            "securityDefinitions": security,
            "definitions": schemas,
        })
    };
    if with.integrations {
        if !s.validators.is_empty() {
            let all = s.validators.iter().map(|v| {
                let flags = json!({
                    "validateRequestBody": v.validate_request_body,
                    "validateRequestParameters": v.validate_request_parameters,
                });
                (v.name.clone().unwrap_or_else(|| v.id.clone()), flags)
            });
            document["x-amazon-apigateway-request-validators"] = all.collect::<Map<_, _>>().into();
        }
        if !s.responses.is_empty() {
            let all = s.responses.iter().map(|r| {
                let about = pruned(json!({
                    "statusCode": r.status_code,
                    "responseParameters": r.response_parameters,
                    "responseTemplates": r.response_templates,
                }));
                (r.response_type.clone(), about)
            });
            document["x-amazon-apigateway-gateway-responses"] = all.collect::<Map<_, _>>().into();
        }
        if !api.binary_media_types.is_empty() {
            document["x-amazon-apigateway-binary-media-types"] = json!(api.binary_media_types);
        }
        if let Some(policy) = &api.policy {
            document["x-amazon-apigateway-policy"] =
                serde_json::from_str(policy).unwrap_or_default();
        }
    }
    document
}

fn operation(s: &Snapshot, method: &Method, open: bool, with: Extensions) -> Json {
    let mut o = Map::new();
    if let Some(name) = &method.operation_name {
        o.insert("operationId".into(), name.as_str().into());
    }
    let mut parameters: Vec<Json> = Vec::new();
    for (name, required) in &method.request_parameters {
        let mut parts = name.splitn(4, '.').skip(2);
        let (Some(place), Some(name)) = (parts.next(), parts.next()) else { continue };
        let place = match place {
            "querystring" | "multivaluequerystring" => "query",
            "multivalueheader" => "header",
            other => other,
        };
        let required = *required || place == "path";
        let mut p = json!({ "name": name, "in": place, "required": required });
        if open {
            p["schema"] = json!({ "type": "string" });
        } else {
            p["type"] = "string".into();
        }
        parameters.push(p);
    }
    let reference = |name: &str| {
        let root = if open { "#/components/schemas" } else { "#/definitions" };
        json!({ "$ref": format!("{root}/{name}") })
    };
    if open {
        let content = method
            .request_models
            .iter()
            .map(|(media, model)| (media.clone(), json!({ "schema": reference(model) })));
        let content: Map<String, Json> = content.collect();
        if !content.is_empty() {
            o.insert("requestBody".into(), json!({ "content": content, "required": true }));
        }
    } else {
        o.insert("produces".into(), json!(["application/json"]));
        for (media, model) in &method.request_models {
            o.insert("consumes".into(), json!([media]));
            parameters.push(json!({ "in": "body", "name": model, "required": true, "schema": reference(model) }));
        }
    }
    if !parameters.is_empty() {
        o.insert("parameters".into(), parameters.into());
    }
    let mut responses = Map::new();
    for (status, r) in &method.method_responses {
        let mut one = json!({ "description": format!("{status} response") });
        let headers = r.response_parameters.keys().filter_map(|k| {
            let name = k.strip_prefix("method.response.header.")?;
            let about = if open {
                json!({ "schema": { "type": "string" } })
            } else {
                json!({ "type": "string" })
            };
            Some((name.to_owned(), about))
        });
        let headers: Map<String, Json> = headers.collect();
        if !headers.is_empty() {
            one["headers"] = headers.into();
        }
        for (media, model) in &r.response_models {
            if open {
                one["content"][media] = json!({ "schema": reference(model) });
            } else {
                one["schema"] = reference(model);
            }
        }
        responses.insert(status.clone(), one);
    }
    o.insert("responses".into(), responses.into());
    let mut security = Vec::new();
    if method.api_key_required {
        security.push(json!({ "api_key": [] }));
    }
    if with.authorizers
        && let Some(a) = s.authorizers.iter().find(|a| Some(&a.id) == method.authorizer_id.as_ref())
    {
        security.push(json!({ a.name.as_str(): [] }));
    }
    if !security.is_empty() {
        o.insert("security".into(), security.into());
    }
    if method.authorization_type == "AWS_IAM" && with.authorizers {
        o.insert("x-amazon-apigateway-auth".into(), json!({ "type": "AWS_IAM" }));
    }
    if with.integrations {
        let validator =
            s.validators.iter().find(|v| Some(&v.id) == method.request_validator_id.as_ref());
        if let Some(v) = validator {
            let name = v.name.as_deref().unwrap_or(&v.id);
            o.insert("x-amazon-apigateway-request-validator".into(), name.into());
        }
        if let Some(i) = &method.method_integration {
            o.insert("x-amazon-apigateway-integration".into(), integration(i));
        }
    }
    o.into()
}

fn integration(i: &Integration) -> Json {
    let responses = i.integration_responses.values().map(|r| {
        let pattern = r.selection_pattern.clone().filter(|p| !p.is_empty());
        let about = pruned(json!({
            "statusCode": r.status_code,
            "responseParameters": r.response_parameters,
            "responseTemplates": r.response_templates,
            "contentHandling": r.content_handling,
        }));
        (pattern.unwrap_or_else(|| "default".into()), about)
    });
    pruned(json!({
        "type": i.kind.to_ascii_lowercase(),
        "httpMethod": i.http_method,
        "uri": i.uri,
        "credentials": i.credentials,
        "passthroughBehavior": i.passthrough_behavior.to_ascii_lowercase(),
        "contentHandling": i.content_handling,
        "timeoutInMillis": (i.timeout_in_millis != 29_000).then_some(i.timeout_in_millis),
        "requestParameters": i.request_parameters,
        "requestTemplates": i.request_templates,
        "responses": responses.collect::<Map<_, _>>(),
    }))
}

/// Without what says nothing.
fn pruned(v: Json) -> Json {
    match v {
        Json::Object(map) => map
            .into_iter()
            .filter(|(_, v)| !v.is_null() && v.as_object().is_none_or(|o| !o.is_empty()))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// References to other models, as descriptions have them.
fn internal(schema: &Json, open: bool) -> Json {
    let root = if open { "#/components/schemas" } else { "#/definitions" };
    match schema {
        Json::Object(map) => map
            .iter()
            .filter(|(k, _)| *k != "$schema")
            .map(|(k, v)| {
                let model = v.as_str().filter(|v| k == "$ref" && v.contains("/models/"));
                let v = match model.and_then(|m| m.rsplit('/').next()) {
                    Some(name) => format!("{root}/{name}").into(),
                    None => internal(v, open),
                };
                (k.clone(), v)
            })
            .collect::<Map<_, _>>()
            .into(),
        Json::Array(all) => all.iter().map(|v| internal(v, open)).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}
