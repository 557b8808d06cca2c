//! Functions: created, read, listed, deleted.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, Value, ops};
use fogbank_store::{Lock, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::config::input::Settings;
use crate::config::{Config, Logging, State, Update, View};
use crate::error::{conflict, function_missing, invalid, stale};
use crate::name::{LATEST, Target, number};
use crate::version::{VERSIONS, Version, version_key};
use crate::{Lambda, alias, authz, code, concurrency, layer, ready, role, tag};

mod delete;
mod list;
mod update;

pub const OPS: &[Op<Lambda>] = ops![
    CreateFunction => create_function [authz::create_function],
    GetFunction => get_function [authz::function],
    GetFunctionConfiguration => get_function_configuration [authz::function],
    ListFunctions => list::list_functions,
    UpdateFunctionCode => update::update_function_code [authz::function],
    UpdateFunctionConfiguration => update::update_function_configuration [authz::update],
    DeleteFunction => delete::delete_function [authz::function],
];

pub static FUNCTIONS: Table<Function> = Table::new("lambda.function");

/// A function's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Function {
    /// Of this creation: a function of the same name made later has another.
    #[n(0)]
    pub id: String,
    /// The configuration of `$LATEST`.
    #[n(1)]
    pub latest: Config,
    /// The highest number that was given to a version.
    #[n(2)]
    pub last_version: u64,
    /// The fingerprint of the configuration published last.
    #[n(3)]
    pub published: Option<String>,
    #[n(4)]
    pub tags: BTreeMap<String, String>,
    /// `TenancyConfig` is `PER_TENANT`; it never changes.
    #[n(5)]
    pub tenancy: bool,
    #[n(6)]
    pub reserved: Option<u32>,
    /// `RecursiveLoop` is `Allow`.
    #[n(7)]
    pub recursion_allowed: bool,
    /// `UpdateRuntimeOn`, when it is not `Auto`.
    #[n(8)]
    pub runtime_updates: Option<String>,
}
fogbank_store::record!(Function, version = 1);

impl Lambda {
    /// The function's record.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub(crate) async fn function(&self, target: &Target) -> Result<Function> {
        let found = self.store.get(&FUNCTIONS, &target.key()).await?;
        found.ok_or_else(|| function_missing(&target.arn()))
    }

    /// The version that a target stands for and its configuration; aliases give their main one.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub(crate) async fn version_of(
        &self,
        target: &Target,
        function: &Function,
    ) -> Result<(String, Config)> {
        let missing = || function_missing(&target.arn());
        let version = match target.qualifier.as_deref() {
            None | Some(LATEST) => return Ok((LATEST.to_owned(), function.latest.clone())),
            Some(q) if number(q).is_some() => q.to_owned(),
            Some(q) => alias::get(&self.store, target, q).await?.ok_or_else(missing)?.version,
        };
        if version == LATEST {
            return Ok((version, function.latest.clone()));
        }
        let key = version_key(target, number(&version).unwrap_or_default());
        let found = self.store.get(&VERSIONS, &key).await?.ok_or_else(missing)?;
        Ok((version, found.config))
    }

    /// Begins a change of a function: its lock, its record.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub(crate) async fn change(&self, target: &Target, more: &[Lock]) -> Result<(Tx, Function)> {
        let key = target.key();
        let mut locks = vec![Lock::exclusive(&FUNCTIONS, &key)];
        locks.extend_from_slice(more);
        let mut tx = self.store.lock(&locks).await;
        let found = tx.get(&FUNCTIONS, &key).await?;
        Ok((tx, found.ok_or_else(|| function_missing(&target.function_arn()))?))
    }
}

/// Checks a `RevisionId` against the record's.
///
/// # Errors
/// `PreconditionFailedException`.
pub fn check_revision(given: Option<&str>, current: &str) -> Result<()> {
    if given.is_none_or(|g| g == current) { Ok(()) } else { Err(stale()) }
}

