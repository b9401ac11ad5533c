//! Output that nobody reads, and output that has no room.

use crate::{Files, Ran, command, corpus, finish};
use std::fs::File;
use std::process::{Command, Stdio};

const SUM: &str = r#"(module
    (func (export "sum") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "trap") unreachable))"#;

/// A pipe whose reader has gone.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// A disk without room.
fn full() -> Stdio {
    let file = File::options().write(true).open("/dev/full");
    file.expect("Linux has this device").into()
}

/// Runs with the standard streams given.
fn with(args: &[&str], set: impl FnOnce(&mut Command)) -> Ran {
    let mut command = command();
    command.args(args);
    set(&mut command);
    finish(&mut command)
}

/// Every command line that prints to standard output, with a success.
fn printing(files: &Files) -> Vec<Vec<String>> {
    let sum = files.add("sum.wat", SUM);
    let hello = corpus("wasm/hello.wasm");
    let script = files.add(
        "script.wast",
        r#"(module (func (export "f"))) (assert_return (invoke "f"))"#,
    );
    let mut lines = vec![
        vec!["run", "--invoke", "sum", &sum, "1", "2"],
        vec!["--invoke", "sum", &sum, "1", "2"],
        vec!["inspect", &hello],
        vec!["explore", &hello],
        vec!["explore", "--func", "0", &sum],
        vec!["compile", "--repeat", "1", &sum],
        vec!["compile", "--repeat", "1", "--json", &sum, &sum],
        vec!["wast", &script],
        vec!["wast", &script, &script],
        vec!["help"],
        vec!["--help"],
        vec!["-h"],
        vec!["--version"],
        vec!["run", "--help"],
        vec!["run", "--version"],
        vec!["help", "wast"],
    ];
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        let dump = ["explore", "--tier", "opt", "--dump", "hoisting", &sum];
        lines.push(dump.to_vec());
    }
    let owned = |line: Vec<&str>| line.into_iter().map(str::to_owned).collect();
    lines.into_iter().map(owned).collect()
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let files = Files::new();
    for line in printing(&files) {
        let args: Vec<&str> = line.iter().map(String::as_str).collect();
        let ran = with(&args, |command| {
            command.stdout(closed());
        });
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}");
        let ran = with(&args, |command| {
            command.stdout(closed()).stderr(closed());
        });
        assert_eq!(ran.code, 0, "{args:?}");
    }
}

#[test]
fn a_full_disk_is_an_error_in_one_line() {
    let files = Files::new();
    for line in printing(&files) {
        let args: Vec<&str> = line.iter().map(String::as_str).collect();
        let ran = with(&args, |command| {
            command.stdout(full());
        });
        ran.fails_with_one_line(1, &["cannot write to standard output", "No space left"]);
        let ran = with(&args, |command| {
            command.stdout(full()).stderr(full());
        });
        assert_eq!(ran.code, 1, "{args:?}");
    }
}

#[test]
fn what_cannot_be_said_on_stderr_is_said_by_the_exit_code() {
    let files = Files::new();
    let sum = files.add("sum.wat", SUM);
    let bad = files.add("bad.wat", "(module (func (result i32)))");
    let endless = files.add(
        "endless.wat",
        r#"(module (func (export "_start") (loop $l (br $l))))"#,
    );
    for (args, code) in [
        (&["run", "--invoke", "trap", &sum][..], 134),
        (&["--timeout", "50ms", &endless], 134),
        (&["validate", &bad], 1),
        (&["validate", &sum], 0),
        (&["inspect", &bad], 1),
        (&["explore", &bad], 1),
        (&["compile", &bad], 1),
        (&["wast", "/surely/not/there"], 1),
        (&["run", "--nonsense", &sum], 2),
        (&["--nonsense"], 2),
        (&[], 2),
    ] {
        for stderr in [closed, full] {
            let ran = with(args, |command| {
                command.stderr(stderr());
            });
            assert_eq!(ran.code, code, "{args:?}");
        }
    }
}

#[test]
fn scripts_that_fail_fail_without_a_reader_too() {
    let files = Files::new();
    let bad = files.add(
        "bad.wast",
        r#"(module (func (export "f") (result i32) (i32.const 1)))
        (assert_return (invoke "f") (i32.const 2))"#,
    );
    let good = files.add("good.wast", "(module)");
    for args in [["wast", &bad, &good], ["wast", &good, &bad]] {
        let ran = with(&args, |command| {
            command.stdout(closed());
        });
        assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    }
}

#[test]
fn statistics_are_asked_for_so_losing_them_is_an_error() {
    let files = Files::new();
    let sum = files.add("sum.wat", SUM);
    for format in ["--stats", "--stats=json"] {
        let args = ["run", format, "--invoke", "sum", &sum, "1", "2"];
        let ran = with(&args, |command| {
            command.stderr(full());
        });
        assert_eq!((ran.code, ran.stdout.as_str()), (1, "3\n"));
        let ran = with(&args, |command| {
            command.stderr(closed());
        });
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "3\n"));
    }
}

/// Ends with the error number of writing to the descriptor.
fn writer(fd: u32) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (data (i32.const 0) "\10\00\00\00\04\00\00\00")
        (func (export "_start")
          (call $exit (call $write (i32.const {fd}) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    )
}

#[test]
fn the_guest_gets_an_error_number_for_its_own_output() {
    let files = Files::new();
    for (fd, name) in [(1, "stdout.wat"), (2, "stderr.wat")] {
        let file = files.add(name, writer(fd));
        for (stream, errno) in [(full as fn() -> Stdio, 51), (closed, 64)] {
            let ran = with(&[&file], |command| {
                match fd {
                    1 => command.stdout(stream()),
                    _ => command.stderr(stream()),
                };
            });
            assert_eq!(ran.code, errno, "descriptor {fd}: {}", ran.stderr);
            assert_eq!(ran.stderr, "");
        }
        let ran = with(&[&file], |_| {});
        assert_eq!(ran.code, 0);
    }
}

#[test]
fn a_page_without_room_is_an_error_in_one_line() {
    let files = Files::new();
    let sum = files.add("sum.wat", SUM);
    for out in ["/dev/full", "/surely/not/there/page.html", "/"] {
        let ran = with(&["explore", "-o", out, &sum], |_| {});
        ran.fails_with_one_line(1, &["cannot write", out]);
    }
}
