//! The listing for a terminal.

use super::{Function, chunks};
use std::fmt::Write;
use zwasm::Tier;

/// Columns of the wasm side.
const WASM_COLUMNS: usize = 44;

/// One line per function.
pub(super) fn overview(file: &str, functions: &[Function<'_>]) -> String {
    let mut out = format!("{file}\n");
    for function in functions {
        let _ = writeln!(
            out,
            "{:<40} {:>7} bytes of wasm  {}",
            function.title(),
            function.body_bytes,
            function.sizes().join("  ")
        );
    }
    out.push_str("(name functions with --func to see their code, or write a page with -o)\n");
    out
}

/// Wasm on the left, machine code on the right, one instruction set after the other.
pub(super) fn render(functions: &[Function<'_>], tier: Tier) -> String {
    let mut out = String::new();
    for function in functions {
        for ((isa, code), size) in function.codes.iter().zip(function.sizes()) {
            let _ = writeln!(out, "== function {}, {tier}, {size}", function.title());
            let mut before = 0;
            for chunk in chunks(function, *isa, code) {
                let wasm = function.wasm(before..chunk.end);
                before = chunk.end;
                for row in 0..wasm.len().max(chunk.code.len()) {
                    let wasm = wasm.get(row).copied().unwrap_or_default();
                    let code = chunk.code.get(row).map_or("", |line| text_of(line));
                    let row = format!("{wasm:<WASM_COLUMNS$} | {code}");
                    let _ = writeln!(out, "{}", row.trim_end());
                }
            }
            out.push('\n');
        }
    }
    out
}

/// Without the bytes.
fn text_of(line: &str) -> &str {
    line.split_once("  ").map_or(line, |(_, text)| text)
}
