//! What the listings hold, for any instruction set.

use super::vector_cases;
use zwasm_core::TrapCode;
use zwasm_core::fuel::PIECE_UNITS_MAX;
use zwasm_jit::masm::{
    AluOp, Cond, DivOp, FloatCond, FloatOp, FloatPart, FloatUnary, FloatWidth, Fpr, FromInt, Gpr,
    IntUnary, Listed, LoadOp, Masm, Mem, MulHigh, Operand, StackCheck, StoreOp, ToInt, Width,
};

/// One method with one choice of operands.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// What follows is data.
    pub(crate) code_size: usize,
}

pub(crate) struct Cases<M, F> {
    new: F,
    cases: Vec<Case>,
    masm: std::marker::PhantomData<M>,
}

const WIDTHS: [Width; 2] = [Width::W32, Width::W64];
const FLOATS: [FloatWidth; 2] = [FloatWidth::F32, FloatWidth::F64];
const PARTS: [FloatPart; 3] = [FloatPart::F32, FloatPart::F64, FloatPart::V128];

/// The ways three operands may alias, as indices of registers: destination, first, second.
pub(crate) const ALIASES: [[usize; 3]; 5] = [[0, 1, 2], [0, 0, 1], [0, 1, 0], [0, 1, 1], [0, 0, 0]];
/// The same for two.
pub(crate) const ALIASES_OF_TWO: [[usize; 2]; 2] = [[0, 1], [0, 0]];

impl<M: Masm, F: Fn() -> M> Cases<M, F> {
    /// Adds a case: `body` may branch to the labels, of which the first is bound behind the code,
    /// the second before it.
    pub(crate) fn add(&mut self, name: String, body: impl FnOnce(&mut M, [M::Label; 2])) {
        let mut masm = (self.new)();
        let (ahead, behind) = (masm.label(), masm.label());
        masm.bind(behind);
        body(&mut masm, [ahead, behind]);
        masm.bind(ahead);
        let code_size = masm.offset() as usize;
        self.cases.push(Case {
            name,
            bytes: masm.finish(),
            code_size,
        });
    }
}

/// A temporary, a saved and the first scratch register.
pub(crate) fn registers<M: Masm>() -> [Gpr; 3] {
    let file = M::FILE;
    [
        file.temporary[0],
        *file.saved.last().expect("saved registers"),
        file.scratch[0],
    ]
}

pub(crate) fn float_registers<M: Masm>() -> [Fpr; 3] {
    let file = M::FILE;
    [
        file.float_temporary[0],
        *file.float_temporary.last().expect("float registers"),
        file.float_scratch,
    ]
}

/// All cases, in an order that stays.
pub(crate) fn all<M: Masm>(new: impl Fn() -> M) -> Vec<Case> {
    let mut cases = Cases {
        new,
        cases: Vec::new(),
        masm: std::marker::PhantomData,
    };
    moves(&mut cases);
    memory(&mut cases);
    integers(&mut cases);
    comparisons(&mut cases);
    floats(&mut cases);
    conversions(&mut cases);
    control(&mut cases);
    vector_cases::vectors(&mut cases);
    vector_cases::lanes(&mut cases);
    cases.cases
}

