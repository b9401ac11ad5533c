//! Hostile names: nothing that a terminal would obey comes out, whatever a module is called inside.

use crate::{Files, Ran, command, finish};
use std::process::Command;

/// Escape sequences, a forged line of a backtrace, C1 controls, bidirectional controls, DEL, and a
/// separator of lines.
const HOSTILE: &str = "\u{1b}[31mred\u{1b}]0;title\u{7}\r\n  0: forged\t\u{9b}2J\u{202e}\u{2066}\u{200f}\u{7f}\u{2028}\u{85}end";

/// The same for the text format.
fn quoted() -> String {
    let escape = |c: char| match c {
        ' '..='~' => c.to_string(),
        _ => format!("\\u{{{:x}}}", c as u32),
    };
    HOSTILE.chars().map(escape).collect()
}

/// A module in which everything that has a name has this one.
fn module() -> String {
    let name = quoted();
    format!(
        r#"(module $"{name}"
        (import "{name}" "{name}" (func $"{name} import" (param i32)))
        (import "{name}" "{name} global" (global i32))
        (memory (export "{name} memory") 1)
        (func $"{name}" (export "{name}") (param $"{name}" i32) (result i32)
          (local.get 0) (block $"{name}" (br $"{name}")))
        (func $"{name} trap" (export "{name} trap") unreachable)
        (func $"{name} start" (export "_start") (call $"{name} trap")))"#
    )
}

/// Nothing that a terminal obeys is in what was printed, and the name is, in escapes.
#[track_caller]
fn is_harmless(ran: &Ran, shown: bool) {
    for (stream, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        let obeyed = |c: &char| {
            let format = matches!(*c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            (c.is_control() && !matches!(*c, '\n' | '\t')) || format
        };
        let found: Vec<char> = text.chars().filter(obeyed).collect();
        assert!(found.is_empty(), "{stream} has {found:?}: {text:?}");
        // Disassembly has tabs of its own.
        assert!(!text.contains("forged\t"), "{stream} has a tab: {text:?}");
        assert!(
            !text
                .lines()
                .any(|line| line.trim_start().starts_with("0: forged")),
            "{stream} has a forged line: {text}"
        );
    }
    if shown {
        let escaped =
            |text: &str| text.contains("\\u{1b}[31mred") || text.contains("\\u001b[31mred");
        assert!(
            escaped(&ran.stdout) || escaped(&ran.stderr),
            "the name is not shown: {} {}",
            ran.stdout,
            ran.stderr
        );
    }
}

fn ran(args: &[&str]) -> Ran {
    finish(Command::new(env!("CARGO_BIN_EXE_zwasm")).args(args))
}

#[test]
fn every_command_escapes_names() {
    let files = Files::new();
    let file = files.add("hostile.wat", module());
    let provider = {
        let name = quoted();
        files.add(
            "provider.wat",
            format!(
                r#"(module (func $"{name}" (export "{name}") (param i32))
                (global (export "{name} global") i32 (i32.const 0)))"#
            ),
        )
    };
    let preload = format!("{HOSTILE}={provider}");
    for (args, shown) in [
        (&["inspect", &file][..], true),
        (&["explore", &file], true),
        (&["explore", "--func", "red", &file], true),
        (&["compile", "--repeat", "1", &file], false),
        (&["validate", &file], false),
        // The missing import.
        (&["run", &file], true),
        (&["run", "--preload", &preload, &file], true),
        (&["run", "--preload", &preload, "--stats", &file], true),
        (
            &[
                "run",
                "--preload",
                &preload,
                "--stats=json",
                "--eager",
                &file,
            ],
            true,
        ),
        (
            &["run", "--preload", &preload, "--invoke", "nothing", &file],
            true,
        ),
        (
            &["run", "--preload", &preload, "--invoke", HOSTILE, &file],
            true,
        ),
        (
            &[
                "run",
                "--preload",
                &preload,
                "--invoke",
                HOSTILE,
                &file,
                "1",
                HOSTILE,
            ],
            true,
        ),
        (
            &[
                "run",
                "--preload",
                &preload,
                "--invoke",
                HOSTILE,
                &file,
                HOSTILE,
            ],
            true,
        ),
        (&["run", "--invoke", HOSTILE, &provider, HOSTILE], true),
        (&["explore", "--func", HOSTILE, &provider], true),
    ] {
        is_harmless(&ran(args), shown);
    }
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        let dump = ["explore", "--tier", "opt", "--dump", "hoisting", &file];
        is_harmless(&ran(&dump), true);
        let dump = ["explore", "--tier", "opt", "--dump", HOSTILE, &file];
        is_harmless(&ran(&dump), true);
    }
}

