//! Truncations of floats to integers, for both compilers.
//!
//! The instruction set's fast path branches away for NaN, for what does not fit and for a few
//! values at the ends of the range. What happens then is written here once, behind the function:
//! decide by comparing with the bounds, trap or saturate, or make the result another way.

use crate::masm::{AluOp, FloatCond, FloatOp, FloatWidth, Fpr, Gpr, Masm, Operand, ToInt, Width};

/// A truncation to be finished behind the function.
#[derive(Clone, Copy)]
pub(crate) struct Slow<L> {
    start: L,
    resume: L,
    to: ToInt,
    from: FloatWidth,
    dst: Gpr,
    src: Fpr,
    /// Where NaN and what does not fit lead; the result saturates without.
    traps: Option<[L; 2]>,
}

/// The nearest floats outside of what truncates to the type: the result fits between them.
fn bounds(to: ToInt, from: FloatWidth) -> (f64, f64) {
    match (to, from) {
        (ToInt::I32S, FloatWidth::F32) => (-2147483904.0, 2147483648.0),
        (ToInt::I32S, FloatWidth::F64) => (-2147483649.0, 2147483648.0),
        (ToInt::I32U, FloatWidth::F32 | FloatWidth::F64) => (-1.0, 4294967296.0),
        (ToInt::I64S, FloatWidth::F32) => (-9223373136366403584.0, HALF),
        (ToInt::I64S, FloatWidth::F64) => (-9223372036854777856.0, HALF),
        (ToInt::I64U, FloatWidth::F32 | FloatWidth::F64) => (-1.0, 18446744073709551616.0),
    }
}

/// The most that the slow path of one truncation takes, in bytes: that of ARM64 to unsigned 64 bits,
/// with constants of four instructions and far branches.
pub(crate) const SLOW_BYTES_MAX: u64 = 192;

/// 2 to the power of 63.
const HALF: f64 = 9223372036854775808.0;

/// The least and the greatest value of the type.
fn limits(to: ToInt) -> (u64, u64) {
    match to {
        ToInt::I32S => (i32::MIN as u32 as u64, i32::MAX as u64),
        ToInt::I32U => (0, u32::MAX.into()),
        ToInt::I64S => (i64::MIN as u64, i64::MAX as u64),
        ToInt::I64U => (0, u64::MAX),
    }
}

impl<L: Copy> Slow<L> {
    /// Emits the fast path of a truncation; gives what it leaves, if it leaves anything. Of `traps`,
    /// the first is for NaN, the second for what does not fit; without them, results saturate.
    pub(crate) fn fast_path<M: Masm<Label = L>>(
        masm: &mut M,
        to: ToInt,
        from: FloatWidth,
        dst: Gpr,
        src: Fpr,
        traps: Option<[L; 2]>,
    ) -> Option<Slow<L>> {
        let (start, resume) = (masm.label(), masm.label());
        let is_complete = if traps.is_none() {
            masm.truncate_saturating(to, from, dst, src, start)
        } else {
            masm.truncate(to, from, dst, src, start);
            false
        };
        masm.bind(resume);
        (!is_complete).then_some(Slow {
            start,
            resume,
            to,
            from,
            dst,
            src,
            traps,
        })
    }

    /// Emits the rest, off the path.
    pub(crate) fn emit<M: Masm<Label = L>>(&self, masm: &mut M) {
        let start = masm.offset();
        masm.bind(self.start);
        match self.traps {
            Some(traps) => self.emit_trapping(masm, traps),
            None => self.emit_saturating(masm),
        }
        masm.jump(self.resume);
        debug_assert!(u64::from(masm.offset() - start) <= SLOW_BYTES_MAX);
    }

    fn emit_trapping<M: Masm<Label = L>>(&self, masm: &mut M, [bad, overflow]: [L; 2]) {
        let (lowest, highest) = bounds(self.to, self.from);
        let (from, src) = (self.from, self.src);
        masm.float_branch_if(FloatCond::Ne, false, from, src, src, bad);
        self.branch_unless(masm, FloatCond::Gt, lowest, overflow);
        self.branch_unless(masm, FloatCond::Lt, highest, overflow);
        match self.to {
            // Of the values that fit, the fast path leaves only those at the lower end.
            ToInt::I32S | ToInt::I64S => masm.imm(self.dst, limits(self.to).0),
            // It leaves none.
            ToInt::I32U => {}
            ToInt::I64U => self.upper_half(masm, overflow),
        }
    }

    fn emit_saturating<M: Masm<Label = L>>(&self, masm: &mut M) {
        let (least, greatest) = limits(self.to);
        let (from, src) = (self.from, self.src);
        // NaN gives 0; so does what is below an unsigned type.
        masm.imm(self.dst, 0);
        match self.to {
            ToInt::I32S | ToInt::I64S => {
                masm.float_branch_if(FloatCond::Ne, false, from, src, src, self.resume);
                masm.imm(self.dst, least);
            }
            ToInt::I32U | ToInt::I64U => {}
        }
        self.branch_unless(masm, FloatCond::Gt, 0.0, self.resume);
        masm.imm(self.dst, greatest);
        if self.to == ToInt::I64U {
            self.branch_unless(masm, FloatCond::Lt, bounds(self.to, from).1, self.resume);
            self.upper_half(masm, self.resume);
        }
    }

    /// Branches unless `src cond bound`.
    fn branch_unless<M: Masm<Label = L>>(
        &self,
        masm: &mut M,
        cond: FloatCond,
        bound: f64,
        target: L,
    ) {
        let scratch = M::FILE.float_scratch;
        float_constant(masm, self.from, scratch, bound);
        masm.float_branch_if(cond, true, self.from, self.src, scratch, target);
    }

    /// The result for values from 2^63 on: the distance from there, plus 2^63. Never goes to
    /// `nowhere`.
    fn upper_half<M: Masm<Label = L>>(&self, masm: &mut M, nowhere: L) {
        let (distance, half) = (M::FILE.float_scratch, M::FILE.scratch[0]);
        float_constant(masm, self.from, distance, HALF);
        masm.float(FloatOp::Sub, self.from, distance, self.src, distance);
        masm.truncate(ToInt::I64S, self.from, self.dst, distance, nowhere);
        masm.imm(half, 1 << 63);
        masm.alu(
            AluOp::Xor,
            Width::W64,
            self.dst,
            self.dst,
            Operand::Reg(half),
        );
    }
}

fn float_constant<M: Masm>(masm: &mut M, width: FloatWidth, dst: Fpr, value: f64) {
    let bits = match width {
        FloatWidth::F32 => u64::from((value as f32).to_bits()),
        FloatWidth::F64 => value.to_bits(),
    };
    masm.vector_imm(dst, bits, 0);
}
