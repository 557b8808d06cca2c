//! boto3: each script of `tests/clients` against a cloud of its own.

use anyhow::Result;
use fogbank_testkit::{Cloud, client};

/// A test per script.
macro_rules! scripts {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() -> Result<()> {
            script(stringify!($name))
        })*

        /// A script that no test runs proves nothing.
        #[test]
        fn every_script_has_its_test() -> Result<()> {
            for entry in std::fs::read_dir(fogbank_testkit::root().join("tests/clients"))? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                let Some(name) = name.strip_suffix(".py") else { continue };
                let known = ["common", "jwt_for_tests", "apigateway_common"].contains(&name) $(|| name == stringify!($name))*;
                assert!(known, "tests/clients/{name}.py has no test");
            }
            Ok(())
        }
    };
}

scripts![
    cloudwatch_alarms,
    cloudformation_stacks,
    apigateway,
    apigateway_kept,
    apigateway_lambda,
    apigatewayv2,
    cloudwatch_metrics,
    dynamodb_iam,
    dynamodb_items,
    dynamodb_partiql,
    dynamodb_queries,
    dynamodb_streams,
    dynamodb_tables,
    dynamodb_transactions,
    iam_enforcement,
    iam_resources,
    lambda_events,
    lambda_functions,
    lambda_invoke,
    lambda_urls,
    logs_events,
    logs_insights,
    logs_kept,
    logs_metrics,
    kms,
    refused,
    s3_access,
    s3_checksums,
    s3_conditions,
    s3_encryption,
    s3_listing,
    s3_multipart,
    s3_notifications,
    s3_objects,
    s3_settings,
    s3_signed_urls,
    s3_versions,
    secrets_kept,
    secretsmanager,
    sns_delivery,
    sns_topics,
    sqs_messages,
    sqs_queues,
    ssm,
    stepfunctions_executions,
    stepfunctions_machines,
    sts,
    xray,
];

fn script(name: &str) -> Result<()> {
    let mut cloud = Cloud::start()?;
    if let Some(proved) = client::python(&cloud, name, &[])? {
        eprintln!("{proved}");
        assert!(proved.lines().all(|l| l.starts_with("ok ")), "{proved}");
    }
    assert!(cloud.is_alive(), "the cloud ended");
    Ok(())
}
