//! Start-up case: a larger module that uses little of its code. All Rust programs of the corpus are in one, and the
//! name by which it is called chooses one of them, as in a command with many names; by its own name it says hello.

#![allow(dead_code)]

use bench::{mix_bytes, Workload};
use std::fmt::Write as _;

/// Programs by their names.
macro_rules! programs {
    ($($name:ident in $path:literal),+ $(,)?) => {
        $(
            #[path = $path]
            mod $name;
        )+

        const PROGRAMS: &[(&str, fn())] = &[$((stringify!($name), $name::main)),+];
    };
}

programs!(
    bwt in "../../src-rust/src/bin/bwt.rs",
    exact_cover in "../../src-rust/src/bin/exact-cover.rs",
    inference in "../../src-rust/src/bin/inference.rs",
    json in "../../src-rust/src/bin/json.rs",
    keccak in "../../src-rust/src/bin/keccak.rs",
    lisp in "../../src-rust/src/bin/lisp.rs",
    maps in "../../src-rust/src/bin/maps.rs",
    markdown in "../../src-rust/src/bin/markdown.rs",
    modexp in "../../src-rust/src/bin/modexp.rs",
    path_tracer in "../../src-rust/src/bin/path-tracer.rs",
    rigid_bodies in "../../src-rust/src/bin/rigid-bodies.rs",
    riscv in "../../src-rust/src/bin/riscv.rs",
);

struct Hello {
    line: String,
}

impl Workload for Hello {
    fn setup(_small: bool) -> Hello {
        Hello { line: String::new() }
    }

    fn kernel(&mut self) -> u64 {
        self.line.clear();
        let _ = write!(self.line, "Hello from one of {} programs", PROGRAMS.len() + 1);
        mix_bytes(0, self.line.as_bytes())
    }

    fn report(&self, out: &mut String) {
        let _ = writeln!(out, "{}", self.line);
    }
}

fn main() {
    let called = std::env::args().next().unwrap_or_default();
    let chosen = PROGRAMS.iter().find(|(name, _)| *name == called);
    chosen.map_or(bench::main::<Hello> as fn(), |(_, main)| *main)();
}
