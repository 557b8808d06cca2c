//! Functions as plain processes, where there are no sandboxes.

#[path = "lab/lab.rs"]
mod lab;
use std::sync::Arc;
use std::time::Duration;

use fogbank_lambda_runtime::InitError;
use lab::{Lab, Log, credentials, event, failure, result};

#[tokio::test(flavor = "multi_thread")]
async fn functions_run_all_the_same() {
    let python = "import os, time, sys\ndef handler(e, c):\n  print('x')\n  if e == 1: time.sleep(60)\n  if e == 2: os._exit(5)\n  return [os.environ['AWS_ENDPOINT_URL'], os.getcwd() == os.environ['LAMBDA_TASK_ROOT'], '_FOGBANK_SDK' in os.environ]";
    let node = "exports.handler = async (e, c) => { console.log('x'); if (e == 1) await new Promise(r => setTimeout(r, 60000)); if (e == 2) process.exit(5); return [process.env.AWS_ENDPOINT_URL, process.cwd() == process.env.LAMBDA_TASK_ROOT, '_FOGBANK_SDK' in process.env] }";
    for (runtime, handler, file, code) in [
        ("python3.13", "app.handler", "app.py", python),
        ("nodejs22.x", "app.handler", "app.js", node),
    ] {
        let Some(lab) = Lab::plain(runtime) else { continue };
        assert!(lab.environments.capabilities().isolated.is_err());
        let (mut e, log) = lab.start(lab.function(runtime, handler, &[(file, code)])).await;
        for _ in 0..2 {
            let o = e.invoke(event("0")).await;
            assert_eq!(result(&o).to_string(), r#"["http://127.0.0.1:1",true,false]"#);
            let mut slow = event("1");
            slow.deadline = Duration::from_secs(1);
            assert_eq!(failure(&e.invoke(slow).await)["errorType"], "Sandbox.Timedout");
            let f = failure(&e.invoke(event("2")).await);
            assert!(f["errorMessage"].as_str().unwrap().ends_with("exit status 5"), "{f}");
        }
        let lines = log.function().iter().filter(|l| l.trim_end().ends_with('x')).count();
        assert_eq!(lines, 6, "{:?}", log.text());
        e.shutdown(fogbank_lambda_runtime::Shutdown::Spindown).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_untrue_is_refused() {
    let Some(lab) = Lab::plain("provided.al2023") else { return };
    let mut spec = lab.function("provided.al2023", "x", &[]);
    spec.tenant = Some("blue".into());
    let log = Arc::new(Log::default());
    let refused = lab.environments.start(Arc::new(spec), credentials(), log).await;
    let Err(InitError::Sandbox(why)) = refused else { panic!("isolated without isolation") };
    assert!(why.starts_with("tenant isolation needs sandboxes"), "{why}");
}
