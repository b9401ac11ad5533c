//! The arrows of `ARCHITECTURE.md`: between our crates against `cargo metadata`, between the rooms of a
//! crate against what its files import.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Who uses whom, in code that is shipped. Tests may use `zwasm-workloads` besides.
const ALLOWED: &[(&str, &[&str])] = &[
    ("zwasm-core", &[]),
    ("zwasm-terminal", &["zwasm-core"]),
    ("zwasm-jit", &["zwasm-core"]),
    ("zwasm", &["zwasm-core", "zwasm-jit"]),
    ("zwasm-wasi", &["zwasm"]),
    ("zwasm-wast", &["zwasm"]),
    ("zwasm-diff", &["zwasm", "zwasm-terminal"]),
    (
        "zwasm-cli",
        &["zwasm", "zwasm-wasi", "zwasm-wast", "zwasm-terminal"],
    ),
    ("zwasm-workloads", &[]),
    ("zwasm-reports", &[]),
    (
        "zwasm-compare",
        &["zwasm-workloads", "zwasm-reports", "zwasm-terminal"],
    ),
    ("zwasm-benches", &["zwasm", "zwasm-wasi", "zwasm-workloads"]),
];

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let allowed: BTreeMap<_, BTreeSet<_>> = ALLOWED
        .iter()
        .map(|(name, uses)| (*name, uses.iter().copied().collect()))
        .collect();
    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeSet<_> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let drawn: BTreeSet<_> = allowed.keys().copied().collect();
    assert_eq!(
        names, drawn,
        "ARCHITECTURE.md and this test name every crate"
    );
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let mut used = BTreeSet::new();
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let other = dependency["name"].as_str().expect("a name");
            let for_tests = dependency["kind"].as_str() == Some("dev");
            if !names.contains(other) {
                continue;
            }
            if !for_tests {
                used.insert(other);
            } else if other != "zwasm-workloads" {
                assert!(allowed[name].contains(other), "{name} must not use {other}");
            }
        }
        assert_eq!(used, allowed[name], "what {name} uses, and what is drawn");
    }
}

/// A room: its name, and the modules that are in it where it is not one.
type Room = (&'static str, &'static [&'static str]);

/// The rooms of a crate, each of which may use those before it.
const ROOMS: &[(&str, &[Room])] = &[
    (
        "runtime/vm/src",
        &[
            ("sys", &[]),
            ("parallel", &[]),
            ("handle", &[]),
            ("layout", &[]),
            ("error", &["error", "backtrace"]),
            // Shared by threads: what an engine and its modules are, and their code.
            ("engine", &["engine", "types", "module", "code"]),
            // What belongs to one thread at a time: a store, and all that it owns or runs.
            (
                "store",
                &[
                    "store",
                    "activation",
                    "vmctx",
                    "instance",
                    "func",
                    "memory",
                    "table",
                    "global",
                    "tag",
                    "val",
                    "extern_",
                    "resource",
                ],
            ),
            ("operations", &[]),
            ("linker", &[]),
            ("interp", &[]),
            ("native", &[]),
            ("tiers", &[]),
        ],
    ),
    (
        "jit/src",
        &[
            ("interruption", &[]),
            ("contract", &[]),
            ("masm", &[]),
            ("isa", &[]),
            ("abi", &[]),
            ("moves", &[]),
            ("frame", &[]),
            ("runtime", &[]),
            ("calls", &[]),
            ("truncate", &[]),
            ("stubs", &[]),
            ("baseline", &[]),
            ("opt", &[]),
        ],
    ),
    (
        "compare/src",
        &[
            ("sys", &[]),
            ("fail", &[]),
            ("folders", &[]),
            ("cli", &[]),
            ("machine", &[]),
            ("select", &[]),
            ("exec", &[]),
            ("protocol", &[]),
            ("provision", &[]),
            ("builds", &[]),
            ("engine", &[]),
            ("callgrind", &[]),
            ("runner", &[]),
            ("progress", &[]),
            ("setting", &[]),
            ("history", &[]),
            ("agree", &[]),
            ("results", &[]),
            ("code", &[]),
            ("flame", &[]),
            ("arm64", &[]),
            ("gate", &[]),
            ("corpus", &[]),
            ("real", &[]),
        ],
    ),
];

/// The floors of the optimizing compiler, and what each uses of the others; `mod.rs` puts them
/// together, and `tests.rs` tests what it does.
const FLOORS: &[(&str, &[&str])] = &[
    ("form", &[]),
    ("construct", &["form"]),
    ("passes", &["form"]),
    ("back", &["form"]),
    ("checks", &["form", "back"]),
    ("lab", &["form", "back"]),
    ("clock", &["form", "back", "lab"]),
];

#[test]
fn floors_of_the_optimizing_compiler_use_what_is_drawn() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../jit/src/opt");
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(&root).expect("a directory") {
        let entry = entry.expect("an entry").path();
        let floor = module_of(&entry).to_owned();
        if floor == "mod" || floor == "tests" {
            continue;
        }
        let used = uses.entry(floor.clone()).or_default();
        for_each_file(&entry, &mut |path, text| {
            let code = code_of(text);
            used.extend(names_behind(&code, "crate::opt::"));
            // What `super` is must be seen without counting folders.
            let depth = path.strip_prefix(&root).expect("below").components();
            let depth = depth.count() - usize::from(path.ends_with("mod.rs"));
            if depth == 1 {
                used.extend(names_behind(&code, "super::"));
            }
            assert!(!code.contains("super::super::"), "{}", path.display());
        });
        used.remove(&floor);
    }
    let drawn = FLOORS.iter().map(|&(floor, used)| {
        let used = used.iter().map(|&name| name.to_owned());
        (floor.to_owned(), used.collect())
    });
    assert_eq!(uses, drawn.collect());
}

#[test]
fn rooms_use_only_those_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for &(directory, rooms) in ROOMS {
        let directory = root.join(directory);
        let mut room_of: BTreeMap<&str, usize> = BTreeMap::new();
        for (position, &(name, modules)) in rooms.iter().enumerate() {
            let own = [name];
            let modules = if modules.is_empty() { &own } else { modules };
            room_of.extend(modules.iter().map(|&module| (module, position)));
        }
        let lib = std::fs::read_to_string(directory.join("lib.rs"));
        let exported = exports(&code_of(&lib.unwrap_or_default()));
        let mut entries: Vec<_> = std::fs::read_dir(&directory)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        entries.sort();
        for entry in entries {
            let module = module_of(&entry);
            if module == "lib" || module == "main" {
                continue;
            }
            let room = *room_of.get(module).unwrap_or_else(|| {
                panic!("{} is in no room: draw it", entry.display());
            });
            for_each_file(&entry, &mut |path, text| {
                for used in imports(&code_of(text)) {
                    let used = exported.get(&used).unwrap_or(&used);
                    let Some(&other) = room_of.get(used.as_str()) else {
                        panic!("{}: what is crate::{used}?", path.display());
                    };
                    assert!(
                        other <= room,
                        "{} is in {}, below {}, and must not use it (crate::{used})",
                        path.display(),
                        rooms[room].0,
                        rooms[other].0,
                    );
                }
            });
        }
    }
}

