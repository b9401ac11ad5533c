//! Loops that copy and fill, which the optimizing compiler does by vectors where nobody can tell:
//! all sizes of accesses, upwards and downwards, by pointers and by indices, with each way to end;
//! ranges that overlap at each distance, that end with the memory or leave it, that wrap around.
//! The interpreter says what is right, turn by turn: memory, results and traps.

use crate::{configurations, instantiate, turn_by_turn};
use std::fmt::Write;
use zwasm::{Instance, Store, TrapCode, Val};

const PAGE: i64 = 65_536;

/// What a turn does with memory.
#[derive(Clone, Copy)]
enum Work {
    /// A load and a store.
    Copy(&'static str, &'static str),
    /// All loads of a turn, then all stores.
    CopyTogether(&'static str, &'static str),
    /// A store of a constant or of the parameter.
    Fill(&'static str, &'static str),
}

/// How a loop ends.
#[derive(Clone, Copy)]
enum End {
    /// A count of turns reaches zero.
    Count,
    /// The same, asked for before each turn.
    CountBefore,
    /// The first pointer reaches its end.
    Pointer,
    /// An index is no longer below its end.
    Below(&'static str),
    /// An index is no longer above the end of a loop downwards.
    Above(&'static str),
}

struct Form {
    work: Work,
    size: i64,
    /// Accesses per turn.
    unrolled: i64,
    is_down: bool,
    end: End,
    /// Displacements are sums instead.
    by_sums: bool,
}

impl Form {
    fn stride(&self) -> i64 {
        self.size * self.unrolled
    }

    /// A function of two addresses, a number of turns and a value, on memories with this index type.
    fn text(&self, name: &str, index: &str, memories: [&str; 2]) -> String {
        let stride = self.stride();
        let step = if self.is_down { -stride } else { stride };
        // Indices are relative to the addresses, pointers are addresses.
        let by_index = matches!(self.end, End::Below(_) | End::Above(_));
        let at = |pointer: &str| match by_index {
            true => format!("({index}.add (local.get ${pointer}) (local.get $i))"),
            false => format!("(local.get ${pointer})"),
        };
        let place = |pointer: &str, slot: i64| {
            let offset = slot * self.size;
            match self.by_sums {
                false => format!("offset={offset} {}", at(pointer)),
                true => format!("({index}.add {} ({index}.const {offset}))", at(pointer)),
            }
        };
        let [target, source] = memories;
        let mut turn = String::new();
        let mut stores = String::new();
        for slot in 0..self.unrolled {
            let to = place("to", slot);
            let _ = match self.work {
                Work::Copy(load, store) => {
                    let from = place("from", slot);
                    writeln!(turn, "({store} {target} {to} ({load} {source} {from}))")
                }
                Work::CopyTogether(load, store) => {
                    let ty = &load[..3];
                    let from = place("from", slot);
                    let _ = writeln!(
                        stores,
                        "({store} {target} {to} (local.get $loaded_{ty}_{slot}))"
                    );
                    writeln!(
                        turn,
                        "(local.set $loaded_{ty}_{slot} ({load} {source} {from}))"
                    )
                }
                Work::Fill(store, value) => writeln!(turn, "({store} {target} {to} {value})"),
            };
        }
        turn += &stores;
        let add = |local: &str, by: i64| {
            format!("(local.set ${local} ({index}.add (local.get ${local}) ({index}.const {by})))")
        };
        let advance = match by_index {
            true => add("i", step),
            false => format!("{} {}", add("to", step), add("from", step)),
        };
        let less = add("n", -1);
        let n_turns = format!("({index}.mul (local.get $n) ({index}.const {step}))");
        let body = match self.end {
            End::Count => format!(
                "(loop $l {turn} {advance} {less}
                    (br_if $l ({index}.ne (local.get $n) ({index}.const 0))))"
            ),
            End::CountBefore => format!(
                "(block $out (loop $l
                    (br_if $out ({index}.eqz (local.get $n)))
                    {turn} {advance} {less} (br $l)))"
            ),
            End::Pointer => format!(
                "(local.set $end ({index}.add (local.get $to) {n_turns}))
                (loop $l {turn} {advance}
                    (br_if $l ({index}.ne (local.get $to) (local.get $end))))"
            ),
            End::Below(compare) => format!(
                "(local.set $end {n_turns})
                (loop $l {turn} {advance}
                    (br_if $l ({index}.{compare} (local.get $i) (local.get $end))))"
            ),
            End::Above(compare) => format!(
                "(local.set $i ({index}.sub ({index}.const 0) {n_turns}))
                (loop $l {advance} {turn}
                    (br_if $l ({index}.{compare} (local.get $i) (local.get $end))))"
            ),
        };
        let loaded: String = (0..4)
            .flat_map(|slot| {
                ["i32", "i64", "f32", "f64"].map(|ty| format!("(local $loaded_{ty}_{slot} {ty})"))
            })
            .collect();
        format!(
            "(func (export \"{name}\") (param $to {index}) (param $from {index})
                (param $n {index}) (param $value i32) (result {index} {index} {index} {index})
                (local $i {index}) (local $end {index}) {loaded}
                (local $wide i64) (local $single f32)
                (local.set $wide (i64.extend_i32_u (local.get $value)))
                (local.set $single (f32.convert_i32_s (local.get $value)))
                {body}
                (local.get $to) (local.get $from) (local.get $n) (local.get $i))\n"
        )
    }
}

