//! The rest of the cloud as a service sees it: calls, questions, events.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fogbank_core::cx::{CxParts, Event};
use fogbank_core::{
    ApiError, Body, BoxFuture, Check, Clock, Cloud, Credential, Cx, Exchange, Ids, Reply, Result,
    Value,
};
use fogbank_model::Protocol;
use fogbank_wire::{self as wire, Call};

use crate::pipeline::unimplemented;
use crate::{Entry, Gateway};

impl Cloud for Gateway {
    fn call<'a>(
        &'a self,
        cx: &'a Cx,
        service: &'a str,
        operation: &'a str,
        input: Value,
        body: Body,
    ) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            let started = Instant::now();
            let unknown = || unimplemented(service, operation);
            let model = fogbank_model::service(service).ok_or_else(unknown)?;
            let op = model.operation(operation).ok_or_else(unknown)?;
            let protocol = model.protocols.first().copied().unwrap_or(Protocol::Json);
            let call = Call { service: model, operation: op, protocol };
            let inner = Cx::new(
                Arc::clone(&cx.cloud),
                CxParts {
                    account: cx.account.clone(),
                    region: cx.region.clone(),
                    principal: Arc::clone(&cx.principal),
                    access_key: None,
                    service: model.id,
                    operation: op.name,
                    request_id: self.ids.request_id(),
                    source_ip: cx.source_ip,
                    secure: true,
                    http: None,
                    source: cx.source.clone(),
                    body,
                },
            )
            .with_via(cx.service);
            let outcome = match wire::validate(&call, &input) {
                Ok(()) => self.perform(&inner, input).await,
                Err(e) => Err(e),
            };
            self.journal.record(Entry {
                time: self.clock.now(),
                request_id: inner.request_id,
                principal: inner.principal,
                service: model.id,
                operation: op.name,
                error: outcome.as_ref().err().map(|e: &ApiError| e.code().to_owned().into()),
                duration: started.elapsed(),
                internal: true,
            });
            outcome
        })
    }

    fn authorize<'a>(&'a self, cx: &'a Cx, check: Check) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.allow(cx, &check).await })
    }

    fn identify<'a>(
        &'a self,
        access_key: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Arc<Credential>>>> {
        self.identities.credential(access_key, session_token)
    }

    fn authenticate<'a>(
        &'a self,
        service: &'a str,
        head: &'a http::request::Parts,
        body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Option<Arc<Credential>>>> {
        Box::pin(self.signed_by(service, head, body))
    }

    fn exchange<'a>(
        &'a self,
        cx: &'a Cx,
        request: Exchange,
    ) -> BoxFuture<'a, http::Response<Body>> {
        Box::pin(self.converse(cx, request))
    }

    fn shapes(&self) -> Option<&dyn fogbank_core::Shapes> {
        Some(&crate::shapes::Models)
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn ids(&self) -> &Ids {
        &self.ids
    }

    fn publish(&self, cx: &Cx, event: Event) {
        for listener in &self.listeners {
            listener(cx, &event);
        }
    }

    fn endpoint(&self) -> String {
        self.endpoint.clone()
    }
}
