//! OpenID Connect providers: issuers whose tokens roles may trust.

use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use fogbank_store::{Lock, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::authz;
use crate::entity::{self, Entity, Head, Kind};
use crate::error::{already_exists, invalid_input, no_such_entity, quota};
use crate::tag::Tag;
use crate::{Iam, tag};

pub const OPS: &[Op<Iam>] = ops![
    CreateOpenIDConnectProvider => create [authz::create_oidc],
    GetOpenIDConnectProvider => get [authz::oidc],
    ListOpenIDConnectProviders => list,
    UpdateOpenIDConnectProviderThumbprint => update_thumbprints [authz::oidc],
    AddClientIDToOpenIDConnectProvider => add_client [authz::oidc],
    RemoveClientIDFromOpenIDConnectProvider => remove_client [authz::oidc],
    DeleteOpenIDConnectProvider => delete [authz::oidc],
];

static PROVIDERS: Table<Provider> = Table::new("iam.oidc");

const CLIENTS: usize = 100;
const THUMBPRINTS: usize = 5;
const PER_ACCOUNT: usize = 100;

/// A provider's record. Its name is the issuer's URL without the scheme.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Provider {
    #[n(0)]
    pub head: Head,
    #[n(1)]
    pub clients: Vec<String>,
    #[n(2)]
    pub thumbprints: Vec<String>,
}
fogbank_store::record!(Provider, version = 1);

impl Entity for Provider {
    const KIND: Kind = Kind::Oidc;
    fn table() -> &'static Table<Self> {
        &PROVIDERS
    }
    fn head(&self) -> &Head {
        &self.head
    }
    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }
    fn missing(arn: &str) -> ApiError {
        no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}"))
    }
    /// URLs differ by case; providers are named by ARN or by URL.
    fn key(account: &str, name: &str) -> fogbank_store::Key {
        let url = name.split_once(":oidc-provider/").map_or(name, |(_, url)| url);
        fogbank_store::Key::new().str(account).str(url)
    }
    fn is(&self, account: &str, name: &str) -> bool {
        !name.starts_with("arn:") || self.arn(account) == name
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    url: String,
    #[serde(default, rename = "ClientIDList")]
    clients: Vec<String>,
    #[serde(default, rename = "ThumbprintList")]
    thumbprints: Vec<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Serialize)]
struct CreateOutput {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    #[serde(rename = "Tags")]
    tags: Option<Vec<Tag>>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html>
async fn create(iam: &Iam, cx: &Cx, input: CreateInput) -> Result<CreateOutput> {
    let url = issuer(&input.url)?;
    check_clients(&input.clients)?;
    check_thumbprints(&input.thumbprints)?;
    let head = Head {
        name: url.to_owned(),
        path: "/".into(),
        id: cx.ids().iam(Kind::Oidc.id_prefix()),
        created: cx.now.as_second(),
        tags: tag::checked(input.tags)?,
    };
    // Without a thumbprint AWS trusts its own library of certificate authorities.
    let thumbprints = input.thumbprints.iter().map(|t| t.to_ascii_lowercase()).collect();
    let provider = Provider { head, clients: input.clients, thumbprints };
    iam.check_quota::<Provider>(cx, "OpenIdConnectProvidersPerAccount", PER_ACCOUNT).await?;
    let key = Provider::key(&cx.account, url);
    let mut tx = iam.store.lock(&[Lock::exclusive(&PROVIDERS, &key)]).await;
    if tx.get(&PROVIDERS, &key).await?.is_some() {
        return Err(already_exists(format!("Provider with url {} already exists.", input.url)));
    }
    entity::insert(&mut tx, &cx.account, &provider);
    iam.commit(cx, tx).await?;
    let tags = Some(provider.head.tags.clone()).filter(|t| !t.is_empty());
    Ok(CreateOutput { arn: provider.arn(&cx.account), tags })
}

/// The URL of an issuer without its scheme.
fn issuer(url: &str) -> Result<&str> {
    let rest = url.strip_prefix("https://").ok_or_else(|| {
        ApiError::new("ValidationError", "Invalid Open ID Connect Provider URL").status(400)
    })?;
    let host = rest.split('/').next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b);
    let host_ok = !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
        && host.contains('.');
    if url.len() > 255 || !host_ok || !rest.bytes().all(plain) {
        return Err(invalid_input("Invalid Open ID Connect Provider URL"));
    }
    Ok(rest.trim_end_matches('/'))
}

