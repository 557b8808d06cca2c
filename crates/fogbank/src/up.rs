//! `fogbank up`: a cloud that serves until it is interrupted.

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Up;
use crate::cloud;

/// Starts the cloud, says when it is ready, and stops it at SIGINT or SIGTERM.
///
/// # Errors
/// [`cloud::Error`], whose kind gives the exit code.
pub fn up(args: &Up) -> anyhow::Result<ExitCode> {
    cloud::log_to_stderr();
    cloud::raise_file_limit();
    let settings = cloud::Settings::from(args);
    cloud::runtime()?.block_on(async {
        let mut ends = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let running = cloud::start(&settings).await?;
        running.introduce();
        crate::output(&format!("ready {}\n", running.endpoint()))
            .context("cannot say that the cloud is ready")?;
        first(&mut ends).await;
        tokio::select! {
            () = running.stop() => Ok(ExitCode::SUCCESS),
            // Whoever asks twice does not want to wait for requests in flight.
            () = first(&mut ends) => Ok(ExitCode::from(130)),
        }
    })
}

async fn first(ends: &mut [Signal; 2]) {
    let [interrupt, terminate] = ends;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
