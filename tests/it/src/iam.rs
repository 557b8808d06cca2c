//! IAM by Terraform and by the AWS CLI.

use anyhow::{Result, ensure};
use fogbank_testkit::{Cloud, client};

/// Apply, an empty second plan, a change in place, destroy: nothing is left.
#[test]
fn iam_by_terraform() -> Result<()> {
    let cloud = Cloud::start()?;
    let Some(terraform) = client::terraform(&cloud, "tests/terraform/iam")? else { return Ok(()) };
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
        .replace("max_session_duration = 7200", "max_session_duration = 10800")
        .replace("\"Works\"", "\"Works more\"")
        .replace("{ Team = \"red\" }", "{ Team = \"blue\", Size = \"2\" }")
        .replace("sid       = \"Read\"", "sid       = \"ReadAgain\"")
        .replace("minimum_password_length        = 12", "minimum_password_length        = 14");
    ensure!(changed != text, "the project has changed: adapt the test");
    std::fs::write(&main, changed)?;
    let out = terraform.run("", &apply)?;
    ensure!(out.contains("0 added") && out.contains("0 destroyed"), "changed in place:\n{out}");
    empty()?;

    terraform.run("", &["destroy", "-auto-approve", "-input=false", "-no-color"])?;
    let Some(left) = aws(&cloud, &["iam", "get-account-authorization-details"])? else {
        return Ok(());
    };
    for list in ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"] {
        ensure!(left.contains(&format!("\"{list}\": []")), "something is left: {left}");
    }
    Ok(())
}

/// What a person types.
#[test]
fn iam_by_aws_cli() -> Result<()> {
    let cloud = Cloud::start()?;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;
    let create = ["iam", "create-role", "--role-name", "r", "--assume-role-policy-document", trust];
    let Some(made) = aws(&cloud, &create)? else { return Ok(()) };
    ensure!(made.contains("\"Arn\": \"arn:aws:iam::000000000000:role/r\""), "{made}");
    let arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let steps: &[(&[&str], &str)] = &[
        (&["iam", "get-role", "--role-name", "r"], "\"RoleLastUsed\": {}"),
        (&["iam", "attach-role-policy", "--role-name", "r", "--policy-arn", arn], ""),
        (&["iam", "list-attached-role-policies", "--role-name", "r"], "AmazonS3ReadOnlyAccess"),
        (&["iam", "list-entities-for-policy", "--policy-arn", arn], "\"RoleName\": \"r\""),
        (&["iam", "list-policies", "--scope", "AWS", "--max-items", "3"], "NextToken"),
        (
            &[
                "sts",
                "assume-role",
                "--role-arn",
                "arn:aws:iam::000000000000:role/r",
                "--role-session-name",
                "me",
            ],
            "arn:aws:sts::000000000000:assumed-role/r/me",
        ),
        (&["iam", "get-role", "--role-name", "r"], "\"LastUsedDate\""),
        (
            &[
                "iam",
                "simulate-principal-policy",
                "--policy-source-arn",
                "arn:aws:iam::000000000000:role/r",
                "--action-names",
                "s3:PutObject",
                "s3:GetObject",
            ],
            "\"EvalDecision\": \"implicitDeny\"",
        ),
        (&["iam", "get-account-summary"], "\"Roles\": 1"),
        (&["sts", "get-caller-identity"], "\"Arn\": \"arn:aws:iam::000000000000:root\""),
    ];
    for (args, expected) in steps {
        let out = aws(&cloud, args)?.unwrap_or_default();
        ensure!(out.contains(expected), "aws {}: {out}", args.join(" "));
    }
    let error = aws(&cloud, &["iam", "delete-role", "--role-name", "r"]).err();
    let error = error.map(|e| format!("{e:#}")).unwrap_or_default();
    ensure!(error.contains("(DeleteConflict)"), "{error}");
    Ok(())
}

fn aws(cloud: &Cloud, args: &[&str]) -> Result<Option<String>> {
    let Some(mut aws) = client::aws(cloud) else { return Ok(None) };
    client::run(aws.args(args)).map(Some)
}
