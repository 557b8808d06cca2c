//! The two scripts: how a sandbox is made, and how a program is started in it.

use std::ffi::OsString;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use libc::{c_int, c_long};

use crate::cgroup::Group;
use crate::layout::{Layout, Port};
use crate::script::Script;
use crate::{Error, Ids, seccomp};

/// The namespaces of a sandbox's own.
const NAMESPACES: c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET;

/// What the making of a sandbox needs beside its layout.
pub struct Base<'a> {
    /// An empty folder that the root is mounted on, in the sandbox's own view of the mounts.
    pub root: &'a Path,
    pub ids: Ids,
    pub group: &'a Group,
    /// The first process's program, the pipe it waits on, and the socket that takes the ports.
    pub init: RawFd,
    pub control: RawFd,
    pub thaw: Option<RawFd>,
    pub handover: RawFd,
}

/// The flags with which a sandbox's first process is made.
pub fn namespaces(ids: &Ids) -> c_int {
    NAMESPACES | if ids.privileged { 0 } else { libc::CLONE_NEWUSER } | libc::SIGCHLD
}

/// The script of a sandbox's first process.
///
/// # Errors
/// A path with a NUL in it, or a group that has gone.
pub fn first(layout: &Layout, b: &Base<'_>) -> Result<Script, Error> {
    let mut s = Script::default();
    let (doors, _) = b.group.doors().map_err(Error::io("its control group"))?;
    // They stay open until the script has run.
    enter(&mut s, &doors);
    if !b.ids.privileged {
        map_ids(&mut s, &b.ids)?;
    }
    files(&mut s, layout, b)?;
    let name = s.bytes(layout.hostname.as_bytes());
    s.call("host name", libc::SYS_sethostname, &[name, layout.hostname.len()]);
    network(&mut s, &layout.ports, b.handover);
    if b.ids.privileged {
        become_user(&mut s, b.ids.init);
    }
    if b.group.dies_frozen() {
        set_death_signal(&mut s);
    }
    filter(&mut s);
    for fd in 0..3 {
        s.call("close", libc::SYS_close, &[fd]).tolerate(-1);
    }
    s.call("control pipe", libc::SYS_dup3, &[b.control as usize, 3, 0]);
    if let Some(thaw) = b.thaw {
        s.call("freezer", libc::SYS_dup3, &[thaw as usize, 4, 0]);
    }
    let (empty, list) = (s.text("")?, s.texts(&["pid1"])?);
    let none = s.texts::<&str>(&[])?;
    let arguments = [b.init as usize, empty, list, none, libc::AT_EMPTY_PATH as usize];
    s.call("first process", libc::SYS_execveat, &arguments);
    s.keep(doors);
    Ok(s)
}

/// Moves the process into the group whose files these are.
fn enter(s: &mut Script, doors: &[OwnedFd]) {
    let zero = s.bytes(b"0");
    for d in doors {
        s.call("control group", libc::SYS_write, &[d.as_raw_fd() as usize, zero, 1]);
    }
    s.call("cgroup namespace", libc::SYS_unshare, &[libc::CLONE_NEWCGROUP as usize]).tolerate(-1);
}

/// In a user namespace of its own a process is one user: ours outside, the function's inside.
fn map_ids(s: &mut Script, ids: &Ids) -> Result<(), Error> {
    let line = |outer: u32| format!("{} {outer} 1", ids.user);
    let (uid, gid) = (ids.outer.0, ids.outer.1);
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", line(uid)),
        ("/proc/self/gid_map", line(gid)),
    ] {
        write_file(s, "user map", Path::new(file), text.as_bytes(), libc::O_WRONLY)?;
    }
    Ok(())
}

fn write_file(
    s: &mut Script,
    what: &'static str,
    path: &Path,
    bytes: &[u8],
    flags: c_int,
) -> Result<(), Error> {
    let (path, at) = (s.text(path)?, s.bytes(bytes));
    let flags = (flags | libc::O_CLOEXEC) as usize;
    s.call(what, libc::SYS_openat, &[libc::AT_FDCWD as usize, path, flags, 0o644]).into(0);
    if !bytes.is_empty() {
        s.call(what, libc::SYS_write, &[0, at, bytes.len()]).from(0);
    }
    s.call(what, libc::SYS_close, &[0]).from(0);
    Ok(())
}

