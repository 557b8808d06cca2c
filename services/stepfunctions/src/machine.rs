//! State machines.

use fogbank_asl::definition::State;
use fogbank_asl::intrinsic::Expr;
use fogbank_asl::path::Root;
use fogbank_asl::template::Template;
use fogbank_core::{ApiError, Cx, Op, Result, Time, Value, map, ops};
use fogbank_store::{Lock, Range};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::arn::{self, MachineArn, Qualifier, check_name, machine_key};
use crate::definitions::{self, Compiled};
use crate::error::{conflict, invalid_arn, no_machine, validation};
use crate::page::PageInput;
use crate::record::{
    ALIASES, Alias, Encryption, Logging, MACHINES, Machine, Settings, Tag, VERSIONS, Version,
    version_key,
};
use crate::{Sfn, authz, logging, tag, version};

pub const OPS: &[Op<Sfn>] = ops![
    CreateStateMachine => create_state_machine [authz::create_machine],
    DescribeStateMachine => describe_state_machine [authz::machine],
    UpdateStateMachine => update_state_machine [authz::update_machine],
    DeleteStateMachine => delete_state_machine [authz::machine],
    ListStateMachines => list_state_machines,
];

/// The largest definition, in bytes.
const LARGEST: usize = 1_048_576;

pub fn time(micros: i64) -> Time {
    Time(Timestamp::from_microsecond(micros).unwrap_or_default())
}

/// A machine as it is asked for: itself, one of its versions, or what an alias leads to.
pub struct Found {
    pub machine: Machine,
    pub set: Settings,
    pub arn: MachineArn,
    pub version: Option<u64>,
    pub alias: Option<String>,
    pub revision: Option<String>,
    pub description: Option<String>,
    pub created: i64,
    pub updated: i64,
}

impl Sfn {
    /// Finds what an ARN names; an alias chooses one of its versions by `dice`.
    pub async fn find(&self, text: &str, dice: u32) -> Result<Found> {
        let arn = MachineArn::parse(text)?;
        let key = arn.key();
        let machine = self.store.get(&MACHINES, &key).await?.ok_or_else(|| no_machine(text))?;
        let (number, alias) = match &arn.qualifier {
            None => (None, None),
            Some(Qualifier::Version(n)) => (Some(*n), None),
            Some(Qualifier::Alias(name)) => {
                let found: Option<Alias> = self.store.get(&ALIASES, &key.clone().str(name)).await?;
                let alias = found.ok_or_else(|| no_machine(text))?;
                (Some(alias.choose(dice)), Some(name.clone()))
            }
        };
        let Some(number) = number else {
            return Ok(Found {
                set: machine.set.clone(),
                revision: machine.revision.clone(),
                created: machine.created,
                updated: machine.updated,
                machine,
                arn,
                version: None,
                alias: None,
                description: None,
            });
        };
        let found: Option<Version> = self.store.get(&VERSIONS, &version_key(&key, number)).await?;
        let v = found.ok_or_else(|| no_machine(text))?;
        Ok(Found {
            machine,
            set: v.set,
            arn,
            version: Some(number),
            alias,
            revision: v.revision,
            description: v.description,
            created: v.created,
            updated: v.created,
        })
    }
}

/// `LoggingConfiguration` as clients give it.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct LoggingInput {
    pub level: Option<String>,
    #[serde(default)]
    pub include_execution_data: Option<bool>,
    pub destinations: Option<Vec<Destination>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    pub cloud_watch_logs_log_group: Option<LogGroup>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogGroup {
    pub log_group_arn: Option<String>,
}

