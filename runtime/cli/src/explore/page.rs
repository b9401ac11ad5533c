//! The listing as one file for a browser.

use super::{Listing, chunks};
use std::fmt::Write;
use zwasm::MachineCode;

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; }
details { border-top: 1px solid #8886; padding: .3rem 0; }
summary { cursor: pointer; }
summary small { opacity: .7; margin-left: .7em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font: 12.5px/1.4 ui-monospace, monospace; margin: .6rem 0; }
caption { text-align: left; font-family: system-ui, sans-serif; padding: .3rem 0; }
td { vertical-align: top; white-space: pre; padding: .1rem 1.2rem .1rem .2rem; border-top: 1px solid #8883; }
td i { font-style: normal; opacity: .45; }
input { font: inherit; padding: .3rem .5rem; width: min(28rem, 90%); }
";

/// Hides the functions whose title lacks what is typed.
const SCRIPT: &str = "
const box = document.querySelector('input');
box.addEventListener('input', () => {
  for (const d of document.querySelectorAll('body > details'))
    d.hidden = !d.querySelector('summary').textContent.includes(box.value);
});
";

pub(super) fn render(listing: &Listing) -> String {
    let file = escape(&listing.file);
    let tier = listing.tier;
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{file}: machine code</title><style>{STYLE}</style></head><body>\n\
         <h1>{file}</h1>\n<p>Each function as tier {tier} translates it. \
         <input placeholder=\"part of a function's name\" aria-label=\"filter\"></p>\n"
    );
    for function in &listing.functions {
        let _ = writeln!(
            out,
            "<details><summary>{}<small>{} bytes of wasm; {}</small></summary>",
            escape(&function.title()),
            function.body_bytes,
            function.sizes().join("; ")
        );
        for (isa, code) in &function.codes {
            let _ = write!(
                out,
                "<div class=\"scroll\"><table><caption>{}, {}</caption>",
                tier,
                isa.name()
            );
            for chunk in chunks(function, *isa, code) {
                let wasm: Vec<String> = chunk.wasm.iter().map(|line| escape(line)).collect();
                let code: Vec<String> = chunk.code.iter().map(|line| instruction(line)).collect();
                let _ = write!(
                    out,
                    "<tr><td>{}</td><td>{}</td></tr>",
                    wasm.join("\n"),
                    code.join("\n")
                );
            }
            out.push_str("</table></div>\n");
            passes(&mut out, code);
        }
        out.push_str("</details>\n");
    }
    let _ = writeln!(out, "<script>{SCRIPT}</script></body></html>");
    out
}

/// What the passes of the optimizing compiler took and left, folded.
fn passes(out: &mut String, code: &MachineCode) {
    if code.passes.passes.is_empty() {
        return;
    }
    out.push_str(
        "<details><summary>Passes</summary><div class=\"scroll\"><table><tr><td>pass</td><td>runs</td>\
         <td>µs</td><td>nodes before</td><td>after</td></tr>",
    );
    for pass in &code.passes.passes {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{:.1}</td><td>{}</td><td>{}</td></tr>",
            pass.name,
            pass.runs,
            pass.time.as_secs_f64() * 1e6,
            pass.nodes_before,
            pass.nodes_after
        );
    }
    out.push_str("</table></div></details>\n");
}

/// The text, and its bytes paler behind it.
fn instruction(line: &str) -> String {
    let (bytes, text) = line.split_once("  ").unwrap_or(("", line));
    format!("{:<40} <i>{bytes}</i>", escape(text))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
