//! `zwasm explore`: wasm beside the machine code that the compilers make of it.
//!
//! Functions are rendered as text or as a page that needs no network. Both instruction sets are
//! shown, whatever this machine is.

mod arm64;
mod disassemble;
mod page;
mod text;

use crate::{Outcome, input};
use anyhow::{Context, bail};
use core::ops::Range;
use page::Page;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zwasm::{Config, Engine, Isa, MachineCode, Module, Printable, Tier};
use zwasm_terminal::path;

/// Shown below the options.
pub(crate) const EXAMPLES: &str = "\
Examples:
  zwasm explore app.wasm                      list all functions with their sizes
  zwasm explore --func main app.wasm          wasm and machine code of one function
  zwasm explore -o page.html app.wasm         every function on a page for a browser
  zwasm explore --tier opt --func main --isa x86_64 --dump hoisting app.wasm
                                              the intermediate form after a pass";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only functions with this index, or with a name that contains this; can be repeated
    #[arg(long, value_name = "INDEX|NAME")]
    func: Vec<String>,

    /// Show the code of this instruction set only
    #[arg(long, value_name = "ISA", value_parser = isa)]
    isa: Option<Isa>,

    /// Show the code of this tier
    #[arg(long, value_name = "TIER", default_value = "baseline", value_parser = tier)]
    tier: Tier,

    /// Print the intermediate form of tier opt as it is after this pass, instead of code: of the
    /// functions chosen, for each instruction set. An unknown name lists the passes
    #[arg(long, value_name = "PASS", conflicts_with = "out")]
    dump: Option<String>,

    /// Write a page for a browser instead of text
    #[arg(short, long = "out", value_name = "FILE")]
    out: Option<PathBuf>,

    /// The module, `.wasm` or `.wat`
    file: PathBuf,
}

fn isa(name: &str) -> Result<Isa, String> {
    let known = Isa::ALL.into_iter().find(|isa| isa.name() == name);
    known.ok_or_else(|| {
        let names = Isa::ALL.map(Isa::name).join(", ");
        format!("unknown instruction set; known: {names}")
    })
}

fn tier(name: &str) -> Result<Tier, String> {
    let tier: Tier = name.parse()?;
    if tier == Tier::Interp {
        return Err("the interpreter makes no machine code".to_owned());
    }
    Ok(tier)
}

/// A function with its code.
struct Function<'l> {
    /// Index among all functions of the module.
    index: u32,
    name: Option<String>,
    body_bytes: usize,
    /// Its operators in text form, with their offsets in the module.
    operators: &'l [(u32, String)],
    codes: Vec<(Isa, MachineCode)>,
}

impl Function<'_> {
    fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{} {}", self.index, Printable::name(name)),
            None => self.index.to_string(),
        }
    }

    /// Lines of text form, of a range of its operators.
    fn wasm(&self, range: Range<usize>) -> Vec<&str> {
        if range.end == 0 {
            return vec![";; entry"];
        }
        let lines = self.operators[range].iter();
        lines.map(|line| line.1.as_str()).collect()
    }

    /// Bytes of code per byte of wasm.
    fn per_wasm_byte(&self, code: &MachineCode) -> f64 {
        code.bytes.len() as f64 / self.body_bytes as f64
    }

    /// "x86_64 123 bytes (1.50 per wasm byte) in 45 µs".
    fn sizes(&self) -> Vec<String> {
        let size = |(isa, code): &(Isa, MachineCode)| {
            let bytes = code.bytes.len();
            let ratio = self.per_wasm_byte(code);
            format!(
                "{} {bytes} bytes ({ratio:.2} per wasm byte) in {:.0} µs",
                isa.name(),
                code.compile_time.as_secs_f64() * 1e6
            )
        };
        self.codes.iter().map(size).collect()
    }
}

