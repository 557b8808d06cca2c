//! Functions that bring their own program, layers and extensions.

#[path = "lab/lab.rs"]
mod lab;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fogbank_lambda_runtime::{Mount, Shutdown};
use lab::{Lab, event, failure, result};

const RUNTIME: &str = "provided.al2023";

/// A Rust function, compiled with the compiler that compiled us.
const BOOTSTRAP: &str = r##"
use std::io::{Read, Write};
use std::net::TcpStream;
fn call(method: &str, path: &str, body: &str) -> String {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    let mut s = TcpStream::connect(&api).unwrap();
    write!(s, "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut text = String::new();
    s.read_to_string(&mut text).unwrap();
    text
}
fn main() {
    println!("rust starts");
    loop {
        let event = call("GET", "invocation/next", "");
        let (head, body) = event.split_once("\r\n\r\n").unwrap();
        let id = head.lines().find_map(|l| l.strip_prefix("lambda-runtime-aws-request-id: ")).unwrap();
        if body.contains("fail") {
            call("POST", &format!("invocation/{id}/error"), r#"{"errorType":"Rusty","errorMessage":"oh"}"#);
        } else {
            call("POST", "invocation/wrong/response", "1");
            call("POST", &format!("invocation/{id}/response"), &format!("[{body},{body}]"));
        }
    }
}
"##;

fn executable(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    make_executable(path);
}

fn make_executable(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn layer(lab: &Lab, name: &str) -> PathBuf {
    let folder = lab.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    make_executable(&folder);
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rust_program_is_a_function() {
    let Some(lab) = Lab::open(RUNTIME) else { return };
    let spec = lab.function(RUNTIME, "any", &[("main.rs", BOOTSTRAP)]);
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc)
        .args(["--edition=2021", "-o"])
        .arg(spec.code.join("bootstrap"))
        .arg(spec.code.join("main.rs"))
        .status();
    if !built.is_ok_and(|s| s.success()) {
        return eprintln!("skipped: no rustc");
    }
    let (mut e, log) = lab.start(spec).await;
    assert_eq!(result(&e.invoke(event("7")).await).to_string(), "[7,7]");
    let f = failure(&e.invoke(event(r#""fail""#)).await);
    assert_eq!((f["errorType"].as_str(), f["errorMessage"].as_str()), (Some("Rusty"), Some("oh")));
    assert_eq!(log.function(), ["rust starts"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_without_a_program_says_so() {
    let Some(lab) = Lab::open(RUNTIME) else { return };
    let id = "8f507cfc-0000-4697-b07a-ac58fc914c95";
    let (mut e, _) = lab.start(lab.function(RUNTIME, "any", &[("other", "")])).await;
    let f = failure(&e.invoke(event("7")).await);
    assert_eq!(f["errorType"], "Runtime.InvalidEntrypoint");
    assert_eq!(
        f["errorMessage"],
        format!(
            "RequestId: {id} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
        )
    );
    let spec = lab.function(RUNTIME, "any", &[("bootstrap", "#!/bin/sh\n")]);
    let plain = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(spec.code.join("bootstrap"), plain).unwrap();
    let (mut e, _) = lab.start(spec).await;
    let f = failure(&e.invoke(event("7")).await);
    assert_eq!(
        f["errorMessage"],
        format!("RequestId: {id} Error: fork/exec /var/task/bootstrap: permission denied")
    );
}

const EXTENSION: &str = r#"#!/usr/bin/python3
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/"
name = os.path.basename(__file__)
def call(path, body=None, headers={}):
    r = urllib.request.Request(api + path, data=body, headers=headers)
    a = urllib.request.urlopen(r)
    return a, json.loads(a.read())
a, d = call("register", json.dumps({"events": ["INVOKE", "SHUTDOWN"]}).encode(), {"Lambda-Extension-Name": name, "Lambda-Extension-Accept-Feature": "accountId"})
me = {"Lambda-Extension-Identifier": a.headers["Lambda-Extension-Identifier"]}
print("registered", d["functionName"], d["accountId"], flush=True)
while True:
    _, e = call("event/next", None, me)
    print("event", e["eventType"], e.get("shutdownReason", e.get("requestId")), flush=True)
    if e["eventType"] == "SHUTDOWN":
        break
"#;

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_merged_and_extensions_live_along() {
    let Some(lab) = Lab::open("python3.13") else { return };
    if !Path::new("/usr/bin/python3").exists() {
        return eprintln!("skipped: no /usr/bin/python3");
    }
    let (one, two) = (layer(&lab, "one"), layer(&lab, "two"));
    executable(&one.join("extensions/watcher"), EXTENSION);
    executable(&one.join("python/shared.py"), "which = 1; one = 1");
    executable(&two.join("python/shared.py"), "which = 2");
    let shown = layer(&lab, "shown");
    std::fs::set_permissions(&shown, std::fs::Permissions::from_mode(0o777)).unwrap();
    let code = "import shared, os\ndef handler(e, c):\n  open('/mnt/x/out', 'w').write('hi')\n  return [shared.which, hasattr(shared, 'one'), sorted(os.listdir('/opt'))]";
    let mut spec = lab.function("python3.13", "app.handler", &[("app.py", code)]);
    spec.layers = vec![one, two];
    spec.mounts = vec![Mount { source: shown.clone(), target: "/mnt/x".into(), read_only: false }];
    let (mut e, log) = lab.start(spec).await;
    let o = e.invoke(event("{}")).await;
    assert_eq!(result(&o).to_string(), r#"[2,false,["extensions","python"]]"#, "{:?}", log.text());
    assert_eq!(std::fs::read_to_string(shown.join("out")).unwrap(), "hi");
    tokio::time::timeout(Duration::from_secs(4), e.shutdown(Shutdown::Spindown)).await.unwrap();
    let text = log.text();
    for line in [
        "registered f 000000000000",
        "event INVOKE 8f507cfc-0000-4697-b07a-ac58fc914c95",
        "event SHUTDOWN spindown",
    ] {
        assert!(text.iter().any(|l| l == line), "{line} in {text:?}");
    }
}
