//! What differential fuzzing found.

use crate::{configurations, instantiate};
use zwasm::{TrapCode, Val};

/// A wrapped index whose upper half survives reaches far outside of the memory.
#[test]
fn wrapping_clears_the_upper_half() {
    let text = r#"(module
        (memory 1)
        (data (i32.const 8) "\2a")
        (func (export "load") (param i64) (result i32)
            local.get 0
            i64.const 0
            i64.add
            i32.wrap_i64
            i32.load8_u offset=8)
        (func (export "extend") (param i64) (result i64)
            local.get 0
            i64.const 0
            i64.add
            i32.wrap_i64
            i64.extend_i32_u))"#;
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, text);
        let load = instance
            .get_typed_func::<i64, i32>(&store, "load")
            .expect("exported");
        let extend = instance
            .get_typed_func::<i64, i64>(&store, "extend")
            .expect("exported");
        for upper in [0, 1 << 32, -1 << 32, i64::MIN] {
            assert_eq!(load.call(&mut store, upper).ok(), Some(42), "{name}");
            let extended = extend.call(&mut store, upper | 7);
            assert_eq!(extended.ok(), Some(7), "{name}");
        }
    }
}

/// Traps that the runtime raises for compiled code are at an operator like any other.
#[test]
fn traps_of_helpers_have_places() {
    let text = r#"(module
        (table 1 funcref)
        (tag $t)
        (func (export "truncate") (param f32) (result i32)
            local.get 0
            i32.trunc_f32_s)
        (func (export "table") (result funcref)
            i32.const 1
            table.get 0)
        (func (export "throw") (result i32)
            throw $t))"#;
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, text);
        let truncate = instance
            .get_typed_func::<f32, i32>(&store, "truncate")
            .expect("exported");
        let error = truncate.call(&mut store, f32::NAN).expect_err("a trap");
        assert_eq!(error.trap_code(), Some(TrapCode::BadConversionToInteger));
        assert!(error.backtrace()[0].module_offset().is_some(), "{name}");
        let table = instance.get_func(&store, "table").expect("exported");
        let mut result = [Val::I32(0)];
        let error = table
            .call(&mut store, &[], &mut result)
            .expect_err("a trap");
        assert_eq!(error.trap_code(), Some(TrapCode::TableOutOfBounds));
        assert!(error.backtrace()[0].module_offset().is_some(), "{name}");
        let throw = instance.get_func(&store, "throw").expect("exported");
        let error = throw
            .call(&mut store, &[], &mut result)
            .expect_err("an exception");
        assert!(error.is_exception());
        assert!(error.backtrace()[0].module_offset().is_some(), "{name}");
    }
}

/// Results on the stack lie where the caller of the tail-calling function looks for them, however
/// many arguments the two functions take.
#[test]
fn tail_calls_keep_the_place_of_results() {
    let text = r#"(module
        (func $few (param i32) (result i32 i32 i32 f64 f64 v128)
            (local.get 0) (i32.const 2) (i32.const 3) (f64.const 4) (f64.const 5)
            (v128.const i64x2 6 7))
        (func $many (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
                (result i32 i32 i32 f64 f64 v128)
            (return_call $few (local.get 11)))
        (func (export "f") (param i32) (result i32 i32 i32 f64 f64 v128)
            (call $many (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1)
                (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1)
                (local.get 0))))"#;
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, text);
        let f = instance.get_func(&store, "f").expect("exported");
        let mut results = [Val::I32(0); 6];
        f.call(&mut store, &[Val::I32(1)], &mut results)
            .expect("no trap");
        let ints: Vec<_> = results[..3].iter().map(|value| value.i32()).collect();
        assert_eq!(ints, [Some(1), Some(2), Some(3)], "{name}");
        let floats: Vec<_> = results[3..5].iter().map(|value| value.f64()).collect();
        assert_eq!(floats, [Some(4.0), Some(5.0)], "{name}");
        assert_eq!(results[5].v128(), Some(7 << 64 | 6), "{name}");
    }
}

/// A tail call leaves the function and its handlers, also where its arguments need a frame.
#[test]
fn tail_calls_leave_handlers() {
    let text = r#"(module
        (tag $t)
        (func $throw (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i32 i32)
            throw $t)
        (func $give (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32 i32)
            (local.get 8) (local.get 9))
        (func $inner (param i32) (result i32 i32)
            (block
                (try_table (catch $t 0)
                    (if (local.get 0)
                        (then (return_call $throw
                            (i64.const 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)
                            (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8) (i64.const 9))))
                    (return_call $give
                        (i32.const 0) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4)
                        (i32.const 5) (i32.const 6) (i32.const 7) (i32.const 8) (i32.const 9))))
            (i32.const 1) (i32.const 1))
        (func (export "f") (param i32) (result i32 i32)
            (block
                (return (try_table (result i32 i32) (catch $t 0)
                    (call $inner (local.get 0)))))
            (i32.const 2) (i32.const 3)))"#;
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, text);
        let f = instance
            .get_typed_func::<i32, (i32, i32)>(&store, "f")
            .expect("exported");
        assert_eq!(f.call(&mut store, 1).ok(), Some((2, 3)), "{name}");
        assert_eq!(f.call(&mut store, 0).ok(), Some((8, 9)), "{name}");
    }
}

