//! The 128-bit vector value and the helpers that apply a scalar function to its lanes.
//!
//! A vector is its sixteen bytes in little-endian lane order, so that it has no alignment demand
//! (the interpreter's slots are eight bytes) and its memory image is the one wasm prescribes on
//! every host. Lane arrays convert through `from_le_bytes` of fixed chunks, which compiles to
//! nothing on little-endian hosts; the helpers are loops over those arrays, which LLVM turns into
//! vector instructions.

use std::fmt;

/// A 128-bit vector: sixteen bytes, lane 0 first, each lane little-endian.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct V128(pub [u8; 16]);

impl V128 {
    /// The vector with all bits clear.
    pub const ZERO: Self = Self([0; 16]);

    /// The vector whose lanes, read as one little-endian number, are `bits`.
    #[inline(always)]
    pub const fn from_u128(bits: u128) -> Self {
        Self(bits.to_le_bytes())
    }

    /// All lanes as one little-endian number.
    #[inline(always)]
    pub const fn to_u128(self) -> u128 {
        u128::from_le_bytes(self.0)
    }
}

/// Prints the four 32-bit lanes, lane 0 first, as the text format's `v128.const i32x4` would.
impl fmt::Debug for V128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d]: [u32; 4] = (*self).into();
        write!(f, "i32x4({a:#010x} {b:#010x} {c:#010x} {d:#010x})")
    }
}

macro_rules! lanes {
    ($($t:ident $count:literal $size:literal;)*) => {$(
        impl From<[$t; $count]> for V128 {
            #[inline(always)]
            fn from(lanes: [$t; $count]) -> Self {
                let mut bytes = [0; 16];
                let (chunks, _) = bytes.as_chunks_mut::<$size>();
                let mut i = 0;
                while i < $count {
                    chunks[i] = lanes[i].to_le_bytes();
                    i += 1;
                }
                Self(bytes)
            }
        }

        impl From<V128> for [$t; $count] {
            #[inline(always)]
            fn from(vector: V128) -> Self {
                let (chunks, _) = vector.0.as_chunks::<$size>();
                build(|i| $t::from_le_bytes(chunks[i]))
            }
        }
    )*};
}

lanes! {
    i8 16 1; u8 16 1;
    i16 8 2; u16 8 2;
    i32 4 4; u32 4 4;
    i64 2 8; u64 2 8;
    f32 4 4; f64 2 8;
}

/// The lanes that `lane` makes of their numbers.
///
/// A loop, where `array::from_fn` would do: without link-time optimisation that leaves calls of
/// closures behind. They take the operands' addresses, so that the interpreter's handlers would keep
/// their frames, and would call the next handler instead of jumping to it.
#[inline(always)]
pub(super) fn build<T: Copy + Default, const N: usize>(lane: impl Fn(usize) -> T) -> [T; N] {
    let mut lanes = [T::default(); N];
    let mut i = 0;
    while i < N {
        lanes[i] = lane(i);
        i += 1;
    }
    lanes
}

/// Applies `f` to each lane.
#[inline(always)]
pub(super) fn map<T: Copy, U: Copy + Default, const N: usize>(a: V128, f: impl Fn(T) -> U) -> V128
where
    [T; N]: From<V128>,
    V128: From<[U; N]>,
{
    let a: [T; N] = a.into();
    V128::from(build::<U, N>(|i| f(a[i])))
}

/// Applies `f` to each pair of lanes.
#[inline(always)]
pub(super) fn zip<T: Copy, U: Copy + Default, const N: usize>(
    a: V128,
    b: V128,
    f: impl Fn(T, T) -> U,
) -> V128
where
    [T; N]: From<V128>,
    V128: From<[U; N]>,
{
    let a: [T; N] = a.into();
    let b: [T; N] = b.into();
    V128::from(build::<U, N>(|i| f(a[i], b[i])))
}

/// Applies `f` to each triple of lanes.
#[inline(always)]
pub(super) fn zip3<T: Copy, U: Copy + Default, const N: usize>(
    a: V128,
    b: V128,
    c: V128,
    f: impl Fn(T, T, T) -> U,
) -> V128
where
    [T; N]: From<V128>,
    V128: From<[U; N]>,
{
    let a: [T; N] = a.into();
    let b: [T; N] = b.into();
    let c: [T; N] = c.into();
    V128::from(build::<U, N>(|i| f(a[i], b[i], c[i])))
}

/// Rows of `name: lane count, |lane| result;`, one unary instruction each.
macro_rules! unary {
    ($($name:ident: $t:ident $n:literal, $f:expr;)*) => {$(
        #[inline(always)]
        pub fn $name(a: V128) -> V128 {
            $crate::num::v128::map::<$t, _, $n>(a, $f)
        }
    )*};
}

/// Rows of `name: lane count, |lane, lane| result;`, one binary instruction each.
macro_rules! binary {
    ($($name:ident: $t:ident $n:literal, $f:expr;)*) => {$(
        #[inline(always)]
        pub fn $name(a: V128, b: V128) -> V128 {
            $crate::num::v128::zip::<$t, _, $n>(a, b, $f)
        }
    )*};
}

pub(super) use binary;
pub(super) use unary;
