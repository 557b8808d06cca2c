//! The contract every service is written against: values, errors, operations and their context.
//!
//! **Invariant:** no I/O and no protocol here. A handler sees a typed input, a [`Cx`] and its own
//! state; HTTP, XML and signatures belong to `gateway`, `wire` and `sigv4`.
//! Keep this crate tiny: an edit here rebuilds everything.

pub mod acting;
pub mod arn;
pub mod authz;
pub mod body;
pub mod clock;
pub mod cx;
pub mod edge;
pub mod error;
pub mod ids;
pub mod op;
pub mod page;
pub mod plane;
pub mod principal;
pub mod shapes;
pub mod value;

pub use acting::Source;
pub use arn::Arn;
pub use authz::{Check, Credential, Identities};
pub use body::Body;
pub use clock::Clock;
pub use cx::{Cloud, Cx, Exchange, Http, Trailers};
pub use edge::{Edge, Form};
pub use error::{ApiError, Result};
pub use futures_util::future::BoxFuture;
pub use ids::Ids;
pub use op::{Events, IntoReply, Op, Reply, Service, Streamed};
pub use plane::{Peer, Plane};
pub use principal::{Kind, Principal, Session};
pub use shapes::Shapes;
pub use value::{Blob, Str, Time, Value};
