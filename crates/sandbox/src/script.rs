//! What a child does between its birth and its program: a list of system calls, prepared before.
//!
//! A new process shares our memory until its program replaces it (as `vfork` has it), because to
//! copy the page tables of a large server would cost more than all the rest. So it may neither
//! allocate, lock nor panic. Here it cannot: everything is data that the parent has prepared, and
//! the child runs nothing but the interpreter at the end of this file.

use std::ffi::{CString, OsStr, c_int, c_long, c_void};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use crate::Error;

/// One system call.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it is for, for the error message.
    pub what: &'static str,
    nr: c_long,
    args: [usize; 6],
    /// Which arguments (by bit) are numbers of results rather than values.
    from: u8,
    /// Where the result goes.
    into: Option<u8>,
    /// An address in the script's own memory where the result goes as an `i32`; 0 for none.
    store: usize,
    /// An error that does not matter, or 0; -1 for any.
    tolerate: i32,
}

/// How many results a script can keep.
const RESULTS: usize = 8;
/// The "system call" that starts the inner script.
const SPAWN: c_long = -1;
/// Enough for the interpreter, which calls nothing deep.
const STACK: usize = 64 * 1024;

/// A prepared list of steps with everything they point to.
#[derive(Default)]
pub struct Script {
    steps: Vec<Step>,
    /// What the steps point to. Boxes do not move.
    kept: Vec<Box<[u8]>>,
    descriptors: Vec<OwnedFd>,
    inner: Option<Box<(Script, c_int)>>,
}

// SAFETY: the addresses in the steps point into `kept`, which the script owns and nobody changes.
#[expect(unsafe_code, reason = "see above")]
unsafe impl Send for Script {}

impl Script {
    /// Adds a call that must succeed.
    pub fn call(&mut self, what: &'static str, nr: c_long, args: &[usize]) -> &mut Self {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        self.steps.push(Step { what, nr, args: all, from: 0, into: None, store: 0, tolerate: 0 });
        self
    }

    /// Keeps the last call's result under a number.
    pub fn into(&mut self, number: u8) -> &mut Self {
        if let Some(s) = self.steps.last_mut() {
            s.into = Some(number);
        }
        self
    }

    /// Writes the last call's result, an `i32`, to an address that [`Script::aligned`] gave.
    pub fn store(&mut self, address: usize) -> &mut Self {
        if let Some(s) = self.steps.last_mut() {
            s.store = address;
        }
        self
    }

    /// The last call's argument at this place is the number of an earlier result.
    pub fn from(&mut self, place: u8) -> &mut Self {
        if let Some(s) = self.steps.last_mut() {
            s.from |= 1 << place;
        }
        self
    }

    /// The last call may fail in this way; -1 for any.
    pub fn tolerate(&mut self, errno: i32) -> &mut Self {
        if let Some(s) = self.steps.last_mut() {
            s.tolerate = errno;
        }
        self
    }

    /// Starts another process, which runs `script` and shares memory in the same way. Its id is
    /// what [`run`] reports. Once in a script.
    pub fn spawn(&mut self, what: &'static str, script: Script, flags: c_int) -> &mut Self {
        self.inner = Some(Box::new((script, flags)));
        self.call(what, SPAWN, &[])
    }

    /// Keeps descriptors open that the steps use.
    pub fn keep(&mut self, descriptors: Vec<OwnedFd>) {
        self.descriptors.extend(descriptors);
    }

    /// Keeps bytes and gives their address.
    pub fn bytes(&mut self, bytes: &[u8]) -> usize {
        self.kept.push(bytes.into());
        self.kept.last().map_or(0, |b| b.as_ptr() as usize)
    }

    /// Keeps text and gives the address of a C string.
    ///
    /// # Errors
    /// Text with a NUL in it.
    pub fn text(&mut self, s: impl AsRef<OsStr>) -> Result<usize, Error> {
        let c = CString::new(s.as_ref().as_bytes()).map_err(|_| Error::Nul)?;
        Ok(self.bytes(c.as_bytes_with_nul()))
    }

