//! Every operator, with every kind of operand that the interpreter has handlers for, in loops on a
//! small stack: a handler that keeps a native frame each time it runs ends the process.
//!
//! `ZWASM_OPERATORS_OUT=FILE` writes the module down, for the command as it is shipped: what compilers
//! make of handlers depends on the profile. Its `run` takes the number of turns.

use std::fmt::Write;
use zwasm::{Config, Engine, Instance, Module, Store, Tier};

/// Name and types of a numeric operator.
type Row = (&'static str, Vec<&'static str>, Vec<&'static str>);

/// Rows of `zwasm_core`'s tables, by the text format's names.
macro_rules! rows {
    ($($op:ident $func:ident ($($from:ident),*) -> $to:tt;)*) => {
        &[$((stringify!($func), &[$(stringify!($from)),*], stringify!($to)),)*]
    };
}

fn numeric() -> Vec<Row> {
    type Raw = &'static [(&'static str, &'static [&'static str], &'static str)];
    let groups: [Raw; 14] = [
        zwasm_core::for_each_unary!(rows),
        zwasm_core::for_each_unary_trapping!(rows),
        zwasm_core::for_each_binary!(rows),
        zwasm_core::for_each_binary_trapping!(rows),
        zwasm_core::for_each_compare!(rows),
        zwasm_core::for_each_wide!(rows),
        zwasm_core::for_each_v128_unary!(rows),
        zwasm_core::for_each_v128_binary!(rows),
        zwasm_core::for_each_v128_ternary!(rows),
        zwasm_core::for_each_v128_shift!(rows),
        zwasm_core::for_each_v128_test!(rows),
        zwasm_core::for_each_v128_splat!(rows),
        zwasm_core::for_each_v128_extract_lane!(rows),
        zwasm_core::for_each_v128_replace_lane!(rows),
    ];
    let known = ["i32", "i64", "f32", "f64", "v128", "u8"];
    let ty = |name: &str| {
        let name = name.trim().to_lowercase();
        *known.iter().find(|&&it| it == name).expect("a type")
    };
    groups
        .iter()
        .flat_map(|rows| rows.iter())
        .map(|&(name, from, to)| {
            let to = to.trim_matches(['(', ')']).split(',').map(ty).collect();
            (name, from.iter().map(|&name| ty(name)).collect(), to)
        })
        .collect()
}

const TYPES: [&str; 5] = ["i32", "i64", "f32", "f64", "v128"];

/// An operand: a local, a constant, or what the operator before leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operand {
    Local,
    Const,
    Computed,
}

const OPERANDS: [Operand; 3] = [Operand::Local, Operand::Const, Operand::Computed];

fn operand(ty: &str, kind: Operand) -> String {
    let one = match ty {
        "v128" => "(v128.const i64x2 1 1)".to_owned(),
        _ => format!("({ty}.const 1)"),
    };
    match kind {
        Operand::Local => format!("(local.get ${ty})"),
        Operand::Const => one,
        Operand::Computed if ty == "v128" => "(v128.or (local.get $v128) (local.get $v128))".into(),
        Operand::Computed => format!("({ty}.mul (local.get ${ty}) (local.get ${ty}))"),
    }
}

/// The module, whose functions each do one thing in a loop.
struct Writer {
    text: String,
    functions: usize,
}

impl Writer {
    /// A function that does this as often as its parameter says. Locals are named after their types,
    /// and 1, or 1 in each half; those for results begin with an `r`.
    fn turns(&mut self, body: &str) {
        let _ = writeln!(
            self.text,
            "(func $t{} (param $n i32) (local $i32 i32) (local $i64 i64) (local $f32 f32) (local $f64 f64)
              (local $v128 v128) (local $ri32 i32) (local $ri64 i64) (local $rf32 f32) (local $rf64 f64)
              (local $rv128 v128) (local $func funcref) (local $extern externref) (local $exn exnref)
              (local.set $i32 (i32.const 1)) (local.set $i64 (i64.const 1))
              (local.set $f32 (f32.const 1)) (local.set $f64 (f64.const 1))
              (local.set $v128 (v128.const i64x2 1 1))
              (loop $turn {body}
                (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))",
            self.functions
        );
        self.functions += 1;
    }

