//! Settings of asynchronous invocations: retries, age, destinations.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html>

use fogbank_core::{Arn, Cx, Op, Result, Time, Value, map, ops, page};
use fogbank_store::{Range, Store, Table, Tx};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::error::{invalid, not_found};
use crate::function::QualifiedInput;
use crate::name::{LATEST, Target};
use crate::settings::limit;
use crate::{Lambda, authz, role};

pub const OPS: &[Op<Lambda>] = ops![
    PutFunctionEventInvokeConfig => put_config [authz::function],
    UpdateFunctionEventInvokeConfig => update_config [authz::function],
    GetFunctionEventInvokeConfig => get_config [authz::function],
    DeleteFunctionEventInvokeConfig => delete_config [authz::function],
    ListFunctionEventInvokeConfigs => list_configs [authz::function],
];

static CONFIGS: Table<EventConfig> = Table::new("lambda.event-config");

/// The settings of one version or alias.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct EventConfig {
    #[n(0)]
    pub retries: Option<u32>,
    /// In seconds.
    #[n(1)]
    pub age: Option<u32>,
    #[n(2)]
    pub on_success: Option<String>,
    #[n(3)]
    pub on_failure: Option<String>,
    /// Milliseconds since 1970.
    #[n(4)]
    pub modified: i64,
}
fogbank_store::record!(EventConfig, version = 1);

/// The settings that hold for a target; all by default when there are none.
///
/// # Errors
/// When the store fails.
pub async fn of(store: &Store, target: &Target) -> Result<EventConfig> {
    Ok(store.get(&CONFIGS, &target.qualified_key()).await?.unwrap_or_default())
}

/// Deletes all settings of a function.
///
/// # Errors
/// When the store fails.
pub async fn delete_all(tx: &mut Tx, function: &Target) -> Result<()> {
    for (k, _) in tx.scan(&CONFIGS, Range::prefix(&function.key()), usize::MAX).await? {
        tx.delete(&CONFIGS, &k);
    }
    Ok(())
}

/// Deletes the settings of one version or alias.
pub fn delete_one(tx: &mut Tx, target: &Target) {
    tx.delete(&CONFIGS, &target.qualified_key());
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    function_name: String,
    qualifier: Option<String>,
    maximum_retry_attempts: Option<u32>,
    maximum_event_age_in_seconds: Option<u32>,
    destination_config: Option<Destinations>,
}

/// `DestinationConfig`.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Destinations {
    pub on_success: Option<Destination>,
    pub on_failure: Option<Destination>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Destination {
    pub destination: Option<String>,
}

