//! What every engine promises: order, atomicity, transactions that see themselves, kept records.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fogbank_store::engine::faults::{Call, Fault, Faults};
use fogbank_store::engine::memory::Memory;
use fogbank_store::{
    Durability, Error, Key, Lock, Options, Parts, Range, Record, Store, Table, record,
};
use minicbor::{Decode, Encode};

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Role {
    #[n(0)]
    name: String,
    #[n(1)]
    tags: BTreeMap<String, String>,
    #[n(2)]
    description: Option<String>,
}
record!(Role, version = 1);

static ROLES: Table<Role> = Table::new("iam.role");
static RAW: Table<Bytes> = Table::new("raw");
static RAW2: Table<Bytes> = Table::new("raw2");
static COUNT: Table<u64> = Table::new("count");

fn role(name: &str) -> Role {
    Role { name: name.into(), tags: [("k".into(), "v".into())].into(), description: None }
}

fn key(s: &str) -> Key {
    Key::new().str("000000000000").str(s)
}

/// One of each kind; the directory lives as long as the stores.
fn stores() -> (tempfile::TempDir, Vec<Store>) {
    let dir = tempfile::tempdir().unwrap();
    let fsync = Options { durability: Durability::Fsync };
    let stores = vec![
        Store::ephemeral(),
        Store::shared(Faults::new(Memory::default(), |_| None)),
        Store::open(&dir.path().join("process"), &Options::default()).unwrap(),
        Store::open(&dir.path().join("fsync"), &fsync).unwrap(),
    ];
    (dir, stores)
}

async fn names(store: &Store, range: Range) -> Vec<String> {
    let all = store.scan(&ROLES, range, 100).await.unwrap();
    for (k, r) in &all {
        assert_eq!(*k, key(&r.name));
    }
    all.into_iter().map(|(_, r)| r.name).collect()
}

