//! Operators that call the runtime.
//!
//! The calling convention of every helper is that of the platform's C: `(context, operands,
//! immediate0, immediate1) -> outcome`, where `operands` is the address of the topmost operand's
//! lowest byte. Frame slots grow downwards, so the operands lie upwards from there, the last one
//! first; a vector takes two slots, its low half first. The results replace the operands, the
//! first one highest. The outcome is
//! [`Outcome::DONE`](zwasm_core::Outcome::DONE), or what [`RAISE`] is to end or resume the activation with.
//!
//! The table that the context points to is the contract with the runtime: [`RAISE`], [`COMPILE`],
//! [`HOST_CALL`], [`TRACE`], one entry per [`Helper`], then one per row of [`numeric_groups`], then
//! [`ASK_TIER_UP`] and [`TIER_UP`].

use std::sync::Arc;
use wasmparser::{MemArg, MemArgTarget, Operator};
use zwasm_core::atomic::AtomicOp;
use zwasm_core::module::ModuleInfo;
use zwasm_core::{FuncType, V128, ValType};

/// Entry 0 of the table: ends the activation with the outcome in the result register, or goes
/// on elsewhere.
pub const RAISE: u32 = 0;
/// Entry 1: the runtime's compiler, `(context, entry)`.
pub const COMPILE: u32 = 1;
/// Entry 2: the runtime's way to host functions, `(context, slots, entry, frame) -> outcome`, the
/// frame being that of the stub that calls it.
pub const HOST_CALL: u32 = 2;
/// Entry 3: takes the backtrace of an activation that is about to end, `(context, outcome) ->
/// outcome`.
pub const TRACE: u32 = 3;
const FIRST_HELPER: u32 = 4;
/// The first entry behind the numeric operators': the stub that code calls whose count has run out, with
/// its entry's offset among those of the module in the second scratch register; it keeps all other
/// registers.
pub const ASK_TIER_UP: u32 = FIRST_HELPER + Helper::ALL.len() as u32 + numeric_rows();
/// The next one: notes that a function is to have better code, `(context, entry)`.
pub const TIER_UP: u32 = ASK_TIER_UP + 1;

/// In the second immediate of [`Helper::FillLoop`]: the address has 64 bits.
pub const FILL_WIDE_ADDRESS: u64 = 1 << 62;
/// The same of the number of iterations.
pub const FILL_WIDE_COUNT: u64 = 1 << 63;

/// Declares the helpers that are not numeric operators.
macro_rules! helpers {
    ($($name:ident, $doc:literal;)*) => {
        /// A helper of the runtime.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Helper {
            $(#[doc = $doc] $name,)*
        }

        impl Helper {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Helper] = &[$(Helper::$name,)*];

            /// The entry in the table.
            #[must_use]
            pub const fn entry(self) -> u32 {
                FIRST_HELPER + self as u32
            }
        }
    };
}

helpers! {
    MemoryGrow, "`memory.grow`; immediate 0: memory.";
    MemoryFill, "`memory.fill`; immediate 0: memory, by its pointer's place.";
    MemoryCopy, "`memory.copy`; immediates: destination, source, by their pointers' places.";
    MemoryInit, "`memory.init`; immediates: segment, memory.";
    DataDrop, "`data.drop`; immediate 0: segment.";
    ElemDrop, "`elem.drop`; immediate 0: segment.";
    TableGet, "`table.get`; immediate 0: table.";
    TableSet, "`table.set`; immediate 0: table.";
    TableGrow, "`table.grow`; immediate 0: table.";
    TableFill, "`table.fill`; immediate 0: table.";
    TableCopy, "`table.copy`; immediates: destination, source.";
    TableInit, "`table.init`; immediates: segment, table.";
    Atomic, "An atomic instruction; immediates: its number and, shifted by 32, the memory by its \
        pointer's place; the offset.";
    Throw, "`throw`; immediates: tag, payload slots.";
    ThrowRef, "`throw_ref`.";
    FillLoop, "Some iterations of a loop that fills memory 0. Operands: the address, how many iterations may be \
        done, what each store stores. Immediates: what to add to the address; bytes of an iteration, \
        shifted by 8, and of a store, with [`FILL_WIDE_ADDRESS`] and [`FILL_WIDE_COUNT`]. The results, \
        up to three, are all how many were done.";
}

/// The value types behind the Rust types in the rows of the numeric tables.
trait RowTypes {
    const TYPES: &'static [ValType];
}
macro_rules! row_types {
    ($($ty:ty => [$($val:ident),*];)*) => {
        $(impl RowTypes for $ty {
            const TYPES: &'static [ValType] = &[$(ValType::$val),*];
        })*
    };
}
row_types! {
    i32 => [I32];
    i64 => [I64];
    f32 => [F32];
    f64 => [F64];
    V128 => [V128];
    (i64, i64) => [I64, I64];
}

