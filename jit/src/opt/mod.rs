//! The optimizing compiler: SSA form, a list of passes, register allocation, code.
//!
//! [`compile`] reads as the list. What the intermediate form has no words for yet (fuel,
//! processors without vectors, functions beyond a limit) it declines; the baseline compiler, whose
//! frames and calling convention are the same, can take its place.

mod back;
mod clock;
mod construct;
mod form;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub mod lab;
mod passes;

use crate::abi::Abi;
use crate::contract::{CompileError, Compiled, Env, MAX_FRAME_BYTES};
use crate::interruption::Watch;
use crate::masm::Masm;
use back::select::{self, Selected};
use back::{alloc, emit, legalise};
use clock::Clock;
pub use clock::{PassTime, PassTimes};
use construct::Unsupported;
use form::ir::{Function, Node, Op};
use form::verify;
use passes::{dce, fuse, gvn, hoist, idiom, prune, sums, swaps, unroll};
use wasmparser::FunctionBody;

/// Registers of each class with [`Stress::few_registers`](crate::contract::Stress).
const FEW_REGISTERS: usize = 5;

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
        let clock = Clock::start(times.as_deref_mut());
        optimise::<M>(env, features, func, body, may_inline, clock)
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
    mut clock: Clock<'_>,
) -> Result<Compiled, Unsupported> {
    let target = &M::target(features);
    if env.consume_fuel || !target.has_vectors {
        return Err(Unsupported::Operator);
    }
    let signature = env.types[env.info.funcs[func as usize] as usize].clone();
    let watch = Watch::of(env.interrupt);
    let mut function = construct::construct(env, func, body, may_inline, &watch)?;
    verified(&function, "construction");
    clock.lap("construction", &function);
    // Runs a pass, and checks what it leaves.
    let mut run = |function: &mut Function, name, pass: &dyn Fn(&mut Function)| {
        pass(function);
        if watch.is_over() {
            return Err(Unsupported::Interrupted);
        }
        verified(function, name);
        clock.lap(name, function);
        Ok(())
    };
    if !target.has_fused && fuses(&function) {
        return Err(Unsupported::Operator);
    }
    run(&mut function, "unrolling", &unroll::run)?;
    run(&mut function, "value numbering", &|function| {
        gvn::run(function, &watch);
        if !watch.is_over() {
            // Folded branches leave blocks that nothing leads to.
            prune::run(function);
        }
    })?;
    run(&mut function, "byte swaps", &swaps::run)?;
    run(&mut function, "removing what is unused", &dce::run)?;
    run(&mut function, "hoisting", &|function| {
        hoist::run(function, target)
    })?;
    run(&mut function, "loops that copy and fill", &|function| {
        idiom::run(function, env.info)
    })?;
    run(&mut function, "fusing", &|function| {
        fuse::run(function, target);
        if target.has_sums {
            sums::run(function);
        }
    })?;
    run(&mut function, "legalising", &|function| {
        legalise::run(function, target)
    })?;
    let mut function = if env.stress.no_fold {
        Selected::plain(function)
    } else {
        select::run(function, target)
    };
    clock.lap("selection", &function);
    let limits = alloc::Limits {
        registers: env.stress.few_registers.then_some(FEW_REGISTERS),
        spill_all: env.stress.spill,
    };
    let machine = alloc::Machine {
        target,
        params: &Abi::of(&signature, M::FILE).params,
    };
    #[cfg(feature = "lab")]
    let problem = clock
        .wants_problem()
        .then(|| lab::problem(&function, machine));
    #[cfg(feature = "lab")]
    clock.restart();
    let allocation = alloc::allocate(&mut function, machine, limits, &watch, &mut clock);
    if watch.is_over() {
        return Err(Unsupported::Interrupted);
    }
    let allocation = allocation.ok_or(Unsupported::TooComplex)?;
    #[cfg(feature = "lab")]
    if let Some(mut problem) = problem {
        problem.ours = lab::inserted(&function, machine, &allocation);
        clock.keep_problem(problem);
    }
    if cfg!(debug_assertions)
        && let Err(why) = alloc::check::check(&function, machine, &allocation)
    {
        panic!("register allocation: {why}\n{}", *function);
    }
    let attempt = |mut masm: M| {
        masm.allocate_rare();
        emit::emit(
            masm,
            &signature,
            &function,
            &allocation,
            emit::Options {
                record_operators: env.record_operators,
                callees_return_here: !env.info.leaves_by_tail_call,
                callees_keep_stack: !env.info.has_tail_calls,
                own: func - env.info.imported_funcs,
            },
        )
    };
    let near = if env.stress.far_branches {
        None
    } else {
        attempt(M::with_features(features))
    };
    let compiled = near
        .or_else(|| attempt(M::with_far_branches(features)))
        .ok_or(Unsupported::TooComplex)?;
    clock.lap("emission", &function);
    let fits =
        compiled.code.len() <= env.code_limit() as usize && compiled.frame_bytes <= MAX_FRAME_BYTES;
    fits.then_some(compiled).ok_or(Unsupported::TooComplex)
}

fn verified(function: &Function, pass: &str) {
    if cfg!(debug_assertions) {
        verify::verify(function, pass);
    }
}

/// Whether a multiplication and addition is rounded once.
fn fuses(function: &Function) -> bool {
    let is_fused = |node: &Node| matches!(node.op, Op::VecTernary(op) if op.is_fused());
    function.nodes.iter().any(is_fused)
}
