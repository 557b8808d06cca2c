//! Versions: configurations that never change any more.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html>

use fogbank_core::{Cx, Op, Result, ops, page};
use fogbank_store::{Key, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::config::{Code, Config, View};
use crate::error::invalid;
use crate::function::{FUNCTIONS, Function, check_revision, check_settled};
use crate::name::{LATEST, Target};
use crate::settings::limit;
use crate::{Lambda, authz};

pub const OPS: &[Op<Lambda>] = ops![
    PublishVersion => publish_version [authz::function],
    ListVersionsByFunction => list_versions [authz::function],
];

pub static VERSIONS: Table<Version> = Table::new("lambda.version");

/// A published version.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Version {
    #[n(0)]
    pub number: u64,
    #[n(1)]
    pub config: Config,
}
fogbank_store::record!(Version, version = 1);

/// The key of a function's version.
pub fn version_key(function: &Target, number: u64) -> Key {
    function.key().u64(number)
}

impl Version {
    /// Publishes what `$LATEST` is now; the caller writes the function's record.
    pub fn publish(
        tx: &mut Tx,
        cx: &Cx,
        target: &Target,
        function: &mut Function,
        description: Option<String>,
    ) -> Version {
        function.last_version += 1;
        function.published = Some(function.latest.fingerprint());
        let mut config = function.latest.clone();
        if let Some(text) = description {
            config.description = text;
        }
        config.revision = cx.ids().uuid();
        let version = Version { number: function.last_version, config };
        tx.put(&VERSIONS, &version_key(target, version.number), &version);
        version
    }

    /// Whether a version of the function has this archive.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn any_uses(tx: &mut Tx, target: &Target, code: &Code) -> Result<bool> {
        let versions = tx.scan(&VERSIONS, Range::prefix(&target.key()), usize::MAX).await?;
        Ok(versions.iter().any(|(_, v)| v.config.code.blob == code.blob))
    }

    fn target(&self, function: &Target) -> Target {
        function.with(Some(&self.number.to_string()))
    }

    pub fn view(&self, function: &Target, tenancy: bool) -> View {
        View::new(&self.target(function), &self.number.to_string(), &self.config, tenancy)
    }

    pub fn brief(&self, function: &Target, tenancy: bool) -> View {
        View::brief(&self.target(function), &self.number.to_string(), &self.config, tenancy)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PublishInput {
    function_name: String,
    #[serde(rename = "CodeSha256")]
    code_sha256: Option<String>,
    description: Option<String>,
    revision_id: Option<String>,
    publish_to: Option<String>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html>
async fn publish_version(lambda: &Lambda, cx: &Cx, input: PublishInput) -> Result<View> {
    let target = Target::whole(cx, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(cx.refuse_member("PublishTo"));
    }
    let (mut tx, mut function) = lambda.change(&target, &[]).await?;
    check_settled(&target, &function.latest)?;
    check_revision(input.revision_id.as_deref(), &function.latest.revision)?;
    let have = &function.latest.code.sha256;
    if let Some(given) = input.code_sha256.filter(|g| !g.is_empty() && g != have) {
        return Err(invalid(format!(
            "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({have}). Please \
             try again with the CodeSHA256 in $LATEST."
        )));
    }
    if function.published.as_ref() == Some(&function.latest.fingerprint())
        && let Some(same) = tx.get(&VERSIONS, &version_key(&target, function.last_version)).await?
    {
        return Ok(same.view(&target, function.tenancy));
    }
    let version = Version::publish(&mut tx, cx, &target, &mut function, input.description);
    tx.put(&FUNCTIONS, &target.key(), &function);
    tx.commit().await?;
    Ok(version.view(&target, function.tenancy))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    function_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    versions: Vec<View>,
    next_marker: Option<String>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListVersionsByFunction.html>
async fn list_versions(lambda: &Lambda, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let target = Target::parse(cx, &input.function_name, None)?.with(None);
    let function = lambda.function(&target).await?;
    let limit = limit(input.max_items, 50);
    let mut versions = Vec::new();
    let seen = match input.marker.as_deref().map(page::decode).transpose()? {
        Some(m) => m.parse().map_err(|_| invalid("Invalid marker"))?,
        None => {
            let shown = target.with(Some(LATEST));
            versions.push(View::brief(&shown, LATEST, &function.latest, function.tenancy));
            0
        }
    };
    let room = limit - versions.len();
    let range = Range::prefix(&target.key()).after(&version_key(&target, seen));
    let mut found = lambda.store.scan(&VERSIONS, range, room + 1).await?;
    let more = found.len() > room;
    found.truncate(room);
    let last = found.last().map_or(seen, |(_, v)| v.number);
    versions.extend(found.iter().map(|(_, v)| v.brief(&target, function.tenancy)));
    Ok(ListOutput { versions, next_marker: more.then(|| page::encode(&last.to_string())) })
}
