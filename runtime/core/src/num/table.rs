//! Every numeric operator with its function and types, as macros that hand their rows to another.
//!
//! `for_each_binary!(m)` expands to `m! { I32Add i32_add (i32, i32) -> i32; … }`: the name of the
//! operator in `wasmparser::Operator`, the function in `zwasm_core::num`, the operand types in the
//! order of the function's parameters, the result type. `V128` stands for [`V128`](super::V128) and
//! has to be in scope where the rows are used.
//!
//! The groups partition the numeric operators: each is in exactly one, and a test checks that none
//! is missing.

/// Scalar operators with one operand that cannot trap.
#[macro_export]
macro_rules! for_each_unary {
    ($m:ident) => {
        $m! {
            I32Eqz i32_eqz (i32) -> i32;
            I64Eqz i64_eqz (i64) -> i32;
            I32Clz i32_clz (i32) -> i32;
            I32Ctz i32_ctz (i32) -> i32;
            I32Popcnt i32_popcnt (i32) -> i32;
            I64Clz i64_clz (i64) -> i64;
            I64Ctz i64_ctz (i64) -> i64;
            I64Popcnt i64_popcnt (i64) -> i64;
            F32Abs f32_abs (f32) -> f32;
            F32Neg f32_neg (f32) -> f32;
            F32Ceil f32_ceil (f32) -> f32;
            F32Floor f32_floor (f32) -> f32;
            F32Trunc f32_trunc (f32) -> f32;
            F32Nearest f32_nearest (f32) -> f32;
            F32Sqrt f32_sqrt (f32) -> f32;
            F64Abs f64_abs (f64) -> f64;
            F64Neg f64_neg (f64) -> f64;
            F64Ceil f64_ceil (f64) -> f64;
            F64Floor f64_floor (f64) -> f64;
            F64Trunc f64_trunc (f64) -> f64;
            F64Nearest f64_nearest (f64) -> f64;
            F64Sqrt f64_sqrt (f64) -> f64;
            I32WrapI64 i32_wrap_i64 (i64) -> i32;
            I64ExtendI32S i64_extend_i32_s (i32) -> i64;
            I64ExtendI32U i64_extend_i32_u (i32) -> i64;
            F32ConvertI32S f32_convert_i32_s (i32) -> f32;
            F32ConvertI32U f32_convert_i32_u (i32) -> f32;
            F32ConvertI64S f32_convert_i64_s (i64) -> f32;
            F32ConvertI64U f32_convert_i64_u (i64) -> f32;
            F32DemoteF64 f32_demote_f64 (f64) -> f32;
            F64ConvertI32S f64_convert_i32_s (i32) -> f64;
            F64ConvertI32U f64_convert_i32_u (i32) -> f64;
            F64ConvertI64S f64_convert_i64_s (i64) -> f64;
            F64ConvertI64U f64_convert_i64_u (i64) -> f64;
            F64PromoteF32 f64_promote_f32 (f32) -> f64;
            I32ReinterpretF32 i32_reinterpret_f32 (f32) -> i32;
            I64ReinterpretF64 i64_reinterpret_f64 (f64) -> i64;
            F32ReinterpretI32 f32_reinterpret_i32 (i32) -> f32;
            F64ReinterpretI64 f64_reinterpret_i64 (i64) -> f64;
            I32Extend8S i32_extend8_s (i32) -> i32;
            I32Extend16S i32_extend16_s (i32) -> i32;
            I64Extend8S i64_extend8_s (i64) -> i64;
            I64Extend16S i64_extend16_s (i64) -> i64;
            I64Extend32S i64_extend32_s (i64) -> i64;
            I32TruncSatF32S i32_trunc_sat_f32_s (f32) -> i32;
            I32TruncSatF32U i32_trunc_sat_f32_u (f32) -> i32;
            I32TruncSatF64S i32_trunc_sat_f64_s (f64) -> i32;
            I32TruncSatF64U i32_trunc_sat_f64_u (f64) -> i32;
            I64TruncSatF32S i64_trunc_sat_f32_s (f32) -> i64;
            I64TruncSatF32U i64_trunc_sat_f32_u (f32) -> i64;
            I64TruncSatF64S i64_trunc_sat_f64_s (f64) -> i64;
            I64TruncSatF64U i64_trunc_sat_f64_u (f64) -> i64;
        }
    };
}

