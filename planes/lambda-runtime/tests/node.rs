//! Node.js functions, as Lambda runs them.

#[path = "lab/lab.rs"]
mod lab;
use bytes::{Bytes, BytesMut};
use fogbank_lambda_runtime::{LogFormat, Part};
use lab::{Lab, event, failure, result};
use tokio::sync::mpsc;

const RUNTIME: &str = "nodejs22.x";

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_handler_answers() {
    let Some(lab) = Lab::open(RUNTIME) else { return };
    for (handler, file, code, expected) in [
        (
            "index.handler",
            "index.js",
            "exports.handler = async (e) => ({ got: e })",
            r#"{"got":{"a":1}}"#,
        ),
        ("index.handler", "index.mjs", "export const handler = async (e) => e.a + 1", "2"),
        (
            "src/deep/x.api.get",
            "src/deep/x.js",
            "exports.api = { get: (e, c, cb) => setTimeout(() => cb(null, 'late'), 20) }",
            r#""late""#,
        ),
        ("index.handler", "index.js", "exports.handler = () => {}", "null"),
        (
            "index.handler",
            "index.cjs",
            "exports.handler = (e, c) => c.succeed(c.functionName)",
            r#""f""#,
        ),
        ("index.handler", "index.js", "exports.handler = async () => undefined", "null"),
        (
            "index.handler",
            "index.js",
            "let n = 0; exports.handler = async (e, c) => { n++; return [n, c.awsRequestId.length, c.getRemainingTimeInMillis() > 5000, process.env.AWS_EXECUTION_ENV, require('os').hostname()] }",
            r#"[1,36,true,"AWS_Lambda_nodejs22.x","169-254-100-6"]"#,
        ),
    ] {
        let (mut e, log) = lab.start(lab.function(RUNTIME, handler, &[(file, code)])).await;
        let o = e.invoke(event(r#"{"a":1}"#)).await;
        assert_eq!(result(&o).to_string(), expected, "{code} {:?}", log.text());
        result(&e.invoke(event(r#"{"a":1}"#)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_names_and_traces() {
    let Some(lab) = Lab::open(RUNTIME) else { return };
    for (handler, code, kind, message) in [
        (
            "index.handler",
            "exports.handler = async () => { class E extends Error { name = 'Mine' }; throw new E('x') }",
            "Mine",
            "x",
        ),
        ("index.handler", "exports.handler = (e, c, cb) => cb('text')", "string", "text"),
        (
            "index.handler",
            "exports.handler = () => { null.x }",
            "TypeError",
            "Cannot read properties of null (reading 'x')",
        ),
        ("index.gone", "", "Runtime.HandlerNotFound", "index.gone is undefined or not exported"),
        ("index", "", "Runtime.MalformedHandlerName", "Bad handler"),
        (
            "index.handler",
            "exports.handler = (",
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: Unexpected token '}'",
        ),
        (
            "index.handler",
            "require('nothing')",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'nothing'\nRequire stack:\n- /var/task/index.js\n- /var/runtime/index.cjs",
        ),
        (
            "index.handler",
            "exports.handler = () => new Promise(() => { Promise.reject(new Error('lost')) })",
            "Runtime.UnhandledPromiseRejection",
            "Error: lost",
        ),
        (
            "index.handler",
            "exports.handler = async () => process.exit(7)",
            "Runtime.ExitError",
            "RequestId: 8f507cfc-0000-4697-b07a-ac58fc914c95 Error: Runtime exited with error: exit status 7",
        ),
    ] {
        let (mut e, log) = lab.start(lab.function(RUNTIME, handler, &[("index.js", code)])).await;
        let o = e.invoke(event("{}")).await;
        let f = failure(&o);
        assert_eq!(f["errorType"], kind, "{f} {:?}", log.text());
        let told = f["errorMessage"].as_str().unwrap();
        assert!(told.starts_with(message) || kind == "Runtime.UserCodeSyntaxError", "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_writes_records() {
    let Some(lab) = Lab::open(RUNTIME) else { return };
    let code = "exports.handler = async () => { console.log('a\\nb', {x: 1}); console.error(new Error('e').message); process.stdout.write('raw\\n'); }";
    let (mut e, log) =
        lab.start(lab.function(RUNTIME, "index.handler", &[("index.js", code)])).await;
    result(&e.invoke(event("{}")).await);
    let lines = log.function();
    let id = "8f507cfc-0000-4697-b07a-ac58fc914c95";
    assert!(
        lines.iter().any(|l| l.ends_with(&format!("Z\t{id}\tINFO\ta\nb {{ x: 1 }}"))),
        "{lines:?}"
    );
    assert!(lines.iter().any(|l| l.ends_with(&format!("Z\t{id}\tERROR\te"))), "{lines:?}");
    assert!(lines.iter().any(|l| l == "raw"));

    let mut spec = lab.function(RUNTIME, "index.handler", &[("index.js", code)]);
    spec.log_format = LogFormat::Json;
    let (mut e, log) = lab.start(spec).await;
    let mut i = event("{}");
    i.tenant = Some("blue".into());
    result(&e.invoke(i).await);
    let first: serde_json::Value = serde_json::from_str(&log.function()[0]).unwrap();
    assert_eq!(
        (first["level"].as_str(), first["tenantId"].as_str(), first["message"].as_str()),
        (Some("INFO"), Some("blue"), Some("a\nb { x: 1 }"))
    );
}

async fn streamed(
    e: &mut fogbank_lambda_runtime::Environment,
) -> (Vec<Part>, fogbank_lambda_runtime::Outcome) {
    let (send, mut take) = mpsc::channel(4);
    let mut i = event("{}");
    i.streaming = Some(send);
    let parts = tokio::spawn(async move {
        let mut all = vec![];
        while let Some(p) = take.recv().await {
            all.push(p);
        }
        all
    });
    let o = e.invoke(i).await;
    (parts.await.unwrap(), o)
}

fn data(parts: &[Part]) -> Bytes {
    let mut all = BytesMut::new();
    for p in parts {
        if let Part::Data(b) = p {
            all.extend_from_slice(b);
        }
    }
    all.freeze()
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_stream() {
    let Some(lab) = Lab::open(RUNTIME) else { return };
    let code = r#"
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
  for (let i = 0; i < 3; i++) { stream.write('part ' + i + '\n'); await new Promise(r => setTimeout(r, 5)); }
  stream.end();
});
exports.broken = awslambda.streamifyResponse(async (event, stream) => {
  stream.write('half'); await new Promise(r => setTimeout(r, 5)); throw new RangeError('stop');
});
exports.plain = async () => 'plain';
"#;
    let files: &[(&str, &str)] = &[("index.js", code)];
    let (mut e, _) = lab.start(lab.function(RUNTIME, "index.handler", files)).await;
    for _ in 0..2 {
        let (parts, o) = streamed(&mut e).await;
        assert_eq!(
            parts[0],
            Part::Head {
                content_type: "application/vnd.awslambda.http-integration-response".into()
            }
        );
        assert_eq!(
            data(&parts)[..],
            *b"{\"statusCode\":201}\0\0\0\0\0\0\0\0part 0\npart 1\npart 2\n"
        );
        assert_eq!(o.result.unwrap(), Bytes::new());
    }
    // Invoked without streaming, the parts are put together.
    let o = e.invoke(event("{}")).await;
    assert!(o.result.unwrap().ends_with(b"part 2\n"));
    let (mut e, log) = lab.start(lab.function(RUNTIME, "index.broken", files)).await;
    let (parts, o) = streamed(&mut e).await;
    assert_eq!(data(&parts)[..], *b"half");
    assert_eq!(failure(&o)["errorType"], "RangeError", "{:?}", log.text());
    let (mut e, _) = lab.start(lab.function(RUNTIME, "index.plain", files)).await;
    let (parts, _) = streamed(&mut e).await;
    assert_eq!(data(&parts)[..], *b"\"plain\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_is_found_by_both_kinds_of_modules() {
    let Some(lab) = Lab::open(RUNTIME) else { return };
    let package = lab.path().join("cache/sdk/node/node_modules/@aws-sdk/client-x");
    std::fs::create_dir_all(&package).unwrap();
    std::fs::write(package.join("package.json"), r#"{"main":"index.js"}"#).unwrap();
    std::fs::write(package.join("index.js"), "exports.X = 'sdk'").unwrap();
    for (file, code) in [
        ("a.js", "const { X } = require('@aws-sdk/client-x'); exports.handler = async () => X"),
        ("a.mjs", "import { X } from '@aws-sdk/client-x'; export const handler = async () => X"),
    ] {
        let (mut e, log) = lab.start(lab.function(RUNTIME, "a.handler", &[(file, code)])).await;
        let o = e.invoke(event("{}")).await;
        assert_eq!(result(&o), "sdk", "{:?}", log.text());
        assert!(!log.text()[0].contains("without the AWS SDK"));
    }
}
