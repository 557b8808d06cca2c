//! Which of our crates may depend on which: the layers of ARCHITECTURE.md.

use cargo_metadata::{DependencyKind, Metadata, Package};

use super::Findings;

/// What the crates of a folder, or one crate, may depend on: folders (`langs/`) and crates
/// (`core`), of ours. The first line whose name fits counts.
const ALLOWED: &[(&str, &[&str])] = &[
    ("langs/", &[]),
    // Lambda authorizers answer with policies.
    ("planes/apigw", &["core", "store", "policy"]),
    ("planes/", &["core", "store", "blob", "sandbox"]),
    ("services/", &["core", "store", "blob", "bus", "policy", "identity", "langs/", "planes/"]),
    ("core", &[]),
    ("dns", &[]),
    ("sigv4", &["core"]),
    ("model", &[]),
    ("policy", &["core"]),
    ("store", &["core"]),
    ("blob", &["core"]),
    ("bus", &["core", "store"]),
    ("identity", &["core", "store"]),
    ("wire", &["core", "model"]),
    ("sandbox", &["core"]),
    ("gateway", &["core", "model", "wire", "sigv4", "policy"]),
    ("testkit", &["core", "sigv4"]),
    (
        "fogbank",
        &[
            "core",
            "model",
            "wire",
            "sigv4",
            "policy",
            "store",
            "blob",
            "bus",
            "dns",
            "gateway",
            "identity",
            "sandbox",
            "console",
            "services/",
            "planes/",
        ],
    ),
    ("tests/", &["testkit", "core", "sigv4"]),
    ("xtask", &["model"]),
];

/// Tests may use these beside what their crate is allowed.
const FOR_TESTS: &[&str] = &["core", "store", "blob", "testkit", "policy"];

/// Checks every edge between two crates of the workspace.
pub fn check(metadata: &Metadata, found: &mut Findings) {
    let ours: Vec<(&Package, String)> = metadata
        .workspace_packages()
        .into_iter()
        .map(|p| (p, place(p, metadata.workspace_root.as_str())))
        .collect();
    for (package, from) in &ours {
        let Some(allowed) = allowed(from) else {
            found.errors.push(format!("{from}: no layer; add it to xtask/src/tidy/edges.rs"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.path.is_some()) {
            let Some((_, to)) = ours.iter().find(|(p, _)| p.name == dependency.name) else {
                continue;
            };
            let test_only = dependency.kind == DependencyKind::Development;
            if !(fits(to, allowed) || test_only && fits(to, FOR_TESTS)) {
                found.errors.push(format!("{from} must not depend on {to}"));
            }
        }
    }
}

/// Where a package lives: `services/s3`, or the bare name for those under `crates/`.
fn place(package: &Package, root: &str) -> String {
    let folder = package.manifest_path.parent().map(|p| p.as_str()).unwrap_or_default();
    let folder = folder.strip_prefix(root).unwrap_or(folder).trim_start_matches('/');
    folder.strip_prefix("crates/").unwrap_or(folder).to_owned()
}

fn allowed(from: &str) -> Option<&'static [&'static str]> {
    ALLOWED.iter().find(|(name, _)| fits(from, &[name])).map(|(_, to)| *to)
}

/// Whether `place` is one of `names`, or lies in one of its folders.
fn fits(place: &str, names: &[&str]) -> bool {
    names.iter().any(|n| if n.ends_with('/') { place.starts_with(n) } else { place == *n })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers() {
        for (from, to, ok) in [
            ("services/s3", "store", true),
            ("services/s3", "services/iam", false),
            ("services/s3", "wire", false),
            ("services/ecs", "planes/nfs", true),
            ("langs/asl", "core", false),
            ("planes/nfs", "blob", true),
            ("gateway", "services/s3", false),
            ("fogbank", "services/s3", true),
            ("core", "store", false),
        ] {
            assert_eq!(fits(to, allowed(from).unwrap()), ok, "{from} -> {to}");
        }
        assert!(allowed("elsewhere").is_none());
    }
}
