//! Loops that only fill memory, recognised by their operators, and how many of their iterations can be
//! done at once.
//!
//! Modules built without bulk memory clear and fill with loops of stores, and so do C libraries
//! built without it. What comes in is the bytes behind a `loop`; what goes out says what an iteration
//! stores, how the locals change from iteration to iteration, and what the loop ends by. Tiers that read
//! operators one by one put code before such a loop that has the runtime do all iterations but the last
//! ones; the loop stays and does the rest. So nothing changes for iterations that trap: the runtime does
//! none of them, nor any behind them.
//!
//! Deliberately absent: loops downwards, other memories than the first, and values that are no
//! integers. The optimizing compiler recognises loops by their data flow, and more of them.

use crate::ValType;
use smallvec::SmallVec;
use wasmparser::BinaryReader;

/// Fewer bytes are stored by the loop before a call of the runtime is over.
pub const MIN_BYTES: u32 = 512;

/// To fill less than this with zeros is faster than to ask the system which pages need them.
pub const MIN_CLEARED_BYTES: usize = 1 << 20;

/// As many locals may change from iteration to iteration.
pub const MAX_STEPS: usize = 3;

/// The most stores of a body.
const MAX_STORES: usize = 16;

/// The most that a counter may change in an iteration.
const MAX_COUNTER_STEP: u64 = 1 << 16;

/// Of the binary format.
mod opcode {
    pub(super) const END: u8 = 0x0b;
    pub(super) const BR: u8 = 0x0c;
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
    pub(super) const I32_EQZ: u8 = 0x45;
    pub(super) const I32_GE_U: u8 = 0x4f;
    pub(super) const I64_EQZ: u8 = 0x50;
    pub(super) const I64_GE_U: u8 = 0x5a;
    pub(super) const I32_ADD: u8 = 0x6a;
    pub(super) const I32_SUB: u8 = 0x6b;
    pub(super) const I64_ADD: u8 = 0x7c;
    pub(super) const I64_SUB: u8 = 0x7d;
    pub(super) const VECTOR: u8 = 0xfd;
    pub(super) const V128_STORE: u32 = 0x0b;
    pub(super) const V128_CONST: u32 = 0x0c;
}

/// A value in the loop's body, in terms of the locals at the start of an iteration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Symbol {
    /// A local and a constant, modulo 2^32 or 2^64 by the local's type.
    Local(u32, i64),
    Const(i64),
    /// Both halves of a vector.
    Vector(i64),
    Compare(Comparison),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Comparison {
    relation: Relation,
    is_signed: bool,
    is_wide: bool,
    a: Operand,
    b: Operand,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Relation {
    Eq,
    Ne,
    Lt,
    Gt,
    Le,
    Ge,
}

impl Relation {
    fn negate(self) -> Relation {
        match self {
            Relation::Eq => Relation::Ne,
            Relation::Ne => Relation::Eq,
            Relation::Lt => Relation::Ge,
            Relation::Gt => Relation::Le,
            Relation::Le => Relation::Gt,
            Relation::Ge => Relation::Lt,
        }
    }

    fn swap(self) -> Relation {
        match self {
            Relation::Eq => Relation::Eq,
            Relation::Ne => Relation::Ne,
            Relation::Lt => Relation::Gt,
            Relation::Gt => Relation::Lt,
            Relation::Le => Relation::Ge,
            Relation::Ge => Relation::Le,
        }
    }
}

/// A local and a constant, or a constant.
pub type Operand = (Option<u32>, i64);

/// What a loop stores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filling {
    /// An integer of this local.
    Local(u32),
    /// The low bytes of this.
    Const(i64),
}

/// A loop that fills memory 0.
#[derive(PartialEq, Eq, Debug)]
pub struct FillLoop {
    /// The local with the address.
    pub pointer: u32,
    /// The first byte of an iteration is this far from the pointer.
    pub low: u64,
    /// Bytes of an iteration: a power of two, as are the others.
    pub stride: u32,
    /// Bytes of a store; of a vector's, those of its halves, which are the same.
    pub width: u32,
    /// What is stored.
    pub filling: Filling,
    /// What decides whether there is another iteration.
    pub counter: Counter,
    /// Integers that change, and by how much per iteration.
    pub steps: SmallVec<[(u32, i64); MAX_STEPS]>,
}

