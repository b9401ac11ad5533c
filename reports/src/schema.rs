//! `results.json`: what one comparison measured, and what follows from it.
//!
//! The recorder (`compare`) fills the raw part — machine, engines, cells, control — while it runs,
//! and [`crate::analysis::analyse`] derives `floors`, `gaps` and `geomeans` from it; nothing derived
//! can be written that the raw samples in the same file do not support. The file is versioned: a
//! reader refuses another version by name. Times are nanoseconds and sizes are bytes, and say so in
//! their names.

use crate::stats::Verdict;
use crate::work::Stretch;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Write;
use std::path::Path;

/// The value of the `format` field.
pub const FORMAT: &str = "zwasm-compare-results";
/// The version of the format that this crate writes and reads.
pub const VERSION: u32 = 2;

/// Why a results file cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file concerned.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not JSON of this shape.
    #[error("{path}: not a results file: {reason}")]
    Malformed {
        /// The file concerned.
        path: String,
        /// Where and why it does not parse.
        reason: String,
    },
    /// The file is of another version of the format.
    #[error("{path}: results format version {found}, this program reads version {reads}")]
    Version {
        /// The file concerned.
        path: String,
        /// The version that the file names.
        found: u64,
        /// The version that can be read.
        reads: u32,
    },
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// False when the run was interrupted: what is here is valid, but not everything was measured.
    pub complete: bool,
    /// How much was measured.
    pub profile: Profile,
    /// Start of the run, seconds since 1970 (UTC).
    pub started_unix_s: u64,
    /// Time spent measuring, over all sittings of a resumed run.
    pub duration_s: f64,
    /// The commit of zwasm.
    pub commit: Commit,
    /// The machine.
    pub machine: Machine,
    /// The corpus.
    pub corpus: CorpusInfo,
    /// Every tier and peer asked for, missing ones too.
    pub engines: Vec<EngineInfo>,
    /// Every workload selected.
    pub workloads: Vec<WorkloadInfo>,
    /// One cell per workload × engine that could be started, with its raw samples.
    pub cells: Vec<Cell>,
    /// Steps of engines that were alive together: what steady iterations are judged by, where an
    /// engine takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generations: Vec<Generation>,
    /// A/A pairs: the same engine measured as if it were two.
    pub control: Vec<ControlPair>,
    /// The noise floor of each metric, derived from `control`.
    #[serde(default)]
    pub floors: Vec<Floor>,
    /// One row per tier × peer × workload × metric, derived from `cells`.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// One row per tier × peer × metric, derived from `gaps`.
    #[serde(default)]
    pub geomeans: Vec<Geomean>,
    /// One row per tier × peer × amount of work, derived from `cells`.
    #[serde(default)]
    pub work: Vec<WorkMean>,
    /// What a reader must know: degraded sampling, provisioning, problems.
    pub notes: Vec<String>,
}

/// How much a run measures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// `quick`, `standard` or `full`.
    pub name: String,
    /// Blocks of the first stage.
    pub blocks: u32,
    /// Fresh blocks for rows that came out *slower*.
    pub fresh_blocks: u32,
    /// Aimed-at in-guest time of one process, milliseconds.
    pub sample_ms: u64,
    /// The run ends within about this many seconds; `None` without a limit.
    pub budget_s: Option<u64>,
    /// How engines take steps together; `None` for jobs, which have no iterations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
}

/// How engines that are alive together take steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Aimed-at length of a step, nanoseconds: short kernels run several times in it.
    pub step_ns: u64,
    /// Steps before the first round, for engines that make better code while they run, nanoseconds.
    pub warm_up_ns: u64,
    /// Rounds per generation: in a random order of the engines, and back.
    pub rounds: u32,
    /// After this many nanoseconds a generation has no further round.
    pub limit_ns: u64,
}

/// A commit of zwasm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The full hash, or empty outside a checkout.
    pub hash: String,
    /// Whether tracked files differed from it.
    pub dirty: bool,
}

