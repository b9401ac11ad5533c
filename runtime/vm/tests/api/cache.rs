//! Machine code that is kept in files between engines and processes.

use crate::{every_tier, reservations_are_dear};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use zwasm::{Config, Engine, Instance, Module, Store, Tier};

/// A module that is worth a file, which answers `answer` plus its argument, by a call that has a
/// relocation; and a function that only some runs call.
fn text(answer: i32) -> String {
    let padding = "nop ".repeat(200_000);
    format!(
        r#"(module
            (type $f (func (param i32) (result i32)))
            (memory 20) (data (i32.const 0) "{}")
            (table funcref (elem $add))
            (func $add (type $f) (i32.add (local.get 0) (i32.const {answer})))
            (func (export "run") (type $f)
                (call_indirect (type $f) (local.get 0) (i32.const 0)))
            (func (export "trap") (param f64 i64) (result i64) (local $sum i64)
                (local.set $sum (i64.div_u (local.get 1) (i64.const 0)))
                (local.get $sum))
            (func $padding {padding}))"#,
        "d".repeat(1 << 20)
    )
}

/// A folder that there is not yet, in one that goes.
struct Folder {
    _whole: tempfile::TempDir,
    path: PathBuf,
}

impl Folder {
    fn new() -> Folder {
        let whole = tempfile::tempdir().expect("a directory");
        let path = whole.path().join("deep/zwasm");
        Folder {
            _whole: whole,
            path,
        }
    }

    /// The files that are in it.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.expect("readable").path());
        paths.collect()
    }

    fn only_file(&self) -> PathBuf {
        let mut files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }
}

fn config(tier: Tier, folder: &Path) -> Config {
    let mut config = Config::new();
    config
        .tier(tier)
        .record_compilation(true)
        .code_cache(folder);
    if reservations_are_dear() {
        config.memory_reservation(1 << 22);
    }
    config
}

fn call(module: &Module) -> i32 {
    let mut store = Store::new(module.engine(), ());
    let instance = Instance::new(&mut store, module, &[]).expect("no imports");
    let run = instance.get_typed_func::<i32, i32>(&store, "run");
    run.expect("exported").call(&mut store, 2).expect("no trap")
}

/// What `run` answers, and how many functions were compiled for it.
fn run(config: &Config, binary: &[u8]) -> (i32, usize) {
    let engine = Engine::new(config).expect("a valid configuration");
    let module = Module::new(&engine, binary).expect("valid");
    (call(&module), module.compilations().len())
}

fn binary(answer: i32) -> Vec<u8> {
    Module::to_binary(text(answer).into_bytes()).expect("text")
}

fn native_tiers() -> impl Iterator<Item = Tier> {
    Tier::ALL
        .iter()
        .copied()
        .filter(|&tier| tier != Tier::Interp)
}

/// One that compiles each function once.
fn some_tier() -> Option<Tier> {
    native_tiers().find(|&tier| tier == Tier::Opt)
}

#[test]
fn what_one_run_compiles_another_does_not() {
    let binary = binary(40);
    every_tier(|tiers| {
        let tier = Engine::new(&tiers).expect("valid").tier();
        let folder = Folder::new();
        let config = config(tier, &folder.path);
        if tier == Tier::Interp {
            assert_eq!(run(&config, &binary).0, 42);
            assert!(folder.files().is_empty());
            return;
        }
        assert_eq!(run(&config, &binary), (42, 2));
        let file = folder.only_file();
        let metadata = file.metadata().expect("there");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path), 0o700);
        assert_eq!(run(&config, &binary), (42, 0));
        let same = file.metadata().expect("there");
        assert_eq!(same.ino(), metadata.ino(), "nothing new, nothing written");
        // A function that was not called before joins the others.
        let engine = Engine::new(&config).expect("a valid configuration");
        let module = Module::new(&engine, &binary).expect("valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
        let trap = instance.get_typed_func::<(f64, i64), i64>(&store, "trap");
        let error = trap.expect("exported").call(&mut store, (0.0, 1));
        let error = error.expect_err("a division by zero");
        assert_eq!(error.backtrace()[0].func_index(), 2);
        assert_eq!(module.compilations().len(), 1);
        module.update_code_cache();
        let now = folder.only_file().metadata().expect("there");
        assert_ne!(now.ino(), metadata.ino());
        drop((store, module, engine));
        let engine = Engine::new(&config).expect("a valid configuration");
        let module = Module::new(&engine, &binary).expect("valid");
        assert_eq!(call(&module), 42);
        module.compile_all().expect("compiles");
        assert_eq!(module.compilations().len(), 1, "the padding");
    });
}

