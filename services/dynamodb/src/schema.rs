//! Tables as they are kept, and as requests use them: keys, indexes, what is switched on.

use std::sync::Arc;

use bytes::Bytes;
use fogbank_core::{Cx, Result};
use fogbank_dynamo::{Attr, Item};
use fogbank_store::{Key, Record, Table, Tx};
use minicbor::{Decode, Encode};

use crate::Dynamo;
use crate::error::{no_resource, no_table, validation};

pub static TABLES: Table<TableRecord> = Table::new("dynamodb.table");
/// The same, unread: comparing bytes tells whether what was read before still holds.
pub static RAW: Table<Bytes> = Table::new("dynamodb.table");

/// A key attribute.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeyPart {
    #[n(0)]
    pub name: String,
    /// `S`, `N` or `B`.
    #[n(1)]
    pub kind: String,
}

/// The key of a table or an index.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeySchema {
    #[n(0)]
    pub hash: KeyPart,
    #[n(1)]
    pub range: Option<KeyPart>,
}

impl KeySchema {
    pub fn parts(&self) -> impl Iterator<Item = &KeyPart> {
        std::iter::once(&self.hash).chain(&self.range)
    }

    pub fn has(&self, name: &str) -> bool {
        self.parts().any(|p| p.name == name)
    }
}

/// What an index holds of an item beside the keys.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Projected {
    #[n(0)]
    Keys,
    #[n(1)]
    Include(#[n(0)] Vec<String>),
    #[n(2)]
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum IndexState {
    /// Items of before are still being added.
    #[n(0)]
    Creating,
    #[n(1)]
    Active,
    #[n(2)]
    Deleting,
}

/// Read and write units: provisioned, or the limits of on-demand (-1 is none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Units {
    #[n(0)]
    pub read: i64,
    #[n(1)]
    pub write: i64,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Index {
    #[n(0)]
    pub name: String,
    /// What its rows begin with.
    #[n(1)]
    pub id: u64,
    #[n(2)]
    pub local: bool,
    #[n(3)]
    pub key: KeySchema,
    #[n(4)]
    pub projected: Projected,
    #[n(5)]
    pub state: IndexState,
    #[n(6)]
    pub provisioned: Option<Units>,
    #[n(7)]
    pub on_demand: Option<Units>,
    #[n(8)]
    pub warm: Option<Units>,
}

/// The stream a table writes to now, or wrote to last.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct StreamState {
    #[n(0)]
    pub id: u64,
    #[n(1)]
    pub label: String,
    #[n(2)]
    pub view: String,
    #[n(3)]
    pub enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Encryption {
    /// The ARN of the key in KMS.
    #[n(0)]
    pub key: String,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Policy {
    #[n(0)]
    pub text: String,
    #[n(1)]
    pub revision: String,
}

/// A table's record. Times are microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct TableRecord {
    #[n(0)]
    pub name: String,
    /// `TableId`.
    #[n(1)]
    pub uuid: String,
    /// What its rows begin with.
    #[n(2)]
    pub id: u64,
    #[n(3)]
    pub key: KeySchema,
    #[n(4)]
    pub attributes: Vec<KeyPart>,
    #[n(5)]
    pub indexes: Vec<Index>,
    #[n(6)]
    pub created: i64,
    /// `None` is on-demand.
    #[n(7)]
    pub provisioned: Option<Units>,
    /// When it last became on-demand.
    #[n(8)]
    pub on_demand_since: Option<i64>,
    #[n(9)]
    pub on_demand: Option<Units>,
    #[n(10)]
    pub warm: Option<Units>,
    #[n(11)]
    pub stream: Option<StreamState>,
    /// The attribute by which items expire.
    #[n(12)]
    pub ttl: Option<String>,
    #[n(13)]
    pub protected: bool,
    #[n(14)]
    pub class: Option<String>,
    #[n(15)]
    pub encryption: Option<Encryption>,
    #[n(16)]
    pub tags: Vec<(String, String)>,
    #[n(17)]
    pub policy: Option<Policy>,
    /// Whether a billing mode was ever named: only then it is described.
    #[n(18)]
    pub billing_named: bool,
    /// When the class was last changed.
    #[n(19)]
    pub class_changed: Option<i64>,
    /// The policy of the stream.
    #[n(20)]
    pub stream_policy: Option<Policy>,
}
fogbank_store::record!(TableRecord, version = 1);

/// Where a table is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub account: String,
    pub region: String,
    pub name: String,
}

