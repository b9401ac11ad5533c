//! Pages for machine code: what may be written is not executable at the same address, or not at the
//! same time.
//!
//! Where the system allows it, every page has two addresses, one to write and one to execute. On
//! macOS for ARM64 it has one, of which each thread has its own view: it may write or execute there.

#[cfg(target_os = "linux")]
use crate::sys::rlimit;
use std::io;
use std::ptr::NonNull;

/// A mapping, or two of the same pages.
#[derive(Debug)]
pub(super) struct Pages {
    write: NonNull<u8>,
    execute: NonNull<u8>,
    length_bytes: usize,
    /// Up to here the system was asked for the pages.
    asked_for_bytes: usize,
}

/// How many bytes of pages the system is asked for at once: one fault each costs more than writing the
/// code that is in them.
const AT_ONCE_BYTES: usize = 64 << 10;

// SAFETY: the mappings belong to this object; writing takes `&mut`.
unsafe impl Send for Pages {}

impl Pages {
    /// # Errors
    /// The system's, when it has no memory.
    pub(super) fn new(length_bytes: usize) -> io::Result<Pages> {
        let (write, execute) = map(length_bytes)?;
        Ok(Pages {
            write,
            execute,
            length_bytes,
            asked_for_bytes: 0,
        })
    }

    pub(super) fn length_bytes(&self) -> usize {
        self.length_bytes
    }

    /// Where the byte at an executable address lies.
    pub(super) fn offset_of(&self, address: usize) -> Option<usize> {
        let offset = address.checked_sub(self.execute.addr().get())?;
        (offset < self.length_bytes).then_some(offset)
    }

    /// A copy of code that lies there. It is read where it was written, where its pages are in memory.
    pub(super) fn read(&self, at: usize, code_bytes: usize) -> Vec<u8> {
        assert!(
            code_bytes <= self.length_bytes && at <= self.length_bytes - code_bytes,
            "the code lies in the pages"
        );
        // SAFETY: the range lies in the mapping, which is readable, and nobody writes there, for that
        // takes this object mutably.
        let code = unsafe {
            core::slice::from_raw_parts(self.write.as_ptr().add(at).cast_const(), code_bytes)
        };
        code.to_vec()
    }

    /// Copies code in and returns its executable address.
    pub(super) fn write(&mut self, at: usize, code: &[u8]) -> *const u8 {
        assert!(
            code.len() <= self.length_bytes && at <= self.length_bytes - code.len(),
            "the code lies in the pages"
        );
        self.ask_for(at + code.len());
        // SAFETY: there is room behind `at`, and nobody else writes there.
        let (written, executable) = unsafe {
            let written = self.write.as_ptr().add(at);
            while_writable(|| {
                core::ptr::copy_nonoverlapping(code.as_ptr(), written, code.len());
            });
            (written, self.execute.as_ptr().add(at).cast_const())
        };
        synchronize(written, executable, code.len());
        executable
    }

    /// Has pages up to this offset, and some behind, at both addresses.
    fn ask_for(&mut self, end: usize) {
        if end <= self.asked_for_bytes {
            return;
        }
        let from = self.asked_for_bytes;
        let to = self.length_bytes.min(end.next_multiple_of(AT_ONCE_BYTES));
        self.asked_for_bytes = to;
        // SAFETY: the range lies in both mappings.
        unsafe { populate(self.write.add(from), self.execute.add(from), to - from) };
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mappings are ours, and code does not outlive its engine.
        unsafe {
            libc::munmap(self.write.as_ptr().cast(), self.length_bytes);
            if self.write != self.execute {
                libc::munmap(self.execute.as_ptr().cast(), self.length_bytes);
            }
        }
    }
}

/// `mmap` at an address of the kernel's choice.
///
/// # Safety
/// As of the call: `file` is open, or the mapping anonymous.
unsafe fn mmap(
    length_bytes: usize,
    protection: i32,
    flags: i32,
    file: i32,
) -> io::Result<NonNull<u8>> {
    // SAFETY: forwarded.
    let address = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            length_bytes,
            protection,
            flags,
            file,
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(NonNull::new(address.cast()).expect("the kernel never maps address zero"))
}