/// What the table says of an operator: its name, how many operands it has, and its results.
#[derive(Clone, Copy, Debug)]
pub struct NumericRow {
    /// The name of the operator in `wasmparser::Operator`.
    pub name: &'static str,
    pub(crate) results: &'static [ValType],
}

/// Declares a group: its rows, and the position of an operator in it.
macro_rules! group {
    ($table:ident, $position:ident: $($name:ident $func:ident $args:tt -> $out:ty;)*) => {
        const $table: &[NumericRow] = &[$(NumericRow {
            name: stringify!($name),
            results: <$out as RowTypes>::TYPES,
        },)*];

        fn $position(op: &Operator<'_>) -> Option<usize> {
            #[allow(clippy::enum_variant_names, reason = "named after the operators")]
            enum Position { $($name,)* }
            match op {
                $(Operator::$name { .. } => Some(Position::$name as usize),)*
                _ => None,
            }
        }
    };
}

macro_rules! unary_rows {
    ($($rows:tt)*) => { group! { UNARY, unary_position: $($rows)* } };
}
zwasm_core::for_each_unary!(unary_rows);

macro_rules! unary_trapping_rows {
    ($($rows:tt)*) => { group! { UNARY_TRAPPING, unary_trapping_position: $($rows)* } };
}
zwasm_core::for_each_unary_trapping!(unary_trapping_rows);

macro_rules! v128_unary_rows {
    ($($rows:tt)*) => { group! { V128_UNARY, v128_unary_position: $($rows)* } };
}
zwasm_core::for_each_v128_unary!(v128_unary_rows);

macro_rules! v128_binary_rows {
    ($($rows:tt)*) => { group! { V128_BINARY, v128_binary_position: $($rows)* } };
}
zwasm_core::for_each_v128_binary!(v128_binary_rows);

macro_rules! v128_ternary_rows {
    ($($rows:tt)*) => { group! { V128_TERNARY, v128_ternary_position: $($rows)* } };
}
zwasm_core::for_each_v128_ternary!(v128_ternary_rows);

macro_rules! v128_shift_rows {
    ($($rows:tt)*) => { group! { V128_SHIFT, v128_shift_position: $($rows)* } };
}
zwasm_core::for_each_v128_shift!(v128_shift_rows);

macro_rules! v128_test_rows {
    ($($rows:tt)*) => { group! { V128_TEST, v128_test_position: $($rows)* } };
}
zwasm_core::for_each_v128_test!(v128_test_rows);

macro_rules! v128_splat_rows {
    ($($rows:tt)*) => { group! { V128_SPLAT, v128_splat_position: $($rows)* } };
}
zwasm_core::for_each_v128_splat!(v128_splat_rows);

macro_rules! v128_extract_lane_rows {
    ($($rows:tt)*) => { group! { V128_EXTRACT_LANE, v128_extract_lane_position: $($rows)* } };
}
zwasm_core::for_each_v128_extract_lane!(v128_extract_lane_rows);

macro_rules! v128_replace_lane_rows {
    ($($rows:tt)*) => { group! { V128_REPLACE_LANE, v128_replace_lane_position: $($rows)* } };
}
zwasm_core::for_each_v128_replace_lane!(v128_replace_lane_rows);

macro_rules! v128_shuffle_rows {
    ($($rows:tt)*) => { group! { V128_SHUFFLE, v128_shuffle_position: $($rows)* } };
}
zwasm_core::for_each_v128_shuffle!(v128_shuffle_rows);

macro_rules! v128_load_extend_rows {
    ($($rows:tt)*) => { group! { V128_LOAD_EXTEND, v128_load_extend_position: $($rows)* } };
}
zwasm_core::for_each_v128_load_extend!(v128_load_extend_rows);

macro_rules! v128_load_splat_rows {
    ($($rows:tt)*) => { group! { V128_LOAD_SPLAT, v128_load_splat_position: $($rows)* } };
}
zwasm_core::for_each_v128_load_splat!(v128_load_splat_rows);

macro_rules! v128_load_zero_rows {
    ($($rows:tt)*) => { group! { V128_LOAD_ZERO, v128_load_zero_position: $($rows)* } };
}
zwasm_core::for_each_v128_load_zero!(v128_load_zero_rows);

macro_rules! wide_rows {
    ($($rows:tt)*) => { group! { WIDE, wide_position: $($rows)* } };
}
zwasm_core::for_each_wide!(wide_rows);

