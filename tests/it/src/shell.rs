//! `fogbank shell`: the real AWS names lead to the cloud, and nothing is configured.

use std::process::Command;

use anyhow::{Result, ensure};
use fogbank_testkit::http::Request;
use fogbank_testkit::{Cloud, client, cloud};

#[test]
fn plain_aws_s3_ls_in_a_fogbank_shell() -> Result<()> {
    let cloud = Cloud::start()?;
    let Some(bin) = client::venv() else { return Ok(()) };
    cloud.connect()?.send(&Request::s3("PUT", "/seen-in-a-shell", b""))?;
    let port = cloud.address().port().to_string();
    let shell = |command: &[&str]| -> Result<String> {
        let mut shell = Command::new(cloud::binary());
        client::clean(&mut shell);
        client::run(shell.args(["shell", "--port", &port, "--"]).args(command))
    };
    let aws = bin.join("aws").to_string_lossy().into_owned();
    let listed = shell(&[&aws, "s3", "ls"])?;
    ensure!(listed.contains("seen-in-a-shell"), "{listed}");
    // A bucket's own host name, over TLS that the shell trusts.
    shell(&[&aws, "s3", "cp", "/etc/hostname", "s3://seen-in-a-shell/dir/a"])?;
    let listed = shell(&[&aws, "s3", "ls", "s3://seen-in-a-shell/dir/"])?;
    ensure!(listed.contains(" a"), "{listed}");
    let code = Command::new(cloud::binary())
        .args(["shell", "--port", &port, "--", "sh", "-c", "exit 7"])
        .status()?;
    ensure!(code.code() == Some(7), "the command's own exit code, not {code}");
    Ok(())
}
