//! The command with outputs that are closed or full.

use std::process::{Command, Stdio};

#[test]
fn outputs_may_be_closed_or_full() {
    let out = std::env::temp_dir().join(format!("zwasm-diff-output-{}", std::process::id()));
    let out = out.to_str().expect("UTF-8");
    for args in [
        &["--count", "1", "--in-process", "--out", out][..],
        &["--help"],
    ] {
        let with = |stdout: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_zwasm-diff"));
            let output = command.args(args).stdout(stdout).output();
            let output = output.expect("the binary runs");
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.code(), errors)
        };
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        assert_eq!(with(writer.into()), (Some(0), String::new()), "{args:?}");
        let full = std::fs::File::options().write(true).open("/dev/full");
        let (code, errors) = with(full.expect("Linux has this device").into());
        assert_eq!(code, Some(1), "{args:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(errors.contains("No space left"), "{errors}");
    }
    let _ = std::fs::remove_dir_all(out);
}