#[test]
fn pages_hold_no_control_either() {
    let files = Files::new();
    let file = files.add("hostile.wat", module());
    let page = files.path().join("page.html");
    let ran = ran(&["explore", "-o", page.to_str().unwrap(), &file]);
    ran.succeeds();
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("\\u{1b}[31mred"));
    let is_layout = |c: char| matches!(c, '\n' | '\t');
    assert!(!page.contains(|c: char| c.is_control() && !is_layout(c)));
    assert!(!page.contains('\u{202e}'));
}

#[test]
fn statistics_in_json_read_back_as_they_were() {
    let files = Files::new();
    let name = quoted();
    let file = files.add(
        "f.wat",
        format!(r#"(module (func $"{name}" (export "_start")))"#),
    );
    let ran = ran(&["run", "--stats=json", "--eager", &file]);
    ran.succeeds();
    is_harmless(
        &ran,
        cfg!(any(target_arch = "x86_64", target_arch = "aarch64")),
    );
    let record: serde_json::Value = serde_json::from_str(ran.stderr.trim()).expect("JSON");
    if let Some(first) = record["costliest"].get(0) {
        assert_eq!(first["name"], HOSTILE);
    }
}

#[test]
fn scripts_escape_names() {
    let files = Files::new();
    let name = quoted();
    let script = files.add(
        "hostile.wast",
        format!(
            r#"(module $"{name}" (func $"{name}" (export "{name}") (result i32) unreachable))
            (assert_return (invoke "{name}") (i32.const 1))
            (assert_return (invoke "{name} missing"))
            (assert_return (get "{name} missing"))
            (assert_trap (invoke "{name}") "{name}")
            (assert_unlinkable (module (import "{name}" "{name}" (func))) "{name}")
            (register "{name}")
            (module (import "{name}" "{name}" (global i32)))
            (assert_invalid (module) "{name}")
            (assert_return (invoke $"{name} missing" "f"))"#
        ),
    );
    let ran = ran(&["wast", &script]);
    assert_eq!(ran.code, 1);
    is_harmless(&ran, true);
    let broken = files.add("broken.wast", "(module) (\u{1b}[31mred)");
    let ran = crate::zwasm(&["wast", &broken]);
    assert_eq!(ran.code, 1);
    is_harmless(&ran, false);
}

#[test]
fn names_of_files_and_arguments_are_escaped() {
    let files = Files::new();
    let hostile = HOSTILE.replace('/', "");
    let directory = files.path().join(&hostile);
    std::fs::create_dir(&directory).expect("a directory");
    let there = directory.join("there.wat");
    std::fs::write(&there, "(module)").expect("a file");
    let bad = directory.join("bad.wat");
    std::fs::write(&bad, "(module (func (result i32)))").expect("a file");
    let text = directory.join("text.wat");
    std::fs::write(&text, "(module\n (func (\u{1b}[31mred \u{7f})))").expect("a file");
    let missing = directory.join("missing.wat");
    for file in [&there, &bad, &text, &missing, &directory] {
        let file = file.to_str().unwrap();
        for subcommand in ["run", "inspect", "explore", "compile", "validate", "wast"] {
            is_harmless(&ran(&[subcommand, file]), false);
        }
        let page = format!("{file}/no/page");
        is_harmless(
            &ran(&["explore", "-o", &page, there.to_str().unwrap()]),
            true,
        );
        let dir = format!("{file}/no");
        is_harmless(&ran(&["run", "--dir", &dir, there.to_str().unwrap()]), true);
    }
    for args in [
        &[HOSTILE][..],
        &["run", HOSTILE],
        &["run", "--tier", HOSTILE, "x"],
        &["run", "--timeout", HOSTILE, "x"],
        &["run", "--max-memory", HOSTILE, "x"],
        &["run", "--fuel", HOSTILE, "x"],
        &["run", "--preload", HOSTILE, "x"],
        &[
            "run",
            "--stats",
            "--invoke",
            HOSTILE,
            there.to_str().unwrap(),
        ],
        &["explore", "--isa", HOSTILE, "x"],
        &["inspect", "x", HOSTILE],
        &["help", HOSTILE],
    ] {
        is_harmless(&ran(args), true);
    }
    let option = format!("--{HOSTILE}");
    is_harmless(&ran(&[&option]), false);
    is_harmless(
        &finish(command().env("ZWASM", HOSTILE).args(["run", &option])),
        false,
    );
}
