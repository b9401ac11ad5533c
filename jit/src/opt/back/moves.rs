//! Parallel moves between any places: registers, memory of the frame, and constants as sources.
//!
//! All sources are read as they were before the first destination is written. A move is emitted
//! once its destination is no longer the source of another; what remains are cycles, and one
//! source of each is saved first: in a scratch register, or in the frame when that is in use.
//! Of general registers, the first scratch register alone is free for that.

use crate::masm::{Fpr, Gpr, LoadOp, Masm, Mem, StoreOp, Width};
use crate::opt::form::ir::Ty;

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    Gpr(Gpr),
    Fpr(Fpr),
    Memory(Mem),
    /// The low half, and the high one of vectors.
    Constant(u64, u64),
}

/// Where it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Gpr(Gpr),
    Fpr(Fpr),
    Memory(Mem),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) to: Target,
    pub(crate) from: Source,
    pub(crate) ty: Ty,
}

impl Move {
    pub(crate) fn is_nothing(&self) -> bool {
        match (self.to, self.from) {
            (Target::Gpr(a), Source::Gpr(b)) => a == b,
            (Target::Fpr(a), Source::Fpr(b)) => a == b,
            (Target::Memory(a), Source::Memory(b)) => a == b,
            _ => false,
        }
    }
}

/// Moves that are done at once.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    moves: Vec<Move>,
    /// The places that each reads and writes.
    places: Vec<Places>,
    readers: Readers,
}

/// The places that a move reads and writes, by their numbers among [`Readers::counts`]; vectors in
/// memory take two, and the last one that is written is the scratch register that a move goes through.
#[derive(Clone, Copy, Debug)]
struct Places {
    reads: [u32; 2],
    writes: [u32; 3],
}

/// No place.
const NO_PLACE: u32 = 0;

impl Moves {
    /// One more, if it is one.
    pub(crate) fn push(&mut self, one: Move) {
        if !one.is_nothing() {
            self.moves.push(one);
        }
    }

    /// Emits the moves and forgets them. `spare` gives memory for the *n*th value that no scratch
    /// register can hold.
    pub(crate) fn emit<M: Masm>(&mut self, masm: &mut M, mut spare: impl FnMut(u32) -> Mem) {
        let Moves {
            moves,
            places,
            readers,
        } = self;
        match moves[..] {
            [] => return,
            [one] => {
                emit_one(masm, one);
                moves.clear();
                return;
            }
            _ => {}
        }
        readers.start::<M>(moves, places);
        let scratch = M::FILE.scratch[0];
        let mut spared = 0;
        // Moves that no value may wait for in the scratch register, or that read it.
        let keeps = |one: &Move| needs_scratch::<M>(one) || one.from == Source::Gpr(scratch);
        let mut keep_scratch = moves.iter().filter(|one| keeps(one)).count();
        let mut fpr_used = false;
        while !moves.is_empty() {
            if let Some(i) = places.iter().position(|one| readers.are_gone(one)) {
                let one = moves.swap_remove(i);
                readers.forget(places.swap_remove(i));
                keep_scratch -= usize::from(keeps(&one));
                fpr_used &= one.from != Source::Fpr(M::FILE.float_scratch);
                emit_one(masm, one);
                continue;
            }
            // One whose source waits to be overwritten: saving it frees another, and it once only.
            // Some that wait are in no cycle themselves: two may write a half each of what a third
            // reads.
            // What lies in the scratch register comes first: others may be saved through that.
            let is_in_scratch = |one: &Places| one.reads.contains(&gpr_place(scratch));
            let i = places.iter().position(is_in_scratch);
            let i = i.or_else(|| places.iter().position(|one| readers.is_at_stake(one)));
            let i = i.expect("something keeps each of them waiting");
            let first = moves[i];
            let saved = if first.ty.is_float() && !fpr_used {
                fpr_used = true;
                Target::Fpr(M::FILE.float_scratch)
            } else if !first.ty.is_float() && keep_scratch == 0 {
                Target::Gpr(scratch)
            } else {
                spared += 1;
                Target::Memory(spare(spared - 1))
            };
            emit_one(
                masm,
                Move {
                    to: saved,
                    from: first.from,
                    ty: first.ty,
                },
            );
            keep_scratch -= usize::from(keeps(&first));
            moves[i].from = match saved {
                Target::Gpr(gpr) => Source::Gpr(gpr),
                Target::Fpr(fpr) => Source::Fpr(fpr),
                Target::Memory(mem) => Source::Memory(mem),
            };
            keep_scratch += usize::from(keeps(&moves[i]));
            // No move writes what it is saved in; but it may go through the scratch register from now on,
            // or no longer.
            let mut writes = places[i].writes;
            writes[2] = through_scratch::<M>(&moves[i]);
            let reads = [NO_PLACE; 2];
            let before = core::mem::replace(&mut places[i], Places { reads, writes });
            readers.forget(before);
            readers.note_writes(places[i]);
        }
    }
}

