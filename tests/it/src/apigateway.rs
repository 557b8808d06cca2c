//! APIs: by Terraform, and through kill -9.

use anyhow::Result;
use fogbank_testkit::client;
use fogbank_testkit::cloud::Options;

use crate::terraform;

#[test]
fn apis_by_terraform() -> Result<()> {
    let changes = [
        ("description   = \"first\"", "description   = \"second\""),
        ("description        = \"first\"", "description        = \"second\""),
        ("allow_methods = [\"GET\"]", "allow_methods = [\"GET\", \"POST\"]"),
        ("\"append:querystring.c\" = \"d\"", "\"append:querystring.e\" = \"f\""),
        ("throttling_burst_limit = 10", "throttling_burst_limit = 11"),
        ("stage_variables = { v = \"1\" }", "stage_variables = { w = \"2\" }"),
        ("[\"image/png\"]", "[\"image/jpeg\", \"image/gif\"]"),
        ("variables     = { v = \"1\" }", "variables     = { w = \"2\" }"),
        ("logging_level          = \"ERROR\"", "logging_level          = \"OFF\""),
        ("limit  = 100", "limit  = 200"),
        ("{ Part = \"rest\" }", "{ Part = \"other\" }"),
    ];
    terraform::cycle("tests/terraform/apigateway", &changes).map(drop)
}

/// What was acknowledged is served in the next life.
#[test]
fn apis_survive_kill9() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let options = Options::durable(folder.path());
    for phase in ["write", "read", "read"] {
        let cloud = options.start()?;
        if client::python(&cloud, "apigateway_kept", &[phase])?.is_none() {
            return Ok(());
        }
        cloud.kill()?;
    }
    Ok(())
}
