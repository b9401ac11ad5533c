//! Reserved address space: anonymous mappings whose pages become accessible piece by piece, and may
//! start as those of a file.

use super::sealed::SealedFile;
use std::io;
use std::ptr::NonNull;

/// A reservation of address space. Fresh accessible pages read as zero, unless mapped from a file.
#[derive(Debug)]
pub(crate) struct Reservation {
    base: NonNull<u8>,
    length_bytes: usize,
}

// SAFETY: a reservation is an address range; whoever reads or writes it answers for races.
unsafe impl Send for Reservation {}
// SAFETY: as above; the methods that change protection take `&mut self`.
unsafe impl Sync for Reservation {}

impl Reservation {
    /// Reserves `length_bytes` of inaccessible address space; memory is used only once touched.
    ///
    /// # Errors
    /// The system's error when it has no such range.
    pub(crate) fn new(length_bytes: usize) -> io::Result<Reservation> {
        if length_bytes == 0 {
            return Ok(Reservation {
                base: NonNull::<u64>::dangling().cast(),
                length_bytes: 0,
            });
        }
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing.
        let address = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                length_bytes,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(address.cast()).expect("the kernel never maps address zero");
        Ok(Reservation { base, length_bytes })
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    pub(crate) fn length_bytes(&self) -> usize {
        self.length_bytes
    }

    /// Makes the bytes `from..to` readable and writable, rounded out to whole pages.
    ///
    /// # Errors
    /// The system's error, when it is out of memory.
    pub(crate) fn make_accessible(&mut self, from: usize, to: usize) -> io::Result<()> {
        assert!(
            from <= to && to <= self.length_bytes,
            "range lies in the reservation"
        );
        let page = page_size();
        let from = from / page * page;
        let to = to.next_multiple_of(page).min(self.length_bytes);
        if from >= to {
            return Ok(());
        }
        // SAFETY: the range lies in this mapping and starts at a page.
        let result = unsafe {
            libc::mprotect(
                self.base.as_ptr().add(from).cast(),
                to - from,
                libc::PROT_READ | libc::PROT_WRITE,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Makes `length_bytes` from `at` on a readable and writable copy of a file's bytes from
    /// `file_offset` on, page by page as they are touched. All three are multiples of the page size.
    ///
    /// # Errors
    /// The system's. It may have freed those addresses already, so the reservation is given up: it
    /// is empty from then on, and what is left of it stays reserved as long as the process.
    pub(crate) fn map_copy(
        &mut self,
        at: usize,
        length_bytes: usize,
        file: &SealedFile,
        file_offset: u64,
    ) -> io::Result<()> {
        assert!(
            at <= self.length_bytes && length_bytes <= self.length_bytes - at,
            "range lies in the reservation"
        );
        // SAFETY: the range lies in this mapping, which is borrowed mutably. Nothing changes a
        // sealed file, so the pages keep their contents until they are written here.
        let address = unsafe {
            libc::mmap(
                self.base.as_ptr().add(at).cast(),
                length_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_NORESERVE,
                file.descriptor(),
                libc::off_t::try_from(file_offset).expect("files have 63-bit sizes"),
            )
        };
        if address == libc::MAP_FAILED {
            let error = io::Error::last_os_error();
            self.length_bytes = 0;
            return Err(error);
        }
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.length_bytes != 0 {
            // SAFETY: the mapping is ours and nobody uses it past its owner.
            unsafe { libc::munmap(self.base.as_ptr().cast(), self.length_bytes) };
        }
    }
}

/// Writes zeros. Whole pages that are not in memory stay out of it: those that nobody has touched,
/// of which large blocks that a guest clears before use mostly consist, read as zero already.
///
/// # Safety
/// The bytes are writable and nobody else's. On Linux those of whole pages belong to a private
/// anonymous mapping.
pub(crate) unsafe fn write_zeros(start: *mut u8, length_bytes: usize) {
    #[cfg(target_os = "linux")]
    {
        /// Asked for at a time.
        const PAGES: usize = 1024;

        let page = page_size();
        let head = start.align_offset(page).min(length_bytes);
        let pages = (length_bytes - head) / page;
        // SAFETY: all ranges lie in that of the caller.
        unsafe {
            start.write_bytes(0, head);
            let whole = start.add(head);
            for first in (0..pages).step_by(PAGES) {
                let count = PAGES.min(pages - first);
                clear_pages(whole.add(first * page), &mut [0; PAGES][..count], page);
            }
            whole
                .add(pages * page)
                .write_bytes(0, length_bytes - head - pages * page);
        }
    }
    #[cfg(not(target_os = "linux"))]
    // SAFETY: forwarded.
    unsafe {
        start.write_bytes(0, length_bytes)
    }
}

/// Makes as many pages from `start` on read as zero as `residency` has room for.
///
/// # Safety
/// They are whole pages of a private anonymous mapping, writable and nobody else's.
#[cfg(target_os = "linux")]
unsafe fn clear_pages(start: *mut u8, residency: &mut [u8], page: usize) {
    // SAFETY: there is a byte for each page.
    let known = unsafe {
        let length_bytes = residency.len() * page;
        libc::mincore(start.cast(), length_bytes, residency.as_mut_ptr()) == 0
    };
    if !known {
        residency.fill(1);
    }
    let mut at = start;
    for run in residency.chunk_by(|a, b| a & 1 == b & 1) {
        let length_bytes = run.len() * page;
        // Pages not in memory may have been swapped out. The system forgets them for good, and the
        // next to look finds zeros (madvise(2), MADV_DONTNEED).
        // SAFETY: the pages are the caller's.
        unsafe {
            let absent =
                run[0] & 1 == 0 && libc::madvise(at.cast(), length_bytes, libc::MADV_DONTNEED) == 0;
            if !absent {
                at.write_bytes(0, length_bytes);
            }
            at = at.add(length_bytes);
        }
    }
}

/// The size of a page of the operating system, in bytes.
pub(crate) fn page_size() -> usize {
    // SAFETY: asks for a constant.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("the page size is positive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_become_accessible_and_read_zero() {
        let mut r = Reservation::new(1 << 30).unwrap();
        r.make_accessible(0, 100_000).unwrap();
        // SAFETY: the range was made accessible just now.
        let bytes = unsafe { core::slice::from_raw_parts_mut(r.base(), 100_000) };
        assert!(bytes.iter().all(|&b| b == 0));
        bytes[99_999] = 7;
        r.make_accessible(100_000, 200_000).unwrap();
        // SAFETY: as above.
        assert_eq!(unsafe { *r.base().add(99_999) }, 7);
    }

    #[test]
    fn zeros_reach_what_was_touched_and_nothing_else() {
        let page = page_size();
        let length = 3000 * page;
        let mut r = Reservation::new(length).unwrap();
        r.make_accessible(0, length).unwrap();
        // SAFETY: the range was made accessible just now.
        let bytes = unsafe { core::slice::from_raw_parts_mut(r.base(), length) };
        let touched = [0, 1, page, 5 * page, 1024 * page, 2999 * page + 1];
        for (from, to) in [
            (0, length),
            (1, length - 1),
            (page, 2 * page),
            (page + 1, page + 2),
            (page - 1, 3 * page + 1),
            (length - 1, length),
            (7, 7),
        ] {
            touched.iter().for_each(|&at| bytes[at] = 7);
            (bytes[from.saturating_sub(1)], bytes[to - 1]) = (8, 9);
            // SAFETY: the pages are of an anonymous mapping, and borrowed by nobody meanwhile.
            unsafe { write_zeros(bytes.as_mut_ptr().add(from), to - from) };
            assert!(bytes[from..to].iter().all(|&byte| byte == 0));
            let kept = |&&at: &&usize| !(from..to).contains(&at) && at + 1 != from && at + 1 != to;
            assert!(touched.iter().filter(kept).all(|&at| bytes[at] == 7));
            assert!(from == 0 || bytes[from - 1] != 0);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pages_that_are_cleared_before_use_take_no_memory() {
        let page = page_size();
        let length = 2000 * page;
        let mut r = Reservation::new(length).unwrap();
        r.make_accessible(0, length).unwrap();
        let mut residency = vec![0_u8; 2000];
        // SAFETY: the range was made accessible just now; there is a byte for each page.
        unsafe {
            r.base().add(1500 * page).write(1);
            write_zeros(r.base(), length);
            let mapped = r.base().cast();
            assert_eq!(libc::mincore(mapped, length, residency.as_mut_ptr()), 0);
        }
        let resident = residency.iter().filter(|&&one| one & 1 != 0).count();
        // Large pages may bring their neighbours.
        assert!(resident <= 513, "{resident} pages");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn copies_of_a_file_are_apart() {
        use std::io::Write;
        let page = page_size();
        let file = SealedFile::new(2 * page, |file| {
            file.write_all(&vec![1; page])?;
            file.write_all(&vec![2; page])
        })
        .unwrap();
        let copy = || {
            let mut r = Reservation::new(8 * page).unwrap();
            r.make_accessible(0, 4 * page).unwrap();
            r.map_copy(page, page, &file, page as u64).unwrap();
            r
        };
        let (one, other) = (copy(), copy());
        // SAFETY: the first four pages are accessible.
        let bytes =
            |r: &Reservation| unsafe { core::slice::from_raw_parts_mut(r.base(), 4 * page) };
        assert_eq!(bytes(&one)[page - 1..=page], [0, 2]);
        assert_eq!(bytes(&one)[2 * page - 1..=2 * page], [2, 0]);
        bytes(&one)[page] = 3;
        assert_eq!(bytes(&other)[page], 2);
        assert_eq!(bytes(&copy())[page], 2);
    }
}