/// How many moves read each place, and how many write it.
#[derive(Debug, Default)]
struct Readers {
    /// Of [`NO_PLACE`], which has none, general registers, float registers, and the places in memory
    /// that moves write.
    counts: Vec<u32>,
    /// How many moves write each of them.
    writers: Vec<u32>,
    /// The places in memory, as base and displacement, ascending: eight bytes each.
    memory: Vec<(u8, i32)>,
}

/// The numbers of the first float register and of the first place in memory.
const FLOATS: u32 = 33;
const MEMORY: u32 = 65;

impl Readers {
    fn start<M: Masm>(&mut self, moves: &[Move], places: &mut Vec<Places>) {
        self.memory.clear();
        for one in moves {
            if let Target::Memory(mem) = one.to {
                self.memory.extend(words(mem, one.ty));
            }
        }
        self.memory.sort_unstable();
        self.counts.clear();
        self.counts.resize(MEMORY as usize + self.memory.len(), 0);
        self.writers.clear();
        self.writers.resize(self.counts.len(), 0);
        places.clear();
        for one in moves {
            let reads = match one.from {
                Source::Gpr(gpr) => [gpr_place(gpr), NO_PLACE],
                Source::Fpr(fpr) => [FLOATS + u32::from(fpr.0), NO_PLACE],
                Source::Memory(mem) => self.words(mem, one.ty),
                Source::Constant(..) => [NO_PLACE; 2],
            };
            let [first, second] = match one.to {
                Target::Gpr(gpr) => [gpr_place(gpr), NO_PLACE],
                Target::Fpr(fpr) => [FLOATS + u32::from(fpr.0), NO_PLACE],
                Target::Memory(mem) => self.words(mem, one.ty),
            };
            let writes = [first, second, through_scratch::<M>(one)];
            for place in reads.into_iter().filter(|&place| place != NO_PLACE) {
                self.counts[place as usize] += 1;
            }
            places.push(Places { reads, writes });
            self.note_writes(Places { reads, writes });
        }
    }

    fn note_writes(&mut self, one: Places) {
        for place in one.writes.into_iter().filter(|&place| place != NO_PLACE) {
            self.writers[place as usize] += 1;
        }
    }

    /// The numbers of places in memory.
    fn words(&self, mem: Mem, ty: Ty) -> [u32; 2] {
        let mut numbers = [NO_PLACE; 2];
        for (number, word) in numbers.iter_mut().zip(words(mem, ty)) {
            if let Ok(at) = self.memory.binary_search(&word) {
                *number = MEMORY + at as u32;
            }
        }
        numbers
    }

    fn forget(&mut self, one: Places) {
        for place in one.reads.into_iter().filter(|&place| place != NO_PLACE) {
            self.counts[place as usize] -= 1;
        }
        for place in one.writes.into_iter().filter(|&place| place != NO_PLACE) {
            self.writers[place as usize] -= 1;
        }
    }

    /// Whether another move writes what one reads.
    fn is_at_stake(&self, one: &Places) -> bool {
        one.reads.iter().any(|&place| {
            let own = one.writes.iter().filter(|&&write| write == place).count();
            place != NO_PLACE && self.writers[place as usize] > own as u32
        })
    }

    /// Whether no other move reads what one writes.
    fn are_gone(&self, one: &Places) -> bool {
        one.writes.iter().all(|&place| {
            let own = one.reads.iter().filter(|&&read| read == place).count();
            place == NO_PLACE || self.counts[place as usize] == own as u32
        })
    }
}

fn gpr_place(gpr: Gpr) -> u32 {
    1 + u32::from(gpr.0)
}

