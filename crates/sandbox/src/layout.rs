//! What a sandbox looks like from inside: its files, its ports and its limits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cgroup::Limits;

/// A sandbox to be made.
#[derive(Clone, Debug)]
pub struct Layout {
    pub hostname: String,
    pub binds: Vec<Bind>,
    /// Folders merged into one, read-only: the first of the list lies on top.
    pub merged: Vec<(Vec<PathBuf>, PathBuf)>,
    /// Small files, read-only.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// Symbolic links: what they say, and where they are.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Empty writable folders in memory, with their size in bytes.
    pub scratch: Vec<(PathBuf, u64)>,
    /// Ports on the sandbox's own 127.0.0.1 that are served from outside.
    pub ports: Vec<Port>,
    pub limits: Limits,
}

/// Something of the machine's that is shown inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    pub source: PathBuf,
    pub target: PathBuf,
    pub writable: bool,
    /// A file rather than a folder.
    pub file: bool,
}

/// A port that is served from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    Tcp(u16),
    Udp(u16),
}

impl Bind {
    /// A read-only folder or file, whichever `source` is.
    pub fn read_only(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Bind {
        let source = source.into();
        let file = source.is_file();
        Bind { source, target: target.into(), writable: false, file }
    }

    /// A folder to write to.
    pub fn writable(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Bind {
        Bind { source: source.into(), target: target.into(), writable: true, file: false }
    }
}

/// The machine's programs and libraries, as every sandbox sees them: read-only, in their places.
/// Neither its `/etc`, nor anybody's home, nor the data directory.
#[must_use]
pub fn base() -> (Vec<Bind>, Vec<(PathBuf, PathBuf)>) {
    let (mut binds, mut links) = (Vec::new(), Vec::new());
    for folder in ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store"] {
        let path = Path::new(folder);
        if let Ok(target) = std::fs::read_link(path) {
            links.push((target, path.to_owned()));
        } else if path.is_dir() {
            binds.push(Bind::read_only(path, path));
        }
    }
    for file in ["/etc/ld.so.cache", "/etc/alternatives"] {
        if Path::new(file).exists() {
            binds.push(Bind::read_only(file, file));
        }
    }
    (binds, links)
}

impl Layout {
    /// Every folder that must be there before something is put into its place, parents first.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let mut all = BTreeSet::new();
        let mut add = |path: &Path| {
            for p in path.ancestors() {
                all.insert(p.to_owned());
            }
        };
        for b in &self.binds {
            add(if b.file { b.target.parent().unwrap_or(&b.target) } else { &b.target });
        }
        for (path, _) in &self.files {
            add(path.parent().unwrap_or(path));
        }
        for (_, path) in &self.links {
            add(path.parent().unwrap_or(path));
        }
        self.merged.iter().for_each(|(_, p)| add(p));
        self.scratch.iter().for_each(|(p, _)| add(p));
        ["/dev", "/proc", "/tmp", "/etc"].iter().for_each(|p| add(Path::new(p)));
        all.remove(Path::new("/"));
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_parents_first() {
        let layout = Layout {
            hostname: "h".into(),
            binds: vec![Bind::writable("/x", "/mnt/a/b")],
            merged: vec![],
            files: vec![("/etc/hosts".into(), vec![])],
            links: vec![],
            scratch: vec![],
            ports: vec![],
            limits: Limits { memory: 1, cpu_millis: 1, processes: 1 },
        };
        let folders = layout.folders();
        let text: Vec<_> = folders.iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(text, ["/dev", "/etc", "/mnt", "/mnt/a", "/mnt/a/b", "/proc", "/tmp"]);
    }
}
