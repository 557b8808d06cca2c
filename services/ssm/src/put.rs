//! PutParameter and the deletions.

use fogbank_core::cx::Event;
use fogbank_core::{ApiError, Cx, Op, Result, map, ops};
use fogbank_store::Lock;
use serde::{Deserialize, Serialize};

use crate::cipher;
use crate::error::{not_found, validation};
use crate::find::unschedule;
use crate::job::{Expire, JOBS};
use crate::record::{
    Kind, PARAMETERS, Parameter, Place, Stored, Tag, Tier, VERSIONS, Version, moment,
};
use crate::{Ssm, authz, name, policies, tag};

pub const OPS: &[Op<Ssm>] = ops![
    PutParameter => put_parameter [authz::put],
    DeleteParameter => delete_parameter [authz::on_name],
    DeleteParameters => delete_parameters [authz::on_names],
];

/// As many versions as are kept.
const VERSIONS_KEPT: u64 = 100;
/// In bytes.
const STANDARD: usize = 4096;
const ADVANCED: usize = 8192;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutInput {
    name: String,
    description: Option<String>,
    value: String,
    #[serde(rename = "Type")]
    kind: Option<Kind>,
    key_id: Option<String>,
    #[serde(default)]
    overwrite: bool,
    allowed_pattern: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    tier: Option<String>,
    policies: Option<String>,
    data_type: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutOutput {
    version: u64,
    tier: Tier,
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>
async fn put_parameter(ssm: &Ssm, cx: &Cx, input: PutInput) -> Result<PutOutput> {
    name::check(&input.name)?;
    let place = Place {
        account: cx.account.clone(),
        region: cx.region.to_string(),
        name: input.name.clone(),
    };
    if input.overwrite && !input.tags.is_empty() {
        return Err(validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter \
             with tags, please remove overwrite flag. To update tags for an existing parameter, \
             please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    tag::check(&input.tags)?;
    let before = match ssm.load(&place).await? {
        Some(head) if input.overwrite => {
            ssm.store.get(&VERSIONS, &place.version(head.version)).await?
        }
        Some(_) => return Err(exists()),
        None => None,
    };
    let (mut version, expires) = next(cx, &input, before.as_ref())?;
    version.value = match version.kind {
        Kind::SecureString => {
            let key = version.key.as_deref().unwrap_or(cipher::DEFAULT);
            cipher::close(cx, key, &place, version.tier, &input.value).await?
        }
        Kind::String | Kind::StringList => Stored::Plain(input.value),
    };
    let at = place.key();
    let mut tx = ssm.store.lock(&[Lock::exclusive(&PARAMETERS, &at)]).await;
    let mut head = match tx.get(&PARAMETERS, &at).await? {
        Some(_) if !input.overwrite => return Err(exists()),
        Some(mut head) => {
            head.version += 1;
            head
        }
        None => Parameter {
            place: place.clone(),
            version: 1,
            oldest: 1,
            labels: Vec::new(),
            tags: input.tags,
            expires: None,
        },
    };
    let created = head.version == 1;
    if head.version - head.oldest >= VERSIONS_KEPT {
        let oldest = head.oldest;
        if !head.labels_of(oldest).is_empty() {
            return Err(labelled(&place.name, oldest));
        }
        tx.delete(&VERSIONS, &place.version(oldest));
        head.oldest += 1;
    }
    unschedule(&mut tx, &head);
    head.expires = expires;
    if let Some(due) = expires {
        let job = Expire { place: place.clone(), due };
        JOBS.put(&mut tx, moment(due), &place.arn(), &job);
    }
    version.number = head.version;
    tx.put(&VERSIONS, &place.version(head.version), &version);
    tx.put(&PARAMETERS, &at, &head);
    tx.commit().await?;
    ssm.wake();
    tell(cx, &place, if created { "Create" } else { "Update" }, Some(version.kind));
    Ok(PutOutput { version: head.version, tier: version.tier })
}

/// The next version of a parameter, without its value, and when the parameter expires.
fn next(cx: &Cx, input: &PutInput, before: Option<&Version>) -> Result<(Version, Option<i64>)> {
    let kind = input
        .kind
        .or(before.map(|b| b.kind))
        .ok_or_else(|| validation("A parameter type is required when you create a parameter."))?;
    let (policies, expires) = match &input.policies {
        Some(text) => policies::read(cx, text)?,
        None => (Vec::new(), None),
    };
    let tier = tier(input, before, !policies.is_empty())?;
    check_value(input, kind)?;
    if input.key_id.is_some() && kind != Kind::SecureString {
        return Err(validation("KeyId is required for SecureString type parameter only."));
    }
    let key = match kind {
        Kind::SecureString => {
            let last = before.and_then(|b| b.key.clone());
            input.key_id.clone().or(last).or_else(|| Some(cipher::DEFAULT.to_owned()))
        }
        Kind::String | Kind::StringList => None,
    };
    let version = Version {
        number: 0,
        kind,
        value: Stored::Plain(String::new()),
        key,
        description: input.description.clone().or(before.and_then(|b| b.description.clone())),
        allowed_pattern: input.allowed_pattern.clone().filter(|p| !p.is_empty()),
        data_type: input.data_type.clone().unwrap_or_else(|| "text".to_owned()),
        tier,
        policies,
        modified: cx.now.as_microsecond(),
        user: cx.principal.arn.clone(),
    };
    Ok((version, expires.map(|t| t.as_microsecond())))
}

fn tier(input: &PutInput, before: Option<&Version>, policies: bool) -> Result<Tier> {
    let big = input.value.len() > STANDARD;
    let was_advanced = before.is_some_and(|b| b.tier == Tier::Advanced);
    let tier = match input.tier.as_deref() {
        Some("Advanced") => Tier::Advanced,
        Some("Intelligent-Tiering") if big || policies => Tier::Advanced,
        Some("Intelligent-Tiering") | None if was_advanced => Tier::Advanced,
        _ => Tier::Standard,
    };
    if tier == Tier::Standard && was_advanced {
        return Err(validation(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from \
             the advanced-parameter tier to the standard-parameter tier. If necessary, you can \
             delete the advanced parameter and recreate it as a standard parameter. Be aware that \
             you can't recover a deleted parameter.",
        ));
    }
    let guide = "For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html";
    if tier == Tier::Standard && big {
        return Err(validation(format!(
            "Standard tier parameters support a maximum parameter value of {STANDARD} characters. \
             To create a larger parameter value, upgrade the parameter to use the \
             advanced-parameter tier. {guide}"
        )));
    }
    if tier == Tier::Standard && policies {
        return Err(validation(format!(
            "Standard tier parameters do not support parameter policies. {guide}"
        )));
    }
    if input.value.len() > ADVANCED {
        return Err(validation(format!(
            "Advanced tier parameters support a maximum parameter value of {ADVANCED} characters. \
             {guide}"
        )));
    }
    Ok(tier)
}

fn check_value(input: &PutInput, kind: Kind) -> Result<()> {
    let value = &input.value;
    if value.is_empty() {
        return Err(validation(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member \
             must have length greater than or equal to 1",
        ));
    }
    if value.contains("{{") && value.contains("}}") {
        return Err(validation(
            "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.",
        ));
    }
    match input.data_type.as_deref() {
        None | Some("text") => {}
        Some("aws:ec2:image") => {
            let id = value.strip_prefix("ami-").unwrap_or_default();
            if kind != Kind::String
                || id.is_empty()
                || !id.bytes().all(|b| b.is_ascii_alphanumeric())
            {
                return Err(validation(
                    "The value of a parameter with data type aws:ec2:image is the id of an image, \
                     ami-12345abcdeEXAMPLE, and its type is String.",
                ));
            }
        }
        Some(other) => {
            return Err(validation(format!(
                "The following data type is not supported: {other} (Data type names are all \
                 lowercase.)"
            )));
        }
    }
    let Some(pattern) = input.allowed_pattern.as_deref().filter(|p| !p.is_empty()) else {
        return Ok(());
    };
    let whole = regex_lite::RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(1 << 20)
        .build()
        .map_err(|_| {
            ApiError::new(
                "InvalidAllowedPatternException",
                format!("The pattern {pattern} is not a valid regular expression."),
            )
        })?;
    if whole.is_match(value) {
        return Ok(());
    }
    Err(ApiError::new(
        "ParameterPatternMismatchException",
        format!("Parameter value, cannot be validated against allowedPattern: {pattern}"),
    ))
}

fn exists() -> ApiError {
    ApiError::new(
        "ParameterAlreadyExists",
        "The parameter already exists. To overwrite this value, set the overwrite option in the \
         request to true.",
    )
}

fn labelled(name: &str, oldest: u64) -> ApiError {
    ApiError::new(
        "ParameterMaxVersionLimitExceeded",
        format!(
            "You attempted to create a new version of {name} by calling the PutParameter API with \
             the overwrite flag. Version {oldest}, the oldest version, can't be deleted because it \
             has a label associated with it. Move the label to another version of the parameter, \
             and try again."
        ),
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameInput {
    name: String,
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html>
async fn delete_parameter(ssm: &Ssm, cx: &Cx, input: NameInput) -> Result<()> {
    let asked = name::read(cx, &input.name);
    if asked.place.account != cx.account || !ssm.remove(&asked.place, |_| true).await? {
        return Err(not_found());
    }
    tell(cx, &asked.place, "Delete", None);
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NamesInput {
    names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteOutput {
    deleted_parameters: Vec<String>,
    invalid_parameters: Vec<String>,
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameters.html>
async fn delete_parameters(ssm: &Ssm, cx: &Cx, input: NamesInput) -> Result<DeleteOutput> {
    let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
    for name in input.names {
        let place = name::read(cx, &name).place;
        if place.account == cx.account && ssm.remove(&place, |_| true).await? {
            tell(cx, &place, "Delete", None);
            deleted.push(name);
        } else {
            invalid.push(name);
        }
    }
    Ok(DeleteOutput { deleted_parameters: deleted, invalid_parameters: invalid })
}

/// Tells EventBridge of a change.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html>
fn tell(cx: &Cx, place: &Place, operation: &str, kind: Option<Kind>) {
    let kind = kind.map(|k| match k {
        Kind::String => "String",
        Kind::StringList => "StringList",
        Kind::SecureString => "SecureString",
    });
    let detail = map! { "operation" => operation, "name" => place.name.clone(), "type" => kind };
    cx.cloud.publish(
        cx,
        Event {
            source: "aws.ssm".into(),
            detail_type: "Parameter Store Change".into(),
            resources: vec![place.arn()],
            detail,
        },
    );
}
