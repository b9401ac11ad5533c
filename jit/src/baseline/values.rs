//! The abstract operand stack: where values lie, and how instructions take and make them.
//!
//! Ownership: a temporary register belongs to exactly one value of the stack, or to the operator
//! being compiled (a [`Held`] one). Registers of locals are nobody's temporaries.

use super::{Compiler, Next, immediate};
use crate::abi::{is_float, part_of, width_of};
use crate::contract::{Stress, Usage};
use crate::masm::{
    Cond, FloatCond, FloatPart, FloatWidth, Fpr, Gpr, LoadOp, Masm, Operand, StoreOp, Width,
};
use zwasm_core::ValType;

/// Where a local lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Home {
    /// All through the function.
    Gpr(Gpr),
    /// All through the function.
    Fpr(Fpr),
    /// In its slot.
    Slot,
}

/// A local.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalState {
    pub(super) ty: ValType,
    pub(super) home: Home,
    /// Its frame slot; a local in a register uses it across calls.
    pub(super) slot: u32,
    /// How many values of the operand stack are this local.
    pub(super) pending: u32,
}

/// Where a value lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loc {
    Const {
        low: u64,
        high: u64,
    },
    Gpr(Gpr),
    Fpr(Fpr),
    /// In the home of a local that has not been assigned since.
    Local(u32),
    /// In the canonical slot of its height.
    Slot,
    /// It is the comparison in `Compiler::pending`.
    Pending,
}

/// A value of the operand stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct StackValue {
    pub(super) ty: ValType,
    pub(super) loc: Loc,
    /// The canonical slot of its height.
    pub(super) slot: u32,
}

/// A general register that the current operator may read, and must release.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) reg: Gpr,
    owned: bool,
}

impl Held {
    /// Whether the register is a temporary that the operator may reuse.
    pub(super) fn is_owned(self) -> bool {
        self.owned
    }
}

/// A float register that the current operator may read, and must release.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldFloat {
    pub(super) reg: Fpr,
    owned: bool,
}

impl HeldFloat {
    /// Whether the register is a temporary that the operator may reuse.
    pub(super) fn is_owned(self) -> bool {
        self.owned
    }
}

/// The second operand of an integer operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeldOperand {
    Reg(Held),
    Imm(i32),
}

impl HeldOperand {
    pub(super) fn operand(self) -> Operand {
        match self {
            HeldOperand::Reg(held) => Operand::Reg(held.reg),
            HeldOperand::Imm(value) => Operand::Imm(value),
        }
    }
}

/// A comparison that was not emitted yet: the next operator consumes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pending {
    Int {
        cond: Cond,
        width: Width,
        a: Held,
        b: HeldOperand,
    },
    Float {
        cond: FloatCond,
        negated: bool,
        width: FloatWidth,
        a: HeldFloat,
        b: HeldFloat,
    },
}

/// Free temporaries, as sets of register numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    free_gprs: u32,
    free_fprs: u32,
    /// All registers that are temporaries in this function.
    all_gprs: u32,
    all_fprs: u32,
}

/// What is known of the lower part of the operand stack, so that nobody looks through a high stack
/// again and again. Each is a number of values counted from the bottom.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    /// These are constants or in their slots.
    settled: usize,
    /// None of these is in a general register.
    without_gprs: usize,
    /// None of these is in a float register.
    without_fprs: usize,
}

impl Marks {
    /// The stack has no more than `height` values.
    fn lower(&mut self, height: usize) {
        self.settled = self.settled.min(height);
        self.without_gprs = self.without_gprs.min(height);
        self.without_fprs = self.without_fprs.min(height);
    }
}

/// How far below the top a value that is a local is looked for one by one.
const NEAR_TOP: usize = 32;

/// Temporaries that no local may take: operators hold up to three integers at a time.
const RESERVED_GPRS: usize = 3;
/// As for integers, and one to copy through.
const RESERVED_FPRS: usize = 6;

