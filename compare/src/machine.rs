//! Facts about the machine and the checkout that a result must carry.
//!
//! Linux says them in `/proc` and `/sys`; elsewhere a fact that cannot be had stays empty or 0.

use crate::fail::Fail;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;
use zwasm_reports::history::CommitInfo;
use zwasm_reports::schema::{Commit, Machine};

/// CPU time counters of the whole machine, in clock ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTicks {
    total: u64,
    steal: u64,
}

impl CpuTicks {
    /// The counters now.
    pub(crate) fn now() -> CpuTicks {
        Self::parse(&std::fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    fn parse(stat: &str) -> CpuTicks {
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = line
            .split_ascii_whitespace()
            .skip(1)
            .filter_map(|t| t.parse().ok())
            .collect();
        CpuTicks {
            // user nice system idle iowait irq softirq steal; guest time is already in user.
            total: ticks.iter().take(8).sum(),
            steal: ticks.get(7).copied().unwrap_or(0),
        }
    }

    /// The share of time stolen by the hypervisor since `earlier`.
    pub(crate) fn steal_since(self, earlier: CpuTicks) -> f64 {
        let total = self.total.saturating_sub(earlier.total);
        if total == 0 {
            return 0.0;
        }
        self.steal.saturating_sub(earlier.steal) as f64 / total as f64
    }
}

/// The 1-minute load average.
pub(crate) fn load() -> f64 {
    std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0.0)
}

/// What the machine is.
pub(crate) fn describe() -> Machine {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    Machine {
        cpu: field(&cpuinfo, "model name").unwrap_or_else(|| "unknown".to_owned()),
        isa: std::env::consts::ARCH.to_owned(),
        cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
        governor: std::fs::read_to_string(governor)
            .unwrap_or_default()
            .trim()
            .to_owned(),
        kernel: format!("{} {}", std::env::consts::OS, kernel.trim()),
        memory_bytes: field(&meminfo, "MemTotal")
            .and_then(|v| v.trim_end_matches(" kB").trim().parse::<u64>().ok())
            .unwrap_or(0)
            * 1024,
        load_before: load(),
        counters: "rusage".to_owned(),
        ..Machine::default()
    }
}

fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// The commit checked out at `root`, and whether tracked files differ from it.
pub(crate) fn commit(root: &Path) -> Commit {
    Commit {
        hash: git(root, &["rev-parse", "HEAD"]).unwrap_or_default(),
        dirty: git(root, &["status", "--porcelain", "--untracked-files=no"])
            .is_ok_and(|status| !status.is_empty()),
    }
}

/// What git says of a commit, where the checkout has it.
pub(crate) fn commit_info(root: &Path, hash: &str) -> CommitInfo {
    let of = |format| {
        let revision = format!("{hash}^{{commit}}");
        let args = ["show", "--no-patch", format, "--end-of-options", &revision];
        git(root, &args).unwrap_or_default()
    };
    CommitInfo {
        title: of("--format=%s"),
        unix_s: of("--format=%ct").parse().unwrap_or(0),
    }
}

/// What a git command in a checkout prints.
///
/// # Errors
/// There is no git, or what it says last of what went wrong.
pub(crate) fn git(root: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(args)
        .output()
        .context("cannot start git")?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let line = why.trim().lines().last().unwrap_or_default().to_owned();
        return Err(Fail::error(format!("git {}: {line}", args[0])));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_a_share_of_all_ticks() {
        let before = CpuTicks::parse("cpu  100 0 100 700 0 0 0 100 50 0\n");
        let after = CpuTicks::parse("cpu  150 0 150 750 0 0 0 150 60 0\n");
        assert!((after.steal_since(before) - 0.25).abs() < 1e-12);
        assert_eq!(before.steal_since(before), 0.0);
    }

    #[test]
    fn fields_are_found_by_name() {
        let text = "processor\t: 0\nmodel name\t: A CPU: fast\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A CPU: fast"));
        assert_eq!(field(text, "model"), None);
    }
}