/// Builds the root, and turns it into the only thing there is.
fn files(s: &mut Script, layout: &Layout, b: &Base<'_>) -> Result<(), Error> {
    let inside = |p: &Path| -> PathBuf {
        let mut at = b.root.as_os_str().to_owned();
        at.push(if p == Path::new("/") { Path::new("") } else { p });
        at.into()
    };
    let private = (libc::MS_REC | libc::MS_PRIVATE) as usize;
    let slash = s.text("/")?;
    s.call("umask", libc::SYS_umask, &[0]);
    s.call("private mounts", libc::SYS_mount, &[0, slash, 0, private, 0]);
    let root = s.text(b.root)?;
    memory_folder(s, "root", root, "mode=755,size=8m,nr_inodes=4k", 0)?;
    for folder in layout.folders() {
        let path = s.text(inside(&folder))?;
        s.call("folder", libc::SYS_mkdirat, &[libc::AT_FDCWD as usize, path, 0o755]);
    }
    for (path, bytes) in &layout.files {
        write_file(s, "file", &inside(path), bytes, libc::O_CREAT | libc::O_WRONLY)?;
    }
    for (says, path) in &layout.links {
        let (says, path) = (s.text(says)?, s.text(inside(path))?);
        s.call("link", libc::SYS_symlinkat, &[says, libc::AT_FDCWD as usize, path]);
    }
    let bind = (libc::MS_BIND | libc::MS_REC) as usize;
    for x in layout.binds.iter().filter(|x| !x.writable) {
        if x.file {
            write_file(s, "file", &inside(&x.target), &[], libc::O_CREAT | libc::O_WRONLY)?;
        }
        let (source, target) = (s.text(&x.source)?, s.text(inside(&x.target))?);
        s.call("shown folder", libc::SYS_mount, &[source, target, 0, bind, 0]);
    }
    for (lower, target) in &layout.merged {
        merged(s, lower, &inside(target))?;
    }
    let (recursive, read_only) = (libc::AT_RECURSIVE, libc::MOUNT_ATTR_RDONLY);
    let safe = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    set_attributes(s, root, recursive, read_only | safe);
    let owner = format!("mode=700,uid={0},gid={0}", b.ids.user);
    for (path, size) in &layout.scratch {
        let target = s.text(inside(path))?;
        let nosuid = libc::MS_NOSUID | libc::MS_NODEV;
        memory_folder(s, "scratch", target, &format!("{owner},size={size}"), nosuid)?;
    }
    for x in layout.binds.iter().filter(|x| x.writable) {
        let (source, target) = (s.text(&x.source)?, s.text(inside(&x.target))?);
        s.call("shown folder", libc::SYS_mount, &[source, target, 0, bind, 0]);
        set_attributes(s, target, recursive, safe);
    }
    devices(s, &inside(Path::new("/dev")), b.ids.privileged)?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC | libc::MS_RDONLY;
    let (kind, target) = (s.text("proc")?, s.text(inside(Path::new("/proc")))?);
    s.call("proc", libc::SYS_mount, &[kind, target, kind, flags as usize, 0]);
    mask(s, &inside(Path::new("/proc")), &inside(Path::new("/dev/null")))?;
    let here = s.text(".")?;
    s.call("root", libc::SYS_chdir, &[root]);
    s.call("pivot_root", libc::SYS_pivot_root, &[here, here]);
    s.call("old root", libc::SYS_umount2, &[here, libc::MNT_DETACH as usize]);
    s.call("root", libc::SYS_chdir, &[slash]);
    Ok(())
}

fn memory_folder(
    s: &mut Script,
    what: &'static str,
    target: usize,
    options: &str,
    flags: libc::c_ulong,
) -> Result<(), Error> {
    let (kind, options) = (s.text("tmpfs")?, s.text(options)?);
    s.call(what, libc::SYS_mount, &[kind, target, kind, flags as usize, options]);
    Ok(())
}

