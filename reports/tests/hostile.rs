//! Strings that look like markup, in every field of what a page is made from, stay text.
//!
//! A page of the fixture is made twice, as it is and with a hostile end on every string. The hostile one
//! must have no tag and no attribute that the tame one lacks, and show what was put in, escaped.

mod fixture;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use zwasm_reports::history::{CommitInfo, Record};
use zwasm_reports::html::{self, Beside};
use zwasm_reports::schema::Results;

/// Would end an attribute, a tag, a title, a style and a script, and be taken for an entity.
const HOSTILE: &str = "\" onload='x' ></title></style></script><script>evil()</script>&copy;";
const ESCAPED: &str = "&quot; onload=&#39;x&#39; &gt;&lt;/title&gt;&lt;/style&gt;&lt;/script&gt;\
                       &lt;script&gt;evil()&lt;/script&gt;&amp;copy;";
/// In the page's data it is JSON without a `<`.
const IN_DATA: &str = "\\\" onload='x' >\\u003c/title>\\u003c/style>\\u003c/script>\\u003cscript>evil()\\u003c/script>&copy;";

/// Fields whose values are one of a list, which nothing else is read for.
const WORDS: [&str; 7] = [
    "format", "kind", "kinds", "metric", "state", "stretch", "verdict",
];

/// The same with a hostile end on every string that is free.
fn hostile<T: Serialize + DeserializeOwned>(tame: &T) -> T {
    let mut value = serde_json::to_value(tame).unwrap();
    spoil(&mut value);
    serde_json::from_value(value).unwrap()
}

fn spoil(value: &mut Value) {
    match value {
        Value::String(text) => text.push_str(HOSTILE),
        Value::Array(items) => items.iter_mut().for_each(spoil),
        Value::Object(fields) => {
            let free = fields
                .iter_mut()
                .filter(|(name, _)| !WORDS.contains(&name.as_str()));
            free.for_each(|(_, value)| spoil(value));
        }
        _ => {}
    }
}

/// Every tag of a page with the names of its attributes. Panics at what no page of ours has: a `<` that
/// opens no tag, an attribute without quotes.
fn tags(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let name_len = rest.find([' ', '>', '/']).filter(|&len| len > 0);
        // An end tag has its slash first.
        let name_len = name_len.or_else(|| rest.find('>')).expect("a tag ends");
        let name = &rest[..name_len];
        let mut tag = name.to_owned();
        rest = &rest[name_len..];
        loop {
            rest = rest.trim_start_matches([' ', '/']);
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            }
            let len = rest.find(['=', ' ', '>']).expect("a tag ends");
            tag.push(' ');
            tag.push_str(&rest[..len]);
            rest = &rest[len..];
            if let Some(value) = rest.strip_prefix("=\"") {
                let end = value.find('"').expect("a value ends");
                rest = &value[end + 1..];
            } else {
                assert!(!rest.starts_with('='), "a value without quotes: {tag}");
            }
        }
        // What is inside these is no markup.
        if name == "style" || name == "script" {
            let end = format!("</{name}>");
            rest = &rest[rest.find(&end).expect("an end tag")..];
        }
        found.insert(tag);
    }
    found
}

fn assert_only_text(tame: &str, hostile: &str, scripts: usize) {
    assert_eq!(tags(tame), tags(hostile));
    assert!(!hostile.contains(HOSTILE) && !hostile.contains("evil()</script>"));
    assert!(hostile.contains(ESCAPED));
    // Our own, not a string's: data and script.
    assert_eq!(hostile.matches("<script").count(), scripts);
    // What was escaped is not escaped once more.
    assert!(!hostile.contains("&amp;quot;") && !hostile.contains("&amp;lt;"));
}

fn earlier(results: &Results) -> [Record; 1] {
    let mut record = Record::of(results, CommitInfo::default(), "an earlier change");
    record.unix_s -= 100_000;
    [record]
}

