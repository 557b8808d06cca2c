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
        let mut ends = Ends::listen()?;
        let running = cloud::start(&settings).await?;
        running.introduce();
        crate::output(&format!("ready {}\n", running.endpoint()))
            .context("cannot say that the cloud is ready")?;
        ends.next().await;
        tokio::select! {
            () = running.stop() => Ok(ExitCode::SUCCESS),
            // Whoever asks twice does not want to wait for requests in flight.
            () = ends.next() => Ok(ExitCode::from(130)),
        }
    })
}

/// The signals that end a cloud.
pub struct Ends {
    interrupt: Signal,
    terminate: Signal,
}

impl Ends {
    /// From now on they do not end the process by themselves.
    ///
    /// # Errors
    /// When the system takes no handler.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Ends {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
