//! Sandboxes as their users see them: made, filled with processes, frozen, ended.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType,
};
use rustix::process::Signal;

use crate::cgroup::{Group, Groups};
use crate::launch::{self, Base, Program};
use crate::layout::{Layout, Port};
use crate::plain::Plain;
use crate::process::{Newborn, Process};
use crate::threads::Launchers;
use crate::{Error, Limits, script};

/// The program of a sandbox's first process; see `init/pid1.rs`.
static PID1: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pid1"));

/// The first of the users that sandboxes run as, where we may choose: far above those of people
/// and of container engines.
const FIRST_USER: u32 = 1_700_000_000;
/// How many users a fogbank takes from there on.
const USERS: u32 = 65_536;

/// Who a sandbox's processes are.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    /// Whether we may choose, being root; otherwise sandboxes live in user namespaces.
    pub(crate) privileged: bool,
    /// The user and group of the programs, as they see themselves.
    pub(crate) user: u32,
    /// Of the first process.
    pub(crate) init: u32,
    /// Ours.
    pub(crate) outer: (u32, u32),
}

/// What the kernel lets us do.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// Sandboxes are apart from the machine and each other. Otherwise, why not.
    pub isolated: Result<(), String>,
    /// Memory, processor and process limits are the kernel's.
    pub limits: bool,
    /// Everything in a sandbox can be stopped at once.
    pub freezes: bool,
}

/// Makes sandboxes; cheap to clone.
#[derive(Clone)]
pub struct Sandboxes(Arc<Inner>);

struct Inner {
    groups: Groups,
    launchers: Launchers,
    /// The empty folder that roots are mounted on.
    root: PathBuf,
    pid1: OwnedFd,
    privileged: bool,
    next: AtomicU64,
    capabilities: OnceLock<Capabilities>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.groups.close();
    }
}

/// A listening socket inside a sandbox.
#[derive(Debug)]
pub enum Socket {
    Tcp(u16, TcpListener),
    Udp(u16, UdpSocket),
}

impl Sandboxes {
    /// `scratch` is an existing folder of our own.
    ///
    /// # Errors
    /// When the system gives no threads or memory.
    pub fn open(scratch: &std::path::Path) -> Result<Sandboxes, Error> {
        let root = scratch.join("root");
        fs::create_dir_all(&root).map_err(Error::io("the root's folder"))?;
        let root = root.canonicalize().map_err(Error::io("the root's folder"))?;
        let pid1 = memfd_create("pid1", MemfdFlags::CLOEXEC).map_err(Error::io("memory file"))?;
        let mut written = 0;
        while written < PID1.len() {
            written +=
                rustix::io::write(&pid1, &PID1[written..]).map_err(Error::io("memory file"))?;
        }
        Ok(Sandboxes(Arc::new(Inner {
            groups: Groups::open(),
            launchers: Launchers::start(2).map_err(Error::io("threads"))?,
            root,
            pid1: high(&pid1)?,
            privileged: rustix::process::geteuid().is_root(),
            next: AtomicU64::new(0),
            capabilities: OnceLock::new(),
        })))
    }

    /// What can be had here: a sandbox is tried out, once.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.0.capabilities.get_or_init(|| self.probe()).clone()
    }

    fn probe(&self) -> Capabilities {
        let limits = Limits { memory: 64 << 20, cpu_millis: 100, processes: 16 };
        let (binds, links) = crate::layout::base();
        let layout = Layout {
            hostname: "probe".into(),
            binds,
            links,
            merged: Vec::new(),
            files: Vec::new(),
            scratch: Vec::new(),
            ports: vec![Port::Tcp(80)],
            limits,
        };
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        // The first process is killed as soon as nobody takes charge of it.
        let isolated = self.0.make(id, &layout, self.ids()).map(drop).map_err(|e| e.to_string());
        let groups = &self.0.groups;
        Capabilities { isolated, limits: groups.limits(), freezes: groups.freezes() }
    }

    /// No sandbox: what is started in it are plain processes of this machine, with its files and
    /// its network. For where there are no sandboxes.
    #[must_use]
    pub fn plain(&self) -> Sandbox {
        Sandbox(Kind::Plain(self.0.launchers.clone(), Arc::default()))
    }

    fn ids(&self) -> Ids {
        let outer = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if !self.0.privileged {
            return Ids { privileged: false, user: 993, init: 993, outer };
        }
        let block = FIRST_USER + (std::process::id() % 4096) * USERS;
        // Of the whole process, so that no two sandboxes of its are the same user.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let user = block + 1 + NEXT.fetch_add(1, Ordering::Relaxed) % (USERS - 1);
        Ids { privileged: true, user, init: block, outer }
    }

    /// Makes a sandbox with nothing in it but its first process.
    ///
    /// # Errors
    /// The step that the kernel refused.
    pub async fn make(&self, mut layout: Layout) -> Result<Sandbox, Error> {
        let (inner, ids) = (Arc::clone(&self.0), self.ids());
        // Who am I? `id`, `getpwuid` and the like should know.
        let (user, home) = (ids.user, concat!("/ho", "me/sbx_user1051"));
        let passwd = format!(
            "root:x:0:0:root:/:/sbin/nologin\n\
             sbx_user1051:x:{user}:{user}::{home}:/sbin/nologin\n"
        );
        layout.files.push(("/etc/passwd".into(), passwd.into_bytes()));
        let group = format!("root:x:0:\nsbx_user1051:x:{user}:\n");
        layout.files.push(("/etc/group".into(), group.into_bytes()));
        let id = inner.next.fetch_add(1, Ordering::Relaxed);
        let (launchers, limits) = (inner.launchers.clone(), layout.limits);
        let scratch = layout.scratch.iter().map(|(p, _)| p.clone()).collect();
        let made = launchers.run(move || inner.make(id, &layout, ids)).await;
        let (pid, control, group, sockets) = made.ok_or(Error::Ended)??;
        let init = Process::adopt(pid)?;
        Ok(Sandbox(Kind::Own(Arc::new(Made {
            all: Arc::clone(&self.0),
            ids,
            init,
            limits,
            scratch,
            _control: control,
            group: Some(group),
            sockets: parking_lot::Mutex::new(sockets),
        }))))
    }
}

