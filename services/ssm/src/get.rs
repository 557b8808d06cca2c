//! GetParameter, GetParameters, GetParametersByPath.

use fogbank_core::{Cx, Op, Result, Time, ops};
use fogbank_store::{Key, Range};
use serde::{Deserialize, Serialize};

use crate::error::{not_found, validation};
use crate::filter::{self, Filter};
use crate::name::{self, Asked};
use crate::record::{Kind, PARAMETERS, Parameter, Stored, VERSIONS, Version, time};
use crate::{Ssm, authz, cipher, page, public, reference};

pub const OPS: &[Op<Ssm>] = ops![
    GetParameter => get_parameter [authz::on_name],
    GetParameters => get_parameters [authz::on_names],
    GetParametersByPath => get_parameters_by_path [authz::on_path],
];

/// `Parameter`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct View {
    pub name: String,
    #[serde(rename = "Type")]
    pub kind: Kind,
    pub value: String,
    pub version: u64,
    pub selector: Option<String>,
    pub source_result: Option<String>,
    pub last_modified_date: Time,
    #[serde(rename = "ARN")]
    pub arn: String,
    pub data_type: String,
}

/// The value of a version: in clear, if that is asked for.
pub async fn value(cx: &Cx, head: &Parameter, version: &Version, decrypt: bool) -> Result<String> {
    match &version.value {
        Stored::Plain(text) => Ok(text.clone()),
        sealed if decrypt => cipher::open(cx, &head.place, sealed).await,
        sealed => Ok(cipher::closed(sealed)),
    }
}

impl Ssm {
    async fn view(&self, cx: &Cx, asked: &Asked, decrypt: bool) -> Result<View> {
        let name = &asked.place.name;
        if let Some(secret) = name.strip_prefix(reference::PREFIX) {
            return reference::get(cx, asked, secret, decrypt).await;
        }
        if public::is_public(name) {
            return public::get(&cx.region, name).ok_or_else(not_found);
        }
        let head = self.own(cx, asked).await?;
        let version = self.version(&head, asked).await?;
        self.view_of(cx, &head, &version, asked.selector.clone(), decrypt).await
    }

