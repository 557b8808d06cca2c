//! Layers: archives that functions share, in versions that never change.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html>

use fogbank_core::{Arn, Check, Cx, Op, Result, Value, map, ops, page};
use fogbank_store::{Key, Lock, Range, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::config::{Code, Config, LayerUse, modified};
use crate::error::{invalid, not_found};
use crate::settings::limit;
use crate::{Lambda, code};

mod policy;

pub const OPS: &[Op<Lambda>] = ops![
    PublishLayerVersion => publish [on_layer],
    GetLayerVersion => get_version [on_version],
    GetLayerVersionByArn => get_by_arn [by_arn],
    ListLayers => list_layers,
    ListLayerVersions => list_versions [list_checks],
    DeleteLayerVersion => delete_version [on_version],
    AddLayerVersionPermission => policy::add [on_version],
    RemoveLayerVersionPermission => policy::remove [on_version],
    GetLayerVersionPolicy => policy::get [on_version],
];

/// The last number given, by layer.
static LAYERS: Table<u64> = Table::new("lambda.layer");
static VERSIONS: Table<LayerVersion> = Table::new("lambda.layer-version");

/// A version of a layer. A deleted one stays for the functions that use it, out of sight.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct LayerVersion {
    #[n(0)]
    number: u64,
    #[n(1)]
    code: Code,
    #[n(2)]
    description: String,
    #[n(3)]
    license: Option<String>,
    #[n(4)]
    runtimes: Option<Vec<String>>,
    #[n(5)]
    architectures: Option<Vec<String>>,
    /// Milliseconds since 1970.
    #[n(6)]
    created: i64,
    #[n(7)]
    deleted: bool,
    #[n(8)]
    policy: Option<crate::permission::Policy>,
}
fogbank_store::record!(LayerVersion, version = 1);

/// A layer, and which of its versions is meant.
#[derive(Clone, Debug)]
struct Place {
    account: String,
    region: String,
    name: String,
}

impl Place {
    /// Reads `LayerName`: a name, or the layer's ARN.
    fn parse(cx: &Cx, text: &str) -> Place {
        match Arn::parse(text) {
            Some(arn) => Place {
                account: arn.account.to_owned(),
                region: arn.region.to_owned(),
                name: arn.resource.trim_start_matches("layer:").to_owned(),
            },
            None => Place {
                account: cx.account.clone(),
                region: cx.region.to_string(),
                name: text.to_owned(),
            },
        }
    }

    /// Reads the ARN of a version.
    fn version(text: &str) -> Option<(Place, u64)> {
        let arn = Arn::parse(text)?;
        let (name, number) = arn.resource.strip_prefix("layer:")?.split_once(':')?;
        let place = Place {
            account: arn.account.to_owned(),
            region: arn.region.to_owned(),
            name: name.to_owned(),
        };
        Some((place, number.parse().ok()?))
    }

    fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.name)
    }
    fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:layer:{}", self.region, self.account, self.name)
    }
    fn version_arn(&self, n: u64) -> String {
        format!("{}:{n}", self.arn())
    }
}

async fn on_layer(_: &Lambda, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let place = Place::parse(cx, input.str("LayerName").unwrap_or_default());
    Ok(vec![Check::new(format!("lambda:{}", cx.operation), place.arn())])
}

/// AWS has no resource for listing versions.
async fn list_checks(_: &Lambda, _: &Cx, _: &Value) -> Result<Vec<Check>> {
    Ok(vec![Check::new("lambda:ListLayerVersions", "*")])
}

async fn on_version(lambda: &Lambda, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let place = Place::parse(cx, input.str("LayerName").unwrap_or_default());
    let n = match input.get("VersionNumber") {
        Some(Value::Int(n)) => u64::try_from(*n).unwrap_or(0),
        _ => 0,
    };
    let action = format!("lambda:{}", cx.operation);
    Ok(vec![version_check(lambda, &place, n, action).await?])
}

async fn by_arn(lambda: &Lambda, _: &Cx, input: &Value) -> Result<Vec<Check>> {
    let (place, n) = version_arn(input.str("Arn").unwrap_or_default())?;
    Ok(vec![version_check(lambda, &place, n, "lambda:GetLayerVersion".into()).await?])
}

fn version_arn(text: &str) -> Result<(Place, u64)> {
    Place::version(text).ok_or_else(|| invalid(format!("Invalid Layer Version ARN: {text}")))
}

async fn version_check(lambda: &Lambda, place: &Place, n: u64, action: String) -> Result<Check> {
    let found = lambda.store.get(&VERSIONS, &place.key().u64(n)).await?;
    Ok(Check {
        resource_account: Some(place.account.clone()),
        resource_policy: found.and_then(|v| v.policy).map(|p| p.text.into()),
        ..Check::new(action, place.version_arn(n))
    })
}

