//! Passes as text: `tests/passes/NAME.txt` has cases of a pass, each a form and what the pass makes of it.
//!
//! ```text
//! == what the case shows (ARM64)
//! ; Why, if that needs more words.
//! block0(v0: I32): depth 0
//!   return (v0)
//! -- unchanged
//! ```
//!
//! The title may end with an instruction set: `(ARM64)`, or `(first x86-64)` for processors without what
//! came later; else it is x86-64 with everything. Behind `--` comes what the pass leaves; `ZWASM_BLESS=1`
//! rewrites that.

use super::back::{legalise, select};
use super::form::ir::Function;
use super::form::{parse, verify};
use super::passes::{dce, fuse, hoist, idiom, prune, sums, swaps, unroll};
use super::{Setting, number};
use crate::interruption::Watch;
use crate::isa::aarch64::A64Masm;
use crate::isa::x86_64::{Features, X64Masm};
use crate::masm::Masm;
use std::collections::BTreeSet;
use std::path::PathBuf;
use zwasm_core::MemoryType;
use zwasm_core::module::ModuleInfo;
use zwasm_core::vmctx::{VmCounts, VmOffsets};

/// What a pass makes of a function, as text.
type Run = fn(Function, &Setting<'_>) -> String;

/// A test for each pass, and the list of them all.
macro_rules! passes {
    ($($name:ident: $run:expr;)+) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name), $run);
            }
        )+

        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

passes! {
    unroll: |function, _| left_by(function, unroll::run);
    fold: |function, on| left_by(function, |function| number(function, on));
    gvn: |function, on| left_by(function, |function| number(function, on));
    prune: |function, _| left_by(function, prune::run);
    swaps: |function, _| left_by(function, swaps::run);
    dce: |function, _| left_by(function, dce::run);
    hoist: |function, on| left_by(function, |function| hoist::run(function, on.target));
    idiom: |function, on| left_by(function, |function| idiom::run(function, on.info));
    fuse: |function, on| left_by(function, |function| fuse::run(function, on.target));
    sums: |function, _| left_by(function, sums::run);
    legalise: |function, on| left_by(function, |function| legalise::run(function, on.target));
    select: |function, on| select::run(function, on.target, super::signatures(on.info)).to_string();
}

fn left_by(mut function: Function, pass: impl FnOnce(&mut Function)) -> String {
    pass(&mut function);
    verify::verify(&function, "the pass");
    function.to_string()
}

#[test]
fn every_file_is_of_a_pass() {
    let files = std::fs::read_dir(directory()).expect("the directory of cases");
    let files = files.map(|entry| entry.expect("an entry").file_name());
    let files: BTreeSet<_> = files.filter_map(|name| name.into_string().ok()).collect();
    let named = NAMES.iter().map(|name| format!("{name}.txt")).collect();
    assert_eq!(files, named);
}

fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/passes"))
}

fn check(name: &str, run: Run) {
    let path = directory().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).expect("a file of cases");
    let (story, cases) = split(&text);
    assert!(!cases.is_empty(), "{name} has no cases");
    let is_blessed = std::env::var_os("ZWASM_BLESS").is_some();
    let mut blessed = story.to_owned();
    for case in &cases {
        let title = case.title();
        let got = case
            .run(run)
            .unwrap_or_else(|why| panic!("{name}, {title}: {why}"));
        assert!(
            is_blessed || got == case.after,
            "{name}, {title}: it leaves\n{got}\nand not\n{}\nZWASM_BLESS=1 accepts all",
            case.after
        );
        blessed += &format!("\n{}{}{got}", case.head, case.before);
    }
    if is_blessed {
        std::fs::write(&path, blessed).expect("the file is writable");
    }
}

/// One case of a file.
struct Case {
    /// Title and comments.
    head: String,
    /// The form that the pass is given.
    before: String,
    /// What it is to leave, from the `--` on.
    after: String,
}

impl Case {
    fn title(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// What the pass leaves, as it is written in files.
    fn run(&self, run: Run) -> Result<String, String> {
        let function = parse::parse(&self.before)?;
        verify::check(&function)?;
        let before = function.to_string();
        if before != self.before {
            return Err(format!("it is given what prints as\n{before}"));
        }
        let target = match self.title() {
            title if title.ends_with("(ARM64)") => A64Masm::target(()),
            title if title.ends_with("(first x86-64)") => X64Masm::target(Features::default()),
            _ => X64Masm::target(Features::ALL),
        };
        let setting = Setting {
            target: &target,
            info: &one_memory(),
            watch: &Watch::of(None),
        };
        let after = run(function, &setting);
        Ok(match after == before {
            true => "-- unchanged\n".to_owned(),
            false => format!("--\n{after}"),
        })
    }
}

/// What comes before the first case, and the cases.
fn split(text: &str) -> (&str, Vec<Case>) {
    let mut parts = text.split("\n== ");
    let story = parts.next().unwrap_or_default();
    let lines = |lines: &[&str]| -> String {
        let lines = lines.iter().filter(|line| !line.is_empty());
        lines.map(|line| format!("{line}\n")).collect()
    };
    let case = |part: &str| {
        let all: Vec<&str> = part.lines().collect();
        let is_form = |line: &&str| line.starts_with("block") || line.starts_with("catches");
        let form = all.iter().position(is_form).unwrap_or(all.len());
        let is_end = |line: &&str| line.starts_with("--");
        let end = all.iter().position(is_end).unwrap_or(all.len());
        Case {
            head: format!("== {}", lines(&all[..form])),
            before: lines(&all[form..end]),
            after: lines(&all[end..]),
        }
    };
    (story, parts.map(case).collect())
}

/// A module with a memory whose addresses have 32 bits.
fn one_memory() -> ModuleInfo {
    ModuleInfo {
        memories: vec![MemoryType::new(1, None)],
        offsets: VmOffsets::new(&VmCounts {
            memories: 1,
            ..VmCounts::default()
        }),
        ..ModuleInfo::default()
    }
}
