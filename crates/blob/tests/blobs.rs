//! What every kind of blob store promises, and what files promise beyond it.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use fogbank_blob::{BlobId, Blobs, Error, Options};

const MIB: usize = 1 << 20;

/// Bytes of which every part tells its place.
fn pattern(len: usize) -> Bytes {
    (0..len).map(|i| (i / 7 + i / 4096) as u8).collect::<Vec<_>>().into()
}

async fn put(blobs: &Blobs, bytes: &Bytes, piece: usize) -> BlobId {
    let mut w = blobs.writer().await.unwrap();
    for chunk in bytes.chunks(piece) {
        w.write(bytes.slice_ref(chunk)).await.unwrap();
    }
    assert_eq!(w.written(), bytes.len() as u64);
    w.finish().await.unwrap()
}

async fn all(blobs: &Blobs, id: &BlobId, range: Range<u64>) -> Bytes {
    blobs.read(id, range).await.unwrap().collect(usize::MAX).await.unwrap()
}

fn stores() -> (tempfile::TempDir, [Blobs; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let files = Blobs::open(dir.path(), &Options { fsync: true }).unwrap();
    (dir, [files, Blobs::ephemeral()])
}

fn files_below(dir: &Path) -> usize {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap())
        .map(|e| if e.file_type().unwrap().is_dir() { files_below(&e.path()) } else { 1 })
        .sum()
}

#[tokio::test]
async fn every_range_is_what_was_written() {
    let (_dir, stores) = stores();
    for blobs in stores {
        for len in [0, 1, 100, 40_000, 300_000, 8 * MIB, 17 * MIB + 3] {
            let bytes = pattern(len);
            let id = put(&blobs, &bytes, 5000.max(len / 20)).await;
            assert_eq!(blobs.size(&id).await.unwrap(), Some(len as u64));
            let n = len as u64;
            let edge = 8 * MIB as u64;
            for range in [
                0..u64::MAX,
                0..n,
                0..0,
                n..n,
                n + 5..n + 9,
                n / 2..n,
                n / 3..n / 2,
                0..1,
                n.saturating_sub(1)..n + 1,
                edge - 1..edge + 1,
                edge..edge + 1,
                1..2 * edge + 1,
            ] {
                let (from, to) = (range.start.min(n) as usize, range.end.min(n) as usize);
                let expected = bytes.slice(from.min(to)..to);
                let body = blobs.read(&id, range.clone()).await.unwrap();
                assert_eq!(body.length(), Some(expected.len() as u64), "{range:?} of {len}");
                assert!(all(&blobs, &id, range.clone()).await == expected, "{range:?} of {len}");
            }
            assert_eq!(all(&blobs, &id, 0..n).await, bytes);
            let whole = blobs.read(&id, ..).await.unwrap().collect(usize::MAX).await.unwrap();
            assert_eq!(whole, bytes);
        }
    }
}

#[tokio::test]
async fn a_reader_keeps_what_is_deleted_meanwhile() {
    let (_dir, stores) = stores();
    for blobs in stores {
        for len in [1000, 20 * MIB] {
            let bytes = pattern(len);
            let id = put(&blobs, &bytes, MIB).await;
            let before = blobs.read(&id, ..).await.unwrap();
            blobs.delete(&id).await.unwrap();
            blobs.delete(&id).await.unwrap();
            assert_eq!(before.collect(usize::MAX).await.unwrap(), bytes);
            assert!(matches!(blobs.read(&id, ..).await, Err(Error::Missing(i)) if i == id));
            assert_eq!(blobs.size(&id).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn an_unfinished_blob_never_was() {
    let (dir, stores) = stores();
    for blobs in &stores {
        let mut w = blobs.writer().await.unwrap();
        w.write(pattern(MIB)).await.unwrap();
        drop(w);
        assert_eq!(blobs.list().await.unwrap(), []);
    }
    assert_eq!(files_below(dir.path()), 0);

    // As a killed process leaves it.
    std::fs::write(dir.path().join("tmp/0123456789abcdef0123456789abcdef"), "half").unwrap();
    let blobs = Blobs::open(dir.path(), &Options::default()).unwrap();
    assert_eq!(blobs.list().await.unwrap(), []);
    assert_eq!(files_below(dir.path()), 0);
}

#[tokio::test]
async fn sweep_takes_old_orphans_only() {
    let (_dir, stores) = stores();
    for blobs in stores {
        let live = put(&blobs, &pattern(10), 10).await;
        let orphan = put(&blobs, &pattern(MIB), MIB).await;
        let is_live = async |id| id == live;
        assert_eq!(blobs.sweep(is_live, Duration::from_secs(3600)).await.unwrap(), 0);
        assert_eq!(blobs.size(&orphan).await.unwrap(), Some(MIB as u64));
        assert_eq!(blobs.sweep(is_live, Duration::ZERO).await.unwrap(), 1);
        assert_eq!(blobs.size(&orphan).await.unwrap(), None);
        assert_eq!(all(&blobs, &live, 0..99).await, pattern(10));
    }
}

#[tokio::test]
async fn a_refused_directory_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let e = Blobs::open(&file.path().join("blobs"), &Options::default()).unwrap_err().to_string();
    assert!(e.starts_with("cannot make") && e.contains("Not a directory"), "{e}");

    let full = Error::io("write", "x")(std::io::ErrorKind::StorageFull.into()).to_string();
    assert_eq!(full, "cannot write x: no storage space; free some space on this disk");
}

#[tokio::test]
async fn a_lost_directory_is_an_error_not_a_panic() {
    let (dir, [blobs, _]) = stores();
    let id = put(&blobs, &pattern(10), 10).await;
    std::fs::remove_dir_all(dir.path()).unwrap();
    assert!(matches!(blobs.read(&id, ..).await, Err(Error::Missing(_))));
    let e = blobs.writer().await.unwrap_err().to_string();
    assert!(e.starts_with("cannot make"), "{e}");
}
