//! The bytes that both macro-assemblers emit, against listings that are read in review.
//!
//! `ZWASM_BLESS=1` rewrites the listings, with a disassembly by an `objdump` that knows both
//! instruction sets (Debian: `binutils-multiarch`); the tests themselves only compare the bytes. A
//! listing holds each method with every way its registers may alias and with constants on both
//! sides of every limit of the encodings.

mod cases;
mod vector_cases;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use zwasm_jit::isa::aarch64::A64Masm;
use zwasm_jit::isa::x86_64::{Features, X64Masm};
use zwasm_jit::masm::{FloatPart, LoadOp, Masm, Mem};

use cases::{Case, all};

fn listing_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.txt"))
}

/// The instructions of `code` as (bytes in hexadecimal, text).
fn disassemble(listing: &str, architecture: &str, code: &[u8]) -> Vec<(String, String)> {
    if code.is_empty() {
        return Vec::new();
    }
    let file = std::env::temp_dir().join(format!("zwasm-{listing}-{}.bin", std::process::id()));
    std::fs::write(&file, code).expect("a temporary file");
    let output = Command::new("objdump")
        .args(["-D", "-z", "-b", "binary", "-m", architecture])
        .args((architecture != "aarch64").then_some("-Mintel"))
        .args(["--insn-width=16"])
        .arg(&file)
        .output()
        .expect("objdump is installed");
    std::fs::remove_file(&file).expect("the temporary file");
    let text = String::from_utf8(output.stdout).expect("objdump writes text");
    let mut instructions = Vec::new();
    for line in text.lines() {
        let mut columns = line.split('\t');
        let (Some(address), Some(_)) = (columns.next(), columns.next()) else {
            continue;
        };
        let Ok(at) = usize::from_str_radix(address.trim().trim_end_matches(':'), 16) else {
            continue;
        };
        let text = columns.collect::<Vec<_>>().join(" ");
        instructions.push((at, text));
    }
    assert!(!instructions.is_empty(), "objdump knows {architecture}");
    let mut ends: Vec<usize> = instructions.iter().skip(1).map(|&(at, _)| at).collect();
    ends.push(code.len());
    instructions
        .into_iter()
        .zip(ends)
        .map(|((at, text), end)| {
            let words: Vec<&str> = text.split_whitespace().collect();
            (hexadecimal(&code[at..end]), words.join(" "))
        })
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}

fn render(listing: &str, architecture: &str, cases: &[Case]) -> String {
    let mut text = String::new();
    for case in cases {
        let (code, data) = case.bytes.split_at(case.code_size);
        writeln!(text, "# {}", case.name).expect("writing to a string");
        for (bytes, instruction) in disassemble(listing, architecture, code) {
            writeln!(text, "{bytes:20} {instruction}").expect("writing to a string");
        }
        for bytes in data.chunks(16) {
            writeln!(text, "{:20} (data)", hexadecimal(bytes)).expect("writing to a string");
        }
    }
    text
}

/// The cases of a listing as (name, bytes in hexadecimal).
fn parse(text: &str) -> Vec<(String, String)> {
    let mut cases: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            cases.push((name.to_owned(), String::new()));
        } else if let (Some((_, bytes)), Some(column)) =
            (cases.last_mut(), line.split_whitespace().next())
        {
            bytes.push_str(column);
        }
    }
    cases
}

fn check(name: &str, architecture: &str, cases: &[Case]) {
    let path = listing_path(name);
    if std::env::var_os("ZWASM_BLESS").is_some() {
        std::fs::write(&path, render(name, architecture, cases)).expect("the listing is writable");
    }
    let text = std::fs::read_to_string(&path).expect("ZWASM_BLESS=1 writes the listing");
    let expected = parse(&text);
    for (case, (name, bytes)) in cases.iter().zip(&expected) {
        assert_eq!(
            &case.name, name,
            "the order of the cases; ZWASM_BLESS=1 rewrites them"
        );
        assert_eq!(
            &hexadecimal(&case.bytes),
            bytes,
            "{name}; ZWASM_BLESS=1 accepts it"
        );
    }
    assert_eq!(
        cases.len(),
        expected.len(),
        "ZWASM_BLESS=1 rewrites the cases"
    );
}

#[test]
fn x86_64() {
    check(
        "x86_64",
        "i386:x86-64",
        &all(|| X64Masm::with_features(Features::default())),
    );
}

/// Only the operations that the features change are worth reading, but all are cheap to compare.
#[test]
fn x86_64_with_features() {
    let baseline = all(|| X64Masm::with_features(Features::default()));
    let cases: Vec<Case> = all(|| X64Masm::with_features(Features::ALL))
        .into_iter()
        .zip(baseline)
        .filter(|(case, baseline)| case.bytes != baseline.bytes)
        .map(|(case, _)| case)
        .collect();
    check("x86_64_features", "i386:x86-64", &cases);
}

#[test]
fn aarch64() {
    check("aarch64", "aarch64", &all(A64Masm::new));
}

#[test]
fn aarch64_with_far_branches() {
    let near = all(A64Masm::new);
    let cases: Vec<Case> = all(|| A64Masm::with_far_branches(()))
        .into_iter()
        .zip(near)
        .filter(|(case, near)| case.bytes != near.bytes)
        .map(|(case, _)| case)
        .collect();
    check("aarch64_far_branches", "aarch64", &cases);
}

/// A fault happens at the last instruction of an access on ARM64, at the only one on x86_64.
#[test]
fn accesses_are_where_they_say() {
    fn offsets<M: Masm>() -> Vec<[u32; 3]> {
        let mut offsets = Vec::new();
        for index in [None, Some(M::FILE.temporary[0])] {
            for displacement in [0, 8, 4095, 0x1_0000, 0x0123_4567, -1000] {
                let base = M::FILE.memory_base;
                let mem = Mem {
                    base,
                    index,
                    displacement,
                };
                let mut masm = M::new();
                masm.imm(M::FILE.scratch[0], 1);
                let start = masm.offset();
                masm.load(LoadOp::U64, M::FILE.scratch[1], mem);
                offsets.push([start, masm.last_access(), masm.offset()]);
                let start = masm.offset();
                masm.float_store(FloatPart::F64, M::FILE.float_scratch, mem);
                offsets.push([start, masm.last_access(), masm.offset()]);
            }
        }
        offsets
    }
    for [start, access, _] in offsets::<X64Masm>() {
        assert_eq!(access, start);
    }
    for [_, access, end] in offsets::<A64Masm>() {
        assert_eq!(access, end - 4);
    }
}
