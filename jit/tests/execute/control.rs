//! Frames, jumps, tables, calls, the stack check and charges.

use std::cell::Cell;

use zwasm_jit::masm::{
    AluOp, Cond, IntMasm, Labels, LoadOp, Masm, Mem, Operand, StackCheck, StoreOp, Width,
};

use super::harness::{Changes, Code, Host, Kept, POINTERS_OFFSET, State, hosts, operands};

#[test]
fn jump_tables_reach_every_target() {
    for host in hosts() {
        for index in operands() {
            let code = Code::snippet(host, |m, exits| {
                let targets = [exits[1], exits[3], exits[2], exits[3], exits[0]];
                m.jump_table(index, &targets);
            });
            for (i, exit) in [1, 3, 2, 3, 0].into_iter().enumerate() {
                let mut state = State::new();
                state.set(index, i as u64);
                let after = code.check(&state, Changes::Nothing, Kept::Allocatable);
                assert_eq!(after.exit, exit);
            }
        }
    }
}

/// From wherever it begins, code goes on behind what fills up to the next line.
#[test]
fn aligned_code_is_reached_from_before() {
    let counter = Host::FILE.temporary[0];
    for host in hosts() {
        for ahead in 0..64 {
            let code = Code::snippet(host, |m, exits| {
                m.imm(counter, 1);
                for _ in 0..ahead {
                    m.alu(AluOp::Add, Width::W32, counter, counter, Operand::Imm(1));
                }
                m.align(64);
                assert_eq!(m.offset() % 64, 0);
                m.jump(exits[1]);
            });
            let after = code.check(&State::new(), Changes::General(counter), Kept::Allocatable);
            assert_eq!((after.exit, after.get(counter)), (1, 1 + ahead));
        }
    }
}

#[test]
fn jumps_go_both_ways_near_and_far() {
    let counter = Host::FILE.temporary[0];
    for host in hosts()
        .into_iter()
        .chain([(|| Host::with_far_branches(Default::default())) as fn() -> Host])
    {
        for padding in [0, 20, 500, 5000] {
            let code = Code::snippet(host, |m, exits| {
                let (head, body) = (m.label(), m.label());
                m.imm(counter, 3);
                m.jump(body);
                m.bind(head);
                for _ in 0..padding {
                    m.imm(Host::FILE.scratch[0], 0x0123_4567_89ab_cdef);
                }
                m.alu(AluOp::Sub, Width::W32, counter, counter, Operand::Imm(1));
                m.bind(body);
                m.branch_if(Cond::Ne, Width::W32, counter, Operand::Imm(0), head);
                m.jump(exits[2]);
            });
            let after = code.check(&State::new(), Changes::General(counter), Kept::Allocatable);
            assert_eq!((after.exit, after.get(counter)), (2, 0));
        }
    }
}

/// Branches over more than a mebibyte, where conditional branches of ARM64 do not reach.
#[test]
fn far_branches() {
    let a = Host::FILE.temporary[0];
    let code = Code::snippet(
        || Host::with_far_branches(Default::default()),
        |m, exits| {
            m.branch_if(Cond::Eq, Width::W64, a, Operand::Imm(5), exits[1]);
            m.branch_if(Cond::LtU, Width::W64, a, Operand::Imm(0), exits[2]);
            m.branch_if(Cond::Eq, Width::W64, a, Operand::Imm(0), exits[2]);
            for _ in 0..150_000 {
                m.imm(Host::FILE.scratch[0], 0x0123_4567_89ab_cdef);
            }
        },
    );
    let mut state = State::new();
    for (value, exit) in [(5, 1), (0, 2), (4, 0)] {
        state.set(a, value);
        assert_eq!(code.run(&state).exit, exit);
    }
}

#[test]
fn stack_checks() {
    let limits: [u64; 3] = [u64::MAX, 0, 1 << 63];
    for host in hosts() {
        for (offset, exit) in [(0, 1), (8, 0), (16, 1)] {
            let code = Code::snippet(host, |m, exits| {
                m.check_stack(StackCheck {
                    limits_offset: POINTERS_OFFSET,
                    limit_offset: offset,
                    slow: exits[1],
                });
            });
            let mut state = State::new();
            state.pointers[0] = limits.as_ptr() as u64;
            let after = code.check(&state, Changes::Nothing, Kept::Allocatable);
            assert_eq!(after.exit, exit);
        }
    }
}

#[test]
fn charges() {
    for host in hosts() {
        for (left, amount, exit) in [
            (5_i64, 5, 0),
            (5, 6, 1),
            (0, 1, 1),
            (-3, 4095, 1),
            (i64::MAX, 4095, 0),
            (i64::MIN, 1, 1),
        ] {
            let code = Code::snippet(host, |m, exits| {
                let charge = m.charge(POINTERS_OFFSET, 8, exits[1]);
                m.set_charge(charge, amount);
            });
            let counter = [Cell::new(0), Cell::new(left)];
            let mut state = State::new();
            state.pointers[0] = counter.as_ptr() as u64;
            let after = code.check(&state, Changes::Nothing, Kept::Allocatable);
            assert_eq!(after.exit, exit, "{left} - {amount}");
            assert_eq!(counter[1].get(), left.wrapping_sub(i64::from(amount)));
        }
    }
}

