//! Compiles the sandbox's first process, a static program of a few hundred bytes of its own code,
//! with the compiler that compiles us.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=init/pid1.rs");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let out = PathBuf::from(var("OUT_DIR")).join("pid1");
    if var("CARGO_CFG_TARGET_OS") != "linux" {
        // There are no sandboxes there, only plain processes.
        std::fs::write(&out, []).expect("OUT_DIR can be written");
        return;
    }
    let mut rustc = Command::new(var("RUSTC"));
    rustc.args(["--edition=2024", "--crate-type=bin", "--crate-name=pid1", "--target"]);
    rustc.arg(var("TARGET")).args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols"]);
    rustc.args(["-Crelocation-model=static", "-Ctarget-feature=+crt-static"]);
    for argument in
        ["-nostartfiles", "-nostdlib", "-static", "-Wl,--build-id=none", "-Wl,-z,norelro"]
    {
        rustc.arg(format!("-Clink-arg={argument}"));
    }
    let linker = var("RUSTC_LINKER");
    if !linker.is_empty() {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let status = rustc.arg("-o").arg(&out).arg("init/pid1.rs").status();
    assert!(status.is_ok_and(|s| s.success()), "init/pid1.rs does not compile");
}