    /// An operator with operands of each kind, its result dropped, kept, and used at once.
    fn operator(&mut self, op: &str, from: &[&str], to: &[&str]) {
        let forms = OPERANDS.len().pow(from.len().min(2) as u32);
        for form in 0..forms {
            let kinds = [OPERANDS[form % 3], OPERANDS[form / 3]];
            let mut call = String::new();
            for (i, ty) in from.iter().enumerate() {
                call += &operand(ty, kinds[i.min(1)]);
            }
            call += &format!("({op})");
            match to {
                [] => self.turns(&call),
                [ty] if !TYPES.contains(ty) => self.turns(&format!("{call} drop")),
                [ty] => {
                    self.turns(&format!("{call} drop"));
                    self.turns(&format!("{call} (local.set $r{ty})"));
                    let used = match *ty {
                        "v128" => "(drop (v128.not))".to_owned(),
                        "i32" | "i64" => format!("(drop ({ty}.eqz))"),
                        _ => format!("(drop ({ty}.neg))"),
                    };
                    self.turns(&format!("{call} {used}"));
                }
                [a, b] => self.turns(&format!("{call} (local.set $r{b}) (local.set $r{a})")),
                _ => unreachable!("no operator has more results"),
            }
            // Comparisons and tests join with what asks them.
            if to == ["i32"] {
                self.turns(&format!("(block $b {call} (br_if $b))"));
                self.turns(&format!("(block $b {call} i32.eqz (br_if $b))"));
                self.turns(&format!("{call} (if (then (nop)) (else (nop)))"));
                self.turns(&format!(
                    "(local.get $i64) (i64.const 5) {call} select (local.set $ri64)"
                ));
            }
        }
    }
}

const MEMORY_ACCESSES: &[(&str, &str, bool)] = &[
    ("i32.load", "i32", true),
    ("i64.load", "i64", true),
    ("f32.load", "f32", true),
    ("f64.load", "f64", true),
    ("i32.load8_s", "i32", true),
    ("i32.load8_u", "i32", true),
    ("i32.load16_s", "i32", true),
    ("i32.load16_u", "i32", true),
    ("i64.load8_s", "i64", true),
    ("i64.load8_u", "i64", true),
    ("i64.load16_s", "i64", true),
    ("i64.load16_u", "i64", true),
    ("i64.load32_s", "i64", true),
    ("i64.load32_u", "i64", true),
    ("v128.load", "v128", true),
    ("v128.load8x8_s", "v128", true),
    ("v128.load8x8_u", "v128", true),
    ("v128.load16x4_s", "v128", true),
    ("v128.load16x4_u", "v128", true),
    ("v128.load32x2_s", "v128", true),
    ("v128.load32x2_u", "v128", true),
    ("v128.load8_splat", "v128", true),
    ("v128.load16_splat", "v128", true),
    ("v128.load32_splat", "v128", true),
    ("v128.load64_splat", "v128", true),
    ("v128.load32_zero", "v128", true),
    ("v128.load64_zero", "v128", true),
    ("i32.store", "i32", false),
    ("i64.store", "i64", false),
    ("f32.store", "f32", false),
    ("f64.store", "f64", false),
    ("i32.store8", "i32", false),
    ("i32.store16", "i32", false),
    ("i64.store8", "i64", false),
    ("i64.store16", "i64", false),
    ("i64.store32", "i64", false),
    ("v128.store", "v128", false),
];

