//! Static websites: a bucket's website configuration, and the server that hosts it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html>

use fogbank_core::{Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::config::{self, BucketInput};
use crate::error::{invalid_argument, invalid_request, malformed_xml, not_configured};

mod answer;
mod host;
mod page;
mod plane;
mod routing;

pub use host::bucket_of_host;
pub use plane::Websites;

pub const OPS: &[Op<S3>] = ops![
    PutBucketWebsite => put_bucket_website [check],
    GetBucketWebsite => get_bucket_website [check],
    DeleteBucketWebsite => delete_bucket_website [check],
];

/// The configuration, as clients send and get it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Website {
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_all_requests_to: Option<RedirectAll>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index_document: Option<IndexDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_document: Option<ErrorDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing_rules: Option<Vec<RoutingRule>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RedirectAll {
    host_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexDocument {
    suffix: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorDocument {
    key: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RoutingRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
    redirect: Redirect,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Condition {
    #[serde(skip_serializing_if = "Option::is_none")]
    http_error_code_returned_equals: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_prefix_equals: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Redirect {
    #[serde(skip_serializing_if = "Option::is_none")]
    host_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_redirect_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replace_key_prefix_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replace_key_with: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketWebsiteInput {
    bucket: String,
    website_configuration: Website,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html>
async fn put_bucket_website(s3: &S3, _: &Cx, input: PutBucketWebsiteInput) -> Result<()> {
    validate(&input.website_configuration)?;
    let value = config::encode(&input.website_configuration)?;
    s3.set_config(&input.bucket, "website", Some(value), |b| {
        b.has.website = true;
        Ok(())
    })
    .await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketWebsite.html>
async fn get_bucket_website(s3: &S3, _: &Cx, input: BucketInput) -> Result<Website> {
    let text = "The specified bucket does not have a website configuration";
    config::load(s3, &input.bucket, "website")
        .await?
        .ok_or_else(|| not_configured("NoSuchWebsiteConfiguration", text, &input.bucket))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketWebsite.html>
async fn delete_bucket_website(s3: &S3, _: &Cx, input: BucketInput) -> Result<()> {
    s3.set_config(&input.bucket, "website", None, |b| {
        b.has.website = false;
        Ok(())
    })
    .await
}

fn validate(w: &Website) -> Result<()> {
    if let Some(all) = &w.redirect_all_requests_to {
        if w.index_document.is_some() || w.error_document.is_some() {
            return Err(invalid_argument(
                "RedirectAllRequestsTo",
                "not null",
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
            ));
        }
        if w.routing_rules.is_some() {
            return Err(invalid_request(
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
            ));
        }
        if all.host_name.is_empty() || all.host_name.contains('/') {
            return Err(invalid_argument(
                "RedirectAllRequestsTo",
                &all.host_name,
                "The RedirectAllRequestsTo HostName is not well formed",
            ));
        }
        return protocol(all.protocol.as_deref());
    }
    let Some(IndexDocument { suffix }) = &w.index_document else {
        return Err(invalid_argument(
            "IndexDocument",
            "null",
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
        ));
    };
    if suffix.is_empty() || suffix.contains('/') {
        let text = "The IndexDocument Suffix is not well formed";
        return Err(invalid_argument("IndexDocument", suffix, text));
    }
    if let Some(ErrorDocument { key }) = w.error_document.as_ref().filter(|e| e.key.is_empty()) {
        let text = "The ErrorDocument Key is not well formed";
        return Err(invalid_argument("ErrorDocument", key, text));
    }
    let rules = w.routing_rules.as_deref().unwrap_or_default();
    if rules.len() > 50 {
        return Err(invalid_request(format!(
            "{} routing rules provided, the number of routing rules in a website configuration is \
             limited to 50.",
            rules.len()
        )));
    }
    rules.iter().try_for_each(routing_rule)
}

fn routing_rule(rule: &RoutingRule) -> Result<()> {
    if let Some(c) = &rule.condition {
        if c.key_prefix_equals.is_none() && c.http_error_code_returned_equals.is_none() {
            return Err(invalid_request(
                "Condition cannot be empty. To redirect all requests without a condition, the \
                 condition element shouldn't be present.",
            ));
        }
        let code = c.http_error_code_returned_equals.as_deref();
        if let Some(code) = code.filter(|c| !status(c).is_some_and(|n| (400..600).contains(&n))) {
            return Err(invalid_request(format!(
                "The provided HTTP error code ({code}) is not valid. Valid codes are 4XX or 5XX."
            )));
        }
    }
    let r = &rule.redirect;
    if *r == Redirect::default() {
        return Err(malformed_xml());
    }
    if r.replace_key_with.is_some() && r.replace_key_prefix_with.is_some() {
        return Err(invalid_request(
            "You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
        ));
    }
    let code = r.http_redirect_code.as_deref();
    if let Some(code) = code.filter(|c| !status(c).is_some_and(|n| (301..400).contains(&n))) {
        return Err(invalid_request(format!(
            "The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300."
        )));
    }
    protocol(r.protocol.as_deref())
}

fn protocol(p: Option<&str>) -> Result<()> {
    match p {
        None | Some("http" | "https") => Ok(()),
        Some(_) => Err(invalid_request(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be \
             selected automatically.",
        )),
    }
}

fn status(code: &str) -> Option<u16> {
    (code.len() == 3).then(|| code.parse().ok()).flatten()
}

#[cfg(test)]
mod hosting_tests;

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration as JSON, and the code of its refusal.
    #[test]
    fn configurations_are_checked() {
        for (json, want) in [
            (r#"{"IndexDocument":{"Suffix":"index.html"}}"#, None),
            (r#"{"RedirectAllRequestsTo":{"HostName":"example.com"}}"#, None),
            ("{}", Some("InvalidArgument")),
            (r#"{"IndexDocument":{"Suffix":""}}"#, Some("InvalidArgument")),
            (r#"{"IndexDocument":{"Suffix":"a/b"}}"#, Some("InvalidArgument")),
            (
                r#"{"IndexDocument":{"Suffix":"a"},"ErrorDocument":{"Key":""}}"#,
                Some("InvalidArgument"),
            ),
            (
                r#"{"RedirectAllRequestsTo":{"HostName":"a","Protocol":"ftp"}}"#,
                Some("InvalidRequest"),
            ),
            (
                r#"{"RedirectAllRequestsTo":{"HostName":"a"},"IndexDocument":{"Suffix":"a"}}"#,
                Some("InvalidArgument"),
            ),
        ] {
            let got = validate(&serde_json::from_str(json).unwrap());
            assert_eq!(got.as_ref().err().map(|e| e.code()), want, "{json}");
        }
        for (rule, ok) in [
            (r#"{"Redirect":{"HostName":"a"}}"#, true),
            (
                r#"{"Condition":{"HttpErrorCodeReturnedEquals":"404"},"Redirect":{"HostName":"a"}}"#,
                true,
            ),
            (
                r#"{"Condition":{"HttpErrorCodeReturnedEquals":"200"},"Redirect":{"HostName":"a"}}"#,
                false,
            ),
            (r#"{"Condition":{},"Redirect":{"HostName":"a"}}"#, false),
            (r#"{"Redirect":{}}"#, false),
            (r#"{"Redirect":{"HttpRedirectCode":"300"}}"#, false),
            (r#"{"Redirect":{"HttpRedirectCode":"+30"}}"#, false),
            (r#"{"Redirect":{"Protocol":"gopher"}}"#, false),
            (r#"{"Redirect":{"ReplaceKeyWith":"a","ReplaceKeyPrefixWith":"b"}}"#, false),
        ] {
            let json = format!(r#"{{"IndexDocument":{{"Suffix":"i"}},"RoutingRules":[{rule}]}}"#);
            assert_eq!(validate(&serde_json::from_str(&json).unwrap()).is_ok(), ok, "{rule}");
        }
    }
}
