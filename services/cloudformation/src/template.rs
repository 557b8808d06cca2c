//! Templates by themselves: looking at a stack's, and asking what one needs.

use fogbank_cfn::Parameter;
use fogbank_core::{Cx, Op, Result, Value, ops};
use serde::{Deserialize, Serialize};

use crate::CloudFormation;
use crate::error::{template as fault, validation};
use crate::maker::from_json;
use crate::prepare::{Given, capabilities, shallow, transform};
use crate::record::{CHANGE_SETS, Model, of_stack, parse};
use crate::stack::{blank, on_stack};

pub const OPS: &[Op<CloudFormation>] = ops![
    GetTemplate => get_template [on_stack],
    GetTemplateSummary => get_template_summary [on_stack],
    ValidateTemplate => validate_template,
    GetStackPolicy => get_stack_policy [on_stack],
    SetStackPolicy => set_stack_policy [on_stack],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetTemplateInput {
    stack_name: Option<String>,
    change_set_name: Option<String>,
    template_stage: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetTemplateOutput {
    template_body: String,
    stages_available: Vec<&'static str>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplate.html>
async fn get_template(
    cfn: &CloudFormation,
    cx: &Cx,
    input: GetTemplateInput,
) -> Result<GetTemplateOutput> {
    let name = input.stack_name.unwrap_or_default();
    let stack = cfn.stack(cx, &name).await?;
    let model = match &input.change_set_name {
        None => stack.model,
        Some(set) => {
            let set = set
                .rsplit_once(":changeSet/")
                .map_or(set.as_str(), |(_, s)| s.split('/').next().unwrap_or(s));
            let found = cfn.store.get(&CHANGE_SETS, &of_stack(stack.model_key(), set)).await?;
            found.ok_or_else(|| crate::change_set::not_found(set))?.model
        }
    };
    let body = if input.template_stage.as_deref() == Some("Processed") {
        if parse(&model.processed)? == fogbank_cfn::read(&model.original).unwrap_or_default() {
            model.original
        } else {
            model.processed
        }
    } else {
        model.original
    };
    Ok(GetTemplateOutput { template_body: body, stages_available: vec!["Original", "Processed"] })
}

impl crate::record::StackRecord {
    fn model_key(&self) -> &str {
        self.unique()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Constraints {
    allowed_values: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Declaration {
    parameter_key: String,
    default_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_type: Option<String>,
    no_echo: bool,
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_constraints: Option<Constraints>,
}

fn declaration(name: &str, p: &Parameter, summary: bool) -> Declaration {
    Declaration {
        parameter_key: name.to_owned(),
        default_value: p.default.clone(),
        parameter_type: summary.then(|| p.kind.clone()),
        no_echo: p.no_echo,
        description: p.description.clone(),
        parameter_constraints: summary
            .then(|| Constraints { allowed_values: p.allowed_values.clone() }),
    }
}

fn reason(why: &[String]) -> Option<String> {
    (!why.is_empty())
        .then(|| format!("The following resource(s) require capabilities: [{}]", why.join(", ")))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ValidateOutput {
    parameters: Vec<Declaration>,
    description: Option<String>,
    capabilities: Option<Vec<&'static str>>,
    capabilities_reason: Option<String>,
    declared_transforms: Option<Vec<String>>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ValidateTemplate.html>
async fn validate_template(_: &CloudFormation, cx: &Cx, input: Given) -> Result<ValidateOutput> {
    let text = input.text(cx, None).await?;
    let value = fogbank_cfn::read(&text).map_err(|e| fault(&e))?;
    let first = shallow(&value)?;
    let (need, why) = if first.transforms.is_empty() {
        let t = fogbank_cfn::Template::new(&value).map_err(|e| fault(&e))?;
        capabilities(&t)
    } else {
        (Some("CAPABILITY_AUTO_EXPAND"), Vec::new())
    };
    let parameters = first.parameters.iter().map(|(n, p)| declaration(n, p, false)).collect();
    Ok(ValidateOutput {
        parameters,
        description: first.description.clone(),
        capabilities: need.map(|n| vec![n]),
        capabilities_reason: reason(&why),
        declared_transforms: (!first.transforms.is_empty()).then(|| first.transforms.clone()),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SummaryInput {
    stack_name: Option<String>,
    #[serde(flatten)]
    given: Given,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SummaryOutput {
    parameters: Vec<Declaration>,
    description: Option<String>,
    capabilities: Option<Vec<&'static str>>,
    capabilities_reason: Option<String>,
    resource_types: Vec<String>,
    version: Option<String>,
    metadata: Option<String>,
    declared_transforms: Option<Vec<String>>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplateSummary.html>
async fn get_template_summary(
    cfn: &CloudFormation,
    cx: &Cx,
    input: SummaryInput,
) -> Result<SummaryOutput> {
    let (text, model) = match &input.stack_name {
        Some(name) => {
            let model = cfn.stack(cx, name).await?.model;
            (model.original.clone(), model)
        }
        None => (input.given.text(cx, None).await?, Model::default()),
    };
    let value = fogbank_cfn::read(&text).map_err(|e| fault(&e))?;
    let first = shallow(&value)?;
    let processed =
        transform(&value, &first, &blank(cx, "summary"), &model).unwrap_or(value.clone());
    let t = fogbank_cfn::Template::parse(&processed).map_err(|e| fault(&e))?;
    let (need, why) = capabilities(&t);
    let mut types: Vec<String> = t.resources.values().map(|r| r.kind.clone()).collect();
    types.sort();
    types.dedup();
    Ok(SummaryOutput {
        parameters: first.parameters.iter().map(|(n, p)| declaration(n, p, true)).collect(),
        description: first.description.clone(),
        capabilities: need.map(|n| vec![n]),
        capabilities_reason: reason(&why),
        resource_types: types,
        version: value.get("AWSTemplateFormatVersion").and_then(|v| v.as_str()).map(str::to_owned),
        metadata: value.get("Metadata").map(|m| m.to_string()),
        declared_transforms: (!first.transforms.is_empty()).then(|| first.transforms.clone()),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyInput {
    stack_name: String,
    stack_policy_body: Option<String>,
    #[serde(rename = "StackPolicyURL")]
    stack_policy_url: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyOutput {
    stack_policy_body: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetStackPolicy.html>
async fn get_stack_policy(
    cfn: &CloudFormation,
    cx: &Cx,
    input: PolicyInput,
) -> Result<PolicyOutput> {
    Ok(PolicyOutput { stack_policy_body: cfn.stack(cx, &input.stack_name).await?.policy })
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SetStackPolicy.html>
async fn set_stack_policy(cfn: &CloudFormation, cx: &Cx, input: PolicyInput) -> Result<()> {
    if input.stack_policy_url.is_some() {
        return Err(cx.refuse_member("StackPolicyURL"));
    }
    let body = input.stack_policy_body.unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&body).map_err(|_| {
        validation("Error validating stack policy: Stack policy must be valid JSON")
    })?;
    let known = from_json(json);
    if !matches!(known, Value::Map(_)) {
        return Err(validation("Error validating stack policy: Invalid stack policy"));
    }
    let stack = cfn.stack(cx, &input.stack_name).await?;
    cfn.edit(&stack.key(), |s, _| {
        s.policy = Some(body);
        Ok(())
    })
    .await
}