fn moves<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let r = registers::<M>();
    let f = float_registers::<M>();
    for value in [
        0,
        1,
        0xffff,
        0x1_0000,
        0x1234_5678,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_1234,
        0xffff_ffff,
        0x1_0000_0000,
        0x5555_5555,
        0x5555_5555_5555_5555,
        0x0123_4567_89ab_cdef,
        0xffff_ffff_8000_0000,
        0xffff_ffff_7fff_ffff,
        0xffff_1234_ffff_5678,
        0xffff_ffff_ffff_ffff,
    ] {
        for dst in [r[0], r[1]] {
            cases.add(format!("imm {dst:?} {value:#x}"), |m, _| m.imm(dst, value));
        }
    }
    for width in WIDTHS {
        for [dst, src] in ALIASES_OF_TWO.map(|alias| alias.map(|i| r[i])) {
            cases.add(format!("mov {width:?} {dst:?} {src:?}"), |m, _| {
                m.mov(width, dst, src);
            });
        }
    }
    for part in PARTS {
        cases.add(
            format!("float_mov {part:?} {:?} {:?}", f[0], f[1]),
            |m, _| {
                m.float_mov(part, f[0], f[1]);
            },
        );
    }
    for width in FLOATS {
        cases.add(
            format!("float_from_bits {width:?} {:?} {:?}", f[1], r[0]),
            |m, _| {
                m.float_from_bits(width, f[1], r[0]);
            },
        );
        cases.add(
            format!("float_to_bits {width:?} {:?} {:?}", r[1], f[0]),
            |m, _| {
                m.float_to_bits(width, r[1], f[0]);
            },
        );
    }
    for (low, high) in [
        (0, 0),
        (u64::MAX, u64::MAX),
        (u64::MAX, 0),
        (0, u64::MAX),
        (0x3f80_0000, 0),
        (0x3f80_0001, 0),
        (0x3ff0_0000_0000_0000, 0),
        (0x3ff0_0000_0000_0001, 0),
        (0x8000_0000_0000_0000, 0),
        (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210),
        (0x0101_0101_0101_0101, 0x0101_0101_0101_0101),
    ] {
        cases.add(
            format!("vector_imm {:?} {low:#x} {high:#x}", f[1]),
            |m, _| {
                m.vector_imm(f[1], low, high);
            },
        );
    }
}

fn memory<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let r = registers::<M>();
    let f = float_registers::<M>();
    let file = M::FILE;
    let bases = [
        r[0],
        r[1],
        file.context,
        file.memory_base,
        file.stack,
        file.frame,
    ];
    let mut addresses = Vec::new();
    for base in bases {
        for displacement in [0, 8, -8] {
            addresses.push(Mem::at(base, displacement));
        }
        for displacement in [0, 8] {
            addresses.push(Mem {
                base,
                index: Some(r[0]),
                displacement,
            });
        }
    }
    for displacement in [
        1,
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
        32760,
        32768,
        0x12_3458,
        0x12_3459,
        0x0123_4560,
        i32::MAX,
        i32::MIN,
    ] {
        addresses.push(Mem::at(r[0], displacement));
        addresses.push(Mem {
            base: file.memory_base,
            index: Some(r[1]),
            displacement,
        });
    }
    for &mem in &addresses {
        cases.add(format!("load U64 {:?} {}", r[1], name(mem)), |m, _| {
            m.load(LoadOp::U64, r[1], mem);
        });
        cases.add(format!("address {:?} {}", r[1], name(mem)), |m, _| {
            m.address(r[1], mem);
        });
    }
    let mem = Mem {
        base: file.memory_base,
        index: Some(r[0]),
        displacement: 2,
    };
    for op in [
        LoadOp::U8,
        LoadOp::U16,
        LoadOp::U32,
        LoadOp::U64,
        LoadOp::S8To32,
        LoadOp::S16To32,
        LoadOp::S8To64,
        LoadOp::S16To64,
        LoadOp::S32To64,
    ] {
        cases.add(format!("load {op:?} {:?} {}", r[0], name(mem)), |m, _| {
            m.load(op, r[0], mem);
        });
    }
    for op in [StoreOp::B1, StoreOp::B2, StoreOp::B4, StoreOp::B8] {
        for src in r {
            cases.add(format!("store {op:?} {src:?} {}", name(mem)), |m, _| {
                m.store(op, src, mem);
            });
        }
    }
    for part in PARTS {
        for mem in [mem, Mem::at(file.frame, -16), Mem::at(r[0], 16 * 4095)] {
            for register in [f[0], f[2]] {
                let operands = format!("{part:?} {register:?} {}", name(mem));
                cases.add(format!("float_load {operands}"), |m, _| {
                    m.float_load(part, register, mem);
                });
                cases.add(format!("float_store {operands}"), |m, _| {
                    m.float_store(part, register, mem);
                });
            }
        }
    }
}