/// The layers that a function is to have, in order; each as the caller may use it.
///
/// # Errors
/// `InvalidParameterValueException` for layers that are not there or too many,
/// `AccessDeniedException` for those that the caller may not use.
pub async fn resolve(lambda: &Lambda, cx: &Cx, arns: &[String]) -> Result<Vec<LayerUse>> {
    if arns.len() > 5 {
        return Err(invalid("Cannot reference more than 5 layers."));
    }
    let mut found: Vec<LayerUse> = Vec::new();
    let mut names: Vec<(String, &String)> = Vec::new();
    for arn in arns {
        let (place, n) = version_arn(arn)?;
        if let Some((_, first)) = names.iter().find(|(name, _)| *name == place.arn()) {
            return Err(invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the \
                 same function. {first} and {arn} are versions of the same layer."
            )));
        }
        cx.authorize(version_check(lambda, &place, n, "lambda:GetLayerVersion".into()).await?)
            .await?;
        let layer = lambda.store.get(&VERSIONS, &place.key().u64(n)).await?;
        let Some(layer) = layer.filter(|v| !v.deleted && place.region == cx.region) else {
            return Err(invalid(format!("Layer version {arn} does not exist.")));
        };
        names.push((place.arn(), arn));
        found.push(LayerUse { arn: arn.clone(), code: layer.code });
    }
    Ok(found)
}