/// The machine and its state before and after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// CPU model as the kernel names it.
    pub cpu: String,
    /// Instruction set, e.g. `x86_64`.
    pub isa: String,
    /// Cores available to us.
    pub cores: u32,
    /// Frequency governor, or empty when the kernel shows none (virtual machines).
    pub governor: String,
    /// Kernel name and version.
    pub kernel: String,
    /// Total memory.
    pub memory_bytes: u64,
    /// 1-minute load average before the run.
    pub load_before: f64,
    /// 1-minute load average after the run.
    pub load_after: f64,
    /// Share of CPU time stolen by the hypervisor during the run, 0–1.
    pub steal: f64,
    /// Involuntary context switches of all measured processes together.
    pub involuntary_switches: u64,
    /// Where counters come from: `hardware`, `callgrind` or `rusage`.
    pub counters: String,
}

/// Which corpus was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorpusInfo {
    /// SHA-256 over the corpus manifest and modules.
    pub checksum: String,
    /// How workloads were selected, e.g. `all` or a pattern.
    pub selection: String,
}

/// Whether an engine is under test or compared against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// A tier of zwasm.
    Tier,
    /// Anything else.
    Peer,
}

/// A tier or peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// Short name as on the command line, e.g. `interp` or `wasmtime-winch`.
    pub id: String,
    /// Tier or peer.
    pub kind: EngineKind,
    /// What it is, in words.
    pub title: String,
    /// First line of `--version`, or empty.
    pub version: String,
    /// SHA-256 of the binary, or empty where there is none (native twins).
    pub sha256: String,
    /// Why it could not be had; `None` when it ran.
    pub missing: Option<String>,
    /// The command that runs a workload, or what builds it, with all flags; paths without their folders.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub flags: String,
    /// Who chose these flags, and why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chosen: String,
    /// Of another build of zwasm: the tier that it is compared with, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<String>,
}

impl EngineInfo {
    /// An engine that is there.
    #[must_use]
    pub fn new(id: &str, kind: EngineKind, title: &str) -> EngineInfo {
        EngineInfo {
            id: id.to_owned(),
            kind,
            title: title.to_owned(),
            version: String::new(),
            sha256: String::new(),
            missing: None,
            flags: String::new(),
            chosen: String::new(),
            counterpart: None,
        }
    }

    /// Whether a tier is compared with this peer.
    #[must_use]
    pub fn is_peer_of(&self, tier: &EngineInfo) -> bool {
        self.counterpart.as_ref().is_none_or(|own| *own == tier.id)
    }
}

/// A workload of the corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadInfo {
    /// Name in the manifest.
    pub id: String,
    /// Category in the manifest.
    pub category: String,
    /// One line.
    pub description: String,
    /// Language of the source.
    pub language: String,
    /// Whether it is a start-up case: its kernel is trivial, so steady iterations mean nothing.
    pub startup: bool,
    /// Size of the module.
    pub wasm_bytes: u64,
    /// Which of the manifest's sizes was measured, `small` or `standard`; empty before calibration.
    pub size: String,
    /// For a published module of suite `real`: it has one job and no kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobInfo>,
}

/// Where a published module comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInfo {
    /// Package and version.
    pub package: String,
    /// SPDX licence expression.
    pub licence: String,
    /// SHA-256 of the module.
    pub sha256: String,
    /// Size of the module's code section.
    pub code_section_bytes: u64,
}

/// What became of one workload under one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub enum CellStatus {
    /// Not measured yet (only in partial results).
    Pending,
    /// Ran, and every output was right.
    Ok,
    /// The engine does not support a feature that the module needs.
    Unsupported(String),
    /// It printed something else than the manifest says.
    WrongOutput(String),
    /// It failed: exit code, trap or signal.
    Crash(String),
    /// It did not end in time and was killed.
    Timeout(String),
}

