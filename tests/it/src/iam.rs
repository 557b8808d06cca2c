//! IAM by Terraform and by the AWS CLI.

use anyhow::{Result, ensure};
use fogbank_testkit::{Cloud, client};

use crate::terraform;

/// Apply, an empty second plan, a change in place, destroy: nothing is left.
#[test]
fn iam_by_terraform() -> Result<()> {
    let changes = [
        ("max_session_duration = 7200", "max_session_duration = 10800"),
        ("\"Works\"", "\"Works more\""),
        ("{ Team = \"red\" }", "{ Team = \"blue\", Size = \"2\" }"),
        ("sid       = \"Read\"", "sid       = \"ReadAgain\""),
        ("minimum_password_length        = 12", "minimum_password_length        = 14"),
    ];
    let Some(cloud) = terraform::cycle("tests/terraform/iam", &changes)? else { return Ok(()) };
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
