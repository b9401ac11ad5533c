//! Validation of function bodies, on all cores when there is enough of them.

use crate::parallel;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;
use wasmparser::{
    BinaryReaderError, FrameKind, FrameStack, FuncToValidate, FuncValidator,
    FuncValidatorAllocations, FunctionBody, ValType, ValidatorResources, VisitOperator,
    VisitSimdOperator, WasmFeatures,
};
use zwasm_jit::contract::{Scanner, TypeSet, Usage, Usages};

/// Below this many bytes of code, one thread validates faster than two start.
const PARALLEL_THRESHOLD_BYTES: usize = 128 << 10;

/// Functions that a thread claims at a time.
const CHUNK: usize = 64;

/// A body, and what its validation needs.
pub(super) type Body<'a> = (FuncToValidate<ValidatorResources>, FunctionBody<'a>);

/// What validation found in the bodies of a module.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Whether a function may leave the instance by a tail call.
    pub(super) leaves_by_tail_call: bool,
    /// Whether a function has a tail call.
    pub(super) has_tail_calls: bool,
    /// The types that indirect calls name.
    pub(super) called_types: TypeSet,
    /// Of `CHUNK` functions each.
    usages: Vec<Usages>,
}

impl Found {
    /// Of a function, by its index among those with a body; none where bodies were known to be valid.
    pub(crate) fn usage(&self, defined: u32) -> Option<Usage<'_>> {
        let defined = defined as usize;
        let chunk = self.usages.get(defined / CHUNK)?;
        Some(chunk.get(defined % CHUNK))
    }
}

/// What validation finds in a valid body, of a function with these parameters.
///
/// # Errors
/// When it is not valid after all.
pub(crate) fn scan(
    body: &FunctionBody<'_>,
    imported_funcs: u32,
    parameters: &[zwasm_core::ValType],
) -> Result<Usages, BinaryReaderError> {
    use zwasm_core::ValType as Core;
    let is_float = |ty: &Core| matches!(ty, Core::F32 | Core::F64 | Core::V128);
    let mut floats: Vec<bool> = parameters.iter().map(is_float).collect();
    for locals in body.get_locals_reader()? {
        let (count, ty) = locals?;
        let is_float = matches!(ty, ValType::F32 | ValType::F64 | ValType::V128);
        floats.resize(floats.len() + count as usize, is_float);
    }
    let mut scanner = Scanner::new(imported_funcs);
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        operators.visit_operator(&mut scanner)?;
    }
    let mut usages = Usages::default();
    scanner.finish(|local| floats[usize::from(local)], &mut usages);
    Ok(usages)
}

/// Validates function bodies. Of several errors, the one at the lowest offset is reported, so the
/// outcome does not depend on timing.
pub(super) fn validate_bodies(
    bodies: Vec<Body<'_>>,
    threads: Option<usize>,
    features: WasmFeatures,
    imported_funcs: u32,
) -> Result<Found, BinaryReaderError> {
    let total: usize = bodies
        .iter()
        .map(|(_, body)| body.get_binary_reader().bytes_remaining())
        .sum();
    let threads = parallel::threads(threads, 1 + total / PARALLEL_THRESHOLD_BYTES);
    // Chunks are claimed in order, so threads stay busy though bodies differ in size.
    let chunks: Vec<Mutex<(Vec<Body<'_>>, Usages)>> = {
        let mut bodies = bodies.into_iter().peekable();
        let mut chunks = Vec::new();
        while bodies.peek().is_some() {
            let chunk = bodies.by_ref().take(CHUNK).collect();
            chunks.push(Mutex::new((chunk, Usages::default())));
        }
        chunks
    };
    let next = AtomicUsize::new(0);
    let any_leaves = AtomicBool::new(false);
    let any_tail_calls = AtomicBool::new(false);
    let called_types: Mutex<TypeSet> = Mutex::default();
    let first_error: Mutex<Option<BinaryReaderError>> = Mutex::new(None);
    parallel::run(threads, || {
        let mut allocations = FuncValidatorAllocations::default();
        let mut scanner = Scanner::new(imported_funcs);
        while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (bodies, usages) = &mut *chunk.lock().expect("no panic while locked");
            for (func, body) in core::mem::take(bodies) {
                let mut validator = func.into_validator(core::mem::take(&mut allocations));
                match validate_body(&mut validator, &body, features, &mut scanner) {
                    Ok(()) => {}
                    Err(error) => {
                        let mut first = first_error.lock().expect("no panic while locked");
                        if first.as_ref().is_none_or(|f| error.offset() < f.offset()) {
                            *first = Some(error);
                        }
                        return;
                    }
                }
                let is_float = |local: u16| {
                    let ty = validator.get_local_type(local.into());
                    matches!(ty, Some(ValType::F32 | ValType::F64 | ValType::V128))
                };
                scanner.finish(is_float, usages);
                allocations = validator.into_allocations();
            }
        }
        any_leaves.fetch_or(scanner.leaves_by_tail_call(), Ordering::Relaxed);
        any_tail_calls.fetch_or(scanner.has_tail_calls(), Ordering::Relaxed);
        let mut types = called_types.lock().expect("no panic while locked");
        types.extend(scanner.called_types());
    });
    if let Some(error) = first_error.into_inner().expect("no panic while locked") {
        return Err(error);
    }
    let usages = |chunk: Mutex<(Vec<_>, Usages)>| chunk.into_inner().expect("no panic").1;
    Ok(Found {
        leaves_by_tail_call: any_leaves.into_inner(),
        has_tail_calls: any_tail_calls.into_inner(),
        called_types: called_types.into_inner().expect("no panic while locked"),
        usages: chunks.into_iter().map(usages).collect(),
    })
}

fn validate_body(
    validator: &mut FuncValidator<ValidatorResources>,
    body: &FunctionBody<'_>,
    features: WasmFeatures,
    scanner: &mut Scanner,
) -> Result<(), BinaryReaderError> {
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    reader.set_features(features);
    while !reader.eof() {
        let validator = validator.visitor(reader.original_position());
        reader.visit_operator(&mut Both { scanner, validator })??;
    }
    reader.finish_expression(&validator.visitor(reader.original_position()))
}

/// Two visitors, of which the second may fail.
struct Both<'s, V> {
    scanner: &'s mut Scanner,
    validator: V,
}

impl<V: FrameStack> FrameStack for Both<'_, V> {
    fn current_frame(&self) -> Option<FrameKind> {
        self.validator.current_frame()
    }
}

macro_rules! methods {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident
        ($($ann:tt)*))*) => {
        $(
            fn $visit(&mut self, $($($arg: $argty),*)?) -> Self::Output {
                self.scanner.$visit($($($arg.clone()),*)?);
                self.validator.$visit($($($arg),*)?)
            }
        )*
    };
}

#[allow(clippy::clone_on_copy, reason = "not all immediates can be copied")]
impl<'a, V: VisitOperator<'a>> VisitOperator<'a> for Both<'_, V> {
    type Output = V::Output;

    /// Vector operators mean nothing to the scan.
    fn simd_visitor(&mut self) -> Option<&mut dyn VisitSimdOperator<'a, Output = V::Output>> {
        self.validator.simd_visitor()
    }

    wasmparser::for_each_visit_operator!(methods);
}
