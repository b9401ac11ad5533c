//! Options of `zwasm run`, and the other commands.

use crate::{Files, command, corpus, finish, run, zwasm};

/// Prints its arguments and environment, one per line, as the interface lays them out.
const SHOW: &str = r#"(module
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func $print (param $size i32) (local $i i32)
      ;; Zero bytes end the strings: newlines are easier to read.
      (loop $l
        (if (i32.eqz (i32.load8_u (i32.add (i32.const 4096) (local.get $i))))
          (then (i32.store8 (i32.add (i32.const 4096) (local.get $i)) (i32.const 10))))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $size))))
      (i32.store (i32.const 0) (i32.const 4096))
      (i32.store (i32.const 4) (local.get $size))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func (export "_start")
      (drop (call $args_sizes (i32.const 0) (i32.const 4)))
      (drop (call $args (i32.const 64) (i32.const 4096)))
      (call $print (i32.load (i32.const 4)))
      (drop (call $env_sizes (i32.const 0) (i32.const 4)))
      (if (i32.load (i32.const 4)) (then
        (drop (call $env (i32.const 64) (i32.const 4096)))
        (call $print (i32.load (i32.const 4)))))))"#;

#[test]
fn a_committed_module_runs_with_and_without_the_word_run() {
    let hello = corpus("wasm/hello.wasm");
    let ran = zwasm(&["run", &hello]);
    assert!(
        ran.succeeds().starts_with("Hello, world!"),
        "{}",
        ran.stdout
    );
    assert_eq!(zwasm(&[&hello]).succeeds(), ran.stdout);
}

#[test]
fn arguments_name_and_environment_reach_the_guest_as_given() {
    let ran = run(SHOW, &[], &["--dir", "-x", "a b", "--"]);
    assert_eq!(ran.succeeds(), "file.wat\n--dir\n-x\na b\n--\n");
    let ran = run(
        SHOW,
        &["--argv0", "me", "--env", "A=1", "--env", "B=x=y"],
        &["z"],
    );
    assert_eq!(ran.succeeds(), "me\nz\nA=1\nB=x=y\n");
    let files = Files::new();
    let file = files.add("f.wat", SHOW);
    let ran = finish(
        command()
            .env("OWN", "5")
            .args(["run", "--env", "OWN", &file]),
    );
    assert_eq!(
        ran.succeeds(),
        "f.wat\nOWN=5\n",
        "only what was named is inherited"
    );
    let ran = zwasm(&[
        "run",
        "--env",
        "SURELY_NOT_SET_ANYWHERE",
        "--env",
        "EMPTY=",
        &file,
    ]);
    assert_eq!(
        ran.succeeds(),
        "f.wat\nEMPTY=\n",
        "what is not set is passed over"
    );
    for nameless in ["", "=value"] {
        let ran = zwasm(&["run", "--env", nameless, &file]);
        assert_eq!(ran.code, 2);
        ran.says(&["NAME=VALUE"]);
    }
}

/// Opens `input` in the first preopened directory and copies it to standard output.
const CAT: &str = include_str!("../../../wasi/tests/guests/copy.wat");

#[test]
fn a_directory_is_given_under_its_own_name_or_another() {
    let files = Files::new();
    files.add("input", "from the host");
    let dir = files.path().to_str().unwrap();
    assert_eq!(run(CAT, &["--dir", dir], &[]).succeeds(), "from the host");
    let mapped = format!("{dir}::/guest");
    assert_eq!(
        run(CAT, &["--dir", &mapped], &[]).succeeds(),
        "from the host"
    );
    assert_ne!(run(CAT, &[], &[]).code, 0, "nothing is given by default");
    run(CAT, &["--dir", "/surely/not/there"], &[])
        .fails_with_one_line(1, &["cannot open the directory", "/surely/not/there"]);
    assert_eq!(run(CAT, &["--dir", "::x"], &[]).code, 2);
}

#[test]
fn preloaded_modules_resolve_imports_in_order() {
    let files = Files::new();
    let base = files.add(
        "base.wat",
        r#"(module (func (export "one") (result i32) (i32.const 1)))"#,
    );
    let middle = files.add(
        "middle.wat",
        r#"(module (import "base" "one" (func $one (result i32)))
        (func (export "two") (result i32) (i32.add (call $one) (call $one))))"#,
    );
    let main = files.add(
        "main.wat",
        r#"(module (import "mid" "two" (func $two (result i32)))
        (func (export "four") (result i32) (i32.mul (call $two) (call $two))))"#,
    );
    let base = format!("base={base}");
    let middle = format!("mid={middle}");
    let ran = zwasm(&[
        "run",
        "--preload",
        &base,
        "--preload",
        &middle,
        "--invoke",
        "four",
        &main,
    ]);
    assert_eq!(ran.succeeds(), "4\n");
    zwasm(&["run", "--preload", &middle, "--invoke", "four", &main])
        .fails_with_one_line(1, &["unknown import 'base'.'one'"]);
    assert_eq!(zwasm(&["run", "--preload", "nothing", &main]).code, 2);
}