#[test]
fn modules_and_settings_are_told_apart() {
    let Some(tier) = some_tier() else { return };
    let folder = Folder::new();
    for answer in [1, 2] {
        let config = config(tier, &folder.path);
        assert_eq!(run(&config, &binary(answer)), (answer + 2, 2));
    }
    let binary = binary(1);
    let compiled = |change: fn(&mut Config)| {
        let mut config = config(tier, &folder.path);
        change(&mut config);
        run(&config, &binary).1
    };
    assert_eq!(compiled(|_| {}), 0);
    for change in [
        |config: &mut Config| _ = config.tier(Tier::Baseline),
        |config: &mut Config| _ = config.wasm_tail_call(false),
        |config: &mut Config| _ = config.max_function_code(1 << 20),
    ] {
        assert_ne!(compiled(change), 0);
    }
    // What comes behind the bodies is not part of the key, and is checked.
    let mut invalid = binary.clone();
    invalid.extend([11, 1, 0]);
    let engine = Engine::new(&config(tier, &folder.path)).expect("valid");
    Module::new(&engine, invalid).expect_err("two sections of data");
    // The digest tells what the samples do not.
    let files = folder.files().len();
    let middle = binary.len() - (1 << 20) - 100_000;
    for at in (middle..).step_by(500).take(10) {
        let mut other = binary.clone();
        assert_eq!(other[at], 1, "a nop");
        other[at] = 0;
        assert_eq!(run(&config(tier, &folder.path), &other), (3, 2));
    }
    assert!(folder.files().len() < files + 10);
}

#[test]
fn what_is_cut_off_altered_or_foreign_is_compiled_again() {
    let Some(tier) = some_tier() else { return };
    let (binary, folder) = (binary(40), Folder::new());
    let config = config(tier, &folder.path);
    run(&config, &binary);
    let file = folder.only_file();
    let whole = fs::read(&file).expect("readable");
    let runs_with = |content: &[u8]| {
        fs::write(&file, content).expect("writable");
        assert_eq!(run(&config, &binary).0, 42);
        // It was made good, or had done no harm.
        assert_eq!(run(&config, &binary), (42, 0));
    };
    for length in (0..whole.len()).step_by(13) {
        runs_with(&whole[..length]);
    }
    for at in (0..whole.len()).step_by(7) {
        let mut altered = whole.clone();
        altered[at] ^= 1 << (at % 8);
        runs_with(&altered);
    }
    runs_with(&[whole.clone(), vec![0]].concat());
    runs_with(&binary);
    let engine = Engine::new(&config).expect("a valid configuration");
    let precompiled = engine.precompile_module(&binary).expect("compiles");
    // Part of that was in the cache.
    let other = Engine::new(Config::new().tier(tier)).expect("a valid configuration");
    if !reservations_are_dear() {
        assert!(other.precompile_module(&binary).expect("compiles") == precompiled);
    }
    runs_with(&precompiled);
    // It has no module.
    // SAFETY: it is refused, which is asserted.
    let module = unsafe { Module::deserialize(&engine, whole) };
    module.expect_err("code without a module");
}

/// What is in the folder is executed.
#[test]
fn folders_and_files_of_others_are_left_alone() {
    let Some(tier) = some_tier() else { return };
    let binary = binary(40);
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
    };
    let is_used = |folder: &Folder| {
        let config = config(tier, &folder.path);
        let first = run(&config, &binary);
        assert_eq!(first.0, 42);
        run(&config, &binary) == (42, 0)
    };
    for mode in [0o770, 0o702, 0o777, 0o1777] {
        let folder = Folder::new();
        fs::create_dir_all(&folder.path).expect("made");
        set_mode(&folder.path, mode);
        assert!(!is_used(&folder), "{mode:o}");
        assert!(folder.files().is_empty());
        set_mode(&folder.path, 0o755);
        assert!(is_used(&folder));
    }
    let folder = Folder::new();
    assert!(is_used(&folder));
    let file = folder.only_file();
    let config = config(tier, &folder.path);
    set_mode(&file, 0o620);
    assert_eq!(run(&config, &binary), (42, 2));
    let elsewhere = folder.path.join("elsewhere");
    fs::rename(&file, &elsewhere).expect("ours");
    symlink(&elsewhere, &file).expect("linked");
    assert_eq!(run(&config, &binary), (42, 2));
    assert!(!file.is_symlink(), "written anew");
    fs::remove_file(&file).expect("ours");
    fs::create_dir(&file).expect("made");
    assert!(!is_used(&folder));
    fs::remove_dir(&file).expect("ours");
    // Only the superuser can give things away.
    if chown(&folder.path, Some(12_345), None).is_err() {
        println!("skipped: folders and files of other users");
        return;
    }
    assert!(!is_used(&folder));
    chown(&folder.path, Some(0), None).expect("taken back");
    assert!(is_used(&folder));
    chown(&file, Some(12_345), None).expect("given away");
    assert_eq!(run(&config, &binary), (42, 2));
    // It is a file of ours now.
    assert_eq!(run(&config, &binary), (42, 0));
}

