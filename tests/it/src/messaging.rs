//! SQS and SNS by Terraform.

use anyhow::Result;

use crate::terraform;

/// One test for both: the provider waits half a minute for a queue's attributes to have reached all
/// of AWS.
#[test]
fn queues_and_topics_by_terraform() -> Result<()> {
    let changes = [
        ("display_name = \"News\"", "display_name = \"More news\""),
        ("[\"order\"]", "[\"order\", \"refund\"]"),
        ("{ Team = \"red\" }", "{ Team = \"blue\", Size = \"2\" }"),
    ];
    terraform::cycle("tests/terraform/messaging", &changes)?;
    Ok(())
}
