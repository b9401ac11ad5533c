//! `zwasm compile`: machine code of a whole module, kept in a file; or how fast a tier makes it.
//!
//! Without `-o` this measures throughput per core, with validation and without. Each repetition has an
//! engine of its own, and the median is printed.

use crate::engine::EngineOptions;
use crate::stats::{Pass, passes};
use crate::{Outcome, input};
use anyhow::{Context, bail};
use serde::Serialize;
use std::fmt;
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use zwasm::{Engine, Module, Tier};
use zwasm_terminal::path;

pub(crate) const EXAMPLES: &str = "\
With -o, machine code is kept, by tier opt unless --tier says otherwise, on all cores:

  zwasm compile app.wasm -o app.cwasm
  zwasm run app.cwasm

The result runs in this build of zwasm, on processors like this one, from files named .cwasm only. It
is machine code, which no sandbox holds: run only what you have compiled yourself.";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    engine: EngineOptions,

    /// Write the module with its machine code to this file, for `zwasm run`, and measure nothing
    #[arg(
        short,
        long,
        value_name = "FILE",
        conflicts_with_all = ["threads", "repeat", "json", "passes"]
    )]
    output: Option<PathBuf>,

    /// How many threads validate and compile
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,

    /// How often; the median is printed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,

    /// Print one JSON object per module: times in nanoseconds, sizes in bytes
    #[arg(long)]
    json: bool,

    /// Compile once more, on one thread, and print what each pass of the optimizing tier takes
    #[arg(long)]
    passes: bool,

    /// The modules, `.wasm` or `.wat`
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// One module; rates are over the bytes of function bodies.
#[derive(Debug, Serialize)]
struct Record {
    file: String,
    tier: &'static str,
    wasm_bytes: usize,
    code_section_bytes: usize,
    functions: usize,
    code_bytes: usize,
    /// Decoding and validation, without reading the file.
    load_ns: u64,
    /// Code of all functions, placed where it runs.
    compile_ns: u64,
    /// What `--passes` asks for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passes: Vec<Pass>,
}

pub(crate) fn compile(options: &Options) -> Outcome {
    if let Some(output) = &options.output {
        return precompile(options, output);
    }
    for file in &options.files {
        let record =
            measure(options, file).with_context(|| format!("cannot compile {}", path(file)))?;
        if options.json {
            let line = serde_json::to_string(&record)?;
            zwasm_terminal::print_json(&format!("{line}\n"))?;
        } else {
            zwasm_terminal::print(&record.to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the machine code of a module to a file.
fn precompile(options: &Options, output: &Path) -> Outcome {
    let [file] = &options.files[..] else {
        bail!("-o is for one module");
    };
    if output.extension().is_none_or(|it| it != input::PRECOMPILED) {
        bail!(
            "the result is run from a file named .{} only",
            input::PRECOMPILED
        );
    }
    let bytes = input::bytes(file).with_context(|| format!("cannot load {}", path(file)))?;
    let engine = Engine::new(&options.engine.config_with(Tier::Opt)?)?;
    let precompiled = engine.precompile_module(&bytes);
    let precompiled = precompiled.with_context(|| format!("cannot compile {}", path(file)))?;
    write(output, &precompiled).with_context(|| format!("cannot write {}", path(output)))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a file, which is there as a whole or as it was. What is no file is written to as it is.
fn write(output: &Path, bytes: &[u8]) -> io::Result<()> {
    // Where a link leads to is what is meant.
    let output = output.canonicalize().unwrap_or_else(|_| output.to_owned());
    let before = std::fs::metadata(&output).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return std::fs::write(&output, bytes);
    }
    let folder = match output.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let permissions = match before {
        Some(before) => before.permissions(),
        None => Permissions::from_mode(0o666),
    };
    // Under a name that nobody knows before, and that was not there.
    let mut unfinished = tempfile::Builder::new()
        .prefix(".zwasm-")
        .permissions(permissions)
        .tempfile_in(folder)?;
    unfinished.write_all(bytes)?;
    unfinished.persist(&output)?;
    Ok(())
}

fn measure(options: &Options, file: &Path) -> anyhow::Result<Record> {
    let bytes = input::bytes(file)?;
    let mut config = options.engine.config()?;
    config.validation_threads(options.threads);
    let (mut loads, mut compiles) = (Vec::new(), Vec::new());
    loop {
        let engine = Engine::new(&config)?;
        let input = bytes.clone();
        let started = Instant::now();
        let module = Module::from_vec(&engine, input)?;
        loads.push(elapsed_ns(started));
        let started = Instant::now();
        module.compile_all()?;
        compiles.push(elapsed_ns(started));
        if compiles.len() == options.repeat as usize {
            let stats = module.stats();
            return Ok(Record {
                file: file.to_string_lossy().into_owned(),
                tier: engine.tier().name(),
                wasm_bytes: stats.wasm_bytes,
                code_section_bytes: stats.code_section_bytes,
                functions: stats.functions,
                code_bytes: stats.code_bytes,
                load_ns: median(loads),
                compile_ns: median(compiles),
                passes: if options.passes {
                    passes(&module.time_passes()?)
                } else {
                    Vec::new()
                },
            });
        }
    }
}

fn elapsed_ns(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// A number of bytes in the unit that fits, powers of ten.
fn size(bytes: usize) -> String {
    match bytes {
        1_000_000.. => format!("{:.1} MB", bytes as f64 / 1e6),
        1_000.. => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{bytes} B"),
    }
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {}, {} functions of {}, {} of {} code",
            path(Path::new(&self.file)),
            size(self.wasm_bytes),
            self.functions,
            size(self.code_section_bytes),
            size(self.code_bytes),
            self.tier
        )?;
        let mut row = |name: &str, ns: u64| {
            let rate = self.code_section_bytes as f64 * 1e3 / ns.max(1) as f64;
            writeln!(
                f,
                "  {name:<18} {:>10.1} ms {rate:>8.1} MB/s",
                ns as f64 / 1e6
            )
        };
        row("load and validate", self.load_ns)?;
        row("compile", self.compile_ns)?;
        row("both", self.load_ns + self.compile_ns)?;
        for pass in &self.passes {
            writeln!(
                f,
                "  {:<26} {:>10.1} ms {:>10} runs {:>12} nodes before {:>12} after",
                pass.name,
                pass.time_ns as f64 / 1e6,
                pass.runs,
                pass.nodes_before,
                pass.nodes_after
            )?;
        }
        Ok(())
    }
}
