//! The data directory: where it is, and the state in it.

use std::path::PathBuf;

use fogbank_blob::Blobs;
use fogbank_store::Store;

use super::{Error, Settings};
use crate::cli::Place;

/// What services keep their state in.
pub struct State {
    pub store: Store,
    pub blobs: Blobs,
}

/// The directory that a command line means; `None` for memory. By default it is
/// `$XDG_DATA_HOME/fogbank`, else `~/.local/share/fogbank`, else `fogbank-data` where we are.
#[must_use]
pub fn directory(place: &Place) -> Option<PathBuf> {
    if place.ephemeral {
        return None;
    }
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    Some(place.data.clone().unwrap_or_else(|| {
        absolute("XDG_DATA_HOME")
            .or_else(|| absolute("HOME").map(|h| h.join(".local/share")))
            .map_or_else(|| "fogbank-data".into(), |d| d.join("fogbank"))
    }))
}

/// Where things are kept that can be fetched again, for all data directories:
/// `$XDG_CACHE_HOME/fogbank`, else `~/.cache/fogbank`, else among the system's temporary files.
#[must_use]
pub fn cache() -> PathBuf {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|h| h.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("fogbank")
}

/// Opens the state, which is made if it is not there.
///
/// # Errors
/// A directory that cannot be made, is in use, newer than us, or damaged.
pub fn open(settings: &Settings) -> Result<State, Error> {
    let Some(dir) = &settings.data else {
        return Ok(State { store: Store::ephemeral(), blobs: Blobs::ephemeral() });
    };
    let options = fogbank_store::Options { durability: settings.durability };
    let store = Store::open(dir, &options)?;
    let fsync = settings.durability == fogbank_store::Durability::Fsync;
    let blobs = Blobs::open(&dir.join("blobs"), &fogbank_blob::Options { fsync })?;
    Ok(State { store, blobs })
}

/// A directory for files that can be made again: below the data directory, or among the system's
/// temporary ones, where those of processes that are gone are removed.
#[must_use]
pub fn scratch(settings: &Settings, name: &str) -> PathBuf {
    if let Some(dir) = &settings.data {
        return dir.join(name);
    }
    const PREFIX: &str = "fogbank-scratch-";
    let parent = std::env::temp_dir();
    for entry in std::fs::read_dir(&parent).into_iter().flatten().flatten() {
        let entry_name = entry.file_name();
        let owner = entry_name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    parent.join(format!("{PREFIX}{}", std::process::id())).join(name)
}

/// What `fogbank status` tells of the state.
pub fn holdings(state: &State, directory: Option<PathBuf>) -> fogbank_gateway::Holdings {
    let store = state.store.clone();
    Box::new(move || {
        let (store, directory) = (store.clone(), directory.clone());
        Box::pin(async move {
            let tables: serde_json::Map<_, _> = match store.stats().await {
                Ok(stats) => stats.tables.into_iter().map(|t| (t.name, t.records.into())).collect(),
                Err(e) => {
                    tracing::warn!("the state cannot be counted: {e}");
                    serde_json::Map::new()
                }
            };
            serde_json::json!({ "directory": directory, "tables": tables })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_directory_or_memory() {
        let place = |data: Option<&str>, ephemeral| Place { data: data.map(Into::into), ephemeral };
        assert_eq!(directory(&place(Some("/x"), false)), Some("/x".into()));
        assert_eq!(directory(&place(None, true)), None);
        assert!(directory(&place(None, false)).is_some());
    }
}
