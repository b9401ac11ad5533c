//! `poll_oneoff`: waiting for clocks and descriptors.
//!
//! All subscriptions are read before anything happens and the events are written after everything
//! has, so it does not matter whether the two arrays overlap. The wait is cut into slices, between
//! which the embedder may interrupt it and clocks that can be set are read anew.

use crate::clock::Clock;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::GuestMemory;
use crate::stdio::Stdin;
use crate::table::Kind;
use crate::types::{Event, Eventtype, Rights};
use crate::wait::{SLICE, timespec};
use rustix::event::{PollFd, PollFlags, poll};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// The most subscriptions of one call: more than a guest has descriptors.
const SUBSCRIPTIONS_MAX: u32 = 16 * 1024;

/// `subscription`, 48 bytes.
pub(crate) const SUBSCRIPTION_SIZE_BYTES: usize = 48;

/// The one flag of a clock's subscription: the timeout is a reading, not a duration.
const ABSTIME: u16 = 1;

/// What a subscription waits for.
enum Until {
    /// A reading of a clock.
    Reading { clock: Clock, at_ns: u64 },
    /// The host's descriptor at this place in the list of those polled.
    Host { index: usize },
    /// Nothing: it has happened, or failed.
    Now {
        error: Option<Errno>,
        available_bytes: u64,
        hangup: bool,
    },
}

struct Subscription {
    userdata: u64,
    eventtype: Eventtype,
    until: Until,
}

/// A descriptor that is ready at once, with so much to read.
fn ready(available_bytes: u64, hangup: bool) -> Until {
    Until::Now {
        error: None,
        available_bytes,
        hangup,
    }
}

fn failed(error: Errno) -> Until {
    Until::Now {
        error: Some(error),
        available_bytes: 0,
        hangup: false,
    }
}

/// Takes the number at `offset` of a subscription.
macro_rules! field {
    ($bytes:ident[$offset:literal] as $t:ident) => {
        $t::from_le_bytes(std::array::from_fn(|i| $bytes[$offset + i]))
    };
}

impl WasiCtx {
    fn subscription(
        &self,
        bytes: &[u8; SUBSCRIPTION_SIZE_BYTES],
    ) -> Result<(Subscription, Option<(u32, PollFlags)>), Errno> {
        let userdata = field!(bytes[0] as u64);
        let (eventtype, until, polled) = match bytes[8] {
            0 => (Eventtype::Clock, self.clock_subscription(bytes)?, None),
            tag @ (1 | 2) => {
                let fd = field!(bytes[16] as u32);
                let (eventtype, flags) = if tag == 1 {
                    (Eventtype::FdRead, PollFlags::IN)
                } else {
                    (Eventtype::FdWrite, PollFlags::OUT)
                };
                match self.ready_now(fd, eventtype) {
                    Some(until) => (eventtype, until, None),
                    None => (eventtype, Until::Host { index: 0 }, Some((fd, flags))),
                }
            }
            _ => return Err(Errno::Inval),
        };
        let subscription = Subscription {
            userdata,
            eventtype,
            until,
        };
        Ok((subscription, polled))
    }

    fn clock_subscription(&self, bytes: &[u8; SUBSCRIPTION_SIZE_BYTES]) -> Result<Until, Errno> {
        let timeout_ns = field!(bytes[24] as u64);
        let absolute = match field!(bytes[40] as u16) {
            0 => false,
            ABSTIME => true,
            _ => return Err(Errno::Inval),
        };
        let clock = match Clock::from_guest(field!(bytes[16] as u32)) {
            Ok(clock @ (Clock::Realtime | Clock::Monotonic)) => clock,
            // The thread's time stands still while it sleeps, so this could wait for ever.
            Ok(Clock::ProcessCputime | Clock::ThreadCputime) => return Ok(failed(Errno::Notsup)),
            Err(error) => return Ok(failed(error)),
        };
        Ok(if absolute {
            Until::Reading {
                clock,
                at_ns: timeout_ns,
            }
        } else {
            // A duration does not stretch when somebody sets the clock.
            let clock = Clock::Monotonic;
            Until::Reading {
                clock,
                at_ns: self.now_ns(clock).saturating_add(timeout_ns),
            }
        })
    }

    /// The outcome for a descriptor that need not be asked from the host.
    fn ready_now(&self, fd: u32, eventtype: Eventtype) -> Option<Until> {
        let descriptor = match self.table.get(fd) {
            Ok(descriptor) => descriptor,
            Err(error) => return Some(failed(error)),
        };
        if let Err(error) = descriptor.need(Rights::POLL_FD_READWRITE) {
            return Some(failed(error));
        }
        match (&descriptor.kind, eventtype) {
            (Kind::Stdin(_) | Kind::Listener(_), Eventtype::FdWrite)
            | (Kind::Output(_), Eventtype::FdRead)
            | (Kind::Dir(_), _) => Some(failed(Errno::Badf)),
            (Kind::Stdin(Stdin::Empty), _) => Some(ready(0, true)),
            (Kind::Stdin(Stdin::Memory { bytes, position }), _) => {
                let rest = bytes.len() - position;
                Some(ready(rest as u64, rest == 0))
            }
            // Writing waits for the host, which is how all output works.
            (Kind::Output(_), _) => Some(ready(0, false)),
            (Kind::File(file), _) if file.is_regular() => {
                let available_bytes = match eventtype {
                    Eventtype::FdRead => {
                        let size = rustix::fs::fstat(&file.file).map_or(0, |stat| stat.st_size);
                        let position = rustix::fs::tell(&file.file).unwrap_or(0);
                        (size as u64).saturating_sub(position)
                    }
                    Eventtype::FdWrite | Eventtype::Clock => 0,
                };
                Some(ready(available_bytes, false))
            }
            (Kind::Stdin(Stdin::Host) | Kind::File(_) | Kind::Listener(_) | Kind::Socket(_), _) => {
                None
            }
        }
    }

