//! Names the sources, and decides how the interpreter dispatches.
//!
//! Handlers end in a call of the next handler. LLVM turns that into a jump from optimisation
//! level 2 on, for 64-bit targets whose C ABI passes all eight arguments in registers; elsewhere
//! every handler returns to a loop instead, and so it does wherever debug assertions are on, of
//! which a build script knows nothing: the checks in reads and writes keep frames alive.
//! `ZWASM_LOOP_DISPATCH=1` forces the loop, for tests.

include!("sources.rs");

fn main() {
    println!("cargo::rerun-if-changed=sources.rs");
    name_sources();
    println!("cargo::rustc-check-cfg=cfg(zwasm_tail_dispatch)");
    println!("cargo::rustc-check-cfg=cfg(zwasm_native)");
    println!("cargo::rustc-check-cfg=cfg(zwasm_native_by_default)");
    println!("cargo::rerun-if-env-changed=ZWASM_LOOP_DISPATCH");
    println!("cargo::rerun-if-changed=build.rs");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let os = var("CARGO_CFG_TARGET_OS");
    // The hosts that have a backend.
    let is_wanted = std::env::var_os("CARGO_FEATURE_NATIVE").is_some();
    if is_wanted
        && matches!(var("CARGO_CFG_TARGET_ARCH").as_str(), "x86_64" | "aarch64")
        && matches!(os.as_str(), "linux" | "macos")
    {
        println!("cargo::rustc-cfg=zwasm_native");
        // On macOS native code has been compiled, but has not run yet.
        if os == "linux" {
            println!("cargo::rustc-cfg=zwasm_native_by_default");
        }
    }
    let optimised = matches!(var("OPT_LEVEL").as_str(), "2" | "3");
    let in_registers = matches!(var("CARGO_CFG_TARGET_ARCH").as_str(), "x86_64" | "aarch64")
        && var("CARGO_CFG_TARGET_OS") != "windows";
    let forced_loop = var("ZWASM_LOOP_DISPATCH") == "1";
    if optimised && in_registers && !forced_loop {
        println!("cargo::rustc-cfg=zwasm_tail_dispatch");
    }
}
