//! The results file: round trip, versions, atomic writes, and what the analysis makes of samples.

mod fixture;

use zwasm_reports::analysis::{advisory, analyse};
use zwasm_reports::history::{self, CommitInfo, Record};
use zwasm_reports::schema::{EngineKind, Metric, Results, ResultsError, write_whole};
use zwasm_reports::stats::Verdict;
use zwasm_reports::work::Stretch;
use zwasm_reports::{html, text};

#[test]
fn json_round_trip_is_exact() {
    let results = fixture::results();
    let text = results.to_json();
    let again = Results::parse(&text, "memory").unwrap();
    assert!(results == again, "reading back changes the results");
    assert!(text == again.to_json(), "writing again changes the text");
}

#[test]
fn derived_rows_follow_from_the_samples_in_the_file() {
    let results = fixture::results();
    let mut again = Results::parse(&results.to_json(), "memory").unwrap();
    again.gaps.clear();
    again.geomeans.clear();
    again.floors.clear();
    again.work.clear();
    analyse(&mut again);
    assert!(results == again, "another analysis gives other rows");
}

#[test]
fn other_versions_and_other_files_are_refused_by_name() {
    let text = fixture::results().to_json();
    let newer = text.replacen("\"version\":2", "\"version\":3", 1);
    let error = Results::parse(&newer, "r.json").unwrap_err();
    assert!(matches!(error, ResultsError::Version { found: 3, .. }));
    assert_eq!(
        error.to_string(),
        "r.json: results format version 3, this program reads version 2"
    );
    for bad in [
        "",
        "{}",
        "[1]",
        "{\"format\":\"x\",\"version\":1}",
        &text[..text.len() / 2],
    ] {
        let error = Results::parse(bad, "r.json").unwrap_err().to_string();
        assert!(error.starts_with("r.json: not a results file"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn gaps_are_the_simulated_ones() {
    let results = fixture::results();
    let gap = |tier: &str, workload: &str| {
        results
            .gaps
            .iter()
            .find(|g| {
                g.metric == Metric::Steady
                    && g.tier == tier
                    && g.peer == "wasmtime"
                    && g.workload == workload
            })
            .unwrap()
    };
    let opt = gap("opt", "workload-1");
    assert!((opt.ratio - 0.8 * 0.8).abs() < 0.02, "{opt:?}");
    assert_eq!(opt.verdict, Verdict::Faster);
    assert_eq!((opt.n, opt.stage), (6, 1));
    let interp = gap("interp", "workload-2");
    assert_eq!(interp.verdict, Verdict::Slower);
    assert_eq!((interp.n, interp.stage), (20, 2));
    assert_eq!(
        text::gap_sentence(opt),
        format!(
            "zwasm takes {}× wasmtime's time {}, n = 6",
            text::ratio(opt.ratio),
            text::interval(opt.lo, opt.hi)
        )
    );
}

#[test]
fn failed_cells_are_missing_not_imputed() {
    let results = fixture::results();
    let mean = |tier: &str, peer: &str| {
        results
            .geomeans
            .iter()
            .find(|m| m.metric == Metric::Steady && m.tier == tier && m.peer == peer)
            .unwrap()
    };
    let opt = mean("opt", "node");
    // Twelve workloads less one start-up case; wrong output and an unsupported feature.
    assert_eq!((opt.covered, opt.total), (9, 11));
    assert_eq!(opt.missing, ["workload-4", "workload-5"]);
    assert!(
        text::geomean_sentence(opt).ends_with("on 9/11 workloads, missing: workload-4, workload-5")
    );
    assert_eq!(opt.worst.len(), 3);
    assert!(opt.worst[0].ratio >= opt.worst[2].ratio);
    // The missing peer has no rows at all.
    assert!(results.gaps.iter().all(|g| g.peer != "wasmi"));
    assert!(advisory(&results).is_none());
}

#[test]
fn whole_processes_are_those_of_the_samples() {
    let mut results = fixture::results();
    let of = |results: &Results, tier: &str, stretch| {
        let mean = results.work_mean(tier, "wasmtime", stretch).unwrap();
        (mean.ratio, mean.covered)
    };
    // Starts take 1.5e7 ÷ (0.5 + speed), iterations the speed: the less work, the more of it is start.
    let work = [Stretch::Ms10, Stretch::Ms100, Stretch::S1];
    for (tier, covered) in [("interp", 10), ("baseline", 10), ("auto", 11), ("opt", 10)] {
        let steady = results.geomean(tier, "wasmtime", Metric::Steady).unwrap();
        let ratios = work.map(|stretch| of(&results, tier, stretch));
        assert!(ratios.iter().all(|r| r.1 == covered), "{tier} {ratios:?}");
        let off = ratios.map(|(ratio, _)| (ratio / steady.ratio).ln().abs());
        assert!(off[0] > off[1] && off[1] > off[2], "{tier} {off:?}");
        assert!(off[2] < 0.03, "{tier} {off:?}");
    }
    // Without wall times nothing is known of whole processes, and nothing is shown.
    for cell in &mut results.cells {
        cell.samples.iter_mut().for_each(|s| s.wall_ns = 0);
    }
    analyse(&mut results);
    assert!(results.work.is_empty());
    assert!(!text::table(&results).contains("whole processes"));
    let page = html::page(&results, &[], &html::Beside::default());
    assert!(!page.contains("Whole processes"));
}

#[test]
fn reports_lead_with_the_tier_for_everything() {
    let results = fixture::results();
    let first_lead = |results: &Results| {
        let page = html::page(results, &[], &html::Beside::default());
        let (_, lead) = page.split_once("<p class=\"lead\">").unwrap();
        lead.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(first_lead(&results), "(auto)");
    let mut without = results.clone();
    without.engines.retain(|e| e.id != "auto");
    analyse(&mut without);
    assert_eq!(first_lead(&without), "(opt)");
}

#[test]
fn a_standard_run_is_a_small_page() {
    let results = fixture::standard();
    assert_eq!(results.workloads.len(), 52);
    assert_eq!(results.engines_of(EngineKind::Tier).count(), 4);
    assert_eq!(results.engines_of(EngineKind::Peer).count(), 4);
    let page = html::page(&results, &[], &fixture::beside(&results));
    let opens = |pair: &[u8]| pair[0] == b'<' && pair[1].is_ascii_lowercase();
    let elements = page
        .as_bytes()
        .windows(2)
        .filter(|pair| opens(pair))
        .count();
    println!("{} bytes, {elements} elements", page.len());
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(elements < 8_000, "{elements} elements");
}

#[test]
fn the_answer_is_one_table_that_marks_what_is_in_doubt() {
    let mut results = fixture::results();
    let page = |results: &Results| html::page(results, &[], &html::Beside::default());
    let answer = |page: &str| -> Vec<String> {
        let (_, rest) = page.split_once("id=\"answer\"").unwrap();
        let (table, _) = rest.split_once("</table>").unwrap();
        let rows = table.split("<tr>").skip(2);
        rows.map(str::to_owned).collect()
    };
    let rows = answer(&page(&results));
    // Four tiers × two peers; the headline's tier first.
    assert_eq!(rows.len(), 8);
    assert!(rows[0].starts_with("<td>auto</td><td>wasmtime</td>"));
    for metric in [
        Metric::Steady,
        Metric::FirstResult,
        Metric::Total,
        Metric::PeakRss,
    ] {
        let mean = results.geomean("auto", "wasmtime", metric).unwrap();
        let ends = text::interval(Some(mean.lo), Some(mean.hi));
        assert!(rows[0].contains(&ends), "{metric}: {}", rows[0]);
    }
    assert!(rows.iter().all(|row| !row.contains('⚠')));
    let first = results
        .floors
        .iter_mut()
        .find(|f| f.metric == Metric::FirstResult);
    first.unwrap().failed = true;
    let doubtful = page(&results);
    for row in answer(&doubtful) {
        assert_eq!(row.matches('⚠').count(), 1);
        assert!(row.contains("the A/A control of first result failed"));
    }
    assert!(doubtful.contains("role=\"alert\">⚠ the A/A control of first result failed"));
}

#[test]
fn verdicts_of_older_files_are_read() {
    let results = fixture::results();
    let text = results.to_json();
    let old = text.replace("\"below_noise\"", "\"equal\"");
    let old = old.replace("\"near_noise\"", "\"small\"");
    assert!(text != old, "the fixture has such rows");
    assert!(Results::parse(&old, "memory").unwrap() == results);
}

#[test]
fn jobs_end_with_a_row_per_tier_over_all_of_them() {
    let results = fixture::jobs();
    let total = results.geomean("auto", "wasmtime", Metric::Total).unwrap();
    let total = format!("{}×", text::ratio(total.ratio));
    let table = text::table(&results);
    let doubt = "(first result, advisory: its A/A control failed)";
    assert!(table.contains(&format!("auto ÷ wasmtime {doubt}")));
    assert!(table.contains("auto ÷ wasmtime (total time)"));
    let row = table
        .lines()
        .find(|line| line.contains("auto ÷ wasmtime ") && line.contains(" all "));
    assert!(row.is_some_and(|row| row.contains(&total)), "{row:?}");
    let page = html::page(&results, &[], &html::Beside::default());
    assert!(page.contains("<td>all</td><td>auto</td>"));
}

#[test]
fn csv_has_a_line_per_row() {
    let results = fixture::results();
    let csv = text::csv(&results);
    assert_eq!(csv.lines().count(), results.gaps.len() + 1);
    assert!(
        csv.starts_with(
            "peer,tier,workload,category,metric,ratio,lo,hi,n,verdict,within,between\n"
        )
    );
}

#[test]
fn a_write_that_fails_leaves_nothing_behind() {
    let dir = std::env::temp_dir().join(format!("zwasm-reports-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("results.json");
    write_whole(&path, b"old").unwrap();
    // A folder in the way makes the rename fail, after the temporary file was written.
    let blocked = dir.join("blocked");
    std::fs::create_dir_all(blocked.join("x")).unwrap();
    assert!(write_whole(&blocked, b"new").is_err());
    assert!(write_whole(&dir.join("none").join("r.json"), b"new").is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    let names: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        names.iter().all(|n| !n.to_string_lossy().ends_with(".tmp")),
        "{names:?}"
    );
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn history_records_round_trip_and_bad_ones_are_left_out() {
    let dir = std::env::temp_dir().join(format!("zwasm-history-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let results = fixture::results();
    let mut older = Record::of(&results, CommitInfo::default(), "first");
    older.unix_s -= 1000;
    let newer = Record::of(&results, CommitInfo::default(), "second");
    newer.save(&dir).unwrap();
    older.save(&dir).unwrap();
    std::fs::write(dir.join("run-0-bad.json"), "{}").unwrap();
    std::fs::write(dir.join("instructions-x86_64.json"), "{}").unwrap();
    assert!(history::load(&dir) == [older, newer]);
    assert!(history::load(&dir.join("none")).is_empty());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn pages_escape_and_stay_offline() {
    let results = fixture::results();
    let page = html::page(&results, &[], &html::Beside::default());
    assert!(!page.contains("<script>alert"));
    assert!(page.contains("evil-&lt;script&gt;"));
    for reference in ["src=\"http", "href=\"http", "url(", "@import"] {
        assert!(!page.contains(reference), "{reference}");
    }
    // A run in which nothing worked still has a page.
    let mut empty = results.clone();
    empty.cells.clear();
    empty.generations.clear();
    empty.control.clear();
    empty.complete = false;
    analyse(&mut empty);
    let page = html::page(&empty, &[], &html::Beside::default());
    assert!(page.contains("partial results") && page.contains("no A/A control"));
    assert!(text::table(&empty).contains("interrupted"));
}
