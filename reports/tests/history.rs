//! Recorded runs: the files of the checkout, the page over all commits, what a report says of them, and the
//! command that measures a run again.

mod fixture;

use std::path::Path;
use zwasm_reports::analysis::analyse;
use zwasm_reports::history::{self, CommitInfo, Record};
use zwasm_reports::html::{self, Beside};
use zwasm_reports::rerun;
use zwasm_reports::schema::{JobInfo, Results};

#[test]
fn every_record_of_the_checkout_is_read_and_small() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("history");
    let entries = std::fs::read_dir(&folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let records: Vec<_> = paths
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("run-")
        })
        .collect();
    for path in &records {
        let bytes = std::fs::metadata(path).unwrap().len();
        assert!(bytes < 80_000, "{}: {bytes}", path.display());
        Record::load(path).unwrap();
    }
    assert_eq!(history::load(&folder).len(), records.len());
}

#[test]
fn the_page_stays_small_whatever_is_recorded() {
    let results = fixture::results();
    let info = |unix_s| CommitInfo {
        title: "a title".to_owned(),
        unix_s,
    };
    let records: Vec<Record> = (0..300)
        .map(|i| {
            let mut record = Record::of(&results, info(i + 1), "");
            record.unix_s += i;
            record
        })
        .collect();
    // All with their rows; the newest with them; the oldest no more.
    for (runs, words) in [
        (10, "10 recorded runs."),
        (60, "60 recorded runs."),
        (300, "older ones have no room"),
    ] {
        let page = html::history_page(&records[..runs]);
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
        assert!(page.contains(words), "{runs}");
        let with_means_only = page.matches("; means only</td>").count();
        assert_eq!(with_means_only, 0, "the table is of what was recorded");
        let rows = page.matches("\"workloads\":[\"").count();
        assert!(
            if runs == 10 {
                rows == 10
            } else {
                (10..60).contains(&rows)
            },
            "{rows}"
        );
    }
}

#[test]
fn a_report_joins_runs_that_are_alike() {
    let results = fixture::results();
    let page =
        |history: &[Record], results: &Results| html::page(results, history, &Beside::default());
    let all = fixture::history(&results);
    let shown = page(&all, &results);
    let section = shown.split_once("<h2 id=\"history\">").unwrap().1;
    let rows = |change: usize| section.contains(&format!("Change number {change} of"));
    // One is of another processor, one had a failed control.
    assert_eq!(
        [0, 1, 2, 3, 4, 5, 6].map(rows),
        [true, true, false, true, false, true, true]
    );
    assert!(!section.contains("history.html"));
    // This run's own control failed: it is on no line, and where there is a page over commits that is said.
    let mut failed = results.clone();
    failed.floors.iter_mut().for_each(|f| f.failed = true);
    assert!(!page(&all, &failed).contains("<h2 id=\"history\">"));
    let beside = Beside {
        history: true,
        ..Beside::default()
    };
    let shown = html::page(&failed, &all, &beside);
    assert!(shown.contains("<a href=\"history.html\">"));
    assert!(shown.contains("did not pass: it is on no line"));
}

#[test]
fn a_run_is_measured_again_by_the_command_on_its_page() {
    let mut results = fixture::results();
    let start = "cargo run --release -p zwasm-compare -- --against wasmtime,node \
                 --tiers interp,baseline,auto,opt --profile standard";
    let command = |results: &Results| rerun::command(results, "results.csv");
    let whole = |options: &str| Some(format!("{start} {options} --agree results.csv"));
    assert_eq!(command(&results), whole("--suite all"));
    for (selection, options) in [
        ("core", "--suite core"),
        ("crypto", "--suite crypto"),
        ("sha*,fib", "--workloads 'sha*,fib'"),
    ] {
        results.corpus.selection = selection.to_owned();
        assert_eq!(command(&results), whole(options));
    }
    let page = html::page(&results, &[], &Beside::default());
    assert!(page.contains("after saving <a href=\"results.csv\">"));
    assert!(page.contains("--workloads &#39;sha*,fib&#39; --agree results.csv</code>"));
    let recorded = Beside {
        recorded: Some("reports/history/run-1.json".to_owned()),
        ..Beside::default()
    };
    let page = html::page(&results, &[], &recorded);
    assert!(
        page.contains("--agree reports/history/run-1.json</code>")
            && !page.contains("after saving")
    );

    // Jobs of published modules; a module of somebody's own, and two builds, nobody else has.
    let mut jobs = results.clone();
    for workload in &mut jobs.workloads {
        workload.job = Some(JobInfo {
            package: String::new(),
            licence: String::new(),
            sha256: String::new(),
            code_section_bytes: 1,
        });
    }
    analyse(&mut jobs);
    for (selection, options) in [
        ("real", "--suite real"),
        ("real: jq,sqlite*", "--suite real --workloads 'jq,sqlite*'"),
    ] {
        jobs.corpus.selection = selection.to_owned();
        assert_eq!(command(&jobs), whole(options));
    }
    jobs.corpus.selection = "app.wasm".to_owned();
    assert_eq!(command(&jobs), None);
    results.engines[4].counterpart = Some("interp".to_owned());
    assert_eq!(command(&results), None);
}