/// Maps pages twice: those of a file without a name; or, where the system has no such file, or none
/// that long, those of an anonymous mapping.
#[cfg(target_os = "linux")]
fn map(length_bytes: usize) -> io::Result<(NonNull<u8>, NonNull<u8>)> {
    if length_bytes as u64 > rlimit::file_size_bytes() {
        return map_anonymous(length_bytes);
    }
    map_file(length_bytes).or_else(|_| map_anonymous(length_bytes))
}

/// Maps anonymous pages, and then the same ones once more.
#[cfg(target_os = "linux")]
fn map_anonymous(length_bytes: usize) -> io::Result<(NonNull<u8>, NonNull<u8>)> {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let all = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: both mappings are new and touch nothing. Of a shared mapping, an old size of 0 asks
    // for another one of the same pages (mremap(2)).
    unsafe {
        let write = mmap(length_bytes, all, flags, -1)?;
        let again = libc::mremap(write.as_ptr().cast(), 0, length_bytes, libc::MREMAP_MAYMOVE);
        if again == libc::MAP_FAILED {
            let error = io::Error::last_os_error();
            libc::munmap(write.as_ptr().cast(), length_bytes);
            return Err(error);
        }
        let execute = NonNull::new(again.cast()).expect("the kernel never maps address zero");
        if libc::mprotect(again, length_bytes, libc::PROT_READ | libc::PROT_EXEC) != 0 {
            let error = io::Error::last_os_error();
            libc::munmap(write.as_ptr().cast(), length_bytes);
            libc::munmap(again, length_bytes);
            return Err(error);
        }
        Ok((write, execute))
    }
}

/// Maps a file without a name twice.
#[cfg(target_os = "linux")]
fn map_file(length_bytes: usize) -> io::Result<(NonNull<u8>, NonNull<u8>)> {
    let check = |result: i32| {
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(result)
        }
    };
    // SAFETY: creates a file of our own; the name is a C string. Its mappings outlive it.
    unsafe {
        let file = check(libc::memfd_create(
            c"zwasm-code".as_ptr(),
            libc::MFD_CLOEXEC,
        ))?;
        let sized = check(libc::ftruncate(file, length_bytes as libc::off_t));
        let map = |protection| mmap(length_bytes, protection, libc::MAP_SHARED, file);
        let mapped = sized.and_then(|_| {
            let write = map(libc::PROT_READ | libc::PROT_WRITE)?;
            let execute = map(libc::PROT_READ | libc::PROT_EXEC).inspect_err(|_| {
                libc::munmap(write.as_ptr().cast(), length_bytes);
            })?;
            Ok((write, execute))
        });
        libc::close(file);
        mapped
    }
}

/// Has the pages of a range at both of its addresses. Where the system does not know how, or has no memory
/// for it, faults ask for each one when it is written.
///
/// # Safety
/// The range is mapped at both addresses.
#[cfg(target_os = "linux")]
unsafe fn populate(write: NonNull<u8>, execute: NonNull<u8>, length_bytes: usize) {
    // SAFETY: advice that reads or rewrites what is there.
    unsafe {
        libc::madvise(
            write.as_ptr().cast(),
            length_bytes,
            libc::MADV_POPULATE_WRITE,
        );
        libc::madvise(
            execute.as_ptr().cast(),
            length_bytes,
            libc::MADV_POPULATE_READ,
        );
    }
}

/// Leaves it to faults.
///
/// # Safety
/// None is needed.
#[cfg(not(target_os = "linux"))]
unsafe fn populate(_write: NonNull<u8>, _execute: NonNull<u8>, _length_bytes: usize) {}

/// Maps pages that a thread sees either writable or executable.
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
fn map(length_bytes: usize) -> io::Result<(NonNull<u8>, NonNull<u8>)> {
    let all = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_JIT;
    // SAFETY: an anonymous mapping touches nothing.
    let pages = unsafe { mmap(length_bytes, all, flags, -1) }?;
    Ok((pages, pages))
}