/// Scalar operators with one operand whose function returns a `Result`; the row gives the type of `Ok`.
#[macro_export]
macro_rules! for_each_unary_trapping {
    ($m:ident) => {
        $m! {
            I32TruncF32S i32_trunc_f32_s (f32) -> i32;
            I32TruncF32U i32_trunc_f32_u (f32) -> i32;
            I32TruncF64S i32_trunc_f64_s (f64) -> i32;
            I32TruncF64U i32_trunc_f64_u (f64) -> i32;
            I64TruncF32S i64_trunc_f32_s (f32) -> i64;
            I64TruncF32U i64_trunc_f32_u (f32) -> i64;
            I64TruncF64S i64_trunc_f64_s (f64) -> i64;
            I64TruncF64U i64_trunc_f64_u (f64) -> i64;
        }
    };
}

/// Scalar operators with two operands of the result's type that cannot trap.
#[macro_export]
macro_rules! for_each_binary {
    ($m:ident) => {
        $m! {
            I32Add i32_add (i32, i32) -> i32;
            I32Sub i32_sub (i32, i32) -> i32;
            I32Mul i32_mul (i32, i32) -> i32;
            I32And i32_and (i32, i32) -> i32;
            I32Or i32_or (i32, i32) -> i32;
            I32Xor i32_xor (i32, i32) -> i32;
            I32Shl i32_shl (i32, i32) -> i32;
            I32ShrS i32_shr_s (i32, i32) -> i32;
            I32ShrU i32_shr_u (i32, i32) -> i32;
            I32Rotl i32_rotl (i32, i32) -> i32;
            I32Rotr i32_rotr (i32, i32) -> i32;
            I64Add i64_add (i64, i64) -> i64;
            I64Sub i64_sub (i64, i64) -> i64;
            I64Mul i64_mul (i64, i64) -> i64;
            I64And i64_and (i64, i64) -> i64;
            I64Or i64_or (i64, i64) -> i64;
            I64Xor i64_xor (i64, i64) -> i64;
            I64Shl i64_shl (i64, i64) -> i64;
            I64ShrS i64_shr_s (i64, i64) -> i64;
            I64ShrU i64_shr_u (i64, i64) -> i64;
            I64Rotl i64_rotl (i64, i64) -> i64;
            I64Rotr i64_rotr (i64, i64) -> i64;
            F32Add f32_add (f32, f32) -> f32;
            F32Sub f32_sub (f32, f32) -> f32;
            F32Mul f32_mul (f32, f32) -> f32;
            F32Div f32_div (f32, f32) -> f32;
            F32Min f32_min (f32, f32) -> f32;
            F32Max f32_max (f32, f32) -> f32;
            F32Copysign f32_copysign (f32, f32) -> f32;
            F64Add f64_add (f64, f64) -> f64;
            F64Sub f64_sub (f64, f64) -> f64;
            F64Mul f64_mul (f64, f64) -> f64;
            F64Div f64_div (f64, f64) -> f64;
            F64Min f64_min (f64, f64) -> f64;
            F64Max f64_max (f64, f64) -> f64;
            F64Copysign f64_copysign (f64, f64) -> f64;
        }
    };
}

/// Scalar operators with two operands whose function returns a `Result`; the row gives the type of `Ok`.
#[macro_export]
macro_rules! for_each_binary_trapping {
    ($m:ident) => {
        $m! {
            I32DivS i32_div_s (i32, i32) -> i32;
            I32DivU i32_div_u (i32, i32) -> i32;
            I32RemS i32_rem_s (i32, i32) -> i32;
            I32RemU i32_rem_u (i32, i32) -> i32;
            I64DivS i64_div_s (i64, i64) -> i64;
            I64DivU i64_div_u (i64, i64) -> i64;
            I64RemS i64_rem_s (i64, i64) -> i64;
            I64RemU i64_rem_u (i64, i64) -> i64;
        }
    };
}

