//! What a sandbox lets programs do, and what it keeps them from, tried by real programs.

use std::io::Read;
use std::os::fd::OwnedFd;

use fogbank_sandbox::{
    Bind, Exit, Layout, Limits, Port, Process, Program, Sandbox, Sandboxes, Socket, base,
};
use tempfile::TempDir;

struct Lab {
    boxes: Sandboxes,
    _scratch: TempDir,
}

impl Lab {
    /// `None`, with a note, where the kernel refuses sandboxes.
    async fn open() -> Option<Lab> {
        let scratch = tempfile::tempdir().unwrap();
        let boxes = Sandboxes::open(scratch.path()).unwrap();
        match boxes.capabilities().isolated {
            Ok(()) => Some(Lab { boxes, _scratch: scratch }),
            Err(why) => {
                eprintln!("skipped: {why}");
                None
            }
        }
    }

    async fn sandbox(&self, change: impl FnOnce(&mut Layout)) -> Sandbox {
        let (binds, links) = base();
        let mut layout = Layout {
            hostname: "169-254-0-1".into(),
            binds,
            links,
            merged: vec![],
            files: vec![("/etc/hosts".into(), b"127.0.0.1 localhost\n".to_vec())],
            scratch: vec![("/tmp".into(), 16 << 20)],
            ports: vec![],
            limits: Limits { memory: 64 << 20, cpu_millis: 1000, processes: 64 },
        };
        change(&mut layout);
        self.boxes.make(layout).await.unwrap()
    }
}

fn shell(script: &str) -> (Program, std::io::PipeReader) {
    let (read, write) = std::io::pipe().unwrap();
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let program = Program {
        program: "/bin/sh".into(),
        arguments: ["sh", "-c", script].map(Into::into).into(),
        environment: vec!["PATH=/usr/bin:/bin".into()],
        folder: "/".into(),
        stdin: null(),
        stdout: write.try_clone().unwrap().into(),
        stderr: write.into(),
        third: None,
    };
    (program, read)
}

/// Runs a shell script to its end: what it wrote, and how it ended.
async fn run(sandbox: &Sandbox, script: &str) -> (String, Exit) {
    let (program, read) = shell(script);
    let process = sandbox.start(program).await.unwrap();
    finish(&process, read).await
}

