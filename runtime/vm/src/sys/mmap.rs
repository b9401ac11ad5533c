//! Reserved address space: anonymous mappings whose pages become accessible piece by piece.

use std::io;
use std::ptr::NonNull;

/// A reservation of address space. Fresh accessible pages read as zero.
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
}
