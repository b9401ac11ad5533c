//! Leaves the tables for unwinding out of the command as it is shipped.
//!
//! The release profile aborts at a panic, but the compiler makes the tables all the same, and only
//! flags for the whole build would tell it not to. So the linker drops them, by a script beside the
//! usual one; where somebody chose a linker or flags, which may not know such scripts, they stay.

fn main() {
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
    }
}
