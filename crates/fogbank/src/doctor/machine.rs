//! Checks of the machine: disk, names, namespaces, limits.

use std::fs;
use std::net::ToSocketAddrs;
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;

use super::{Finding, Patient};
use crate::cli::Place;
use crate::cloud::data;

/// Less than this is too little for work to go on.
const LEAST_FREE: u64 = 512 << 20;

/// Where state goes by default, and whether there is room.
pub fn data(_: &Patient) -> Vec<Finding> {
    let Some(dir) = data::directory(&Place { data: None, ephemeral: false }) else {
        return Vec::new();
    };
    let Some(there) = dir.ancestors().find(|d| d.exists()) else { return Vec::new() };
    if nix::unistd::access(there, nix::unistd::AccessFlags::W_OK).is_err() {
        return vec![Finding::bad(
            format!("{} cannot be written", there.display()),
            "choose a directory with --data, or keep nothing with --ephemeral",
        )];
    }
    match statvfs(there) {
        Ok(v) => {
            let free = v.blocks_available().saturating_mul(v.fragment_size());
            let fact = format!("{} ({} MiB free)", dir.display(), free >> 20);
            vec![if free < LEAST_FREE {
                Finding::trap(fact, "writes fail when the disk is full; make room")
            } else {
                Finding::good(fact)
            }]
        }
        Err(e) => vec![Finding::trap(format!("{}: {e}", there.display()), "check the disk")],
    }
}

/// Whether names below `localhost` resolve, as clients need that put a bucket before the host.
pub fn names(_: &Patient) -> Vec<Finding> {
    let resolves = |name: &str| {
        (name, 80).to_socket_addrs().is_ok_and(|mut a| a.any(|a| a.ip().is_loopback()))
    };
    vec![if resolves("bucket.s3.localhost") {
        Finding::good("names below localhost lead to this machine")
    } else {
        Finding::trap(
            "names below localhost do not resolve here: with http://localhost as endpoint, \
             Terraform and the JavaScript SDK look up BUCKET.localhost and fail",
            "use http://127.0.0.1 as endpoint, or `fogbank shell`",
        )
    }]
}

/// Whether `fogbank shell` can have its namespaces.
pub fn namespaces(_: &Patient) -> Vec<Finding> {
    if !cfg!(target_os = "linux") {
        return vec![Finding::trap(
            "`fogbank shell` needs Linux",
            "`eval \"$(fogbank env)\"` points tools at the cloud instead",
        )];
    }
    if nix::unistd::geteuid().is_root() {
        return vec![Finding::good("`fogbank shell` keeps this machine's network")];
    }
    let number = |path: &str| -> Option<u64> {
        fs::read_to_string(Path::new("/proc/sys").join(path)).ok()?.trim().parse().ok()
    };
    let forbidden = number("user/max_user_namespaces") == Some(0)
        || number("kernel/unprivileged_userns_clone") == Some(0)
        || number("kernel/apparmor_restrict_unprivileged_userns") == Some(1);
    vec![if forbidden {
        Finding::trap(
            "the kernel refuses user namespaces, which `fogbank shell` needs without root",
            "use `eval \"$(fogbank env)\"`, or run `fogbank shell` as root",
        )
    } else if number("net/ipv4/ip_unprivileged_port_start").is_some_and(|p| p <= 53) {
        Finding::good("`fogbank shell` keeps this machine's network")
    } else {
        Finding::trap(
            "`fogbank shell` has a network in which only the cloud exists",
            "to keep the machine's: sysctl net.ipv4.ip_unprivileged_port_start=53, or root",
        )
    }]
}

/// File descriptors, and the control groups that limit what functions may use.
pub fn limits(_: &Patient) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        found.push(if hard < 4096 {
            Finding::trap(
                format!("a process may have {hard} files open"),
                "raise it (`ulimit -Hn`) for many connections",
            )
        } else {
            Finding::good(format!("{hard} files may be open"))
        });
    }
    let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    found.push(if controllers.contains("memory") {
        Finding::good("control groups (version 2) can limit memory")
    } else {
        Finding::trap(
            "there are no control groups of version 2 that limit memory",
            "what fogbank runs for you will not be held to its memory size",
        )
    });
    found
}
