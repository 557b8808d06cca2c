//! The log on disk: what it survives, what it refuses, and that it does not grow for ever.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fogbank_store::engine::log::Log;
use fogbank_store::engine::{Batch, Embedded, Span};
use fogbank_store::{Error, Options, Store};
use proptest::prelude::*;

type Model = BTreeMap<Vec<u8>, Bytes>;

fn all(log: &Log, reverse: bool) -> Vec<(Vec<u8>, Bytes)> {
    let span = Span { lo: Vec::new(), hi: vec![0xFF], reverse };
    let mut seen = Vec::new();
    log.range(&span, &mut |k, v| {
        seen.push((k.to_vec(), Bytes::copy_from_slice(v)));
        ControlFlow::Continue(())
    })
    .unwrap();
    seen
}

fn put(log: &Log, key: &str, value: &str) {
    log.commit(vec![(key.into(), Some(Bytes::copy_from_slice(value.as_bytes())))]).unwrap();
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == ending))
        .collect();
    found.sort();
    found
}

fn refusal(dir: &Path) -> String {
    match Log::open(dir) {
        Err(e @ Error::Corrupt { .. }) => e.to_string(),
        Err(e) => panic!("{e}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn a_torn_end_loses_only_what_was_not_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path()).unwrap();
    let mut ends = Vec::new();
    for n in 0..5u8 {
        let batch = [b"a", b"b"].map(|k| (k.to_vec(), Some(Bytes::from(vec![n; 20]))));
        log.commit(batch.into()).unwrap();
        ends.push(log.size());
    }
    drop(log);
    let [path] = &files(dir.path(), "log")[..] else { panic!() };
    let whole = fs::read(path).unwrap();
    for len in 0..whole.len() {
        fs::write(path, &whole[..len]).unwrap();
        let log = Log::open(dir.path()).unwrap();
        let n = ends.iter().filter(|e| **e <= len as u64).count();
        let expected: Vec<_> = [b"a", b"b"]
            .iter()
            .filter(|_| n > 0)
            .map(|k| (k.to_vec(), Bytes::from(vec![n as u8 - 1; 20])))
            .collect();
        assert_eq!(all(&log, false), expected, "cut at {len}");
        // It goes on from there.
        put(&log, "c", "later");
        drop(log);
        let log = Log::open(dir.path()).unwrap();
        assert_eq!(log.get(b"c").unwrap(), Some("later".into()));
        assert_eq!(all(&log, false).len(), expected.len() + 1);
    }
    // As power loss may leave it.
    fs::write(path, [&whole[..], &[0; 5000]].concat()).unwrap();
    assert_eq!(all(&Log::open(dir.path()).unwrap(), false).len(), 2);
}

#[test]
fn damage_is_refused_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path()).unwrap();
    put(&log, "a", "first");
    let first = log.size();
    put(&log, "b", "second");
    let second = log.size();
    put(&log, "c", "third");
    drop(log);
    let [path] = &files(dir.path(), "log")[..] else { panic!() };
    let whole = fs::read(path).unwrap();
    // Every byte of the second batch: nothing of it passes for a torn end.
    for at in first..second {
        let mut bad = whole.clone();
        bad[at as usize] ^= 0x10;
        fs::write(path, &bad).unwrap();
        let said = refusal(dir.path());
        assert!(said.contains("00000001.log is damaged"), "{said}");
        assert!(said.contains(&format!("byte {first}")), "{said}");
        assert_eq!(fs::read(path).unwrap(), bad, "nothing is touched");
    }
    for other in [&b"not a log of ours"[..], &[0; 100]] {
        fs::write(path, other).unwrap();
        assert!(refusal(dir.path()).contains("does not begin as a segment of ours"));
    }
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
    assert!(matches!(Log::open(dir.path()), Err(Error::Io { .. })));
}

#[test]
fn damage_under_an_open_log_is_an_error_of_the_read() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path()).unwrap();
    put(&log, "a", "value");
    let [path] = &files(dir.path(), "log")[..] else { panic!() };
    let mut bad = fs::read(path).unwrap();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(path, &bad).unwrap();
    assert!(matches!(log.get(b"a"), Err(Error::Corrupt { .. })));
    let span = Span { lo: Vec::new(), hi: vec![0xFF], reverse: false };
    assert!(log.range(&span, &mut |_, _| panic!("shown")).is_err());
    fs::write(path, b"").unwrap();
    assert!(matches!(log.get(b"a"), Err(Error::Io { .. })));
}

