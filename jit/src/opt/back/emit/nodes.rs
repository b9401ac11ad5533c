//! One node: one operation of the macro-assembler, or a few.

use super::{Cold, Emitter};
use crate::masm::{Cond, FloatWidth, Gpr, Masm, Mem, Operand, ToInt, Width};
use crate::opt::back::alloc::Home;
use crate::opt::back::moves::{self, Move, Source, Target};
use crate::opt::form::ir::{Alias, Op, Ty, Value};
use crate::truncate::Slow;
use zwasm_core::TrapCode;

impl<M: Masm> Emitter<'_, M> {
    pub(super) fn node(&mut self, value: Value) {
        let node = self.function[value];
        let [a, b, c] = node.args;
        match node.op {
            Op::Const | Op::VectorConst | Op::Param | Op::Context | Op::MemoryBase => {
                unreachable!("{:?} is in no block", node.op)
            }
            Op::Alu(op, width) => {
                let (dst, a, b) = (self.gpr(value), self.gpr(a), self.operand(b));
                self.masm.alu(op, width, dst, a, b);
                self.sunk_fault(value);
            }
            Op::Div(op, width) => {
                let by_zero = self.trap_label(TrapCode::IntegerDivisionByZero);
                let overflow = self.trap_label(TrapCode::IntegerOverflow);
                let (dst, a, b) = (self.gpr(value), self.gpr(a), self.gpr(b));
                self.masm.div(op, width, dst, a, b, by_zero, overflow);
            }
            Op::AndNot(width) => {
                let (dst, a, b) = (self.gpr(value), self.gpr(a), self.gpr(b));
                self.masm.and_not(width, dst, a, b);
            }
            Op::Funnel(width) => {
                let (dst, a, b) = (self.gpr(value), self.gpr(a), self.gpr(b));
                self.masm.funnel_shift(width, dst, a, b, node.imm as u32);
            }
            Op::Sum(width) => {
                let (dst, a, b) = (self.gpr(value), self.gpr(a), self.operand(b));
                self.masm.sum(width, dst, a, b, node.imm as i32);
            }
            Op::MulHigh(op) => {
                let (dst, a, b) = (self.gpr(value), self.gpr(a), self.gpr(b));
                self.masm.multiply_high(op, dst, a, b);
            }
            Op::IntUnary(op, width) => {
                let (dst, a) = (self.gpr(value), self.gpr(a));
                self.masm.int_unary(op, width, dst, a);
            }
            Op::ExtendU | Op::Narrow => {
                let (dst, a) = (self.gpr(value), self.gpr(a));
                if dst != a {
                    self.masm.mov(Width::W64, dst, a);
                }
            }
            Op::Compare(cond, width) => {
                let (dst, a, b) = (self.gpr(value), self.gpr(a), self.operand(b));
                self.masm.compare(cond, width, dst, a, b);
                self.sunk_fault(value);
            }
            Op::Select => self.select(value, a, b, c),
            Op::Float(op, width) => {
                let (dst, a) = (self.fpr(value), self.fpr(a));
                if let Some(b) = self.float_source(b) {
                    self.masm.float_from(op, width, dst, a, b);
                    self.sunk_fault(value);
                } else {
                    let b = self.fpr(b);
                    self.masm.float(op, width, dst, a, b);
                }
            }
            Op::FloatUnary(op, width) => {
                let (dst, a) = (self.fpr(value), self.fpr(a));
                self.masm.float_unary(op, width, dst, a);
            }
            Op::FloatCompare(cond, width) => {
                let (dst, a, b) = (self.gpr(value), self.fpr(a), self.fpr(b));
                self.masm.float_compare(cond, width, dst, a, b);
            }
            Op::FromInt(from, width) => {
                let (dst, a) = (self.fpr(value), self.gpr(a));
                self.masm.float_from_int(from, width, dst, a);
            }
            Op::FloatConvert(to) => {
                let (dst, a) = (self.fpr(value), self.fpr(a));
                self.masm.float_convert(to, dst, a);
            }
            Op::ToBits(width) => {
                let (dst, a) = (self.gpr(value), self.fpr(a));
                self.masm.float_to_bits(width, dst, a);
            }
            Op::FromBits(width) => {
                let (dst, a) = (self.fpr(value), self.gpr(a));
                self.masm.float_from_bits(width, dst, a);
            }
            Op::Truncate(to, from) => self.truncate(value, a, to, from, false),
            Op::TruncateSaturating(to, from) => self.truncate(value, a, to, from, true),
            Op::VecUnary(op) => {
                let (dst, a) = (self.fpr(value), self.fpr(a));
                self.masm.vec_unary(op, dst, a);
            }
            Op::VecBinary(op) => {
                let (dst, a) = (self.fpr(value), self.fpr(a));
                if self.function.is_sunk(b) {
                    let b = self.sunk_mem(b);
                    self.masm.vec_binary_from(op, dst, a, b);
                    self.sunk_fault(value);
                } else {
                    let b = self.fpr(b);
                    self.masm.vec_binary(op, dst, a, b);
                }
            }
            Op::VecTernary(op) => {
                let (dst, a, b, c) = (self.fpr(value), self.fpr(a), self.fpr(b), self.fpr(c));
                self.masm.vec_ternary(op, dst, a, b, c);
            }
            Op::VecShift(op) => {
                let (dst, a, b) = (self.fpr(value), self.fpr(a), self.operand(b));
                self.masm.vec_shift(op, dst, a, b);
            }
            Op::VecTest(op) => {
                let (dst, a) = (self.gpr(value), self.fpr(a));
                self.masm.vec_test(op, dst, a);
            }
            Op::Splat(lanes) => {
                let (dst, a) = (self.fpr(value), self.gpr(a));
                self.masm.splat(lanes, dst, a);
            }
            Op::FloatSplat(width) => {
                let (dst, a) = (self.fpr(value), self.fpr(a));
                self.masm.float_splat(width, dst, a);
            }
            Op::ExtractLane(op, lane) => {
                let (dst, a) = (self.gpr(value), self.fpr(a));
                self.masm.extract_lane(op, lane, dst, a);
            }
            Op::FloatExtractLane(width, lane) => {
                let (dst, a) = (self.fpr(value), self.fpr(a));
                self.masm.float_extract_lane(width, lane, dst, a);
            }
            Op::ReplaceLane(lanes, lane) => {
                let (dst, a, b) = (self.fpr(value), self.fpr(a), self.gpr(b));
                self.masm.replace_lane(lanes, lane, dst, a, b);
            }
            Op::FloatReplaceLane(width, lane) => {
                let (dst, a, b) = (self.fpr(value), self.fpr(a), self.fpr(b));
                self.masm.float_replace_lane(width, lane, dst, a, b);
            }
            Op::Shuffle => {
                let [low, high] = self.function.vectors[node.imm as usize];
                let bytes = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
                let (dst, a, b) = (self.fpr(value), self.fpr(a), self.fpr(b));
                self.masm.shuffle(bytes, dst, a, b);
            }
            Op::Load(op, alias) => {
                let mem = self.mem(a, b, node.imm);
                let dst = self.gpr(value);
                self.masm.load(op, dst, mem);
                self.may_have_faulted(alias);
            }
            Op::FloatLoad(part, alias) => {
                let mem = self.mem(a, b, node.imm);
                let dst = self.fpr(value);
                self.masm.float_load(part, dst, mem);
                self.may_have_faulted(alias);
            }
            Op::VecLoad(op) => {
                let mem = self.mem(a, b, node.imm);
                let dst = self.fpr(value);
                self.masm.vec_load(op, dst, mem);
                self.may_have_faulted(Alias::Heap);
            }
            Op::LoadLane(lanes, lane) => {
                let mem = self.mem(a, b, node.imm);
                let (dst, c) = (self.fpr(value), self.fpr(c));
                self.masm.load_lane(lanes, lane, dst, c, mem);
                self.may_have_faulted(Alias::Heap);
            }
            Op::Store(op, alias) => {
                let mem = self.mem(a, b, node.imm);
                match self.function.constant(c) {
                    Some(bits) => self.masm.store_constant(op, bits as i32, mem),
                    None => {
                        let c = self.gpr(c);
                        self.masm.store(op, c, mem);
                    }
                }
                self.may_have_faulted(alias);
            }
            Op::FloatStore(part, alias) => {
                let mem = self.mem(a, b, node.imm);
                let c = self.fpr(c);
                self.masm.float_store(part, c, mem);
                self.may_have_faulted(alias);
            }
            Op::StoreLane(lanes, lane) => {
                let mem = self.mem(a, b, node.imm);
                let c = self.fpr(c);
                self.masm.store_lane(lanes, lane, c, mem);
                self.may_have_faulted(Alias::Heap);
            }
            Op::Address => {
                let mem = self.mem(a, b, node.imm);
                let dst = self.gpr(value);
                self.masm.address(dst, mem);
            }
            Op::TrapIf(code) => {
                let label = self.trap_label(code);
                self.branch_if(a, false, label);
            }
            Op::Clear => self.clear(value),
            Op::Call => self.call(value),
            // Fetched right behind the call.
            Op::CallResult => return,
            Op::Caught => {
                let slot = self.allocation.slot_count + node.imm as u32;
                let from = Source::Memory(self.slot_mem(slot, node.ty));
                self.define(value, from);
            }
            Op::Materialize => {
                let from = self.source(a);
                self.define(value, from);
            }
            Op::Reload => {
                let slot = self.allocation.slots[a.0 as usize].expect("it was spilled");
                let from = Source::Memory(self.slot_mem(slot, node.ty));
                self.define(value, from);
                return;
            }
        }
        if node.ty != Ty::None {
            self.spill(value);
        }
    }

    fn truncate(&mut self, value: Value, a: Value, to: ToInt, from: FloatWidth, saturates: bool) {
        let traps = (!saturates).then(|| {
            let bad = self.trap_label(TrapCode::BadConversionToInteger);
            [bad, self.trap_label(TrapCode::IntegerOverflow)]
        });
        let (dst, src) = (self.gpr(value), self.fpr(a));
        let slow = Slow::fast_path(&mut self.masm, to, from, dst, src, traps);
        self.cold.extend(slow.map(Cold::Truncation));
    }

    fn define(&mut self, value: Value, from: Source) {
        let to = match self.allocation.homes[value.0 as usize] {
            Home::Gpr(gpr) => Target::Gpr(gpr),
            Home::Fpr(fpr) => Target::Fpr(fpr),
            Home::None => return,
        };
        let ty = self.function[value].ty;
        moves::emit_one(&mut self.masm, Move { to, from, ty });
    }

    pub(super) fn mem(&self, base: Value, index: Value, displacement: u64) -> Mem {
        let base: Gpr = self.gpr(base);
        Mem {
            base,
            index: (index != Value::NONE).then(|| self.gpr(index)),
            displacement: displacement as i32,
        }
    }

    /// Of the classes of memory, only linear memories have guard regions.
    fn may_have_faulted(&mut self, alias: Alias) {
        if alias == Alias::Heap {
            let offset = self.masm.last_access();
            self.site(offset, Some(TrapCode::MemoryOutOfBounds));
        }
    }

    fn select(&mut self, value: Value, cond: Value, x: Value, y: Value) {
        let ty = self.function[value].ty;
        let cond_node = self.function[cond];
        let is_int = matches!(cond_node.op, Op::Compare(..));
        if !ty.is_float() && (is_int || !self.function.is_sunk(cond)) {
            let (when, width, a, b) = if self.function.is_sunk(cond) {
                let Op::Compare(when, width) = cond_node.op else {
                    unreachable!("asked above");
                };
                let [a, b, _] = cond_node.args;
                (when, width, self.gpr(a), self.operand(b))
            } else {
                (Cond::Ne, Width::W32, self.gpr(cond), Operand::Imm(0))
            };
            let (dst, x, y) = (self.gpr(value), self.gpr(x), self.gpr(y));
            self.masm.select(when, width, a, b, dst, x, y);
            if self.function.is_sunk(cond) {
                self.sunk_fault(cond);
            }
            return;
        }
        // By a branch around a move. The comparison is read before the result is written.
        let done = self.masm.label();
        let home = self.allocation.homes[value.0 as usize];
        let is_in = |other: Value| self.allocation.homes[other.0 as usize] == home;
        let (is_in_x, is_in_y) = (is_in(x), is_in(y));
        let (source_x, source_y) = (self.in_register(x), self.in_register(y));
        if is_in_x || is_in_y {
            self.branch_if(cond, is_in_y, done);
            self.define(value, if is_in_y { source_x } else { source_y });
        } else {
            let take_x = self.masm.label();
            self.branch_if(cond, false, take_x);
            self.define(value, source_y);
            self.masm.jump(done);
            self.masm.bind(take_x);
            self.define(value, source_x);
        }
        self.masm.bind(done);
    }

    fn in_register(&self, value: Value) -> Source {
        if self.function[value].ty.is_float() {
            Source::Fpr(self.fpr(value))
        } else {
            Source::Gpr(self.gpr(value))
        }
    }
}
