//! The world as the States Language sees it: the cloud's clock and ids.

use std::sync::Arc;

use fogbank_asl::World;
use fogbank_core::Cloud;
use jiff::Timestamp;

/// The cloud's.
pub struct CloudWorld(pub Arc<dyn Cloud>);

impl World for CloudWorld {
    fn random(&self) -> u64 {
        let mut b = [0; 8];
        self.0.ids().fill(&mut b);
        u64::from_le_bytes(b)
    }

    fn uuid(&self) -> String {
        self.0.ids().uuid()
    }

    fn now(&self) -> Timestamp {
        self.0.clock().now()
    }
}

/// Boxed for the interpreter.
pub fn world(cloud: &Arc<dyn Cloud>) -> Arc<dyn World + Send + Sync> {
    Arc::new(CloudWorld(Arc::clone(cloud)))
}