/// The scratch register, if that is what a move goes through.
fn through_scratch<M: Masm>(one: &Move) -> u32 {
    let goes = match (one.to, one.from) {
        (Target::Memory(_), Source::Memory(_)) => true,
        (Target::Memory(_), Source::Constant(low, high)) => {
            one.ty == Ty::V128 || high != 0 || constant::<M>(low).is_none()
        }
        _ => false,
    };
    if goes {
        gpr_place(M::FILE.scratch[0])
    } else {
        NO_PLACE
    }
}

/// The pieces of eight bytes of a value in memory: base and displacement.
fn words(mem: Mem, ty: Ty) -> impl Iterator<Item = (u8, i32)> {
    (0..ty.slots() as i32).map(move |word| (mem.base.0, mem.displacement + 8 * word))
}

/// Whether no value may wait in the first scratch register while a move is to be done: it goes through
/// that register, or it has halves. Without halves, what waits is the last of its cycle, and goes
/// before another cycle begins.
fn needs_scratch<M: Masm>(one: &Move) -> bool {
    let in_memory = matches!(one.to, Target::Memory(_)) || matches!(one.from, Source::Memory(_));
    through_scratch::<M>(one) != NO_PLACE || in_memory && one.ty == Ty::V128
}

/// Emits one move; between two places in memory through the first scratch register.
pub(crate) fn emit_one<M: Masm>(masm: &mut M, Move { to, from, ty }: Move) {
    let scratch = M::FILE.scratch[0];
    match (to, from) {
        (Target::Gpr(dst), Source::Gpr(src)) => masm.mov(Width::W64, dst, src),
        (Target::Gpr(dst), Source::Memory(mem)) => masm.load(load_op(ty), dst, mem),
        (Target::Gpr(dst), Source::Constant(bits, _)) => masm.imm(dst, bits),
        (Target::Fpr(dst), Source::Fpr(src)) => masm.float_mov(ty.part(), dst, src),
        (Target::Fpr(dst), Source::Memory(mem)) => masm.float_load(ty.part(), dst, mem),
        (Target::Fpr(dst), Source::Constant(low, high)) => masm.vector_imm(dst, low, high),
        (Target::Memory(mem), Source::Gpr(src)) => masm.store(StoreOp::B8, src, mem),
        (Target::Memory(mem), Source::Fpr(src)) => masm.float_store(ty.part(), src, mem),
        (Target::Memory(to), Source::Memory(from)) => {
            // A vector may move by half its size: what is written last is read last.
            let goes_up = to.displacement > from.displacement;
            let slots = ty.slots() as i32;
            for i in 0..slots {
                let half = if goes_up { slots - 1 - i } else { i };
                let at = |mem: Mem| Mem::at(mem.base, mem.displacement + 8 * half);
                masm.load(LoadOp::U64, scratch, at(from));
                masm.store(StoreOp::B8, scratch, at(to));
            }
        }
        (Target::Memory(mem), Source::Constant(low, 0))
            if ty != Ty::V128 && constant::<M>(low).is_some() =>
        {
            let value = constant::<M>(low).expect("asked above");
            masm.store_constant(StoreOp::B8, value, mem);
        }
        (Target::Memory(mem), Source::Constant(low, high)) => {
            masm.imm(scratch, low);
            masm.store(StoreOp::B8, scratch, mem);
            if ty == Ty::V128 {
                masm.imm(scratch, high);
                let upper = Mem::at(mem.base, mem.displacement + 8);
                masm.store(StoreOp::B8, scratch, upper);
            }
        }
        (Target::Gpr(_), Source::Fpr(_)) | (Target::Fpr(_), Source::Gpr(_)) => {
            unreachable!("a value keeps its class")
        }
    }
}

/// A constant that can be stored as it is. Slots hold 32-bit values with a clear upper half.
fn constant<M: Masm>(bits: u64) -> Option<i32> {
    let value = i32::try_from(bits.cast_signed()).ok()?;
    // The same whatever the processor has.
    let target = M::target(M::Features::default());
    (target.stores_constant)(StoreOp::B8, value).then_some(value)
}

