//! From operators to what compiles them: the compiler as a visitor of reachable code.
//!
//! Operators of one byte, which make up nearly all code, go straight from the decoder to a method;
//! no value is made of them. The others, and rare ones, arrive as an [`Operator`].

use super::{Compiler, Next};
use crate::masm::{
    AluOp, Cond, DivOp, FloatCond, FloatOp, FloatPart, FloatUnary, FloatWidth, FromInt, IntUnary,
    LoadOp as L, Masm, StoreOp as S, Width,
};
use wasmparser::{
    BlockType, BrTable, Ieee32, Ieee64, MemArg, Operator, VisitOperator, VisitSimdOperator,
};
use zwasm_core::ValType;

const W32: Width = Width::W32;
const W64: Width = Width::W64;
const F32: FloatWidth = FloatWidth::F32;
const F64: FloatWidth = FloatWidth::F64;

/// An operator without immediates whose result the next operator may take.
macro_rules! numeric {
    ($visit:ident $method:ident($($arg:expr),*)) => {
        fn $visit(&mut self) {
            let next = self.next_behind(0);
            self.$method($($arg,)* next);
        }
    };
}

/// As `numeric`, for processors with such an instruction.
macro_rules! rounding {
    ($visit:ident $op:ident $method:ident($($arg:expr),*)) => {
        fn $visit(&mut self) {
            let next = self.next_behind(0);
            if self.target.has_vectors {
                self.$method($($arg,)* next);
            } else {
                self.operator(&Operator::$op, next);
            }
        }
    };
}

macro_rules! load {
    ($visit:ident $method:ident($($arg:expr),*)) => {
        fn $visit(&mut self, memarg: MemArg) {
            let next = self.next_behind_memarg();
            self.$method($($arg,)* &memarg, next);
        }
    };
}

macro_rules! store {
    ($visit:ident $method:ident($($arg:expr),*)) => {
        fn $visit(&mut self, memarg: MemArg) {
            self.$method($($arg,)* &memarg);
        }
    };
}

