//! `zwasm compile -o`, and runs of what it wrote.

use crate::{Ran, command, finish};
use std::path::Path;
use zwasm_workloads::Corpus;

/// Whether this build makes machine code.
fn has_native_tiers() -> bool {
    zwasm::Tier::ALL.len() > 1
}

fn compile(arguments: &[&str], from: &Path, to: &Path) -> Ran {
    finish(
        command()
            .arg("compile")
            .args(arguments)
            .arg(from)
            .arg("-o")
            .arg(to),
    )
}

/// The examples, which read files and print, under every tier that makes machine code.
#[test]
fn precompiled_programs_run_like_others() {
    if !has_native_tiers() {
        return;
    }
    let corpus = Corpus::load().expect("the committed corpus");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for example in &corpus.examples {
        let dir = format!("{}::/data", example.data_path(&corpus).display());
        for options in [&[][..], &["--tier", "baseline"], &["--tier", "auto"]] {
            let file = folder.path().join("app.cwasm");
            let ran = compile(options, &example.module_path(&corpus), &file);
            assert_eq!(ran.succeeds(), "", "{}", example.id);
            let ran = finish(
                command()
                    .args(["run", "--dir", &dir])
                    .arg(&file)
                    .args(&example.args),
            );
            assert_eq!(ran.succeeds(), example.expected, "{}", example.id);
        }
        // Nothing but the result is left.
        assert_eq!(folder.path().read_dir().expect("readable").count(), 1);
    }
}

#[test]
fn what_cannot_be_kept_or_run_is_one_line() {
    if !has_native_tiers() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wat = folder.path().join("app.wat");
    std::fs::write(&wat, "(module (func (export \"_start\")))").expect("written");
    let file = folder.path().join("app.cwasm");
    compile(&["--tier", "interp"], &wat, &file).fails_with_one_line(1, &["no machine code"]);
    compile(&[], &wat, &folder.path().join("no/such.cwasm"))
        .fails_with_one_line(1, &["cannot write"]);
    compile(&["--json"], &wat, &file).says(&["--output"]);
    let other = folder.path().join("app.wasm");
    compile(&[], &wat, &other).fails_with_one_line(1, &[".cwasm"]);
    let two = finish(
        command()
            .arg("compile")
            .args([&wat, &wat])
            .arg("-o")
            .arg(&file),
    );
    two.fails_with_one_line(1, &["one module"]);
    assert!(!file.exists());

    compile(&[], &wat, &file).succeeds();
    let run = |options: &[&str]| finish(command().arg("run").args(options).arg(&file));
    run(&[]).succeeds();
    run(&["--tier", "interp"]).fails_with_one_line(1, &["tier 'interp'"]);
    run(&["--fuel", "1000"]).fails_with_one_line(1, &["fuel"]);
    // Whoever runs what is named as a module relies on the sandbox.
    std::fs::copy(&file, &other).expect("copied");
    let ran = finish(command().arg("run").arg(&other));
    ran.fails_with_one_line(1, &["precompiled", ".cwasm"]);
    let ran = finish(command().arg("validate").arg(&file));
    assert_eq!(ran.code, 1);
    ran.says(&["precompiled"]);

    let mut bytes = std::fs::read(&file).expect("readable");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).expect("written");
    run(&[]).fails_with_one_line(1, &["altered"]);
    std::fs::write(&file, &bytes[..100]).expect("written");
    run(&[]).fails_with_one_line(1, &["cut off"]);
}

/// What the output was stays: where a link leads to, and who may read it.
#[test]
#[cfg(unix)]
fn outputs_stay_what_they_were() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    if !has_native_tiers() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wat = folder.path().join("app.wat");
    std::fs::write(&wat, "(module (func (export \"_start\")))").expect("written");
    let (real, link) = (
        folder.path().join("real.cwasm"),
        folder.path().join("link.cwasm"),
    );
    std::fs::write(&real, "before").expect("written");
    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(&real, mode).expect("set");
    symlink(&real, &link).expect("linked");
    compile(&[], &wat, &link).succeeds();
    assert!(link.symlink_metadata().expect("there").is_symlink());
    let now = real.metadata().expect("there");
    assert_eq!(now.permissions().mode() & 0o777, 0o640);
    finish(command().arg("run").arg(&link)).succeeds();
    assert_eq!(folder.path().read_dir().expect("readable").count(), 3);
}
