//! Where instructions were executed: callgrind's file, and the files that tell a profiler about
//! machine code.
//!
//! A callgrind file made with `--dump-instr=yes` has a line per instruction. Machine code that a
//! process made itself belongs to no object file there (`ob=???`) and stands with its address, which
//! a jitdump (ours) or a perf map (wasmtime's) turns into a function and an offset.
//!
//! Sources: callgrind's manual, "Callgrind Format Specification"; the Linux tree,
//! `tools/perf/Documentation/jitdump-specification.txt` and `jit-interface.txt`.

use std::collections::BTreeMap;

/// What callgrind counted in one process.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) pid: u32,
    /// In the whole process.
    pub(super) total: f64,
    /// At each address outside of object files.
    pub(super) at: BTreeMap<u64, f64>,
}

impl Counts {
    /// Reads a file of instructions whose positions and names are not compressed.
    pub(super) fn parse(text: &str) -> Option<Counts> {
        let mut counts = Counts::default();
        let mut is_outside = false;
        let mut is_inclusive = false;
        for line in text.lines() {
            if let Some(pid) = line.strip_prefix("pid:") {
                counts.pid = pid.trim().parse().ok()?;
            } else if let Some(object) = line.strip_prefix("ob=") {
                is_outside = object.trim() == "???";
            } else if line.starts_with("calls=") {
                // The next line has the costs of the callee.
                is_inclusive = true;
            } else if let Some(rest) = line.strip_prefix("0x") {
                if core::mem::take(&mut is_inclusive) {
                    continue;
                }
                let mut words = rest.split_ascii_whitespace();
                let address = u64::from_str_radix(words.next()?, 16).ok()?;
                let cost: f64 = words.nth(1)?.parse().ok()?;
                counts.total += cost;
                if is_outside {
                    *counts.at.entry(address).or_default() += cost;
                }
            }
        }
        (counts.pid != 0 && counts.total > 0.0).then_some(counts)
    }
}

/// Machine code in a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) name: String,
    /// Empty where the file does not say.
    pub(super) code: Vec<u8>,
}

/// The lines of a perf map.
pub(super) fn perf_map(text: &str) -> Vec<Region> {
    let region = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut number = || u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok();
        let (start, length) = (number()?, number()?);
        Some(Region {
            start,
            length,
            name: words.next()?.to_owned(),
            code: Vec::new(),
        })
    };
    text.lines().filter_map(region).collect()
}

/// The code records of a jitdump of this machine; what is behind a torn record is left out.
pub(super) fn jitdump(bytes: &[u8]) -> Vec<Region> {
    const CODE_LOAD: u32 = 0;
    const HEAD_BYTES: usize = 56;
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let mut regions = Vec::new();
    let mut at = u32_at(8).unwrap_or_default() as usize;
    while let (Some(kind), Some(total)) = (u32_at(at), u32_at(at + 4)) {
        let Some(record) = bytes.get(at..at + total as usize) else {
            break;
        };
        if kind == CODE_LOAD && record.len() > HEAD_BYTES {
            let (Some(start), Some(length)) = (u64_at(at + 32), u64_at(at + 40)) else {
                break;
            };
            let tail = &record[HEAD_BYTES..];
            let end = tail.iter().position(|&byte| byte == 0).unwrap_or(0);
            regions.push(Region {
                start,
                length,
                name: String::from_utf8_lossy(&tail[..end]).into_owned(),
                code: tail.get(end + 1..).unwrap_or_default().to_vec(),
            });
        }
        at += (total as usize).max(8);
    }
    regions
}

/// Index of the function, and its own name, in what zwasm calls a piece of code: "wasm function 5",
/// "name (wasm function 5)".
pub(crate) fn zwasm_function(name: &str) -> Option<(u32, Option<String>)> {
    let (before, index) = name.rsplit_once("wasm function ")?;
    let index = index.trim_end_matches(')').parse().ok()?;
    let own = before.strip_suffix(" (").map(str::to_owned);
    Some((index, own))
}

/// Index of the function in what wasmtime calls it: "wasm[0]::function[5]", "…::name".
pub(super) fn wasmtime_function(name: &str) -> Option<u32> {
    let rest = name.strip_prefix("wasm[0]::function[")?;
    rest.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_of_calls_and_of_object_files_are_not_code() {
        let text = "pid: 7\npositions: instr line\nob=/lib\nfn=f\n0x10 0 3\nob=???\nfn=0x1000\n\
            0x1000 0 2\ncalls=1 0x10 0\n0x1002 0 900\n0x1002 0 4\n";
        let counts = Counts::parse(text).unwrap();
        assert_eq!((counts.pid, counts.total), (7, 9.0));
        assert_eq!(counts.at, BTreeMap::from([(0x1000, 2.0), (0x1002, 4.0)]));
        assert!(Counts::parse("nothing").is_none());
    }

    #[test]
    fn functions_are_known_by_their_index() {
        assert_eq!(zwasm_function("wasm function 5"), Some((5, None)));
        let named = zwasm_function("f (g) (wasm function 12)");
        assert_eq!(named, Some((12, Some("f (g)".to_owned()))));
        assert_eq!(zwasm_function("a stub"), None);
        assert_eq!(wasmtime_function("wasm[0]::function[23]::main"), Some(23));
        assert_eq!(
            wasmtime_function("wasm[0]::array_to_wasm_trampoline[6]"),
            None
        );
    }

    #[test]
    fn regions_of_both_formats() {
        let map = perf_map("0x4f0 9 wasm[0]::function[5]\n1000 20 a name\ntorn");
        assert_eq!((map[0].start, map[0].length), (0x4f0, 9));
        assert_eq!((map[1].start, map[1].name.as_str()), (0x1000, "a name"));
        assert_eq!(map.len(), 2);

        let mut dump = vec![0; 40];
        dump[8] = 40;
        let mut record = vec![0; 56];
        record[4] = 61;
        record[32] = 0x10;
        record[40] = 3;
        record.extend(b"f\0\x90\x90\xc3");
        dump.extend(&record);
        dump.extend(&record[..30]);
        let regions = jitdump(&dump);
        assert_eq!(regions.len(), 1);
        assert_eq!((regions[0].start, regions[0].name.as_str()), (0x10, "f"));
        assert_eq!(regions[0].code, b"\x90\x90\xc3");
        assert!(jitdump(b"").is_empty());
    }
}
