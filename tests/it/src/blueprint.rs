//! The blueprints, deployed as a newcomer would: by fogbank, by the AWS CLI, by Terraform; and seen
//! in a browser.

use std::process::Command;

use anyhow::{Result, ensure};
use fogbank_testkit::{Cloud, client, cloud, root};

const SITE: &str = "blueprints/09-static-website";

#[test]
fn static_website_by_fogbank_run() -> Result<()> {
    for name in ["static-website", "09"] {
        let mut command = Command::new(cloud::binary());
        command.args(["run", name, "--once", "--port", "0", "--ephemeral"]);
        let shown = client::run(&mut command)?;
        ensure!(shown.contains("200 text/html") && !shown.contains("FAIL"), "{shown}");
    }
    let mut unknown = Command::new(cloud::binary());
    ensure!(client::run(unknown.args(["run", "no-such-system", "--once"])).is_err());
    Ok(())
}

#[test]
fn tenant_isolation_by_fogbank_run() -> Result<()> {
    let mut command = Command::new(cloud::binary());
    command.args(["run", "tenant-isolation", "--once", "--port", "0", "--ephemeral"]);
    let shown = client::run(&mut command)?;
    ensure!(shown.contains("LEAK") && !shown.contains("FAIL"), "{shown}");
    Ok(())
}

#[test]
fn tenant_isolation_by_boto3() -> Result<()> {
    let cloud = Cloud::start()?;
    let script = "../../blueprints/05-tenant-isolation/leak_test";
    if let Some(shown) = client::python(&cloud, script, &[])? {
        ensure!(
            shown.contains("OK   storm") || shown.contains("OK   no foreign secret"),
            "{shown}"
        );
        ensure!(!shown.contains("FAIL"), "{shown}");
    }
    Ok(())
}

#[test]
fn static_website_by_aws_cli_in_a_browser() -> Result<()> {
    let cloud = Cloud::start()?;
    let Some(aws) = client::aws(&cloud) else { return Ok(()) };
    let mut deploy = Command::new(root().join(SITE).join("deploy.sh"));
    client::settings(&mut deploy, &cloud);
    eprintln!("{}", client::run(deploy.env("AWS", aws.get_program()).arg("browser-site"))?);

    let host = "browser-site.s3-website-us-east-1.amazonaws.com";
    for (path, text) in
        [("/", "Hello from AWS S3!"), ("/about/", "About"), ("/none", "404 from S3")]
    {
        let page = client::chromium(&cloud, host, &format!("http://{host}{path}"))?;
        let Some(page) = page else { return Ok(()) };
        ensure!(page.contains(&format!("<h1>{text}</h1>")), "{path}: {page}");
    }
    Ok(())
}

#[test]
fn aws_cli_syncs_and_removes() -> Result<()> {
    let cloud = Cloud::start()?;
    let aws = |args: &[&str]| -> Result<Option<String>> {
        let Some(mut aws) = client::aws(&cloud) else { return Ok(None) };
        client::run(aws.args(args).current_dir(root().join(SITE))).map(Some)
    };
    if aws(&["s3", "mb", "s3://cli"])?.is_none() {
        return Ok(());
    }
    let first = aws(&["s3", "sync", "site/", "s3://cli/site/", "--no-progress"])?;
    let again = aws(&["s3", "sync", "site/", "s3://cli/site/", "--no-progress"])?;
    ensure!(first.unwrap_or_default().matches("upload:").count() == 4, "first sync");
    ensure!(again.unwrap_or_default().is_empty(), "a second sync has nothing to do");
    let listed = aws(&["s3", "ls", "s3://cli", "--recursive"])?.unwrap_or_default();
    ensure!(listed.contains("site/css/style.css"), "{listed}");
    aws(&["s3", "mv", "s3://cli/site/error.html", "s3://cli/moved.html"])?;
    let shown = aws(&["s3", "cp", "s3://cli/moved.html", "-"])?.unwrap_or_default();
    ensure!(shown.contains("404 from S3"), "{shown}");
    aws(&["s3", "rb", "s3://cli", "--force"])?;
    let buckets = aws(&["s3api", "list-buckets", "--query", "Buckets[].Name", "--output", "text"])?;
    ensure!(buckets.unwrap_or_default().trim().is_empty(), "the bucket is gone");
    Ok(())
}

/// Apply, an empty second plan, destroy.
#[test]
fn static_website_by_terraform() -> Result<()> {
    let cloud = Cloud::start()?;
    let Some(terraform) = client::terraform(&cloud, SITE)? else { return Ok(()) };
    let init = terraform.try_run("terraform", &["init", "-input=false", "-no-color"])?;
    if !init.status.success() {
        fogbank_testkit::skip("terraform's AWS provider not found");
        return Ok(());
    }
    let apply = ["apply", "-auto-approve", "-input=false", "-no-color"];
    terraform.run("terraform", &apply)?;
    let plan = ["plan", "-detailed-exitcode", "-input=false", "-no-color"];
    let second = terraform.try_run("terraform", &plan)?;
    let text = String::from_utf8_lossy(&second.stdout).into_owned();
    ensure!(second.status.code() == Some(0), "the second plan is not empty:\n{text}");

    let host = terraform.run("terraform", &["output", "-raw", "website_endpoint"])?;
    let page = cloud.connect()?.get(host.trim(), "/")?;
    ensure!(page.status == 200 && page.text().contains("Hello from AWS S3!"), "{host}: {page:?}");
    let missing = cloud.connect()?.get(host.trim(), "/none")?;
    ensure!(missing.status == 404 && missing.text().contains("404 from S3"), "{missing:?}");
    terraform.run("terraform", &["destroy", "-auto-approve", "-input=false", "-no-color"])?;
    let gone = cloud.connect()?.get(host.trim(), "/")?;
    ensure!(gone.status == 404 && gone.text().contains("NoSuchBucket"), "{gone:?}");
    Ok(())
}
