//! Checks of the clients on this machine: which ones, and what is known to go wrong with them.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use super::{Finding, Patient};

/// A client that takes longer to say its version is left alone.
const PATIENCE: Duration = Duration::from_secs(15);

/// The variables that would lead a client elsewhere.
pub fn settings(p: &Patient) -> Vec<Finding> {
    let mut found = Vec::new();
    match std::env::var("AWS_ENDPOINT_URL") {
        Ok(url) if url.starts_with("http://localhost") => found.push(Finding::trap(
            format!("AWS_ENDPOINT_URL is {url}"),
            "Terraform and the JavaScript SDK put the bucket before that name; use \
             http://127.0.0.1",
        )),
        Ok(url) if url.trim_end_matches('/') != p.instance.endpoint() => found.push(Finding::trap(
            format!("AWS_ENDPOINT_URL is {url}, not {}", p.instance.endpoint()),
            "`eval \"$(fogbank env)\"` sets it",
        )),
        Ok(url) => found.push(Finding::good(format!("AWS_ENDPOINT_URL is {url}"))),
        Err(_) if std::env::var_os("FOGBANK_SHELL").is_some() => {
            found.push(Finding::good("in a `fogbank shell`: the real names lead to the cloud"));
        }
        Err(_) => found.push(Finding::trap(
            "AWS_ENDPOINT_URL is not set, so tools go to the real AWS",
            "`eval \"$(fogbank env)\"`, or `fogbank shell`",
        )),
    }
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("AWS_ENDPOINT_URL_") {
            found.push(Finding::trap(
                format!("{name} is set and wins over AWS_ENDPOINT_URL"),
                "unset it unless it is meant",
            ));
        }
    }
    found
}

/// The AWS CLI.
pub fn aws(_: &Patient) -> Vec<Finding> {
    let Some(said) = says("aws", &["--version"]) else { return Vec::new() };
    let version = said.split(['/', ' ']).nth(1).unwrap_or("?").to_owned();
    let mut found = vec![Finding::good(format!("AWS CLI {version}"))];
    if version.starts_with("1.") {
        found.push(Finding::trap(
            "AWS CLI 1 ignores AWS_ENDPOINT_URL for rds, docdb and neptune in us-east-1",
            "give --endpoint-url, or use `fogbank shell`",
        ));
    }
    if std::env::var_os("FOGBANK_SHELL").is_none() {
        found.push(Finding::trap(
            "some operations put a prefix before the host (s3control, `stepfunctions \
             start-sync-execution`, `logs start-live-tail`), which no address can have",
            "use `fogbank shell` for those",
        ));
    }
    found
}

/// Terraform and OpenTofu.
pub fn terraform(_: &Patient) -> Vec<Finding> {
    let first = |said: String| said.lines().next().unwrap_or_default().to_owned();
    ["terraform", "tofu"]
        .iter()
        .filter_map(|name| says(name, &["version"]))
        .map(|said| Finding::good(first(said)))
        .collect()
}

/// The CDK, and the account ids it remembers.
pub fn cdk(_: &Patient) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(said) = says("cdk", &["--version"]) {
        found.push(Finding::good(format!("CDK {}", said.trim())));
    }
    let home = std::env::var_os("CDK_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cdk")));
    let Some(cache) = home.map(|h| h.join("cache/accounts_partitions.json")) else { return found };
    let known: Value =
        fs::read(&cache).ok().and_then(|t| serde_json::from_slice(&t).ok()).unwrap_or_default();
    let account = known.pointer("/test/accountId").and_then(Value::as_str);
    if let Some(account) = account.filter(|a| *a != "000000000000") {
        found.push(Finding::trap(
            format!("CDK remembers that the key `test` is of account {account}"),
            format!("remove {}", cache.display()),
        ));
    }
    found
}

/// What a program prints; `None` when it is not there, fails or takes too long.
fn says(program: &str, args: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(args)
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut output = child.stdout.take()?;
    let (say, hear) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = say.send(output.read_to_string(&mut text).map(|_| text));
    });
    let said = hear.recv_timeout(PATIENCE);
    if said.is_err() {
        let _ = child.kill();
    }
    let done = child.wait().is_ok_and(|status| status.success());
    said.ok()?.ok().filter(|s| done && !s.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn only_programs_that_answer_are_heard() {
        assert_eq!(says("echo", &["hi"]).as_deref(), Some("hi\n"));
        assert_eq!(says("false", &[]), None);
        assert_eq!(says("no-such-program-here", &[]), None);
    }
}
