//! Blobs on disk: rates of writing and reading 8 MiB, and the memory that stays behind.
//!
//! `cargo bench -p fogbank-blob` prints one line per figure.
#![allow(clippy::print_stdout, reason = "it is what a bench is for")]

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fogbank_blob::{BlobId, Blobs, Options};

const MIB: usize = 1 << 20;
const SIZE: usize = 8 * MIB;
const COUNT: usize = 128;

fn main() {
    let rt =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    rt.block_on(run());
}

async fn run() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let blobs = Blobs::open(&dir.path().join("blobs"), &Options::default()).unwrap();
    let say = |what: &str, value: String| println!("{what:48} {value}");
    let bytes = Bytes::from((0..SIZE).map(|i| (i * 31 / 7) as u8).collect::<Vec<_>>());
    say("memory at the start", rss());

    for piece in [16 << 10, 64 << 10, 256 << 10, SIZE] {
        let (start, cpu) = (Instant::now(), cpu_now());
        for _ in 0..16 {
            let id = put(&blobs, &bytes, piece).await;
            blobs.delete(&id).await.unwrap();
        }
        let what = format!("write 8 MiB in pieces of {} KiB", piece >> 10);
        say(&what, rate(16, start.elapsed(), cpu_now().checked_sub(cpu)));
    }
    let (start, cpu) = (Instant::now(), cpu_now());
    let mut ids = Vec::new();
    for _ in 0..COUNT {
        ids.push(put(&blobs, &bytes, 64 << 10).await);
    }
    say("write 1 GiB as blobs of 8 MiB", rate(COUNT, start.elapsed(), cpu_now().checked_sub(cpu)));
    say("memory after it", rss());

    // A sink that has the kernel copy every byte, as a socket does.
    for (what, ids) in [("read 128 blobs", &ids[..]), ("read one blob 128 times", &ids[..1])] {
        let (start, cpu) = (Instant::now(), cpu_now());
        for i in 0..COUNT {
            drain(&blobs, &ids[i % ids.len()]).await;
        }
        say(what, rate(COUNT, start.elapsed(), cpu_now().checked_sub(cpu)));
    }
    say("memory after it", rss());

    let (start, n) = (Instant::now(), 10_000);
    for _ in 0..n {
        blobs.read(&ids[0], 4_000_000..4_001_000).await.unwrap();
    }
    say("read 1,000 B of a cached window", format!("{:?}", start.elapsed() / n));
    let start = Instant::now();
    let mut small = Vec::new();
    for _ in 0..n {
        small.push(put(&blobs, &bytes.slice(..4096), 4096).await);
    }
    say("write 4 KiB", format!("{:?}", start.elapsed() / n));
    let start = Instant::now();
    for id in &small {
        blobs.read(id, ..).await.unwrap().collect(4096).await.unwrap();
    }
    say("read 4 KiB", format!("{:?}", start.elapsed() / n));
}

async fn put(blobs: &Blobs, bytes: &Bytes, piece: usize) -> BlobId {
    let mut w = blobs.writer().await.unwrap();
    for chunk in bytes.chunks(piece) {
        w.write(bytes.slice_ref(chunk)).await.unwrap();
    }
    w.finish().await.unwrap()
}

async fn drain(blobs: &Blobs, id: &BlobId) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut body = blobs.read(id, ..).await.unwrap();
    let sink = std::thread::spawn(move || {
        let null = File::options().write(true).open("/dev/null").unwrap();
        std::io::copy(&mut reader, &mut { null }).unwrap()
    });
    let mut writer = writer;
    while let Some(piece) = body.next().await {
        writer.write_all(&piece.unwrap()).unwrap();
    }
    drop(writer);
    assert_eq!(sink.join().unwrap(), SIZE as u64);
}

fn rate(blobs: usize, took: Duration, cpu: Option<Duration>) -> String {
    let mib = (blobs * SIZE / MIB) as f64;
    let cpu = cpu.unwrap_or_default().as_secs_f64().max(1e-9);
    format!("{:.0} MiB/s, {:.0} MiB/s of processor time", mib / took.as_secs_f64(), mib / cpu)
}

fn rss() -> String {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    format!("{:.1} MiB", pages as f64 * 4096.0 / MIB as f64)
}

/// Processor time of this thread.
fn cpu_now() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}
