//! Logs, metrics and traces: by Terraform, after kill -9, and in large numbers.

use anyhow::{Result, ensure};
use fogbank_testkit::client;
use fogbank_testkit::cloud::Options;

use crate::terraform;

#[test]
fn observability_by_terraform() -> Result<()> {
    let changes = [
        ("retention_in_days = 14", "retention_in_days = 30"),
        ("{ Team = \"red\" }", "{ Team = \"blue\", Size = \"2\" }"),
        ("?ERROR ?FATAL", "ERROR"),
        ("threshold           = 5\n", "threshold           = 6\n"),
        ("markdown = \"first\"", "markdown = \"second\""),
        ("fixed_rate     = 0.5", "fixed_rate     = 0.25"),
        ("fault = true", "error = true"),
    ];
    terraform::cycle("tests/terraform/observability", &changes).map(drop)
}

/// Events, metrics, alarms and traces that were acknowledged are there after kill -9, and what was
/// under way goes on.
#[test]
fn observability_survives_kill9() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let options = Options::durable(folder.path());
    for phase in ["write", "read", "read"] {
        let cloud = options.start()?;
        let Some(proved) = client::python(&cloud, "logs_kept", &[phase])? else { return Ok(()) };
        ensure!(proved.lines().all(|l| l.starts_with("ok ")), "{proved}");
        cloud.kill()?;
    }
    Ok(())
}