/// A group of numeric operators.
struct Group {
    rows: &'static [NumericRow],
    position: fn(&Operator<'_>) -> Option<usize>,
}

/// The groups, in the order that numbers their operators in the table.
const GROUPS: &[Group] = &[
    Group {
        rows: UNARY,
        position: unary_position,
    },
    Group {
        rows: UNARY_TRAPPING,
        position: unary_trapping_position,
    },
    Group {
        rows: V128_UNARY,
        position: v128_unary_position,
    },
    Group {
        rows: V128_BINARY,
        position: v128_binary_position,
    },
    Group {
        rows: V128_TERNARY,
        position: v128_ternary_position,
    },
    Group {
        rows: V128_SHIFT,
        position: v128_shift_position,
    },
    Group {
        rows: V128_TEST,
        position: v128_test_position,
    },
    Group {
        rows: V128_SPLAT,
        position: v128_splat_position,
    },
    Group {
        rows: V128_EXTRACT_LANE,
        position: v128_extract_lane_position,
    },
    Group {
        rows: V128_REPLACE_LANE,
        position: v128_replace_lane_position,
    },
    Group {
        rows: V128_SHUFFLE,
        position: v128_shuffle_position,
    },
    Group {
        rows: V128_LOAD_EXTEND,
        position: v128_load_extend_position,
    },
    Group {
        rows: V128_LOAD_SPLAT,
        position: v128_load_splat_position,
    },
    Group {
        rows: V128_LOAD_ZERO,
        position: v128_load_zero_position,
    },
    Group {
        rows: WIDE,
        position: wide_position,
    },
];

/// How many numeric operators have an entry in the table.
const fn numeric_rows() -> u32 {
    let (mut group, mut count) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].rows.len() as u32;
        group += 1;
    }
    count
}

/// The names of the numeric operators that have an entry in the table, in order, by group.
pub fn numeric_groups() -> impl Iterator<Item = &'static [NumericRow]> {
    GROUPS.iter().map(|group| group.rows)
}

/// The entry and the row of a numeric operator.
pub(crate) fn numeric_entry(op: &Operator<'_>) -> Option<(u32, NumericRow)> {
    let mut first = FIRST_HELPER as usize + Helper::ALL.len();
    for group in GROUPS {
        if let Some(position) = (group.position)(op) {
            return Some(((first + position) as u32, group.rows[position]));
        }
        first += group.rows.len();
    }
    None
}

/// How many operands a numeric operator takes from the stack.
fn operand_count(op: &Operator<'_>) -> usize {
    if matches!(op, Operator::I64Add128 | Operator::I64Sub128) {
        4
    } else if v128_ternary_position(op).is_some() {
        3
    } else if v128_binary_position(op).is_some()
        || v128_shift_position(op).is_some()
        || v128_replace_lane_position(op).is_some()
        || v128_shuffle_position(op).is_some()
        || wide_position(op).is_some()
    {
        2
    } else {
        1
    }
}

/// The types of what a helper leaves.
pub(crate) enum Results {
    None,
    One(ValType),
    Row(&'static [ValType]),
}

impl Results {
    pub(crate) fn as_slice(&self) -> &[ValType] {
        match self {
            Results::None => &[],
            Results::One(ty) => core::slice::from_ref(ty),
            Results::Row(types) => types,
        }
    }
}

/// A call of the helper table that does an operator's work.
pub(crate) struct RuntimeCall {
    /// In the table.
    pub(crate) entry: u32,
    /// How many operands it takes from the stack.
    pub(crate) operands: usize,
    pub(crate) immediates: [u64; 2],
    pub(crate) results: Results,
}

/// The bit of a memory's word that says that indices have 64 bits.
pub const WIDE_OPERANDS: u32 = 1;

/// A memory's place for helpers: where in the context the pointer to its definition is, and in bit 0 whether
/// its indices have 64 bits.
fn memory_word(info: &ModuleInfo, memory: u32) -> u32 {
    let is_wide = info.memories[memory as usize].memory64;
    info.offsets.memories + memory * 8 + u32::from(is_wide) * WIDE_OPERANDS
}

/// Whether a helper never returns to its caller: it throws.
pub(crate) fn ends_activation(entry: u32) -> bool {
    entry == Helper::Throw.entry() || entry == Helper::ThrowRef.entry()
}

/// An atomic instruction by its number, and its access.
fn atomic<'o>(op: &'o Operator<'_>) -> Option<(usize, &'o MemArg)> {
    macro_rules! position {
        ($($name:ident $kind:ident $bytes:literal $ty:ident;)*) => {{
            #[allow(clippy::enum_variant_names, reason = "named after the operators")]
            enum Position { $($name,)* }
            match op {
                $(Operator::$name { memarg } => Some((Position::$name as usize, memarg)),)*
                _ => None,
            }
        }};
    }
    zwasm_core::for_each_atomic!(position)
}

