//! The command from outside: bad input, missing and impostor peers, faults, and Ctrl-C.
//!
//! Engines are shell scripts that speak the bench protocol and the corpus is one made-up workload,
//! so nothing here needs a network or a real engine.

use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use zwasm_reports::schema::Results;

const ENGINE: &str = r#"#!/bin/sh
# A fake engine; the file `fault` beside it changes what it does on workload `fake`.
here=$(dirname "$0")
case $1 in --version) echo "zwasm 9.9.9 (fake)"; exit 0;; esac
[ "$1" = run ] && shift
if [ "$1" = --tier ]; then
  [ "$2" = interp ] || { echo "zwasm: this build has no tier $2" >&2; exit 2; }
  shift 2
fi
case $1 in --stats=json) shift; echo '{"load_ns": 1000, "compile_ns": 0}' >&2;; esac
module=$1; shift
case $module in *empty.wasm) exit 0;; esac
fault=none
[ -f "$here/fault" ] && read -r fault < "$here/fault"
case $fault in
  crash) kill -SEGV $$;;
  hang) echo $$ > "$here/pid"; sleep 300 & wait;;
  wrong) echo 'checksum 1111111111111111'; exit 0;;
esac
ns=40000000
[ -f "$here/ns" ] && read -r ns < "$here/ns"
i=0
if [ "$1 $2" = 'bench step' ]; then
  while n=$(dd bs=1 count=1 2>/dev/null | od -An -tu1) && [ -n "$n" ]; do
    echo "iter $i $((n * ns)) 0123456789abcdef"; i=$((i + 1))
  done
elif [ "$1" = bench ]; then
  while [ $i -lt "$2" ]; do echo "iter $i $ns 0123456789abcdef"; i=$((i + 1)); done
else
  echo 'checksum 0123456789abcdef'
fi
"#;

