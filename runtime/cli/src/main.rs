//! The `zwasm` command.
//!
//! Exit codes: the guest's own from `proc_exit`, 134 for a trap, 1 for our errors, 2 for usage.

#![forbid(unsafe_code)]

mod compile;
mod engine;
mod explore;
mod inspect;
mod invoke;
mod run;
mod script;
mod stats;
mod units;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// A WebAssembly runtime.
///
/// `zwasm FILE [ARGS]...` is short for `zwasm run FILE [ARGS]...`.
#[derive(Debug, Parser)]
#[command(name = "zwasm", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
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
    /// Compiles every function of modules, without running them, and tells how fast.
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
    let cli = Cli::parse_from(with_run(std::env::args_os().collect()));
    let outcome = match cli.command {
        Command::Run(options) => run::run(&options),
        Command::Wast(options) => script::run(&options),
        Command::Inspect(options) => inspect::inspect(&options),
        Command::Explore(options) => explore::run(&options),
        Command::Compile(options) => compile::compile(&options),
        Command::Validate(options) => inspect::validate(&options),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Puts `run` in front of arguments that begin with neither a subcommand nor an option.
fn with_run(mut args: Vec<OsString>) -> Vec<OsString> {
    let is_ours = |arg: &OsString| {
        let known = [
            "run", "wast", "inspect", "explore", "compile", "validate", "help",
        ];
        arg.to_str()
            .is_some_and(|arg| known.contains(&arg) || arg.starts_with('-'))
    };
    if args.get(1).is_some_and(|arg| !is_ours(arg)) {
        args.insert(1, "run".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

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
        assert_eq!(
            with_run(args(&["zwasm", "--help"])),
            args(&["zwasm", "--help"])
        );
        assert_eq!(with_run(args(&["zwasm"])), args(&["zwasm"]));
    }
}