/// The local that decides whether a loop goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counter {
    /// The local.
    pub local: u32,
    /// What it approaches.
    pub bound: Operand,
    /// What an iteration adds: a power of two or the negative of one, below 2^17.
    pub step: i64,
    /// Whether the counter has 64 bits.
    pub is_wide: bool,
    /// Whether the two are compared as signed integers.
    pub is_signed: bool,
}

impl Counter {
    /// The type of the counter and the bound.
    #[must_use]
    pub fn ty(&self) -> ValType {
        if self.is_wide {
            ValType::I64
        } else {
            ValType::I32
        }
    }
}

/// A store of a loop's body, to the sum of a local, a constant, and an offset.
#[derive(Clone, Copy)]
struct Store {
    pointer: u32,
    plus: i64,
    offset: u64,
    width: u32,
    filling: Filling,
}

impl Store {
    /// How far from the local it stores, if the sum does not wrap.
    fn place(&self) -> u64 {
        self.plus as u64 + self.offset
    }
}

/// The condition of a loop.
struct Condition {
    goes_on_if: Symbol,
    /// Whether it is asked before an iteration rather than behind it.
    is_before: bool,
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
            Symbol::Vector(_) | Symbol::Compare(_) => None,
        }
    }

    fn add(&mut self, is_negated: bool, is_wide: bool) -> Option<()> {
        let (b, a) = (self.stack.pop()?, self.stack.pop()?);
        let (local, plus, constant) = match (a, b) {
            (Symbol::Local(local, plus), Symbol::Const(constant)) if is_negated => {
                (local, plus, constant.wrapping_neg())
            }
            (Symbol::Local(local, plus), Symbol::Const(constant))
            | (Symbol::Const(constant), Symbol::Local(local, plus))
                if !is_negated =>
            {
                (local, plus, constant)
            }
            _ => return None,
        };
        let sum = plus.wrapping_add(constant);
        let sum = if is_wide { sum } else { i64::from(sum as i32) };
        self.stack.push(Symbol::Local(local, sum));
        Some(())
    }

    /// A comparison by the distance of its opcode from that of `eqz`.
    fn compare(&mut self, which: u8, is_wide: bool) -> Option<()> {
        const RELATIONS: [(Relation, bool); 10] = [
            (Relation::Eq, false),
            (Relation::Ne, false),
            (Relation::Lt, true),
            (Relation::Lt, false),
            (Relation::Gt, true),
            (Relation::Gt, false),
            (Relation::Le, true),
            (Relation::Le, false),
            (Relation::Ge, true),
            (Relation::Ge, false),
        ];
        let comparison = match which.checked_sub(1) {
            Some(relation) => {
                let (relation, is_signed) = RELATIONS[usize::from(relation)];
                let (b, a) = (self.pop_operand()?, self.pop_operand()?);
                Comparison {
                    relation,
                    is_signed,
                    is_wide,
                    a,
                    b,
                }
            }
            None => negated(self.stack.pop()?, is_wide)?,
        };
        self.stack.push(Symbol::Compare(comparison));
        Some(())
    }

    fn store(&mut self, reader: &mut BinaryReader<'_>, width: u32) -> Option<()> {
        const NAMES_MEMORY: u32 = 0x40;
        let alignment = reader.read_var_u32().ok()?;
        let offset = reader.read_var_u64().ok()?;
        let filling = match (self.stack.pop()?, width) {
            (Symbol::Vector(half), 16) => Filling::Const(half),
            (Symbol::Local(local, 0), ..16) => Filling::Local(local),
            (Symbol::Const(value), ..16) => Filling::Const(value),
            _ => return None,
        };
        let Symbol::Local(pointer, plus) = self.stack.pop()? else {
            return None;
        };
        if alignment & NAMES_MEMORY != 0
            || u32::try_from(offset).is_err()
            || self.stores.len() == MAX_STORES
        {
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

    /// Runs operators up to the branch back. `None` when there is any other operator.
    fn run(&mut self, reader: &mut BinaryReader<'_>) -> Option<Condition> {
        use opcode::*;
        let mut before = None;
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
                I32_CONST => {
                    let value = reader.read_var_i32().ok()?;
                    self.stack.push(Symbol::Const(value.into()));
                }
                I64_CONST => self.stack.push(Symbol::Const(reader.read_var_i64().ok()?)),
                VECTOR => match reader.read_var_u32().ok()? {
                    V128_STORE => self.store(reader, 16)?,
                    V128_CONST => {
                        let [low, high] = [reader.read_u64().ok()?, reader.read_u64().ok()?];
                        if low != high {
                            return None;
                        }
                        self.stack.push(Symbol::Vector(low as i64));
                    }
                    _ => return None,
                },
                which @ I32_EQZ..=I32_GE_U => self.compare(which - I32_EQZ, false)?,
                which @ I64_EQZ..=I64_GE_U => self.compare(which - I64_EQZ, true)?,
                I32_ADD => self.add(false, false)?,
                I32_SUB => self.add(true, false)?,
                I64_ADD => self.add(false, true)?,
                I64_SUB => self.add(true, true)?,
                BR_IF => {
                    let (depth, condition) = (reader.read_var_u32().ok()?, self.stack.pop()?);
                    if !self.stack.is_empty() || before.is_some() {
                        return None;
                    }
                    if depth == 0 {
                        return (reader.read_u8().ok()? == END).then_some(Condition {
                            goes_on_if: condition,
                            is_before: false,
                        });
                    }
                    // Out of the loop, before the iteration has done anything.
                    if !self.stores.is_empty() || !self.changed.is_empty() {
                        return None;
                    }
                    before = Some(Symbol::Compare(negated(condition, false)?));
                }
                BR => {
                    let depth = reader.read_var_u32().ok()?;
                    let is_end = depth == 0 && self.stack.is_empty();
                    return (is_end && reader.read_u8().ok()? == END).then_some(Condition {
                        goes_on_if: before?,
                        is_before: true,
                    });
                }
                _ => return None,
            }
        }
    }
}

