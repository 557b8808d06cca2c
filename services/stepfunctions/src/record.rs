//! The records that the service keeps.

use fogbank_asl::{Event, Run, Why};
use fogbank_bus::Jobs;
use fogbank_store::{Key, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::arn::ExecutionId;

pub static MACHINES: Table<Machine> = Table::new("sfn.machine");
pub static VERSIONS: Table<Version> = Table::new("sfn.version");
pub static ALIASES: Table<Alias> = Table::new("sfn.alias");
pub static ACTIVITIES: Table<Activity> = Table::new("sfn.activity");
/// Definitions by the hash of their text.
pub static DEFINITIONS: Table<bytes::Bytes> = Table::new("sfn.definition");
pub static EXECUTIONS: Table<Execution> = Table::new("sfn.execution");
/// The state of executions that can still move, or be redriven.
pub static RUNS: Table<StoredRun> = Table::new("sfn.run");
pub static EVENTS: Table<StoredEvent> = Table::new("sfn.event");
/// Executions by machine or Map run, by status, newest first.
pub static STARTED: Table<bytes::Bytes> = Table::new("sfn.started");
/// Tasks that wait for an activity's worker.
pub static WORK: Table<Waiting> = Table::new("sfn.work");
pub static MAP_RUNS: Table<MapRun> = Table::new("sfn.map-run");
/// The items of a Map run, and the results of its executions.
pub static MAP_ITEMS: Table<bytes::Bytes> = Table::new("sfn.map-item");
pub static MAP_RESULTS: Table<MapResult> = Table::new("sfn.map-result");
pub static JOBS: Jobs<Job> = Jobs::new("sfn.job");

/// A state machine.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Machine {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub express: bool,
    /// Microseconds since 1970.
    #[n(2)]
    pub created: i64,
    #[n(3)]
    pub updated: i64,
    #[n(4)]
    pub set: Settings,
    /// `None` before the first update.
    #[n(5)]
    pub revision: Option<String>,
    /// The number of the last version that was published.
    #[n(6)]
    pub last_version: u64,
    #[n(7)]
    pub tags: Vec<Tag>,
    #[n(8)]
    pub encryption: Option<Encryption>,
    /// A checksum of what the newest version was made of.
    #[n(9)]
    pub published: Option<String>,
}
fogbank_store::record!(Machine, version = 1);

/// What a version keeps of its machine.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Settings {
    /// The hash under which the definition is kept.
    #[n(0)]
    pub definition: String,
    #[n(1)]
    pub role: String,
    #[n(2)]
    pub logging: Logging,
    #[n(3)]
    pub tracing: bool,
}

/// `LoggingConfiguration`
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Logging {
    /// Empty: `OFF`.
    #[n(0)]
    pub level: String,
    #[n(1)]
    pub data: bool,
    /// ARNs of log groups.
    #[n(2)]
    pub groups: Vec<String>,
}

/// `EncryptionConfiguration`
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    #[n(0)]
    pub kms_key_id: Option<String>,
    #[n(1)]
    pub kms_data_key_reuse_period_seconds: Option<i64>,
    #[n(2)]
    pub r#type: String,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
pub struct Tag {
    #[n(0)]
    pub key: String,
    #[n(1)]
    #[serde(default)]
    pub value: String,
}

/// A published version.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Version {
    #[n(0)]
    pub number: u64,
    #[n(1)]
    pub set: Settings,
    #[n(2)]
    pub description: Option<String>,
    #[n(3)]
    pub created: i64,
    #[n(4)]
    pub revision: Option<String>,
}
fogbank_store::record!(Version, version = 1);

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Alias {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub description: Option<String>,
    /// Versions and their weights.
    #[n(2)]
    pub routes: Vec<(u64, u32)>,
    #[n(3)]
    pub created: i64,
    #[n(4)]
    pub updated: i64,
}
fogbank_store::record!(Alias, version = 1);

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Activity {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub created: i64,
    #[n(2)]
    pub tags: Vec<Tag>,
    #[n(3)]
    pub encryption: Option<Encryption>,
}
fogbank_store::record!(Activity, version = 1);

/// A Standard execution.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Execution {
    #[n(0)]
    pub id: ExecutionId,
    #[n(1)]
    pub status: Status,
    #[n(2)]
    pub started: i64,
    #[n(3)]
    pub stopped: Option<i64>,
    #[n(4)]
    pub input: String,
    #[n(5)]
    pub output: Option<String>,
    #[n(6)]
    pub error: Option<String>,
    #[n(7)]
    pub cause: Option<String>,
    #[n(8)]
    pub version: Option<String>,
    #[n(9)]
    pub alias: Option<String>,
    #[n(10)]
    pub trace: Option<String>,
    #[n(11)]
    pub set: Settings,
    /// Which states it runs: 0, or the processor of a Map.
    #[n(12)]
    pub scope: u32,
    #[n(13)]
    pub map_run: Option<Child>,
    #[n(14)]
    pub redrives: u32,
    #[n(15)]
    pub redriven: Option<i64>,
    /// Who waits for its end: tasks of other executions.
    #[n(16)]
    pub watchers: Vec<Watcher>,
    /// Part of its tasks' tokens, so that nobody can make one up.
    #[n(17)]
    pub secret: String,
    /// The revision and the time of the definition that it runs.
    #[n(18)]
    pub revision: Option<String>,
    #[n(19)]
    pub defined: i64,
    /// When its own time is up.
    #[n(20)]
    pub expires: Option<i64>,
}
fogbank_store::record!(Execution, version = 1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Status {
    #[n(0)]
    Running,
    #[n(1)]
    Succeeded,
    #[n(2)]
    Failed,
    #[n(3)]
    TimedOut,
    #[n(4)]
    Aborted,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
        }
    }
}

