//! Names the commit, and makes the command smaller as it is shipped: leaves out the tables for unwinding, and packs the list of places that
//! hold addresses, which the dynamic linker goes through at every start.
//!
//! The release profile aborts at a panic, but the compiler makes the tables all the same, and only
//! flags for the whole build would tell it not to. So the linker drops them, by a script beside the
//! usual one; where somebody chose a linker or flags, which may not know such scripts, they stay.

use std::path::Path;
use std::process::Command;

fn main() {
    name_commit();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=without-unwinding.ld");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let usual_linker =
        var("RUSTC_LINKER").is_empty() && !var("CARGO_ENCODED_RUSTFLAGS").contains("link");
    if var("PROFILE") == "release" && var("CARGO_CFG_TARGET_OS") == "linux" && usual_linker {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/without-unwinding.ld");
        println!("cargo::rustc-link-arg-bins=-T{script}");
        if var("TARGET") == var("HOST") && reads_packed_relocations() {
            println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        }
    }
}

/// Says in `ZWASM_VERSION` which commit the command is made of, where there is a checkout.
fn name_commit() {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    // What is written at every commit; and what makes the checkout another than its commit.
    let commits = git(&["rev-parse", "--git-path", "logs/HEAD"]);
    if let Some(commits) = commits.filter(|it| Path::new(it).is_file()) {
        println!("cargo::rerun-if-changed={commits}");
    }
    for sources in [
        "src",
        "../core/src",
        "../vm/src",
        "../wasi/src",
        "../../jit/src",
    ] {
        println!("cargo::rerun-if-changed={sources}");
    }
    let mut version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = git(&["log", "-1", "--format=%h %cs", "--abbrev=9"]);
    if let Some((hash, date)) = commit.as_deref().and_then(|it| it.split_once(' ')) {
        let is_changed = git(&["status", "--porcelain", "--untracked-files=no"]);
        let changed = if is_changed.is_some_and(|it| !it.is_empty()) {
            "+"
        } else {
            ""
        };
        version = format!("{version} ({hash}{changed} {date})");
    }
    println!("cargo::rustc-env=ZWASM_VERSION={version}");
}

/// Whether this system's dynamic linker knows the form: that of glibc does since 2.36.
fn reads_packed_relocations() -> bool {
    let asked = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let Ok(output) = asked else { return false };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.trim().strip_prefix("glibc ").and_then(|version| {
        let (major, minor) = version.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    version.is_some_and(|version: (u32, u32)| version >= (2, 36))
}
