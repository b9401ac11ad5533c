//! The command line of `compare`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use zwasm_reports::schema::{Pace, Profile};

/// Measures zwasm's tiers against other engines on one corpus of workloads.
#[derive(Debug, Parser)]
#[command(name = "compare", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Renders the page, table and CSV of a results file again.
    Report {
        /// A results.json.
        results: PathBuf,
        /// Where to write.
        #[arg(short, long = "out", value_name = "DIR")]
        out: PathBuf,
        /// Folders of records that the run is shown beside [default: the checkout's].
        #[arg(long = "history", value_name = "DIR")]
        dirs: Vec<PathBuf>,
    },
    /// Adds a results file to the history in the checkout, one small file per record.
    Record {
        /// A results.json of a complete run.
        results: PathBuf,
        /// What changed, in one line.
        #[arg(short, long, default_value = "")]
        message: String,
        /// The history folder.
        #[arg(long, value_name = "DIR")]
        history: Option<PathBuf>,
    },
    /// Writes history.html: every recorded metric, tier and workload over commits, and any two runs compared.
    History {
        /// Where to write.
        #[arg(short, long = "out", value_name = "DIR")]
        out: PathBuf,
        /// Folders of records [default: the checkout's].
        #[arg(long = "history", value_name = "DIR")]
        dirs: Vec<PathBuf>,
    },
    /// Compares two runs of the same comparison: how many rows have intervals that overlap; exit 1
    /// when less than 90 % do, or a headline differs.
    Agree {
        /// A results.json, a record of the history, or a CSV of rows.
        first: PathBuf,
        /// Another one, of the same engines and workloads.
        second: PathBuf,
    },
    /// Shows the machine code of hot functions beside wasmtime's, with the times each instruction
    /// is executed: writes code.html, code.json and code.csv. Needs valgrind.
    Code(CodeArgs),
    /// Draws where a workload spends its time, stack by stack: writes profile.html. Needs Linux perf.
    Profile(FlameArgs),
    /// Counts executed ARM64 instructions of tier opt and of wasmtime under an emulator: writes
    /// arm64.csv and arm64.json. Needs qemu-user and a C compiler.
    Arm64(Arm64Args),
    /// Has the published modules of suite `real`, fetching those that are missing.
    Fetch {
        /// Only those whose name matches one of these.
        names: Vec<String>,
        #[command(flatten)]
        places: Places,
    },
    /// Lists the peers, after installing those that are missing, and those that cannot be had, with the reason.
    Peers {
        /// Only these.
        names: Vec<String>,
        #[command(flatten)]
        places: Places,
    },
}

/// Where things are found.
#[derive(Clone, Debug, Args)]
pub(crate) struct Places {
    /// TOML file that defines further peers.
    #[arg(long, value_name = "FILE")]
    pub(crate) peers: Option<PathBuf>,
    /// Install no peer and fetch no module; a peer that is not there is reported as missing.
    #[arg(long)]
    pub(crate) no_install: bool,
    /// Where peers are installed [default: peers/ in the build folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) peers_dir: Option<PathBuf>,
    /// Where published modules are unpacked [default: real/ in the build folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) real_dir: Option<PathBuf>,
    /// The zwasm binary [default: the one beside this program].
    #[arg(long, value_name = "PATH")]
    pub(crate) zwasm: Option<PathBuf>,
    /// A corpus folder other than the checkout's.
    #[arg(long, value_name = "DIR")]
    pub(crate) corpus: Option<PathBuf>,
}

/// Rows that `--code` adds to a report.
pub(crate) const CODE_ROWS: usize = 12;

#[derive(Debug, Args)]
pub(crate) struct CodeArgs {
    /// A results.json: its slowest rows are shown, and its report is written again with links.
    pub(crate) results: Option<PathBuf>,
    /// Workloads instead, whose name matches one of these.
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) workloads: Vec<String>,
    /// How many of the slowest rows.
    #[arg(long, value_name = "N", default_value_t = CODE_ROWS)]
    pub(crate) rows: usize,
    /// Where to write.
    #[arg(short, long = "out", value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) places: Places,
}

#[derive(Debug, Args)]
pub(crate) struct FlameArgs {
    /// A workload of the corpus.
    pub(crate) workload: String,
    /// The tier of zwasm: baseline, opt or auto.
    #[arg(long, value_name = "TIER", default_value = "auto")]
    pub(crate) tier: String,
    /// Where to write.
    #[arg(short, long = "out", value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) places: Places,
}

