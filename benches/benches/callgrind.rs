//! Instructions executed, counted by valgrind: the same on every run, but for the random seeds of hash
//! maps, on machines whose clocks say little. They are not time.
//!
//! Only what a bench function does is counted, not its `setup`. Caches are not simulated. Engines
//! validate on one thread and reserve little address space for memories, which valgrind needs.
//!
//! Under `--iai-run` this program is the guest of valgrind and runs one bench; otherwise it checks
//! that valgrind and the runner are there, in words of its own, and starts the runner.

use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitCode, Stdio};

/// The runner must be of exactly the library's version, which `Cargo.toml` pins.
const RUNNER_VERSION: &str = "0.16.1";
const HOW_TO_INSTALL: &str = "run scripts/setup-callgrind.sh";

mod counted {
    use iai_callgrind::{
        Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
    };
    use std::hint::black_box;
    use zwasm::{Config, Engine, Instance, Module, Store, Tier, TypedFunc};
    use zwasm_benches::{
        Calls, Command, Guest, LOOP_CALLS, corpus, module_bytes, synthetic_exports,
        synthetic_module, workload,
    };

    // The macros below need literal lists.
    const _: () = assert!(
        Tier::ALL.len() == 1,
        "a tier was added: add its name to every list of tiers in this file"
    );

    /// Enough for every workload at small size.
    const MEMORY_RESERVATION_BYTES: u64 = 256 << 20;

    fn engine(tier: &str) -> Engine {
        let tier: Tier = tier.parse().expect("the name of a tier of this build");
        let mut config = Config::new();
        config
            .tier(tier)
            .validation_threads(1)
            .memory_reservation(MEMORY_RESERVATION_BYTES);
        Engine::new(&config).expect("the configuration is valid")
    }

    fn module_and_engine(name: &str) -> (Engine, Vec<u8>) {
        let bytes = match name {
            "synthetic" => synthetic_module(1000),
            id => module_bytes(&corpus(), id),
        };
        (engine(Tier::default().name()), bytes)
    }

    #[library_benchmark(setup = module_and_engine)]
    #[benches::of(args = ["synthetic", "json", "data-segments"])]
    fn decode_and_validate((engine, bytes): (Engine, Vec<u8>)) -> Module {
        black_box(Module::from_vec(&engine, bytes).expect("the module is valid"))
    }

    type Untranslated = (Store<()>, Vec<TypedFunc<(i32, i32), i32>>);

    fn untranslated(tier: &str) -> Untranslated {
        let engine = engine(tier);
        let module = Module::from_vec(&engine, synthetic_module(1000)).expect("it is valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("it imports nothing");
        let exports = synthetic_exports(&store, &instance);
        (store, exports)
    }

    // The first calls of 1,000 functions, which return at once: translation and little else.
    #[library_benchmark(setup = untranslated)]
    #[benches::tier(args = ["interp"])]
    fn translate((mut store, exports): Untranslated) -> Untranslated {
        for export in &exports {
            export.call(&mut store, (0, 0)).expect("it returns at once");
        }
        black_box((store, exports))
    }

    /// A command that lives until the process ends, so that guests can be handed over with it.
    fn command(tier: &str, id: &str) -> &'static Command {
        let corpus = corpus();
        let command = Command::load(&engine(tier), &corpus, workload(&corpus, id));
        Box::leak(Box::new(command))
    }

