//! Upkeep: environments that nobody needs are shut down, and CloudWatch is told of each minute.

use std::sync::Arc;
use std::time::Duration;

use fogbank_core::Cloud;
use tokio::sync::Notify;

use crate::Lambda;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(20);

/// Sets it going: at intervals, and whenever the clock is moved.
pub fn start(lambda: &Arc<Lambda>, cloud: &Arc<dyn Cloud>) {
    let moved = Arc::new(Notify::new());
    let wake = Arc::clone(&moved);
    cloud.clock().on_move(move || wake.notify_one());
    let (lambda, cloud) = (Arc::downgrade(lambda), Arc::clone(cloud));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = moved.notified() => {}
            }
            let Some(lambda) = lambda.upgrade() else { return };
            lambda.pools.reap(cloud.clock().now());
            lambda.provision_soon();
            lambda.metrics.tell(&cloud).await;
        }
    });
}