/// Scalar comparisons: two operands, the result 0 or 1.
#[macro_export]
macro_rules! for_each_compare {
    ($m:ident) => {
        $m! {
            I32Eq i32_eq (i32, i32) -> i32;
            I32Ne i32_ne (i32, i32) -> i32;
            I32LtS i32_lt_s (i32, i32) -> i32;
            I32LtU i32_lt_u (i32, i32) -> i32;
            I32GtS i32_gt_s (i32, i32) -> i32;
            I32GtU i32_gt_u (i32, i32) -> i32;
            I32LeS i32_le_s (i32, i32) -> i32;
            I32LeU i32_le_u (i32, i32) -> i32;
            I32GeS i32_ge_s (i32, i32) -> i32;
            I32GeU i32_ge_u (i32, i32) -> i32;
            I64Eq i64_eq (i64, i64) -> i32;
            I64Ne i64_ne (i64, i64) -> i32;
            I64LtS i64_lt_s (i64, i64) -> i32;
            I64LtU i64_lt_u (i64, i64) -> i32;
            I64GtS i64_gt_s (i64, i64) -> i32;
            I64GtU i64_gt_u (i64, i64) -> i32;
            I64LeS i64_le_s (i64, i64) -> i32;
            I64LeU i64_le_u (i64, i64) -> i32;
            I64GeS i64_ge_s (i64, i64) -> i32;
            I64GeU i64_ge_u (i64, i64) -> i32;
            F32Eq f32_eq (f32, f32) -> i32;
            F32Ne f32_ne (f32, f32) -> i32;
            F32Lt f32_lt (f32, f32) -> i32;
            F32Gt f32_gt (f32, f32) -> i32;
            F32Le f32_le (f32, f32) -> i32;
            F32Ge f32_ge (f32, f32) -> i32;
            F64Eq f64_eq (f64, f64) -> i32;
            F64Ne f64_ne (f64, f64) -> i32;
            F64Lt f64_lt (f64, f64) -> i32;
            F64Gt f64_gt (f64, f64) -> i32;
            F64Le f64_le (f64, f64) -> i32;
            F64Ge f64_ge (f64, f64) -> i32;
        }
    };
}

/// Wide arithmetic: 128-bit values as pairs of `i64`, low half first.
#[macro_export]
macro_rules! for_each_wide {
    ($m:ident) => {
        $m! {
            I64Add128 i64_add128 (i64, i64, i64, i64) -> (i64, i64);
            I64Sub128 i64_sub128 (i64, i64, i64, i64) -> (i64, i64);
            I64MulWideS i64_mul_wide_s (i64, i64) -> (i64, i64);
            I64MulWideU i64_mul_wide_u (i64, i64) -> (i64, i64);
        }
    };
}

