//! Divisions and remainders by constants, without the division instruction.
//!
//! Powers of two are shifts and masks. Otherwise `a / d` is `a * m >> k` for a factor `m` a little
//! above `2^k / d`: with `e = m * d - 2^k`, the error `a * e / (d * 2^k)` stays below `1 / d`, and
//! the result exact, as long as `a * e < 2^k`. For 32-bit operands a 64-bit product is enough, or
//! the upper half of one of 128 bits; for 64-bit operands it takes that. Signed quotients round
//! towards zero, so one is added to those of negative operands. Bounds of operands that are known
//! give smaller factors.
//!
//! Sources: Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994;
//! Warren, Hacker's Delight, chapter 10.

use super::{Maker, Simpler, node, range};
use crate::masm::{AluOp, Cond, DivOp, IntUnary, MulHigh, Width};
use crate::opt::form::ir::{Node, Op, Ty, Value};

/// A division whose divisor is a constant; a dividend that is one as well is folded elsewhere.
pub(super) fn by_constant(maker: &mut Maker<'_>, given: &Node, op: DivOp, width: Width) -> Simpler {
    let a = given.args[0];
    // Division by zero traps.
    let Some(divisor @ 1..) = maker.function.constant(given.args[1]) else {
        return Simpler::Same;
    };
    let is_signed = matches!(op, DivOp::DivS | DivOp::RemS);
    let is_negative = is_signed && divisor >> (width.bits() - 1) != 0;
    let magnitude = if is_negative {
        divisor.wrapping_neg() & width.ones()
    } else {
        divisor
    };
    let most = range::max(maker.function, a);
    let is_positive = most >> (width.bits() - 1) == 0;
    let mut division = Division {
        maker,
        width,
        a,
        most,
    };
    match op {
        DivOp::DivU => division.unsigned(divisor),
        DivOp::RemU => division.unsigned_remainder(divisor),
        // The least value divided by -1 traps.
        DivOp::DivS if is_negative && magnitude == 1 => Simpler::Same,
        DivOp::DivS if is_positive && !is_negative => division.unsigned(divisor),
        DivOp::RemS if is_positive => division.unsigned_remainder(magnitude),
        DivOp::DivS => division.signed(magnitude, is_negative),
        DivOp::RemS => division.signed_remainder(magnitude),
    }
}

struct Division<'m, 'p> {
    maker: &'m mut Maker<'p>,
    width: Width,
    /// The dividend.
    a: Value,
    /// It is no more than this, as unsigned.
    most: u64,
}

/// A factor and a shift.
struct Factor {
    factor: u64,
    shift: u32,
}

/// `2^shift / divisor` rounded up, for the least shift from `from` on with which dividends up to
/// `most` give exact quotients.
fn factor(divisor: u64, most: u64, from: u32) -> Option<Factor> {
    for shift in from..128 {
        let power = 1_u128 << shift;
        let divisor = u128::from(divisor);
        let factor = power.div_ceil(divisor);
        let factor = u64::try_from(factor).ok()?;
        let error = u128::from(factor) * divisor - power;
        // The error is less than the divisor, so this does not overflow.
        if error * u128::from(most) < power {
            return Some(Factor { factor, shift });
        }
    }
    None
}

