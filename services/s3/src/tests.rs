//! The operations as a client sees them, over a store and blobs in memory.

mod listing;
mod lock;
mod multipart;
mod objects;
mod versions;
