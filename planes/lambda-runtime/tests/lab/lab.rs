//! Functions in files, environments to run them, and what they log.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fogbank_core::{Clock, Ids};
use fogbank_lambda_runtime::*;
use jiff::Timestamp;
use parking_lot::Mutex;
use tempfile::TempDir;

/// A front that answers what the tests ask for.
#[derive(Default)]
pub struct Gate {
    pub segments: Mutex<Vec<Bytes>>,
}

impl Front for Gate {
    fn accept(&self, mut stream: std::net::TcpStream, tls: bool) {
        use std::io::Write;
        let _ = stream.set_nonblocking(false);
        let body = if tls { "tls" } else { "plain" };
        let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    }
    fn resolve(&self, query: &[u8]) -> Option<Vec<u8>> {
        // A name that is asked for is 127.0.0.1: the question, then one answer that points at it.
        let mut reply = query[..12].to_vec();
        reply[2..4].copy_from_slice(&[0x84, 0]);
        let end = 12 + query[12..].iter().position(|b| *b == 0)? + 5;
        let is_a = query[end - 3] == 1;
        reply[4..12].copy_from_slice(&[0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
        reply.extend(&query[12..end]);
        if is_a {
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 0, 1]);
        }
        Some(reply)
    }
    fn endpoint(&self) -> Option<String> {
        Some("http://127.0.0.1:1".to_owned())
    }
    fn xray(&self, datagram: Bytes, _: &Spec) {
        self.segments.lock().push(datagram);
    }
}

#[derive(Default)]
pub struct Log(Mutex<Vec<Line>>);

impl Logs for Log {
    fn line(&self, _: Timestamp, line: Line) {
        self.0.lock().push(line);
    }
}

impl Log {
    pub fn text(&self) -> Vec<String> {
        self.0.lock().iter().map(|l| l.text().to_owned()).collect()
    }
    pub fn function(&self) -> Vec<String> {
        let all = self.0.lock();
        all.iter()
            .filter_map(|l| match l {
                Line::Function(s) => Some(s.clone()),
                _ => None,
            })
            .collect()
    }
}

pub struct Lab {
    pub environments: Environments,
    pub gate: Arc<Gate>,
    folder: TempDir,
}

impl Lab {
    /// `None`, with a note, where the kernel refuses sandboxes or there is no interpreter.
    pub fn open(runtime: &str) -> Option<Lab> {
        let folder = tempfile::tempdir().unwrap();
        let gate = Arc::new(Gate::default());
        let runtimes = Runtimes::new(folder.path().join("cache"));
        let environments = Environments::new(Options {
            scratch: folder.path().join("scratch"),
            runtimes: runtimes.clone(),
            front: Arc::clone(&gate) as Arc<dyn Front>,
            ca_pem: "".into(),
            clock: Clock::default(),
            ids: Ids::system(),
        });
        if let Err(why) = environments.capabilities().isolated {
            eprintln!("skipped: {why}");
            return None;
        }
        if let Err(why) = runtimes.find(runtime) {
            eprintln!("skipped: {why}");
            return None;
        }
        Some(Lab { environments, gate, folder })
    }

    /// The same without sandboxes.
    pub fn plain(runtime: &str) -> Option<Lab> {
        let folder = tempfile::tempdir().unwrap();
        let gate = Arc::new(Gate::default());
        let runtimes = Runtimes::new(folder.path().join("cache"));
        if let Err(why) = runtimes.find(runtime) {
            eprintln!("skipped: {why}");
            return None;
        }
        let environments = Environments::without_sandboxes(Options {
            scratch: folder.path().join("scratch"),
            runtimes,
            front: Arc::clone(&gate) as Arc<dyn Front>,
            ca_pem: "".into(),
            clock: Clock::default(),
            ids: Ids::system(),
        });
        Some(Lab { environments, gate, folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A function of these files.
    pub fn function(&self, runtime: &str, handler: &str, files: &[(&str, &str)]) -> Spec {
        let code = tempfile::Builder::new().prefix("code").tempdir_in(self.folder.path()).unwrap();
        let code = code.keep();
        open_up(&code);
        for (name, text) in files {
            let path = code.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            open_up(&path);
        }
        Spec {
            function_name: "f".into(),
            version: "$LATEST".into(),
            arn: "arn:aws:lambda:us-east-1:000000000000:function:f".into(),
            runtime: runtime.into(),
            handler: handler.into(),
            code,
            layers: vec![],
            environment: vec![],
            memory_mb: 128,
            tmp_mb: 512,
            timeout: Duration::from_secs(10),
            account: "000000000000".into(),
            region: "us-east-1".into(),
            log_group: "/aws/lambda/f".into(),
            log_stream: "2024/10/17/[$LATEST]0123".into(),
            log_format: LogFormat::Text,
            app_log_level: Level::Info,
            system_log_level: Level::Info,
            tracing: false,
            tenant: None,
            mounts: vec![],
        }
    }

    pub async fn start(&self, spec: Spec) -> (Environment, Arc<Log>) {
        let log = Arc::new(Log::default());
        let to = Arc::clone(&log) as Arc<dyn Logs>;
        let e = self.environments.start(Arc::new(spec), credentials(), to).await.unwrap();
        (e, log)
    }
}

pub fn credentials() -> Credentials {
    Credentials {
        access_key: "ASIAEXAMPLE".into(),
        secret: "secret".into(),
        token: "token".into(),
        expires: Timestamp::MAX,
    }
}

fn open_up(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub fn event(payload: &str) -> Invocation {
    Invocation {
        request_id: "8f507cfc-0000-4697-b07a-ac58fc914c95".into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        deadline: Duration::from_secs(10),
        client_context: None,
        cognito_identity: None,
        trace_id: None,
        tenant: None,
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f:live".into(),
        streaming: None,
    }
}

/// The body of a failure, as the caller gets it.
pub fn failure(o: &Outcome) -> serde_json::Value {
    serde_json::from_slice(&o.result.as_ref().unwrap_err().body()).unwrap()
}

pub fn result(o: &Outcome) -> serde_json::Value {
    let body = o.result.as_ref().unwrap_or_else(|f| panic!("{:?} {:?}", f, o.log_tail));
    serde_json::from_slice(body).unwrap()
}