    /// Keeps a list of texts and gives the address of a NULL-terminated array of C strings.
    ///
    /// # Errors
    /// Text with a NUL in it.
    pub fn texts<S: AsRef<OsStr>>(&mut self, list: &[S]) -> Result<usize, Error> {
        let mut addresses = Vec::with_capacity(8 * (list.len() + 1));
        for s in list {
            addresses.extend(self.text(s)?.to_ne_bytes());
        }
        addresses.extend(0usize.to_ne_bytes());
        Ok(self.aligned(&addresses))
    }

    /// Keeps a structure (its bytes) at an address that is fit for any of the kernel's.
    pub fn aligned(&mut self, bytes: &[u8]) -> usize {
        let mut room = vec![0; bytes.len() + 15].into_boxed_slice();
        let at = room.as_ptr().align_offset(16).min(15);
        room[at..at + bytes.len()].copy_from_slice(bytes);
        let address = room.as_mut_ptr() as usize + at;
        self.kept.push(room);
        address
    }
}

/// What became of a script, written by the child into the parent's memory.
#[derive(Clone, Copy, Debug, Default)]
struct Report {
    /// The step that failed, counted from 1, and its error.
    failed: usize,
    errno: i32,
    /// Whether it was a step of the inner script.
    inner: bool,
    /// The inner process.
    spawned: i32,
}

struct Child {
    script: *const Script,
    report: *mut Report,
    /// The stack of the inner process.
    stack: *mut c_void,
    inner: bool,
}

/// The processes that a script made.
#[derive(Clone, Copy, Debug)]
pub struct Born {
    pub pid: i32,
    /// The inner one.
    pub spawned: Option<i32>,
}

/// Starts a process that runs `script`, whose last step replaces or ends it, and returns when it
/// has. `flags` are those of clone(2) beyond what shares our memory.
///
/// # Errors
/// The step that failed, and how. No process is left then.
#[expect(unsafe_code, reason = "clone(2) with shared memory; the module says why it is sound")]
pub fn run(script: &Script, flags: c_int) -> Result<Born, Error> {
    let mut report = Report::default();
    // Two stacks: the child's and, above it, the inner one's.
    let stack = Stack::new(2 * STACK)?;
    let top = stack.top();
    let child = Child {
        script,
        report: &raw mut report,
        // SAFETY: within the mapping, see above.
        stack: unsafe { top.byte_sub(STACK) },
        inner: false,
    };
    // The child must not run our signal handlers on our memory: nothing is delivered to it, and
    // its handlers are reset before its program starts.
    let old = block_signals();
    // SAFETY: the function, its argument and the stack outlive the child's use of our memory, as
    // CLONE_VFORK holds this thread until the child has a program or has ended.
    let pid = unsafe {
        libc::clone(
            child_main,
            top,
            libc::CLONE_VM | libc::CLONE_VFORK | flags,
            (&raw const child).cast_mut().cast(),
        )
    };
    let error = std::io::Error::last_os_error();
    restore_signals(&old);
    if pid < 0 {
        return Err(Error::Step { what: "clone", error });
    }
    // SAFETY: the child has left our memory; volatile, as the compiler saw nobody write.
    let report = unsafe { (&raw const report).read_volatile() };
    if report.failed != 0 {
        wait(pid);
        if report.spawned > 0 {
            wait(report.spawned);
        }
        let steps = match &script.inner {
            Some(inner) if report.inner => &inner.0.steps,
            _ => &script.steps,
        };
        let what = steps.get(report.failed - 1).map_or("?", |s| s.what);
        return Err(Error::Step { what, error: std::io::Error::from_raw_os_error(report.errno) });
    }
    Ok(Born { pid, spawned: (report.spawned > 0).then_some(report.spawned) })
}

/// Takes the status of a child that is about to end.
#[expect(unsafe_code, reason = "a plain system call")]
pub fn wait(pid: i32) {
    let mut status = 0;
    // SAFETY: the status is ours.
    while unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) } < 0
        && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
    {}
}

