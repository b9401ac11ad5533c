//! What a run is made with: folders, corpus, engines.

use crate::builds::{self, Named};
use crate::cli::{Places, RunArgs};
use crate::engine::{self, Adapter, Found, Job, PEERS, Setting, TIERS, UNAVAILABLE, user};
use crate::exec::{Executor, Launcher};
use crate::fail::Fail;
use crate::folders::{build_dir, checkout, scratch_dir};
use crate::provision::Provisioner;
use crate::select::own_suite;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use zwasm_reports::schema::{EngineInfo, EngineKind, write_whole};
use zwasm_terminal::{print, say, unless_closed};
use zwasm_workloads::{Corpus, Workload};

/// `(module (func (export "_start")))`
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\
    \x07\x0a\x01\x06_start\0\0\x0a\x04\x01\x02\0\x0b";

/// The corpus that the command line means, or the suite of its own that this is.
pub(crate) fn load_corpus(places: &Places, suite: Option<&str>) -> Result<Corpus> {
    let corpus = match &places.corpus {
        Some(dir) => Corpus::load_from(dir),
        None => Corpus::load(),
    };
    let corpus = corpus.and_then(|corpus| match suite.and_then(own_suite) {
        Some(suite) => corpus.load_suite(suite),
        None => Ok(corpus),
    });
    corpus.map_err(|e| Fail::error(format!("corpus: {e}")))
}

/// A workload with its verified module.
pub(crate) struct Selected<'c> {
    pub(crate) workload: &'c Workload,
    pub(crate) module: PathBuf,
}

impl Selected<'_> {
    /// To be run with this folder for what compilation writes.
    pub(crate) fn job<'j>(&'j self, scratch: &'j Path) -> Job<'j> {
        Job {
            workload: self.workload,
            module: &self.module,
            scratch,
        }
    }
}

/// The modules of workloads, each checked against the manifest's checksum.
pub(crate) fn verified<'c>(
    corpus: &Corpus,
    workloads: &[&'c Workload],
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
    if !under_cargo {
        return Ok(std::env::current_exe()?.with_file_name("zwasm"));
    }
    say("building the zwasm command");
    builds::build(checkout(), build, |_| ())
}

/// Where things are found, for a comparison with these engines.
pub(crate) fn places_for(
    places: &Places,
    against: &[String],
    say: &dyn Fn(&str),
) -> Result<Places> {
    let mut places = places.clone();
    if places.zwasm.is_none() && builds::is_with_revision(against) {
        places.zwasm = Some(builds::own(say)?);
    }
    Ok(places)
}

/// The tiers of two builds that are compared unless others are asked for: a process of each takes part twice.
const BUILD_TIERS: [&str; 2] = ["baseline", "opt"];

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
        if Named::parse(name).is_some() {
            continue;
        }
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

/// Finds the engines asked for: tiers first, then those of other builds, then peers.
fn find_engines(
    args: &RunArgs,
    setting: &mut Setting<'_>,
    say: &dyn Fn(&str),
) -> Result<Vec<Found>> {
    let mut tiers = tier_names(&args.tiers)?;
    let is_with_build = args.against.iter().any(|name| Named::parse(name).is_some());
    if args.tiers.is_empty() && is_with_build {
        tiers.retain(|tier| BUILD_TIERS.contains(&tier.as_str()));
    }
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
    for build in args.against.iter().filter_map(|name| Named::parse(name)) {
        let build = build.have(say)?;
        let ready = engines.iter().filter(|e| matches!(e, Found::Ready(_)));
        let tiers: Vec<String> = ready.map(|e| e.info().id.clone()).collect();
        for tier in tiers.iter().filter(|tier| TIERS.contains(&tier.as_str())) {
            engines.push(engine::find_tier_of(&build, tier, setting)?);
        }
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
    for found in find_engines(args, setting, say)? {
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
    let mut peers = infos
        .iter()
        .filter(|e| e.kind == EngineKind::Peer)
        .peekable();
    if peers.peek().is_some() && peers.all(|e| e.missing.is_some()) {
        return Err(Fail::error(
            "there is nothing to compare with: every engine asked for is missing",
        ));
    }
    Ok((infos, engines))
}

/// `compare peers`: lists peers, installing what is missing, and those that cannot be had.
pub(crate) fn peers(names: &[String], places: &Places) -> Result<u8> {
    let mut launcher = Launcher::start()?;
    let corpus_dir = places.corpus.clone().unwrap_or_default();
    let mut setting = setting(places, &corpus_dir, &mut launcher, &say)?;
    let all = ["all".to_owned()];
    let is_all = names.is_empty();
    let names = if is_all { &all } else { names };
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
    for (name, why) in UNAVAILABLE.iter().filter(|_| is_all) {
        unless_closed(print(&format!("{name:<16} cannot be had: {why}\n")))?;
    }
    Ok(u8::from(missing > 0))
}
