//! Models: JSON schemas of an API's bodies.

use fogbank_apigw::{Child, Json, new_id, shown};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Value, map, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::authz::check;
use crate::document::{found, patches, text};
use crate::error::{bad_request, conflict};
use crate::patch::{self, Kind};
use crate::resource::Resource;
use crate::schema::Schema;

pub const OPS: &[Op<ApiGateway>] = ops![
    CreateModel => create_model [check],
    GetModel => get_model [check],
    GetModels => get_models [check],
    UpdateModel => update_model [check],
    DeleteModel => delete_model [check],
    GetModelTemplate => get_model_template [check],
];

pub static MODELS: Table<Json<Model>> = Table::new("apigateway.model");

/// A model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Model {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    pub content_type: String,
}

impl Child for Model {
    const KIND: &'static str = "Model Name";
    const ID: &'static str = "modelName";
    fn table() -> &'static Table<Json<Self>> {
        &MODELS
    }
    #[expect(clippy::misnamed_getters, reason = "a model is kept and found by its name")]
    fn id(&self) -> &str {
        &self.name
    }
}

impl Model {
    /// The two that every API begins with.
    pub fn defaults(cx: &Cx) -> [Model; 2] {
        let model = |name: &str, schema: &str, about: &str| Model {
            id: new_id(cx, 6),
            name: name.to_owned(),
            description: Some(about.to_owned()),
            schema: Some(schema.to_owned()),
            content_type: "application/json".into(),
        };
        [
            model(
                "Empty",
                "{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty Schema\",\n  \"type\" : \"object\"\n}",
                "This is a default empty schema model",
            ),
            model(
                "Error",
                "{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Error Schema\",\n  \"type\" : \"object\",\n  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}",
                "This is a default error schema model",
            ),
        ]
    }

    pub fn check(&self) -> Result<()> {
        if self.name.is_empty() || !self.name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(bad_request("Model name must be alphanumeric"));
        }
        let schema = self.schema.as_deref().unwrap_or_default();
        if schema.len() > 400 << 10 {
            return Err(bad_request("Model schema size limit exceeded"));
        }
        if self.content_type.starts_with("application/json") && !schema.is_empty() {
            Schema::parse(schema).map_err(|e| {
                bad_request(format!(
                    "Invalid model specified: Validation Result: warnings : [], errors : [{e}]"
                ))
            })?;
        }
        Ok(())
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateModel.html>
async fn create_model(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let mut model: Model = from_value(input)?;
    model.id = new_id(cx, 6);
    model.check()?;
    if change.find::<Model>(&model.name).await?.is_some() {
        return Err(conflict(format!(
            "Model name already exists for this REST API: {}",
            model.name
        )));
    }
    change.put(&model);
    change.commit().await?;
    shown(&model)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetModel.html>
async fn get_model(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    if input.get("flatten") == Some(&Value::Bool(true)) {
        return Err(cx.refuse_member("flatten"));
    }
    gw.get::<Model>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetModels.html>
async fn get_models(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    gw.list::<Model>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateModel.html>
async fn update_model(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let old: Model = found(&mut change, text(&input, "modelName")?).await?;
    let rules = [("/description", Kind::Text), ("/schema", Kind::Text)];
    let model: Model = patch::apply(&old, &patches(&input)?, &rules)?;
    model.check()?;
    change.put(&model);
    change.commit().await?;
    shown(&model)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteModel.html>
async fn delete_model(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let model: Model = found(&mut change, text(&input, "modelName")?).await?;
    let name = &model.name;
    for resource in change.all::<Resource>().await? {
        for method in resource.resource_methods.values() {
            let back = method.method_responses.values().flat_map(|r| r.response_models.values());
            if method.request_models.values().chain(back).any(|m| m == name) {
                return Err(conflict(format!(
                    "Cannot delete model '{name}', is referenced in method request: {}",
                    resource.path
                )));
            }
        }
    }
    change.delete::<Model>(name);
    change.commit().await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetModelTemplate.html>
async fn get_model_template(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let (api, name) = (text(&input, "restApiId")?, text(&input, "modelName")?);
    let model: Model = gw.child(cx, api, name).await?;
    let schema = model.schema.as_deref().unwrap_or("{}");
    let value = serde_json::from_str(schema).unwrap_or_default();
    let mut out = String::from("#set($inputRoot = $input.path('$'))\n");
    template(&value, "$inputRoot", &mut out, 0);
    Ok(map! { "value" => out })
}

/// A template that copies what a schema describes.
fn template(schema: &serde_json::Value, from: &str, out: &mut String, depth: usize) {
    let properties = schema.get("properties").and_then(serde_json::Value::as_object);
    let Some(properties) = properties.filter(|_| depth < 16) else {
        return out.push_str("{ }");
    };
    let pad = "  ".repeat(depth + 1);
    out.push_str("{ \n");
    let mut first = true;
    for (name, schema) in properties {
        if !std::mem::take(&mut first) {
            out.push_str(",\n");
        }
        out.push_str(&format!("{pad}\"{name}\" : "));
        match schema.get("type").and_then(serde_json::Value::as_str) {
            Some("object") => template(schema, &format!("{from}.{name}"), out, depth + 1),
            Some("string") => out.push_str(&format!("\"{from}.{name}\"")),
            _ => out.push_str(&format!("{from}.{name}")),
        }
    }
    out.push_str(&format!("\n{}}}", "  ".repeat(depth)));
}