    async fn view_of(
        &self,
        cx: &Cx,
        head: &Parameter,
        version: &Version,
        selector: Option<String>,
        decrypt: bool,
    ) -> Result<View> {
        Ok(View {
            name: head.place.name.clone(),
            kind: version.kind,
            value: value(cx, head, version, decrypt).await?,
            version: version.number,
            selector,
            source_result: None,
            last_modified_date: time(version.modified),
            arn: head.place.arn(),
            data_type: version.data_type.clone(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetInput {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetOutput {
    parameter: View,
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html>
async fn get_parameter(ssm: &Ssm, cx: &Cx, input: GetInput) -> Result<GetOutput> {
    let asked = name::read(cx, &input.name);
    Ok(GetOutput { parameter: ssm.view(cx, &asked, input.with_decryption).await? })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetManyInput {
    names: Vec<String>,
    #[serde(default)]
    with_decryption: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetManyOutput {
    parameters: Vec<View>,
    invalid_parameters: Vec<String>,
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>
async fn get_parameters(ssm: &Ssm, cx: &Cx, input: GetManyInput) -> Result<GetManyOutput> {
    let (mut parameters, mut invalid) = (Vec::new(), Vec::new());
    for (i, name) in input.names.iter().enumerate() {
        if input.names[..i].contains(name) {
            continue;
        }
        match ssm.view(cx, &name::read(cx, name), input.with_decryption).await {
            Ok(view) => parameters.push(view),
            Err(e) if matches!(e.code(), "ParameterNotFound" | "ParameterVersionNotFound") => {
                invalid.push(name.clone());
            }
            Err(e) => return Err(e),
        }
    }
    Ok(GetManyOutput { parameters, invalid_parameters: invalid })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PathInput {
    path: String,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    parameter_filters: Vec<Filter>,
    #[serde(default)]
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PathOutput {
    parameters: Vec<View>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html>
async fn get_parameters_by_path(ssm: &Ssm, cx: &Cx, input: PathInput) -> Result<PathOutput> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if !input.path.starts_with('/') || input.path.contains("//") || !input.path.chars().all(fits) {
        return Err(validation(
            "The parameter doesn't meet the parameter name requirements. The parameter name must \
             begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" \
             (case-insensitive). It must use only letters, numbers, or the following symbols: . \
             (period), - (hyphen), _ (underscore). Special characters are not allowed. All \
             sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: \
             /get/parameters2-/by1./path0_.",
        ));
    }
    filter::check_for_path(&input.parameter_filters)?;
    let limit = input.max_results.unwrap_or(10).clamp(1, 10);
    let prefix = format!("{}/", input.path.trim_end_matches('/'));
    let after = input.next_token.as_deref().map(page::decode).transpose()?;
    if public::is_public(&prefix) {
        let all = public::below(&cx.region, &prefix, input.recursive);
        let mut rest = all.into_iter().filter(|v| after.as_ref().is_none_or(|a| v.name > *a));
        let parameters: Vec<View> = rest.by_ref().take(limit).collect();
        let more = rest.next().is_some();
        let next_token = parameters.last().filter(|_| more).map(|v| page::encode(&v.name));
        return Ok(PathOutput { parameters, next_token });
    }
    let (found, next_token) = ssm.below(cx, &prefix, &input, after, limit).await?;
    let mut parameters = Vec::new();
    for (head, version, selector) in found {
        let view = ssm.view_of(cx, &head, &version, selector, input.with_decryption).await?;
        parameters.push(view);
    }
    Ok(PathOutput { parameters, next_token })
}

type Found = (Parameter, Version, Option<String>);

impl Ssm {
    /// A page of the parameters below a path.
    async fn below(
        &self,
        cx: &Cx,
        prefix: &str,
        input: &PathInput,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Found>, Option<String>)> {
        let here = Key::new().str(&cx.account).str(&cx.region);
        let mut found: Vec<Found> = Vec::new();
        let mut deeper: Option<String> = None;
        loop {
            let mut range = Range::starting(&here, prefix);
            if let Some(a) = &after {
                range = range.after(&here.clone().str(a));
            }
            if let Some(d) = deeper.take() {
                range = range.past_starting(&here, &d);
            }
            let batch = self.store.scan(&PARAMETERS, range, limit + 1).await?;
            let last = batch.len() <= limit;
            for (_, head) in batch {
                let name = head.place.name.clone();
                let rest = &name[prefix.len()..];
                if let Some(at) = rest.find('/').filter(|_| !input.recursive) {
                    // The whole level below is passed over at once.
                    deeper = Some(name[..=prefix.len() + at].to_owned());
                    after = Some(name);
                    break;
                }
                if let Some((version, selector)) = self.fitting(&head, input).await? {
                    if found.len() == limit {
                        let token = found.last().map(|(h, ..)| page::encode(&h.place.name));
                        return Ok((found, token));
                    }
                    found.push((head, version, selector));
                }
                after = Some(name);
            }
            if last && deeper.is_none() {
                return Ok((found, None));
            }
        }
    }

    /// The version of a parameter that the filters ask for, if they let it pass.
    async fn fitting(
        &self,
        head: &Parameter,
        input: &PathInput,
    ) -> Result<Option<(Version, Option<String>)>> {
        let label = filter::label(&input.parameter_filters, head);
        let number = match &label {
            Some(None) => return Ok(None),
            Some(Some((_, number))) => *number,
            None => head.version,
        };
        let Some(version) = self.store.get(&VERSIONS, &head.place.version(number)).await? else {
            return Ok(None);
        };
        let fits = input.parameter_filters.iter().all(|f| f.fits(head, &version));
        let selector = label.flatten().map(|(l, _)| format!(":{l}"));
        Ok(fits.then_some((version, selector)))
    }
}
