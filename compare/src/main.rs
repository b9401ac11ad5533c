//! The `compare` command: one corpus under every tier of zwasm and under other engines.
//!
//! [`cli`] says what is asked for, [`engine`] finds the engines ([`provision`] installs them),
//! [`corpus`] measures workloads and [`real`] jobs of published modules, both with what is in [`runner`],
//! which starts processes through [`exec`]. The crate `zwasm-reports` turns the samples into gaps,
//! verdicts and a page; [`history`] keeps runs, and [`agree`] holds one against another. [`gate`] counts
//! instructions instead of time, [`code`] shows where they are executed, [`flame`] where time goes, and
//! [`arm64`] counts instructions under an emulator.
//!
//! Exit codes: 0, 1 for a failure (also a failed gate), 2 for usage, 130 when interrupted.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod agree;
mod arm64;
mod builds;
mod callgrind;
mod cli;
mod code;
mod corpus;
mod engine;
mod exec;
mod fail;
mod flame;
mod folders;
mod gate;
mod history;
mod machine;
mod progress;
mod protocol;
mod provision;
mod real;
mod results;
mod runner;
mod select;
mod setting;
mod sys;

use crate::cli::{Cli, Verb};
use crate::fail::Fail;
use std::process::ExitCode;
use zwasm_terminal::say;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == exec::LAUNCH)
    {
        exec::launcher_main();
        return ExitCode::SUCCESS;
    }
    let cli: Cli = match zwasm_terminal::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    sys::catch_interrupts();
    let outcome = match &cli.verb {
        None if cli.run.suite.as_deref() == Some(real::SUITE) && !cli.run.gate => {
            real::compare(&cli.run)
        }
        None if cli.run.module.is_some() => real::compare_own(&cli.run),
        None if cli.run.gate => gate::run(&cli.run),
        None => corpus::compare(&cli.run),
        Some(Verb::Report { results, out, dirs }) => results::report(results, out, dirs),
        Some(Verb::Record {
            results,
            message,
            history,
        }) => history::record(results, message, history.as_deref()),
        Some(Verb::History { out, dirs }) => history::page(dirs, out),
        Some(Verb::Agree { first, second }) => agree::agree(first, second),
        Some(Verb::Code(args)) => code::run(args),
        Some(Verb::Profile(args)) => flame::run(args),
        Some(Verb::Arm64(args)) => arm64::run(args),
        Some(Verb::Fetch { names, places }) => real::fetch(names, places),
        Some(Verb::Peers { names, places }) => setting::peers(names, places),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if exec::is_interrupt(&error) => {
            say("compare: interrupted");
            ExitCode::from(130)
        }
        Err(error) if zwasm_terminal::nobody_reads(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // One line: the chain of causes, without a backtrace.
            let text = format!("{error:#}").replace('\n', " ");
            say(&format!("compare: {text}"));
            ExitCode::from(error.downcast_ref::<Fail>().map_or(1, |f| f.code))
        }
    }
}
