//! Who looks on while a function is compiled: what passes take, what they leave, whether it is right.

use super::alloc::{Allocation, Machine};
use super::select::Selected;
use crate::opt::form::ir::Function;

/// Sees what each pass leaves, and changes nothing.
pub(crate) trait Observer {
    /// A pass ends here, and leaves the function like this.
    fn pass(&mut self, name: &'static str, function: &Function);

    /// A step behind selection ends here: it leaves the function as it was, or with more reloads.
    fn step(&mut self, name: &'static str, function: &Selected);

    /// Registers are to be allocated.
    fn before_allocation(&mut self, _function: &Selected, _machine: Machine<'_>) {}

    /// They are allocated.
    fn after_allocation(
        &mut self,
        _function: &Selected,
        _machine: Machine<'_>,
        _allocation: &Allocation,
    ) {
    }
}

/// Two look on, one after the other.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn pass(&mut self, name: &'static str, function: &Function) {
        self.0.pass(name, function);
        self.1.pass(name, function);
    }

    fn step(&mut self, name: &'static str, function: &Selected) {
        self.0.step(name, function);
        self.1.step(name, function);
    }

    fn before_allocation(&mut self, function: &Selected, machine: Machine<'_>) {
        self.0.before_allocation(function, machine);
        self.1.before_allocation(function, machine);
    }

    fn after_allocation(
        &mut self,
        function: &Selected,
        machine: Machine<'_>,
        allocation: &Allocation,
    ) {
        self.0.after_allocation(function, machine, allocation);
        self.1.after_allocation(function, machine, allocation);
    }
}
