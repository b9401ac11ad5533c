//! What the verbs of the command do, from arguments to files.

use crate::cli::{Places, ProfileName, RunArgs};
use crate::engine::{self, Adapter, Found, PEERS, Setting, TIERS, user};
use crate::exec::{Executor, Launcher};
use crate::fail::Fail;
use crate::machine::{self, CpuTicks};
use crate::progress::Bar;
use crate::provision::Provisioner;
use crate::runner::{Runner, Selected, is_interrupt};
use crate::select::select;
use crate::{arm64, callgrind, code};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use zwasm_reports::agreement::Agreement;
use zwasm_reports::analysis::analyse;
use zwasm_reports::arm64::Arm64Report;
use zwasm_reports::code::CodeReport;
use zwasm_reports::html::Beside;
use zwasm_reports::schema::{
    CorpusInfo, EngineInfo, EngineKind, FORMAT, Results, VERSION, WorkloadInfo, write_whole,
};
use zwasm_reports::{history, html, text};
use zwasm_terminal::{print, say, unless_closed};
use zwasm_workloads::Corpus;

/// `(module (func (export "_start")))`
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\
    \x07\x0a\x01\x06_start\0\0\x0a\x04\x01\x02\0\x0b";

/// The root of the checkout that this binary was built from.
pub(crate) fn checkout() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The build folder that this binary lies in (`target`, however it is called).
pub(crate) fn build_dir() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.parent()?.to_owned()))
        .unwrap_or_else(|| PathBuf::from("target"))
}

/// The corpus that the command line means.
pub(crate) fn load_corpus(places: &Places) -> Result<Corpus> {
    let corpus = match &places.corpus {
        Some(dir) => Corpus::load_from(dir),
        None => Corpus::load(),
    };
    corpus.map_err(|e| Fail::error(format!("corpus: {e}")))
}

/// The modules of workloads, each checked against the manifest's checksum.
pub(crate) fn verified<'c>(
    corpus: &Corpus,
    workloads: &[&'c zwasm_workloads::Workload],
) -> Result<Vec<Selected<'c>>> {
    workloads
        .iter()
        .map(|&workload| {
            workload
                .read_verified(corpus)
                .map_err(|e| Fail::error(format!("corpus: {e}")))?;
            Ok(Selected {
                workload,
                module: workload.module_path(corpus),
            })
        })
        .collect()
}

/// What engines are made from, with a scratch folder of this session.
pub(crate) fn setting<'a>(
    places: &Places,
    corpus_dir: &Path,
    executor: &'a mut dyn Executor,
    say: &'a dyn Fn(&str),
) -> Result<Setting<'a>> {
    let build = build_dir();
    let peers_dir = places
        .peers_dir
        .clone()
        .unwrap_or_else(|| build.join("peers"));
    let scratch = scratch_dir();
    std::fs::create_dir_all(&scratch)
        .with_context(|| format!("cannot create {}", scratch.display()))?;
    let empty_module = scratch.join("empty.wasm");
    write_whole(&empty_module, EMPTY_MODULE)?;
    Ok(Setting {
        provisioner: Provisioner::new(peers_dir, !places.no_install, say),
        executor,
        zwasm: match &places.zwasm {
            Some(path) => path.clone(),
            None => own_command(&build, say)?,
        },
        user_peers: match &places.peers {
            Some(file) => user::load(file)?,
            None => Vec::new(),
        },
        empty_module,
        native_dir: build.join("compare").join("native"),
        corpus_dir: corpus_dir.to_owned(),
    })
}

/// The `zwasm` command to measure. Under `cargo run` it is built first, so that what is measured
/// is what the checkout holds; else it is the one beside this program.
fn own_command(build: &Path, say: &dyn Fn(&str)) -> Result<PathBuf> {
    let under_cargo = std::env::var_os("CARGO_MANIFEST_DIR")
        .is_some_and(|dir| Path::new(&dir) == Path::new(env!("CARGO_MANIFEST_DIR")));
    let Some(cargo) = std::env::var_os("CARGO").filter(|_| under_cargo) else {
        return Ok(std::env::current_exe()?.with_file_name("zwasm"));
    };
    say("building the zwasm command");
    let status = Command::new(cargo)
        .args(["build", "--release", "-p", "zwasm-cli", "--manifest-path"])
        .arg(checkout().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(build)
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        return Err(Fail::error("the zwasm command does not build"));
    }
    Ok(build.join("release").join("zwasm"))
}