/// A value that goes around a loop as the count of the rotation that makes it: on x86-64 the count may
/// be in the register that the rotation overwrites, its result must not be.
#[test]
fn counts_that_are_the_result_of_their_shift() {
    let text = r#"(module
        (func (export "f") (param $n i32) (param $count i32) (result i32)
            (loop $again
                (local.set $count (i32.rotl (i32.const 0x12345677) (local.get $count)))
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $count)))"#;
    let expected = (0..10).fold(3_u32, |count, _| 0x1234_5677_u32.rotate_left(count % 32));
    for (mut config, name) in configurations() {
        for few_registers in [false, true] {
            config.stress(zwasm::Stress {
                few_registers,
                ..zwasm::Stress::default()
            });
            let (mut store, instance) = instantiate(&config, text);
            let f = instance
                .get_typed_func::<(i32, i32), u32>(&store, "f")
                .expect("exported");
            assert_eq!(f.call(&mut store, (10, 3)).ok(), Some(expected), "{name}");
        }
    }
}

/// A comparison that two selections do, each for itself: what it loads is loaded once, before the
/// store between them.
#[test]
fn loads_that_comparisons_share() {
    let text = r#"(module
        (memory (export "memory") 1)
        (data (i32.const 8) "\07\00\00\00\07")
        (func (export "f") (param i32 i32) (result i32) (local $greater i32) (local $first i32)
            (local.set $greater (i32.gt_u (local.get 0) (i32.load (local.get 1))))
            (local.set $first (select (local.get 0) (local.get 1) (local.get $greater)))
            (i32.store (local.get 1) (i32.const 8))
            (i32.sub
                (local.get $first)
                (select (i32.const 100) (local.get 0) (local.get $greater)))))"#;
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, text);
        let f = instance
            .get_typed_func::<(i32, i32), i32>(&store, "f")
            .expect("exported");
        assert_eq!(f.call(&mut store, (8, 8)).ok(), Some(8 - 100), "{name}");
        assert_eq!(f.call(&mut store, (6, 12)).ok(), Some(12 - 6), "{name}");
    }
}

/// The return address of a call is where the next operator's code begins: a trap, or a throw, there
/// is not the call's.
#[test]
fn what_follows_a_call_has_its_own_place() {
    const MODULE: &str = r#"(module
        (memory 1)
        (tag $e)
        (func $nothing)
        (func (export "load") (param i32)
            (call $nothing)
            (drop (i32.load (local.get 0))))
        (func (export "load in a caller")
            (call $nothing)
            (drop (i32.load (i32.const -1))))
        (func (export "throw")
            (call $nothing)
            (throw $e)))"#;
    let mut places = Vec::new();
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, MODULE);
        let load = instance.get_typed_func::<i32, ()>(&mut store, "load");
        let error = load.unwrap().call(&mut store, -1).unwrap_err();
        let mut found = vec![error.backtrace()[0].module_offset()];
        for export in ["load in a caller", "throw"] {
            let function = instance.get_typed_func::<(), ()>(&mut store, export);
            let error = function.unwrap().call(&mut store, ()).unwrap_err();
            found.push(error.backtrace()[0].module_offset());
        }
        places.push((found, name));
    }
    let (oracle, _) = &places[0];
    for (found, name) in &places {
        assert_eq!(found, oracle, "{name}");
    }
}

/// A result in a register that the other results' moves go through: on its way to the frame it must
/// not be overwritten.
#[test]
fn results_of_calls_that_all_go_to_the_frame() {
    const TYPES: [&str; 5] = ["i32", "i64", "f32", "f64", "v128"];
    let value = |i: usize, ty: &str| match ty {
        "v128" => format!("(v128.const i64x2 {i} {})", i + 100),
        _ => format!("({ty}.const {i})"),
    };
    let mut text = String::from("(module (table 1000 funcref)\n");
    let mut count = 0;
    // Every three types, then more of the last one.
    for which in 0..TYPES.len().pow(3) {
        let of = |digit: u32| TYPES[which / TYPES.len().pow(digit) % TYPES.len()];
        let types: Vec<&str> = (0..6).map(|i| of(i.min(2))).collect();
        let values: String = (0..6).map(|i| value(i, types[i])).collect();
        let results = types.join(" ");
        // In order, from a call of the module's own and from one of a reference; 1 for each equal one.
        let mut compare = String::new();
        for (i, ty) in types.iter().enumerate().rev() {
            compare += &match *ty {
                "v128" => format!(
                    "(i8x16.all_true (i8x16.eq {})) (global.set $sum (i32.add (global.get $sum)))\n",
                    value(i, ty)
                ),
                _ => format!(
                    "({ty}.eq {}) (global.set $sum (i32.add (global.get $sum)))\n",
                    value(i, ty)
                ),
            };
        }
        text += &format!(
            "(type $t{which} (func (result {results})))
             (func $v{which} (type $t{which}) {values})
             (elem (i32.const {which}) $v{which})
             (func $d{which} (type $t{which}) (call $v{which}))
             (func $i{which} (type $t{which}) (call_indirect (type $t{which}) (i32.const {which})))
             (func (export \"direct{which}\") (result i32)
                (global.set $sum (i32.const 0)) (call $d{which}) {compare} (global.get $sum))
             (func (export \"indirect{which}\") (result i32)
                (global.set $sum (i32.const 0)) (call $i{which}) {compare} (global.get $sum))\n"
        );
        count += 1;
    }
    text += "(global $sum (mut i32) (i32.const 0)))";
    let module = wat::parse_str(&text).expect("valid text");
    for (mut config, name) in configurations() {
        for (spill, few_registers) in [(false, false), (true, false), (true, true)] {
            config.stress(zwasm::Stress {
                spill,
                few_registers,
                ..zwasm::Stress::default()
            });
            let (mut store, instance) = instantiate(&config, &module);
            for (which, way) in (0..count).flat_map(|i| [(i, "direct"), (i, "indirect")]) {
                let function = instance
                    .get_typed_func::<(), u32>(&store, &format!("{way}{which}"))
                    .expect("exported");
                let equal = function.call(&mut store, ()).expect("it returns");
                assert_eq!(equal, 6, "{name}, spilling: {spill}, {way} {which}");
            }
        }
    }
}
