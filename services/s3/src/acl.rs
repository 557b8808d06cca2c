//! Access control lists: who beside the owner may do what with a bucket or an object.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

use fogbank_core::{ApiError, Principal, Result};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::error::{access_denied, invalid_argument, invalid_request};
use crate::owner::{Owner, account_of};

pub(crate) mod ops;

pub(crate) use ops::{for_new_bucket, for_new_object};

/// A list, kept with its bucket or object, whose owner the record names. Without a list, the owner
/// has everything and nobody else anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Acl {
    #[n(0)]
    pub grants: Vec<Grant>,
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Grant {
    #[n(0)]
    pub to: Grantee,
    #[n(1)]
    pub permission: Permission,
}

/// Who is granted something.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Grantee {
    #[n(0)]
    Account(#[n(0)] String),
    #[n(1)]
    AllUsers,
    #[n(2)]
    AuthenticatedUsers,
    #[n(3)]
    LogDelivery,
}

/// What is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cbor(index_only)]
pub enum Permission {
    #[n(0)]
    FullControl,
    #[n(1)]
    Write,
    #[n(2)]
    WriteAcp,
    #[n(3)]
    Read,
    #[n(4)]
    ReadAcp,
}

impl Grantee {
    /// The group's URI, for a group.
    #[must_use]
    pub fn uri(&self) -> Option<&'static str> {
        match self {
            Grantee::Account(_) => None,
            Grantee::AllUsers => Some("http://acs.amazonaws.com/groups/global/AllUsers"),
            Grantee::AuthenticatedUsers => {
                Some("http://acs.amazonaws.com/groups/global/AuthenticatedUsers")
            }
            Grantee::LogDelivery => Some("http://acs.amazonaws.com/groups/s3/LogDelivery"),
        }
    }

    fn from_uri(uri: &str) -> Result<Self> {
        [Grantee::AllUsers, Grantee::AuthenticatedUsers, Grantee::LogDelivery]
            .into_iter()
            .find(|g| g.uri() == Some(uri))
            .ok_or_else(|| invalid_argument("uri", uri, "Invalid group uri"))
    }

    fn from_id(id: &str) -> Result<Self> {
        account_of(id)
            .map(Grantee::Account)
            .ok_or_else(|| invalid_argument("CanonicalUser/ID", id, "Invalid id"))
    }

    /// Whether a grant to this grantee reaches `p` for something `owner` owns. A grant to an
    /// account is one to its root: within the owner's account, IAM decides about the others.
    fn reaches(&self, p: &Principal, owner: &str) -> bool {
        match self {
            Grantee::Account(a) => {
                !p.is_anonymous() && *a == p.account && (a != owner || p.is_root())
            }
            Grantee::AllUsers => true,
            Grantee::AuthenticatedUsers => !p.is_anonymous(),
            Grantee::LogDelivery => p.arn == "logging.s3.amazonaws.com",
        }
    }

    /// Whether it is a group that anybody can belong to.
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(self, Grantee::AllUsers | Grantee::AuthenticatedUsers)
    }
}

impl Acl {
    /// The list that a bucket or object of `owner` has when none was given.
    #[must_use]
    pub fn private(owner: &str) -> Self {
        let to = Grantee::Account(owner.into());
        Acl { grants: vec![Grant { to, permission: Permission::FullControl }] }
    }

    /// The grantee through whom the list, of something that `owner` has, gives `p` this permission.
    /// With `ignore_public` (the public access block), grants to public groups do not count.
    #[must_use]
    pub fn allows(
        &self,
        owner: &str,
        p: &Principal,
        wanted: Permission,
        ignore_public: bool,
    ) -> Option<&Grantee> {
        self.grants
            .iter()
            .filter(|g| g.permission == wanted || g.permission == Permission::FullControl)
            .map(|g| &g.to)
            .find(|to| !(ignore_public && to.is_public()) && to.reaches(p, owner))
    }

