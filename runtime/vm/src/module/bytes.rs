//! A module's bytes, as far as anything still reads them: function bodies, data segments without an
//! image, what is around those with one, the name section. Debugging information and data in images are
//! dropped.

use super::sections;
use core::iter;
use core::ops::Range;
use zwasm_core::module::{DataSegment, ModuleInfo, SegmentMode};

/// Less is not worth the moving.
const MIN_DROPPED_BYTES: usize = 1 << 20;
/// Pieces closer together than this are one piece.
const MAX_GAP_BYTES: usize = 64;

/// What is kept of a module's bytes.
#[derive(Debug)]
pub(crate) struct ModuleBytes {
    kept: Vec<u8>,
    /// In order, in the module and in `kept`.
    pieces: Vec<Piece>,
    /// Of the whole module.
    module_bytes: usize,
}

/// Where bytes of the module lie in what is kept.
#[derive(Debug)]
struct Piece {
    module_offset: usize,
    kept_offset: usize,
}

impl ModuleBytes {
    /// Keeps what `info` has ranges of, but for active data segments if they are `imaged`.
    pub(super) fn new(mut bytes: Vec<u8>, info: &ModuleInfo, imaged: bool) -> ModuleBytes {
        let module_bytes = bytes.len();
        let ranges = wanted(info, imaged, module_bytes);
        let wanted_bytes: usize = ranges.iter().map(Range::len).sum();
        let mut pieces = Vec::with_capacity(ranges.len());
        if module_bytes - wanted_bytes < MIN_DROPPED_BYTES {
            pieces.push(Piece {
                module_offset: 0,
                kept_offset: 0,
            });
        } else {
            let mut end = 0;
            for range in ranges {
                pieces.push(Piece {
                    module_offset: range.start,
                    kept_offset: end,
                });
                let length = range.len();
                if range.start != end {
                    bytes.copy_within(range, end);
                }
                end += length;
            }
            bytes.truncate(end);
            bytes.shrink_to_fit();
        }
        ModuleBytes {
            kept: bytes,
            pieces,
            module_bytes,
        }
    }

    /// The bytes of a range that the module's description has, unless it is a segment in an image.
    pub(crate) fn get(&self, range: &Range<usize>) -> &[u8] {
        let after = self
            .pieces
            .partition_point(|piece| piece.module_offset <= range.start);
        let piece = &self.pieces[after - 1];
        &self.kept[range.start - piece.module_offset + piece.kept_offset..][..range.len()]
    }

    /// The bytes up to the end of the section of bodies at least, or of what else is before data, where
    /// they are in the module.
    pub(crate) fn with_bodies(&self) -> &[u8] {
        let next = self.pieces.get(1);
        &self.kept[..next.map_or(self.kept.len(), |piece| piece.kept_offset)]
    }

    /// The size of the whole module in bytes.
    pub(crate) fn module_bytes(&self) -> usize {
        self.module_bytes
    }
}

/// The pieces of the section of data segments that are in no image, in order; some may be empty.
pub(super) fn around_images(
    info: &ModuleInfo,
    imaged: bool,
) -> impl Iterator<Item = Range<usize>> + '_ {
    let section = info.data_section.clone().unwrap_or_default();
    let is_imaged = move |segment: &&DataSegment| is_in_image(segment, imaged);
    let images = move || info.data.iter().filter(is_imaged);
    let starts = iter::once(section.start).chain(images().map(|segment| segment.bytes.end));
    let ends = images().map(|segment| segment.bytes.start);
    starts
        .zip(ends.chain([section.end]))
        .map(|(start, end)| start..end)
}

/// Whether a segment is in an image, if there are `images`.
pub(super) fn is_in_image(segment: &DataSegment, images: bool) -> bool {
    images && matches!(segment.mode, SegmentMode::Active { .. })
}

/// Ranges of the module to keep, in order and apart. The first is all before data:
/// what is before bodies is small, and moving bodies takes time.
fn wanted(info: &ModuleInfo, imaged: bool, module_bytes: usize) -> Vec<Range<usize>> {
    let mut wanted: Vec<Range<usize>> = info.name_section.iter().cloned().collect();
    wanted.extend(around_images(info, imaged));
    wanted.sort_by_key(|range| range.start);
    let mut ranges = Vec::with_capacity(1 + wanted.len());
    ranges.push(0..info.bodies_end.max(sections::HEADER_BYTES));
    for range in wanted {
        assert!(range.end <= module_bytes, "ranges lie in the module");
        let last = ranges.last_mut().expect("has one");
        if range.start <= last.end.saturating_add(MAX_GAP_BYTES) {
            last.end = last.end.max(range.end);
        } else {
            ranges.push(range);
        }
    }
    ranges
}
