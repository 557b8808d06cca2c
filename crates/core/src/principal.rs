//! Principals: who makes a request.

use jiff::Timestamp;

/// The identity behind a request, as policies see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The twelve digits of the account; empty for [`Kind::Anonymous`].
    pub account: String,
    /// `arn:aws:iam::…:user/…`, `arn:aws:sts::…:assumed-role/…`; `*` for [`Kind::Anonymous`], the
    /// host name for [`Kind::Service`].
    pub arn: String,
    /// `aws:userid`: `AIDA…`, `AROA…:session`, the account for root; empty for anonymous.
    pub id: String,
    pub kind: Kind,
    /// `aws:PrincipalTag/…`: the user's, or the role's overlaid with the session's.
    pub tags: Vec<(String, String)>,
    /// Session policies (JSON texts), which limit a temporary session.
    pub session_policies: Vec<String>,
    /// What else a temporary session carries; `None` for long-lived identities.
    pub session: Option<Box<Session>>,
}

/// The facts of a temporary session that conditions and later sessions need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// `aws:TokenIssueTime`.
    pub issued: Timestamp,
    /// `aws:SourceIdentity`.
    pub source_identity: Option<String>,
    /// The keys among [`Principal::tags`] that pass on to the next role.
    pub transitive_tags: Vec<String>,
    /// `aws:FederatedProvider`.
    pub federated_provider: Option<String>,
    /// The identity provider's condition keys (`accounts.google.com:sub`) and their values.
    pub claims: Vec<(String, Vec<String>)>,
}

/// What sort of identity it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No signature at all.
    Anonymous,
    /// The account root: identity policies do not apply.
    Root,
    /// An IAM user.
    User { name: String },
    /// A session of a role (AssumeRole, AssumeRoleWithWebIdentity).
    AssumedRole { role_arn: String, role_name: String, session: String },
    /// A session from GetFederationToken, which can do what `user_arn` and its policies both allow.
    Federated { name: String, user_arn: String },
    /// An AWS service that acts on its own (`lambda.amazonaws.com`).
    Service,
}

impl Principal {
    /// Whoever sends no signature.
    #[must_use]
    pub fn anonymous() -> Self {
        Principal {
            account: String::new(),
            arn: "*".into(),
            id: String::new(),
            kind: Kind::Anonymous,
            tags: Vec::new(),
            session_policies: Vec::new(),
            session: None,
        }
    }

    /// The root of an account (twelve digits).
    #[must_use]
    pub fn root(account: &str) -> Self {
        Principal {
            account: account.into(),
            arn: format!("arn:aws:iam::{account}:root"),
            id: account.into(),
            kind: Kind::Root,
            tags: Vec::new(),
            session_policies: Vec::new(),
            session: None,
        }
    }

    /// An AWS service acting for an account: `Principal::service("lambda.amazonaws.com", …)`.
    #[must_use]
    pub fn service(host: &str, account: &str) -> Self {
        Principal {
            account: account.into(),
            arn: host.into(),
            id: host.into(),
            kind: Kind::Service,
            tags: Vec::new(),
            session_policies: Vec::new(),
            session: None,
        }
    }

    #[must_use]
    pub fn is_root(&self) -> bool {
        self.kind == Kind::Root
    }
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.kind == Kind::Anonymous
    }
}