/// The visitor's method for an operator: the table of what each does, and the rest.
macro_rules! method {
    (I32Add $v:ident) => { numeric!($v alu(AluOp::Add, W32)); };
    (I32Sub $v:ident) => { numeric!($v alu(AluOp::Sub, W32)); };
    (I32Mul $v:ident) => { numeric!($v alu(AluOp::Mul, W32)); };
    (I32And $v:ident) => { numeric!($v alu(AluOp::And, W32)); };
    (I32Or $v:ident) => { numeric!($v alu(AluOp::Or, W32)); };
    (I32Xor $v:ident) => { numeric!($v alu(AluOp::Xor, W32)); };
    (I32Shl $v:ident) => { numeric!($v alu(AluOp::Shl, W32)); };
    (I32ShrS $v:ident) => { numeric!($v alu(AluOp::ShrS, W32)); };
    (I32ShrU $v:ident) => { numeric!($v alu(AluOp::ShrU, W32)); };
    (I32Rotl $v:ident) => { numeric!($v alu(AluOp::Rotl, W32)); };
    (I32Rotr $v:ident) => { numeric!($v alu(AluOp::Rotr, W32)); };
    (I64Add $v:ident) => { numeric!($v alu(AluOp::Add, W64)); };
    (I64Sub $v:ident) => { numeric!($v alu(AluOp::Sub, W64)); };
    (I64Mul $v:ident) => { numeric!($v alu(AluOp::Mul, W64)); };
    (I64And $v:ident) => { numeric!($v alu(AluOp::And, W64)); };
    (I64Or $v:ident) => { numeric!($v alu(AluOp::Or, W64)); };
    (I64Xor $v:ident) => { numeric!($v alu(AluOp::Xor, W64)); };
    (I64Shl $v:ident) => { numeric!($v alu(AluOp::Shl, W64)); };
    (I64ShrS $v:ident) => { numeric!($v alu(AluOp::ShrS, W64)); };
    (I64ShrU $v:ident) => { numeric!($v alu(AluOp::ShrU, W64)); };
    (I64Rotl $v:ident) => { numeric!($v alu(AluOp::Rotl, W64)); };
    (I64Rotr $v:ident) => { numeric!($v alu(AluOp::Rotr, W64)); };
    (I32DivS $v:ident) => { numeric!($v div(DivOp::DivS, W32)); };
    (I32DivU $v:ident) => { numeric!($v div(DivOp::DivU, W32)); };
    (I32RemS $v:ident) => { numeric!($v div(DivOp::RemS, W32)); };
    (I32RemU $v:ident) => { numeric!($v div(DivOp::RemU, W32)); };
    (I64DivS $v:ident) => { numeric!($v div(DivOp::DivS, W64)); };
    (I64DivU $v:ident) => { numeric!($v div(DivOp::DivU, W64)); };
    (I64RemS $v:ident) => { numeric!($v div(DivOp::RemS, W64)); };
    (I64RemU $v:ident) => { numeric!($v div(DivOp::RemU, W64)); };
    (I32Clz $v:ident) => { numeric!($v int_unary(IntUnary::Clz, W32)); };
    (I32Ctz $v:ident) => { numeric!($v int_unary(IntUnary::Ctz, W32)); };
    (I32Popcnt $v:ident) => { numeric!($v int_unary(IntUnary::Popcnt, W32)); };
    (I32Extend8S $v:ident) => { numeric!($v int_unary(IntUnary::Extend8S, W32)); };
    (I32Extend16S $v:ident) => { numeric!($v int_unary(IntUnary::Extend16S, W32)); };
    (I64Clz $v:ident) => { numeric!($v int_unary(IntUnary::Clz, W64)); };
    (I64Ctz $v:ident) => { numeric!($v int_unary(IntUnary::Ctz, W64)); };
    (I64Popcnt $v:ident) => { numeric!($v int_unary(IntUnary::Popcnt, W64)); };
    (I64Extend8S $v:ident) => { numeric!($v int_unary(IntUnary::Extend8S, W64)); };
    (I64Extend16S $v:ident) => { numeric!($v int_unary(IntUnary::Extend16S, W64)); };
    (I64Extend32S $v:ident) => { numeric!($v int_unary(IntUnary::Extend32S, W64)); };
    (I64ExtendI32S $v:ident) => { numeric!($v int_unary(IntUnary::Extend32S, W64)); };
    (I64ExtendI32U $v:ident) => { numeric!($v extend_unsigned()); };
    (I32WrapI64 $v:ident) => { numeric!($v int_unary(IntUnary::Wrap, W32)); };
    (I32Eqz $v:ident) => { numeric!($v i32_eqz()); };
    (I32Eq $v:ident) => { numeric!($v compare(Cond::Eq, W32)); };
    (I32Ne $v:ident) => { numeric!($v compare(Cond::Ne, W32)); };
    (I32LtS $v:ident) => { numeric!($v compare(Cond::LtS, W32)); };
    (I32LtU $v:ident) => { numeric!($v compare(Cond::LtU, W32)); };
    (I32GtS $v:ident) => { numeric!($v compare(Cond::GtS, W32)); };
    (I32GtU $v:ident) => { numeric!($v compare(Cond::GtU, W32)); };
    (I32LeS $v:ident) => { numeric!($v compare(Cond::LeS, W32)); };
    (I32LeU $v:ident) => { numeric!($v compare(Cond::LeU, W32)); };
    (I32GeS $v:ident) => { numeric!($v compare(Cond::GeS, W32)); };
    (I32GeU $v:ident) => { numeric!($v compare(Cond::GeU, W32)); };
    (I64Eq $v:ident) => { numeric!($v compare(Cond::Eq, W64)); };
    (I64Ne $v:ident) => { numeric!($v compare(Cond::Ne, W64)); };
    (I64LtS $v:ident) => { numeric!($v compare(Cond::LtS, W64)); };
    (I64LtU $v:ident) => { numeric!($v compare(Cond::LtU, W64)); };
    (I64GtS $v:ident) => { numeric!($v compare(Cond::GtS, W64)); };
    (I64GtU $v:ident) => { numeric!($v compare(Cond::GtU, W64)); };
    (I64LeS $v:ident) => { numeric!($v compare(Cond::LeS, W64)); };
    (I64LeU $v:ident) => { numeric!($v compare(Cond::LeU, W64)); };
    (I64GeS $v:ident) => { numeric!($v compare(Cond::GeS, W64)); };
    (I64GeU $v:ident) => { numeric!($v compare(Cond::GeU, W64)); };
    (F32Eq $v:ident) => { numeric!($v float_compare(FloatCond::Eq, F32)); };
    (F32Ne $v:ident) => { numeric!($v float_compare(FloatCond::Ne, F32)); };
    (F32Lt $v:ident) => { numeric!($v float_compare(FloatCond::Lt, F32)); };
    (F32Gt $v:ident) => { numeric!($v float_compare(FloatCond::Gt, F32)); };
    (F32Le $v:ident) => { numeric!($v float_compare(FloatCond::Le, F32)); };
    (F32Ge $v:ident) => { numeric!($v float_compare(FloatCond::Ge, F32)); };
    (F64Eq $v:ident) => { numeric!($v float_compare(FloatCond::Eq, F64)); };
    (F64Ne $v:ident) => { numeric!($v float_compare(FloatCond::Ne, F64)); };
    (F64Lt $v:ident) => { numeric!($v float_compare(FloatCond::Lt, F64)); };
    (F64Gt $v:ident) => { numeric!($v float_compare(FloatCond::Gt, F64)); };
    (F64Le $v:ident) => { numeric!($v float_compare(FloatCond::Le, F64)); };
    (F64Ge $v:ident) => { numeric!($v float_compare(FloatCond::Ge, F64)); };
    (F32Add $v:ident) => { numeric!($v float(FloatOp::Add, F32)); };
    (F32Sub $v:ident) => { numeric!($v float(FloatOp::Sub, F32)); };
    (F32Mul $v:ident) => { numeric!($v float(FloatOp::Mul, F32)); };
    (F32Div $v:ident) => { numeric!($v float(FloatOp::Div, F32)); };
    (F32Min $v:ident) => { numeric!($v float(FloatOp::Min, F32)); };
    (F32Max $v:ident) => { numeric!($v float(FloatOp::Max, F32)); };
    (F32Copysign $v:ident) => { numeric!($v float(FloatOp::Copysign, F32)); };
    (F64Add $v:ident) => { numeric!($v float(FloatOp::Add, F64)); };
    (F64Sub $v:ident) => { numeric!($v float(FloatOp::Sub, F64)); };
    (F64Mul $v:ident) => { numeric!($v float(FloatOp::Mul, F64)); };
    (F64Div $v:ident) => { numeric!($v float(FloatOp::Div, F64)); };
    (F64Min $v:ident) => { numeric!($v float(FloatOp::Min, F64)); };
    (F64Max $v:ident) => { numeric!($v float(FloatOp::Max, F64)); };
    (F64Copysign $v:ident) => { numeric!($v float(FloatOp::Copysign, F64)); };
    (F32Abs $v:ident) => { numeric!($v float_unary(FloatUnary::Abs, F32)); };
    (F32Neg $v:ident) => { numeric!($v float_unary(FloatUnary::Neg, F32)); };
    (F32Sqrt $v:ident) => { numeric!($v float_unary(FloatUnary::Sqrt, F32)); };
    (F32Ceil $v:ident) => { rounding!($v F32Ceil float_unary(FloatUnary::Ceil, F32)); };
    (F32Floor $v:ident) => { rounding!($v F32Floor float_unary(FloatUnary::Floor, F32)); };
    (F32Trunc $v:ident) => { rounding!($v F32Trunc float_unary(FloatUnary::Trunc, F32)); };
    (F32Nearest $v:ident) => { rounding!($v F32Nearest float_unary(FloatUnary::Nearest, F32)); };
    (F64Abs $v:ident) => { numeric!($v float_unary(FloatUnary::Abs, F64)); };
    (F64Neg $v:ident) => { numeric!($v float_unary(FloatUnary::Neg, F64)); };
    (F64Sqrt $v:ident) => { numeric!($v float_unary(FloatUnary::Sqrt, F64)); };
    (F64Ceil $v:ident) => { rounding!($v F64Ceil float_unary(FloatUnary::Ceil, F64)); };
    (F64Floor $v:ident) => { rounding!($v F64Floor float_unary(FloatUnary::Floor, F64)); };
    (F64Trunc $v:ident) => { rounding!($v F64Trunc float_unary(FloatUnary::Trunc, F64)); };
    (F64Nearest $v:ident) => { rounding!($v F64Nearest float_unary(FloatUnary::Nearest, F64)); };
    (F32ConvertI32S $v:ident) => { numeric!($v int_to_float(FromInt::I32S, F32)); };
    (F32ConvertI32U $v:ident) => { numeric!($v int_to_float(FromInt::I32U, F32)); };
    (F32ConvertI64S $v:ident) => { numeric!($v int_to_float(FromInt::I64S, F32)); };
    (F32ConvertI64U $v:ident) => { numeric!($v int_to_float(FromInt::I64U, F32)); };
    (F64ConvertI32S $v:ident) => { numeric!($v int_to_float(FromInt::I32S, F64)); };
    (F64ConvertI32U $v:ident) => { numeric!($v int_to_float(FromInt::I32U, F64)); };
    (F64ConvertI64S $v:ident) => { numeric!($v int_to_float(FromInt::I64S, F64)); };
    (F64ConvertI64U $v:ident) => { numeric!($v int_to_float(FromInt::I64U, F64)); };
    (F32DemoteF64 $v:ident) => { numeric!($v float_convert(F32)); };
    (F64PromoteF32 $v:ident) => { numeric!($v float_convert(F64)); };
    (I32ReinterpretF32 $v:ident) => { numeric!($v float_bits(ValType::I32, F32)); };
    (I64ReinterpretF64 $v:ident) => { numeric!($v float_bits(ValType::I64, F64)); };
    (F32ReinterpretI32 $v:ident) => { numeric!($v bits_float(ValType::F32, F32)); };
    (F64ReinterpretI64 $v:ident) => { numeric!($v bits_float(ValType::F64, F64)); };
    (I32Load $v:ident $($rest:tt)*) => { load!($v load(L::U32, ValType::I32)); };
    (I32Load8U $v:ident $($rest:tt)*) => { load!($v load(L::U8, ValType::I32)); };
    (I32Load16U $v:ident $($rest:tt)*) => { load!($v load(L::U16, ValType::I32)); };
    (I32Load8S $v:ident $($rest:tt)*) => { load!($v load(L::S8To32, ValType::I32)); };
    (I32Load16S $v:ident $($rest:tt)*) => { load!($v load(L::S16To32, ValType::I32)); };
    (I64Load $v:ident $($rest:tt)*) => { load!($v load(L::U64, ValType::I64)); };
    (I64Load8U $v:ident $($rest:tt)*) => { load!($v load(L::U8, ValType::I64)); };
    (I64Load16U $v:ident $($rest:tt)*) => { load!($v load(L::U16, ValType::I64)); };
    (I64Load32U $v:ident $($rest:tt)*) => { load!($v load(L::U32, ValType::I64)); };
    (I64Load8S $v:ident $($rest:tt)*) => { load!($v load(L::S8To64, ValType::I64)); };
    (I64Load16S $v:ident $($rest:tt)*) => { load!($v load(L::S16To64, ValType::I64)); };
    (I64Load32S $v:ident $($rest:tt)*) => { load!($v load(L::S32To64, ValType::I64)); };
    (F32Load $v:ident $($rest:tt)*) => { load!($v float_load(ValType::F32)); };
    (F64Load $v:ident $($rest:tt)*) => { load!($v float_load(ValType::F64)); };
    (I32Store $v:ident $($rest:tt)*) => { store!($v store(S::B4)); };
    (I64Store32 $v:ident $($rest:tt)*) => { store!($v store(S::B4)); };
    (I64Store $v:ident $($rest:tt)*) => { store!($v store(S::B8)); };
    (I32Store8 $v:ident $($rest:tt)*) => { store!($v store(S::B1)); };
    (I64Store8 $v:ident $($rest:tt)*) => { store!($v store(S::B1)); };
    (I32Store16 $v:ident $($rest:tt)*) => { store!($v store(S::B2)); };
    (I64Store16 $v:ident $($rest:tt)*) => { store!($v store(S::B2)); };
    (F32Store $v:ident $($rest:tt)*) => { store!($v float_store(FloatPart::F32)); };
    (F64Store $v:ident $($rest:tt)*) => { store!($v float_store(FloatPart::F64)); };
    (I64Eqz $v:ident) => {
        fn $v(&mut self) {
            let next = self.next_behind(0);
            self.push_const(ValType::I64, 0);
            self.compare(Cond::Eq, W64, next);
        }
    };
    (I32Const $v:ident $($rest:tt)*) => {
        fn $v(&mut self, value: i32) { self.push_const(ValType::I32, u64::from(value as u32)); }
    };
    (I64Const $v:ident $($rest:tt)*) => {
        fn $v(&mut self, value: i64) { self.push_const(ValType::I64, value as u64); }
    };
    (F32Const $v:ident $($rest:tt)*) => {
        fn $v(&mut self, value: Ieee32) { self.push_const(ValType::F32, value.bits().into()); }
    };
    (F64Const $v:ident $($rest:tt)*) => {
        fn $v(&mut self, value: Ieee64) { self.push_const(ValType::F64, value.bits()); }
    };
    (LocalGet $v:ident $($rest:tt)*) => {
        fn $v(&mut self, local: u32) { self.local_get(local); }
    };
    (LocalSet $v:ident $($rest:tt)*) => {
        fn $v(&mut self, local: u32) { self.local_set(local); }
    };
    (LocalTee $v:ident $($rest:tt)*) => {
        fn $v(&mut self, local: u32) {
            self.local_set(local);
            self.local_get(local);
        }
    };
    (GlobalGet $v:ident $($rest:tt)*) => {
        fn $v(&mut self, global: u32) {
            let next = self.next_behind(1);
            self.global_get(global, next);
        }
    };
    (GlobalSet $v:ident $($rest:tt)*) => {
        fn $v(&mut self, global: u32) { self.global_set(global); }
    };
    (MemorySize $v:ident $($rest:tt)*) => {
        fn $v(&mut self, memory: u32) {
            let next = self.next_behind(1);
            self.memory_size(memory, next);
        }
    };
    (RefFunc $v:ident $($rest:tt)*) => {
        fn $v(&mut self, func: u32) {
            let next = self.next_behind(1);
            self.ref_func(func, next);
        }
    };
    (Nop $v:ident) => { fn $v(&mut self) {} };
    (Drop $v:ident) => { fn $v(&mut self) { self.drop_value(); } };
    (Select $v:ident) => { fn $v(&mut self) { self.untyped_select(); } };
    (Block $v:ident $($rest:tt)*) => { fn $v(&mut self, ty: BlockType) { self.block(ty); } };
    (Loop $v:ident $($rest:tt)*) => {
        fn $v(&mut self, ty: BlockType) {
            self.fill_loop();
            self.loop_(ty);
        }
    };
    (If $v:ident $($rest:tt)*) => { fn $v(&mut self, ty: BlockType) { self.if_(ty); } };
    (Else $v:ident) => { fn $v(&mut self) { self.else_(); } };
    (End $v:ident) => { fn $v(&mut self) { self.end(); } };
    (Br $v:ident $($rest:tt)*) => { fn $v(&mut self, depth: u32) { self.br(depth); } };
    (BrIf $v:ident $($rest:tt)*) => { fn $v(&mut self, depth: u32) { self.br_if(depth); } };
    (BrTable $v:ident $($rest:tt)*) => {
        fn $v(&mut self, targets: BrTable<'a>) { self.br_table(&targets); }
    };
    (Return $v:ident) => { fn $v(&mut self) { self.return_operator(); } };
    (Call $v:ident $($rest:tt)*) => { fn $v(&mut self, func: u32) { self.call(func); } };
    (CallIndirect $v:ident $($rest:tt)*) => {
        fn $v(&mut self, ty: u32, table: u32) { self.call_indirect(ty, table); }
    };
    ($op:ident $v:ident) => {
        fn $v(&mut self) {
            let next = self.next_behind(0);
            self.operator(&Operator::$op, next);
        }
    };
    ($op:ident $v:ident $($arg:ident $argty:ty),+) => {
        fn $v(&mut self, $($arg: $argty),+) {
            self.operator(&Operator::$op { $($arg),+ }, Next::Other);
        }
    };
}

macro_rules! methods {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident
        ($($ann:tt)*))*) => {
        $(method!($op $visit $($($arg $argty),*)?);)*
    };
}