impl Place {
    /// From a `TableName` parameter: a name, or the ARN of a table.
    pub fn of(cx: &Cx, text: &str) -> Result<Self> {
        let (account, region, name) = match text.strip_prefix("arn:") {
            None => (cx.account.as_str(), &*cx.region, text),
            Some(_) => {
                let parts: Vec<&str> = text.splitn(6, ':').collect();
                let [_, _, "dynamodb", region, account, resource] = parts[..] else {
                    return Err(validation(format!("Invalid TableArn: {text}")));
                };
                let name = resource.strip_prefix("table/").unwrap_or_default();
                (account, region, name.split('/').next().unwrap_or_default())
            }
        };
        check_name(name)?;
        let (account, region, name) = (account.to_owned(), region.to_owned(), name.to_owned());
        Ok(Place { account, region, name })
    }

    pub fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.name)
    }

    pub fn arn(&self) -> String {
        format!("arn:aws:dynamodb:{}:{}:table/{}", self.region, self.account, self.name)
    }
}

/// Checks the name of a table or an index.
pub fn check_name(name: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let why = if name.len() < 3 {
        "Member must have length greater than or equal to 3"
    } else if name.len() > 255 {
        "Member must have length less than or equal to 255"
    } else if !name.bytes().all(fits) {
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
    } else {
        return Ok(());
    };
    Err(validation(format!(
        "1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: \
         {why}"
    )))
}

/// A table as requests use it: its record, read once for as long as it does not change.
#[derive(Debug)]
pub struct Schema {
    pub place: Place,
    pub arn: String,
    pub record: TableRecord,
    /// The policies as the gateway wants them.
    pub policy: Option<Arc<str>>,
    pub stream_policy: Option<Arc<str>>,
    raw: Bytes,
}

impl Schema {
    fn new(place: Place, raw: Bytes) -> Result<Arc<Self>> {
        let record = TableRecord::load(raw.clone()).map_err(fogbank_core::ApiError::internal)?;
        let shared = |p: &Option<Policy>| p.as_ref().map(|p| Arc::from(p.text.as_str()));
        let (policy, stream_policy) = (shared(&record.policy), shared(&record.stream_policy));
        Ok(Arc::new(Schema { arn: place.arn(), place, record, policy, stream_policy, raw }))
    }

    pub fn key(&self) -> &KeySchema {
        &self.record.key
    }

    /// The index `name`, unless it is going.
    pub fn index(&self, name: &str) -> Option<&Index> {
        self.record.indexes.iter().find(|i| i.name == name)
    }

    /// The indexes that writes keep.
    pub fn kept(&self) -> impl Iterator<Item = &Index> {
        self.record.indexes.iter().filter(|i| i.state != IndexState::Deleting)
    }

    /// The stream that writes go to.
    pub fn stream(&self) -> Option<&StreamState> {
        self.record.stream.as_ref().filter(|s| s.enabled)
    }

    /// Whether a write must know what the item was.
    pub fn needs_old(&self) -> bool {
        !self.record.indexes.is_empty() || self.stream().is_some() || self.record.ttl.is_some()
    }

    /// The key attributes of an item, as a key of the API.
    pub fn key_of(&self, item: &Item) -> Item {
        let parts = self.key().parts();
        parts.filter_map(|p| Some((p.name.clone(), item.get(&p.name)?.clone()))).collect()
    }
}

/// Whether `value` has the type of `part`.
pub fn fits(part: &KeyPart, value: &Attr) -> bool {
    value.kind() == part.kind
}

impl Dynamo {
    /// The table at `place`, if there is one.
    pub async fn find(&self, place: &Place) -> Result<Option<Arc<Schema>>> {
        let raw = self.store.get(&RAW, &place.key()).await?;
        raw.map(|raw| self.read(place, raw)).transpose()
    }

    /// The table of a request on items.
    pub async fn schema(&self, place: &Place) -> Result<Arc<Schema>> {
        self.find(place).await?.ok_or_else(no_resource)
    }

    /// The table of a request on tables.
    pub async fn described(&self, place: &Place) -> Result<Arc<Schema>> {
        self.find(place).await?.ok_or_else(|| no_table(&place.name))
    }

    /// The table as a transaction, which holds its lock, has it.
    pub async fn locked(&self, tx: &mut Tx, place: &Place) -> Result<Arc<Schema>> {
        let raw = tx.get(&RAW, &place.key()).await?.ok_or_else(no_resource)?;
        self.read(place, raw)
    }

    fn read(&self, place: &Place, raw: Bytes) -> Result<Arc<Schema>> {
        const MOST: usize = 10_000;
        if let Some(known) = self.known.read().get(place)
            && known.raw == raw
        {
            return Ok(Arc::clone(known));
        }
        let schema = Schema::new(place.clone(), raw)?;
        let mut known = self.known.write();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(place.clone(), Arc::clone(&schema));
        Ok(schema)
    }
}
