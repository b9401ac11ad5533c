//! `--stats`: where the time went and how large things are.
//!
//! The JSON form is one object on the last line of stderr. Times are integers in nanoseconds
//! (`*_ns`), sizes in bytes (`*_bytes`); they are of all modules together, those that were preloaded
//! among them, which are told one by one besides.

use serde::Serialize;
use std::fmt;
use std::time::Duration;
use zwasm::{Compilation, Module, ModuleStats, PassTime, PassTimes, Printable, Tier};

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Times of the phases of a run.
#[derive(Debug)]
pub(crate) struct Stats {
    tier: Tier,
    /// Reading, decoding, validating: of all modules.
    pub(crate) load: Duration,
    /// With `--eager`: making all code, on all cores.
    pub(crate) compile: Option<Duration>,
    /// Linking, instantiating, the start function.
    pub(crate) instantiate: Duration,
    /// The call itself.
    pub(crate) run: Duration,
}

#[derive(Debug, Serialize)]
struct Record {
    tier: &'static str,
    load_ns: u64,
    /// Making code: before the start on all cores (`eager`), or during instantiation and run.
    compile_ns: u64,
    eager: bool,
    instantiate_ns: u64,
    run_ns: u64,
    wasm_bytes: usize,
    code_section_bytes: usize,
    /// Of the functions whose code was made.
    compiled_body_bytes: usize,
    code_bytes: usize,
    functions: usize,
    functions_compiled: usize,
    functions_tiered_up: usize,
    peak_rss_bytes: Option<u64>,
    /// Passes of the optimizing tier, over all functions; JSON only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passes: Vec<Pass>,
    /// The functions that took longest to compile to machine code; JSON only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    costliest: Vec<FunctionRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    preloaded: Vec<ModuleRecord>,
}

/// A module that was preloaded.
#[derive(Debug, Serialize)]
struct ModuleRecord {
    name: String,
    compile_ns: u64,
    wasm_bytes: usize,
    code_section_bytes: usize,
    compiled_body_bytes: usize,
    code_bytes: usize,
    functions: usize,
    functions_compiled: usize,
}

/// A module that took part in the run.
pub(crate) struct Part<'r> {
    /// What it was preloaded as.
    pub(crate) preloaded_as: Option<&'r str>,
    pub(crate) module: &'r Module,
}

/// One function.
#[derive(Debug, Serialize)]
struct FunctionRecord {
    /// The module that it is in, when that was preloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    preloaded: Option<String>,
    /// Among all functions of the module.
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    compile_ns: u64,
    code_bytes: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passes: Vec<Pass>,
}

/// What one pass of the optimizing tier took and left.
#[derive(Debug, Serialize)]
pub(crate) struct Pass {
    pub(crate) name: &'static str,
    pub(crate) runs: u64,
    pub(crate) time_ns: u64,
    /// Nodes of the intermediate form.
    pub(crate) nodes_before: u64,
    pub(crate) nodes_after: u64,
}

/// Functions told of one by one; a line of JSON stays short enough for pipes.
const COSTLIEST_MAX: usize = 100;