/// Vector operators with one vector operand and a vector result.
#[macro_export]
macro_rules! for_each_v128_unary {
    ($m:ident) => {
        $m! {
            V128Not v128_not (V128) -> V128;
            I8x16Abs i8x16_abs (V128) -> V128;
            I8x16Neg i8x16_neg (V128) -> V128;
            I8x16Popcnt i8x16_popcnt (V128) -> V128;
            I16x8ExtAddPairwiseI8x16S i16x8_extadd_pairwise_i8x16_s (V128) -> V128;
            I16x8ExtAddPairwiseI8x16U i16x8_extadd_pairwise_i8x16_u (V128) -> V128;
            I16x8Abs i16x8_abs (V128) -> V128;
            I16x8Neg i16x8_neg (V128) -> V128;
            I16x8ExtendLowI8x16S i16x8_extend_low_i8x16_s (V128) -> V128;
            I16x8ExtendHighI8x16S i16x8_extend_high_i8x16_s (V128) -> V128;
            I16x8ExtendLowI8x16U i16x8_extend_low_i8x16_u (V128) -> V128;
            I16x8ExtendHighI8x16U i16x8_extend_high_i8x16_u (V128) -> V128;
            I32x4ExtAddPairwiseI16x8S i32x4_extadd_pairwise_i16x8_s (V128) -> V128;
            I32x4ExtAddPairwiseI16x8U i32x4_extadd_pairwise_i16x8_u (V128) -> V128;
            I32x4Abs i32x4_abs (V128) -> V128;
            I32x4Neg i32x4_neg (V128) -> V128;
            I32x4ExtendLowI16x8S i32x4_extend_low_i16x8_s (V128) -> V128;
            I32x4ExtendHighI16x8S i32x4_extend_high_i16x8_s (V128) -> V128;
            I32x4ExtendLowI16x8U i32x4_extend_low_i16x8_u (V128) -> V128;
            I32x4ExtendHighI16x8U i32x4_extend_high_i16x8_u (V128) -> V128;
            I64x2Abs i64x2_abs (V128) -> V128;
            I64x2Neg i64x2_neg (V128) -> V128;
            I64x2ExtendLowI32x4S i64x2_extend_low_i32x4_s (V128) -> V128;
            I64x2ExtendHighI32x4S i64x2_extend_high_i32x4_s (V128) -> V128;
            I64x2ExtendLowI32x4U i64x2_extend_low_i32x4_u (V128) -> V128;
            I64x2ExtendHighI32x4U i64x2_extend_high_i32x4_u (V128) -> V128;
            F32x4Ceil f32x4_ceil (V128) -> V128;
            F32x4Floor f32x4_floor (V128) -> V128;
            F32x4Trunc f32x4_trunc (V128) -> V128;
            F32x4Nearest f32x4_nearest (V128) -> V128;
            F32x4Abs f32x4_abs (V128) -> V128;
            F32x4Neg f32x4_neg (V128) -> V128;
            F32x4Sqrt f32x4_sqrt (V128) -> V128;
            F64x2Ceil f64x2_ceil (V128) -> V128;
            F64x2Floor f64x2_floor (V128) -> V128;
            F64x2Trunc f64x2_trunc (V128) -> V128;
            F64x2Nearest f64x2_nearest (V128) -> V128;
            F64x2Abs f64x2_abs (V128) -> V128;
            F64x2Neg f64x2_neg (V128) -> V128;
            F64x2Sqrt f64x2_sqrt (V128) -> V128;
            I32x4TruncSatF32x4S i32x4_trunc_sat_f32x4_s (V128) -> V128;
            I32x4TruncSatF32x4U i32x4_trunc_sat_f32x4_u (V128) -> V128;
            F32x4ConvertI32x4S f32x4_convert_i32x4_s (V128) -> V128;
            F32x4ConvertI32x4U f32x4_convert_i32x4_u (V128) -> V128;
            I32x4TruncSatF64x2SZero i32x4_trunc_sat_f64x2_s_zero (V128) -> V128;
            I32x4TruncSatF64x2UZero i32x4_trunc_sat_f64x2_u_zero (V128) -> V128;
            F64x2ConvertLowI32x4S f64x2_convert_low_i32x4_s (V128) -> V128;
            F64x2ConvertLowI32x4U f64x2_convert_low_i32x4_u (V128) -> V128;
            F32x4DemoteF64x2Zero f32x4_demote_f64x2_zero (V128) -> V128;
            F64x2PromoteLowF32x4 f64x2_promote_low_f32x4 (V128) -> V128;
            I32x4RelaxedTruncF32x4S i32x4_relaxed_trunc_f32x4_s (V128) -> V128;
            I32x4RelaxedTruncF32x4U i32x4_relaxed_trunc_f32x4_u (V128) -> V128;
            I32x4RelaxedTruncF64x2SZero i32x4_relaxed_trunc_f64x2_s_zero (V128) -> V128;
            I32x4RelaxedTruncF64x2UZero i32x4_relaxed_trunc_f64x2_u_zero (V128) -> V128;
        }
    };
}

