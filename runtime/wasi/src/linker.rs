//! The calls as imports of a guest: the one file that knows the engine.
//!
//! Each import finds the memory that the guest exports as `memory` and the context in the store's
//! data, calls the method of the same name, and returns its error number. A guest without a memory
//! is stopped with an error. Leaving by `proc_exit` or `proc_raise` unwinds as an error that holds an
//! [`I32Exit`].
//!
//! Calls that can wait get the store's interruption as their hook. They return
//! [`Errno::Intr`](crate::Errno) when it comes, and the engine stops the guest right after.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::GuestMemory;
use crate::process::I32Exit;
use crate::snapshot0::Snapshot0;
use zwasm::{Caller, Error, InterruptHandle, Linker};

/// The name of the module that guests import.
const PREVIEW_1: &str = "wasi_snapshot_preview1";

/// The name of the snapshot before.
const SNAPSHOT_0: &str = "wasi_unstable";

/// Calls `f` with the context and the memory of the calling guest.
fn enter<T: 'static, R>(
    caller: &mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx,
    interrupt: Option<InterruptHandle>,
    f: impl FnOnce(&mut WasiCtx, &mut GuestMemory<'_>) -> R,
) -> Result<R, Error> {
    let memory = caller
        .get_export("memory")
        .and_then(zwasm::Extern::into_memory)
        .ok_or_else(|| Error::message("the guest does not export its memory as `memory`"))?;
    let (bytes, data) = memory.data_and_store_mut(caller);
    let interrupted = || {
        interrupt
            .as_ref()
            .is_some_and(InterruptHandle::is_interrupted)
    };
    let mut memory = GuestMemory::with_interrupt(bytes, &interrupted);
    Ok(f(get(data), &mut memory))
}

/// The number that a call returns.
fn number(result: Result<(), Errno>) -> u32 {
    match result {
        Ok(()) => 0,
        Err(errno) => errno as u32,
    }
}

/// Rows of `kind name(argument: type, …);` for calls of what `$view` makes of the context: `waiting`
/// ones can be interrupted.
macro_rules! link {
    ($linker:ident $module:ident $get:ident $view:expr; $($kind:ident $name:ident($($arg:ident: $t:ty),*);)*) => {$(
        $linker.func_wrap(
            $module,
            stringify!($name),
            move |mut caller: Caller<'_, T>, $($arg: $t),*| -> Result<u32, Error> {
                let interrupt = link!(@$kind caller);
                enter(&mut caller, $get, interrupt, |ctx, memory| {
                    number($view(ctx).$name(memory, $($arg),*))
                })
            },
        )?;
    )*};
    (@prompt $caller:ident) => { None };
    (@waiting $caller:ident) => { Some($caller.interrupt_handle()) };
}

/// Defines all functions of `wasi_snapshot_preview1` and of `wasi_unstable`, the snapshot before it,
/// on the same context; `get` finds that in the store's data.
///
/// # Errors
/// If one of the names is defined already.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<(), Error> {
    define_common(linker, PREVIEW_1, get)?;
    link! { linker PREVIEW_1 get itself;
        prompt fd_filestat_get(fd: u32, filestat: u32);
        prompt fd_seek(fd: u32, offset: i64, whence: u32, position: u32);
        prompt path_filestat_get(fd: u32, lookup: u32, path: u32, size: u32, filestat: u32);
        waiting poll_oneoff(subscriptions: u32, events: u32, count: u32, happened: u32);
        waiting sock_accept(fd: u32, flags: u32, accepted: u32);
    }
    define_common(linker, SNAPSHOT_0, get)?;
    link! { linker SNAPSHOT_0 get Snapshot0;
        prompt fd_filestat_get(fd: u32, filestat: u32);
        prompt fd_seek(fd: u32, offset: i64, whence: u32, position: u32);
        prompt path_filestat_get(fd: u32, lookup: u32, path: u32, size: u32, filestat: u32);
        waiting poll_oneoff(subscriptions: u32, events: u32, count: u32, happened: u32);
    }
    Ok(())
}

/// Preview 1 is the context's own.
fn itself(ctx: &mut WasiCtx) -> &mut WasiCtx {
    ctx
}

