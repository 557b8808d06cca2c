//! Request validators: what of a request is checked before its integration.

use fogbank_apigw::{Child, Json, new_id, shown};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Value, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::authz::check;
use crate::document::{found, patches, text};
use crate::error::conflict;
use crate::patch::{self, Kind};
use crate::resource::Resource;

pub const OPS: &[Op<ApiGateway>] = ops![
    CreateRequestValidator => create_request_validator [check],
    GetRequestValidator => get_request_validator [check],
    GetRequestValidators => get_request_validators [check],
    UpdateRequestValidator => update_request_validator [check],
    DeleteRequestValidator => delete_request_validator [check],
];

pub static VALIDATORS: Table<Json<RequestValidator>> = Table::new("apigateway.validator");

/// A request validator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestValidator {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub validate_request_body: bool,
    pub validate_request_parameters: bool,
}

impl Child for RequestValidator {
    const KIND: &'static str = "Request Validator";
    const ID: &'static str = "requestValidatorId";
    fn table() -> &'static Table<Json<Self>> {
        &VALIDATORS
    }
    fn id(&self) -> &str {
        &self.id
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateRequestValidator.html>
async fn create_request_validator(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let mut validator: RequestValidator = from_value(input)?;
    validator.id = new_id(cx, 6);
    change.put(&validator);
    change.commit().await?;
    shown(&validator)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetRequestValidator.html>
async fn get_request_validator(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    gw.get::<RequestValidator>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetRequestValidators.html>
async fn get_request_validators(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    gw.list::<RequestValidator>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateRequestValidator.html>
async fn update_request_validator(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let old: RequestValidator = found(&mut change, text(&input, "requestValidatorId")?).await?;
    let rules = [
        ("/name", Kind::Text),
        ("/validateRequestBody", Kind::Bool),
        ("/validateRequestParameters", Kind::Bool),
    ];
    let validator: RequestValidator = patch::apply(&old, &patches(&input)?, &rules)?;
    change.put(&validator);
    change.commit().await?;
    shown(&validator)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteRequestValidator.html>
async fn delete_request_validator(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let validator: RequestValidator =
        found(&mut change, text(&input, "requestValidatorId")?).await?;
    let id = &validator.id;
    for resource in change.all::<Resource>().await? {
        if resource.resource_methods.values().any(|m| m.request_validator_id.as_ref() == Some(id)) {
            return Err(conflict(format!(
                "Cannot delete request validator '{id}', is referenced in method of {}",
                resource.path
            )));
        }
    }
    change.delete::<RequestValidator>(id);
    change.commit().await
}
