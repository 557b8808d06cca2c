//! What is kept of stacks: the stack, its templates, its resources, its events.

use fogbank_core::principal::Session;
use fogbank_core::{ApiError, Kind, Principal, Result};
use fogbank_store::{Key, Table, record};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde_json::{Map, Value};

/// Stacks by account, region and the unique part of their id, deleted ones included.
pub static STACKS: Table<StackRecord> = Table::new("cfn.stack");
/// The unique part of the id of the stack that has a name now.
pub static NAMES: Table<bytes::Bytes> = Table::new("cfn.name");
/// Resources by the stack's unique part and their logical id.
pub static RESOURCES: Table<ResourceRecord> = Table::new("cfn.resource");
/// Events by the stack's unique part, newest first.
pub static EVENTS: Table<EventRecord> = Table::new("cfn.event");
/// Change sets by the stack's unique part and their name.
pub static CHANGE_SETS: Table<ChangeSetRecord> = Table::new("cfn.changeset");
/// Exports by account, region and name.
pub static EXPORTS: Table<ExportRecord> = Table::new("cfn.export");
/// Who imports an export: account, region, name, the stack's unique part.
pub static IMPORTS: Table<bytes::Bytes> = Table::new("cfn.import");

/// A template with the values that it is evaluated with.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Model {
    /// The text that was given.
    #[n(0)]
    pub original: String,
    /// The value after transforms, as JSON.
    #[n(1)]
    pub processed: String,
    /// Values of parameters, those of SSM types as given.
    #[n(2)]
    pub parameters: Vec<(String, String)>,
    /// What SSM parameters held when this was given.
    #[n(3)]
    pub resolved: Vec<(String, String)>,
    #[n(4)]
    pub tags: Vec<(String, String)>,
    #[n(5)]
    pub capabilities: Vec<String>,
    #[n(6)]
    pub role: Option<String>,
    #[n(7)]
    pub notifications: Vec<String>,
}

/// A stack.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct StackRecord {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub name: String,
    #[n(2)]
    pub account: String,
    #[n(3)]
    pub region: String,
    /// AWS's status: `CREATE_IN_PROGRESS`, ….
    #[n(4)]
    pub status: String,
    #[n(5)]
    pub reason: Option<String>,
    #[n(6)]
    pub created: i64,
    #[n(7)]
    pub updated: Option<i64>,
    #[n(8)]
    pub deleted: Option<i64>,
    /// What the stack is, or is on its way to.
    #[n(9)]
    pub model: Model,
    /// What it was, and goes back to when an update fails.
    #[n(10)]
    pub previous: Option<Model>,
    #[n(11)]
    pub outputs: Vec<OutputRecord>,
    /// What to do when creation fails: `ROLLBACK`, `DELETE`, `DO_NOTHING`.
    #[n(12)]
    pub on_failure: String,
    #[n(13)]
    pub protected: bool,
    #[n(14)]
    pub parent: Option<String>,
    #[n(15)]
    pub root: Option<String>,
    /// Who asked for the operation that is under way: calls are made in that name.
    #[n(16)]
    pub caller: CallerRecord,
    #[n(17)]
    pub token: Option<String>,
    #[n(18)]
    pub policy: Option<String>,
    /// Logical ids that a deletion or a rollback leaves alone.
    #[n(19)]
    pub skip: Vec<String>,
    /// When creation takes too long, on the cloud's clock (microseconds).
    #[n(20)]
    pub deadline: Option<i64>,
    #[n(21)]
    pub change_set: Option<String>,
    /// A cancellation was asked for.
    #[n(22)]
    pub cancel: bool,
}
record!(StackRecord, version = 1);

/// An output with its value.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct OutputRecord {
    #[n(0)]
    pub key: String,
    #[n(1)]
    pub value: String,
    #[n(2)]
    pub description: Option<String>,
    #[n(3)]
    pub export: Option<String>,
}

/// A principal, so that work in its name goes on after a restart.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct CallerRecord {
    #[n(0)]
    pub account: String,
    #[n(1)]
    pub arn: String,
    #[n(2)]
    pub id: String,
    /// `root`, `user:NAME`, `role:ARN:NAME:SESSION` parts, `service`.
    #[n(3)]
    pub kind: Vec<String>,
    #[n(4)]
    pub tags: Vec<(String, String)>,
    #[n(5)]
    pub session_policies: Vec<String>,
    #[n(6)]
    pub temporary: bool,
}

impl CallerRecord {
    pub fn of(p: &Principal) -> Self {
        let kind = match &p.kind {
            Kind::Root => vec!["root".to_owned()],
            Kind::User { name } => vec!["user".to_owned(), name.clone()],
            Kind::AssumedRole { role_arn, role_name, session } => {
                vec!["role".to_owned(), role_arn.clone(), role_name.clone(), session.clone()]
            }
            Kind::Federated { name, user_arn } => {
                vec!["federated".to_owned(), name.clone(), user_arn.clone()]
            }
            Kind::Service => vec!["service".to_owned()],
            Kind::Anonymous => Vec::new(),
        };
        CallerRecord {
            account: p.account.clone(),
            arn: p.arn.clone(),
            id: p.id.clone(),
            kind,
            tags: p.tags.clone(),
            session_policies: p.session_policies.clone(),
            temporary: p.session.is_some(),
        }
    }

