//! Clocks. The monotonic one starts at zero with the context, so a guest learns nothing about how
//! long the host has been running.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::GuestMemory;
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

/// A clock of WASI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Realtime,
    Monotonic,
    ProcessCputime,
    ThreadCputime,
}

impl Clock {
    pub(crate) fn from_guest(id: u32) -> Result<Self, Errno> {
        match id {
            0 => Ok(Self::Realtime),
            1 => Ok(Self::Monotonic),
            2 => Ok(Self::ProcessCputime),
            3 => Ok(Self::ThreadCputime),
            _ => Err(Errno::Inval),
        }
    }

    fn host(self) -> ClockId {
        match self {
            Self::Realtime => ClockId::Realtime,
            Self::Monotonic => ClockId::Monotonic,
            Self::ProcessCputime => ClockId::ProcessCPUTime,
            Self::ThreadCputime => ClockId::ThreadCPUTime,
        }
    }
}

/// Nanoseconds, as far as they fit; zero for times before the clock's start.
pub(crate) fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

impl WasiCtx {
    /// The reading of a clock in nanoseconds.
    pub(crate) fn now_ns(&self, clock: Clock) -> u64 {
        if clock == Clock::Monotonic {
            return u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        }
        nanoseconds(clock_gettime(clock.host()))
    }

    /// `clock_res_get`.
    ///
    /// # Errors
    /// [`Errno::Inval`] for no clock, [`Errno::Fault`].
    pub fn clock_res_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        id: u32,
        pointer: u32,
    ) -> Result<(), Errno> {
        let clock = Clock::from_guest(id)?;
        memory.write_u64(pointer, nanoseconds(clock_getres(clock.host())))
    }

    /// `clock_time_get`. The precision asked for is ignored: clocks are read exactly.
    ///
    /// # Errors
    /// [`Errno::Inval`] for no clock, [`Errno::Fault`].
    pub fn clock_time_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        id: u32,
        _precision_ns: u64,
        pointer: u32,
    ) -> Result<(), Errno> {
        let clock = Clock::from_guest(id)?;
        memory.write_u64(pointer, self.now_ns(clock))
    }
}