/// The interpreter. It runs in a child that shares our memory, with signals blocked: it allocates,
/// locks and panics nowhere, and touches only the script, the report and its own stack.
#[expect(unsafe_code, reason = "the child's side of `run`")]
extern "C" fn child_main(argument: *mut c_void) -> c_int {
    // SAFETY: `run` made it, and waits.
    let child = unsafe { &*argument.cast::<Child>() };
    // SAFETY: as above; nobody else has it.
    let (script, report) = unsafe { (&*child.script, &mut *child.report) };
    let mut results = [0usize; RESULTS];
    let mut at = 0;
    while at < script.steps.len() {
        // SAFETY: `at` is below the length.
        let step = unsafe { script.steps.get_unchecked(at) };
        at += 1;
        let mut a = step.args;
        let mut place = 0;
        while place < 6 {
            if step.from & (1 << place) != 0 {
                a[place] = results[a[place] & (RESULTS - 1)];
            }
            place += 1;
        }
        let result = if step.nr == SPAWN {
            spawn_inner(child, script, report)
        } else {
            // SAFETY: the arguments were prepared for this call.
            unsafe { libc::syscall(step.nr, a[0], a[1], a[2], a[3], a[4], a[5]) }
        };
        if result < 0 {
            // SAFETY: errno is the parent thread's, which waits.
            let errno = unsafe { *libc::__errno_location() };
            if step.tolerate == -1 || step.tolerate == errno {
                continue;
            }
            if report.failed == 0 {
                report.failed = at;
                report.errno = errno;
                report.inner = child.inner;
            }
            // SAFETY: ends this process only.
            unsafe { libc::syscall(libc::SYS_exit_group, 127) };
        }
        if step.store != 0 {
            // SAFETY: the address is within what the script keeps; the parent waits.
            unsafe { (step.store as *mut i32).write_unaligned(result as i32) };
        }
        if let Some(number) = step.into {
            results[usize::from(number) & (RESULTS - 1)] = result as usize;
        }
    }
    0
}

#[expect(unsafe_code, reason = "the child's side of `run`")]
fn spawn_inner(child: &Child, script: &Script, report: &mut Report) -> c_long {
    let Some(inner) = &script.inner else { return 0 };
    let grandchild =
        Child { script: &raw const inner.0, report, stack: std::ptr::null_mut(), inner: true };
    // SAFETY: as in `run`.
    let pid = unsafe {
        libc::clone(
            child_main,
            child.stack,
            libc::CLONE_VM | libc::CLONE_VFORK | inner.1,
            (&raw const grandchild).cast_mut().cast(),
        )
    };
    if pid > 0 {
        report.spawned = pid;
        if report.failed != 0 {
            return -1;
        }
    }
    c_long::from(pid)
}

/// Memory for a child's stack, with a page below it that faults.
struct Stack {
    base: *mut c_void,
    length: usize,
}

impl Stack {
    #[expect(unsafe_code, reason = "mmap")]
    fn new(size: usize) -> Result<Stack, Error> {
        let length = size + 4096;
        let (kind, access) = (
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
            libc::PROT_READ | libc::PROT_WRITE,
        );
        // SAFETY: a new mapping.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), length, access, kind, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(Error::Step { what: "stack", error: std::io::Error::last_os_error() });
        }
        // SAFETY: the first page of it.
        unsafe { libc::mprotect(base, 4096, libc::PROT_NONE) };
        Ok(Stack { base, length })
    }

    #[expect(unsafe_code, reason = "address arithmetic")]
    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping, which is page-aligned.
        unsafe { self.base.byte_add(self.length) }
    }
}

impl Drop for Stack {
    #[expect(unsafe_code, reason = "munmap")]
    fn drop(&mut self) {
        // SAFETY: our own mapping, which no child uses any more.
        unsafe { libc::munmap(self.base, self.length) };
    }
}

#[expect(unsafe_code, reason = "sigprocmask")]
fn block_signals() -> libc::sigset_t {
    // SAFETY: both sets are ours.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
        old
    }
}

#[expect(unsafe_code, reason = "sigprocmask")]
fn restore_signals(old: &libc::sigset_t) {
    // SAFETY: the set is ours.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old, std::ptr::null_mut()) };
}