#[test]
fn segments_are_listed_and_a_missing_one_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open_with(dir.path(), 1000).unwrap();
    for n in 0..100 {
        put(&log, &format!("{n:03}"), "0123456789");
    }
    log.settle();
    drop(log);
    let log = Log::open_with(dir.path(), 1000).unwrap();
    log.settle();
    let before = all(&log, false);
    drop(log);
    let (logs, keys) = (files(dir.path(), "log"), files(dir.path(), "keys"));
    assert!(logs.len() > 3);
    assert_eq!(keys.len(), logs.len() - 1);

    // A list that cannot be trusted is not used, and made again.
    fs::write(&keys[0], b"fogkeys1 nonsense").unwrap();
    let half = fs::read(&keys[1]).unwrap();
    fs::write(&keys[1], &half[..half.len() / 2]).unwrap();
    let log = Log::open_with(dir.path(), 1000).unwrap();
    assert_eq!(all(&log, false), before);
    log.settle();
    drop(log);
    assert_eq!(fs::read(&keys[1]).unwrap(), half);

    fs::remove_file(&logs[1]).unwrap();
    assert!(refusal(dir.path()).contains("00000002.log is damaged: it is missing"));
}

#[test]
fn overwriting_does_not_grow_the_log_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open_with(dir.path(), 10_000).unwrap();
    put(&log, "kept", "from the first segment");
    for round in 0..30 {
        for n in 0..100 {
            put(&log, &format!("{n}"), &format!("{round} {}", "x".repeat(100)));
        }
        log.settle();
    }
    for n in 1..100 {
        log.commit(vec![(format!("{n}").into(), None)]).unwrap();
    }
    for n in 0..500 {
        put(&log, "0", &format!("{n} {}", "x".repeat(100)));
    }
    log.settle();
    assert!(log.size() < 40_000, "{}", log.size());
    let on_disk: u64 = files(dir.path(), "log").iter().map(|p| p.metadata().unwrap().len()).sum();
    assert_eq!(log.size(), on_disk);
    let state = all(&log, false);
    assert_eq!(state.len(), 2);
    assert_eq!(log.get(b"kept").unwrap(), Some("from the first segment".into()));
    drop(log);
    assert_eq!(all(&Log::open_with(dir.path(), 10_000).unwrap(), false), state);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_says_so() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), &Options::default()).unwrap());
    fs::write(dir.path().join("store/00000001.log"), "garbage garbage").unwrap();
    let e = Store::open(dir.path(), &Options::default()).unwrap_err().to_string();
    assert!(e.contains("restore it from a backup, or move it away to start empty"), "{e}");
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(u8, Option<u16>)>),
    Reopen,
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let write = (0..40u8, prop::option::weighted(0.7, 0..300u16));
    prop_oneof![
        20 => prop::collection::vec(write, 1..6).prop_map(Step::Commit),
        1 => Just(Step::Reopen),
        2 => Just(Step::Settle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn it_is_an_ordered_map(steps in prop::collection::vec(step(), 1..120)) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open_with(dir.path(), 2000).unwrap();
        let mut model = Model::new();
        for (i, step) in steps.into_iter().enumerate() {
            match step {
                Step::Commit(writes) => {
                    let writes: BTreeMap<Vec<u8>, Option<Bytes>> = writes
                        .into_iter()
                        .map(|(k, v)| (vec![k], v.map(|n| vec![i as u8; n.into()].into())))
                        .collect();
                    for (k, v) in &writes {
                        match v {
                            Some(v) => drop(model.insert(k.clone(), v.clone())),
                            None => drop(model.remove(k)),
                        }
                    }
                    log.commit(Batch::from_iter(writes)).unwrap();
                }
                Step::Reopen => {
                    drop(log);
                    log = Log::open_with(dir.path(), 2000).unwrap();
                }
                Step::Settle => log.settle(),
            }
            for k in 0..40 {
                prop_assert_eq!(log.get(&[k]).unwrap(), model.get(&[k][..]).cloned());
            }
        }
        let expected: Vec<_> = model.into_iter().collect();
        prop_assert_eq!(all(&log, false), expected.clone());
        prop_assert!(all(&log, true).into_iter().rev().eq(expected));
    }
}
