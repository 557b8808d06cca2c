//! Records that are documents: kept as JSON, which updates, exports and snapshots work on.

use bytes::Bytes;
use fogbank_store::Record;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A document in a table: a version, then JSON. API Gateway's resources are documents by nature:
/// they are patched by path, exported, and copied whole into deployments. A member that an older
/// document lacks has its default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Json<T>(pub T);

const VERSION: u8 = 1;

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Record for Json<T> {
    fn store(&self, out: &mut Vec<u8>) -> Result<(), String> {
        out.push(VERSION);
        serde_json::to_writer(out, &self.0).map_err(|e| e.to_string())
    }

    fn load(stored: Bytes) -> Result<Self, String> {
        match stored.split_first() {
            Some((&VERSION, json)) => {
                serde_json::from_slice(json).map(Json).map_err(|e| e.to_string())
            }
            Some((v, _)) => Err(format!("it has version {v}; a newer fogbank wrote it")),
            None => Err("it is empty".to_owned()),
        }
    }
}
