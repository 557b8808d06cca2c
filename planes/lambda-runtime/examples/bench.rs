//! What isolation costs, on this machine, in one run: launch against a bare exec, a cold start
//! against the bare interpreter, a warm invocation against the handler, environments against memory.
//!
//! `cargo run --release -p fogbank-lambda-runtime --example bench [COUNT]`

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fogbank_core::{Clock, Ids};
use fogbank_lambda_runtime::{
    Credentials, Environment, Environments, Front, Invocation, Level, Line, LogFormat, Logs,
    Options, Runtimes, Shutdown, Spec,
};
use jiff::Timestamp;

struct Nowhere;
impl Front for Nowhere {
    fn accept(&self, _: std::net::TcpStream, _: bool) {}
    fn resolve(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn xray(&self, _: Bytes, _: &Spec) {}
}
impl Logs for Nowhere {
    fn line(&self, _: Timestamp, _: Line) {}
}

const PYTHON: &str = "def handler(event, context):\n    return event\n";
const NODE: &str = "exports.handler = async (event) => event;\n";
/// Of each measurement.
const RUNS: usize = 30;

/// The middle one, in milliseconds; and the best, where the machine is busy with other things.
fn median(mut all: Vec<Duration>) -> Times {
    all.sort();
    Times(all[0].as_secs_f64() * 1e3, all[all.len() / 2].as_secs_f64() * 1e3)
}

#[derive(Clone, Copy)]
struct Times(f64, f64);

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} (best {:.2})", self.1, self.0)
    }
}

impl std::ops::Sub for Times {
    type Output = Times;
    fn sub(self, other: Times) -> Times {
        Times(self.0 - other.0, self.1 - other.1)
    }
}

fn bare(program: &Path, arguments: &[&str]) -> Times {
    median(
        (0..RUNS)
            .map(|_| {
                let begun = Instant::now();
                let status = Command::new(program).args(arguments).status();
                assert!(status.is_ok_and(|s| s.success()));
                begun.elapsed()
            })
            .collect(),
    )
}

fn spec(folder: &Path, runtime: &str) -> Arc<Spec> {
    let (file, text, handler) = match runtime {
        r if r.starts_with("python") => ("app.py", PYTHON, "app.handler"),
        _ => ("app.js", NODE, "app.handler"),
    };
    std::fs::write(folder.join(file), text).unwrap();
    Arc::new(Spec {
        function_name: "bench".into(),
        version: "$LATEST".into(),
        arn: "arn:aws:lambda:us-east-1:000000000000:function:bench".into(),
        runtime: runtime.into(),
        handler: handler.into(),
        code: folder.to_owned(),
        layers: vec![],
        environment: vec![],
        memory_mb: 256,
        tmp_mb: 512,
        timeout: Duration::from_secs(10),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        log_group: "g".into(),
        log_stream: "s".into(),
        log_format: LogFormat::Text,
        app_log_level: Level::Info,
        system_log_level: Level::Info,
        tracing: false,
        tenant: None,
        mounts: vec![],
    })
}

fn invocation() -> Invocation {
    Invocation {
        request_id: "8f507cfc-0000-4697-b07a-ac58fc914c95".into(),
        payload: Bytes::from_static(b"{}"),
        deadline: Duration::from_secs(10),
        client_context: None,
        cognito_identity: None,
        trace_id: None,
        tenant: None,
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:bench".into(),
        streaming: None,
    }
}

async fn start(all: &Environments, spec: &Arc<Spec>) -> Environment {
    let credentials = Credentials {
        access_key: "A".into(),
        secret: "S".into(),
        token: "T".into(),
        expires: Timestamp::MAX,
    };
    all.start(Arc::clone(spec), credentials, Arc::new(Nowhere)).await.unwrap()
}

