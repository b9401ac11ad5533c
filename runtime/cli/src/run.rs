//! `zwasm run`: a module with WASI, limits and statistics.

use crate::engine::EngineOptions;
use crate::stats::{Format, Part, Stats};
use crate::{Outcome, input, invoke, units};
use anyhow::{Context, bail};
use std::env::VarError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use zwasm::{Config, Engine, Instance, Limits, Linker, Module, Store, TrapCode};
use zwasm_terminal::{path, say};
use zwasm_wasi::{DirPerms, Errno, FilePerms, I32Exit, WasiCtx, WasiCtxBuilder};

/// The exit code of a trap: that of a process that aborted.
const TRAP_EXIT: u8 = 134;

/// Shown below the options.
pub(crate) const EXAMPLES: &str = "\
Examples:
  zwasm app.wasm one two                      run `_start` with two arguments
  zwasm --dir data::/data app.wasm            the guest sees ./data as /data
  zwasm - one < app.wasm                      the module comes from standard input
  zwasm run --invoke add lib.wat 2 3          call one export, print its results
  zwasm run --timeout 2s --max-memory 512M --stats app.wasm

Options of zwasm stand before FILE; everything after it belongs to the guest.
Exit codes: the guest's own, 134 for a trap or an uncaught exception, 1 when zwasm cannot run the \
module, 2 for wrong usage.";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    engine: EngineOptions,

    /// Call this exported function instead of `_start`; arguments are its parameters (or the guest's
    /// own, when it has none), results are printed one per line
    #[arg(long, value_name = "NAME")]
    invoke: Option<String>,

    /// Load another module first and let imports find its exports under NAME; can be repeated, and
    /// later modules may import from earlier ones. What is said about code and limits holds for it
    /// too
    #[arg(long, value_name = "NAME=FILE", value_parser = preload)]
    preload: Vec<(String, PathBuf)>,

    /// Give the guest a directory with everything in it, to read and write, under its own name or
    /// another; can be repeated
    #[arg(long, value_name = "HOST[::GUEST]", value_parser = directory)]
    dir: Vec<(PathBuf, String)>,

    /// Set an environment variable of the guest; without `=VALUE` it is inherited, if it is set; can
    /// be repeated. Nothing else is inherited
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = variable)]
    env: Vec<Variable>,

    /// The guest's own name, its argument 0 [default: the file's name]
    #[arg(long, value_name = "NAME")]
    argv0: Option<String>,

    /// How code is made, as in `-C cache=n`: whether code of earlier runs is used and that of this one
    /// kept, in the user's folder for caches [default: cache=y, unless ZWASM_CACHE is n]
    #[arg(short = 'C', long, value_name = "KEY=VALUE", value_parser = codegen)]
    codegen: Vec<Codegen>,

    /// Make the code of all functions before the start, on all cores, instead of each on its first
    /// call; tier `opt` always does
    #[arg(long)]
    eager: bool,

    /// Stop the guest after this many operators: the same place on every run and machine
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,

    /// Stop the guest after this time (500ms, 2s, 1m), which the compilation of its code is part of
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    timeout: Option<Duration>,

    /// Let memories, tables (8 bytes per element) and exceptions take no more than this together
    /// (65536, 64K, 512M, 2G)
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    max_memory: Option<usize>,

    /// Print times of each phase and sizes to stderr at the end
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "table")]
    stats: Option<Format>,

    /// The module, `.wasm` or `.wat`, `-` for standard input, and the guest's arguments: everything
    /// behind FILE is the guest's, options too
    #[arg(
        value_name = "FILE [ARGS]...",
        required = true,
        trailing_var_arg = true
    )]
    command: Vec<OsString>,
}

impl Options {
    fn file(&self) -> &Path {
        Path::new(&self.command[0])
    }

    /// Where machine code is kept between runs, if it is.
    fn code_cache(&self) -> anyhow::Result<Option<PathBuf>> {
        let said = self.codegen.last().map(|Codegen::Cache(yes)| *yes);
        let wanted = match (said, std::env::var("ZWASM_CACHE")) {
            (Some(wanted), _) => wanted,
            (None, Ok(text)) => yes_or_no(&text)
                .map_err(anyhow::Error::msg)
                .context("the variable ZWASM_CACHE")?,
            (None, Err(_)) => true,
        };
        Ok(wanted.then(Config::user_code_cache).flatten())
    }

