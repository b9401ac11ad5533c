//! Images: what active data segments leave in a new instance's memories, in a file that instances
//! map copy-on-write. Nothing is copied but the pages that an instance writes, and the module need
//! not keep the segments' bytes.
//!
//! A module has images when nobody can tell the difference from copying one segment after the other:
//! all active segments have constant offsets in memories of the module's own and fit, no two
//! overlap, and no earlier step can fail while a function of the instance is reachable from elsewhere.
//! Modules with little data, or data scattered over much memory, are not worth a file.

use crate::sys::mmap::{Reservation, page_size};
use crate::sys::sealed::SealedFile;
use std::io::{self, BufWriter, Write};
use zwasm_core::module::{ConstExpr, ConstOp, DataSegment, ModuleInfo, SegmentMode};

/// Modules with fewer bytes in active segments copy them.
const MIN_DATA_BYTES: usize = 1 << 20;
/// Between segments further apart than this lie pages of zeros that the file does not have.
const MAX_GAP_BYTES: usize = 64 << 10;
/// Memories of other page sizes may end within a page of the system.
const WASM_PAGE_LOG2: u8 = 16;

/// The initial contents of a module's memories.
#[derive(Debug)]
pub(crate) struct Images {
    file: SealedFile,
    /// By memory and offset.
    runs: Vec<Run>,
}

/// Consecutive pages of a memory, and of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) memory: u32,
    /// A multiple of the page size, as are the others.
    pub(crate) memory_offset: usize,
    pub(crate) length_bytes: usize,
    pub(crate) file_offset: u64,
}

/// The initial contents of one memory: zero but for these runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image<'a> {
    file: &'a SealedFile,
    runs: &'a [Run],
}

/// An active data segment.
struct Placed<'a> {
    memory: u32,
    offset: usize,
    bytes: &'a [u8],
}

impl Placed<'_> {
    fn end(&self) -> usize {
        self.offset + self.bytes.len()
    }
}

impl Images {
    /// Makes images of all active data segments of a module, if they are worth it.
    pub(super) fn new(info: &ModuleInfo, bytes: &[u8]) -> Option<Images> {
        let active = |segment: &&DataSegment| matches!(segment.mode, SegmentMode::Active { .. });
        let lengths = info.data.iter().filter(active).map(|s| s.bytes.len());
        let data_bytes: usize = lengths.sum();
        if data_bytes < MIN_DATA_BYTES || !elements_fit(info) {
            return None;
        }
        let mut segments = place(info, bytes)?;
        segments.retain(|segment| !segment.bytes.is_empty());
        segments.sort_by_key(|segment| (segment.memory, segment.offset));
        let overlap = |pair: &[Placed<'_>]| {
            pair[0].memory == pair[1].memory && pair[0].end() > pair[1].offset
        };
        if segments.windows(2).any(overlap) {
            return None;
        }
        let apart = |a: &Placed<'_>, b: &Placed<'_>| {
            a.memory != b.memory || b.offset - a.end() > MAX_GAP_BYTES.max(page_size())
        };
        let groups = || segments.chunk_by(|a, b| !apart(a, b));
        let mut runs = Vec::new();
        let mut file_bytes = 0;
        for group in groups() {
            let (first, last) = (&group[0], &group[group.len() - 1]);
            let memory_offset = first.offset / page_size() * page_size();
            let length_bytes = last.end().next_multiple_of(page_size()) - memory_offset;
            runs.push(Run {
                memory: first.memory,
                memory_offset,
                length_bytes,
                file_offset: file_bytes as u64,
            });
            file_bytes += length_bytes;
        }
        if file_bytes > 2 * data_bytes {
            return None;
        }
        let file = SealedFile::new(file_bytes, |file| {
            let mut file = BufWriter::with_capacity(256 << 10, file);
            for (run, group) in runs.iter().zip(groups()) {
                let mut at = run.memory_offset;
                for segment in group {
                    write_zeros(&mut file, segment.offset - at)?;
                    file.write_all(segment.bytes)?;
                    at = segment.end();
                }
                write_zeros(&mut file, run.memory_offset + run.length_bytes - at)?;
            }
            file.flush()
        });
        // Copying needs no file.
        file.ok().map(|file| Images { file, runs })
    }

