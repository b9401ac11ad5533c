//! Runs every example, each of which checks its own results. `cargo test` has built them.

use std::path::PathBuf;
use std::process::Command;

/// The directory of built examples: beside the directory of this test.
fn built() -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    own.parent()
        .and_then(|deps| deps.parent())
        .expect("target/PROFILE/deps")
        .join("examples")
}

#[test]
fn every_example_runs() {
    let sources = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<_> = std::fs::read_dir(sources)
        .expect("the examples")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() >= 7);
    for name in names {
        let program = built().join(&name);
        if !program.exists() {
            // `cargo test --test examples` builds no examples.
            println!("skipped: {name} is not built");
            continue;
        }
        let output = Command::new(program).output().expect("the example runs");
        let text = String::from_utf8_lossy(&output.stdout);
        println!("{name}:\n{text}");
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!text.is_empty(), "{name} says nothing");
    }
}
