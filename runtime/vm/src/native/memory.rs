//! Memory for machine code: every page has two addresses, one to write and one to execute, and
//! never both at one. Nothing is moved or freed before the engine goes.

use std::io;
use std::ptr::NonNull;

/// Size of one mapping, in bytes. A module with more code gets several.
const CHUNK_BYTES: usize = 16 << 20;
const ALIGN: usize = 16;

#[derive(Debug)]
struct Chunk {
    write: NonNull<u8>,
    execute: NonNull<u8>,
    length_bytes: usize,
    used_bytes: usize,
}

/// All code of an engine.
#[derive(Debug, Default)]
pub(crate) struct CodeMemory {
    chunks: Vec<Chunk>,
}

// SAFETY: the mappings belong to this object; publishing takes `&mut`.
unsafe impl Send for CodeMemory {}

impl CodeMemory {
    /// Copies code in and returns its executable address, 16-byte aligned.
    ///
    /// # Errors
    /// The system's, when it has no memory.
    pub(crate) fn publish(&mut self, code: &[u8]) -> io::Result<*const u8> {
        let fits = |chunk: &Chunk| chunk.length_bytes - chunk.used_bytes >= code.len();
        if !self.chunks.last().is_some_and(fits) {
            let length = code.len().next_multiple_of(4096).max(CHUNK_BYTES);
            self.chunks.push(Chunk::new(length)?);
        }
        let chunk = self.chunks.last_mut().expect("pushed just now");
        let at = chunk.used_bytes;
        // SAFETY: the chunk has room behind `at`, and nobody else writes there.
        let address = unsafe {
            core::ptr::copy_nonoverlapping(code.as_ptr(), chunk.write.as_ptr().add(at), code.len());
            chunk.execute.as_ptr().add(at).cast_const()
        };
        chunk.used_bytes = (at + code.len())
            .next_multiple_of(ALIGN)
            .min(chunk.length_bytes);
        synchronize(chunk.write.as_ptr().wrapping_add(at), address, code.len());
        Ok(address)
    }
}

impl Chunk {
    fn new(length_bytes: usize) -> io::Result<Chunk> {
        let check = |result: isize| {
            if result < 0 {
                Err(io::Error::last_os_error())
            } else {
                Ok(result)
            }
        };
        // SAFETY: creates an anonymous file of our own; the name is a C string.
        unsafe {
            let file =
                check(libc::memfd_create(c"zwasm-code".as_ptr(), libc::MFD_CLOEXEC) as isize)?;
            let file = file as i32;
            let sized = check(libc::ftruncate(file, length_bytes as libc::off_t) as isize);
            let map = |protection| {
                let address = libc::mmap(
                    core::ptr::null_mut(),
                    length_bytes,
                    protection,
                    libc::MAP_SHARED,
                    file,
                    0,
                );
                if address == libc::MAP_FAILED {
                    return Err(io::Error::last_os_error());
                }
                Ok(NonNull::new(address.cast::<u8>()).expect("the kernel never maps address zero"))
            };
            let mapped = sized.and_then(|_| {
                let write = map(libc::PROT_READ | libc::PROT_WRITE)?;
                let execute = map(libc::PROT_READ | libc::PROT_EXEC).inspect_err(|_| {
                    libc::munmap(write.as_ptr().cast(), length_bytes);
                })?;
                Ok((write, execute))
            });
            libc::close(file);
            let (write, execute) = mapped?;
            Ok(Chunk {
                write,
                execute,
                length_bytes,
                used_bytes: 0,
            })
        }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: both mappings are ours, and code does not outlive its engine.
        unsafe {
            libc::munmap(self.write.as_ptr().cast(), self.length_bytes);
            libc::munmap(self.execute.as_ptr().cast(), self.length_bytes);
        }
    }
}

/// Makes the processor see new code.
#[cfg(target_arch = "x86_64")]
fn synchronize(_written: *const u8, _executable: *const u8, _length_bytes: usize) {
    // Stores and instruction fetches are coherent; calling the code serialises enough.
}

/// Makes the processor see new code.
#[cfg(target_arch = "aarch64")]
fn synchronize(written: *const u8, executable: *const u8, length_bytes: usize) {
    unsafe extern "C" {
        fn __clear_cache(start: *mut core::ffi::c_char, end: *mut core::ffi::c_char);
    }
    // SAFETY: both ranges are mapped; cleaning caches changes no memory. The data cache is cleaned
    // by the written addresses, the instruction cache invalidated by the executable ones.
    unsafe {
        __clear_cache(
            written.cast_mut().cast(),
            written.add(length_bytes).cast_mut().cast(),
        );
        __clear_cache(
            executable.cast_mut().cast(),
            executable.add(length_bytes).cast_mut().cast(),
        );
    }
}