/// Chooses homes for the locals. Returns them with the temporaries left, the saved registers used,
/// and the number of slots that locals take.
pub(super) fn place_locals<M: Masm>(
    types: &[ValType],
    usage: Usage<'_>,
    stress: Stress,
) -> (Vec<LocalState>, Registers, Vec<Gpr>, u32) {
    let file = M::FILE;
    let mut slots = 0;
    let mut locals: Vec<LocalState> = types
        .iter()
        .map(|&ty| {
            let slot = slots;
            slots += ty.slots();
            LocalState {
                ty,
                home: Home::Slot,
                slot,
                pending: 0,
            }
        })
        .collect();
    // The callee register is no temporary: it is set before arguments are, which may be anywhere.
    let temporary = file
        .temporary
        .iter()
        .filter(|&&register| register != file.callee);
    let mut all_gprs = set(temporary.map(|r| r.0));
    let mut all_fprs = set(file.float_temporary.iter().map(|r| r.0));
    let mut saved = Vec::new();
    if usage.has_try {
        // A handler resumes with the registers of nobody: the function restores its caller's.
        saved.extend_from_slice(file.saved);
    } else if !stress.spill {
        let spare = &file.temporary[RESERVED_GPRS..];
        let spare = if usage.has_calls { &[] } else { spare };
        let gprs = file.saved.iter().chain(spare).copied();
        let fprs = file.float_temporary[RESERVED_FPRS..].iter().copied();
        for (&local, fpr) in usage.floats.iter().zip(fprs) {
            locals[usize::from(local)].home = Home::Fpr(fpr);
            all_fprs &= !(1 << fpr.0);
        }
        for (&local, gpr) in usage.integers.iter().zip(gprs) {
            locals[usize::from(local)].home = Home::Gpr(gpr);
            all_gprs &= !(1 << gpr.0);
            if file.saved.contains(&gpr) {
                saved.push(gpr);
            }
        }
    }
    if stress.few_registers {
        all_gprs &= set(file.temporary[..RESERVED_GPRS].iter().map(|r| r.0));
        all_fprs &= set(file.float_temporary[..RESERVED_FPRS].iter().map(|r| r.0));
    }
    let registers = Registers {
        free_gprs: all_gprs,
        free_fprs: all_fprs,
        all_gprs,
        all_fprs,
    };
    (locals, registers, saved, slots)
}

/// The locals in registers that a callee does not preserve.
pub(super) fn volatile_locals<M: Masm>(locals: &[LocalState]) -> Vec<u32> {
    let is_volatile = |local: &LocalState| match local.home {
        Home::Gpr(reg) => !M::FILE.saved.contains(&reg),
        Home::Fpr(_) => true,
        Home::Slot => false,
    };
    let numbered = (0..).zip(locals);
    let found = numbered.filter(|(_, local)| is_volatile(local));
    found.map(|(index, _)| index).collect()
}

fn set(numbers: impl Iterator<Item = u8>) -> u32 {
    numbers.fold(0, |set, number| set | 1 << number)
}