#[derive(Deserialize, Serialize, Default)]
pub struct Tracing {
    #[serde(default)]
    pub enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateInput {
    name: String,
    definition: String,
    role_arn: String,
    r#type: Option<String>,
    logging_configuration: Option<LoggingInput>,
    #[serde(default)]
    tags: Vec<Tag>,
    tracing_configuration: Option<Tracing>,
    #[serde(default)]
    publish: bool,
    version_description: Option<String>,
    encryption_configuration: Option<Encryption>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateOutput {
    state_machine_arn: String,
    creation_date: Time,
    state_machine_version_arn: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html>
async fn create_state_machine(sfn: &Sfn, cx: &Cx, input: CreateInput) -> Result<CreateOutput> {
    check_name(&input.name)?;
    if input.version_description.is_some() && !input.publish {
        return Err(validation("Version description can only be set when publish is true"));
    }
    check_role(&input.role_arn)?;
    let express = input.r#type.as_deref() == Some("EXPRESS");
    check_definition(&input.definition, express)?;
    let arn = arn::machine(&cx.region, &cx.account, &input.name);
    tag::check(&input.tags, &arn)?;
    let encryption = encryption(input.encryption_configuration)?;
    let set = Settings {
        definition: String::new(),
        role: input.role_arn,
        logging: logging::settings(cx, input.logging_configuration).await?,
        tracing: input.tracing_configuration.unwrap_or_default().enabled,
    };
    let key = machine_key(cx, &input.name);
    let mut tx = sfn.store.lock(&[Lock::exclusive(&MACHINES, &key)]).await;
    let now = cx.now.as_microsecond();
    let set = Settings { definition: definitions::keep(&mut tx, &input.definition), ..set };
    if let Some(old) = tx.get(&MACHINES, &key).await? {
        // The same request again is answered again.
        let same = old.set == set && old.express == express && old.revision.is_none();
        if !same || input.publish {
            return Err(ApiError::new(
                "StateMachineAlreadyExists",
                format!("State Machine Already Exists: '{arn}'"),
            ));
        }
        return Ok(CreateOutput {
            state_machine_arn: arn,
            creation_date: time(old.created),
            state_machine_version_arn: None,
        });
    }
    let mut machine = Machine {
        name: input.name,
        express,
        created: now,
        updated: now,
        set,
        revision: None,
        last_version: 0,
        tags: input.tags,
        encryption,
        published: None,
    };
    let version = input
        .publish
        .then(|| version::publish(&mut tx, &key, &mut machine, input.version_description, now));
    tx.put(&MACHINES, &key, &machine);
    tx.commit().await?;
    Ok(CreateOutput {
        state_machine_version_arn: version.map(|n| format!("{arn}:{n}")),
        state_machine_arn: arn,
        creation_date: time(now),
    })
}

fn check_definition(text: &str, express: bool) -> Result<()> {
    if text.len() > LARGEST {
        return Err(definitions::invalid("The definition is larger than 1 MiB"));
    }
    definitions::check(text, express)
}

fn check_role(role: &str) -> Result<()> {
    let fits = role.starts_with("arn:") && role.contains(":iam::") && role.contains(":role/");
    if fits { Ok(()) } else { Err(invalid_arn(role)) }
}

/// A customer's key is refused: nothing would be encrypted with it.
pub fn encryption(given: Option<Encryption>) -> Result<Option<Encryption>> {
    match given {
        Some(e) if e.r#type == "CUSTOMER_MANAGED_KMS_KEY" => {
            if e.kms_key_id.is_none() {
                return Err(ApiError::new(
                    "InvalidEncryptionConfiguration",
                    "Invalid Encryption Configuration: kmsKeyId is required for \
                     CUSTOMER_MANAGED_KMS_KEY",
                ));
            }
            Err(ApiError::not_implemented(
                "stepfunctions: encryptionConfiguration with CUSTOMER_MANAGED_KMS_KEY",
            ))
        }
        Some(e) if e.kms_key_id.is_some() => Err(ApiError::new(
            "InvalidEncryptionConfiguration",
            "Invalid Encryption Configuration: kmsKeyId must not be set for AWS_OWNED_KEY",
        )),
        other => Ok(other),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeInput {
    state_machine_arn: String,
    included_data: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeOutput {
    state_machine_arn: String,
    name: String,
    status: &'static str,
    definition: String,
    role_arn: String,
    r#type: &'static str,
    creation_date: Time,
    logging_configuration: LoggingInput,
    tracing_configuration: Tracing,
    revision_id: Option<String>,
    description: Option<String>,
    encryption_configuration: Encryption,
    variable_references: Option<Value>,
}

pub fn default_encryption(e: Option<&Encryption>) -> Encryption {
    e.cloned().unwrap_or_else(|| Encryption {
        kms_key_id: None,
        kms_data_key_reuse_period_seconds: None,
        r#type: "AWS_OWNED_KEY".to_owned(),
    })
}

pub fn logging_view(l: &Logging) -> LoggingInput {
    LoggingInput {
        level: Some(if l.level.is_empty() { "OFF".to_owned() } else { l.level.clone() }),
        include_execution_data: Some(l.data),
        destinations: Some(
            l.groups
                .iter()
                .map(|g| Destination {
                    cloud_watch_logs_log_group: Some(LogGroup { log_group_arn: Some(g.clone()) }),
                })
                .collect::<Vec<_>>(),
        )
        .filter(|d| !d.is_empty()),
    }
}

pub fn type_name(express: bool) -> &'static str {
    if express { "EXPRESS" } else { "STANDARD" }
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachine.html>
async fn describe_state_machine(sfn: &Sfn, _: &Cx, input: DescribeInput) -> Result<DescribeOutput> {
    let f = sfn.find(&input.state_machine_arn, 0).await?;
    let compiled = sfn.definition(&f.set.definition).await?;
    let all = input.included_data.as_deref() != Some("METADATA_ONLY");
    let arn = match f.version {
        Some(n) => format!("{}:{n}", f.arn.plain()),
        None => f.arn.plain(),
    };
    Ok(DescribeOutput {
        state_machine_arn: arn,
        name: f.machine.name.clone(),
        status: "ACTIVE",
        definition: if all { compiled.text.clone() } else { String::new() },
        role_arn: f.set.role.clone(),
        r#type: type_name(f.machine.express),
        creation_date: time(f.created),
        logging_configuration: logging_view(&f.set.logging),
        tracing_configuration: Tracing { enabled: f.set.tracing },
        revision_id: f.revision,
        description: f.description,
        encryption_configuration: default_encryption(f.machine.encryption.as_ref()),
        variable_references: variables(&compiled).filter(|_| all),
    })
}

/// The variables that each state reads.
pub fn variables(compiled: &Compiled) -> Option<Value> {
    let assigned: std::collections::BTreeSet<String> = compiled
        .definition
        .scopes
        .iter()
        .flat_map(|s| s.states.values())
        .flat_map(names_assigned)
        .collect();
    let mut all = std::collections::BTreeMap::new();
    for state in compiled.definition.scopes.iter().flat_map(|s| s.states.values()) {
        let mut names = std::collections::BTreeSet::new();
        state.each(&mut |t| match t {
            Template::Jsonata(e) => names.extend(e.variables().map(str::to_owned)),
            Template::Expr(e, _) => {
                let mut paths = Vec::new();
                Expr::paths(e, &mut paths);
                names.extend(paths.into_iter().filter_map(|p| match &p.root {
                    Root::Variable(n) => Some(n.clone()),
                    _ => None,
                }));
            }
            _ => {}
        });
        names.retain(|n| assigned.contains(n));
        if !names.is_empty() {
            all.insert(state.name.clone(), names);
        }
    }
    let list = |n: std::collections::BTreeSet<String>| {
        Value::List(n.into_iter().map(Value::from).collect())
    };
    (!all.is_empty())
        .then(|| Value::Map(all.into_iter().map(|(k, n)| (k.into(), list(n))).collect()))
}

fn names_assigned(state: &State) -> Vec<String> {
    let of = |t: Option<&Template>| match t {
        Some(Template::Object(fields)) => fields.iter().map(|(k, _)| k.clone()).collect(),
        Some(Template::Literal(serde_json::Value::Object(o))) => o.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let mut out = of(state.assign.as_ref());
    out.extend(state.catch.iter().flat_map(|c| of(c.assign.as_ref())));
    if let fogbank_asl::definition::Kind::Choice { choices, .. } = &state.kind {
        out.extend(choices.iter().flat_map(|c| of(c.assign.as_ref())));
    }
    out
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateInput {
    state_machine_arn: String,
    definition: Option<String>,
    role_arn: Option<String>,
    logging_configuration: Option<LoggingInput>,
    tracing_configuration: Option<Tracing>,
    #[serde(default)]
    publish: bool,
    version_description: Option<String>,
    encryption_configuration: Option<Encryption>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateOutput {
    update_date: Time,
    revision_id: Option<String>,
    state_machine_version_arn: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateStateMachine.html>
async fn update_state_machine(sfn: &Sfn, cx: &Cx, input: UpdateInput) -> Result<UpdateOutput> {
    let arn = MachineArn::parse(&input.state_machine_arn)?;
    if arn.qualifier.is_some() {
        return Err(invalid_arn(&input.state_machine_arn));
    }
    if input.version_description.is_some() && !input.publish {
        return Err(validation("Version description can only be set when publish is true"));
    }
    let nothing = input.definition.is_none()
        && input.role_arn.is_none()
        && input.logging_configuration.is_none()
        && input.tracing_configuration.is_none()
        && input.encryption_configuration.is_none();
    if nothing && !input.publish {
        return Err(ApiError::new(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, the \
             TracingConfiguration, or the EncryptionConfiguration must be specified",
        ));
    }
    if let Some(role) = &input.role_arn {
        check_role(role)?;
    }
    let logging = match input.logging_configuration {
        Some(l) => Some(logging::settings(cx, Some(l)).await?),
        None => None,
    };
    let encryption = encryption(input.encryption_configuration)?;
    let key = arn.key();
    let mut tx = sfn.store.lock(&[Lock::exclusive(&MACHINES, &key)]).await;
    let found: Option<Machine> = tx.get(&MACHINES, &key).await?;
    let mut machine = found.ok_or_else(|| no_machine(&input.state_machine_arn))?;
    let now = cx.now.as_microsecond();
    if let Some(text) = &input.definition {
        check_definition(text, machine.express)?;
        machine.set.definition = definitions::keep(&mut tx, text);
    }
    if let Some(role) = input.role_arn {
        machine.set.role = role;
    }
    if let Some(l) = logging {
        machine.set.logging = l;
    }
    if let Some(t) = input.tracing_configuration {
        machine.set.tracing = t.enabled;
    }
    if encryption.is_some() {
        machine.encryption = encryption;
    }
    if !nothing {
        machine.revision = Some(cx.ids().uuid());
    }
    machine.updated = now;
    let version = input
        .publish
        .then(|| version::publish(&mut tx, &key, &mut machine, input.version_description, now));
    tx.put(&MACHINES, &key, &machine);
    tx.commit().await?;
    Ok(UpdateOutput {
        update_date: time(now),
        revision_id: machine.revision,
        state_machine_version_arn: version.map(|n| format!("{}:{n}", arn.plain())),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteInput {
    state_machine_arn: String,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html>
async fn delete_state_machine(sfn: &Sfn, _: &Cx, input: DeleteInput) -> Result<Value> {
    let arn = MachineArn::parse(&input.state_machine_arn)?;
    if arn.qualifier.is_some() {
        return Err(validation("A version or an alias is deleted by its own operation"));
    }
    let key = arn.key();
    let mut tx = sfn.store.lock(&[Lock::exclusive(&MACHINES, &key)]).await;
    tx.delete(&MACHINES, &key);
    for (k, _) in tx.scan(&VERSIONS, Range::prefix(&key), 10_000).await? {
        tx.delete(&VERSIONS, &k);
    }
    for (k, _) in tx.scan(&ALIASES, Range::prefix(&key), 10_000).await? {
        tx.delete(&ALIASES, &k);
    }
    tx.commit().await?;
    Ok(map! {})
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListItem {
    state_machine_arn: String,
    name: String,
    r#type: &'static str,
    creation_date: Time,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListOutput {
    state_machines: Vec<ListItem>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachines.html>
async fn list_state_machines(sfn: &Sfn, cx: &Cx, input: PageInput) -> Result<ListOutput> {
    let place = fogbank_store::Key::new().str(&cx.account).str(&cx.region);
    let (found, next_token) = input.read(&sfn.store, &MACHINES, Range::prefix(&place), 100).await?;
    let item = |m: Machine| ListItem {
        state_machine_arn: arn::machine(&cx.region, &cx.account, &m.name),
        r#type: type_name(m.express),
        creation_date: time(m.created),
        name: m.name,
    };
    Ok(ListOutput { state_machines: found.into_iter().map(|(_, m)| item(m)).collect(), next_token })
}

impl Alias {
    /// A version, as often as its weight says.
    pub fn choose(&self, dice: u32) -> u64 {
        let mut left = dice % 100;
        for (version, weight) in &self.routes {
            if left < *weight {
                return *version;
            }
            left -= weight;
        }
        self.routes.first().map_or(0, |(v, _)| *v)
    }
}

/// Refuses what would leave an alias without its version.
pub fn in_use(arn: &str) -> ApiError {
    conflict(format!(
        "Version to be deleted must not be referenced by an alias. Current list of aliases \
         referencing this version: [{arn}]"
    ))
}
