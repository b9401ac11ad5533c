//! `--invoke`.

use crate::run;

const ADD: &str = r#"(module
    (func (export "i32") (param i32) (result i32) (local.get 0))
    (func (export "i64") (param i64) (result i64) (local.get 0))
    (func (export "f32") (param f32) (result f32) (f32.neg (local.get 0)))
    (func (export "f64") (param f64) (result f64) (f64.sqrt (local.get 0)))
    (func (export "v128") (param v128) (result v128) (local.get 0))
    (func (export "ref") (param externref funcref) (result i32 externref)
      (ref.is_null (local.get 1)) (local.get 0))
    (func (export "two") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
    (func (export "none"))
    (memory (export "memory") 1))"#;

#[test]
fn arguments_and_results_of_every_type() {
    for (name, args, output) in [
        ("i32", &["-5"][..], "-5\n"),
        ("i32", &["4294967295"], "-1\n"),
        ("i32", &["0x10"], "16\n"),
        ("i64", &["-9223372036854775808"], "-9223372036854775808\n"),
        ("i64", &["18446744073709551615"], "-1\n"),
        ("f32", &["1.5"], "-1.5\n"),
        ("f32", &["-inf"], "inf\n"),
        ("f64", &["2.25"], "1.5\n"),
        ("f64", &["-1"], "NaN\n"),
        ("f32", &["-0x1.8p3"], "12\n"),
        ("f32", &["nan"], "NaN\n"),
        ("i32", &["+5"], "5\n"),
        ("i32", &["-0x80000000"], "-2147483648\n"),
        ("i32", &["0xFFFFFFFF"], "-1\n"),
        ("i64", &["-0x1_0000_0000"], "-4294967296\n"),
        (
            "v128",
            &["0x102030405060708090a0b0c0d0e0f10"],
            "0x0102030405060708090a0b0c0d0e0f10\n",
        ),
        ("ref", &["null", "null"], "1\nnull\n"),
        ("two", &["1", "-2"], "-2\n1\n"),
        ("none", &[], ""),
    ] {
        let ran = run(ADD, &["--invoke", name], args);
        assert_eq!(ran.succeeds(), output, "{name} {args:?}");
    }
}

#[test]
fn wrong_arguments_are_explained_in_one_line() {
    for (name, args, words) in [
        ("i32", &[][..], &["takes 1 argument", "got 0"][..]),
        ("i32", &["1", "2"], &["takes 1 argument", "got 2"]),
        ("i32", &["4294967296"], &["argument 1", "does not fit i32"]),
        ("i32", &["five"], &["'five' is not an integer"]),
        ("i32", &["1.5"], &["'1.5' is not an integer"]),
        ("i32", &["--5"], &["'--5' is not an integer"]),
        ("i32", &["-+5"], &["'-+5' is not an integer"]),
        ("i32", &["0x-5"], &["'0x-5' is not an integer"]),
        ("i32", &["--help"], &["'--help' is not an integer"]),
        ("i32", &["--"], &["'--' is not an integer"]),
        ("i64", &["--5"], &["'--5' is not an integer"]),
        ("i64", &["-9223372036854775809"], &["does not fit i64"]),
        ("f32", &["--5"], &["'--5' is not a number"]),
        ("f64", &["-+5"], &["'-+5' is not a number"]),
        ("v128", &["-5"], &["128-bit"]),
        (
            "two",
            &["1", "--2"],
            &["argument 2", "'--2' is not an integer"],
        ),
        ("f64", &["x"], &["'x' is not a number"]),
        ("v128", &["0xzz"], &["128-bit"]),
        ("ref", &["1", "null"], &["externref"]),
        (
            "nothing",
            &[],
            &["no exported function 'nothing'", "i32, i64, f32"],
        ),
        ("memory", &[], &["no exported function 'memory'"]),
    ] {
        run(ADD, &["--invoke", name], args).fails_with_one_line(1, words);
    }
}

#[test]
fn a_function_without_parameters_leaves_the_arguments_to_the_guest() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "args_sizes_get"
          (func $sizes (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "count") (result i32)
          (drop (call $sizes (i32.const 0) (i32.const 4)))
          (i32.load (i32.const 0))))"#;
    assert_eq!(run(text, &["--invoke", "count"], &[]).succeeds(), "1\n");
    let args = ["a", "--level", "9"];
    assert_eq!(run(text, &["--invoke", "count"], &args).succeeds(), "4\n");
}

#[test]
fn a_module_without_start_function_asks_for_a_name() {
    run(ADD, &[], &[]).fails_with_one_line(1, &["_start", "--invoke"]);
    run("(module)", &[], &[]).succeeds();
}

#[test]
fn a_reactor_is_initialised_before_the_call() {
    let text = r#"(module (global $g (mut i32) (i32.const 0))
        (func (export "_initialize") (global.set $g (i32.const 5)))
        (func (export "get") (result i32) (global.get $g)))"#;
    assert_eq!(run(text, &["--invoke", "get"], &[]).succeeds(), "5\n");
}