impl Destination {
    pub fn arn(&self) -> Option<String> {
        self.destination.clone().filter(|a| !a.is_empty())
    }
    pub fn of(arn: Option<&String>) -> Option<Self> {
        Some(Destination { destination: arn.cloned() })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    last_modified: Time,
    function_arn: String,
    maximum_retry_attempts: Option<u32>,
    maximum_event_age_in_seconds: Option<u32>,
    destination_config: Destinations,
}

impl View {
    fn new(target: &Target, config: &EventConfig) -> Self {
        let shown = target.with(Some(target.qualifier.as_deref().unwrap_or(LATEST)));
        View {
            last_modified: Timestamp::from_millisecond(config.modified).unwrap_or_default().into(),
            function_arn: shown.arn(),
            maximum_retry_attempts: config.retries,
            maximum_event_age_in_seconds: config.age,
            destination_config: Destinations {
                on_success: Destination::of(config.on_success.as_ref()),
                on_failure: Destination::of(config.on_failure.as_ref()),
            },
        }
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html>
async fn put_config(lambda: &Lambda, cx: &Cx, input: Input) -> Result<View> {
    set(lambda, cx, input, true).await
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionEventInvokeConfig.html>
async fn update_config(lambda: &Lambda, cx: &Cx, input: Input) -> Result<View> {
    set(lambda, cx, input, false).await
}

async fn set(lambda: &Lambda, cx: &Cx, input: Input, whole: bool) -> Result<View> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    let function = lambda.function(&target).await?;
    let (_, settings) = lambda.version_of(&target, &function).await?;
    let nothing = input.maximum_retry_attempts.is_none()
        && input.maximum_event_age_in_seconds.is_none()
        && input.destination_config.is_none();
    if nothing {
        return Err(invalid(
            "You must specify at least one of error handling or destination setting.",
        ));
    }
    let to = input.destination_config.clone().unwrap_or_default();
    for arn in [&to.on_success, &to.on_failure].into_iter().flatten().filter_map(Destination::arn) {
        check_destination(cx, &target, &settings.role, &arn).await?;
    }
    let (mut tx, _) = lambda.change(&target, &[]).await?;
    let key = target.qualified_key();
    let old = tx.get(&CONFIGS, &key).await?;
    let mut config = match old {
        _ if whole => EventConfig::default(),
        Some(old) => old,
        None => return Err(missing(&target)),
    };
    config.retries = input.maximum_retry_attempts.or(config.retries);
    config.age = input.maximum_event_age_in_seconds.or(config.age);
    if let Some(to) = input.destination_config {
        if whole || to.on_success.is_some() {
            config.on_success = to.on_success.and_then(|d| d.arn());
        }
        if whole || to.on_failure.is_some() {
            config.on_failure = to.on_failure.and_then(|d| d.arn());
        }
    }
    config.modified = cx.now.as_millisecond();
    tx.put(&CONFIGS, &key, &config);
    tx.commit().await?;
    Ok(View::new(&target, &config))
}

/// Whether a function's role may send to a destination.
///
/// # Errors
/// `InvalidParameterValueException`.
pub async fn check_destination(cx: &Cx, target: &Target, role: &str, arn: &str) -> Result<()> {
    let action = match Arn::parse(arn).map(|a| a.service) {
        Some("sqs") => "sqs:SendMessage",
        Some("sns") => "sns:Publish",
        Some("lambda") => "lambda:InvokeFunction",
        Some("events") => "events:PutEvents",
        Some("s3") => return Err(cx.refuse_member("a destination in S3")),
        _ => {
            return Err(invalid(format!(
                "The provided destination config DestinationArn is not \
                                        supported: {arn}"
            )));
        }
    };
    if arn.starts_with(&target.function_arn()) {
        return Err(invalid("You can't specify the function as a destination for itself."));
    }
    role::may(cx, target, role, action, arn).await.map_err(|_| {
        invalid(format!(
            "The function's execution role does not have permissions to call {} on {arn}",
            action.split_once(':').map_or(action, |(_, a)| a)
        ))
    })
}

fn missing(target: &Target) -> fogbank_core::ApiError {
    not_found(format!(
        "The function {} doesn't have an EventInvokeConfig",
        target.with(Some(target.qualifier.as_deref().unwrap_or(LATEST))).arn()
    ))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionEventInvokeConfig.html>
async fn get_config(lambda: &Lambda, cx: &Cx, input: QualifiedInput) -> Result<View> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    lambda.function(&target).await?;
    let found = lambda.store.get(&CONFIGS, &target.qualified_key()).await?;
    Ok(View::new(&target, &found.ok_or_else(|| missing(&target))?))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionEventInvokeConfig.html>
async fn delete_config(lambda: &Lambda, cx: &Cx, input: QualifiedInput) -> Result<()> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    let (mut tx, _) = lambda.change(&target, &[]).await?;
    if tx.get(&CONFIGS, &target.qualified_key()).await?.is_none() {
        return Err(missing(&target));
    }
    delete_one(&mut tx, &target);
    tx.commit().await?;
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    function_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionEventInvokeConfigs.html>
async fn list_configs(lambda: &Lambda, cx: &Cx, input: ListInput) -> Result<Value> {
    let target = Target::whole(cx, &input.function_name)?;
    lambda.function(&target).await?;
    let all = lambda.store.scan(&CONFIGS, Range::prefix(&target.key()), usize::MAX).await?;
    let views = all.iter().filter_map(|(k, c)| match k.parts().nth(3)? {
        fogbank_store::Part::Str(q) if q.is_empty() => Some(View::new(&target, c)),
        fogbank_store::Part::Str(q) => Some(View::new(&target.with(Some(&q)), c)),
        _ => None,
    });
    let page = page::page(
        views,
        |v| &v.function_arn,
        input.marker.as_deref(),
        limit(input.max_items, 50),
    )?;
    let items = page.items.iter().map(fogbank_core::value::to_value).collect::<Result<Vec<_>>>()?;
    Ok(map! { "FunctionEventInvokeConfigs" => items, "NextMarker" => page.next })
}
