//! The inner half of `fogbank shell`: enters the namespaces, shows the files, becomes the command.
//!
//! Runs in a process of its own, before any thread exists: a user namespace can be entered only so.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::cli::Enter;
use crate::shell::{Sockets, handover, lan};

/// Does not return unless something is refused.
///
/// # Errors
/// What the kernel refuses, with what to do about it; a command that cannot be started.
pub fn enter(args: &Enter) -> anyhow::Result<Infallible> {
    if let Some(meeting) = &args.handover {
        isolate()?;
        lan::loopback_up().context("The loopback of the new network does not come up.")?;
        let sockets = Sockets::bind(std::net::Ipv4Addr::LOCALHOST)
            .context("The well-known ports cannot be bound in the new network.")?;
        handover::send(meeting, &sockets)?;
    } else {
        unshare(CloneFlags::CLONE_NEWNS).context(HINT)?;
    }
    // Mounts made from here on must not reach the machine's own namespace.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .context(HINT)?;
    for bind in &args.bind {
        let Some((file, target)) = bind.split_once('=') else { bail!("--bind wants FILE=TARGET") };
        bind_file(Path::new(file), Path::new(target))
            .with_context(|| format!("{target} cannot be replaced in the new namespace."))?;
    }
    let Some((program, rest)) = args.command.split_first() else { bail!("no command") };
    let error = Command::new(program).args(rest).exec();
    Err(error).with_context(|| format!("`{program}` cannot be started"))
}

const HINT: &str = "The kernel refuses a mount namespace.\n\
    Hint: run as root, or allow unprivileged user namespaces; \
    else use `eval \"$(fogbank env)\"`, which needs neither.";

/// A user namespace in which we keep our own id, and a network and mounts of its own.
fn isolate() -> anyhow::Result<()> {
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
        .context(HINT)?;
    std::fs::write("/proc/self/setgroups", "deny").context(HINT)?;
    std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).context(HINT)?;
    std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).context(HINT)?;
    Ok(())
}

fn bind_file(file: &Path, target: &Path) -> nix::Result<()> {
    mount(Some(file), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
}