fn forms() -> Vec<Form> {
    let copies: [(&str, &str, i64); 8] = [
        ("i32.load8_u", "i32.store8", 1),
        ("i64.load8_s", "i64.store8", 1),
        ("i32.load16_s", "i32.store16", 2),
        ("i32.load", "i32.store", 4),
        ("i64.load32_u", "i64.store32", 4),
        ("i64.load", "i64.store", 8),
        ("f32.load", "f32.store", 4),
        ("f64.load", "f64.store", 8),
    ];
    let value = "(local.get $value)";
    let wide = "(local.get $wide)";
    let fills: [(&str, &str, i64); 10] = [
        ("i32.store8", value, 1),
        ("i32.store8", "(i32.const 0xfa5)", 1),
        ("i64.store8", wide, 1),
        ("i32.store16", value, 2),
        ("i32.store", value, 4),
        ("i32.store", "(i32.const -3)", 4),
        ("i64.store32", wide, 4),
        ("i64.store", wide, 8),
        ("f32.store", "(local.get $single)", 4),
        ("f64.store", "(f64.const 1.5)", 8),
    ];
    let ends = [
        End::Count,
        End::CountBefore,
        End::Pointer,
        End::Below("lt_u"),
        End::Below("le_s"),
        End::Below("ne"),
        End::Above("gt_s"),
        End::Above("ge_u"),
        End::Above("ne"),
    ];
    let works = copies
        .map(|(load, store, size)| (Work::Copy(load, store), size))
        .into_iter()
        .chain(copies.map(|(load, store, size)| (Work::CopyTogether(load, store), size)))
        .chain(fills.map(|(store, value, size)| (Work::Fill(store, value), size)));
    let mut forms = Vec::new();
    let mut number = 0;
    for (work, size) in works {
        for end in ends {
            number += 1;
            forms.push(Form {
                work,
                size,
                unrolled: [1, 2, 1, 4, 3][number % 5],
                is_down: match end {
                    End::Below(_) => false,
                    End::Above(_) => true,
                    _ => number % 2 == 0,
                },
                end,
                by_sums: number % 3 == 0,
            });
        }
    }
    forms
}

