//! Sections of a binary module as it is, valid or not: where each lies, without a look into any.
//!
//! Spec: binary format, modules (5.5.2).

use core::iter;
use core::ops::Range;

pub(crate) const CUSTOM: u8 = 0;
pub(crate) const CODE: u8 = 10;
pub(crate) const DATA: u8 = 11;

/// The magic and the version.
pub(crate) const HEADER_BYTES: usize = 8;

/// Numbers and contents of sections, up to the first that is none or goes beyond the end.
pub(crate) fn sections(bytes: &[u8]) -> impl Iterator<Item = (u8, Range<usize>)> + '_ {
    let mut at = HEADER_BYTES;
    iter::from_fn(move || {
        let id = *bytes.get(at)?;
        let mut length = 0_usize;
        for shift in (0..35).step_by(7) {
            at += 1;
            let byte = *bytes.get(at)?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        let start = at + 1;
        at = start.checked_add(length)?;
        (at <= bytes.len()).then_some((id, start..at))
    })
}

/// Adds a section.
pub(crate) fn add(out: &mut Vec<u8>, id: u8, contents: &[u8]) {
    out.push(id);
    add_length(out, contents.len());
    out.extend_from_slice(contents);
}

/// Adds a length (5.2.2).
pub(crate) fn add_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_as_far_as_they_go() {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        add(&mut bytes, 1, &[]);
        add(&mut bytes, CODE, &[7; 300]);
        let found = |bytes: &[u8]| sections(bytes).collect::<Vec<_>>();
        assert_eq!(found(&bytes), [(1, 10..10), (CODE, 13..313)]);
        assert_eq!(found(&bytes[..312]), [(1, 10..10)]);
        assert!(found(&bytes[..3]).is_empty() && found(&bytes[..9]).is_empty());
        bytes.truncate(10);
        bytes.extend([DATA, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(found(&bytes).len(), 1);
    }
}
