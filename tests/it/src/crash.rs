//! kill -9 at any moment loses no acknowledged write.

use anyhow::{Context, Result, ensure};
use fogbank_core::Ids;
use fogbank_testkit::cloud::Options;
use fogbank_testkit::http::Request;
use fogbank_testkit::load::{Load, Writer, verify};

const BUCKET: &str = "crash";
const WRITERS: usize = 4;
/// Rounds of the ordinary run; `cargo xtask crash` asks for more.
const ROUNDS: u32 = 5;

/// Writers under load, a kill after a random number of acknowledged writes, a restart, and every
/// write of every round so far is read back.
#[test]
fn kill9_loses_no_acknowledged_write() -> Result<()> {
    let rounds = match std::env::var("FOGBANK_CRASH_ROUNDS") {
        Ok(n) => n.parse().context("FOGBANK_CRASH_ROUNDS")?,
        Err(_) => ROUNDS,
    };
    let folder = tempfile::tempdir()?;
    let options = Options::durable(folder.path());
    let ids = Ids::system();
    let mut writers: Vec<Writer> = (0..WRITERS).map(|i| Writer::new(BUCKET, i)).collect();
    let mut cloud = options.start()?;
    let made = cloud.connect()?.send(&Request::s3("PUT", &format!("/{BUCKET}"), b""))?;
    ensure!(made.status == 200, "{}", made.text());

    let mut total = 0;
    for round in 1..=rounds {
        let load = Load::start(cloud.address(), writers);
        let target = 1 + random(&ids) % 400;
        let acknowledged = load.acks.iter().take(target).count();
        cloud.kill()?;
        writers = load.finish()?;
        ensure!(acknowledged == target, "round {round}: only {acknowledged} writes in time");
        total += acknowledged;

        cloud = options.start().with_context(|| format!("round {round}: restart"))?;
        let compared = verify(cloud.address(), &mut writers)
            .with_context(|| format!("round {round}, killed after {acknowledged} writes"))?;
        eprintln!(
            "round {round}: {acknowledged} writes acknowledged, {compared} keys as they must be"
        );
    }
    eprintln!("{rounds} rounds, more than {total} acknowledged writes, none lost");
    Ok(())
}

fn random(ids: &Ids) -> usize {
    let mut bytes = [0; 2];
    ids.fill(&mut bytes);
    usize::from(u16::from_le_bytes(bytes))
}