fn check_clients(clients: &[String]) -> Result<()> {
    if clients.len() > CLIENTS {
        return Err(quota("ClientIdsPerOpenIdConnectProvider", CLIENTS));
    }
    if clients.iter().any(|c| c.is_empty() || c.len() > 255) {
        return Err(invalid_input("A client ID must have 1 to 255 characters."));
    }
    Ok(())
}

fn check_thumbprints(thumbprints: &[String]) -> Result<()> {
    if thumbprints.len() > THUMBPRINTS {
        return Err(invalid_input("Thumbprint list must contain fewer than 5 entries."));
    }
    if thumbprints.iter().any(|t| t.len() != 40 || !t.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(invalid_input(
            "A thumbprint is the SHA-1 digest of a certificate: 40 hexadecimal digits.",
        ));
    }
    Ok(())
}

#[derive(Deserialize)]
struct ArnInput {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
}

#[derive(Serialize)]
struct GetOutput {
    #[serde(rename = "Url")]
    url: String,
    #[serde(rename = "ClientIDList")]
    clients: Vec<String>,
    #[serde(rename = "ThumbprintList")]
    thumbprints: Vec<String>,
    #[serde(rename = "CreateDate")]
    created: Time,
    #[serde(rename = "Tags")]
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetOpenIDConnectProvider.html>
async fn get(iam: &Iam, cx: &Cx, input: ArnInput) -> Result<GetOutput> {
    let provider: Provider = iam.load(&cx.account, &input.arn).await?;
    Ok(GetOutput {
        created: provider.head.created(),
        url: provider.head.name,
        clients: provider.clients,
        thumbprints: provider.thumbprints,
        tags: provider.head.tags,
    })
}

#[derive(Deserialize)]
struct NoInput {}

#[derive(Serialize)]
struct ListOutput {
    #[serde(rename = "OpenIDConnectProviderList")]
    list: Vec<ListEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListEntry {
    arn: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListOpenIDConnectProviders.html>
async fn list(iam: &Iam, cx: &Cx, _: NoInput) -> Result<ListOutput> {
    let all = iam.all::<Provider>(&cx.account).await?;
    let list = all.iter().map(|p| ListEntry { arn: p.arn(&cx.account) }).collect();
    Ok(ListOutput { list })
}

#[derive(Deserialize)]
struct ThumbprintInput {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    #[serde(default, rename = "ThumbprintList")]
    thumbprints: Vec<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateOpenIDConnectProviderThumbprint.html>
async fn update_thumbprints(iam: &Iam, cx: &Cx, input: ThumbprintInput) -> Result<()> {
    check_thumbprints(&input.thumbprints)?;
    iam.edit::<Provider>(cx, &input.arn, |p| {
        p.thumbprints = input.thumbprints.iter().map(|t| t.to_ascii_lowercase()).collect();
        Ok(())
    })
    .await?;
    Ok(())
}

#[derive(Deserialize)]
struct ClientInput {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    #[serde(rename = "ClientID")]
    client: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddClientIDToOpenIDConnectProvider.html>
async fn add_client(iam: &Iam, cx: &Cx, input: ClientInput) -> Result<()> {
    iam.edit::<Provider>(cx, &input.arn, |p| {
        if !p.clients.contains(&input.client) {
            p.clients.push(input.client);
        }
        check_clients(&p.clients)
    })
    .await?;
    Ok(())
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveClientIDFromOpenIDConnectProvider.html>
async fn remove_client(iam: &Iam, cx: &Cx, input: ClientInput) -> Result<()> {
    iam.edit::<Provider>(cx, &input.arn, |p| {
        p.clients.retain(|c| *c != input.client);
        Ok(())
    })
    .await?;
    Ok(())
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteOpenIDConnectProvider.html>
async fn delete(iam: &Iam, cx: &Cx, input: ArnInput) -> Result<()> {
    let key = Provider::key(&cx.account, &input.arn);
    let mut tx = iam.store.lock(&[Lock::exclusive(&PROVIDERS, &key)]).await;
    let provider: Provider = entity::get(&mut tx, &cx.account, &input.arn).await?;
    entity::remove(&mut tx, &cx.account, &provider, false);
    iam.commit(cx, tx).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_https_urls() {
        assert_eq!(issuer("https://a.example/id/X").unwrap(), "a.example/id/X");
        assert_eq!(issuer("https://a.example/").unwrap(), "a.example");
        for bad in ["", "http://a.example", "https://", "https://a", "https://a.b/?q", "a.b"] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }
}
