//! Tail calls: whose memory a host function works on, the stack that they do not take, and results,
//! traps and exceptions that come back through them.

use crate::configurations;
use std::fmt::Write;
use zwasm::{Caller, Config, Engine, Error, Extern, Func, Instance, Linker, Module, Store, Val};

/// A linker in whose store host functions work on their caller's memory.
fn linker(engine: &Engine) -> Linker<()> {
    let mut linker = Linker::new(engine);
    linker
        .func_wrap("host", "id", |mut caller: Caller<'_, ()>| id(&mut caller))
        .expect("a new name");
    // Calls its caller's export, as a callback would.
    linker
        .func_wrap(
            "host",
            "back",
            |mut caller: Caller<'_, ()>| -> Result<i32, Error> {
                let Some(Extern::Func(f)) = caller.get_export("callback") else {
                    return Err(Error::host(std::io::Error::other("there is no callback")));
                };
                let inner = f.typed::<(), i32>(&caller)?.call(&mut caller, ())?;
                Ok(inner * 100 + id(&mut caller))
            },
        )
        .expect("a new name");
    linker
}

/// What the caller's memory begins with.
fn id(caller: &mut Caller<'_, ()>) -> i32 {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return -1;
    };
    i32::from(memory.data(&*caller)[0])
}

/// Every way by which a function may leave for a host function.
const PLUGIN: &str = r#"(module
    (type $host (func (result i32)))
    (import "host" "id" (func $id (result i32)))
    (import "host" "back" (func $back (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\02")
    (table (export "table") 3 funcref)
    (elem (i32.const 0) func $id $back $own)
    (func $own (result i32) (i32.load8_u (i32.const 0)))
    (func (export "callback") (result i32) (return_call $id))
    (func $call (export "call") (result i32) (call $id))
    (func $direct (export "direct") (result i32) (return_call $id))
    (func $twice (export "twice") (result i32) (return_call $direct))
    (func (export "indirect") (result i32) (return_call_indirect (type $host) (i32.const 0)))
    (func (export "by_reference") (result i32)
        (return_call_ref $host (ref.as_non_null (ref.func $id))))
    (func $long (param i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i32) (return_call $id))
    (func $long_indirect (param i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i32)
        (return_call_indirect (type $host) (i32.const 1)))
    (func (export "resized") (result i32)
        (call $long (i64.const 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)
            (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8)))
    (func (export "resized_twice") (result i32)
        (return_call $long_indirect (i64.const 0) (i64.const 1) (i64.const 2) (i64.const 3)
            (i64.const 4) (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8)))
    (func (export "back") (result i32) (return_call $back))
    (func (export "back_indirect") (result i32) (return_call_indirect (type $host) (i32.const 1)))
    (elem declare func $id)
    (export "id" (func $id)))"#;

/// A host function that is tail-called works on the instance that called it, whatever frames are
/// left: neither on that one's caller, nor on the instance that the function came through.
#[test]
fn tail_called_host_functions_know_their_caller() {
    let names = [
        ("call", 2),
        ("direct", 2),
        ("twice", 2),
        ("indirect", 2),
        ("by_reference", 2),
        // The frame that is given up had arguments on the stack.
        ("resized", 2),
        ("resized_twice", 202),
        ("back", 202),
        ("back_indirect", 202),
        // The plugin's export is the host's function itself: the user calls it.
        ("id", 1),
    ];
    let mut user = String::from(
        r#"(module
        (type $t (func (result i32)))
        (import "plugin" "table" (table 3 funcref))
        (memory (export "memory") 1)
        (data (i32.const 0) "\01")
        (func (export "callback") (result i32) (i32.const 7))
        (func (export "through_table") (result i32) (call_indirect (type $t) (i32.const 0)))
        (func (export "own_through_table") (result i32) (call_indirect (type $t) (i32.const 2)))
        (func (export "leave_through_table") (result i32)
            (return_call_indirect (type $t) (i32.const 0)))"#,
    );
    // Imports come before functions: their own module, which calls each plainly and by a tail call.
    for (name, _) in names {
        write!(
            user,
            r#"(func (export "{name}") (result i32) (i32.add (call ${name}) (i32.const 0)))
               (func (export "leave_{name}") (result i32) (return_call ${name}))"#
        )
        .expect("a string");
    }
    user.push(')');
    let mut imports = String::new();
    for (name, _) in names {
        write!(
            imports,
            r#"(import "plugin" "{name}" (func ${name} (result i32)))"#
        )
        .expect("a string");
    }
    let user = user.replacen("(import", &format!("{imports}(import"), 1);
    for (config, tier) in configurations() {
        let engine = Engine::new(&config).expect("a valid configuration");
        let mut linker = linker(&engine);
        let mut store = Store::new(&engine, ());
        let plugin = Module::new(&engine, PLUGIN).expect("a valid module");
        let plugin = linker.instantiate(&mut store, &plugin).expect("links");
        linker
            .instance(&mut store, "plugin", plugin)
            .expect("new names");
        let user = Module::new(&engine, &user).expect("a valid module");
        let user = linker.instantiate(&mut store, &user).expect("links");
        let mut call = |name: &str| {
            let f = user.get_typed_func::<(), i32>(&store, name);
            f.expect("exported").call(&mut store, ()).expect("returns")
        };
        for (name, expected) in names {
            assert_eq!(call(name), expected, "{tier}: {name}");
            assert_eq!(
                call(&format!("leave_{name}")),
                expected,
                "{tier}: leave_{name}"
            );
        }
        assert_eq!(call("through_table"), 1, "{tier}");
        assert_eq!(call("leave_through_table"), 1, "{tier}");
        assert_eq!(call("own_through_table"), 2, "{tier}");
    }
}

/// The types of one signature's parameters, `count` of each in turn.
fn signature(ints: usize, longs: usize, floats: usize, vectors: usize) -> String {
    let types = [
        ("i32", ints),
        ("i64", longs),
        ("f64", floats),
        ("v128", vectors),
    ];
    types
        .iter()
        .flat_map(|&(ty, count)| std::iter::repeat_n(ty, count))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A module in which functions of these signatures, which all return `results`, tail-call each other
/// in a ring: `n` goes down once around, and every other argument is made of `n`.
fn ring(signatures: &[String], results: &str, how: How) -> String {
    let mut text = String::from("(module\n");
    for (i, params) in signatures.iter().enumerate() {
        let _ = writeln!(
            text,
            "(type $t{i} (func (param i32 {params}) (result {results})))"
        );
    }
    let count = signatures.len();
    let names: Vec<String> = (0..count).map(|i| format!("$f{i}")).collect();
    let _ = writeln!(text, "(table funcref (elem {}))", names.join(" "));
    for (i, params) in signatures.iter().enumerate() {
        let next = (i + 1) % count;
        let _ = writeln!(
            text,
            "(func $f{i} (export \"f{i}\") (type $t{i}) (local $sum i64)"
        );
        // Arguments arrive as they were sent: each is n, or n in each lane.
        for (at, ty) in params.split_whitespace().enumerate() {
            let at = at + 1;
            let got = match ty {
                "i32" => format!("(i64.extend_i32_u (local.get {at}))"),
                "i64" => format!("(local.get {at})"),
                "f64" => format!("(i64.trunc_f64_u (local.get {at}))"),
                _ => format!("(i64x2.extract_lane 1 (local.get {at}))"),
            };
            let _ = writeln!(
                text,
                "(if (i64.ne {got} (i64.extend_i32_u (local.get 0))) (then unreachable))"
            );
        }
        let _ = writeln!(text, "(if (i32.eqz (local.get 0)) (then");
        for (at, ty) in results.split_whitespace().enumerate() {
            let value = match ty {
                "v128" => format!("(i64x2.splat (i64.const {at}))"),
                _ => format!("({ty}.const {at})"),
            };
            text += &value;
        }
        text += "(return)))\n";
        let n = "(i32.sub (local.get 0) (i32.const 1))";
        text += n;
        for ty in signatures[next].split_whitespace() {
            text += &match ty {
                "i32" => n.to_owned(),
                "i64" => format!("(i64.extend_i32_u {n})"),
                "f64" => format!("(f64.convert_i32_u {n})"),
                _ => format!("(i64x2.splat (i64.extend_i32_u {n}))"),
            };
        }
        text += &match how {
            How::Direct => format!("(return_call $f{next})"),
            How::Indirect => format!("(return_call_indirect (type $t{next}) (i32.const {next}))"),
            How::Reference => format!("(return_call_ref $t{next} (ref.func $f{next}))"),
        };
        text += ")\n";
    }
    // Calls every one from a loop, with values of its own around: they are as they were afterwards.
    for (i, params) in signatures.iter().enumerate() {
        let _ = writeln!(
            text,
            "(func (export \"call{i}\") (param $n i32) (result i64) (local $k i32) (local $sum i64)
                (local $v v128)
                (local.set $v (i64x2.splat (i64.const 3)))
                (loop $l"
        );
        text += "(local.get $n)";
        for ty in params.split_whitespace() {
            text += match ty {
                "i32" => "(local.get $n)",
                "i64" => "(i64.extend_i32_u (local.get $n))",
                "f64" => "(f64.convert_i32_u (local.get $n))",
                _ => "(i64x2.splat (i64.extend_i32_u (local.get $n)))",
            };
        }
        let _ = writeln!(text, "(call $f{i})");
        // Digits of the results, last one first.
        for ty in results.split_whitespace().rev() {
            let value = match ty {
                "i32" => "i64.extend_i32_u",
                "i64" => "",
                "f64" => "i64.trunc_f64_u",
                _ => "i64x2.extract_lane 1",
            };
            let _ = writeln!(
                text,
                "{value} (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 3))))"
            );
        }
        let _ = writeln!(
            text,
            "(local.set $sum (i64.add (local.get $sum) (i64x2.extract_lane 0 (local.get $v))))
             (br_if $l (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1)))
                                 (i32.const 3))))
             (local.get $sum))"
        );
    }
    text.push(')');
    text
}

