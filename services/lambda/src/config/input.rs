//! The settings in requests: what CreateFunction and UpdateFunctionConfiguration share.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Result, Value};
use serde::Deserialize;

use super::{Config, runtime};
use crate::error::invalid;

/// Members that a request may set. Those of type [`Value`] are refused by name.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Settings {
    pub runtime: Option<String>,
    pub role: Option<String>,
    pub handler: Option<String>,
    pub description: Option<String>,
    timeout: Option<u32>,
    memory_size: Option<u32>,
    ephemeral_storage: Option<Size>,
    environment: Option<Environment>,
    pub layers: Option<Vec<String>>,
    dead_letter_config: Option<DeadLetter>,
    tracing_config: Option<Mode>,
    logging_config: Option<Logging>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    vpc_config: Option<Vpc>,
    snap_start: Option<SnapStart>,
    file_system_configs: Option<Vec<Value>>,
    image_config: Option<Value>,
    accelerator_config: Option<Value>,
    capacity_provider_config: Option<Value>,
    durable_config: Option<Value>,
    runtime_config: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    size: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    variables: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetter {
    target_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mode {
    mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Logging {
    log_format: Option<String>,
    application_log_level: Option<String>,
    system_log_level: Option<String>,
    log_group: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vpc {
    #[serde(default)]
    subnet_ids: Vec<String>,
    #[serde(default)]
    security_group_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SnapStart {
    apply_on: Option<String>,
}

impl Settings {
    /// Checks what can be checked by itself, and refuses what fogbank does not do. `tenancy` says
    /// whether the function isolates its tenants.
    ///
    /// # Errors
    /// AWS's for bad values; `NotImplemented` by name for the rest.
    pub fn check(&self, cx: &Cx, tenancy: bool) -> Result<()> {
        self.refuse(cx, tenancy)?;
        if let Some(runtime) = &self.runtime {
            runtime::check(cx, runtime)?;
        }
        at_most("MemorySize", self.memory_size, 10_240)?;
        at_most("Timeout", self.timeout, 900)?;
        at_most("EphemeralStorage.Size", self.ephemeral_storage.as_ref().map(|s| s.size), 10_240)?;
        if let Some(variables) = self.environment.as_ref().and_then(|e| e.variables.as_ref()) {
            check_environment(variables)?;
        }
        if let Some(logging) = &self.logging_config {
            let text = logging.log_format.as_deref() != Some("JSON");
            let levels =
                logging.application_log_level.is_some() || logging.system_log_level.is_some();
            if text && levels {
                return Err(invalid(
                    "Log level is not supported when LogFormat is set to 'Text'. Remove log level \
                     from your request or change the LogFormat to 'JSON' and try again.",
                ));
            }
        }
        if let Some(arn) = self.dead_letter() {
            let service = fogbank_core::Arn::parse(arn).map(|a| a.service);
            if !arn.is_empty() && !matches!(service, Some("sqs" | "sns")) {
                return Err(invalid(format!(
                    "The provided target Arn is invalid. Please provide a valid SQS queue or SNS \
                     topic Arn: {arn}"
                )));
            }
        }
        if self.kms_key_arn.as_ref().is_some_and(|k| !k.is_empty()) {
            cx.ignore_member("KMSKeyArn");
        }
        Ok(())
    }

    fn refuse(&self, cx: &Cx, tenancy: bool) -> Result<()> {
        let snaps = self.snap_start.as_ref().and_then(|s| s.apply_on.as_deref());
        if snaps == Some("PublishedVersions") {
            return Err(if tenancy {
                invalid("SnapStart is not supported for functions with tenant isolation mode.")
            } else {
                cx.refuse_member("SnapStart")
            });
        }
        for (name, given) in [
            ("ImageConfig", &self.image_config),
            ("AcceleratorConfig", &self.accelerator_config),
            ("CapacityProviderConfig", &self.capacity_provider_config),
            ("DurableConfig", &self.durable_config),
            ("RuntimeConfig", &self.runtime_config),
        ] {
            if given.as_ref().is_some_and(|v| *v != Value::Null && *v != Value::Map(Vec::new())) {
                return Err(cx.refuse_member(name));
            }
        }
        if self.file_system_configs.as_ref().is_some_and(|f| !f.is_empty()) {
            return Err(cx.refuse_member("FileSystemConfigs"));
        }
        match &self.vpc_config {
            Some(vpc) if !vpc.subnet_ids.is_empty() || !vpc.security_group_ids.is_empty() => {
                Err(cx.refuse_member("VpcConfig"))
            }
            _ => Ok(()),
        }
    }

    /// The ARN of the dead-letter target, if the request names one.
    #[must_use]
    pub fn dead_letter(&self) -> Option<&str> {
        self.dead_letter_config.as_ref()?.target_arn.as_deref()
    }

    /// Lays the settings over a configuration; layers are for the caller to resolve.
    pub fn apply(self, config: &mut Config) {
        set(&mut config.runtime, self.runtime);
        set(&mut config.role, self.role);
        set(&mut config.handler, self.handler);
        set(&mut config.description, self.description);
        set(&mut config.timeout, self.timeout);
        set(&mut config.memory, self.memory_size);
        set(&mut config.tmp, self.ephemeral_storage.map(|s| s.size));
        set(&mut config.tracing, self.tracing_config.and_then(|t| t.mode));
        if let Some(e) = self.environment {
            config.environment = e.variables.filter(|v| !v.is_empty());
        }
        if let Some(d) = self.dead_letter_config {
            config.dead_letter = d.target_arn.filter(|a| !a.is_empty());
        }
        if let Some(key) = self.kms_key_arn {
            config.kms_key = Some(key).filter(|k| !k.is_empty());
        }
        if self.vpc_config.is_some() {
            config.vpc = true;
        }
        if let Some(logging) = self.logging_config {
            logging.apply(&mut config.logging);
        }
    }
}

impl Logging {
    fn apply(self, to: &mut super::Logging) {
        set(&mut to.json, self.log_format.map(|f| f == "JSON"));
        if to.json {
            let level = |given: Option<String>, old: &Option<String>| {
                given.or_else(|| old.clone()).or_else(|| Some("INFO".to_owned()))
            };
            to.application_level = level(self.application_log_level, &to.application_level);
            to.system_level = level(self.system_log_level, &to.system_level);
        } else {
            (to.application_level, to.system_level) = (None, None);
        }
        if self.log_group.is_some() {
            to.group = self.log_group;
        }
    }
}

fn set<T>(to: &mut T, from: Option<T>) {
    if let Some(v) = from {
        *to = v;
    }
}

fn at_most(member: &str, value: Option<u32>, most: u32) -> Result<()> {
    if value.is_none_or(|v| v <= most) {
        return Ok(());
    }
    Err(invalid(format!(
        "'{member}' value failed to satisfy constraint: Member must have value less than or equal \
         to {most}"
    )))
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

fn check_environment(variables: &BTreeMap<String, String>) -> Result<()> {
    const HEAD: &str = "Lambda was unable to configure your environment variables because the \
                        environment variables you have provided";
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|k| RESERVED.contains(k)).collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "{HEAD} contains reserved keys that are currently not supported for modification. \
             Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = serde_json::to_string(variables).unwrap_or_default();
    if measured.len() > 4096 {
        return Err(invalid(format!("{HEAD} exceeded the 4KB limit. String measured: {measured}")));
    }
    Ok(())
}