pub(crate) fn run(options: &Options) -> Outcome {
    let mut config = Config::new();
    config.tier(options.tier);
    let engine = Engine::new(&config)?;
    let cannot_load = || format!("cannot load {}", path(&options.file));
    let bytes = input::bytes(&options.file).with_context(cannot_load)?;
    let binary = Module::to_binary(bytes).with_context(cannot_load)?;
    let module = Module::new(&engine, &binary).with_context(cannot_load)?;
    let isas: Vec<Isa> = Isa::ALL
        .into_iter()
        .filter(|&isa| options.isa.is_none_or(|only| only == isa))
        .collect();
    let chosen = choose(&module, &options.func)?;
    if let Some(pass) = &options.dump {
        return dump(&module, &chosen, &isas, pass);
    }
    let lines = lines(&binary)?;
    let functions = chosen.into_iter().map(|defined| {
        let body = module.function_body(defined).expect("chosen among them");
        let first = lines.partition_point(|line| (line.0 as usize) < body.start);
        let last = lines.partition_point(|line| (line.0 as usize) < body.end);
        let codes = isas.iter();
        let codes = codes.map(|&isa| Ok((isa, module.machine_code(defined, isa)?)));
        let index = module.imported_functions() + defined;
        Ok::<_, zwasm::Error>(Function {
            index,
            name: module.function_name(index),
            body_bytes: body.len(),
            operators: &lines[first..last],
            codes: codes.collect::<zwasm::Result<_>>()?,
        })
    });
    let file = file_name(&options.file);
    if let Some(out) = &options.out {
        let mut page = Page::new(&file, options.tier, &isas);
        for function in functions {
            page.add(&function?);
        }
        std::fs::write(out, page.finish())
            .with_context(|| format!("cannot write {}", path(out)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let functions: Vec<Function<'_>> = functions.collect::<zwasm::Result<_>>()?;
    let text = if options.func.is_empty() {
        text::overview(&file, &functions)
    } else {
        text::render(&functions, options.tier)
    };
    zwasm_terminal::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints functions as they are after a pass.
fn dump(module: &Module, chosen: &[u32], isas: &[Isa], pass: &str) -> Outcome {
    for &defined in chosen {
        let index = module.imported_functions() + defined;
        let name = module.function_name(index).unwrap_or_default();
        for &isa in isas {
            for text in module.dump(defined, isa, pass)? {
                let mut out = String::new();
                writeln!(
                    out,
                    "== function {index} {}, {} after {pass}",
                    Printable::name(&name),
                    isa.name()
                )?;
                writeln!(out, "{text}")?;
                zwasm_terminal::print(&out)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn file_name(file: &Path) -> String {
    path(Path::new(file.file_name().unwrap_or_default()))
}

/// The functions meant, as indices among those with a body.
fn choose(module: &Module, wanted: &[String]) -> anyhow::Result<Vec<u32>> {
    let imported = module.imported_functions();
    let all = 0..module.stats().functions as u32;
    if wanted.is_empty() {
        return Ok(all.collect());
    }
    let is_meant = |defined: u32, wanted: &str| match wanted.parse::<u32>() {
        Ok(index) => index == imported + defined,
        Err(_) => module
            .function_name(imported + defined)
            .is_some_and(|name| name.contains(wanted)),
    };
    for wanted in wanted {
        if !all.clone().any(|defined| is_meant(defined, wanted)) {
            let wanted = Printable::name(wanted);
            bail!("no function with a body is or is called '{wanted}'");
        }
    }
    let any = |&defined: &u32| wanted.iter().any(|w| is_meant(defined, w));
    Ok(all.filter(any).collect())
}

/// The lines of a module's text form that stand for bytes of its binary form, with their offsets.
fn lines(binary: &[u8]) -> anyhow::Result<Vec<(u32, String)>> {
    let mut storage = String::new();
    let config = wasmprinter::Config::new();
    let lines = config
        .offsets_and_lines(binary, &mut storage)
        .context("cannot print the module as text")?;
    let mut found: Vec<(u32, String)> = Vec::new();
    for (offset, line) in lines {
        if let Some(offset) = offset {
            found.push((u32::try_from(offset)?, line.trim_end().to_owned()));
        }
    }
    Ok(found)
}

/// A stretch of code with the operators that it belongs to.
struct Chunk {
    /// Where its operators end, among the function's; they begin where those before end.
    end: usize,
    /// Instructions.
    code: Vec<String>,
}

/// Aligns wasm with the code of one instruction set: what is before the first operator's, then stretches in order.
/// Operators without code of their own come with the next that has some.
fn chunks(function: &Function<'_>, isa: Isa, code: &MachineCode) -> Vec<Chunk> {
    let listing = |range| disassemble::listing(isa, &code.bytes, range);
    let entry = code.operators.first().map_or(0, |first| first.0 as usize);
    let mut chunks = vec![Chunk {
        end: 0,
        code: listing(0..entry),
    }];
    let (mut seen, mut at) = (0, entry);
    for (i, &(start, module_offset)) in code.operators.iter().enumerate() {
        // Lines before the first operator are the signature and the locals.
        let rest = &function.operators[seen..];
        seen += rest
            .iter()
            .take_while(|line| line.0 <= module_offset)
            .count();
        let Some(end) = code.operators.get(i + 1).map(|next| next.0) else {
            continue;
        };
        if end > start {
            chunks.push(Chunk {
                end: seen,
                code: listing(start as usize..end as usize),
            });
        }
        at = end as usize;
    }
    chunks.push(Chunk {
        end: function.operators.len(),
        code: listing(at..code.bytes.len()),
    });
    chunks
}

/// Wasm beside the code of each instruction set.
struct Row<'f> {
    /// Lines of text form.
    wasm: Vec<&'f str>,
    /// Instructions, as [`disassemble::listing`] has them, by instruction set.
    codes: Vec<Vec<String>>,
}

/// A function in rows that are as short as all its instruction sets allow.
fn rows<'f>(function: &'f Function<'_>) -> Vec<Row<'f>> {
    let codes = function.codes.iter();
    let codes = codes.map(|(isa, code)| chunks(function, *isa, code));
    let mut codes: Vec<Vec<Chunk>> = codes.collect();
    let ends = |chunks: &Vec<Chunk>| chunks.iter().map(|chunk| chunk.end).collect();
    let common = codes
        .iter()
        .map(ends)
        .reduce(|a: BTreeSet<usize>, b| &a & &b);
    let mut before = 0;
    let mut rows = Vec::new();
    for end in common.unwrap_or_default() {
        let of = |chunks: &mut Vec<Chunk>| {
            let count = chunks.iter().take_while(|chunk| chunk.end <= end).count();
            chunks.drain(..count).flat_map(|chunk| chunk.code).collect()
        };
        rows.push(Row {
            wasm: function.wasm(before..end),
            codes: codes.iter_mut().map(of).collect(),
        });
        before = end;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has something made of the only function of a module.
    fn with_function<T>(text: &str, look: impl FnOnce(&Function<'_>) -> T) -> T {
        let binary = Module::to_binary(text.into()).unwrap();
        let module = Module::new(&Engine::default(), &binary).unwrap();
        let lines = lines(&binary).unwrap();
        let body = module.function_body(0).unwrap();
        let first = lines.partition_point(|line| (line.0 as usize) < body.start);
        let codes = Isa::ALL.map(|isa| (isa, module.machine_code(0, isa).unwrap()));
        look(&Function {
            index: 0,
            name: module.function_name(0),
            body_bytes: body.len(),
            operators: &lines[first..],
            codes: codes.into(),
        })
    }

    const LOOP: &str = r#"(module (func $"count</script>" (param i32) (result i32) (local i32)
        (loop $again
            (local.set 1 (i32.add (local.get 1) (local.get 0)))
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1)))"#;

    #[test]
    fn every_operator_and_every_byte_is_shown_once() {
        with_function(LOOP, |function| {
            let rows = rows(function);
            let shown: usize = rows.iter().map(|row| row.wasm.len()).sum();
            // The entry has a line of its own.
            assert_eq!(shown, function.operators.len() + 1);
            assert!(rows.len() > 4, "{} rows", rows.len());
            for (at, (isa, code)) in function.codes.iter().enumerate() {
                let first = |line: &String| line.split_once("  ").unwrap().0.len() / 2;
                let bytes = rows.iter().flat_map(|row| &row.codes[at]).map(first);
                assert_eq!(bytes.sum::<usize>(), code.bytes.len(), "{}", isa.name());
            }
        });
    }

    #[test]
    fn text_and_page_name_both_instruction_sets() {
        with_function(LOOP, |function| {
            let text = text::render(core::slice::from_ref(function), Tier::Baseline);
            for part in ["count", "x86_64", "aarch64", "i32.sub", "ret", "br_if"] {
                assert!(text.contains(part), "{part} in {text}");
            }
            let mut page = Page::new("a<b>.wat", Tier::Baseline, &Isa::ALL);
            page.add(function);
            let page = page.finish();
            assert!(page.starts_with("<!doctype html>"));
            assert!(page.contains("a&lt;b&gt;.wat"));
            assert!(page.contains(r#""columns":["index","name","wasm bytes","x86_64 bytes""#));
            assert!(!page.contains("count</script>") && !page.contains("://"));
        });
    }

    #[test]
    fn blocks_of_a_page_hold_the_code() {
        use base64::engine::{Engine as _, general_purpose::STANDARD};
        with_function(LOOP, |function| {
            let mut page = Page::new("it.wat", Tier::Baseline, &Isa::ALL);
            // More than a block.
            (0..1500).for_each(|_| page.add(function));
            let page = page.finish();
            let blocks = page.split("id=\"block").skip(1).map(|rest| {
                let text = rest.split_once('>').unwrap().1.split_once('<').unwrap().0;
                let compressed = STANDARD.decode(text).unwrap();
                let block = flate2::read::ZlibDecoder::new(&compressed[..]);
                let block: Vec<serde_json::Value> = serde_json::from_reader(block).unwrap();
                block
            });
            let blocks: Vec<_> = blocks.collect();
            assert!(blocks.len() > 1);
            let functions: Vec<_> = blocks.concat();
            assert_eq!(functions.len(), 1500);
            for one in &functions {
                assert_eq!(one["isas"], serde_json::json!(["x86_64", "aarch64"]));
                assert_eq!(one["rows"].as_array().unwrap().len(), rows(function).len());
            }
        });
    }
}