#[derive(Clone, Copy, Debug)]
enum How {
    Direct,
    Indirect,
    Reference,
}

/// Rings of functions with few and with many arguments of all classes run in constant space, and
/// what they return arrives, whoever they were called by and end with.
#[test]
fn tail_calls_take_no_stack() {
    let rings = [
        vec![signature(0, 0, 0, 0), signature(0, 15, 0, 0)],
        vec![signature(3, 0, 0, 0), signature(0, 7, 0, 0)],
        vec![
            signature(0, 0, 0, 12),
            signature(9, 0, 3, 0),
            signature(0, 0, 0, 0),
            signature(2, 20, 9, 9),
        ],
        vec![
            signature(0, 12, 12, 0),
            signature(0, 12, 0, 11),
            signature(0, 11, 12, 0),
        ],
    ];
    let results = ["i32", "i64 i32 f64 v128 i32 i64 v128", "i64 i64 i64"];
    for (config, tier) in configurations() {
        for (at, signatures) in rings.iter().enumerate() {
            let results = results[at % results.len()];
            for how in [How::Direct, How::Indirect, How::Reference] {
                let text = ring(signatures, results, how);
                let engine = Engine::new(&config).expect("a valid configuration");
                let module =
                    Module::new(&engine, &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
                for i in 0..signatures.len() {
                    let f = instance
                        .get_typed_func::<u32, i64>(&store, &format!("call{i}"))
                        .expect("exported");
                    let expected = f.call(&mut store, 0).expect("returns at once");
                    for n in [1, 2, 3, 7, 100_000] {
                        let sum = f.call(&mut store, n);
                        let sum = sum.unwrap_or_else(|e| panic!("{tier}, {how:?}, {n}: {e}"));
                        assert_eq!(sum, expected, "{tier}, {how:?}, {n}, from {i}");
                    }
                }
                enter_each(&mut store, &instance, signatures, results);
            }
        }
    }
}

/// The host's own calls, whose frame is the entry stub's.
fn enter_each(store: &mut Store<()>, instance: &Instance, signatures: &[String], results: &str) {
    let zero = |ty: &str, n: u64| match ty {
        "i32" => Val::I32(n as i32),
        "i64" => Val::I64(n as i64),
        "f64" => Val::F64((n as f64).to_bits()),
        _ => Val::V128(u128::from(n) << 64 | u128::from(n)),
    };
    for (i, params) in signatures.iter().enumerate() {
        let f = instance.get_func(&*store, &format!("f{i}"));
        let f: Func = f.expect("exported");
        for n in [0, 1, 5, 1000] {
            let mut args = vec![Val::I32(n as i32)];
            args.extend(params.split_whitespace().map(|ty| zero(ty, n)));
            let types: Vec<&str> = results.split_whitespace().collect();
            let mut got = vec![Val::I32(0); types.len()];
            f.call(&mut *store, &args, &mut got).expect("returns");
            for (at, (ty, got)) in types.iter().zip(&got).enumerate() {
                let wanted = zero(ty, at as u64);
                assert_eq!(format!("{got:?}"), format!("{wanted:?}"));
            }
        }
    }
}

/// Traps, exceptions and interruptions find their way out of frames that tail calls have moved, and
/// the backtrace has the callers that are left.
#[test]
fn ends_that_come_from_moved_frames() {
    let text = r#"(module
        (type $many (func (param i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i32)))
        (tag $e (param i32))
        (table funcref (elem $many))
        (func $few (param i32) (result i32)
            (if (i32.lt_s (local.get 0) (i32.const 0)) (then (throw $e (local.get 0))))
            (if (i32.eqz (local.get 0)) (then unreachable))
            (return_call_indirect (type $many) (i32.sub (local.get 0) (i32.const 1))
                (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5)
                (i64.const 6) (i64.const 7) (i64.const 8) (i64.const 9) (i64.const 10)
                (i32.const 0)))
        (func $many (type $many)
            (if (i64.ne (local.get 10) (i64.const 10)) (then (return (i32.const -1))))
            (if (i32.eq (local.get 0) (i32.const 1000)) (then (throw $e (local.get 0))))
            (return_call $few (local.get 0)))
        (func $outer (param i32) (result i32) (i32.add (call $few (local.get 0)) (i32.const 1)))
        (func (export "run") (param i32) (result i32) (i32.add (call $outer (local.get 0)) (i32.const 1)))
        (func (export "catch") (param i32) (result i32) (local i64 i64)
            (local.set 1 (i64.const 5))
            (local.set 2 (i64.extend_i32_s (local.get 0)))
            (block $caught (result i32)
                (try_table (result i32) (catch $e $caught)
                    (call $outer (call $outer (local.get 0)))))
            (i32.add (i32.wrap_i64 (local.get 1)))
            (i32.add (i32.wrap_i64 (local.get 2)))))"#;
    for (config, tier) in configurations() {
        let (mut store, instance) = crate::instantiate(&config, text);
        let run = instance.get_typed_func::<i32, i32>(&store, "run");
        let run = run.expect("exported");
        for n in [0, 1, 2, 999] {
            let error = run.call(&mut store, n).expect_err("a trap");
            let names: Vec<_> = error.backtrace().iter().map(|frame| frame.name()).collect();
            assert_eq!(
                names[names.len() - 2..],
                [Some("outer"), Some("run")],
                "{tier}"
            );
            assert_eq!(names.len(), 3, "{tier}: {names:?}");
        }
        let caught = instance.get_typed_func::<i32, i32>(&store, "catch");
        let caught = caught.expect("exported");
        for n in [-7, 1001, 5000] {
            let thrown = if n < 0 { n } else { 1000 };
            let got = caught.call(&mut store, n).expect("it is caught");
            assert_eq!(got, thrown + 5 + n, "{tier}, {n}");
        }
    }
}

/// Each signature of up to so many arguments calls each other once, by every way.
#[test]
fn every_pair_of_areas() {
    let counts = [0, 5, 6, 7, 8, 9, 10, 17];
    for (config, tier) in configurations() {
        for (a, b) in counts.iter().flat_map(|&a| counts.map(|b| (a, b))) {
            let ring = ring(
                &[signature(0, a, 0, a / 4), signature(b, 0, b, 0)],
                if a % 2 == 0 { "i64" } else { "i64 i64 i64 i64" },
                How::Direct,
            );
            check_pair(&config, &ring, &format!("{tier}, {a} and {b}"));
        }
    }
}

fn check_pair(config: &Config, text: &str, what: &str) {
    let (mut store, instance) = crate::instantiate(config, text);
    for i in 0..2 {
        let f = instance.get_typed_func::<u32, i64>(&store, &format!("call{i}"));
        let f = f.expect("exported");
        let expected = f.call(&mut store, 0).expect("returns at once");
        for n in [1, 2, 3, 40] {
            assert_eq!(f.call(&mut store, n).ok(), Some(expected), "{what}, {n}");
        }
    }
}
