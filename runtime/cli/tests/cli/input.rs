//! Where modules come from: files of every kind, and standard input.

use crate::{Files, Ran, command, corpus, finish, zwasm};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

const FIVE: &str =
    r#"(module (func (export "_start")) (func (export "five") (result i32) (i32.const 5)))"#;

fn with_input(args: &[&str], input: &str) -> Ran {
    let input = File::open(input).expect("a file");
    finish(command().args(args).stdin(Stdio::from(input)))
}

#[test]
fn a_dash_is_standard_input_for_every_command() {
    let files = Files::new();
    let five = files.add("five.wat", FIVE);
    let hello = corpus("wasm/hello.wasm");
    for args in [
        &["-"][..],
        &["run", "-"],
        &["--", "-"],
        &["--eager", "-", "small"],
    ] {
        let ran = with_input(args, &hello);
        assert!(
            ran.succeeds().starts_with("Hello, world!"),
            "{}",
            ran.stdout
        );
    }
    let ran = with_input(&["--invoke", "five", "-"], &five);
    assert_eq!(ran.succeeds(), "5\n");
    assert!(
        with_input(&["inspect", "-"], &five)
            .succeeds()
            .contains("five: function")
    );
    assert!(
        with_input(&["explore", "-"], &five)
            .succeeds()
            .contains("five")
    );
    with_input(&["validate", "-"], &five).succeeds();
    with_input(&["compile", "--repeat", "1", "-"], &five).succeeds();
    let script = files.add("script.wast", "(module)");
    assert!(
        with_input(&["wast", "-"], &script)
            .succeeds()
            .contains("1 passed")
    );
    let main = files.add(
        "main.wat",
        r#"(module (import "lib" "five" (func $f (result i32)))
        (func (export "six") (result i32) (i32.add (call $f) (i32.const 1))))"#,
    );
    let ran = with_input(&["--preload", "lib=-", "--invoke", "six", &main], &five);
    assert_eq!(ran.succeeds(), "6\n");
    with_input(&["-"], "/dev/null").fails_with_one_line(1, &["cannot load -"]);
}

#[test]
fn options_need_no_word_in_front() {
    let files = Files::new();
    let five = files.add("five.wat", FIVE);
    assert_eq!(zwasm(&["--invoke", "five", &five]).succeeds(), "5\n");
    assert_eq!(
        zwasm(&["--tier", "interp", "--invoke=five", &five]).succeeds(),
        "5\n"
    );
    zwasm(&["--dir", ".", &five]).succeeds();
    zwasm(&["--", &five]).succeeds();
    zwasm(&["--env", "A=1", "--", &five, "--", "x"]).succeeds();
    // A file of the name of a command.
    files.add("inspect", FIVE);
    finish(command().args(["--", "inspect"]).current_dir(files.path())).succeeds();
}

#[test]
fn devices_pipes_and_directories_are_refused() {
    let files = Files::new();
    let directory = files.path().to_str().unwrap();
    let text = files.add("text", "not a module");
    for (file, words) in [
        ("/dev/zero", &["/dev/zero", "neither"][..]),
        ("/dev/null", &["/dev/null", "neither"]),
        (directory, &[directory, "directory"]),
        (&text, &["neither"]),
    ] {
        for command in ["run", "inspect", "explore", "compile"] {
            zwasm(&[command, file]).fails_with_one_line(1, words);
        }
        let ran = zwasm(&["validate", file]);
        assert_eq!(ran.code, 1);
        ran.says(words);
        let preload = format!("x={file}");
        zwasm(&["--preload", &preload, &text]).fails_with_one_line(1, words);
    }
    zwasm(&["wast", "/dev/zero"]).fails_with_one_line(1, &["/dev/zero", "not text"]);
    zwasm(&["wast", directory]).fails_with_one_line(1, &["directory"]);
    let latin = files.add("latin.wast", b"(module) ;; \xe9");
    zwasm(&["wast", &latin]).fails_with_one_line(1, &["latin.wast", "UTF-8"]);
}

#[test]
fn a_huge_file_is_refused_unread() {
    let files = Files::new();
    let path = files.add("huge.wasm", b"\0asm\x01\0\0\0");
    let file = File::options().write(true).open(&path).expect("a file");
    file.set_len(1 << 40).expect("a sparse file");
    for command in ["run", "inspect", "explore", "compile", "wast"] {
        zwasm(&[command, &path]).fails_with_one_line(1, &["huge.wasm", "too many"]);
    }
}

#[test]
fn names_of_files_need_not_be_text() {
    let files = Files::new();
    let path = files.path().join(OsStr::from_bytes(b"\xff\xfe\x1b.wat"));
    std::fs::write(&path, FIVE).expect("a file");
    finish(command().arg(&path)).succeeds();
    for subcommand in ["run", "inspect", "explore", "compile", "validate"] {
        finish(command().arg(subcommand).arg(&path)).succeeds();
    }
    let argument = OsStr::from_bytes(b"\xff");
    finish(command().arg(&path).arg("one").arg(argument))
        .fails_with_one_line(1, &["argument 2 is not UTF-8"]);
}