impl CellStatus {
    /// One or two words for tables.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            CellStatus::Pending => "pending",
            CellStatus::Ok => "ok",
            CellStatus::Unsupported(_) => "unsupported",
            CellStatus::WrongOutput(_) => "wrong output",
            CellStatus::Crash(_) => "crash",
            CellStatus::Timeout(_) => "timeout",
        }
    }

    /// The reason of a failure, or the empty string.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            CellStatus::Pending | CellStatus::Ok => "",
            CellStatus::Unsupported(why)
            | CellStatus::WrongOutput(why)
            | CellStatus::Crash(why)
            | CellStatus::Timeout(why) => why,
        }
    }
}

/// One workload under one engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Workload id.
    pub workload: String,
    /// Engine id.
    pub engine: String,
    /// What became of it.
    pub status: CellStatus,
    /// Kernel iterations per process, from calibration.
    pub iterations: u32,
    /// What calibration measured, once; not used for any verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Phases from the engine's own report, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<Phases>,
    /// Machine code (or bytecode) of the whole module, where the engine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_bytes: Option<u64>,
    /// Instructions per iteration at the small size, where the profile counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<f64>,
    /// Why this engine takes no steps beside the others on this workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<String>,
    /// Raw samples.
    pub samples: Vec<Sample>,
}

impl Cell {
    /// A cell with nothing measured.
    #[must_use]
    pub fn of(workload: &str, engine: &str, status: CellStatus) -> Cell {
        Cell {
            workload: workload.to_owned(),
            engine: engine.to_owned(),
            status,
            iterations: 0,
            calibration: None,
            phases: None,
            code_bytes: None,
            instructions: None,
            alone: None,
            samples: Vec::new(),
        }
    }
}

/// First, rough figures of a cell, by which the run is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// One iteration at the small size.
    pub small_iter_ns: u64,
    /// One iteration at the measured size (estimated where that is not the small one).
    pub iter_ns: u64,
    /// One iteration at the standard size, estimated; 0 where nobody looked.
    #[serde(default)]
    pub standard_iter_ns: u64,
    /// Wall time of a plain run at the small size.
    pub first_result_ns: u64,
    /// Wall time of compilation; 0 where it is not measured by a process of its own. For jobs,
    /// validation and compilation of the whole module.
    pub compile_ns: u64,
}

/// Phases of one run as the engine reports them itself (`--stats=json`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Phases {
    /// Decoding and validation.
    pub load_ns: u64,
    /// Making code: before the start where `eager`, else during instantiation and run.
    pub compile_ns: u64,
    /// Whether code was made before the start.
    #[serde(skip_serializing_if = "is_false")]
    pub eager: bool,
    /// Instantiation.
    pub instantiate_ns: u64,
    /// The guest's run, lazy translation included.
    pub run_ns: u64,
    /// Code produced.
    pub code_bytes: u64,
    /// Size of the module.
    pub wasm_bytes: u64,
    /// Functions translated.
    pub functions_compiled: u64,
    /// Passes of the optimizing tier in their order, over all functions and threads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<PassTime>,
    /// The functions that took longest to compile, [`COSTLIEST_MAX`] at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub costliest: Vec<FunctionTime>,
}

/// Functions kept of those that took longest to compile.
pub const COSTLIEST_MAX: usize = 8;

/// What a pass of the optimizing tier took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassTime {
    /// As `zwasm explore --dump` knows it.
    pub name: String,
    /// Of all its runs.
    pub time_ns: u64,
}

/// What a function took to compile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionTime {
    /// Among all functions of the module.
    pub index: u32,
    /// Its own name, where the module has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of all its code, in one thread.
    pub compile_ns: u64,
    /// Of its machine code.
    pub code_bytes: u64,
}

