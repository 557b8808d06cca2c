//! What can be wrong with a policy document, and AWS's words for it.

use fogbank_core::ApiError;

/// What a document is for: decides which elements it must and must not have, and the wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage<'a> {
    /// A user's, group's or role's policy, a boundary or a session policy.
    Identity,
    /// The policy of some resource (queue, key, file system).
    Resource,
    /// A role's trust policy.
    Trust,
    /// The policy of the S3 bucket of this name.
    Bucket(&'a str),
    /// Any document that was accepted before.
    Stored,
}

/// A document that AWS would not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: &'static str,
    message: String,
    /// S3's `Detail`.
    detail: Option<String>,
}

impl Error {
    /// `MalformedPolicyDocument`, or S3's `MalformedPolicy`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
    /// As IAM and S3 answer it; other services have their own codes for [`Error::message`].
    #[must_use]
    pub fn api(&self) -> ApiError {
        let e = ApiError::new(self.code, self.message.clone()).status(400);
        match &self.detail {
            Some(d) => e.field("Detail", d.clone()),
            None => e,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

/// The kinds of fault, before they are worded.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// No JSON object.
    Json,
    /// JSON, but not of a policy's form.
    Syntax,
    Version,
    /// No statement at all.
    Empty,
    Missing(&'static str),
    Prohibited(&'static str),
    Unknown(String),
    Effect(String),
    SidTwice,
    SidForm(String),
    /// An action without a vendor.
    ActionVendor(String),
    ActionColons(String),
    /// A vendor that is no service name.
    Vendor(String),
    /// An action that the resource's service does not have.
    Action(String),
    /// A trust policy may only speak of STS.
    TrustAction,
    Resource(String),
    /// A resource that begins as an ARN and is none.
    LegacyResource(String),
    Partition {
        partition: String,
        resource: String,
    },
    /// No resource of the statement is one the action works on.
    Inapplicable(String),
    /// `kind` is the member of Principal: `AWS`, `Service`, …
    Principal {
        kind: &'static str,
        value: String,
    },
    AllowNotPrincipal,
    Operator(String),
    ConditionKey(String),
    ConditionValue(String),
}

impl Fault {
    /// Whether the document has not even a policy's form.
    pub(crate) fn is_syntax(&self) -> bool {
        matches!(
            self,
            Fault::Json
                | Fault::Syntax
                | Fault::Empty
                | Fault::Unknown(_)
                | Fault::Effect(_)
                | Fault::Operator(_)
                | Fault::Missing("Effect" | "Statement")
        )
    }

    pub(crate) fn word(self, usage: Usage<'_>) -> Error {
        match usage {
            Usage::Bucket(_) => bucket(self),
            _ => Error {
                code: "MalformedPolicyDocument",
                message: document(self, usage),
                detail: None,
            },
        }
    }
}

fn document(fault: Fault, usage: Usage<'_>) -> String {
    let identity = matches!(usage, Usage::Identity | Usage::Stored);
    match fault {
        Fault::Json
        | Fault::Syntax
        | Fault::Empty
        | Fault::Unknown(_)
        | Fault::Effect(_)
        | Fault::Operator(_) => "Syntax errors in policy.".into(),
        Fault::Version => "Policy document must be version 2012-10-17 or greater.".into(),
        Fault::Missing("Action") if identity => "Policy statement must contain actions.".into(),
        Fault::Missing("Resource") if identity => "Policy statement must contain resources.".into(),
        Fault::Missing("Effect" | "Statement") if identity => "Syntax errors in policy.".into(),
        Fault::Missing(field) => format!("Missing required field {field}"),
        Fault::Prohibited("Principal") if identity => {
            "Policy document should not specify a principal.".into()
        }
        Fault::Prohibited(field) => format!("Has prohibited field {field}"),
        Fault::SidTwice => "Statement IDs (SID) in a single policy must be unique.".into(),
        Fault::SidForm(_) => {
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the \
             regular expression [0-9A-Za-z]*"
                .into()
        }
        Fault::ActionVendor(_) | Fault::ConditionKey(_) => {
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".into()
        }
        Fault::ActionColons(_) => "Actions/Condition can contain only one colon.".into(),
        Fault::Vendor(v) | Fault::Action(v) => format!("Vendor {v} is not valid"),
        Fault::TrustAction => "AssumeRole policy may only specify STS AssumeRole actions.".into(),
        Fault::Resource(r) => format!("Resource {r} must be in ARN format or \"*\"."),
        Fault::Partition { partition, resource } => {
            format!("Partition \"{partition}\" is not valid for resource \"{resource}\".")
        }
        Fault::Principal { kind, value } => {
            format!("Invalid principal in policy: \"{}\":\"{value}\"", kind.to_uppercase())
        }
        Fault::AllowNotPrincipal => "Allow with NotPrincipal is not allowed.".into(),
        Fault::Inapplicable(_) | Fault::LegacyResource(_) | Fault::ConditionValue(_) => {
            "The policy failed legacy parsing".into()
        }
    }
}

fn bucket(fault: Fault) -> Error {
    let mut detail = None;
    let message = match fault {
        Fault::Json => "Policies must be valid JSON and the first byte must be '{'".into(),
        Fault::Syntax => "Invalid policy syntax.".into(),
        Fault::Version => "The policy must contain a valid version string".into(),
        Fault::Empty => "Could not parse the policy: Statement is empty!".into(),
        Fault::Missing(field) => format!("Missing required field {field}"),
        Fault::Prohibited(field) => format!("Has prohibited field {field}"),
        Fault::Unknown(field) => format!("Unknown field {field}"),
        Fault::Effect(e) => format!("Invalid effect: {e}"),
        Fault::SidTwice => "Statement IDs (SID) in a single policy must be unique.".into(),
        Fault::SidForm(sid) => format!("Invalid Sid: {sid}"),
        Fault::ActionVendor(a) | Fault::ActionColons(a) | Fault::Vendor(a) | Fault::Action(a) => {
            detail = Some(a);
            "Policy has invalid action".into()
        }
        Fault::TrustAction => "Policy has invalid action".into(),
        Fault::Resource(r) | Fault::LegacyResource(r) | Fault::Partition { resource: r, .. } => {
            detail = Some(r);
            "Policy has invalid resource".into()
        }
        Fault::Inapplicable(a) => {
            detail = Some(a);
            "Action does not apply to any resource(s) in statement".into()
        }
        Fault::Principal { value, .. } => {
            detail = Some(format!("\"{value}\""));
            "Invalid principal in policy".into()
        }
        Fault::AllowNotPrincipal => "Allow with NotPrincipal is not allowed.".into(),
        Fault::Operator(op) => format!("Invalid Condition type : {op}"),
        Fault::ConditionKey(k) => {
            detail = Some(k);
            "Policy has an invalid condition key".into()
        }
        Fault::ConditionValue(v) => {
            detail = Some(v);
            "Invalid value in the condition".into()
        }
    };
    Error { code: "MalformedPolicy", message, detail }
}
