//! A process in a sandbox: how it ends, and signals to it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use crate::Error;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Status(i32),
    Signal(i32),
}

impl std::fmt::Display for Exit {
    /// As Lambda words it: `exit status 1`, `signal: killed`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Status(n) => write!(f, "exit status {n}"),
            Exit::Signal(n) => write!(f, "signal: {}", signal_name(*n)),
        }
    }
}

fn signal_name(n: i32) -> &'static str {
    match n {
        libc::SIGHUP => "hangup",
        libc::SIGINT => "interrupt",
        libc::SIGQUIT => "quit",
        libc::SIGILL => "illegal instruction",
        libc::SIGTRAP => "trace/breakpoint trap",
        libc::SIGABRT => "aborted",
        libc::SIGBUS => "bus error",
        libc::SIGFPE => "floating point exception",
        libc::SIGKILL => "killed",
        libc::SIGSEGV => "segmentation fault",
        libc::SIGPIPE => "broken pipe",
        libc::SIGALRM => "alarm clock",
        libc::SIGTERM => "terminated",
        libc::SIGSYS => "bad system call",
        _ => "unknown",
    }
}

/// A running process. Clones are the same one. Dropping it does not end it; its sandbox does.
#[derive(Clone, Debug)]
pub struct Process {
    pid: i32,
    pidfd: Arc<OwnedFd>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Process {
    /// Takes charge of a child of ours, whose status is taken when it ends, whoever waits.
    pub(crate) fn adopt(newborn: Newborn) -> Result<Process, Error> {
        let id = Pid::from_raw(newborn.0).ok_or(Error::Ended)?;
        let pidfd = rustix::process::pidfd_open(id, PidfdFlags::NONBLOCK)
            .map_err(Error::io("process handle"))?;
        let pidfd = Arc::new(pidfd);
        let (tell, exit) = watch::channel(None);
        let end = watched(&pidfd)?;
        tokio::spawn(async move {
            let _ = end.readable().await;
            let _ = tell.send(Some(status(end.get_ref())));
        });
        let pid = newborn.0;
        std::mem::forget(newborn);
        Ok(Process { pid, pidfd, exit })
    }

    /// Its id as the machine sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits for its end.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(e) => e.unwrap_or(Exit::Signal(libc::SIGKILL)),
            Err(_) => Exit::Signal(libc::SIGKILL),
        }
    }

    /// Sends a signal; to one that has ended, nothing happens.
    pub fn signal(&self, signal: Signal) {
        let _ = rustix::process::pidfd_send_signal(&*self.pidfd, signal);
    }

    /// The most memory it ever had in use, in bytes.
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
    }

    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.pidfd
    }
}

/// A child of ours that nobody has taken charge of yet: dropped, it is killed.
pub(crate) struct Newborn(pub i32);

impl Drop for Newborn {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.0) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            crate::script::wait(self.0);
        }
    }
}

#[expect(unsafe_code, reason = "the reactor's promise about the descriptor")]
fn watched(pidfd: &Arc<OwnedFd>) -> Result<AsyncFd<Arc<OwnedFd>>, Error> {
    // SAFETY: an `Arc` keeps the descriptor open, and it is the same for as long.
    unsafe { AsyncFd::register(Arc::clone(pidfd)) }.map_err(Error::io("process handle"))
}

fn status(pidfd: &OwnedFd) -> Exit {
    match rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
        Ok(Some(s)) => match (s.exit_status(), s.terminating_signal()) {
            (Some(n), _) => Exit::Status(n),
            (_, Some(n)) => Exit::Signal(n),
            _ => Exit::Signal(libc::SIGKILL),
        },
        _ => Exit::Signal(libc::SIGKILL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_worded_as_on_lambda() {
        for (exit, text) in [
            (Exit::Status(1), "exit status 1"),
            (Exit::Signal(libc::SIGKILL), "signal: killed"),
            (Exit::Signal(libc::SIGSEGV), "signal: segmentation fault"),
        ] {
            assert_eq!(exit.to_string(), text);
        }
    }
}
