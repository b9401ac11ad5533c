//! `compare FILE.wasm -- ARGS…`: a module of the user's own, run as a whole by each engine.
//!
//! It need not know the bench protocol, so what is measured is what a user waits for: first output, the
//! whole run, memory, and compilation. What is right nobody knows beforehand: the first peer runs it
//! twice, and what it prints both times, all must print. Where it does not print the same, only
//! exit codes are compared.

use super::fetch::Had;
use super::job::Ready;
use super::{info, measure, processes};
use crate::cli::RunArgs;
use crate::engine::{Adapter, FEATURES};
use crate::exec::{Exit, Launcher, Outcome};
use crate::fail::{Fail, OrSkip};
use crate::folders::scratch_dir;
use crate::progress::Bar;
use crate::provision::sha256_of;
use crate::runner::Processes;
use crate::{results, setting};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use zwasm_reports::schema::{CorpusInfo, EngineKind, write_whole};
use zwasm_workloads::real::{RealJob, RealModule};

/// Said where outputs differ from run to run.
const NOT_COMPARED: &str = "the module prints something else each time: outputs were not compared";

/// Measures and writes the report.
pub(crate) fn compare_own(args: &RunArgs) -> Result<u8> {
    let Some(path) = &args.module else {
        return Err(Fail::usage("name a module"));
    };
    if args.against.is_empty() {
        return Err(Fail::usage(
            "name an engine to compare with, e.g. `compare app.wasm --against wasmtime`",
        ));
    }
    let mut launcher = Launcher::start()?;
    let scratch = scratch_dir();
    std::fs::create_dir_all(&scratch)
        .with_context(|| format!("cannot create {}", scratch.display()))?;
    let (module, bytes) = binary(path, &scratch)?;
    let had = || Had {
        module: module.clone(),
        package: scratch.clone(),
    };
    let mut described = describe(path, &bytes, args)?;
    let bar = Bar::new();
    let say = |line: &str| bar.line(line);
    let places = setting::places_for(&args.places, &args.against, &say)?;
    let mut setting = setting::setting(&places, Path::new(""), &mut launcher, &say)?;
    let (infos, engines) = setting::have_engines(args, &mut setting, &say)?;

    let here = std::env::current_dir().context("the current folder")?;
    let probe = Ready::own(&described, had(), &here)?;
    let expected = expected(&probe, &engines, processes(args, &mut launcher))?;
    drop(probe);
    let is_compared = expected.stdout_sha256.is_some();
    described.job.exit = expected.exit;
    described.job.stdout_sha256 = expected.stdout_sha256.unwrap_or_default();
    let ready = [Ready::own(&described, had(), &here)?];
    let out = setting::out_dir(args)?;
    let corpus = CorpusInfo {
        checksum: described.sha256.clone(),
        selection: described.file.clone(),
    };
    let workloads = vec![info(&ready[0], &described.file)];
    let mut fresh = results::skeleton(args, corpus, workloads, infos);
    fresh.profile.pace = None;
    if !is_compared {
        fresh.notes.push(NOT_COMPARED.to_owned());
    }
    measure(args, &out, fresh, &ready, &engines, &mut launcher, &bar)
}

/// The module as a binary, and where it is: a text is assembled.
fn binary(path: &Path, scratch: &Path) -> Result<(PathBuf, Vec<u8>)> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|e| Fail::usage(format!("{name}: {e}")))?;
    if bytes.starts_with(b"\0asm") {
        return Ok((std::path::absolute(path)?, bytes));
    }
    let text = wat::parse_bytes(&bytes).map_err(|e| {
        let why = e.to_string();
        let line = why.lines().next().unwrap_or_default().to_owned();
        Fail::usage(format!("{name}: neither a module nor its text: {line}"))
    })?;
    let assembled = scratch.join("own.wasm");
    write_whole(&assembled, &text)?;
    Ok((assembled, text.into_owned()))
}

/// The module and its job, without what it must give.
fn describe(path: &Path, bytes: &[u8], args: &RunArgs) -> Result<RealModule> {
    let guest = &args.guest;
    let mut dirs = Vec::new();
    for dir in &guest.dirs {
        let (host, seen) = dir.split_once("::").unwrap_or((dir, dir));
        if !Path::new(host).is_dir() {
            return Err(Fail::usage(format!("--dir: there is no directory {host}")));
        }
        dirs.push((host.to_owned(), seen.to_owned()));
    }
    let variable = |word: &String| {
        let split = word.split_once('=');
        let split = split.map(|(name, value)| (name.to_owned(), value.to_owned()));
        split.ok_or_else(|| Fail::usage(format!("--env: `{word}` is not NAME=VALUE")))
    };
    if let Some(stdin) = guest.stdin.as_ref().filter(|file| !file.is_file()) {
        return Err(Fail::usage(format!(
            "--stdin: there is no file {}",
            stdin.display()
        )));
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let id = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(RealModule {
        id: id.into_owned(),
        package: String::new(),
        file: file.into_owned(),
        folders: Vec::new(),
        bytes: bytes.len() as u64,
        sha256: sha256_of(bytes),
        edit: None,
        licence: "of its owner".to_owned(),
        language: "unknown".to_owned(),
        features: FEATURES.map(str::to_owned).to_vec(),
        description: "a module of the user's own".to_owned(),
        emulated: false,
        job: RealJob {
            main: None,
            preload: Vec::new(),
            dirs,
            env: guest.env.iter().map(variable).collect::<Result<_>>()?,
            invoke: None,
            args: guest.args.clone(),
            stdin: guest.stdin.as_ref().map(|file| file.display().to_string()),
            exit: 0,
            stdout_sha256: String::new(),
            files: Default::default(),
        },
    })
}

/// What every engine must give.
struct Expected {
    exit: i32,
    /// Nothing where the output is another one each time.
    stdout_sha256: Option<String>,
}

/// What the first peer gives, else the first engine.
fn expected(
    probe: &Ready<'_>,
    engines: &[Box<dyn Adapter>],
    mut processes: Processes<'_>,
) -> Result<Expected> {
    let mut peers = engines.iter().filter(|e| e.info().kind == EngineKind::Peer);
    let Some(reference) = peers.next().or(engines.first()) else {
        return Err(Fail::error("there is no engine"));
    };
    let mut run = || -> Result<Outcome> {
        let mut why = None;
        let outcome = probe
            .outcome(reference.as_ref(), &mut processes)
            .or_skip(|status| why = Some(status))?;
        let reason = || why.map(|it| it.reason().to_owned()).unwrap_or_default();
        outcome.ok_or_else(|| Fail::error(format!("{}: {}", reference.info().id, reason())))
    };
    let (first, second) = (run()?, run()?);
    let Exit::Code(exit) = first.exit else {
        let said = first.stderr.lines().next().unwrap_or_default();
        return Err(Fail::error(format!(
            "{} does not run it: {:?} {said}",
            reference.info().id,
            first.exit
        )));
    };
    let is_same = first.stdout == second.stdout && first.exit == second.exit;
    Ok(Expected {
        exit,
        stdout_sha256: is_same.then(|| sha256_of(first.stdout.as_bytes())),
    })
}
