//! Engines: how each one is started on a module.
//!
//! An [`Adapter`] turns "run this workload with these arguments" into an [`Invocation`]; it runs
//! nothing and measures nothing. Engines that take a module on a command line — all but the native
//! twins — share [`CommandLine`], and each engine's file only says what is particular to it.

mod command_line;
mod compiler;
mod javascript;
mod native;
mod unavailable;
pub(crate) mod user;
mod wasm3;
mod wasmi;
mod wasmtime;
mod zwasm;

pub(crate) use command_line::CommandLine;
pub(crate) use unavailable::UNAVAILABLE;

use crate::builds::Build;
use crate::exec::{Executor, Invocation};
use crate::fail::{Fail, Measured};
use crate::provision::Provisioner;
use anyhow::Result;
use object::{Object, ObjectSection};
use std::path::{Path, PathBuf};
use zwasm_reports::schema::{COSTLIEST_MAX, EngineInfo, EngineKind, Phases};
use zwasm_workloads::Workload;

/// A workload about to run.
pub(crate) struct Job<'a> {
    pub(crate) workload: &'a Workload,
    /// The verified module.
    pub(crate) module: &'a Path,
    /// A folder for what compilation writes.
    pub(crate) scratch: &'a Path,
}

/// One tier or peer, found and identified.
pub(crate) trait Adapter {
    /// Identity for the results file.
    fn info(&self) -> &EngineInfo;

    /// Why the engine cannot run this workload, when that is known beforehand.
    fn unsupported(&self, workload: &Workload) -> Option<String>;

    /// Whether it may make better code while it runs, so that its first iterations tell little.
    fn warms_up(&self) -> bool {
        true
    }