impl<'a, M: Masm> VisitOperator<'a> for Compiler<'_, M> {
    type Output = ();

    // They have a prefix, so that none is visited: methods for them, and their tables, would be large.
    fn simd_visitor(&mut self) -> Option<&mut dyn VisitSimdOperator<'a, Output = ()>> {
        None
    }

    wasmparser::for_each_visit_operator!(methods);
}

impl<M: Masm> Compiler<'_, M> {
    /// What the operator behind the one that is visited does with its result, given the number of
    /// that one's immediates.
    fn next_behind(&self, immediates: usize) -> Next {
        let mut rest = self.behind_opcode;
        for _ in 0..immediates {
            rest = behind_leb(rest);
        }
        self.next(rest)
    }

    /// The same of an access to memory.
    fn next_behind_memarg(&self) -> Next {
        const NAMES_MEMORY: u8 = 0x40;
        let alignment = self.behind_opcode.first().copied().unwrap_or(0);
        self.next_behind(2 + usize::from(alignment & NAMES_MEMORY != 0))
    }
}

/// The bytes behind a number in LEB128.
fn behind_leb(bytes: &[u8]) -> &[u8] {
    const CONTINUES: u8 = 0x80;
    let last = bytes.iter().position(|byte| byte & CONTINUES == 0);
    last.map_or(&[], |last| &bytes[last + 1..])
}
