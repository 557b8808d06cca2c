//! What no user of fogbank can have (devices, console passwords, certificates): lists of them are
//! truly empty, and so tools that clear them away before they delete a user find nothing to do.
//! The operations that would make one are not implemented.

use fogbank_core::{Cx, Op, Result, Value, map, ops};
use serde::Deserialize;

use crate::Iam;
use crate::authz;
use crate::error::no_such_entity;
use crate::user::{User, user_or_caller};

pub const OPS: &[Op<Iam>] = ops![
    ListMFADevices => mfa_devices [authz::own_user],
    ListVirtualMFADevices => virtual_mfa_devices,
    ListSSHPublicKeys => ssh_keys [authz::own_user],
    ListSigningCertificates => certificates [authz::own_user],
    ListServiceSpecificCredentials => service_credentials [authz::own_user],
    ListServerCertificates => server_certificates,
    ListSAMLProviders => saml_providers,
    GetLoginProfile => login_profile [authz::own_user],
    DeleteLoginProfile => login_profile [authz::own_user],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserInput {
    user_name: Option<String>,
}

async fn mfa_devices(iam: &Iam, cx: &Cx, input: UserInput) -> Result<Value> {
    empty(iam, cx, &input, "MFADevices").await
}
async fn ssh_keys(iam: &Iam, cx: &Cx, input: UserInput) -> Result<Value> {
    empty(iam, cx, &input, "SSHPublicKeys").await
}
async fn certificates(iam: &Iam, cx: &Cx, input: UserInput) -> Result<Value> {
    empty(iam, cx, &input, "Certificates").await
}
async fn service_credentials(iam: &Iam, cx: &Cx, input: UserInput) -> Result<Value> {
    empty(iam, cx, &input, "ServiceSpecificCredentials").await
}

/// An empty list of the user's, once the user is known to exist.
async fn empty(iam: &Iam, cx: &Cx, input: &UserInput, list: &'static str) -> Result<Value> {
    if input.user_name.is_some() || !cx.principal.is_root() {
        let name = user_or_caller(cx, input.user_name.as_deref())?;
        iam.load::<User>(&cx.account, name).await?;
    }
    Ok(map! { list => Vec::new(), "IsTruncated" => false })
}

#[derive(Deserialize)]
struct NoInput {}

async fn virtual_mfa_devices(_: &Iam, _: &Cx, _: NoInput) -> Result<Value> {
    Ok(map! { "VirtualMFADevices" => Vec::new(), "IsTruncated" => false })
}
async fn server_certificates(_: &Iam, _: &Cx, _: NoInput) -> Result<Value> {
    Ok(map! { "ServerCertificateMetadataList" => Vec::new(), "IsTruncated" => false })
}
async fn saml_providers(_: &Iam, _: &Cx, _: NoInput) -> Result<Value> {
    Ok(map! { "SAMLProviderList" => Vec::new() })
}

async fn login_profile(iam: &Iam, cx: &Cx, input: UserInput) -> Result<Value> {
    let name = user_or_caller(cx, input.user_name.as_deref())?;
    iam.load::<User>(&cx.account, name).await?;
    Err(no_such_entity(format!("Login Profile for User {name} cannot be found.")))
}
