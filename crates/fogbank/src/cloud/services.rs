//! The services of a cloud, over one state: the one place that names them all.

use std::sync::Arc;

use fogbank_apigateway::ApiGateway;
use fogbank_apigatewayv2::ApiGatewayV2;
use fogbank_apigw::{ExecuteApi, Front};
use fogbank_cloudwatch::CloudWatch;
use fogbank_core::{Clock, Cloud, Edge, Identities, Ids, Plane, Service};
use fogbank_gateway::Listener;
use fogbank_iam::Iam;
use fogbank_identity::{NoIssuers, Sessions};
use fogbank_kms::Kms;
use fogbank_lambda::{Lambda, Urls};
use fogbank_lambda_runtime::{Environments, Runtimes};
use fogbank_logs::Logs;
use fogbank_s3::S3;
use fogbank_s3::lifecycle;
use fogbank_s3::website::Websites;
use fogbank_secretsmanager::Manager;
use fogbank_sns::Sns;
use fogbank_sqs::Sqs;
use fogbank_ssm::Ssm;

use super::data::{self, State};
use super::doorway::Doorway;
use super::{Error, Settings};

/// What a gateway needs of the services.
pub struct Parts {
    pub identities: Arc<dyn Identities>,
    pub services: Vec<Service>,
    pub edges: Vec<(&'static str, Arc<dyn Edge>)>,
    pub planes: Vec<Arc<dyn Plane>>,
    /// Who is told of events.
    pub listeners: Vec<Listener>,
    /// The way out of execution environments; opened once there is a gateway.
    pub front: Arc<Doorway>,
    background: Vec<Start>,
}

/// Sets going what runs by itself, once there is a cloud to run in.
type Start = Box<dyn FnOnce(&Arc<dyn Cloud>) + Send>;

/// What services are made over.
struct Base<'a> {
    state: &'a State,
    settings: &'a Settings,
    clock: &'a Clock,
    ids: &'a Ids,
}

/// Makes every service. When it returns, their state is loaded.
///
/// # Errors
/// A service whose state cannot be loaded.
pub async fn assemble(
    state: &State,
    settings: &Settings,
    clock: &Clock,
    ids: &Ids,
) -> Result<Parts, Error> {
    let base = Base { state, settings, clock, ids };
    let mut parts = identities(&base).await?;
    s3(&base, &mut parts).await?;
    cloudformation(&base, &mut parts);
    logs(&base, &mut parts);
    cloudwatch(&base, &mut parts);
    parts.services.push(fogbank_xray::service(base.state.store.clone()));
    kms(&base, &mut parts).await?;
    lambda(&base, &mut parts);
    api_gateway(&base, &mut parts);
    secretsmanager(&base, &mut parts);
    dynamodb(&base, &mut parts);
    sqs(&base, &mut parts);
    sns(&base, &mut parts);
    ssm(&base, &mut parts);
    stepfunctions(&base, &mut parts);
    Ok(parts)
}

/// IAM and STS.
async fn identities(base: &Base<'_>) -> Result<Parts, Error> {
    let store = &base.state.store;
    let sessions = Sessions::open(store, base.ids).await.map_err(|e| fault(&e))?;
    let iam = Iam::new(store.clone(), sessions.clone(), base.clock.clone());
    let sts = fogbank_sts::service(iam.clone(), Arc::new(NoIssuers), sessions);
    Ok(Parts {
        services: vec![iam.service(), sts],
        identities: iam,
        edges: Vec::new(),
        planes: Vec::new(),
        listeners: Vec::new(),
        front: Doorway::new(),
        background: Vec::new(),
    })
}

/// CloudFormation, which makes what the others have.
fn cloudformation(base: &Base<'_>, parts: &mut Parts) {
    let cfn = fogbank_cloudformation::CloudFormation::new(base.state.store.clone());
    parts.services.push(fogbank_cloudformation::service(&cfn));
    parts.start(move |cloud| cfn.start(cloud));
}

async fn s3(base: &Base<'_>, parts: &mut Parts) -> Result<(), Error> {
    let s3 = S3::new(base.state.store.clone(), base.state.blobs.clone());
    let s3 = Arc::new(s3.with_acls_by_default(base.settings.s3_acls));
    // What an earlier run had dropped and not yet deleted when it was killed.
    s3.sweep().await.map_err(|e| fault(&e))?;
    let websites = Arc::new(Websites::new(Arc::clone(&s3)));
    let day = base.settings.lifecycle_day.map_or(lifecycle::Day::REAL, lifecycle::Day::of_seconds);
    parts.services.push(fogbank_s3::service(Arc::clone(&s3)));
    parts.edges.push(("s3", Arc::clone(&s3) as Arc<dyn Edge>));
    parts.planes.push(Arc::clone(&websites) as Arc<dyn Plane>);
    parts.start(move |cloud| {
        websites.connect(cloud);
        s3.start_notices(cloud);
        lifecycle::start(s3, Arc::clone(cloud), lifecycle::Options { day });
    });
    Ok(())
}

fn cloudwatch(base: &Base<'_>, parts: &mut Parts) {
    let cloudwatch = CloudWatch::new(base.state.store.clone());
    parts.services.push(cloudwatch.service());
    parts.start(move |cloud| cloudwatch.start(cloud));
}

