//! Instructions per iteration, counted by callgrind.
//!
//! The instructions of `bench 2N` less those of `bench N`, over N: the cost of one iteration without
//! start-up. This works for JIT code and for unmodified peers alike. Instructions are not time.

use crate::engine::{Adapter, Job};
use crate::exec::{Executor, Invocation};
use crate::fail::{Measured, skip};
use crate::protocol::{bench_args, check_bench, per_iteration};
use crate::provision::on_path;
use std::path::Path;
use std::time::Duration;

/// Whether valgrind is there.
pub(crate) fn available() -> bool {
    on_path("valgrind").is_some()
}

/// Instructions per iteration at the small size.
pub(crate) fn instructions(
    adapter: &dyn Adapter,
    job: &Job<'_>,
    executor: &mut dyn Executor,
) -> Measured<f64, String> {
    let size = &job.workload.small;
    per_iteration(|iterations| {
        let inner = adapter.run(job, &bench_args(iterations, size));
        let out = job.scratch.join("callgrind.out");
        let outcome = executor.run(&under_callgrind(&inner, &out, &[]))?;
        check_bench(&outcome, iterations, size)?;
        let text = std::fs::read_to_string(&out).unwrap_or_default();
        total_instructions(&text).map_or_else(|| skip("callgrind wrote no total"), Ok)
    })
}

/// The same process under callgrind, which writes to `out`; `options` are callgrind's.
pub(crate) fn under_callgrind(inner: &Invocation, out: &Path, options: &[&str]) -> Invocation {
    let mut args = vec![
        "--tool=callgrind".to_owned(),
        // Traps are looked up by program counter; registers must be exact at memory accesses.
        "--vex-iropt-register-updates=allregs-at-mem-access".to_owned(),
        format!("--callgrind-out-file={}", out.display()),
    ];
    args.extend(options.iter().map(|&option| option.to_owned()));
    args.push(inner.program.to_string_lossy().into_owned());
    args.extend(inner.args.iter().cloned());
    let mut invocation = Invocation::new("valgrind", args).timeout(Duration::from_secs(900));
    invocation.env.clone_from(&inner.env);
    invocation
}

/// The total of a callgrind file; multi-threaded programs have one `totals:` or `summary:` line
/// per part.
fn total_instructions(text: &str) -> Option<f64> {
    let of = |key: &str| -> Option<f64> {
        let lines = text.lines().filter_map(|line| {
            line.strip_prefix(key)?
                .split_ascii_whitespace()
                .next()?
                .parse::<f64>()
                .ok()
        });
        lines.reduce(|a, b| a + b)
    };
    of("totals:").or_else(|| of("summary:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_all_parts_are_added() {
        assert_eq!(total_instructions("events: Ir\ntotals: 120\n"), Some(120.0));
        assert_eq!(total_instructions("summary: 5\nsummary: 6\n"), Some(11.0));
        assert_eq!(total_instructions("nothing"), None);
    }
}
