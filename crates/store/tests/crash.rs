//! Kill -9 at any moment: every acknowledged commit is there, and each is there whole.
//!
//! `FOGBANK_CRASH_ROUNDS` asks for more rounds than the usual twenty.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use fogbank_store::engine::log::Log;
use fogbank_store::{Durability, Key, Lock, Range, Store, Table};

static A: Table<u64> = Table::new("crash.a");
static B: Table<u64> = Table::new("crash.b");
static EACH: Table<Bytes> = Table::new("crash.each");

const WRITERS: u64 = 4;
/// How many of the newest a writer leaves standing.
const KEPT: u64 = 20;

fn open(dir: &Path) -> Store {
    // Small segments: many are begun, listed and removed in each round.
    let log = Log::open_with(&dir.join("store"), 64 << 10).unwrap();
    Store::embedded(log, Durability::Process).unwrap()
}

/// Runs only as the child of the test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn child() {
    let Some(dir) = std::env::var_os("FOGBANK_CRASH_DIR") else { return };
    let store = open(Path::new(&dir));
    let tasks: Vec<_> =
        (0..WRITERS).map(|w| tokio::spawn(write_for_ever(store.clone(), w))).collect();
    for t in tasks {
        t.await.unwrap();
    }
}

async fn write_for_ever(store: Store, writer: u64) {
    let key = Key::new().u64(writer);
    let value = Bytes::from(vec![writer as u8; 700]);
    loop {
        let mut tx = store.lock(&[Lock::exclusive(&A, &key)]).await;
        let n = tx.get(&A, &key).await.unwrap().unwrap_or(0) + 1;
        tx.put(&A, &key, &n);
        tx.put(&EACH, &key.clone().u64(n), &value);
        if let Some(old) = n.checked_sub(KEPT) {
            tx.delete(&EACH, &key.clone().u64(old));
        }
        tx.put(&B, &key, &n);
        tx.commit().await.unwrap();
        // One write each: a line is in the pipe whole or not at all.
        let line = format!("ack {writer} {n}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

#[tokio::test]
async fn every_acknowledged_commit_survives_kill_9() {
    let rounds = std::env::var("FOGBANK_CRASH_ROUNDS").map_or(20, |r| r.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut acked = [0; WRITERS as usize];
    let mut random = u64::from(std::process::id());
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        // Mostly soon after the start, while segments are listed and removed, too.
        let lines = (random >> 33) % 800;
        kill_after(dir.path(), lines, &mut acked);
        check(dir.path(), round, &mut acked).await;
    }
    assert!(acked.iter().sum::<u64>() > 0);
}

/// Lets a child run until it has acknowledged about `lines` commits, and kills it.
fn kill_after(dir: &Path, lines: u64, acked: &mut [u64]) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("FOGBANK_CRASH_DIR", dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The harness writes to the same pipe, before the first.
        let Some((_, ack)) = line.split_once("ack ") else { continue };
        let (writer, n) = ack.split_once(' ').unwrap();
        acked[writer.parse::<usize>().unwrap()] = n.parse().unwrap();
        seen += 1;
        if seen == lines + 1 {
            // What is in the pipe by now is still read: it was acknowledged.
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
}

async fn check(dir: &Path, round: u64, acked: &mut [u64]) {
    let store = open(dir);
    for writer in 0..WRITERS {
        let key = Key::new().u64(writer);
        let n = store.get(&A, &key).await.unwrap().unwrap_or(0);
        let at_least = &mut acked[writer as usize];
        assert!(n >= *at_least, "round {round}: {at_least} was acknowledged, {n} is there");
        assert!(n <= *at_least + 1, "round {round}: at most one was under way");
        *at_least = n;
        assert_eq!(store.get(&B, &key).await.unwrap().unwrap_or(0), n, "round {round}");
        let each = store.scan(&EACH, Range::prefix(&key), 100).await.unwrap();
        let expected = (n + 1).saturating_sub(KEPT).max(1)..=n;
        let found = each.iter().map(|(k, _)| {
            let mut parts = k.parts();
            parts.number();
            parts.number().unwrap()
        });
        assert!(found.eq(expected), "round {round}: each commit is there whole");
        assert!(each.iter().all(|(_, v)| v.len() == 700 && v[0] == writer as u8));
    }
}
