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

    #[cfg(target_os = "linux")]
    #[test]
    fn copies_of_a_file_are_apart() {
        use std::io::Write;
        let page = page_size();
        let file = SealedFile::new(|file| {
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