/// Refuses a change while another one is under way.
///
/// # Errors
/// `ResourceConflictException`.
pub fn check_settled(target: &Target, config: &Config) -> Result<()> {
    match (&config.state, &config.update) {
        (State::Pending, _) => Err(conflict(
            "The operation cannot be performed at this time. The function is currently in the \
             following state: Pending",
        )),
        (_, Update::InProgress) => Err(conflict(format!(
            "The operation cannot be performed at this time. An update is in progress for \
             resource: {}",
            target.function_arn()
        ))),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateFunctionInput {
    function_name: String,
    code: code::Source,
    #[serde(default)]
    publish: bool,
    publish_to: Option<String>,
    package_type: Option<String>,
    architectures: Option<Vec<String>>,
    code_signing_config_arn: Option<String>,
    tenancy_config: Option<Value>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(flatten)]
    settings: Settings,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>
async fn create_function(lambda: &Lambda, cx: &Cx, input: CreateFunctionInput) -> Result<View> {
    let target = Target::whole(cx, &input.function_name)?;
    if input.package_type.as_deref() == Some("Image") {
        return Err(cx.refuse_member("PackageType Image"));
    }
    if input.code_signing_config_arn.is_some() {
        return Err(cx.refuse_member("CodeSigningConfigArn"));
    }
    if input.publish_to.is_some() {
        return Err(cx.refuse_member("PublishTo"));
    }
    let tenancy = input.tenancy_config.is_some();
    if tenancy && let Some(Err(why)) = lambda.environments.get().map(|e| e.capabilities().isolated)
    {
        // Isolation that would be none is not promised.
        return Err(cx.refuse_member(&format!("TenancyConfig on this machine ({why})")));
    }
    let settings = input.settings;
    let (Some(runtime), Some(handler)) = (&settings.runtime, &settings.handler) else {
        return Err(invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment \
             packages.",
        ));
    };
    let (runtime, handler) = (runtime.clone(), handler.clone());
    settings.check(cx, tenancy)?;
    tag::check(&input.tags)?;
    if lambda.store.get(&FUNCTIONS, &target.key()).await?.is_some() {
        return Err(conflict(format!("Function already exist: {}", target.name)));
    }
    let role_arn = settings.role.clone().unwrap_or_default();
    role::check(cx, &target, &role_arn).await?;
    if let Some(arn) = settings.dead_letter().filter(|a| !a.is_empty()) {
        check_dead_letter(cx, &target, &role_arn, arn).await?;
    }
    let bytes = input.code.fetch(cx).await?;
    let layers = layer::resolve(lambda, cx, settings.layers.as_deref().unwrap_or_default()).await?;
    let mut config = Config {
        runtime,
        handler,
        role: role_arn,
        description: String::new(),
        timeout: 3,
        memory: 128,
        tmp: 512,
        environment: None,
        layers,
        code: lambda.describe_code(&bytes)?,
        architecture: architecture(input.architectures),
        tracing: "PassThrough".into(),
        dead_letter: None,
        logging: Logging::default(),
        kms_key: None,
        revision: String::new(),
        modified: 0,
        state: State::Pending,
        update: Update::InProgress,
        vpc: false,
    };
    layer::check_size(&config)?;
    config.code = lambda.keep_code(bytes).await?;
    settings.apply(&mut config);
    config.touch(cx);
    let mut function = Function {
        id: cx.ids().uuid(),
        latest: config,
        last_version: 0,
        published: None,
        tags: input.tags,
        tenancy,
        reserved: None,
        recursion_allowed: false,
        runtime_updates: None,
    };
    let key = target.key();
    let mut tx = lambda.store.lock(&[Lock::exclusive(&FUNCTIONS, &key)]).await;
    if tx.get(&FUNCTIONS, &key).await?.is_some() {
        drop(tx);
        lambda.drop_code(&function.latest.code).await;
        return Err(conflict(format!("Function already exist: {}", target.name)));
    }
    let view = if input.publish {
        let version = Version::publish(&mut tx, cx, &target, &mut function, None);
        version.view(&target, tenancy)
    } else {
        View::latest(&target, &function.latest, tenancy)
    };
    tx.put(&FUNCTIONS, &key, &function);
    ready::put(&mut tx, cx, &target);
    tx.commit().await?;
    lambda.wake_ready();
    Ok(view)
}

fn architecture(given: Option<Vec<String>>) -> String {
    given.into_iter().flatten().next().unwrap_or_else(|| "x86_64".into())
}

/// Whether the role may send to the dead-letter target.
async fn check_dead_letter(cx: &Cx, target: &Target, role: &str, arn: &str) -> Result<()> {
    let topic = fogbank_core::Arn::parse(arn).is_some_and(|a| a.service == "sns");
    let action = if topic { "sns:Publish" } else { "sqs:SendMessage" };
    role::may(cx, target, role, action, arn).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct QualifiedInput {
    pub function_name: String,
    pub qualifier: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetFunctionOutput {
    configuration: View,
    code: Value,
    tags: Option<BTreeMap<String, String>>,
    concurrency: Option<Value>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html>
async fn get_function(
    lambda: &Lambda,
    cx: &Cx,
    input: QualifiedInput,
) -> Result<GetFunctionOutput> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    let function = lambda.function(&target).await?;
    let (version, config) = lambda.version_of(&target, &function).await?;
    Ok(GetFunctionOutput {
        code: code::location(lambda.code_url(cx, &config.code)),
        configuration: View::new(&target, &version, &config, function.tenancy),
        tags: Some(function.tags).filter(|t| !t.is_empty()),
        concurrency: function.reserved.map(concurrency::reserved),
    })
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html>
async fn get_function_configuration(
    lambda: &Lambda,
    cx: &Cx,
    input: QualifiedInput,
) -> Result<View> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    let function = lambda.function(&target).await?;
    let (version, config) = lambda.version_of(&target, &function).await?;
    Ok(View::new(&target, &version, &config, function.tenancy))
}
