//! `fogbank run`: deploys an example system with the calls a client would make, and shows it at work.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::Run;
use crate::cloud;
use crate::instance::Instance;
use crate::up::Ends;

mod client;
mod stage;
mod static_website;
mod tenant_isolation;

use client::Client;
use stage::Stage;

/// An example system.
struct Blueprint {
    /// The number of its folder under `blueprints/`.
    number: &'static str,
    name: &'static str,
    title: &'static str,
    /// Deploys it, looks at it from outside, and returns the address to open.
    show: fn(&Client, &mut Stage) -> anyhow::Result<String>,
}

const BLUEPRINTS: &[Blueprint] = &[
    Blueprint {
        number: "05",
        name: "tenant-isolation",
        title: "Lambda's tenant isolation mode",
        show: tenant_isolation::show,
    },
    Blueprint {
        number: "09",
        name: "static-website",
        title: "A static website on S3",
        show: static_website::show,
    },
];

/// Deploys the blueprint on the cloud that runs on the port, or on one of its own, which then stays
/// up until it is interrupted.
///
/// # Errors
/// A name that is none, or a cloud that cannot be started. A step that fails is shown and gives
/// exit code 1.
pub fn run(args: &Run) -> anyhow::Result<ExitCode> {
    let Some(name) = &args.blueprint else {
        crate::output(&list())?;
        return Ok(ExitCode::SUCCESS);
    };
    let blueprint =
        find(name).with_context(|| format!("There is no system `{name}`.\n{}", list()))?;
    if args.port != 0 && Instance::at(args.port).is_up()? {
        let instance = Instance::at(args.port);
        let mut stage = Stage::new(blueprint.number, blueprint.title);
        stage.step("Join the cloud that runs", || Ok(instance.endpoint()))?;
        return show(blueprint, &instance, &mut stage, args.once);
    }
    cloud::log_to_stderr();
    cloud::raise_file_limit();
    cloud::runtime()?.block_on(in_process(blueprint, args))
}

/// On a cloud in this process.
async fn in_process(blueprint: &'static Blueprint, args: &Run) -> anyhow::Result<ExitCode> {
    let mut ends = Ends::listen()?;
    let mut stage = Stage::new(blueprint.number, blueprint.title);
    let settings = cloud::Settings::local(args.port, &args.place);
    let start = stage.begin("Start a cloud");
    let running = cloud::start(&settings).await?;
    stage.end(start, Ok(running.endpoint()))?;

    let address = running.endpoint().trim_start_matches("http://").parse();
    let instance = Instance { address: address.context("the cloud's address")? };
    let once = args.once;
    let shown = tokio::task::spawn_blocking(move || show(blueprint, &instance, &mut stage, once));
    let code = tokio::select! {
        code = shown => code.context("the blueprint panicked")??,
        () = ends.next() => return Ok(ExitCode::from(130)),
    };
    if !args.once {
        eprintln!("The cloud stays up; Ctrl-C ends it.");
        ends.next().await;
    }
    running.stop().await;
    Ok(code)
}

/// Runs the steps, prints the table and where to look. Exit code 1 when a step failed.
fn show(
    blueprint: &Blueprint,
    instance: &Instance,
    stage: &mut Stage,
    once: bool,
) -> anyhow::Result<ExitCode> {
    let client = Client { instance: *instance };
    let shown = (blueprint.show)(&client, stage);
    let mut text = format!("\n{}\n", stage.table());
    match &shown {
        Ok(address) if !once => writeln!(text, "Open {address}")?,
        Ok(_) => {}
        Err(e) => writeln!(text, "{} failed: {e:#}", blueprint.name)?,
    }
    crate::output(&text)?;
    Ok(if shown.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// By name, or by number with or without its zero.
fn find(name: &str) -> Option<&'static Blueprint> {
    let number = |n: &str| n.parse::<u8>().ok();
    BLUEPRINTS
        .iter()
        .find(|b| b.name == name || number(name).is_some_and(|n| Some(n) == number(b.number)))
}

fn list() -> String {
    let mut text = String::from("Example systems, for `fogbank run NAME`:\n");
    for b in BLUEPRINTS {
        let _ = writeln!(text, "  {:<18} {}  {}", b.name, b.number, b.title);
    }
    text
}

/// Fails with what was expected and what came.
fn expect(holds: bool, expected: &str, got: &str) -> anyhow::Result<()> {
    if !holds {
        bail!("expected {expected}, got {got}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for name in ["static-website", "09", "9"] {
            assert_eq!(find(name).map(|b| b.name), Some("static-website"), "{name}");
        }
        assert!(find("10").is_none() && find("static").is_none() && find("").is_none());
        assert!(list().contains("static-website"));
    }
}