/// A folder with a corpus, a tier and a peer, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        for sub in ["corpus/wasm", "tier", "peer"] {
            fs::create_dir_all(dir.join(sub)).unwrap();
        }
        let module = b"\0asm\x01\0\0\0";
        fs::write(dir.join("corpus/wasm/fake.wasm"), module).unwrap();
        let sum: String = Sha256::digest(module)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let manifest = format!(
            r#"version = 1
[[workload]]
id = "fake"
category = "integer"
language = "wat"
source = "src-wat/fake.wat"
licence = "Apache-2.0"
module = "wasm/fake.wasm"
sha256 = "{sum}"
bytes = 8
features = []
startup = false
description = "nothing"
[workload.small]
args = ["small"]
expected = "checksum 0123456789abcdef\n"
checksum = "0123456789abcdef"
[workload.standard]
args = []
expected = "checksum 0123456789abcdef\n"
checksum = "0123456789abcdef"
"#
        );
        fs::write(dir.join("corpus/manifest.toml"), manifest).unwrap();
        for program in ["tier/zwasm", "peer/engine"] {
            fs::write(dir.join(program), ENGINE).unwrap();
            fs::set_permissions(dir.join(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let place = Place(dir);
        place.peers("expect_version = \"zwasm 9\"");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn peers(&self, more: &str) {
        let program = self.path("peer/engine");
        let text = format!(
            "[[peer]]\nname = \"other\"\nprogram = \"{}\"\nrun = [\"{{module}}\", \"{{args}}\"]\n{more}\n",
            program.display()
        );
        fs::write(self.path("peers.toml"), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
        command.args(args);
        for (option, file) in [
            ("--corpus", "corpus"),
            ("--zwasm", "tier/zwasm"),
            ("--peers", "peers.toml"),
            ("--peers-dir", "peers"),
            ("--out", "out"),
        ] {
            command.arg(option).arg(self.path(file));
        }
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn results(&self) -> Results {
        Results::load(&self.path("out/results.json")).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The exit code and the one line of an error.
fn failure(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = text
        .lines()
        .filter(|l| l.starts_with("compare: "))
        .collect();
    assert_eq!(lines.len(), 1, "{text}");
    (output.status.code().unwrap(), lines[0].to_owned())
}

fn bare(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn a_run_measures_and_writes_everything() {
    let place = Place::new("run");
    let output = place.run(&["--against", "other", "--tiers", "interp"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(
        table.contains("interp ÷ other (steady iteration)"),
        "{table}"
    );
    assert!(table.contains("1/1 workloads"), "{table}");
    let results = place.results();
    assert!(results.complete);
    let gap = &results.gaps[0];
    assert_eq!((gap.n, gap.ratio), (6, 1.0));
    assert!(gap.spread.is_some() && results.generations.len() == 6);
    assert_eq!(results.cells[0].phases.as_ref().unwrap().load_ns, 1000);
    assert!(results.cells[0].samples[0].peak_rss_bytes > 100_000);
    assert!(results.engines.iter().all(|e| e.sha256.len() == 64));
    let page = fs::read_to_string(place.path("out/index.html")).unwrap();
    assert!(page.contains("zwasm against other"));
    assert!(place.path("out/results.csv").is_file());
    assert!(!place.path("out/partial.json").exists());

    // What was written can be rendered and recorded.
    let results_file = place.path("out/results.json");
    let again = bare(&[
        "report",
        results_file.to_str().unwrap(),
        "-o",
        place.path("again").to_str().unwrap(),
    ]);
    assert_eq!(again.status.code(), Some(0));
    assert!(Results::load(&place.path("again/results.json")).unwrap() == results);
    let recorded = bare(&[
        "record",
        results_file.to_str().unwrap(),
        "-m",
        "a change",
        "--history",
        place.path("history").to_str().unwrap(),
    ]);
    assert_eq!(recorded.status.code(), Some(0));
    assert_eq!(
        zwasm_reports::history::load(&place.path("history")).len(),
        1
    );
}

#[test]
fn two_builds_are_compared_tier_by_tier_and_the_exit_code_says_which_is_slower() {
    let place = Place::new("builds");
    let other = format!("zwasm={}", place.path("peer/engine").display());
    let compare = || place.run(&["--against", &other, "--tiers", "interp"]);
    // The same speed; then one that takes half of the time.
    for (ns, code, words) in [
        (None, 0, "1 below noise"),
        (Some("20000000\n"), 1, "▲ slower"),
    ] {
        if let Some(ns) = ns {
            fs::write(place.path("peer/ns"), ns).unwrap();
        }
        let output = compare();
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{table}");
        assert!(table.contains(words), "{table}");
        let results = place.results();
        let peer = results.engines.iter().find(|e| e.counterpart.is_some());
        let peer = peer.unwrap();
        assert_eq!(peer.counterpart.as_deref(), Some("interp"));
        assert!(peer.id.starts_with("interp@") && !results.to_json().contains("peer/engine"));
        let page = fs::read_to_string(place.path("out/index.html")).unwrap();
        assert!(page.contains("id=\"moved\""));
    }
}

#[test]
fn a_flame_graph_that_cannot_be_made_says_why_in_one_line() {
    let place = Place::new("profile");
    let has_opt = ENGINE.replace("[ \"$2\" = interp ]", "[ \"$2\" = opt ]");
    fs::write(place.path("tier/zwasm"), has_opt).unwrap();
    let profile = |path: &str, args: &[&str]| {
        let mut command = place.command(&[&["profile"], args].concat());
        failure(&command.env("PATH", path).output().unwrap())
    };
    let (code, line) = profile("/nowhere", &["fake"]);
    assert_eq!(code, 1, "{line}");
    assert!(line.contains("package `linux-perf`"), "{line}");
    // A perf that fails, whatever there is on this machine.
    let perf = place.path("perf");
    fs::write(&perf, "#!/bin/sh\necho no samples here >&2\nexit 3\n").unwrap();
    fs::set_permissions(&perf, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", place.0.display(), env!("PATH"));
    for (args, wanted_code, wanted) in [
        (&["nope"][..], 2, "no workload matches `nope`"),
        (&["fake", "--tier", "interp"], 2, "makes no machine code"),
        (&["fake", "--tier", "opt"], 1, "no samples here"),
    ] {
        let (code, line) = profile(&path, args);
        assert_eq!(code, wanted_code, "{line}");
        assert!(line.contains(wanted), "{line}");
    }
    assert!(!place.path("out/profile.html").exists());
}

#[test]
fn unknown_names_are_usage_errors() {
    let place = Place::new("names");
    for (args, wanted) in [
        (&["--against", "v9"][..], "unknown engine `v9`"),
        (&["--against", "wamr"], "engine `wamr` cannot be had: no"),
        (
            &["--gate", "--suite", "polybench"],
            "suite polybench is not part of the gate",
        ),
        (
            &["--against", "other", "--tiers", "turbo"],
            "unknown tier `turbo`",
        ),
        (
            &["--against", "other", "--workloads", "nope*"],
            "no workload matches `nope*`",
        ),
        (
            &["--against", "other", "--suite", "nope"],
            "unknown suite `nope`",
        ),
        (
            &["--against", "zwasm=/no/such/program"],
            "there is no program",
        ),
        (&[], "name an engine to compare with"),
    ] {
        let (code, line) = failure(&place.run(args));
        assert_eq!(code, 2, "{line}");
        assert!(line.contains(wanted), "{line}");
    }
    // clap's own errors agree on the code.
    assert_eq!(place.run(&["--nonsense"]).status.code(), Some(2));
    assert_eq!(
        place
            .run(&["--against", "other", "--profile", "x"])
            .status
            .code(),
        Some(2)
    );
    fs::write(place.path("peers.toml"), "[[peer]]\nname = \"x\"\n").unwrap();
    let (code, line) = failure(&place.run(&["--against", "x"]));
    assert_eq!(code, 2, "{line}");
    assert!(line.contains("not a peers file"), "{line}");
}

#[test]
fn results_files_that_cannot_be_used_are_named() {
    let place = Place::new("files");
    let file = place.path("r.json");
    let report = |text: Option<&str>| {
        match text {
            Some(text) => fs::write(&file, text).unwrap(),
            None => drop(fs::remove_file(&file)),
        }
        let out = place.path("again");
        failure(&bare(&[
            "report",
            file.to_str().unwrap(),
            "-o",
            out.to_str().unwrap(),
        ]))
    };
    for (text, wanted) in [
        (None, "No such file"),
        (Some("not json"), "not a results file"),
        (
            Some("{\"format\":\"zwasm-compare-results\",\"version\":99}"),
            "format version 99",
        ),
    ] {
        let (code, line) = report(text);
        assert_eq!(code, 1);
        assert!(line.contains("r.json") && line.contains(wanted), "{line}");
    }
    assert!(!place.path("again").exists());
    let (code, line) = failure(&place.run(&["--against", "other", "--resume"]));
    assert_eq!(code, 1);
    assert!(line.contains("nothing to resume"), "{line}");
}

#[test]
fn a_module_of_another_checksum_is_refused() {
    let place = Place::new("checksum");
    fs::write(place.path("corpus/wasm/fake.wasm"), b"\0asm\x01\0\0\x01").unwrap();
    let (code, line) = failure(&place.run(&["--against", "other"]));
    assert_eq!(code, 1);
    assert!(line.contains("fake") && line.contains("sha256"), "{line}");
}

#[test]
fn impostors_are_refused_and_missing_peers_are_not_fatal() {
    let place = Place::new("peers");
    place.peers("expect_version = \"iwasm 2.\"");
    let (code, line) = failure(&place.run(&["--against", "other"]));
    assert_eq!(code, 1);
    assert!(line.contains("is not what it claims"), "{line}");

    place.peers("");
    let output = place.run(&["--against", "wasmtime,other", "--no-install"]);
    assert_eq!(output.status.code(), Some(0));
    let results = place.results();
    let missing = results.engines.iter().find(|e| e.id == "wasmtime").unwrap();
    assert!(
        missing.missing.as_ref().unwrap().contains("--no-install"),
        "{missing:?}"
    );
    assert!(results.gaps.iter().all(|g| g.peer == "other"));

    // With none of them there is no comparison.
    let (code, line) = failure(&place.run(&["--against", "wasmtime", "--no-install"]));
    assert_eq!(code, 1);
    assert!(line.contains("nothing to compare with"), "{line}");

    // An installed peer whose binary changed since is not that peer.
    let folder = place.path("peers/wasmtime-49.0.4/wasmtime_cli");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(place.path("peer/engine"), folder.join("wasmtime")).unwrap();
    fs::write(place.path("peers/wasmtime-49.0.4/SHA256"), "00\n").unwrap();
    let (code, line) = failure(&place.run(&["--against", "wasmtime"]));
    assert_eq!(code, 1);
    assert!(line.contains("checksum differs"), "{line}");

    fs::remove_file(place.path("tier/zwasm")).unwrap();
    let (code, line) = failure(&place.run(&["--against", "other"]));
    assert_eq!(code, 1);
    assert!(line.contains("cargo build --release"), "{line}");
}

#[test]
fn faults_are_cells() {
    for (fault, word) in [
        ("crash", "crash"),
        ("hang", "timeout"),
        ("wrong", "wrong output"),
    ] {
        let place = Place::new(fault);
        fs::write(place.path("peer/fault"), fault).unwrap();
        let output = place.run(&["--against", "other", "--timeout", "1"]);
        assert_eq!(output.status.code(), Some(0));
        let results = place.results();
        let cell = results.cell("fake", "other").unwrap();
        assert_eq!(cell.status.word(), word, "{cell:?}");
        assert!(results.gaps.is_empty());
        if fault == "hang" {
            gone(&place.path("peer/pid"));
        }
    }
}

/// Asserts that the process whose pid a file holds does not run (any more).
fn gone(file: &Path) {
    let pid = fs::read_to_string(file).unwrap();
    let status = Path::new("/proc").join(pid.trim()).join("stat");
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        if text.is_empty() || text.contains(") Z ") {
            return;
        }
        assert!(
            Instant::now() < until,
            "process {pid} is still there: {text}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a run that hangs, and waits until it does.
fn hanging(place: &Place) -> std::process::Child {
    fs::write(place.path("peer/fault"), "hang").unwrap();
    let child = place
        .command(&["--against", "other"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while fs::read_to_string(place.path("peer/pid"))
        .unwrap_or_default()
        .is_empty()
    {
        assert!(Instant::now() < until, "the engine never started");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn ctrl_c_leaves_a_valid_partial_result_and_no_process() {
    let place = Place::new("interrupt");
    let child = hanging(&place);
    signal(child.id(), "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    gone(&place.path("peer/pid"));
    assert!(!place.results().complete);
    assert!(place.path("out/index.html").is_file());

    // The run goes on where it stopped once the engine behaves.
    fs::remove_file(place.path("peer/fault")).unwrap();
    let output = place.run(&["--against", "other", "--resume"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(place.results().complete);

    // Another selection of engines is another run.
    fs::copy(
        place.path("out/results.json"),
        place.path("out/partial.json"),
    )
    .unwrap();
    let (code, line) =
        failure(&place.run(&["--against", "other,node", "--no-install", "--resume"]));
    assert_eq!(code, 1);
    assert!(line.contains("cannot resume"), "{line}");
}

#[test]
fn even_a_killed_run_leaves_no_process() {
    let place = Place::new("killed");
    let child = hanging(&place);
    signal(child.id(), "-KILL");
    let _ = child.wait_with_output().unwrap();
    gone(&place.path("peer/pid"));
    assert!(!place.path("out/results.json").exists());
}

#[test]
fn a_full_disk_is_one_line_and_no_half_file() {
    let place = Place::new("disk");
    assert_eq!(place.run(&["--against", "other"]).status.code(), Some(0));
    let (results, out) = (place.path("out/results.json"), place.path("again"));
    // A file-size limit fails writes in the middle, as a full disk does.
    let output = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 1; exec \"$0\" report \"$1\" -o \"$2\"")
        .args([Path::new(env!("CARGO_BIN_EXE_compare")), &results, &out])
        .output()
        .unwrap();
    let (code, line) = failure(&output);
    assert_eq!(code, 1, "{line}");
    let left: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    let whole = |n: &std::ffi::OsString| n.to_string_lossy() == "results.csv";
    assert!(left.iter().all(whole), "{left:?}");
    // A file where the folder should be.
    fs::write(place.path("file"), "").unwrap();
    let out = place.path("file");
    let output = bare(&[
        "report",
        results.to_str().unwrap(),
        "-o",
        out.to_str().unwrap(),
    ]);
    assert_eq!(failure(&output).0, 1);
}

#[test]
fn outputs_may_be_closed_or_full() {
    let place = Place::new("outputs");
    assert_eq!(place.run(&["--against", "other"]).status.code(), Some(0));
    let results = place.path("out/results.json");
    let results = results.to_str().unwrap();
    let again = place.path("again");
    let history = place.path("history");
    for args in [
        &["report", results, "-o", again.to_str().unwrap()][..],
        &["record", results, "--history", history.to_str().unwrap()],
        &["agree", results, results],
        &["--help"],
        &["--version"],
    ] {
        let with = |stdout: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
            let output = command.args(args).stdout(stdout).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.code(), errors)
        };
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(with(writer.into()), (Some(0), String::new()), "{args:?}");
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let (code, errors) = with(full.into());
        assert_eq!(code, Some(1), "{args:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(errors.contains("No space left"), "{errors}");
    }
}

#[test]
fn pages_of_hot_functions_and_arm64_counts_say_what_they_lack() {
    let place = Place::new("beside");
    let (code, line) = failure(&place.run(&["code"]));
    assert_eq!(code, 2);
    assert!(line.contains("name a results.json"), "{line}");
    let (code, line) = failure(&place.run(&["code", "missing.json"]));
    assert_eq!(code, 1);
    assert!(line.contains("missing.json"), "{line}");
    // Without the emulator this is told; with it, the binary is what is not there.
    let (code, line) = failure(&place.run(&["arm64", "--arm64-zwasm", "nothing"]));
    assert_eq!(code, 1);
    assert!(
        line.contains("there is no nothing") || line.contains("is not installed"),
        "{line}"
    );
}

#[test]
fn a_run_does_not_keep_what_an_earlier_one_left_beside_it() {
    let place = Place::new("stale");
    fs::create_dir_all(place.path("out")).unwrap();
    for stale in ["code.html", "code.json", "arm64.json"] {
        fs::write(place.path("out").join(stale), "old").unwrap();
    }
    let output = place.run(&["--against", "other", "--tiers", "interp"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(place.path("out/index.html").is_file());
    for stale in ["code.html", "code.json", "arm64.json"] {
        assert!(!place.path("out").join(stale).exists(), "{stale}");
    }
}

#[test]
fn recorded_runs_have_a_page_over_commits() {
    let place = Place::new("history");
    let output = place.run(&["--against", "other", "--tiers", "interp"]);
    assert_eq!(output.status.code(), Some(0));
    // Nothing recorded is like this run, so that there is no such page beside its own.
    assert!(!place.path("out/history.html").exists());
    let page = fs::read_to_string(place.path("out/index.html")).unwrap();
    assert!(page.contains("--against other --tiers interp --profile quick --suite all --agree"));

    let folder = place.path("history");
    let mut results = place.results();
    for later in [0, 100] {
        results.started_unix_s += later;
        let file = place.path("again.json");
        results.save(&file).unwrap();
        let file = file.to_str().unwrap();
        let recorded = bare(&["record", file, "--history", folder.to_str().unwrap()]);
        assert_eq!(recorded.status.code(), Some(0));
    }
    let shown = |folder: &Path| {
        let out = place.path("pages");
        let [folder, out] = [folder, &out].map(|path| path.to_str().unwrap().to_owned());
        bare(&["history", "--history", &folder, "-o", &out])
    };
    let output = shown(&folder);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("2 runs, 0 steps\n"), "{said}");
    let page = fs::read_to_string(place.path("pages/history.html")).unwrap();
    assert!(page.contains("2 recorded runs"));

    // A report beside records that are like its run leads to them.
    let results = place.path("out/results.json");
    let beside = |history: &Path| {
        let again = place.path("beside");
        let [results, history, again] =
            [&results, history, &again].map(|path| path.to_str().unwrap().to_owned());
        let output = bare(&["report", &results, "--history", &history, "-o", &again]);
        assert_eq!(output.status.code(), Some(0));
        let page = fs::read_to_string(place.path("beside/index.html")).unwrap();
        let leads = page.contains("<a href=\"history.html\">");
        assert_eq!(leads, place.path("beside/history.html").exists());
        leads
    };
    assert!(beside(&folder));
    assert!(!beside(&place.path("nothing")));

    let (code, line) = failure(&shown(&place.path("nothing")));
    assert_eq!(code, 1);
    assert!(
        line.contains("there is no record in these folders"),
        "{line}"
    );
}

#[test]
fn a_run_says_whether_it_agrees_with_a_published_one() {
    let place = Place::new("agree");
    let run = |claims: &Path| {
        let claims = claims.to_str().unwrap();
        place.run(&["--against", "other", "--tiers", "interp", "--agree", claims])
    };
    let (code, line) = failure(&run(&place.path("nothing.csv")));
    assert_eq!(code, 1);
    assert!(line.contains("nothing.csv"), "{line}");
    assert!(!place.path("out/results.json").exists(), "it was measured");

    // Steady iterations only: these engines make them up, so that no noise is in them.
    let claims = place.path("claims.csv");
    let rows = |ratio: &str| {
        let header = "peer,tier,workload,category,metric,ratio,lo,hi,n,verdict,within,between";
        let row = format!("other,interp,fake,integer,steady,{ratio},6,equal,0,0");
        fs::write(&claims, format!("{header}\n{row}\n")).unwrap();
    };
    for (ratio, code, answer) in [
        ("1,1,1", 0, "the runs agree: 1 of 1 rows"),
        ("0.5,0.5,0.5", 1, "the runs do not agree: 0 of 1 rows"),
    ] {
        rows(ratio);
        let output = run(&claims);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with(answer), "{said}");
    }
    // The same of two files, of which a record may be one.
    let results = place.path("out/results.json");
    let folder = place.path("history");
    let recorded = bare(&[
        "record",
        results.to_str().unwrap(),
        "--history",
        folder.to_str().unwrap(),
    ]);
    let record = String::from_utf8_lossy(&recorded.stdout).into_owned();
    for (file, code) in [(results.as_path(), 0), (&claims, 1)] {
        let output = bare(&["agree", record.trim(), file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(code), "{}", file.display());
    }
}
