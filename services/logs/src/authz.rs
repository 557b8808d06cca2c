//! What must be allowed before an operation runs.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html>
//!
//! AWS asks about a group as `…:log-group:NAME:log-stream:`, which is why policies name groups with
//! `:*` behind them; the tag operations ask about `…:log-group:NAME`.

use fogbank_core::{Check, Cx, Kind, Result, Value};

use crate::{Logs, resource_policy};

type Checks = Result<Vec<Check>>;

/// A group by `logGroupName`, `logGroupIdentifier` or `resourceIdentifier`.
pub async fn group(logs: &Logs, cx: &Cx, input: &Value) -> Checks {
    on(logs, cx, format!("{}:log-stream:", arn(cx, named(input)))).await
}

/// A stream of a group.
pub async fn stream(logs: &Logs, cx: &Cx, input: &Value) -> Checks {
    let stream = input.str("logStreamName").unwrap_or("*");
    on(logs, cx, format!("{}:log-stream:{stream}", arn(cx, named(input)))).await
}

/// All groups.
pub async fn groups(logs: &Logs, cx: &Cx, _: &Value) -> Checks {
    on(logs, cx, format!("{}:log-stream:", arn(cx, ""))).await
}

/// A new group, with the tags it comes with.
pub async fn create_group(logs: &Logs, cx: &Cx, input: &Value) -> Checks {
    let mut checks = group(logs, cx, input).await?;
    if let Some(Value::Map(tags)) = input.get("tags") {
        // Tags at creation need the permission to tag, as on AWS.
        checks.push(Check::new("logs:TagResource", arn(cx, named(input))));
        let tags = || tags.iter().map(|(k, v)| (&**k, v.as_str()));
        checks = checks.into_iter().map(|c| with_tags(c, tags())).collect();
    }
    Ok(checks)
}

/// A group as the tag operations name it.
pub async fn tagged(_: &Logs, cx: &Cx, input: &Value) -> Checks {
    let resource = match input.str("resourceArn") {
        Some(given) => given.strip_suffix(":*").unwrap_or(given).to_owned(),
        None => arn(cx, named(input)),
    };
    let check = Check::new(action(cx), resource);
    let keys = input.get("tagKeys").or_else(|| input.get("tags"));
    Ok(vec![match keys {
        Some(Value::Map(tags)) => with_tags(check, tags.iter().map(|(k, v)| (&**k, v.as_str()))),
        Some(Value::List(keys)) => {
            with_tags(check, keys.iter().filter_map(|k| Some((k.as_str()?, None))))
        }
        _ => check,
    }])
}

fn with_tags<'a>(
    mut check: Check,
    tags: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Check {
    let mut keys = Vec::new();
    for (key, value) in tags {
        keys.push(key.to_owned());
        if let Some(value) = value {
            check = check.with(format!("aws:RequestTag/{key}"), value);
        }
    }
    check.context.push(("aws:TagKeys".into(), keys));
    check
}

async fn on(logs: &Logs, cx: &Cx, resource: String) -> Checks {
    let mut check = Check::new(action(cx), resource);
    // AWS services write by the region's resource policies; nobody else is let in by them here.
    if cx.principal.kind == Kind::Service {
        check.resource_policy = resource_policy::merged(logs, cx).await?.map(Into::into);
    }
    Ok(vec![check])
}

fn action(cx: &Cx) -> String {
    format!("logs:{}", cx.operation)
}

/// The group's name in an input that names one in some way; `*` where there is none.
fn named(input: &Value) -> &str {
    let given = ["logGroupName", "logGroupIdentifier", "resourceIdentifier"]
        .iter()
        .find_map(|m| input.str(m))
        .unwrap_or("*");
    name_of(given)
}

/// The name in a group's name or ARN.
pub fn name_of(given: &str) -> &str {
    let Some(arn) = fogbank_core::Arn::parse(given) else { return given };
    let name = arn.resource.strip_prefix("log-group:").unwrap_or(arn.resource);
    name.split(':').next().unwrap_or(name)
}

/// A group's ARN, without `:*`.
pub fn arn(cx: &Cx, name: &str) -> String {
    cx.arn("logs", &format!("log-group:{name}"))
}
