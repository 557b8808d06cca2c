//! Starting an environment: code unpacked, a session of the role, a log stream of its own.

use std::sync::Arc;
use std::time::Duration;

use fogbank_core::Cloud;
use fogbank_lambda_runtime::{Credentials, Environments, InitError, Level, LogFormat, Spec};

use super::Kept;
use crate::Lambda;
use crate::config::{Config, Logging};
use crate::name::Target;

/// What it takes to start environments of a configuration.
pub struct Starter {
    pub lambda: Arc<Lambda>,
    pub cloud: Arc<dyn Cloud>,
    pub environments: Environments,
    /// The function, without a qualifier.
    pub function: Target,
    pub version: String,
    pub config: Config,
    pub tenant: Option<String>,
}

/// An environment about to be started.
pub struct Plan {
    environments: Environments,
    spec: Spec,
    credentials: Credentials,
    logs: Arc<crate::shipper::Stream>,
    clock: fogbank_core::Clock,
}

impl Starter {
    /// Gets everything ready but the environment itself.
    ///
    /// # Errors
    /// When the code cannot be unpacked or the role not be assumed.
    pub async fn plan(&self) -> Result<Plan, InitError> {
        let config = &self.config;
        let unpack = |e: String| InitError::Sandbox(format!("the code cannot be unpacked: {e}"));
        let code = self.lambda.unpack(&config.code).await.map_err(unpack)?;
        let mut layers = Vec::with_capacity(config.layers.len());
        for layer in &config.layers {
            layers.push(self.lambda.unpack(&layer.code).await.map_err(unpack)?);
        }
        let roles = &self.lambda.roles;
        let session = roles
            .session(&self.cloud, &self.function, &config.role)
            .await
            .map_err(|e| InitError::Sandbox(format!("the role cannot be assumed: {e}")))?;
        let now = self.cloud.clock().now();
        let stream =
            format!("{}/[{}]{}", now.strftime("%Y/%m/%d"), self.version, self.cloud.ids().hex(32));
        let group = config.log_group(&self.function.name);
        let logs =
            self.lambda.shipper.stream(&self.cloud, &self.function, &config.role, &group, &stream);
        let variables = config.environment.clone().unwrap_or_default();
        let Logging { json, application_level, system_level, .. } = &config.logging;
        let level = |l: &Option<String>| l.as_deref().and_then(Level::parse).unwrap_or_default();
        let spec = Spec {
            function_name: self.function.name.clone(),
            version: self.version.clone(),
            arn: self.function.function_arn(),
            runtime: config.runtime.clone(),
            handler: config.handler.clone(),
            code,
            layers,
            environment: variables.into_iter().collect(),
            memory_mb: config.memory,
            tmp_mb: config.tmp,
            timeout: Duration::from_secs(config.timeout.into()),
            account: self.function.account.clone(),
            region: self.function.region.clone(),
            log_group: group,
            log_stream: stream,
            log_format: if *json { LogFormat::Json } else { LogFormat::Text },
            app_log_level: level(application_level),
            system_log_level: level(system_level),
            tracing: config.tracing == "Active",
            tenant: self.tenant.clone(),
            mounts: Vec::new(),
        };
        let credentials = Credentials {
            access_key: session.access_key.clone(),
            secret: session.secret.clone(),
            token: session.session_token.clone().unwrap_or_default(),
            expires: session.expires.unwrap_or(jiff::Timestamp::MAX),
        };
        let clock = self.cloud.clock().clone();
        Ok(Plan { environments: self.environments.clone(), spec, credentials, logs, clock })
    }
}

impl Plan {
    /// Starts it.
    ///
    /// # Errors
    /// When there is nothing to run it with.
    pub async fn start(self) -> Result<Kept, InitError> {
        let expires = Some(self.credentials.expires);
        let spec = Arc::new(self.spec);
        let environment = self.environments.start(spec, self.credentials, self.logs).await?;
        Ok(Kept::new(environment, expires, self.clock.now()))
    }
}