async fn finish(process: &Process, mut read: std::io::PipeReader) -> (String, Exit) {
    let text = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        read.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let exit = process.wait().await;
    (text.await.unwrap(), exit)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_runs_as_nobody_in_a_world_of_its_own() {
    let Some(lab) = Lab::open().await else { return };
    let s = lab.sandbox(|_| {}).await;
    let (text, exit) = run(
        &s,
        "id -un; hostname; echo $$; ls /; ls /dev; cat /etc/hosts; ls /proc | grep -c '^[0-9]'; \
         grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; cat /proc/net/dev | wc -l; \
         echo x > /tmp/y && cat /tmp/y; echo z > /z; echo z > /usr/z; cat /proc/self/cgroup | head -1; exit 3",
    )
    .await;
    assert_eq!(exit, Exit::Status(3), "{text}");
    assert!(text.starts_with("sbx_user1051\n169-254-0-1\n2\n"), "{text}");
    assert!(text.contains("\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"), "{text}");
    assert!(text.contains("\nNoNewPrivs:\t1\nSeccomp:\t2\n"), "{text}");
    assert!(text.contains("cannot create /z: Read-only") && text.contains("\nx\n"), "{text}");
    let root: Vec<&str> = text.lines().skip(3).take_while(|l| *l != "usr").collect();
    assert!(!root.iter().any(|l| ["home", "root", "var", "work", "sys"].contains(l)), "{root:?}");
}

/// A Python program, since a shell cannot make system calls; or none, where there is no Python.
async fn python(sandbox: &Sandbox, code: &str) -> Option<(String, Exit)> {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: no /usr/bin/python3");
        return None;
    }
    let (mut program, read) = shell("");
    program.program = "/usr/bin/python3".into();
    program.arguments = ["python3", "-ISuc", code].map(Into::into).into();
    let process = sandbox.start(program).await.unwrap();
    Some(finish(&process, read).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_leave_the_sandbox_is_refused() {
    let Some(lab) = Lab::open().await else { return };
    let s = lab.sandbox(|_| {}).await;
    let victim = lab.sandbox(|_| {}).await;
    let (program, _read) = shell("exec sleep 60");
    let sleeper = victim.start(program).await.unwrap();
    let code = format!(
        r#"
import ctypes, os, errno, socket, signal
libc = ctypes.CDLL(None, use_errno=True)
def call(name, nr, *a):
    r = libc.syscall(nr, *[ctypes.c_long(x) if isinstance(x, int) else x for x in a])
    print(name, "allowed" if r >= 0 else errno.errorcode[ctypes.get_errno()])
def attempt(name, f):
    try:
        f(); print(name, "allowed")
    except OSError as e:
        print(name, errno.errorcode[e.errno])
NEWUSER = 0x10000000
call("ptrace", 101, 16, 1, 0, 0)
call("mount", 165, b"none", b"/tmp", b"tmpfs", 0, 0)
call("umount", 166, b"/proc", 0)
call("unshare", 272, NEWUSER)
call("clone", 56, NEWUSER | 17, 0, 0, 0, 0)
call("clone3", 435, 0, 0)
call("setns", 308, 0, 0)
call("chroot", 161, b"/tmp")
call("bpf", 321, 0, 0, 0)
call("keyctl", 250, 0, 0)
call("add_key", 248, b"user", b"x", b"y", 1, -1)
call("userfaultfd", 323, 0)
call("perf", 298, 0, 0, 0, 0, 0)
call("io_uring", 425, 1, 0)
call("kexec", 246, 0, 0, 0, 0)
call("reboot", 169, 0, 0, 0, 0)
call("swapon", 167, b"/tmp/x", 0)
call("module", 175, 0, 0, 0)
call("vm_readv", 310, 1, 0, 0, 0, 0, 0)
call("x32", 0x40000000 + 39)
attempt("setuid", lambda: os.setuid(0))
attempt("mknod", lambda: os.mknod("/tmp/sda", 0o600 | 0o060000, os.makedev(8, 0)))
attempt("packet", lambda: socket.socket(17, socket.SOCK_RAW, 0))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
attempt("out", lambda: socket.create_connection(("1.1.1.1", 53), 2))
attempt("host port", lambda: socket.create_connection(("127.0.0.1", 22), 2))
attempt("kill init", lambda: os.kill(1, 9))
attempt("kill other", lambda: os.kill({pid}, 9))
attempt("init environ", lambda: open("/proc/1/environ").read())
attempt("init mem", lambda: open("/proc/1/mem", "rb"))
attempt("init root", lambda: os.listdir("/proc/1/root"))
attempt("sysrq", lambda: open("/proc/sysrq-trigger", "w"))
attempt("sysctl", lambda: open("/proc/sys/kernel/hostname", "w"))
attempt("core pattern", lambda: open("/proc/sys/kernel/core_pattern", "w"))
attempt("oom", lambda: open("/proc/self/oom_score_adj", "w"))
attempt("cgroup", lambda: os.listdir("/sys/fs/cgroup"))
attempt("home", lambda: os.listdir("/ro" "ot"))
attempt("etc", lambda: open("/etc/passwd", "a"))
attempt("shadow", lambda: open("/etc/shadow"))
attempt("usr", lambda: open("/usr/x", "w"))
attempt("dev", lambda: open("/dev/x", "w"))
os.symlink("/proc/1/ro" "ot/etc/shadow", "/tmp/link")
attempt("symlink", lambda: open("/tmp/link"))
attempt("up", lambda: open("/tmp/../../../../../../etc/shadow"))
print("pids", sorted(int(p) for p in os.listdir("/proc") if p.isdigit()) == [1, os.getpid()])
print("kcore", os.path.getsize("/proc/kcore") if os.path.exists("/proc/kcore") else 0)
print("interfaces", [n for _, n in socket.if_nameindex()])
"#,
        pid = sleeper.pid()
    );
    let Some((text, exit)) = python(&s, &code).await else { return };
    assert_eq!(exit, Exit::Status(0), "{text}");
    let allowed: Vec<&str> = text.lines().filter(|l| l.ends_with(" allowed")).collect();
    // Signals to process 1 from within its own namespace are accepted and dropped.
    let harmless = ["kill init allowed"];
    assert!(allowed.iter().all(|l| harmless.contains(l)), "{text}");
    for line in [
        "clone3 ENOSYS",
        "x32 ENOSYS",
        "out ENETUNREACH",
        "kill other ESRCH",
        "pids True",
        "kcore 0",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} in {text}");
    }
    assert!(text.ends_with("interfaces ['lo']\n"), "{text}");
    assert!(s.is_alive() && victim.is_alive() && sleeper.ended().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_a_hog_and_a_disk_filler_hurt_themselves_only() {
    let Some(lab) = Lab::open().await else { return };
    if !lab.boxes.capabilities().limits {
        return eprintln!("skipped: no control groups");
    }
    let (calm, wild) = (lab.sandbox(|_| {}).await, lab.sandbox(|_| {}).await);
    let bomb = "f() { f | f & }; f; f; f; sleep 0.3; echo over";
    let (program, _read) = shell(bomb);
    let bomber = wild.start(program).await.unwrap();
    let (text, exit) =
        run(&calm, "for i in 1 2 3 4 5; do /bin/true || exit 9; done; echo calm").await;
    assert_eq!((text.as_str(), exit), ("calm\n", Exit::Status(0)));
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), bomber.wait()).await;
    // Whatever it has left is killed, and the sandbox can be used again.
    let again = wild.clone();
    assert!(tokio::task::spawn_blocking(move || again.kill_programs()).await.unwrap());
    let (text, _) = run(&wild, "echo back").await;
    assert_eq!(text, "back\n");
    let before = wild.out_of_memory();
    let (_, exit) = run(&wild, "x=x; while :; do x=$x$x$x$x; done").await;
    assert_eq!(exit, Exit::Signal(9));
    assert!(wild.out_of_memory() > before && calm.out_of_memory() == 0);
    let (text, _) = run(&wild, "dd if=/dev/zero of=/tmp/x bs=1M count=40 2>&1; ls -s /tmp/x").await;
    assert!(text.contains("No space left on device") && text.contains("16384 /tmp/x"), "{text}");
    let (text, _) = run(&calm, "ls /tmp | wc -l").await;
    assert_eq!(text, "0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_served_from_outside_and_folders_are_shown() {
    let Some(lab) = Lab::open().await else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "shown").unwrap();
    std::os::unix::fs::symlink("/etc/shadow", folder.path().join("escape")).unwrap();
    let s = lab
        .sandbox(|l| {
            l.ports = vec![Port::Tcp(80), Port::Udp(53)];
            l.binds.push(Bind::read_only(folder.path(), "/var/task"));
        })
        .await;
    let sockets = s.take_sockets();
    let [Socket::Tcp(80, tcp), Socket::Udp(53, udp)] = &sockets[..] else {
        panic!("{sockets:?}");
    };
    let tcp = tokio::net::TcpListener::from_std(tcp.try_clone().unwrap()).unwrap();
    let udp = tokio::net::UdpSocket::from_std(udp.try_clone().unwrap()).unwrap();
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut c, _) = tcp.accept().await.unwrap();
        let mut got = [0; 4];
        c.read_exact(&mut got).await.unwrap();
        c.write_all(b"pong").await.unwrap();
        let mut buffer = [0; 16];
        let (n, from) = udp.recv_from(&mut buffer).await.unwrap();
        udp.send_to(&buffer[..n], from).await.unwrap();
        got
    });
    let code = r#"