/// Whether code and layers fit together into an environment.
///
/// # Errors
/// `InvalidParameterValueException`.
pub fn check_size(config: &Config) -> Result<()> {
    let size: u64 = config.codes().map(|c| c.unpacked).sum();
    if config.layers.is_empty() || size <= code::UNPACKED {
        return Ok(());
    }
    Err(invalid(format!(
        "Function code combined with layers exceeds the maximum allowed size of {} bytes. The \
         actual size is {size} bytes.",
        code::UNPACKED
    )))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PublishInput {
    layer_name: String,
    content: code::Source,
    #[serde(default)]
    description: String,
    license_info: Option<String>,
    compatible_runtimes: Option<Vec<String>>,
    compatible_architectures: Option<Vec<String>>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html>
async fn publish(lambda: &Lambda, cx: &Cx, input: PublishInput) -> Result<Value> {
    let place = Place::parse(cx, &input.layer_name);
    let code = lambda.keep_code(input.content.fetch(cx).await?).await?;
    let key = place.key();
    let mut tx = lambda.store.lock(&[Lock::exclusive(&LAYERS, &key)]).await;
    let number = tx.get(&LAYERS, &key).await?.unwrap_or(0) + 1;
    let version = LayerVersion {
        number,
        code,
        description: input.description,
        license: input.license_info,
        runtimes: input.compatible_runtimes,
        architectures: input.compatible_architectures,
        created: cx.now.as_millisecond(),
        deleted: false,
        policy: None,
    };
    tx.put(&LAYERS, &key, &number);
    tx.put(&VERSIONS, &key.u64(number), &version);
    tx.commit().await?;
    full(lambda, cx, &place, &version)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    layer_version_arn: String,
    version: u64,
    description: String,
    created_date: String,
    compatible_runtimes: Option<Vec<String>>,
    compatible_architectures: Option<Vec<String>>,
    license_info: Option<String>,
}

impl Item {
    fn new(place: &Place, v: &LayerVersion) -> Self {
        Item {
            layer_version_arn: place.version_arn(v.number),
            version: v.number,
            description: v.description.clone(),
            created_date: modified(v.created),
            compatible_runtimes: v.runtimes.clone(),
            compatible_architectures: v.architectures.clone(),
            license_info: v.license.clone(),
        }
    }
}

/// A version with its content.
fn full(lambda: &Lambda, cx: &Cx, place: &Place, v: &LayerVersion) -> Result<Value> {
    let mut value = fogbank_core::value::to_value(&Item::new(place, v))?;
    if let Value::Map(members) = &mut value {
        members.push(("LayerArn".into(), place.arn().into()));
        let size = i64::try_from(v.code.size).unwrap_or(i64::MAX);
        members.push((
            "Content".into(),
            map! {
                "Location" => lambda.code_url(cx, &v.code),
                "CodeSha256" => v.code.sha256.clone(),
                "CodeSize" => Value::Int(size),
            },
        ));
    }
    Ok(value)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VersionInput {
    layer_name: String,
    version_number: u64,
}

impl Lambda {
    async fn layer_version(&self, place: &Place, n: u64) -> Result<LayerVersion> {
        let found = self.store.get(&VERSIONS, &place.key().u64(n)).await?;
        found
            .filter(|v| !v.deleted)
            .ok_or_else(|| not_found("The resource you requested does not exist."))
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersion.html>
async fn get_version(lambda: &Lambda, cx: &Cx, input: VersionInput) -> Result<Value> {
    let place = Place::parse(cx, &input.layer_name);
    let version = lambda.layer_version(&place, input.version_number).await?;
    full(lambda, cx, &place, &version)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ArnInput {
    arn: String,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionByArn.html>
async fn get_by_arn(lambda: &Lambda, cx: &Cx, input: ArnInput) -> Result<Value> {
    let (place, n) = version_arn(&input.arn)?;
    let version = lambda.layer_version(&place, n).await?;
    full(lambda, cx, &place, &version)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    layer_name: Option<String>,
    compatible_runtime: Option<String>,
    compatible_architecture: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

impl ListInput {
    fn wants(&self, v: &LayerVersion) -> bool {
        let has = |wanted: &Option<String>, all: &Option<Vec<String>>| {
            wanted.as_ref().is_none_or(|w| all.as_ref().is_some_and(|a| a.contains(w)))
        };
        !v.deleted
            && has(&self.compatible_runtime, &v.runtimes)
            && has(&self.compatible_architecture, &v.architectures)
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListLayers.html>
async fn list_layers(lambda: &Lambda, cx: &Cx, input: ListInput) -> Result<Value> {
    let scope = Key::new().str(&cx.account).str(&cx.region);
    let limit = limit(input.max_items, 50);
    let mut range = Range::prefix(&scope);
    if let Some(marker) = &input.marker {
        range = range.after(&scope.str(&page::decode(marker)?));
    }
    let mut layers: Vec<Value> = Vec::new();
    let mut last = None;
    for (key, _) in lambda.store.scan(&LAYERS, range, usize::MAX).await? {
        let Some(fogbank_store::Part::Str(name)) = key.parts().nth(2) else { continue };
        let place = Place::parse(cx, &name);
        let versions = lambda.store.scan(&VERSIONS, Range::prefix(&key).reverse(), usize::MAX);
        let Some((_, newest)) = versions.await?.into_iter().find(|(_, v)| input.wants(v)) else {
            continue;
        };
        if layers.len() == limit {
            return Ok(map! { "Layers" => layers, "NextMarker" => last });
        }
        layers.push(map! {
            "LayerName" => place.name.clone(),
            "LayerArn" => place.arn(),
            "LatestMatchingVersion" => fogbank_core::value::to_value(&Item::new(&place, &newest))?,
        });
        last = Some(page::encode(&name));
    }
    Ok(map! { "Layers" => layers })
}

/// Newest first.
///
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListLayerVersions.html>
async fn list_versions(lambda: &Lambda, cx: &Cx, input: ListInput) -> Result<Value> {
    let place = Place::parse(cx, input.layer_name.as_deref().unwrap_or_default());
    let limit = limit(input.max_items, 50);
    let mut range = Range::prefix(&place.key()).reverse();
    if let Some(marker) = &input.marker {
        let n = page::decode(marker)?.parse().map_err(|_| invalid("Invalid marker"))?;
        range = range.after(&place.key().u64(n));
    }
    let all = lambda.store.scan(&VERSIONS, range, usize::MAX).await?;
    let mut wanted = all.iter().map(|(_, v)| v).filter(|v| input.wants(v));
    let shown: Vec<&LayerVersion> = wanted.by_ref().take(limit).collect();
    let next = match (shown.last(), wanted.next()) {
        (Some(last), Some(_)) => Some(page::encode(&last.number.to_string())),
        _ => None,
    };
    let items = shown
        .iter()
        .map(|v| fogbank_core::value::to_value(&Item::new(&place, v)))
        .collect::<Result<Vec<_>>>()?;
    Ok(map! { "LayerVersions" => items, "NextMarker" => next })
}

/// Functions that use the version keep it; nobody else sees it any more.
///
/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteLayerVersion.html>
async fn delete_version(lambda: &Lambda, cx: &Cx, input: VersionInput) -> Result<()> {
    let place = Place::parse(cx, &input.layer_name);
    let key = place.key();
    let mut tx = lambda.store.lock(&[Lock::exclusive(&LAYERS, &key)]).await;
    let key = key.u64(input.version_number);
    if let Some(mut version) = tx.get(&VERSIONS, &key).await? {
        version.deleted = true;
        tx.put(&VERSIONS, &key, &version);
        tx.commit().await?;
    }
    Ok(())
}
