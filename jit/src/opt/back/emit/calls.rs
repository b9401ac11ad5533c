//! Calls of functions and of the runtime.

use super::{Cold, Emitter};
use crate::abi::{Abi, Place, Places};
use crate::calls::{self, TailCall};
use crate::contract::helpers::{self, Helper, WIDE_OPERANDS};
use crate::masm::{Cond, FloatPart, LoadOp, Masm, Mem, Operand, RegisterFile, StoreOp, Width};
use crate::opt::back::alloc::{Allocation, Home};
use crate::opt::back::moves::{self, Move, Source, Target};
use crate::opt::form::ir::{Block, CallSite, Callee, Function, Op, Ty, Value, Values};
use crate::runtime;
use zwasm_core::ValType;
use zwasm_core::vmctx::func_ref;

/// Slots that the operands of a [`Op::Clear`] take.
const CLEAR_SLOTS: u32 = 3;

/// Whether there is an [`Op::Clear`]: in a block that runs seldom, as nothing else is.
fn clears(function: &Function) -> bool {
    let is_clear = |&node: &Value| function[node].op == Op::Clear;
    let clears = |block: &Block| block.is_rare && block.nodes.iter().any(is_clear);
    function.blocks.iter().any(clears)
}

/// The registers that helpers change, of those that values are in, if there is an [`Op::Clear`].
pub(super) fn volatile(
    function: &Function,
    allocation: &Allocation,
    file: &RegisterFile,
) -> Vec<Home> {
    let mut volatile = Vec::new();
    if !clears(function) {
        return volatile;
    }
    for &home in &allocation.homes {
        let is_kept = match home {
            Home::None => true,
            Home::Gpr(gpr) => file.saved.contains(&gpr),
            Home::Fpr(_) => false,
        };
        if !is_kept && !volatile.contains(&home) {
            volatile.push(home);
        }
    }
    volatile
}

/// The slots of a register that is put aside, by its type.
fn home_ty(home: Home) -> Ty {
    match home {
        Home::Fpr(_) => Ty::V128,
        Home::Gpr(_) | Home::None => Ty::I64,
    }
}

/// The most slots that the operands or results of one helper take, or what a landing pad is given, or
/// what is put aside for a [`Op::Clear`].
pub(super) fn helper_slots(function: &Function, volatile: &[Home]) -> u32 {
    let slots = |types: &[ValType]| types.iter().map(|ty| ty.slots()).sum::<u32>();
    let helpers = function
        .calls
        .iter()
        .filter(|call| matches!(call.callee, Callee::Helper(..)));
    let operands = helpers.map(|call| slots(&call.params).max(slots(&call.results)));
    let pads = function.blocks.iter().filter_map(|block| block.pad);
    let caught = pads.map(|pad| pad.slots);
    let aside = clears(function).then(|| {
        CLEAR_SLOTS
            + volatile
                .iter()
                .map(|&home| home_ty(home).slots())
                .sum::<u32>()
    });
    operands.chain(caught).chain(aside).max().unwrap_or(0)
}

