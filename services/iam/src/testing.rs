//! A cloud for tests: IAM and STS-like credentials over an ephemeral store, without authorisation.

use std::net::IpAddr;
use std::sync::Arc;

use fogbank_core::cx::{CxParts, Event};
use fogbank_core::{
    ApiError, Body, BoxFuture, Check, Clock, Cloud, Cx, Ids, Principal, Reply, Result, Service,
    Value,
};
use fogbank_identity::Sessions;
use fogbank_store::Store;

use crate::Iam;

pub const ACCOUNT: &str = "123456789012";

/// Lets everything.
pub const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
/// Lets Lambda in.
pub const LAMBDA: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

pub struct World {
    pub iam: Arc<Iam>,
    pub service: Service,
    pub sessions: Sessions,
    pub cloud: Arc<TestCloud>,
}

pub struct TestCloud {
    pub clock: Clock,
    pub ids: Ids,
}

impl World {
    pub async fn new() -> Self {
        let cloud = Arc::new(TestCloud { clock: Clock::default(), ids: Ids::system() });
        let store = Store::ephemeral();
        let sessions = Sessions::open(&store, &cloud.ids).await.unwrap();
        let iam = Iam::new(store, sessions.clone(), cloud.clock.clone());
        World { service: iam.service(), iam, sessions, cloud }
    }

    pub fn cx(&self, operation: &'static str) -> Cx {
        self.cx_as(operation, Principal::root(ACCOUNT))
    }

    pub fn cx_as(&self, operation: &'static str, principal: Principal) -> Cx {
        let parts = CxParts {
            account: principal.account.clone(),
            region: "us-east-1".into(),
            principal: Arc::new(principal),
            access_key: None,
            service: "iam",
            operation,
            request_id: self.cloud.ids.request_id(),
            source_ip: IpAddr::from([127, 0, 0, 1]),
            secure: true,
            http: None,
            body: Body::Empty,
        };
        Cx::new(self.cloud.clone(), parts)
    }

    /// Runs an operation as root.
    pub async fn run(&self, operation: &'static str, input: Value) -> Result<Value> {
        let cx = self.cx(operation);
        Ok(self.service.run(&cx, operation, input).await?.value)
    }

    /// Runs an operation that must succeed.
    pub async fn ok(&self, operation: &'static str, input: Value) -> Value {
        self.run(operation, input).await.unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    /// Runs an operation that must fail, and gives `Code: message`.
    pub async fn err(&self, operation: &'static str, input: Value) -> String {
        match self.run(operation, input).await {
            Ok(v) => panic!("{operation} succeeded: {v:?}"),
            Err(e) => e.to_string(),
        }
    }
}

impl Cloud for TestCloud {
    fn call<'a>(
        &'a self,
        _: &'a Cx,
        service: &'a str,
        operation: &'a str,
        _: Value,
        _: Body,
    ) -> BoxFuture<'a, Result<Reply>> {
        let refusal = ApiError::not_implemented(&format!("{service}:{operation}"));
        Box::pin(std::future::ready(Err(refusal)))
    }
    fn authorize<'a>(&'a self, _: &'a Cx, _: Check) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn clock(&self) -> &Clock {
        &self.clock
    }
    fn ids(&self) -> &Ids {
        &self.ids
    }
    fn publish(&self, _: &Cx, _: Event) {}
    fn endpoint(&self) -> String {
        "http://127.0.0.1:4566".into()
    }
}

/// The member at a path of names: `Role.RoleId`.
pub fn at<'a>(value: &'a Value, path: &str) -> &'a str {
    let mut v = value;
    for name in path.split('.') {
        v = match name.parse::<usize>() {
            Ok(i) => &v.items()[i],
            Err(_) => v.get(name).unwrap_or_else(|| panic!("no {path} in {value:?}")),
        };
    }
    v.as_str().unwrap_or_else(|| panic!("{path} is no text in {value:?}"))
}