/// A task of another execution that waits.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Watcher {
    #[n(0)]
    pub id: ExecutionId,
    #[n(1)]
    pub frame: u64,
    #[n(2)]
    pub ticket: u64,
    /// The output is wanted as JSON, not as text.
    #[n(3)]
    pub parsed: bool,
}

/// A child of a distributed Map.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Child {
    #[n(0)]
    pub arn: String,
    #[n(1)]
    pub index: u64,
    /// How many items its input holds.
    #[n(2)]
    pub items: u64,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct StoredRun(#[n(0)] pub Run);
fogbank_store::record!(StoredRun, version = 1);

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct StoredEvent(#[n(0)] pub Event);
fogbank_store::record!(StoredEvent, version = 1);

/// A task that waits for a worker.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Waiting {
    #[n(0)]
    pub id: ExecutionId,
    #[n(1)]
    pub frame: u64,
    #[n(2)]
    pub ticket: u64,
}
fogbank_store::record!(Waiting, version = 1);

/// A run of a distributed Map.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct MapRun {
    #[n(0)]
    pub arn: String,
    /// The execution whose state it is, and the frame that waits.
    #[n(1)]
    pub parent: Watcher,
    #[n(2)]
    pub status: Status,
    #[n(3)]
    pub started: i64,
    #[n(4)]
    pub stopped: Option<i64>,
    #[n(5)]
    pub max_concurrency: u64,
    #[n(6)]
    pub tolerated_count: u64,
    #[n(7)]
    pub tolerated_percentage: f64,
    /// How many items and executions there are.
    #[n(8)]
    pub items: u64,
    #[n(9)]
    pub total: u64,
    /// The next execution to begin.
    #[n(10)]
    pub next: u64,
    #[n(11)]
    pub ended: Counts,
    #[n(12)]
    pub ended_items: Counts,
    /// `Machine/label`
    #[n(13)]
    pub machine: String,
    #[n(14)]
    pub scope: u32,
    #[n(15)]
    pub express: bool,
    #[n(16)]
    pub set: Settings,
    /// The first failure.
    #[n(17)]
    pub failure: Option<(Option<String>, Option<String>)>,
    #[n(18)]
    pub redrives: u32,
    /// How many of its executions have been begun and have not ended.
    #[n(19)]
    pub running: u64,
    /// Results go to S3.
    #[n(20)]
    pub writes: bool,
    /// Which of the two thresholds was given.
    #[n(21)]
    pub by_percentage: bool,
    #[n(22)]
    pub by_count: bool,
}
fogbank_store::record!(MapRun, version = 1);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Counts {
    #[n(0)]
    pub succeeded: u64,
    #[n(1)]
    pub failed: u64,
    #[n(2)]
    pub timed_out: u64,
    #[n(3)]
    pub aborted: u64,
}

impl Counts {
    pub fn sum(&self) -> u64 {
        self.succeeded + self.failed + self.timed_out + self.aborted
    }

    pub fn bad(&self) -> u64 {
        self.failed + self.timed_out + self.aborted
    }

    pub fn add(&mut self, status: Status, n: u64) {
        match status {
            Status::Succeeded => self.succeeded += n,
            Status::Failed | Status::Running => self.failed += n,
            Status::TimedOut => self.timed_out += n,
            Status::Aborted => self.aborted += n,
        }
    }
}

/// What became of one execution of a Map run.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct MapResult {
    #[n(0)]
    pub status: Status,
    #[n(1)]
    pub output: Option<String>,
    #[n(2)]
    pub error: Option<String>,
    #[n(3)]
    pub cause: Option<String>,
    #[n(4)]
    pub name: String,
    #[n(5)]
    pub started: i64,
    #[n(6)]
    pub stopped: i64,
}
fogbank_store::record!(MapResult, version = 1);

/// Something to do for an execution.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Job {
    #[n(0)]
    pub id: ExecutionId,
    #[n(1)]
    pub what: What,
}
fogbank_store::record!(Job, version = 1);

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum What {
    /// Move on.
    #[n(0)]
    Go,
    /// Call what the frame's task calls.
    #[n(1)]
    Task(#[n(0)] u64, #[n(1)] u64),
    #[n(2)]
    Timer(#[n(0)] u64, #[n(1)] u64, #[n(2)] Why),
    /// The execution's own time is up.
    #[n(3)]
    Expire,
    /// Another execution's task waits for this one, which has ended.
    #[n(4)]
    Tell(#[n(0)] Watcher),
    /// Begin the distributed Map of a frame.
    #[n(5)]
    MapRun(#[n(0)] u64, #[n(1)] u64),
    /// An execution of a Map run has ended.
    #[n(6)]
    ChildEnded(#[n(0)] Child),
    /// Begin executions of a Map run.
    #[n(7)]
    Children(#[n(0)] String),
    /// Run an Express execution that was started without waiting.
    #[n(8)]
    Express(#[n(0)] Box<Execution>),
    /// Run an Express execution of a Map run.
    #[n(9)]
    ExpressChild(#[n(0)] Child),
    /// Send history events to the log: the first and the last.
    #[n(10)]
    Log(#[n(0)] u64, #[n(1)] u64),
}

/// The key of a machine's version.
pub fn version_key(machine: &Key, number: u64) -> Key {
    machine.clone().u64_desc(number)
}
