//! ZIP archives: what is in them, and unpacking them into a folder that they cannot leave.
//!
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>. Stored and deflated entries, as
//! Lambda takes them; ZIP64 too, since tools write it for long lists.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use flate2::read::DeflateDecoder;

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is not a ZIP archive: {0}")]
    Malformed(&'static str),
    #[error("it has an entry that leaves the folder: {0}")]
    Escapes(String),
    #[error("it becomes larger than {0} bytes")]
    TooLarge(u64),
    #[error("it is packed in a way that is not supported: {0}")]
    Unsupported(&'static str),
    #[error("unpacking it failed: {0}")]
    Io(#[from] std::io::Error),
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// An entry of the archive's directory.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    mode: u32,
    deflated: bool,
    crc: u32,
    packed: u64,
    size: u64,
    offset: u64,
}

/// An archive whose directory has been read.
pub struct Archive<'a> {
    bytes: &'a [u8],
    entries: Vec<Entry>,
}

/// More entries than any deployment package has.
const MOST: usize = 200_000;
const KIND: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

impl<'a> Archive<'a> {
    /// Reads the directory; nothing is unpacked yet.
    ///
    /// # Errors
    /// What is wrong with it: paths that leave the folder included.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let (count, start) = end_of_directory(bytes)?;
        if count > MOST {
            return Err(Error::Malformed("it has too many entries"));
        }
        let mut at = Reader { bytes, at: start };
        let mut entries = Vec::with_capacity(count.min(4096));
        for _ in 0..count {
            let entry = directory_entry(&mut at)?;
            if place(&entry.name).is_none() {
                return Err(Error::Escapes(entry.name));
            }
            entries.push(entry);
        }
        Ok(Archive { bytes, entries })
    }

    /// The bytes that it says it unpacks to.
    #[must_use]
    pub fn unpacked(&self) -> u64 {
        self.entries.iter().fold(0, |n, e| n.saturating_add(e.size))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Unpacks everything below `folder`, which exists. At most `limit` bytes are written, whatever
    /// the directory says. Links may point anywhere inside.
    ///
    /// # Errors
    /// What is wrong with the archive, or what the disk refused.
    pub fn unpack(&self, folder: &Path, limit: u64) -> Result<()> {
        let mut left = limit;
        let mut links = Vec::new();
        for entry in &self.entries {
            let Some(place) = place(&entry.name) else { continue };
            let path = folder.join(&place);
            if entry.name.ends_with('/') {
                make(&path)?;
                continue;
            }
            if let Some(parent) = path.parent() {
                make(parent)?;
            }
            let mut data = self.data(entry)?;
            if entry.mode & KIND == LINK {
                let mut target = String::new();
                data.by_ref().take(4096).read_to_string(&mut target)?;
                if !stays(&place, Path::new(&target)) {
                    return Err(Error::Escapes(format!("{} -> {target}", entry.name)));
                }
                links.push((path, target));
                continue;
            }
            // A later entry of the same name replaces the earlier one.
            let _ = std::fs::remove_file(&path);
            let mut file = std::fs::File::create(&path)?;
            let written = copy(&mut data, &mut file, left.min(entry.size), entry.crc)?;
            left = left.checked_sub(written).ok_or(Error::TooLarge(limit))?;
            let mode = 0o444 | if entry.mode & 0o111 == 0 { 0 } else { 0o111 } | entry.mode & 0o200;
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
        // Links come last, so that no file is ever written through one.
        for (path, target) in links {
            let _ = std::fs::remove_file(&path);
            std::os::unix::fs::symlink(target, path)?;
        }
        Ok(())
    }

    fn data(&self, entry: &Entry) -> Result<Box<dyn Read + 'a>> {
        let mut at = Reader { bytes: self.bytes, at: to_usize(entry.offset)? };
        at.signature(0x0403_4b50, "a local header is missing")?;
        at.skip(22)?;
        let (name, extra) = (at.u16()?, at.u16()?);
        at.skip(usize::from(name) + usize::from(extra))?;
        let packed = at.take(to_usize(entry.packed)?)?;
        Ok(if entry.deflated { Box::new(DeflateDecoder::new(packed)) } else { Box::new(packed) })
    }
}

/// Copies `data`, which must not have more than `limit` bytes and must have this checksum.
fn copy(data: &mut dyn Read, to: &mut dyn Write, limit: u64, crc: u32) -> Result<u64> {
    let mut sum = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32IsoHdlc);
    let mut written = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = match data.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Error::Malformed("an entry cannot be unpacked")),
        };
        written += n as u64;
        if written > limit {
            return Err(Error::TooLarge(limit));
        }
        sum.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
    }
    if sum.finalize() != u64::from(crc) {
        return Err(Error::Malformed("the checksum of an entry is wrong"));
    }
    Ok(written)
}

fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    Ok(())
}

/// Where an entry goes below the folder; `None` when that is outside of it, or nowhere.
fn place(name: &str) -> Option<PathBuf> {
    if name.contains('\0') || name.len() > 4096 {
        return None;
    }
    let name = name.replace('\\', "/");
    let mut place = PathBuf::new();
    for part in Path::new(&name).components() {
        match part {
            Component::Normal(p) => place.push(p),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(place)
}

/// Whether a link at `place` with this target leads to somewhere below the folder. It goes up only
/// at its beginning, where folders are real: behind another link `..` could be anywhere.
fn stays(place: &Path, target: &Path) -> bool {
    let mut up = place.components().count().saturating_sub(1);
    let mut down = false;
    for part in target.components() {
        match part {
            Component::Normal(_) => down = true,
            Component::CurDir => {}
            Component::ParentDir if up > 0 && !down => up -= 1,
            _ => return false,
        }
    }
    true
}

/// The number of entries and where the directory begins.
fn end_of_directory(bytes: &[u8]) -> Result<(usize, usize)> {
    const END: &[u8] = b"PK\x05\x06";
    let tail = bytes.len().saturating_sub(22 + 65_535);
    let found = memchr::memmem::rfind(&bytes[tail..], END)
        .ok_or(Error::Malformed("it has no directory"))?;
    let end = tail + found;
    let mut at = Reader { bytes, at: end + 4 };
    let (disk, start_disk) = (at.u16()?, at.u16()?);
    at.skip(2)?;
    let (count, _, start) = (at.u16()?, at.u32()?, at.u32()?);
    if count == u16::MAX || start == u32::MAX {
        return zip64(bytes, end);
    }
    if disk != 0 || start_disk != 0 {
        return Err(Error::Unsupported("it has several parts"));
    }
    Ok((usize::from(count), to_usize(start.into())?))
}

fn zip64(bytes: &[u8], end: usize) -> Result<(usize, usize)> {
    let bad = Error::Malformed("its ZIP64 directory is missing");
    let mut at = Reader { bytes, at: end.checked_sub(20).ok_or(bad)? };
    at.signature(0x0706_4b50, "its ZIP64 locator is missing")?;
    at.skip(4)?;
    let mut at = Reader { bytes, at: to_usize(at.u64()?)? };
    at.signature(0x0606_4b50, "its ZIP64 directory is missing")?;
    at.skip(28)?;
    let (count, _, start) = (at.u64()?, at.u64()?, at.u64()?);
    Ok((to_usize(count)?, to_usize(start)?))
}

fn directory_entry(at: &mut Reader<'_>) -> Result<Entry> {
    at.signature(0x0201_4b50, "its directory is cut short")?;
    at.skip(4)?;
    let (flags, method) = (at.u16()?, at.u16()?);
    at.skip(4)?;
    let crc = at.u32()?;
    let (mut packed, mut size) = (u64::from(at.u32()?), u64::from(at.u32()?));
    let (name, extra, comment) = (at.u16()?, at.u16()?, at.u16()?);
    at.skip(4)?;
    let external = at.u32()?;
    let mut offset = u64::from(at.u32()?);
    let name = at.take(name.into())?;
    let mut more = Reader { bytes: at.take(extra.into())?, at: 0 };
    at.skip(comment.into())?;
    while let (Ok(tag), Ok(length)) = (more.u16(), more.u16()) {
        let Ok(content) = more.take(length.into()) else { break };
        if tag == 1 {
            let mut wide = Reader { bytes: content, at: 0 };
            for value in [&mut size, &mut packed, &mut offset] {
                if *value == u64::from(u32::MAX) {
                    *value = wide.u64()?;
                }
            }
        }
    }
    if flags & 1 != 0 {
        return Err(Error::Unsupported("it is encrypted"));
    }
    let deflated = match method {
        0 => false,
        8 => true,
        _ => return Err(Error::Unsupported("its method is neither stored nor deflated")),
    };
    let name = String::from_utf8_lossy(name).into_owned();
    Ok(Entry { name, mode: external >> 16, deflated, crc, packed, size, offset })
}

fn to_usize(n: u64) -> Result<usize> {
    usize::try_from(n).map_err(|_| Error::Malformed("a number is too large"))
}

/// Little-endian numbers out of bytes that may end anywhere.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|e| *e <= self.bytes.len());
        let end = end.ok_or(Error::Malformed("it is cut short"))?;
        let found = &self.bytes[self.at..end];
        self.at = end;
        Ok(found)
    }
    fn skip(&mut self, n: usize) -> Result<()> {
        self.take(n).map(|_| ())
    }
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }
    fn u16(&mut self) -> Result<u16> {
        self.fixed().map(u16::from_le_bytes)
    }
    fn u32(&mut self) -> Result<u32> {
        self.fixed().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Result<u64> {
        self.fixed().map(u64::from_le_bytes)
    }
    fn signature(&mut self, expected: u32, otherwise: &'static str) -> Result<()> {
        if self.u32().ok() == Some(expected) { Ok(()) } else { Err(Error::Malformed(otherwise)) }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    /// A ZIP archive of entries: name, unix mode, content.
    pub fn pack(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (name, mode, content) in entries {
            let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
            packed.write_all(content).unwrap();
            let packed = packed.finish().unwrap();
            let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, content);
            let sizes = [crc as u32, packed.len() as u32, content.len() as u32];
            let offset = out.len() as u32;
            let common = |to: &mut Vec<u8>| {
                to.extend([20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
                sizes.iter().for_each(|n| to.extend(n.to_le_bytes()));
                to.extend((name.len() as u16).to_le_bytes());
                to.extend([0, 0]);
            };
            out.extend(0x0403_4b50_u32.to_le_bytes());
            common(&mut out);
            out.extend(name.as_bytes());
            out.extend(&packed);
            directory.extend(0x0201_4b50_u32.to_le_bytes());
            directory.extend([20, 3]);
            common(&mut directory);
            directory.extend([0; 6]);
            directory.extend((mode << 16).to_le_bytes());
            directory.extend(offset.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let start = out.len() as u32;
        out.extend(&directory);
        out.extend(0x0605_4b50_u32.to_le_bytes());
        out.extend([0; 4]);
        out.extend((entries.len() as u16).to_le_bytes());
        out.extend((entries.len() as u16).to_le_bytes());
        out.extend((directory.len() as u32).to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend([0, 0]);
        out
    }

    fn unpack(bytes: &[u8], limit: u64) -> Result<tempfile::TempDir> {
        let folder = tempfile::tempdir().unwrap();
        Archive::open(bytes)?.unpack(folder.path(), limit)?;
        Ok(folder)
    }

    #[test]
    fn what_is_packed_comes_out() {
        let bytes = pack(&[
            ("a/b.py", 0o100_600, b"x = 1\n"),
            ("run", 0o100_755, b"#!/bin/sh\n"),
            ("empty/", 0o040_755, b""),
            ("link", 0o120_777, b"a/b.py"),
        ]);
        assert_eq!(Archive::open(&bytes).unwrap().unpacked(), 22);
        let folder = unpack(&bytes, 100).unwrap();
        let at = |p: &str| folder.path().join(p);
        assert_eq!(std::fs::read_to_string(at("link")).unwrap(), "x = 1\n");
        let mode = |p: &str| std::fs::metadata(at(p)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("a/b.py"), mode("run")), (0o644, 0o755));
        assert!(at("empty").is_dir());
    }

    #[test]
    fn nothing_gets_out_and_nothing_grows() {
        let cases: &[(&[u8], &str)] = &[
            (&pack(&[("../x", 0, b"")]), "leaves"),
            (&pack(&[("/etc/x", 0, b"")]), "leaves"),
            (&pack(&[("a/../../x", 0, b"")]), "leaves"),
            (&pack(&[("l", LINK, b"../x")]), "leaves"),
            (&pack(&[("l", LINK, b"/etc/passwd")]), "leaves"),
            (&pack(&[("bomb", 0, &[0; 1000])]), "larger"),
            (b"PK", "not a ZIP"),
            (b"", "not a ZIP"),
            (&[b"PK\x05\x06".as_slice(), &[255; 18]].concat(), "not a ZIP"),
        ];
        for (bytes, expected) in cases {
            let e = unpack(bytes, 500).unwrap_err().to_string();
            assert!(e.contains(expected), "{e}");
        }
    }

    #[test]
    fn a_size_that_lies_is_found_out() {
        let mut bytes = pack(&[("f", 0, &[7; 1000])]);
        let at = memchr::memmem::find(&bytes, b"PK\x01\x02").unwrap();
        bytes[at + 24..at + 28].copy_from_slice(&10_u32.to_le_bytes());
        assert!(matches!(unpack(&bytes, 500), Err(Error::TooLarge(_))));
    }

    #[test]
    fn any_bytes_are_survived() {
        let whole = pack(&[("a/b.py", 0o100_600, b"x = 1\n"), ("link", LINK, b"a/b.py")]);
        for cut in 0..whole.len() {
            let _ = unpack(&whole[..cut], 100);
            for flip in [0, 0x55, 0xFF] {
                let mut bytes = whole.clone();
                bytes[cut] = flip;
                let _ = unpack(&bytes, 100);
            }
        }
    }
}