/// Several folders as one: what overlayfs is for; a single one is simply shown.
fn merged(s: &mut Script, lower: &[PathBuf], target: &Path) -> Result<(), Error> {
    let target = s.text(target)?;
    if let [only] = lower {
        let source = s.text(only)?;
        let bind = (libc::MS_BIND | libc::MS_REC) as usize;
        s.call("layer", libc::SYS_mount, &[source, target, 0, bind, 0]);
    } else if !lower.is_empty() {
        let mut options = OsString::from("lowerdir=");
        for (i, folder) in lower.iter().enumerate() {
            options.push(if i == 0 { "" } else { ":" });
            options.push(folder);
        }
        let (kind, options) = (s.text("overlay")?, s.text(options)?);
        s.call("layers", libc::SYS_mount, &[kind, target, kind, 0, options]);
    }
    Ok(())
}

/// `mount_setattr`: one call for a whole tree.
fn set_attributes(s: &mut Script, path: usize, flags: c_int, set: u64) {
    let mut attributes = [0u8; 32];
    attributes[..8].copy_from_slice(&set.to_ne_bytes());
    let at = s.aligned(&attributes);
    let arguments = [libc::AT_FDCWD as usize, path, flags as usize, at, 32];
    s.call("read-only root", libc::SYS_mount_setattr, &arguments);
}

/// The few devices that programs expect. There is no `/dev/shm`, as on Lambda.
fn devices(s: &mut Script, dev: &Path, privileged: bool) -> Result<(), Error> {
    let folder = s.text(dev)?;
    let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
    memory_folder(s, "dev", folder, "mode=755,size=64k,nr_inodes=64", flags)?;
    for (name, minor) in [("null", 3u64), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)] {
        let path = dev.join(name);
        if privileged {
            let (at, node) = (s.text(&path)?, (1 << 8) | minor);
            let mode = (libc::S_IFCHR | 0o666) as usize;
            let arguments = [libc::AT_FDCWD as usize, at, mode, node as usize];
            s.call("device", libc::SYS_mknodat, &arguments);
            s.call("device", libc::SYS_fchmodat, &[libc::AT_FDCWD as usize, at, 0o666]);
        } else {
            // A user namespace may not make devices, but may show those that are there.
            write_file(s, "device", &path, &[], libc::O_CREAT | libc::O_WRONLY)?;
            let (source, target) = (s.text(Path::new("/dev").join(name))?, s.text(&path)?);
            let bind = libc::MS_BIND as usize;
            s.call("device", libc::SYS_mount, &[source, target, 0, bind, 0]);
        }
    }
    for (says, name) in [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
    ] {
        let (says, at) = (s.text(says)?, s.text(dev.join(name))?);
        s.call("device", libc::SYS_symlinkat, &[says, libc::AT_FDCWD as usize, at]);
    }
    set_attributes(s, folder, 0, libc::MOUNT_ATTR_RDONLY);
    Ok(())
}

/// Files of `/proc` that tell of the machine rather than of the process.
fn mask(s: &mut Script, proc: &Path, null: &Path) -> Result<(), Error> {
    let null = s.text(null)?;
    for name in ["kcore", "keys", "key-users", "sysrq-trigger", "kallsyms", "timer_list"] {
        let at = s.text(proc.join(name))?;
        let bind = libc::MS_BIND as usize;
        s.call("mask", libc::SYS_mount, &[null, at, 0, bind, 0]).tolerate(libc::ENOENT);
    }
    Ok(())
}

