//! Values put together of single bytes, which come to byte swaps, nearly or not at all.

use super::{configurations, instantiate};
use std::fmt::Write;

/// Deterministic numbers: which form a byte takes.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}

/// The expression of byte `from` of the parameter at place `to`.
fn byte(ty: &str, size: usize, [from, to]: [usize; 2], numbers: &mut Numbers) -> String {
    let mask = |at: usize| 0xff_u64 << (8 * at);
    let local = "(local.get 0)";
    let constant = |bits: u64| match size {
        4 => format!("({ty}.const {})", bits as i32),
        _ => format!("({ty}.const {})", bits as i64),
    };
    let and = |x: &str, at: usize| format!("({ty}.and {x} {})", constant(mask(at)));
    let shift =
        |op: &str, x: &str, by: usize| format!("({ty}.{op} {x} {})", constant(8 * by as u64));
    let moved = |x: &str, numbers: &mut Numbers| match (numbers.below(3), to.checked_sub(from)) {
        (0, _) => shift("rotl", x, (to + size - from) % size),
        (1, _) => shift("rotr", x, (from + size - to) % size),
        (_, Some(by)) => shift("shl", x, by),
        (_, None) => shift("shr_u", x, from - to),
    };
    if numbers.below(2) == 0 {
        moved(&and(local, from), numbers)
    } else {
        and(&moved(local, numbers), to)
    }
}

#[test]
fn bytes_in_reverse_and_nearly_so() {
    const FUNCTIONS: usize = 60;
    let mut numbers = Numbers(7);
    for (ty, size) in [("i32", 4), ("i64", 8)] {
        let mut text = String::from("(module\n");
        let mut is_swap = Vec::new();
        for function in 0..FUNCTIONS {
            let mut places: Vec<[usize; 2]> = (0..size).map(|at| [at, size - 1 - at]).collect();
            for i in (1..size).rev() {
                places.swap(i, numbers.below(i + 1));
            }
            // A third is not right in one byte: it comes from elsewhere, is twice there or missing.
            let right = function % 3 != 0;
            if !right {
                let wrong = numbers.below(size);
                match numbers.below(3) {
                    0 => places[wrong][0] = (places[wrong][0] + 1) % size,
                    1 => places.push(places[wrong]),
                    _ => drop(places.remove(wrong)),
                }
            }
            is_swap.push(right);
            let mut parts: Vec<String> = places
                .into_iter()
                .map(|place| byte(ty, size, place, &mut numbers))
                .collect();
            while parts.len() > 1 {
                let a = parts.swap_remove(numbers.below(parts.len()));
                let b = parts.swap_remove(numbers.below(parts.len()));
                let op = ["or", "or", "xor", "add"][numbers.below(4)];
                parts.push(format!("({ty}.{op} {a} {b})"));
            }
            let body = &parts[0];
            writeln!(
                text,
                "(func (export \"{function}\") (param {ty}) (result {ty}) {body})"
            )
            .expect("a string");
        }
        text.push(')');
        let inputs = [
            0_u64,
            1,
            0x0123_4567_89ab_cdef,
            0xfedc_ba98_8765_4321,
            u64::MAX,
        ];
        let mut expected: Option<Vec<u64>> = None;
        for (config, name) in configurations() {
            let (mut store, instance) = instantiate(&config, &text);
            let mut results = Vec::new();
            for (function, &right) in is_swap.iter().enumerate() {
                for input in inputs {
                    let export = function.to_string();
                    let result = if size == 4 {
                        let func = instance
                            .get_typed_func::<i32, i32>(&store, &export)
                            .expect("exported");
                        let result = func.call(&mut store, input as i32).expect("no trap");
                        assert!(
                            !right || result == (input as i32).swap_bytes(),
                            "{name} {export}"
                        );
                        u64::from(result as u32)
                    } else {
                        let func = instance
                            .get_typed_func::<i64, i64>(&store, &export)
                            .expect("exported");
                        let result = func.call(&mut store, input as i64).expect("no trap");
                        assert!(
                            !right || result == (input as i64).swap_bytes(),
                            "{name} {export}"
                        );
                        result as u64
                    };
                    results.push(result);
                }
            }
            match &expected {
                None => expected = Some(results),
                Some(expected) => assert_eq!(&results, expected, "{name}"),
            }
        }
    }
}
