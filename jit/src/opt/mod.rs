//! The optimizing compiler: SSA form, a list of passes, register allocation, code.
//!
//! It has floors: the form; construction, passes and what makes code, none of which knows another.
//! `optimise` puts them together, and reads as a list with `PASSES`; who looks on while it runs is an
//! `Observer`.
//!
//! What the intermediate form has no words for yet (fuel, processors without vectors, functions
//! beyond a limit) it declines; the baseline compiler, whose frames and calling convention are the same,
//! can take its place.

mod back;
mod checks;
mod clock;
mod construct;
mod form;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod lab;
mod passes;
#[cfg(test)]
mod tests;

use crate::abi::Abi;
use crate::contract::{CompileError, Compiled, Env, MAX_FRAME_BYTES, Stress};
use crate::interruption::Watch;
use crate::masm::{Masm, Target};
use back::alloc::{self, Allocation};
use back::observer::Observer;
use back::select::{self, Selected};
use back::{emit, legalise};
use checks::Checks;
use clock::Clock;
pub use clock::{PassTime, PassTimes};
use construct::Unsupported;
use core::ops::Range;
use form::ir::{Function, Node, Op};
use passes::{dce, fuse, gvn, hoist, idiom, prune, sums, swaps, unroll};
use wasmparser::FunctionBody;
use zwasm_core::FuncType;
use zwasm_core::module::ModuleInfo;

/// Registers of each class with [`Stress::few_registers`].
const FEW_REGISTERS: usize = 5;

/// What passes know besides the function.
struct Setting<'s> {
    target: &'s Target,
    info: &'s ModuleInfo,
    watch: &'s Watch<'s>,
}

/// From the form to the form.
struct Pass {
    name: &'static str,
    run: fn(&mut Function, &Setting<'_>),
}

const fn pass(name: &'static str, run: fn(&mut Function, &Setting<'_>)) -> Pass {
    Pass { name, run }
}

/// In the order in which they run.
const PASSES: &[Pass] = &[
    pass("unrolling", |function, _| unroll::run(function)),
    pass("value numbering", number),
    pass("byte swaps", |function, _| swaps::run(function)),
    pass("removing what is unused", |function, _| dce::run(function)),
    pass("hoisting", |function, on| hoist::run(function, on.target)),
    pass("loops that copy and fill", |function, on| {
        idiom::run(function, on.info);
    }),
    pass("fusing", fuse),
    pass("legalising", |function, on| {
        legalise::run(function, on.target);
    }),
];

fn number(function: &mut Function, on: &Setting<'_>) {
    gvn::run(function, on.watch);
    // What an interruption leaves is good for nothing.
    if !on.watch.is_over() {
        // Folded branches leave blocks that nothing leads to.
        prune::run(function);
    }
}

fn fuse(function: &mut Function, on: &Setting<'_>) {
    fuse::run(function, on.target);
    if on.target.has_sums {
        sums::run(function);
    }
}

/// Compiles a function; adds to `times` what the passes took.
///
/// # Errors
/// [`CompileError::Declined`], for a function that this compiler has no words for or that is beyond a
/// limit, and [`CompileError::Interrupted`].
pub fn compile<M: Masm>(
    env: Env<'_>,
    features: M::Features,
    func: u32,
    body: &FunctionBody<'_>,
    mut times: Option<&mut PassTimes>,
) -> Result<Compiled, CompileError> {
    // What is not supported may be in a callee.
    let mut attempt = |may_inline| {
        let mut observer = (Checks, Clock::start(times.as_deref_mut()));
        optimise::<M>(env, features, func, body, may_inline, &mut observer)
    };
    let optimised = attempt(true).or_else(|reason| match reason {
        Unsupported::Interrupted => Err(reason),
        Unsupported::TooComplex | Unsupported::Operator => attempt(false),
    });
    optimised.map_err(|reason| match reason {
        Unsupported::Interrupted => CompileError::Interrupted,
        Unsupported::TooComplex | Unsupported::Operator => CompileError::Declined,
    })
}

