//! `fogbank operations`: what is implemented of what AWS has, from the operation tables.

use fogbank_core::{Clock, Ids};
use serde_json::{Value, json};

use crate::cli::Place;
use crate::cloud::{self, Settings, data, services};

/// Prints a list of services, each with its operations and whether they are implemented.
///
/// # Errors
/// When the services cannot be made.
pub fn operations() -> anyhow::Result<()> {
    let settings = Settings::local(0, &Place { data: None, ephemeral: true });
    let parts = cloud::runtime()?.block_on(async {
        let state = data::open(&settings)?;
        services::assemble(&state, &settings, &Clock::default(), &Ids::system()).await
    })?;
    let all: Vec<Value> = fogbank_model::heads()
        .iter()
        .map(|head| {
            let ours = parts.services.iter().find(|s| s.name() == head.id);
            let operations: Vec<Value> = head
                .service()
                .operations
                .iter()
                .map(|o| json!({ "name": o.name, "implemented": ours.is_some_and(|s| s.has(o.name)) }))
                .collect();
            json!({ "service": head.id, "operations": operations })
        })
        .collect();
    crate::output(&format!("{:#}\n", Value::Array(all)))
}