    /// Whether the list grants anything to everybody.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(|g| g.to.is_public())
    }

    /// Whether it says no more than that the owner has everything, which is the only list a bucket
    /// takes whose ACLs are disabled.
    #[must_use]
    pub fn is_owner_only(&self, bucket_owner: &str) -> bool {
        self.grants.iter().all(|g| {
            g.permission == Permission::FullControl
                && matches!(&g.to, Grantee::Account(a) if a == bucket_owner)
        })
    }

    /// A canned list (`x-amz-acl`). `bucket_owner` differs from `owner` for objects that another
    /// account wrote.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is none.
    pub fn canned(name: &str, owner: &str, bucket_owner: &str) -> Result<Self> {
        let mut acl = Acl::private(owner);
        let mut add = |to, permission| acl.grants.insert(0, Grant { to, permission });
        match name {
            "private" | "aws-exec-read" => {}
            "public-read" => add(Grantee::AllUsers, Permission::Read),
            "public-read-write" => {
                add(Grantee::AllUsers, Permission::Write);
                add(Grantee::AllUsers, Permission::Read);
            }
            "authenticated-read" => add(Grantee::AuthenticatedUsers, Permission::Read),
            "log-delivery-write" => {
                add(Grantee::LogDelivery, Permission::ReadAcp);
                add(Grantee::LogDelivery, Permission::Write);
            }
            "bucket-owner-read" | "bucket-owner-full-control" if owner == bucket_owner => {}
            "bucket-owner-read" => add(Grantee::Account(bucket_owner.into()), Permission::Read),
            "bucket-owner-full-control" => {
                add(Grantee::Account(bucket_owner.into()), Permission::FullControl);
            }
            _ => return Err(invalid_argument("x-amz-acl", name, "")),
        }
        Ok(acl)
    }
}

/// The members by which requests carry a list; each operation flattens them into its input.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct AclInput {
    #[serde(rename = "ACL")]
    pub canned: Option<String>,
    #[serde(rename = "GrantFullControl")]
    pub full_control: Option<String>,
    #[serde(rename = "GrantRead")]
    pub read: Option<String>,
    #[serde(rename = "GrantReadACP")]
    pub read_acp: Option<String>,
    #[serde(rename = "GrantWrite")]
    pub write: Option<String>,
    #[serde(rename = "GrantWriteACP")]
    pub write_acp: Option<String>,
}

impl AclInput {
    /// The list that headers ask for; `None` when they ask for none.
    ///
    /// # Errors
    /// `InvalidRequest` for a canned list beside grants, `InvalidArgument` for grantees that do
    /// not exist, and for email addresses, `NotImplemented`.
    pub fn resolve(&self, owner: &str, bucket_owner: &str) -> Result<Option<Acl>> {
        let headers = [
            (&self.full_control, Permission::FullControl),
            (&self.read, Permission::Read),
            (&self.read_acp, Permission::ReadAcp),
            (&self.write, Permission::Write),
            (&self.write_acp, Permission::WriteAcp),
        ];
        let given = headers.iter().any(|(h, _)| h.is_some());
        match (&self.canned, given) {
            (Some(_), true) => {
                Err(invalid_request("Specifying both Canned ACLs and Header Grants is not allowed"))
            }
            (Some(name), false) => Acl::canned(name, owner, bucket_owner).map(Some),
            (None, false) => Ok(None),
            (None, true) => {
                let mut grants = Vec::new();
                for (header, permission) in headers {
                    for to in header.as_deref().map(grantees).transpose()?.unwrap_or_default() {
                        grants.push(Grant { to, permission });
                    }
                }
                Ok(Some(Acl { grants }))
            }
        }
    }
}

/// Reads `id="…", uri="…"`.
fn grantees(header: &str) -> Result<Vec<Grantee>> {
    header
        .split(',')
        .map(|part| {
            let (kind, value) = part.split_once('=').ok_or_else(|| {
                invalid_argument("x-amz-grant", header, "Argument format not recognized")
            })?;
            let value = value.trim().trim_matches('"');
            match kind.trim().to_ascii_lowercase().as_str() {
                "id" => Grantee::from_id(value),
                "uri" => Grantee::from_uri(value),
                "emailaddress" => Err(email()),
                _ => Err(invalid_argument("x-amz-grant", header, "Argument format not recognized")),
            }
        })
        .collect()
}

