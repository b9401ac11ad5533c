//! Input that is no module, or not one for us: one clear line and exit code 1.

use crate::{Files, corpus, zwasm};

#[test]
fn files_that_are_no_modules() {
    let files = Files::new();
    let hello = std::fs::read(corpus("wasm/hello.wasm")).unwrap();
    let cases = [
        (
            files.add("truncated.wasm", &hello[..hello.len() / 2]),
            &["truncated.wasm", "offset"][..],
        ),
        (
            files.add("header.wasm", &hello[..6]),
            &["header.wasm", "offset"],
        ),
        (files.add("empty.wasm", ""), &["empty.wasm"]),
        (
            files.add("text.txt", "just some text\n"),
            &["text.txt", "neither"],
        ),
        (
            files.add("version.wasm", b"\0asm\x07\0\0\0"),
            &["version.wasm", "version"],
        ),
        (files.path().to_str().unwrap().to_owned(), &["directory"]),
        (
            "/surely/not/there.wasm".to_owned(),
            &["/surely/not/there.wasm", "No such file"],
        ),
    ];
    for (file, words) in &cases {
        for command in ["run", "inspect"] {
            zwasm(&[command, file]).fails_with_one_line(1, words);
        }
    }
}

#[test]
fn an_invalid_module_is_named_with_the_offset() {
    let files = Files::new();
    let file = files.add(
        "invalid.wasm",
        b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b",
    );
    zwasm(&["run", &file]).fails_with_one_line(1, &["invalid.wasm", "type mismatch", "offset 0x"]);
}

#[test]
fn missing_features_are_named() {
    let files = Files::new();
    for (name, text, words) in [
        (
            "gc.wat",
            "(module (type (struct (field i32))))",
            &["unsupported", "garbage collection"][..],
        ),
        (
            "threads.wat",
            "(module (memory 1 1 shared))",
            &["unsupported", "threads", "at offset 0x"],
        ),
        (
            "function.wat",
            r#"(module (import "a" "b" (func)) (func $fine)
            (func $late (drop (ref.i31 (i32.const 0)))))"#,
            &[
                "unsupported",
                "garbage collection",
                "at offset 0x",
                "function 2 'late'",
            ],
        ),
        (
            "several.wat",
            r#"(module (memory 1 1 shared) (type (struct)) (func))"#,
            &[
                "unsupported",
                "threads",
                "and garbage collection",
                "at offset 0x",
            ],
        ),
        (
            "import.wat",
            "(module (import \"a\" \"b\" (memory 1 1 shared)))",
            &["unsupported", "threads", "at offset 0x"],
        ),
    ] {
        let file = files.add(name, text);
        zwasm(&["run", &file]).fails_with_one_line(1, words);
    }
    let component = files.add("component.wasm", b"\0asm\x0d\0\x01\0");
    zwasm(&["run", &component]).fails_with_one_line(1, &["unsupported", "component"]);
    for (name, text) in [
        ("component.wat", "(component)"),
        ("named.wat", "(component $c (core module $m))"),
        (
            "comment.wat",
            ";; (module)\n (; (; ;) ;) ( component (import \"f\" (func)))",
        ),
    ] {
        let file = files.add(name, text);
        for command in ["run", "inspect", "explore", "compile"] {
            zwasm(&[command, &file]).fails_with_one_line(1, &["unsupported", "component"]);
        }
    }
}

#[test]
fn missing_imports_are_all_named() {
    let files = Files::new();
    let file = files.add(
        "imports.wat",
        r#"(module (import "env" "f" (func)) (import "env" "g" (global i32)) (func (export "_start")))"#,
    );
    zwasm(&["run", &file]).fails_with_one_line(1, &["unknown import 'env'.'f', 'env'.'g'"]);
    let file = files.add(
        "mismatch.wat",
        r#"(module (import "wasi_snapshot_preview1" "fd_close" (func)) (func (export "_start")))"#,
    );
    zwasm(&["run", &file]).fails_with_one_line(1, &["fd_close", "expected", "found"]);
}

#[test]
fn text_with_an_error_shows_the_place() {
    let files = Files::new();
    let file = files.add("bad.wat", "(module\n  (func (i32.add nonsense)))");
    let ran = zwasm(&["run", &file]);
    assert_eq!(ran.code, 1);
    ran.says(&["bad.wat", "2:"]);
}

#[test]
fn a_start_function_of_the_wrong_type_is_refused() {
    let files = Files::new();
    let file = files.add(
        "start.wat",
        r#"(module (func (export "_start") (param i32)))"#,
    );
    zwasm(&["run", &file]).fails_with_one_line(1, &["type"]);
}
