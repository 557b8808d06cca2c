//! A cloud with S3 and policies in it, for tests of access: it decides as the gateway does.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use fogbank_blob::Blobs;
use fogbank_core::authz::PolicySet;
use fogbank_core::cx::{CxParts, Event};
use fogbank_core::{
    ApiError, Body, BoxFuture, Check, Clock, Cloud, Cx, Http, Ids, Kind, Principal, Reply, Result,
    Service, Value,
};
use fogbank_policy::{Context, Engine};
use fogbank_store::Store;

use crate::S3;

pub(crate) const ME: &str = "111111111111";
pub(crate) const OTHER: &str = "222222222222";

/// The cloud, its S3, and the one identity policy that every user has.
pub(crate) struct World {
    pub s3: Arc<S3>,
    pub service: Service,
    pub cloud: Arc<Alone>,
}

pub(crate) struct Alone {
    pub clock: Clock,
    ids: Ids,
    engine: Engine,
    policies: Mutex<PolicySet>,
    pub events: Mutex<Vec<Event>>,
}

impl World {
    pub fn new() -> Self {
        let s3 = Arc::new(S3::new(Store::ephemeral(), Blobs::ephemeral()));
        let cloud = Arc::new(Alone {
            clock: Clock::default(),
            ids: Ids::seeded(1),
            engine: Engine::new(16),
            policies: Mutex::default(),
            events: Mutex::default(),
        });
        World { service: crate::service(Arc::clone(&s3)), s3, cloud }
    }

    /// Gives every user this policy instead of what it had.
    pub fn allow_users(&self, policy: &str) {
        self.cloud.policies.lock().unwrap().identity = vec![policy.into()];
    }

    pub fn dyn_cloud(&self) -> Arc<dyn Cloud> {
        Arc::clone(&self.cloud) as _
    }

    /// Asks, then runs, as the gateway does.
    pub async fn call(
        &self,
        who: &Principal,
        operation: &'static str,
        input: Value,
    ) -> Result<Reply> {
        self.send(who, operation, input, Body::Empty, &[]).await
    }

    /// As [`World::call`], with a body and headers.
    pub async fn send(
        &self,
        who: &Principal,
        operation: &'static str,
        input: Value,
        body: Body,
        headers: &[(&'static str, &str)],
    ) -> Result<Reply> {
        let cx = self.cx(who, operation, body, headers);
        for check in self.service.checks(&cx, operation, &input).await? {
            cx.authorize(check).await?;
        }
        self.service.run(&cx, operation, input).await
    }

    pub fn cx(
        &self,
        who: &Principal,
        operation: &'static str,
        body: Body,
        headers: &[(&'static str, &str)],
    ) -> Cx {
        let headers = headers
            .iter()
            .map(|(n, v)| (http::HeaderName::from_static(n), v.parse().unwrap()))
            .collect();
        let http = Http {
            method: http::Method::GET,
            uri: "/".into(),
            host: "localhost:4566".into(),
            tls: false,
            headers: Arc::new(headers),
        };
        Cx::new(
            self.dyn_cloud(),
            CxParts {
                account: who.account.clone(),
                region: Cow::Borrowed("us-east-1"),
                principal: Arc::new(who.clone()),
                access_key: None,
                service: "s3",
                operation,
                request_id: "R".into(),
                source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                secure: true,
                http: Some(http),
                source: None,
                body,
            },
        )
    }

    /// A bucket of [`ME`] with ACLs and without public access block, and an object `k` in it.
    pub async fn open_bucket(&self) {
        let me = Principal::root(ME);
        let input = fogbank_core::map! {"Bucket" => "bkt", "ObjectOwnership" => "ObjectWriter"};
        self.call(&me, "CreateBucket", input).await.unwrap();
        self.call(&me, "DeletePublicAccessBlock", bucket()).await.unwrap();
        self.put("k", "hello").await;
    }

    /// Stores an object as [`ME`].
    pub async fn put(&self, key: &str, text: &str) {
        let body = Body::from(text.to_owned());
        let input =
            fogbank_core::map! {"Bucket" => "bkt", "Key" => key, "ContentType" => "text/html"};
        self.send(&Principal::root(ME), "PutObject", input, body, &[]).await.unwrap();
    }

    /// Sets the policy of the bucket as [`ME`]: statements in JSON.
    pub async fn policy(&self, statements: &str) -> Result<Reply> {
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let input = fogbank_core::map! {"Bucket" => "bkt", "Policy" => policy};
        self.call(&Principal::root(ME), "PutBucketPolicy", input).await
    }
}

/// `{"Bucket": "bkt"}`.
pub(crate) fn bucket() -> Value {
    fogbank_core::map! {"Bucket" => "bkt"}
}

/// `{"Bucket": "bkt", "Key": …}`.
pub(crate) fn object(key: &str) -> Value {
    fogbank_core::map! {"Bucket" => "bkt", "Key" => key}
}

/// A user of an account.
pub(crate) fn user(account: &str) -> Principal {
    let arn = format!("arn:aws:iam::{account}:user/u");
    let kind = Kind::User { name: "u".into() };
    Principal { arn, kind, id: "AIDAU".into(), ..Principal::root(account) }
}

impl Cloud for Alone {
    fn call<'a>(
        &'a self,
        _: &'a Cx,
        service: &'a str,
        operation: &'a str,
        _: Value,
        _: Body,
    ) -> BoxFuture<'a, Result<Reply>> {
        let error = ApiError::not_implemented(&format!("{service}:{operation}"));
        Box::pin(std::future::ready(Err(error)))
    }

    fn authorize<'a>(&'a self, cx: &'a Cx, check: Check) -> BoxFuture<'a, Result<()>> {
        let context = Context {
            source_ip: Some(cx.source_ip),
            secure: cx.secure,
            region: &cx.region,
            referer: cx.header("referer"),
            ..Context::new(&cx.principal, cx.now)
        };
        let set = self.policies.lock().unwrap().clone();
        let verdict = self.engine.check(&context, &set, &check).unwrap();
        let denied = || ApiError::new("AccessDenied", verdict.message.clone()).status(403);
        let answer = if verdict.decision.allowed { Ok(()) } else { Err(denied()) };
        Box::pin(std::future::ready(answer))
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
    fn ids(&self) -> &Ids {
        &self.ids
    }
    fn publish(&self, _: &Cx, event: Event) {
        self.events.lock().unwrap().push(event);
    }
    fn endpoint(&self) -> String {
        "http://127.0.0.1:4566".into()
    }
}