    /// The runs, and the pages of all of them, in the order of their places in the file.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn contents(&self) -> io::Result<(&[Run], Vec<u8>)> {
        let length: usize = self.runs.iter().map(|run| run.length_bytes).sum();
        let mut pages = vec![0; length];
        self.file.read_exact_at(&mut pages, 0)?;
        Ok((&self.runs, pages))
    }

    /// Images whose pages are in a file already, from `start` on; none if they cannot be this module's.
    pub(super) fn kept(
        file: SealedFile,
        start: u64,
        mut runs: Vec<Run>,
        info: &ModuleInfo,
    ) -> Option<Images> {
        let fits = |run: &Run| {
            let ty = info.memories.get(run.memory as usize)?;
            let is_own = run.memory >= info.imported_memories;
            let end = run.memory_offset.checked_add(run.length_bytes)?;
            let minimum = ty.minimum.checked_mul(1 << WASM_PAGE_LOG2)?;
            let in_pages = [
                run.memory_offset,
                run.length_bytes,
                run.file_offset as usize,
            ];
            let are_pages = in_pages.iter().all(|at| at.is_multiple_of(page_size()));
            (is_own && ty.page_size_log2 == WASM_PAGE_LOG2 && are_pages)
                .then_some(end as u64 <= minimum)
        };
        let in_order = |pair: &[Run]| {
            let [one, next] = pair else { return true };
            (one.memory, one.memory_offset + one.length_bytes) <= (next.memory, next.memory_offset)
        };
        let fit = runs.iter().all(|run| fits(run) == Some(true)) && runs.windows(2).all(in_order);
        runs.iter_mut().for_each(|run| run.file_offset += start);
        (fit && start.is_multiple_of(page_size() as u64)).then_some(Images { file, runs })
    }

    /// Of one run in memory 0.
    #[cfg(test)]
    pub(crate) fn one_run(
        write: impl FnOnce(&mut std::fs::File) -> io::Result<()>,
        memory_offset: usize,
        length_bytes: usize,
        file_offset: u64,
    ) -> io::Result<Images> {
        Ok(Images {
            file: SealedFile::new(file_offset as usize + length_bytes + 1, write)?,
            runs: vec![Run {
                memory: 0,
                memory_offset,
                length_bytes,
                file_offset,
            }],
        })
    }

    /// That of a memory.
    pub(crate) fn of(&self, memory: u32) -> Image<'_> {
        let start = self.runs.partition_point(|run| run.memory < memory);
        let end = self.runs.partition_point(|run| run.memory <= memory);
        Image {
            file: &self.file,
            runs: &self.runs[start..end],
        }
    }
}

impl Image<'_> {
    /// Maps the contents over the start of a new memory, whose initial size is accessible.
    ///
    /// # Errors
    /// Those of [`Reservation::map_copy`]; the reservation is given up.
    pub(crate) fn map(self, memory: &mut Reservation) -> io::Result<()> {
        self.runs.iter().try_for_each(|run| {
            memory.map_copy(
                run.memory_offset,
                run.length_bytes,
                self.file,
                run.file_offset,
            )
        })
    }

    /// Where the last run ends, in bytes from the memory's start.
    pub(crate) fn end(self) -> usize {
        let last = self.runs.last();
        last.map_or(0, |run| run.memory_offset + run.length_bytes)
    }

    /// Copies the contents into a new memory of at least the initial size.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn copy(self, memory: &mut [u8]) -> io::Result<()> {
        self.runs.iter().try_for_each(|run| {
            let target = &mut memory[run.memory_offset..][..run.length_bytes];
            self.file.read_exact_at(target, run.file_offset)
        })
    }
}

fn write_zeros(file: &mut impl Write, mut count: usize) -> io::Result<()> {
    const ZEROS: [u8; 4096] = [0; 4096];
    while count > 0 {
        let some = count.min(ZEROS.len());
        file.write_all(&ZEROS[..some])?;
        count -= some;
    }
    Ok(())
}

/// The active data segments, if all are for memories of the module's own and fit.
fn place<'a>(info: &ModuleInfo, bytes: &'a [u8]) -> Option<Vec<Placed<'a>>> {
    if page_size() > 1 << WASM_PAGE_LOG2 {
        return None;
    }
    let mut segments = Vec::new();
    for segment in &info.data {
        let SegmentMode::Active { index, offset } = &segment.mode else {
            continue;
        };
        let ty = &info.memories[*index as usize];
        if *index < info.imported_memories || ty.page_size_log2 != WASM_PAGE_LOG2 {
            return None;
        }
        let offset = constant(offset)?;
        let end = offset.checked_add(segment.bytes.len() as u64)?;
        if end.div_ceil(1 << WASM_PAGE_LOG2) > ty.minimum {
            return None;
        }
        segments.push(Placed {
            memory: *index,
            offset: usize::try_from(offset).ok()?,
            bytes: &bytes[segment.bytes.clone()],
        });
    }
    Some(segments)
}

