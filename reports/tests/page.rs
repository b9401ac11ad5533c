//! The page in a real browser, through `page.mjs`.
//!
//! Needs node, Chromium (`CHROMIUM`, else `/usr/bin/chromium`) and the npm package `playwright-core`
//! in `NODE_PATH` or in `<build folder>/page-test`; says so and passes where one is missing.
//! `reports/tests/page.sh` gets the package and runs this test.

mod fixture;

use std::path::{Path, PathBuf};
use std::process::Command;
use zwasm_reports::{html, text};

fn modules() -> Option<PathBuf> {
    let named = std::env::var_os("NODE_PATH").map(PathBuf::from);
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let ours = build.join("page-test").join("node_modules");
    [named, Some(ours)]
        .into_iter()
        .flatten()
        .find(|dir| dir.join("playwright-core").is_dir())
}

#[test]
fn page_in_a_browser() {
    let chromium =
        std::env::var_os("CHROMIUM").map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from);
    let (Some(modules), true) = (modules(), chromium.is_file()) else {
        println!("skipped: no Chromium or no playwright-core (see reports/tests/page.sh)");
        return;
    };
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    let shots = dir.join("shots");
    std::fs::create_dir_all(&shots).unwrap();
    let results = fixture::results();
    let history = fixture::history(&results);
    let beside = fixture::beside(&results);
    let code = beside.code.as_ref().unwrap();
    std::fs::write(dir.join("code.html"), html::code_page(code)).unwrap();
    std::fs::write(dir.join("code.csv"), code.csv()).unwrap();
    code.save(&dir.join("code.json")).unwrap();
    let profile = html::flame_page(&fixture::flame(&results));
    std::fs::write(dir.join("profile.html"), profile).unwrap();
    std::fs::write(
        dir.join("index.html"),
        html::page(&results, &history, &beside),
    )
    .unwrap();
    let standard = html::page(&fixture::standard(), &[], &html::Beside::default());
    std::fs::write(dir.join("standard.html"), standard).unwrap();
    let jobs = html::page(&fixture::jobs(), &[], &html::Beside::default());
    std::fs::write(dir.join("jobs.html"), jobs).unwrap();
    std::fs::write(dir.join("history.html"), html::history_page(&history)).unwrap();
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("site/index.html");
    std::fs::copy(site, dir.join("site.html")).unwrap();
    std::fs::write(dir.join("results.csv"), text::csv(&results)).unwrap();
    results.save(&dir.join("results.json")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join("page.mjs");
    let output = Command::new("node")
        .arg(script)
        .args([&dir, &shots])
        .env("NODE_PATH", modules)
        .env("CHROMIUM", chromium)
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