/// One visit of an engine within a block: up to four processes, one per metric.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Which block.
    pub block: u32,
    /// Whether the block belongs to the second stage.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fresh: bool,
    /// Every iteration of the kernel, as timed in the guest.
    pub iter_ns: Vec<u64>,
    /// Wall time of the process that ran them.
    pub wall_ns: u64,
    /// Its user CPU time.
    pub user_ns: u64,
    /// Its system CPU time.
    pub system_ns: u64,
    /// Its peak resident set.
    pub peak_rss_bytes: u64,
    /// Its involuntary context switches.
    pub involuntary_switches: u64,
    /// Wall time of a process with the same module and no work (`bench 0`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup_ns: Option<u64>,
    /// Time from spawn to the first byte of output: of a plain run at the small size; for jobs, of
    /// the process itself (its end, where it prints nothing).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_result_ns: Option<u64>,
    /// Compilation of the whole module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compile_ns: Option<u64>,
    /// A cold process from spawn to exit: a plain run at the standard size; a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_ns: Option<u64>,
}

/// One generation of processes on one workload: all alive together, a step of one after the other, so
/// that they share whatever the machine's clock does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Workload id.
    pub workload: String,
    /// Which generation.
    pub number: u32,
    /// Whether it belongs to the second stage.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fresh: bool,
    /// The processes.
    pub players: Vec<Player>,
}

/// One process of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Player {
    /// Engine id.
    pub engine: String,
    /// Whether it is the second process of its engine, for the A/A control.
    #[serde(default, skip_serializing_if = "is_false")]
    pub twin: bool,
    /// Kernels per step.
    pub kernels: u32,
    /// Every step as timed in the guest, two per round: one on the way through all processes, one on the
    /// way back.
    pub steps_ns: Vec<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// A/A blocks of one workload under one engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlPair {
    /// Workload id.
    pub workload: String,
    /// Engine id.
    pub engine: String,
    /// Samples of the engine in the role of zwasm.
    pub a: Vec<Sample>,
    /// Samples of the same engine in the role of the peer.
    pub b: Vec<Sample>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Median iteration after warm-up, timed in the guest.
    Steady,
    /// Spawn to first byte of output, small size.
    FirstResult,
    /// The same module with no work.
    Setup,
    /// Compilation of the whole module.
    Compile,
    /// A whole cold process, from spawn to exit: a plain run at the standard size, or a job.
    Total,
    /// Peak resident set of the process that ran the iterations.
    PeakRss,
}

impl Metric {
    /// Every metric, in the order of reports.
    pub const ALL: [Metric; 6] = [
        Metric::Steady,
        Metric::FirstResult,
        Metric::Setup,
        Metric::Compile,
        Metric::Total,
        Metric::PeakRss,
    ];

    /// The name in files.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Metric::Steady => "steady",
            Metric::FirstResult => "first_result",
            Metric::Setup => "setup",
            Metric::Compile => "compile",
            Metric::Total => "total",
            Metric::PeakRss => "peak_rss",
        }
    }

    /// The name in sentences.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Metric::Steady => "steady iteration",
            Metric::FirstResult => "first result",
            Metric::Setup => "setup",
            Metric::Compile => "compile",
            Metric::Total => "total time",
            Metric::PeakRss => "peak memory",
        }
    }

    /// What is taken: "zwasm takes 0.82× wasmtime's *time*".
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Metric::Steady => "time",
            Metric::FirstResult => "time to first result",
            Metric::Setup => "setup time",
            Metric::Compile => "compile time",
            Metric::Total => "total time",
            Metric::PeakRss => "peak memory",
        }
    }

    /// The sample's value for this metric: nanoseconds or bytes, positive, or `None`.
    #[must_use]
    pub fn of(self, sample: &Sample) -> Option<f64> {
        let value = match self {
            Metric::Steady => return crate::stats::steady_ns(&sample.iter_ns).filter(|&v| v > 0.0),
            Metric::FirstResult => sample.first_result_ns,
            Metric::Setup => sample.setup_ns,
            Metric::Compile => sample.compile_ns,
            Metric::Total => sample.total_ns,
            Metric::PeakRss => Some(sample.peak_rss_bytes),
        };
        value.filter(|&v| v > 0).map(|v| v as f64)
    }
}