    /// The guest's arguments, which are text for it.
    fn args(&self) -> anyhow::Result<Vec<&str>> {
        let args = self.command.iter().enumerate().skip(1);
        args.map(|(i, arg)| {
            arg.to_str()
                .with_context(|| format!("argument {i} is not UTF-8"))
        })
        .collect()
    }
}

/// What `-C` says.
#[derive(Clone, Copy, Debug)]
enum Codegen {
    Cache(bool),
}

fn codegen(text: &str) -> Result<Codegen, String> {
    let (key, value) = text.split_once('=').unwrap_or((text, "y"));
    match key {
        "cache" => Ok(Codegen::Cache(yes_or_no(value)?)),
        _ => Err("expected cache=y or cache=n".into()),
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "y" | "yes" | "true" => Ok(true),
        "n" | "no" | "false" => Ok(false),
        _ => Err("expected y or n".into()),
    }
}

fn preload(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("expected NAME=FILE")?;
    Ok((name.to_owned(), file.into()))
}

fn directory(text: &str) -> Result<(PathBuf, String), String> {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        return Err("expected HOST or HOST::GUEST".into());
    }
    Ok((host.into(), guest.to_owned()))
}

/// An environment variable with its value, if it has one.
#[derive(Clone, Debug)]
struct Variable {
    name: String,
    value: Option<String>,
}

fn variable(text: &str) -> Result<Variable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err("expected NAME or NAME=VALUE".into());
    }
    let name = name.to_owned();
    let inherited = || match std::env::var(&name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("the value of '{name}' is not UTF-8")),
    };
    let value = match value {
        Some(value) => Some(value),
        None => inherited()?,
    };
    Ok(Variable { name, value })
}

/// The modules of a run, loaded.
struct Modules {
    main: Module,
    /// With the names under which their exports are found, in order.
    preloaded: Vec<(String, Module)>,
}

impl Modules {
    fn load(engine: &Engine, options: &Options) -> anyhow::Result<Modules> {
        let load = |(name, file): &(String, PathBuf)| {
            let module = input::module(engine, file)?;
            Ok((name.clone(), module))
        };
        Ok(Modules {
            preloaded: options
                .preload
                .iter()
                .map(load)
                .collect::<anyhow::Result<_>>()?,
            main: input::module(engine, options.file())?,
        })
    }

    /// All of them, the main one first.
    fn parts(&self) -> Vec<Part<'_>> {
        let main = Part {
            preloaded_as: None,
            module: &self.main,
        };
        let preloaded = self.preloaded.iter().map(|(name, module)| Part {
            preloaded_as: Some(name),
            module,
        });
        std::iter::once(main).chain(preloaded).collect()
    }
}

/// The data of the store.
struct Host {
    wasi: WasiCtx,
    limits: Limits,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let mut config = options.engine.config()?;
    config.consume_fuel(options.fuel.is_some());
    config.record_compilation(matches!(options.stats, Some(Format::Json)));
    if let Some(folder) = options.code_cache()? {
        config.code_cache(folder);
    }
    let engine = Engine::new(&config)?;
    let mut stats = Stats::new(engine.tier());
    let mut store = Store::new(&engine, host(options)?);
    store.limiter(|host| &mut host.limits);
    if let Some(fuel) = options.fuel {
        store.set_fuel(fuel)?;
    }
    if let Some(timeout) = options.timeout {
        let handle = store.interrupt_handle();
        std::thread::Builder::new()
            .name("timeout".into())
            .spawn(move || {
                std::thread::sleep(timeout);
                handle.interrupt();
            })
            .context("cannot start the timeout's thread")?;
    }
    let started = Instant::now();
    let modules = Modules::load(&engine, options)?;
    stats.load = started.elapsed();
    let result = compile(options, &modules, &store, &mut stats)
        .and_then(|()| execute(options, &modules, &mut store, &mut stats));
    // What the guest wrote before it failed must be seen before our message.
    let flushed = store.data_mut().wasi.flush();
    let outcome = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit_code(error, options)?,
    };
    if let Some(format) = options.stats {
        stats.print(format, &modules.parts())?;
    }
    // Not left to the end of the modules: a thread that makes better code may have one still.
    for part in modules.parts() {
        part.module.update_code_cache();
    }
    // The process ends, and all of this with it: to give it back piece by piece takes longer.
    std::mem::forget((store, modules));
    match flushed {
        // Nobody wants to read it.
        Ok(()) | Err(Errno::Pipe) => Ok(outcome),
        Err(errno) => bail!("cannot write the guest's output: {errno:?}"),
    }
}