/// The condition that holds where another does not; an integer is one if it is other than zero.
fn negated(condition: Symbol, is_wide: bool) -> Option<Comparison> {
    match condition {
        Symbol::Compare(comparison) => Some(Comparison {
            relation: comparison.relation.negate(),
            ..comparison
        }),
        Symbol::Local(local, plus) => Some(Comparison {
            relation: Relation::Eq,
            is_signed: false,
            is_wide,
            a: (Some(local), plus),
            b: (None, 0),
        }),
        Symbol::Const(_) | Symbol::Vector(_) => None,
    }
}

impl FillLoop {
    /// Recognises a loop by the bytes behind its opcode.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<FillLoop> {
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
                // Of any type: it is what it was.
                Symbol::Local(of, 0) if of == local => {}
                Symbol::Local(of, step) if of == local && steps.len() < MAX_STEPS => {
                    steps.push((local, step));
                }
                _ => return None,
            }
        }
        let step_of = |local: u32| -> i64 {
            let step = steps.iter().find(|(which, _)| *which == local);
            step.map_or(0, |&(_, step)| step)
        };

        let first = *body.stores.first()?;
        let stride = u32::try_from(step_of(first.pointer)).ok()?;
        let fits = |store: &Store| {
            store.pointer == first.pointer
                && (0..=stride.into()).contains(&store.plus)
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
        let counter = counter(&condition, step_of)?;
        Some(FillLoop {
            pointer: first.pointer,
            low: places[0],
            stride,
            width: first.width.min(8),
            filling: first.filling,
            counter,
            steps,
        })
    }

    /// From which distance of the counter to its bound on it pays to call the runtime.
    #[must_use]
    pub fn min_distance(&self) -> u32 {
        MIN_BYTES / self.stride * self.counter.step.unsigned_abs() as u32
    }
}

fn counter(condition: &Condition, step_of: impl Fn(u32) -> i64) -> Option<Counter> {
    let Comparison {
        relation,
        is_signed,
        is_wide,
        a,
        b,
    } = match condition.goes_on_if {
        Symbol::Compare(comparison) => comparison,
        Symbol::Local(local, plus) => Comparison {
            relation: Relation::Ne,
            is_signed: false,
            is_wide: false,
            a: (Some(local), plus),
            b: (None, 0),
        },
        Symbol::Const(_) | Symbol::Vector(_) => return None,
    };
    let is_counter = |operand: Operand| operand.0.is_some_and(|local| step_of(local) != 0);
    let ((local, plus), bound, relation) = match (is_counter(a), is_counter(b)) {
        (true, false) => (a, b, relation),
        (false, true) => (b, a, relation.swap()),
        _ => return None,
    };
    let local = local?;
    let step = step_of(local);
    let approaches = match relation {
        Relation::Ne => true,
        // As far as iterations are left before the last one, whether that is at the bound is the same.
        Relation::Lt | Relation::Le => step > 0,
        Relation::Gt | Relation::Ge => step < 0,
        Relation::Eq => false,
    };
    // What is compared is what the counter is from then on.
    let is_current = plus == if condition.is_before { 0 } else { step };
    let size = step.unsigned_abs();
    let is_known = approaches && is_current && size.is_power_of_two() && size <= MAX_COUNTER_STEP;
    is_known.then_some(Counter {
        local,
        bound,
        step,
        is_wide,
        is_signed,
    })
}

