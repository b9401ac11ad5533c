//! The machine code of whole functions, against listings that are read in review.
//!
//! `functions/NAME.wat` has a function, and what it calls behind it; `functions/NAME.txt` what the
//! compilers make of it for both instruction sets and the newest processors, on any machine. `ZWASM_BLESS=1`
//! rewrites the listings. Words behind `;;!` in a source say how: `opt` asks for the optimizing
//! compiler's code besides the baseline's, `fuel` for code that counts it, `checked` for a memory
//! without guard regions.

#[path = "../../../cli/src/explore/arm64.rs"]
mod arm64;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use wasmparser::{FunctionBody, Parser, Payload};
use zwasm::{Config, Engine, Isa, MachineCode, Module, Tier};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/functions")
}

/// The instructions of `code` as (offset, text).
fn disassemble(isa: Isa, code: &[u8]) -> Vec<(usize, String)> {
    match isa {
        Isa::X86_64 => x86_64(code),
        _ => aarch64(code),
    }
}

fn x86_64(code: &[u8]) -> Vec<(usize, String)> {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_branch_leading_zeros(false);
    let mut instruction = Instruction::default();
    let mut lines = Vec::new();
    while decoder.can_decode() {
        let at = decoder.position();
        decoder.decode_out(&mut instruction);
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        lines.push((at, text));
    }
    lines
}

fn aarch64(code: &[u8]) -> Vec<(usize, String)> {
    let instruction = |(i, bytes): (usize, &[u8])| {
        let text = arm64::instruction(bytes, 4 * i as i64).unwrap_or_else(|| {
            let word = u32::from_le_bytes(bytes.try_into().expect("code is words"));
            format!(".word {word:#010x}")
        });
        (4 * i, text)
    };
    code.chunks(4).enumerate().map(instruction).collect()
}

/// The operators of the first body, as (offset in the module, name).
fn operators(wasm: &[u8]) -> Vec<(u32, String)> {
    let body = Parser::new(0).parse_all(wasm).find_map(|payload| {
        let Ok(Payload::CodeSectionEntry(body)) = payload else {
            return None;
        };
        Some(body)
    });
    let body: FunctionBody<'_> = body.expect("a function with a body");
    let mut reader = body.get_operators_reader().expect("a valid module");
    let mut operators = Vec::new();
    while !reader.eof() {
        let at = reader.original_position() as u32;
        let operator = reader.read().expect("a valid module");
        operators.push((at, format!("{operator:?}")));
    }
    operators
}

/// A listing; where the compiler says which code is whose, operators come before theirs.
fn render(isa: Isa, code: &MachineCode, operators: &[(u32, String)]) -> String {
    let mut text = String::new();
    let mut next = code.operators.iter().peekable();
    for (at, instruction) in disassemble(isa, &code.bytes) {
        while let Some((_, operator)) = next.next_if(|(start, _)| *start as usize <= at) {
            let named = operators.iter().find(|(offset, _)| offset == operator);
            let (_, name) = named.expect("an operator of the body");
            writeln!(text, "       ; {name}").expect("writing to a string");
        }
        writeln!(text, "{at:5x}  {instruction}").expect("writing to a string");
    }
    text
}

fn listing(source: &str) -> String {
    let words: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix(";;!"))
        .flat_map(str::split_whitespace)
        .collect();
    let mut text = String::new();
    for tier in [Tier::Baseline, Tier::Opt] {
        if tier == Tier::Opt && !words.contains(&"opt") {
            continue;
        }
        let mut config = Config::new();
        config.tier(tier).consume_fuel(words.contains(&"fuel"));
        if words.contains(&"checked") {
            config.memory_reservation(1 << 20);
        }
        let engine = Engine::new(&config).expect("a valid configuration");
        let wasm = wat::parse_str(source).expect("valid text");
        let module = Module::new(&engine, &wasm).expect("a valid module");
        for isa in Isa::ALL {
            let code = module.machine_code_of_newest(0, isa).expect("compiles");
            writeln!(text, "==== {tier} {}", isa.name()).expect("writing to a string");
            text += &render(isa, &code, &operators(&wasm));
        }
    }
    text
}

/// The files of a directory whose names end like this.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn functions_compile_to_the_code_in_the_listings() {
    if Tier::ALL.len() == 1 {
        println!("skipped: this build has no compilers");
        return;
    }
    for source in files(&directory(), "wat") {
        let text = std::fs::read_to_string(&source).expect("a source");
        let got = listing(&text);
        let path = source.with_extension("txt");
        if std::env::var_os("ZWASM_BLESS").is_some() {
            std::fs::write(&path, &got).expect("the listing is writable");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        let mut section = "";
        for (expected, got) in expected.lines().zip(got.lines()) {
            if expected.starts_with("====") {
                section = expected;
            }
            assert_eq!(
                expected,
                got,
                "{}, {section}; ZWASM_BLESS=1 accepts all of it",
                path.display()
            );
        }
        assert_eq!(expected.len(), got.len(), "{}", path.display());
    }
}

/// Modules of the corpus that are larger take long, and have nothing that the others have not.
const MODULE_BYTES_MAX: u64 = 8 << 10;

/// What each pass leaves of these functions and of the corpus, as text, is read as what prints like that.
#[test]
fn forms_are_read_as_they_are_printed() {
    let Some(&tier) = Tier::ALL.iter().find(|tier| tier.name() == "opt") else {
        println!("skipped: this build has no compilers");
        return;
    };
    let engine = Engine::new(Config::new().tier(tier)).expect("a valid configuration");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workloads/wasm");
    let mut paths = files(&corpus, "wasm");
    paths.retain(|path| path.metadata().expect("a file").len() <= MODULE_BYTES_MAX);
    paths.extend(files(&directory(), "wat"));
    for path in paths {
        let wasm = wat::parse_file(&path).expect("a module");
        let module = Module::new(&engine, &wasm).expect("a valid module");
        for defined in 0..module.stats().functions as u32 {
            for isa in Isa::ALL {
                check_forms(&path, &module, defined, isa);
            }
        }
    }
}

fn check_forms(path: &Path, module: &Module, defined: u32, isa: Isa) {
    let passes = module.machine_code(defined, isa).expect("compiles").passes;
    for pass in &passes.passes {
        for form in module.dump(defined, isa, pass.name).expect("a pass") {
            let read = zwasm_jit::opt::reprint(&form);
            let read = read.unwrap_or_else(|why| panic!("{}: {why}\n{form}", path.display()));
            assert_eq!(read, form, "{}", path.display());
        }
    }
}