fn load_op(ty: Ty) -> LoadOp {
    match ty.width() {
        Width::W32 => LoadOp::U32,
        Width::W64 => LoadOp::U64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::x86_64::X64Masm;

    fn emit_all(all: &[Move]) -> u32 {
        let mut moves = Moves::default();
        all.iter().for_each(|&one| moves.push(one));
        let mut masm = X64Masm::with_features(Default::default());
        let mut spares = 0;
        moves.emit(&mut masm, |index| {
            spares = spares.max(index + 1);
            at(40 + 2 * index as i32)
        });
        spares
    }

    fn at(slot: i32) -> Mem {
        Mem::at(X64Masm::FILE.frame, -8 * slot)
    }

    fn between(to: i32, from: i32, ty: Ty) -> Move {
        Move {
            to: Target::Memory(at(to)),
            from: Source::Memory(at(from)),
            ty,
        }
    }

    /// The first move waits for a cycle that it is no part of.
    #[test]
    fn halves_of_a_vector_are_written_by_different_moves() {
        // The vector lies in slots 4 and 3, lower half in 4.
        let spares = emit_all(&[
            between(4, 20, Ty::I64),
            between(10, 4, Ty::V128),
            between(3, 10, Ty::I64),
            between(20, 30, Ty::F64),
            between(30, 3, Ty::I64),
        ]);
        assert!(spares <= 5, "{spares}");
    }

    #[test]
    fn a_cycle_takes_the_scratch_register_and_no_memory() {
        let register = |from: usize, to: usize| {
            let gprs = X64Masm::FILE.temporary;
            Move {
                to: Target::Gpr(gprs[to]),
                from: Source::Gpr(gprs[from]),
                ty: Ty::I64,
            }
        };
        assert_eq!(emit_all(&[register(1, 2), register(2, 1)]), 0);
        // What is in memory goes through that register.
        let in_memory = [between(1, 2, Ty::I64), between(2, 1, Ty::I64)];
        assert_eq!(emit_all(&in_memory), 1);
        let overlapping = [between(1, 2, Ty::V128), between(2, 3, Ty::V128)];
        assert_eq!(emit_all(&overlapping), 0);
    }

    /// The register that moves go through has a result: it is read before any of them.
    #[test]
    fn what_lies_in_the_scratch_register_goes_first() {
        let result = |slot: i32| Move {
            to: Target::Memory(at(slot)),
            from: Source::Gpr(X64Masm::FILE.scratch[0]),
            ty: Ty::I64,
        };
        let constant = Move {
            to: Target::Memory(at(8)),
            from: Source::Constant(1 << 40, 0),
            ty: Ty::I64,
        };
        for all in [
            vec![between(1, 2, Ty::I64), result(3)],
            vec![result(3), between(1, 2, Ty::V128), between(4, 5, Ty::I64)],
            vec![constant, result(3)],
            // Where it goes is read by a move that goes through the register.
            vec![between(1, 2, Ty::I64), result(2)],
            vec![between(1, 2, Ty::I64), between(2, 1, Ty::I64), result(6)],
            vec![
                between(1, 2, Ty::I64),
                between(2, 4, Ty::I64),
                result(4),
                result(7),
            ],
        ] {
            let mut moves = Moves::default();
            all.iter().for_each(|&one| moves.push(one));
            let mut masm = X64Masm::with_features(Default::default());
            moves.emit(&mut masm, |index| at(10 + 2 * index as i32));
            let code = masm.finish();
            // mov [rbp + displacement], rax; all displacements have eight bits.
            let results = all.iter().filter(|one| matches!(one.from, Source::Gpr(_)));
            for i in 0..results.count() {
                assert_eq!(code[4 * i..][..3], [0x48, 0x89, 0x45], "{all:?}");
            }
        }
    }

    /// Which half is read first decides whether the other one is still there.
    #[test]
    fn vectors_move_by_half_their_size() {
        let at = |slot: i32| Mem::at(X64Masm::FILE.frame, -8 * slot);
        for (to, from, first) in [(3, 4, 3), (4, 3, 3), (8, 2, 2)] {
            let mut masm = X64Masm::with_features(Default::default());
            let one = Move {
                to: Target::Memory(at(to)),
                from: Source::Memory(at(from)),
                ty: Ty::V128,
            };
            emit_one(&mut masm, one);
            let code = masm.finish();
            // mov rax, [rbp + displacement]
            assert_eq!(code[..3], [0x48, 0x8b, 0x45]);
            assert_eq!(code[3] as i8, -8 * first, "from {from} to {to}");
        }
    }
}
