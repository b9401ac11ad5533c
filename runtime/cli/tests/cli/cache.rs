//! Machine code that `zwasm run` keeps between runs.

use crate::{Files, Ran, command, finish};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Prints a line; large enough to be kept.
fn program() -> String {
    let padding = "nop ".repeat(200_000);
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
            (func $hello (export "_start")
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))
            (func $padding {padding}))"#
    )
}

/// A module, and a folder for caches.
struct Place {
    files: Files,
    module: String,
}

impl Place {
    fn new() -> Place {
        let files = Files::new();
        let module = files.add("program.wat", program());
        fs::create_dir(files.path().join("caches")).expect("a directory");
        Place { files, module }
    }

    /// The command with a cache there.
    fn command(&self, options: &[&str]) -> Command {
        let mut command = command();
        command.env_remove("ZWASM_CACHE");
        command.env("XDG_CACHE_HOME", self.files.path().join("caches"));
        command.args(["run", "--tier", "opt", "--stats=json"]);
        command.args(options).arg(&self.module);
        command
    }

    /// How many files the cache has.
    fn kept(&self) -> usize {
        let folder = fs::read_dir(self.files.path().join("caches/zwasm"));
        folder.map_or(0, Iterator::count)
    }
}

/// Whether it compiled something; it ran well.
#[track_caller]
fn compiled(ran: &Ran) -> bool {
    assert_eq!(ran.succeeds(), "hello\n");
    ran.stderr.contains("costliest")
}

fn has_native_tiers() -> bool {
    zwasm::Tier::ALL.len() > 1
}

#[test]
fn a_second_run_compiles_nothing_unless_told_to() {
    if !has_native_tiers() {
        return;
    }
    let place = Place::new();
    let run = |options: &[&str]| compiled(&finish(&mut place.command(options)));
    let run_with = |variable: &str, options: &[&str]| {
        let mut command = place.command(options);
        compiled(&finish(command.env("ZWASM_CACHE", variable)))
    };
    assert!(run(&["-C", "cache=n"]) && run_with("n", &[]));
    assert_eq!(place.kept(), 0);
    assert!(run(&[]));
    assert_eq!(place.kept(), 1);
    assert!(!run(&[]) && !run(&["-C", "cache"]) && !run_with("y", &[]));
    assert!(!run_with("n", &["-Ccache=y"]));
    assert!(run(&["-C", "cache=no"]) && run_with("n", &[]));
    assert!(run_with("y", &["--codegen", "cache=n"]));
    // The interpreter has nothing to keep.
    assert!(!run(&["--invoke", "_start"]));
    finish(place.command(&["-C", "inline=y"]).env("A", "")).says(&["cache=n"]);
    finish(&mut place.command(&["-C", "cache=maybe"])).says(&["y or n"]);
    finish(place.command(&[]).env("ZWASM_CACHE", "maybe")).says(&["ZWASM_CACHE", "y or n"]);
}

#[test]
fn without_a_place_for_it_there_is_no_cache() {
    if !has_native_tiers() {
        return;
    }
    let place = Place::new();
    let caches = place.files.path().join("caches");
    let is_used = |change: &dyn Fn(&mut Command)| {
        let mut runs = [(); 2].map(|()| {
            let mut command = place.command(&[]);
            command.env("HOME", place.files.path());
            change(&mut command);
            compiled(&finish(&mut command))
        });
        assert!(runs[0]);
        !std::mem::take(&mut runs[1])
    };
    assert!(!is_used(&|command| {
        command.env_remove("XDG_CACHE_HOME").env_remove("HOME");
    }));
    assert!(!is_used(&|command| {
        command.env("XDG_CACHE_HOME", "/proc/no/such");
    }));
    assert!(!is_used(&|command| {
        command.env("XDG_CACHE_HOME", &place.module);
    }));
    // Relative paths are to be ignored.
    assert!(is_used(&|command| {
        command
            .env("XDG_CACHE_HOME", "caches")
            .current_dir(place.files.path());
    }));
    assert_eq!(place.kept(), 0);
    assert!(place.files.path().join(".cache/zwasm").is_dir());
    // Others may write there.
    fs::create_dir(caches.join("zwasm")).expect("a directory");
    let mode = Permissions::from_mode(0o777);
    fs::set_permissions(caches.join("zwasm"), mode).expect("ours");
    assert!(!is_used(&|_| {}));
    assert_eq!(place.kept(), 0);
}

/// The superuser may write anywhere.
#[test]
fn a_home_that_cannot_be_written_is_none() {
    let place = Place::new();
    let caches = place.files.path().join("caches");
    let set_mode = |mode| fs::set_permissions(&caches, Permissions::from_mode(mode));
    set_mode(0o555).expect("ours");
    if fs::write(caches.join("try"), "").is_ok() {
        println!("skipped: this user may write anywhere");
    } else if has_native_tiers() {
        let runs = [(); 2].map(|()| compiled(&finish(&mut place.command(&[]))));
        assert_eq!(runs, [true, true]);
    }
    set_mode(0o755).expect("ours");
}

/// A limit of a file's size stands for a full disk: the first ends a process by a signal, unless it
/// knows its limit.
#[test]
fn where_files_cannot_become_long_there_are_none() {
    if !has_native_tiers() {
        return;
    }
    let place = Place::new();
    let plain = place.command(&[]);
    for _ in 0..2 {
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -f 0; exec \"$@\"", "sh"]);
        limited.arg(plain.get_program()).args(plain.get_args());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        assert!(compiled(&finish(&mut limited)));
        assert_eq!(place.kept(), 0);
    }
}

/// A file system of one page, which is taken.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_no_error() {
    if !has_native_tiers() {
        return;
    }
    let place = Place::new();
    let caches = place.files.path().join("caches");
    let mount = |arguments: &[&str]| {
        let status = Command::new("mount").args(arguments).arg(&caches).status();
        status.is_ok_and(|status| status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=4k,mode=700", "none"]) {
        println!("skipped: this user may mount nothing");
        return;
    }
    let filled = fs::write(caches.join("filler"), [0; 4096]);
    let runs = [(); 2].map(|()| finish(&mut place.command(&[])));
    let left = place.kept();
    let status = Command::new("umount").arg(&caches).status();
    assert!(status.is_ok_and(|status| status.success()));
    filled.expect("there was room for that");
    assert!(runs.iter().all(compiled));
    assert_eq!(left, 0, "nothing unfinished is left");
}

#[test]
fn many_at_once_do_not_disturb_each_other() {
    if !has_native_tiers() {
        return;
    }
    let place = Place::new();
    let file = |path: &Path| {
        fs::read_dir(path.join("caches/zwasm"))
            .expect("there")
            .next()
    };
    for round in 0..4 {
        let runs: Vec<_> = (0..6)
            .map(|_| {
                let mut command = place.command(&[]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
                command.spawn().expect("the binary runs")
            })
            .collect();
        for run in runs {
            let output = run.wait_with_output().expect("it ends");
            assert!(output.status.success());
            assert_eq!(output.stdout, b"hello\n");
        }
        assert_eq!(place.kept(), 1, "one file, and nothing unfinished");
        if round == 1 {
            let file = file(place.files.path()).expect("one").expect("readable");
            fs::write(file.path(), "altered").expect("ours");
        }
    }
}
