//! Loops that only fill memory: all but the last of their turns are left to the runtime.
//!
//! Modules built without bulk memory clear and fill with loops of stores, and so do C libraries
//! built without it. A loop is recognised by its operators, before any of them is compiled. Code in
//! front of it asks the runtime, when the loop has many turns to go, to do some of them at once;
//! the loop itself stays and does the rest. So nothing changes for turns that trap: the runtime
//! does none of them, nor any behind them.

use super::Compiler;
use super::Next;
use super::helpers::Helper;
use crate::masm::{AluOp, Cond, Masm, Width};
use smallvec::SmallVec;
use wasmparser::{BinaryReader, BlockType};
use zwasm_core::ValType;

/// Fewer bytes are stored by the loop before a call is over.
const MIN_BYTES: u32 = 512;
/// As many locals may change from turn to turn.
const MAX_STEPS: usize = 3;
/// The most stores of a body.
const MAX_STORES: usize = 16;

/// Of the binary format.
mod opcode {
    pub(super) const END: u8 = 0x0b;
    pub(super) const BR_IF: u8 = 0x0d;
    pub(super) const LOCAL_GET: u8 = 0x20;
    pub(super) const LOCAL_SET: u8 = 0x21;
    pub(super) const LOCAL_TEE: u8 = 0x22;
    pub(super) const I32_STORE: u8 = 0x36;
    pub(super) const I64_STORE: u8 = 0x37;
    pub(super) const I32_STORE8: u8 = 0x3a;
    pub(super) const I32_STORE16: u8 = 0x3b;
    pub(super) const I64_STORE8: u8 = 0x3c;
    pub(super) const I64_STORE16: u8 = 0x3d;
    pub(super) const I64_STORE32: u8 = 0x3e;
    pub(super) const I32_CONST: u8 = 0x41;
    pub(super) const I64_CONST: u8 = 0x42;
    pub(super) const I32_NE: u8 = 0x47;
    pub(super) const I32_LT_U: u8 = 0x49;
    pub(super) const I32_GT_U: u8 = 0x4b;
    pub(super) const I32_ADD: u8 = 0x6a;
    pub(super) const I32_SUB: u8 = 0x6b;
}

/// A value in the loop's body, in terms of the locals at the start of a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Symbol {
    /// A local and a constant, modulo 2^32.
    Local(u32, i32),
    Const(i32),
    Wide(i64),
    Compare(Relation, Operand, Operand),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Relation {
    Ne,
    LtU,
    GtU,
}

/// A local and a constant, or a constant.
type Operand = (Option<u32>, i32);

/// What a loop stores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Filling {
    Local(u32),
    Const(i64),
}

/// A loop that fills.
#[derive(PartialEq, Eq, Debug)]
struct FillLoop {
    /// The local with the address.
    pointer: u32,
    /// The first byte of a turn is this far from the pointer.
    low: u64,
    /// Bytes of a turn: a power of two, as are the others.
    stride: u32,
    /// Bytes of a store.
    width: u32,
    filling: Filling,
    /// The local that decides whether there is another turn, and the value that it approaches.
    counter: u32,
    bound: Operand,
    /// Locals that change, and by how much per turn.
    steps: SmallVec<[(u32, i32); MAX_STEPS]>,
}

/// A store of a loop's body, to the sum of a local, a constant modulo 2^32, and an offset.
#[derive(Clone, Copy)]
struct Store {
    pointer: u32,
    plus: i32,
    offset: u32,
    width: u32,
    filling: Filling,
}

impl Store {
    /// How far from the local it stores, if the sum does not wrap.
    fn place(&self) -> u64 {
        u64::from(self.plus as u32) + u64::from(self.offset)
    }
}

/// Runs the body of a loop on symbols.
#[derive(Default)]
struct Body {
    stack: SmallVec<[Symbol; 8]>,
    /// Locals that were assigned, and what they hold.
    changed: SmallVec<[(u32, Symbol); 4]>,
    stores: SmallVec<[Store; MAX_STORES]>,
}

impl Body {
    fn get(&self, local: u32) -> Symbol {
        let known = self.changed.iter().find(|(which, _)| *which == local);
        known.map_or(Symbol::Local(local, 0), |(_, symbol)| *symbol)
    }

    fn set(&mut self, local: u32, symbol: Symbol) {
        match self.changed.iter_mut().find(|(which, _)| *which == local) {
            Some((_, old)) => *old = symbol,
            None => self.changed.push((local, symbol)),
        }
    }

    fn pop_operand(&mut self) -> Option<Operand> {
        match self.stack.pop()? {
            Symbol::Local(local, plus) => Some((Some(local), plus)),
            Symbol::Const(value) => Some((None, value)),
            _ => None,
        }
    }

