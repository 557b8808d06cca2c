//! Plain processes, where the kernel has no sandboxes for us: the same programs, but nothing is
//! kept from them. Whoever starts them says so, and refuses what would be untrue.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use parking_lot::Mutex;
use rustix::process::Signal;

use crate::process::{Newborn, Process};
use crate::{Error, Program};

/// The programs that belong together, each with its process group.
#[derive(Debug, Default)]
pub struct Plain(Mutex<Vec<Process>>);

impl Plain {
    /// Starts a program in a process group of its own. Descriptor 3 is not given.
    pub(crate) fn spawn(program: &Program) -> Result<Newborn, Error> {
        let standard = |fd: &std::os::fd::OwnedFd| fd.try_clone().map(Stdio::from);
        let io = Error::io("standard files");
        let [stdin, stdout, stderr] =
            match [&program.stdin, &program.stdout, &program.stderr].map(standard) {
                [Ok(a), Ok(b), Ok(c)] => [a, b, c],
                [a, b, c] => return Err(io(a.err().or(b.err()).or(c.err()).unwrap_or_else(lost))),
            };
        let mut command = Command::new(&program.program);
        if let Some((name, arguments)) = program.arguments.split_first() {
            command.arg0(name).args(arguments);
        }
        command.env_clear().envs(program.environment.iter().filter_map(|v| {
            let text = v.to_str()?;
            text.split_once('=')
        }));
        command.current_dir(&program.folder).stdin(stdin).stdout(stdout).stderr(stderr);
        let child = command
            .process_group(0)
            .spawn()
            .map_err(|error| Error::Step { what: "exec", error })?;
        // Its end is taken by whoever adopts it.
        Ok(Newborn(i32::try_from(child.id()).unwrap_or_default()))
    }

    pub(crate) fn add(&self, process: Process) {
        let mut all = self.0.lock();
        all.retain(|p| p.ended().is_none());
        all.push(process);
    }

    fn signal(&self, signal: Signal) {
        for p in self.0.lock().iter().filter(|p| p.ended().is_none()) {
            if let Some(group) = rustix::process::Pid::from_raw(p.pid()) {
                let _ = rustix::process::kill_process_group(group, signal);
            }
        }
    }

    /// Stops the programs, or lets them go on.
    pub fn freeze(&self, frozen: bool) {
        self.signal(if frozen { Signal::STOP } else { Signal::CONT });
    }

    /// The programs that have not ended.
    pub fn running(&self) -> Vec<Process> {
        self.0.lock().iter().filter(|p| p.ended().is_none()).cloned().collect()
    }

    /// Kills the programs, and what they have started and kept in their groups.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lost() -> std::io::Error {
    std::io::ErrorKind::BrokenPipe.into()
}