/// Addresses, turns and whether all is well in the interpreter's sight: few turns.
fn cases(form: &Form) -> Vec<[i64; 3]> {
    let stride = form.stride();
    let mut cases = Vec::new();
    // From where a loop starts to the range's lowest byte.
    let start = |low: i64, turns: i64| match (form.is_down, form.end) {
        (false, _) | (true, End::Above(_)) => low,
        (true, _) => low + (turns - 1) * stride,
    };
    for turns in [
        1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 65, 100,
    ] {
        cases.push([start(1000, turns), start(5003, turns), turns]);
    }
    let turns = (70 / form.size + 1).max(13);
    let is_fill = matches!(form.work, Work::Fill(..));
    let distances = if is_fill { 0..=0 } else { -66..=66 };
    for distance in distances {
        cases.push([start(2000 + distance, turns), start(2000, turns), turns]);
    }
    // At the end of the memory, and at its start.
    let bytes = turns * stride;
    for delta in [-17, -16, -1, 0, 1, 8, 15, 16, 17, bytes - 1, bytes] {
        let end = PAGE - bytes + delta;
        cases.push([start(end, turns), start(300, turns), turns]);
        cases.push([start(300, turns), start(end, turns), turns]);
        cases.push([start(-delta, turns), start(700, turns), turns]);
        cases.push([start(9000, turns), start(-delta, turns), turns]);
    }
    // Without an end in sight.
    cases.push([start(PAGE - 300, 1), start(40, 1), 1 << 40]);
    cases.push([start(PAGE - 300, 1), start(40, 1), -1]);
    cases.push([PAGE - 300, PAGE / 2, 0]);
    cases.push([300, 200, 0]);
    cases
}

#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    results: Result<Vec<i64>, Option<TrapCode>>,
    memories: [u64; 2],
}

/// Tells contents apart that differ by little.
fn hash(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(8);
    words.fold(0, |hash, word| {
        let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
        (hash ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    })
}

/// What a module of these loops does under one configuration.
fn outcomes(
    instantiate: impl Fn(&str) -> (Store<()>, Instance),
    forms: &[Form],
    index: &str,
    memories: [&str; 2],
) -> Vec<Outcome> {
    let mut text = format!(
        "(module (memory $a (export \"a\") {index} 1 1) (memory $b (export \"b\") {index} 1 1)\n"
    );
    for (i, form) in forms.iter().enumerate() {
        text += &form.text(&i.to_string(), index, memories);
    }
    text += ")";
    let (mut store, instance) = instantiate(&text);
    let pattern: Vec<u8> = (0..PAGE).map(|at| (at * 37 + at / 251) as u8).collect();
    let both = ["a", "b"].map(|name| instance.get_memory(&store, name).expect("exported"));
    let mut outcomes = Vec::new();
    for (i, form) in forms.iter().enumerate() {
        let func = instance.get_func(&store, &i.to_string()).expect("exported");
        for [to, from, turns] in cases(form) {
            for memory in both {
                memory.data_mut(&mut store).copy_from_slice(&pattern);
            }
            let integer = |value: i64| match index {
                "i64" => Val::I64(value),
                _ => Val::I32(value as i32),
            };
            let args = [
                integer(to),
                integer(from),
                integer(turns),
                Val::I32(0x1234_56a7),
            ];
            let mut results = [Val::I32(0); 4];
            let result = func.call(&mut store, &args, &mut results);
            let results = result.map_err(|error| error.trap_code()).map(|()| {
                let number = |val: &Val| match *val {
                    Val::I32(value) => value.into(),
                    Val::I64(value) => value,
                    _ => unreachable!("integers"),
                };
                results.iter().map(number).collect()
            });
            outcomes.push(Outcome {
                results,
                memories: both.map(|memory| hash(memory.data(&store))),
            });
        }
    }
    outcomes
}

fn compare(index: &str, memories: [&str; 2]) {
    let forms = forms();
    let expected = outcomes(turn_by_turn, &forms, index, memories);
    for (config, name) in configurations() {
        let got = outcomes(|text| instantiate(&config, text), &forms, index, memories);
        let cases = forms
            .iter()
            .flat_map(|form| cases(form).into_iter().map(move |case| (form, case)));
        for ((form, case), (expected, got)) in cases.zip(expected.iter().zip(&got)) {
            let text = || form.text("f", index, memories);
            assert!(
                expected == got,
                "{name}: {expected:?}, {got:?} of {case:?}: {}",
                text()
            );
        }
    }
}

#[test]
fn loops_that_copy_and_fill() {
    compare("i32", ["$a", "$a"]);
}

#[test]
fn loops_that_copy_and_fill_with_64_bit_indices() {
    compare("i64", ["$a", "$a"]);
}

#[test]
fn loops_that_copy_between_memories() {
    compare("i32", ["$b", "$a"]);
}