pub(crate) fn name(mem: Mem) -> String {
    let index = mem
        .index
        .map_or(String::new(), |index| format!(" + {index:?}"));
    format!("[{:?}{index} + {}]", mem.base, mem.displacement)
}

fn integers<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let r = registers::<M>();
    for op in AluOp::list() {
        for width in WIDTHS {
            for [dst, a, b] in ALIASES.map(|alias| alias.map(|i| r[i])) {
                cases.add(
                    format!("alu {op:?} {width:?} {dst:?} {a:?} {b:?}"),
                    |m, _| {
                        m.alu(op, width, dst, a, Operand::Reg(b));
                    },
                );
            }
            for [dst, a] in ALIASES_OF_TWO.map(|alias| alias.map(|i| r[i])) {
                for &b in constants(op) {
                    cases.add(format!("alu {op:?} {width:?} {dst:?} {a:?} {b}"), |m, _| {
                        m.alu(op, width, dst, a, Operand::Imm(b));
                    });
                }
            }
        }
    }
    for op in [MulHigh::Signed, MulHigh::Unsigned] {
        for alias in [[0, 1, 2], [2, 1, 0], [0, 0, 1], [0, 1, 0], [2, 1, 2]] {
            let [dst, a, b] = alias.map(|i: usize| r[i]);
            cases.add(
                format!("multiply_high {op:?} {dst:?} {a:?} {b:?}"),
                |m, _| m.multiply_high(op, dst, a, b),
            );
        }
    }
    for width in WIDTHS {
        for alias in [[0, 1, 2], [2, 1, 0], [0, 0, 1], [0, 1, 0], [2, 1, 2]] {
            let [dst, a, b] = alias.map(|i: usize| r[i]);
            cases.add(format!("and_not {width:?} {dst:?} {a:?} {b:?}"), |m, _| {
                m.and_not(width, dst, a, b)
            });
            cases.add(
                format!("funnel_shift {width:?} {dst:?} {a:?} {b:?} 5"),
                |m, _| m.funnel_shift(width, dst, a, b, 5),
            );
            for b in [Operand::Reg(b), Operand::Shl(b, 2)] {
                for c in [1, -0x1234] {
                    cases.add(
                        format!("sum {width:?} {dst:?} {a:?} {b:?} {c:#x}"),
                        |m, _| m.sum(width, dst, a, b, c),
                    );
                }
            }
        }
    }
    for op in [DivOp::DivS, DivOp::DivU, DivOp::RemS, DivOp::RemU] {
        for width in WIDTHS {
            for alias in [[0, 1, 2], [2, 1, 0], [0, 0, 1], [0, 1, 0], [2, 1, 2]] {
                let [dst, a, b] = alias.map(|i: usize| r[i]);
                cases.add(
                    format!("div {op:?} {width:?} {dst:?} {a:?} {b:?}"),
                    |m, exits| {
                        m.div(op, width, dst, a, b, exits[0], exits[1]);
                    },
                );
            }
        }
    }
    for op in [
        IntUnary::Clz,
        IntUnary::Ctz,
        IntUnary::Popcnt,
        IntUnary::SwapBytes,
        IntUnary::Extend8S,
        IntUnary::Extend16S,
        IntUnary::Extend32S,
        IntUnary::Wrap,
    ] {
        for width in WIDTHS {
            for [dst, a] in ALIASES_OF_TWO.map(|alias| alias.map(|i| r[i])) {
                cases.add(
                    format!("int_unary {op:?} {width:?} {dst:?} {a:?}"),
                    |m, _| {
                        m.int_unary(op, width, dst, a);
                    },
                );
            }
        }
    }
}

/// Constants on both sides of the limits that matter to an operation.
fn constants(op: AluOp) -> &'static [i32] {
    match op {
        AluOp::Add | AluOp::Sub => &[
            0,
            1,
            -1,
            127,
            128,
            -128,
            -129,
            4095,
            4096,
            4097,
            -4096,
            0x00ff_ffff,
            0x0100_0000,
            i32::MAX,
            i32::MIN,
        ],
        AluOp::And | AluOp::Or | AluOp::Xor => &[
            0,
            -1,
            1,
            127,
            128,
            255,
            65535,
            0x1234_5678,
            -65536,
            i32::MAX,
            i32::MIN,
        ],
        AluOp::Mul => &[0, 1, -1, 2, 3, 8, 10, 127, 128, 129, 1000, i32::MIN],
        AluOp::Shl | AluOp::ShrS | AluOp::ShrU | AluOp::Rotl | AluOp::Rotr => {
            &[0, 1, 31, 32, 63, 64, -1]
        }
    }
}

