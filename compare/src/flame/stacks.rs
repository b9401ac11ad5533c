//! Stacks as `perf script -F comm,tid,ip,sym,dso` prints them.
//!
//! A sample is a line with the thread, then a line per frame, innermost first: address, symbol, and the file
//! that it is of in parentheses; an empty line ends it. `perf inject --jit` has made a file of its own of each
//! function of a jitdump, `jitted-PID-N.so`, whose symbol is what the jitdump calls the function.
//!
//! Source: the Linux tree, `tools/perf/Documentation/perf-script.txt`.

use crate::code::profile::zwasm_function;
use zwasm_reports::flame::{Frame, Kind};

/// The stack of each sample, outermost frame first.
pub(super) fn stacks(text: &str) -> Vec<Vec<Frame>> {
    let samples = text.split("\n\n");
    let stacks = samples.filter(|sample| !sample.trim().is_empty());
    stacks.map(stack).collect()
}

fn stack(sample: &str) -> Vec<Frame> {
    let lines = sample
        .lines()
        .filter(|line| line.starts_with(char::is_whitespace));
    let mut frames: Vec<Frame> = lines.filter_map(frame).collect();
    frames.reverse();
    // Neighbours that perf knows no more of than their file, or that are all of the kernel, are one.
    frames.dedup_by(|a, b| a == b && a.kind != Kind::Wasm);
    frames
}

/// `None` for a frame of which nothing is known.
fn frame(line: &str) -> Option<Frame> {
    let (_, rest) = line.trim().split_once(' ')?;
    let rest = rest.strip_suffix(')').unwrap_or(rest);
    let rest = rest.strip_suffix(" (deleted)").unwrap_or(rest);
    // Both may have parentheses, but a file is a path or one of perf's own names.
    let file_at = rest.rfind(" (/").max(rest.rfind(" (["));
    let (symbol, file) = file_at.map_or((rest, ""), |at| (&rest[..at], &rest[at + 2..]));
    if file.starts_with("[kernel") {
        return Some(Frame {
            name: "kernel".to_owned(),
            kind: Kind::Kernel,
        });
    }
    if let Some((index, own)) = zwasm_function(symbol) {
        return Some(Frame {
            name: own.unwrap_or_else(|| format!("function {index}")),
            kind: Kind::Wasm,
        });
    }
    let name = match symbol {
        "[unknown]" if file.is_empty() || file.starts_with('[') => return None,
        "[unknown]" => file.rsplit(['/', ':']).next().unwrap_or(file),
        symbol => symbol,
    };
    Some(Frame {
        name: name.to_owned(),
        kind: Kind::Native,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_outermost_first_and_known_by_what_they_are_of() {
        let text = "zwasm 7/7 \n\
            \tffffffff81001234 do_mmap ([kernel.kallsyms])\n\
            \tffffffff81001238 entry ([kernel.kallsyms])\n\
            \t      152a80 memcpy (/usr/lib/libc.so.6)\n\
            \t         1e8 wasm function 64 (/tmp/x (y)/jitted-7-9.so)\n\
            \t         1e4 wasm function 64 (/tmp/x (y)/jitted-7-9.so)\n\
            \t          c4 f (g) (wasm function 9) (/tmp/jitted-7-1.so)\n\
            \t         4ba [unknown] (/memfd:zwasm-code (deleted))\n\
            \t       3087a [unknown] (/opt/zwasm)\n\
            \t       3087b [unknown] (/opt/zwasm)\n\
            \t      3c99db [unknown] ([unknown])\n\n\
            zwasm 7/8 \n\
            \t         1e8 a stub (/tmp/jitted-7-2.so)\n\n";
        let shown: Vec<String> = stacks(text)
            .iter()
            .map(|stack| {
                let names = stack
                    .iter()
                    .map(|f| format!("{} {}", f.kind.word(), f.name));
                names.collect::<Vec<_>>().join(", ")
            })
            .collect();
        assert_eq!(
            shown,
            [
                "native zwasm, native zwasm-code, wasm f (g), wasm function 64, wasm function 64, \
                 native memcpy, kernel kernel",
                "native a stub"
            ]
        );
    }

    #[test]
    fn what_perf_does_not_print_is_no_sample() {
        assert!(stacks("").is_empty());
        assert!(stacks("\n\n\n").is_empty());
        assert_eq!(stacks("nothing known\n\tgarbage\n"), [Vec::new()]);
    }
}
