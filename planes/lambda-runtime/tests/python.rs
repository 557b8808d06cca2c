//! Python functions, as Lambda runs them.

#[path = "lab/lab.rs"]
mod lab;
use lab::{Lab, event, failure, result};
use std::time::Duration;

const RUNTIME: &str = "python3.13";

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_and_keeps_its_globals() {
    let Some(lab) = Lab::open(RUNTIME) else { return };
    let code = r#"
import os, socket, sys, urllib.request
n = 0
def handler(event, context):
    global n
    n += 1
    print("hello", event["name"])
    return {"n": n, "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb, "tenant": context.tenant_id,
            "left": context.get_remaining_time_in_millis(),
            "key": os.environ["AWS_ACCESS_KEY_ID"], "cwd": os.getcwd(), "path": sys.path,
            "net": urllib.request.urlopen("http://sqs.us-east-1.amazonaws.com/").read().decode()}
"#;
    let (mut e, log) = lab.start(lab.function(RUNTIME, "app.handler", &[("app.py", code)])).await;
    let mut i = event(r#"{"name":"world"}"#);
    i.tenant = Some("blue".into());
    let first = e.invoke(i).await;
    let r = result(&first);
    assert!(log.text()[0].starts_with("INIT_START Runtime Version: python:3."), "{:?}", log.text());
    assert_eq!(r["n"], 1);
    assert_eq!(r["id"], "8f507cfc-0000-4697-b07a-ac58fc914c95");
    assert_eq!(r["tenant"], "blue");
    assert_eq!(r["key"], "ASIAEXAMPLE");
    assert_eq!(r["cwd"], "/var/task");
    assert_eq!(r["path"][0], "/var/task");
    assert_eq!(r["net"], "plain");
    assert!(r["left"].as_i64().unwrap() > 5000);
    assert!(first.init.is_some() && first.billed_ms > 0 && first.max_memory_mb > 5);
    let second = e.invoke(event(r#"{"name":"again"}"#)).await;
    assert_eq!(result(&second)["n"], 2);
    assert_eq!(second.init, None);
    let tail = String::from_utf8(second.log_tail.to_vec()).unwrap();
    assert!(tail.starts_with("START RequestId: 8f507cfc-0000-4697-b07a-ac58fc914c95 Version: $LATEST\nhello again\nEND RequestId: "), "{tail}");
    e.shutdown(fogbank_lambda_runtime::Shutdown::Spindown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_as_lambda_tells_them() {
    let Some(lab) = Lab::open(RUNTIME) else { return };
    let code = r#"
import os, time, logging
def handler(event, context):
    what = event["do"]
    if what == "raise": raise ValueError("no good")
    if what == "exit": os._exit(3)
    if what == "sys.exit":
        import sys; sys.exit(0)
    if what == "kill": os.kill(os.getpid(), 9)
    if what == "sleep": print("asleep", end=""); time.sleep(60)
    if what == "set": return {1, 2}
    if what == "big": return "x" * (7 << 20)
    if what == "hog":
        x = []
        while True: x.append(bytearray(1 << 20))
    if what == "disk":
        # More than the memory, and it is no memory.
        with open("/tmp/big", "wb") as f:
            for _ in range(200): f.write(bytes(1 << 20))
        return os.path.getsize("/tmp/big")
    logging.getLogger().error("two\nlines")
    return what
"#;
    let (mut e, log) = lab.start(lab.function(RUNTIME, "app.handler", &[("app.py", code)])).await;
    let id = "8f507cfc-0000-4697-b07a-ac58fc914c95";
    let r = |kind: &str, message: &str| serde_json::json!({"errorType": kind, "errorMessage": format!("RequestId: {id} Error: {message}")});
    for (what, expected) in [
        ("exit", r("Runtime.ExitError", "Runtime exited with error: exit status 3")),
        ("sys.exit", r("Runtime.ExitError", "Runtime exited without providing a reason")),
        ("kill", r("Runtime.ExitError", "Runtime exited with error: signal: killed")),
        ("hog", r("Runtime.OutOfMemory", "Runtime exited with error: signal: killed")),
        ("sleep", r("Sandbox.Timedout", "Task timed out after 0.50 seconds")),
    ] {
        let mut i = event(&format!(r#"{{"do":"{what}"}}"#));
        if what == "sleep" {
            i.deadline = Duration::from_millis(500);
        }
        let o = e.invoke(i).await;
        assert_eq!(failure(&o), expected, "{what} {:?}", log.text());
        assert!(e.is_alive());
    }
    let o = e.invoke(event(r#"{"do":"raise"}"#)).await;
    let f = failure(&o);
    assert_eq!(
        (f["errorType"].as_str(), f["errorMessage"].as_str(), f["requestId"].as_str()),
        (Some("ValueError"), Some("no good"), Some(id))
    );
    assert!(
        f["stackTrace"][0]
            .as_str()
            .unwrap()
            .starts_with("  File \"/var/task/app.py\", line 5, in handler\n    "),
        "{f}"
    );
    let o = e.invoke(event(r#"{"do":"set"}"#)).await;
    assert_eq!(
        failure(&o)["errorMessage"],
        "Unable to marshal response: Object of type set is not JSON serializable"
    );
    let o = e.invoke(event(r#"{"do":"big"}"#)).await;
    assert_eq!(
        failure(&o),
        serde_json::json!({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes)."})
    );
    let o = e.invoke(event(r#"{"do":"disk"}"#)).await;
    assert_eq!(result(&o), 200 << 20);
    let o = e.invoke(event(r#"{"do":"hog"}"#)).await;
    assert_eq!(failure(&o)["errorType"], "Runtime.OutOfMemory");
    let o = e.invoke(event(r#"{"do":"fine"}"#)).await;
    assert_eq!(result(&o), "fine");
    let lines = log.function();
    assert!(lines.iter().any(|l| l == "asleep"));
    assert!(
        lines
            .iter()
            .any(|l| l.starts_with("[ERROR]\t20") && l.ends_with(&format!("Z\t{id}\ttwo\nlines"))),
        "{lines:?}"
    );
    assert!(lines.iter().any(|l| l.starts_with(
        "[ERROR] ValueError: no good\nTraceback (most recent call last):\n\u{a0}\u{a0}File "
    )));
    assert!(
        lines
            .iter()
            .any(|l| l.trim_end().ends_with(&format!("{id} Task timed out after 0.50 seconds")))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_is_tried_again_and_told() {
    let Some(lab) = Lab::open(RUNTIME) else { return };
    for (handler, code, kind, message) in [
        (
            "app.handler",
            "import nothing_like_it",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nothing_like_it'",
        ),
        (
            "nope.handler",
            "",
            "Runtime.ImportModuleError",
            "Unable to import module 'nope': No module named 'nope'",
        ),
        ("app.gone", "", "Runtime.HandlerNotFound", "Handler 'gone' missing on module 'app'"),
        (
            "app",
            "",
            "Runtime.MalformedHandlerName",
            "Bad handler 'app': not enough values to unpack (expected 2, got 1)",
        ),
        ("app.handler", "1/0", "ZeroDivisionError", "division by zero"),
        (
            "app.handler",
            "def x(:",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': invalid syntax (app.py, line 1)",
        ),
    ] {
        let (mut e, log) = lab.start(lab.function(RUNTIME, handler, &[("app.py", code)])).await;
        assert!(e.init_failure().is_some());
        let o = e.invoke(event("{}")).await;
        let f = failure(&o);
        assert_eq!(
            (f["errorType"].as_str(), f["errorMessage"].as_str()),
            (Some(kind), Some(message))
        );
        let text = log.text().join("\n");
        assert!(
            text.contains("INIT_REPORT Init Duration: ")
                && text.contains(&format!("Phase: init\tStatus: error\tError Type: {kind}")),
            "{text}"
        );
        assert!(
            text.contains(&format!("Phase: invoke\tStatus: error\tError Type: {kind}")),
            "{text}"
        );
    }
}
