//! Whose stacks a store's guest runs on, and how much of them it may use.
//!
//! A call from the host begins a *stay* on its thread's stack, unless the thread has one already:
//! calls of host functions that call back are part of it. A host function may also hand its store to
//! another thread and wait, since contexts can be sent; a stay on that thread's stack comes on top of
//! the first one then, with limits of its own.
//!
//! Invariant: no frame of a guest, its helpers or its stubs goes beyond the end of the thread's stack.
//! Guests stop [`reserve`] bytes before it, which is what the runtime and host functions have left.

use crate::engine::Config;
use crate::sys::stack;
use core::ops::Range;
use zwasm_core::TrapCode;

/// The least and the most that is kept free below a guest's limit: for frames of stubs and small
/// frames of the guest's, which are taken before they are compared, for helpers, and for host
/// functions.
const RESERVE_BYTES: Range<usize> = 48 << 10..256 << 10;

/// One thread's stack.
#[derive(Debug)]
struct Stay {
    thread: usize,
    /// The lowest address from which the host may call in again.
    limit: usize,
    /// The lowest address that frames of machine code may reach.
    guest_limit: usize,
    /// Where the host called in first.
    top: usize,
    /// Nothing of the guest lies below, while a host function waits that the guest has called.
    bottom: usize,
}

/// The stays of a store, innermost last.
#[derive(Debug, Default)]
pub(super) struct Stays {
    stays: Vec<Stay>,
}

impl Stays {
    /// Begins a call from the host, by a function that has a frame at `here`: all frames of the guest
    /// lie below. Returns whether a stay begins with it, which [`Stays::end`] is to end.
    ///
    /// # Errors
    /// [`TrapCode::StackOverflow`], when too little of the stack is left.
    pub(super) fn begin(&mut self, config: &Config, here: usize) -> Result<bool, TrapCode> {
        let thread = stack::current_thread();
        if let Some(stay) = self.stays.last()
            && stay.thread == thread
        {
            return if here < stay.limit {
                Err(TrapCode::StackOverflow)
            } else {
                Ok(false)
            };
        }
        let end = stack::thread_stack(here).map_or(1, |stack| stack.start + reserve(stack.len()));
        let budget = config.max_native_stack_bytes;
        let guest_budget = budget.min(config.max_wasm_stack_bytes);
        let stay = Stay {
            thread,
            limit: here.saturating_sub(budget).max(end),
            guest_limit: here.saturating_sub(guest_budget).max(end),
            top: here,
            bottom: here,
        };
        if here < stay.limit {
            return Err(TrapCode::StackOverflow);
        }
        self.stays.push(stay);
        Ok(true)
    }

    /// Ends the innermost stay.
    pub(super) fn end(&mut self) {
        self.stays.pop();
    }

    /// The lowest address that frames of machine code may reach; `None` outside of any call.
    pub(super) fn guest_limit(&self) -> Option<usize> {
        self.stays.last().map(|stay| stay.guest_limit)
    }

    /// Says below which address nothing of the guest lies, as long as a host function runs that it
    /// called. Returns what to say when that has ended.
    pub(super) fn set_bottom(&mut self, address: usize) -> usize {
        match self.stays.last_mut() {
            Some(stay) => core::mem::replace(&mut stay.bottom, address),
            None => address,
        }
    }

    /// Visits every word that machine code may have on stacks and in registers; on this thread, whose
    /// stay is innermost, from here on.
    pub(super) fn for_each_word(&self, mut visit: impl FnMut(u64)) {
        let Some((innermost, waiting)) = self.stays.split_last() else {
            return;
        };
        stack::for_each_word(innermost.top, &mut visit);
        for stay in waiting {
            // SAFETY: its thread waits in a host function, whose frame is below.
            unsafe { stack::for_each_word_of(stay.bottom..stay.top, &mut visit) };
        }
    }
}

/// What is kept free at the end of a stack of this size.
fn reserve(stack_bytes: usize) -> usize {
    (stack_bytes / 4).clamp(RESERVE_BYTES.start, RESERVE_BYTES.end)
}