/// The tiers asked for, or all; unknown names are usage errors.
pub(crate) fn tier_names(asked: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = asked.iter().find(|t| !TIERS.contains(&t.as_str())) {
        return Err(Fail::usage(format!(
            "unknown tier `{unknown}`; known: {}",
            TIERS.join(", ")
        )));
    }
    Ok(if asked.is_empty() {
        TIERS.iter().map(|&t| t.to_owned()).collect()
    } else {
        asked.to_vec()
    })
}

/// The peers asked for; `all` stands for every one that is built in or defined by the user.
fn peer_names(asked: &[String], users: &[user::UserPeer]) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for name in asked {
        let known = PEERS.contains(&name.as_str()) || users.iter().any(|p| p.name == *name);
        if name == "all" {
            names.extend(PEERS.iter().map(|&p| p.to_owned()));
            names.extend(users.iter().map(|p| p.name.clone()));
        } else if known {
            names.push(name.clone());
        } else {
            return Err(engine::unknown_peer(name, users));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|n| seen.insert(n.clone()));
    Ok(names)
}

/// Finds the engines asked for: tiers first, then peers.
fn find_engines(args: &RunArgs, setting: &mut Setting<'_>) -> Result<Vec<Found>> {
    let tiers = tier_names(&args.tiers)?;
    let peers = peer_names(&args.against, &setting.user_peers)?;
    let mut engines = Vec::new();
    for tier in tiers {
        let found = engine::find_tier(&tier, setting)?;
        // A tier that nobody asked for by name is not missed.
        if args.tiers.is_empty() && found.info().missing.is_some() {
            continue;
        }
        engines.push(found);
    }
    for peer in peers {
        engines.push(engine::find_peer(&peer, setting)?);
    }
    Ok(engines)
}

/// Where a run writes, made if need be.
pub(crate) fn out_dir(args: &RunArgs) -> Result<PathBuf> {
    let default = || build_dir().join("compare").join("latest");
    let out = args.out.clone().unwrap_or_else(default);
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    Ok(out)
}

/// For files that a run needs while it lasts.
pub(crate) fn scratch_dir() -> PathBuf {
    build_dir().join("compare").join("scratch")
}

/// The engines that are there.
type Engines = Vec<Box<dyn Adapter>>;

/// Finds the engines asked for, says which are missing, and makes sure that there is a tier.
pub(crate) fn have_engines(
    args: &RunArgs,
    setting: &mut Setting<'_>,
    say: &dyn Fn(&str),
) -> Result<(Vec<EngineInfo>, Engines)> {
    let mut infos: Vec<EngineInfo> = Vec::new();
    let mut engines: Vec<Box<dyn Adapter>> = Vec::new();
    for found in find_engines(args, setting)? {
        infos.push(found.info().clone());
        match found {
            Found::Ready(adapter) => engines.push(adapter),
            Found::Missing(info) => say(&format!(
                "{} is missing: {}",
                info.id,
                info.missing.unwrap_or_default()
            )),
        }
    }
    if !infos
        .iter()
        .any(|e| e.kind == EngineKind::Tier && e.missing.is_none())
    {
        return Err(Fail::error(
            "no tier to measure: this zwasm has none of those",
        ));
    }
    Ok((infos, engines))
}