    pub fn principal(&self) -> Principal {
        let part = |i: usize| self.kind.get(i).cloned().unwrap_or_default();
        let kind = match self.kind.first().map(String::as_str) {
            Some("root") => Kind::Root,
            Some("user") => Kind::User { name: part(1) },
            Some("role") => {
                Kind::AssumedRole { role_arn: part(1), role_name: part(2), session: part(3) }
            }
            Some("federated") => Kind::Federated { name: part(1), user_arn: part(2) },
            Some("service") => Kind::Service,
            _ => Kind::Anonymous,
        };
        Principal {
            account: self.account.clone(),
            arn: self.arn.clone(),
            id: self.id.clone(),
            kind,
            tags: self.tags.clone(),
            session_policies: self.session_policies.clone(),
            session: self.temporary.then(|| Box::new(Session::default())),
        }
    }
}

/// Something that was made for a resource.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Instance {
    #[n(0)]
    pub kind: String,
    #[n(1)]
    pub physical_id: String,
    /// Evaluated properties, as JSON.
    #[n(2)]
    pub properties: String,
    /// What `Fn::GetAtt` gives, as JSON.
    #[n(3)]
    pub attributes: String,
    /// Whether deleting it is up to somebody else: `Retain`.
    #[n(4)]
    pub retain: bool,
}

impl Instance {
    pub fn props(&self) -> Map<String, Value> {
        serde_json::from_str(&self.properties).unwrap_or_default()
    }
    pub fn attrs(&self) -> Map<String, Value> {
        serde_json::from_str(&self.attributes).unwrap_or_default()
    }
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct ResourceRecord {
    #[n(0)]
    pub logical_id: String,
    #[n(1)]
    pub kind: String,
    #[n(2)]
    pub status: String,
    #[n(3)]
    pub reason: Option<String>,
    #[n(4)]
    pub at: i64,
    /// What it is now.
    #[n(5)]
    pub now: Option<Instance>,
    /// What it was and is no more, still to be deleted (or gone back to).
    #[n(6)]
    pub old: Vec<Instance>,
    /// Makes generated names: chosen before the first call, so that a second try names the same.
    #[n(7)]
    pub token: String,
    /// The resources it was made from, for the order of deletion.
    #[n(8)]
    pub needs: Vec<String>,
    #[n(9)]
    pub metadata: Option<String>,
    #[n(10)]
    pub deletion_policy: Option<String>,
    #[n(11)]
    pub update_replace_policy: Option<String>,
}
record!(ResourceRecord, version = 1);

/// An event of a stack.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct EventRecord {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub logical_id: String,
    #[n(2)]
    pub physical_id: String,
    #[n(3)]
    pub kind: String,
    #[n(4)]
    pub status: String,
    #[n(5)]
    pub reason: Option<String>,
    /// Microseconds since 1970.
    #[n(6)]
    pub at: i64,
    #[n(7)]
    pub properties: Option<String>,
    #[n(8)]
    pub token: Option<String>,
}
record!(EventRecord, version = 1);

/// A change set.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct ChangeSetRecord {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub name: String,
    #[n(2)]
    pub description: Option<String>,
    #[n(3)]
    pub status: String,
    #[n(4)]
    pub reason: Option<String>,
    #[n(5)]
    pub execution: String,
    #[n(6)]
    pub created: i64,
    #[n(7)]
    pub model: Model,
    /// The changes, as `DescribeChangeSet` shows them (JSON).
    #[n(8)]
    pub changes: String,
    #[n(9)]
    pub kind: String,
    #[n(10)]
    pub on_stack_failure: Option<String>,
}
record!(ChangeSetRecord, version = 1);

/// An exported output.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct ExportRecord {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub value: String,
    #[n(2)]
    pub stack_id: String,
}
record!(ExportRecord, version = 1);

/// The unique part of a stack's id: `…:stack/name/UNIQUE`.
pub fn unique(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

pub fn stack_key(account: &str, region: &str, unique: &str) -> Key {
    Key::new().str(account).str(region).str(unique)
}

pub fn name_key(account: &str, region: &str, name: &str) -> Key {
    Key::new().str(account).str(region).str(name)
}

pub fn of_stack(unique: &str, name: &str) -> Key {
    Key::new().str(unique).str(name)
}

impl StackRecord {
    pub fn key(&self) -> Key {
        stack_key(&self.account, &self.region, unique(&self.id))
    }
    pub fn unique(&self) -> &str {
        unique(&self.id)
    }
    pub fn is_live(&self) -> bool {
        self.status != "DELETE_COMPLETE"
    }
    pub fn in_progress(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }
}

/// A time of a record.
pub fn time(us: i64) -> fogbank_core::Time {
    fogbank_core::Time(Timestamp::from_microsecond(us).unwrap_or_default())
}

/// JSON text of a value that we made ourselves.
pub fn json(v: &impl serde::Serialize) -> String {
    serde_json::to_string(v).unwrap_or_default()
}

/// The value of JSON text that we wrote ourselves.
///
/// # Errors
/// A record that was damaged.
pub fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|e| ApiError::internal(format!("a record's JSON: {e}")))
}
