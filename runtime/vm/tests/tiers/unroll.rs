//! Loops that count, of which the optimizing compiler makes two or four turns: from none to many,
//! with ways out in each place, traps on the way, and values that are used behind. The interpreter
//! says what is right: memory, results, traps and where they are.

use crate::{configurations, instantiate};
use std::hash::{DefaultHasher, Hasher};
use zwasm::{TrapCode, Val};

/// Each takes where to begin in memory, how many turns to do and another number.
const FUNCTIONS: &[&str] = &[
    // Sums up to the end, which is asked for first; all variables are results.
    "(loop $next
       (if (i32.lt_s (local.get $i) (local.get $n)) (then
         (local.set $sum (i32.add (local.get $sum)
           (i32.mul (i32.load8_u (i32.add (local.get $at) (local.get $i))) (local.get $i))))
         (local.set $last (i32.sub (local.get $sum) (local.get $last)))
         (local.set $i (i32.add (local.get $i) (i32.const 1)))
         (br $next))))",
    // At least one turn; each reads what the one before has stored.
    "(loop $next
       (i32.store offset=4 (local.get $at)
         (i32.add (i32.rotl (i32.load (local.get $at)) (i32.const 3)) (local.get $i)))
       (local.set $at (i32.add (local.get $at) (i32.const 4)))
       (local.set $i (i32.add (local.get $i) (i32.const 1)))
       (br_if $next (i32.lt_u (local.get $i) (local.get $n))))",
    // Two variables change places; down to zero.
    "(local.set $i (local.get $n))
     (loop $next
       (local.set $last (i32.xor (local.get $sum) (i32.mul (local.get $last) (i32.const 31))))
       (i32.store8 (local.get $at) (local.get $last))
       (local.get $last) (local.get $sum) (local.set $last) (local.set $sum)
       (local.set $at (i32.add (local.get $at) (i32.const 3)))
       (br_if $next (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))",
    // Traps midway: a division by what comes down to zero, behind a store.
    "(loop $next
       (i32.store (local.get $at) (local.get $i))
       (local.set $sum (i32.add (local.get $sum)
         (i32.div_u (i32.const 1000) (i32.sub (local.get $x) (local.get $i)))))
       (local.set $at (i32.add (local.get $at) (i32.const 4)))
       (local.set $i (i32.add (local.get $i) (i32.const 1)))
       (br_if $next (i32.lt_u (local.get $i) (local.get $n))))",
    // Two ways out to two places, with different values behind them.
    "(block $done (block $found
       (loop $next
         (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
         (local.set $last (i32.load8_u (i32.add (local.get $at) (local.get $i))))
         (br_if $found (i32.eq (local.get $last) (i32.and (local.get $x) (i32.const 255))))
         (local.set $i (i32.add (local.get $i) (i32.const 2)))
         (local.set $sum (i32.add (local.get $sum) (local.get $last)))
         (br $next)))
       (local.set $sum (i32.add (i32.shl (local.get $i) (i32.const 8)) (local.get $last))))",
    // Goes back from two places, and out by a table.
    "(block $c (block $b (block $a
       (loop $next
         (local.set $i (i32.add (local.get $i) (i32.const 1)))
         (br_if $c (i32.gt_s (local.get $i) (local.get $n)))
         (local.set $last (i32.load8_u (i32.add (local.get $at) (local.get $i))))
         (br_if $next (i32.and (local.get $last) (i32.const 1)))
         (local.set $sum (i32.add (local.get $sum) (local.get $i)))
         (br_table $next $a $next $b $next
           (i32.and (i32.add (local.get $last) (local.get $x)) (i32.const 31)))))
       (local.set $sum (i32.add (local.get $sum) (i32.mul (local.get $last) (i32.const 7)))))
       (local.set $sum (i32.sub (local.get $sum) (local.get $i))))",
    // One in another, which counts as well; a return from the inner one.
    "(loop $rows
       (local.set $j (i32.const 0))
       (loop $columns
         (local.set $sum (i32.add (local.get $sum)
           (i32.load8_u (i32.add (local.get $at) (i32.add (local.get $i) (local.get $j))))))
         (if (i32.eq (local.get $sum) (local.get $x))
           (then (return (local.get $i) (local.get $j) (i32.const -1) (local.get $sum))))
         (br_if $columns
           (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $n))))
       (br_if $rows
         (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))",
    // Something only in some turns; the counter wraps around where it does not meet its end.
    "(loop $next
       (if (i32.and (local.get $i) (local.get $x))
         (then (local.set $last (i32.add (local.get $last) (local.get $i))))
         (else (i32.store16 (local.get $at) (local.get $last))))
       (local.set $at (i32.add (local.get $at) (i32.const 2)))
       (local.set $i (i32.add (local.get $i) (i32.const 3)))
       (br_if $next (i32.le_s (local.get $i) (local.get $n))))",
];

