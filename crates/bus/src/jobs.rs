//! Jobs: records in order of the time at which they are due.

use std::marker::PhantomData;

use fogbank_store::{Key, Record, Table, Tx};
use jiff::Timestamp;

/// A kind of job: `pub static RETRIES: Jobs<Retry> = Jobs::new("lambda.retry");`. The name is a
/// table's: short, and never changed.
pub struct Jobs<T> {
    pub(crate) table: Table<T>,
    record: PhantomData<fn() -> T>,
}

/// A job that is due.
#[derive(Clone, Debug)]
pub struct Job<T> {
    /// When it was due.
    pub due: Timestamp,
    /// Its id: two jobs with the same id may wait for different times.
    pub id: String,
    pub what: T,
}

impl<T: Record> Jobs<T> {
    /// `name`: `service.thing`, in ASCII.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Jobs { table: Table::new(name), record: PhantomData }
    }

    /// Adds a job to a transaction. After the commit, tell the [`crate::Worker`] with
    /// [`crate::Worker::wake`]; it finds the job by itself at the next start otherwise.
    pub fn put(&self, tx: &mut Tx, due: Timestamp, id: &str, what: &T) {
        tx.put(&self.table, &key(due, id), what);
    }

    /// Takes a waiting job back.
    pub fn cancel(&self, tx: &mut Tx, due: Timestamp, id: &str) {
        tx.delete(&self.table, &key(due, id));
    }
}

/// Jobs sort by time, then by id.
pub(crate) fn key(due: Timestamp, id: &str) -> Key {
    Key::new().u64(micros(due)).str(id)
}

/// The parts of a job's key.
pub(crate) fn read(key: &Key) -> Option<(Timestamp, String)> {
    let mut parts = key.parts();
    let due = i64::try_from(parts.number()?).ok()?;
    Some((Timestamp::from_microsecond(due).ok()?, parts.text()?.into_owned()))
}

fn micros(t: Timestamp) -> u64 {
    u64::try_from(t.as_microsecond()).unwrap_or(0)
}
