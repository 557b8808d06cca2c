//! Function URLs: an HTTPS address of a function's own.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html>

use fogbank_core::{Cx, Op, Result, Value, map, ops, page};
use fogbank_store::{Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::config::modified;
use crate::error::{conflict, invalid, not_found};
use crate::name::{LATEST, Target};
use crate::settings::limit;
use crate::{Lambda, alias, authz};

mod cors;
mod download;
mod event;
mod plane;

pub use cors::Cors;
pub use download::Signer;
pub use plane::Urls;

pub const OPS: &[Op<Lambda>] = ops![
    CreateFunctionUrlConfig => create [authz::function_url],
    GetFunctionUrlConfig => get [authz::function_url],
    UpdateFunctionUrlConfig => update [authz::function_url],
    DeleteFunctionUrlConfig => delete [authz::function_url],
    ListFunctionUrlConfigs => list [authz::function],
];

static URLS: Table<Url> = Table::new("lambda.url");
/// Which function an address is of.
static IDS: Table<Place> = Table::new("lambda.url-id");

/// The URL of a function or of an alias.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Url {
    /// The first label of the host's name.
    #[n(0)]
    pub id: String,
    /// `AuthType` is `AWS_IAM`.
    #[n(1)]
    pub signed: bool,
    #[n(2)]
    pub cors: Option<Cors>,
    /// `InvokeMode` is `RESPONSE_STREAM`.
    #[n(3)]
    pub streams: bool,
    /// Milliseconds since 1970.
    #[n(4)]
    pub created: i64,
    #[n(5)]
    pub modified: i64,
}
fogbank_store::record!(Url, version = 1);

/// What an id stands for.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Place {
    #[n(0)]
    account: String,
    #[n(1)]
    region: String,
    #[n(2)]
    name: String,
    #[n(3)]
    qualifier: Option<String>,
}
fogbank_store::record!(Place, version = 1);

impl Place {
    fn target(self) -> Target {
        let Place { account, region, name, qualifier } = self;
        Target { account, region, name, qualifier }
    }
}

fn id_key(id: &str) -> fogbank_store::Key {
    fogbank_store::Key::new().str(id)
}

/// Deletes all URLs of a function.
///
/// # Errors
/// When the store fails.
pub async fn delete_all(tx: &mut Tx, function: &Target) -> Result<()> {
    for (key, url) in tx.scan(&URLS, Range::prefix(&function.key()), usize::MAX).await? {
        tx.delete(&IDS, &id_key(&url.id));
        tx.delete(&URLS, &key);
    }
    Ok(())
}