#[tokio::test]
async fn records_come_back_in_order() {
    for store in stores().1 {
        for n in ["b", "a/2", "c", "a/1", "a", "a\0x"] {
            store.put(&ROLES, &key(n), &role(n)).await.unwrap();
        }
        store.put(&RAW, &key("zzz"), &Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(store.get(&ROLES, &key("a")).await.unwrap(), Some(role("a")));
        assert_eq!(store.get(&ROLES, &key("zzz")).await.unwrap(), None);

        let parent = Key::new().str("000000000000");
        let all = ["a", "a\0x", "a/1", "a/2", "b", "c"];
        let reversed: Vec<_> = all.iter().rev().copied().collect();
        assert_eq!(names(&store, Range::all()).await, all);
        assert_eq!(names(&store, Range::prefix(&parent)).await, all);
        assert_eq!(names(&store, Range::all().reverse()).await, reversed);
        assert_eq!(names(&store, Range::prefix(&key("a"))).await, ["a"]);
        assert_eq!(names(&store, Range::starting(&parent, "a/")).await, ["a/1", "a/2"]);
        assert_eq!(names(&store, Range::starting(&parent, "a")).await, all[..4]);
        assert_eq!(names(&store, Range::all().after(&key("a/1"))).await, all[3..]);
        assert_eq!(names(&store, Range::all().after(&key("a/1")).reverse()).await, reversed[4..]);
        assert_eq!(names(&store, Range::all().reverse().after(&key("a/1"))).await, reversed[4..]);
        assert_eq!(names(&store, Range::all().from(&key("a/1")).to(&key("c"))).await, all[2..5]);
        assert_eq!(names(&store, Range::all().past(&key("a"))).await, all[1..]);
        assert_eq!(names(&store, Range::all().past_starting(&parent, "a/")).await, all[4..]);
        assert_eq!(names(&store, Range::all().from(&key("c")).to(&key("a"))).await, [""; 0]);
        assert_eq!(store.scan(&ROLES, Range::all(), 2).await.unwrap().len(), 2);
        assert_eq!(store.scan(&ROLES, Range::all(), 0).await.unwrap(), []);

        let mut seen = Vec::new();
        let range = Range::all().from(&key("b"));
        store
            .visit(&ROLES, range, |k, _| {
                let mut parts = Parts::of(k);
                parts.text();
                seen.push(parts.text().unwrap().into_owned());
                ControlFlow::Continue(())
            })
            .await
            .unwrap();
        assert_eq!(seen, ["b", "c"]);

        store.delete(&ROLES, &key("a")).await.unwrap();
        store.delete(&ROLES, &key("not there")).await.unwrap();
        assert_eq!(store.get(&ROLES, &key("a")).await.unwrap(), None);

        let stats = store.stats().await.unwrap();
        let tables: Vec<_> = stats.tables.iter().map(|t| (&t.name[..], t.records)).collect();
        assert_eq!(tables, [("iam.role", 5), ("raw", 1)]);
    }
}

#[tokio::test]
async fn a_long_scan_of_a_shared_engine_is_paged() {
    for store in stores().1 {
        let mut tx = store.lock(&[]).await;
        for n in 0..2500 {
            tx.put(&COUNT, &Key::new().u64(n), &n);
        }
        tx.put(&RAW, &Key::new(), &Bytes::new());
        tx.commit().await.unwrap();
        let all = store.scan(&COUNT, Range::all(), usize::MAX).await.unwrap();
        assert!(all.iter().map(|(_, n)| *n).eq(0..2500));
        let all = store.scan(&COUNT, Range::all().reverse(), usize::MAX).await.unwrap();
        assert!(all.iter().map(|(_, n)| *n).eq((0..2500).rev()));
    }
}

#[tokio::test]
async fn a_transaction_sees_its_own_writes_and_nobody_else_does() {
    for store in stores().1 {
        for n in ["b", "d", "f"] {
            store.put(&ROLES, &key(n), &role(n)).await.unwrap();
        }
        let mut tx = store.lock(&[Lock::exclusive(&ROLES, &key("a"))]).await;
        for n in ["a", "c", "g"] {
            tx.put(&ROLES, &key(n), &role(n));
        }
        tx.delete(&ROLES, &key("d"));
        tx.put(&ROLES, &key("f"), &Role { description: Some("new".into()), ..role("f") });
        assert_eq!(tx.get(&ROLES, &key("a")).await.unwrap(), Some(role("a")));
        assert_eq!(tx.get(&ROLES, &key("b")).await.unwrap(), Some(role("b")));
        assert_eq!(tx.get(&ROLES, &key("d")).await.unwrap(), None);

        let mut seen = Vec::new();
        for (range, limit) in [
            (Range::all(), 100),
            (Range::all().reverse(), 100),
            (Range::all(), 2),
            (Range::all().after(&key("b")).to(&key("g")), 100),
            (Range::all().from(&key("g")), 100),
        ] {
            let page = tx.scan(&ROLES, range, limit).await.unwrap();
            seen.push(page.iter().map(|(_, r)| &r.name[..]).collect::<String>());
            let f = page.iter().find(|(_, r)| r.name == "f");
            assert!(f.is_none_or(|(_, r)| r.description.is_some()));
        }
        assert_eq!(seen, ["abcfg", "gfcba", "ab", "cf", "g"]);

        assert_eq!(names(&store, Range::all()).await, ["b", "d", "f"]);
        tx.commit().await.unwrap();
        assert_eq!(names(&store, Range::all()).await, ["a", "b", "c", "f", "g"]);

        let mut dropped = store.lock(&[Lock::exclusive(&ROLES, &key("a"))]).await;
        dropped.delete(&ROLES, &key("a"));
        drop(dropped);
        assert_eq!(store.get(&ROLES, &key("a")).await.unwrap(), Some(role("a")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_under_a_lock_is_lost() {
    for store in stores().1 {
        let k = Key::new().str("n");
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (store, k) = (store.clone(), k.clone());
                tokio::spawn(async move {
                    for _ in 0..50 {
                        let mut tx = store.lock(&[Lock::exclusive(&COUNT, &k)]).await;
                        let n = tx.get(&COUNT, &k).await.unwrap().unwrap_or(0);
                        tokio::task::yield_now().await;
                        tx.put(&COUNT, &k, &(n + 1));
                        tx.commit().await.unwrap();
                    }
                })
            })
            .collect();
        for t in tasks {
            t.await.unwrap();
        }
        assert_eq!(store.get(&COUNT, &k).await.unwrap(), Some(400));
    }
}

#[tokio::test]
async fn the_store_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default();
    let store = Store::open(dir.path(), &options).unwrap();
    store.put(&ROLES, &key("a"), &role("a")).await.unwrap();
    assert!(matches!(Store::open(dir.path(), &options), Err(Error::InUse { .. })));
    drop(store);
    let store = Store::open(dir.path(), &options).unwrap();
    assert_eq!(store.get(&ROLES, &key("a")).await.unwrap(), Some(role("a")));
}

#[tokio::test]
async fn a_record_grows_fields_and_refuses_what_it_does_not_know() {
    #[derive(Debug, PartialEq, Encode, Decode)]
    struct Later {
        #[n(0)]
        name: String,
        #[n(3)]
        path: Option<String>,
    }
    record!(Later, version = 1);
    #[derive(Debug, PartialEq, Encode, Decode)]
    struct Next {
        #[n(0)]
        name: String,
    }
    fn upgrade(version: u8, cbor: &[u8]) -> Result<Next, String> {
        assert_eq!(version, 1);
        let old: Role = fogbank_store::record::decode(version, cbor)?;
        Ok(Next { name: old.name.to_uppercase() })
    }
    record!(Next, version = 2, upgrade = upgrade);

    static LATER: Table<Later> = Table::new("iam.role");
    static NEXT: Table<Next> = Table::new("iam.role");
    static AS_RAW: Table<Bytes> = Table::new("iam.role");
    let store = Store::ephemeral();
    store.put(&ROLES, &key("a"), &role("a")).await.unwrap();
    let later = store.get(&LATER, &key("a")).await.unwrap();
    assert_eq!(later, Some(Later { name: "a".into(), path: None }));
    assert_eq!(store.get(&NEXT, &key("a")).await.unwrap(), Some(Next { name: "A".into() }));

    store.put(&NEXT, &key("b"), &Next { name: "b".into() }).await.unwrap();
    let said = |e: Error| e.to_string();
    let e = said(store.get(&ROLES, &key("b")).await.unwrap_err());
    assert!(e.contains("iam.role") && e.contains("version 2") && e.contains(r#""b""#), "{e}");
    for bad in ["", "\x01", "\x01\u{1}", "\x01\u{80}\0"] {
        store.put(&AS_RAW, &key("c"), &Bytes::from_static(bad.as_bytes())).await.unwrap();
        let e = said(store.get(&ROLES, &key("c")).await.unwrap_err());
        assert!(e.starts_with("the record (\"000000000000\", \"c\") of table iam.role"), "{e}");
        assert!(store.scan(&ROLES, Range::all(), 9).await.is_err());
    }
}

#[tokio::test]
async fn a_key_that_is_too_long_is_refused_with_nothing_written() {
    for store in stores().1 {
        let mut tx = store.lock(&[]).await;
        tx.put(&RAW, &Key::new().str("fits"), &Bytes::new());
        tx.put(&RAW, &Key::new().str(&"x".repeat(70_000)), &Bytes::new());
        let e = tx.commit().await.unwrap_err().to_string();
        assert!(e.contains("the longest has 61440"), "{e}");
        assert_eq!(store.get(&RAW, &Key::new().str("fits")).await.unwrap(), None);
        let e = store.get(&RAW, &Key::new().str(&"x".repeat(70_000))).await;
        assert_eq!(e.unwrap(), None);
        let long = Key::new().str(&"x".repeat(70_000));
        store.delete(&RAW, &long).await.unwrap();
        for range in [Range::all().from(&long), Range::all().to(&long), Range::all().after(&long)] {
            assert_eq!(store.scan(&RAW, range, 9).await.unwrap(), []);
        }
        // Tables whose names begin alike stay apart.
        store.put(&RAW2, &Key::new(), &Bytes::new()).await.unwrap();
        assert_eq!(store.scan(&RAW, Range::all(), 9).await.unwrap(), []);
        let big = Bytes::from(vec![7; 5 << 20]);
        store.put(&RAW, &Key::new(), &big).await.unwrap();
        assert_eq!(store.get(&RAW, &Key::new()).await.unwrap(), Some(big));
    }
}

#[tokio::test(start_paused = true)]
async fn faults_are_errors_and_a_lost_reply_may_have_been_written() {
    let n = Arc::new(AtomicUsize::new(0));
    let plan = {
        let n = n.clone();
        move |call| match (call, n.fetch_add(1, Ordering::Relaxed)) {
            (Call::Commit, 0) => Some(Fault::Fail),
            (Call::Commit, 1) => Some(Fault::Lost),
            (Call::Get, 2) => Some(Fault::Delay(Duration::from_secs(60))),
            (Call::Lock, 3) => Some(Fault::Fail),
            _ => None,
        }
    };
    let store = Store::shared(Faults::new(Memory::default(), plan));
    assert!(store.put(&COUNT, &Key::new(), &1).await.is_err());
    assert!(store.put(&COUNT, &Key::new(), &2).await.is_err());
    assert_eq!(store.get(&COUNT, &Key::new()).await.unwrap(), Some(2));
    let mut tx = store.lock(&[Lock::exclusive(&COUNT, &Key::new())]).await;
    assert!(tx.get(&COUNT, &Key::new()).await.is_err());
    tx.put(&COUNT, &Key::new(), &3);
    let e = tx.commit().await.unwrap_err().to_string();
    assert!(e.contains("injected in Lock"), "{e}");
    assert_eq!(store.get(&COUNT, &Key::new()).await.unwrap(), Some(2));
}

#[test]
fn a_counter_is_eight_bytes() {
    assert!(<u64 as Record>::load(Bytes::from_static(b"1234567")).is_err());
}
