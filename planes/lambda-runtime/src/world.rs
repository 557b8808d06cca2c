//! What a function finds around it: files, ports, limits and variables, as on Lambda.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fogbank_sandbox::{Bind, Layout, Limits, Port, base};
use parking_lot::Mutex;

use crate::runtimes::{Interpreter, Language};
use crate::{Credentials, LogFormat, Spec};

/// Where the Runtime API listens inside.
pub const API_PORT: u16 = 9001;
/// Where the X-Ray daemon would.
pub const XRAY_PORT: u16 = 2000;
/// The thousandths of a processor that a megabyte of memory brings: 1,769 MB are one.
const MB_PER_CPU: u32 = 1769;
/// As on Lambda, for processes and threads together.
const PROCESSES: u32 = 1024;

pub const CA_BUNDLE: &str = "/etc/pki/tls/certs/ca-bundle.crt";
const OUR_CA: &str = "/var/runtime/ca-cert.pem";

/// Where the pieces of the machine's own trust may be.
const SYSTEM_CAS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The runtimes of ours, in the folder of their language.
const FILES: [(&str, &str); 3] = [
    ("python/bootstrap.py", include_str!("../assets/python/bootstrap.py")),
    (PYTHON, include_str!("../assets/python/fogbank_runtime.py")),
    ("node/index.cjs", include_str!("../assets/node/index.cjs")),
];
const PYTHON: &str = "python/fogbank_runtime.py";

/// Files that all environments share, laid out in a folder of our own.
#[derive(Debug)]
pub struct Assets {
    folder: PathBuf,
    /// The interpreters that have compiled it.
    compiled: Mutex<HashSet<PathBuf>>,
}

impl Assets {
    /// Writes them.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(scratch: &Path, ca_pem: &str) -> io::Result<Assets> {
        let folder = scratch.join("assets");
        for (name, text) in FILES {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            fs::write(&path, text)?;
            fs::write(path.with_file_name("ca-cert.pem"), ca_pem)?;
        }
        fs::create_dir_all(folder.join("provided"))?;
        fs::write(folder.join("provided/ca-cert.pem"), ca_pem)?;
        let system = SYSTEM_CAS.iter().find_map(|p| fs::read_to_string(p).ok());
        fs::write(
            folder.join("ca-bundle.pem"),
            format!("{}\n{ca_pem}", system.unwrap_or_default()),
        )?;
        Ok(Assets { folder: folder.canonicalize()?, compiled: Mutex::default() })
    }

    /// Has an interpreter compile our runtime once, rather than at each cold start. It runs without
    /// that too.
    pub fn compile(&self, i: &Interpreter) {
        if i.language != Language::Python || !self.compiled.lock().insert(i.program.clone()) {
            return;
        }
        let code = "import py_compile, sys; py_compile.compile(sys.argv[1], \
                    dfile='/var/runtime/fogbank_runtime.py', doraise=True, \
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)";
        let done = std::process::Command::new(&i.program)
            .args(["-I", "-c", code])
            .arg(self.folder.join(PYTHON))
            .output();
        match done {
            Ok(o) if o.status.success() => {}
            Ok(o) => tracing::debug!("no bytecode: {}", String::from_utf8_lossy(&o.stderr)),
            Err(e) => tracing::debug!("no bytecode: {e}"),
        }
    }

    /// The CAs that environments trust.
    pub fn bundle(&self) -> PathBuf {
        self.folder.join("ca-bundle.pem")
    }

    /// Our own part of `/var/runtime`.
    pub fn runtime(&self, language: Language) -> PathBuf {
        self.folder.join(match language {
            Language::Python => "python",
            Language::Node => "node",
            Language::Provided => "provided",
        })
    }
}

/// The sandbox of an environment.
pub fn layout(spec: &Spec, interpreter: &Interpreter, assets: &Assets) -> Layout {
    let (mut binds, mut links) = base();
    binds.push(Bind::read_only(&spec.code, "/var/task"));
    binds.push(Bind::read_only(assets.runtime(interpreter.language), "/var/runtime"));
    let bundle = assets.bundle();
    for place in [CA_BUNDLE, "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"] {
        binds.push(Bind::read_only(&bundle, place));
    }
    match &interpreter.prefix {
        Some(prefix) => binds.push(Bind::read_only(prefix, "/var/lang")),
        None if interpreter.language != Language::Provided => {
            let inside = inside(interpreter);
            links.push((interpreter.program.clone(), inside));
        }
        None => {}
    }
    if let Some(sdk) = &interpreter.sdk {
        binds.push(Bind::read_only(sdk, "/var/sdk"));
        if interpreter.language == Language::Node {
            // An ES module's imports are looked for in the folders above it, and only there.
            links.push(("/var/sdk/node_modules".into(), "/var/node_modules".into()));
        }
    }
    for m in &spec.mounts {
        binds.push(Bind { writable: !m.read_only, ..Bind::read_only(&m.source, &m.target) });
    }
    // The first of the list lies on top; of Lambda's layers, the last.
    let layers = spec.layers.iter().rev().cloned().collect();
    let scratch = vec![("/tmp".into(), u64::from(spec.tmp_mb) << 20)];
    let mut ports: Vec<Port> = [443, 80, 4566, API_PORT, 53].map(Port::Tcp).into();
    ports.extend([53, XRAY_PORT].map(Port::Udp));
    Layout {
        hostname: "169-254-100-6".into(),
        binds,
        merged: vec![(layers, "/opt".into())],
        files: etc(),
        links,
        scratch,
        ports,
        limits: limits(spec),
    }
}