/// Maps anonymous pages, and then the same ones once more.
#[cfg(all(target_os = "macos", target_arch = "x86_64"))]
fn map(length_bytes: usize) -> io::Result<(NonNull<u8>, NonNull<u8>)> {
    unsafe extern "C" {
        static mach_task_self_: u32;
        fn mach_vm_remap(
            target: u32,
            address: *mut u64,
            size: u64,
            mask: u64,
            flags: i32,
            source: u32,
            source_address: u64,
            copy: i32,
            current_protection: *mut i32,
            maximum_protection: *mut i32,
            inheritance: u32,
        ) -> i32;
    }
    const VM_FLAGS_ANYWHERE: i32 = 1;
    const VM_INHERIT_NONE: u32 = 2;
    // SAFETY: both mappings are new and touch nothing; the call writes to locals.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        let write = mmap(length_bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1)?;
        let mut address = 0_u64;
        let (mut current, mut maximum) = (0, 0);
        let result = mach_vm_remap(
            mach_task_self_,
            &mut address,
            length_bytes as u64,
            0,
            VM_FLAGS_ANYWHERE,
            mach_task_self_,
            write.as_ptr() as u64,
            0,
            &mut current,
            &mut maximum,
            VM_INHERIT_NONE,
        );
        let Some(execute) = NonNull::new(address as *mut u8).filter(|_| result == 0) else {
            libc::munmap(write.as_ptr().cast(), length_bytes);
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        };
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        if libc::mprotect(execute.as_ptr().cast(), length_bytes, protection) != 0 {
            let error = io::Error::last_os_error();
            libc::munmap(write.as_ptr().cast(), length_bytes);
            libc::munmap(execute.as_ptr().cast(), length_bytes);
            return Err(error);
        }
        Ok((write, execute))
    }
}

/// Runs `copy` while this thread may write code.
#[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
fn while_writable(copy: impl FnOnce()) {
    copy();
}

/// Runs `copy`, which neither executes code nor panics, while this thread may write code.
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
fn while_writable(copy: impl FnOnce()) {
    // SAFETY: changes what this thread may do with pages for code, and back.
    unsafe {
        libc::pthread_jit_write_protect_np(0);
        copy();
        libc::pthread_jit_write_protect_np(1);
    }
}

/// Makes the processor see new code.
#[cfg(target_arch = "x86_64")]
fn synchronize(_written: *const u8, _executable: *const u8, _length_bytes: usize) {
    // Stores and instruction fetches are coherent; calling the code serialises enough.
}

/// Makes the processor see new code.
#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
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

/// Makes the processor see new code.
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
fn synchronize(_written: *const u8, executable: *const u8, length_bytes: usize) {
    unsafe extern "C" {
        fn sys_icache_invalidate(start: *mut core::ffi::c_void, length_bytes: usize);
    }
    // SAFETY: the range is mapped; the call changes no memory.
    unsafe { sys_icache_invalidate(executable.cast_mut().cast(), length_bytes) };
}

/// Makes sure that no processor goes on with code that lay where new code is now: on ARM64, writing
/// does not make it forget all that it has fetched.
#[cfg(target_os = "linux")]
pub(super) fn forget_fetched() {
    use std::sync::Once;
    static REGISTERED: Once = Once::new();
    const REGISTER: libc::c_long =
        libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE as libc::c_long;
    const SYNC_CORE: libc::c_long =
        libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE as libc::c_long;
    if cfg!(not(target_arch = "aarch64")) {
        return;
    }
    // SAFETY: the calls take numbers only. Where the system has none, what a processor fetched before a
    // module was dropped is long executed.
    unsafe {
        REGISTERED.call_once(|| {
            libc::syscall(libc::SYS_membarrier, REGISTER, 0, 0);
        });
        libc::syscall(libc::SYS_membarrier, SYNC_CORE, 0, 0);
    }
}

/// Makes sure that no processor goes on with code that lay where new code is now.
#[cfg(not(target_os = "linux"))]
pub(super) fn forget_fetched() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Both ways to get pages give two addresses of the same ones.
    #[test]
    fn what_is_written_at_one_address_is_read_at_the_other() {
        for map in [map_file, map_anonymous] {
            let Ok((write, execute)) = map(2 << 20) else {
                println!("skipped: this system has no such mapping");
                continue;
            };
            let mut pages = Pages {
                write,
                execute,
                length_bytes: 2 << 20,
                asked_for_bytes: 0,
            };
            let last = (2 << 20) - 4;
            for at in [0, 4096, last] {
                let there = pages.write(at, &[1, 2, 3, 4]);
                assert_eq!(pages.offset_of(there.addr()), Some(at));
                // SAFETY: the bytes were written just now.
                assert_eq!(unsafe { there.cast::<[u8; 4]>().read() }, [1, 2, 3, 4]);
            }
        }
    }
}
