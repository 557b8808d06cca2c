//! The system calls that code in a sandbox may not make, as a program for the kernel's filter.
//!
//! A list of what is refused, not of what is allowed: functions are anything that runs on Lambda.
//! What is refused reaches parts of the kernel that no function has business with (mounts,
//! namespaces, tracing, keys, modules, eBPF), and answers EPERM as AWS's own filter does.
//! <https://docs.kernel.org/userspace-api/seccomp_filter.html>

use libc::c_long;

/// EPERM for these.
#[rustfmt::skip]
const REFUSED: &[c_long] = &[
    // Other processes' memory and execution.
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_kcmp,
    libc::SYS_pidfd_getfd, libc::SYS_process_madvise,
    // Mounts, roots and namespaces.
    libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_unshare,
    libc::SYS_setns, libc::SYS_open_tree, libc::SYS_move_mount, libc::SYS_fsopen,
    libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick, libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at, libc::SYS_name_to_handle_at, libc::SYS_swapon, libc::SYS_swapoff,
    libc::SYS_quotactl, libc::SYS_quotactl_fd,
    // Keys, programs in the kernel, faults handled by the process, rings that pass the filter by.
    libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl, libc::SYS_bpf,
    libc::SYS_userfaultfd, libc::SYS_perf_event_open, libc::SYS_fanotify_init,
    libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register,
    libc::SYS_lookup_dcookie,
    // The machine.
    libc::SYS_kexec_load, libc::SYS_reboot, libc::SYS_init_module, libc::SYS_finit_module,
    libc::SYS_delete_module, libc::SYS_acct, libc::SYS_syslog, libc::SYS_settimeofday,
    libc::SYS_clock_settime, libc::SYS_clock_adjtime, libc::SYS_adjtimex, libc::SYS_sethostname,
    libc::SYS_setdomainname, libc::SYS_vhangup, libc::SYS_nfsservctl,
    libc::SYS_personality, libc::SYS_mbind, libc::SYS_set_mempolicy, libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    #[cfg(target_arch = "x86_64")] libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")] libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")] libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")] libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")] libc::SYS__sysctl,
    #[cfg(target_arch = "x86_64")] libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")] libc::SYS_ustat,
];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Numbers from here on are the x32 interface, a second set of doors to the same calls.
const X32: u32 = 0x4000_0000;

const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP) as u32;

/// Families of sockets that a function may open; the rest (netlink apart, which is how an address
/// is looked up) is kernel code that nobody needs.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const AT_LEAST: u16 = 0x35;
const ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const ERROR: u32 = 0x0005_0000;

/// One instruction of classic BPF, as the kernel takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    code: u16,
    then: u8,
    otherwise: u8,
    k: u32,
}

/// The filter.
#[must_use]
pub fn filter() -> Vec<Instruction> {
    let op = |code, then, otherwise, k| Instruction { code, then, otherwise, k };
    let errno = |e: i32| op(RETURN, 0, 0, ERROR | e as u32);
    let number = |n: c_long| u32::try_from(n).unwrap_or(u32::MAX);
    let mut p = vec![
        op(LOAD, 0, 0, 4), // the architecture
        op(EQUAL, 1, 0, ARCHITECTURE),
        op(RETURN, 0, 0, KILL),
        op(LOAD, 0, 0, 0), // the call's number
        op(AT_LEAST, 0, 1, X32),
        errno(libc::ENOSYS),
        // The C library falls back to clone(2), whose flags a filter can see.
        op(EQUAL, 0, 1, number(libc::SYS_clone3)),
        errno(libc::ENOSYS),
    ];
    for n in REFUSED {
        p.push(op(EQUAL, 0, 1, number(*n)));
        p.push(errno(libc::EPERM));
    }
    p.push(op(EQUAL, 0, 4, number(libc::SYS_clone)));
    p.push(op(LOAD, 0, 0, 16)); // the lower half of its first argument
    p.push(op(ANY_BIT, 0, 1, NAMESPACES));
    p.push(errno(libc::EPERM));
    p.push(op(RETURN, 0, 0, ALLOW));
    p.push(op(EQUAL, 0, 6, number(libc::SYS_socket)));
    p.push(op(LOAD, 0, 0, 16));
    let last = FAMILIES.len();
    for (i, family) in FAMILIES.iter().enumerate() {
        let then = u8::try_from(last - i).unwrap_or(u8::MAX);
        p.push(op(EQUAL, then, 0, number(c_long::from(*family))));
    }
    p.push(errno(libc::EAFNOSUPPORT));
    p.push(op(RETURN, 0, 0, ALLOW));
    p
}

/// The filter as bytes.
#[must_use]
pub fn program() -> (Vec<u8>, usize) {
    let filter = filter();
    let mut bytes = Vec::with_capacity(8 * filter.len());
    for i in &filter {
        bytes.extend(i.code.to_ne_bytes());
        bytes.extend([i.then, i.otherwise]);
        bytes.extend(i.k.to_ne_bytes());
    }
    (bytes, filter.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer.
    fn run(architecture: u32, call: u32, first: u32) -> u32 {
        let (program, mut at, mut a) = (filter(), 0, 0);
        loop {
            let i = program[at];
            at += 1;
            let jump = |yes: bool| usize::from(if yes { i.then } else { i.otherwise });
            match i.code {
                LOAD => a = [call, architecture, 0, 0, first][i.k as usize / 4],
                EQUAL => at += jump(a == i.k),
                AT_LEAST => at += jump(a >= i.k),
                ANY_BIT => at += jump(a & i.k != 0),
                _ => return i.k,
            }
        }
    }

    #[test]
    fn the_kernel_answers() {
        let eperm = ERROR | libc::EPERM as u32;
        let cases = [
            (libc::SYS_read, 0, ALLOW),
            (libc::SYS_ptrace, 0, eperm),
            (libc::SYS_mount, 0, eperm),
            (libc::SYS_clone, libc::CLONE_VM, ALLOW),
            (libc::SYS_clone, libc::CLONE_NEWUSER, eperm),
            (libc::SYS_clone3, 0, ERROR | libc::ENOSYS as u32),
            (libc::SYS_socket, libc::AF_UNIX, ALLOW),
            (libc::SYS_socket, libc::AF_INET, ALLOW),
            (libc::SYS_socket, libc::AF_INET6, ALLOW),
            (libc::SYS_socket, libc::AF_NETLINK, ALLOW),
            (libc::SYS_socket, libc::AF_PACKET, ERROR | libc::EAFNOSUPPORT as u32),
            (libc::SYS_socket, libc::AF_VSOCK, ERROR | libc::EAFNOSUPPORT as u32),
            (libc::SYS_socket, libc::AF_ALG, ERROR | libc::EAFNOSUPPORT as u32),
            (libc::SYS_setresuid, 0, ALLOW),
        ];
        for (call, first, answer) in cases {
            assert_eq!(run(ARCHITECTURE, call as u32, first as u32), answer, "{call} {first}");
        }
        assert_eq!(run(ARCHITECTURE, X32 + 101, 0), ERROR | libc::ENOSYS as u32);
        assert_eq!(run(0x4000_0003, 0, 0), KILL);
    }
}
