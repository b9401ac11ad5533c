//! The listings of vector operations.

use super::cases::{ALIASES, ALIASES_OF_TWO, Cases, float_registers, name, registers};
use zwasm_jit::masm::vector::{
    Extract, Lanes, VecBinary, VecLoad, VecShift, VecTernary, VecTest, VecUnary,
};
use zwasm_jit::masm::{FloatWidth, Listed, Masm, Mem, Operand};

const LANES: [Lanes; 4] = [Lanes::I8x16, Lanes::I16x8, Lanes::I32x4, Lanes::I64x2];
const FLOATS: [(FloatWidth, u8); 2] = [(FloatWidth::F32, 3), (FloatWidth::F64, 1)];

pub(crate) fn vectors<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let f = float_registers::<M>();
    for op in VecUnary::list() {
        for [dst, a] in ALIASES_OF_TWO.map(|alias| alias.map(|i| f[i])) {
            let name = format!("vec_unary {op:?} {dst:?} {a:?}");
            cases.add(name, |m, _| m.vec_unary(op, dst, a));
        }
    }
    for op in VecBinary::list() {
        for [dst, a, b] in ALIASES[..3].iter().map(|alias| alias.map(|i| f[i])) {
            let name = format!("vec_binary {op:?} {dst:?} {a:?} {b:?}");
            cases.add(name, |m, _| m.vec_binary(op, dst, a, b));
        }
    }
    for op in VecTernary::list() {
        let other = M::FILE.float_temporary[1];
        for [a, b, c] in [[f[1], f[2], other], [f[0], f[1], f[2]], [f[1], f[2], f[0]]] {
            let name = format!("vec_ternary {op:?} {:?} {a:?} {b:?} {c:?}", f[0]);
            cases.add(name, |m, _| m.vec_ternary(op, f[0], a, b, c));
        }
    }
    let r = registers::<M>();
    for op in VecShift::list() {
        for count in [Operand::Imm(0), Operand::Imm(3), Operand::Reg(r[1])] {
            let name = format!("vec_shift {op:?} {:?} {:?} {count:?}", f[0], f[1]);
            cases.add(name, |m, _| m.vec_shift(op, f[0], f[1], count));
        }
    }
    for op in VecTest::list() {
        let name = format!("vec_test {op:?} {:?} {:?}", r[1], f[2]);
        cases.add(name, |m, _| m.vec_test(op, r[1], f[2]));
    }
}

pub(crate) fn lanes<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let r = registers::<M>();
    let f = float_registers::<M>();
    for lanes in LANES {
        let name = format!("splat {lanes:?} {:?} {:?}", f[1], r[1]);
        cases.add(name, |m, _| m.splat(lanes, f[1], r[1]));
        let last = 16 / lanes.bytes() - 1;
        for (dst, a) in [(f[0], f[1]), (f[1], f[1])] {
            let name = format!("replace_lane {lanes:?} {last} {dst:?} {a:?} {:?}", r[1]);
            cases.add(name, |m, _| m.replace_lane(lanes, last, dst, a, r[1]));
        }
    }
    for op in [
        Extract::I8S,
        Extract::I8U,
        Extract::I16S,
        Extract::I16U,
        Extract::I32,
        Extract::I64,
    ] {
        for lane in [0, 1] {
            let name = format!("extract_lane {op:?} {lane} {:?} {:?}", r[1], f[1]);
            cases.add(name, |m, _| m.extract_lane(op, lane, r[1], f[1]));
        }
    }
    for (width, last) in FLOATS {
        for [dst, a] in ALIASES_OF_TWO.map(|alias| alias.map(|i| f[i])) {
            let name = format!("float_splat {width:?} {dst:?} {a:?}");
            cases.add(name, |m, _| m.float_splat(width, dst, a));
            let name = format!("float_extract_lane {width:?} {last} {dst:?} {a:?}");
            cases.add(name, |m, _| m.float_extract_lane(width, last, dst, a));
        }
        for lane in [0, last] {
            for [dst, a, b] in ALIASES[..3].iter().map(|alias| alias.map(|i| f[i])) {
                let name = format!("float_replace_lane {width:?} {lane} {dst:?} {a:?} {b:?}");
                cases.add(name, |m, _| m.float_replace_lane(width, lane, dst, a, b));
            }
        }
    }
    shuffles(cases);
    lanes_in_memory(cases);
}

/// Patterns that at least one instruction set has an instruction for, and one that none has.
fn shuffles<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let f = float_registers::<M>();
    let of = |size: u8, lanes: &[u8]| -> [u8; 16] {
        std::array::from_fn(|i| lanes[i / usize::from(size)] * size + i as u8 % size)
    };
    for bytes in [
        of(4, &[0, 1, 2, 3]),
        of(4, &[3, 2, 1, 0]),
        of(8, &[1, 0]),
        of(2, &[5; 8]),
        of(1, &[7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8]),
        of(1, &[0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23]),
        of(2, &[12, 4, 13, 5, 14, 6, 15, 7]),
        of(8, &[1, 3]),
        of(4, &[0, 2, 4, 6]),
        of(2, &[0, 2, 4, 6, 8, 10, 12, 14]),
        of(4, &[1, 5, 3, 7]),
        of(2, &[0, 9, 2, 11, 4, 13, 6, 15]),
        of(
            1,
            &[5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
        ),
        of(1, &[0, 20, 3, 9, 31, 1, 1, 8, 7, 17, 30, 2, 4, 19, 22, 0]),
    ] {
        for [dst, a, b] in ALIASES[..3].iter().map(|alias| alias.map(|i| f[i])) {
            let name = format!("shuffle {bytes:?} {dst:?} {a:?} {b:?}");
            cases.add(name, |m, _| m.shuffle(bytes, dst, a, b));
        }
    }
}

fn lanes_in_memory<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let file = M::FILE;
    let f = float_registers::<M>();
    let indexed = Mem {
        base: file.memory_base,
        index: Some(file.temporary[0]),
        displacement: 8,
    };
    for mem in [Mem::at(file.temporary[1], 0), indexed] {
        for op in [
            VecLoad::Extend8x8S,
            VecLoad::Extend8x8U,
            VecLoad::Extend16x4S,
            VecLoad::Extend16x4U,
            VecLoad::Extend32x2S,
            VecLoad::Extend32x2U,
            VecLoad::Splat(Lanes::I8x16),
            VecLoad::Splat(Lanes::I16x8),
            VecLoad::Splat(Lanes::I32x4),
            VecLoad::Splat(Lanes::I64x2),
            VecLoad::Zero32,
            VecLoad::Zero64,
        ] {
            let case = format!("vec_load {op:?} {:?} {}", f[1], name(mem));
            cases.add(case, |m, _| m.vec_load(op, f[1], mem));
        }
        for lanes in LANES {
            for lane in [0, 16 / lanes.bytes() - 1] {
                let operands = format!("{lanes:?} {lane} {:?} {}", f[1], name(mem));
                cases.add(format!("load_lane {:?} {operands}", f[0]), |m, _| {
                    m.load_lane(lanes, lane, f[0], f[1], mem);
                });
                cases.add(format!("store_lane {operands}"), |m, _| {
                    m.store_lane(lanes, lane, f[1], mem);
                });
            }
        }
    }
}