/// The same in another type of indices.
fn text(index: &str) -> String {
    let mut text = format!("(module (memory (export \"memory\") {index} 1)");
    for (number, body) in FUNCTIONS.iter().enumerate() {
        let body = match index {
            // Addresses are of 64 bits, all else stays.
            "i64" => widen(body),
            _ => (*body).to_owned(),
        };
        text += &format!(
            "(func (export \"{number}\") (param $at i32) (param $n i32) (param $x i32)
               (result i32 i32 i32 i32)
               (local $i i32) (local $j i32) (local $sum i32) (local $last i32)
               {body}
               (local.get $i) (local.get $at) (local.get $sum) (local.get $last))"
        );
    }
    text + ")"
}

/// Makes the first operand of each access an `i64`.
fn widen(body: &str) -> String {
    let mut wide = String::new();
    let mut rest = body;
    while let Some(at) = ["(i32.load", "(i32.store"]
        .iter()
        .filter_map(|access| rest.find(access))
        .min()
    {
        let operand = at + 1 + rest[at + 1..].find('(').expect("accesses have an address");
        let mut depth = 0;
        let length = rest[operand..]
            .find(|character| {
                depth += match character {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
                depth == 0
            })
            .expect("parentheses match");
        let (before, from) = rest.split_at(operand);
        let (address, behind) = from.split_at(length + 1);
        wide += before;
        wide += &format!("(i64.extend_i32_u {address})");
        rest = behind;
    }
    wide + rest
}

/// A trap, and the offsets of its frames.
type Trap = (Option<TrapCode>, Vec<Option<usize>>);

#[derive(PartialEq, Debug)]
struct Outcome {
    results: Result<Vec<i32>, Trap>,
    memory: u64,
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn cases() -> impl Iterator<Item = [i32; 3]> {
    let starts = [16, 65_536 - 21];
    let turns = [0, 1, 2, 3, 4, 5, 7, 8, 9, 17, 40, -1];
    let others = [0, 1, 3, 6, 95, 300];
    starts.into_iter().flat_map(move |at| {
        turns
            .into_iter()
            // The other loops would go on for long.
            .filter(move |&n| n >= 0 || at > 16)
            .flat_map(move |n| others.into_iter().map(move |x| [at, n, x]))
    })
}

fn compare(index: &str) {
    let text = text(index);
    let mut expected: Option<Vec<Outcome>> = None;
    // The interpreter is the first tier.
    for (config, name) in configurations() {
        let (mut store, instance) = instantiate(&config, &text);
        let memory = instance.get_memory(&store, "memory").expect("exported");
        let pattern: Vec<u8> = (0..65_536_u32)
            .map(|at| (at * 37 + at / 251) as u8)
            .collect();
        let mut got = Vec::new();
        for number in 0..FUNCTIONS.len() {
            let name = number.to_string();
            let func = instance.get_func(&store, &name).expect("exported");
            for case in cases() {
                memory.data_mut(&mut store).copy_from_slice(&pattern);
                let mut results = [Val::I32(0), Val::I32(0), Val::I32(0), Val::I32(0)];
                let result = func.call(&mut store, &case.map(Val::I32), &mut results);
                let results = result
                    .map_err(|error| {
                        let frames = error.backtrace().iter();
                        let frames = frames.map(|frame| frame.module_offset()).collect();
                        (error.trap_code(), frames)
                    })
                    .map(|()| {
                        let number = |val: &Val| match *val {
                            Val::I32(value) => value,
                            _ => unreachable!("integers"),
                        };
                        results.iter().map(number).collect()
                    });
                got.push(Outcome {
                    results,
                    memory: hash(memory.data(&store)),
                });
            }
        }
        let Some(expected) = &expected else {
            assert!(got.iter().any(|outcome| outcome.results.is_err()));
            expected = Some(got);
            continue;
        };
        for (i, (expected, got)) in expected.iter().zip(&got).enumerate() {
            let case = cases().nth(i % cases().count());
            assert!(
                expected == got,
                "{name}: {:?}, {:?} of {case:?}: {}",
                expected.results,
                got.results,
                FUNCTIONS[i / cases().count()]
            );
        }
    }
}

#[test]
fn loops_that_count() {
    compare("i32");
}

#[test]
fn loops_that_count_in_a_64_bit_memory() {
    compare("i64");
}
