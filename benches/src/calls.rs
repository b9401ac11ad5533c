//! A guest whose functions do next to nothing, for the cost of calls.
//!
//! Loops make [`LOOP_CALLS`] calls, so that entering the guest is a small part; the empty loop is
//! what to subtract from the others.

use zwasm::{Engine, Func, FuncType, Linker, Module, Result, Store, TypedFunc, Val, ValType};

/// How many calls a loop makes.
pub const LOOP_CALLS: i32 = 1000;

/// The loops: calls within wasm, and of a host closure that is wrapped with its types or dynamic,
/// through slices of values.
const LOOPS: [&str; 5] = [
    "empty-loop",
    "to-wasm",
    "to-wasm-indirect",
    "to-host",
    "to-host-untyped",
];

const TEXT: &str = r#"(module
    (import "host" "wrapped" (func $wrapped (param i32) (result i32)))
    (import "host" "dynamic" (func $dynamic (param i32) (result i32)))
    (table funcref (elem $same))
    (type $i32_i32 (func (param i32) (result i32)))
    (func $same (export "same") (param i32) (result i32) (local.get 0))
    (func (export "nop"))
    (func (export "add") (param i32 i32) (result i32)
        (i32.add (local.get 0) (local.get 1)))
    (func (export "empty-loop") (param i32) (result i32)
        (loop $again
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 0))
    (func (export "to-wasm") (param i32) (result i32)
        (loop $again
            (br_if $again
                (local.tee 0 (call $same (i32.sub (local.get 0) (i32.const 1))))))
        (local.get 0))
    (func (export "to-wasm-indirect") (param i32) (result i32)
        (loop $again
            (br_if $again
                (local.tee 0
                    (call_indirect (type $i32_i32)
                        (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))
        (local.get 0))
    (func (export "to-host") (param i32) (result i32)
        (loop $again
            (br_if $again
                (local.tee 0 (call $wrapped (i32.sub (local.get 0) (i32.const 1))))))
        (local.get 0))
    (func (export "to-host-untyped") (param i32) (result i32)
        (loop $again
            (br_if $again
                (local.tee 0 (call $dynamic (i32.sub (local.get 0) (i32.const 1))))))
        (local.get 0)))"#;

/// The guest, instantiated; nothing of it is translated yet.
pub struct Calls {
    /// Where all functions live.
    pub store: Store<()>,
    /// No parameters, no results.
    pub nop: TypedFunc<(), ()>,
    /// Adds its parameters.
    pub add: TypedFunc<(i32, i32), i32>,
    /// The same function without its static signature.
    pub add_untyped: Func,
    /// Loops by name; each counts its parameter down to zero with a call per step, and returns it.
    pub loops: Vec<(&'static str, TypedFunc<i32, i32>)>,
}

impl Calls {
    /// Compiles and instantiates the guest.
    pub fn new(engine: &Engine) -> Calls {
        Calls::link(engine).unwrap_or_else(|error| panic!("the guest is broken: {error}"))
    }

    fn link(engine: &Engine) -> Result<Calls> {
        let module = Module::new(engine, TEXT)?;
        let mut linker = Linker::new(engine);
        linker.func_wrap("host", "wrapped", |x: i32| x)?;
        let ty = FuncType::new([ValType::I32], [ValType::I32]);
        linker.func_new("host", "dynamic", ty, |_, args, results| {
            results[0] = args[0];
            Ok(())
        })?;
        let mut store = Store::new(engine, ());
        let instance = linker.instantiate(&mut store, &module)?;
        let add: TypedFunc<(i32, i32), i32> = instance.get_typed_func(&store, "add")?;
        let mut loops = Vec::new();
        for name in LOOPS {
            loops.push((name, instance.get_typed_func(&store, name)?));
        }
        Ok(Calls {
            nop: instance.get_typed_func(&store, "nop")?,
            add_untyped: add.func(),
            add,
            loops,
            store,
        })
    }

    /// Adds through slices of values.
    pub fn add_untyped(&mut self, a: i32, b: i32) -> i32 {
        let mut results = [Val::I32(0)];
        self.add_untyped
            .call(&mut self.store, &[Val::I32(a), Val::I32(b)], &mut results)
            .expect("the types are right");
        results[0].i32().expect("the result is an i32")
    }
}

#[cfg(test)]
mod tests {
    use super::{Calls, LOOP_CALLS};
    use crate::engine;
    use zwasm::Tier;

    #[test]
    fn calls_do_what_they_say() {
        for &tier in Tier::ALL {
            let mut calls = Calls::new(&engine(tier));
            calls.nop.call(&mut calls.store, ()).unwrap();
            assert_eq!(calls.add.call(&mut calls.store, (2, 3)).unwrap(), 5);
            assert_eq!(calls.add_untyped(2, 3), 5);
            for (name, run) in calls.loops {
                assert_eq!(run.call(&mut calls.store, LOOP_CALLS).unwrap(), 0, "{name}");
            }
        }
    }
}