/// Brings the loopback up, listens on the ports, and hands the sockets out.
fn network(s: &mut Script, ports: &[Port], handover: RawFd) {
    // struct ifreq: the name in 16 bytes, then the flags.
    let mut request = [0u8; 40];
    request[..2].copy_from_slice(b"lo");
    request[16..18].copy_from_slice(&(libc::IFF_UP as u16).to_ne_bytes());
    let request = s.aligned(&request);
    let (inet, close) = (libc::AF_INET as usize, libc::SOCK_CLOEXEC);
    let kind = (libc::SOCK_DGRAM | close) as usize;
    s.call("loopback", libc::SYS_socket, &[inet, kind, 0]).into(0);
    s.call("loopback", libc::SYS_ioctl, &[0, libc::SIOCSIFFLAGS as usize, request]).from(0);
    s.call("loopback", libc::SYS_close, &[0]).from(0);
    if ports.is_empty() {
        return;
    }
    // cmsghdr: length, level, kind; then the descriptors.
    let header = 2 * size_of::<usize>();
    let length = header + 4 * ports.len();
    let mut control = vec![0u8; length.next_multiple_of(size_of::<usize>())];
    control[..size_of::<usize>()].copy_from_slice(&length.to_ne_bytes());
    control[size_of::<usize>()..][..4].copy_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
    control[size_of::<usize>() + 4..][..4].copy_from_slice(&libc::SCM_RIGHTS.to_ne_bytes());
    let control = s.aligned(&control);
    for (i, port) in ports.iter().enumerate() {
        let (kind, number) = match port {
            Port::Tcp(n) => (libc::SOCK_STREAM, n),
            Port::Udp(n) => (libc::SOCK_DGRAM, n),
        };
        let kind = (kind | close | libc::SOCK_NONBLOCK) as usize;
        s.call("port", libc::SYS_socket, &[inet, kind, 0]).into(0).store(control + header + 4 * i);
        // struct sockaddr_in: family, port, 127.0.0.1, padding.
        let mut address = [0u8; 16];
        address[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        address[2..4].copy_from_slice(&number.to_be_bytes());
        address[4..8].copy_from_slice(&[127, 0, 0, 1]);
        let address = s.aligned(&address);
        s.call("port", libc::SYS_bind, &[0, address, 16]).from(0);
        if let Port::Tcp(_) = port {
            s.call("port", libc::SYS_listen, &[0, 1024]).from(0);
        }
    }
    // struct iovec and struct msghdr.
    let byte = s.bytes(b"x");
    let vector: Vec<u8> = [byte, 1usize].iter().flat_map(|n| n.to_ne_bytes()).collect();
    let vector = s.aligned(&vector);
    let message: Vec<u8> = [0, 0, vector, 1, control, length, 0]
        .iter()
        .flat_map(|n: &usize| n.to_ne_bytes())
        .collect();
    let message = s.aligned(&message);
    s.call("ports", libc::SYS_sendmsg, &[handover as usize, message, 0]);
}

/// A program to start in a sandbox.
#[derive(Debug)]
pub struct Program {
    pub program: PathBuf,
    /// The arguments, the program's own name first.
    pub arguments: Vec<OsString>,
    /// `NAME=value`.
    pub environment: Vec<OsString>,
    pub folder: PathBuf,
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    /// Descriptor 3, if it gets one.
    pub third: Option<OwnedFd>,
}

/// The script that starts a program in a sandbox whose first process is `first` (a pidfd).
///
/// # Errors
/// A text with a NUL in it, or a group that has gone.
pub fn program(
    p: &Program,
    first: RawFd,
    ids: &Ids,
    group: &Group,
    processes: u32,
) -> Result<Script, Error> {
    let mut outer = Script::default();
    let user = if ids.privileged { 0 } else { libc::CLONE_NEWUSER };
    let flags = (NAMESPACES | user) as usize;
    outer.call("its namespaces", libc::SYS_setns, &[first as usize, flags]);
    let (mut doors, freezer) = group.doors().map_err(Error::io("its control group"))?;
    doors.extend(freezer);
    // Only what is born after setns is in the process namespace. As a child of ours (not of this
    // intermediate process) we learn how it ends.
    let inner = inner(p, ids, &doors, processes)?;
    outer.spawn("program", inner, libc::CLONE_PARENT | libc::SIGCHLD);
    outer.call("exit", libc::SYS_exit_group, &[0]);
    outer.keep(doors);
    Ok(outer)
}

fn inner(p: &Program, ids: &Ids, doors: &[OwnedFd], processes: u32) -> Result<Script, Error> {
    let mut s = Script::default();
    enter(&mut s, doors);
    let default = s.aligned(&[0; 32]);
    for signal in (1..=64).filter(|n| *n != libc::SIGKILL && *n != libc::SIGSTOP) {
        s.call("signals", libc::SYS_rt_sigaction, &[signal as usize, default, 0, 8]);
    }
    s.call("session", libc::SYS_setsid, &[]);
    for (fd, number) in [(&p.stdin, 0), (&p.stdout, 1), (&p.stderr, 2)] {
        s.call("standard files", libc::SYS_dup3, &[fd.as_raw_fd() as usize, number, 0]);
    }
    if let Some(fd) = &p.third {
        s.call("standard files", libc::SYS_dup3, &[fd.as_raw_fd() as usize, 3, 0]);
    }
    let close = 4 /* CLOSE_RANGE_CLOEXEC */;
    let from = 3 + usize::from(p.third.is_some());
    s.call("close", libc::SYS_close_range, &[from, u32::MAX as usize, close]);
    let folder = s.text(&p.folder)?;
    s.call("working folder", libc::SYS_chdir, &[folder]);
    for (which, value) in [
        (libc::RLIMIT_NOFILE, 1024u64),
        // Where there are no control groups; it counts the user, which is the sandbox's own.
        (libc::RLIMIT_NPROC, u64::from(processes)),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_MEMLOCK, 64 * 1024),
        (libc::RLIMIT_MSGQUEUE, 64 * 1024),
    ] {
        let both = s.aligned(&[value.to_ne_bytes(), value.to_ne_bytes()].concat());
        s.call("limit", libc::SYS_prlimit64, &[0, which as usize, both, 0]);
    }
    s.call("umask", libc::SYS_umask, &[0o022]);
    become_user(&mut s, ids.user);
    filter(&mut s);
    let none = s.aligned(&[0; 8]);
    let set = libc::SIG_SETMASK as usize;
    s.call("signals", libc::SYS_rt_sigprocmask, &[set, none, 0, 8]);
    let (path, list) = (s.text(&p.program)?, s.texts(&p.arguments)?);
    let environment = s.texts(&p.environment)?;
    s.call("exec", libc::SYS_execve, &[path, list, environment]);
    Ok(s)
}

