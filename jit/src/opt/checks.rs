//! Whether what passes leave is well-formed, and what the register allocator says is right.
//!
//! Looks in debug builds only. A failure is a bug of a pass, so it panics, with the function printed.

use crate::opt::back::alloc::{Allocation, Machine, check};
use crate::opt::back::observer::Observer;
use crate::opt::back::select::Selected;
use crate::opt::form::ir::Function;
use crate::opt::form::verify;

/// The verifier of the form, and the allocator's checker.
pub(super) struct Checks;

impl Observer for Checks {
    fn pass(&mut self, name: &'static str, function: &Function) {
        if cfg!(debug_assertions) {
            verify::verify(function, name);
        }
    }

    /// Reloads come in front of the instruction that a sunk node is part of, and so behind that node:
    /// they are the allocator's checker's.
    fn step(&mut self, _name: &'static str, _function: &Selected) {}

    fn after_allocation(
        &mut self,
        function: &Selected,
        machine: Machine<'_>,
        allocation: &Allocation,
    ) {
        if cfg!(debug_assertions)
            && let Err(why) = check::check(function, machine, allocation)
        {
            panic!("register allocation: {why}\n{function}");
        }
    }
}
