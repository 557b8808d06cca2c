//! The engines side by side: what a commit, a read, a scan and a start cost, and the memory held.
//!
//! `cargo bench -p fogbank-store` prints one line per figure. Each engine runs in a process of its
//! own, so that memory and processor time are its own.
#![allow(clippy::print_stdout, reason = "it is what a bench is for")]

mod fjall_engine;
mod redb_engine;

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fjall_engine::Lsm;
use fogbank_store::engine::Embedded;
use fogbank_store::engine::log::Log;
use fogbank_store::engine::memory::Memory;
use fogbank_store::{Durability, Key, Lock, Range, Store, Table};
use redb_engine::Redb;

static META: Table<Bytes> = Table::new("s3.object");
static INLINE: Table<Bytes> = Table::new("s3.inline");
static BUCKETS: Table<Bytes> = Table::new("s3.bucket");

const OBJECTS: u64 = 100_000;

fn main() {
    let engines = ["log", "fjall", "redb", "memory"];
    match std::env::var("BENCH_ENGINE") {
        Ok(engine) => run(&engine),
        Err(_) => {
            let me = std::env::current_exe().unwrap();
            for engine in engines {
                let done = std::process::Command::new(&me).env("BENCH_ENGINE", engine).status();
                assert!(done.unwrap().success(), "{engine}");
            }
        }
    }
}

fn run(name: &str) {
    let dir = tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or(".".into())).unwrap();
    let rt =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let say = |what: &str, value: String| println!("{name:8} {what:42} {value}");
    let mb = |n: u64| format!("{:.1} MiB", n as f64 / f64::from(1 << 20));
    let rss = || mb(rss());

    let path = dir.path().join("a");
    let opens: Vec<_> = (0..20)
        .map(|i| timed(|| drop(open(name, &dir.path().join(format!("open{i}")), false))).1)
        .collect();
    say("open an empty store and close it, median", ms(median(opens)));

    let (store, took) = timed(|| open(name, &path, false));
    say("open an empty store", ms(took));
    say("memory, empty", rss());

    let cpu = cpu_time();
    let mut latency = rt.block_on(load(&store));
    let wall: Duration = latency.iter().sum();
    say("put 300 B + 1 KiB in one commit, mean", us(wall / OBJECTS as u32));
    say("  processor time, all threads", us((cpu_time() - cpu) / OBJECTS as u32));
    latency.sort();
    let at = |q: f64| latency[((OBJECTS as f64 * q) as usize).min(latency.len() - 1)];
    let tail = format!("{} {} {} {}", us(at(0.5)), us(at(0.99)), us(at(0.999)), us(at(1.0)));
    say("  p50 p99 p99.9 max", tail);
    say("memory after 100,000 of them", rss());

    let (n, took) = rt.block_on(async {
        let start = cpu_now();
        let mut n = 0;
        for i in 0..OBJECTS {
            let key = object(i.wrapping_mul(7919) % OBJECTS);
            n += store.get(&META, &key).await.unwrap().unwrap().len();
        }
        (n, cpu_now() - start)
    });
    assert_eq!(n as u64, OBJECTS * 300);
    say("get 300 B, random key, processor time", us(took / OBJECTS as u32));
    let (n, took) = rt.block_on(async {
        let start = cpu_now();
        let mut n = 0;
        for i in 0..OBJECTS {
            let key = object(i.wrapping_mul(7919) % OBJECTS);
            n += store.get(&INLINE, &key).await.unwrap().unwrap().len();
        }
        (n, cpu_now() - start)
    });
    assert_eq!(n as u64, OBJECTS * 1024);
    say("get 1 KiB, random key, processor time", us(took / OBJECTS as u32));
    let (n, took) = rt.block_on(async {
        let key = object(OBJECTS / 2);
        let start = cpu_now();
        let mut n = 0;
        for _ in 0..OBJECTS {
            n += store.get(&META, &key).await.unwrap().unwrap().len();
        }
        (n, cpu_now() - start)
    });
    assert_eq!(n as u64, OBJECTS * 300);
    say("get 300 B, same key, processor time", us(took / OBJECTS as u32));
    let (n, took) = rt.block_on(async {
        let start = cpu_now();
        let mut n = 0;
        for i in 0..100 {
            let range = Range::all().from(&object(i * 900));
            n += store.scan(&META, range, 1000).await.unwrap().len();
        }
        (n, cpu_now() - start)
    });
    assert_eq!(n, 100_000);
    say("scan 1,000 of 300 B, processor time", us(took / 100));
    say("memory after reading", rss());
    drop(store);
    if name == "memory" {
        return;
    }
    let (store, took) = timed(|| open(name, &path, false));
    say("open 100,000 objects", ms(took));
    drop(store);

    for writers in [1, 16] {
        let store = open(name, &path, true);
        let took = rt.block_on(durable(&store, writers));
        let rate = f64::from(DURABLE) / took.as_secs_f64();
        say(&format!("durable commits/s, {writers} writers"), format!("{rate:.0}"));
    }
}

fn open(name: &str, path: &Path, fsync: bool) -> Store {
    fn on(engine: impl Embedded, fsync: bool) -> Store {
        let durability = if fsync { Durability::Fsync } else { Durability::Process };
        Store::embedded(engine, durability).unwrap()
    }
    match name {
        "log" => on(Log::open(path).unwrap(), fsync),
        "fjall" => on(Lsm::open(path).unwrap(), fsync),
        // Its own durable commit takes the place of the shared flush.
        "redb" => on(Redb::open(path, fsync), false),
        _ => on(Memory::default(), false),
    }
}

fn object(n: u64) -> Key {
    Key::new().str("bucket").str(&format!("some/folder/object-{n:08}.bin")).u64_desc(n)
}

async fn load(store: &Store) -> Vec<Duration> {
    let meta = Bytes::from(noise(300));
    let body = Bytes::from(noise(1024));
    let mut latency = Vec::with_capacity(OBJECTS as usize);
    for i in 0..OBJECTS {
        let key = object(i);
        let start = Instant::now();
        let bucket = Lock::shared(&BUCKETS, &Key::new().str("bucket"));
        let mut tx = store.lock(&[bucket, Lock::exclusive(&META, &key)]).await;
        tx.put(&META, &key, &meta);
        tx.put(&INLINE, &key, &body);
        tx.commit().await.unwrap();
        latency.push(start.elapsed());
    }
    latency
}

const DURABLE: u32 = 4096;

async fn durable(store: &Store, writers: u32) -> Duration {
    let start = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|w| {
            let store = store.clone();
            tokio::spawn(async move {
                let meta = Bytes::from(noise(300));
                for i in 0..DURABLE / writers {
                    let key = object(u64::from(w * DURABLE + i));
                    store.put(&META, &key, &meta).await.unwrap();
                }
            })
        })
        .collect();
    for t in tasks {
        t.await.unwrap();
    }
    start.elapsed()
}

/// Bytes that do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut x = 88_172_645_463_325_252u64;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as u8
        })
        .collect()
}

fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = f();
    (value, start.elapsed())
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

fn us(d: Duration) -> String {
    format!("{:.2} us", d.as_secs_f64() * 1e6)
}

fn ms(d: Duration) -> String {
    format!("{:.2} ms", d.as_secs_f64() * 1e3)
}

/// Resident memory in bytes.
fn rss() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Processor time of this thread: what reads cost on a machine that has other work too.
fn cpu_now() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// Processor time of all threads, to the clock tick.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
