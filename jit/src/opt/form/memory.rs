//! Which classes of memory a node may write.

use super::ir::{Alias, Callee, Effect, Function, Value};
use crate::contract::helpers::Helper;

/// The classes that change while a function runs.
pub(crate) const CLASSES: [Alias; 4] = [Alias::Length, Alias::Table, Alias::Global, Alias::Heap];

/// The number of a class; that of addresses that never change is none.
pub(crate) fn class(alias: Alias) -> Option<usize> {
    CLASSES.iter().position(|&class| class == alias)
}

/// Which classes a node may write, in the order of [`CLASSES`].
pub(crate) fn written(function: &Function, node: Value) -> [bool; 4] {
    let data = &function[node];
    match data.op.effect() {
        Effect::Writes(alias) => core::array::from_fn(|i| CLASSES[i] == alias),
        Effect::Calls => match function.calls[data.imm as usize].callee {
            Callee::Helper(entry, _) => {
                let helper = Helper::ALL.iter().find(|helper| helper.entry() == entry);
                helper.map_or([true; 4], |&helper| written_by(helper))
            }
            Callee::Defined(_) | Callee::Reference | Callee::Imported => [true; 4],
        },
        Effect::Pure | Effect::Reads(_) | Effect::MayTrap | Effect::ReadsAndMayTrap => [false; 4],
    }
}

/// What a helper of the runtime writes.
fn written_by(helper: Helper) -> [bool; 4] {
    let only = |alias| core::array::from_fn(|i| CLASSES[i] == alias);
    match helper {
        Helper::FillLoop
        | Helper::MemoryFill
        | Helper::MemoryCopy
        | Helper::MemoryInit
        | Helper::Atomic => only(Alias::Heap),
        Helper::TableSet | Helper::TableFill | Helper::TableCopy | Helper::TableInit => {
            only(Alias::Table)
        }
        Helper::DataDrop | Helper::ElemDrop | Helper::TableGet => [false; 4],
        // Hosts are asked whether memories and tables may grow.
        Helper::MemoryGrow | Helper::TableGrow | Helper::Throw | Helper::ThrowRef => [true; 4],
    }
}