impl WorkloadInfo {
    /// Whether a metric is worth comparing on this workload.
    #[must_use]
    pub fn compares(&self, metric: Metric) -> bool {
        match metric {
            Metric::Steady => !self.startup && self.job.is_none(),
            Metric::Setup | Metric::Compile => self.job.is_none(),
            Metric::FirstResult | Metric::PeakRss | Metric::Total => true,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// The noise floor of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// Which metric.
    pub metric: Metric,
    /// F as a log gap; 0.02 is 2 %.
    pub floor: f64,
    /// A/A blocks behind it.
    pub n: usize,
    /// Median A/A ratio; 1 when nothing is wrong.
    pub ratio: f64,
    /// Lower end of its interval.
    pub lo: Option<f64>,
    /// Upper end of its interval.
    pub hi: Option<f64>,
    /// Whether the control failed: verdicts on this metric are advisory.
    pub failed: bool,
}

/// One row: zwasm ÷ peer on one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Peer id.
    pub peer: String,
    /// Tier of zwasm.
    pub tier: String,
    /// Workload id.
    pub workload: String,
    /// Workload category.
    pub category: String,
    /// What is compared.
    pub metric: Metric,
    /// zwasm ÷ peer; below 1 zwasm takes less.
    pub ratio: f64,
    /// Lower end of the interval, `None` (unbounded) below six blocks.
    pub lo: Option<f64>,
    /// Upper end of the interval, `None` (unbounded) below six blocks.
    pub hi: Option<f64>,
    /// Blocks.
    pub n: usize,
    /// What the row may claim.
    pub verdict: Verdict,
    /// 2 when the blocks are fresh ones of the second stage.
    pub stage: u8,
    /// For *unsure*: about how many blocks would settle it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_needed: Option<u64>,
    /// For steps taken together: how far they spread, and then `n` counts generations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
}

/// Where the differences between two engines' steps come from. Both are half-widths of ln(zwasm ÷ peer);
/// 0.02 is 2 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Of the rounds within a generation, half of their interquartile range; the median over generations.
    pub within: f64,
    /// Of the generations, half of their range: what memory layout and the placing of code do.
    pub between: f64,
}

/// The geometric mean over the workloads that both engines ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Geomean {
    /// Peer id.
    pub peer: String,
    /// Tier of zwasm.
    pub tier: String,
    /// What is compared.
    pub metric: Metric,
    /// Geometric mean of zwasm ÷ peer.
    pub ratio: f64,
    /// Lower end of the interval from resampling blocks.
    pub lo: f64,
    /// Upper end of the interval from resampling blocks.
    pub hi: f64,
    /// Smallest number of blocks behind a row.
    pub n: usize,
    /// Workloads that both engines ran.
    pub covered: usize,
    /// Workloads selected for which the metric means something.
    pub total: usize,
    /// The workloads not covered.
    pub missing: Vec<String>,
    /// Geometric mean of the categories' geometric means.
    pub balanced: f64,
    /// The three rows with the greatest ratio, worst first.
    pub worst: Vec<Worst>,
}

/// One of the worst rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Workload id.
    pub workload: String,
    /// zwasm ÷ peer.
    pub ratio: f64,
}

/// Whole processes: the geometric mean over the workloads that both engines ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkMean {
    /// Peer id.
    pub peer: String,
    /// Tier of zwasm.
    pub tier: String,
    /// How far the processes are followed.
    pub stretch: Stretch,
    /// Geometric mean of zwasm ÷ peer.
    pub ratio: f64,
    /// Lower end of the interval from resampling blocks.
    pub lo: f64,
    /// Upper end of the interval from resampling blocks.
    pub hi: f64,
    /// Smallest number of blocks behind a row.
    pub n: usize,
    /// Workloads that both engines ran.
    pub covered: usize,
}

impl Results {
    /// Reads a results file.
    ///
    /// # Errors
    /// [`ResultsError`]: unreadable, not a results file, or of another version.
    pub fn load(path: &Path) -> Result<Results, ResultsError> {
        read_versioned(path, FORMAT, VERSION)
    }