/// How the runtime does an operator, if it does.
pub(crate) fn runtime_call(
    op: &Operator<'_>,
    info: &ModuleInfo,
    types: &[Arc<FuncType>],
) -> Option<RuntimeCall> {
    if let Some((entry, row)) = numeric_entry(op) {
        return Some(RuntimeCall {
            entry,
            operands: operand_count(op),
            immediates: numeric_immediates(op),
            results: Results::Row(row.results),
        });
    }
    if let Some((number, memarg)) = atomic(op) {
        let op = AtomicOp::ALL[number];
        let memory = u64::from(memory_word(info, memory_index(memarg)));
        return Some(RuntimeCall {
            entry: Helper::Atomic.entry(),
            operands: op.operands(),
            immediates: [number as u64 | memory << 32, memarg.offset],
            results: op.result().map_or(Results::None, Results::One),
        });
    }
    let size = |is_64: bool| Results::One(index_type(is_64));
    let table = |index: u32| info.tables[index as usize].ty;
    let (helper, operands, a, b, results) = match *op {
        Operator::MemoryGrow { mem } => {
            let is_64 = info.memories[mem as usize].memory64;
            (Helper::MemoryGrow, 1, mem, 0, size(is_64))
        }
        Operator::MemoryFill { mem } => (
            Helper::MemoryFill,
            3,
            memory_word(info, mem),
            0,
            Results::None,
        ),
        Operator::MemoryCopy { dst_mem, src_mem } => {
            let (to, from) = (memory_word(info, dst_mem), memory_word(info, src_mem));
            (Helper::MemoryCopy, 3, to, from, Results::None)
        }
        Operator::MemoryInit { data_index, mem } => {
            let memory = memory_word(info, mem);
            (Helper::MemoryInit, 3, data_index, memory, Results::None)
        }
        Operator::DataDrop { data_index } => (Helper::DataDrop, 0, data_index, 0, Results::None),
        Operator::ElemDrop { elem_index } => (Helper::ElemDrop, 0, elem_index, 0, Results::None),
        Operator::TableGet { table: index } => {
            let element = ValType::Ref(table(index).element);
            (Helper::TableGet, 1, index, 0, Results::One(element))
        }
        Operator::TableSet { table: index } => (Helper::TableSet, 2, index, 0, Results::None),
        Operator::TableGrow { table: index } => {
            (Helper::TableGrow, 2, index, 0, size(table(index).table64))
        }
        Operator::TableFill { table: index } => (Helper::TableFill, 3, index, 0, Results::None),
        Operator::TableCopy {
            dst_table,
            src_table,
        } => (Helper::TableCopy, 3, dst_table, src_table, Results::None),
        Operator::TableInit { elem_index, table } => {
            (Helper::TableInit, 3, elem_index, table, Results::None)
        }
        Operator::Throw { tag_index } => {
            let ty = &types[info.tags[tag_index as usize] as usize];
            let (operands, slots) = (ty.params().len(), ty.param_slots());
            (Helper::Throw, operands, tag_index, slots, Results::None)
        }
        Operator::ThrowRef => (Helper::ThrowRef, 1, 0, 0, Results::None),
        _ => return None,
    };
    Some(RuntimeCall {
        entry: helper.entry(),
        operands,
        immediates: [u64::from(a), u64::from(b)],
        results,
    })
}

/// The immediates of a numeric operator: lane numbers.
fn numeric_immediates(op: &Operator<'_>) -> [u64; 2] {
    macro_rules! lane {
        ($($name:ident)*) => {
            match op {
                $(Operator::$name { lane } => [u64::from(*lane), 0],)*
                Operator::I8x16Shuffle { lanes } => {
                    let bits = u128::from_le_bytes(*lanes);
                    [bits as u64, (bits >> 64) as u64]
                }
                _ => [0; 2],
            }
        };
    }
    lane! {
        I8x16ExtractLaneS I8x16ExtractLaneU I16x8ExtractLaneS I16x8ExtractLaneU
        I32x4ExtractLane I64x2ExtractLane F32x4ExtractLane F64x2ExtractLane
        I8x16ReplaceLane I16x8ReplaceLane I32x4ReplaceLane I64x2ReplaceLane
        F32x4ReplaceLane F64x2ReplaceLane
    }
}

/// The memory that an access names.
pub(crate) fn memory_index(memarg: &MemArg) -> u32 {
    match memarg.target {
        MemArgTarget::Memory(index) => index,
        other => unreachable!("validation rejects {other:?}"),
    }
}

/// The type of sizes and indices.
pub(crate) fn index_type(is_64: bool) -> ValType {
    if is_64 { ValType::I64 } else { ValType::I32 }
}
