//! Which operands can be constants as they are, because instructions hold them.

use super::ir::{Function, Node, Op, Ty};
use crate::masm::{StoreOp, Target};

/// Whether operand `i` of a node can be a constant as it is.
pub(crate) fn is_immediate(function: &Function, node: &Node, i: usize, target: &Target) -> bool {
    let value = node.args[i];
    let fits = || {
        let bits = function[value].imm;
        match function[value].ty {
            Ty::I32 => true,
            Ty::I64 => i32::try_from(bits as i64).is_ok(),
            _ => false,
        }
    };
    match node.op {
        Op::Alu(..) | Op::Compare(..) | Op::VecShift(_) => i == 1 && fits(),
        Op::Store(op, _) => {
            let constant = function[value].imm as i32;
            // Eight bytes of a 32-bit value have a clear upper half.
            let extends = op == StoreOp::B8 && function[value].ty == Ty::I32 && constant < 0;
            i == 2 && fits() && !extends && (target.stores_constant)(op, constant)
        }
        // Behind the code, as operands in memory are.
        Op::Float(op, _) => {
            i == 1 && target.folds_loads && op.is_arithmetic() && function[value].op == Op::Const
        }
        // Their operands are read where they are.
        Op::Clear => true,
        // Neither are these nodes that execute.
        Op::Call | Op::CallResult | Op::Materialize | Op::Reload => true,
        _ => false,
    }
}
