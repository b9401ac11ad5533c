//! Telling a profiler about machine code: the two files that Linux `perf` reads.
//!
//! A *perf map* is lines of "address size name" in `/tmp/perf-PID.map`. A *jitdump* holds the code
//! too, with times, so that `perf inject` can annotate instructions; `perf` finds it by a mapping
//! of the file in the process.
//!
//! Source: the Linux tree, `tools/perf/Documentation/jit-interface.txt` and
//! `jitdump-specification.txt`.

use crate::engine::Profiler;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Mutex;
use zwasm_core::Printable;

/// "JiTD", in the byte order of the machine.
const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER_BYTES: u32 = 40;
const CODE_LOAD: u32 = 0;
/// Bytes of a code record before the name.
const RECORD_BYTES: usize = 56;

#[cfg(target_arch = "x86_64")]
const ELF_MACHINE: u32 = 62;
#[cfg(target_arch = "aarch64")]
const ELF_MACHINE: u32 = 183;

/// The open file.
#[derive(Debug)]
pub(super) struct Profile {
    kind: Profiler,
    /// With the number of functions written.
    file: Mutex<(File, u64)>,
}

impl Profile {
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn open(kind: Profiler) -> Result<Profile> {
        let pid = std::process::id();
        let (path, opened) = match kind {
            Profiler::PerfMap => {
                let path = PathBuf::from(format!("/tmp/perf-{pid}.map"));
                let opened = File::options().create(true).append(true).open(&path);
                (path, opened)
            }
            Profiler::JitDump => {
                let path = PathBuf::from(format!("jit-{pid}.dump"));
                let opened = begin_dump(&path);
                (path, opened)
            }
        };
        let file =
            opened.map_err(|e| Error::resource(format!("cannot write {}: {e}", path.display())))?;
        Ok(Profile {
            kind,
            file: Mutex::new((file, 0)),
        })
    }

    /// Adds a function. A full disk must not stop the guest: the profile lacks it then.
    pub(super) fn add(&self, start: usize, code: &[u8], name: &str) {
        // A newline or a zero byte in a name would end the record.
        let name = &Printable::name(name).to_string();
        let mut file = self.file.lock().expect("no panic while locked");
        let (file, count) = &mut *file;
        let record = match self.kind {
            Profiler::PerfMap => format!("{start:x} {:x} {name}\n", code.len()).into_bytes(),
            Profiler::JitDump => code_record(start, code, name, *count),
        };
        *count += 1;
        let _ = file.write_all(&record);
    }
}

fn begin_dump(path: &std::path::Path) -> io::Result<File> {
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(path)?;
    let mut header = Vec::with_capacity(HEADER_BYTES as usize);
    for word in [
        MAGIC,
        VERSION,
        HEADER_BYTES,
        ELF_MACHINE,
        0,
        std::process::id(),
    ] {
        header.extend(word.to_ne_bytes());
    }
    header.extend(now_ns().to_ne_bytes());
    header.extend(0_u64.to_ne_bytes());
    file.write_all(&header)?;
    // SAFETY: a private mapping of one page of our file that nothing accesses; it stays, for it is
    // how `perf` learns of the file.
    let mapped = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_EXEC,
            libc::MAP_PRIVATE,
            file.as_raw_fd(),
            0,
        )
    };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(file)
}

fn code_record(start: usize, code: &[u8], name: &str, index: u64) -> Vec<u8> {
    let total = RECORD_BYTES + name.len() + 1 + code.len();
    let mut record = Vec::with_capacity(total);
    record.extend(CODE_LOAD.to_ne_bytes());
    record.extend((total as u32).to_ne_bytes());
    record.extend(now_ns().to_ne_bytes());
    record.extend(std::process::id().to_ne_bytes());
    record.extend(super::interrupt::current_thread().to_ne_bytes());
    for word in [start as u64, start as u64, code.len() as u64, index] {
        record.extend(word.to_ne_bytes());
    }
    record.extend(name.as_bytes());
    record.push(0);
    record.extend(code);
    record
}

/// The clock that `perf record -k mono` uses.
fn now_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes the time into our own record; the clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_sizes_that_they_state() {
        let record = code_record(0x1234, &[1, 2, 3], "f", 7);
        let field = |at: usize| u32::from_ne_bytes(record[at..at + 4].try_into().unwrap());
        assert_eq!(field(4) as usize, record.len());
        assert_eq!(record[RECORD_BYTES..], *b"f\0\x01\x02\x03");
        assert_eq!(field(RECORD_BYTES - 8), 7);
    }
}