/// Deletes the URL of an alias.
///
/// # Errors
/// When the store fails.
pub async fn delete_one(tx: &mut Tx, target: &Target) -> Result<()> {
    let key = target.qualified_key();
    if let Some(url) = tx.get(&URLS, &key).await? {
        tx.delete(&IDS, &id_key(&url.id));
        tx.delete(&URLS, &key);
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    function_url: String,
    function_arn: String,
    auth_type: &'static str,
    cors: Option<Cors>,
    creation_time: String,
    last_modified_time: Option<String>,
    invoke_mode: &'static str,
}

impl View {
    fn new(target: &Target, url: &Url) -> Self {
        View {
            function_url: format!("https://{}/", plane::domain(&url.id, &target.region)),
            function_arn: target.arn(),
            auth_type: if url.signed { "AWS_IAM" } else { "NONE" },
            cors: url.cors.clone(),
            creation_time: modified(url.created).replace("+0000", "Z"),
            last_modified_time: Some(modified(url.modified).replace("+0000", "Z")),
            invoke_mode: if url.streams { "RESPONSE_STREAM" } else { "BUFFERED" },
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    function_name: String,
    qualifier: Option<String>,
    auth_type: Option<String>,
    cors: Option<Cors>,
    invoke_mode: Option<String>,
}

impl Input {
    fn target(&self, cx: &Cx) -> Result<Target> {
        let target = Target::parse(cx, &self.function_name, self.qualifier.as_deref())?;
        Ok(if target.qualifier.as_deref() == Some(LATEST) { target.with(None) } else { target })
    }
}

fn missing() -> fogbank_core::ApiError {
    not_found("The resource you requested does not exist.")
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunctionUrlConfig.html>
async fn create(lambda: &Lambda, cx: &Cx, input: Input) -> Result<View> {
    let target = input.target(cx)?;
    let (mut tx, function) = lambda.change(&target, &[]).await?;
    if function.tenancy {
        return Err(invalid(
            "Function URLs are not supported for functions with tenant isolation mode.",
        ));
    }
    if let Some(name) = &target.qualifier
        && alias::get(&lambda.store, &target, name).await?.is_none()
    {
        return Err(not_found(format!("Function does not exist: {}", target.arn())));
    }
    let key = target.qualified_key();
    if tx.get(&URLS, &key).await?.is_some() {
        return Err(conflict(format!(
            "Failed to create function url config for [functionArn = {}]. Error message:  \
             FunctionUrlConfig exists for this Lambda function",
            target.arn()
        )));
    }
    let now = cx.now.as_millisecond();
    let url = Url {
        id: cx.ids().pick(b"abcdefghijklmnopqrstuvwxyz234567", 32),
        signed: input.auth_type.as_deref() == Some("AWS_IAM"),
        cors: input.cors,
        streams: input.invoke_mode.as_deref() == Some("RESPONSE_STREAM"),
        created: now,
        modified: now,
    };
    let Target { account, region, name, qualifier } = target.clone();
    tx.put(&IDS, &id_key(&url.id), &Place { account, region, name, qualifier });
    tx.put(&URLS, &key, &url);
    tx.commit().await?;
    Ok(View { last_modified_time: None, ..View::new(&target, &url) })
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionUrlConfig.html>
async fn get(lambda: &Lambda, cx: &Cx, input: Input) -> Result<View> {
    let target = input.target(cx)?;
    let found = lambda.store.get(&URLS, &target.qualified_key()).await?;
    Ok(View::new(&target, &found.ok_or_else(missing)?))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionUrlConfig.html>
async fn update(lambda: &Lambda, cx: &Cx, input: Input) -> Result<View> {
    let target = input.target(cx)?;
    let (mut tx, _) = lambda.change(&target, &[]).await?;
    let key = target.qualified_key();
    let mut url = tx.get(&URLS, &key).await?.ok_or_else(missing)?;
    if let Some(auth) = input.auth_type {
        url.signed = auth == "AWS_IAM";
    }
    if let Some(cors) = input.cors {
        url.cors = Some(cors);
    }
    if let Some(mode) = input.invoke_mode {
        url.streams = mode == "RESPONSE_STREAM";
    }
    url.modified = cx.now.as_millisecond();
    tx.put(&URLS, &key, &url);
    tx.commit().await?;
    Ok(View::new(&target, &url))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionUrlConfig.html>
async fn delete(lambda: &Lambda, cx: &Cx, input: Input) -> Result<()> {
    let target = input.target(cx)?;
    let (mut tx, _) = lambda.change(&target, &[]).await?;
    if tx.get(&URLS, &target.qualified_key()).await?.is_none() {
        return Err(missing());
    }
    delete_one(&mut tx, &target).await?;
    tx.commit().await?;
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    function_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionUrlConfigs.html>
async fn list(lambda: &Lambda, cx: &Cx, input: ListInput) -> Result<Value> {
    let function = Target::whole(cx, &input.function_name)?;
    lambda.function(&function).await?;
    let all = lambda.store.scan(&URLS, Range::prefix(&function.key()), usize::MAX).await?;
    let views = all.iter().filter_map(|(key, url)| match key.parts().nth(3)? {
        fogbank_store::Part::Str(q) if q.is_empty() => Some(View::new(&function, url)),
        fogbank_store::Part::Str(q) => Some(View::new(&function.with(Some(&q)), url)),
        _ => None,
    });
    let limit = limit(input.max_items, 50);
    let page = page::page(views, |v| &v.function_arn, input.marker.as_deref(), limit)?;
    let items = page.items.iter().map(fogbank_core::value::to_value).collect::<Result<Vec<_>>>()?;
    Ok(map! { "FunctionUrlConfigs" => items, "NextMarker" => page.next })
}