type Parts = (Newborn, OwnedFd, Group, Vec<Socket>);

impl Inner {
    fn make(&self, id: u64, layout: &Layout, ids: Ids) -> Result<Parts, Error> {
        let scratch: u64 = layout.scratch.iter().map(|(_, size)| size).sum();
        let limits = Limits { memory: layout.limits.memory + scratch, ..layout.limits };
        let group = self.groups.make(id, &limits).map_err(Error::io("control group"))?;
        let (read, control) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(Error::io("pipe"))?;
        let (read, thaw) = (high(&read)?, group.thaw_file().map(|f| high(&f)).transpose()?);
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(Error::io("socket pair"))?;
        let base = Base {
            root: &self.root,
            ids,
            group: &group,
            init: self.pid1.as_raw_fd(),
            control: read.as_raw_fd(),
            thaw: thaw.as_ref().map(AsRawFd::as_raw_fd),
            handover: theirs.as_raw_fd(),
        };
        let first = launch::first(layout, &base)?;
        let born = script::run(&first, launch::namespaces(&ids))?;
        let newborn = Newborn(born.pid);
        let sockets = receive(&ours, &layout.ports)?;
        Ok((newborn, control, group, sockets))
    }
}

/// A copy with a number that no standard file of a child has.
fn high(fd: &OwnedFd) -> Result<OwnedFd, Error> {
    rustix::io::fcntl_dupfd_cloexec(fd, 10).map_err(Error::io("descriptor"))
}

/// Takes the sockets that a sandbox's first process has made.
fn receive(from: &OwnedFd, ports: &[Port]) -> Result<Vec<Socket>, Error> {
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(32))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(
        from,
        &mut [std::io::IoSliceMut::new(&mut byte)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
    )
    .map_err(Error::io("its ports"))?;
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            sockets.extend(rights);
        }
    }
    Ok(ports
        .iter()
        .zip(sockets)
        .map(|(port, fd)| match port {
            Port::Tcp(n) => Socket::Tcp(*n, fd.into()),
            Port::Udp(n) => Socket::Udp(*n, fd.into()),
        })
        .collect())
}

/// A sandbox; clones are the same one. When the last is dropped, everything in it is killed.
#[derive(Clone)]
pub struct Sandbox(Kind);

#[derive(Clone)]
enum Kind {
    Own(Arc<Made>),
    /// No sandbox at all: see [`Sandboxes::plain`].
    Plain(Launchers, Arc<Plain>),
}

struct Made {
    all: Arc<Inner>,
    ids: Ids,
    init: Process,
    limits: Limits,
    /// The scratch folders.
    scratch: Vec<PathBuf>,
    /// Its other end is the first process's: closed, everything ends.
    _control: OwnedFd,
    /// There until the drop.
    group: Option<Group>,
    sockets: parking_lot::Mutex<Vec<Socket>>,
}

impl Drop for Made {
    fn drop(&mut self) {
        let Some(group) = self.group.take() else { return };
        self.init.signal(Signal::KILL);
        let _ = group.freeze(false);
        // The group's folders go when the last process has.
        let init = self.init.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                init.wait().await;
                drop(group);
            });
        }
    }
}

impl Made {
    fn group(&self) -> &Group {
        static NONE: Group = Group::none();
        self.group.as_ref().unwrap_or(&NONE)
    }

    /// Bytes that the programs hold, caches and scratch folders apart.
    fn held_memory(&self) -> Option<u64> {
        let (own, files) = self.group().held()?;
        let init = self.init.pid();
        let scratch: u64 = self
            .scratch
            .iter()
            .filter_map(|p| rustix::fs::statvfs(format!("/proc/{init}/root{}", p.display())).ok())
            .map(|s| (s.f_blocks - s.f_bfree) * s.f_frsize)
            .sum();
        Some(own + files.saturating_sub(scratch))
    }
}

