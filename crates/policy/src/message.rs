//! AWS's sentence for a refusal.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>

use std::fmt::Write;

use fogbank_core::Kind;

use crate::decide::{Decision, Request, Source};

impl Decision {
    /// Why the request was refused, as AWS says it. S3 keeps quiet towards strangers.
    #[must_use]
    pub fn message(&self, request: &Request<'_>) -> String {
        let caller = request.context.principal;
        let Request { action, resource, resource_account, .. } = *request;
        let s3 = action.len() > 3 && action[..3].eq_ignore_ascii_case("s3:");
        let foreign = !resource_account.is_empty() && resource_account != caller.account;
        if s3 && (foreign || caller.kind == Kind::Anonymous) {
            return "Access Denied".into();
        }
        let mut m = format!("User: {} is not authorized to perform: {action}", caller.arn);
        let quote = if s3 { "\"" } else { "" };
        let _ = write!(m, " on resource: {quote}{resource}{quote}");
        let trust = action.len() > 4 && action[..4].eq_ignore_ascii_case("sts:");
        let _ = match (self.explicit, self.source) {
            (true, s) => write!(m, " with an explicit deny in {}", kind(s, trust, true)),
            (false, s) => {
                write!(m, " because no {} allows the {action} action", kind(s, trust, false))
            }
        };
        m
    }
}

fn kind(source: Source, trust: bool, article: bool) -> &'static str {
    match (source, article) {
        (Source::Resource, true) if trust => "the role trust policy",
        (Source::Resource, false) if trust => "role trust policy",
        (Source::Resource, true) => "a resource-based policy",
        (Source::Resource, false) => "resource-based policy",
        (Source::Boundary, true) => "a permissions boundary",
        (Source::Boundary, false) => "permissions boundary",
        (Source::Session, true) => "a session policy",
        (Source::Session, false) => "session policy",
        (Source::Identity | Source::Root | Source::Grant, true) => "an identity-based policy",
        (Source::Identity | Source::Root | Source::Grant, false) => "identity-based policy",
    }
}
