//! SQS and SNS by Terraform.

use anyhow::{Result, ensure};
use fogbank_testkit::{Cloud, client};

/// Apply, an empty second plan, a change in place, destroy. One test for both: the provider waits
/// half a minute for a queue's attributes to have reached all of AWS.
#[test]
fn queues_and_topics_by_terraform() -> Result<()> {
    let cloud = Cloud::start()?;
    let Some(terraform) = client::terraform(&cloud, "tests/terraform/messaging")? else {
        return Ok(());
    };
    if !terraform.try_run("", &["init", "-input=false", "-no-color"])?.status.success() {
        fogbank_testkit::skip("terraform's AWS provider not found");
        return Ok(());
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
    let text = std::fs::read_to_string(&main)?;
    let changed = text
        .replace("display_name = \"News\"", "display_name = \"More news\"")
        .replace("[\"order\"]", "[\"order\", \"refund\"]")
        .replace("{ Team = \"red\" }", "{ Team = \"blue\", Size = \"2\" }");
    ensure!(changed != text, "the project has changed: adapt the test");
    std::fs::write(&main, changed)?;
    let out = terraform.run("", &apply)?;
    ensure!(out.contains("0 added") && out.contains("0 destroyed"), "changed in place:\n{out}");
    empty()?;
    terraform.run("", &["destroy", "-auto-approve", "-input=false", "-no-color"])?;
    Ok(())
}
