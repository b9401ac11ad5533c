//! Whether a result is what a script expects, NaN patterns and alternatives included.

use wast::core::{AbstractHeapType, HeapType, NanPattern, V128Pattern, WastRetCore};
use zwasm::{Ref, Store, Val};

/// The null that a script means by `ref.null` of a heap type.
pub(crate) fn null_of(heap: &HeapType<'_>) -> Ref {
    match heap {
        HeapType::Abstract {
            ty: AbstractHeapType::Extern | AbstractHeapType::NoExtern,
            ..
        } => Ref::Extern(None),
        HeapType::Abstract {
            ty: AbstractHeapType::Exn | AbstractHeapType::NoExn,
            ..
        } => Ref::Exn(None),
        _ => Ref::Func(None),
    }
}

pub(crate) fn matches(store: &Store<()>, value: &Val, expected: &WastRetCore<'_>) -> bool {
    match (value, expected) {
        (_, WastRetCore::Either(cases)) => cases.iter().any(|case| matches(store, value, case)),
        (Val::I32(v), WastRetCore::I32(e)) => v == e,
        (Val::I64(v), WastRetCore::I64(e)) => v == e,
        (Val::F32(bits), WastRetCore::F32(pattern)) => match pattern {
            NanPattern::Value(e) => *bits == e.bits,
            NanPattern::CanonicalNan => is_nan32(*bits, true),
            NanPattern::ArithmeticNan => is_nan32(*bits, false),
        },
        (Val::F64(bits), WastRetCore::F64(pattern)) => match pattern {
            NanPattern::Value(e) => *bits == e.bits,
            NanPattern::CanonicalNan => is_nan64(*bits, true),
            NanPattern::ArithmeticNan => is_nan64(*bits, false),
        },
        (Val::V128(bits), WastRetCore::V128(pattern)) => vector_matches(*bits, pattern),
        (Val::Ref(v), WastRetCore::RefNull(None)) => v.is_null(),
        (Val::Ref(v), WastRetCore::RefNull(Some(heap))) => *v == null_of(heap),
        (Val::Ref(Ref::Extern(Some(_))), WastRetCore::RefExtern(None)) => true,
        (Val::Ref(Ref::Extern(Some(v))), WastRetCore::RefExtern(Some(e))) => {
            v.data(store).downcast_ref::<u32>() == Some(e)
        }
        (Val::Ref(Ref::Func(Some(_))), WastRetCore::RefFunc(None)) => true,
        _ => false,
    }
}

/// A quiet NaN; canonical ones have no other bit of the payload set.
fn is_nan32(bits: u32, canonical: bool) -> bool {
    let magnitude = bits & 0x7fff_ffff;
    if canonical {
        magnitude == 0x7fc0_0000
    } else {
        magnitude & 0x7fc0_0000 == 0x7fc0_0000
    }
}

fn is_nan64(bits: u64, canonical: bool) -> bool {
    const QUIET: u64 = 0x7ff8_0000_0000_0000;
    let magnitude = bits & (u64::MAX >> 1);
    if canonical {
        magnitude == QUIET
    } else {
        magnitude & QUIET == QUIET
    }
}

fn vector_matches(bits: u128, pattern: &V128Pattern) -> bool {
    let bytes = bits.to_le_bytes();
    let equal = |expected: Vec<u8>| expected == bytes;
    match pattern {
        V128Pattern::I8x16(lanes) => equal(lanes.iter().flat_map(|v| v.to_le_bytes()).collect()),
        V128Pattern::I16x8(lanes) => equal(lanes.iter().flat_map(|v| v.to_le_bytes()).collect()),
        V128Pattern::I32x4(lanes) => equal(lanes.iter().flat_map(|v| v.to_le_bytes()).collect()),
        V128Pattern::I64x2(lanes) => equal(lanes.iter().flat_map(|v| v.to_le_bytes()).collect()),
        V128Pattern::F32x4(lanes) => lanes.iter().enumerate().all(|(i, pattern)| {
            let lane = (bits >> (32 * i)) as u32;
            match pattern {
                NanPattern::Value(e) => lane == e.bits,
                NanPattern::CanonicalNan => is_nan32(lane, true),
                NanPattern::ArithmeticNan => is_nan32(lane, false),
            }
        }),
        V128Pattern::F64x2(lanes) => lanes.iter().enumerate().all(|(i, pattern)| {
            let lane = (bits >> (64 * i)) as u64;
            match pattern {
                NanPattern::Value(e) => lane == e.bits,
                NanPattern::CanonicalNan => is_nan64(lane, true),
                NanPattern::ArithmeticNan => is_nan64(lane, false),
            }
        }),
    }
}
