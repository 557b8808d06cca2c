//! `FunctionConfiguration`: a configuration as answers have it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Config, LayerUse, State, Update, modified};
use crate::name::{LATEST, Target};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct View {
    function_name: String,
    function_arn: String,
    runtime: String,
    role: String,
    handler: String,
    code_size: u64,
    description: String,
    timeout: u32,
    memory_size: u32,
    last_modified: String,
    code_sha256: String,
    version: String,
    environment: Option<Variables>,
    dead_letter_config: Option<DeadLetter>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    tracing_config: Mode,
    revision_id: String,
    layers: Option<Vec<Layer>>,
    state: Option<&'static str>,
    state_reason: Option<String>,
    state_reason_code: Option<&'static str>,
    last_update_status: Option<&'static str>,
    last_update_status_reason: Option<String>,
    last_update_status_reason_code: Option<&'static str>,
    package_type: &'static str,
    architectures: [String; 1],
    ephemeral_storage: Size,
    snap_start: SnapStart,
    logging_config: Logging,
    vpc_config: Option<Vpc>,
    tenancy_config: Option<Tenancy>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Variables {
    variables: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetter {
    target_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Mode {
    mode: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Layer {
    arn: String,
    code_size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    size: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SnapStart {
    apply_on: &'static str,
    optimization_status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Logging {
    log_format: &'static str,
    application_log_level: Option<String>,
    system_log_level: Option<String>,
    log_group: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Vpc {
    subnet_ids: [String; 0],
    security_group_ids: [String; 0],
    vpc_id: &'static str,
    ipv6_allowed_for_dual_stack: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tenancy {
    tenant_isolation_mode: &'static str,
}

/// A status, its reason and the reason's code.
type Status = (&'static str, Option<String>, Option<&'static str>);

fn state(config: &Config) -> Status {
    match &config.state {
        State::Pending => {
            ("Pending", Some("The function is being created.".to_owned()), Some("Creating"))
        }
        State::Active => ("Active", None, None),
        State::Failed(why) => ("Failed", Some(why.clone()), Some("InvalidZipFileException")),
    }
}

fn update(config: &Config) -> Status {
    match &config.update {
        Update::InProgress => {
            ("InProgress", Some("The function is being updated.".to_owned()), None)
        }
        Update::Successful => ("Successful", None, None),
        Update::Failed(why) => ("Failed", Some(why.clone()), Some("InvalidZipFileException")),
    }
}

impl View {
    /// `target` is the function as it was asked for, `version` what that stands for.
    #[must_use]
    pub fn new(target: &Target, version: &str, config: &Config, tenancy: bool) -> Self {
        let (state, state_reason, state_reason_code) = state(config);
        let (status, status_reason, status_code) = update(config);
        let layer = |l: &LayerUse| Layer { arn: l.arn.clone(), code_size: l.code.size };
        let layers: Vec<Layer> = config.layers.iter().map(layer).collect();
        let dead_letter = |arn: &String| DeadLetter { target_arn: arn.clone() };
        View {
            function_name: target.name.clone(),
            function_arn: target.arn(),
            runtime: config.runtime.clone(),
            role: config.role.clone(),
            handler: config.handler.clone(),
            code_size: config.code.size,
            description: config.description.clone(),
            timeout: config.timeout,
            memory_size: config.memory,
            last_modified: modified(config.modified),
            code_sha256: config.code.sha256.clone(),
            version: version.to_owned(),
            environment: config.environment.clone().map(|variables| Variables { variables }),
            dead_letter_config: config.dead_letter.as_ref().map(dead_letter),
            kms_key_arn: config.kms_key.clone(),
            tracing_config: Mode { mode: config.tracing.clone() },
            revision_id: config.revision.clone(),
            layers: Some(layers).filter(|l| !l.is_empty()),
            state: Some(state),
            state_reason,
            state_reason_code,
            last_update_status: Some(status),
            last_update_status_reason: status_reason,
            last_update_status_reason_code: status_code,
            package_type: "Zip",
            architectures: [config.architecture.clone()],
            ephemeral_storage: Size { size: config.tmp },
            snap_start: SnapStart { apply_on: "None", optimization_status: "Off" },
            logging_config: Logging {
                log_format: if config.logging.json { "JSON" } else { "Text" },
                application_log_level: config.logging.application_level.clone(),
                system_log_level: config.logging.system_level.clone(),
                log_group: config.log_group(&target.name),
            },
            vpc_config: config.vpc.then_some(Vpc {
                subnet_ids: [],
                security_group_ids: [],
                vpc_id: "",
                ipv6_allowed_for_dual_stack: false,
            }),
            tenancy_config: tenancy.then_some(Tenancy { tenant_isolation_mode: "PER_TENANT" }),
        }
    }

    /// As lists have it: without states.
    #[must_use]
    pub fn brief(target: &Target, version: &str, config: &Config, tenancy: bool) -> Self {
        View {
            state: None,
            state_reason: None,
            state_reason_code: None,
            last_update_status: None,
            last_update_status_reason: None,
            last_update_status_reason_code: None,
            ..View::new(target, version, config, tenancy)
        }
    }

    /// The version being worked on, under the bare name.
    #[must_use]
    pub fn latest(target: &Target, config: &Config, tenancy: bool) -> Self {
        View::new(&target.with(None), LATEST, config, tenancy)
    }
}