    fn add(&mut self, negated: bool) -> Option<()> {
        let (b, a) = (self.stack.pop()?, self.stack.pop()?);
        let (local, plus, constant) = match (a, b) {
            (Symbol::Local(local, plus), Symbol::Const(constant)) if negated => {
                (local, plus, constant.wrapping_neg())
            }
            (Symbol::Local(local, plus), Symbol::Const(constant))
            | (Symbol::Const(constant), Symbol::Local(local, plus))
                if !negated =>
            {
                (local, plus, constant)
            }
            _ => return None,
        };
        self.stack
            .push(Symbol::Local(local, plus.wrapping_add(constant)));
        Some(())
    }

    fn compare(&mut self, relation: Relation) -> Option<()> {
        let (b, a) = (self.pop_operand()?, self.pop_operand()?);
        self.stack.push(Symbol::Compare(relation, a, b));
        Some(())
    }

    fn store(&mut self, reader: &mut BinaryReader<'_>, width: u32) -> Option<()> {
        const NAMES_MEMORY: u32 = 0x40;
        let alignment = reader.read_var_u32().ok()?;
        let offset = u32::try_from(reader.read_var_u64().ok()?).ok()?;
        let filling = match self.stack.pop()? {
            Symbol::Local(local, 0) => Filling::Local(local),
            Symbol::Const(value) => Filling::Const(value.into()),
            Symbol::Wide(value) => Filling::Const(value),
            _ => return None,
        };
        let Symbol::Local(pointer, plus) = self.stack.pop()? else {
            return None;
        };
        if alignment & NAMES_MEMORY != 0 || self.stores.len() == MAX_STORES {
            return None;
        }
        self.stores.push(Store {
            pointer,
            plus,
            offset,
            width,
            filling,
        });
        Some(())
    }

    /// Runs operators up to the branch back, whose condition it returns. `None` when there is any
    /// other operator.
    fn run(&mut self, reader: &mut BinaryReader<'_>) -> Option<Symbol> {
        use opcode::*;
        loop {
            match reader.read_u8().ok()? {
                LOCAL_GET => {
                    let local = reader.read_var_u32().ok()?;
                    self.stack.push(self.get(local));
                }
                set @ (LOCAL_SET | LOCAL_TEE) => {
                    let (local, symbol) = (reader.read_var_u32().ok()?, self.stack.pop()?);
                    self.set(local, symbol);
                    if set == LOCAL_TEE {
                        self.stack.push(symbol);
                    }
                }
                I32_STORE | I64_STORE32 => self.store(reader, 4)?,
                I64_STORE => self.store(reader, 8)?,
                I32_STORE8 | I64_STORE8 => self.store(reader, 1)?,
                I32_STORE16 | I64_STORE16 => self.store(reader, 2)?,
                I32_CONST => self.stack.push(Symbol::Const(reader.read_var_i32().ok()?)),
                I64_CONST => self.stack.push(Symbol::Wide(reader.read_var_i64().ok()?)),
                I32_NE => self.compare(Relation::Ne)?,
                I32_LT_U => self.compare(Relation::LtU)?,
                I32_GT_U => self.compare(Relation::GtU)?,
                I32_ADD => self.add(false)?,
                I32_SUB => self.add(true)?,
                BR_IF => {
                    let (depth, condition) = (reader.read_var_u32().ok()?, self.stack.pop()?);
                    let ends = depth == 0 && self.stack.is_empty() && reader.read_u8().ok()? == END;
                    return ends.then_some(condition);
                }
                _ => return None,
            }
        }
    }
}