import socket, os
c = socket.create_connection(("127.0.0.1", 80)); c.sendall(b"ping"); print(c.recv(4))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendto(b"q", ("127.0.0.1", 53)); print(u.recv(9))
print(open("/var/task/a").read())
try: open("/var/task/escape")
except OSError as e: print(type(e).__name__)
try: open("/var/task/b", "w")
except OSError as e: print(e.strerror)
"#;
    let Some((text, _)) = python(&s, code).await else { return };
    assert_eq!(text, "b'pong'\nb'q'\nshown\nFileNotFoundError\nRead-only file system\n");
    assert_eq!(&server.await.unwrap(), b"ping");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_stops_goes_on_and_ends() {
    let Some(lab) = Lab::open().await else { return };
    let s = lab.sandbox(|_| {}).await;
    // A daemon in a session of its own is in the sandbox all the same.
    let (program, mut read) = shell("(setsid sh -c 'while :; do echo x; sleep 0.01; done') & wait");
    let p = s.start(program).await.unwrap();
    let mut one = [0];
    read.read_exact(&mut one).unwrap();
    if lab.boxes.capabilities().freezes {
        assert!(s.freeze(true));
        assert!(s.freeze(false));
        read.read_exact(&mut one).unwrap();
        assert!(s.freeze(true));
    }
    // What is frozen dies too.
    s.end().await;
    assert_eq!(p.wait().await, Exit::Signal(9));
    assert!(!s.is_alive());
    let mut rest = Vec::new();
    read.read_to_end(&mut rest).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started_says_why() {
    let Some(lab) = Lab::open().await else { return };
    let s = lab.sandbox(|_| {}).await;
    for (program, folder, why) in [
        ("/nothing", "/", "exec: No such file"),
        ("/etc/hosts", "/", "exec: Permission denied"),
        ("/bin/sh", "/nowhere", "working folder: No such file"),
    ] {
        let (mut p, _read) = shell("");
        p.program = program.into();
        p.folder = folder.into();
        let e = s.start(p).await.unwrap_err().to_string();
        assert!(e.contains(why), "{e}");
    }
    let (text, _) = run(&s, "echo still here").await;
    assert_eq!(text, "still here\n");
}

/// The other half of `nothing_outlives_a_killed_parent`: makes a sandbox and waits to be killed.
#[tokio::test(flavor = "multi_thread")]
async fn parent_that_is_killed() {
    let Some(path) = std::env::var_os("SANDBOX_TEST_PARENT") else { return };
    let Some(lab) = Lab::open().await else { return };
    let s = lab.sandbox(|_| {}).await;
    let (running, frozen) = (s, lab.sandbox(|_| {}).await);
    let mut pids = String::new();
    for s in [&running, &frozen] {
        let (program, mut read) = shell("setsid sleep 600 & echo x; exec sleep 600");
        let p = s.start(program).await.unwrap();
        read.read_exact(&mut [0]).unwrap();
        pids += &format!("{} ", p.pid());
    }
    frozen.freeze(true);
    std::fs::write(path, pids).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_killed_parent() {
    if Lab::open().await.is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("pids");
    let mut parent = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "parent_that_is_killed", "--nocapture"])
        .env("SANDBOX_TEST_PARENT", &told)
        .spawn()
        .unwrap();
    let moment = || tokio::time::sleep(std::time::Duration::from_millis(10));
    while !std::fs::read_to_string(&told).is_ok_and(|s| s.ends_with(' ')) {
        assert!(parent.try_wait().unwrap().is_none(), "the parent has ended");
        moment().await;
    }
    let pids = std::fs::read_to_string(&told).unwrap();
    parent.kill().await.unwrap();
    for pid in pids.split_whitespace() {
        for n in 0.. {
            // Gone, or dead and waiting for an init that reaps.
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
            if state.is_none_or(|s| s.contains(") Z ")) {
                break;
            }
            assert!(n < 500, "{pid} lives");
            moment().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_processes_start_stop_and_end_together() {
    let scratch = tempfile::tempdir().unwrap();
    let boxes = Sandboxes::open(scratch.path()).unwrap();
    let s = boxes.plain();
    let (text, exit) = run(&s, "echo $PATH; exit 4").await;
    assert_eq!((text.as_str(), exit), ("/usr/bin:/bin\n", Exit::Status(4)));
    let (program, mut read) = shell("while :; do echo x; sleep 0.01; done & wait");
    let p = s.start(program).await.unwrap();
    assert!(s.freeze(true) && s.freeze(false));
    read.read_exact(&mut [0]).unwrap();
    s.end().await;
    assert_eq!(p.wait().await, Exit::Signal(9));
    // Its children are gone too: nobody holds the pipe.
    read.read_to_end(&mut Vec::new()).unwrap();
    let (mut program, _read) = shell("");
    program.program = "/nothing".into();
    assert!(s.start(program).await.unwrap_err().to_string().contains("exec"));
}