/// Defines the functions that are the same in both.
fn define_common<T: 'static>(
    linker: &mut Linker<T>,
    module: &'static str,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<(), Error> {
    link! { linker module get itself;
        prompt args_get(argv: u32, argv_buf: u32);
        prompt args_sizes_get(count: u32, size: u32);
        prompt environ_get(environ: u32, environ_buf: u32);
        prompt environ_sizes_get(count: u32, size: u32);
        prompt clock_res_get(id: u32, resolution: u32);
        prompt clock_time_get(id: u32, precision: u64, time: u32);
        prompt fd_advise(fd: u32, offset: u64, size: u64, advice: u32);
        prompt fd_allocate(fd: u32, offset: u64, size: u64);
        prompt fd_close(fd: u32);
        prompt fd_datasync(fd: u32);
        prompt fd_fdstat_get(fd: u32, fdstat: u32);
        prompt fd_fdstat_set_flags(fd: u32, flags: u32);
        prompt fd_fdstat_set_rights(fd: u32, rights: u64, inheriting: u64);
        prompt fd_filestat_set_size(fd: u32, size: u64);
        prompt fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32);
        waiting fd_pread(fd: u32, iovs: u32, count: u32, offset: u64, read: u32);
        prompt fd_prestat_get(fd: u32, prestat: u32);
        prompt fd_prestat_dir_name(fd: u32, path: u32, size: u32);
        waiting fd_pwrite(fd: u32, iovs: u32, count: u32, offset: u64, written: u32);
        waiting fd_read(fd: u32, iovs: u32, count: u32, read: u32);
        prompt fd_readdir(fd: u32, buffer: u32, size: u32, cookie: u64, used: u32);
        prompt fd_renumber(from: u32, to: u32);
        prompt fd_sync(fd: u32);
        prompt fd_tell(fd: u32, position: u32);
        waiting fd_write(fd: u32, iovs: u32, count: u32, written: u32);
        prompt path_create_directory(fd: u32, path: u32, size: u32);
        prompt path_filestat_set_times(
            fd: u32, lookup: u32, path: u32, size: u32, accessed: u64, modified: u64, flags: u32
        );
        prompt path_link(
            fd: u32, lookup: u32, path: u32, size: u32, new_fd: u32, new_path: u32, new_size: u32
        );
        waiting path_open(
            fd: u32, lookup: u32, path: u32, size: u32, oflags: u32, rights: u64, inheriting: u64,
            fdflags: u32, opened: u32
        );
        prompt path_readlink(fd: u32, path: u32, size: u32, buffer: u32, room: u32, used: u32);
        prompt path_remove_directory(fd: u32, path: u32, size: u32);
        prompt path_rename(
            fd: u32, path: u32, size: u32, new_fd: u32, new_path: u32, new_size: u32
        );
        prompt path_symlink(target: u32, target_size: u32, fd: u32, path: u32, size: u32);
        prompt path_unlink_file(fd: u32, path: u32, size: u32);
        waiting random_get(buffer: u32, size: u32);
        prompt sched_yield();
        waiting sock_recv(
            fd: u32, iovs: u32, count: u32, flags: u32, received: u32, out_flags: u32
        );
        waiting sock_send(fd: u32, iovs: u32, count: u32, flags: u32, sent: u32);
        prompt sock_shutdown(fd: u32, how: u32);
    }
    linker.func_wrap(
        module,
        "proc_exit",
        move |mut caller: Caller<'_, T>, code: u32| -> Result<(), Error> {
            let exit: I32Exit = get(caller.data_mut()).proc_exit(code);
            Err(Error::host(exit))
        },
    )?;
    linker.func_wrap(
        module,
        "proc_raise",
        move |mut caller: Caller<'_, T>, signal: u32| -> Result<u32, Error> {
            match get(caller.data_mut()).proc_raise(signal) {
                Ok(Ok(())) => Ok(0),
                Ok(Err(exit)) => Err(Error::host(exit)),
                Err(errno) => Ok(errno as u32),
            }
        },
    )?;
    Ok(())
}