impl FillLoop {
    /// Recognises a loop by the bytes behind its opcode.
    fn of(bytes: &[u8]) -> Option<FillLoop> {
        /// The type of a loop without parameters and results; a body that fills gets a local first.
        const START: [u8; 2] = [EMPTY_TYPE, opcode::LOCAL_GET];
        const EMPTY_TYPE: u8 = 0x40;
        if !bytes.starts_with(&START) {
            return None;
        }
        let mut body = Body::default();
        let condition = body.run(&mut BinaryReader::new(&bytes[1..], 0))?;
        let mut steps = SmallVec::new();
        for &(local, symbol) in &body.changed {
            match symbol {
                Symbol::Local(of, step) if of == local && steps.len() < MAX_STEPS => {
                    steps.push((local, step));
                }
                _ => return None,
            }
        }
        let step_of = |local: u32| -> i32 {
            let step = steps.iter().find(|(which, _)| *which == local);
            step.map_or(0, |&(_, step)| step)
        };

        let first = *body.stores.first()?;
        let stride = u32::try_from(step_of(first.pointer)).ok()?;
        let fits = |store: &Store| {
            store.pointer == first.pointer
                && (0..=stride as i32).contains(&store.plus)
                && store.width == first.width
                && store.filling == first.filling
        };
        if !body.stores.iter().all(fits)
            || !stride.is_power_of_two()
            || matches!(first.filling, Filling::Local(local) if step_of(local) != 0)
        {
            return None;
        }
        // One store beside the other fills the stride.
        let mut places: SmallVec<[u64; MAX_STORES]> =
            body.stores.iter().map(Store::place).collect();
        places.sort_unstable();
        let width = u64::from(first.width);
        let adjoin = places.windows(2).all(|pair| pair[1] - pair[0] == width);
        if !adjoin || places.len() as u64 * width != stride.into() {
            return None;
        }

        let (counter, bound) = match condition {
            Symbol::Local(local, plus) => ((Some(local), plus), (None, 0)),
            Symbol::Compare(relation, a, b) => {
                let is_counter = |operand: Operand| operand.0.is_some_and(|l| step_of(l) != 0);
                let (counter, bound, relation) = match (is_counter(a), is_counter(b), relation) {
                    (true, false, relation) => (a, b, relation),
                    (false, true, Relation::Ne) => (b, a, Relation::Ne),
                    (false, true, Relation::LtU) => (b, a, Relation::GtU),
                    (false, true, Relation::GtU) => (b, a, Relation::LtU),
                    _ => return None,
                };
                let approaches = match relation {
                    Relation::Ne => true,
                    Relation::LtU => step_of(counter.0?) > 0,
                    Relation::GtU => step_of(counter.0?) < 0,
                };
                approaches.then_some((counter, bound))?
            }
            _ => return None,
        };
        let local = counter.0?;
        // The condition looks at what the counter is from then on.
        let step = step_of(local);
        (step.unsigned_abs().is_power_of_two() && counter.1 == step).then_some(FillLoop {
            pointer: first.pointer,
            low: places[0],
            stride,
            width: first.width,
            filling: first.filling,
            counter: local,
            bound,
            steps,
        })
    }

    fn counter_step(&self) -> i32 {
        let step = self.steps.iter().find(|(local, _)| *local == self.counter);
        step.expect("the counter changes").1
    }
}