impl Division<'_, '_> {
    fn unsigned(&mut self, divisor: u64) -> Simpler {
        let (width, a) = (self.width, self.a);
        if divisor == 1 {
            return Simpler::Value(a);
        }
        if divisor > self.most {
            return self.maker.simpler_constant(Ty::int(width), 0);
        }
        if divisor.is_power_of_two() {
            let count = u64::from(divisor.trailing_zeros());
            return self.maker.simpler_alu(AluOp::ShrU, width, a, count);
        }
        if self.most / 2 < divisor {
            // The quotient is 0 or 1.
            let divisor = self.maker.constant(Ty::int(width), divisor);
            let op = Op::Compare(Cond::GeU, width);
            if width == Width::W32 {
                return Simpler::Node(node(op, Ty::I32, &[a, divisor]));
            }
            let quotient = self.maker.node(op, Ty::I32, &[a, divisor]);
            return Simpler::Node(node(Op::ExtendU, Ty::I64, &[quotient]));
        }
        // A product of 64 bits is enough?
        if let Some(Factor { factor, shift }) = factor(divisor, self.most, 32)
            && factor.checked_mul(self.most).is_some()
        {
            let wide = self.extended(Op::ExtendU);
            let w64 = Width::W64;
            let product = self.maker.alu_constant(AluOp::Mul, w64, wide, factor);
            return self.shifted(AluOp::ShrU, product, shift);
        }
        if width == Width::W32 {
            let Factor { factor, shift } = factor(divisor, self.most, 64).expect("32-bit operands");
            let wide = self.extended(Op::ExtendU);
            let high = self.high(MulHigh::Unsigned, wide, factor);
            return self.shifted(AluOp::ShrU, high, shift - 64);
        }
        if let Some(Factor { factor, shift }) = factor(divisor, self.most, 64) {
            let high = self.high(MulHigh::Unsigned, a, factor);
            return self.shifted(AluOp::ShrU, high, shift - 64);
        }
        let zeros = divisor.trailing_zeros();
        if zeros > 0 {
            // The quotient of what is left has a smaller factor.
            let most = self.most >> zeros;
            let Factor { factor, shift } =
                factor(divisor >> zeros, most, 64).expect("less than 64 bits");
            let less = u64::from(zeros);
            let less = self.maker.alu_constant(AluOp::ShrU, width, a, less);
            let high = self.high(MulHigh::Unsigned, less, factor);
            return self.shifted(AluOp::ShrU, high, shift - 64);
        }
        // A factor of 65 bits: the product with its lower 64 is added to the dividend, without the
        // carry getting lost.
        let shift = 64 - divisor.leading_zeros();
        let factor = (1_u128 << (64 + shift)).div_ceil(u128::from(divisor)) as u64;
        let high = self.high(MulHigh::Unsigned, a, factor);
        let rest = self.maker.alu(AluOp::Sub, width, a, high);
        let half = self.maker.alu_constant(AluOp::ShrU, width, rest, 1);
        let sum = self.maker.alu(AluOp::Add, width, half, high);
        self.shifted(AluOp::ShrU, sum, shift - 1)
    }

    fn unsigned_remainder(&mut self, divisor: u64) -> Simpler {
        let (width, a) = (self.width, self.a);
        if divisor > self.most {
            return Simpler::Value(a);
        }
        if divisor.is_power_of_two() {
            return self.maker.simpler_alu(AluOp::And, width, a, divisor - 1);
        }
        self.remainder(DivOp::DivU, divisor)
    }

    fn signed(&mut self, magnitude: u64, is_negative: bool) -> Simpler {
        let (width, a) = (self.width, self.a);
        if magnitude == 1 {
            return Simpler::Value(a);
        }
        let sign = u64::from(width.bits() - 1);
        if magnitude.is_power_of_two() {
            let count = magnitude.trailing_zeros();
            let sum = self.rounded(count);
            let count = u64::from(count);
            if !is_negative {
                return self.maker.simpler_alu(AluOp::ShrS, width, sum, count);
            }
            let quotient = self.maker.alu_constant(AluOp::ShrS, width, sum, count);
            let zero = self.maker.constant(Ty::int(width), 0);
            return self.difference(zero, quotient);
        }
        // Of dividends down to this.
        let most = 1 << sign;
        let rounded_down = match width {
            Width::W32 => {
                let Factor { factor, shift } = factor(magnitude, most, 32).expect("32 bits");
                let wide = self.extended(Op::IntUnary(IntUnary::Extend32S, Width::W64));
                let w64 = Width::W64;
                let product = self.maker.alu_constant(AluOp::Mul, w64, wide, factor);
                let shift = u64::from(shift);
                let shifted = self.maker.alu_constant(AluOp::ShrS, w64, product, shift);
                let wrap = Op::IntUnary(IntUnary::Wrap, width);
                self.maker.node(wrap, Ty::I32, &[shifted])
            }
            Width::W64 => {
                let Factor { factor, shift } = factor(magnitude, most, 64).expect("63 bits");
                let mut high = self.high(MulHigh::Signed, a, factor);
                if factor >> 63 != 0 {
                    // As signed it is 2^64 less.
                    high = self.maker.alu(AluOp::Add, width, high, a);
                }
                let shift = u64::from(shift - 64);
                self.maker.alu_constant(AluOp::ShrS, width, high, shift)
            }
        };
        let minus_one = self.maker.alu_constant(AluOp::ShrS, width, a, sign);
        if is_negative {
            self.difference(minus_one, rounded_down)
        } else {
            self.difference(rounded_down, minus_one)
        }
    }

