//! A Terraform project from beginning to end.

use anyhow::{Result, ensure};
use fogbank_testkit::{Cloud, client};

/// Apply, an empty second plan, changes in place, an empty plan again, destroy. `None` when there is
/// no Terraform here.
pub fn cycle(folder: &str, changes: &[(&str, &str)]) -> Result<Option<Cloud>> {
    let cloud = Cloud::start()?;
    let Some(terraform) = client::terraform(&cloud, folder)? else { return Ok(None) };
    if !terraform.try_run("", &["init", "-input=false", "-no-color"])?.status.success() {
        fogbank_testkit::skip("terraform's AWS provider not found");
        return Ok(None);
    }
    let apply = ["apply", "-auto-approve", "-input=false", "-no-color"];
    terraform.run("", &apply)?;
    let plan = ["plan", "-detailed-exitcode", "-input=false", "-no-color"];
    let empty = || -> Result<()> {
        let out = terraform.try_run("", &plan)?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        ensure!(out.status.code() == Some(0), "the plan is not empty:\n{text}");
        Ok(())
    };
    empty()?;
    let main = terraform.folder.join("main.tf");
    let mut text = std::fs::read_to_string(&main)?;
    for (from, to) in changes {
        ensure!(text.contains(from), "the project has changed: adapt the test ({from})");
        text = text.replace(from, to);
    }
    std::fs::write(&main, text)?;
    let out = terraform.run("", &apply)?;
    ensure!(out.contains("0 added") && out.contains("0 destroyed"), "changed in place:\n{out}");
    empty()?;
    terraform.run("", &["destroy", "-auto-approve", "-input=false", "-no-color"])?;
    Ok(Some(cloud))
}
