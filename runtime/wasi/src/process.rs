//! Arguments, environment, ending and yielding.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::GuestMemory;

/// The guest ended itself with this exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the guest exited with code {0}")]
pub struct I32Exit(pub i32);

/// Writes how many strings there are and how many bytes they take with their NULs.
fn sizes(
    memory: &mut GuestMemory<'_>,
    strings: &[Vec<u8>],
    count_pointer: u32,
    size_pointer: u32,
) -> Result<(), Errno> {
    let size_bytes: usize = strings.iter().map(|string| string.len() + 1).sum();
    let count = u32::try_from(strings.len()).map_err(|_| Errno::Overflow)?;
    let size_bytes = u32::try_from(size_bytes).map_err(|_| Errno::Overflow)?;
    memory.write_u32(count_pointer, count)?;
    memory.write_u32(size_pointer, size_bytes)
}

/// Writes the strings one after another, each with a NUL, and the array of their addresses.
fn strings(
    memory: &mut GuestMemory<'_>,
    strings: &[Vec<u8>],
    mut array_pointer: u32,
    mut text_pointer: u32,
) -> Result<(), Errno> {
    for string in strings {
        memory.write_u32(array_pointer, text_pointer)?;
        memory.write(text_pointer, string)?;
        // A string that was written ends inside of the memory, so this does not wrap before 2³².
        let end = text_pointer
            .checked_add(string.len() as u32)
            .ok_or(Errno::Fault)?;
        memory.write(end, &[0])?;
        text_pointer = end.wrapping_add(1);
        array_pointer = array_pointer.wrapping_add(4);
    }
    Ok(())
}

impl WasiCtx {
    /// `args_get`.
    ///
    /// # Errors
    /// [`Errno::Fault`].
    pub fn args_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        argv: u32,
        argv_buf: u32,
    ) -> Result<(), Errno> {
        strings(memory, &self.args, argv, argv_buf)
    }

    /// `args_sizes_get`.
    ///
    /// # Errors
    /// [`Errno::Fault`].
    pub fn args_sizes_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        count_pointer: u32,
        size_pointer: u32,
    ) -> Result<(), Errno> {
        sizes(memory, &self.args, count_pointer, size_pointer)
    }

    /// `environ_get`.
    ///
    /// # Errors
    /// [`Errno::Fault`].
    pub fn environ_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        environ: u32,
        environ_buf: u32,
    ) -> Result<(), Errno> {
        strings(memory, &self.env, environ, environ_buf)
    }

    /// `environ_sizes_get`.
    ///
    /// # Errors
    /// [`Errno::Fault`].
    pub fn environ_sizes_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        count_pointer: u32,
        size_pointer: u32,
    ) -> Result<(), Errno> {
        sizes(memory, &self.env, count_pointer, size_pointer)
    }

    /// `proc_exit`: flushes the output and says how to end.
    pub fn proc_exit(&mut self, code: u32) -> I32Exit {
        // The guest is gone: there is nobody left to tell about a failure.
        let _ = self.flush();
        I32Exit(code.cast_signed())
    }

    /// `proc_raise`: what the signal does to a process that handles none.
    ///
    /// Signals that are ignored by default do nothing; those that end a process end the guest with
    /// 128 plus the number, as a shell reports it. A guest cannot be stopped and continued.
    ///
    /// # Errors
    /// Outside: [`Errno::Inval`] for no signal, [`Errno::Notsup`] for stopping. Inside: the exit.
    pub fn proc_raise(&mut self, signal: u32) -> Result<Result<(), I32Exit>, Errno> {
        match signal {
            // None, and child, continue, urgent, window size.
            0 | 16 | 17 | 22 | 27 => Ok(Ok(())),
            // Stop, terminal stop, terminal input and output.
            18..=21 => Err(Errno::Notsup),
            1..=30 => Ok(Err(self.proc_exit(128 + signal))),
            _ => Err(Errno::Inval),
        }
    }

    /// `sched_yield`.
    ///
    /// # Errors
    /// None.
    pub fn sched_yield(&mut self, _: &mut GuestMemory<'_>) -> Result<(), Errno> {
        std::thread::yield_now();
        Ok(())
    }
}