fn comparisons<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let r = registers::<M>();
    let seconds = [0, 1, -1, 127, 128, 4095, 4096, -4096, 4097, i32::MIN];
    for width in WIDTHS {
        for cond in Cond::list() {
            for [dst, a, b] in ALIASES.map(|alias| alias.map(|i| r[i])) {
                cases.add(
                    format!("compare {cond:?} {width:?} {dst:?} {a:?} {b:?}"),
                    |m, _| {
                        m.compare(cond, width, dst, a, Operand::Reg(b));
                    },
                );
            }
            cases.add(
                format!("branch_if {cond:?} {width:?} {:?} {:?}", r[0], r[1]),
                |m, exits| {
                    m.branch_if(cond, width, r[0], Operand::Reg(r[1]), exits[0]);
                    m.branch_if(cond, width, r[0], Operand::Imm(0), exits[1]);
                },
            );
        }
        for b in seconds {
            for a in [r[0], r[2]] {
                cases.add(
                    format!("compare LtU {width:?} {:?} {a:?} {b}", r[0]),
                    |m, _| {
                        m.compare(Cond::LtU, width, r[0], a, Operand::Imm(b));
                    },
                );
            }
        }
        for [dst, x, y] in ALIASES.map(|alias| alias.map(|i| r[i])) {
            for (cond, a, b) in [
                (Cond::LtS, r[0], Operand::Reg(r[1])),
                (Cond::Eq, r[1], Operand::Imm(0)),
            ] {
                let operands = format!("{a:?} {b:?} {dst:?} {x:?} {y:?}");
                cases.add(format!("select {cond:?} {width:?} {operands}"), |m, _| {
                    m.select(cond, width, a, b, dst, x, y);
                });
            }
        }
    }
}

fn floats<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let f = float_registers::<M>();
    let dst = registers::<M>()[0];
    for width in FLOATS {
        for op in [
            FloatOp::Add,
            FloatOp::Sub,
            FloatOp::Mul,
            FloatOp::Div,
            FloatOp::Min,
            FloatOp::Max,
            FloatOp::Copysign,
        ] {
            for [dst, a, b] in ALIASES.map(|alias| alias.map(|i| f[i])) {
                cases.add(
                    format!("float {op:?} {width:?} {dst:?} {a:?} {b:?}"),
                    |m, _| {
                        m.float(op, width, dst, a, b);
                    },
                );
            }
        }
        for op in [
            FloatUnary::Abs,
            FloatUnary::Neg,
            FloatUnary::Sqrt,
            FloatUnary::Ceil,
            FloatUnary::Floor,
            FloatUnary::Trunc,
            FloatUnary::Nearest,
        ] {
            for [dst, a] in ALIASES_OF_TWO.map(|alias| alias.map(|i| f[i])) {
                cases.add(
                    format!("float_unary {op:?} {width:?} {dst:?} {a:?}"),
                    |m, _| {
                        m.float_unary(op, width, dst, a);
                    },
                );
            }
        }
        for cond in [
            FloatCond::Eq,
            FloatCond::Ne,
            FloatCond::Lt,
            FloatCond::Gt,
            FloatCond::Le,
            FloatCond::Ge,
        ] {
            let operands = format!("{width:?} {:?} {:?}", f[0], f[1]);
            cases.add(
                format!("float_compare {cond:?} {dst:?} {operands}"),
                |m, _| {
                    m.float_compare(cond, width, dst, f[0], f[1]);
                },
            );
            for negated in [false, true] {
                let name = format!("float_branch_if {cond:?} {negated} {operands}");
                cases.add(name, |m, exits| {
                    m.float_branch_if(cond, negated, width, f[0], f[1], exits[0]);
                });
            }
        }
    }
}