impl<M: Masm> Compiler<'_, M> {
    /// At the start of a loop: if it only fills memory, code that has the runtime do the better part
    /// of it.
    pub(super) fn fill_loop(&mut self) {
        let memory = self.env.info.memories.first();
        if self.env.consume_fuel || memory.is_none_or(|memory| memory.memory64) {
            return;
        }
        let Some(fill) = FillLoop::of(self.behind_opcode) else {
            return;
        };
        let step = fill.counter_step();
        // The distance that the counter has to go. It has as many turns to go as steps begin in it.
        let min_distance = MIN_BYTES / fill.stride * step.unsigned_abs();
        self.push_distance(&fill);
        self.push_const(ValType::I32, min_distance.into());
        self.compare(Cond::GtU, Width::W32, Next::Condition);
        self.if_(BlockType::Empty);
        // A counter beyond the bound would seem to be far from it.
        self.local_get(fill.counter);
        self.push_bound(fill.bound);
        let ahead = if step > 0 { Cond::LtU } else { Cond::GtU };
        self.compare(ahead, Width::W32, Next::Condition);
        self.if_(BlockType::Empty);

        self.local_get(fill.pointer);
        // The last turn is the loop's.
        self.push_distance(&fill);
        self.push_const(ValType::I32, 1);
        self.alu(AluOp::Sub, Width::W32, Next::Other);
        self.push_const(ValType::I32, step.unsigned_abs().trailing_zeros().into());
        self.alu(AluOp::ShrU, Width::W32, Next::Other);
        match fill.filling {
            Filling::Local(local) => self.local_get(local),
            Filling::Const(value) => self.push_const(ValType::I64, value as u64),
        }
        let shape = u64::from(fill.stride << 8 | fill.width);
        let turns = [ValType::I32; MAX_STEPS];
        let entry = Helper::FillLoop.entry();
        self.call_helper(entry, 3, [fill.low, shape], &turns[..fill.steps.len()]);
        for &(local, step) in &fill.steps {
            self.push_const(ValType::I32, u64::from(step as u32));
            self.alu(AluOp::Mul, Width::W32, Next::Other);
            self.local_get(local);
            self.alu(AluOp::Add, Width::W32, Next::Local(local));
            self.local_set(local);
        }
        self.end();
        self.end();
    }

    fn push_bound(&mut self, (local, plus): Operand) {
        let constant = u64::from(plus as u32);
        let Some(local) = local else {
            return self.push_const(ValType::I32, constant);
        };
        self.local_get(local);
        if plus != 0 {
            self.push_const(ValType::I32, constant);
            self.alu(AluOp::Add, Width::W32, Next::Other);
        }
    }

    /// How far the counter is from its bound.
    fn push_distance(&mut self, fill: &FillLoop) {
        if fill.counter_step() > 0 {
            self.push_bound(fill.bound);
            self.local_get(fill.counter);
            self.alu(AluOp::Sub, Width::W32, Next::Other);
        } else {
            self.local_get(fill.counter);
            if fill.bound != (None, 0) {
                self.push_bound(fill.bound);
                self.alu(AluOp::Sub, Width::W32, Next::Other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FillLoop, Filling};
    use wasmparser::{Parser, Payload};

    /// The loop that a function's body consists of; its locals are five `i32` and an `i64`.
    fn recognised(body: &str) -> Option<FillLoop> {
        let text =
            format!("(module (memory 1) (func (local i32 i32 i32 i32 i32 i64) (loop {body})))");
        let module = wat::parse_str(text).unwrap();
        let mut payloads = Parser::new(0).parse_all(&module);
        let body = payloads.find_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => Some(body),
            _ => None,
        });
        let operators = body.unwrap().get_operators_reader().unwrap();
        let start = operators.original_position() as usize;
        FillLoop::of(&module[start + 1..])
    }

    #[test]
    fn loops_are_recognised_by_what_they_do() {
        let words = recognised(
            "local.get 0  i32.const 7  i32.store offset=4
             local.get 0  i32.const 7  i32.store
             local.get 2  local.get 0  i32.const 8  i32.add  local.tee 0  i32.gt_u  br_if 0",
        )
        .unwrap();
        assert_eq!((words.pointer, words.low), (0, 0));
        assert_eq!((words.stride, words.width), (8, 4));
        assert_eq!(words.filling, Filling::Const(7));
        assert_eq!((words.counter, words.bound), (0, (Some(2), 0)));
        assert_eq!(words.steps[..], [(0, 8)]);

        let counted = recognised(
            "local.get 1  local.get 2  i32.store8 offset=9
             local.get 1  i32.const 1  i32.add  local.set 1
             local.get 3  i32.const 2  i32.add  local.set 3
             local.get 0  i32.const -1  i32.add  local.tee 0  br_if 0",
        )
        .unwrap();
        assert_eq!((counted.pointer, counted.low), (1, 9));
        assert_eq!(counted.filling, Filling::Local(2));
        assert_eq!((counted.counter, counted.bound), (0, (None, 0)));
        assert_eq!(counted.steps[..], [(1, 1), (3, 2), (0, -1)]);
    }

    #[test]
    fn others_are_left_alone() {
        let step = "local.get 0  i32.const 4  i32.add  local.tee 0  local.get 1  i32.lt_u  br_if 0";
        let loops = |store: &str| recognised(&format!("{store} {step}"));
        assert!(loops("local.get 0  local.get 2  i32.store").is_some());
        for store in [
            "",
            "local.get 0  local.get 2  i32.store8",
            "local.get 0  local.get 5  i64.store",
            "local.get 1  local.get 2  i32.store",
            "local.get 0  local.get 0  i32.store",
            "local.get 0  i32.const 5  i32.add  local.get 2  i32.store",
            "local.get 0  i32.const -4  i32.add  local.get 2  i32.store",
            "local.get 0  local.get 2  i32.load  i32.store",
            "local.get 0  local.get 2  i32.store  local.get 2  local.set 1",
            "local.get 0  local.get 2  i32.store  nop",
        ] {
            assert_eq!(loops(store), None, "{store}");
        }
        let ends = |step: &str| recognised(&format!("local.get 0  local.get 2  i32.store  {step}"));
        for step in [
            "local.get 0  i32.const 4  i32.add  local.set 0  local.get 0  br_if 1",
            "local.get 0  i32.const 4  i32.add  local.set 0  local.get 2  br_if 0",
            "local.get 0  local.get 0  i32.const 4  i32.add  local.set 0  local.get 1  i32.lt_u  br_if 0",
            "local.get 0  i32.const 4  i32.add  local.tee 0  local.get 1  i32.gt_u  br_if 0",
            "local.get 0  i32.const 4  i32.add  local.tee 0  local.get 1  i32.lt_s  br_if 0",
            "local.get 0  i32.const 4  i32.add  local.tee 0  local.get 1  i32.lt_u  br_if 0  nop",
        ] {
            assert_eq!(ends(step), None, "{step}");
        }
    }
}
