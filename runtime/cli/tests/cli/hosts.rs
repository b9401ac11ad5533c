//! Hosts with limits, as a shell sets them: on files, address space and threads.

use crate::{Files, Ran, command, corpus, finish};
use std::process::Command;
use zwasm::Tier;

/// Runs `zwasm` with these arguments after `ulimit LIMIT`.
fn limited(limit: &str, args: &[&str]) -> Ran {
    let script = format!("ulimit {limit} || exit 99; exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    let ran = finish(
        shell
            .arg("-c")
            .arg(script)
            .arg(command().get_program())
            .args(args),
    );
    assert_ne!(ran.code, 99, "the shell sets limits: {}", ran.stderr);
    ran
}

/// Two large data segments, apart, and what they leave.
fn large_data() -> String {
    format!(
        r#"(module (memory 64) (data (i32.const 8) "{}") (data (i32.const 3000000) "{}")
        (func (export "f") (result i32)
          (i32.add (i32.load8_u (i32.const 600000)) (i32.load8_u (i32.const 3000001)))))"#,
        "a".repeat(1_200_000),
        "b".repeat(600_000),
    )
}

#[test]
fn files_may_be_short() {
    let hello = corpus("wasm/hello.wasm");
    let files = Files::new();
    let data = files.add("data.wat", large_data());
    for &tier in Tier::ALL {
        for blocks in ["-f 0", "-f 1", "-f 1024"] {
            let ran = limited(blocks, &["run", "--tier", tier.name(), &hello]);
            assert!(
                ran.succeeds().starts_with("Hello, world!"),
                "{tier} {blocks}"
            );
            let args = ["run", "--tier", tier.name(), "--invoke", "f", &data];
            assert_eq!(
                limited(blocks, &args).succeeds(),
                "195\n",
                "{tier} {blocks}"
            );
        }
    }
}

/// Memories work in little address space, grow in what there is, and keep their bounds.
#[test]
fn address_space_may_be_short() {
    let hello = corpus("wasm/hello.wasm");
    let files = Files::new();
    let file = files.add(
        "m.wat",
        r#"(module (memory 1) (memory $other 1) (memory $long i64 1)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "load") (param i32) (result i32) (i32.load offset=65535 (local.get 0)))
        (func (export "far") (param i64) (result i32) (i32.load $long (local.get 0))))"#,
    );
    for &tier in Tier::ALL {
        let tier = tier.name();
        for limit in ["-v 250000", "-v 4000000"] {
            let ran = limited(limit, &["run", "--tier", tier, &hello]);
            assert!(
                ran.succeeds().starts_with("Hello, world!"),
                "{tier} {limit}"
            );
            let call = |name, argument| {
                limited(
                    limit,
                    &["run", "--tier", tier, "--invoke", name, &file, argument],
                )
            };
            assert_eq!(call("grow", "100").succeeds(), "1\n", "{tier} {limit}");
            assert_eq!(call("grow", "60000").succeeds(), "-1\n", "{tier} {limit}");
            for (name, argument) in [
                ("load", "0"),
                ("load", "-1"),
                ("far", "65533"),
                ("far", "-1"),
            ] {
                let ran = call(name, argument);
                assert_eq!(ran.code, 134, "{tier} {limit} {name}: {}", ran.stderr);
                ran.says(&["out of bounds memory access"]);
            }
        }
        let few = [
            "run",
            "--tier",
            tier,
            "--memory-reservation",
            "192K",
            "--invoke",
            "grow",
            &file,
        ];
        assert_eq!(finish(command().args(few).arg("2")).succeeds(), "1\n");
        assert_eq!(finish(command().args(few).arg("3")).succeeds(), "-1\n");
    }
}

/// More memory than there is address space is an error that says so.
#[test]
fn a_memory_beyond_the_address_space_is_an_error() {
    let files = Files::new();
    let file = files.add(
        "m.wat",
        r#"(module (memory 60000) (func (export "_start")))"#,
    );
    for &tier in Tier::ALL {
        let ran = limited("-v 1000000", &["run", "--tier", tier.name(), &file]);
        ran.fails_with_one_line(1, &["60000 pages", "address space"]);
    }
}

/// Large modules are validated and compiled on the one thread that there is.
#[test]
fn there_may_be_no_threads() {
    let id = Command::new("id").arg("-u").output();
    let is_root = id.is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    let files = Files::new();
    let many: String = (0..9000)
        .map(|i| {
            format!(
                "(func (result i32) {} (i32.const {i}))",
                "(drop (i32.const 70000))".repeat(5)
            )
        })
        .collect();
    let file = files.add(
        "many.wat",
        format!(r#"(module {many} (export "f" (func 77)))"#),
    );
    let without_threads = |args: &[&str]| {
        // Shells differ in the option's name.
        let script = "ulimit -u 1 2> /dev/null || ulimit -p 1 || exit 99; exec \"$0\" \"$@\"";
        let mut shell = if is_root {
            // The superuser has as many as there are.
            let mut other = Command::new("setpriv");
            other.args(["--reuid=65534", "--clear-groups", "sh"]);
            other
        } else {
            Command::new("sh")
        };
        finish(
            shell
                .arg("-c")
                .arg(script)
                .arg(command().get_program())
                .args(args),
        )
    };
    let version = std::panic::catch_unwind(|| without_threads(&["--version"]));
    if !version.is_ok_and(|ran| ran.code == 0) {
        println!("skipped: nobody else can run the binary here, or no shell limits threads");
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let everyone = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(files.path(), everyone).expect("it is ours");
    for &tier in Tier::ALL {
        let args = [
            "run",
            "--eager",
            "--tier",
            tier.name(),
            "--invoke",
            "f",
            &file,
        ];
        assert_eq!(without_threads(&args).succeeds(), "77\n", "{tier}");
    }
    // A time limit that nobody can watch is refused before the guest runs.
    let ran = without_threads(&["run", "--timeout", "5s", "--invoke", "f", &file]);
    ran.fails_with_one_line(1, &["timeout"]);
}
