//! A cloud for tests: S3 alone, in memory, with every request allowed.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use fogbank_blob::Blobs;
use fogbank_core::cx::{CxParts, Event};
use fogbank_core::{
    ApiError, Body, BoxFuture, Check, Clock, Cloud, Cx, Ids, Principal, Reply, Result, Service,
    Value, map,
};
use fogbank_store::Store;
use futures_util::FutureExt as _;
use parking_lot::Mutex;

use crate::S3;

/// The account that calls.
pub const ACCOUNT: &str = "111111111111";

/// What S3 sees of the rest of the cloud.
pub struct World {
    clock: Clock,
    ids: Ids,
    events: Mutex<Vec<Event>>,
}

impl Cloud for World {
    fn call<'a>(
        &'a self,
        _: &'a Cx,
        service: &'a str,
        operation: &'a str,
        _: Value,
        _: Body,
    ) -> BoxFuture<'a, Result<Reply>> {
        let error = ApiError::not_implemented(&format!("{service}:{operation}"));
        std::future::ready(Err(error)).boxed()
    }
    fn authorize<'a>(&'a self, _: &'a Cx, _: Check) -> BoxFuture<'a, Result<()>> {
        std::future::ready(Ok(())).boxed()
    }
    fn clock(&self) -> &Clock {
        &self.clock
    }
    fn ids(&self) -> &Ids {
        &self.ids
    }
    fn publish(&self, _: &Cx, event: Event) {
        self.events.lock().push(event);
    }
    fn endpoint(&self) -> String {
        "http://127.0.0.1:4566".into()
    }
}

/// S3 under test.
pub struct Bench {
    pub s3: Arc<S3>,
    service: Service,
    world: Arc<World>,
}

impl Bench {
    pub fn new() -> Self {
        let s3 = Arc::new(S3::new(Store::ephemeral(), Blobs::ephemeral()));
        let service = crate::service(s3.clone());
        let world =
            World { clock: Clock::default(), ids: Ids::seeded(1), events: Mutex::default() };
        Bench { s3, service, world: Arc::new(world) }
    }

    /// With a bucket `b`.
    pub async fn with_bucket() -> Self {
        let bench = Bench::new();
        bench.ok("CreateBucket", map! { "Bucket" => "bkt" }).await;
        bench
    }

    pub fn cx(&self, operation: &'static str, body: Body) -> Cx {
        let parts = CxParts {
            account: ACCOUNT.into(),
            region: "us-east-1".into(),
            principal: Arc::new(Principal::root(ACCOUNT)),
            access_key: Some(ACCOUNT.into()),
            service: "s3",
            operation,
            request_id: "R".into(),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure: true,
            http: None,
            source: None,
            body,
        };
        Cx::new(self.world.clone(), parts)
    }

    /// Runs an operation, its authorisation included.
    pub async fn run(&self, operation: &'static str, input: Value, body: Body) -> Result<Reply> {
        let cx = self.cx(operation, body);
        self.service.checks(&cx, operation, &input).await?;
        self.service.run(&cx, operation, input).await
    }

    pub async fn ok(&self, operation: &'static str, input: Value) -> Value {
        match self.run(operation, input, Body::Empty).await {
            Ok(r) => r.value,
            Err(e) => panic!("{operation}: {e} {:?}", e.internal_context()),
        }
    }

    pub async fn err(&self, operation: &'static str, input: Value) -> ApiError {
        match self.run(operation, input, Body::Empty).await {
            Ok(r) => panic!("{operation} succeeded: {:?}", r.value),
            Err(e) => e,
        }
    }

    /// Puts an object into `b`.
    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) -> Value {
        let input = map! { "Bucket" => "bkt", "Key" => key };
        match self.run("PutObject", input, Body::Full(bytes.into())).await {
            Ok(r) => r.value,
            Err(e) => panic!("PutObject: {e}"),
        }
    }

    /// The bytes of an object in `b`.
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        self.read(map! { "Bucket" => "bkt", "Key" => key }).await
    }

    pub async fn read(&self, input: Value) -> Result<Bytes> {
        let reply = self.run("GetObject", input, Body::Empty).await?;
        reply.body.unwrap_or_default().collect(usize::MAX).await
    }

    /// The types of the events published so far.
    pub fn events(&self) -> Vec<String> {
        self.world.events.lock().iter().map(|e| e.detail_type.to_string()).collect()
    }

    /// How many rows a table has.
    pub async fn rows<T: fogbank_store::Record>(
        &self,
        table: &'static fogbank_store::Table<T>,
    ) -> usize {
        let all = fogbank_store::Range::all();
        self.s3.store.scan(table, all, usize::MAX).await.map_or(0, |v| v.len())
    }

    /// How many blobs there are.
    pub async fn blobs(&self) -> usize {
        self.s3.blobs.list().await.map_or(0, |v| v.len())
    }
}

/// The keys of `Contents`, and the common prefixes in angle brackets.
pub fn names(listing: &Value) -> String {
    let of = |list: &str, name: &str| -> Vec<String> {
        let items = listing.get(list).map(Value::items).unwrap_or_default();
        items.iter().filter_map(|i| i.str(name).map(str::to_owned)).collect()
    };
    let prefixes = of("CommonPrefixes", "Prefix").into_iter().map(|p| format!("<{p}>"));
    of("Contents", "Key").into_iter().chain(prefixes).collect::<Vec<_>>().join(" ")
}

/// The members of both maps.
pub fn join(a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::Map(a), Value::Map(b)) => Value::Map([a, b].concat()),
        _ => panic!("not two maps"),
    }
}
