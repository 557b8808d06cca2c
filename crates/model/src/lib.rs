//! AWS's service models as a table: operations, shapes and constraints, without a word of prose.
//!
//! Each service's table is text inside the binary (`models/*.model`, described in
//! `models/README.md`) and is read at its first use; everything it holds lives as long as the
//! process. [`find`] answers from the heads alone and reads no table.
//!
//! **Invariant:** data only. What the shapes mean on the wire is `wire`'s business.

#[cfg(feature = "convert")]
pub mod convert;
mod index;
mod load;
mod route;
mod shape;

use std::sync::OnceLock;

#[cfg(feature = "convert")]
pub use load::load;
pub use route::{Router, labels};
pub use shape::{ErrorInfo, Kind, Location, Member, Shape, ShapeId, TimeFormat};

/// A service's whole table.
#[derive(Debug)]
pub struct Service {
    /// As the AWS CLI names it: `s3`, `stepfunctions`.
    pub id: &'static str,
    /// `2006-03-01`
    pub version: &'static str,
    /// The first label of its host names: `s3`, `states`.
    pub endpoint: &'static str,
    /// The service in a signature's scope.
    pub signing: &'static str,
    /// As SDKs name it: `S3`, `SFN`.
    pub service_id: &'static str,
    /// Before the dot of `X-Amz-Target`; empty for services without one.
    pub target: &'static str,
    /// `1.0` or `1.1` for the JSON protocols.
    pub json_version: &'static str,
    pub xml_namespace: &'static str,
    /// What its clients may speak, preferred first.
    pub protocols: Vec<Protocol>,
    /// Errors also carry the code that its former query protocol had.
    pub query_compatible: bool,
    /// Sorted by name.
    pub operations: Vec<Operation>,
    pub shapes: Vec<Shape>,
    /// Finds operations of the REST protocols by method and path.
    pub router: Router,
    by_name: Vec<u32>,
}

/// How a service's requests and replies look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `X-Amz-Target` and JSON, version 1.0 or 1.1.
    Json,
    RestJson,
    RestXml,
    /// A form with `Action=`, answered in XML.
    Query,
    /// EC2's dialect of the query protocol.
    Ec2,
    /// `/service/NAME/operation/NAME` and CBOR.
    Cbor,
}

/// An operation.
#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    pub method: &'static str,
    /// The URI template: `/{Bucket}/{Key+}?uploads`.
    pub uri: &'static str,
    /// Status of a success.
    pub status: u16,
    pub input: Option<ShapeId>,
    pub output: Option<ShapeId>,
    pub errors: Vec<ShapeId>,
    /// The element around a query reply: `CreateRoleResult`.
    pub wrapper: &'static str,
    /// The root element and name space of a REST XML request, when the input is not a payload.
    pub root: &'static str,
    pub root_namespace: &'static str,
    /// What clients put before the host: `sync-`, `{AccountId}.`.
    pub host_prefix: &'static str,
    /// May be called without a signature.
    pub anonymous: bool,
    /// The signature does not cover the body.
    pub unsigned_body: bool,
    /// The client must send a checksum of the body.
    pub checksum_required: bool,
    /// The input is a stream of events.
    pub event_stream: bool,
}

/// What is known of a service before its table is read.
#[derive(Debug)]
pub struct Head {
    pub id: &'static str,
    pub endpoint: &'static str,
    pub signing: &'static str,
    pub target: &'static str,
    pub service_id: &'static str,
    table: &'static str,
    loaded: OnceLock<Service>,
}

impl Head {
    /// The service's table, read at the first call.
    ///
    /// # Panics
    /// When a table inside the binary is malformed, which a test rules out.
    pub fn service(&'static self) -> &'static Service {
        self.loaded.get_or_init(|| load::load(self.table))
    }
}

/// The service of this id (`s3`, `stepfunctions`).
#[must_use]
pub fn service(id: &str) -> Option<&'static Service> {
    head(id).map(Head::service)
}

/// What is known of the service of this id before its table is read.
#[must_use]
pub fn head(id: &str) -> Option<&'static Head> {
    let at = heads().binary_search_by(|h| h.id.cmp(id)).ok()?;
    heads().get(at)
}

/// Every service, sorted by id.
#[must_use]
pub fn heads() -> &'static [Head] {
    &index::HEADS
}

/// Services for which `test` holds: several may share a signing name or an endpoint.
pub fn find(test: impl Fn(&Head) -> bool) -> impl Iterator<Item = &'static Head> {
    heads().iter().filter(move |h| test(h))
}

impl Service {
    /// The operation of this name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        let at = self.operations.binary_search_by(|o| o.name.cmp(name)).ok()?;
        Some(&self.operations[at])
    }

    /// A shape by its number.
    #[must_use]
    pub fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.0 as usize]
    }

    /// A shape by its name.
    #[must_use]
    pub fn shape_named(&self, name: &str) -> Option<&Shape> {
        let name_at = |i: &u32| self.shapes[*i as usize].name;
        let at = self.by_name.binary_search_by(|i| name_at(i).cmp(name)).ok()?;
        Some(&self.shapes[self.by_name[at] as usize])
    }

    /// The error whose code on the wire (or shape name) is `code`, as `op` may answer it.
    #[must_use]
    pub fn error(&self, op: Option<&Operation>, code: &str) -> Option<&Shape> {
        let fits = |s: &Shape| {
            s.error
                .as_ref()
                .is_some_and(|e| s.name == code || (!e.code.is_empty() && e.code == code))
        };
        let own = op.into_iter().flat_map(|o| &o.errors).map(|id| self.shape(*id));
        own.into_iter()
            .find(|s| fits(s))
            .or_else(|| self.shape_named(code).filter(|s| s.error.is_some()))
            .or_else(|| self.shapes.iter().find(|s| fits(s)))
    }
}

/// Declares [`index::HEADS`].
#[macro_export]
#[doc(hidden)]
macro_rules! index {
    ($($id:literal: $endpoint:literal $signing:literal $target:literal $service_id:literal,)*) => {
        pub static HEADS: [$crate::Head; [$($id),*].len()] = [$($crate::Head {
            id: $id,
            endpoint: $endpoint,
            signing: $signing,
            target: $target,
            service_id: $service_id,
            table: include_str!(concat!("../../../models/", $id, ".model")),
            loaded: std::sync::OnceLock::new(),
        }),*];
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_can_be_read() {
        for head in heads() {
            let s = head.service();
            assert_eq!(s.id, head.id);
            assert_eq!((s.endpoint, s.signing), (head.endpoint, head.signing), "{}", s.id);
            assert!(!s.operations.is_empty() && !s.protocols.is_empty(), "{}", s.id);
        }
        assert!(heads().is_sorted_by(|a, b| a.id < b.id));
    }

    #[test]
    fn s3_knows_its_shapes() {
        let s3 = service("s3").unwrap();
        assert_eq!(s3.protocols, [Protocol::RestXml]);
        let put = s3.operation("PutObject").unwrap();
        let input = s3.shape(put.input.unwrap());
        let body = input.member("Body").unwrap();
        assert!(body.streaming && input.payload.is_some());
        assert!(matches!(input.member("Metadata").unwrap().location, Location::Headers));
        let e = s3.error(Some(put), "NoSuchBucket").unwrap();
        assert_eq!(e.name, "NoSuchBucket");
        assert!(service("nope").is_none());
    }
}
