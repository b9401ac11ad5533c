//! Moves, loads, stores and addresses.

use zwasm_jit::masm::{FloatPart, FloatWidth, LoadOp, Masm, Mem, StoreOp, Width};

use super::harness::{Changes, Code, Host, Kept, State, float_operands, hosts, operands};
use super::int::triples;

const DISPLACEMENTS: &[i32] = &[
    0,
    1,
    2,
    8,
    16,
    -1,
    -8,
    127,
    128,
    -128,
    -129,
    255,
    256,
    -256,
    -257,
    4095,
    4096,
    4098,
    -4096,
    8190,
    16380,
    32760,
    32768,
    65520,
    65536,
    0x0012_3456,
    0x00ff_ffff,
    0x0100_0000,
    0x0123_4567,
    -0x0123_4567,
    i32::MAX,
    i32::MIN,
];

#[test]
fn constants() {
    let mut values: Vec<u64> = (0..64)
        .flat_map(|bit| [1 << bit, (1 << bit) - 1, !(1 << bit), u64::MAX << bit])
        .collect();
    values.extend([
        0x1234_0000,
        0x1234_5678,
        0xffff_0000_ffff,
        0x0123_4567_89ab_cdef,
    ]);
    values.extend([
        0xffff_ffff_1234_5678,
        0x5555_5555,
        0x5555_5555_5555_5555,
        0xffff_1234,
    ]);
    for host in hosts() {
        for dst in operands() {
            for &value in &values {
                let code = Code::snippet(host, |m, _| m.imm(dst, value));
                let after = code.check(&State::new(), Changes::General(dst), Kept::Everything);
                assert_eq!(after.get(dst), value, "{code:?}");
            }
        }
    }
}

#[test]
fn moves() {
    for host in hosts() {
        for [dst, src, _] in triples() {
            let mut state = State::new();
            let code = Code::snippet(host, |m, _| m.mov(Width::W64, dst, src));
            let after = code.check(&state, Changes::General(dst), Kept::Everything);
            assert_eq!(after.get(dst), state.get(src));
            state.set(src, 0x89ab_cdef);
            let code = Code::snippet(host, |m, _| m.mov(Width::W32, dst, src));
            let after = code.check(&state, Changes::General(dst), Kept::Everything);
            assert_eq!(after.get(dst), state.get(src));
        }
    }
}

/// Every pair of a base and an index, or none, that can address one place: base and index may be
/// the same register if the address is even.
pub(crate) fn addresses() -> Vec<Mem> {
    let mut addresses = Vec::new();
    let mut bases = operands();
    bases.push(Host::FILE.memory_base);
    for base in bases {
        for index in operands().into_iter().map(Some).chain([None]) {
            for &displacement in DISPLACEMENTS {
                addresses.push(Mem {
                    base,
                    index,
                    displacement,
                });
            }
        }
    }
    addresses
}

/// Sets the registers of `mem` so that it addresses `place`, if that is possible.
pub(crate) fn point_to(state: &mut State, mem: Mem, place: u64) -> bool {
    let rest = place.wrapping_sub(i64::from(mem.displacement) as u64);
    match mem.index {
        None => state.set(mem.base, rest),
        Some(index) if index == mem.base => {
            if !rest.is_multiple_of(2) {
                return false;
            }
            state.set(index, rest / 2);
        }
        Some(index) => {
            state.set(index, 0xffff_fff7);
            state.set(mem.base, rest.wrapping_sub(0xffff_fff7));
        }
    }
    true
}

fn expected_load(op: LoadOp, bits: u64) -> u64 {
    match op {
        LoadOp::U8 => u64::from(bits as u8),
        LoadOp::U16 => u64::from(bits as u16),
        LoadOp::U32 => u64::from(bits as u32),
        LoadOp::U64 => bits,
        LoadOp::S8To32 => u64::from(i32::from(bits as i8).cast_unsigned()),
        LoadOp::S16To32 => u64::from(i32::from(bits as i16).cast_unsigned()),
        LoadOp::S8To64 => i64::from(bits as i8).cast_unsigned(),
        LoadOp::S16To64 => i64::from(bits as i16).cast_unsigned(),
        LoadOp::S32To64 => i64::from(bits as i32).cast_unsigned(),
    }
}

