//! Aliases: names for versions, with part of the traffic to another version.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html>

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, ops, page};
use fogbank_store::{Key, Range, Store, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::error::{conflict, function_missing, invalid, not_found, validation};
use crate::function::{FUNCTIONS, check_revision};
use crate::name::{LATEST, Target, number};
use crate::settings::limit;
use crate::version::{VERSIONS, version_key};
use crate::{Lambda, authz, concurrency, event_invoke, permission, url};

pub const OPS: &[Op<Lambda>] = ops![
    CreateAlias => create_alias [authz::function],
    GetAlias => get_alias [authz::function],
    ListAliases => list_aliases [authz::function],
    UpdateAlias => update_alias [authz::function],
    DeleteAlias => delete_alias [authz::function],
];

static ALIASES: Table<Alias> = Table::new("lambda.alias");

/// An alias's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Alias {
    /// `$LATEST` or a number.
    #[n(0)]
    pub version: String,
    #[n(1)]
    pub description: String,
    /// The other version and the share of invocations that it gets.
    #[n(2)]
    pub other: Option<(String, f64)>,
    #[n(3)]
    pub revision: String,
}
fogbank_store::record!(Alias, version = 1);

impl Alias {
    /// The version for one request, by the weights.
    #[must_use]
    pub fn choose(self, cx: &Cx) -> String {
        let Some((other, weight)) = self.other else { return self.version };
        let mut bytes = [0; 4];
        cx.ids().fill(&mut bytes);
        let dice = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
        if dice < weight { other } else { self.version }
    }
}

fn key(function: &Target, name: &str) -> Key {
    function.key().str(name)
}

/// The alias of this name, if there is one.
///
/// # Errors
/// When the store fails.
pub async fn get(store: &Store, function: &Target, name: &str) -> Result<Option<Alias>> {
    Ok(store.get(&ALIASES, &key(function, name)).await?)
}

/// The aliases that lead to a version.
///
/// # Errors
/// When the store fails.
pub async fn using(tx: &mut Tx, function: &Target, version: &str) -> Result<Vec<String>> {
    let all = tx.scan(&ALIASES, Range::prefix(&function.key()), usize::MAX).await?;
    let leads =
        |a: &Alias| a.version == version || a.other.as_ref().is_some_and(|(v, _)| v == version);
    Ok(all.into_iter().filter(|(_, a)| leads(a)).filter_map(|(k, _)| name_of(&k)).collect())
}

/// Deletes all aliases of a function.
///
/// # Errors
/// When the store fails.
pub async fn delete_all(tx: &mut Tx, function: &Target) -> Result<()> {
    for (k, _) in tx.scan(&ALIASES, Range::prefix(&function.key()), usize::MAX).await? {
        tx.delete(&ALIASES, &k);
    }
    Ok(())
}