/// Memory in full, and the processor's share that goes with it.
pub fn limits(spec: &Spec) -> Limits {
    Limits {
        memory: u64::from(spec.memory_mb) << 20,
        cpu_millis: (spec.memory_mb * 1000 / MB_PER_CPU).max(1),
        processes: PROCESSES,
    }
}

fn etc() -> Vec<(PathBuf, Vec<u8>)> {
    [
        ("/etc/hosts", "127.0.0.1 localhost\n127.0.0.1 sandbox.localdomain sandbox\n"),
        ("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n"),
        ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
        ("/etc/hostname", "169-254-100-6\n"),
        (
            "/etc/os-release",
            "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\n\
             VERSION_ID=\"2023\"\nPRETTY_NAME=\"Amazon Linux 2023 (by fogbank)\"\n",
        ),
    ]
    .map(|(path, text)| (path.into(), text.into()))
    .into()
}

/// The interpreter's path inside.
pub fn inside(i: &Interpreter) -> PathBuf {
    let name = i.program.file_name().unwrap_or_default();
    Path::new("/var/lang/bin").join(name)
}

/// The command that starts the runtime, and the names where a `bootstrap` is looked for.
///
/// # Errors
/// The function has no `bootstrap`; what is missing.
pub fn command(spec: &Spec, i: &Interpreter) -> Result<Vec<OsString>, String> {
    let mut command: Vec<OsString> = match i.language {
        Language::Python => {
            // Without the machine's own packages, which no function has on Lambda.
            ["-u", "-S", "-X", "utf8", "/var/runtime/bootstrap.py"].map(Into::into).into()
        }
        Language::Node => {
            // As AWS has it: what the memory allows, less what is no heap.
            let heap = (u64::from(spec.memory_mb) * 9 / 10).max(64);
            vec![
                inside(i).into(),
                format!("--max-old-space-size={heap}").into(),
                "/var/runtime/index.cjs".into(),
            ]
        }
        Language::Provided => {
            let found = std::iter::once((&spec.code, "/var/task/bootstrap"))
                .chain(spec.layers.iter().rev().map(|l| (l, "/opt/bootstrap")))
                .find(|(folder, _)| folder.join("bootstrap").is_file());
            let Some((_, inside)) = found else {
                return Err("Couldn't find valid bootstrap(s): \
                            [/var/task/bootstrap /opt/bootstrap]"
                    .to_owned());
            };
            return Ok(vec![inside.into()]);
        }
    };
    if i.language == Language::Python {
        command.insert(0, inside(i).into());
    }
    // A script that starts the runtime in its own way.
    if let Some((_, wrapper)) =
        spec.environment.iter().find(|(n, v)| n == "AWS_LAMBDA_EXEC_WRAPPER" && !v.is_empty())
    {
        command.insert(0, wrapper.into());
    }
    Ok(command)
}

