//! Fuel: code that takes the units of each piece of operators from the store.

use super::Compiler;
use crate::masm::Masm;
use wasmparser::Operator;
use zwasm_core::{TrapCode, fuel, vmctx};

impl<M: Masm> Compiler<'_, M> {
    /// Charges a reachable operator to the piece that it belongs to.
    pub(super) fn take_fuel(&mut self, op: &Operator<'_>) {
        if !self.env.consume_fuel {
            return;
        }
        let (charge, units) = match self.charge {
            Some((charge, units)) => (charge, units + 1),
            None => {
                let empty = self.trap_label(TrapCode::OutOfFuel);
                let limits = vmctx::context::offset::limits as i32;
                let left = vmctx::limits::offset::fuel as i32;
                (self.masm.charge(limits, left, empty), 1)
            }
        };
        self.charge = if fuel::ends_piece(op, units) {
            self.masm.set_charge(charge, units);
            None
        } else {
            Some((charge, units))
        };
    }
}