fn conversions<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let r = registers::<M>();
    let f = float_registers::<M>();
    for width in FLOATS {
        for from in [FromInt::I32S, FromInt::I32U, FromInt::I64S, FromInt::I64U] {
            let operands = format!("{from:?} {width:?} {:?} {:?}", f[1], r[0]);
            cases.add(format!("float_from_int {operands}"), |m, _| {
                m.float_from_int(from, width, f[1], r[0]);
            });
        }
        for [dst, src] in ALIASES_OF_TWO.map(|alias| alias.map(|i| f[i])) {
            cases.add(
                format!("float_convert {width:?} {dst:?} {src:?}"),
                |m, _| {
                    m.float_convert(width, dst, src);
                },
            );
        }
        for to in [ToInt::I32S, ToInt::I32U, ToInt::I64S, ToInt::I64U] {
            let operands = format!("{to:?} {width:?} {:?} {:?}", r[1], f[0]);
            cases.add(format!("truncate {operands}"), |m, exits| {
                m.truncate(to, width, r[1], f[0], exits[0]);
            });
            cases.add(format!("truncate_saturating {operands}"), |m, exits| {
                m.truncate_saturating(to, width, r[1], f[0], exits[0]);
            });
        }
    }
}

fn control<M: Masm>(cases: &mut Cases<M, impl Fn() -> M>) {
    let r = registers::<M>();
    let file = M::FILE;
    for size in [0, 16, 4080, 8192] {
        cases.add(format!("enter {size}, leave"), |m, _| {
            let frame = m.enter();
            m.set_frame_size(frame, size);
            m.leave();
        });
    }
    for size in [4080, 4112, 0x0123_4560] {
        cases.add(format!("enter {size}, compared first"), |m, exits| {
            let frame = m.enter();
            let back = m.label();
            m.bind(back);
            m.restore_stack();
            m.leave();
            let check = StackCheck {
                limits_offset: 16,
                limit_offset: 8,
                slow: exits[0],
            };
            m.set_large_frame_size(frame, size, check, back);
        });
    }
    let mem = Mem::at(file.callee, 8);
    cases.add(format!("leave_to {}", name(mem)), |m, _| m.leave_to(mem));
    for dst in [r[0], r[1]] {
        cases.add(format!("here {dst:?}"), |m, _| m.here(dst));
    }
    cases.add("mov to and from the stack pointer".to_owned(), |m, _| {
        m.mov(Width::W64, r[0], file.stack);
        m.mov(Width::W64, file.stack, r[1]);
    });
    cases.add("check_stack".to_owned(), |m, exits| {
        m.check_stack(StackCheck {
            limits_offset: 16,
            limit_offset: 8,
            slow: exits[0],
        });
    });
    for amount in [1, PIECE_UNITS_MAX] {
        cases.add(format!("charge {amount}"), |m, exits| {
            let charge = m.charge(16, 8, exits[0]);
            m.set_charge(charge, amount);
        });
    }
    cases.add("jump ahead and back".to_owned(), |m, exits| {
        m.jump(exits[0]);
        m.jump(exits[1]);
    });
    for bytes in [16, 64] {
        cases.add(format!("jump and align {bytes}"), |m, exits| {
            m.jump(exits[0]);
            m.align(bytes);
        });
    }
    for index in [r[0], r[1]] {
        cases.add(format!("jump_table {index:?}"), |m, exits| {
            m.jump_table(index, &[exits[0], exits[1], exits[0]]);
        });
    }
    for mem in [
        Mem::at(file.context, 64),
        Mem::at(r[1], 0),
        Mem::at(r[2], 0x1_0000),
    ] {
        cases.add(format!("call {}", name(mem)), |m, _| m.call(mem));
        cases.add(format!("jump_to {}", name(mem)), |m, _| m.jump_to(mem));
    }
    for &code in TrapCode::ALL {
        cases.add(format!("trap {code:?}"), |m, _| m.trap(code));
    }
    cases.add("ret".to_owned(), |m, _| m.ret());
}