fn name_of(key: &Key) -> Option<String> {
    match key.parts().nth(3)? {
        fogbank_store::Part::Str(s) => Some(s.into_owned()),
        _ => None,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    alias_arn: String,
    name: String,
    function_version: String,
    description: String,
    routing_config: Option<Routing>,
    revision_id: String,
}

impl View {
    fn new(function: &Target, name: &str, alias: &Alias) -> Self {
        View {
            alias_arn: function.with(Some(name)).arn(),
            name: name.to_owned(),
            function_version: alias.version.clone(),
            description: alias.description.clone(),
            routing_config: alias.other.clone().map(|(version, weight)| Routing {
                additional_version_weights: Some([(version, weight)].into()),
            }),
            revision_id: alias.revision.clone(),
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Routing {
    additional_version_weights: Option<BTreeMap<String, f64>>,
}

impl Routing {
    /// The other version and its share.
    fn read(self, version: &str) -> Result<Option<(String, f64)>> {
        let weights = self.additional_version_weights.unwrap_or_default();
        if weights.len() > 1 {
            return Err(invalid(
                "Number of items in AdditionalVersionWeights cannot be greater than 1.",
            ));
        }
        let Some((other, weight)) = weights.into_iter().next() else { return Ok(None) };
        if version == LATEST {
            return Err(invalid(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        if other == version {
            return Err(invalid(format!(
                "Invalid function version {other}. Function version {other} is already included in \
                 routing configuration."
            )));
        }
        Ok(Some((other, weight)))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    function_name: String,
    name: String,
    function_version: String,
    #[serde(default)]
    description: String,
    routing_config: Option<Routing>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html>
async fn create_alias(lambda: &Lambda, cx: &Cx, input: CreateInput) -> Result<View> {
    let function = Target::whole(cx, &input.function_name)?;
    if number(&input.name).is_some() {
        // The pattern looks ahead, which the front end's own check does not.
        return Err(validation(
            &input.name,
            "name",
            "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        ));
    }
    let other = match input.routing_config {
        Some(r) => r.read(&input.function_version)?,
        None => None,
    };
    let (mut tx, _) = lambda.change(&function, &[]).await?;
    let key = key(&function, &input.name);
    if tx.get(&ALIASES, &key).await?.is_some() {
        return Err(conflict(format!(
            "Alias already exists: {}",
            function.with(Some(&input.name)).arn()
        )));
    }
    check_versions(&mut tx, &function, &input.function_version, other.as_ref()).await?;
    let alias = Alias {
        version: input.function_version,
        description: input.description,
        other,
        revision: cx.ids().uuid(),
    };
    tx.put(&ALIASES, &key, &alias);
    tx.commit().await?;
    Ok(View::new(&function, &input.name, &alias))
}

async fn check_versions(
    tx: &mut Tx,
    function: &Target,
    version: &str,
    other: Option<&(String, f64)>,
) -> Result<()> {
    for version in std::iter::once(version).chain(other.map(|(v, _)| v.as_str())) {
        let Some(n) = number(version) else { continue };
        if tx.get(&VERSIONS, &version_key(function, n)).await?.is_none() {
            return Err(function_missing(&function.with(Some(version)).arn()));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameInput {
    function_name: String,
    name: String,
}

fn missing(function: &Target, name: &str) -> fogbank_core::ApiError {
    not_found(format!("Cannot find alias arn: {}", function.with(Some(name)).arn()))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetAlias.html>
async fn get_alias(lambda: &Lambda, cx: &Cx, input: NameInput) -> Result<View> {
    let function = Target::whole(cx, &input.function_name)?;
    lambda.function(&function).await?;
    let found = get(&lambda.store, &function, &input.name).await?;
    let alias = found.ok_or_else(|| missing(&function, &input.name))?;
    Ok(View::new(&function, &input.name, &alias))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    function_name: String,
    function_version: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    aliases: Vec<View>,
    next_marker: Option<String>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListAliases.html>
async fn list_aliases(lambda: &Lambda, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let function = Target::whole(cx, &input.function_name)?;
    lambda.function(&function).await?;
    let all = lambda.store.scan(&ALIASES, Range::prefix(&function.key()), usize::MAX).await?;
    let views = all
        .iter()
        .filter(|(_, a)| input.function_version.as_ref().is_none_or(|v| *v == a.version))
        .filter_map(|(k, a)| Some(View::new(&function, &name_of(k)?, a)));
    let page =
        page::page(views, |v| &v.name, input.marker.as_deref(), limit(input.max_items, 10_000))?;
    Ok(ListOutput { aliases: page.items, next_marker: page.next })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateInput {
    function_name: String,
    name: String,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<Routing>,
    revision_id: Option<String>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateAlias.html>
async fn update_alias(lambda: &Lambda, cx: &Cx, input: UpdateInput) -> Result<View> {
    let function = Target::whole(cx, &input.function_name)?;
    let (mut tx, _) = lambda.change(&function, &[]).await?;
    let key = key(&function, &input.name);
    let Some(mut alias) = tx.get(&ALIASES, &key).await? else {
        return Err(missing(&function, &input.name));
    };
    check_revision(input.revision_id.as_deref(), &alias.revision)?;
    if let Some(version) = input.function_version {
        alias.version = version;
    }
    if let Some(text) = input.description {
        alias.description = text;
    }
    if let Some(routing) = input.routing_config {
        alias.other = routing.read(&alias.version)?;
    }
    check_versions(&mut tx, &function, &alias.version, alias.other.as_ref()).await?;
    alias.revision = cx.ids().uuid();
    tx.put(&ALIASES, &key, &alias);
    tx.commit().await?;
    lambda.provision_soon();
    Ok(View::new(&function, &input.name, &alias))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteAlias.html>
async fn delete_alias(lambda: &Lambda, cx: &Cx, input: NameInput) -> Result<()> {
    let function = Target::whole(cx, &input.function_name)?;
    let mut tx =
        lambda.store.lock(&[fogbank_store::Lock::exclusive(&FUNCTIONS, &function.key())]).await;
    let target = function.with(Some(&input.name));
    tx.delete(&ALIASES, &key(&function, &input.name));
    permission::delete_one(&mut tx, &target);
    concurrency::delete_one(&mut tx, &target);
    event_invoke::delete_one(&mut tx, &target);
    url::delete_one(&mut tx, &target).await?;
    tx.commit().await?;
    Ok(())
}