/// Vector operators with two vector operands and a vector result.
#[macro_export]
macro_rules! for_each_v128_binary {
    ($m:ident) => {
        $m! {
            I8x16Swizzle i8x16_swizzle (V128, V128) -> V128;
            I8x16Eq i8x16_eq (V128, V128) -> V128;
            I8x16Ne i8x16_ne (V128, V128) -> V128;
            I8x16LtS i8x16_lt_s (V128, V128) -> V128;
            I8x16LtU i8x16_lt_u (V128, V128) -> V128;
            I8x16GtS i8x16_gt_s (V128, V128) -> V128;
            I8x16GtU i8x16_gt_u (V128, V128) -> V128;
            I8x16LeS i8x16_le_s (V128, V128) -> V128;
            I8x16LeU i8x16_le_u (V128, V128) -> V128;
            I8x16GeS i8x16_ge_s (V128, V128) -> V128;
            I8x16GeU i8x16_ge_u (V128, V128) -> V128;
            I16x8Eq i16x8_eq (V128, V128) -> V128;
            I16x8Ne i16x8_ne (V128, V128) -> V128;
            I16x8LtS i16x8_lt_s (V128, V128) -> V128;
            I16x8LtU i16x8_lt_u (V128, V128) -> V128;
            I16x8GtS i16x8_gt_s (V128, V128) -> V128;
            I16x8GtU i16x8_gt_u (V128, V128) -> V128;
            I16x8LeS i16x8_le_s (V128, V128) -> V128;
            I16x8LeU i16x8_le_u (V128, V128) -> V128;
            I16x8GeS i16x8_ge_s (V128, V128) -> V128;
            I16x8GeU i16x8_ge_u (V128, V128) -> V128;
            I32x4Eq i32x4_eq (V128, V128) -> V128;
            I32x4Ne i32x4_ne (V128, V128) -> V128;
            I32x4LtS i32x4_lt_s (V128, V128) -> V128;
            I32x4LtU i32x4_lt_u (V128, V128) -> V128;
            I32x4GtS i32x4_gt_s (V128, V128) -> V128;
            I32x4GtU i32x4_gt_u (V128, V128) -> V128;
            I32x4LeS i32x4_le_s (V128, V128) -> V128;
            I32x4LeU i32x4_le_u (V128, V128) -> V128;
            I32x4GeS i32x4_ge_s (V128, V128) -> V128;
            I32x4GeU i32x4_ge_u (V128, V128) -> V128;
            I64x2Eq i64x2_eq (V128, V128) -> V128;
            I64x2Ne i64x2_ne (V128, V128) -> V128;
            I64x2LtS i64x2_lt_s (V128, V128) -> V128;
            I64x2GtS i64x2_gt_s (V128, V128) -> V128;
            I64x2LeS i64x2_le_s (V128, V128) -> V128;
            I64x2GeS i64x2_ge_s (V128, V128) -> V128;
            F32x4Eq f32x4_eq (V128, V128) -> V128;
            F32x4Ne f32x4_ne (V128, V128) -> V128;
            F32x4Lt f32x4_lt (V128, V128) -> V128;
            F32x4Gt f32x4_gt (V128, V128) -> V128;
            F32x4Le f32x4_le (V128, V128) -> V128;
            F32x4Ge f32x4_ge (V128, V128) -> V128;
            F64x2Eq f64x2_eq (V128, V128) -> V128;
            F64x2Ne f64x2_ne (V128, V128) -> V128;
            F64x2Lt f64x2_lt (V128, V128) -> V128;
            F64x2Gt f64x2_gt (V128, V128) -> V128;
            F64x2Le f64x2_le (V128, V128) -> V128;
            F64x2Ge f64x2_ge (V128, V128) -> V128;
            V128And v128_and (V128, V128) -> V128;
            V128AndNot v128_andnot (V128, V128) -> V128;
            V128Or v128_or (V128, V128) -> V128;
            V128Xor v128_xor (V128, V128) -> V128;
            I8x16NarrowI16x8S i8x16_narrow_i16x8_s (V128, V128) -> V128;
            I8x16NarrowI16x8U i8x16_narrow_i16x8_u (V128, V128) -> V128;
            I8x16Add i8x16_add (V128, V128) -> V128;
            I8x16AddSatS i8x16_add_sat_s (V128, V128) -> V128;
            I8x16AddSatU i8x16_add_sat_u (V128, V128) -> V128;
            I8x16Sub i8x16_sub (V128, V128) -> V128;
            I8x16SubSatS i8x16_sub_sat_s (V128, V128) -> V128;
            I8x16SubSatU i8x16_sub_sat_u (V128, V128) -> V128;
            I8x16MinS i8x16_min_s (V128, V128) -> V128;
            I8x16MinU i8x16_min_u (V128, V128) -> V128;
            I8x16MaxS i8x16_max_s (V128, V128) -> V128;
            I8x16MaxU i8x16_max_u (V128, V128) -> V128;
            I8x16AvgrU i8x16_avgr_u (V128, V128) -> V128;
            I16x8Q15MulrSatS i16x8_q15mulr_sat_s (V128, V128) -> V128;
            I16x8NarrowI32x4S i16x8_narrow_i32x4_s (V128, V128) -> V128;
            I16x8NarrowI32x4U i16x8_narrow_i32x4_u (V128, V128) -> V128;
            I16x8Add i16x8_add (V128, V128) -> V128;
            I16x8AddSatS i16x8_add_sat_s (V128, V128) -> V128;
            I16x8AddSatU i16x8_add_sat_u (V128, V128) -> V128;
            I16x8Sub i16x8_sub (V128, V128) -> V128;
            I16x8SubSatS i16x8_sub_sat_s (V128, V128) -> V128;
            I16x8SubSatU i16x8_sub_sat_u (V128, V128) -> V128;
            I16x8Mul i16x8_mul (V128, V128) -> V128;
            I16x8MinS i16x8_min_s (V128, V128) -> V128;
            I16x8MinU i16x8_min_u (V128, V128) -> V128;
            I16x8MaxS i16x8_max_s (V128, V128) -> V128;
            I16x8MaxU i16x8_max_u (V128, V128) -> V128;
            I16x8AvgrU i16x8_avgr_u (V128, V128) -> V128;
            I16x8ExtMulLowI8x16S i16x8_extmul_low_i8x16_s (V128, V128) -> V128;
            I16x8ExtMulHighI8x16S i16x8_extmul_high_i8x16_s (V128, V128) -> V128;
            I16x8ExtMulLowI8x16U i16x8_extmul_low_i8x16_u (V128, V128) -> V128;
            I16x8ExtMulHighI8x16U i16x8_extmul_high_i8x16_u (V128, V128) -> V128;
            I32x4Add i32x4_add (V128, V128) -> V128;
            I32x4Sub i32x4_sub (V128, V128) -> V128;
            I32x4Mul i32x4_mul (V128, V128) -> V128;
            I32x4MinS i32x4_min_s (V128, V128) -> V128;
            I32x4MinU i32x4_min_u (V128, V128) -> V128;
            I32x4MaxS i32x4_max_s (V128, V128) -> V128;
            I32x4MaxU i32x4_max_u (V128, V128) -> V128;
            I32x4DotI16x8S i32x4_dot_i16x8_s (V128, V128) -> V128;
            I32x4ExtMulLowI16x8S i32x4_extmul_low_i16x8_s (V128, V128) -> V128;
            I32x4ExtMulHighI16x8S i32x4_extmul_high_i16x8_s (V128, V128) -> V128;
            I32x4ExtMulLowI16x8U i32x4_extmul_low_i16x8_u (V128, V128) -> V128;
            I32x4ExtMulHighI16x8U i32x4_extmul_high_i16x8_u (V128, V128) -> V128;
            I64x2Add i64x2_add (V128, V128) -> V128;
            I64x2Sub i64x2_sub (V128, V128) -> V128;
            I64x2Mul i64x2_mul (V128, V128) -> V128;
            I64x2ExtMulLowI32x4S i64x2_extmul_low_i32x4_s (V128, V128) -> V128;
            I64x2ExtMulHighI32x4S i64x2_extmul_high_i32x4_s (V128, V128) -> V128;
            I64x2ExtMulLowI32x4U i64x2_extmul_low_i32x4_u (V128, V128) -> V128;
            I64x2ExtMulHighI32x4U i64x2_extmul_high_i32x4_u (V128, V128) -> V128;
            F32x4Add f32x4_add (V128, V128) -> V128;
            F32x4Sub f32x4_sub (V128, V128) -> V128;
            F32x4Mul f32x4_mul (V128, V128) -> V128;
            F32x4Div f32x4_div (V128, V128) -> V128;
            F32x4Min f32x4_min (V128, V128) -> V128;
            F32x4Max f32x4_max (V128, V128) -> V128;
            F32x4PMin f32x4_pmin (V128, V128) -> V128;
            F32x4PMax f32x4_pmax (V128, V128) -> V128;
            F64x2Add f64x2_add (V128, V128) -> V128;
            F64x2Sub f64x2_sub (V128, V128) -> V128;
            F64x2Mul f64x2_mul (V128, V128) -> V128;
            F64x2Div f64x2_div (V128, V128) -> V128;
            F64x2Min f64x2_min (V128, V128) -> V128;
            F64x2Max f64x2_max (V128, V128) -> V128;
            F64x2PMin f64x2_pmin (V128, V128) -> V128;
            F64x2PMax f64x2_pmax (V128, V128) -> V128;
            I8x16RelaxedSwizzle i8x16_relaxed_swizzle (V128, V128) -> V128;
            F32x4RelaxedMin f32x4_relaxed_min (V128, V128) -> V128;
            F32x4RelaxedMax f32x4_relaxed_max (V128, V128) -> V128;
            F64x2RelaxedMin f64x2_relaxed_min (V128, V128) -> V128;
            F64x2RelaxedMax f64x2_relaxed_max (V128, V128) -> V128;
            I16x8RelaxedQ15mulrS i16x8_relaxed_q15mulr_s (V128, V128) -> V128;
            I16x8RelaxedDotI8x16I7x16S i16x8_relaxed_dot_i8x16_i7x16_s (V128, V128) -> V128;
        }
    };
}

