//! Names the sources, which decide what machine code is like.

include!("sources.rs");

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=sources.rs");
    name_sources();
}
