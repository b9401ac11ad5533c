//! The system calls that the standard library lacks: `wait4` with resource usage, killing a process group,
//! catching SIGINT and SIGTERM, keeping a thread on a processor, and nothing else. All of the crate's
//! `unsafe`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// From now on SIGINT and SIGTERM only set a flag; a second one ends the process as usual.
pub(crate) fn catch_interrupts() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: `action` is a plain C struct for which all-zero bytes are a valid value, and it
        // is filled in before use; the handler only stores to an atomic, which is safe in a signal.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
            // No SA_RESTART and no SA_RESETHAND: blocking calls elsewhere may go on, the flag is
            // polled; the handler is not inherited through exec.
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// Whether the user asked us to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// How a child ended and what it used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaped {
    /// Exit code, when it exited.
    pub(crate) code: Option<i32>,
    /// Signal, when one ended it.
    pub(crate) signal: Option<i32>,
    pub(crate) user_ns: u64,
    pub(crate) system_ns: u64,
    pub(crate) peak_rss_bytes: u64,
    pub(crate) involuntary_switches: u64,
}

/// Waits for a child of ours and reaps it. The caller must not wait for it in another way.
pub(crate) fn wait(pid: u32) -> io::Result<Reaped> {
    let mut status = 0;
    // SAFETY: all-zero bytes are a valid `rusage`, a struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live locals of the right types.
        let result = unsafe { libc::wait4(pid as libc::pid_t, &raw mut status, 0, &raw mut usage) };
        if result >= 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let ns = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1000;
    // Linux counts kibibytes, Apple's systems count bytes.
    let rss_unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Ok(Reaped {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        user_ns: ns(usage.ru_utime),
        system_ns: ns(usage.ru_stime),
        peak_rss_bytes: usage.ru_maxrss as u64 * rss_unit,
        involuntary_switches: usage.ru_nivcsw as u64,
    })
}

/// Kills every process of a group; a group that is already gone is no error.
pub(crate) fn kill_group(leader: u32) {
    // SAFETY: a system call without pointers. The group was made for a child of ours.
    unsafe {
        libc::kill(-(leader as libc::pid_t), libc::SIGKILL);
    }
}

/// The processors that this process may run on.
#[cfg(target_os = "linux")]
pub(crate) fn processors() -> Vec<usize> {
    // SAFETY: all-zero bytes are a valid `cpu_set_t`, a bit mask; the call writes at most its size to it.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) != 0 {
            return Vec::new();
        }
        set
    };
    let last = 8 * size_of::<libc::cpu_set_t>();
    // SAFETY: the index is within the mask.
    let has = |&at: &usize| unsafe { libc::CPU_ISSET(at, &set) };
    (0..last).filter(has).collect()
}

/// Keeps the first thread of a process on one processor; its other threads stay where they are. Says
/// nothing where that cannot be: the thread then goes on wherever it likes.
#[cfg(target_os = "linux")]
pub(crate) fn keep_on(pid: u32, processor: usize) {
    if processor >= 8 * size_of::<libc::cpu_set_t>() {
        return;
    }
    // SAFETY: all-zero bytes are a valid `cpu_set_t`; the index is within the mask; the call reads it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(
            pid as libc::pid_t,
            size_of::<libc::cpu_set_t>(),
            &raw const set,
        );
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn processors() -> Vec<usize> {
    Vec::new()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn keep_on(_pid: u32, _processor: usize) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_stays_where_it_is_put() {
        let last = *processors().last().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        keep_on(child.id(), last);
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let mut lines = status.lines();
        let allowed = lines
            .find_map(|l| l.strip_prefix("Cpus_allowed_list:"))
            .unwrap();
        assert_eq!(allowed.trim(), last.to_string());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