#[test]
fn an_instruction_knows_its_address() {
    for host in hosts() {
        for dst in operands() {
            let mut offset = 0;
            let code = Code::snippet(host, |m, _| {
                offset = m.offset();
                m.here(dst);
            });
            let after = code.check(&State::new(), Changes::General(dst), Kept::Everything);
            assert_eq!(after.get(dst), code.address() + u64::from(offset));
        }
    }
}

/// A call of a function that goes on to another: both through memory.
#[test]
fn calls_and_tail_calls() {
    let file = Host::FILE;
    for host in hosts() {
        let mut last = host();
        last.imm(file.result, 42);
        last.ret();
        let last = Code::new(last.finish());
        // One that has a frame of its own, one that has none.
        let mut second = host();
        let frame = second.enter();
        second.set_frame_size(frame, 32);
        second.leave_to(Mem::at(file.context, POINTERS_OFFSET + 16));
        let second = Code::new(second.finish());
        let mut first = host();
        first.jump_to(Mem::at(file.context, POINTERS_OFFSET + 8));
        let first = Code::new(first.finish());
        let dst = file.saved[0];
        let code = Code::snippet(host, |m, _| {
            m.call(Mem::at(file.context, POINTERS_OFFSET));
            m.mov(Width::W64, dst, file.result);
        });
        let mut state = State::new();
        state.pointers = [first.address(), second.address(), last.address()];
        assert_eq!(code.run(&state).get(dst), 42);
    }
}

#[test]
fn large_frames() {
    let file = Host::FILE;
    for host in hosts() {
        for size in [0, 16, 4080, 4096, 65536] {
            let mut callee = host();
            let frame = callee.enter();
            callee.set_frame_size(frame, size);
            if size != 0 {
                callee.imm(file.result, 7);
                callee.store(StoreOp::B8, file.result, Mem::at(file.stack, 0));
                let lowest = Mem::at(file.frame, -(size as i32));
                callee.load(LoadOp::U64, file.result, lowest);
            }
            callee.address(file.scratch[1], Mem::at(file.stack, 0));
            callee.leave();
            let callee = Code::new(callee.finish());
            let (dst, stack) = (file.saved[0], file.saved[1]);
            let code = Code::snippet(host, |m, _| {
                m.imm(file.result, 7);
                m.address(stack, Mem::at(file.stack, 0));
                m.call(Mem::at(file.context, POINTERS_OFFSET));
                m.mov(Width::W64, dst, file.result);
                m.alu(
                    AluOp::Sub,
                    Width::W64,
                    stack,
                    stack,
                    Operand::Reg(file.scratch[1]),
                );
            });
            let mut state = State::new();
            state.pointers[0] = callee.address();
            let after = code.run(&state);
            assert_eq!(after.get(dst), 7);
            // The return address and the caller's frame pointer lie between.
            assert_eq!(after.get(stack), u64::from(size) + 16);
        }
    }
}

/// Frames of any size that are compared before the stack pointer moves, and stack pointers that
/// callees have moved.
#[test]
fn large_frames_are_compared_first() {
    let file = Host::FILE;
    let limits: [u64; 2] = [0, u64::MAX];
    for host in hosts() {
        for size in [16, 4096, 4112, 0x12340, 0x0123_4560, i32::MAX as u32 & !15] {
            for fits in [true, false] {
                let limit = if fits { 0 } else { 8 };
                let mut callee = host();
                let (slow, back, end) = (callee.label(), callee.label(), callee.label());
                let frame = callee.enter();
                callee.bind(back);
                let (at_first, restored) = (file.saved[0], file.saved[1]);
                callee.address(at_first, Mem::at(file.stack, 0));
                callee.imm(file.scratch[0], 0x5550);
                callee.mov(Width::W64, file.stack, file.scratch[0]);
                callee.restore_stack();
                callee.address(restored, Mem::at(file.stack, 0));
                callee.bind(end);
                for register in [at_first, restored] {
                    callee.alu(
                        AluOp::Sub,
                        Width::W64,
                        register,
                        file.frame,
                        Operand::Reg(register),
                    );
                }
                callee.leave();
                callee.bind(slow);
                callee.address(at_first, Mem::at(file.stack, 0));
                callee.mov(Width::W64, restored, file.frame);
                callee.jump(end);
                let check = StackCheck {
                    limits_offset: POINTERS_OFFSET + 8,
                    limit_offset: limit,
                    slow,
                };
                callee.set_large_frame_size(frame, size, check, back);
                let callee = Code::new(callee.finish());
                let code = Code::snippet(host, |m, _| {
                    m.call(Mem::at(file.context, POINTERS_OFFSET));
                });
                let mut state = State::new();
                state.pointers[..2].copy_from_slice(&[callee.address(), limits.as_ptr() as u64]);
                let after = code.run(&state);
                let lowered = if fits { u64::from(size) } else { 0 };
                assert_eq!(after.get(at_first), lowered);
                assert_eq!(after.get(restored), lowered);
            }
        }
    }
}