    /// Runs the workload with guest arguments.
    fn run(&self, job: &Job<'_>, args: &[String]) -> Invocation;

    /// Compiles the whole module into `scratch`, for engines that have a command for it.
    fn compile(&self, job: &Job<'_>) -> Option<Compile>;

    /// Where [`Adapter::compile`] leaves the module, for engines that write one.
    fn compiled(&self, _job: &Job<'_>) -> Option<PathBuf> {
        None
    }

    /// Runs the workload so that the engine reports its own phases on stderr.
    fn run_with_phases(&self, job: &Job<'_>, args: &[String]) -> Option<Invocation>;

    /// Machine code bytes of the module as [`Adapter::compile`] left them.
    fn code_bytes(&self, job: &Job<'_>) -> Option<u64>;

    /// Runs a job: options, module and guest arguments as wasmtime spells them. `None` for engines
    /// that are not started this way.
    fn job(&self, _features: &[String], _words: &[String]) -> Option<Invocation> {
        None
    }

    /// Whether it reads modules in the text format.
    fn reads_text(&self) -> bool {
        true
    }

    /// Validates and compiles a whole module, to `out` where a file is made.
    fn job_compile(&self, _features: &[String], _module: &Path, _out: &Path) -> Option<JobCompile> {
        None
    }

    /// Prepares what must exist before the first run of a workload (native twins are built here);
    /// skipped where this workload cannot be had under this engine.
    fn prepare(&self, _job: &Job<'_>, _executor: &mut dyn Executor) -> Measured<()> {
        Ok(())
    }
}

/// How compile time is had.
pub(crate) enum Compile {
    /// Wall time of a command, less that of the same command on an empty module.
    Command {
        whole: Box<Invocation>,
        empty: Box<Invocation>,
    },
    /// `load_ns + compile_ns` of the engine's own phases in this run.
    OwnPhases(Box<Invocation>),
}

/// How a module of a job is compiled.
pub(crate) struct JobCompile {
    pub(crate) invocation: Invocation,
    /// Whether times are in the JSON that it prints; else its wall time counts.
    pub(crate) json: bool,
}

/// What engines are made from.
pub(crate) struct Setting<'a> {
    pub(crate) provisioner: Provisioner<'a>,
    pub(crate) executor: &'a mut dyn Executor,
    /// The `zwasm` binary.
    pub(crate) zwasm: PathBuf,
    /// Peers from the user's file.
    pub(crate) user_peers: Vec<user::UserPeer>,
    /// A module that does nothing, for probes.
    pub(crate) empty_module: PathBuf,
    /// Native twins are built here.
    pub(crate) native_dir: PathBuf,
    /// The corpus, whose sources native twins are built from.
    pub(crate) corpus_dir: PathBuf,
}

/// An engine that was asked for: there, or not and why.
pub(crate) enum Found {
    Ready(Box<dyn Adapter>),
    Missing(EngineInfo),
}

impl Found {
    pub(crate) fn info(&self) -> &EngineInfo {
        match self {
            Found::Ready(adapter) => adapter.info(),
            Found::Missing(info) => info,
        }
    }

    /// The engine.
    ///
    /// # Errors
    /// It is missing.
    pub(crate) fn ready(self) -> Result<Box<dyn Adapter>> {
        match self {
            Found::Ready(adapter) => Ok(adapter),
            Found::Missing(info) => Err(Fail::error(format!(
                "{} is missing: {}",
                info.id,
                info.missing.unwrap_or_default()
            ))),
        }
    }
}

/// Features that modules may need, by the names that workloads give them.
pub(crate) const FEATURES: [&str; 11] = [
    "memory64",
    "multi-memory",
    "tail-call",
    "relaxed-simd",
    "exceptions",
    "threads",
    "gc",
    "function-references",
    "wide-arithmetic",
    "custom-page-sizes",
    "extended-const",
];

/// The tiers that zwasm has or will have; which of them a binary offers is probed.
pub(crate) const TIERS: [&str; 4] = ["interp", "baseline", "auto", "opt"];

/// The peers that are built in.
pub(crate) const PEERS: [&str; 10] = [
    "wasmtime",
    "wasmtime-winch",
    "wasmtime-pulley",
    "node",
    "bun",
    "wasmi",
    "wasm3",
    "native",
    "native-o2",
    "native-o3",
];

/// Finds a tier.
///
/// # Errors
/// Interrupted, or the binary is not zwasm. A tier that this build lacks is [`Found::Missing`].
pub(crate) fn find_tier(tier: &str, setting: &mut Setting<'_>) -> Result<Found> {
    zwasm::find(tier, None, setting)
}

/// Finds a tier of another build of zwasm, which is compared with the same one of this build.
///
/// # Errors
/// The same.
pub(crate) fn find_tier_of(build: &Build, tier: &str, setting: &mut Setting<'_>) -> Result<Found> {
    zwasm::find(tier, Some(build), setting)
}

/// Finds, or has installed, a peer by its name on the command line.
///
/// # Errors
/// Interrupted, an unknown name, or a binary that is not what it claims to be.
pub(crate) fn find_peer(name: &str, setting: &mut Setting<'_>) -> Result<Found> {
    if let Some(peer) = setting.user_peers.iter().find(|p| p.name == name).cloned() {
        return user::find(&peer, setting);
    }
    match name {
        "wasmtime" | "wasmtime-winch" | "wasmtime-pulley" => wasmtime::find(name, setting),
        "node" | "bun" => javascript::find(name, setting),
        "wasmi" => wasmi::find(setting),
        "wasm3" => wasm3::find(setting),
        "native" | "native-o2" | "native-o3" => native::find(name, setting),
        _ => Err(unknown_peer(name, &setting.user_peers)),
    }
}

/// wasmtime's binary for ARM64, of the same release as the peer.
///
/// # Errors
/// Interrupted, or it cannot be had.
pub(crate) fn arm64_wasmtime(setting: &mut Setting<'_>) -> Result<PathBuf> {
    wasmtime::arm64(setting)
}

/// The error for a peer nobody defined.
pub(crate) fn unknown_peer(name: &str, user_peers: &[user::UserPeer]) -> anyhow::Error {
    if let Some(why) = unavailable::why(name) {
        return Fail::usage(format!(
            "engine `{name}` cannot be had: {why} (a binary of yours: --peers FILE)"
        ));
    }
    let mut known: Vec<&str> = PEERS.to_vec();
    known.extend(user_peers.iter().map(|p| p.name.as_str()));
    Fail::usage(format!(
        "unknown engine `{name}`; known: {} (others: --peers FILE)",
        known.join(", ")
    ))
}

/// An engine that cannot be had.
pub(crate) fn missing(id: &str, kind: EngineKind, title: &str, why: String) -> Found {
    Found::Missing(EngineInfo {
        missing: Some(why),
        ..EngineInfo::new(id, kind, title)
    })
}

/// Reads the phases that `--stats=json` prints as the last line on stderr. Unknown fields are
/// ignored and absent ones are 0, so that older and newer binaries both work.
pub(crate) fn parse_phases(stderr: &str) -> Option<Phases> {
    let line = stderr
        .lines()
        .rev()
        .find(|l| l.trim_start().starts_with('{'))?;
    let mut phases: Phases = serde_json::from_str(line.trim()).ok()?;
    phases.costliest.truncate(COSTLIEST_MAX);
    Some(phases)
}

/// The size of `.text` in an ELF file, as `wasmtime compile` and native builds write; `None` for
/// anything else.
pub(crate) fn elf_text_bytes(file: &[u8]) -> Option<u64> {
    let elf = object::File::parse(file).ok()?;
    Some(elf.section_by_name(".text")?.size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_read_tolerantly() {
        let phases =
            parse_phases("a warning\n{\"load_ns\": 5, \"compile_ns\": 7, \"new_field\": true}\n")
                .unwrap();
        assert_eq!(
            (phases.load_ns, phases.compile_ns, phases.run_ns),
            (5, 7, 0)
        );
        assert_eq!(parse_phases("no json here"), None);
        let function = "{\"index\": 3, \"compile_ns\": 2, \"code_bytes\": 9}";
        let many = vec![function; 100].join(",");
        let text = format!(
            "{{\"passes\":[{{\"name\":\"p\",\"runs\":1,\"time_ns\":4}}],\"costliest\":[{many}]}}"
        );
        let phases = parse_phases(&text).unwrap();
        assert_eq!(
            (phases.passes[0].time_ns, phases.costliest[0].index),
            (4, 3)
        );
        assert_eq!(phases.costliest.len(), COSTLIEST_MAX);
    }

    #[test]
    fn text_size_of_garbage_is_none() {
        assert_eq!(elf_text_bytes(b""), None);
        assert_eq!(elf_text_bytes(b"\x7fELF\x02\x01"), None);
        assert_eq!(elf_text_bytes(&[0xff; 100]), None);
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        if cfg!(all(target_os = "linux", target_pointer_width = "64")) {
            assert!(elf_text_bytes(&own).unwrap() > 10_000);
        }
    }
}