/// The module that a file or folder is.
fn module_of(path: &Path) -> &str {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.expect("a name")
}

fn for_each_file(path: &Path, visit: &mut dyn FnMut(&Path, &str)) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a directory") {
            for_each_file(&entry.expect("an entry").path(), visit);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        visit(path, &std::fs::read_to_string(path).expect("text"));
    }
}

/// The text without comments and without the module of tests at its end.
fn code_of(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next();
    let lines = code.expect("at least one piece").lines();
    lines
        .map(|line| line.split("//").next().expect("at least one piece"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Identifiers that `text` names one after the other: of `a::b`, the first; of `{a, b::c}`, `a` and
/// `b`.
fn first_names(text: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let Some(list) = text.strip_prefix('{') else {
        return vec![text.chars().take_while(|&c| is_word(c)).collect()];
    };
    let mut names = Vec::new();
    let (mut depth, mut item) = (0, String::new());
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut item)),
            _ => {}
        }
        if depth == 0 && c != ',' && c != '}' {
            item.push(c);
        }
    }
    names.push(item);
    let first = |item: &String| item.trim().chars().take_while(|&c| is_word(c)).collect();
    let names = names.iter().map(first);
    names.filter(|name: &String| !name.is_empty()).collect()
}

/// What a file imports from its crate, or names by its path.
fn imports(code: &str) -> BTreeSet<String> {
    names_behind(code, "crate::")
}

/// The first names of all paths that begin like this.
fn names_behind(code: &str, path: &str) -> BTreeSet<String> {
    code.split(path).skip(1).flat_map(first_names).collect()
}

/// For what `lib.rs` exports, the module that it comes from.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let mut exported = BTreeMap::new();
    for statement in lib.split("pub use ").skip(1) {
        let statement = statement.split(';').next().expect("at least one piece");
        let braces = statement.find("::{");
        let Some(at) = braces.or_else(|| statement.rfind("::")) else {
            continue;
        };
        let (path, names) = (&statement[..at], &statement[at + 2..]);
        let module = path.split("::").next().expect("at least one piece");
        for name in first_names(names) {
            exported.insert(name, module.to_owned());
        }
    }
    exported
}
