//! How guests end: exit codes, traps, fuel, time.

use crate::{Ran, run};
use std::time::Duration;

fn exits_with(code: u32) -> Ran {
    let text = format!(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const {code})) (unreachable)))"#
    );
    run(&text, &[], &[])
}

#[test]
fn the_guests_own_exit_code_comes_through_silently() {
    for code in [0, 1, 2, 42, 134, 255] {
        let ran = exits_with(code);
        assert_eq!(ran.code, code as i32);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn a_trap_is_134_with_the_names_of_the_frames() {
    let ran = run(
        r#"(module (func $inner (drop (i32.div_s (i32.const 1) (i32.const 0))))
        (func $outer (call $inner)) (func (export "_start") (call $outer)))"#,
        &[],
        &[],
    );
    assert_eq!(ran.code, 134);
    ran.says(&["integer divide by zero", "inner", "outer", "_start"]);
    let inner = ran.stderr.find("inner").unwrap();
    assert!(inner < ran.stderr.find("outer").unwrap(), "innermost first");
}

#[test]
fn an_uncaught_exception_is_134_too() {
    let ran = run(
        r#"(module (tag $e) (func (export "_start") (throw $e)))"#,
        &[],
        &[],
    );
    assert_eq!(ran.code, 134);
    ran.says(&["unhandled exception", "_start"]);
}

#[test]
fn deep_recursion_is_a_trap() {
    let ran = run(
        r#"(module (func $deep (export "_start") (call $deep) (call $deep)))"#,
        &[],
        &[],
    );
    assert_eq!(ran.code, 134);
    ran.says(&["call stack exhausted", "more frames"]);
}

#[test]
fn fuel_stops_an_endless_guest() {
    let ran = run(
        r#"(module (func (export "_start") (loop $l (br $l))))"#,
        &["--fuel", "100000"],
        &[],
    );
    assert_eq!(ran.code, 134);
    ran.says(&["all fuel consumed"]);
    run(
        r#"(module (func (export "_start")))"#,
        &["--fuel", "100000"],
        &[],
    )
    .succeeds();
}

#[test]
fn a_timeout_stops_whatever_the_guest_does() {
    for text in [
        r#"(module (func (export "_start") (loop $l (br $l))))"#,
        r#"(module (func $s (loop $l (br $l))) (start $s) (func (export "_start")))"#,
        r#"(module (func $f (param i64)
            (if (i64.eqz (local.get 0)) (then (return)))
            (call $f (i64.sub (local.get 0) (i64.const 1)))
            (call $f (i64.sub (local.get 0) (i64.const 1))))
           (func (export "_start") (call $f (i64.const 64))))"#,
        r#"(module (func $f (export "_start") (return_call $f)))"#,
        r#"(module (memory 16384) (func (export "_start") (loop $l
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x40000000)) (br $l))))"#,
        include_str!("../../../wasi/tests/guests/sleep.wat"),
    ] {
        let ran = run(text, &["--timeout", "100ms"], &[]);
        assert_eq!(ran.code, 134, "{text}: {}", ran.stderr);
        ran.says(&["timed out after 100ms"]);
        assert!(
            ran.took < Duration::from_secs(10),
            "{text} took {:?}",
            ran.took
        );
    }
    run(
        r#"(module (func (export "_start")))"#,
        &["--timeout", "1h"],
        &[],
    )
    .succeeds();
}

/// Thousands of values alive at once, in a function that is never called.
#[test]
fn a_timeout_covers_compilation() {
    const LOCALS: usize = 20_000;
    let mut text = format!("(module (func (local {})\n", "i32 ".repeat(LOCALS));
    for local in 0..LOCALS {
        let other = (local * 7919 + 1) % LOCALS;
        text += &format!(
            "(if (local.get {other}) (then
                (local.set {local} (i32.div_s (local.get {other}) (i32.const {}))))) ",
            local + 3
        );
    }
    text += ") (func (export \"_start\")))";
    for tier in ["baseline", "opt"] {
        let options = ["--tier", tier, "--eager", "--timeout", "1ms"];
        let ran = run(&text, &options, &[]);
        assert_eq!(ran.code, 134, "{tier}: {}", ran.stderr);
        ran.says(&["timed out after 1ms"]);
    }
    run(&text, &["--timeout", "1h"], &[]).succeeds();
}

#[test]
fn output_before_a_trap_is_not_lost() {
    let ran = run(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 16) "before")
        (func (export "_start")
          (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
          (unreachable)))"#,
        &[],
        &[],
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (134, "before"));
}
