//! Workloads of the corpus as WASI commands: prepared, run, and their output checked.

use zwasm::{Engine, Linker, Module, Store, TypedFunc};
use zwasm_wasi::{I32Exit, MemoryOutput, WasiCtx};
use zwasm_workloads::{Corpus, Workload};

/// More than any workload prints at small size.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

/// A workload at its small size: the module with everything that its instances share.
pub struct Command {
    engine: Engine,
    module: Module,
    linker: Linker<WasiCtx>,
    id: String,
    args: Vec<String>,
    expected: String,
}

impl Command {
    /// Loads a workload and links WASI. No function is translated yet.
    pub fn load(engine: &Engine, corpus: &Corpus, workload: &Workload) -> Command {
        let id = &workload.id;
        let bytes = workload
            .read_verified(corpus)
            .unwrap_or_else(|error| panic!("{error}"));
        let module = Module::from_vec(engine, bytes)
            .unwrap_or_else(|error| panic!("{id} does not load: {error}"));
        let mut linker = Linker::new(engine);
        zwasm_wasi::add_to_linker(&mut linker, |wasi: &mut WasiCtx| wasi)
            .expect("an empty linker has no such names");
        Command {
            engine: engine.clone(),
            module,
            linker,
            id: id.clone(),
            args: workload.small.args.clone(),
            expected: workload.small.expected.clone(),
        }
    }

    /// The module, whose statistics grow as its instances run.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// A fresh instance that has not started. A command runs once, so each run needs its own.
    pub fn instantiate(&self) -> Guest<'_> {
        let output = MemoryOutput::new(OUTPUT_BYTES_MAX);
        let wasi = WasiCtx::builder()
            .arg(&self.id)
            .args(&self.args)
            .stdout(output.clone())
            .build();
        let mut store = Store::new(&self.engine, wasi);
        let start = self
            .linker
            .instantiate(&mut store, &self.module)
            .and_then(|instance| instance.get_typed_func(&store, "_start"))
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.id));
        Guest {
            command: self,
            store,
            start,
            output,
        }
    }

    /// Runs a fresh instance and checks its output; returns nothing, so nothing is measured.
    pub fn run_checked(&self) {
        let mut guest = self.instantiate();
        guest.run();
        guest.check();
    }
}

/// An instance of a [`Command`].
pub struct Guest<'c> {
    command: &'c Command,
    store: Store<WasiCtx>,
    start: TypedFunc<(), ()>,
    output: MemoryOutput,
}

impl Guest<'_> {
    /// Runs the program: it builds its input, runs its kernel once and prints.
    pub fn run(&mut self) {
        match self.start.call(&mut self.store, ()) {
            Ok(()) => {}
            Err(error) if error.downcast_ref() == Some(&I32Exit(0)) => {}
            Err(error) => panic!("{} failed: {error}", self.command.id),
        }
    }

    /// Compares what was printed with the manifest. Wrong output is a failure, not a sample.
    pub fn check(self) {
        let output = self.output.contents();
        let output = String::from_utf8_lossy(&output);
        let Command { id, expected, .. } = self.command;
        assert_eq!(&output, expected, "{id} printed something else");
    }
}

#[cfg(test)]
mod tests {
    use crate::{corpus, engine, workload};
    use zwasm::Tier;

    use super::Command;

    #[test]
    fn a_command_runs_more_than_once_and_is_checked() {
        let corpus = corpus();
        for &tier in Tier::ALL {
            let command = Command::load(&engine(tier), &corpus, workload(&corpus, "fib"));
            assert_eq!(command.module().stats().wasm_bytes as u64, {
                workload(&corpus, "fib").bytes
            });
            command.run_checked();
            command.run_checked();
            assert!(command.module().stats().functions_compiled > 0);
        }
    }

    #[test]
    #[should_panic(expected = "fib printed something else")]
    fn wrong_output_is_a_failure() {
        let corpus = corpus();
        let mut wrong = workload(&corpus, "fib").clone();
        wrong.small.expected.push('!');
        Command::load(&engine(Tier::default()), &corpus, &wrong).run_checked();
    }
}