    #[library_benchmark(setup = command)]
    #[benches::tier_and_workload(args = [("interp", "nop"), ("interp", "json")])]
    fn instantiate(command: &'static Command) -> Guest<'static> {
        black_box(command.instantiate())
    }

    /// A guest whose calls have all been made once.
    fn warm(tier: &str) -> Calls {
        let mut calls = Calls::new(&engine(tier));
        calls.nop.call(&mut calls.store, ()).expect("it returns");
        for (_, run) in &calls.loops {
            run.call(&mut calls.store, 1).expect("it returns");
        }
        calls.add_untyped(1, 2);
        calls
    }

    #[library_benchmark(setup = warm)]
    #[benches::tier(args = ["interp"])]
    fn host_to_wasm_typed_1000(mut calls: Calls) -> Calls {
        for _ in 0..1000 {
            calls.nop.call(&mut calls.store, ()).expect("it returns");
        }
        black_box(calls)
    }

    #[library_benchmark(setup = warm)]
    #[benches::tier(args = ["interp"])]
    fn host_to_wasm_untyped_1000(mut calls: Calls) -> Calls {
        for number in 0..1000 {
            calls.add_untyped(number, 3);
        }
        black_box(calls)
    }

    fn warm_loop(tier: &str, name: &str) -> (Calls, TypedFunc<i32, i32>) {
        let calls = warm(tier);
        let mut found = calls
            .loops
            .iter()
            .filter(|(loop_name, _)| *loop_name == name);
        let run = found.next().expect("a loop has that name").1;
        (calls, run)
    }

    #[library_benchmark(setup = warm_loop)]
    #[benches::tier_and_callee(args = [
        ("interp", "empty-loop"),
        ("interp", "to-wasm"),
        ("interp", "to-host"),
        ("interp", "to-host-untyped"),
    ])]
    fn from_wasm_1000((mut calls, run): (Calls, TypedFunc<i32, i32>)) -> Calls {
        run.call(&mut calls.store, LOOP_CALLS).expect("it returns");
        black_box(calls)
    }

    /// An instance of a command that has run before and printed what it must, so that the functions
    /// it reaches are translated.
    fn ready(tier: &str, id: &str) -> Guest<'static> {
        let command = command(tier, id);
        command.run_checked();
        command.instantiate()
    }

    #[library_benchmark(setup = ready)]
    #[benches::tier_and_workload(args = [
        ("interp", "sieve"),
        ("interp", "nbody"),
        ("interp", "fib"),
        ("interp", "sha256"),
        ("interp", "json"),
    ])]
    fn kernel(mut guest: Guest<'static>) -> Guest<'static> {
        guest.run();
        black_box(guest)
    }

    library_benchmark_group!(
        name = modules;
        benchmarks = decode_and_validate, translate, instantiate
    );
    library_benchmark_group!(
        name = calls;
        benchmarks = host_to_wasm_typed_1000, host_to_wasm_untyped_1000, from_wasm_1000
    );
    library_benchmark_group!(name = kernels; benchmarks = kernel);

    main!(
        config = LibraryBenchmarkConfig::default()
            // Traps are found by the address of the instruction, which must then be exact.
            .valgrind_args(["--vex-iropt-register-updates=allregs-at-mem-access"])
            .pass_through_env(zwasm_workloads::DIR_VARIABLE)
            .tool(Callgrind::with_args(["--cache-sim=no"]));
        library_benchmark_groups = modules, calls, kernels
    );

    /// What `main!` made.
    pub(super) fn run() {
        main();
    }
}

fn main() -> ExitCode {
    let inside_valgrind = std::env::args()
        .nth(1)
        .is_some_and(|arg| arg == "--iai-run");
    if !inside_valgrind && let Err(problem) = check_tools() {
        eprintln!("error: no instruction counts: {problem}: {HOW_TO_INSTALL}");
        return ExitCode::FAILURE;
    }
    counted::run();
    ExitCode::SUCCESS
}

/// Finds valgrind and the runner as `iai-callgrind` will, and checks the runner's version.
fn check_tools() -> Result<(), String> {
    if on_path("valgrind").is_none() {
        return Err("valgrind is not installed".into());
    }
    // The library remembers this variable from when it was compiled.
    let runner = match option_env!("IAI_CALLGRIND_RUNNER") {
        Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
        None => on_path("iai-callgrind-runner"),
    };
    let runner = runner.ok_or("iai-callgrind-runner is not installed")?;
    let version = runner_version(&runner)?;
    if version != RUNNER_VERSION {
        return Err(format!(
            "iai-callgrind-runner is version {version}, {RUNNER_VERSION} is needed"
        ));
    }
    Ok(())
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// The runner has no option for it, but says it in the error about missing arguments.
fn runner_version(runner: &Path) -> Result<String, String> {
    let output = Process::new(runner)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("iai-callgrind-runner does not start ({error})"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    text.split_once("iai-callgrind-runner (")
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(version, _)| version.to_owned())
        .ok_or_else(|| "iai-callgrind-runner does not tell its version".into())
}