/// Whether active element segments cannot trap after others have put functions into tables that the
/// module imports: from there the memories could be seen without data.
fn elements_fit(info: &ModuleInfo) -> bool {
    let active = || {
        info.elements.iter().filter_map(|segment| {
            let SegmentMode::Active { index, offset } = &segment.mode else {
                return None;
            };
            Some((*index, offset, segment.items.len() as u64))
        })
    };
    // An imported table has at least the declared minimum.
    let fits = |(table, offset, count): (u32, &ConstExpr, u64)| {
        let end = constant(offset).and_then(|offset| offset.checked_add(count));
        end.is_some_and(|end| end <= info.tables[table as usize].ty.minimum)
    };
    active().all(|(table, _, _)| table >= info.imported_tables) || active().all(fits)
}

fn constant(expr: &ConstExpr) -> Option<u64> {
    match *expr.0 {
        [ConstOp::I32Const(value)] => Some(u64::from(value as u32)),
        [ConstOp::I64Const(value)] => Some(value as u64),
        _ => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use crate::{Engine, Module};

    /// How many runs the images of a module have, if it has images.
    fn runs(fields: &str) -> Option<usize> {
        let large = "d".repeat(1 << 20);
        let text = format!("(module {})", fields.replace("LARGE", &large));
        let module = Module::new(&Engine::default(), text).unwrap();
        let images = module.inner().images.as_ref();
        images.map(|images| images.runs.len())
    }

    #[test]
    fn modules_with_much_data_of_constant_places_have_images() {
        if crate::sys::sealed::SealedFile::new(0, |_| Ok(())).is_err() {
            println!("skipped: this system has no files in memory");
            return;
        }
        let one = r#"(memory 20) (data (i32.const 1) "LARGE")"#;
        assert_eq!(runs(one), Some(1));
        assert_eq!(runs(r#"(memory 20) (data "LARGE")"#), None, "passive");
        let imported = r#"(import "m" "m" (memory 20)) (data (i32.const 1) "LARGE")"#;
        assert_eq!(runs(imported), None);
        let ends = r#"(memory 17) (data (i32.const 65536) "LARGE")"#;
        assert_eq!(runs(ends), Some(1));
        let beyond = r#"(memory 17) (data (i32.const 65537) "LARGE")"#;
        assert_eq!(runs(beyond), None);
        assert_eq!(
            runs(&format!("{one} (data (i32.const 1310721) \"\")")),
            None
        );
        assert_eq!(runs(&format!("{one} (data (i32.const 0) \"x\")")), Some(1));
        assert_eq!(runs(&format!("{one} (data (i32.const 1) \"x\")")), None);
        assert_eq!(
            runs(&format!("{one} (data (i32.const 1200000) \"x\")")),
            Some(2)
        );
        let global =
            r#"(import "m" "g" (global $g i32)) (memory 20) (data (global.get $g) "LARGE")"#;
        assert_eq!(runs(global), None);
        let two = r#"(memory i64 40) (memory 20) (memory 20) (data (memory 2) (i32.const 9) "LARGE")
            (data (memory 0) (i64.const 1000000) "LARGE")"#;
        assert_eq!(runs(two), Some(2));
        let small_pages = r#"(memory 1048576 (pagesize 1)) (data (i32.const 0) "LARGE")"#;
        assert_eq!(runs(small_pages), None);
        let scattered =
            (0..300).map(|i| format!("(data (i32.const {}) \"x\")", (20 + 3 * i) << 16));
        let scattered = one.replace("20", "999") + &scattered.collect::<String>();
        assert_eq!(runs(&scattered), None);
    }

    #[test]
    fn tables_of_others_must_not_fail_first() {
        let with = |elements: &str| {
            runs(&format!(
                r#"(import "m" "t" (table $theirs 2 funcref)) (table $ours 2 funcref) (func $f)
                {elements} (memory 20) (data (i32.const 1) "LARGE")"#
            ))
        };
        if with("").is_none() {
            println!("skipped: this system has no files in memory");
            return;
        }
        let fits = "(elem (table $theirs) (i32.const 1) func $f)";
        let fails = "(elem (table $ours) (i32.const 2) func $f)";
        assert_eq!(with(fits), Some(1));
        assert_eq!(with(fails), Some(1));
        assert_eq!(with(&format!("{fits} {fails}")), None);
        assert_eq!(with("(elem (table $theirs) (i32.const 2) func $f)"), None);
    }
}