    /// Reads results from JSON text; `name` is used in errors.
    ///
    /// # Errors
    /// [`ResultsError`]: not a results file, or of another version.
    pub fn parse(text: &str, name: &str) -> Result<Results, ResultsError> {
        parse_versioned(text, name, FORMAT, VERSION)
    }

    /// The file's text.
    ///
    /// # Panics
    /// Never: every field is representable in JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_line(self)
    }

    /// Writes `results.json` so that the path holds either the old file or the whole new one.
    ///
    /// # Errors
    /// [`ResultsError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), ResultsError> {
        write_whole(path, self.to_json().as_bytes())
    }

    /// The cell of a workload under an engine.
    #[must_use]
    pub fn cell(&self, workload: &str, engine: &str) -> Option<&Cell> {
        self.cells
            .iter()
            .find(|c| c.workload == workload && c.engine == engine)
    }

    /// The same, to be changed.
    pub fn cell_mut(&mut self, workload: &str, engine: &str) -> Option<&mut Cell> {
        self.cells
            .iter_mut()
            .find(|c| c.workload == workload && c.engine == engine)
    }

    /// The engines of one kind that ran.
    pub fn engines_of(&self, kind: EngineKind) -> impl Iterator<Item = &EngineInfo> {
        self.engines
            .iter()
            .filter(move |e| e.kind == kind && e.missing.is_none())
    }

    /// Whether zwasm was compared with another build of itself.
    #[must_use]
    pub fn is_of_builds(&self) -> bool {
        self.engines_of(EngineKind::Peer)
            .any(|engine| engine.counterpart.is_some())
    }

    /// The rows in which something moved: slower, faster, larger or smaller by a metric whose control
    /// passed; in the order of metrics, and in each the largest first.
    #[must_use]
    pub fn moved(&self) -> Vec<&Gap> {
        let failed = |metric| self.floors.iter().any(|f| f.metric == metric && f.failed);
        let differs = |gap: &&Gap| matches!(gap.verdict, Verdict::Slower | Verdict::Faster);
        let gaps = self.gaps.iter().filter(differs);
        let mut moved: Vec<&Gap> = gaps.filter(|gap| !failed(gap.metric)).collect();
        let size = |gap: &Gap| gap.ratio.ln().abs();
        moved.sort_by(|a, b| (a.metric.cmp(&b.metric)).then(size(b).total_cmp(&size(a))));
        moved
    }

    /// Whether these are jobs of published modules, which have no steady iterations.
    #[must_use]
    pub fn is_jobs(&self) -> bool {
        self.workloads.iter().any(|w| w.job.is_some())
    }

    /// The metric that headlines and charts are about.
    #[must_use]
    pub fn headline(&self) -> Metric {
        if self.is_jobs() {
            Metric::FirstResult
        } else {
            Metric::Steady
        }
    }

    /// The row of a metric of a tier against a peer on a workload.
    #[must_use]
    pub fn gap(&self, workload: &str, tier: &str, peer: &str, metric: Metric) -> Option<&Gap> {
        self.gaps.iter().find(|g| {
            g.metric == metric && g.tier == tier && g.peer == peer && g.workload == workload
        })
    }

    /// The geometric mean of a metric of a tier against a peer.
    #[must_use]
    pub fn geomean(&self, tier: &str, peer: &str, metric: Metric) -> Option<&Geomean> {
        self.geomeans
            .iter()
            .find(|m| m.metric == metric && m.tier == tier && m.peer == peer)
    }

    /// The same of whole processes.
    #[must_use]
    pub fn work_mean(&self, tier: &str, peer: &str, stretch: Stretch) -> Option<&WorkMean> {
        self.work
            .iter()
            .find(|m| m.stretch == stretch && m.tier == tier && m.peer == peer)
    }

    /// The tier that reports lead with.
    pub(crate) fn headline_tier(&self) -> Option<&str> {
        leading_tier(self.headline_means().map(|m| m.tier.as_str()))
    }

    /// The means of the headline metric, a tier × peer each.
    pub(crate) fn headline_means(&self) -> impl Iterator<Item = &Geomean> + Clone {
        let metric = self.headline();
        self.geomeans.iter().filter(move |m| m.metric == metric)
    }

    /// The megabytes of code section per second that an engine validated and compiled, once.
    #[must_use]
    pub fn compile_mb_s(&self, workload: &WorkloadInfo, engine: &str) -> Option<f64> {
        let bytes = workload.job.as_ref()?.code_section_bytes;
        let ns = self.cell(&workload.id, engine)?.calibration?.compile_ns;
        (ns > 0).then(|| bytes as f64 * 1e3 / ns as f64)
    }

    /// The floor of a metric, or the minimum when the control did not measure it.
    #[must_use]
    pub fn floor(&self, metric: Metric) -> f64 {
        self.floors
            .iter()
            .find(|f| f.metric == metric)
            .map_or(crate::stats::FLOOR_MIN, |f| f.floor)
    }
}