#[derive(Debug, Args)]
pub(crate) struct Arm64Args {
    /// A results.json, whose report is written again with the table.
    pub(crate) results: Option<PathBuf>,
    /// Only workloads whose name matches one of these.
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) workloads: Vec<String>,
    /// Where to write.
    #[arg(short, long = "out", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// zwasm built for ARM64 [default: arm64/aarch64-unknown-linux-gnu/release/zwasm in the build
    /// folder].
    #[arg(long, value_name = "PATH")]
    pub(crate) arm64_zwasm: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) places: Places,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// A module of your own, in place of the corpus: a WASI command, run as a whole by each engine. What the
    /// first peer gives is what all must give.
    #[arg(value_name = "FILE", conflicts_with_all = ["suite", "workloads", "gate", "check", "code"])]
    pub(crate) module: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) guest: GuestArgs,
    /// Engines to compare with: wasmtime, wasmtime-winch, wasmtime-pulley, node, bun, wasmi, wasm3, native,
    /// native-o2, native-o3, or a peer of --peers; `all` for every one. Or another build of zwasm, tier by tier: `rev:REV`, a
    /// commit that is built first, or `zwasm=PATH`; the exit code is 1 then when a row is slower.
    #[arg(long, value_name = "ENGINE", value_delimiter = ',')]
    pub(crate) against: Vec<String>,
    /// Tiers of zwasm to measure [default: those that this build has].
    #[arg(long, value_name = "TIER", value_delimiter = ',')]
    pub(crate) tiers: Vec<String>,
    /// Workloads of a suite: `all`, `core` (twelve that stand for all), `smoke` (one per category), or a
    /// category; `start-up`, small and large modules that do little; `polybench`, kernels known from papers; or
    /// `real`, jobs of published modules, which are fetched.
    #[arg(long, value_name = "NAME")]
    pub(crate) suite: Option<String>,
    /// Workloads whose name matches one of these, e.g. `sha*`; of a suite that is not part of the corpus, if
    /// that is named.
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) workloads: Vec<String>,
    /// How much to measure.
    #[arg(long, value_enum, default_value_t = ProfileName::Quick)]
    pub(crate) profile: ProfileName,
    /// Where index.html, results.json and results.csv go [default: compare/latest in the build
    /// folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Compare instruction counts with the recorded ones instead of measuring time; exit 1 when
    /// they grew.
    #[arg(long)]
    pub(crate) gate: bool,
    /// With --gate: record the counts of this build instead of comparing.
    #[arg(long, requires = "gate")]
    pub(crate) bless: bool,
    /// With --gate: the file of recorded counts [default: the committed one of this ISA].
    #[arg(long, value_name = "FILE", requires = "gate")]
    pub(crate) counts: Option<PathBuf>,
    /// With --suite real: run each job once under each engine and say whether it gives what it must;
    /// exit 1 when one does not. Nothing is measured or written.
    #[arg(long, requires = "suite", conflicts_with_all = ["gate", "resume", "code", "out"])]
    pub(crate) check: bool,
    /// Add the page of hot functions for the slowest rows of tier opt beside wasmtime (a few minutes
    /// under valgrind); profile full does so unasked where valgrind is.
    #[arg(long, conflicts_with = "gate")]
    pub(crate) code: bool,
    /// Say at the end whether the run agrees with another one, as `compare agree` does: a results.json, a record
    /// of the history, or a CSV of rows; exit 1 when it does not.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["gate", "check"])]
    pub(crate) agree: Option<PathBuf>,
    /// Go on with the interrupted run in --out.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Seconds after which a process is taken to hang [default: by profile].
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
    #[command(flatten)]
    pub(crate) places: Places,
}

/// What a module of the user's own is given.
#[derive(Debug, Args)]
pub(crate) struct GuestArgs {
    /// With FILE: a directory for the guest.
    #[arg(long = "dir", value_name = "HOST[::GUEST]", requires = "module")]
    pub(crate) dirs: Vec<String>,
    /// With FILE: a variable of the guest.
    #[arg(long = "env", value_name = "NAME=VALUE", requires = "module")]
    pub(crate) env: Vec<String>,
    /// With FILE: what the guest has on its standard input.
    #[arg(long, value_name = "PATH", requires = "module")]
    pub(crate) stdin: Option<PathBuf>,
    /// With FILE: the guest's arguments, behind `--`.
    #[arg(last = true, value_name = "ARGS", requires = "module")]
    pub(crate) args: Vec<String>,
}

/// How much a run measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileName {
    /// At most five minutes on two cores.
    Quick,
    /// Every rule of the method, small sizes where an engine is slow; under half an hour.
    Standard,
    /// Standard sizes everywhere and twenty blocks; hours.
    Full,
}

impl ProfileName {
    pub(crate) fn profile(self) -> Profile {
        let (name, blocks, sample_ms, budget_s) = match self {
            // 285 s leave time for the analysis and the page.
            ProfileName::Quick => ("quick", 6, 100, Some(285)),
            ProfileName::Standard => ("standard", 6, 120, Some(1500)),
            ProfileName::Full => ("full", 20, 1000, None),
        };
        const MS: u64 = 1_000_000;
        let (step_ms, warm_up_ms, rounds, limit_ms) = match self {
            ProfileName::Quick => (1, 100, 20, 250),
            ProfileName::Standard => (2, 300, 40, 1500),
            ProfileName::Full => (4, 1000, 60, 10_000),
        };
        let pace = Pace {
            step_ns: step_ms * MS,
            warm_up_ns: warm_up_ms * MS,
            rounds,
            limit_ns: limit_ms * MS,
        };
        Profile {
            pace: Some(pace),
            name: name.to_owned(),
            blocks,
            fresh_blocks: 20,
            sample_ms,
            budget_s,
        }
    }

    /// Seconds after which a process is taken to hang.
    pub(crate) fn time_limit_s(self) -> u64 {
        match self {
            ProfileName::Quick => 20,
            ProfileName::Standard => 60,
            ProfileName::Full => 600,
        }
    }
}