impl Sandbox {
    fn own(&self) -> Option<&Made> {
        match &self.0 {
            Kind::Own(made) => Some(made),
            Kind::Plain(..) => None,
        }
    }

    /// The sockets of the layout's ports, once.
    #[must_use]
    pub fn take_sockets(&self) -> Vec<Socket> {
        self.own().map(|m| std::mem::take(&mut *m.sockets.lock())).unwrap_or_default()
    }

    /// Starts a program.
    ///
    /// # Errors
    /// When it cannot be started (`exec` with the system's reason).
    pub async fn start(&self, program: Program) -> Result<Process, Error> {
        let made = match &self.0 {
            Kind::Own(made) => Arc::clone(made),
            Kind::Plain(launchers, plain) => {
                let born = launchers.run(move || Plain::spawn(&program)).await;
                let process = Process::adopt(born.ok_or(Error::Ended)??)?;
                plain.add(process.clone());
                return Ok(process);
            }
        };
        let launchers = made.all.launchers.clone();
        let born = launchers.run(move || {
            let program = Program {
                stdin: high(&program.stdin)?,
                stdout: high(&program.stdout)?,
                stderr: high(&program.stderr)?,
                third: program.third.as_ref().map(high).transpose()?,
                ..program
            };
            let first = made.init.descriptor().as_fd().as_raw_fd();
            let (group, processes) = (made.group(), made.limits.processes);
            let script = launch::program(&program, first, &made.ids, group, processes)?;
            let born = script::run(&script, libc::SIGCHLD)?;
            script::wait(born.pid);
            born.spawned.map(Newborn).ok_or(Error::Ended)
        });
        Process::adopt(born.await.ok_or(Error::Ended)??)
    }

    /// Weighs it against other sandboxes like one with so many thousandths of a processor, until
    /// told otherwise.
    pub fn weigh(&self, cpu_millis: u32) {
        if let Some(made) = self.own() {
            let _ = made.group().set_weight(cpu_millis);
        }
    }

    /// Weighs it as its limits say.
    pub fn weigh_as_limited(&self) {
        if let Some(made) = self.own() {
            self.weigh(made.limits.cpu_millis);
        }
    }

    /// Stops everything in it, or lets it go on. False where that cannot be done.
    pub fn freeze(&self, frozen: bool) -> bool {
        match &self.0 {
            Kind::Own(made) => made.group().freeze(frozen),
            Kind::Plain(_, plain) => {
                plain.freeze(frozen);
                true
            }
        }
    }

    /// Returns when the programs hold more memory than they may; never, where nobody counts.
    ///
    /// The kernel counts the scratch folders as memory, so its own limit is the sum. What is in
    /// between is looked for here, from time to time.
    pub async fn over_memory(&self) {
        use std::os::unix::fs::FileExt;
        const PERIOD: Duration = Duration::from_millis(20);
        let counted = self.own().filter(|m| !m.scratch.is_empty());
        let Some((made, file)) = counted.and_then(|m| Some((m, m.group().usage_file()?))) else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(PERIOD).await;
            let mut text = [0; 32];
            let n = file.read_at(&mut text, 0).unwrap_or(0);
            let usage = std::str::from_utf8(&text[..n]).ok().and_then(|s| s.trim().parse().ok());
            if usage.is_some_and(|u: u64| u > made.limits.memory)
                && made.held_memory().is_some_and(|m| m > made.limits.memory)
            {
                return;
            }
        }
    }

    /// The most bytes that were ever in use by everything in it, file caches included.
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        self.own()?.group().peak()
    }

    /// How many processes were killed for want of memory.
    #[must_use]
    pub fn out_of_memory(&self) -> u64 {
        self.own().map_or(0, |m| m.group().out_of_memory())
    }

    /// Whether programs can be started in it.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.own().is_none_or(|m| m.init.ended().is_none())
    }

    /// Kills the programs in it, but keeps the sandbox with its files. Blocks for as long as that
    /// takes: some milliseconds. False where that cannot be done.
    #[must_use]
    pub fn kill_programs(&self) -> bool {
        match &self.0 {
            Kind::Own(made) => made.group().kill_all_but(made.init.pid()),
            Kind::Plain(_, plain) => {
                plain.kill();
                true
            }
        }
    }

    /// Kills everything in it, without waiting.
    pub fn kill(&self) {
        match &self.0 {
            Kind::Own(made) => {
                made.init.signal(Signal::KILL);
                let _ = self.freeze(false);
            }
            Kind::Plain(_, plain) => plain.kill(),
        }
    }

    /// Kills everything in it; returns when all is gone.
    pub async fn end(&self) {
        self.kill();
        match &self.0 {
            Kind::Own(made) => {
                made.init.wait().await;
            }
            Kind::Plain(_, plain) => {
                for p in plain.running() {
                    p.wait().await;
                }
            }
        }
    }
}
