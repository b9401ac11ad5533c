//! What fuel counts: one unit for every operator that is executed.
//!
//! Tiers charge ahead, one *piece* at a time: operators that are executed one after the other, or
//! not at all, unless one of them traps. Code takes a piece's units from the store at its first
//! operator, and traps there when fewer are left. Pieces are the same in every tier, and so is what
//! a run costs, however it ends, and where fuel runs out.

use wasmparser::Operator;

/// A piece has at most this many operators: what ARM64 can subtract in one instruction.
pub const PIECE_UNITS_MAX: u32 = 4095;

/// Whether a piece ends with this reachable operator, the piece's `units`-th. The next reachable
/// one begins another.
///
/// After calls it does because the callee may look at the fuel left, or set it.
#[must_use]
pub fn ends_piece(op: &Operator<'_>, units: u32) -> bool {
    units >= PIECE_UNITS_MAX
        || matches!(
            op,
            Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::Else
                | Operator::TryTable { .. }
                | Operator::End
                | Operator::Br { .. }
                | Operator::BrIf { .. }
                | Operator::BrTable { .. }
                | Operator::BrOnNull { .. }
                | Operator::BrOnNonNull { .. }
                | Operator::Return
                | Operator::Call { .. }
                | Operator::CallIndirect { .. }
                | Operator::CallRef { .. }
                | Operator::ReturnCall { .. }
                | Operator::ReturnCallIndirect { .. }
                | Operator::ReturnCallRef { .. }
                | Operator::Throw { .. }
                | Operator::ThrowRef
                | Operator::Unreachable
        )
}
