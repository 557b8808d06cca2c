//! `cargo xtask models`: AWS's service models, stripped of prose, as line tables under `models/`.
//!
//! The format is described in `models/README.md`; `crates/model` writes and reads it.

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

#[derive(clap::Args)]
pub struct Args {
    /// An unpacked botocore package; fetched with pip into target/ when absent
    #[arg(long, value_name = "DIR")]
    botocore: Option<PathBuf>,
    /// Only fetch botocore's source package, which has the protocol tests
    #[arg(long, conflicts_with = "botocore")]
    fetch_only: bool,
}

/// The version whose models we keep and whose protocol tests judge `wire`.
const BOTOCORE: &str = "1.44.5";

/// Writes one table per line of `models/services.txt`, and the list that `crates/model` includes.
pub fn run(args: &Args) -> Result<()> {
    let botocore = match &args.botocore {
        Some(dir) => dir.clone(),
        None => fetch()?,
    };
    if args.fetch_only {
        return Ok(());
    }
    let data = botocore.join("botocore/data");
    if !data.is_dir() {
        bail!("{} has no botocore/data", botocore.display());
    }
    let list = fs::read_to_string("models/services.txt")?;
    let mut index = String::from(INDEX_HEAD);
    for id in list.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let mut model = load(&data.join(id)).with_context(|| format!("the model of {id}"))?;
        let overlay = PathBuf::from(format!("models/overlay/{id}.json"));
        if overlay.exists() {
            merge(&mut model, serde_json::from_str(&fs::read_to_string(&overlay)?)?);
        }
        let table = fogbank_model::convert::table(id, &model);
        fs::write(format!("models/{id}.model"), &table)?;
        writeln!(index, "    \"{id}\": {},", head(&model["metadata"]))?;
    }
    index.push_str("}\n");
    fs::write("crates/model/src/index.rs", index)?;
    Ok(())
}

const INDEX_HEAD: &str = "\
//! Every service of which we have a model; written by `cargo xtask models`.

crate::index! {
";

/// What is needed to find a service without reading its table.
fn head(m: &Value) -> String {
    let endpoint = text(m, "endpointPrefix");
    let signing = m["signingName"].as_str().unwrap_or(endpoint);
    format!("{endpoint:?} {signing:?} {:?} {:?}", text(m, "targetPrefix"), text(m, "serviceId"))
}

/// The newest version of a service's model.
fn load(folder: &Path) -> Result<Value> {
    let mut versions: Vec<_> = fs::read_dir(folder)?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.is_dir())
        .collect();
    versions.sort();
    let newest = versions.pop().context("no version")?;
    let packed = newest.join("service-2.json.gz");
    let mut json = String::new();
    if packed.exists() {
        flate2::read::GzDecoder::new(fs::File::open(packed)?).read_to_string(&mut json)?;
    } else {
        json = fs::read_to_string(newest.join("service-2.json"))?;
    }
    Ok(serde_json::from_str(&json)?)
}

/// Lays `over` over a model: objects by member, `null` removes, all else replaces.
fn merge(model: &mut Value, over: Value) {
    match (model, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, v) in over {
                match v {
                    Value::Null => {
                        under.remove(&name);
                    }
                    v => merge(under.entry(name).or_insert(Value::Null), v),
                }
            }
        }
        (under, over) => *under = over,
    }
}

/// botocore's source package, unpacked under `target/`.
fn fetch() -> Result<PathBuf> {
    let dir = PathBuf::from("target/botocore");
    let unpacked = dir.join(format!("botocore-{BOTOCORE}"));
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    fs::create_dir_all(&dir)?;
    let wanted = format!("botocore=={BOTOCORE}");
    let pip = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d"];
    let done = Command::new("python3").args(pip).arg(&dir).arg(&wanted).status()?;
    ensure!(done.success(), "pip could not fetch {wanted}");
    let archive = dir.join(format!("botocore-{BOTOCORE}.tar.gz"));
    let done = Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(&dir).status()?;
    ensure!(done.success(), "tar could not unpack {}", archive.display());
    Ok(unpacked)
}

fn text<'a>(v: &'a Value, key: &str) -> &'a str {
    v[key].as_str().unwrap_or_default()
}