    /// `poll_oneoff`.
    ///
    /// Descriptors that cannot be waited for give an event with an error, not an error of the call.
    ///
    /// # Errors
    /// [`Errno::Inval`] for no or too many subscriptions or unknown kinds and flags;
    /// [`Errno::Intr`] when interrupted; [`Errno::Fault`].
    pub fn poll_oneoff(
        &mut self,
        memory: &mut GuestMemory<'_>,
        subscriptions_pointer: u32,
        events_pointer: u32,
        count: u32,
        count_pointer: u32,
    ) -> Result<(), Errno> {
        self.poll(
            memory,
            subscriptions_pointer,
            events_pointer,
            count,
            count_pointer,
            |entry: &[u8; SUBSCRIPTION_SIZE_BYTES]| *entry,
        )
    }

    /// As `poll_oneoff`, for subscriptions in another layout, which `subscription` brings into ours.
    pub(crate) fn poll<const SIZE_BYTES: usize>(
        &mut self,
        memory: &mut GuestMemory<'_>,
        subscriptions_pointer: u32,
        events_pointer: u32,
        count: u32,
        count_pointer: u32,
        subscription: impl Fn(&[u8; SIZE_BYTES]) -> [u8; SUBSCRIPTION_SIZE_BYTES],
    ) -> Result<(), Errno> {
        if count == 0 || count > SUBSCRIPTIONS_MAX {
            return Err(Errno::Inval);
        }
        memory.check(count_pointer, 4)?;
        memory.check(events_pointer, count * Event::SIZE_BYTES)?;
        let bytes = memory.bytes(subscriptions_pointer, count * SIZE_BYTES as u32)?;
        let mut subscriptions = Vec::with_capacity(count as usize);
        let mut polled = Vec::new();
        let (entries, _) = bytes.as_chunks::<SIZE_BYTES>();
        for entry in entries {
            let (mut subscription, host) = self.subscription(&subscription(entry))?;
            if let (Until::Host { index }, Some(host)) = (&mut subscription.until, host) {
                *index = polled.len();
                polled.push(host);
            }
            subscriptions.push(subscription);
        }
        self.flush()?;

        let stdin = std::io::stdin();
        let mut host_fds = Vec::with_capacity(polled.len());
        for &(fd, flags) in &polled {
            let fd: BorrowedFd<'_> = match &self.table.get(fd)?.kind {
                Kind::Stdin(_) => stdin.as_fd(),
                Kind::File(file) => file.file.as_fd(),
                Kind::Listener(socket) | Kind::Socket(socket) => socket.as_fd(),
                Kind::Output(_) | Kind::Dir(_) => return Err(Errno::Badf),
            };
            host_fds.push(PollFd::from_borrowed_fd(fd, flags));
        }

        let events = loop {
            let wait = self.next_wait(&subscriptions);
            match poll(&mut host_fds, Some(&timespec(wait))) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let events = self.events(&subscriptions, &host_fds);
            if !events.is_empty() {
                break events;
            }
            if memory.is_interrupted() {
                return Err(Errno::Intr);
            }
        };

        let mut pointer = events_pointer;
        for event in &events {
            memory.write(pointer, &event.encode())?;
            pointer = pointer.wrapping_add(Event::SIZE_BYTES);
        }
        memory.write_u32(count_pointer, events.len() as u32)
    }

    /// How long the next slice of the wait is.
    fn next_wait(&self, subscriptions: &[Subscription]) -> Duration {
        let mut wait = SLICE;
        for subscription in subscriptions {
            let left = match subscription.until {
                Until::Reading { clock, at_ns } => {
                    Duration::from_nanos(at_ns.saturating_sub(self.now_ns(clock)))
                }
                Until::Now { .. } => Duration::ZERO,
                Until::Host { .. } => continue,
            };
            wait = wait.min(left);
        }
        wait
    }

    /// The events of what has happened by now.
    fn events(&self, subscriptions: &[Subscription], host_fds: &[PollFd<'_>]) -> Vec<Event> {
        let mut events = Vec::new();
        for subscription in subscriptions {
            let mut event = Event {
                userdata: subscription.userdata,
                error: None,
                eventtype: subscription.eventtype,
                available_bytes: 0,
                hangup: false,
            };
            match subscription.until {
                Until::Reading { clock, at_ns } => {
                    if self.now_ns(clock) < at_ns {
                        continue;
                    }
                }
                Until::Now {
                    error,
                    available_bytes,
                    hangup,
                } => {
                    event.error = error;
                    event.available_bytes = available_bytes;
                    event.hangup = hangup;
                }
                Until::Host { index } => {
                    let host = &host_fds[index];
                    let happened = host.revents();
                    if happened.is_empty() {
                        continue;
                    }
                    event.hangup = happened.contains(PollFlags::HUP);
                    if happened.contains(PollFlags::NVAL) {
                        event.error = Some(Errno::Badf);
                    } else if happened.contains(PollFlags::ERR)
                        && !happened.intersects(PollFlags::IN | PollFlags::OUT)
                    {
                        event.error = Some(Errno::Io);
                    } else if subscription.eventtype == Eventtype::FdRead {
                        event.available_bytes = rustix::io::ioctl_fionread(host).unwrap_or(0);
                    }
                }
            }
            events.push(event);
        }
        events
    }
}
