//! What an evaluation needs of the world: randomness, ids and the time. Passed in, so that
//! evaluating is a function of what it is given.

use jiff::Timestamp;

/// The outside, as expressions see it.
pub trait World {
    /// 64 random bits.
    fn random(&self) -> u64;
    /// A random UUID.
    fn uuid(&self) -> String;
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// A world in which nothing happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Still;

impl World for Still {
    fn random(&self) -> u64 {
        0
    }
    fn uuid(&self) -> String {
        "00000000-0000-4000-8000-000000000000".to_owned()
    }
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}
