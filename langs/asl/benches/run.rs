//! How long five states take, with nothing around them: `cargo bench -p fogbank-asl`.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::sync::Arc;
use std::time::Instant;

use fogbank_asl::run::{Meta, Mover, Moves};
use fogbank_asl::world::Still;
use fogbank_asl::{Definition, Run, World};
use serde_json::{Value, json};

const ROUNDS: u32 = 20_000;

fn main() {
    for (name, language, extra) in [
        (
            "five JSONata states",
            "JSONata",
            json!({"Output": "{% $merge([$states.input, {'total': $sum($states.input.items.price) + 1}]) %}"}),
        ),
        (
            "five JSONPath states",
            "JSONPath",
            json!({"Parameters": {"items.$": "$.items", "n.$": "States.ArrayLength($.items)"}}),
        ),
    ] {
        let mut states = serde_json::Map::new();
        for i in 0..5 {
            let mut s = extra.clone();
            s["Type"] = "Pass".into();
            if i < 4 {
                s["Next"] = format!("S{}", i + 1).into();
            } else {
                s["End"] = true.into();
            }
            states.insert(format!("S{i}"), s);
        }
        let text =
            json!({"StartAt": "S0", "QueryLanguage": language, "States": states}).to_string();
        let Ok(definition) = Definition::parse(&text) else { return };
        let meta = Meta {
            execution: Value::Null,
            state_machine: Value::Null,
            context: None,
            region: String::new(),
            standard: false,
            recording: false,
            map_runs: String::new(),
            missing_activities: Vec::new(),
            token: Arc::new(|_, _| String::new()),
        };
        let world: Arc<dyn World + Send + Sync> = Arc::new(Still);
        let started = Instant::now();
        for _ in 0..ROUNDS {
            let input = json!({"items": [{"price": 3}, {"price": 4}]});
            let mut run = Run::new(&definition, 0, input.into(), None);
            let mut mover = Mover {
                run: &mut run,
                definition: &definition,
                meta: &meta,
                world: &world,
                moves: Moves::default(),
            };
            mover.advance(100);
            assert!(matches!(run.outcome, Some(fogbank_asl::Outcome::Succeeded(_))));
        }
        println!("{name}: {:.1} us", started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
    }
}