/// Each of these in a loop, as it stands.
const OTHERS: &[&str] = &[
    // Bulk operations, of lengths that need several steps inside, too.
    "(memory.fill (i32.const 1) (local.get $i32) (i32.const 3))",
    "(memory.fill (i32.const 1) (i32.const 0) (i32.const 300))",
    "(memory.fill $b (i32.const 1) (local.get $i32) (i32.const 3))",
    "(memory.fill $c (i64.const 1) (local.get $i32) (i64.const 3))",
    "(memory.copy (i32.const 1) (i32.const 2) (i32.const 30))",
    "(memory.copy $b 0 (i32.const 1) (i32.const 2) (i32.const 3))",
    "(memory.copy $c $c (i64.const 1) (i64.const 2) (i64.const 3))",
    "(memory.copy 0 $c (i32.const 1) (i64.const 2) (i32.const 3))",
    "(memory.init $d (i32.const 1) (i32.const 0) (i32.const 3))",
    "(memory.init $c $d (i64.const 1) (i32.const 0) (i32.const 3))",
    "(data.drop $dropped)",
    "(drop (memory.size))",
    "(drop (memory.size $c))",
    "(drop (memory.grow (i32.const 0)))",
    "(drop (memory.grow (i32.const 70000)))",
    "(drop (memory.grow $c (i64.const 0)))",
    "(table.fill $t (i32.const 1) (ref.null func) (i32.const 3))",
    "(table.fill $t64 (i64.const 1) (ref.null func) (i64.const 3))",
    "(table.copy $t $t (i32.const 1) (i32.const 2) (i32.const 3))",
    "(table.copy $t $t64 (i32.const 1) (i64.const 2) (i32.const 3))",
    "(table.init $t $e (i32.const 1) (i32.const 0) (i32.const 2))",
    "(table.init $t64 $e (i64.const 1) (i32.const 0) (i32.const 2))",
    "(elem.drop $e_dropped)",
    "(drop (table.size $t))",
    "(drop (table.grow $t (ref.null func) (i32.const 0)))",
    "(drop (table.grow $t (ref.null func) (i32.const 70000)))",
    "(drop (table.get $t (i32.const 0)))",
    "(local.set $func (table.get $t64 (i64.const 0)))",
    "(table.set $t (i32.const 5) (local.get $func))",
    "(table.set $t64 (i64.const 5) (ref.func $leaf))",
    "(drop (ref.is_null (local.get $func)))",
    "(drop (ref.as_non_null (ref.func $leaf)))",
    "(drop (block $b (result funcref) (br_on_non_null $b (local.get $func)) (ref.null func)))",
    "(block $b (drop (br_on_null $b (local.get $func))))",
    "(block $b (drop (br_on_null $b (ref.func $leaf))))",
    // Variables and choices.
    "(global.set $gi32 (local.get $i32)) (local.set $i32 (global.get $gi32))",
    "(global.set $gi64 (local.get $i64)) (local.set $i64 (global.get $gi64))",
    "(global.set $gf32 (local.get $f32)) (local.set $f32 (global.get $gf32))",
    "(global.set $gf64 (local.get $f64)) (local.set $f64 (global.get $gf64))",
    "(global.set $gv128 (local.get $v128)) (local.set $v128 (global.get $gv128))",
    "(global.set $gi32 (i32.mul (local.get $i32) (local.get $i32)))",
    "(global.set $gf64 (f64.mul (local.get $f64) (local.get $f64)))",
    "(local.set $v128 (select (local.get $v128) (v128.const i64x2 1 2) (local.get $i32)))",
    "(local.set $f32 (select (local.get $f32) (f32.const 2) (local.get $i32)))",
    "(local.set $f64 (select (local.get $f64) (f64.const 2) (local.get $i32)))",
    "(local.set $func (select (result funcref) (local.get $func) (ref.null func) (local.get $i32)))",
    "(local.set $v128 (i8x16.shuffle 0 17 2 3 4 5 6 7 8 9 10 11 12 13 14 31 (local.get $v128) (local.get $v128)))",
    "(v128.store8_lane 0 (i32.const 8) (local.get $v128))",
    "(v128.store16_lane 1 (i32.const 8) (local.get $v128))",
    "(v128.store32_lane 2 (i32.const 8) (local.get $v128))",
    "(v128.store64_lane 1 (i32.const 8) (local.get $v128))",
    "(local.set $v128 (v128.load8_lane 0 (i32.const 8) (local.get $v128)))",
    "(local.set $v128 (v128.load16_lane 0 (i32.const 8) (local.get $v128)))",
    "(local.set $v128 (v128.load32_lane 0 (i32.const 8) (local.get $v128)))",
    "(local.set $v128 (v128.load64_lane 0 (i32.const 8) (local.get $v128)))",
    // Control.
    "(block $b (br $b))",
    "(block $a (block $b (br_table $a $b $a (local.get $i32))))",
    "(drop (block $a (result i64) (block $b (result i64) (br_table $a $b (i64.const 4) (local.get $i32)))))",
    "(drop (block $a (result i64) (br_if $a (local.get $i64) (local.get $i32))))",
    "(block $a (result i64 v128) (br_if $a (local.get $i64) (local.get $v128) (local.get $i32))) drop drop",
    "(local.get $i32) (loop $x (param i32) (drop))",
    "(if (local.get $i32) (then (nop)) (else (nop)))",
    "(local.set $i64 (if (result i64) (local.get $i32) (then (i64.const 1)) (else (i64.const 2))))",
    // Calls of every kind, of functions that end in every way.
    "(call $leaf)",
    "(drop (call $many (local.get $i32) (local.get $i64) (local.get $v128) (local.get $f64))) drop drop",
    "(call_indirect $t (i32.const 0))",
    "(call_indirect $t64 (i64.const 0))",
    "(call_ref $void (ref.func $leaf))",
    "(call $tail)",
    "(call $tail_indirect)",
    "(call $tail_reference)",
    "(call $deep (i32.const 3))",
    // Imports of a host, and what tail-calls them.
    "(call $host)",
    "(call $tail_host)",
    "(call_indirect $t (i32.const 1))",
    "(call_ref $void (ref.func $host))",
    "(drop (call $host_many (local.get $i32) (local.get $i64) (local.get $f64)))",
    // Exceptions, caught here and further out.
    "(block $b (try_table (catch_all $b) (throw $none)))",
    "(drop (block $b (result i32) (try_table (catch $some $b) (throw $some (local.get $i32))) (i32.const 1)))",
    "(block $b (try_table (catch_all $b) (call $throws)))",
    "(local.set $exn (block $b (result exnref) (try_table (catch_all_ref $b) (call $throws)) (unreachable)))
     (block $b (try_table (catch_all $b) (throw_ref (local.get $exn))))",
    "(try_table (catch_all 0) (nop))",
];