/// Vector operators with three vector operands and a vector result.
#[macro_export]
macro_rules! for_each_v128_ternary {
    ($m:ident) => {
        $m! {
            V128Bitselect v128_bitselect (V128, V128, V128) -> V128;
            F32x4RelaxedMadd f32x4_relaxed_madd (V128, V128, V128) -> V128;
            F32x4RelaxedNmadd f32x4_relaxed_nmadd (V128, V128, V128) -> V128;
            F64x2RelaxedMadd f64x2_relaxed_madd (V128, V128, V128) -> V128;
            F64x2RelaxedNmadd f64x2_relaxed_nmadd (V128, V128, V128) -> V128;
            I8x16RelaxedLaneselect i8x16_relaxed_laneselect (V128, V128, V128) -> V128;
            I16x8RelaxedLaneselect i16x8_relaxed_laneselect (V128, V128, V128) -> V128;
            I32x4RelaxedLaneselect i32x4_relaxed_laneselect (V128, V128, V128) -> V128;
            I64x2RelaxedLaneselect i64x2_relaxed_laneselect (V128, V128, V128) -> V128;
            I32x4RelaxedDotI8x16I7x16AddS i32x4_relaxed_dot_i8x16_i7x16_add_s (V128, V128, V128) -> V128;
        }
    };
}

