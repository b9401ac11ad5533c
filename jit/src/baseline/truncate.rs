//! Truncations of floats to integers.

use super::numeric::int_type;
use super::values::Loc;
use super::{Compiler, Next};
use crate::masm::{FloatWidth, Masm, ToInt, Width};
use crate::truncate::{SLOW_BYTES_MAX, Slow};
use wasmparser::Operator;
use zwasm_core::TrapCode;

/// The operator's result, operand, and whether it saturates.
fn parts(op: &Operator<'_>) -> Option<(ToInt, FloatWidth, bool)> {
    use FloatWidth::{F32, F64};
    use Operator as O;
    Some(match op {
        O::I32TruncF32S => (ToInt::I32S, F32, false),
        O::I32TruncF32U => (ToInt::I32U, F32, false),
        O::I32TruncF64S => (ToInt::I32S, F64, false),
        O::I32TruncF64U => (ToInt::I32U, F64, false),
        O::I64TruncF32S => (ToInt::I64S, F32, false),
        O::I64TruncF32U => (ToInt::I64U, F32, false),
        O::I64TruncF64S => (ToInt::I64S, F64, false),
        O::I64TruncF64U => (ToInt::I64U, F64, false),
        O::I32TruncSatF32S => (ToInt::I32S, F32, true),
        O::I32TruncSatF32U => (ToInt::I32U, F32, true),
        O::I32TruncSatF64S => (ToInt::I32S, F64, true),
        O::I32TruncSatF64U => (ToInt::I32U, F64, true),
        O::I64TruncSatF32S => (ToInt::I64S, F32, true),
        O::I64TruncSatF32U => (ToInt::I64U, F32, true),
        O::I64TruncSatF64S => (ToInt::I64S, F64, true),
        O::I64TruncSatF64U => (ToInt::I64U, F64, true),
        _ => return None,
    })
}

impl<M: Masm> Compiler<'_, M> {
    /// These operators; false for all others.
    pub(super) fn truncation(&mut self, op: &Operator<'_>, next: Next) -> bool {
        let Some((to, from, saturates)) = parts(op) else {
            return false;
        };
        let traps = (!saturates).then(|| {
            let bad = self.trap_label(TrapCode::BadConversionToInteger);
            [bad, self.trap_label(TrapCode::IntegerOverflow)]
        });
        let src = self.pop_fpr();
        let dst = self.result_gpr(next, &[]);
        let slow = Slow::fast_path(&mut self.masm, to, from, dst, src.reg, traps);
        self.slow_truncations.extend(slow);
        self.release_float(src);
        let width = match to {
            ToInt::I32S | ToInt::I32U => Width::W32,
            ToInt::I64S | ToInt::I64U => Width::W64,
        };
        self.push(int_type(width), Loc::Gpr(dst));
        true
    }

    /// The most that what the fast paths left may take, in bytes.
    pub(super) fn slow_truncation_bytes(&self) -> u64 {
        self.slow_truncations.len() as u64 * SLOW_BYTES_MAX
    }

    /// Emits what the fast paths left.
    pub(super) fn finish_truncations(&mut self) {
        for slow in core::mem::take(&mut self.slow_truncations) {
            slow.emit(&mut self.masm);
        }
    }
}