/// Compiles what is compiled before the run, until the time is over.
fn compile(
    options: &Options,
    modules: &Modules,
    store: &Store<Host>,
    stats: &mut Stats,
) -> anyhow::Result<()> {
    if options.eager || store.engine().tier().compiles_ahead() {
        let started = Instant::now();
        let handle = store.interrupt_handle();
        for Part { module, .. } in modules.parts() {
            if options.eager {
                module.compile_all_until(&handle)?;
            } else {
                module.compile_missing_until(&handle)?;
            }
        }
        stats.compile = Some(started.elapsed());
    }
    Ok(())
}

fn host(options: &Options) -> anyhow::Result<Host> {
    let mut builder = WasiCtxBuilder::new();
    builder.inherit_stdio();
    for variable in &options.env {
        if let Some(value) = &variable.value {
            builder.env(&variable.name, value);
        }
    }
    let own_name = || {
        options
            .file()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    builder
        .arg(options.argv0.clone().unwrap_or_else(own_name))
        .args(options.args()?);
    for (host, guest) in &options.dir {
        builder
            .preopened_dir(host, guest, DirPerms::all(), FilePerms::all())
            .with_context(|| format!("cannot open the directory {}", path(host)))?;
    }
    let mut limits = Limits::new();
    if let Some(bytes) = options.max_memory {
        limits = limits.max_total_bytes(bytes);
    }
    Ok(Host {
        wasi: builder.build(),
        limits,
    })
}

/// Instantiates and calls; errors here may be the guest's.
fn execute(
    options: &Options,
    modules: &Modules,
    store: &mut Store<Host>,
    stats: &mut Stats,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let engine = store.engine().clone();
    let mut linker = Linker::new(&engine);
    zwasm_wasi::add_to_linker(&mut linker, |host: &mut Host| &mut host.wasi)?;
    for (name, module) in &modules.preloaded {
        let instance = linker.instantiate(&mut *store, module)?;
        initialize(instance, store)?;
        linker.instance(&*store, name, instance)?;
    }
    let instance = linker.instantiate(&mut *store, &modules.main)?;
    stats.instantiate = started.elapsed();

    let started = Instant::now();
    let result = match &options.invoke {
        Some(name) => initialize(instance, store)
            .and_then(|()| invoke::call(instance, store, name, &options.args()?)),
        None => start(instance, store, options),
    };
    stats.run = started.elapsed();
    result
}

/// Runs a reactor's `_initialize`, if there is one.
fn initialize(instance: Instance, store: &mut Store<Host>) -> anyhow::Result<()> {
    if instance.get_func(&*store, "_initialize").is_some() {
        let func = instance.get_typed_func::<(), ()>(&*store, "_initialize")?;
        func.call(store, ())?;
    }
    Ok(())
}

fn start(instance: Instance, store: &mut Store<Host>, options: &Options) -> anyhow::Result<()> {
    if instance.get_func(&*store, "_start").is_none() {
        initialize(instance, store)?;
        if instance
            .exports(&*store)
            .iter()
            .any(|(_, item)| item.into_func().is_some())
        {
            bail!(
                "{} has no `_start` function: name one of its exports with --invoke",
                path(options.file())
            );
        }
        return Ok(());
    }
    let func = instance.get_typed_func::<(), ()>(&*store, "_start")?;
    Ok(func.call(store, ())?)
}

/// The exit code of a guest that stopped, after saying why; `Err` when the error is ours.
fn exit_code(error: anyhow::Error, options: &Options) -> Outcome {
    let Some(guest) = error.downcast_ref::<zwasm::Error>() else {
        return Err(error);
    };
    if let Some(exit) = guest.downcast_ref::<I32Exit>() {
        // As on Unix, only the low byte reaches the parent.
        return Ok(ExitCode::from(exit.0 as u8));
    }
    if guest.trap_code() == Some(TrapCode::Interrupted)
        && let Some(timeout) = options.timeout
    {
        say(&format!("error: timed out after {timeout:?}\n{guest}"));
        return Ok(ExitCode::from(TRAP_EXIT));
    }
    if guest.as_trap().is_some() || guest.is_exception() {
        say(&format!("error: {guest}"));
        return Ok(ExitCode::from(TRAP_EXIT));
    }
    bail!("{}: {guest}", path(options.file()));
}