fn optimise<M: Masm>(
    env: Env<'_>,
    features: M::Features,
    func: u32,
    body: &FunctionBody<'_>,
    may_inline: bool,
    observer: &mut dyn Observer,
) -> Result<Compiled, Unsupported> {
    let target = &M::target(features);
    if env.consume_fuel || !target.has_vectors {
        return Err(Unsupported::Operator);
    }
    let setting = Setting {
        target,
        info: env.info,
        watch: &Watch::of(env.interrupt),
    };
    let mut function = construct::construct(env, func, body, may_inline, setting.watch)?;
    observer.pass("construction", &function);
    if !target.has_fused && fuses(&function) {
        return Err(Unsupported::Operator);
    }
    for pass in PASSES {
        (pass.run)(&mut function, &setting);
        check_watch(setting.watch)?;
        observer.pass(pass.name, &function);
    }
    let mut function = if env.stress.no_fold {
        Selected::plain(function)
    } else {
        select::run(function, target, signatures(env.info))
    };
    observer.pass("selection", &function);
    let signature = &env.types[env.info.funcs[func as usize] as usize];
    let machine = alloc::Machine {
        target,
        params: match env.enter_at {
            None => &Abi::of(signature, M::FILE).params,
            Some(_) => &[],
        },
    };
    observer.before_allocation(&function, machine);
    let limits = limits(env.stress);
    let allocation = alloc::allocate(&mut function, machine, limits, setting.watch, observer);
    check_watch(setting.watch)?;
    let allocation = allocation.ok_or(Unsupported::TooComplex)?;
    observer.after_allocation(&function, machine, &allocation);
    let compiled = emit_near_or_far::<M>(env, features, func, signature, &function, &allocation)?;
    observer.step("emission", &function);
    let fits =
        compiled.code.len() <= env.code_limit() as usize && compiled.frame_bytes <= MAX_FRAME_BYTES;
    fits.then_some(compiled).ok_or(Unsupported::TooComplex)
}

/// Where in the context the numbers of types lie that indirect calls name.
fn signatures(info: &ModuleInfo) -> Range<u64> {
    let start = u64::from(info.offsets.called_types);
    start..start + 8 * info.called_types.len() as u64
}

fn check_watch(watch: &Watch<'_>) -> Result<(), Unsupported> {
    match watch.is_over() {
        true => Err(Unsupported::Interrupted),
        false => Ok(()),
    }
}

fn limits(stress: Stress) -> alloc::Limits {
    alloc::Limits {
        registers: stress.few_registers.then_some(FEW_REGISTERS),
        spill_all: stress.spill,
    }
}

/// Emits with branches that reach as far as most functions need, else with those that reach farther.
fn emit_near_or_far<M: Masm>(
    env: Env<'_>,
    features: M::Features,
    func: u32,
    signature: &FuncType,
    function: &Selected,
    allocation: &Allocation,
) -> Result<Compiled, Unsupported> {
    let attempt = |mut masm: M| {
        masm.allocate_rare();
        let options = emit::Options {
            record_operators: env.record_operators,
            callees_return_here: !env.info.leaves_by_tail_call,
            callees_keep_stack: !env.info.has_tail_calls,
            own: env
                .enter_at
                .is_none()
                .then_some(func - env.info.imported_funcs),
            called_types: env.info.offsets.called_types,
        };
        emit::emit(masm, signature, function, allocation, options)
    };
    let near = if env.stress.far_branches {
        None
    } else {
        attempt(M::with_features(features))
    };
    near.or_else(|| attempt(M::with_far_branches(features)))
        .ok_or(Unsupported::TooComplex)
}

/// Reads a form that was dumped, and prints it again, for a test.
///
/// # Errors
/// What is wrong, and in which line.
#[cfg(feature = "lab")]
#[doc(hidden)]
pub fn reprint(form: &str) -> Result<String, String> {
    form::parse::parse(form).map(|function| function.to_string())
}

/// Whether a multiplication and addition is rounded once.
fn fuses(function: &Function) -> bool {
    let is_fused = |node: &Node| matches!(node.op, Op::VecTernary(op) if op.is_fused());
    function.nodes.iter().any(is_fused)
}