/// Shifts of all lanes by one scalar count.
#[macro_export]
macro_rules! for_each_v128_shift {
    ($m:ident) => {
        $m! {
            I8x16Shl i8x16_shl (V128, i32) -> V128;
            I8x16ShrS i8x16_shr_s (V128, i32) -> V128;
            I8x16ShrU i8x16_shr_u (V128, i32) -> V128;
            I16x8Shl i16x8_shl (V128, i32) -> V128;
            I16x8ShrS i16x8_shr_s (V128, i32) -> V128;
            I16x8ShrU i16x8_shr_u (V128, i32) -> V128;
            I32x4Shl i32x4_shl (V128, i32) -> V128;
            I32x4ShrS i32x4_shr_s (V128, i32) -> V128;
            I32x4ShrU i32x4_shr_u (V128, i32) -> V128;
            I64x2Shl i64x2_shl (V128, i32) -> V128;
            I64x2ShrS i64x2_shr_s (V128, i32) -> V128;
            I64x2ShrU i64x2_shr_u (V128, i32) -> V128;
        }
    };
}

/// Vector operators with a scalar result that is no lane: `any_true`, `all_true`, `bitmask`.
#[macro_export]
macro_rules! for_each_v128_test {
    ($m:ident) => {
        $m! {
            V128AnyTrue v128_any_true (V128) -> i32;
            I8x16AllTrue i8x16_all_true (V128) -> i32;
            I8x16Bitmask i8x16_bitmask (V128) -> i32;
            I16x8AllTrue i16x8_all_true (V128) -> i32;
            I16x8Bitmask i16x8_bitmask (V128) -> i32;
            I32x4AllTrue i32x4_all_true (V128) -> i32;
            I32x4Bitmask i32x4_bitmask (V128) -> i32;
            I64x2AllTrue i64x2_all_true (V128) -> i32;
            I64x2Bitmask i64x2_bitmask (V128) -> i32;
        }
    };
}

/// A scalar copied to all lanes.
#[macro_export]
macro_rules! for_each_v128_splat {
    ($m:ident) => {
        $m! {
            I8x16Splat i8x16_splat (i32) -> V128;
            I16x8Splat i16x8_splat (i32) -> V128;
            I32x4Splat i32x4_splat (i32) -> V128;
            I64x2Splat i64x2_splat (i64) -> V128;
            F32x4Splat f32x4_splat (f32) -> V128;
            F64x2Splat f64x2_splat (f64) -> V128;
        }
    };
}

