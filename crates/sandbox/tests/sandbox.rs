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
    println!("{text}");
    assert_eq!(exit, Exit::Status(3), "{text}");
    assert!(text.starts_with("sbx_user1051\n169-254-0-1\n"), "{text}");
}