/// The tier that reports lead with: the one that is meant for everything, where it ran, else the
/// last one, the fastest by design.
pub(crate) fn leading_tier<'t>(tiers: impl Iterator<Item = &'t str> + Clone) -> Option<&'t str> {
    const FOR_EVERYTHING: &str = "auto";
    let mut found = tiers.clone();
    found
        .find(|&tier| tier == FOR_EVERYTHING)
        .or_else(|| tiers.last())
}

/// Reads a file of this format and version.
pub(crate) fn read_versioned<T: DeserializeOwned>(
    path: &Path,
    format: &str,
    version: u32,
) -> Result<T, ResultsError> {
    let name = path.display().to_string();
    parse_versioned(&read_text(path)?, &name, format, version)
}

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> Result<String, ResultsError> {
    std::fs::read_to_string(path).map_err(|source| ResultsError::Io {
        path: path.display().to_string(),
        source,
    })
}

/// What is said of a file that is not of its shape.
pub(crate) fn malformed(name: &str, reason: impl fmt::Display) -> ResultsError {
    ResultsError::Malformed {
        path: name.to_owned(),
        reason: reason.to_string(),
    }
}

fn parse_versioned<T: DeserializeOwned>(
    text: &str,
    name: &str,
    format: &str,
    version: u32,
) -> Result<T, ResultsError> {
    // The version is looked at first: another version may have another shape.
    let value = parse_value(text, name, format)?;
    match version_of(&value, name)? {
        found if found == u64::from(version) => {}
        found => {
            return Err(ResultsError::Version {
                path: name.to_owned(),
                found,
                reads: version,
            });
        }
    }
    serde_json::from_value(value).map_err(|e| malformed(name, e))
}

/// JSON of this format, whatever its version.
pub(crate) fn parse_value(
    text: &str,
    name: &str,
    format: &str,
) -> Result<serde_json::Value, ResultsError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| malformed(name, e))?;
    if value.get("format").and_then(|v| v.as_str()) != Some(format) {
        return Err(malformed(name, format!("its `format` is not \"{format}\"")));
    }
    Ok(value)
}

/// The version that a file names.
pub(crate) fn version_of(value: &serde_json::Value, name: &str) -> Result<u64, ResultsError> {
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    version.ok_or_else(|| malformed(name, "it has no `version`"))
}

/// The text of a file: one line of JSON.
pub(crate) fn to_line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("plain data");
    text.push('\n');
    text
}

/// Writes a file beside `path` and renames it into place, so that an interrupted or failed write
/// (a full disk, say) never leaves part of a file under the final name.
///
/// # Errors
/// [`ResultsError::Io`]; the temporary file is removed.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ResultsError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = std::fs::File::create(temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(temporary, path));
    written.map_err(|source| {
        let _ = std::fs::remove_file(temporary);
        ResultsError::Io {
            path: path.display().to_string(),
            source,
        }
    })
}