/// Lane extraction: the vector, then the lane immediate.
#[macro_export]
macro_rules! for_each_v128_extract_lane {
    ($m:ident) => {
        $m! {
            I8x16ExtractLaneS i8x16_extract_lane_s (V128, u8) -> i32;
            I8x16ExtractLaneU i8x16_extract_lane_u (V128, u8) -> i32;
            I16x8ExtractLaneS i16x8_extract_lane_s (V128, u8) -> i32;
            I16x8ExtractLaneU i16x8_extract_lane_u (V128, u8) -> i32;
            I32x4ExtractLane i32x4_extract_lane (V128, u8) -> i32;
            I64x2ExtractLane i64x2_extract_lane (V128, u8) -> i64;
            F32x4ExtractLane f32x4_extract_lane (V128, u8) -> f32;
            F64x2ExtractLane f64x2_extract_lane (V128, u8) -> f64;
        }
    };
}

/// Lane replacement: the vector, the lane immediate, the new value.
#[macro_export]
macro_rules! for_each_v128_replace_lane {
    ($m:ident) => {
        $m! {
            I8x16ReplaceLane i8x16_replace_lane (V128, u8, i32) -> V128;
            I16x8ReplaceLane i16x8_replace_lane (V128, u8, i32) -> V128;
            I32x4ReplaceLane i32x4_replace_lane (V128, u8, i32) -> V128;
            I64x2ReplaceLane i64x2_replace_lane (V128, u8, i64) -> V128;
            F32x4ReplaceLane f32x4_replace_lane (V128, u8, f32) -> V128;
            F64x2ReplaceLane f64x2_replace_lane (V128, u8, f64) -> V128;
        }
    };
}

/// The one operator with sixteen lane immediates.
#[macro_export]
macro_rules! for_each_v128_shuffle {
    ($m:ident) => {
        $m! {
            I8x16Shuffle i8x16_shuffle (V128, V128, [u8; 16]) -> V128;
        }
    };
}

/// Loads of eight bytes that widen each lane: the function takes the bytes read.
#[macro_export]
macro_rules! for_each_v128_load_extend {
    ($m:ident) => {
        $m! {
            V128Load8x8S v128_load8x8_s (u64) -> V128;
            V128Load8x8U v128_load8x8_u (u64) -> V128;
            V128Load16x4S v128_load16x4_s (u64) -> V128;
            V128Load16x4U v128_load16x4_u (u64) -> V128;
            V128Load32x2S v128_load32x2_s (u64) -> V128;
            V128Load32x2U v128_load32x2_u (u64) -> V128;
        }
    };
}

/// Loads of one lane that copy it to all lanes: the function takes the value read.
#[macro_export]
macro_rules! for_each_v128_load_splat {
    ($m:ident) => {
        $m! {
            V128Load8Splat v128_load8_splat (u8) -> V128;
            V128Load16Splat v128_load16_splat (u16) -> V128;
            V128Load32Splat v128_load32_splat (u32) -> V128;
            V128Load64Splat v128_load64_splat (u64) -> V128;
        }
    };
}

/// Loads of one lane that clear the others: the function takes the value read.
#[macro_export]
macro_rules! for_each_v128_load_zero {
    ($m:ident) => {
        $m! {
            V128Load32Zero v128_load32_zero (u32) -> V128;
            V128Load64Zero v128_load64_zero (u64) -> V128;
        }
    };
}

/// Loads into one lane of a vector: the vector, the lane immediate, the value read.
#[macro_export]
macro_rules! for_each_v128_load_lane {
    ($m:ident) => {
        $m! {
            V128Load8Lane v128_load8_lane (V128, u8, u8) -> V128;
            V128Load16Lane v128_load16_lane (V128, u8, u16) -> V128;
            V128Load32Lane v128_load32_lane (V128, u8, u32) -> V128;
            V128Load64Lane v128_load64_lane (V128, u8, u64) -> V128;
        }
    };
}

/// Stores of one lane: the function returns the value to write.
#[macro_export]
macro_rules! for_each_v128_store_lane {
    ($m:ident) => {
        $m! {
            V128Store8Lane v128_store8_lane (V128, u8) -> u8;
            V128Store16Lane v128_store16_lane (V128, u8) -> u16;
            V128Store32Lane v128_store32_lane (V128, u8) -> u32;
            V128Store64Lane v128_store64_lane (V128, u8) -> u64;
        }
    };
}