/// Gives up root and every capability, for good.
fn become_user(s: &mut Script, user: u32) {
    for capability in 0..41 {
        let drop = [libc::PR_CAPBSET_DROP as usize, capability, 0, 0, 0];
        s.call("capabilities", libc::SYS_prctl, &drop).tolerate(libc::EINVAL);
    }
    let id = user as usize;
    s.call("groups", libc::SYS_setgroups, &[0, 0]).tolerate(libc::EPERM);
    s.call("group", libc::SYS_setresgid, &[id, id, id]);
    s.call("user", libc::SYS_setresuid, &[id, id, id]);
    const VERSION_3: u32 = 0x2008_0522;
    let header = s.aligned(&[VERSION_3.to_ne_bytes(), [0; 4]].concat());
    let nothing = s.aligned(&[0; 24]);
    s.call("capabilities", libc::SYS_capset, &[header, nothing]);
}

/// From here on, and for all that is started, the system calls of [`seccomp`] are refused.
fn filter(s: &mut Script) {
    s.call("no new rights", libc::SYS_prctl, &[libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0]);
    let (filter, length) = seccomp::program();
    let filter = s.aligned(&filter);
    // struct sock_fprog: the length in two bytes, padding, the address.
    let both = [length, filter].iter().flat_map(|n| n.to_ne_bytes()).collect::<Vec<u8>>();
    let filter = s.aligned(&both);
    s.call("filter", libc::SYS_seccomp, &[libc::SECCOMP_SET_MODE_FILTER as usize, 0, filter]);
}

fn set_death_signal(s: &mut Script) {
    let kill = [libc::PR_SET_PDEATHSIG as usize, libc::SIGKILL as usize, 0, 0, 0];
    s.call("death signal", libc::SYS_prctl as c_long, &kill);
}
