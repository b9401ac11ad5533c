//! Scalar floating-point arithmetic and comparisons.
//!
//! `abs`, `neg` and `copysign` only touch the sign bit, NaNs included. Every other operation turns a
//! signalling NaN into a quiet one.
//!
//! Rounding to an integral value is done with additions where the target has no instruction for it
//! (x86-64 before SSE4.1, for which the portable build is compiled): the alternative there is a
//! library call per lane, and the additions vectorise.

/// Whether the compiler lowers `ceil` and its kin to single instructions on this target.
const ROUNDS_IN_HARDWARE: bool = cfg!(any(
    target_arch = "aarch64",
    target_arch = "wasm32",
    target_feature = "sse4.1"
));

/// Generates the operations of one floating-point type.
///
/// `$integral` is the magnitude from which on every value is integral: 2 to the power of the
/// number of fraction bits. `$quiet` is the bit that makes a NaN a quiet one.
macro_rules! float {
    ($t:ident $integral:literal $quiet:literal
     $eq:ident $ne:ident $lt:ident $gt:ident $le:ident $ge:ident
     $abs:ident $neg:ident $ceil:ident $floor:ident $trunc:ident $nearest:ident $sqrt:ident
     $add:ident $sub:ident $mul:ident $div:ident $min:ident $max:ident $copysign:ident
     $adjust:ident
    ) => {
        #[inline(always)]
        pub fn $eq(a: $t, b: $t) -> i32 {
            i32::from(a == b)
        }
        #[inline(always)]
        pub fn $ne(a: $t, b: $t) -> i32 {
            i32::from(a != b)
        }
        #[inline(always)]
        pub fn $lt(a: $t, b: $t) -> i32 {
            i32::from(a < b)
        }
        #[inline(always)]
        pub fn $gt(a: $t, b: $t) -> i32 {
            i32::from(a > b)
        }
        #[inline(always)]
        pub fn $le(a: $t, b: $t) -> i32 {
            i32::from(a <= b)
        }
        #[inline(always)]
        pub fn $ge(a: $t, b: $t) -> i32 {
            i32::from(a >= b)
        }
        #[inline(always)]
        pub fn $abs(a: $t) -> $t {
            a.abs()
        }
        #[inline(always)]
        pub fn $neg(a: $t) -> $t {
            -a
        }
        /// Rounds upwards.
        #[inline(always)]
        pub fn $ceil(a: $t) -> $t {
            if ROUNDS_IN_HARDWARE {
                return a.ceil();
            }
            $adjust(a, |nearest| if nearest < a { 1.0 } else { 0.0 })
        }
        /// Rounds downwards.
        #[inline(always)]
        pub fn $floor(a: $t) -> $t {
            if ROUNDS_IN_HARDWARE {
                return a.floor();
            }
            $adjust(a, |nearest| if nearest > a { -1.0 } else { 0.0 })
        }
        /// Rounds towards zero.
        #[inline(always)]
        pub fn $trunc(a: $t) -> $t {
            if ROUNDS_IN_HARDWARE {
                return a.trunc();
            }
            $adjust(a, |nearest| {
                let away: $t = if nearest.abs() > a.abs() { 1.0 } else { 0.0 };
                -away.copysign(a)
            })
        }
        /// Rounds to the nearest integral value, ties to even.
        #[inline(always)]
        pub fn $nearest(a: $t) -> $t {
            if ROUNDS_IN_HARDWARE {
                return a.round_ties_even();
            }
            $adjust(a, |_| 0.0)
        }
        /// The nearest integral value plus what `correction` makes of it, with the sign of `a`.
        ///
        /// Adding and subtracting a number whose last bit weighs one rounds to nearest-even.
        #[inline(always)]
        fn $adjust(a: $t, correction: impl Fn($t) -> $t) -> $t {
            let nearest = ((a.abs() + $integral) - $integral).copysign(a);
            let rounded = (nearest + correction(nearest)).copysign(a);
            // What is left is integral already, or a NaN to be quieted: by its bits, because the
            // compiler takes an addition of zero for no operation. Selections and no branch, so
            // that the vector forms stay in vector registers.
            let quiet = if a.is_nan() { $quiet } else { 0 };
            if a.abs() < $integral {
                rounded
            } else {
                $t::from_bits(a.to_bits() | quiet)
            }
        }
        #[inline(always)]
        pub fn $sqrt(a: $t) -> $t {
            a.sqrt()
        }
        #[inline(always)]
        pub fn $add(a: $t, b: $t) -> $t {
            a + b
        }
        #[inline(always)]
        pub fn $sub(a: $t, b: $t) -> $t {
            a - b
        }
        #[inline(always)]
        pub fn $mul(a: $t, b: $t) -> $t {
            a * b
        }
        #[inline(always)]
        pub fn $div(a: $t, b: $t) -> $t {
            a / b
        }
        /// A NaN if either operand is one; -0 is smaller than +0.
        #[inline(always)]
        pub fn $min(a: $t, b: $t) -> $t {
            if a < b {
                a
            } else if a > b {
                b
            } else if a == b {
                // Equal values differ in the sign of zero at most.
                $t::from_bits(a.to_bits() | b.to_bits())
            } else {
                a + b
            }
        }
        /// A NaN if either operand is one; +0 is larger than -0.
        #[inline(always)]
        pub fn $max(a: $t, b: $t) -> $t {
            if a > b {
                a
            } else if a < b {
                b
            } else if a == b {
                $t::from_bits(a.to_bits() & b.to_bits())
            } else {
                a + b
            }
        }
        #[inline(always)]
        pub fn $copysign(a: $t, b: $t) -> $t {
            a.copysign(b)
        }
    };
}

float! {
    f32 8388608.0 0x0040_0000
    f32_eq f32_ne f32_lt f32_gt f32_le f32_ge
    f32_abs f32_neg f32_ceil f32_floor f32_trunc f32_nearest f32_sqrt
    f32_add f32_sub f32_mul f32_div f32_min f32_max f32_copysign
    f32_adjust_nearest
}

float! {
    f64 4503599627370496.0 0x0008_0000_0000_0000
    f64_eq f64_ne f64_lt f64_gt f64_le f64_ge
    f64_abs f64_neg f64_ceil f64_floor f64_trunc f64_nearest f64_sqrt
    f64_add f64_sub f64_mul f64_div f64_min f64_max f64_copysign
    f64_adjust_nearest
}
