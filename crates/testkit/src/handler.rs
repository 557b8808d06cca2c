//! A cloud in which a service's handlers are tested by themselves: every check passes, nobody else
//! can be called but the neighbours that a test adds, and events are kept for it to look at.

use std::net::IpAddr;
use std::sync::Arc;

use fogbank_core::cx::{CxParts, Event};
use fogbank_core::{
    ApiError, Body, BoxFuture, Check, Clock, Cloud, Cx, Ids, Principal, Reply, Result, Service,
    Value,
};
use parking_lot::Mutex;

/// The cloud. Its clock can be moved.
pub struct Alone {
    pub clock: Clock,
    pub ids: Ids,
    neighbours: Mutex<Vec<Service>>,
    events: Mutex<Vec<Event>>,
}

impl Default for Alone {
    fn default() -> Self {
        let (neighbours, events) = Default::default();
        Alone { clock: Clock::default(), ids: Ids::system(), neighbours, events }
    }
}

impl Alone {
    /// Adds a service that [`Cx::call`] can reach.
    pub fn add(&self, service: Service) {
        self.neighbours.lock().push(service);
    }

    /// What was published since this was last asked.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock())
    }

    /// The context of a request that `principal` makes in its own account.
    #[must_use]
    pub fn cx(
        self: &Arc<Self>,
        service: &'static str,
        operation: &'static str,
        principal: Principal,
    ) -> Cx {
        let parts = CxParts {
            account: principal.account.clone(),
            region: "us-east-1".into(),
            principal: Arc::new(principal),
            access_key: None,
            service,
            operation,
            request_id: self.ids.request_id(),
            source_ip: IpAddr::from([127, 0, 0, 1]),
            secure: true,
            http: None,
            source: None,
            body: Body::Empty,
        };
        Cx::new(self.clone(), parts)
    }

    /// Runs an operation as `principal`.
    ///
    /// # Errors
    /// The operation's.
    pub async fn run(
        self: &Arc<Self>,
        service: &Service,
        operation: &'static str,
        principal: Principal,
        input: Value,
    ) -> Result<Value> {
        let cx = self.cx(service.name(), operation, principal);
        Ok(service.run(&cx, operation, input).await?.value)
    }
}

impl Cloud for Alone {
    fn call<'a>(
        &'a self,
        cx: &'a Cx,
        service: &'a str,
        operation: &'a str,
        input: Value,
        body: Body,
    ) -> BoxFuture<'a, Result<Reply>> {
        let found = self.neighbours.lock().iter().find(|s| s.name() == service).cloned();
        Box::pin(async move {
            let refusal = || ApiError::not_implemented(&format!("{service}:{operation}"));
            let neighbour = found.ok_or_else(refusal)?;
            let name = neighbour.operations().into_iter().find(|o| *o == operation);
            let parts = CxParts {
                account: cx.account.clone(),
                region: cx.region.clone(),
                principal: Arc::clone(&cx.principal),
                access_key: None,
                service: neighbour.name(),
                operation: name.ok_or_else(refusal)?,
                request_id: self.ids.request_id(),
                source_ip: cx.source_ip,
                secure: true,
                http: None,
                source: cx.source.clone(),
                body,
            };
            let inner = Cx::new(Arc::clone(&cx.cloud), parts).with_via(cx.service);
            neighbour.run(&inner, operation, input).await
        })
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
    fn publish(&self, _: &Cx, event: Event) {
        self.events.lock().push(event);
    }
    fn endpoint(&self) -> String {
        "http://127.0.0.1:4566".into()
    }
}

/// The text at a path of members and list positions: `Role.Tags.0.Key`.
///
/// # Panics
/// When there is no text there.
#[must_use]
pub fn text_at<'a>(value: &'a Value, path: &str) -> &'a str {
    let found = path.split('.').try_fold(value, |v, name| match name.parse::<usize>() {
        Ok(i) => v.items().get(i),
        Err(_) => v.get(name),
    });
    found.and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {path} in {value:?}"))
}
