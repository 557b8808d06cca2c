//! A small DNS server: the names of AWS, answered with fogbank's own address.
//!
//! It is what lets an unmodified client reach fogbank under `s3.us-east-1.amazonaws.com`. Names that
//! are not ours go to the resolvers given in [`Options::upstream`], or are refused.
//!
//! **Invariant:** it knows suffixes, no services; whether a name means anything is the gateway's
//! business.

mod answer;
mod server;

pub use answer::{Answer, Zone, answer};
pub use server::{Options, Server};