#[test]
fn without_a_folder_there_is_no_cache() {
    let Some(tier) = some_tier() else { return };
    let binary = binary(40);
    let whole = tempfile::tempdir().expect("a directory");
    fs::write(whole.path().join("file"), "").expect("written");
    for path in ["file", "file/below", "\0"] {
        let config = config(tier, &whole.path().join(path));
        assert_eq!(run(&config, &binary), (42, 2));
        assert_eq!(run(&config, &binary), (42, 2));
    }
}

#[test]
fn the_files_used_longest_ago_go_first() {
    let Some(tier) = some_tier() else { return };
    let folder = Folder::new();
    let config = config(tier, &folder.path);
    let hour = Duration::from_secs(3600);
    let now = SystemTime::now();
    let used = |path: &Path, time| {
        let file = fs::File::open(path).expect("there");
        file.set_modified(time).expect("ours");
    };
    let mut written = Vec::new();
    for (answer, age) in (0..4_i32).zip(6_u32..) {
        run(&config, &binary(answer));
        let new = folder.files().into_iter().find(|it| !written.contains(it));
        written.push(new.expect("written"));
        used(&written[answer as usize], now - hour * age);
    }
    let (foreign, unfinished, abandoned) = (
        folder.path.join("foreign"),
        folder.path.join("unfinished-1-1"),
        folder.path.join("unfinished-1-2"),
    );
    for path in [&foreign, &unfinished, &abandoned] {
        fs::write(path, vec![0; 1 << 20]).expect("written");
    }
    used(&abandoned, now - 2 * hour);
    // The oldest is used.
    assert_eq!(run(&config, &binary(3)), (5, 0));
    let length = written[0].metadata().expect("there").len();
    let mut small = config.clone();
    small.code_cache_size(3 * length + length / 2);
    run(&small, &binary(4));
    let there: Vec<bool> = written.iter().map(|path| path.exists()).collect();
    assert_eq!(there, [true, false, false, true]);
    assert!(foreign.exists() && unfinished.exists() && !abandoned.exists());
    // One that is larger than all may be is not written.
    small.code_cache_size(length / 2);
    run(&small, &binary(5));
    assert_eq!(run(&config, &binary(5)), (7, 2));
}

#[test]
fn small_modules_have_no_files() {
    let folder = Folder::new();
    for tier in native_tiers() {
        let few = if tier.compiles_ahead() { 1000 } else { 50_000 };
        let text = text(40).replace(&"nop ".repeat(200_000 - few), "");
        let binary = Module::to_binary(text.into_bytes()).expect("text");
        let config = config(tier, &folder.path);
        assert_eq!(run(&config, &binary), (42, 2), "{tier}");
        assert!(!folder.path.parent().expect("one").exists());
    }
}

/// Functions that run often begin with the better code.
#[test]
fn better_code_is_kept() {
    if !native_tiers().any(|tier| tier == Tier::Auto) || reservations_are_dear() {
        return;
    }
    let (binary, folder) = (binary(40), Folder::new());
    let mut config = config(Tier::Auto, &folder.path);
    config.tier_up_in_background(false).tier_up_after(50);
    let tiered_up = || {
        let engine = Engine::new(&config).expect("a valid configuration");
        let module = Module::new(&engine, &binary).expect("valid");
        (0..20).for_each(|_| assert_eq!(call(&module), 42));
        module.stats().functions_tiered_up
    };
    assert_eq!(tiered_up(), 2);
    assert_eq!(tiered_up(), 0);
    // The first code of a function goes on counting.
    config.tier_up_after(1 << 20);
    let other = Folder::new();
    config.code_cache(&other.path);
    run(&config, &binary);
    config.tier_up_after(50);
    let engine = Engine::new(&config).expect("a valid configuration");
    let module = Module::new(&engine, &binary).expect("valid");
    (0..20).for_each(|_| assert_eq!(call(&module), 42));
    assert_eq!(module.compilations().len(), 0);
    assert_eq!(module.stats().functions_tiered_up, 2);
}
