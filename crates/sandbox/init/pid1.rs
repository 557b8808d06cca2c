//! The first process of a sandbox: it reaps orphans, and ends when whoever made the sandbox ends.
//!
//! When process 1 of a process namespace ends, the kernel kills the rest of it. It must not be a
//! copy of fogbank, whose memory holds secrets, and it must be small, as each sandbox has one: so
//! it is a static program without any library. Descriptor 3 is a pipe whose other end only fogbank
//! holds; descriptor 4, where there is one, thaws the sandbox, since what is frozen cannot die.
#![no_std]
#![no_main]

use core::arch::asm;

const CONTROL: i32 = 3;
const THAW: i32 = 4;
const SIGCHLD: i32 = 17;

#[cfg(target_arch = "x86_64")]
mod nr {
    pub const WRITE: usize = 1;
    pub const PPOLL: usize = 271;
    pub const WAIT4: usize = 61;
    pub const EXIT_GROUP: usize = 231;
    pub const SIGNALFD4: usize = 289;
    pub const SIGPROCMASK: usize = 14;
    pub const READ: usize = 0;
    pub const PRCTL: usize = 157;
}
#[cfg(target_arch = "aarch64")]
mod nr {
    pub const WRITE: usize = 64;
    pub const PPOLL: usize = 73;
    pub const WAIT4: usize = 260;
    pub const EXIT_GROUP: usize = 94;
    pub const SIGNALFD4: usize = 74;
    pub const SIGPROCMASK: usize = 135;
    pub const READ: usize = 63;
    pub const PRCTL: usize = 167;
}

#[repr(C)]
struct Poll {
    fd: i32,
    events: i16,
    revents: i16,
}

const POLLIN: i16 = 1;

// The stack is aligned as a function expects it only after a call.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(".globl _start", "_start:", "and rsp, -16", "call {run}", run = sym run);
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(".globl _start", "_start:", "bl {run}", run = sym run);

extern "C" fn run() -> ! {
    // Where the programs of the sandbox are the same user, they must not look into this one.
    const SET_DUMPABLE: usize = 4;
    call(nr::PRCTL, [SET_DUMPABLE, 0, 0, 0]);
    let children: u64 = 1 << (SIGCHLD - 1);
    let mask = (&raw const children) as usize;
    call(nr::SIGPROCMASK, [0, mask, 0, 8]);
    let signals = call(nr::SIGNALFD4, [usize::MAX, mask, 8, 0o2_000_000]);
    let mut waited = [
        Poll { fd: CONTROL, events: POLLIN, revents: 0 },
        Poll { fd: signals as i32, events: POLLIN, revents: 0 },
    ];
    // Whoever ended before the mask was set has left no signal behind.
    reap();
    loop {
        call(nr::PPOLL, [(&raw mut waited) as usize, 2, 0, 0]);
        if waited[0].revents != 0 {
            break;
        }
        if waited[1].revents != 0 {
            let mut info = [0u8; 128];
            call(nr::READ, [signals as usize, (&raw mut info) as usize, 128, 0]);
            reap();
        }
    }
    call(nr::WRITE, [THAW as usize, b"THAWED".as_ptr() as usize, 6, 0]);
    loop {
        call(nr::EXIT_GROUP, [0; 4]);
    }
}

/// Takes the status of every process that has ended and belongs to nobody else.
fn reap() {
    const WNOHANG: usize = 1;
    const ANY: usize = usize::MAX;
    while call(nr::WAIT4, [ANY, 0, WNOHANG, 0]) > 0 {}
}

#[cfg(target_arch = "x86_64")]
fn call(nr: usize, a: [usize; 4]) -> isize {
    let mut result = nr;
    // SAFETY: the pointers given above live on the caller's stack for the length of the call.
    unsafe {
        asm!("syscall", inout("rax") result, in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") 0, out("rcx") _, out("r11") _, options(nostack));
    }
    result as isize
}

#[cfg(target_arch = "aarch64")]
fn call(nr: usize, a: [usize; 4]) -> isize {
    let mut result = a[0];
    // SAFETY: as above.
    unsafe {
        asm!("svc 0", inout("x0") result, in("x8") nr, in("x1") a[1], in("x2") a[2],
            in("x3") a[3], in("x4") 0, options(nostack));
    }
    result as isize
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        call(nr::EXIT_GROUP, [1, 0, 0, 0]);
    }
}