fn logs(base: &Base<'_>, parts: &mut Parts) {
    let logs = Logs::new(base.state.store.clone());
    parts.services.push(logs.service());
    parts.start(move |cloud| logs.start(cloud));
}

async fn kms(base: &Base<'_>, parts: &mut Parts) -> Result<(), Error> {
    let kms = Kms::open(base.state.store.clone(), base.clock.clone(), base.ids.clone());
    let kms = kms.await.map_err(|e| fault(&e))?;
    parts.services.push(kms.service());
    parts.start(move |_| kms.start());
    Ok(())
}

fn lambda(base: &Base<'_>, parts: &mut Parts) {
    let folder = data::scratch(base.settings, "lambda");
    let lambda = Lambda::new(fogbank_lambda::Options {
        store: base.state.store.clone(),
        blobs: base.state.blobs.clone(),
        clock: base.clock.clone(),
        ids: base.ids.clone(),
        folder: folder.join("code"),
    });
    parts.services.push(lambda.service());
    let urls = Urls::new(Arc::clone(&lambda));
    parts.planes.push(Arc::clone(&urls) as Arc<dyn Plane>);
    let (clock, ids) = (base.clock.clone(), base.ids.clone());
    let front = Arc::clone(&parts.front);
    parts.start(move |cloud| {
        let environments = Environments::new(fogbank_lambda_runtime::Options {
            scratch: folder.join("environments"),
            runtimes: Runtimes::new(data::cache().join("runtimes")),
            ca_pem: front.ca_pem(),
            front,
            clock,
            ids,
        });
        urls.connect(cloud);
        lambda.start(cloud, environments);
    });
}

/// REST and HTTP APIs, and the names that serve them.
fn api_gateway(base: &Base<'_>, parts: &mut Parts) {
    let logs = Arc::new(fogbank_apigw::Logs::default());
    let v1 = ApiGateway::new(base.state.store.clone(), Arc::clone(&logs));
    let v2 = ApiGatewayV2::new(base.state.store.clone(), Arc::clone(&logs));
    let fronts = vec![Arc::clone(&v1) as Arc<dyn Front>, Arc::clone(&v2) as Arc<dyn Front>];
    let plane = Arc::new(ExecuteApi::new(fronts));
    parts.services.push(fogbank_apigateway::service(&v1));
    parts.services.push(fogbank_apigatewayv2::service(&v2));
    parts.planes.push(Arc::clone(&plane) as Arc<dyn Plane>);
    parts.start(move |cloud| {
        plane.connect(cloud);
        logs.start(cloud);
    });
}

fn secretsmanager(base: &Base<'_>, parts: &mut Parts) {
    let secrets = Manager::new(base.state.store.clone());
    parts.services.push(secrets.service());
    parts.start(move |cloud| secrets.start(cloud));
}

fn dynamodb(base: &Base<'_>, parts: &mut Parts) {
    let store = base.state.store.clone();
    let ddb = fogbank_dynamodb::Dynamo::new(store, base.clock.clone(), base.ids.clone());
    parts.services.extend(ddb.services());
    parts.start(move |cloud| ddb.start(cloud));
}

fn sns(base: &Base<'_>, parts: &mut Parts) {
    let sns = Sns::new(base.state.store.clone(), base.clock.clone(), base.ids.clone());
    parts.services.push(sns.service());
    parts.planes.push(sns.certificates());
    parts.start(move |cloud| sns.start(cloud));
}

fn sqs(base: &Base<'_>, parts: &mut Parts) {
    let sqs = Sqs::new(base.state.store.clone(), base.clock.clone(), base.ids.clone());
    parts.services.push(sqs.service());
    parts.start(move |_| sqs.start());
}

fn ssm(base: &Base<'_>, parts: &mut Parts) {
    let ssm = Ssm::new(base.state.store.clone());
    parts.services.push(ssm.service());
    parts.start(move |cloud| ssm.start(cloud));
}

/// Step Functions, whose executions go on once there is a cloud.
fn stepfunctions(base: &Base<'_>, parts: &mut Parts) {
    let sfn = fogbank_stepfunctions::Sfn::new(base.state.store.clone());
    parts.services.push(fogbank_stepfunctions::service(Arc::clone(&sfn)));
    parts.start(move |cloud| fogbank_stepfunctions::start(&sfn, cloud));
}

impl Parts {
    /// Adds what is to be set going.
    fn start(&mut self, start: impl FnOnce(&Arc<dyn Cloud>) + Send + 'static) {
        self.background.push(Box::new(start));
    }

    /// Takes out what is to be set going in the cloud.
    pub fn take_background(&mut self) -> Background {
        Background(std::mem::take(&mut self.background))
    }
}

/// Work that no request asks for.
pub struct Background(Vec<Start>);

impl Background {
    /// Sets it going in `cloud`.
    pub fn start(self, cloud: &Arc<dyn Cloud>) {
        for start in self.0 {
            start(cloud);
        }
    }
}

fn fault(e: &fogbank_core::ApiError) -> Error {
    Error::Service(e.internal_context().map_or_else(|| e.to_string(), str::to_owned))
}
