//! Waiting for the host without losing sight of the embedder's wish to stop.

use crate::errno::Errno;
use crate::guest::GuestMemory;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// How long a wait may go without asking whether to stop.
pub(crate) const SLICE: Duration = Duration::from_millis(10);

/// A duration as the host's structure.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

/// Waits for one slice, for something that cannot be waited for itself.
///
/// # Errors
/// [`Errno::Intr`] when interrupted.
pub(crate) fn pause(memory: &GuestMemory<'_>) -> Result<(), Errno> {
    if memory.is_interrupted() {
        return Err(Errno::Intr);
    }
    std::thread::sleep(SLICE);
    Ok(())
}

/// Waits until `fd` is ready for `events` or has failed, so that the operation will not block.
///
/// # Errors
/// [`Errno::Again`] if that is not so at once and `nonblocking`; [`Errno::Intr`] when interrupted.
pub(crate) fn wait_for(
    memory: &GuestMemory<'_>,
    fd: BorrowedFd<'_>,
    events: PollFlags,
    nonblocking: bool,
) -> Result<(), Errno> {
    let slice = if nonblocking { Duration::ZERO } else { SLICE };
    loop {
        let mut fds = [PollFd::from_borrowed_fd(fd, events)];
        match poll(&mut fds, Some(&timespec(slice))) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        if nonblocking {
            return Err(Errno::Again);
        }
        if memory.is_interrupted() {
            return Err(Errno::Intr);
        }
    }
}