/// `compare --against …`: measures and writes the report.
pub(crate) fn compare(args: &RunArgs) -> Result<u8> {
    let started = Instant::now();
    if args.check {
        return Err(Fail::usage("--check is for --suite real"));
    }
    if args.against.is_empty() {
        return Err(Fail::usage(
            "name an engine to compare with, e.g. `compare --against wasmtime` (or --help)",
        ));
    }
    // The helper comes first: its memory should be that of a small process.
    let mut launcher = Launcher::start()?;
    let corpus = load_corpus(&args.places)?;
    let (workloads, selection) = select(&corpus, args.suite.as_deref(), &args.workloads)?;
    let workloads = verified(&corpus, &workloads)?;
    let out = out_dir(args)?;
    let partial = out.join("partial.json");

    let bar = Bar::new();
    let say = |line: &str| bar.line(line);
    let mut setting = setting(&args.places, corpus.dir(), &mut launcher, &say)?;
    let (infos, engines) = have_engines(args, &mut setting, &say)?;
    let corpus = CorpusInfo {
        checksum: corpus.checksum(),
        selection,
    };
    let infos_of_workloads = workloads.iter().map(workload_info).collect();
    let fresh = skeleton(args, corpus, infos_of_workloads, infos);
    let mut results = begin(args, &partial, fresh)?;

    let sitting = Sitting::begin(&results);
    let scratch = scratch_dir();
    let limit = args.timeout.unwrap_or_else(|| args.profile.time_limit_s());
    let save = |results: &Results| -> Result<()> {
        let mut copy = results.clone();
        sitting.end(&mut copy);
        Ok(copy.save(&partial)?)
    };
    let outcome = Runner {
        engines: &engines,
        workloads: &workloads,
        executor: &mut launcher,
        progress: &bar,
        save: &save,
        scratch: &scratch,
        time_limit: Duration::from_secs(limit),
        started,
        seed: results.started_unix_s,
        compile_base_ns: HashMap::new(),
    }
    .run(&mut results);
    let wants_code = args.code || (args.profile == ProfileName::Full && callgrind::available());
    if outcome.is_ok() && wants_code {
        let mut analysed = results.clone();
        analyse(&mut analysed);
        if let Err(error) = code::add(&analysed, &args.places, &out, &mut launcher, &say) {
            if is_interrupt(&error) {
                return Err(error);
            }
            say(&format!("no page of hot functions: {error:#}"));
        }
    }
    bar.finish();
    sitting.end(&mut results);
    conclude(results, outcome, &out, &partial)
}

/// The results to fill: new ones, or with `--resume` those of the interrupted run.
pub(crate) fn begin(args: &RunArgs, partial: &Path, fresh: Results) -> Result<Results> {
    let results = if args.resume {
        resumed(partial, &fresh)?
    } else {
        // Those of the run before, in the same folder.
        let beside = |out: &Path| code::files(out).into_iter().chain(arm64::files(out));
        for file in partial.parent().into_iter().flat_map(beside) {
            let _ = std::fs::remove_file(file);
        }
        fresh
    };
    // Written before anything is measured, so that a full disk is noticed now.
    results.save(partial)?;
    Ok(results)
}

/// Analyses and publishes what was measured, also when the run was interrupted.
pub(crate) fn conclude(
    mut results: Results,
    outcome: Result<()>,
    out: &Path,
    partial: &Path,
) -> Result<u8> {
    results.complete = outcome.is_ok();
    let interrupted = match outcome {
        Ok(()) => false,
        Err(error) if is_interrupt(&error) => true,
        Err(error) => {
            results.save(partial)?;
            return Err(error);
        }
    };
    analyse(&mut results);
    publish(&results, out)?;
    if interrupted {
        results.save(partial)?;
        say("compare: interrupted; go on with --resume");
        return Ok(130);
    }
    let _ = std::fs::remove_file(partial);
    Ok(0)
}

fn workload_info(selected: &Selected<'_>) -> WorkloadInfo {
    let workload = selected.workload;
    WorkloadInfo {
        id: workload.id.clone(),
        category: workload.category.clone(),
        description: workload.description.clone(),
        language: workload.language.clone(),
        startup: workload.startup,
        wasm_bytes: workload.bytes,
        size: String::new(),
        job: None,
    }
}

/// Everything about a run but its measurements.
pub(crate) fn skeleton(
    args: &RunArgs,
    corpus: CorpusInfo,
    workloads: Vec<WorkloadInfo>,
    engines: Vec<EngineInfo>,
) -> Results {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Results {
        format: FORMAT.to_owned(),
        version: VERSION,
        complete: false,
        profile: args.profile.profile(),
        started_unix_s: now.map_or(0, |d| d.as_secs()),
        duration_s: 0.0,
        commit: machine::commit(checkout()),
        machine: machine::describe(),
        corpus,
        engines,
        workloads,
        cells: Vec::new(),
        control: Vec::new(),
        floors: Vec::new(),
        gaps: Vec::new(),
        geomeans: Vec::new(),
        notes: Vec::new(),
    }
}