#[test]
fn loads() {
    let operations = [
        LoadOp::U8,
        LoadOp::U16,
        LoadOp::U32,
        LoadOp::U64,
        LoadOp::S8To32,
        LoadOp::S16To32,
        LoadOp::S8To64,
        LoadOp::S16To64,
        LoadOp::S32To64,
    ];
    let places = [0x8182_8384_8586_8788_u64, 0x7172_7374_7576_7778];
    let host = hosts()[0];
    for op in operations {
        for mem in addresses() {
            for dst in operands() {
                let code = Code::snippet(host, |m, _| m.load(op, dst, mem));
                for place in &places {
                    let mut state = State::new();
                    if !point_to(&mut state, mem, &raw const *place as u64) {
                        continue;
                    }
                    let after = code.check(&state, Changes::General(dst), Kept::Everything);
                    let expected = expected_load(op, *place);
                    assert_eq!(after.get(dst), expected, "{op:?} {dst:?} {mem:?} {code:?}");
                }
            }
        }
    }
}

#[test]
fn stores() {
    let before = u64::MAX;
    let host = hosts()[0];
    for (op, mask) in [
        (StoreOp::B1, 0xff),
        (StoreOp::B2, 0xffff),
        (StoreOp::B4, 0xffff_ffff),
        (StoreOp::B8, u64::MAX),
    ] {
        for mem in addresses() {
            for src in operands() {
                let code = Code::snippet(host, |m, _| m.store(op, src, mem));
                let mut place = before;
                let mut state = State::new();
                if !point_to(&mut state, mem, &raw mut place as u64) {
                    continue;
                }
                code.check(&state, Changes::Nothing, Kept::Everything);
                let expected = before & !mask | state.get(src) & mask;
                assert_eq!(place, expected, "{op:?} {src:?} {mem:?} {code:?}");
            }
        }
    }
}

#[test]
fn float_loads_and_stores() {
    let host = hosts()[0];
    for (part, mask) in [
        (FloatPart::F32, u128::from(u32::MAX)),
        (FloatPart::F64, u128::from(u64::MAX)),
        (FloatPart::V128, u128::MAX),
    ] {
        for mem in addresses() {
            for register in float_operands() {
                let load = Code::snippet(host, |m, _| m.float_load(part, register, mem));
                let store = Code::snippet(host, |m, _| m.float_store(part, register, mem));
                let mut place = 0x0102_0304_0506_0708_1112_1314_1516_1718_u128;
                let mut state = State::new();
                if !point_to(&mut state, mem, &raw mut place as u64) {
                    continue;
                }
                let after = load.check(&state, Changes::Float(register), Kept::Everything);
                assert_eq!(
                    after.get_float(register) & mask,
                    place & mask,
                    "{part:?} {mem:?}"
                );
                let expected = place & !mask | state.get_float(register) & mask;
                store.check(&state, Changes::Nothing, Kept::Everything);
                assert_eq!(place, expected, "{part:?} {mem:?}");
            }
        }
    }
}

#[test]
fn address_computations() {
    let host = hosts()[0];
    for mem in addresses() {
        for dst in operands() {
            let code = Code::snippet(host, |m, _| m.address(dst, mem));
            let state = State::new();
            let index = mem.index.map_or(0, |index| state.get(index));
            let expected = state
                .get(mem.base)
                .wrapping_add(index)
                .wrapping_add(i64::from(mem.displacement) as u64);
            let after = code.check(&state, Changes::General(dst), Kept::Everything);
            assert_eq!(after.get(dst), expected, "{dst:?} {mem:?} {code:?}");
        }
    }
}

/// Arguments are set up by moves into registers that are no operands otherwise.
#[test]
fn argument_registers() {
    let file = Host::FILE;
    for host in hosts() {
        for &argument in file.arguments {
            let dst = operands()[0];
            let code = Code::snippet(host, |m, _| {
                m.imm(argument, 0x0123_4567_89ab_cdef);
                m.vector_imm(file.float_temporary[0], 0x3fb9_9999_9999_999a, 7);
                m.float_to_bits(FloatWidth::F64, file.scratch[0], file.float_temporary[0]);
                m.mov(Width::W64, dst, argument);
            });
            let after = code.run(&State::new());
            assert_eq!(after.get(dst), 0x0123_4567_89ab_cdef);
            assert_eq!(after.get_float(file.float_temporary[0]) >> 64, 7);
        }
    }
}
