//! The `zwasm` command as a user meets it: each test runs the built binary.

mod bad_input;
mod cache;
mod hosts;
mod input;
mod invoke;
mod names;
mod options;
mod output;
mod precompiled;
mod programs;
mod stopping;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// What a run of the command left behind.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
    took: Duration,
}

impl Ran {
    /// One line on stderr, starting with `error: ` and containing `words`, and an exit code that
    /// is not 0.
    #[track_caller]
    fn fails_with_one_line(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        self.says(words);
    }

    #[track_caller]
    fn says(&self, words: &[&str]) {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "no '{word}' in: {}",
                self.stderr
            );
        }
    }

    #[track_caller]
    fn succeeds(&self) -> &str {
        assert_eq!(self.code, 0, "{}", self.stderr);
        &self.stdout
    }
}

/// The command, without machine code of other runs.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zwasm"));
    command.env("ZWASM_CACHE", "n");
    command
}

fn finish(command: &mut Command) -> Ran {
    let begun = Instant::now();
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the binary runs");
    Ran {
        code: status.code().unwrap_or_else(|| panic!("killed: {status}")),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        took: begun.elapsed(),
    }
}

/// Runs `zwasm` with these arguments.
fn zwasm(args: &[&str]) -> Ran {
    finish(command().args(args))
}

/// A directory with modules in it.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().expect("a directory"))
    }

    fn add(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Runs `zwasm run OPTIONS file.wat ARGS`.
fn run(text: &str, options: &[&str], args: &[&str]) -> Ran {
    let files = Files::new();
    let file = files.add("file.wat", text);
    zwasm(&[&["run"], options, &[file.as_str()], args].concat())
}

/// A file of the corpus.
fn corpus(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../workloads");
    root.join(path).to_str().expect("UTF-8").to_owned()
}
