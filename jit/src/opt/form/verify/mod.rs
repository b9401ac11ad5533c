//! Checks the intermediate form: that all that it names is there, the order of blocks, where values are,
//! what operations take, and calls.
//!
//! Runs after every pass in debug builds and tests. Each check may rely on those before it.

mod calls;
mod names;
mod order;
#[cfg(test)]
mod tests;
mod types;
mod values;

use super::dominators::Dominators;
use super::ir::{Function, Value};
use super::predecessors::Predecessors;

/// Panics when the function is not well-formed; `pass` names who left it so.
pub(crate) fn verify(function: &Function, pass: &str) {
    if let Err(why) = check(function) {
        panic!("after {pass}: {why}\n{function}");
    }
}

/// Says what is wrong.
pub(crate) fn check(function: &Function) -> Result<(), String> {
    names::check(function)?;
    let predecessors = Predecessors::of(function);
    let dominators = Dominators::of(function);
    order::check(function, &predecessors, &dominators)?;
    values::check(function, &dominators)?;
    types::check(function)?;
    calls::check(function, &predecessors)
}

/// The first error of a check of all that `each` calls its function with.
fn all(
    each: impl FnOnce(&mut dyn FnMut(Value)),
    check: impl Fn(Value) -> Result<(), String>,
) -> Result<(), String> {
    let mut result = Ok(());
    each(&mut |value| {
        if result.is_ok() {
            result = check(value);
        }
    });
    result
}
