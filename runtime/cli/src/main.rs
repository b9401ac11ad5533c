//! The `zwasm` command.
//!
//! Exit codes: the guest's own from `proc_exit`, 134 for a trap, 1 for our errors, 2 for usage. All
//! output goes through `zwasm-terminal`, which says what a closed pipe or a full disk means.

// One place runs machine code out of a file: `input::module`.
#![deny(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod compile;
mod engine;
mod explore;
mod input;
mod inspect;
mod invoke;
mod run;
mod script;
mod stats;
mod units;

use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// A WebAssembly runtime.
///
/// `zwasm [OPTIONS] FILE [ARGS]...` is short for `zwasm run [OPTIONS] FILE [ARGS]...`. Where FILE is
/// `-`, it is read from standard input.
#[derive(Debug, Parser)]
#[command(name = "zwasm", version = env!("ZWASM_VERSION"), propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a module.
    #[command(after_help = run::EXAMPLES)]
    Run(run::Options),
    /// Runs spec scripts (`.wast` files).
    Wast(script::Options),
    /// Shows what a module imports, exports and contains.
    Inspect(inspect::Options),
    /// Shows wasm beside the machine code made from it.
    #[command(after_help = explore::EXAMPLES)]
    Explore(explore::Options),
    /// Compiles every function of modules, without running them, and tells how fast; or keeps the machine
    /// code of one, for later runs.
    #[command(after_help = compile::EXAMPLES)]
    Compile(compile::Options),
    /// Checks that modules are valid.
    Validate(inspect::ValidateOptions),
}

const EXIT_CODES: &str = "\
Exit codes: the guest's own, 134 for a trap or an uncaught exception, 1 when zwasm cannot run the \
module, 2 for wrong usage.";

/// What a command ends with, when nothing went wrong on our side.
type Outcome = anyhow::Result<ExitCode>;

fn main() -> ExitCode {
    let args = with_run(std::env::args_os().collect());
    let cli: Cli = match zwasm_terminal::parse(args) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    zwasm_terminal::end(match cli.command {
        Command::Run(options) => run::run(&options),
        Command::Wast(options) => script::run(&options),
        Command::Inspect(options) => inspect::inspect(&options),
        Command::Explore(options) => explore::run(&options),
        Command::Compile(options) => compile::compile(&options),
        Command::Validate(options) => inspect::validate(&options),
    })
}

/// Puts `run` in front of arguments that begin with neither a subcommand nor an option of `zwasm`
/// alone.
fn with_run(mut args: Vec<OsString>) -> Vec<OsString> {
    let is_ours = |arg: &OsString| {
        let own = ["help", "-h", "--help", "-V", "--version"];
        own.iter().any(|own| arg == own)
            || Cli::command()
                .get_subcommands()
                .any(|command| arg == command.get_name())
    };
    if args.get(1).is_some_and(|arg| !is_ours(arg)) {
        args.insert(1, "run".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bare_file_is_run() {
        let args = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            with_run(args(&["zwasm", "a.wasm", "x"])),
            args(&["zwasm", "run", "a.wasm", "x"])
        );
        for options in [
            &["--dir", ".", "a.wasm"][..],
            &["--", "a.wasm"],
            &["--", "run"],
            &["-"],
            &["--nonsense"],
        ] {
            let with = [&["zwasm", "run"], options].concat();
            let without = [&["zwasm"], options].concat();
            assert_eq!(with_run(args(&without)), args(&with));
        }
        for ours in ["--help", "-h", "--version", "-V", "help", "run", "validate"] {
            let given = args(&["zwasm", ours, "a.wasm"]);
            assert_eq!(with_run(given.clone()), given);
        }
        assert_eq!(with_run(args(&["zwasm"])), args(&["zwasm"]));
    }
}
