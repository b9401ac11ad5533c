//! The listing as one file for a browser: a table of functions, and their code in compressed blocks, of which the
//! browser reads those that somebody looks into. A module of a megabyte has code of a million lines.

use super::{Function, Row, rows};
use base64::engine::{Engine, general_purpose::STANDARD};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::Write as _;
use zwasm::{Isa, PassTime, Printable, Tier};

/// Of code as text in a block, in bytes: large enough to compress well, small enough to be read at once.
const BLOCK_BYTES: usize = 1 << 20;

/// A page that is being written.
pub(super) struct Page {
    out: String,
    isas: Vec<Isa>,
    /// How many there are.
    blocks: usize,
    /// Functions of the next one, as JSON.
    block: Vec<String>,
    block_bytes: usize,
    /// For each function its block and its place there, and the cells of the table.
    index: Vec<Value>,
}

impl Page {
    pub(super) fn new(file: &str, tier: Tier, isas: &[Isa]) -> Page {
        let file = escape(file);
        let style = include_str!("page.css");
        let out = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <link rel=\"icon\" href=\"data:,\">\
             <title>{file}: machine code</title><style>{style}</style></head><body>\n\
             <h1>{file}</h1>\n<p>Each function as tier {tier} translates it.</p>\n\
             <p><input type=\"search\" placeholder=\"part of a function's name\" aria-label=\"filter\"> \
             <span id=\"count\" class=\"note\"></span></p>\n<div class=\"scroll\"><table id=\"functions\">\
             <thead><tr></tr></thead><tbody></tbody></table></div>\n\
             <p><button id=\"more\">Show more</button></p>\n"
        );
        Page {
            out,
            isas: isas.to_vec(),
            blocks: 0,
            block: Vec::new(),
            block_bytes: 0,
            index: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, function: &Function) {
        let place = json!([self.blocks, self.block.len()]);
        let mut cells = vec![
            place,
            json!(function.index),
            json!(match &function.name {
                Some(name) => Printable::name(name).to_string(),
                None => format!("function {}", function.index),
            }),
            json!(function.body_bytes),
        ];
        for (_, code) in &function.codes {
            let ratio = function.per_wasm_byte(code);
            cells.push(json!(code.bytes.len()));
            cells.push(json!((ratio * 100.0).round() / 100.0));
            cells.push(json!(code.compile_time.as_micros() as u64));
        }
        self.index.push(Value::Array(cells));
        let code = code(function).to_string();
        self.block_bytes += code.len();
        self.block.push(code);
        if self.block_bytes >= BLOCK_BYTES {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        let functions = format!("[{}]", self.block.join(","));
        let written = encoder.write_all(functions.as_bytes());
        let compressed = written.and_then(|()| encoder.finish());
        let text = STANDARD.encode(compressed.expect("memory takes all"));
        let number = self.blocks;
        let _ = writeln!(
            self.out,
            "<script type=\"text/plain\" id=\"block{number}\">{text}</script>"
        );
        self.blocks += 1;
        self.block.clear();
        self.block_bytes = 0;
    }

    /// All of it.
    pub(super) fn finish(mut self) -> String {
        self.end_block();
        let mut columns = ["index", "name", "wasm bytes"].map(str::to_owned).to_vec();
        for isa in &self.isas {
            let isa = isa.name();
            columns.push(format!("{isa} bytes"));
            columns.push("per wasm byte".to_owned());
            columns.push("µs".to_owned());
        }
        let index = json!({ "columns": columns, "rows": self.index }).to_string();
        // What names contain is not to end the element.
        let index = index.replace('<', "\\u003c");
        let script = include_str!("page.js");
        let _ = writeln!(
            self.out,
            "<script type=\"application/json\" id=\"index\">{index}</script>\n\
             <script>{script}</script></body></html>"
        );
        self.out
    }
}

/// What is shown of an opened function.
fn code(function: &Function) -> Value {
    let instruction = |line: &String| {
        let (bytes, text) = line.split_once("  ").unwrap_or(("", line));
        json!([bytes, text])
    };
    let row = |row: Row<'_>| {
        let codes = row.codes.iter();
        let codes = codes.map(|lines| lines.iter().map(instruction).collect::<Value>());
        core::iter::once(json!(row.wasm))
            .chain(codes)
            .collect::<Value>()
    };
    let pass = |isa: &str, pass: &PassTime| {
        json!([
            pass.name,
            isa,
            pass.runs,
            (pass.time.as_secs_f64() * 1e7).round() / 10.0,
            pass.nodes_before,
            pass.nodes_after
        ])
    };
    let codes = function.codes.iter();
    let passes =
        codes.flat_map(|(isa, code)| code.passes.passes.iter().map(|it| pass(isa.name(), it)));
    json!({
        "isas": function.codes.iter().map(|(isa, _)| isa.name()).collect::<Vec<_>>(),
        "rows": rows(function).into_iter().map(row).collect::<Vec<_>>(),
        "passes": passes.collect::<Vec<_>>(),
    })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
