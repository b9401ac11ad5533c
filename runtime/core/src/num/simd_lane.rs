//! Instructions that move lanes or treat the vector as one string of bits: splat, extract, replace,
//! shuffle, swizzle, the bitwise operations, and the register half of vector loads and stores.
//!
//! Lane immediates are validated, so they are in range; they are masked all the same, which leaves
//! no bounds check and nothing to panic.

use super::v128::{V128, build};

/// Rows of `splat: (operand type) lane type × count;`.
macro_rules! splat {
    ($($name:ident: ($from:ident) $t:ident $n:literal;)*) => {$(
        #[inline(always)]
        pub fn $name(a: $from) -> V128 {
            V128::from([a as $t; $n])
        }
    )*};
}

splat! {
    i8x16_splat: (i32) i8 16;
    i16x8_splat: (i32) i16 8;
    i32x4_splat: (i32) i32 4;
    i64x2_splat: (i64) i64 2;
    f32x4_splat: (f32) f32 4;
    f64x2_splat: (f64) f64 2;
    v128_load8_splat: (u8) u8 16;
    v128_load16_splat: (u16) u16 8;
    v128_load32_splat: (u32) u32 4;
    v128_load64_splat: (u64) u64 2;
}

/// Rows of `extract: lane type × count -> result;`.
macro_rules! extract {
    ($($name:ident: $t:ident $n:literal -> $to:ident;)*) => {$(
        #[inline(always)]
        pub fn $name(a: V128, lane: u8) -> $to {
            let lanes: [$t; $n] = a.into();
            lanes[usize::from(lane) % $n] as $to
        }
    )*};
}

extract! {
    i8x16_extract_lane_s: i8 16 -> i32;
    i8x16_extract_lane_u: u8 16 -> i32;
    i16x8_extract_lane_s: i16 8 -> i32;
    i16x8_extract_lane_u: u16 8 -> i32;
    i32x4_extract_lane: i32 4 -> i32;
    i64x2_extract_lane: i64 2 -> i64;
    f32x4_extract_lane: f32 4 -> f32;
    f64x2_extract_lane: f64 2 -> f64;
    v128_store8_lane: u8 16 -> u8;
    v128_store16_lane: u16 8 -> u16;
    v128_store32_lane: u32 4 -> u32;
    v128_store64_lane: u64 2 -> u64;
}

/// Rows of `replace: (operand type) lane type × count;`.
macro_rules! replace {
    ($($name:ident: ($from:ident) $t:ident $n:literal;)*) => {$(
        #[inline(always)]
        pub fn $name(a: V128, lane: u8, value: $from) -> V128 {
            let mut lanes: [$t; $n] = a.into();
            lanes[usize::from(lane) % $n] = value as $t;
            lanes.into()
        }
    )*};
}

replace! {
    i8x16_replace_lane: (i32) i8 16;
    i16x8_replace_lane: (i32) i16 8;
    i32x4_replace_lane: (i32) i32 4;
    i64x2_replace_lane: (i64) i64 2;
    f32x4_replace_lane: (f32) f32 4;
    f64x2_replace_lane: (f64) f64 2;
    v128_load8_lane: (u8) u8 16;
    v128_load16_lane: (u16) u16 8;
    v128_load32_lane: (u32) u32 4;
    v128_load64_lane: (u64) u64 2;
}

/// The loaded value in lane 0, zero above.
#[inline(always)]
pub fn v128_load32_zero(value: u32) -> V128 {
    V128::from_u128(u128::from(value))
}

/// The loaded value in lane 0, zero above.
#[inline(always)]
pub fn v128_load64_zero(value: u64) -> V128 {
    V128::from_u128(u128::from(value))
}

/// Picks sixteen bytes out of the thirty-two of `a` and `b`; `lanes` are below 32.
#[inline(always)]
pub fn i8x16_shuffle(a: V128, b: V128, lanes: [u8; 16]) -> V128 {
    let both: [u8; 32] = build(|i| if i < 16 { a.0[i] } else { b.0[i % 16] });
    V128(build(|i| both[usize::from(lanes[i] & 31)]))
}

/// Picks bytes of `a` by the indices in `b`; an index of 16 or more gives 0.
#[inline(always)]
pub fn i8x16_swizzle(a: V128, b: V128) -> V128 {
    V128(build(|i| {
        let index = b.0[i];
        let picked = a.0[usize::from(index & 15)];
        if index < 16 { picked } else { 0 }
    }))
}

#[inline(always)]
pub fn v128_not(a: V128) -> V128 {
    V128::from_u128(!a.to_u128())
}

#[inline(always)]
pub fn v128_and(a: V128, b: V128) -> V128 {
    V128::from_u128(a.to_u128() & b.to_u128())
}

/// `a` without the bits of `b`.
#[inline(always)]
pub fn v128_andnot(a: V128, b: V128) -> V128 {
    V128::from_u128(a.to_u128() & !b.to_u128())
}

#[inline(always)]
pub fn v128_or(a: V128, b: V128) -> V128 {
    V128::from_u128(a.to_u128() | b.to_u128())
}

#[inline(always)]
pub fn v128_xor(a: V128, b: V128) -> V128 {
    V128::from_u128(a.to_u128() ^ b.to_u128())
}

/// The bits of `a` where `mask` is set, of `b` where it is clear.
#[inline(always)]
pub fn v128_bitselect(a: V128, b: V128, mask: V128) -> V128 {
    let mask = mask.to_u128();
    V128::from_u128((a.to_u128() & mask) | (b.to_u128() & !mask))
}

#[inline(always)]
pub fn v128_any_true(a: V128) -> i32 {
    i32::from(a.to_u128() != 0)
}

/// Rows of `all_true bitmask: lane type × count;`.
macro_rules! test_lanes {
    ($($all_true:ident $bitmask:ident: $t:ident $n:literal;)*) => {$(
        #[inline(always)]
        pub fn $all_true(a: V128) -> i32 {
            let lanes: [$t; $n] = a.into();
            i32::from(lanes.iter().fold(true, |all, &lane| all & (lane != 0)))
        }
        /// Bit *i* is the sign of lane *i*.
        #[inline(always)]
        pub fn $bitmask(a: V128) -> i32 {
            let lanes: [$t; $n] = a.into();
            (0..$n).fold(0, |mask, i| mask | (i32::from(lanes[i] < 0) << i))
        }
    )*};
}

test_lanes! {
    i8x16_all_true i8x16_bitmask: i8 16;
    i16x8_all_true i16x8_bitmask: i16 8;
    i32x4_all_true i32x4_bitmask: i32 4;
    i64x2_all_true i64x2_bitmask: i64 2;
}