#[cfg(test)]
mod tests {
    use super::{FillLoop, Filling, Operand};
    use wasmparser::{Parser, Payload};

    /// The loop that a function's body consists of; its locals are five `i32` and an `i64`.
    fn recognised(body: &str) -> Option<FillLoop> {
        let text = format!(
            "(module (memory 1) (func (local i32 i32 i32 i32 i32 i64) (block (loop {body}))))"
        );
        let module = wat::parse_str(text).unwrap();
        let mut payloads = Parser::new(0).parse_all(&module);
        let body = payloads.find_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => Some(body),
            _ => None,
        });
        let operators = body.unwrap().get_operators_reader().unwrap();
        let start = operators.original_position() as usize;
        // Behind the block, its type and the loop.
        FillLoop::of(&module[start + 3..])
    }

    fn counter_of(fill: &FillLoop) -> (u32, Operand) {
        (fill.counter.local, fill.counter.bound)
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
        assert_eq!(counter_of(&words), (0, (Some(2), 0)));
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
        assert_eq!(counter_of(&counted), (0, (None, 0)));
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
            "local.get 0  i32.const 4  i32.add  local.tee 0  local.get 1  i32.lt_u  br_if 0  nop",
        ] {
            assert_eq!(ends(step), None, "{step}");
        }
    }

    #[test]
    fn ways_to_end_are_the_same_whatever_they_are_written_as() {
        let iteration = "local.get 0  i32.const 0  i32.store
             local.get 0  i32.const 4  i32.add  local.set 0";
        for (condition, is_signed) in [
            ("local.get 0  local.get 1  i32.lt_u", false),
            ("local.get 0  local.get 1  i32.lt_s", true),
            ("local.get 1  local.get 0  i32.ge_u", false),
            ("local.get 0  local.get 1  i32.eq  i32.eqz", false),
            ("local.get 1  local.get 0  i32.le_s  i32.eqz", true),
        ] {
            let behind = recognised(&format!("{iteration}  {condition}  br_if 0")).unwrap();
            assert_eq!(counter_of(&behind), (0, (Some(1), 0)), "{condition}");
            assert_eq!(behind.counter.is_signed, is_signed, "{condition}");
            let before = format!("{condition}  i32.eqz  br_if 1  {iteration}  br 0");
            assert_eq!(recognised(&before), Some(behind), "{condition}");
        }
        for condition in [
            "local.get 0  local.get 1  i32.gt_u",
            "local.get 0  local.get 1  i32.eq",
            "local.get 1  local.get 2  i32.lt_u",
            "local.get 0  i32.const 4  i32.add  local.get 1  i32.lt_u",
        ] {
            let before = format!("{condition}  i32.eqz  br_if 1  {iteration}  br 0");
            assert_eq!(recognised(&before), None, "{condition}");
        }
        // The condition is asked in the middle, or twice.
        for body in [
            format!("{iteration}  local.get 0  local.get 1  i32.ge_u  br_if 1  br 0"),
            format!(
                "local.get 0  br_if 1  {iteration}  local.get 0  local.get 1  i32.lt_u  br_if 0"
            ),
        ] {
            assert_eq!(recognised(&body), None, "{body}");
        }
    }

    #[test]
    fn vectors_of_equal_halves_are_filled_with() {
        let step = "local.get 0  i32.const 32  i32.add  local.tee 0  local.get 1  i32.ne  br_if 0";
        let of = |halves: &str| {
            recognised(&format!(
                "local.get 0  v128.const i64x2 {halves}  v128.store
                 local.get 0  v128.const i64x2 {halves}  v128.store offset=16  {step}"
            ))
        };
        let zeros = of("0 0").unwrap();
        assert_eq!((zeros.stride, zeros.width), (32, 8));
        assert_eq!(zeros.filling, Filling::Const(0));
        assert_eq!(of("0 1"), None);
    }
}
