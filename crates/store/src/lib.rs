//! State: typed tables over an ordered, transactional key-value engine.
//!
//! **Invariant:** a service's state lives here and in `blob` only; nothing is kept in process
//! memory that another node could not rebuild. Locks are per key, never per table or service.

mod decoded;
pub mod dir;
pub mod engine;
pub mod error;
mod group;
pub mod key;
pub mod lock;
pub mod range;
pub mod record;
pub mod store;
pub mod table;
pub mod tx;

pub use decoded::Decoded;
pub use dir::DataDir;
pub use error::{Error, Result};
pub use key::{Key, Part, Parts};
pub use lock::Lock;
pub use range::Range;
pub use record::Record;
pub use store::{Durability, Options, Stats, Store, TableStats};
pub use table::Table;
pub use tx::Tx;