/// In the order in which they ran first.
pub(crate) fn passes(times: &PassTimes) -> Vec<Pass> {
    let pass = |pass: &PassTime| Pass {
        name: pass.name,
        runs: pass.runs,
        time_ns: nanoseconds(pass.time),
        nodes_before: pass.nodes_before,
        nodes_after: pass.nodes_after,
    };
    times.passes.iter().map(pass).collect()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Stats {
    pub(crate) fn new(tier: Tier) -> Stats {
        Stats {
            tier,
            load: Duration::ZERO,
            compile: None,
            instantiate: Duration::ZERO,
            run: Duration::ZERO,
        }
    }

    /// Prints what is known of the run and its modules.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn print(&self, format: Format, parts: &[Part<'_>]) -> anyhow::Result<()> {
        let record = self.record(parts);
        match format {
            Format::Json => {
                let line = serde_json::to_string(&record)?;
                zwasm_terminal::report_json(&format!("{line}\n"))
            }
            Format::Table => zwasm_terminal::report(&record.to_string()),
        }
    }

    fn record(&self, parts: &[Part<'_>]) -> Record {
        let sizes: Vec<ModuleStats> = parts.iter().map(|part| part.module.stats()).collect();
        let sum = |size: fn(&ModuleStats) -> usize| sizes.iter().map(size).sum();
        let ns = nanoseconds;
        let mut compilations: Vec<(&Part<'_>, Compilation)> = Vec::new();
        for part in parts {
            compilations.extend(part.module.compilations().into_iter().map(|c| (part, c)));
        }
        let mut totals = PassTimes::default();
        for (_, compilation) in &compilations {
            totals.add_all(&compilation.passes);
        }
        compilations.sort_by_key(|(_, c)| (std::cmp::Reverse(c.time), c.function));
        compilations.truncate(COSTLIEST_MAX);
        let function = |(part, compilation): &(&Part<'_>, Compilation)| FunctionRecord {
            preloaded: part.preloaded_as.map(str::to_owned),
            index: compilation.function,
            name: part.module.function_name(compilation.function),
            compile_ns: ns(compilation.time),
            code_bytes: compilation.code_bytes,
            passes: passes(&compilation.passes),
        };
        let preloaded = |(part, sizes): (&Part<'_>, &ModuleStats)| {
            Some(ModuleRecord {
                name: part.preloaded_as?.to_owned(),
                compile_ns: ns(sizes.compile_time),
                wasm_bytes: sizes.wasm_bytes,
                code_section_bytes: sizes.code_section_bytes,
                compiled_body_bytes: sizes.compiled_body_bytes,
                code_bytes: sizes.code_bytes,
                functions: sizes.functions,
                functions_compiled: sizes.functions_compiled,
            })
        };
        let lazily = || sizes.iter().map(|sizes| sizes.compile_time).sum();
        Record {
            tier: self.tier.name(),
            load_ns: ns(self.load),
            compile_ns: ns(self.compile.unwrap_or_else(lazily)),
            eager: self.compile.is_some(),
            instantiate_ns: ns(self.instantiate),
            run_ns: ns(self.run),
            wasm_bytes: sum(|sizes| sizes.wasm_bytes),
            code_section_bytes: sum(|sizes| sizes.code_section_bytes),
            compiled_body_bytes: sum(|sizes| sizes.compiled_body_bytes),
            code_bytes: sum(|sizes| sizes.code_bytes),
            functions: sum(|sizes| sizes.functions),
            functions_compiled: sum(|sizes| sizes.functions_compiled),
            functions_tiered_up: sum(|sizes| sizes.functions_tiered_up),
            peak_rss_bytes: peak_rss_bytes(),
            passes: passes(&totals),
            costliest: compilations.iter().map(function).collect(),
            preloaded: parts.iter().zip(&sizes).filter_map(preloaded).collect(),
        }
    }
}

/// The table.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<22} {value:>14}");
        let time = |ns: u64| format!("{:.3} ms", ns as f64 / 1e6);
        let size = |bytes: u64| format!("{:.1} KiB", bytes as f64 / 1024.0);
        row("tier", self.tier.to_owned())?;
        row("load and validate", time(self.load_ns))?;
        if self.eager {
            row("compile", time(self.compile_ns))?;
        }
        row("instantiate", time(self.instantiate_ns))?;
        row("run", time(self.run_ns))?;
        if !self.eager {
            row("  of that compile", time(self.compile_ns))?;
        }
        let title = if self.preloaded.is_empty() {
            "module"
        } else {
            "modules"
        };
        row(title, size(self.wasm_bytes as u64))?;
        for module in &self.preloaded {
            let name = format!("  preloaded {}", Printable::name(&module.name));
            row(&name, size(module.wasm_bytes as u64))?;
        }
        row("function bodies", size(self.code_section_bytes as u64))?;
        row("code made", size(self.code_bytes as u64))?;
        let per_byte = self.code_bytes as f64 / self.compiled_body_bytes.max(1) as f64;
        row("  bytes per wasm byte", format!("{per_byte:.2}"))?;
        row(
            "functions",
            format!("{} of {}", self.functions_compiled, self.functions),
        )?;
        if self.functions_tiered_up > 0 {
            row("  with better code", self.functions_tiered_up.to_string())?;
        }
        match self.peak_rss_bytes {
            Some(bytes) => row("peak memory", size(bytes)),
            None => Ok(()),
        }
    }
}

/// The process's peak resident memory, where the system tells.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