#[test]
fn strings_of_a_comparison_are_text() {
    let tame = fixture::results();
    let results: Results = hostile(&tame);
    let beside = fixture::beside(&tame);
    let spoiled = Beside {
        code: beside.code.as_ref().map(hostile),
        arm64: beside.arm64.as_ref().map(hostile),
        ..Beside::default()
    };
    let page = html::page(
        &results,
        &earlier(&results).map(|r| Record {
            message: format!("{}{HOSTILE}", r.message),
            ..r
        }),
        &spoiled,
    );
    assert_only_text(&html::page(&tame, &earlier(&tame), &beside), &page, 2);
    // Wherever strings are shown whole: each of these is one place of a page.
    for shown in [
        format!("<title>zwasm against wasmtime{ESCAPED}, node{ESCAPED}</title>"),
        format!("<p>Note: a note with &lt;b&gt;tags&lt;/b&gt;{ESCAPED}.</p>"),
        format!("<p class=\"banner\">wasmi{ESCAPED} is missing: "),
        format!("<option value=\"opt{ESCAPED}\">"),
        format!("<a href=\"#w-workload-1{ESCAPED}\">workload-1{ESCAPED}</a>"),
        format!("id=\"w-workload-1{ESCAPED}\""),
        format!("<td>an earlier change{ESCAPED}</td>"),
        format!("\"peer\":\"node{IN_DATA}\",\"title\":\"Steady iteration, opt{IN_DATA} against"),
        format!(" title=\"no support for memory64{ESCAPED}\">unsupported"),
        format!("<code>linux 6.1{ESCAPED}</code>"),
        format!("one was not counted{ESCAPED}."),
    ] {
        assert!(page.contains(&shown), "{shown}");
    }
}

#[test]
fn strings_of_jobs_are_text() {
    let tame = fixture::jobs();
    let results: Results = hostile(&tame);
    let page = |results: &Results| html::page(results, &[], &Beside::default());
    assert_only_text(&page(&tame), &page(&results), 2);
    let shown = format!("package package 1.0{ESCAPED}, MIT{ESCAPED}, SHA-256");
    assert!(page(&results).contains(&shown));
}

#[test]
fn strings_of_stacks_are_text() {
    let tame = fixture::flame(&fixture::results());
    let mut spoiled = tame.clone();
    for text in [
        &mut spoiled.workload,
        &mut spoiled.tier,
        &mut spoiled.commit.hash,
    ] {
        text.push_str(HOSTILE);
    }
    for function in &mut spoiled.functions {
        function.frame.name.push_str(HOSTILE);
    }
    let (mut outer, callees) = spoiled.root.calls.pop_first().unwrap();
    outer.name.push_str(HOSTILE);
    spoiled.root.calls.insert(outer, callees);
    let page = html::flame_page(&spoiled);
    assert_only_text(&html::flame_page(&tame), &page, 2);
    assert!(page.contains(&format!("[\"zwasm{IN_DATA}\",2000,")));
    assert!(page.contains(&format!(
        "<td>wasm</td><td>a_function::with&lt;a, name, 1&gt;{ESCAPED}</td>"
    )));
}

#[test]
fn strings_of_hot_functions_are_text() {
    let tame = fixture::beside(&fixture::results()).code.unwrap();
    let page = html::code_page(&hostile(&tame));
    assert_only_text(&html::code_page(&tame), &page, 1);
    let shown = format!("zmmword ptr [rax + rbx * 8 + &lt;1&gt;]{ESCAPED}");
    assert!(page.contains(&shown));
}

#[test]
fn strings_of_recorded_runs_are_text() {
    let tame = fixture::history(&fixture::results());
    let mut spoiled = tame.clone();
    for record in &mut spoiled {
        let mut strings: Vec<&mut String> = vec![
            &mut record.commit.hash,
            &mut record.commit_info.title,
            &mut record.message,
            &mut record.setting.cpu,
            &mut record.setting.isa,
            &mut record.setting.profile,
            &mut record.setting.corpus,
        ];
        strings.extend(&mut record.workloads);
        for family in &mut record.families {
            strings.extend([&mut family.tier, &mut family.peer]);
        }
        strings.into_iter().for_each(|text| text.push_str(HOSTILE));
        let peers = std::mem::take(&mut record.peers).into_iter();
        record.peers = peers
            .map(|(peer, version)| (peer + HOSTILE, version + HOSTILE))
            .collect();
    }
    let page = html::history_page(&spoiled);
    assert_only_text(&html::history_page(&tame), &page, 2);
    for shown in [
        format!("in a long title{ESCAPED}<br>"),
        format!("<td>auto{ESCAPED} ÷ node{ESCAPED}</td>"),
        format!(
            "Another processor &lt;b&gt;{ESCAPED} (x86_64{ESCAPED}, 2 cores), standard{ESCAPED}"
        ),
    ] {
        assert!(page.contains(&shown), "{shown}");
    }
    assert!(page.contains(&format!("in a long title{IN_DATA}\"")));
}