/// The interrupted run in a folder, if it is the one that the command line describes.
fn resumed(partial: &Path, fresh: &Results) -> Result<Results> {
    if !partial.is_file() {
        return Err(Fail::error(format!(
            "nothing to resume: there is no {}",
            partial.display()
        )));
    }
    let old = Results::load(partial)?;
    let ids = |r: &Results| -> Vec<String> { r.workloads.iter().map(|w| w.id.clone()).collect() };
    let differs = if old.engines != fresh.engines {
        Some("the engines")
    } else if old.corpus != fresh.corpus || ids(&old) != ids(fresh) {
        Some("the workloads")
    } else if old.profile != fresh.profile {
        Some("the profile")
    } else if old.machine.cpu != fresh.machine.cpu || old.machine.kernel != fresh.machine.kernel {
        Some("the machine")
    } else {
        None
    };
    match differs {
        None => Ok(old),
        Some(what) => Err(Fail::error(format!(
            "cannot resume {}: {what} differ from that run's",
            partial.display()
        ))),
    }
}

/// The time and machine state of one sitting of a run.
pub(crate) struct Sitting {
    began: Instant,
    ticks: CpuTicks,
    before_s: f64,
}

impl Sitting {
    pub(crate) fn begin(results: &Results) -> Sitting {
        Sitting {
            began: Instant::now(),
            ticks: CpuTicks::now(),
            before_s: results.duration_s,
        }
    }

    pub(crate) fn end(&self, results: &mut Results) {
        results.duration_s = self.before_s + self.began.elapsed().as_secs_f64();
        results.machine.load_after = machine::load();
        results.machine.steal = CpuTicks::now().steal_since(self.ticks);
    }
}

/// Writes the page, the JSON and the CSV, and prints the table.
pub(crate) fn publish(results: &Results, out: &Path) -> Result<()> {
    let beside = Beside {
        code: CodeReport::load(&out.join("code.json")).ok(),
        arm64: Arm64Report::load(&out.join("arm64.json")).ok(),
    };
    let history = history::load(&history_dir());
    write_whole(&out.join("results.csv"), text::csv(results).as_bytes())?;
    write_whole(
        &out.join("index.html"),
        html::page(results, &history, &beside).as_bytes(),
    )?;
    // Last, so that a results.json always has its page beside it.
    results.save(&out.join("results.json"))?;
    let page = out.join("index.html");
    let shown = format!("{}\n{}\n", text::table(results), page.display());
    Ok(unless_closed(print(&shown))?)
}

fn history_dir() -> PathBuf {
    checkout().join("reports").join("history")
}

/// The results in a file, with their gaps derived anew.
pub(crate) fn analysed(path: &Path) -> Result<Results> {
    let mut results = Results::load(path)?;
    analyse(&mut results);
    Ok(results)
}

/// `compare report`: renders a results file again, with its gaps derived anew.
pub(crate) fn report(path: &Path, out: &Path) -> Result<u8> {
    let results = analysed(path)?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    publish(&results, out)?;
    Ok(0)
}

/// `compare record`: adds a compact record to the history.
pub(crate) fn record(path: &Path, message: &str, dir: Option<&Path>) -> Result<u8> {
    let results = Results::load(path)?;
    if !results.complete {
        return Err(Fail::error(format!(
            "{}: only a complete run can be recorded",
            path.display()
        )));
    }
    let dir = dir.map_or_else(history_dir, Path::to_owned);
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let written = history::Record::of(&results, message).save(&dir)?;
    print(&format!("{}\n", written.display()))?;
    Ok(0)
}

/// `compare agree`: whether two runs say the same, row by row; 1 when less than 90 % do.
pub(crate) fn agree(first: &Path, second: &Path) -> Result<u8> {
    let mut runs = [Results::load(first)?, Results::load(second)?];
    runs.iter_mut().for_each(analyse);
    let agreement = Agreement::of(&runs[0], &runs[1]);
    unless_closed(print(&agreement.text()))?;
    Ok(u8::from(!agreement.passes()))
}

/// `compare peers`: lists peers, installing what is missing.
pub(crate) fn peers(names: &[String], places: &Places) -> Result<u8> {
    let mut launcher = Launcher::start()?;
    let corpus_dir = places.corpus.clone().unwrap_or_default();
    let mut setting = setting(places, &corpus_dir, &mut launcher, &say)?;
    let all = ["all".to_owned()];
    let names = if names.is_empty() { &all } else { names };
    let mut missing = 0;
    for name in peer_names(names, &setting.user_peers)? {
        let found = engine::find_peer(&name, &mut setting)?;
        let info = found.info();
        match &info.missing {
            None => unless_closed(print(&format!("{name:<16} {}\n", info.version)))?,
            Some(why) => {
                missing += 1;
                unless_closed(print(&format!("{name:<16} missing: {why}\n")))?;
            }
        }
    }
    Ok(u8::from(missing > 0))
}