impl<M: Masm> Compiler<'_, M> {
    // --- the stack ---

    pub(super) fn push(&mut self, ty: ValType, loc: Loc) {
        let slot = self.next_slot;
        if let Loc::Local(local) = loc {
            self.locals[local as usize].pending += 1;
            self.pending_locals += 1;
        }
        self.stack.push(StackValue { ty, loc, slot });
        self.next_slot += ty.slots();
        self.max_slot = self.max_slot.max(self.next_slot);
    }

    pub(super) fn push_const(&mut self, ty: ValType, low: u64) {
        self.push(ty, Loc::Const { low, high: 0 });
    }

    /// Takes the topmost value; what it owns is the caller's.
    pub(super) fn pop(&mut self) -> StackValue {
        let value = self.stack.pop().expect(super::VALIDATED);
        self.marks.lower(self.stack.len());
        self.next_slot = value.slot;
        self.unlink(value);
        value
    }

    fn unlink(&mut self, value: StackValue) {
        if let Loc::Local(local) = value.loc {
            self.locals[local as usize].pending -= 1;
            self.pending_locals -= 1;
        }
    }

    /// Drops values down to a height.
    pub(super) fn truncate(&mut self, height: usize) {
        while self.stack.len() > height {
            let value = self.pop();
            self.discard(value);
        }
    }

    /// Releases what a value owns.
    pub(super) fn discard(&mut self, value: StackValue) {
        match value.loc {
            Loc::Gpr(reg) => self.free_gpr(reg),
            Loc::Fpr(reg) => self.free_fpr(reg),
            Loc::Pending => self.drop_pending(),
            Loc::Const { .. } | Loc::Local(_) | Loc::Slot => {}
        }
    }

    // --- registers ---

    fn free_gpr(&mut self, reg: Gpr) {
        self.registers.free_gprs |= self.registers.all_gprs & 1 << reg.0;
    }

    fn free_fpr(&mut self, reg: Fpr) {
        self.registers.free_fprs |= self.registers.all_fprs & 1 << reg.0;
    }

    pub(super) fn release(&mut self, held: Held) {
        if held.owned {
            self.free_gpr(held.reg);
        }
    }

    pub(super) fn release_float(&mut self, held: HeldFloat) {
        if held.owned {
            self.free_fpr(held.reg);
        }
    }

    pub(super) fn release_operand(&mut self, operand: HeldOperand) {
        if let HeldOperand::Reg(held) = operand {
            self.release(held);
        }
    }

    /// A free temporary; the deepest value in a register makes room when there is none.
    pub(super) fn alloc_gpr(&mut self) -> Gpr {
        if self.registers.free_gprs == 0 {
            let first = self.marks.without_gprs;
            let deepest = self.stack[first..]
                .iter()
                .position(|value| matches!(value.loc, Loc::Gpr(_)));
            let deepest = deepest.expect("an operator holds fewer registers than there are");
            self.settle(first + deepest);
            self.marks.without_gprs = first + deepest + 1;
        }
        let number = self.registers.free_gprs.trailing_zeros();
        self.registers.free_gprs &= !(1 << number);
        Gpr(number as u8)
    }

    pub(super) fn alloc_fpr(&mut self) -> Fpr {
        if self.registers.free_fprs == 0 {
            let first = self.marks.without_fprs;
            let deepest = self.stack[first..]
                .iter()
                .position(|value| matches!(value.loc, Loc::Fpr(_)));
            let deepest = deepest.expect("an operator holds fewer registers than there are");
            self.settle(first + deepest);
            self.marks.without_fprs = first + deepest + 1;
        }
        let number = self.registers.free_fprs.trailing_zeros();
        self.registers.free_fprs &= !(1 << number);
        Fpr(number as u8)
    }

    /// A temporary to hold.
    pub(super) fn hold_gpr(&mut self) -> Held {
        Held {
            reg: self.alloc_gpr(),
            owned: true,
        }
    }

    /// The register for an integer result: the home of the local that it is assigned to next, a
    /// register that an operand gives up, or a new one.
    pub(super) fn result_gpr(&mut self, next: Next, operands: &[Held]) -> Gpr {
        let target = self.local_target(next);
        let reuse = operands.iter().find(|held| held.owned).map(|held| held.reg);
        for held in operands
            .iter()
            .filter(|held| target.is_some() || Some(held.reg) != reuse)
        {
            self.release(*held);
        }
        if let Some(Home::Gpr(reg)) = target {
            return reg;
        }
        reuse.unwrap_or_else(|| self.alloc_gpr())
    }

    pub(super) fn result_fpr(&mut self, next: Next, operands: &[HeldFloat]) -> Fpr {
        let target = self.local_target(next);
        let reuse = operands.iter().find(|held| held.owned).map(|held| held.reg);
        for held in operands
            .iter()
            .filter(|held| target.is_some() || Some(held.reg) != reuse)
        {
            self.release_float(*held);
        }
        if let Some(Home::Fpr(reg)) = target {
            return reg;
        }
        reuse.unwrap_or_else(|| self.alloc_fpr())
    }

    /// The register home of the local that is assigned next, when nothing needs its old value.
    fn local_target(&self, next: Next) -> Option<Home> {
        let Next::Local(local) = next else {
            return None;
        };
        let state = &self.locals[local as usize];
        (state.home != Home::Slot && state.pending == 0).then_some(state.home)
    }

    // --- taking values ---

    /// Takes the topmost value, an integer, in a register.
    pub(super) fn pop_gpr(&mut self) -> Held {
        let value = self.pop();
        self.hold(value)
    }

    /// A value's register; it is loaded when it has none.
    pub(super) fn hold(&mut self, value: StackValue) -> Held {
        match value.loc {
            Loc::Gpr(reg) => Held { reg, owned: true },
            Loc::Local(local) => {
                let state = self.locals[local as usize];
                if let Home::Gpr(reg) = state.home {
                    return Held { reg, owned: false };
                }
                let held = self.hold_gpr();
                let mem = self.slot_mem(state.slot, state.ty);
                self.load_gpr(held.reg, value.ty, mem);
                held
            }
            Loc::Slot => {
                let held = self.hold_gpr();
                let mem = self.slot_mem(value.slot, value.ty);
                self.load_gpr(held.reg, value.ty, mem);
                held
            }
            Loc::Const { low, .. } => {
                let held = self.hold_gpr();
                self.masm.imm(held.reg, low);
                held
            }
            Loc::Pending => {
                let reg = self.materialize_pending(Next::Other);
                Held { reg, owned: true }
            }
            Loc::Fpr(_) => unreachable!("integers are not in float registers"),
        }
    }

    /// Takes the topmost value, a float or vector, in a register.
    pub(super) fn pop_fpr(&mut self) -> HeldFloat {
        let value = self.pop();
        self.hold_float(value)
    }

    pub(super) fn hold_float(&mut self, value: StackValue) -> HeldFloat {
        match value.loc {
            Loc::Fpr(reg) => HeldFloat { reg, owned: true },
            Loc::Local(local) => {
                let state = self.locals[local as usize];
                if let Home::Fpr(reg) = state.home {
                    return HeldFloat { reg, owned: false };
                }
                let reg = self.alloc_fpr();
                let mem = self.slot_mem(state.slot, state.ty);
                self.masm.float_load(part_of(value.ty), reg, mem);
                HeldFloat { reg, owned: true }
            }
            Loc::Slot => {
                let reg = self.alloc_fpr();
                let mem = self.slot_mem(value.slot, value.ty);
                self.masm.float_load(part_of(value.ty), reg, mem);
                HeldFloat { reg, owned: true }
            }
            Loc::Const { low, high } => {
                let reg = self.alloc_fpr();
                self.masm.vector_imm(reg, low, high);
                HeldFloat { reg, owned: true }
            }
            Loc::Gpr(_) | Loc::Pending => unreachable!("floats are not in general registers"),
        }
    }

    /// Takes the topmost value as a second operand: an immediate when it is a small constant.
    pub(super) fn pop_operand(&mut self, width: Width) -> HeldOperand {
        let value = self.pop();
        if let Loc::Const { low, .. } = value.loc
            && !self.env.stress.no_fold
            && let Some(Operand::Imm(value)) = immediate(low, width)
        {
            return HeldOperand::Imm(value);
        }
        HeldOperand::Reg(self.hold(value))
    }

    // --- settling ---

    /// Puts the value at `index` into its canonical slot.
    pub(super) fn settle(&mut self, index: usize) {
        let value = self.stack[index];
        let mem = self.slot_mem(value.slot, value.ty);
        match value.loc {
            Loc::Slot => return,
            Loc::Gpr(reg) => {
                self.masm.store(StoreOp::B8, reg, mem);
                self.free_gpr(reg);
            }
            Loc::Fpr(reg) => {
                self.masm.float_store(part_of(value.ty), reg, mem);
                self.free_fpr(reg);
            }
            Loc::Local(local) => {
                let state = self.locals[local as usize];
                match state.home {
                    Home::Gpr(reg) => self.masm.store(StoreOp::B8, reg, mem),
                    Home::Fpr(reg) => self.masm.float_store(part_of(value.ty), reg, mem),
                    Home::Slot => {
                        let from = self.slot_mem(state.slot, state.ty);
                        self.copy_memory(value.ty, from, mem);
                    }
                }
                self.unlink(value);
            }
            Loc::Const { low, high } => self.store_const(value.ty, low, high, mem),
            Loc::Pending => {
                let reg = self.materialize_pending(Next::Other);
                self.masm.store(StoreOp::B8, reg, mem);
                self.free_gpr(reg);
            }
        }
        self.stack[index].loc = Loc::Slot;
    }

    pub(super) fn store_const(&mut self, ty: ValType, low: u64, high: u64, mem: crate::masm::Mem) {
        if ty == ValType::V128 {
            let scratch = M::FILE.float_scratch;
            self.masm.vector_imm(scratch, low, high);
            self.masm.float_store(FloatPart::V128, scratch, mem);
        } else {
            let scratch = M::FILE.scratch[0];
            self.masm.imm(scratch, low);
            self.masm.store(StoreOp::B8, scratch, mem);
        }
    }

    /// Puts the topmost `count` values into their canonical slots.
    pub(super) fn settle_top(&mut self, count: usize) {
        for index in self.stack.len() - count..self.stack.len() {
            self.settle(index);
        }
    }

    /// Puts every value that is in a temporary into its canonical slot, below the topmost `except`.
    pub(super) fn settle_registers(&mut self, except: usize) {
        let first = self.marks.without_gprs.min(self.marks.without_fprs);
        let behind = self.stack.len() - except;
        for index in first..behind {
            if matches!(
                self.stack[index].loc,
                Loc::Gpr(_) | Loc::Fpr(_) | Loc::Pending
            ) {
                self.settle(index);
            }
        }
        self.marks.without_gprs = self.marks.without_gprs.max(behind);
        self.marks.without_fprs = self.marks.without_fprs.max(behind);
    }

    /// Puts everything but constants into canonical slots: what comes next may run more than once
    /// or on several paths.
    pub(super) fn settle_all(&mut self) {
        let height = self.stack.len();
        for index in self.marks.settled..height {
            if !matches!(self.stack[index].loc, Loc::Const { .. } | Loc::Slot) {
                self.settle(index);
            }
        }
        self.marks = Marks {
            settled: height,
            without_gprs: height,
            without_fprs: height,
        };
    }

    /// Puts everything into canonical slots, but a comparison that the next operator consumes.
    pub(super) fn settle_with_constants(&mut self) {
        for index in 0..self.stack.len() {
            if self.stack[index].loc != Loc::Pending {
                self.settle(index);
            }
        }
    }

    /// Puts values that are a local which is about to be assigned into registers or slots.
    fn settle_local(&mut self, local: u32) {
        for index in (0..self.stack.len()).rev().take(NEAR_TOP) {
            if self.locals[local as usize].pending == 0 {
                return;
            }
            if self.stack[index].loc == Loc::Local(local) {
                self.settle(index);
            }
        }
        if self.locals[local as usize].pending > 0 {
            // Deep down: all locals at once, so that no other search goes there again.
            self.settle_all();
        }
    }

    // --- locals ---

    pub(super) fn local_get(&mut self, local: u32) {
        self.push(self.locals[local as usize].ty, Loc::Local(local));
    }

    pub(super) fn local_set(&mut self, local: u32) {
        let value = self.pop();
        if value.loc == Loc::Local(local) {
            return;
        }
        self.settle_local(local);
        let LocalState { ty, home, slot, .. } = self.locals[local as usize];
        let mem = self.slot_mem(slot, ty);
        match (home, value.loc) {
            (Home::Gpr(dst), Loc::Const { low, .. }) => self.masm.imm(dst, low),
            (Home::Gpr(dst), Loc::Slot) => {
                let from = self.slot_mem(value.slot, ty);
                self.load_gpr(dst, ty, from);
            }
            (Home::Gpr(dst), _) => {
                let held = self.hold(value);
                if held.reg != dst {
                    self.masm.mov(width_of(ty), dst, held.reg);
                }
                self.release(held);
            }
            (Home::Fpr(dst), Loc::Const { low, high }) => self.masm.vector_imm(dst, low, high),
            (Home::Fpr(dst), _) => {
                let held = self.hold_float(value);
                if held.reg != dst {
                    self.masm.float_mov(part_of(ty), dst, held.reg);
                }
                self.release_float(held);
            }
            (Home::Slot, Loc::Const { low, high }) => self.store_const(ty, low, high, mem),
            (Home::Slot, _) if is_float(ty) => {
                let held = self.hold_float(value);
                self.masm.float_store(part_of(ty), held.reg, mem);
                self.release_float(held);
            }
            (Home::Slot, _) => {
                let held = self.hold(value);
                self.masm.store(StoreOp::B8, held.reg, mem);
                self.release(held);
            }
        }
    }

    /// Stores the register-resident locals that a callee does not preserve, or loads them back.
    pub(super) fn spill_locals(&mut self, store: bool) {
        for i in 0..self.volatile_locals.len() {
            let local = self.volatile_locals[i] as usize;
            let LocalState { ty, home, slot, .. } = self.locals[local];
            let mem = self.slot_mem(slot, ty);
            match (home, store) {
                (Home::Gpr(reg), true) => self.masm.store(StoreOp::B8, reg, mem),
                (Home::Gpr(reg), false) => self.masm.load(LoadOp::U64, reg, mem),
                (Home::Fpr(reg), true) => self.masm.float_store(part_of(ty), reg, mem),
                (Home::Fpr(reg), false) => self.masm.float_load(part_of(ty), reg, mem),
                (Home::Slot, _) => unreachable!("the list has locals in registers"),
            }
        }
    }

    // --- comparisons ---

    /// Leaves a comparison to the next operator, or emits it.
    pub(super) fn push_compare(&mut self, pending: Pending, next: Next) {
        self.pending = Some(pending);
        if next == Next::Condition {
            self.push(ValType::I32, Loc::Pending);
        } else {
            let reg = self.materialize_pending(next);
            self.push(ValType::I32, Loc::Gpr(reg));
        }
    }

    /// Emits the pending comparison as 0 or 1.
    pub(super) fn materialize_pending(&mut self, next: Next) -> Gpr {
        match self.pending.take().expect("a value says so") {
            Pending::Int { cond, width, a, b } => {
                let dst = match b {
                    HeldOperand::Reg(held) => self.result_gpr(next, &[a, held]),
                    HeldOperand::Imm(_) => self.result_gpr(next, &[a]),
                };
                self.masm.compare(cond, width, dst, a.reg, b.operand());
                dst
            }
            Pending::Float {
                cond,
                negated,
                width,
                a,
                b,
            } => {
                let dst = self.result_gpr(next, &[]);
                self.masm.float_compare(cond, width, dst, a.reg, b.reg);
                if negated {
                    let one = Operand::Imm(1);
                    self.masm
                        .alu(crate::masm::AluOp::Xor, Width::W32, dst, dst, one);
                }
                self.release_float(a);
                self.release_float(b);
                dst
            }
        }
    }

    fn drop_pending(&mut self) {
        match self.pending.take().expect("a value says so") {
            Pending::Int { a, b, .. } => {
                self.release(a);
                self.release_operand(b);
            }
            Pending::Float { a, b, .. } => {
                self.release_float(a);
                self.release_float(b);
            }
        }
    }
}