#[test]
fn preloaded_modules_are_compiled_ahead_and_counted() {
    let files = Files::new();
    let library = files.add(
        "library.wat",
        r#"(module (func $one (export "one") (result i32) (i32.const 1))
        (func $unused (result i32) (i32.const 2)))"#,
    );
    let main = files.add(
        "main.wat",
        r#"(module (import "library" "one" (func $one (result i32)))
        (func (export "two") (result i32) (i32.add (call $one) (call $one)))
        (func $unused))"#,
    );
    let library = format!("library={library}");
    let stats = |options: &[&str]| {
        let common = [
            "--preload",
            &library,
            "--invoke",
            "two",
            "--stats=json",
            &main,
        ];
        let ran = zwasm(&[&["run"], options, &common].concat());
        assert_eq!(ran.succeeds(), "2\n");
        let line = ran.stderr.lines().last().expect("a line");
        serde_json::from_str::<serde_json::Value>(line).expect("JSON")
    };
    let native = cfg!(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ));
    let mut ahead = vec![&["--eager"][..], &["--eager", "--tier", "interp"]];
    if native {
        ahead.extend([&["--tier", "opt"][..], &["--tier", "baseline", "--eager"]]);
    }
    for options in ahead {
        let record = stats(options);
        assert_eq!(record["functions"], 4, "{options:?}: {record}");
        assert_eq!(record["functions_compiled"], 4, "{options:?}: {record}");
        let preloaded = &record["preloaded"][0];
        assert_eq!(preloaded["name"], "library", "{options:?}: {record}");
        assert_eq!(preloaded["functions"], 2);
        assert_eq!(preloaded["functions_compiled"], 2);
        let all = record["wasm_bytes"].as_u64().unwrap();
        assert!(preloaded["wasm_bytes"].as_u64().unwrap() < all);
        if native && !options.contains(&"interp") {
            let of_library = |function: &&serde_json::Value| function["preloaded"] == "library";
            let costliest = record["costliest"].as_array().expect("a list");
            assert_eq!(costliest.iter().filter(of_library).count(), 2, "{record}");
        }
    }
    let record = stats(&["--tier", "interp"]);
    assert_eq!(
        record["functions_compiled"], 2,
        "only what is called: {record}"
    );
    let ran = zwasm(&[
        "run",
        "--preload",
        &library,
        "--invoke",
        "two",
        "--stats",
        &main,
    ]);
    ran.says(&["modules", "preloaded library"]);
}

#[test]
fn statistics_go_to_the_end_of_stderr() {
    let hello = corpus("wasm/hello.wasm");
    let ran = zwasm(&["run", "--stats=json", &hello]);
    ran.succeeds();
    let line = ran.stderr.lines().last().expect("a line");
    let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
    for field in [
        "load_ns",
        "compile_ns",
        "instantiate_ns",
        "run_ns",
        "wasm_bytes",
        "code_bytes",
    ] {
        assert!(
            record[field].as_u64().is_some_and(|n| n > 0),
            "{field} in {line}"
        );
    }
    assert!(record["tier"].is_string());
    let table = zwasm(&["run", "--stats", &hello]);
    table.says(&["load and validate", "functions", "run"]);
    let ran = zwasm(&["run", "--eager", "--stats=json", &hello]);
    ran.succeeds();
    let line = ran.stderr.lines().last().expect("a line");
    let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(record["functions_compiled"], record["functions"], "{line}");
    assert_eq!(record["eager"], true, "{line}");
    // Native tiers tell of functions, the optimizing one of passes.
    if cfg!(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )) {
        let ran = zwasm(&["run", "--tier", "opt", "--stats=json", &hello]);
        let line = ran.stderr.lines().last().expect("a line");
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let first = &record["costliest"][0];
        for field in ["compile_ns", "code_bytes"] {
            assert!(first[field].as_u64().is_some_and(|n| n > 0), "{first}");
        }
        assert!(first["index"].is_u64(), "{first}");
        for passes in [&record["passes"], &first["passes"]] {
            assert_eq!(passes[0]["name"], "construction", "{passes}");
            assert!(passes[0]["nodes_after"].as_u64().is_some_and(|n| n > 0));
        }
    }
    // A guest that fails has statistics too.
    let ran = run(
        r#"(module (func (export "_start") unreachable))"#,
        &["--stats=json"],
        &[],
    );
    assert_eq!(ran.code, 134);
    assert!(
        ran.stderr.lines().last().unwrap().starts_with('{'),
        "{}",
        ran.stderr
    );
}