/// The module, as text.
fn module() -> String {
    let mut writer = Writer {
        text: String::new(),
        functions: 0,
    };
    for (name, from, to) in numeric() {
        let name = name.replacen('_', ".", 1);
        // Lanes are immediates.
        if from.contains(&"u8") {
            let from: Vec<&str> = from.into_iter().filter(|&ty| ty != "u8").collect();
            writer.operator(&format!("{name} 1"), &from, &to);
        } else {
            writer.operator(&name, &from, &to);
        }
    }
    for memory in ["", "$b ", "$c "] {
        let index = if memory == "$c " { "i64" } else { "i32" };
        for &(name, ty, is_load) in MEMORY_ACCESSES {
            for offset in ["", "offset=40 "] {
                let op = format!("{name} {memory}{offset}");
                if is_load {
                    writer.operator(&op, &[index], &[ty]);
                } else {
                    writer.operator(&op, &[index, ty], &[]);
                }
            }
        }
    }
    for body in OTHERS {
        writer.turns(body);
    }
    let mut text = String::from(
        r#"(module
        (type $void (func))
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (import "wasi_snapshot_preview1" "clock_res_get" (func $clock_res (param i32 i32) (result i32)))
        (memory (export "memory") 1 2) (memory $b 1 2) (memory $c i64 1 2)
        (data $d "abcdefgh") (data $dropped "x")
        (table $t 10 100 funcref) (table $t64 i64 10 100 funcref)
        (elem (table $t) (i32.const 0) func $leaf $host)
        (elem (table $t64) (i64.const 0) func $leaf)
        (elem $e func $leaf $host) (elem $e_dropped func $leaf)
        (elem declare func $leaf $host)
        (global $gi32 (mut i32) (i32.const 1)) (global $gi64 (mut i64) (i64.const 1))
        (global $gf32 (mut f32) (f32.const 1)) (global $gf64 (mut f64) (f64.const 1))
        (global $gv128 (mut v128) (v128.const i64x2 1 1))
        (tag $none) (tag $some (param i32))
        (func $leaf)
        (func $many (param i32 i64 v128 f64) (result i32 f64 v128)
            (local.get 0) (local.get 3) (local.get 2))
        (func $tail (return_call $leaf))
        (func $tail_indirect (return_call_indirect $t (i32.const 0)))
        (func $tail_reference (return_call_ref $void (ref.func $leaf)))
        (func $deep (param i32)
            (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))))
        (func $host (drop (call $clock_res (i32.const 99) (i32.const 0))))
        (func $tail_clock (param i32 i32) (result i32)
            (return_call $clock_res (local.get 0) (local.get 1)))
        (func $tail_host (drop (call $tail_clock (i32.const 99) (i32.const 0))))
        (func $host_many (param i32 i64 f64) (result i32)
            (return_call $clock_res (i32.const 99) (local.get 0)))
        (func $throws (throw $none))
        "#,
    );
    text += &writer.text;
    text += "(func (export \"run\") (param i32)\n";
    for function in 0..writer.functions {
        let _ = writeln!(text, "(call $t{function} (local.get 0))");
    }
    text += ")\n(func (export \"_start\")))";
    text
}

#[test]
fn handlers_keep_no_stack() {
    let text = module();
    if let Ok(path) = std::env::var("ZWASM_OPERATORS_OUT") {
        std::fs::write(path, &text).expect("the file can be written");
    }
    // Optimised builds are quick; elsewhere handlers return to a loop.
    let turns = if cfg!(debug_assertions) { 100 } else { 20_000 };
    for &tier in Tier::ALL {
        let text = text.clone();
        let thread = std::thread::Builder::new().stack_size(192 << 10);
        let thread = thread.spawn(move || {
            let mut config = Config::new();
            config.tier(tier);
            let engine = Engine::new(&config).expect("a valid configuration");
            let module = Module::new(&engine, &text).expect("a valid module");
            let mut linker = zwasm::Linker::new(&engine);
            let wasi = "wasi_snapshot_preview1";
            linker.func_wrap(wasi, "sched_yield", || 0).expect("new");
            linker
                .func_wrap(wasi, "clock_res_get", |_: i32, _: i32| 28)
                .expect("new");
            let mut store = Store::new(&engine, ());
            let instance: Instance = linker.instantiate(&mut store, &module).expect("links");
            let run = instance.get_typed_func::<i32, ()>(&store, "run");
            let result = run.expect("exported").call(&mut store, turns);
            result.unwrap_or_else(|error| panic!("{tier}: {error}"));
        });
        thread.expect("a thread").join().expect("it returns");
    }
}