    fn signed_remainder(&mut self, magnitude: u64) -> Simpler {
        let (width, a) = (self.width, self.a);
        if magnitude == 1 {
            return self.maker.simpler_constant(Ty::int(width), 0);
        }
        if magnitude.is_power_of_two() {
            let sum = self.rounded(magnitude.trailing_zeros());
            let mask = magnitude.wrapping_neg() & width.ones();
            let multiple = self.maker.alu_constant(AluOp::And, width, sum, mask);
            return self.difference(a, multiple);
        }
        self.remainder(DivOp::DivS, magnitude)
    }

    /// What is left of the dividend, with the quotient as a node like others: it may be there.
    fn remainder(&mut self, op: DivOp, divisor: u64) -> Simpler {
        let (width, ty) = (self.width, Ty::int(self.width));
        let constant = self.maker.constant(ty, divisor);
        let quotient = self.maker.node(Op::Div(op, width), ty, &[self.a, constant]);
        let multiple = self.maker.alu(AluOp::Mul, width, quotient, constant);
        self.difference(self.a, multiple)
    }

    /// The dividend, plus `2^count - 1` when it is negative.
    fn rounded(&mut self, count: u32) -> Value {
        let (width, maker) = (self.width, &mut *self.maker);
        let sign = u64::from(width.bits() - 1);
        // Only the topmost bits are looked at: for 1 the sign itself.
        let signs = if count == 1 {
            self.a
        } else {
            maker.alu_constant(AluOp::ShrS, width, self.a, sign)
        };
        let rest = u64::from(width.bits() - count);
        let bias = maker.alu_constant(AluOp::ShrU, width, signs, rest);
        maker.alu(AluOp::Add, width, self.a, bias)
    }

    fn difference(&mut self, a: Value, b: Value) -> Simpler {
        let op = Op::Alu(AluOp::Sub, self.width);
        Simpler::Node(node(op, Ty::int(self.width), &[a, b]))
    }

    /// The dividend in 64 bits.
    fn extended(&mut self, op: Op) -> Value {
        match self.width {
            Width::W32 => self.maker.node(op, Ty::I64, &[self.a]),
            Width::W64 => self.a,
        }
    }

    fn high(&mut self, op: MulHigh, a: Value, factor: u64) -> Value {
        let factor = self.maker.constant(Ty::I64, factor);
        self.maker.node(Op::MulHigh(op), Ty::I64, &[a, factor])
    }

    /// A value of 64 bits shifted, as the result.
    fn shifted(&mut self, op: AluOp, value: Value, count: u32) -> Simpler {
        let (w64, count) = (Width::W64, u64::from(count));
        match self.width {
            Width::W64 => self.maker.simpler_alu(op, w64, value, count),
            Width::W32 => {
                let shifted = self.maker.alu_constant(op, w64, value, count);
                let wrap = Op::IntUnary(IntUnary::Wrap, Width::W32);
                Simpler::Node(node(wrap, Ty::I32, &[shifted]))
            }
        }
    }
}
