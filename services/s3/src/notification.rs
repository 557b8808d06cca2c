//! Event notifications: what a bucket tells EventBridge about its objects.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html>

use fogbank_core::{Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::config::BucketInput;
use crate::error::invalid_argument;

pub const OPS: &[Op<S3>] = ops![
    PutBucketNotificationConfiguration => put_bucket_notification_configuration [check],
    GetBucketNotificationConfiguration => get_bucket_notification_configuration [check],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketNotificationConfigurationInput {
    bucket: String,
    notification_configuration: Configuration,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    #[serde(default)]
    topic_configurations: Vec<Destination>,
    #[serde(default)]
    queue_configurations: Vec<Destination>,
    #[serde(default)]
    lambda_function_configurations: Vec<Destination>,
    event_bridge_configuration: Option<Empty>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    #[serde(default)]
    events: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Empty {}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>
async fn put_bucket_notification_configuration(
    s3: &S3,
    cx: &Cx,
    input: PutBucketNotificationConfigurationInput,
) -> Result<()> {
    let c = input.notification_configuration;
    for (list, member) in [
        (&c.topic_configurations, "TopicConfigurations"),
        (&c.queue_configurations, "QueueConfigurations"),
        (&c.lambda_function_configurations, "LambdaFunctionConfigurations"),
    ] {
        if let Some(e) = list.iter().flat_map(|d| &d.events).find(|e| !is_event(e)) {
            let text = "The event is not supported for notifications";
            return Err(invalid_argument("Event", e, text));
        }
        if !list.is_empty() {
            return Err(cx.refuse_member(member));
        }
    }
    s3.edit_bucket(&input.bucket, |b| {
        b.has.notification = c.event_bridge_configuration.is_some();
        Ok(())
    })
    .await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetBucketNotificationConfigurationOutput {
    event_bridge_configuration: Option<Empty>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html>
async fn get_bucket_notification_configuration(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<GetBucketNotificationConfigurationOutput> {
    let on = s3.bucket(&input.bucket).await?.has.notification;
    Ok(GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: on.then_some(Empty {}),
    })
}

fn is_event(name: &str) -> bool {
    const FAMILIES: [&str; 9] = [
        "s3:ObjectCreated:",
        "s3:ObjectRemoved:",
        "s3:ObjectRestore:",
        "s3:Replication:",
        "s3:LifecycleExpiration:",
        "s3:ObjectTagging:",
        "s3:ObjectAcl:Put",
        "s3:LifecycleTransition",
        "s3:ReducedRedundancyLostObject",
    ];
    name == "s3:IntelligentTiering" || FAMILIES.iter().any(|f| name.starts_with(f))
}