#[test]
fn memories_above_the_limit_are_refused() {
    let text = r#"(module (memory 16) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;
    let grow = |limit: &str, delta: &str| {
        run(text, &["--max-memory", limit, "--invoke", "grow"], &[delta])
    };
    assert_eq!(grow("2M", "16").succeeds(), "16\n");
    assert_eq!(grow("2M", "17").succeeds(), "-1\n");
    grow("1023K", "0").fails_with_one_line(1, &["limits"]);
    assert_eq!(grow("much", "0").code, 2);
}

/// The limit is on all that guests can make the process hold.
#[test]
fn tables_and_exceptions_count_against_the_limit_too() {
    let text = r#"(module (memory 1) (table $t 0 exnref) (tag $e (param i64))
        (func $throw (throw $e (i64.const 1)))
        (func (export "tables") (result i32) (table.grow $t (ref.null exn) (i32.const 100000)))
        (func (export "exceptions") (local $x exnref)
          (loop $l
            (block $h (result i64 exnref) (try_table (catch_ref $e $h) (call $throw)) (unreachable))
            (local.set $x) (drop)
            (drop (table.grow $t (local.get $x) (i32.const 1)))
            (br $l))))"#;
    for &tier in zwasm::Tier::ALL {
        let limited = |name: &str| {
            let options = [
                "--tier",
                tier.name(),
                "--max-memory",
                "128K",
                "--invoke",
                name,
            ];
            run(text, &options, &[])
        };
        assert_eq!(limited("tables").succeeds(), "-1\n");
        let ran = limited("exceptions");
        assert_eq!(ran.code, 134, "{}", ran.stderr);
        ran.says(&["resource limit exceeded"]);
    }
}

#[test]
fn wrong_usage_is_exit_code_2_with_a_hint() {
    for args in [
        &["run"][..],
        &["run", "--nonsense", "x"],
        &["--nonsense"],
        &[],
        &["run", "--timeout", "soon", "x"],
        &["run", "--tier", "warp", "x"],
        &["run", "--fuel", "-1", "x"],
    ] {
        let ran = zwasm(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("Usage") || ran.stderr.contains("--help"),
            "{args:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn help_names_every_option_with_its_unit() {
    let help = zwasm(&["run", "--help"]);
    for word in [
        "--invoke",
        "--preload",
        "--dir",
        "--env",
        "--argv0",
        "--fuel",
        "--timeout",
        "--max-memory",
        "--memory-reservation",
        "--stats",
        "500ms",
        "512M",
        "HOST[::GUEST]",
        "Examples",
    ] {
        assert!(help.succeeds().contains(word), "no {word}");
    }
    assert!(zwasm(&["--help"]).succeeds().contains("Exit codes"));
    assert!(zwasm(&["--version"]).succeeds().starts_with("zwasm "));
}

#[test]
fn inspect_validate_and_wast() {
    let hello = corpus("wasm/hello.wasm");
    let ran = zwasm(&["inspect", &hello]);
    assert!(
        ran.succeeds()
            .contains("wasi_snapshot_preview1.fd_write: function"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("_start: function"));
    zwasm(&["validate", &hello]).succeeds();
    let files = Files::new();
    let bad = files.add("bad.wat", "(module (func (result i32)))");
    let ran = zwasm(&["validate", &hello, &bad]);
    assert_eq!(ran.code, 1);
    ran.says(&["bad.wat", "type mismatch"]);
    let script = files.add("ok.wast", r#"(module (func (export "f") (result i32) (i32.const 1))) (assert_return (invoke "f") (i32.const 1))"#);
    assert!(
        zwasm(&["wast", &script])
            .succeeds()
            .contains("1 failed")
            .eq(&false)
    );
    let script = files.add("bad.wast", r#"(module (func (export "f") (result i32) (i32.const 1))) (assert_return (invoke "f") (i32.const 2))"#);
    assert_eq!(zwasm(&["wast", &script]).code, 1);
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[test]
fn the_intermediate_form_is_shown_after_a_pass() {
    let fib = corpus("wasm/fib.wasm");
    let explore = |pass: &str| zwasm(&["explore", "--tier", "opt", "--dump", pass, &fib]);
    let shown = explore("value-numbering");
    shown.succeeds();
    for part in [
        "== function",
        "block0",
        "return",
        "x86_64 after value-numbering",
    ] {
        assert!(shown.stdout.contains(part), "no {part}");
    }
    explore("nothing").fails_with_one_line(1, &["no pass 'nothing'", "construction, "]);
    let baseline = zwasm(&["explore", "--dump", "hoisting", &fib]);
    baseline.fails_with_one_line(1, &["tier opt"]);
}