/// `AccessControlPolicy` and the answers of `Get…Acl`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessControlPolicy {
    #[serde(default)]
    grants: Option<Vec<GrantInput>>,
    owner: Option<OwnerInput>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GrantInput {
    grantee: Option<GranteeShape>,
    permission: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct OwnerInput {
    #[serde(rename = "ID")]
    id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GranteeShape {
    display_name: Option<String>,
    email_address: Option<String>,
    #[serde(rename = "ID")]
    id: Option<String>,
    r#type: Option<String>,
    #[serde(rename = "URI")]
    uri: Option<String>,
}

impl AccessControlPolicy {
    /// The list that a body spells out, for something that `owner` (an account) owns.
    ///
    /// # Errors
    /// `MalformedACLError` for a body that is no list, `InvalidArgument` for a grantee that does
    /// not exist, `AccessDenied` for another owner.
    pub fn resolve(self, owner: &str) -> Result<Acl> {
        let malformed = || {
            let text = "The XML you provided was not well-formed or did not validate against \
                        our published schema";
            ApiError::new("MalformedACLError", text).status(400)
        };
        let id = self.owner.and_then(|o| o.id).ok_or_else(malformed)?;
        if account_of(&id).ok_or_else(|| invalid_argument("Owner/ID", &id, "Invalid id"))? != owner
        {
            return Err(access_denied());
        }
        let grants = self.grants.unwrap_or_default();
        if grants.len() > 100 {
            return Err(malformed());
        }
        let grants = grants
            .into_iter()
            .map(|g| {
                let permission = match g.permission.as_deref() {
                    Some("FULL_CONTROL") => Permission::FullControl,
                    Some("WRITE") => Permission::Write,
                    Some("WRITE_ACP") => Permission::WriteAcp,
                    Some("READ") => Permission::Read,
                    Some("READ_ACP") => Permission::ReadAcp,
                    _ => return Err(malformed()),
                };
                let to = g.grantee.ok_or_else(malformed)?;
                let to = match (to.r#type.as_deref(), to.id, to.uri, to.email_address) {
                    (Some("AmazonCustomerByEmail"), ..) | (None, _, _, Some(_)) => {
                        return Err(email());
                    }
                    (Some("CanonicalUser") | None, Some(id), ..) => Grantee::from_id(&id)?,
                    (Some("Group") | None, _, Some(uri), _) => Grantee::from_uri(&uri)?,
                    _ => return Err(malformed()),
                };
                Ok(Grant { to, permission })
            })
            .collect::<Result<_>>()?;
        Ok(Acl { grants })
    }
}

/// The answer of `GetBucketAcl` and `GetObjectAcl`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AclOutput {
    owner: Owner,
    grants: Vec<GrantOutput>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GrantOutput {
    grantee: GranteeShape,
    permission: Permission,
}

impl AclOutput {
    /// The list of something that `owner` (an account) has.
    pub(crate) fn new(owner: &str, acl: &Acl) -> Self {
        let grants = acl.grants.iter().map(|g| {
            let grantee = match &g.to {
                Grantee::Account(a) => {
                    let Owner { display_name, id } = Owner::of(a);
                    GranteeShape {
                        display_name: Some(display_name),
                        id: Some(id),
                        r#type: Some("CanonicalUser".into()),
                        ..GranteeShape::default()
                    }
                }
                group => GranteeShape {
                    uri: group.uri().map(Into::into),
                    r#type: Some("Group".into()),
                    ..GranteeShape::default()
                },
            };
            GrantOutput { grantee, permission: g.permission }
        });
        AclOutput { owner: Owner::of(owner), grants: grants.collect() }
    }
}

/// S3 itself takes email grantees in a few regions only; accounts have no address here.
fn email() -> ApiError {
    ApiError::new(
        "UnresolvableGrantByEmailAddress",
        "The e-mail address you provided does not match any account on record.",
    )
    .status(400)
}

#[cfg(test)]
mod tests;
