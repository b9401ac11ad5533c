//! Register allocation on SSA form.
//!
//! Values are given registers in the order of their weight: how often they are defined and used,
//! loops counted, per position at which they are live. A value that finds no register free for all
//! of its life is *spilled*: it is stored once, where it is defined, and its uses read it again by
//! [`Op::Reload`] nodes, which are values like others and are allocated in the next round ([`spill`]).
//! Operands of calls, of returns and of edges are read from where they are and need no register.
//!
//! Every value has one place for its whole life, and never a register shared with another that is
//! live: [`check`] replays that.

mod bundle;
pub(crate) mod check;
mod fixed;
pub(crate) mod live;
mod loops;
mod pads;
mod round;
mod scan;
mod slots;
mod spill;
mod taken;

use super::observer::Observer;
use super::unlikely::Unlikely;
use crate::abi::Place;
use crate::interruption::Watch;
use crate::masm::{Fpr, Gpr, Target};
use crate::opt::back::select::Selected;
use crate::opt::form::ir::{Op, Value};
use bundle::Pairs;
pub(crate) use fixed::clobbers;
use live::{Graph, Positions};
use loops::CallFreeLoops;
use round::Round;
#[cfg(feature = "lab")]
pub(in crate::opt) use round::in_place;
use scan::{Registers, Start};
use spill::Spill;

/// Where a value is during its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    /// It needs none, or is spilled.
    None,
    Gpr(Gpr),
    Fpr(Fpr),
}

/// The outcome.
#[derive(Debug)]
pub(crate) struct Allocation {
    /// Register of each value.
    pub(crate) homes: Vec<Home>,
    /// First frame slot of each spilled value.
    pub(crate) slots: Vec<Option<u32>>,
    pub(crate) slot_count: u32,
    /// The registers of the caller that are used, by callees that do not return too.
    pub(crate) saved: Vec<Gpr>,
}

/// What the allocator is to know of the instruction set, and of the function.
#[derive(Clone, Copy)]
pub(crate) struct Machine<'m> {
    pub(crate) target: &'m Target,
    /// Where the function's parameters arrive.
    pub(crate) params: &'m [Place],
}

/// What restricts the allocator, in tests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// Only this many registers of each class.
    pub(crate) registers: Option<usize>,
    /// Spill everything that can be spilled.
    pub(crate) spill_all: bool,
}

/// Rounds after which a function is left to the baseline compiler; a handful is usual.
const ROUNDS_MAX: u32 = 32;

/// Of functions with more values than this, those that find no register after so many rounds are
/// reloaded for each use: a round takes long, and each of them finds less.
const MANY_VALUES: usize = 1 << 16;
const PATIENT_ROUNDS: u32 = 4;

/// Allocates; adds reloads to the function. `None` when it does not come to an end, or is to be at one.
pub(crate) fn allocate(
    function: &mut Selected,
    machine: Machine<'_>,
    limits: Limits,
    watch: &Watch<'_>,
    observer: &mut dyn Observer,
) -> Option<Allocation> {
    let mut spills = vec![Spill::No; function.nodes.len()];
    let mut loops = None;
    if limits.spill_all {
        let all: Vec<Value> = spill::spillable(function);
        for &value in &all {
            spills[value.0 as usize] = Spill::PerUse;
        }
        let loops = loops.get_or_insert_with(|| CallFreeLoops::of(function));
        spill::rewrite(function, &mut spills, &all, machine, loops);
    }
    let fixed = Fixed {
        machine,
        registers: Registers::of(machine.target.file, limits),
        graph: Graph::of(function),
        pairs: Pairs::of(function),
        wishes: fixed::wishes(function, machine),
        unlikely: Unlikely::of(function),
    };
    if function.catches {
        let positions = Positions::of(function);
        let start = Start::of(function, &positions, &spills, &fixed);
        let mut caught = pads::live_in(function, &positions, &start.live);
        caught.retain(|value| spills[value.0 as usize] == Spill::No);
        if !caught.is_empty() {
            for &value in &caught {
                spills[value.0 as usize] = Spill::PerStretch;
            }
            pads::spill_between(function, &fixed.unlikely, &mut spills, &mut caught);
            let loops = loops.get_or_insert_with(|| CallFreeLoops::of(function));
            spill::rewrite(function, &mut spills, &caught, machine, loops);
        }
        observer.step("landing pads", function);
    }
    // What the round before placed.
    let mut placed = Vec::new();
    for round_number in 0..ROUNDS_MAX {
        let positions = Positions::of(function);
        let start = Start::of(function, &positions, &spills, &fixed);
        observer.step("live ranges", function);
        if watch.is_over() {
            return None;
        }
        let size = (function.nodes.len(), positions.end());
        let mut round = Round::new(&start, &fixed.registers, size, watch);
        let mut failed = Vec::new();
        if placed.is_empty() || !round.fit(function, &spills, &placed) {
            round = Round::new(&start, &fixed.registers, size, watch);
            failed = round.run(function, &spills, &fixed);
        }
        observer.step("placing", function);
        if watch.is_over() {
            return None;
        }
        if failed.is_empty() {
            let homes: Vec<Home> = round.homes().collect();
            let (slots, slot_count) = slots::assign(function, &fixed, &positions, &start, &spills);
            observer.step("slots", function);
            // At a landing pad, registers hold what the callee left there.
            let catches = function.catches;
            let used = |gpr: &&Gpr| catches || homes.contains(&Home::Gpr(**gpr));
            let saved = machine
                .target
                .file
                .saved
                .iter()
                .filter(used)
                .copied()
                .collect();
            return Some(Allocation {
                homes,
                slots,
                slot_count,
                saved,
            });
        }
        placed = round.into_placed();
        let is_patient = round_number < PATIENT_ROUNDS || function.nodes.len() < MANY_VALUES;
        for &value in &failed {
            let spill = &mut spills[value.0 as usize];
            *spill = match (*spill, function[value].op) {
                _ if !is_patient => Spill::PerUse,
                (Spill::No, Op::Reload) => Spill::PerWindow,
                (Spill::No, _) => Spill::PerStretch,
                (Spill::PerStretch, _) => Spill::PerWindow,
                _ => Spill::PerUse,
            };
        }
        let loops = loops.get_or_insert_with(|| CallFreeLoops::of(function));
        spill::rewrite(function, &mut spills, &failed, machine, loops);
        observer.step("spilling", function);
    }
    None
}

/// What stays the same from round to round: reloads change neither calls nor edges.
struct Fixed<'m> {
    machine: Machine<'m>,
    registers: Registers,
    graph: Graph,
    /// Parameters of blocks and their arguments.
    pairs: Pairs,
    /// Registers that values would like.
    wishes: Vec<(u32, Home)>,
    unlikely: Unlikely,
}
