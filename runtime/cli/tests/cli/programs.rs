//! Whole programs: the acceptance examples and every workload of the corpus at its small size.

use crate::{command, finish};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use zwasm_workloads::Corpus;

#[test]
fn the_examples_print_what_they_printed_under_wasmtime() {
    let corpus = Corpus::load().expect("the committed corpus");
    assert!(
        corpus
            .examples
            .iter()
            .any(|example| example.language == "c")
    );
    assert!(
        corpus
            .examples
            .iter()
            .any(|example| example.language == "rust")
    );
    for example in &corpus.examples {
        let dir = format!("{}::/data", example.data_path(&corpus).display());
        let ran = finish(
            command()
                .args(["run", "--dir", &dir])
                .arg(example.module_path(&corpus))
                .args(&example.args),
        );
        assert_eq!(ran.succeeds(), example.expected, "{}", example.id);
    }
}

#[test]
fn every_workload_prints_what_the_manifest_says() {
    let corpus = Corpus::load().expect("the committed corpus");
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(workload) =
                    corpus.workloads.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let ran = finish(
                        command()
                            .args(["run", "--timeout", "120s"])
                            .arg(workload.module_path(&corpus))
                            .args(&workload.small.args),
                    );
                    println!("{:<24} {:>8.1?}", workload.id, ran.took);
                    if ran.code != 0 || ran.stdout != workload.small.expected {
                        let failure = format!(
                            "{}: exit code {}\n{}\n{}",
                            workload.id, ran.code, ran.stdout, ran.stderr
                        );
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