/// Every variable of the runtime's process. The function's own come last and win, except those
/// that Lambda reserves, which the service has refused already.
pub fn variables(
    spec: &Spec,
    i: &Interpreter,
    c: &Credentials,
    api: &str,
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::with_capacity(48 + spec.environment.len());
    let mut set = |name: &str, value: &str| all.push((name.to_owned(), value.to_owned()));
    set("AWS_ACCESS_KEY_ID", &c.access_key);
    set("AWS_SECRET_ACCESS_KEY", &c.secret);
    set("AWS_SESSION_TOKEN", &c.token);
    set("AWS_REGION", &spec.region);
    set("AWS_DEFAULT_REGION", &spec.region);
    set("AWS_LAMBDA_RUNTIME_API", api);
    set("AWS_LAMBDA_FUNCTION_NAME", &spec.function_name);
    set("AWS_LAMBDA_FUNCTION_VERSION", &spec.version);
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &spec.memory_mb.to_string());
    set("AWS_LAMBDA_LOG_GROUP_NAME", &spec.log_group);
    set("AWS_LAMBDA_LOG_STREAM_NAME", &spec.log_stream);
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    match spec.log_format {
        LogFormat::Text => set("AWS_LAMBDA_LOG_FORMAT", "Text"),
        LogFormat::Json => {
            set("AWS_LAMBDA_LOG_FORMAT", "JSON");
            set("AWS_LAMBDA_LOG_LEVEL", spec.app_log_level.name());
        }
    }
    set("_HANDLER", &spec.handler);
    set("LAMBDA_TASK_ROOT", "/var/task");
    set("LAMBDA_RUNTIME_DIR", "/var/runtime");
    set("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
    set("AWS_XRAY_DAEMON_ADDRESS", &format!("127.0.0.1:{XRAY_PORT}"));
    set("_AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1");
    set("_AWS_XRAY_DAEMON_PORT", &XRAY_PORT.to_string());
    set("LANG", "en_US.UTF-8");
    set("TZ", ":UTC");
    set("PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin");
    set(
        "LD_LIBRARY_PATH",
        "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:\
         /opt/lib",
    );
    for name in ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"] {
        set(name, CA_BUNDLE);
    }
    let major = i.version.split('.').next().unwrap_or_default();
    match i.language {
        Language::Python => {
            set("PYTHONPATH", "/var/runtime");
            set("_LAMBDA_TELEMETRY_LOG_FD", "3");
        }
        Language::Node => {
            set("NODE_EXTRA_CA_CERTS", OUR_CA);
            set(
                "NODE_PATH",
                &format!(
                    "/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:\
                     /var/sdk/node_modules:/var/runtime/node_modules:/var/runtime:/var/task"
                ),
            );
            set("_LAMBDA_TELEMETRY_LOG_FD", "3");
        }
        Language::Provided => set("NODE_EXTRA_CA_CERTS", OUR_CA),
    }
    if i.language != Language::Provided {
        set("AWS_EXECUTION_ENV", &format!("AWS_Lambda_{}", spec.runtime));
    }
    for (name, value) in &spec.environment {
        all.retain(|(n, _)| n != name);
        all.push((name.clone(), value.clone()));
    }
    all
}

/// The programs below `/opt/extensions`, each run as an extension of its file's name.
pub fn extensions(spec: &Spec) -> Vec<String> {
    let mut names = Vec::new();
    for layer in &spec.layers {
        for entry in fs::read_dir(layer.join("extensions")).into_iter().flatten().flatten() {
            if let Ok(name) = entry.file_name().into_string()
                && entry.path().is_file()
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
    }
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::spec;

    fn python() -> Interpreter {
        Interpreter {
            language: Language::Python,
            program: "/opt/py/bin/python3.13".into(),
            version: "3.13.0".into(),
            prefix: Some("/opt/py".into()),
            sdk: None,
            exact: true,
        }
    }

    #[test]
    fn the_function_has_the_last_word_on_its_variables() {
        let c = Credentials {
            access_key: "AK".into(),
            secret: "S".into(),
            token: "T".into(),
            expires: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut spec = spec();
        spec.environment = vec![("TZ".into(), "Europe/Zurich".into()), ("X".into(), "1".into())];
        let all = variables(&spec, &python(), &c, "127.0.0.1:9001");
        let get = |n: &str| {
            let v: Vec<_> = all.iter().filter(|(k, _)| k == n).map(|(_, v)| v.as_str()).collect();
            v.join("|")
        };
        assert_eq!(get("TZ"), "Europe/Zurich");
        assert_eq!(get("X"), "1");
        assert_eq!(get("AWS_EXECUTION_ENV"), "AWS_Lambda_python3.13");
        assert_eq!(get("_HANDLER"), "app.handler");
        assert!(!all.iter().any(|(n, _)| n.starts_with("AWS_ENDPOINT_URL")));
    }

    #[test]
    fn a_wrapper_goes_before_the_runtime() {
        let mut spec = spec();
        spec.environment = vec![("AWS_LAMBDA_EXEC_WRAPPER".into(), "/opt/wrap".into())];
        let words = command(&spec, &python()).unwrap();
        assert_eq!(words[0], "/opt/wrap");
        assert_eq!(words[1], "/var/lang/bin/python3.13");
    }

    #[test]
    fn the_processor_goes_with_the_memory() {
        let mut spec = spec();
        for (memory_mb, cpu_millis) in [(128, 72), (1769, 1000), (10240, 5788)] {
            spec.memory_mb = memory_mb;
            assert_eq!(limits(&spec).cpu_millis, cpu_millis);
        }
    }
}
