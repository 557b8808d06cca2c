//! Runs other people's code: processes in namespaces of their own, with limits, without a way out.
//!
//! A sandbox is a set of Linux namespaces held by a tiny first process, a root made of read-only
//! pieces of this machine's, a control group, a user of its own, and a filter of system calls. Its
//! network has a loopback and nothing else: the ports that programs inside may reach are listening
//! sockets made inside and served from outside, so there is no route to anywhere.
//!
//! **Invariant:** all of fogbank's `unsafe` is in this crate. Nothing here knows of AWS.

mod cgroup;
mod error;
mod launch;
mod layout;
mod plain;
mod process;
mod sandbox;
mod script;
mod seccomp;
mod threads;

pub use cgroup::Limits;
pub use error::Error;
pub use launch::Program;
pub use layout::{Bind, Layout, Port, base};
pub use process::{Exit, Process};
pub use rustix::process::Signal;
pub use sandbox::{Capabilities, Ids, Sandbox, Sandboxes, Socket};