/// What is left of the machine's memory, in MiB.
fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "its results")]
async fn main() {
    let count: usize = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(100);
    let folder = tempfile::tempdir().unwrap();
    let code = folder.path().join("code");
    std::fs::create_dir(&code).unwrap();
    let runtimes = Runtimes::new(folder.path().join("cache"));
    let all = Environments::new(Options {
        scratch: folder.path().join("scratch"),
        runtimes: runtimes.clone(),
        front: Arc::new(Nowhere),
        ca_pem: "".into(),
        clock: Clock::default(),
        ids: Ids::system(),
    });
    println!("{:?}", all.capabilities());
    sandbox(&folder.path().join("scratch")).await;
    for (runtime, arguments) in
        [("python3.13", &["-S", "-c", "0"][..]), ("nodejs22.x", &["-e", "0"][..])]
    {
        let Ok(interpreter) = runtimes.find(runtime) else { continue };
        let spec = spec(&code, runtime);
        drop(start(&all, &spec).await);
        let bare = bare(&interpreter.program, arguments);
        let mut colds = Vec::new();
        for _ in 0..RUNS {
            let begun = Instant::now();
            let mut e = start(&all, &spec).await;
            e.invoke(invocation()).await.result.unwrap();
            colds.push(begun.elapsed());
            e.shutdown(Shutdown::Spindown).await;
        }
        let cold = median(colds);
        println!(
            "{runtime} ({}): cold {cold} ms, bare interpreter {bare} ms, more {} ms",
            interpreter.version,
            cold - bare
        );
        let mut e = start(&all, &spec).await;
        for (name, pause) in [("hot", 0), ("thawed", 20)] {
            let mut times = Vec::new();
            for _ in 0..20 * RUNS {
                let begun = Instant::now();
                e.invoke(invocation()).await.result.unwrap();
                times.push(begun.elapsed());
                if pause > 0 && times.len() > 2 * RUNS {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            println!("{runtime}: warm ({name}) {} ms", median(times));
        }
        drop(e);
    }
    let spec = spec(&code, "python3.13");
    let (before, begun) = (available(), Instant::now());
    let mut kept = Vec::new();
    for _ in 0..count {
        let mut e = start(&all, &spec).await;
        e.invoke(invocation()).await.result.unwrap();
        kept.push(e);
    }
    let used = before.saturating_sub(available());
    println!(
        "{count} environments: {used} MiB, {:.1} MiB each, in {:.2} s",
        used as f64 / count as f64,
        begun.elapsed().as_secs_f64()
    );
}

/// A sandbox with one short program against the program alone.
#[expect(clippy::print_stdout, reason = "its results")]
async fn sandbox(scratch: &Path) {
    use fogbank_sandbox::{Layout, Limits, Port, Program, Sandboxes, base};
    let boxes = Sandboxes::open(scratch).unwrap();
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let (binds, links) = base();
        let layout = Layout {
            hostname: "bench".into(),
            binds,
            links,
            merged: vec![],
            files: vec![],
            scratch: vec![("/tmp".into(), 1 << 20)],
            ports: vec![Port::Tcp(443), Port::Tcp(80), Port::Udp(53)],
            limits: Limits { memory: 64 << 20, cpu_millis: 1000, processes: 64 },
        };
        let null =
            || std::fs::File::options().read(true).write(true).open("/dev/null").unwrap().into();
        let begun = Instant::now();
        let s = boxes.make(layout).await.unwrap();
        let made = begun.elapsed();
        let program = Program {
            program: "/bin/true".into(),
            arguments: vec!["true".into()],
            environment: vec![],
            folder: "/".into(),
            stdin: null(),
            stdout: null(),
            stderr: null(),
            third: None,
        };
        s.start(program).await.unwrap().wait().await;
        times.push((made, begun.elapsed()));
        s.end().await;
    }
    let alone = bare(Path::new("/bin/true"), &[]);
    let made = median(times.iter().map(|t| t.0).collect());
    let all = median(times.iter().map(|t| t.1).collect());
    println!(
        "sandbox: made in {made} ms, with a program run to its end {all} ms; bare exec \
         {alone} ms; more {} ms",
        all - alone
    );
}