impl<M: Masm> Emitter<'_, M> {
    pub(super) fn call(&mut self, call: Value) {
        let function = self.function;
        let site = &function.calls[function[call].imm as usize];
        let start = self.masm.offset();
        self.invoking = self.invoked_by(call);
        if let Callee::Helper(entry, immediates) = site.callee {
            self.call_helper(call, site, entry, immediates);
            self.cover(start);
            return;
        }
        let abi = Abi::of_types(&site.params, &site.results, M::FILE);
        self.outgoing_bytes = self.outgoing_bytes.max(abi.stack_bytes);
        self.pass_call(site, &abi, Mem::at(M::FILE.stack, 0));
        match site.callee {
            Callee::Reference if self.callees_return_here => self.call_reference(),
            callee => {
                if self.own.map(Callee::Defined) == Some(callee) {
                    // What runs is the compiled function.
                    self.masm.call_label(self.entry);
                } else {
                    let entry = calls::enter_callee(&mut self.masm, convention(callee));
                    self.masm.call(entry);
                }
                self.site(self.masm.offset(), None);
                let is_elsewhere = !matches!(callee, Callee::Defined(_));
                if is_elsewhere || !self.callees_keep_stack {
                    self.masm.restore_stack();
                }
                if is_elsewhere || !self.callees_return_here {
                    calls::restore_context(&mut self.masm);
                }
            }
        }
        self.cover(start);
        let stack = M::FILE.stack;
        let places = abi.results.iter().map(|place| match *place {
            Place::Gpr(gpr) => Source::Gpr(gpr),
            Place::Fpr(fpr) => Source::Fpr(fpr),
            Place::Stack(at) => Source::Memory(Mem::at(stack, at as i32)),
        });
        self.receive(call, places);
    }

    /// Calls the reference in the callee register. Most are of this instance: then the pinned
    /// registers need not wait for what the reference says.
    fn call_reference(&mut self) {
        let target = M::FILE.callee;
        let (elsewhere, back) = (self.masm.label(), self.masm.label());
        let context = Operand::Mem(Mem::at(target, func_ref::offset::context as i32));
        self.masm
            .branch_if(Cond::Ne, Width::W64, M::FILE.context, context, elsewhere);
        let entry = Mem::at(target, func_ref::offset::entry as i32);
        self.masm.load(LoadOp::U64, target, entry);
        self.masm.call(calls::entry_code::<M>());
        self.site(self.masm.offset(), None);
        if !self.callees_keep_stack {
            self.masm.restore_stack();
        }
        self.masm.bind(back);
        self.cold.push(Cold::Elsewhere {
            start: elsewhere,
            back,
            origin: self.origin,
            invoking: self.invoking,
        });
    }

    /// The same for a reference of another instance.
    pub(super) fn call_elsewhere(&mut self, back: M::Label) {
        let start = self.masm.offset();
        let entry = calls::enter_callee(&mut self.masm, calls::Entrance::Reference);
        self.masm.call(entry);
        self.site(self.masm.offset(), None);
        self.cover(start);
        self.masm.restore_stack();
        calls::restore_context(&mut self.masm);
        self.masm.jump(back);
    }

    /// The arguments, and the function reference if the callee is one.
    fn pass_call(&mut self, site: &CallSite, abi: &Abi, area: Mem) {
        if site.callee.is_reference() {
            let mut places = Places::from_slice(&[Place::Gpr(M::FILE.callee)]);
            places.extend_from_slice(&abi.params);
            self.pass(&site.args, &places, area);
        } else {
            self.pass(&site.args, &abi.params, area);
        }
    }

    /// Gives the results of a call to the nodes that stand for them.
    fn receive(&mut self, call: Value, places: impl Iterator<Item = Source>) {
        let mut results = Values::new();
        // They follow the call.
        for (i, from) in places.enumerate() {
            let value = Value(call.0 + 1 + i as u32);
            let node = self.function[value];
            debug_assert!(node.op == Op::CallResult && node.imm == i as u64);
            // Nobody uses one that is nowhere.
            if let Some(one) = self.param_move(value, from) {
                self.moves.push(one);
                results.push(value);
            }
        }
        self.emit_moves();
        for value in results {
            self.spill(value);
        }
    }

    // --- the runtime ---

    /// The memory of the helper slot `above` the lowest operand's.
    fn call_helper(&mut self, call: Value, site: &CallSite, entry: u32, immediates: [u64; 2]) {
        let first = self.allocation.slot_count;
        // Slots grow downwards: the first operand is highest.
        let mut slot = first;
        for &arg in &site.args {
            let ty = self.function[arg].ty;
            let to = Target::Memory(self.slot_mem(slot, ty));
            let from = self.source(arg);
            moves::emit_one(&mut self.masm, Move { to, from, ty });
            slot += ty.slots();
        }
        if helpers::ends_activation(entry) {
            self.record_place();
        }
        self.enter_helper(slot, entry, immediates);
        let mut slot = first;
        let places: Vec<Source> = site
            .results
            .iter()
            .map(|&ty| {
                let mem = self.slot_mem(slot, Ty::of(ty));
                slot += ty.slots();
                Source::Memory(mem)
            })
            .collect();
        self.receive(call, places.into_iter());
    }

    /// Has the runtime clear memory, and keeps all registers.
    pub(super) fn clear(&mut self, node: Value) {
        let data = &self.function[node];
        let first = self.allocation.slot_count;
        let mut slot = first + CLEAR_SLOTS;
        let aside: Vec<(Home, Mem)> = self
            .volatile
            .iter()
            .map(|&home| {
                let ty = home_ty(home);
                let mem = self.slot_mem(slot, ty);
                slot += ty.slots();
                (home, mem)
            })
            .collect();
        for &(home, mem) in &aside {
            match home {
                Home::Gpr(gpr) => self.masm.store(StoreOp::B8, gpr, mem),
                Home::Fpr(fpr) => self.masm.float_store(FloatPart::V128, fpr, mem),
                Home::None => {}
            }
        }
        let [start, bytes, _] = data.args;
        let operands = [
            self.source(start),
            Source::Constant(0, 0),
            self.source(bytes),
        ];
        for (slot, from) in (first..).zip(operands) {
            let to = Target::Memory(self.slot_mem(slot, Ty::I64));
            let ty = Ty::I64;
            moves::emit_one(&mut self.masm, Move { to, from, ty });
        }
        let entry = Helper::MemoryFill.entry();
        self.enter_helper(
            first + CLEAR_SLOTS,
            entry,
            [data.imm | u64::from(WIDE_OPERANDS), 0],
        );
        for (home, mem) in aside {
            match home {
                Home::Gpr(gpr) => self.masm.load(LoadOp::U64, gpr, mem),
                Home::Fpr(fpr) => self.masm.float_load(FloatPart::V128, fpr, mem),
                Home::None => {}
            }
        }
    }

    /// Calls a helper whose operands are in the slots below `slot`, and goes on if it did its work.
    fn enter_helper(&mut self, slot: u32, entry: u32, immediates: [u64; 2]) {
        let operands = self.frame.below(slot);
        runtime::call_helper(&mut self.masm, entry, operands, immediates);
        self.site(self.masm.offset(), None);
        let start = self.masm.label();
        let origin = self.origin;
        self.cold.push(Cold::Raise { start, origin });
        self.masm
            .branch_if(Cond::Ne, Width::W32, M::FILE.result, Operand::Imm(0), start);
    }

    /// Tells the runtime where the activation stands. Keeps the result register.
    fn record_place(&mut self) {
        runtime::record_frame(&mut self.masm);
        self.site(self.masm.offset(), None);
        self.masm.here(M::FILE.callee);
        runtime::record_address(&mut self.masm);
    }

    /// Ends the activation with the outcome in the result register.
    pub(super) fn raise(&mut self) {
        self.record_place();
        runtime::raise(&mut self.masm);
    }

    // --- tail calls ---

    pub(super) fn tail_call(&mut self, call: u32) {
        let function = self.function;
        let site = &function.calls[call as usize];
        let abi = Abi::of_types(&site.params, &site.results, M::FILE);
        let tail = TailCall::new(&self.abi, &abi);
        self.outgoing_bytes = self.outgoing_bytes.max(tail.outgoing_bytes());
        self.pass_call(site, &abi, tail.area::<M>());
        let (saved, callee) = (&self.allocation.saved, convention(site.callee));
        tail.go(&mut self.masm, self.frame, saved, callee);
    }
}

fn convention(callee: Callee) -> calls::Entrance {
    match callee {
        Callee::Defined(index) => calls::Entrance::Defined(index),
        Callee::Reference | Callee::Imported => calls::Entrance::Reference,
        Callee::Helper(..) => unreachable!("helpers are called in their own way"),
    }
}
